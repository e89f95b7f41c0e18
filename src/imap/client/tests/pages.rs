//! Pages of long results.

use super::*;
use crate::imap::{Partial, Search, SearchReturn, Sort, SortKey};

fn page() -> [SearchReturn; 2] {
    [SearchReturn::Partial(Partial::from_start(2..=3)), SearchReturn::Count]
}

#[tokio::test(start_paused = true)]
async fn a_page_is_told_by_the_server_or_cut_out_of_all() {
    let script = r#"
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID SEARCH RETURN (PARTIAL 2:3 COUNT) SEEN
        S: * ESEARCH (TAG "A2") UID PARTIAL (2:3 7,9) COUNT 5
        S: A2 OK done
        C: A3 UID SEARCH RETURN (PARTIAL -1:-2) SEEN
        S: * ESEARCH (TAG "A3") UID PARTIAL (-1:-2 NIL)
        S: A3 OK done
    "#;
    let (mut client, server) = client_of("IMAP4rev1 ESEARCH PARTIAL", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let seen = || Search::all().seen();
    let found = inbox.uid_search_returning(seen(), page()).await.unwrap();
    assert_eq!((found.count(), found.into_set().to_string().as_str()), (5, "7,9"));
    let last = SearchReturn::Partial(Partial::from_end(1..=2));
    let found = inbox.uid_search_returning(seen(), [last]).await.unwrap();
    assert!(found.is_empty() && found.iter().next().is_none());
    drop(client);
    server.await.unwrap();

    for capabilities in ["IMAP4rev1", "IMAP4rev1 ESEARCH", "IMAP4rev1 ESEARCH CONTEXT=SEARCH"] {
        let from_end = capabilities.ends_with("CONTEXT=SEARCH");
        let script = "
            C: A1 SELECT INBOX
            S: A1 OK done
            C: A2 UID SEARCH SEEN
            S: * SEARCH 20 4 7 9 11
            S: A2 OK done
        ";
        let (mut client, server) = client_of(capabilities, script).await;
        let inbox = client.select("INBOX").await.unwrap();
        let returns = match from_end {
            true => [SearchReturn::Partial(Partial::from_end(3..=4)), SearchReturn::Count],
            false => page(),
        };
        let found = inbox.uid_search_returning(seen(), returns).await.unwrap();
        assert_eq!((found.count(), found.into_set().to_string().as_str()), (5, "7,9"));
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn another_page_is_not_taken_for_the_one_that_was_asked_for() {
    let end = Partial::from_end(1..=100);
    for (asked, told, uids, unread) in [
        (end, "PARTIAL (-1:-100 5,9)", 2, 0),
        (end, "PARTIAL (-100:-1 5,9)", 2, 0),
        (end, "PARTIAL (1:100 5,9)", 0, 1),
        (end, "PARTIAL (-1:-10 5,9)", 0, 1),
        (Partial::from_start(1..=2), "PARTIAL (3:4 5,9)", 0, 1),
        (Partial::from_start(1..=2), "PARTIAL (x 5,9)", 0, 1),
        (Partial::from_start(1..=2), "PARTIAL (2:1 5,9)", 2, 0),
    ] {
        let script = format!(
            r#"
            C: A1 SELECT INBOX
            S: A1 OK done
            C: A2 UID SEARCH RETURN ({asked}) SEEN
            S: * ESEARCH (TAG "A2") UID {told}
            S: A2 OK done
            C: A3 UID SORT RETURN ({asked}) (ARRIVAL) UTF-8 SEEN
            S: * ESEARCH (TAG "A3") UID {told}
            S: A3 OK done
            "#
        );
        let offered = "IMAP4rev1 ESEARCH SORT ESORT PARTIAL CONTEXT=SORT";
        let (mut client, server) = client_of(offered, &script).await;
        let inbox = client.select("INBOX").await.unwrap();
        let (seen, page) = (|| Search::all().seen(), [SearchReturn::Partial(asked)]);
        let found = inbox.uid_search_returning(seen(), page).await.unwrap();
        assert_eq!((found.iter().count(), found.unread()), (uids, unread), "{told}");
        let arrival = Sort::by(SortKey::Arrival);
        let sorted = inbox.uid_sort_returning(arrival, seen(), page).await.unwrap();
        assert_eq!((sorted.iter().count(), sorted.unread()), (uids, unread), "{told}");
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_of_a_sorted_result_is_told_by_the_server_or_cut_out_of_all() {
    let script = r#"
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID SORT RETURN (PARTIAL 2:3 COUNT) (REVERSE ARRIVAL) UTF-8 ALL
        S: * ESEARCH (TAG "A2") UID PARTIAL (2:3 9,7) COUNT 5
        S: A2 OK done
    "#;
    let newest = || Sort::reversed(SortKey::Arrival);
    let uids = |sorted: &crate::imap::Sorted<Uid>| sorted.iter().map(Uid::get).collect::<Vec<_>>();
    let (mut client, server) = client_of("IMAP4rev1 SORT ESORT CONTEXT=SORT", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let sorted = inbox.uid_sort_returning(newest(), Search::all(), page()).await.unwrap();
    assert_eq!((sorted.count(), uids(&sorted)), (5, vec![9, 7]));
    drop(client);
    server.await.unwrap();

    let script = "
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID SORT (REVERSE ARRIVAL) UTF-8 ALL
        S: * SORT 20 9 7 11 4
        S: A2 OK done
    ";
    // RFC 5267 counts from the start only.
    let from_end = [SearchReturn::Partial(Partial::from_end(3..=4)), SearchReturn::Count];
    for (capabilities, returns) in [
        ("IMAP4rev1 SORT ESORT", page()),
        ("IMAP4rev1 SORT ESORT PARTIAL", page()),
        ("IMAP4rev1 SORT ESORT CONTEXT=SORT", from_end),
    ] {
        let (mut client, server) = client_of(capabilities, script).await;
        let inbox = client.select("INBOX").await.unwrap();
        let sorted = inbox.uid_sort_returning(newest(), Search::all(), returns).await.unwrap();
        assert_eq!((sorted.count(), uids(&sorted)), (5, vec![9, 7]));
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_and_the_last_in_an_order_are_taken_from_all() {
    let script = "
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID SORT (REVERSE ARRIVAL) UTF-8 ALL
        S: * SORT 9 20 4 7
        S: A2 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1 SORT ESORT CONTEXT=SORT", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let wanted = [SearchReturn::Min, SearchReturn::Max, SearchReturn::Count];
    let newest = Sort::reversed(SortKey::Arrival);
    let ends = inbox.uid_sort_returning(newest, Search::all(), wanted).await.unwrap();
    assert_eq!((ends.first(), ends.last(), ends.count()), (Uid::new(9), Uid::new(7), 4));
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_not_offered_or_contradicts_itself_is_not_asked_for() {
    let (mut client, server) = client_of("IMAP4rev1", "C: A1 SELECT INBOX\nS: A1 OK done").await;
    let inbox = client.select("INBOX").await.unwrap();
    let both = [SearchReturn::All, page()[0]];
    let error = inbox.uid_search_returning(Search::all(), both).await.unwrap_err();
    assert!(matches!(error, Error::Misuse(_)), "{error}");
    let none = [SearchReturn::Partial(Partial::from_end(0..=2))];
    let error = inbox.uid_search_returning(Search::all(), none).await.unwrap_err();
    assert!(matches!(error, Error::Misuse(_)), "{error}");
    let error = inbox.sort(Sort::by(SortKey::Size), Search::all()).await.unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    let algorithm = crate::imap::ThreadAlgorithm::References;
    let error = inbox.thread(algorithm, Search::all()).await.unwrap_err();
    let shown = "the server does not offer THREAD=REFERENCES (it offers: IMAP4rev1)";
    assert_eq!(error.to_string(), shown);
    let items = Fetch::uid().partial(Partial::from_end(1..=2));
    let error = inbox.uid_fetch(UidSet::all(), items).await.unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    drop(client);
    server.await.unwrap();
}
