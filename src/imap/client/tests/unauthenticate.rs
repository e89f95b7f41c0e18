//! UNAUTHENTICATE: one connection, one user after another.

use std::sync::Mutex;

use super::*;
use crate::auth::AuthCause;
use crate::imap::Unauthenticated;
use crate::token::{Rejection, StaticToken, TokenError, TokenRequest};
use crate::{AccessToken, Auth, BoxFuture, TokenProvider};

/// `user=b@b.c` with the tokens `one` and `two`.
const ONE: &str = "AUTHENTICATE XOAUTH2 dXNlcj1iQGIuYwFhdXRoPUJlYXJlciBvbmUBAQ==";
const TWO: &str = "AUTHENTICATE XOAUTH2 dXNlcj1iQGIuYwFhdXRoPUJlYXJlciB0d28BAQ==";

const OFFERED: &str =
    "IMAP4rev1 UNAUTHENTICATE ENABLE CONDSTORE SEARCHRES ESEARCH ID SASL-IR AUTH=XOAUTH2";

/// Gives `one`, and `two` once that was refused; keeps what it is told.
#[derive(Default)]
struct Tokens(Mutex<Vec<Rejection>>);

impl TokenProvider for Tokens {
    fn token<'a>(&'a self, _: &'a TokenRequest) -> BoxFuture<'a, Result<AccessToken, TokenError>> {
        let refused = !self.0.lock().unwrap().is_empty();
        let token = AccessToken::new(if refused { "two" } else { "one" });
        Box::pin(std::future::ready(Ok(token)))
    }

    fn rejected<'a>(&'a self, _: &'a AccessToken, why: Rejection) -> BoxFuture<'a, ()> {
        self.0.lock().unwrap().push(why);
        Box::pin(std::future::ready(()))
    }
}

/// A connection that was left, and its server.
async fn left(script: &str) -> (Unauthenticated, JoinHandle<()>) {
    let begun = "
        C: A1 UNAUTHENTICATE
        S: A1 OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] bye, and hello
    ";
    let script = script.replace("ONE", ONE).replace("TWO", TWO);
    let (client, server) = client_of(OFFERED, &format!("{begun}{script}")).await;
    (client.unauthenticate().await.unwrap(), server)
}

