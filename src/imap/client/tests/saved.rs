//! Results of searches that the server keeps.

use tokio::time::timeout;

use super::*;
use crate::imap::{MoveWay, Search};

const KEEPS: &str = "IMAP4rev1 ESEARCH SEARCHRES UIDPLUS LITERAL+";

fn seen() -> Search {
    Search::all().seen()
}

#[tokio::test(start_paused = true)]
async fn every_command_that_takes_uids_takes_what_was_saved() {
    let (mut client, server) = client_of(
        KEEPS,
        r"
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID SEARCH RETURN (SAVE) SEEN
        S: A2 OK SEARCH completed, result saved
        C: A3 UID FETCH $ (FLAGS)
        S: * 2 FETCH (UID 14 FLAGS (\Seen))
        S: * 84 FETCH (FLAGS ())
        S: A3 OK completed
        C: A4 UID SEARCH UID $ SMALLER 4096
        S: * SEARCH 17 900 901
        S: A4 OK completed
        C: A5 UID SEARCH OR UID $ UID 1,3000:3021
        S: * SEARCH 1
        S: A5 OK completed
        C: A6 UID STORE $ +FLAGS (\Deleted)
        S: * 2 FETCH (UID 14 FLAGS (\Seen \Deleted))
        S: A6 OK completed
        C: A7 UID COPY $ Kept
        S: A7 OK nothing to tell
        C: A8 UID EXPUNGE $
        S: A8 NO not now
        ",
    )
    .await;
    let inbox = client.select("INBOX").await.unwrap();
    let saved = inbox.uid_search_saving(seen()).await.unwrap();
    assert!(saved.is_at_server() && !saved.set().is_empty());
    let messages = inbox.uid_fetch(&saved, Fetch::flags()).await.unwrap();
    assert_eq!(messages.collect().await.unwrap().len(), 1);
    // What comes without a UID answers nothing that was asked by UID.
    assert!(matches!(inbox.take_event(), Some(Event::Fetch(_))));
    let small = Search::all().uids(&saved).smaller(4096);
    assert_eq!(inbox.uid_search(small).await.unwrap().count(), 3);
    let others = Search::all().uids(UidSet::parse("1,3000:3021").unwrap());
    let either = Search::all().or(Search::all().uids(&saved), others);
    assert_eq!(inbox.uid_search(either).await.unwrap().count(), 1);
    let deleted = StoreFlags::add([Flag::Deleted]);
    assert_eq!(inbox.uid_store(&saved, deleted).await.unwrap().len(), 1);
    inbox.uid_copy(&saved, "Kept").await.unwrap();
    assert!(inbox.uid_expunge(&saved).await.is_err());
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_no_longer_the_last_that_was_saved_is_not_written() {
    let (mut client, server) = client_of(
        KEEPS,
        "
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID SEARCH RETURN (SAVE) SEEN
        S: A2 OK done
        C: A3 UID SEARCH RETURN (SAVE) UNSEEN
        S: A3 OK done
        C: A4 UID SEARCH FLAGGED
        S: A4 NO not now
        C: A5 UID SEARCH RETURN (SAVE) SEEN
        S: * OK [UIDVALIDITY 8] all is new
        S: A5 OK done
        C: A6 NOOP
        S: * OK [UIDVALIDITY 9] again
        S: A6 OK done
        C: A7 UID SEARCH RETURN (SAVE) SEEN
        S: A7 OK done
        C: A8 SELECT Other
        S: A8 OK done
        C: A9 UID SEARCH RETURN (SAVE) SEEN
        S: A9 OK done
        C: A10 XSEARCH
        S: A10 OK done
        ",
    )
    .await;
    async fn is_dead(inbox: &mut Mailbox, saved: &crate::imap::SavedSearch) -> bool {
        let fetched = inbox.uid_fetch(saved, Fetch::flags()).await;
        matches!(fetched, Err(Error::Misuse(_)))
    }
    let inbox = client.select("INBOX").await.unwrap();
    let first = inbox.uid_search_saving(seen()).await.unwrap();
    let second = inbox.uid_search_saving(Search::all().unseen()).await.unwrap();
    let error = inbox.uid_store(&first, StoreFlags::add([Flag::Deleted])).await.unwrap_err();
    let shown = "set of UIDs: what it stands for is no longer kept by the server";
    assert_eq!((error.to_string().as_str(), error.connection_usable()), (shown, true));
    // A refused search may have emptied it (RFC 5182 section 2.2, example 5).
    assert!(inbox.uid_search(Search::all().flagged()).await.is_err());
    assert!(is_dead(inbox, &second).await);
    let third = inbox.uid_search_saving(seen()).await.unwrap();
    inbox.noop().await.unwrap();
    assert!(is_dead(inbox, &third).await);
    let fourth = inbox.uid_search_saving(seen()).await.unwrap();
    let other = client.select("Other").await.unwrap();
    assert!(is_dead(other, &fourth).await);
    let fifth = other.uid_search_saving(seen()).await.unwrap();
    let mut joined = UidSet::from(&fifth);
    joined.extend(Uid::new(7));
    let error = other.uid_expunge(joined).await.unwrap_err();
    assert!(error.to_string().ends_with("cannot be joined with others"), "{error}");
    // Who knows what that searches.
    client.raw(crate::imap::RawCommand::new("XSEARCH")).await.unwrap();
    assert!(is_dead(client.selected().unwrap(), &fifth).await);
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_kept_the_uids_are_fetched_and_it_says_so() {
    let script = r"
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID SEARCH SEEN
        S: * SEARCH 4 5 6
        S: A2 OK done
        C: A3 UID MOVE 4:6 Kept
        S: A3 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1 MOVE", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let saved = inbox.uid_search_saving(seen()).await.unwrap();
    assert!(!saved.is_at_server());
    assert_eq!(inbox.uid_move(saved, "Kept").await.unwrap().way(), MoveWay::Move);
    drop(client);
    server.await.unwrap();

    let script = "
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID SEARCH RETURN (SAVE) CHARSET UTF-8 SUBJECT {2+}
        C: \u{fc}
        S: A2 NO [BADCHARSET (US-ASCII)] no
        C: A3 UID SEARCH RETURN (SAVE) SUBJECT {2+}
        C: \u{fc}
        S: A3 NO [NOTSAVED] no room
        C: A4 UID SEARCH CHARSET UTF-8 SUBJECT {2+}
        C: \u{fc}
        S: * SEARCH 4
        S: A4 OK done
    ";
    let (mut client, server) = client_of(KEEPS, script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let saved = inbox.uid_search_saving(Search::all().subject("\u{fc}")).await.unwrap();
    assert_eq!((saved.is_at_server(), saved.set().to_string().as_str()), (false, "4"));
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_saved_does_not_go_into_another_mailbox() {
    let (mut client, server) = client_of(
        KEEPS,
        "
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID SEARCH RETURN (SAVE) SEEN
        S: A2 OK done
        C: A3 UID FETCH $ (FLAGS)
        S: A3 OK done
        ",
    )
    .await;
    let inbox = client.select("INBOX").await.unwrap();
    let saved = inbox.uid_search_saving(seen()).await.unwrap();
    let error = client.select_fetch("Other", &saved, Fetch::flags()).await.unwrap_err();
    assert!(matches!(error, Error::Misuse(_)), "{error}");
    // Nothing was sent, and it is still good where it was found.
    let inbox = client.selected().unwrap();
    assert!(inbox.uid_fetch(&saved, Fetch::flags()).await.unwrap().collect().await.is_ok());
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_refusal_of_a_dropped_search_is_heeded_before_what_was_saved_is_named() {
    for in_flight in [false, true] {
        let (mut client, server) = client_of(
            KEEPS,
            "
            C: A1 SELECT INBOX
            S: A1 OK done
            C: A2 UID SEARCH RETURN (SAVE) SEEN
            S: A2 OK done
            C: A3 UID SEARCH FLAGGED
            PAUSE 2
            S: A3 NO not now
            C: A4 NOOP
            S: A4 OK done
            ",
        )
        .await;
        let inbox = client.select("INBOX").await.unwrap();
        let saved = inbox.uid_search_saving(seen()).await.unwrap();
        let search = inbox.uid_search(Search::all().flagged());
        assert!(timeout(Duration::from_secs(1), search).await.is_err());
        let error = match in_flight {
            true => inbox.uid_fetch(&saved, Fetch::flags()).await.unwrap_err(),
            false => inbox.uid_store(&saved, StoreFlags::add([Flag::Deleted])).await.unwrap_err(),
        };
        let shown = "set of UIDs: what it stands for is no longer kept by the server";
        assert_eq!((error.to_string().as_str(), error.connection_usable()), (shown, true));
        inbox.noop().await.unwrap();
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_one_connection_has_saved_another_does_not_write_though_its_tags_are_the_same() {
    let script = "
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID SEARCH RETURN (SAVE) SEEN
        S: A2 OK SEARCH completed, result saved
        C: A3 UID COPY $ Kept
        S: A3 OK done
    ";
    let (mut one, first) = client_of(KEEPS, script).await;
    let (mut other, second) = client_of(KEEPS, script).await;
    let (mine, others) = (one.select("INBOX").await.unwrap(), other.select("INBOX").await.unwrap());
    let saved = mine.uid_search_saving(seen()).await.unwrap();
    let elsewhere = others.uid_search_saving(seen()).await.unwrap();
    let error = others.uid_copy(&saved, "Kept").await.unwrap_err();
    assert!(matches!(error, Error::Misuse(_)) && error.connection_usable(), "{error}");
    mine.uid_copy(&saved, "Kept").await.unwrap();
    drop(one);
    first.await.unwrap();
    // The connection of the first is gone; the same program on a new one is no better.
    let error = others.uid_copy(&saved, "Kept").await.unwrap_err();
    assert!(matches!(error, Error::Misuse(_)), "{error}");
    others.uid_copy(&elsewhere, "Kept").await.unwrap();
    drop(other);
    second.await.unwrap();
}
