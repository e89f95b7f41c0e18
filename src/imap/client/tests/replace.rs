//! REPLACE where the server has none.

use std::num::NonZeroU32;

use super::client_of;
use crate::imap::{AppendOptions, Error, Event, ReplaceWay, Uid};
use crate::{Failure, Retry, Stage};

const OFFERED: &str = "IMAP4rev1 UIDPLUS LITERAL+";

fn uid(uid: u32) -> Uid {
    Uid::new(uid).unwrap()
}

/// What comes of replacing message 7, at a server that says this behind SELECT.
async fn replace(script: &str) -> Result<Option<Uid>, Error> {
    let script = format!("C: A1 SELECT Drafts\nS: * 3 EXISTS\nS: A1 OK done\n{script}");
    let (mut client, server) = client_of(OFFERED, &script).await;
    let drafts = client.select("Drafts").await.unwrap();
    let stored = drafts.uid_replace(uid(7), "Sent", "new", AppendOptions::new()).await;
    drop(client);
    server.await.unwrap();
    stored.map(|stored| stored.uid())
}

const FOUND: &str = "
    C: A2 UID SEARCH UID 7
    S: * SEARCH 7
    S: A2 OK done
";
const STORED: &str = "
    C: A3 APPEND Sent {3+}
    C: new
    S: A3 OK [APPENDUID 1 2001] done
";

