//! Results that stay at a real server, come in an order, by threads, or by the page.

use std::time::{Duration, UNIX_EPOCH};

use mailbearer::ImapClient;
use mailbearer::imap::{
    AppendOptions, DateTime, DoneBy, Error, Fetch, Flag, Mailbox, Message, Partial, Search,
    SearchReturn, Sort, SortKey, StoreFlags, ThreadAlgorithm, Threads, Uid, UidSet,
};

use crate::support::person::Person;

/// Subject, sender, octets of the body, and to which of them it replies.
const LETTERS: [(&str, &str, usize, Option<usize>); 5] = [
    ("pears", "Zoe <a@example.test>", 10, None),
    ("Re: pears", "Ann <z@example.test>", 3000, Some(0)),
    ("apples", "Bob <m@example.test>", 400, None),
    ("Re: pears", "Cid <k@example.test>", 50, Some(0)),
    ("Re: pears", "Dot <b@example.test>", 7, Some(1)),
];

/// A mailbox with them, received an hour after each other.
async fn filled(owner: &Person) -> (ImapClient, Vec<Uid>) {
    let mut imap = owner.imap().await;
    let mut uids = Vec::new();
    for (at, (subject, from, octets, reply_to)) in LETTERS.into_iter().enumerate() {
        let references = reply_to.map_or_else(String::new, |to| {
            format!("In-Reply-To: <{to}@example.test>\r\nReferences: <{to}@example.test>\r\n")
        });
        let message = format!(
            "From: {from}\r\nSubject: {subject}\r\nMessage-ID: <{at}@example.test>\r\n\
             Date: Mon, 16 Nov 2026 0{}:00:00 +0000\r\n{references}\r\n{}\r\n",
            9 - at,
            "x".repeat(octets)
        );
        let received = UNIX_EPOCH + Duration::from_secs(1_700_000_000 + 3600 * at as u64);
        let date = DateTime::from_system_time(received).expect("a date");
        let options = AppendOptions::new().date(date);
        let place = imap.append("INBOX", message, options).await.expect("APPEND");
        uids.push(place.uid().expect("Dovecot has UIDPLUS"));
    }
    imap.select("INBOX").await.expect("SELECT");
    (imap, uids)
}

fn places(all: &[Uid], found: impl Iterator<Item = Uid>) -> Vec<usize> {
    found.map(|uid| all.iter().position(|known| *known == uid).expect("a known UID")).collect()
}

