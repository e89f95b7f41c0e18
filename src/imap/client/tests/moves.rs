//! Moving where the server has no MOVE, and what is said of messages that were moved.

use super::client_of;
use super::flights::narrow_of;
use crate::imap::{Error, Event, Extension, MoveWay, Search, SeqSet, Uid, UidSet};
use crate::{Failure, Retry, Stage};

fn uids(set: &str) -> UidSet {
    UidSet::parse(set).unwrap()
}

#[tokio::test(start_paused = true)]
async fn without_move_messages_are_copied_marked_and_expunged_by_uid() {
    let script = r"
        C: A1 SELECT INBOX
        S: * 9 EXISTS
        S: * OK [UIDNEXT 5] next
        S: A1 OK done
        C: A2 UID COPY 3:4 Trash
        S: A2 OK [COPYUID 9 3:4 1:2] done
        C: A3 UID STORE 3:4 +FLAGS.SILENT (\Deleted)
        S: A3 OK done
        C: A4 UID EXPUNGE 3:4
        S: * 2 EXPUNGE
        S: * 2 EXPUNGE
        S: A4 OK done
        C: A5 UID SEARCH 5:6
        S: * SEARCH 7 9
        S: A5 OK done
        C: A6 UID COPY 7,9 Trash
        S: A6 OK done
        C: A7 UID STORE 7,9 +FLAGS.SILENT (\Deleted)
        S: A7 NO [NOPERM] not yours
    ";
    let (mut client, server) = client_of("IMAP4rev1 UIDPLUS", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let moved = inbox.uid_move(uids("3:4"), "Trash").await.unwrap();
    assert_eq!((moved.way(), moved.expunged().numbers()), (MoveWay::CopyAndExpunge, &[2, 2][..]));
    assert_eq!(moved.pairs().last(), Uid::new(4).zip(Uid::new(2)));
    assert_eq!(inbox.exists(), 7);
    let numbers = SeqSet::parse("5:6").unwrap();
    let error = inbox.move_numbers(numbers, "Trash").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "UID STORE refused: NO [NOPERM] not yours, after part of the messages had been copied or \
         moved"
    );
    let Error::Halfway { done, kept, expunged, .. } = &error else { panic!("{error:?}") };
    assert_eq!((done.to_string().as_str(), expunged.len()), ("7,9", 0));
    assert_eq!(kept, done);
    assert_eq!((error.retry(), error.connection_usable()), (Retry::Administrator, true));
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_move_a_message_delivered_meanwhile_is_neither_marked_nor_expunged() {
    for (set, asked) in [("7:*", "7:*"), ("7,*", "7,*"), ("7:4294967295", "7:4294967295")] {
        let script = format!(
            r"
            C: A1 SELECT INBOX
            S: * 2 EXISTS
            S: * OK [UIDNEXT 9] next
            S: A1 OK done
            C: A2 UID SEARCH UID {asked}
            S: * SEARCH 7 8
            S: A2 OK done
            C: A3 UID COPY 7:8 Trash
            S: A3 OK [COPYUID 9 7:8 1:2] done
            S: * 3 EXISTS
            C: A4 UID STORE 7:8 +FLAGS.SILENT (\Deleted)
            S: A4 OK done
            C: A5 UID EXPUNGE 7:8
            S: * 1 EXPUNGE
            S: * 1 EXPUNGE
            S: A5 OK done
            "
        );
        let (mut client, server) = client_of("IMAP4rev1 UIDPLUS", &script).await;
        let inbox = client.select("INBOX").await.unwrap();
        let moved = inbox.uid_move(uids(set), "Trash").await.unwrap();
        assert_eq!((moved.expunged().numbers(), moved.pairs().count()), (&[1, 1][..], 2));
        assert_eq!(inbox.exists(), 1);
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn without_move_what_a_search_has_left_at_the_server_is_asked_for_first() {
    let script = r"
        C: A1 SELECT INBOX
        S: * 9 EXISTS
        S: * OK [UIDNEXT 9] next
        S: A1 OK done
        C: A2 UID SEARCH RETURN (SAVE) SEEN
        S: A2 OK done
        C: A3 UID SEARCH UID $
        S: * SEARCH 3 5
        S: A3 OK done
        C: A4 UID COPY 3,5 Trash
        S: A4 OK done
        C: A5 UID STORE 3,5 +FLAGS.SILENT (\Deleted)
        S: A5 OK done
        C: A6 UID EXPUNGE 3,5
        S: * 3 EXPUNGE
        S: * 4 EXPUNGE
        S: A6 OK done
        C: A7 UID SEARCH UID $
        S: * SEARCH
        S: A7 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1 UIDPLUS SEARCHRES", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let seen = inbox.uid_search_saving(Search::all().seen()).await.unwrap();
    inbox.uid_move(&seen, "Trash").await.unwrap();
    // Nothing is left of it.
    let moved = inbox.uid_move(&seen, "Trash").await.unwrap();
    assert_eq!(moved.way(), MoveWay::CopyAndExpunge);
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_move_and_uidplus_nothing_is_moved_at_all() {
    let script = "C: A1 SELECT INBOX\nS: A1 OK done";
    let (mut client, server) = client_of("IMAP4rev1", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let error = inbox.uid_move(uids("3"), "Trash").await.unwrap_err();
    assert!(matches!(&error, Error::Unsupported { what, .. } if what == "MOVE or UIDPLUS"));
    assert!(error.connection_usable());
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_move_only_what_was_asked_for_found_and_copied_is_expunged() {
    let script = r"
        C: A1 SELECT INBOX
        S: * 9 EXISTS
        S: A1 OK done
        C: A2 UID SEARCH UID 5:9,20:*
        S: * SEARCH 3 7 8 12 18
        S: A2 OK done
        C: A3 UID COPY 7:8,18 Trash
        S: A3 OK [COPYUID 9 7,18 1:2] done
        C: A4 UID STORE 7,18 +FLAGS.SILENT (\Deleted)
        S: A4 OK done
        C: A5 UID EXPUNGE 7,18
        S: * 2 EXPUNGE
        S: * 3 EXPUNGE
        S: A5 OK done
        C: A6 UID SEARCH 1:2
        S: * SEARCH 1 3 x
        S: A6 OK done
        C: A7 UID SEARCH UID 5:9
        S: * SEARCH x
        S: A7 OK done
        C: A8 UID SEARCH 1:2
        S: * SEARCH 1 3 4
        S: A8 OK done
        C: A9 NOOP
        S: A9 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1 UIDPLUS", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let moved = inbox.uid_move(uids("5:9,20:*"), "Trash").await.unwrap();
    assert_eq!((moved.pairs().count(), moved.expunged().numbers()), (2, &[2, 3][..]));
    // With an answer that cannot be true, or not be read, nothing is begun.
    let numbers = || SeqSet::parse("1:2").unwrap();
    let refused = [
        inbox.move_numbers(numbers(), "Trash").await.unwrap_err(),
        inbox.uid_move(uids("5:9"), "Trash").await.unwrap_err(),
        inbox.move_numbers(numbers(), "Trash").await.unwrap_err(),
    ];
    for error in refused {
        assert_eq!(
            error.to_string(),
            "the answer to UID SEARCH makes no sense, and nothing was done"
        );
        assert_eq!((error.retry(), error.connection_usable()), (Retry::Never, true));
    }
    inbox.noop().await.unwrap();
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn of_a_set_in_pieces_the_one_with_the_last_message_goes_before_any_is_removed() {
    let odd = |numbers: std::ops::Range<u32>| {
        numbers.step_by(2).map(|uid| uid.to_string()).collect::<Vec<_>>().join(",")
    };
    let (low, high) = (odd(1001..1391), odd(1391..1501));
    let script = format!(
        "
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID EXPUNGE {high},5000:*
        S: A2 OK done
        C: A3 UID EXPUNGE {low}
        S: A3 OK done
        C: A4 UID MOVE {high},5000:* x
        S: A4 OK done
        C: A5 UID MOVE {low} x
        S: A5 OK done
        "
    );
    // Its lines are short.
    let (mut client, server) = client_of("IMAP4rev1 UIDPLUS MOVE XYMHIGHESTMODSEQ", &script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let set = uids(&format!("{low},{high},5000:*"));
    inbox.uid_expunge(&set).await.unwrap();
    inbox.uid_move(set, "x").await.unwrap();
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn where_others_would_be_expunged_messages_are_copied_and_marked_for_who_asks_for_it() {
    let script = r"
        C: A1 SELECT INBOX
        S: * 9 EXISTS
        S: * OK [UIDNEXT 9] next
        S: A1 OK done
        C: A2 UID SEARCH UID 7:*
        S: * SEARCH 7 8
        S: A2 OK done
        C: A3 UID COPY 7:8 Trash
        S: A3 OK done
        C: A4 UID STORE 7:8 +FLAGS.SILENT (\Deleted)
        S: A4 OK done
        C: A5 UID COPY 3 Trash
        S: A5 OK done
        C: A6 UID STORE 3 +FLAGS.SILENT (\Deleted)
        S: A6 NO not yours
    ";
    let (mut client, server) = client_of("IMAP4rev1", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let moved = inbox.uid_move_or_mark(uids("7:*"), "Trash").await.unwrap();
    assert_eq!((moved.way(), moved.expunged().len()), (MoveWay::CopyAndMark, 0));
    let error = inbox.uid_move_or_mark(uids("3"), "Trash").await.unwrap_err();
    let Error::Halfway { done, kept, .. } = &error else { panic!("{error:?}") };
    assert_eq!([done, kept].map(ToString::to_string), ["3", "3"]);
    drop(client);
    server.await.unwrap();

    let script = "
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID MOVE 7:* Trash
        S: A2 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1 MOVE", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let moved = inbox.uid_move_or_mark(uids("7:*"), "Trash").await.unwrap();
    assert_eq!(moved.way(), MoveWay::Move);
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_move_what_was_expunged_before_a_refusal_is_told_with_it() {
    for (told, gone, kept) in [("2 EXPUNGE", 1, "3:4"), ("VANISHED 3,9", 1, "4")] {
        let script = format!(
            r"
            C: A1 SELECT INBOX
            S: * 9 EXISTS
            S: * OK [UIDNEXT 5] next
            S: A1 OK done
            C: A2 UID COPY 3:4 Trash
            S: A2 OK [COPYUID 9 3:4 1:2] done
            C: A3 UID STORE 3:4 +FLAGS.SILENT (\Deleted)
            S: A3 OK done
            C: A4 UID EXPUNGE 3:4
            S: * {told}
            S: A4 NO [INUSE] not now
            "
        );
        let (mut client, server) = client_of("IMAP4rev1 UIDPLUS", &script).await;
        let inbox = client.select("INBOX").await.unwrap();
        let error = inbox.uid_move(uids("3:4"), "Trash").await.unwrap_err();
        assert_eq!(error.stage(), Stage::Command("UID EXPUNGE"));
        let Error::Halfway { done, kept: still, expunged, copied, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!([done, still].map(ToString::to_string), ["3:4", kept]);
        assert_eq!((expunged.len(), copied.pairs().count()), (gone, 2));
        // Each is told once; what others have removed is no part of it.
        match inbox.take_event() {
            None => assert_eq!(expunged.numbers(), [2]),
            Some(Event::Vanished { uids, .. }) => assert_eq!(uids.to_string(), "9"),
            Some(event) => panic!("{event:?}"),
        }
        assert!(inbox.take_event().is_none());
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_expunge_that_is_refused_tells_by_events_what_is_gone() {
    let script = "
        C: A1 SELECT INBOX
        S: * 9 EXISTS
        S: A1 OK done
        C: A2 UID EXPUNGE 3:4
        S: * 2 EXPUNGE
        S: A2 NO [INUSE] not now
        C: A3 EXPUNGE
        S: * VANISHED 7
        S: A3 NO [INUSE] not now
    ";
    let (mut client, server) = client_of("IMAP4rev1 UIDPLUS", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    assert!(matches!(inbox.uid_expunge(uids("3:4")).await, Err(Error::Refused { .. })));
    assert!(matches!(inbox.take_event(), Some(Event::Expunge(2))));
    assert!(matches!(inbox.expunge().await, Err(Error::Refused { .. })));
    assert!(matches!(inbox.take_event(), Some(Event::Vanished { .. })));
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_move_nothing_is_copied_from_a_mailbox_that_is_open_for_reading_only() {
    let script = "C: A1 EXAMINE INBOX\nS: * OK [UIDNEXT 9] next\nS: A1 OK [READ-ONLY] done";
    let (mut client, server) = client_of("IMAP4rev1 UIDPLUS", script).await;
    let inbox = client.examine("INBOX").await.unwrap();
    let refused = [
        inbox.uid_move(uids("3"), "Trash").await.unwrap_err(),
        inbox.uid_move_or_mark(uids("3"), "Trash").await.unwrap_err(),
        inbox.move_numbers(SeqSet::all(), "Trash").await.unwrap_err(),
    ];
    for (error, stage) in refused.iter().zip(["UID MOVE", "UID MOVE", "MOVE"]) {
        assert!(matches!(error, Error::ReadOnly { .. }), "{error:?}");
        assert_eq!(error.stage(), Stage::Command(stage));
        assert_eq!((error.retry(), error.connection_usable()), (Retry::Never, true));
    }
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_move_nothing_is_copied_that_cannot_be_removed_then() {
    for (flags, begun) in
        [(r"\Seen \Draft", false), (r"\*", false), ("", false), (r"\Seen \DELETED", true)]
    {
        let copy = "C: A2 UID COPY 3 Trash\nS: A2 NO full";
        let script = format!(
            "
            C: A1 SELECT INBOX
            S: * OK [PERMANENTFLAGS ({flags})] limited
            S: * OK [UIDNEXT 9] next
            S: A1 OK [READ-WRITE] done
            {}
            ",
            if begun { copy } else { "" }
        );
        let (mut client, server) = client_of("IMAP4rev1 UIDPLUS", &script).await;
        let inbox = client.select("INBOX").await.unwrap();
        let error = inbox.uid_move(uids("3"), "Trash").await.unwrap_err();
        if begun {
            assert!(matches!(error, Error::Refused { .. }), "{flags}: {error:?}");
        } else {
            assert_eq!(
                error.to_string(),
                "UID MOVE was not begun: the server does not let messages be marked \\Deleted here"
            );
            assert_eq!((error.retry(), error.connection_usable()), (Retry::Never, true));
            assert_eq!(error.stage(), Stage::Command("UID MOVE"));
            let error = inbox.move_numbers(SeqSet::all(), "Trash").await.unwrap_err();
            assert!(matches!(error, Error::Undeletable { .. }), "{flags}: {error:?}");
            let error = inbox.uid_move_or_mark(uids("3"), "Trash").await.unwrap_err();
            assert!(matches!(error, Error::Undeletable { .. }), "{flags}: {error:?}");
        }
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn without_move_what_is_still_there_after_all_was_granted_is_told() {
    // What UID EXPUNGE tells; what is asked then, and answered; what is still there.
    for (told, asked, answer, kept) in [
        ("", "3:5", "S: * SEARCH 3 4 5\nS: A5 OK done", Some("3:5")),
        ("S: * 3 EXPUNGE", "3:5", "S: * SEARCH 3 5\nS: A5 OK done", Some("3,5")),
        ("S: * VANISHED 4", "3,5", "S: * SEARCH 5\nS: A5 OK done", Some("5")),
        // Others' are no part of it.
        ("S: * VANISHED 7:9", "3:5", "S: * SEARCH 4\nS: A5 OK done", Some("4")),
        // Some had gone before, or went at STORE.
        ("", "3:5", "S: * SEARCH\nS: A5 OK done", None),
        ("S: * 3 EXPUNGE", "3:5", "S: A5 OK done", None),
        ("S: * 3 EXPUNGE\nS: * 3 EXPUNGE\nS: * 3 EXPUNGE", "", "", None),
        ("S: * VANISHED 3:5", "", "", None),
        // What is not known to be gone may be there.
        ("S: * 3 EXPUNGE", "3:5", "S: * SEARCH x\nS: A5 OK done", Some("3:5")),
        ("S: * VANISHED 3", "4:5", "S: * SEARCH 9\nS: A5 OK done", Some("4:5")),
        ("S: * VANISHED 3", "4:5", "S: A5 NO not now", Some("4:5")),
        ("S: * VANISHED 3", "4:5", "EOF", Some("4:5")),
    ] {
        let search = if asked.is_empty() { "" } else { "C: A5 UID SEARCH UID " };
        let script = format!(
            r"
            C: A1 SELECT INBOX
            S: * 9 EXISTS
            S: * OK [UIDNEXT 9] next
            S: A1 OK [READ-WRITE] done
            C: A2 UID COPY 3:5 Trash
            S: A2 OK [COPYUID 9 3:5 1:3] done
            C: A3 UID STORE 3:5 +FLAGS.SILENT (\Deleted)
            S: A3 OK done
            C: A4 UID EXPUNGE 3:5
            {told}
            S: A4 OK done
            {search}{asked}
            {answer}
            "
        );
        let (mut client, server) = client_of("IMAP4rev1 UIDPLUS", &script).await;
        let inbox = client.select("INBOX").await.unwrap();
        let moved = inbox.uid_move(uids("3:5"), "Trash").await;
        match (moved, kept) {
            (Ok(moved), None) => assert_eq!(moved.pairs().count(), 3, "{told} {answer}"),
            (Err(error), Some(kept)) => {
                let Error::Halfway { done, kept: still, copied, cause, .. } = &error else {
                    panic!("{told} {answer}: {error:?}")
                };
                assert_eq!((done.to_string().as_str(), copied.pairs().count()), ("3:5", 3));
                assert_eq!(still.to_string(), kept, "{told} {answer}");
                let asked_well = answer.contains("OK");
                assert_eq!(matches!(**cause, Error::NotExpunged { .. }), asked_well, "{cause:?}");
                assert_eq!(error.connection_usable(), answer != "EOF");
            }
            (moved, _) => panic!("{told} {answer}: {moved:?}"),
        }
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn without_move_what_was_known_of_other_uids_decides_nothing_after_another_uidvalidity() {
    let script = r"
        C: A1 SELECT INBOX
        S: * 9 EXISTS
        S: * OK [UIDVALIDITY 7] ok
        S: * OK [UNSEEN 4] first
        S: * OK [HIGHESTMODSEQ 90] highest
        S: * OK [UIDNEXT 5000] next
        S: A1 OK done
        C: A2 NOOP
        S: * OK [UIDVALIDITY 8] rebuilt
        S: A2 OK done
        C: A3 UID SEARCH UID 10:20
        S: * SEARCH
        S: A3 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1 UIDPLUS", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    assert_eq!(inbox.uid_next(), Uid::new(5000));
    inbox.noop().await.unwrap();
    assert!(inbox.uid_next().is_none() && inbox.first_unseen().is_none());
    assert!(inbox.highest_mod_seq().is_none());
    assert!(matches!(inbox.take_event(), Some(Event::UidValidity { .. })));
    // A message that is delivered now may have the UID 10.
    let moved = inbox.uid_move(uids("10:20"), "Trash").await.unwrap();
    assert!(moved.expunged().is_empty());
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_move_no_more_is_moved_than_the_numbers_can_name() {
    for (numbers, found, most) in [
        ("*", "1 2 3 4 5", false),
        ("*", "5", true),
        ("1,*", "1 5", true),
        ("1,*", "1 4 5", false),
        ("3:*", "1 2 3 4 5", false),
        ("3:*", "3 4 5", true),
        ("1:*", "1 2 3 4 5", true),
        // There are only five, so that it is the last that is meant.
        ("9:*", "4 5", false),
        ("9:*", "5", true),
    ] {
        let mut script = format!(
            "
            C: A1 SELECT INBOX
            S: * 5 EXISTS
            S: A1 OK done
            C: A2 UID SEARCH {numbers}
            S: * SEARCH {found}
            S: A2 OK done
            "
        );
        if most {
            let set = UidSet::from_iter(
                found.split(' ').map(|uid| Uid::new(uid.parse().unwrap()).unwrap()),
            );
            script += &format!("C: A3 UID COPY {set} Trash\nS: A3 NO [OVERQUOTA] full");
        }
        let (mut client, server) = client_of("IMAP4rev1 UIDPLUS", &script).await;
        let inbox = client.select("INBOX").await.unwrap();
        let set = SeqSet::parse(numbers).unwrap();
        let error = inbox.move_numbers(set, "Trash").await.unwrap_err();
        assert_eq!(matches!(error, Error::Refused { .. }), most, "{numbers} {found}: {error:?}");
        assert_eq!(matches!(error, Error::Illegible { .. }), !most, "{numbers} {found}");
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn of_what_vanishes_that_is_moved_which_the_server_has_copied() {
    for (set, copied, vanished, ours, others) in [
        // The last message is 20.
        ("42:*", "* OK [COPYUID 9 20 1] moved", "20", "20", ""),
        ("42:*", "* OK still here", "20", "20", ""),
        ("42:*", "* OK [COPYUID 9 45 1] moved", "20,45", "45", "20"),
        ("5,*", "* OK [COPYUID 9 5,20 1:2] moved", "5,7,20", "5,20", "7"),
        // One that came behind it is somebody else's.
        ("5,*", "* OK [COPYUID 9 5,20 1:2] moved", "5,20,33", "5,20", "33"),
        ("5,*", "* OK still here", "5,7,20", "5,20", "7"),
        ("5", "* OK [COPYUID 9 5 1] moved", "5,7", "5", "7"),
    ] {
        let script = format!(
            "
            C: A1 ENABLE QRESYNC
            S: * ENABLED QRESYNC
            S: A1 OK done
            C: A2 SELECT INBOX
            S: * 9 EXISTS
            S: A2 OK done
            C: A3 UID MOVE {set} Kept
            S: {copied}
            S: * VANISHED {vanished}
            S: A3 OK done
            "
        );
        let (mut client, server) =
            client_of("IMAP4rev1 MOVE UIDPLUS ENABLE QRESYNC", &script).await;
        client.enable([Extension::QResync]).await.unwrap();
        let inbox = client.select("INBOX").await.unwrap();
        let moved = inbox.uid_move(uids(set), "Kept").await.unwrap();
        assert_eq!(moved.expunged().uids().to_string(), ours, "{set} {vanished}");
        let mut told = String::new();
        while let Some(event) = inbox.take_event() {
            if let Event::Vanished { uids, .. } = event {
                told += &uids.to_string();
            }
        }
        assert_eq!(told, others, "{set} {vanished}");
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn without_move_a_piece_of_which_the_server_names_the_copied_does_not_speak_for_another() {
    for (first, second, copied) in
        [("[COPYUID 9 1 11] ", "", "1,5,7"), ("", "[COPYUID 9 7 11] ", "1,3,7")]
    {
        let script = format!(
            r"
            C: A1 SELECT INBOX
            S: * 8 EXISTS
            S: * OK [UIDNEXT 9] next
            S: A1 OK done
            C: A2 UID COPY 1,3 Kept
            S: A2 OK {first}done
            C: A3 UID COPY 5,7 Kept
            S: A3 OK {second}done
            C: A4 UID STORE {copied} +FLAGS.SILENT (\Deleted)
            S: A4 OK done
            C: A5 UID EXPUNGE {copied}
            S: * 1 EXPUNGE
            S: * 1 EXPUNGE
            S: * 1 EXPUNGE
            S: A5 OK done
            "
        );
        let (mut client, server) = narrow_of("IMAP4rev1 UIDPLUS", 32, &script).await;
        let inbox = client.select("INBOX").await.unwrap();
        inbox.uid_move(uids("1,3,5,7"), "Kept").await.unwrap();
        drop(client);
        server.await.unwrap();
    }
}
