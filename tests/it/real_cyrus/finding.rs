//! Searching, sorting and threading at Cyrus.

use std::time::{Duration, UNIX_EPOCH};

use mailbearer::ImapClient;
use mailbearer::imap::{
    AppendOptions, DateTime, Fetch, Flag, Message, Partial, Search, SearchReturn, Sort, SortKey,
    StoreFlags, ThreadAlgorithm, Uid,
};

use super::{message, store};
use crate::support::servers::Cyrus;

/// Subject, sender, octets of the body, and to which of them it replies.
const LETTERS: [(&str, &str, usize, Option<usize>); 4] = [
    ("pears", "Zoe <a@example.test>", 10, None),
    ("Re: pears", "Ann <z@example.test>", 3000, Some(0)),
    ("=?utf-8?q?apples_from_K=C3=B6ln?=", "Bob <m@example.test>", 400, None),
    ("Re: pears", "Cid <k@example.test>", 50, Some(1)),
];

async fn filled() -> (ImapClient, Vec<Uid>) {
    let cyrus = Cyrus::start();
    let mut imap = cyrus.imap(&cyrus.mailbox("finding")).await;
    let letters = LETTERS.iter().enumerate().map(|(at, (subject, from, octets, reply_to))| {
        let references = reply_to.map_or_else(String::new, |to| {
            format!("In-Reply-To: <{to}@example.test>\r\nReferences: <{to}@example.test>\r\n")
        });
        let letter = format!(
            "From: {from}\r\nSubject: {subject}\r\nMessage-ID: <{at}@example.test>\r\n\
             Date: Mon, 16 Nov 2026 0{}:00:00 +0000\r\n{references}\r\n{}\r\n",
            9 - at,
            "x".repeat(*octets)
        );
        letter.into_bytes()
    });
    let mut uids = Vec::new();
    for (hour, letter) in (0..).zip(letters) {
        // An hour after each other.
        let received = UNIX_EPOCH + Duration::from_secs(1_700_000_000 + 3600 * hour);
        let options =
            AppendOptions::new().date(DateTime::from_system_time(received).expect("a date"));
        let place = imap.append("INBOX", letter, options).await.expect("APPEND");
        uids.push(place.uid().expect("Cyrus has UIDPLUS"));
    }
    imap.select("INBOX").await.expect("SELECT");
    (imap, uids)
}

fn places(all: &[Uid], found: impl Iterator<Item = Uid>) -> Vec<usize> {
    found.map(|uid| all.iter().position(|known| *known == uid).expect("a known UID")).collect()
}