#[tokio::test]
async fn what_was_found_stays_at_the_server_for_the_next_commands() {
    let owner = Person::new("finding");
    let (mut imap, all) = filled(&owner).await;
    imap.create("Kept").await.expect("CREATE");
    let inbox = imap.selected().expect("it is open");
    let pears = inbox.uid_search_saving(Search::all().subject("pears")).await.expect("SAVE");
    assert!(pears.is_at_server());
    let messages = inbox.uid_fetch(&pears, Fetch::flags()).await.expect("UID FETCH $");
    let messages = messages.collect().await.expect("UID FETCH $");
    assert_eq!(places(&all, messages.iter().filter_map(Message::uid)), [0, 1, 3, 4]);
    let large = Search::all().uids(&pears).larger(1000);
    let found = inbox.uid_search(large).await.expect("UID SEARCH UID $");
    assert_eq!(places(&all, found.iter()), [1]);
    let flagged = StoreFlags::add([Flag::Flagged]);
    assert_eq!(inbox.uid_store(&pears, flagged).await.expect("UID STORE $").len(), 4);
    let copied = inbox.uid_copy(&pears, "Kept").await.expect("UID COPY $");
    assert_eq!(copied.pairs().count(), 4);
    let moved = inbox.uid_move(&pears, "Kept").await.expect("UID MOVE $");
    assert_eq!((moved.pairs().count(), inbox.exists()), (4, 1));
    // All of them have left the mailbox, and with it the result.
    let messages = inbox.uid_fetch(&pears, Fetch::flags()).await.expect("UID FETCH $");
    assert!(messages.collect().await.expect("UID FETCH $").is_empty());

    let apples = inbox.uid_search_saving(Search::all()).await.expect("SAVE");
    assert!(matches!(inbox.uid_fetch(&pears, Fetch::flags()).await, Err(Error::Misuse(_))));
    inbox.uid_store(&apples, StoreFlags::add([Flag::Deleted])).await.expect("UID STORE $");
    assert_eq!(inbox.uid_expunge(&apples).await.expect("UID EXPUNGE $").numbers(), [1]);
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn messages_come_in_the_order_that_is_asked_for() {
    let owner = Person::new("finding");
    let (mut imap, all) = filled(&owner).await;
    let inbox = imap.selected().expect("it is open");
    for (sort, expected) in [
        (Sort::by(SortKey::Arrival), [0, 1, 2, 3, 4]),
        (Sort::reversed(SortKey::Arrival), [4, 3, 2, 1, 0]),
        (Sort::by(SortKey::Date), [4, 3, 2, 1, 0]),
        (Sort::by(SortKey::Size), [0, 4, 3, 2, 1]),
        (Sort::by(SortKey::From), [0, 4, 3, 2, 1]),
        (Sort::by(SortKey::DisplayFrom), [1, 2, 3, 4, 0]),
        (Sort::by(SortKey::Subject), [2, 0, 1, 3, 4]),
        (Sort::by(SortKey::Subject).then(SortKey::Date), [2, 4, 3, 1, 0]),
        (
            Sort::by(SortKey::Cc).then(SortKey::To).then_reversed(SortKey::DisplayTo),
            [0, 1, 2, 3, 4],
        ),
    ] {
        let sorted = inbox.uid_sort(sort.clone(), Search::all()).await.expect("UID SORT");
        assert_eq!(places(&all, sorted.iter()), expected, "{sort:?}");
    }
    let newest = || Sort::reversed(SortKey::Arrival);
    let numbers = inbox.sort(newest(), Search::all().subject("pears")).await.expect("SORT");
    assert_eq!(numbers.iter().map(u32::from).collect::<Vec<_>>(), [5, 4, 2, 1]);
    let none = inbox.uid_sort(newest(), Search::all().subject("Köln")).await.expect("UID SORT");
    assert!(none.is_empty());
    // By ESORT, a page of it too.
    let wanted = [SearchReturn::Min, SearchReturn::Max, SearchReturn::Count];
    let ends = inbox.uid_sort_returning(newest(), Search::all(), wanted).await.expect("ESORT");
    assert_eq!((ends.first(), ends.last(), ends.count()), (Some(all[4]), Some(all[0]), 5));
    let wanted = [SearchReturn::All];
    let sorted = inbox.uid_sort_returning(newest(), Search::all(), wanted).await.expect("ESORT");
    assert_eq!(places(&all, sorted.iter()), [4, 3, 2, 1, 0]);
    let page = [SearchReturn::Partial(Partial::from_start(2..=3)), SearchReturn::Count];
    let sorted = inbox.uid_sort_returning(newest(), Search::all(), page).await.expect("ESORT");
    assert_eq!((places(&all, sorted.iter()), sorted.count()), (vec![3, 2], 5));
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn threads_tell_who_replies_to_whom() {
    let owner = Person::new("finding");
    let (mut imap, all) = filled(&owner).await;
    let inbox = imap.selected().expect("it is open");
    for (algorithm, expected) in [
        (ThreadAlgorithm::References, vec![vec![(0, 0), (1, 1), (4, 2), (3, 1)], vec![(2, 0)]]),
        (ThreadAlgorithm::Refs, vec![vec![(0, 0), (1, 1), (4, 2), (3, 1)], vec![(2, 0)]]),
    ] {
        let threads = inbox.uid_thread(algorithm, Search::all()).await.expect("UID THREAD");
        assert_eq!(threads.unread(), 0);
        let mut told: Vec<Vec<_>> = threads
            .iter()
            .map(|thread| {
                let message = |message: mailbearer::imap::ThreadMessage<Uid>| {
                    (places(&all, message.number().into_iter())[0], message.level())
                };
                thread.messages().map(message).collect()
            })
            .collect();
        // Which thread comes first, and which reply, is the algorithm's affair.
        told.sort_by_key(|thread| thread[0].0);
        told.iter_mut().for_each(|thread| thread.sort_unstable());
        let mut expected = expected;
        expected.iter_mut().for_each(|thread| thread.sort_unstable());
        assert_eq!(told, expected, "{algorithm:?}");
    }
    let by_subject = inbox.thread(ThreadAlgorithm::OrderedSubject, Search::all()).await;
    let by_subject = by_subject.expect("THREAD");
    assert_eq!(by_subject.iter().count(), 2);
    let none = inbox.uid_thread(ThreadAlgorithm::References, Search::all().flagged()).await;
    assert!(none.expect("UID THREAD").is_empty());
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn a_page_of_what_was_found_is_told_or_cut_out() {
    let owner = Person::new("finding");
    let (mut imap, all) = filled(&owner).await;
    // Dovecot 2.3 tells pages from the start, by CONTEXT=SEARCH.
    assert!(imap.capabilities().has("CONTEXT=SEARCH") && !imap.capabilities().has("PARTIAL"));
    let inbox = imap.selected().expect("it is open");
    for (places_wanted, expected) in [
        (Partial::from_start(1..=2), vec![0, 1]),
        (Partial::from_start(4..=9), vec![3, 4]),
        (Partial::from_start(7..=9), vec![]),
        (Partial::from_end(1..=2), vec![3, 4]),
    ] {
        let wanted = [SearchReturn::Partial(places_wanted), SearchReturn::Count];
        let found = inbox.uid_search_returning(Search::all(), wanted).await.expect("UID SEARCH");
        assert_eq!((places(&all, found.iter()), found.count()), (expected, 5), "{places_wanted}");
    }
    let items = Fetch::uid().partial(Partial::from_end(1..=2));
    let error = inbox.uid_fetch(UidSet::all(), items).await.expect_err("it is not offered");
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    imap.logout().await.expect("LOGOUT");
}

/// Numbers that look like chance and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    fn one_of<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }
}

/// A letter in a heap of letters: with references to others that may be missing, may be duplicates
/// and may go round, with subjects as mail programs make them, and with dates good and bad.
fn letter(at: usize, known: usize, dice: &mut Dice) -> String {
    let prefix = dice.one_of(&["", "", "Re: ", "Fwd: ", "re[2] : ", "[list] Re: ", "[list] "]);
    let base = dice.one_of(&["pears", "PEARS", "apples", "plums", "figs", "=?utf-8?q?K=C3=B6ln?="]);
    let subject = match dice.roll(12) {
        0 => format!("[Fwd: {base}]"),
        1 => format!("{prefix}{base} (fwd)"),
        2 => String::new(),
        _ => format!("{prefix}{base}"),
    };
    let mut letter = format!("Subject: {subject}\r\n");
    let minute = dice.roll(40);
    letter += &match dice.roll(8) {
        0 => String::new(),
        1 => format!("Date: {} Nov 2026 10:{minute:02} GMT\r\n", 1 + dice.roll(3)),
        2 => format!("Date: 16 Nov 26 02:{minute:02}:00 -0800 (PST)\r\n"),
        _ => format!("Date: Mon, 16 Nov 2026 10:{minute:02}:00 +0000\r\n"),
    };
    let name = dice.one_of(&["Ann", "zoe", "\"Bob B.\"", "=?utf-8?q?Cid?=", ""]);
    let from = dice.one_of(&["m", "K", "a.b", "zz"]);
    letter += &format!("From: {name} <{from}@example.test>\r\n");
    if dice.roll(3) > 0 {
        let to = dice.one_of(&["x", "Y", "w"]);
        letter +=
            &format!("To: {to}@example.test, q@example.test\r\nCc: Dee <{from}@example.test>\r\n");
    }
    let id = match dice.roll(20) {
        0 => String::new(),
        1 => format!("Message-ID: <{}@example.test>\r\n", at / 2),
        2 => format!("Message-ID: <\"{at}\"@example.test>\r\n"),
        _ => format!("Message-ID: <{at}@example.test>\r\n"),
    };
    letter += &id;
    let mut ids = |most: usize| {
        let ids = (0..=dice.roll(most)).map(|_| format!("<{}@example.test>", dice.roll(known)));
        ids.collect::<Vec<_>>().join("\r\n ")
    };
    letter += &match at % 5 {
        0 | 1 => String::new(),
        2 => format!("In-Reply-To: {}\r\n", ids(2)),
        _ => format!("References: {}\r\nIn-Reply-To: {}\r\n", ids(4), ids(1)),
    };
    letter + &format!("\r\n{}\r\n", "x".repeat(at % 7))
}

#[tokio::test]
async fn the_client_sorts_and_threads_as_the_server_does() {
    // Messages that few refer to, and messages that refer to each other round and round.
    for (seed, known) in [(7, 360), (8, 60), (9, 25), (10, 250)] {
        let owner = Person::new("finding");
        let mut imap = owner.imap().await;
        let mut dice = Dice(seed);
        let letters = (0..300).map(|at| {
            let received = UNIX_EPOCH + Duration::from_secs(1_700_000_000 + dice.roll(500) as u64);
            let date = DateTime::from_system_time(received).expect("a date");
            (letter(at, known, &mut dice), AppendOptions::new().date(date))
        });
        imap.append_all("INBOX", letters.collect::<Vec<_>>()).await.expect("MULTIAPPEND");
        let inbox = imap.select("INBOX").await.expect("SELECT");
        sorts_as_the_server_does(inbox).await;
        threads_as_the_server_does(inbox).await;
        imap.logout().await.expect("LOGOUT");
    }
}

async fn sorts_as_the_server_does(inbox: &mut Mailbox) {
    for key in [
        SortKey::Arrival,
        SortKey::Cc,
        SortKey::Date,
        SortKey::DisplayFrom,
        SortKey::DisplayTo,
        SortKey::From,
        SortKey::Size,
        SortKey::Subject,
        SortKey::To,
    ] {
        for sort in [
            Sort::by(key),
            Sort::reversed(key),
            // A key that comes twice is none to Dovecot the second time.
            Sort::by(if key == SortKey::To { SortKey::From } else { SortKey::To })
                .then_reversed(key)
                .then(if key == SortKey::Size { SortKey::Date } else { SortKey::Size }),
        ] {
            let server = inbox.uid_sort(sort.clone(), Search::all()).await.expect("UID SORT");
            let client =
                inbox.uid_sort_by_client(sort.clone(), Search::all()).await.expect("sorted");
            assert_eq!((server.done_by(), client.done_by()), (DoneBy::Server, DoneBy::Client));
            assert_eq!(
                client.iter().collect::<Vec<_>>(),
                server.iter().collect::<Vec<_>>(),
                "{sort:?}"
            );
            assert_eq!(client.unread(), 0);
        }
    }
}

async fn threads_as_the_server_does(inbox: &mut Mailbox) {
    for algorithm in [ThreadAlgorithm::OrderedSubject, ThreadAlgorithm::References] {
        let server = inbox.uid_thread(algorithm, Search::all()).await.expect("UID THREAD");
        let client = inbox.uid_thread_by_client(algorithm, Search::all()).await.expect("threads");
        let told = |threads: &Threads<Uid>| -> Vec<Vec<_>> {
            threads.iter().map(|thread| thread.messages().collect()).collect()
        };
        let (client, server) = (told(&client), told(&server));
        for (at, (client, server)) in client.iter().zip(&server).enumerate() {
            assert_eq!(client, server, "thread {at} by {algorithm:?}");
        }
        assert_eq!(client.len(), server.len());
    }
}
