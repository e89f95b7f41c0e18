//! What IMAP4rev2 has built in, at servers that offer both.

use super::*;
use crate::imap::Section;

const ENABLED: &str = "
    C: A1 ENABLE IMAP4rev2
    S: * ENABLED IMAP4rev2
    S: A1 OK done
";

#[tokio::test]
async fn what_is_built_in_is_not_taken_for_granted_before_it_is_enabled() {
    for offered in ["IMAP4rev1 IMAP4rev2", "IMAP4rev1 IMAP4rev2 ENABLE"] {
        // A literal that did not wait could be read as commands.
        let script = "
            C: A1 SELECT {4}
            S: + go on
            C: \u{20ac}1
            S: A1 OK [READ-WRITE] done
            C: A2 EXAMINE {4}
            S: + go on
            C: \u{20ac}1
            S: A2 OK [READ-ONLY] done
            C: A3 CLOSE
            S: A3 OK done
        ";
        let (mut client, server) = client_of(offered, script).await;
        let mailbox = client.select(MailboxName::from_wire("\u{20ac}1")).await.unwrap();
        let uid = Uid::new(7).unwrap();
        let lacking = [
            mailbox.uid_move(uid, "Archive").await.unwrap_err(),
            mailbox.uid_expunge(uid).await.unwrap_err(),
            mailbox.uid_replace(uid, "Drafts", "x", AppendOptions::new()).await.unwrap_err(),
        ];
        for error in lacking {
            assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
        }
        let wide = Fetch::section(Section::full().partial(1 << 32, 1));
        assert!(matches!(mailbox.uid_fetch(uid, wide).await, Err(Error::Misuse(_))));
        client.unselect().await.unwrap();
        drop(client);
        server.await.unwrap();
    }
}

/// What is asked of a client whose ENABLE was dropped.
async fn after_enabling(script: &str, asks: impl AsyncFnOnce(&mut ImapClient)) {
    let offered = "IMAP4rev1 IMAP4rev2 ENABLE";
    let (mut client, server) = client_of(offered, &format!("{ENABLED}{script}")).await;
    cut(client.enable([Extension::Imap4rev2])).await;
    asks(&mut client).await;
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn what_is_built_in_is_used_once_it_is_enabled_even_if_that_was_dropped() {
    let uid = || Uid::new(7).unwrap();
    let moves = "
        C: A2 UID MOVE 7 Archive
        S: * 1 EXPUNGE
        S: A2 OK done
    ";
    let moving = async |client: &mut ImapClient| {
        client.mailbox.uid_move(uid(), "Archive").await.unwrap();
    };
    after_enabling(moves, moving).await;
    let expunges = "
        C: A2 UID EXPUNGE 7
        S: * 1 EXPUNGE
        S: A2 OK done
    ";
    let expunging = async |client: &mut ImapClient| {
        client.mailbox.uid_expunge(uid()).await.unwrap();
    };
    after_enabling(expunges, expunging).await;
    let replaces = r#"
        C: A2 SELECT "Entwürfe"
        S: * 1 EXISTS
        S: A2 OK [READ-WRITE] done
        C: A3 UID SEARCH UID 7
        S: * ESEARCH (TAG "A3") UID ALL 7
        S: A3 OK done
        C: A4 APPEND "Entwürfe" {1+}
        C: x
        S: A4 OK [APPENDUID 7 8] done
        C: A5 UID STORE 7 +FLAGS.SILENT (\Deleted)
        S: A5 OK done
        C: A6 UID EXPUNGE 7
        S: * 1 EXPUNGE
        S: A6 OK done
    "#;
    let replacing = async |client: &mut ImapClient| {
        let drafts = client.select("Entw\u{fc}rfe").await.unwrap();
        let options = AppendOptions::new();
        drafts.uid_replace(uid(), "Entw\u{fc}rfe", "x", options).await.unwrap();
    };
    after_enabling(replaces, replacing).await;
    let leaves = "
        C: A2 UNSELECT
        S: A2 OK done
    ";
    after_enabling(leaves, async |client: &mut ImapClient| client.unselect().await.unwrap()).await;
    let wide = "
        C: A2 UID FETCH 7 (BODY.PEEK[]<4294967296.1>)
        S: A2 OK done
    ";
    let fetching = async |client: &mut ImapClient| {
        let items = Fetch::section(Section::full().partial(1 << 32, 1));
        let mut messages = client.mailbox.uid_fetch(uid(), items).await.unwrap();
        assert!(messages.next().await.unwrap().is_none());
    };
    after_enabling(wide, fetching).await;
}

#[tokio::test]
async fn a_dropped_question_for_capabilities_decides_whether_one_may_be_enabled() {
    let script = "
        C: A1 CAPABILITY
        S: * CAPABILITY IMAP4rev1 ENABLE CONDSTORE
        S: A1 OK done
        C: A2 ENABLE CONDSTORE
        S: * ENABLED CONDSTORE
        S: A2 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1", script).await;
    cut(client.capability()).await;
    assert!(client.enable([Extension::CondStore]).await.unwrap().has("CONDSTORE"));
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn what_it_has_no_longer_is_not_sent() {
    let (mut client, server) = client_of("IMAP4rev2", "").await;
    let error = client.list_query(ListQuery::new("*").special_use()).await.unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    let mailbox = &mut client.mailbox;
    for items in
        [Fetch::flags().rfc822(), Fetch::flags().rfc822_header(), Fetch::flags().rfc822_text()]
    {
        let error = mailbox.uid_fetch(UidSet::all(), items).await.map(drop).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    }
    for search in [
        Search::all().recent(),
        Search::all().not(Search::all().old()),
        Search::any_of([Search::all().seen(), Search::all().recent_and_unseen()]),
        Search::all().keyword(Flag::Recent),
    ] {
        let error = mailbox.uid_search(search).await.unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    }
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn of_recent_messages_nothing_is_asked_and_nothing_told() {
    let script = r#"
        C: A1 STATUS INBOX (MESSAGES)
        S: * STATUS INBOX (MESSAGES 3)
        S: A1 OK done
        C: A2 STATUS INBOX (UNSEEN)
        S: * STATUS INBOX (UNSEEN 1)
        S: A2 OK done
        C: A3 LIST "" "%" RETURN (STATUS (UNSEEN))
        S: * LIST () "/" INBOX
        S: * STATUS INBOX (UNSEEN 1)
        S: A3 OK done
    "#;
    let (mut client, server) = client_of("IMAP4rev2", script).await;
    let status = client.status("INBOX", [StatusItem::Recent]).await.unwrap();
    assert_eq!(status.recent(), None);
    let both = [StatusItem::Recent, StatusItem::Unseen];
    let status = client.status_all(["INBOX"], both.clone()).await.unwrap().remove(0).unwrap();
    assert_eq!((status.recent(), status.unseen()), (None, Some(1)));
    let found = client.list_query(ListQuery::new("%").with_status(both)).await.unwrap();
    let status = found.iter().next().unwrap().status().unwrap();
    assert_eq!((status.recent(), status.unseen()), (None, Some(1)));
    assert!(matches!(client.status("INBOX", []).await, Err(Error::Misuse(_))));
    drop(client);
    server.await.unwrap();

    let script = "
        C: A1 STATUS INBOX (RECENT)
        S: * STATUS INBOX (RECENT 1)
        S: A1 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1 IMAP4rev2", script).await;
    let status = client.status("INBOX", [StatusItem::Recent]).await.unwrap();
    assert_eq!(status.recent(), Some(1));
    drop(client);
    server.await.unwrap();
}
