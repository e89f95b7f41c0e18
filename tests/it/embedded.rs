//! The clients at the embedded server: what a program sees of a service on good days and on bad.

use std::time::Duration;

use mailbearer::imap::{AppendOptions, Fetch, Flag, StoreFlags, UidSet};
use mailbearer::smtp::Envelope;
use mailbearer::testing::{Fault, Server, Service};
use mailbearer::token::StaticToken;
use mailbearer::{
    Auth, Client, Connector, Endpoint, Failure, ImapClient, PopClient, Retry, SmtpClient, Stage,
    imap, pop, smtp, tls,
};

use crate::support::cut::cut;

const ME: &str = "billing@contoso.example";
const SHARED: &str = "orders@contoso.example";
const MESSAGE: &str = "From: billing@contoso.example\r\nSubject: hello\r\n\r\nGood morning.\r\n";

async fn server() -> Server {
    let server = Server::start().await.unwrap();
    server.add_mailbox(ME);
    server.add_mailbox(SHARED);
    server
}

fn door<C: Client>(
    server: &Server,
    builder: fn(Endpoint) -> Connector<C>,
    endpoint: Endpoint,
    mailbox: &str,
) -> Connector<C> {
    let trust = tls::Config::with_root_pem(server.certificate_pem().as_bytes()).unwrap();
    let token = StaticToken::new(server.issue_token(ME));
    builder(endpoint).tls(trust).auth(Auth::xoauth2(mailbox, token))
}

async fn smtp(server: &Server) -> Result<SmtpClient, smtp::Error> {
    door(server, SmtpClient::builder, server.smtp(), ME).connect().await
}

async fn imap(server: &Server, mailbox: &str) -> Result<ImapClient, imap::Error> {
    door(server, ImapClient::builder, server.imap(), mailbox).connect().await
}

async fn pop(server: &Server, mailbox: &str) -> Result<PopClient, pop::Error> {
    door(server, PopClient::builder, server.pop(), mailbox).connect().await
}

#[tokio::test]
async fn every_door_opens_to_a_good_token() {
    let server = server().await;
    for endpoint in [server.smtp(), server.smtp_implicit()] {
        let client = door(&server, SmtpClient::builder, endpoint, ME).connect().await.unwrap();
        client.quit().await.unwrap();
    }
    for endpoint in [server.imap(), server.imap_starttls()] {
        let client = door(&server, ImapClient::builder, endpoint, ME).connect().await.unwrap();
        client.logout().await.unwrap();
    }
    for endpoint in [server.pop(), server.pop_starttls()] {
        let client = door(&server, PopClient::builder, endpoint, ME).connect().await.unwrap();
        client.quit().await.unwrap();
    }
    assert!(server.logins().iter().all(|login| login.accepted()));
    assert_eq!(server.logins().len(), 6);
}

#[tokio::test]
async fn a_shared_mailbox_opens_to_those_it_is_lent_to() {
    let server = server().await;
    let refused = imap(&server, SHARED).await.unwrap_err();
    assert_eq!((refused.stage(), refused.retry()), (Stage::Auth, Retry::Administrator));
    assert!(pop(&server, SHARED).await.is_err_and(|error| error.stage() == Stage::Auth));
    server.allow(ME, SHARED);
    imap(&server, SHARED).await.unwrap().select("INBOX").await.unwrap();
    pop(&server, SHARED).await.unwrap();
}

#[tokio::test]
async fn what_goes_out_comes_back_and_is_changed_and_removed() {
    let server = server().await;
    let envelope = Envelope::new(ME, [SHARED]).unwrap();
    let receipt = smtp(&server).await.unwrap().send(&envelope, MESSAGE).await.unwrap();
    assert_eq!(receipt.accepted().count(), 1);
    assert_eq!(server.messages(SHARED), [MESSAGE.as_bytes()]);

    server.allow(ME, SHARED);
    let mut client = imap(&server, SHARED).await.unwrap();
    let inbox = client.select("INBOX").await.unwrap();
    let fetched = inbox.uid_fetch(UidSet::all(), Fetch::flags().body()).await.unwrap();
    let fetched = fetched.collect().await.unwrap();
    assert_eq!(fetched[0].body(), Some(MESSAGE.as_bytes()));
    inbox.uid_store(UidSet::all(), StoreFlags::add([Flag::Deleted])).await.unwrap();
    assert_eq!(inbox.expunge().await.unwrap().numbers(), [1]);
    let draft = AppendOptions::new().flags([Flag::Draft]);
    client.append("Drafts", MESSAGE, draft).await.unwrap();
    assert_eq!(server.messages_in(SHARED, "Drafts").len(), 1);
    assert!(pop(&server, SHARED).await.unwrap().list().await.unwrap().is_empty());
}

