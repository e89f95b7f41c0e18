//! The same program against IMAP4rev1 and IMAP4rev2 (RFC 9051 appendix E).

mod offered;
mod opening;

use std::num::NonZeroU32;

use super::*;
use crate::imap::{ListQuery, QResync, Search, StatusItem};

/// What it says, whichever of the two the server speaks.
async fn program(client: &mut ImapClient) -> Result<String, Error> {
    let mut told = Vec::new();
    if client.capabilities().has("IMAP4rev1") && client.capabilities().has("IMAP4rev2") {
        client.enable([Extension::Imap4rev2]).await?;
    }
    for namespace in client.namespace().await?.personal() {
        told.push(format!("below {:?} by {:?}", namespace.prefix(), namespace.delimiter()));
    }
    for mailbox in &client.list("", "*").await? {
        told.push(mailbox.name().to_string());
    }
    for mailbox in &client.lsub("", "*").await? {
        told.push(format!("subscribed {}", mailbox.name()));
    }
    for mailbox in &client.list_query(ListQuery::new("%").with_status([StatusItem::Unseen])).await?
    {
        let unseen = mailbox.status().and_then(|status| status.unseen());
        told.push(format!("{} {unseen:?}", mailbox.name()));
    }
    let status = client.status("Entw\u{fc}rfe", [StatusItem::Messages]).await?;
    told.push(format!("{:?}", status.messages()));
    let stored = client.append("Entw\u{fc}rfe", "hi", AppendOptions::new()).await?;
    told.push(format!("stored as {:?}", stored.uid().map(Uid::get)));
    let drafts = client.select("Entw\u{fc}rfe").await?;
    told.push(format!("{} {} {}", drafts.name(), drafts.exists(), drafts.recent()));
    let found = drafts.uid_search(Search::all().subject("Gr\u{fc}\u{df}e")).await?;
    told.push(found.into_set().to_string());
    let mut messages = drafts.uid_fetch(UidSet::all(), Fetch::size()).await?;
    while let Some(message) = messages.next().await? {
        told.push(format!("{:?} {:?}", message.uid().map(Uid::get), message.size()));
    }
    let old = drafts.uid_search_saving(Search::all().seen()).await?;
    let stored = drafts.uid_store(&old, StoreFlags::add([Flag::Flagged])).await?;
    told.push(format!("{} flagged", stored.len()));
    let copied = drafts.uid_copy(&old, "Alt").await?;
    told.push(format!("copied {:?}", copied.pairs().collect::<Vec<_>>().len()));
    let moved = drafts.uid_move(Uid::new(8).unwrap(), "Alt").await?;
    told.push(format!("moved {:?}", moved.pairs().map(|(_, new)| new.get()).collect::<Vec<_>>()));
    told.push(format!("expunged {:?}", drafts.uid_expunge(Uid::new(7).unwrap()).await?.numbers()));
    let mut idle = drafts.idle();
    told.push(format!("{:?}", idle.next().await?));
    idle.done().await?;
    client.unselect().await?;
    assert_eq!(names_of_events(client), [""; 0]);
    Ok(told.join("; "))
}

const TOLD: &str = "below MailboxName(\"\") by Some('/'); INBOX; Entw\u{fc}rfe; \
                    subscribed Entw\u{fc}rfe; INBOX Some(0); Entw\u{fc}rfe Some(1); Some(1); \
                    stored as Some(8); Entw\u{fc}rfe 2 0; 7:8; \
                    Some(7) Some(4711); Some(8) Some(9223372036854775807); 1 flagged; copied 1; \
                    moved [4]; expunged [1]; Exists(1)";

async fn told(capabilities: &str, script: &str) -> String {
    let (mut client, server) = client_of(capabilities, script).await;
    let told = program(&mut client).await.unwrap();
    drop(client);
    server.await.unwrap();
    told
}

