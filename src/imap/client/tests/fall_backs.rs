//! What is done where a server lacks a command, or dislikes its form.

use std::num::NonZeroU32;

use super::client_of;
use crate::imap::{
    Error, Event, Extension, Fetch, MultiSearch, QuotaResource, RawCommand, Right, Search,
    SearchReturn, SearchSource, SeqSet, SetRights, Sort, SortKey, StatusItem, ThreadAlgorithm, Uid,
    UidSet,
};
use crate::{Failure, Retry};

#[tokio::test]
async fn empty_sets_ask_nothing() {
    let script = "C: A1 SELECT INBOX\nS: A1 OK done";
    let (mut client, server) = client_of("IMAP4rev1 MOVE", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    assert_eq!(inbox.uid_move(UidSet::default(), "x").await.unwrap().pairs().count(), 0);
    assert_eq!(inbox.uid_copy(UidSet::default(), "x").await.unwrap().uid_validity(), None);
    assert_eq!(inbox.copy(SeqSet::default(), "x").await.unwrap().pairs().count(), 0);
    assert!(inbox.move_numbers(SeqSet::default(), "x").await.unwrap().expunged().is_empty());
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn without_unselect_a_mailbox_is_left_without_an_expunge() {
    let script = "
        C: A1 SELECT INBOX
        S: A1 OK [READ-WRITE] done
        C: A2 EXAMINE INBOX
        S: A2 OK [READ-ONLY] done
        C: A3 CLOSE
        S: A3 OK done
        C: A4 EXAMINE INBOX
        S: A4 OK [READ-ONLY] done
        C: A5 CLOSE
        S: A5 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1", script).await;
    client.select("INBOX").await.unwrap();
    client.unselect().await.unwrap();
    assert!(client.selected().is_none());
    client.examine("INBOX").await.unwrap();
    client.unselect().await.unwrap();
    // Nothing is selected, so there is nothing to leave.
    client.unselect().await.unwrap();
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn a_mailbox_that_cannot_be_opened_once_more_is_not_closed() {
    let script = "
        C: A1 SELECT INBOX
        S: A1 OK [READ-WRITE] done
        C: A2 EXAMINE INBOX
        S: A2 NO gone
    ";
    let (mut client, server) = client_of("IMAP4rev1", script).await;
    client.select("INBOX").await.unwrap();
    assert!(client.unselect().await.is_err());
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn what_was_renamed_removed_or_made_is_selected_anew() {
    for (command, name) in [
        ("RENAME INBOX Old", "INBOX"),
        ("RENAME a b", "a/b"),
        ("RENAME A b", "a"),
        ("DELETE a", "a"),
        ("DELETE a", "a/b"),
        // Another client had removed it.
        ("RENAME b a", "a/b"),
        ("CREATE a", "a"),
        ("CREATE a/", "a"),
        ("CREATE a/b/c", "a"),
        ("RENAME x a/b/c", "a/b"),
    ] {
        let script = format!(
            "
            C: A1 SELECT {name}
            S: A1 OK done
            C: A2 {command}
            S: A2 OK done
            C: A3 SELECT {name}
            S: A3 OK done
            C: A4 NOOP
            S: A4 OK done
            "
        );
        let (mut client, server) = client_of("IMAP4rev1", &script).await;
        client.ensure_selected(name).await.unwrap();
        match command.split(' ').collect::<Vec<_>>()[..] {
            ["RENAME", from, to] => client.rename(from, to).await.unwrap(),
            ["CREATE", name] => client.create(name).await.unwrap(),
            [_, name] => client.delete(name).await.unwrap(),
            _ => panic!("{command}"),
        }
        client.ensure_selected(name).await.unwrap();
        client.ensure_selected(name).await.unwrap().noop().await.unwrap();
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test]
async fn a_renaming_that_was_dropped_or_sent_raw_counts_too_and_another_mailbox_does_not() {
    let script = "
        C: A1 SELECT b
        S: A1 OK done
        C: A2 DELETE a
        S: A2 OK done
        C: A3 RENAME b c
        S: A3 OK done
        C: A4 SELECT b
        S: A4 OK done
        C: A5 RENAME b c
        S: A5 OK done
        C: A6 SELECT b
        S: A6 OK done
    ";
    let script = format!(
        "{script}
        C: A7 SELECT INBOX
        S: A7 OK done
        C: A8 CREATE INBOX/b
        S: A8 OK done"
    );
    let (mut client, server) = client_of("IMAP4rev1", &script).await;
    client.select("b").await.unwrap();
    client.delete("a").await.unwrap();
    client.ensure_selected("b").await.unwrap();
    super::cut(client.rename("b", "c")).await;
    client.ensure_selected("b").await.unwrap();
    client.raw(RawCommand::new("RENAME").mailbox("b").mailbox("c")).await.unwrap();
    client.ensure_selected("b").await.unwrap();
    // Nobody can remove INBOX, so that it never comes with a mailbox below it.
    client.select("INBOX").await.unwrap();
    client.create("INBOX/b").await.unwrap();
    client.ensure_selected("INBOX").await.unwrap();
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn a_changed_uidvalidity_is_an_error_and_the_mailbox_is_open() {
    let script = "
        C: A1 SELECT INBOX
        S: * 3 EXISTS
        S: * OK [UIDVALIDITY 8] ok
        S: A1 OK done
        C: A2 SELECT INBOX
        S: * OK [UIDVALIDITY 0] ok
        S: A2 OK done
        C: A3 SELECT INBOX
        S: * OK [UIDVALIDITY 7] ok
        S: A3 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1", script).await;
    let seven = NonZeroU32::new(7).unwrap();
    let error = client.select_if("INBOX", seven).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the UIDVALIDITY of the mailbox is 8, not 7: UIDs that were kept mean nothing now"
    );
    assert_eq!((error.retry(), error.connection_usable()), (Retry::Never, true));
    assert_eq!(client.selected().unwrap().exists(), 3);
    let error = client.select_if("INBOX", seven).await.unwrap_err();
    assert!(matches!(error, Error::Changed { found: None, .. }), "{error}");
    client.select_if("INBOX", seven).await.unwrap();
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn a_refused_charset_is_left_out_once_and_no_more() {
    for refusal in
        ["NO [BADCHARSET (US-ASCII)] The specified charset is not supported.", "BAD syntax"]
    {
        let script = format!(
            "
            C: A1 SELECT INBOX
            S: A1 OK done
            C: A2 UID SEARCH CHARSET UTF-8 SUBJECT {{2+}}
            C: \u{fc}
            S: A2 {refusal}
            C: A3 UID SEARCH SUBJECT {{2+}}
            C: \u{fc}
            S: A3 NO [BADCHARSET] still not
            "
        );
        let (mut client, server) = client_of("IMAP4rev1 LITERAL+", &script).await;
        let inbox = client.select("INBOX").await.unwrap();
        let error = inbox.uid_search(Search::all().subject("\u{fc}")).await.unwrap_err();
        assert_eq!(error.to_string(), "UID SEARCH refused: NO [BADCHARSET] still not");
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test]
async fn what_was_found_without_a_charset_says_so() {
    let script = "
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID SEARCH CHARSET UTF-8 SUBJECT {2+}
        C: \u{fc}
        S: A2 NO [BADCHARSET (US-ASCII)] no
        C: A3 UID SEARCH SUBJECT {2+}
        C: \u{fc}
        S: * SEARCH 7
        S: A3 OK done
        C: A4 UID SEARCH SUBJECT \"u\"
        S: * SEARCH 7
        S: A4 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1 LITERAL+", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let found = inbox.uid_search(Search::all().subject("\u{fc}")).await.unwrap();
    assert!(found.is_without_charset() && found.count() == 1);
    let found = inbox.uid_search(Search::all().subject("u")).await.unwrap();
    assert!(!found.is_without_charset());
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn whatever_is_made_of_a_search_without_a_charset_says_so() {
    let refused = |command: &str, answer: &str, by: u32| {
        let next = by + 1;
        format!(
            "
            C: A{by} {command} CHARSET UTF-8 SUBJECT {{2+}}
            C: \u{fc}
            S: A{by} NO [BADCHARSET (US-ASCII)] no
            C: A{next} {command} SUBJECT {{2+}}
            C: \u{fc}
            {answer}
            S: A{next} OK done
            "
        )
    };
    let script = [
        "C: A1 SELECT INBOX\nS: A1 OK done\n".to_owned(),
        refused("UID SEARCH RETURN (ALL UPDATE)", "S: * ESEARCH (TAG A3) UID ALL 7", 2),
        refused("UID SEARCH RETURN (SAVE)", "", 4),
        refused(
            "ESEARCH IN (personal)",
            "S: * ESEARCH (TAG A7 MAILBOX a UIDVALIDITY 1) UID ALL 7",
            6,
        ),
        refused("ESEARCH IN (personal)", "", 8),
        refused("UID SEARCH", "S: * SEARCH", 10),
        refused("UID SEARCH", "S: * SEARCH", 12),
        refused("UID SEARCH", "S: * SEARCH", 14),
    ];
    let offered = "IMAP4rev1 LITERAL+ CONTEXT=SEARCH SEARCHRES MULTISEARCH";
    let (mut client, server) = client_of(offered, &script.concat()).await;
    let search = || Search::all().subject("\u{fc}");
    let inbox = client.select("INBOX").await.unwrap();
    let updating = inbox.uid_search_updating(search(), Default::default()).await.unwrap();
    assert!(updating.found().is_without_charset() && updating.found().count() == 1);
    assert!(inbox.uid_search_saving(search()).await.unwrap().is_without_charset());
    for mailboxes in [1, 0] {
        let everywhere = MultiSearch::new(SearchSource::personal(), search());
        let found = client.multi_search(everywhere).await.unwrap();
        assert!(found.is_without_charset() && found.iter().count() == mailboxes);
        assert!(found.iter().all(|of| of.found().is_without_charset()));
    }
    let inbox = client.selected().unwrap();
    let by_size = || Sort::by(SortKey::Size);
    assert!(inbox.uid_sort(by_size(), search()).await.unwrap().is_without_charset());
    assert!(inbox.uid_sort_by_client(by_size(), search()).await.unwrap().is_without_charset());
    let threads = inbox.uid_thread(ThreadAlgorithm::References, search()).await.unwrap();
    assert!(threads.is_without_charset());
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn a_search_that_is_refused_for_another_reason_is_not_sent_again() {
    for (search, refusal) in [
        ("\u{fc}", "NO [UNAVAILABLE] later"),
        ("\u{fc}", "NO something is wrong"),
        ("\u{fc}", "BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds"),
    ] {
        let script = format!(
            "
            C: A1 SELECT INBOX
            S: A1 OK done
            C: A2 UID SEARCH CHARSET UTF-8 SUBJECT {{2+}}
            C: {search}
            S: A2 {refusal}
            "
        );
        let (mut client, server) = client_of("IMAP4rev1 LITERAL+", &script).await;
        let inbox = client.select("INBOX").await.unwrap();
        assert!(inbox.uid_search(Search::all().subject(search)).await.is_err());
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test]
async fn after_utf8_accept_no_charset_is_named() {
    let script = "
        C: A1 ENABLE UTF8=ACCEPT
        S: * ENABLED UTF8=ACCEPT
        S: A1 OK done
        C: A2 SELECT INBOX
        S: A2 OK done
        C: A3 UID SEARCH SUBJECT \"\u{fc}\"
        S: * SEARCH 3
        S: A3 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1 ENABLE UTF8=ACCEPT LITERAL+", script).await;
    let enabled = client.enable([Extension::Utf8Accept]).await.unwrap();
    assert!(enabled.has("UTF8=ACCEPT") && client.enabled().has("UTF8=ACCEPT"));
    let inbox = client.select("INBOX").await.unwrap();
    assert_eq!(inbox.uid_search(Search::all().subject("\u{fc}")).await.unwrap().count(), 1);
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn without_esearch_the_rest_is_worked_out_from_the_numbers() {
    let script = "
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID SEARCH UNSEEN
        S: * SEARCH 9 3 4
        S: A2 OK done
        C: A3 UID FETCH 3:4,9 (UID)
        S: A3 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1", script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let wanted = [SearchReturn::Count, SearchReturn::Min, SearchReturn::Max];
    let found = inbox.uid_search_returning(Search::all().unseen(), wanted).await.unwrap();
    assert_eq!((found.count(), found.min(), found.max()), (3, Uid::new(3), Uid::new(9)));
    inbox.uid_fetch(found, Fetch::uid()).await.unwrap().collect().await.unwrap();
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn after_utf8_accept_names_go_and_come_in_utf_8_and_are_the_same_names() {
    let script = "
        C: A1 ENABLE UTF8=ACCEPT
        S: * ENABLED UTF8=ACCEPT
        S: A1 OK done
        C: A2 LIST \"\" \"\u{e9}*\"
        S: * LIST () \"/\" \"\u{e9}t\u{e9} & co\"
        S: A2 OK done
        C: A3 SELECT \"\u{e9}t\u{e9} & co\"
        S: A3 OK done
        C: A4 STATUS \"\u{e9}t\u{e9} & co\" (MESSAGES)
        S: * STATUS other (MESSAGES 1)
        S: * STATUS \"\u{e9}t\u{e9} & co\" (MESSAGES 2)
        S: * STATUS other (MESSAGES 3)
        S: A4 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1 ENABLE UTF8=ACCEPT", script).await;
    client.enable([Extension::Utf8Accept]).await.unwrap();
    let found = client.list("", "\u{e9}*").await.unwrap();
    let name = found.get("\u{e9}t\u{e9} & co").unwrap().name().clone();
    client.select(&name).await.unwrap();
    let status = client.status(name, [StatusItem::Messages]).await.unwrap();
    assert_eq!(status.messages(), Some(2));
    let others = std::iter::from_fn(|| client.take_event());
    assert_eq!(others.filter(|event| matches!(event, Event::Status { .. })).count(), 2);
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn rights_are_told_and_changed_in_the_letters_that_the_server_has() {
    let script = "
        C: A1 MYRIGHTS INBOX
        S: * MYRIGHTS INBOX lrkcd
        S: A1 OK done
        C: A2 SETACL INBOX Chris lrk
        S: A2 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1 ACL RIGHTS=texk", script).await;
    let rights = client.my_rights("INBOX").await.unwrap().unwrap();
    assert_eq!(rights.to_string(), "lrk");
    client.set_acl("INBOX", "Chris", SetRights::replace(rights.iter())).await.unwrap();
    drop(client);
    server.await.unwrap();

    let script = "
        C: A1 GETACL INBOX
        S: * ACL INBOX Fred lrcd Chris lrd
        S: A1 OK done
        C: A2 SETACL INBOX Chris lrd
        S: A2 OK done
        C: A3 SETACL INBOX Chris +c
        S: A3 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1 ACL", script).await;
    let list = client.acl("INBOX").await.unwrap().unwrap();
    assert!(list.get("Fred").unwrap().has(Right::DELETE_MAILBOX));
    let chris = list.get("Chris").unwrap();
    assert!(chris.has(Right::EXPUNGE) && !chris.has(Right::CREATE_MAILBOX));
    client.set_acl("INBOX", "Chris", SetRights::replace(chris.iter())).await.unwrap();
    client.set_acl("INBOX", "Chris", SetRights::add([Right::CREATE_MAILBOX])).await.unwrap();
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn limits_are_set_where_the_server_has_the_command() {
    let script = "
        C: A1 SETQUOTA ours (STORAGE 5)
        S: * QUOTA ours (STORAGE 1 5)
        S: A1 OK done
    ";
    for (offered, has) in [
        ("IMAP4rev1 QUOTA", true),
        ("IMAP4rev1 QUOTA QUOTA=RES-STORAGE QUOTASET", true),
        ("IMAP4rev1 QUOTA QUOTA=RES-STORAGE", false),
    ] {
        let (mut client, server) = client_of(offered, if has { script } else { "" }).await;
        let set = client.set_quota("ours", [(QuotaResource::Storage, 5)]).await;
        match set {
            Ok(quota) => assert!(has && quota.is_some(), "{offered}"),
            Err(error) => assert!(!has && matches!(error, Error::Unsupported { .. }), "{error}"),
        }
        drop(client);
        server.await.unwrap();
    }
}