#[tokio::test(start_paused = true)]
async fn another_user_finds_nothing_of_the_session_before() {
    let script = r"
        C: A1 ENABLE CONDSTORE
        S: * ENABLED CONDSTORE
        S: A1 OK done
        C: A2 SELECT INBOX
        S: * 3 EXISTS
        S: A2 OK done
        C: A3 UID SEARCH RETURN (SAVE) UNSEEN
        S: * QUOTA secret (STORAGE 1 2)
        S: * 2 EXPUNGE
        S: A3 OK done
        C: A4 UNAUTHENTICATE
        S: * 1 EXISTS
        S: A4 OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] done
        C: A5 ONE
        S: A5 OK [CAPABILITY IMAP4rev1 UIDPLUS ENABLE CONDSTORE] in
        C: A6 ENABLE CONDSTORE
        S: A6 OK done
        C: A7 SELECT INBOX
        S: * 9 EXISTS
        S: A7 OK done
    ";
    let (mut client, server) = client_of(OFFERED, &script.replace("ONE", ONE)).await;
    client.enable([Extension::CondStore]).await.unwrap();
    let inbox = client.select("INBOX").await.unwrap();
    let saved = inbox.uid_search_saving(crate::imap::Search::all().unseen()).await.unwrap();
    assert!(saved.is_at_server());
    let left = client.unauthenticate().await.unwrap();
    assert!(left.is_open());
    assert_eq!(left.capabilities().to_string(), "IMAP4rev1 SASL-IR AUTH=XOAUTH2");
    let tokens = Tokens::default();
    let mut client = left.authenticate_xoauth2("b@b.c", &tokens).await.unwrap();
    assert!(client.selected().is_none());
    assert!(client.take_event().is_none());
    assert_eq!(client.enabled().to_string(), "");
    assert_eq!(client.capabilities().to_string(), "IMAP4rev1 UIDPLUS ENABLE CONDSTORE");
    // This one has not opened a mailbox yet.
    assert!(client.enable([Extension::CondStore]).await.unwrap().is_empty());
    let inbox = client.select("INBOX").await.unwrap();
    assert_eq!(inbox.exists(), 9);
    let error = inbox.uid_store(&saved, StoreFlags::add([Flag::Seen])).await.unwrap_err();
    assert!(matches!(error, Error::Misuse(_)), "{error}");
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_nobody_took_can_be_taken_until_the_next_login() {
    let script = "
        C: A1 UNAUTHENTICATE
        S: * OK [ALERT] come again
        S: * 4 EXPUNGE
        S: A1 OK done
    ";
    let (client, server) = client_of(OFFERED, script).await;
    let mut left = client.unauthenticate().await.unwrap();
    assert!(matches!(left.take_event(), Some(Event::Notice(_))));
    assert!(left.take_event().is_none());
    drop(left);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn where_the_answer_says_nothing_of_it_the_server_is_asked_what_it_can_do() {
    let script = "
        C: A1 UNAUTHENTICATE
        S: A1 OK done
        C: A2 CAPABILITY
        S: * CAPABILITY IMAP4rev1 AUTH=XOAUTH2
        S: A2 OK done
        C: A3 AUTHENTICATE XOAUTH2
        S: +
        C: dXNlcj1iQGIuYwFhdXRoPUJlYXJlciBvbmUBAQ==
        S: A3 OK in
        C: A4 CAPABILITY
        S: * CAPABILITY IMAP4rev1 IDLE
        S: A4 OK done
    ";
    let (client, server) = client_of(OFFERED, script).await;
    let left = client.unauthenticate().await.unwrap();
    assert_eq!(left.capabilities().to_string(), "");
    let auth = Auth::xoauth2("b@b.c", StaticToken::new("one"));
    let client = left.authenticate(&auth).await.unwrap();
    assert_eq!(client.capabilities().to_string(), "IMAP4rev1 IDLE");
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_offer_it_is_not_asked() {
    let (client, server) = client("").await;
    let error = client.unauthenticate().await.unwrap_err();
    assert!(matches!(&error, Error::Unsupported { what, .. } if what == "UNAUTHENTICATE"));
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_would_rather_not_says_goodbye() {
    let script = "C: A1 UNAUTHENTICATE\nS: * BYE I cannot\nEOF";
    let (client, server) = client_of(OFFERED, script).await;
    let error = client.unauthenticate().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server closed the connection during UNAUTHENTICATE: BYE I cannot"
    );
    assert_eq!(error.retry(), Retry::Reconnect);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dropped_future_closes_the_connection() {
    let script = "C: A1 UNAUTHENTICATE\nS: A1 OK done\nC: A2 NOOP";
    let (client, server) = client_of(OFFERED, script).await;
    cut(client.unauthenticate()).await;
    // The second command never comes.
    assert!(server.await.is_err());
    let (left, server) = left("C: A2 ONE\nEOF").await;
    let tokens = Tokens::default();
    cut(left.authenticate_xoauth2("b@b.c", &tokens)).await;
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_reported_once_and_replaced_once_on_the_same_connection() {
    let (left, server) = left(
        "
        C: A2 ONE
        S: A2 NO [AUTHENTICATIONFAILED] no
        C: A3 TWO
        S: A3 OK [CAPABILITY IMAP4rev1] in
        ",
    )
    .await;
    let tokens = Tokens::default();
    let client = left.authenticate_xoauth2("b@b.c", &tokens).await.unwrap();
    assert_eq!(tokens.0.lock().unwrap().len(), 1);
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_second_token_that_is_refused_is_the_end_and_the_error_says_so() {
    let (left, server) = left(
        "
        C: A2 ONE
        S: + eyJzdGF0dXMiOiI0MDEifQ==
        C:
        S: A2 NO [AUTHENTICATIONFAILED] no
        C: A3 TWO
        S: A3 NO [AUTHENTICATIONFAILED] no again
        ",
    )
    .await;
    let tokens = Tokens::default();
    let error = left.authenticate_xoauth2("b@b.c", &tokens).await.unwrap_err();
    let Error::Auth(refused) = &error else { panic!("{error:?}") };
    assert!(refused.token_refreshed() && refused.cause() == AuthCause::Credential);
    #[cfg(feature = "diagnosis")]
    assert!(refused.context().is_some());
    assert_eq!(tokens.0.lock().unwrap().len(), 1);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn where_the_server_has_closed_a_refused_token_is_reported_all_the_same() {
    let (left, server) = left(
        "
        C: A2 ONE
        S: A2 NO [AUTHENTICATIONFAILED] no\\r\\n* BYE enough
        EOF
        ",
    )
    .await;
    let tokens = Tokens::default();
    let error = left.authenticate_xoauth2("b@b.c", &tokens).await.unwrap_err();
    assert_eq!(error.retry(), Retry::RefreshToken);
    assert!(matches!(&tokens.0.lock().unwrap()[..], [Rejection::Refused { .. }]));
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_not_connected_is_a_failed_login() {
    let (left, server) = left(
        "
        C: A2 ONE
        S: A2 OK AUTHENTICATE completed.
        C: A3 CAPABILITY
        S: A3 BAD User is authenticated but not connected.
        ",
    )
    .await;
    let tokens = Tokens::default();
    let error = left.authenticate_xoauth2("b@b.c", &tokens).await.unwrap_err();
    let Error::Auth(refused) = &error else { panic!("{error:?}") };
    assert_eq!(refused.cause(), AuthCause::NotConnected);
    assert!(tokens.0.lock().unwrap().is_empty());
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_left_meanwhile_is_not_sent_a_token() {
    let (left, server) = left("S: * BYE too late\nEOF").await;
    server.await.unwrap();
    let tokens = Tokens::default();
    let error = left.authenticate_xoauth2("b@b.c", &tokens).await.unwrap_err();
    assert!(matches!(error, Error::Closed { reply: Some(_), .. }), "{error:?}");
}