/// What a server that speaks IMAP4rev2 is asked, from this tag on.
fn rev2(first: u32) -> String {
    let script = r#"
        C: A1 NAMESPACE
        S: * NAMESPACE (("" "/")) NIL NIL
        S: A1 OK done
        C: A2 LIST "" "*" RETURN (SPECIAL-USE CHILDREN)
        S: * LIST () "/" INBOX
        S: * LIST () "/" "Entwürfe" ("OLDNAME" ("Entwuerfe"))
        S: A2 OK done
        C: A3 LIST (SUBSCRIBED) "" "*"
        S: * LIST (\Subscribed) "/" "Entwürfe"
        S: A3 OK done
        C: A4 LIST "" "%" RETURN (STATUS (UNSEEN))
        S: * LIST () "/" INBOX
        S: * STATUS INBOX (UNSEEN 0)
        S: * LIST () "/" "Entwürfe"
        S: * STATUS "Entwürfe" (UNSEEN 1)
        S: A4 OK done
        C: A5 STATUS "Entwürfe" (MESSAGES)
        S: * STATUS "Entwürfe" (MESSAGES 1)
        S: A5 OK done
        C: A6 APPEND "Entwürfe" {2+}
        C: hi
        S: A6 OK [APPENDUID 7 8] done
        C: A7 SELECT "Entwürfe"
        S: * 2 EXISTS
        S: * OK [UIDVALIDITY 7] ok
        S: * LIST () "/" "Entwürfe"
        S: A7 OK [READ-WRITE] done
        C: A8 UID SEARCH SUBJECT "Grüße"
        S: * ESEARCH (TAG "A8") UID ALL 7:8
        S: A8 OK done
        C: A9 UID FETCH 1:* (RFC822.SIZE)
        S: * 1 FETCH (UID 7 RFC822.SIZE 4711)
        S: * 2 FETCH (UID 8 RFC822.SIZE 9223372036854775807)
        S: A9 OK done
        C: A10 UID SEARCH RETURN (SAVE) SEEN
        S: A10 OK done
        C: A11 UID STORE $ +FLAGS (\Flagged)
        S: * 1 FETCH (UID 7 FLAGS (\Seen \Flagged))
        S: A11 OK done
        C: A12 UID COPY $ Alt
        S: A12 OK [COPYUID 9 7 3] done
        C: A13 UID MOVE 8 Alt
        S: * OK [COPYUID 9 8 4] moved
        S: * 2 EXPUNGE
        S: A13 OK done
        C: A14 UID EXPUNGE 7
        S: * 1 EXPUNGE
        S: A14 OK done
        C: A15 IDLE
        S: + idling
        S: * 1 EXISTS
        C: DONE
        S: A15 OK done
        C: A16 UNSELECT
        S: A16 OK done
    "#;
    let mut renumbered = script.to_owned();
    for tag in (1..=16).rev() {
        let new = tag + first - 1;
        renumbered = renumbered.replace(&format!("A{tag} "), &format!("A{new} "));
        renumbered = renumbered.replace(&format!("\"A{tag}\""), &format!("\"A{new}\""));
    }
    renumbered
}

#[tokio::test(start_paused = true)]
async fn one_program_says_the_same_of_both() {
    let rev1 = r#"
        C: A1 NAMESPACE
        S: * NAMESPACE (("" "/")) NIL NIL
        S: A1 OK done
        C: A2 LIST "" "*"
        S: * LIST () "/" INBOX
        S: * LIST () "/" Entw&APw-rfe
        S: A2 OK done
        C: A3 LSUB "" "*"
        S: * LSUB () "/" Entw&APw-rfe
        S: A3 OK done
        C: A4 LIST "" "%"
        S: * LIST () "/" INBOX
        S: * LIST () "/" Entw&APw-rfe
        S: A4 OK done
        C: A5 STATUS INBOX (UNSEEN)
        C: A6 STATUS Entw&APw-rfe (UNSEEN)
        S: * STATUS INBOX (UNSEEN 0)
        S: A5 OK done
        S: * STATUS Entw&APw-rfe (UNSEEN 1)
        S: A6 OK done
        C: A7 STATUS Entw&APw-rfe (MESSAGES)
        S: * STATUS Entw&APw-rfe (MESSAGES 1)
        S: A7 OK done
        C: A8 APPEND Entw&APw-rfe {2+}
        C: hi
        S: A8 OK [APPENDUID 7 8] done
        C: A9 SELECT Entw&APw-rfe
        S: * 2 EXISTS
        S: * 0 RECENT
        S: * OK [UIDVALIDITY 7] ok
        S: * OK [UIDNEXT 9] ok
        S: A9 OK [READ-WRITE] done
        C: A10 UID SEARCH CHARSET UTF-8 SUBJECT {7+}
        C: Grüße
        S: * SEARCH 7 8
        S: A10 OK done
        C: A11 UID FETCH 1:* (RFC822.SIZE)
        S: * 1 FETCH (UID 7 RFC822.SIZE 4711)
        S: * 2 FETCH (UID 8 RFC822.SIZE 9223372036854775807)
        S: A11 OK done
        C: A12 UID SEARCH SEEN
        S: * SEARCH 7
        S: A12 OK done
        C: A13 UID STORE 7 +FLAGS (\Flagged)
        S: * 1 FETCH (UID 7 FLAGS (\Seen \Flagged))
        S: A13 OK done
        C: A14 UID COPY 7 Alt
        S: A14 OK [COPYUID 9 7 3] done
        C: A15 UID COPY 8 Alt
        S: A15 OK [COPYUID 9 8 4] done
        C: A16 UID STORE 8 +FLAGS.SILENT (\Deleted)
        S: A16 OK done
        C: A17 UID EXPUNGE 8
        S: * 2 EXPUNGE
        S: A17 OK done
        C: A18 UID EXPUNGE 7
        S: * 1 EXPUNGE
        S: A18 OK done
        C: A19 NOOP
        S: * 1 EXISTS
        S: A19 OK done
        C: A20 EXAMINE Entw&APw-rfe
        S: * 1 EXISTS
        S: A20 OK [READ-ONLY] done
        C: A21 CLOSE
        S: A21 OK done
    "#;
    assert_eq!(told("IMAP4rev1 LITERAL+ UIDPLUS LIST-EXTENDED", rev1).await, TOLD);
    let enabled = r"
        C: A1 ENABLE IMAP4rev2
        S: * ENABLED IMAP4rev2
        S: A1 OK done
    ";
    for capabilities in ["IMAP4rev1 IMAP4rev2 ENABLE", "IMAP4rev2 IMAP4rev1"] {
        assert_eq!(told(capabilities, &format!("{enabled}{}", rev2(2))).await, TOLD);
    }
    // One that knows nothing else speaks it at once.
    assert_eq!(told("IMAP4rev2", &rev2(1)).await, TOLD);
}