#[tokio::test(start_paused = true)]
async fn the_new_message_is_stored_before_the_old_one_is_touched() {
    let script = r"
        C: A1 SELECT Drafts
        S: * 3 EXISTS
        S: A1 OK done
        C: A2 UID SEARCH UID 7
        S: * SEARCH 7
        S: A2 OK done
        C: A3 APPEND Drafts (\Draft) {3+}
        C: new
        S: * 4 EXISTS
        S: A3 OK [APPENDUID 1 2001] done
        C: A4 UID STORE 7 +FLAGS.SILENT (\Deleted)
        S: A4 OK done
        C: A5 UID EXPUNGE 7
        S: * 2 EXPUNGE
        S: A5 OK done
        C: A6 UID SEARCH 1
        S: * SEARCH 5
        S: A6 OK done
        C: A7 APPEND Sent {3+}
        C: new
        S: A7 OK done
        C: A8 UID STORE 5 +FLAGS.SILENT (\Deleted)
        S: A8 OK done
        C: A9 UID EXPUNGE 5
        S: * 1 EXPUNGE
        S: A9 OK done
    ";
    let (mut client, server) = client_of(OFFERED, script).await;
    let drafts = client.select("Drafts").await.unwrap();
    let options = AppendOptions::new().flags([crate::imap::Flag::Draft]);
    let stored = drafts.uid_replace(uid(7), "Drafts", "new", options).await.unwrap();
    assert_eq!((stored.uid(), drafts.exists()), (Some(uid(2001)), 3));
    assert_eq!(stored.way(), ReplaceWay::AppendAndExpunge);
    assert!(matches!(drafts.take_event(), Some(Event::Expunge(2))));
    drafts.replace(NonZeroU32::MIN, "Sent", "new", AppendOptions::new()).await.unwrap();
    assert_eq!(drafts.exists(), 2);
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_new_message_that_is_refused_leaves_the_old_one_as_it_is() {
    let error = replace(&format!(
        "{FOUND}
        C: A3 APPEND Sent {{3+}}
        C: new
        S: A3 NO [OVERQUOTA] full"
    ))
    .await
    .unwrap_err();
    assert!(matches!(error, Error::Refused { stage: Stage::Command("APPEND"), .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn an_old_message_that_is_still_there_is_told() {
    const STORE: &str = r"C: A4 UID STORE 7 +FLAGS.SILENT (\Deleted)";
    for (behind, stage, usable) in [
        (format!("{STORE}\nS: A4 NO not yours"), "UID STORE", true),
        (format!("{STORE}\nS: A4 OK done\nC: A5 UID EXPUNGE 7\nS: A5 NO no"), "UID EXPUNGE", true),
        (format!("{STORE}\nEOF"), "UID STORE", false),
    ] {
        let error = replace(&format!("{FOUND}{STORED}{behind}")).await.unwrap_err();
        let Error::NotRemoved { stored, marked, .. } = &error else { panic!("{error:?}") };
        assert_eq!((stored.uid(), *marked), (Some(uid(2001)), stage == "UID EXPUNGE"));
        assert_eq!((error.stage(), error.connection_usable()), (Stage::Command(stage), usable));
        // What is done again would be stored twice.
        assert_eq!(error.retry() == Retry::MayDuplicate, !usable);
    }
    let refused = format!("{FOUND}{STORED}{STORE}\nS: A4 NO not yours");
    assert_eq!(
        replace(&refused).await.unwrap_err().to_string(),
        "UID STORE refused: NO not yours, after the message was stored that replaces another, \
         which is still there"
    );
}

#[tokio::test(start_paused = true)]
async fn without_an_old_message_there_is_no_new_one() {
    // None, or not the one that was meant.
    for found in ["", " 7 8", " 8"] {
        let script = format!("C: A2 UID SEARCH UID 7\nS: * SEARCH{found}\nS: A2 OK done");
        let error = replace(&script).await.unwrap_err();
        let because = match found {
            "" => "UID REPLACE was not begun: the mailbox has no such message",
            _ => "the answer to UID SEARCH makes no sense, and nothing was done",
        };
        assert_eq!(error.to_string(), because, "{found}");
        assert_eq!((error.retry(), error.connection_usable()), (Retry::Never, true));
    }
    // What cannot be read does not say that there is none.
    let script = "C: A2 UID SEARCH UID 7\nS: * SEARCH x\nS: A2 OK done";
    let error = replace(script).await.unwrap_err();
    assert!(matches!(error, Error::Illegible { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_gone_before_a_refusal_was_replaced() {
    const MARKED: &str = r"
        C: A4 UID STORE 7 +FLAGS.SILENT (\Deleted)
        S: A4 OK done
        C: A5 UID EXPUNGE 7
    ";
    const ASKED: &str = "C: A6 UID SEARCH UID 7";
    for (behind, removed) in [
        ("S: * VANISHED 7\nS: A5 NO late".to_owned(), true),
        ("S: * VANISHED 8\nS: A5 NO late".to_owned(), false),
        (format!("S: * 2 EXPUNGE\nS: A5 NO late\n{ASKED}\nS: * SEARCH\nS: A6 OK done"), true),
        (format!("S: * 2 EXPUNGE\nS: A5 NO late\n{ASKED}\nS: * SEARCH 7\nS: A6 OK done"), false),
        (format!("S: * 2 EXPUNGE\nS: A5 NO late\n{ASKED}\nS: A6 NO no"), false),
        ("S: * 2 EXPUNGE\nEOF".to_owned(), false),
    ] {
        match replace(&format!("{FOUND}{STORED}{MARKED}{behind}")).await {
            Ok(uid) => assert!(removed && uid == Uid::new(2001), "{behind}"),
            Err(Error::NotRemoved { marked, .. }) => assert!(marked && !removed, "{behind}"),
            Err(error) => panic!("{behind}: {error:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_still_there_after_all_was_granted_was_not_replaced() {
    const MARKED: &str = r"
        C: A4 UID STORE 7 +FLAGS.SILENT (\Deleted)
        S: A4 OK done
        C: A5 UID EXPUNGE 7
    ";
    const ASKED: &str = "S: A5 OK done\nC: A6 UID SEARCH UID 7";
    for (behind, cause) in [
        ("S: * VANISHED 7\nS: A5 OK done".to_owned(), None),
        ("S: * 2 EXPUNGE\nS: A5 OK done".to_owned(), None),
        // It went at STORE, say.
        (format!("{ASKED}\nS: * SEARCH\nS: A6 OK done"), None),
        (format!("S: * VANISHED 8\n{ASKED}\nS: A6 OK done"), None),
        (format!("{ASKED}\nS: * SEARCH 7\nS: A6 OK done"), Some("UID EXPUNGE")),
        (format!("S: * VANISHED 8\n{ASKED}\nS: * SEARCH 7\nS: A6 OK done"), Some("UID EXPUNGE")),
        // Nobody knows.
        (format!("{ASKED}\nS: * SEARCH x\nS: A6 OK done"), Some("UID EXPUNGE")),
        (format!("{ASKED}\nS: * SEARCH 8\nS: A6 OK done"), Some("UID EXPUNGE")),
        (format!("{ASKED}\nS: A6 NO not now"), Some("UID SEARCH")),
        (format!("{ASKED}\nEOF"), Some("UID SEARCH")),
    ] {
        match (replace(&format!("{FOUND}{STORED}{MARKED}{behind}")).await, cause) {
            (Ok(uid), None) => assert_eq!(uid, Uid::new(2001), "{behind}"),
            (Err(error), Some(stage)) => {
                let Error::NotRemoved { stored, marked, .. } = &error else { panic!("{error:?}") };
                assert_eq!((stored.uid(), *marked), (Uid::new(2001), true), "{behind}");
                assert_eq!(error.stage(), Stage::Command(stage), "{behind}");
                assert_eq!(error.connection_usable(), !behind.ends_with("EOF"));
            }
            (replaced, _) => panic!("{behind}: {replaced:?}"),
        }
    }
    let ignored = format!("{FOUND}{STORED}{MARKED}{ASKED}\nS: * SEARCH 7\nS: A6 OK done");
    let error = replace(&ignored).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "UID EXPUNGE was granted, and what it was to remove is still there, after the message was \
         stored that replaces another, which is still there"
    );
    assert_eq!(error.retry(), Retry::Never);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_stored_in_place_of_what_cannot_be_removed() {
    let script = r"
        C: A1 SELECT INBOX
        S: * 9 EXISTS
        S: * OK [PERMANENTFLAGS (\Seen \Draft \*)] limited
        S: A1 OK [READ-WRITE] done
        C: A2 NOOP
        S: A2 OK done
    ";
    let (mut client, server) = client_of(OFFERED, script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let error = inbox.uid_replace(uid(7), "x", "new", AppendOptions::new()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "UID REPLACE was not begun: the server does not let messages be marked \\Deleted here"
    );
    let error = inbox.replace(NonZeroU32::MIN, "x", "new", AppendOptions::new()).await.unwrap_err();
    assert!(matches!(error, Error::Undeletable { .. }), "{error:?}");
    assert_eq!(error.stage(), Stage::Command("REPLACE"));
    inbox.noop().await.unwrap();
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_done_to_its_end_is_not_begun() {
    let script = "C: A1 EXAMINE INBOX\nS: A1 OK [READ-ONLY] done";
    let (mut client, server) = client_of(OFFERED, script).await;
    let inbox = client.examine("INBOX").await.unwrap();
    let error = inbox.uid_replace(uid(7), "x", "new", AppendOptions::new()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "UID REPLACE was not begun: the mailbox is open for reading only"
    );
    drop(client);
    server.await.unwrap();
    let script = "C: A1 SELECT INBOX\nS: A1 OK done";
    let (mut client, server) = client_of("IMAP4rev1", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let error = inbox.uid_replace(uid(7), "x", "new", AppendOptions::new()).await.unwrap_err();
    assert!(matches!(&error, Error::Unsupported { what, .. } if what == "REPLACE or UIDPLUS"));
    drop(client);
    server.await.unwrap();
}
