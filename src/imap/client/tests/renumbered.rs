//! Commands that would name other messages than the caller means.

use super::*;
use crate::Stage;
use crate::imap::{Notify, NotifyEvent, RawCommand, ReplaceWay, Search, SeqSet};

fn numbers(set: &str) -> SeqSet {
    SeqSet::parse(set).unwrap()
}

fn seen() -> StoreFlags<'static> {
    StoreFlags::add([Flag::Seen])
}

#[tokio::test(start_paused = true)]
async fn sequence_numbers_are_not_sent_once_the_server_has_told_of_removals() {
    for removal in ["* 1 EXPUNGE", "* VANISHED 11"] {
        let script = format!(
            r"
            C: A1 SELECT INBOX
            S: * 3 EXISTS
            S: A1 OK done\r\n{removal}
            C: A2 STORE 1:* +FLAGS (\Seen)
            S: A2 OK done
            C: A3 UID STORE 12 +FLAGS (\Seen)
            S: A3 OK done
            C: A4 STORE 2 +FLAGS (\Seen)
            S: * 2 FETCH (FLAGS (\Seen))
            S: A4 OK done
            "
        );
        let (mut client, server) = client(&script).await;
        let inbox = client.select("INBOX").await.unwrap();
        let refused = [
            inbox.store(numbers("2"), seen()).await.map(drop).unwrap_err(),
            inbox.copy(numbers("*"), "x").await.map(drop).unwrap_err(),
            inbox.move_numbers(numbers("2"), "x").await.map(drop).unwrap_err(),
            inbox.search(Search::all().numbers(numbers("2:3"))).await.map(drop).unwrap_err(),
        ];
        for error in refused {
            assert!(matches!(error, Error::Renumbered { .. }), "{error:?}");
            assert_eq!((error.retry(), error.connection_usable()), (Retry::Never, true));
        }
        // All are all, and UIDs do not move.
        inbox.store(SeqSet::all(), seen()).await.unwrap();
        inbox.uid_store(Uid::new(12).unwrap(), seen()).await.unwrap();
        assert!(inbox.take_event().is_some());
        assert_eq!(inbox.store(numbers("2"), seen()).await.unwrap().len(), 1);
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_dropped_command_has_expunged_is_told_and_moves_the_numbers() {
    let (mut client, server) = client(
        "
        C: A1 SELECT INBOX
        S: * 3 EXISTS
        S: A1 OK done
        C: A2 EXPUNGE
        S: * 1 EXPUNGE
        S: A2 OK done
        ",
    )
    .await;
    let inbox = client.select("INBOX").await.unwrap();
    cut(inbox.expunge()).await;
    let error = inbox.store(numbers("2"), seen()).await.unwrap_err();
    assert!(matches!(error, Error::Renumbered { .. }), "{error}");
    assert!(matches!(inbox.take_event(), Some(Event::Expunge(1))));
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_vanishes_by_a_dropped_command_is_told() {
    let (mut client, server) = client(
        "
        C: A1 SELECT INBOX
        S: * 3 EXISTS
        S: A1 OK done
        C: A2 EXPUNGE
        S: * VANISHED 7
        S: A2 OK done
        C: A3 NOOP
        S: A3 OK done
        ",
    )
    .await;
    let inbox = client.select("INBOX").await.unwrap();
    cut(inbox.expunge()).await;
    inbox.noop().await.unwrap();
    let Some(Event::Vanished { uids, .. }) = inbox.take_event() else { panic!() };
    assert_eq!((uids.to_string().as_str(), inbox.exists()), ("7", 2));
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_expunged_before_the_mailbox_was_opened_moves_no_number() {
    let (mut client, server) = client(
        r"
        C: A1 SELECT INBOX
        S: * 3 EXISTS
        S: A1 OK done
        C: A2 NOOP
        S: * VANISHED (EARLIER) 4:7
        S: A2 OK done
        C: A3 STORE 2 +FLAGS (\Seen)
        S: A3 OK done
        ",
    )
    .await;
    let inbox = client.select("INBOX").await.unwrap();
    inbox.noop().await.unwrap();
    inbox.store(numbers("2"), seen()).await.unwrap();
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_still_said_of_the_mailbox_that_is_left_is_not_taken_for_the_new_one() {
    let (mut client, server) = client(
        r"
        C: A1 SELECT One
        S: * 3 EXISTS
        S: A1 OK done
        C: A2 SELECT Two
        S: * 2 EXPUNGE
        S: * 1 FETCH (FLAGS (\Deleted))
        S: * VANISHED 7
        S: * FLAGS (\Seen)
        S: * 9 EXISTS
        S: * 4 EXPUNGE
        S: * 5 FETCH (FLAGS ())
        S: A2 OK done
        ",
    )
    .await;
    client.select("One").await.unwrap();
    let two = client.select("Two").await.unwrap();
    assert_eq!(two.exists(), 8);
    assert!(matches!(two.take_event(), Some(Event::Expunge(4))));
    assert!(matches!(two.take_event(), Some(Event::Fetch(message)) if message.seq() == 5));
    assert!(two.take_event().is_none());
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn another_uidvalidity_in_mid_session_is_told_and_no_uid_is_sent_before() {
    let (mut client, server) = client(
        r"
        C: A1 SELECT INBOX
        S: * OK [UIDVALIDITY 7] ok
        S: A1 OK done
        C: A2 NOOP
        S: * OK [UIDVALIDITY 7] the same
        S: * OK [UIDVALIDITY 8] rebuilt
        S: * OK [UIDVALIDITY 9] rebuilt again
        S: A2 OK done
        C: A3 UID STORE 1:* +FLAGS (\Seen)
        S: A3 OK done
        C: A4 UID STORE 5 +FLAGS (\Seen)
        S: A4 OK done
        C: A5 NOOP
        S: * OK [UIDVALIDITY 10] and again
        S: A5 OK done
        C: A6 SELECT INBOX
        S: * OK [UIDVALIDITY 10] ok
        S: A6 OK done
        C: A7 UID STORE 5 +FLAGS (\Seen)
        S: A7 OK done
        ",
    )
    .await;
    let (uid, seven) = (Uid::new(5).unwrap(), std::num::NonZeroU32::new(7).unwrap());
    let inbox = client.select_if("INBOX", seven).await.unwrap();
    inbox.noop().await.unwrap();
    let error = inbox.uid_store(uid, seen()).await.unwrap_err();
    let Error::Changed { stage, expected, found } = &error else { panic!("{error:?}") };
    assert_eq!((expected.get(), found.map(|found| found.get())), (7, Some(9)));
    assert_eq!(*stage, Stage::Command("UID STORE"));
    assert!(error.connection_usable());
    let fetched = inbox.uid_fetch(uid, Fetch::flags()).await.map(drop);
    assert!(matches!(fetched, Err(Error::Changed { .. })));
    inbox.uid_store(UidSet::all(), seen()).await.unwrap();
    for (before, after) in [(7, 8), (8, 9)] {
        let Some(Event::UidValidity { was, now }) = inbox.take_event() else { panic!() };
        assert_eq!((was.get(), now.get()), (before, after));
    }
    inbox.uid_store(uid, seen()).await.unwrap();
    inbox.noop().await.unwrap();
    let inbox = client.select("INBOX").await.unwrap();
    inbox.uid_store(uid, seen()).await.unwrap();
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_a_raw_command_hears_of_removals_moves_the_numbers_and_is_told() {
    let (mut client, server) = client(
        r#"
        C: A1 SELECT INBOX
        S: * 3 EXISTS
        S: * OK [UIDVALIDITY 7] ok
        S: A1 OK done
        C: A2 XSWEEP
        S: * XSWEPT 1
        S: * 1 EXPUNGE
        S: * VANISHED (EARLIER) 4
        S: A2 OK done
        C: A3 STORE 1:* +FLAGS (\Seen)
        S: * 1 FETCH (FLAGS (\Seen))
        S: * XSWEPT 2
        S: A3 NO not now
        C: A4 NOOP
        S: * OK [UIDVALIDITY 8] rebuilt
        S: A4 OK done
        "#,
    )
    .await;
    let store = |name: &str| match name {
        "UID" => RawCommand::new("UID").atom("STORE").uids(Uid::new(5).unwrap()),
        numbers => RawCommand::new("STORE").numbers(self::numbers(numbers)),
    };
    let flags =
        |command: RawCommand| command.atom("+FLAGS").list(RawCommand::new("").atom(r"\Seen"));
    client.select("INBOX").await.unwrap();
    let swept = client.raw(RawCommand::new("XSWEEP")).await.unwrap();
    assert_eq!(swept.untagged, ["* XSWEPT 1\r\n"]);
    assert_eq!(client.selected().unwrap().exists(), 2);
    let error = client.raw(flags(store("2"))).await.unwrap_err();
    assert!(matches!(error, Error::Renumbered { .. }), "{error:?}");
    let error = client.selected().unwrap().store(numbers("2"), seen()).await.unwrap_err();
    assert!(matches!(error, Error::Renumbered { .. }), "{error:?}");
    assert!(matches!(client.take_event(), Some(Event::Expunge(1))));
    assert!(matches!(client.take_event(), Some(Event::Vanished { earlier: true, .. })));
    // What was said before a refusal is not lost.
    assert!(matches!(client.raw(flags(store("1:*"))).await, Err(Error::Refused { .. })));
    assert!(matches!(client.take_event(), Some(Event::Fetch(_))));
    assert!(matches!(client.take_event(), Some(Event::Data(_))));
    client.noop().await.unwrap();
    let error = client.raw(flags(store("UID"))).await.unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error:?}");
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn while_removals_may_be_told_at_any_time_no_number_is_replaced() {
    let script = "
        C: A1 NOTIFY SET (selected (MessageNew MessageExpunge))
        S: A1 OK done
        C: A2 SELECT INBOX
        S: * 6 EXISTS
        S: A2 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1 NOTIFY REPLACE LITERAL+", script).await;
    let events = [NotifyEvent::MessageNew, NotifyEvent::MessageExpunge];
    client.notify(Notify::new().selected(events)).await.unwrap();
    let inbox = client.select("INBOX").await.unwrap();
    let number = std::num::NonZeroU32::new(5).unwrap();
    let error = inbox.replace(number, "x", "new", AppendOptions::new()).await.unwrap_err();
    assert!(matches!(error, Error::Misuse(_)) && error.connection_usable(), "{error:?}");
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_number_or_uid_that_may_be_anothers_by_now_is_not_replaced() {
    let script = "
        C: A1 SELECT INBOX
        S: * 6 EXISTS
        S: * OK [UIDVALIDITY 7] ok
        S: A1 OK done
        C: A2 NOOP
        S: * OK [UIDVALIDITY 8] rebuilt
        S: * 3 EXPUNGE
        S: A2 OK done
        C: A3 REPLACE 5 x {3+}
        C: new
        S: A3 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1 REPLACE LITERAL+", script).await;
    let (uid, number) = (Uid::new(5).unwrap(), std::num::NonZeroU32::new(5).unwrap());
    let inbox = client.select("INBOX").await.unwrap();
    inbox.noop().await.unwrap();
    let error = inbox.uid_replace(uid, "x", "new", AppendOptions::new()).await.unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error:?}");
    assert_eq!(error.stage(), Stage::Command("UID REPLACE"));
    let error = inbox.replace(number, "x", "new", AppendOptions::new()).await.unwrap_err();
    assert!(matches!(error, Error::Renumbered { .. }), "{error:?}");
    assert_eq!(error.stage(), Stage::Command("REPLACE"));
    while inbox.take_event().is_some() {}
    let replaced = inbox.replace(number, "x", "new", AppendOptions::new()).await.unwrap();
    assert_eq!(replaced.way(), ReplaceWay::Replace);
    drop(client);
    server.await.unwrap();
}
