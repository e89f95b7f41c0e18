//! Searches that are fuzzy, go through many mailboxes, or are sorted.

use super::*;
use crate::imap::{
    Error, MultiSearch, Partial, Search, SearchReturn, SearchSource, Sort, SortKey, Sorted,
};

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
            MultiSearch::new(SearchSource::mailboxes([""; 0]), Search::all()),
            MultiSearch::new(
                first.and(SearchSource::subtree_one(["folder2"])),
                Search::all().subject("chad"),
            ),
        ])
        .await
        .unwrap();
    let [Ok(unseen), Ok(nowhere), Err(chad)] = &results[..] else { panic!("{results:?}") };
    let told: Vec<_> =
        unseen.iter().map(|of| (of.name().to_string(), of.found().count())).collect();
    let expected = [("folder1", 5), ("folder2/banana", 2), ("folder2/peach", 1)];
    assert_eq!(told, expected.map(|(name, count)| (name.to_owned(), count)));
    assert!(nowhere.is_empty() && matches!(chad, Error::Refused { .. }));
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

    let (mut client, server) = client_of("IMAP4rev1 ESEARCH", "").await;
    let error = client.multi_search(search(SearchSource::personal())).await.unwrap_err();
    assert!(matches!(&error, Error::Unsupported { what, .. } if what == "MULTISEARCH"), "{error}");
    drop(client);
    server.await.unwrap();
}
