//! The same program against IMAP4rev1 and IMAP4rev2 (RFC 9051 appendix E).

use std::num::NonZeroU32;

use super::*;
use crate::imap::{QResync, Search, StatusItem};

/// What it says, whichever of the two the server speaks.
async fn program(client: &mut ImapClient) -> String {
    let mut told = Vec::new();
    let offered = client.capabilities().has("IMAP4rev2");
    if offered {
        client.enable([Extension::Imap4rev2]).await.unwrap();
    }
    for mailbox in &client.list("", "*").await.unwrap() {
        told.push(mailbox.name().to_string());
    }
    for mailbox in &client.lsub("", "*").await.unwrap() {
        told.push(format!("subscribed {}", mailbox.name()));
    }
    let status = client.status("Entw\u{fc}rfe", [StatusItem::Messages]).await.unwrap();
    told.push(format!("{:?}", status.messages()));
    let drafts = client.select("Entw\u{fc}rfe").await.unwrap();
    told.push(format!("{} {} {}", drafts.name(), drafts.exists(), drafts.recent()));
    let found = drafts.uid_search(Search::all().subject("Gr\u{fc}\u{df}e")).await.unwrap();
    told.push(found.into_set().to_string());
    let mut messages = drafts.uid_fetch(UidSet::all(), Fetch::size()).await.unwrap();
    while let Some(message) = messages.next().await.unwrap() {
        told.push(format!("{:?} {:?}", message.uid().map(Uid::get), message.size()));
    }
    told.join("; ")
}

const TOLD: &str = "INBOX; Entw\u{fc}rfe; subscribed Entw\u{fc}rfe; Some(2); Entw\u{fc}rfe 2 0; 7:8; \
                    Some(7) Some(4711); Some(8) Some(9223372036854775807)";

async fn told(capabilities: &str, script: &str) -> String {
    let (mut client, server) = client_of(capabilities, script).await;
    let told = program(&mut client).await;
    drop(client);
    server.await.unwrap();
    told
}

#[tokio::test]
async fn one_program_says_the_same_of_both() {
    let rev1 = r#"
        C: A1 LIST "" "*"
        S: * LIST () "/" INBOX
        S: * LIST () "/" Entw&APw-rfe
        S: A1 OK done
        C: A2 LSUB "" "*"
        S: * LSUB () "/" Entw&APw-rfe
        S: A2 OK done
        C: A3 STATUS Entw&APw-rfe (MESSAGES)
        S: * STATUS Entw&APw-rfe (MESSAGES 2)
        S: A3 OK done
        C: A4 SELECT Entw&APw-rfe
        S: * 2 EXISTS
        S: * 0 RECENT
        S: * OK [UIDVALIDITY 7] ok
        S: A4 OK [READ-WRITE] done
        C: A5 UID SEARCH CHARSET UTF-8 SUBJECT {7+}
        C: Grüße
        S: * SEARCH 7 8
        S: A5 OK done
        C: A6 UID FETCH 1:* (RFC822.SIZE)
        S: * 1 FETCH (UID 7 RFC822.SIZE 4711)
        S: * 2 FETCH (UID 8 RFC822.SIZE 9223372036854775807)
        S: A6 OK done
    "#;
    assert_eq!(told("IMAP4rev1 LITERAL+", rev1).await, TOLD);
    let rev2 = r#"
        C: A1 ENABLE IMAP4rev2
        S: * ENABLED IMAP4rev2
        S: A1 OK done
        C: A2 LIST "" "*" RETURN (SPECIAL-USE CHILDREN)
        S: * LIST () "/" INBOX
        S: * LIST () "/" "Entwürfe" ("OLDNAME" ("Entwuerfe"))
        S: A2 OK done
        C: A3 LIST (SUBSCRIBED) "" "*"
        S: * LIST (\Subscribed) "/" "Entwürfe"
        S: A3 OK done
        C: A4 STATUS "Entwürfe" (MESSAGES)
        S: * STATUS "Entwürfe" (MESSAGES 2)
        S: A4 OK done
        C: A5 SELECT "Entwürfe"
        S: * 2 EXISTS
        S: * OK [UIDVALIDITY 7] ok
        S: * LIST () "/" "Entwürfe"
        S: A5 OK [READ-WRITE] done
        C: A6 UID SEARCH SUBJECT "Grüße"
        S: * ESEARCH (TAG "A6") UID ALL 7:8
        S: A6 OK done
        C: A7 UID FETCH 1:* (RFC822.SIZE)
        S: * 1 FETCH (UID 7 RFC822.SIZE 4711)
        S: * 2 FETCH (UID 8 RFC822.SIZE 9223372036854775807)
        S: A7 OK done
    "#;
    for capabilities in ["IMAP4rev1 IMAP4rev2 ENABLE", "IMAP4rev2 IMAP4rev1"] {
        assert_eq!(told(capabilities, rev2).await, TOLD);
    }
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
