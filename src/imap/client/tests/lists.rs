//! What it takes to list mailboxes.

use super::client_of;
use crate::{Failure, Retry};

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