#[tokio::test]
async fn messages_are_found_by_what_they_say_and_are() {
    let (mut imap, all) = filled().await;
    let inbox = imap.selected().expect("it is open");
    let flags = StoreFlags::add([Flag::Flagged, Flag::from("$Work")]);
    inbox.uid_store(all[3], flags).await.expect("UID STORE");
    let every = Search::all;
    let hour = Duration::from_secs(3600);
    for (search, expected) in [
        (every(), vec![0, 1, 2, 3]),
        (every().subject("PEARS"), vec![0, 1, 3]),
        (every().subject("köln"), vec![2]),
        (every().from("ann").unseen(), vec![1]),
        (every().flagged().keyword("$Work"), vec![3]),
        (every().or(every().larger(2000), every().flagged()), vec![1, 3]),
        (every().not(every().header("References", "")), vec![0, 2]),
        (every().younger(hour), vec![]),
        (every().older(hour), vec![0, 1, 2, 3]),
        (every().uids(&all[1..3]), vec![1, 2]),
        (every().text("nothing of this"), vec![]),
    ] {
        let found = inbox.uid_search(search.clone()).await.expect("UID SEARCH");
        assert_eq!(places(&all, found.iter()), expected, "{search:?}");
    }
    let wanted = [SearchReturn::Min, SearchReturn::Max, SearchReturn::Count, SearchReturn::All];
    let found = inbox.uid_search_returning(every().subject("pears"), wanted).await;
    let found = found.expect("ESEARCH");
    assert_eq!((found.min(), found.max(), found.count()), (Some(all[0]), Some(all[3]), 3));
    let none = inbox.uid_search_returning(every().cc("nobody"), wanted).await.expect("ESEARCH");
    assert_eq!((none.min(), none.max(), none.count()), (None, None, 0));

    // Cyrus 3.6 has neither SEARCHRES nor PARTIAL.
    let pears = inbox.uid_search_saving(every().subject("pears")).await.expect("SEARCH");
    assert!(!pears.is_at_server());
    let messages =
        inbox.uid_fetch(&pears, Fetch::flags()).await.expect("UID FETCH").collect().await;
    let messages = messages.expect("UID FETCH");
    assert_eq!(places(&all, messages.iter().filter_map(Message::uid)), [0, 1, 3]);
    let page = [SearchReturn::Partial(Partial::from_end(1..=2)), SearchReturn::Count];
    let found = inbox.uid_search_returning(every(), page).await.expect("UID SEARCH");
    assert_eq!((places(&all, found.iter()), found.count()), (vec![2, 3], 4));
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn messages_come_in_the_order_that_is_asked_for() {
    let (mut imap, all) = filled().await;
    let inbox = imap.selected().expect("it is open");
    for (sort, expected) in [
        (Sort::by(SortKey::Arrival), [0, 1, 2, 3]),
        (Sort::reversed(SortKey::Arrival), [3, 2, 1, 0]),
        (Sort::by(SortKey::Date), [3, 2, 1, 0]),
        (Sort::by(SortKey::Size), [0, 3, 2, 1]),
        (Sort::by(SortKey::From), [0, 3, 2, 1]),
        (Sort::by(SortKey::DisplayFrom), [1, 2, 3, 0]),
        (Sort::by(SortKey::Subject), [2, 0, 1, 3]),
        (Sort::by(SortKey::Subject).then(SortKey::Date), [2, 3, 1, 0]),
        (Sort::by(SortKey::Cc).then(SortKey::To).then(SortKey::DisplayTo), [0, 1, 2, 3]),
    ] {
        let sorted = inbox.uid_sort(sort.clone(), Search::all()).await.expect("UID SORT");
        assert_eq!(places(&all, sorted.iter()), expected, "{sort:?}");
    }
    let newest = || Sort::reversed(SortKey::Arrival);
    let none = inbox.uid_sort(newest(), Search::all().subject("grün")).await.expect("UID SORT");
    assert!(none.is_empty());
    // Cyrus itself would tell the lowest and the highest number.
    let wanted = [SearchReturn::Min, SearchReturn::Max, SearchReturn::Count];
    let ends = inbox.uid_sort_returning(newest(), Search::all(), wanted).await.expect("SORT");
    assert_eq!((ends.first(), ends.last(), ends.count()), (Some(all[3]), Some(all[0]), 4));
    let wanted = [SearchReturn::All, SearchReturn::Count];
    let sorted = inbox.uid_sort_returning(newest(), Search::all(), wanted).await.expect("ESORT");
    assert_eq!((places(&all, sorted.iter()), sorted.count()), (vec![3, 2, 1, 0], 4));
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn threads_tell_who_replies_to_whom() {
    let (mut imap, all) = filled().await;
    let inbox = imap.selected().expect("it is open");
    for algorithm in [ThreadAlgorithm::References, ThreadAlgorithm::Refs] {
        let threads = inbox.uid_thread(algorithm, Search::all()).await.expect("UID THREAD");
        assert_eq!(threads.unread(), 0);
        let mut told: Vec<Vec<_>> = threads
            .iter()
            .map(|thread| {
                let message = |message: mailbearer::imap::ThreadMessage<Uid>| {
                    places(&all, message.number().into_iter())[0]
                };
                thread.messages().map(message).collect()
            })
            .collect();
        told.sort_unstable();
        assert_eq!(told, [vec![0, 1, 3], vec![2]], "{algorithm:?}");
    }
    let by_subject = inbox.thread(ThreadAlgorithm::OrderedSubject, Search::all()).await;
    assert_eq!(by_subject.expect("THREAD").iter().count(), 2);
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn what_resembles_the_words_is_found_once_it_is_indexed() {
    let cyrus = Cyrus::start();
    let user = cyrus.mailbox("fuzzy");
    let mut imap = cyrus.imap(&user).await;
    let uids = store(&mut imap, "INBOX", &["of pears", "of apples"].map(message)).await;
    cyrus.index(&user);
    let inbox = imap.select("INBOX").await.expect("SELECT");
    let apple = || Search::all().fuzzy(Search::all().subject("apple"));
    let found = inbox.uid_search(apple()).await.expect("UID SEARCH FUZZY");
    assert_eq!((found.is_fuzzy(), found.iter().collect::<Vec<_>>()), (true, vec![uids[1]]));
    let scored = [SearchReturn::All, SearchReturn::Relevancy];
    let found = inbox.uid_search_returning(apple(), scored).await.expect("RETURN (RELEVANCY)");
    let scores: Vec<_> = found.relevancies().collect();
    assert!(matches!(scores[..], [(uid, 1..=100)] if uid == uids[1]), "{scores:?}");
    let best = Sort::by(SortKey::Relevancy);
    let sorted =
        inbox.uid_sort_returning(best, apple(), scored).await.expect("UID SORT (RELEVANCY)");
    assert_eq!(sorted.relevancies().map(|(uid, _)| uid).collect::<Vec<_>>(), [uids[1]]);
    imap.logout().await.expect("LOGOUT");
}
