//! Searches that are fuzzy, go through many mailboxes, or are sorted.

use std::num::NonZeroU32;

use super::*;
use crate::imap::{
    DoneBy, Error, MultiSearch, Notify, NotifyEvent, Partial, Search, SearchReturn, SearchSource,
    Sort, SortKey, Sorted, ThreadAlgorithm, Threads,
};
use crate::{Fault, Limits};

const FUZZY: &str = "IMAP4rev1 ESEARCH SEARCH=FUZZY SORT ESORT CONTEXT=SORT";

fn helo() -> Search {
    Search::all().fuzzy(Search::all().text("Helo"))
}

fn relevancies(sorted: &Sorted<Uid>) -> Vec<(u32, u8)> {
    sorted.relevancies().map(|(uid, score)| (uid.get(), score)).collect()
}

#[tokio::test(start_paused = true)]
async fn scores_come_with_what_was_found_and_in_its_order() {
    // RFC 6203 sections 4 and 6, with UIDs.
    let script = r#"
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID SEARCH RETURN (RELEVANCY ALL) FUZZY TEXT "Helo"
        S: * ESEARCH (TAG "A2") UID ALL 1,5,10 RELEVANCY (4 99 42)
        S: A2 OK Search completed.
        C: A3 UID SORT (RELEVANCY) UTF-8 FUZZY SUBJECT "Helo"
        S: * SORT 5 10 1
        S: A3 OK Sort completed.
        C: A4 UID SORT RETURN (RELEVANCY ALL) (RELEVANCY) UTF-8 FUZZY TEXT "Helo"
        S: * ESEARCH (TAG "A4") UID ALL 5,10,1 RELEVANCY (99 42 4)
        S: A4 OK Sort completed.
        C: A5 UID SORT RETURN (PARTIAL 1:10) (RELEVANCY) UTF-8 FUZZY TEXT "World"
        S: * ESEARCH (TAG "A5") UID PARTIAL (1:10 42,9,34,13,15,4,2,7,23,82)
        S: A5 OK Sort completed.
    "#;
    let (mut client, server) = client_of(FUZZY, script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let scored = [SearchReturn::Relevancy, SearchReturn::All];
    let found = inbox.uid_search_returning(helo(), scored).await.unwrap();
    let scores: Vec<_> = found.relevancies().map(|(uid, score)| (uid.get(), score)).collect();
    assert_eq!(scores, [(1, 4), (5, 99), (10, 42)]);
    assert!(found.is_fuzzy() && found.count() == 3);
    let best = || Sort::by(SortKey::Relevancy);
    let subject = Search::all().fuzzy(Search::all().subject("Helo"));
    let sorted = inbox.uid_sort(best(), subject).await.unwrap();
    assert_eq!(sorted.iter().map(Uid::get).collect::<Vec<_>>(), [5, 10, 1]);
    assert!(sorted.is_fuzzy() && relevancies(&sorted).is_empty());
    let sorted = inbox.uid_sort_returning(best(), helo(), scored).await.unwrap();
    assert_eq!(relevancies(&sorted), [(5, 99), (10, 42), (1, 4)]);
    let page = [SearchReturn::Partial(Partial::from_start(1..=10))];
    let world = Search::all().fuzzy(Search::all().text("World"));
    let sorted = inbox.uid_sort_returning(best(), world, page).await.unwrap();
    assert_eq!(
        sorted.iter().map(Uid::get).collect::<Vec<_>>(),
        [42, 9, 34, 13, 15, 4, 2, 7, 23, 82]
    );
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_page_that_the_server_does_not_tell_has_its_scores_cut_out_too() {
    let script = r#"
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID SEARCH RETURN (ALL RELEVANCY) FUZZY TEXT "Helo"
        S: * ESEARCH (TAG "A2") UID ALL 1,5:6,10 RELEVANCY (4 99 42 100)
        S: A2 OK Search completed.
        C: A3 UID SEARCH RETURN (ALL RELEVANCY) FUZZY TEXT "Helo"
        S: * ESEARCH (TAG "A3") UID ALL 1,5:6,10 RELEVANCY (4 99 42)
        S: A3 OK Search completed.
    "#;
    let (mut client, server) = client_of(FUZZY, script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let page = SearchReturn::Partial(Partial::from_end(2..=3));
    let returns = || [page, SearchReturn::Relevancy, SearchReturn::Count];
    let found = inbox.uid_search_returning(helo(), returns()).await.unwrap();
    let scores: Vec<_> = found.relevancies().map(|(uid, score)| (uid.get(), score)).collect();
    assert_eq!((scores, found.count()), (vec![(5, 99), (6, 42)], 4));
    // One score is missing, and which is not known: none counts.
    let found = inbox.uid_search_returning(helo(), returns()).await.unwrap();
    assert_eq!((found.iter().count(), found.relevancies().count()), (2, 0));
    assert!(matches!(inbox.take_event(), Some(Event::Unparsed { .. })));
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_may_be_fuzzy_is_plain_where_that_is_not_offered_and_the_result_says_so() {
    let script = r#"
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID SEARCH TEXT "Helo"
        S: * SEARCH 7
        S: A2 OK Search completed.
    "#;
    let (mut client, server) = client_of("IMAP4rev1", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let lenient = Search::all().fuzzy_if_offered(Search::all().text("Helo"));
    let scored = [SearchReturn::Relevancy, SearchReturn::All];
    let found = inbox.uid_search_returning(lenient, scored).await.unwrap();
    assert_eq!((found.is_fuzzy(), found.count(), found.relevancies().count()), (false, 1, 0));
    let error = inbox.uid_search(helo()).await.unwrap_err();
    assert!(matches!(&error, Error::Unsupported { what, .. } if what == "SEARCH=FUZZY"), "{error}");
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn relevancy_wants_a_fuzzy_search_and_a_server_that_tells_it() {
    let script = "
        C: A1 SELECT INBOX
        S: A1 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1 SEARCH=FUZZY SORT", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let scored = || [SearchReturn::Relevancy, SearchReturn::All];
    for misuse in [
        inbox.uid_search_returning(Search::all(), scored()).await.map(drop),
        inbox.uid_search_returning(helo(), [SearchReturn::Relevancy]).await.map(drop),
        inbox.uid_sort(Sort::by(SortKey::Relevancy), Search::all()).await.map(drop),
    ] {
        assert!(matches!(misuse, Err(Error::Misuse(_))), "{misuse:?}");
    }
    let error = inbox.uid_search_returning(helo(), scored()).await.unwrap_err();
    assert!(matches!(&error, Error::Unsupported { what, .. } if what == "ESEARCH"), "{error}");
    let best = Sort::by(SortKey::Relevancy);
    let error = inbox.uid_sort_returning(best, helo(), scored()).await.unwrap_err();
    assert!(matches!(&error, Error::Unsupported { what, .. } if what == "ESORT"), "{error}");
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn searches_through_many_mailboxes_share_a_flight_and_are_told_apart_by_their_tags() {
    // RFC 7377 section 3.
    let script = r#"
        C: A1 ESEARCH IN (mailboxes (folder1) subtree (folder2)) UNSEEN
        C: A2 ESEARCH IN (mailboxes (folder1) subtree-one (folder2)) SUBJECT "chad"
        S: * ESEARCH (TAG "A1" MAILBOX "folder1" UIDVALIDITY 1) UID ALL 4001,4003,4005,4007,4009
        S: * ESEARCH (TAG "A2" MAILBOX "folder1" UIDVALIDITY 1) UID ALL 3001:3004,3788
        S: * ESEARCH (TAG "A1" MAILBOX "folder2/banana" UIDVALIDITY 503) UID ALL 3002,4004
        S: * ESEARCH (TAG "A1" MAILBOX "folder2/peach" UIDVALIDITY 3) UID ALL 921691
        S: A1 OK done
        S: * ESEARCH (TAG "A2" MAILBOX "folder2/salmon" UIDVALIDITY 1111111) UID ALL 50003,50006,50009,50012
        S: A2 NO [UNAVAILABLE] something is broken
    "#;
    let (mut client, server) = client_of("IMAP4rev1 MULTISEARCH", script).await;
    let first = SearchSource::mailboxes(["folder1"]);
    let results = client
        .multi_search_all([
            MultiSearch::new(
                first.clone().and(SearchSource::subtree(["folder2"])),
                Search::all().unseen(),
            ),
            MultiSearch::new(
                first.and(SearchSource::subtree_one(["folder2"])),
                Search::all().subject("chad"),
            ),
        ])
        .await
        .unwrap();
    let [Ok(unseen), Err(chad)] = &results[..] else { panic!("{results:?}") };
    let told: Vec<_> =
        unseen.iter().map(|of| (of.name().to_string(), of.found().count())).collect();
    let expected = [("folder1", 5), ("folder2/banana", 2), ("folder2/peach", 1)];
    assert_eq!(told, expected.map(|(name, count)| (name.to_owned(), count)));
    assert!(unseen.len() == 3 && matches!(chad, Error::Refused { .. }));
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_search_through_mailboxes_is_sent_again_without_a_charset_and_not_without_a_mailbox() {
    let script = r#"
        C: A1 ESEARCH IN (personal) CHARSET UTF-8 SUBJECT {5+}
        C: Köln
        S: A1 NO [BADCHARSET (US-ASCII)] no
        C: A2 ESEARCH IN (personal) SUBJECT {5+}
        C: Köln
        S: * ESEARCH (TAG "A2" MAILBOX INBOX UIDVALIDITY 4) UID ALL 2
        S: A2 OK done
    "#;
    let (mut client, server) = client_of("IMAP4rev1 MULTISEARCH LITERAL+", script).await;
    let search = |source| MultiSearch::new(source, Search::all().subject("Köln"));
    let found = client.multi_search(search(SearchSource::personal())).await.unwrap();
    assert_eq!(found.iter().map(|of| of.uid_validity().get()).collect::<Vec<_>>(), [4]);
    let error = client.multi_search(search(SearchSource::selected())).await.unwrap_err();
    assert!(matches!(error, Error::Misuse(_)), "{error}");
    drop(client);
    server.await.unwrap();

    // What the server lacks comes before what the caller does wrong.
    let nowhere = || SearchSource::mailboxes([""; 0]);
    let (mut client, server) = client_of("IMAP4rev1 ESEARCH", "").await;
    for source in [SearchSource::personal(), SearchSource::selected(), nowhere()] {
        let error = client.multi_search(search(source)).await.unwrap_err();
        let Error::Unsupported { what, .. } = &error else { panic!("{error}") };
        assert_eq!(what, "MULTISEARCH");
    }
    drop(client);
    server.await.unwrap();

    let (mut client, server) = client_of("IMAP4rev1 MULTISEARCH", "").await;
    for source in [nowhere(), SearchSource::personal().and(nowhere())] {
        let error = client.multi_search(search(source)).await.unwrap_err();
        assert!(matches!(error, Error::Misuse(_)), "{error}");
    }
    assert!(client.multi_search_all([]).await.unwrap().is_empty());
    drop(client);
    server.await.unwrap();
}

/// Their UIDs.
fn order(sorted: &Sorted<Uid>) -> Vec<u32> {
    sorted.iter().map(Uid::get).collect()
}

#[tokio::test(start_paused = true)]
async fn the_client_sorts_where_the_server_cannot_and_says_so() {
    let script = r#"
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID SEARCH UNSEEN
        S: * SEARCH 2 3 5 7 9
        S: A2 OK done
        C: A3 UID FETCH 2:3,5,7,9 (ENVELOPE INTERNALDATE)
        S: * 1 FETCH (UID 2 INTERNALDATE "01-Jan-2026 10:00:00 +0000" ENVELOPE (NIL "Re: pears" ((NIL NIL "z" "x")) NIL NIL NIL NIL NIL NIL NIL))
        S: * 2 FETCH (UID 3 FLAGS (\Seen))
        S: * 2 FETCH (UID 3 INTERNALDATE "01-Jan-2026 10:00:00 +0000" ENVELOPE ("Thu, 1 Jan 2026 08:00:00 -0300" "=?utf-8?q?PEARS?=" NIL NIL NIL NIL NIL NIL NIL NIL))
        S: * 3 FETCH (UID 5 INTERNALDATE "01-Jan-2026 12:00:00 +0000" ENVELOPE ("1 Jan 2026 09:00 GMT" "apples" NIL NIL NIL NIL NIL NIL NIL NIL))
        S: * 6 EXISTS
        S: * 4 EXPUNGE
        S: * 6 FETCH (UID 10 ENVELOPE (NIL "new" NIL NIL NIL NIL NIL NIL NIL NIL))
        S: * 4 FETCH (UID 9 INTERNALDATE "01-Jan-2026 13:00:00 +0000")
        S: A3 OK done
        C: A4 UID SEARCH UID 7
        S: * SEARCH
        S: A4 OK done
    "#;
    let (mut client, server) = client_of("IMAP4rev1", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let sort = Sort::by(SortKey::Subject).then_reversed(SortKey::Date);
    let returns = [SearchReturn::Count, SearchReturn::Partial(Partial::from_start(1..=3))];
    let sorted = inbox.uid_sort_returning(sort, Search::all().unseen(), returns).await.unwrap();
    // 7 was expunged, 10 is new, and of 9 the subject is not known.
    assert_eq!((order(&sorted), sorted.count()), (vec![9, 5, 3], 4));
    assert_eq!((sorted.done_by(), sorted.unread()), (DoneBy::Client, 1));
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn each_key_is_sorted_by_what_it_wants_and_no_more_is_asked_for() {
    let script = r#"
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID SEARCH ALL
        S: * SEARCH 1 2
        S: A2 OK done
        C: A3 UID FETCH 1:2 (RFC822.SIZE INTERNALDATE)
        S: * 1 FETCH (UID 1 RFC822.SIZE 9223372036854775808 INTERNALDATE "01-Jan-2026 10:00:00 +0000")
        S: * 2 FETCH (UID 2 RFC822.SIZE 7 INTERNALDATE "01-Jan-2026 10:00:00 +0100")
        S: A3 OK done
        C: A4 UID SEARCH ALL
        S: * SEARCH 1 2 3
        S: A4 OK done
        C: A5 UID FETCH 1:3 (ENVELOPE)
        S: * 1 FETCH (UID 1 ENVELOPE (NIL NIL (("Zoe" NIL "a" "x")) NIL NIL NIL NIL NIL NIL NIL))
        S: * 2 FETCH (UID 2 ENVELOPE (NIL NIL ((NIL NIL "m" "x")) NIL NIL NIL NIL NIL NIL NIL))
        S: * 3 FETCH (UID 3 ENVELOPE (NIL NIL (("=?utf-8?q?ann?=" NIL "Z" "x")) NIL NIL NIL NIL NIL NIL NIL))
        S: A5 OK done
        C: A6 UID SEARCH ALL
        S: * SEARCH
        S: A6 OK done
    "#;
    let (mut client, server) = client_of("IMAP4rev1 SORT", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let sort = Sort::by(SortKey::Size).then(SortKey::Arrival);
    let sorted = inbox.uid_sort_by_client(sort, Search::all()).await.unwrap();
    assert_eq!((order(&sorted), sorted.unread()), (vec![2, 1], 0));
    // The server sorts, but not by names.
    let sorted = inbox.uid_sort(Sort::by(SortKey::DisplayFrom), Search::all()).await.unwrap();
    assert_eq!((order(&sorted), sorted.done_by()), (vec![3, 2, 1], DoneBy::Client));
    let none = inbox.uid_sort_by_client(Sort::by(SortKey::To), Search::all()).await.unwrap();
    assert!(none.is_empty());
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn only_the_server_sorts_by_relevancy_or_by_sequence_numbers() {
    let script = "
        C: A1 SELECT INBOX
        S: A1 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1 ESEARCH SEARCH=FUZZY", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let best = || Sort::by(SortKey::Relevancy);
    for refused in [
        inbox.uid_sort(best(), helo()).await.map(drop),
        inbox.uid_sort_by_client(best(), helo()).await.map(drop),
        inbox.sort(Sort::by(SortKey::Size), helo()).await.map(drop),
        inbox.thread(ThreadAlgorithm::References, helo()).await.map(drop),
        inbox.uid_thread(ThreadAlgorithm::Refs, helo()).await.map(drop),
        inbox.uid_thread_by_client(ThreadAlgorithm::Refs, helo()).await.map(drop),
    ] {
        assert!(matches!(refused, Err(Error::Unsupported { .. })), "{refused:?}");
    }
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_client_finds_threads_where_the_server_cannot_and_says_so() {
    let script = r#"
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID SEARCH ALL
        S: * SEARCH 1 2 3 4 5
        S: A2 OK done
        C: A3 UID FETCH 1:5 (ENVELOPE INTERNALDATE BODY.PEEK[HEADER.FIELDS (References)])
        S: * 1 FETCH (UID 1 INTERNALDATE "01-Jan-2026 10:00:00 +0000" ENVELOPE (NIL "pears" NIL NIL NIL NIL NIL NIL NIL "<1@x>") BODY[HEADER.FIELDS (REFERENCES)] {2}\r\n\r\n)
        S: * 2 FETCH (UID 2 INTERNALDATE "01-Jan-2026 11:00:00 +0000" ENVELOPE (NIL "hm" NIL NIL NIL NIL NIL NIL "Ann's <\"1\"@x>, <9@x>" "<2@x>") BODY[HEADER.FIELDS (REFERENCES)] NIL)
        S: * 3 FETCH (UID 3 INTERNALDATE "01-Jan-2026 12:00:00 +0000" BODY[HEADER.FIELDS (REFERENCES)] {27}
        S: References: <1@x>
        S:  <2@x>
        S:  ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL "<1@x>" "<3@x>"))
        S: * 4 FETCH (UID 4 FLAGS ())
        S: A3 OK done
        C: A4 UID SEARCH UID 5
        S: * SEARCH
        S: A4 OK done
        C: A5 UID SEARCH ALL
        S: * SEARCH 1 2
        S: A5 OK done
        C: A6 UID FETCH 1:2 (ENVELOPE INTERNALDATE)
        S: * 1 FETCH (UID 1 INTERNALDATE "01-Jan-2026 11:00:00 +0000" ENVELOPE (NIL "re: pears" NIL NIL NIL NIL NIL NIL NIL NIL))
        S: * 2 FETCH (UID 2 INTERNALDATE "01-Jan-2026 10:00:00 +0000" ENVELOPE (NIL "Pears" NIL NIL NIL NIL NIL NIL NIL NIL))
        S: A6 OK done
    "#;
    let (mut client, server) = client_of("IMAP4rev1 THREAD=REFS", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let shown = |threads: &Threads<Uid>| {
        let messages = threads.iter().flat_map(|thread| thread.messages());
        messages
            .map(|message| (message.number().map_or(0, Uid::get), message.level()))
            .collect::<Vec<_>>()
    };
    let threads = inbox.uid_thread(ThreadAlgorithm::References, Search::all()).await.unwrap();
    // 5 was expunged; of 4 nothing is known.
    assert_eq!(shown(&threads), [(4, 0), (1, 0), (2, 1), (3, 2)]);
    assert_eq!((threads.done_by(), threads.unread()), (DoneBy::Client, 1));
    let by_subject = ThreadAlgorithm::OrderedSubject;
    let threads = inbox.uid_thread(by_subject, Search::all()).await.unwrap();
    assert_eq!((shown(&threads), threads.unread()), (vec![(2, 0), (1, 1)], 0));
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn many_messages_are_asked_for_in_windows_and_a_refusal_is_an_error() {
    let script = r"
        C: A1 SELECT INBOX
        S: * 2996 EXISTS
        S: A1 OK done
        C: A2 UID SEARCH ALL
        S: * ESEARCH (TAG A2) UID ALL 5:1000,2000:3999
        S: A2 OK done
        C: A3 UID FETCH 5:1000,2000:2003 (RFC822.SIZE)
        C: A4 UID FETCH 2004:3003 (RFC822.SIZE)
        S: * 1 FETCH (UID 5 RFC822.SIZE 2)
        S: A3 OK done
        C: A5 UID FETCH 3004:3999 (RFC822.SIZE)
        S: * 2 FETCH (UID 2004 RFC822.SIZE 1)
        S: A4 OK done
        S: * 3 FETCH (UID 3999 RFC822.SIZE 1)
        S: A5 OK done
        C: A6 UID SEARCH UID 6:1000,2000:2003,2005:3998
        S: * SEARCH
        S: A6 OK done
        C: A7 UID SEARCH ALL
        S: * SEARCH 3
        S: A7 OK done
        C: A8 UID FETCH 3 (RFC822.SIZE)
        S: A8 NO not now
    ";
    let (mut client, server) = client_of("IMAP4rev1", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let sorted = inbox.uid_sort(Sort::by(SortKey::Size), Search::all()).await.unwrap();
    assert_eq!(order(&sorted), [2004, 3999, 5]);
    let error = inbox.uid_sort(Sort::by(SortKey::Size), Search::all()).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_told_in_halves_is_whole_and_half_a_message_is_not() {
    let script = r#"
        C: A1 SELECT INBOX
        S: * 3 EXISTS
        S: A1 OK done
        C: A2 UID SEARCH ALL
        S: * SEARCH 1 2 3
        S: A2 OK done
        C: A3 UID FETCH 1:3 (ENVELOPE INTERNALDATE BODY.PEEK[HEADER.FIELDS (References)])
        S: * 1 FETCH (UID 1 INTERNALDATE "01-Jan-2026 10:00:00 +0000" ENVELOPE (NIL "a" NIL NIL NIL NIL NIL NIL NIL "<1@x>") BODY[HEADER.FIELDS (References)] NIL)
        S: * 2 FETCH (UID 2 ENVELOPE (NIL "b" NIL NIL NIL NIL NIL NIL NIL "<2@x>"))
        S: * 2 FETCH (UID 2 INTERNALDATE "01-Jan-2026 11:00:00 +0000" BODY[HEADER.FIELDS (References)] "References: <1@x>")
        S: * 3 FETCH (UID 3 ENVELOPE (NIL "c" NIL NIL NIL NIL NIL NIL NIL "<3@x>"))
        S: A3 OK done
        C: A4 UID SEARCH ALL
        S: * SEARCH 1 2
        S: A4 OK done
        C: A5 UID FETCH 1:2 (ENVELOPE INTERNALDATE)
        S: * 1 FETCH (UID 1 INTERNALDATE "01-Jan-2026 10:00:00 +0000")
        S: * 1 FETCH (UID 1 ENVELOPE ("Sat, 3 Jan 2026 10:00:00 +0000" "a" NIL NIL NIL NIL NIL NIL NIL NIL))
        S: * 2 FETCH (UID 2 ENVELOPE (NIL "b" NIL NIL NIL NIL NIL NIL NIL NIL))
        S: * 2 FETCH (UID 2 INTERNALDATE "02-Jan-2026 10:00:00 +0000")
        S: A5 OK done
    "#;
    let (mut client, server) = client_of("IMAP4rev1", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let threads = inbox.uid_thread(ThreadAlgorithm::References, Search::all()).await.unwrap();
    let levels: Vec<_> =
        threads.iter().flat_map(|thread| thread.messages()).map(|m| m.level()).collect();
    assert_eq!((levels, threads.unread()), (vec![0, 0, 1], 1));
    let sorted = inbox.uid_sort(Sort::by(SortKey::Date), Search::all()).await.unwrap();
    assert_eq!((order(&sorted), sorted.unread()), (vec![2, 1], 0));
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_found_and_is_not_told_is_counted_unless_it_has_gone() {
    // Of what goes meanwhile, some was told of, some was never found, and some goes without a word.
    for (gone, there, unread) in [
        ("* 1 EXPUNGE", "* SEARCH 2", 1),
        ("* VANISHED 1:4294967295", "* ESEARCH (TAG A4) UID ALL 2", 1),
        ("* 3 EXPUNGE", "* SEARCH", 0),
        ("* OK nothing has gone", "* SEARCH", 0),
        ("* 2 EXPUNGE", "* SEARCH 1 x", 2),
        ("* 2 EXPUNGE", "* NO no", 2),
    ] {
        let (there, end) = match there {
            "* NO no" => ("* OK hm", "NO no"),
            there => (there, "OK done"),
        };
        let script = format!(
            "
            C: A1 SELECT INBOX
            S: * 4 EXISTS
            S: A1 OK done
            C: A2 UID SEARCH ALL
            S: * SEARCH 1 2 3 9
            S: A2 OK done
            C: A3 UID FETCH 1:3,9 (RFC822.SIZE)
            S: * 1 FETCH (UID 1 RFC822.SIZE 4)
            S: * 2 FETCH (UID x RFC822.SIZE 4)
            S: * 3 FETCH (UID 3 RFC822.SIZE 5)
            S: {gone}
            S: A3 OK done
            C: A4 UID SEARCH UID 2,9
            S: {there}
            S: A4 {end}
            "
        );
        let (mut client, server) = client_of("IMAP4rev1", &script).await;
        let inbox = client.select("INBOX").await.unwrap();
        let sorted = inbox.uid_sort(Sort::by(SortKey::Size), Search::all()).await.unwrap();
        assert_eq!((order(&sorted), sorted.unread()), (vec![1, 3], unread), "{gone} {there}");
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_dropped_command_was_told_of_hides_no_message() {
    let script = r"
        C: A1 SELECT INBOX
        S: * 4 EXISTS
        S: A1 OK done
        C: A2 NOOP
        S: * 1 EXPUNGE
        S: * 1 EXPUNGE
        S: A2 OK done
        C: A3 UID SEARCH ALL
        S: * SEARCH 3 4
        S: A3 OK done
        C: A4 UID FETCH 3:4 (ENVELOPE INTERNALDATE)
        S: A4 OK done
        C: A5 UID SEARCH UID 3:4
        S: * SEARCH 3 4
        S: A5 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1", script).await;
    client.select("INBOX").await.unwrap();
    cut(client.noop()).await;
    let inbox = client.selected().unwrap();
    let by_subject = ThreadAlgorithm::OrderedSubject;
    let threads = inbox.uid_thread_by_client(by_subject, Search::all()).await.unwrap();
    assert_eq!((threads.iter().count(), threads.unread()), (0, 2));
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_finds_more_messages_than_there_are_is_asked_once() {
    let script = r"
        C: A1 SELECT INBOX
        S: * 3 EXISTS
        S: A1 OK done
        C: A2 UID SEARCH ALL
        S: * ESEARCH (TAG A2) UID ALL 1:4294967295
        S: A2 OK done
        C: A3 UID FETCH 1:4294967295 (RFC822.SIZE)
        S: * 1 FETCH (UID 1 RFC822.SIZE 4)
        S: A3 OK done
        C: A4 UID SEARCH UID 2:4294967295
        S: * ESEARCH (TAG A4) UID ALL 1:4294967295
        S: A4 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let sorted = inbox.uid_sort(Sort::by(SortKey::Size), Search::all()).await.unwrap();
    assert_eq!((order(&sorted), sorted.unread()), (vec![1], 3));
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn while_the_server_notifies_an_answer_without_sense_is_missed_by_who_searches() {
    let script = r#"
        C: A1 NOTIFY SET (personal (MailboxName))
        S: A1 OK done
        C: A2 ESEARCH IN (personal) ALL
        S: * ESEARCH (TAG "A2" MAILBOX INBOX UIDVALIDITY x) UID ALL 2
        S: A2 OK done
    "#;
    let (mut client, server) = client_of("IMAP4rev1 MULTISEARCH NOTIFY", script).await;
    let wanted = Notify::new().personal([NotifyEvent::MailboxName]);
    client.notify(wanted).await.unwrap();
    let search = MultiSearch::new(SearchSource::personal(), Search::all());
    let found = client.multi_search(search).await.unwrap();
    assert_eq!((found.unread(), found.is_complete()), (1, false));
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_sorts_and_threads_is_decided_by_what_a_dropped_command_brings() {
    let script = r"
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 NOOP
        S: * CAPABILITY IMAP4rev1 SORT
        S: A2 OK done
        C: A3 UID SORT (SIZE) UTF-8 ALL
        S: * SORT 3 1
        S: A3 OK done
        C: A4 NOOP
        S: * CAPABILITY IMAP4rev1 THREAD=REFERENCES
        S: A4 OK done
        C: A5 UID THREAD REFERENCES UTF-8 ALL
        S: * THREAD (1)(3)
        S: A5 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1", script).await;
    client.select("INBOX").await.unwrap();
    cut(client.noop()).await;
    let inbox = client.selected().unwrap();
    let sorted = inbox.uid_sort(Sort::by(SortKey::Size), Search::all()).await.unwrap();
    assert_eq!((order(&sorted), sorted.done_by()), (vec![3, 1], DoneBy::Server));
    cut(client.noop()).await;
    let inbox = client.selected().unwrap();
    let threads = inbox.uid_thread(ThreadAlgorithm::References, Search::all()).await.unwrap();
    assert_eq!((threads.len(), threads.done_by()), (2, DoneBy::Server));
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_found_is_gone_through_and_fetched_in_whatever_form_it_came() {
    let script = r#"
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 SORT RETURN (PARTIAL 1:2) (SIZE) UTF-8 ALL
        S: * ESEARCH (TAG "A2") PARTIAL (1:2 9,3)
        S: A2 OK done
        C: A3 UID SORT (SIZE) UTF-8 ALL
        S: * SORT 17 12 13
        S: A3 OK done
        C: A4 UID FETCH 12:13,17 (FLAGS)
        S: A4 OK done
        C: A5 FETCH 3,9 (UID FLAGS)
        S: A5 OK done
        C: A6 SEARCH ALL
        S: * SEARCH 1 2 5
        S: A6 OK done
        C: A7 FETCH 1:2,5 (UID FLAGS)
        S: A7 OK done
    "#;
    let offered = "IMAP4rev1 SORT ESORT CONTEXT=SORT";
    let (mut client, server) = client_of(offered, script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let page = [SearchReturn::Partial(Partial::from_start(1..=2))];
    let by_size = || Sort::by(SortKey::Size);
    let numbered = inbox.sort_returning(by_size(), Search::all(), page).await.unwrap();
    assert_eq!((&numbered).into_iter().map(NonZeroU32::get).collect::<Vec<_>>(), [9, 3]);
    let sorted = inbox.uid_sort(by_size(), Search::all()).await.unwrap();
    let mut uids = Vec::new();
    for uid in &sorted {
        uids.push(uid.get());
    }
    assert_eq!(uids, [17, 12, 13]);
    inbox.uid_fetch(&sorted, Fetch::flags()).await.unwrap().collect().await.unwrap();
    inbox.fetch(&numbered, Fetch::flags()).await.unwrap().collect().await.unwrap();
    let found = inbox.search(Search::all()).await.unwrap();
    assert_eq!((&found).into_iter().last(), NonZeroU32::new(5));
    inbox.fetch(&found, Fetch::flags()).await.unwrap().collect().await.unwrap();
    drop(client);
    server.await.unwrap();
}

/// Whether a client takes this from a server that may make it hold 40,000 octets.
async fn is_held<T>(
    capabilities: &str,
    script: &str,
    run: impl AsyncFnOnce(&mut ImapClient) -> Result<T, Error>,
) -> bool {
    let script = format!("S: * PREAUTH [CAPABILITY {capabilities}] hi\n{script}");
    let (stream, server) = scripted(&script);
    let mut settings = Settings::new(Endpoint::imap("mail.example"));
    settings.limits = Limits::default().response(10_000).message(30_000);
    let mut session = Session::new(Box::new(stream), &settings, true);
    session.core_mut().expect_greeting();
    session.step(crate::Stage::Greeting).await.unwrap();
    let result = run(&mut ImapClient::new(session)).await;
    server.abort();
    match result {
        Ok(_) => true,
        Err(Error::Protocol { fault: Fault::ResponseTooLong { limit: 40_000, .. }, .. }) => false,
        Err(error) => panic!("{error:?}"),
    }
}

/// The dialogue in which so many messages are found, and each is told by such a line.
fn told(messages: usize, items: &str, of: impl Fn(usize) -> String) -> String {
    let lines: String =
        (1..=messages).map(|uid| format!("S: * {uid} FETCH (UID {uid} {})\n", of(uid))).collect();
    format!(
        "C: A1 SELECT INBOX
        S: * {messages} EXISTS
        S: A1 OK done
        C: A2 UID SEARCH ALL
        S: * ESEARCH (TAG A2) UID ALL 1:{messages}
        S: A2 OK done
        C: A3 UID FETCH 1:{messages} ({items})
        {lines}S: A3 OK done
        "
    )
}

#[tokio::test(start_paused = true)]
async fn what_the_client_sorts_takes_no_more_memory_than_a_response_may() {
    let envelope = |subject: String| format!("ENVELOPE (NIL \"{subject}\"{})", " NIL".repeat(8));
    let size = |uid| format!("RFC822.SIZE {uid}");
    for (messages, held) in [(100, true), (600, false)] {
        let by_size = async |client: &mut ImapClient| {
            let inbox = client.select("INBOX").await?;
            inbox.uid_sort(Sort::by(SortKey::Size), Search::all()).await
        };
        let script = told(messages, "RFC822.SIZE", size);
        assert_eq!(is_held("IMAP4rev1", &script, by_size).await, held);
    }
    for (messages, held) in [(20, true), (60, false)] {
        let by_subject = async |client: &mut ImapClient| {
            let inbox = client.select("INBOX").await?;
            inbox.uid_sort(Sort::by(SortKey::Subject), Search::all()).await
        };
        let script = told(messages, "ENVELOPE", |_| envelope("x".repeat(900)));
        assert_eq!(is_held("IMAP4rev1", &script, by_subject).await, held);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_client_threads_takes_no_more_memory_than_a_response_may() {
    let date = "INTERNALDATE \"01-Jan-2026 10:00:00 +0000\"";
    let envelope =
        |subject: String| format!("{date} ENVELOPE (NIL \"{subject}\"{})", " NIL".repeat(8));
    let by = |algorithm| {
        async move |client: &mut ImapClient| {
            let inbox = client.select("INBOX").await?;
            inbox.uid_thread(algorithm, Search::all()).await
        }
    };
    let items = "ENVELOPE INTERNALDATE";
    for (messages, subject, held) in [(20, 1, true), (200, 1, false), (40, 900, false)] {
        let script = told(messages, items, |_| envelope("x".repeat(subject)));
        let run = by(ThreadAlgorithm::OrderedSubject);
        assert_eq!(is_held("IMAP4rev1", &script, run).await, held, "{messages} {subject}");
    }
    let items = "ENVELOPE INTERNALDATE BODY.PEEK[HEADER.FIELDS (References)]";
    let ids = |from: usize, count: usize| -> String {
        (from..from + count).map(|id| format!("<{id}@x>")).collect()
    };
    // Each names others; all name the same; one names more than are heeded.
    for (messages, each, apart, held) in
        [(3, 80, 80, true), (6, 80, 80, false), (6, 80, 0, true), (2, 1_000, 0, true)]
    {
        let script = told(messages, items, |uid| {
            let field = format!("References: {}", ids(1_000 + uid * apart, each));
            let envelope = envelope("x".to_owned());
            format!("{envelope} BODY[HEADER.FIELDS (References)] \"{field}\"")
        });
        let run = by(ThreadAlgorithm::References);
        assert_eq!(is_held("IMAP4rev1", &script, run).await, held, "{messages} {each} {apart}");
    }
}

#[tokio::test(start_paused = true)]
async fn short_lines_that_make_much_count_for_what_they_make() {
    for (lines, held) in [(60, true), (300, false)] {
        let found: String = (0..lines)
            .map(|at| format!("S: * ESEARCH (TAG A1 MAILBOX {at} UIDVALIDITY 1) UID ALL 1\n"))
            .collect();
        let script = format!("C: A1 ESEARCH IN (personal) ALL\n{found}S: A1 OK done");
        let search = async |client: &mut ImapClient| {
            let everywhere = SearchSource::personal();
            client.multi_search(MultiSearch::new(everywhere, Search::all())).await
        };
        assert_eq!(is_held("IMAP4rev1 MULTISEARCH", &script, search).await, held, "{lines}");
        for line in ["S: * STATUS a (MESSAGES 1)\n", "S: * LIST (\\NoAccess) \"/\" a\n"] {
            let script = format!(
                "C: A1 NOTIFY SET STATUS (personal (MessageNew MessageExpunge))\n{}S: A1 OK done",
                line.repeat(lines)
            );
            let notify = async |client: &mut ImapClient| {
                let events = [NotifyEvent::MessageNew, NotifyEvent::MessageExpunge];
                client.notify(Notify::new().status().personal(events)).await
            };
            assert_eq!(is_held("IMAP4rev1 NOTIFY", &script, notify).await, held, "{lines} {line}");
        }
    }
}