#[tokio::test]
async fn each_failure_says_what_to_do() {
    let smtp_faults = [
        (Fault::SmtpAuthDisabledForTenant, Retry::Administrator),
        (Fault::SmtpAuthDisabledForMailbox, Retry::Administrator),
        (Fault::TemporaryAuthFailure, Retry::Later(None)),
        (Fault::HveInvalidAuthData, Retry::Never),
        (Fault::HveTokenExpiresSoon, Retry::RefreshToken),
        (Fault::HveTokenExpired, Retry::RefreshToken),
        (Fault::HveInvalidPermissions, Retry::Administrator),
        (Fault::HveApplicationNotAllowed, Retry::Administrator),
    ];
    let server = server().await;
    for (fault, retry) in smtp_faults {
        server.inject_always(fault.clone());
        let error = smtp(&server).await.unwrap_err();
        assert_eq!((error.stage(), error.retry()), (Stage::Auth, retry), "{fault:?}: {error}");
        assert!(error.reply_text().is_some_and(|words| words.starts_with(['4', '5'])), "{error}");
        server.clear_faults();
    }

    server.inject(Fault::NotConnected);
    assert_eq!(imap(&server, ME).await.unwrap_err().retry(), Retry::Administrator);
    server.inject(Fault::NotConnectedAfterLogin);
    assert_eq!(imap(&server, ME).await.unwrap_err().retry(), Retry::Administrator);
    let mut client = imap(&server, ME).await.unwrap();
    server.inject(Fault::Throttled);
    let throttled = client.select("INBOX").await.unwrap_err();
    assert_eq!(throttled.retry(), Retry::Later(Some(Duration::from_millis(92_415))));
    assert!(throttled.connection_usable());
    client.select("INBOX").await.unwrap();
}

#[tokio::test]
async fn a_challenge_of_gmail_is_kept() {
    let server = Server::builder().service(Service::Gmail).start().await.unwrap();
    let trust = tls::Config::with_root_pem(server.certificate_pem().as_bytes()).unwrap();
    let auth = Auth::xoauth2(ME, StaticToken::new("ya29.nobody-issued-this-token"));
    let connector = SmtpClient::builder(server.smtp_implicit()).tls(trust).auth(auth);
    let smtp::Error::Auth(error) = connector.connect().await.unwrap_err() else {
        panic!("not a refused login");
    };
    let challenge = error.challenge().unwrap();
    assert_eq!(challenge.status(), Some("400"));
    assert_eq!(challenge.scope(), Some("https://mail.google.com/"));
}

#[tokio::test]
async fn a_message_whose_answer_is_lost_may_have_been_delivered() {
    let server = server().await;
    server.inject(Fault::DropAfterData);
    let mut client = smtp(&server).await.unwrap();
    let envelope = Envelope::new(ME, [SHARED]).unwrap();
    let error = client.send(&envelope, MESSAGE).await.unwrap_err();
    assert!(matches!(error, smtp::Error::Unknown { .. }), "{error:?}");
    assert_eq!((error.retry(), error.connection_usable()), (Retry::MayDuplicate, false));
    assert_eq!(server.messages(SHARED).len(), 1);
}

#[tokio::test]
async fn bytes_before_tls_are_an_error_on_all_three() {
    let server = server().await;
    server.inject_always(Fault::StartTlsInjection);
    let smtp = door(&server, SmtpClient::builder, server.smtp(), ME).connect().await;
    assert_eq!(smtp.unwrap_err().stage(), Stage::StartTls);
    let imap = door(&server, ImapClient::builder, server.imap_starttls(), ME).connect().await;
    assert_eq!(imap.unwrap_err().stage(), Stage::StartTls);
    let pop = door(&server, PopClient::builder, server.pop_starttls(), ME).connect().await;
    assert_eq!(pop.unwrap_err().stage(), Stage::StartTls);
    assert!(server.logins().is_empty(), "a token was sent");
}

#[tokio::test]
async fn calls_that_are_dropped_leave_the_next_its_own_answer() {
    let server = server().await;
    server.deliver(ME, MESSAGE);
    let mut client = imap(&server, ME).await.unwrap();
    assert!(cut(client.select("Sent"), 1).await.is_none() && client.is_open());
    assert!(client.selected().is_none(), "what is selected is not known before the answer");
    client.noop().await.unwrap();
    assert_eq!(client.ensure_selected("INBOX").await.unwrap().exists(), 1);

    let mut client = pop(&server, ME).await.unwrap();
    assert!(cut(client.retr(1), 1).await.is_none());
    assert_eq!(client.list().await.unwrap().len(), 1);
    assert_eq!(client.retr(1).await.unwrap(), MESSAGE);

    let mut client = smtp(&server).await.unwrap();
    let envelope = Envelope::new(ME, [SHARED]).unwrap();
    assert!(cut(client.send(&envelope, MESSAGE), 1).await.is_none());
    // DATA went out with the recipients: a message that was begun is taken back by closing only.
    let error = client.noop().await.unwrap_err();
    assert_eq!((error.retry(), error.connection_usable()), (Retry::Reconnect, false));
    assert!(!client.is_open());
    assert!(client.take_outcome().is_none() && server.messages(SHARED).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_stream_inside_a_spawned_task() {
    use std::future::poll_fn;
    use std::pin::pin;

    use futures_core::Stream;

    let server = server().await;
    server.deliver(ME, MESSAGE);
    let mut client = imap(&server, ME).await.unwrap();
    let count = tokio::spawn(async move {
        let inbox = client.select("INBOX").await?;
        let messages = inbox.uid_fetch(UidSet::all(), Fetch::body()).await?;
        let mut stream = pin!(messages.into_stream());
        let mut count = 0;
        while let Some(message) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
            count += message?.body().map_or(0, <[u8]>::len);
        }
        Ok::<_, imap::Error>(count)
    });
    assert_eq!(count.await.unwrap().unwrap(), MESSAGE.len());
}
