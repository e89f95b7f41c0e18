//! The LIST response that IMAP4rev2 has SELECT bring (RFC 9051 section 6.3.2).

use super::*;

async fn played(capabilities: &str, script: &str) -> (ImapClient, JoinHandle<()>) {
    client_of(&format!("IMAP4rev2 {capabilities}"), script).await
}

#[tokio::test]
async fn that_a_mailbox_is_named_when_it_is_opened_is_no_news() {
    let (mut client, server) = played(
        "CONDSTORE QRESYNC",
        r#"
        C: A1 ENABLE QRESYNC
        S: * ENABLED QRESYNC
        S: A1 OK done
        C: A2 SELECT inbox
        S: * 1 EXISTS
        S: * LIST () "/" INBOX
        S: A2 OK [READ-WRITE] done
        C: A3 EXAMINE drafts
        S: * OK [CLOSED] left
        S: * LIST (\Drafts) "/" Drafts
        S: * 2 EXISTS
        S: A3 OK [READ-ONLY] done
        C: A4 SELECT "Entwürfe" (QRESYNC (7 5))
        S: * OK [CLOSED] left
        S: * LIST () "/" "Entwürfe"
        S: * OK [UIDVALIDITY 7] ok
        S: * OK [HIGHESTMODSEQ 5] ok
        S: A4 OK [READ-WRITE] done
        C: A5 SELECT INBOX
        C: A6 UID FETCH 1 (FLAGS)
        S: * OK [CLOSED] left
        S: * LIST () "/" INBOX
        S: A5 OK [READ-WRITE] done
        S: A6 OK done
        C: A7 SELECT x
        S: * LIST () "/" x
        S: A7 NO no such mailbox
        "#,
    )
    .await;
    client.enable([Extension::QResync]).await.unwrap();
    assert_eq!(client.select("inbox").await.unwrap().exists(), 1);
    let drafts = client.examine("drafts").await.unwrap();
    // In other letters it could be another mailbox.
    assert_eq!((drafts.name().to_string(), drafts.exists()), ("drafts".to_owned(), 2));
    let known = QResync::new(NonZeroU32::new(7).unwrap(), 5);
    assert!(client.resync("Entw\u{fc}rfe", known).await.unwrap().1.changed().is_empty());
    let one = Uid::new(1).unwrap();
    let mut messages = client.select_fetch("INBOX", one, Fetch::flags()).await.unwrap();
    assert!(messages.next().await.unwrap().is_none());
    assert!(client.select("x").await.is_err());
    assert_eq!(names_of_events(&mut client), [""; 0]);
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_that_the_server_calls_otherwise_goes_by_both_names() {
    let (mut client, server) = played(
        "",
        r#"
        C: A1 SELECT "Entwürfe"
        S: * LIST () "/" "Entwürfe" ("OLDNAME" ("Entwürfe"))
        S: * 2 EXISTS
        S: A1 OK [READ-WRITE] done
        C: A2 NOOP
        S: A2 OK done
        C: A3 RENAME "Entwürfe" old
        S: A3 OK done
        C: A4 SELECT "Entwürfe"
        S: * OK [CLOSED] left
        S: A4 OK [READ-WRITE] done
        "#
        .replacen("SELECT \"Entwürfe\"", "SELECT \"Entwu\u{308}rfe\"", 1)
        .replacen("(\"Entwürfe\")", "(\"Entwu\u{308}rfe\")", 1)
        .replacen("RENAME \"Entwürfe\"", "RENAME \"Entwu\u{308}rfe\"", 1)
        .as_str(),
    )
    .await;
    // The one that is dropped is told all the same.
    cut(client.select("Entwu\u{308}rfe")).await;
    client.noop().await.unwrap();
    for name in ["Entwu\u{308}rfe", "Entw\u{fc}rfe"] {
        let drafts = client.ensure_selected(name).await.unwrap();
        assert_eq!((drafts.name(), drafts.exists()), (&"Entw\u{fc}rfe".into(), 2));
    }
    // That it is gone by the one name is true of the other.
    client.rename("Entwu\u{308}rfe", "old").await.unwrap();
    client.ensure_selected("Entw\u{fc}rfe").await.unwrap();
    assert_eq!(names_of_events(&mut client), [""; 0]);
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn what_is_told_of_another_mailbox_or_of_one_that_is_gone_is_news() {
    let opening = r#"
        C: A1 SELECT INBOX
        S: * LIST () "/" INBOX
        S: * LIST () "/" new
        S: * LIST () "/" other ("OLDNAME" ("Inbox2"))
        S: * LIST (\NonExistent) "/" INBOX
        S: * LIST \broken
        S: A1 OK [READ-WRITE] done
        C: A2 NOOP
        S: * LIST () "/" INBOX
        S: A2 OK done
    "#;
    let (mut client, server) = played("", opening).await;
    client.select("INBOX").await.unwrap().noop().await.unwrap();
    let told: Vec<_> = std::iter::from_fn(|| client.take_event())
        .map(|event| match event {
            Event::Listed(mailbox) => mailbox.name().to_string(),
            Event::Unparsed { .. } => "unparsed".to_owned(),
            event => panic!("{event:?}"),
        })
        .collect();
    assert_eq!(told, ["new", "other", "INBOX", "unparsed", "INBOX"]);
    drop(client);
    server.await.unwrap();

    // IMAP4rev1 has no such answer, so that it can only be news.
    let opening = r#"
        C: A1 SELECT INBOX
        S: * LIST () "/" INBOX
        S: A1 OK [READ-WRITE] done
    "#;
    let (mut client, server) = client_of("IMAP4rev1 IMAP4rev2", opening).await;
    client.select("INBOX").await.unwrap();
    assert!(matches!(client.take_event(), Some(Event::Listed(_))));
    drop(client);
    server.await.unwrap();
}
