//! What it takes to list mailboxes.

use super::{client_of, scripted};
use crate::connector::Settings;
use crate::imap::session::Session;
use crate::imap::{Error, ImapClient, ListQuery, StatusItem};
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
            client.list_query(ListQuery::new("*").status([StatusItem::Unseen])).await
        };
        let verb = "LIST \"\" \"*\" RETURN (STATUS (UNSEEN))";
        let found = bounded(&status, rows - 2, verb, query).await;
        assert_eq!(found.map_err(is_too_much).is_ok(), taken);
        let found = bounded(&listed, rows, verb, query).await;
        assert_eq!(found.map_err(is_too_much).is_ok(), taken);
    }
}