#[tokio::test]
async fn what_is_only_offered_is_not_spoken() {
    let script = r#"
        C: A1 STATUS Entw&APw-rfe (MESSAGES)
        S: * STATUS Entw&APw-rfe (MESSAGES 2)
        S: A1 OK done
        C: A2 LSUB "" "*"
        S: A2 OK done
    "#;
    let (mut client, server) = client_of("IMAP4rev1 IMAP4rev2 ENABLE", script).await;
    client.status("Entw\u{fc}rfe", [StatusItem::Messages]).await.unwrap();
    assert!(client.lsub("", "*").await.unwrap().is_empty());
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_a_dropped_enable_has_brought_is_heeded_by_the_next_command() {
    let (mut client, server) = client_of(
        "IMAP4rev1 IMAP4rev2 ENABLE",
        r#"
        C: A1 ENABLE IMAP4rev2
        S: * ENABLED IMAP4rev2
        S: A1 OK done
        C: A2 STATUS "Entwürfe" (UNSEEN)
        S: * STATUS "Entwürfe" (UNSEEN 3)
        S: A2 OK done
        "#,
    )
    .await;
    cut(client.enable([Extension::Imap4rev2])).await;
    let status = client.status("Entwürfe", [StatusItem::Unseen]).await.unwrap();
    assert_eq!(status.unseen(), Some(3));
    drop(client);
    server.await.unwrap();

    // Which command it is may depend on it, too.
    let (mut client, server) = client_of(
        "IMAP4rev1 IMAP4rev2 ENABLE",
        r#"
        C: A1 ENABLE IMAP4rev2
        S: * ENABLED IMAP4rev2
        S: A1 OK done
        C: A2 LIST (SUBSCRIBED) "" "*"
        S: * LIST (\Subscribed) "/" a
        S: A2 OK done
        "#,
    )
    .await;
    cut(client.enable([Extension::Imap4rev2])).await;
    assert_eq!(client.lsub("", "*").await.unwrap().len(), 1);
    drop(client);
    server.await.unwrap();

    // And whether it may be sent at all.
    let (mut client, server) = client_of(
        "IMAP4rev1 ENABLE QRESYNC",
        r"
        C: A1 ENABLE QRESYNC
        S: * ENABLED QRESYNC
        S: A1 OK done
        C: A2 SELECT INBOX (QRESYNC (7 5))
        S: * OK [UIDVALIDITY 7] ok
        S: * OK [HIGHESTMODSEQ 5] ok
        S: A2 OK done
        ",
    )
    .await;
    cut(client.enable([Extension::QResync])).await;
    let known = QResync::new(NonZeroU32::new(7).unwrap(), 5);
    assert!(client.resync("INBOX", known).await.unwrap().1.changed().is_empty());
    drop(client);
    server.await.unwrap();
}
