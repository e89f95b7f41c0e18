//! What it takes to list mailboxes.

use super::{client_of, scripted};
use crate::connector::Settings;
use crate::imap::session::Session;
use crate::imap::{
    Attribute, Error, Flag, ImapClient, ListQuery, ListedMailbox, MailboxStatus, Mailboxes,
    StatusItem,
};
use crate::{Endpoint, Failure, Fault, Limits, Retry};

const EXTENDED: &str = "IMAP4rev1 LIST-EXTENDED SPECIAL-USE";

#[tokio::test]
async fn where_the_extended_form_brings_nothing_the_plain_one_is_tried() {
    for answer in ["S: A1 OK done", "S: A1 BAD what", "S: A1 NO [CANNOT] no"] {
        let script = format!(
            "
            C: A1 LIST \"\" \"*\" RETURN (SPECIAL-USE CHILDREN)
            {answer}
            C: A2 LIST \"\" \"*\"
            S: * LIST () \"/\" INBOX
            S: A2 OK done
            "
        );
        let (mut client, server) = client_of(EXTENDED, &script).await;
        assert_eq!(client.list("", "*").await.unwrap().len(), 1);
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test]
async fn a_refusal_that_has_nothing_to_do_with_the_form_is_handed_on() {
    let script = "
        C: A1 LIST \"\" \"*\" RETURN (SPECIAL-USE CHILDREN)
        S: A1 NO [UNAVAILABLE] try later
    ";
    let (mut client, server) = client_of(EXTENDED, script).await;
    let error = client.list("", "*").await.unwrap_err();
    assert_eq!(error.retry(), Retry::Later(None));
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn the_delimiter_is_asked_for_in_one_form_only() {
    let script = "
        C: A1 LIST \"\" \"\"
        S: * LIST (\\Noselect) \"/\" \"\"
        S: A1 OK done
    ";
    let (mut client, server) = client_of(EXTENDED, script).await;
    let found = client.list("", "").await.unwrap();
    assert_eq!(found.iter().next().unwrap().delimiter(), Some('/'));
    drop(client);
    server.await.unwrap();
}

/// What becomes of a command, where a server may make a client hold 40,000 octets.
async fn bounded<T>(
    row: &str,
    rows: usize,
    verb: &str,
    run: impl AsyncFnOnce(&mut ImapClient) -> Result<T, Error>,
) -> Result<T, Error> {
    let script = format!(
        "
        S: * PREAUTH [CAPABILITY IMAP4rev1 LIST-EXTENDED LIST-STATUS] hi
        C: A1 {verb}
        {}
        S: A1 OK done
        ",
        format!("S: {row}\n").repeat(rows),
    );
    let (stream, server) = scripted(&script);
    let mut settings = Settings::new(Endpoint::imap("mail.example"));
    settings.limits = Limits::default().response(10_000).message(30_000);
    let mut session = Session::new(Box::new(stream), &settings, true);
    session.core_mut().expect_greeting();
    session.step(crate::Stage::Greeting).await.unwrap();
    let mut client = ImapClient::new(session);
    let result = run(&mut client).await;
    server.abort();
    result
}

#[tokio::test]
async fn rows_of_many_small_words_count_for_what_they_take() {
    let attributes: Vec<_> = (10..99).map(|at| format!("\\{at}")).collect();
    let listed = format!("* LIST ({}) \"/\" a", attributes.join(" "));
    let status = format!("* STATUS a ({})", "A 1 ".repeat(99));
    let is_too_much = |error: Error| match error {
        Error::Protocol { fault: Fault::ResponseTooLong { limit: 40_000, .. }, .. } => true,
        other => panic!("{other:?}"),
    };
    for (rows, taken) in [(5, true), (20, false)] {
        let list = async |client: &mut ImapClient| client.list("", "*").await;
        let found = bounded(&listed, rows, "LIST \"\" \"*\"", list).await;
        assert_eq!(
            found.map_err(is_too_much).map(|found| found.len()),
            if taken { Ok(rows) } else { Err(true) }
        );
        let ask = async |client: &mut ImapClient| client.status("a", [StatusItem::Unseen]).await;
        let found = bounded(&status, rows - 2, "STATUS a (UNSEEN)", ask).await;
        assert_eq!(found.map_err(is_too_much).is_ok(), taken);
        let query = async |client: &mut ImapClient| {
            client.list_query(ListQuery::new("*").with_status([StatusItem::Unseen])).await
        };
        let verb = "LIST \"\" \"*\" RETURN (STATUS (UNSEEN))";
        let counted = format!("* LIST () \"/\" a\nS: {status}");
        let found = bounded(&counted, rows - 2, verb, query).await;
        assert_eq!(found.map_err(is_too_much).is_ok(), taken);
        let found = bounded(&listed, rows, verb, query).await;
        assert_eq!(found.map_err(is_too_much).is_ok(), taken);
    }
}

/// What they announce behind the login, as recorded (tests/transcripts).
const ICLOUD: &str = "XAPPLEPUSHSERVICE IMAP4 IMAP4rev1 ACL QUOTA LITERAL+ NAMESPACE UIDPLUS CHILDREN \
                      BINARY UNSELECT SORT CATENATE ESEARCH CONDSTORE QRESYNC ID IDLE LIST-STATUS \
                      ENABLE";
const EXCHANGE: &str = "IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS MOVE ID UNSELECT \
                        CLIENTACCESSRULES CLIENTNETWORKPRESENCELOCATION BACKENDAUTHENTICATE CHILDREN \
                        IDLE NAMESPACE LITERAL+";
const YAHOO: &str = "IMAP4rev1 ID MOVE NAMESPACE XYMHIGHESTMODSEQ UIDPLUS LITERAL+ CHILDREN X-MSG-EXT \
                     UNSELECT OBJECTID";
/// Proton's bridge answers `LIST (SPECIAL-USE)` with BAD (MailKit#674).
const PROTON: &str = "IMAP4rev1 IDLE MOVE SPECIAL-USE ID XSTOP";

async fn queried(capabilities: &str, script: &str, query: ListQuery) -> Result<Mailboxes, Error> {
    let (mut client, server) = client_of(capabilities, script).await;
    let found = client.list_query(query).await;
    drop(client);
    server.await.unwrap();
    found
}

#[tokio::test(start_paused = true)]
async fn servers_without_the_extended_list_are_asked_by_the_plain_one_and_the_rest_behind_it() {
    let script = r#"
        C: A1 LIST "" "*"
        S: * LIST (\HasNoChildren) "/" INBOX
        S: * LIST (\Noselect \HasChildren) "/" Work
        S: * LIST (\HasNoChildren) "/" Work/a
        S: A1 OK done
        C: A2 LSUB "" "*"
        S: * LSUB (\Noselect) "/" Work
        S: * LSUB () "/" Work/a
        S: * LSUB () "/" gone
        S: A2 OK done
        C: A3 STATUS INBOX (UNSEEN)
        C: A4 STATUS Work/a (UNSEEN)
        S: * STATUS INBOX (UNSEEN 3)
        S: A3 OK done
        S: A4 NO not yours
    "#;
    let query = || {
        let query = ListQuery::new("*").with_status([StatusItem::Unseen]);
        query.with_children().with_special_use().with_subscribed()
    };
    for capabilities in [ICLOUD, EXCHANGE, YAHOO, PROTON, "IMAP4rev1"] {
        let found = queried(capabilities, script, query()).await.unwrap();
        let row = |row: &ListedMailbox| {
            let subscribed = row.attributes().contains(&Attribute::Subscribed);
            let unseen = row.status().and_then(MailboxStatus::unseen);
            (row.name().to_string(), row.has_children(), subscribed, unseen)
        };
        let rows: Vec<_> = found.iter().map(row).collect();
        assert_eq!(
            rows,
            [
                ("INBOX".to_owned(), Some(false), false, Some(3)),
                ("Work".to_owned(), Some(true), false, None),
                ("Work/a".to_owned(), Some(false), true, None),
            ],
            "{capabilities}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn rights_are_asked_behind_a_plain_list_where_there_are_any() {
    let script = r#"
        C: A1 LIST "~/Mail/" "%"
        S: * LIST () "/" INBOX
        S: A1 OK done
        C: A2 MYRIGHTS INBOX
        S: * MYRIGHTS INBOX lrswi
        S: A2 OK done
    "#;
    let query = || ListQuery::new("%").reference("~/Mail/").with_my_rights();
    let found = queried(ICLOUD, script, query()).await.unwrap();
    assert_eq!(found.iter().next().unwrap().my_rights().unwrap().to_string(), "lrswi");
    let error = queried(EXCHANGE, "", query()).await.unwrap_err();
    assert!(matches!(&error, Error::Unsupported { what, .. } if what == "ACL"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_of_a_query_that_a_server_cannot_answer_whole() {
    let lacks = async |capabilities: &str, query: ListQuery, lacks: &str| {
        let error = queried(capabilities, "", query).await.unwrap_err();
        assert!(error.connection_usable());
        assert!(matches!(&error, Error::Unsupported { what, .. } if what == lacks), "{error}");
    };
    for capabilities in [ICLOUD, EXCHANGE, YAHOO, PROTON] {
        for query in [
            ListQuery::new("*").subscribed(),
            ListQuery::new("*").remote(),
            ListQuery::new("*").special_use(),
            ListQuery::new("INBOX").or("Sent"),
        ] {
            lacks(capabilities, query, "LIST-EXTENDED").await;
        }
        let sized = ListQuery::new("*").with_status([StatusItem::Unseen, StatusItem::Size]);
        lacks(capabilities, sized, "STATUS=SIZE").await;
    }
    lacks("LIST-EXTENDED", ListQuery::new("*").special_use(), "SPECIAL-USE").await;
    // RFC 9051 appendix E: it has the attributes, and not the selection.
    lacks("IMAP4rev2", ListQuery::new("*").special_use(), "SPECIAL-USE").await;
    let identified = ListQuery::new("*").with_status([StatusItem::MailboxId]);
    lacks("LIST-EXTENDED LIST-STATUS", identified, "OBJECTID").await;
}

#[tokio::test(start_paused = true)]
async fn what_an_item_of_the_status_belongs_to_must_be_announced() {
    let script = "
        C: A1 STATUS a (X-GUID HIGHESTMODSEQ)
        S: * STATUS a (X-GUID b81a3acf HIGHESTMODSEQ 7)
        S: A1 OK done
    ";
    let (mut client, server) = client_of(ICLOUD, script).await;
    let told = client.status("a", ["X-GUID".into(), StatusItem::HighestModSeq]).await.unwrap();
    assert_eq!((told.raw("x-guid"), told.highest_mod_seq()), (Some(&b"b81a3acf"[..]), Some(7)));
    for item in [StatusItem::Size, StatusItem::MailboxId, StatusItem::DeletedStorage] {
        let error = client.status("a", [StatusItem::Messages, item.clone()]).await.unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        let error = client.status_all(["a", "b"], [item]).await.unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    }
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn where_the_extended_query_brings_nothing_the_plain_one_is_tried() {
    for answer in ["S: A1 OK done", "S: A1 BAD what", "S: A1 NO [CANNOT] no"] {
        let script = format!(
            r#"
            C: A1 LIST "" "*" RETURN (CHILDREN STATUS (UNSEEN))
            {answer}
            C: A2 LIST "" "*"
            S: * LIST () "/" INBOX
            S: A2 OK done
            C: A3 STATUS INBOX (UNSEEN)
            S: * STATUS INBOX (UNSEEN 3)
            S: A3 OK done
            "#
        );
        let query = ListQuery::new("*").with_children().with_status([StatusItem::Unseen]);
        let found = queried("LIST-EXTENDED LIST-STATUS", &script, query).await.unwrap();
        assert_eq!(found.get("INBOX").unwrap().status().unwrap().unseen(), Some(3));
    }
    // What a plain one does not find is not asked by it.
    let script = r#"
        C: A1 LIST (SUBSCRIBED) "" "*" RETURN (CHILDREN)
        S: A1 OK done
    "#;
    let query = ListQuery::new("*").subscribed().with_children();
    assert!(queried("LIST-EXTENDED", script, query).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_name_is_sent_back_with_the_tab_that_ends_it() {
    // Exchange (MailKit#945).
    let script = "
        C: A1 LIST \"\" \"*\"
        S: * LIST () \"/\" INBOX/Da\tOggetto\tCategorie\t
        S: A1 OK done
        C: A2 SELECT \"INBOX/Da\tOggetto\tCategorie\t\"
        S: * FLAGS (\\Seen +)
        S: A2 OK done
    ";
    let (mut client, server) = client_of(EXCHANGE, script).await;
    let found = client.list("", "*").await.unwrap();
    let opened = client.select(found.iter().next().unwrap().name()).await.unwrap();
    // A `+` is no `\\*` (MailKit#1956).
    assert_eq!(opened.flags(), [Flag::Seen, Flag::from("+")]);
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_knows_no_lsub_is_asked_by_selection_if_it_has_that() {
    let script = r#"
        C: A1 LSUB "" "*"
        S: A1 BAD Command Argument Error. 12
        C: A2 LIST (SUBSCRIBED) "" "*"
        S: * LIST (\Subscribed) "/" INBOX
        S: A2 OK done
    "#;
    for capabilities in ["IMAP4rev1 IMAP4rev2 ENABLE", "IMAP4rev1 LIST-EXTENDED"] {
        let (mut client, server) = client_of(capabilities, script).await;
        assert_eq!(client.lsub("", "*").await.unwrap().len(), 1);
        drop(client);
        server.await.unwrap();
    }
    for (capabilities, answer) in [
        ("IMAP4rev1", "BAD Command Argument Error. 12"),
        ("IMAP4rev1 LIST-EXTENDED", "NO [UNAVAILABLE] try later"),
    ] {
        let script = format!("C: A1 LSUB \"\" \"*\"\nS: A1 {answer}");
        let (mut client, server) = client_of(capabilities, &script).await;
        assert!(matches!(client.lsub("", "*").await, Err(Error::Refused { .. })));
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn special_use_alone_is_no_reason_for_another_form_of_list() {
    let script = r#"
        C: A1 LIST "" "*"
        S: * LIST (\HasNoChildren \Sent) "/" Sent
        S: A1 OK done
    "#;
    let (mut client, server) = client_of(PROTON, script).await;
    assert_eq!(client.list("", "*").await.unwrap().len(), 1);
    drop(client);
    server.await.unwrap();
}
