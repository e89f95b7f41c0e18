//! The main job, against a mail server inside this process that behaves like Exchange Online: no
//! account, no network.
//!
//! ```sh
//! cargo run --example quickstart
//! ```
//!
//! A token provider of our own hands out access tokens. A message goes out by SMTP and comes back by
//! IMAP and POP3, octet by octet; a shared mailbox opens with the same token; one token is refused
//! and one expires, and each costs one refresh. The lines of the three protocols are shown as they
//! happen: `C:` the client, `S:` the server, secrets by their length.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use mailbearer::imap::{Fetch, UidSet};
use mailbearer::smtp::Envelope;
use mailbearer::testing::Server;
use mailbearer::token::{Cached, TokenError, TokenRequest};
use mailbearer::{
    AccessToken, Auth, BoxFuture, Failure, ImapClient, PopClient, Retry, SmtpClient, TokenProvider,
    tls,
};
use tracing_subscriber::filter::EnvFilter;

/// Asks somebody for tokens; here, the server itself. This is all that a program has to bring.
#[derive(Clone)]
struct Office(Arc<Server>, Arc<AtomicUsize>);

impl TokenProvider for Office {
    fn token<'a>(
        &'a self,
        _request: &'a TokenRequest,
    ) -> BoxFuture<'a, Result<AccessToken, TokenError>> {
        Box::pin(async move {
            println!("   (token {} is issued)", self.1.fetch_add(1, Relaxed) + 1);
            let token = AccessToken::new(self.0.issue_token(MAILBOX));
            Ok(token.with_lifetime(Duration::from_secs(3600)))
        })
    }
}

const MAILBOX: &str = "billing@contoso.example";
const SHARED: &str = "orders@contoso.example";
const MESSAGE: &str = "From: billing@contoso.example\r\n\
    To: orders@contoso.example\r\n\
    Subject: Hello\r\n\
    \r\n\
    A line.\r\n\
    .A line that begins with a dot.\r\n";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    show_protocol_lines();

    let server = Arc::new(Server::start().await?);
    server.add_mailbox(MAILBOX);
    server.add_mailbox(SHARED);
    server.allow(MAILBOX, SHARED);

    let issued = Arc::new(AtomicUsize::new(0));
    let tokens = Cached::new(Office(server.clone(), issued.clone())).one_token_for_all();
    let trust = tls::Config::with_root_pem(server.certificate_pem().as_bytes())?;
    let auth = |mailbox: &str| Auth::xoauth2(mailbox, tokens.clone());

    step("Send a message by SMTP");
    let smtp = SmtpClient::builder(server.smtp()).tls(trust.clone()).auth(auth(MAILBOX));
    let mut client = smtp.connect().await?;
    let receipt = client.send(&Envelope::new(MAILBOX, [MAILBOX, SHARED])?, MESSAGE).await?;
    println!("=> accepted for {} recipients", receipt.accepted().count());
    client.quit().await?;

    step("Read it by IMAP");
    let imap = ImapClient::builder(server.imap()).tls(trust.clone()).auth(auth(MAILBOX));
    let mut client = imap.connect().await?;
    let inbox = client.select("INBOX").await?;
    let mut messages = inbox.uid_fetch(UidSet::all(), Fetch::envelope().flags().body()).await?;
    while let Some(message) = messages.next().await? {
        let body = message.body().unwrap_or_default();
        assert!(body.ends_with(MESSAGE.as_bytes()), "the message came back changed");
        println!("=> UID {:?}, {} octets, as sent", message.uid(), body.len());
    }
    client.logout().await?;

    step("Read it by POP3");
    let pop = PopClient::builder(server.pop()).tls(trust.clone()).auth(auth(MAILBOX));
    let mut client = pop.connect().await?;
    for listed in client.list().await? {
        let message = client.retr(listed.number()).await?;
        assert!(message.ends_with(MESSAGE.as_bytes()), "the message came back changed");
        println!("=> message {}, {} octets, as sent", listed.number(), message.len());
    }
    client.quit().await?;

    step("Open a shared mailbox with the same token");
    let shared = ImapClient::builder(server.imap()).tls(trust.clone()).auth(auth(SHARED));
    let mut client = shared.connect().await?;
    println!("=> {SHARED} has {} message(s)", client.select("INBOX").await?.exists());
    client.logout().await?;
    assert_eq!(issued.load(Relaxed), 1, "one token was enough so far");

    step("Have the token refused: the client gets another and tries again");
    server.reject_token(current(&tokens, &server).await?.expose());
    pop.connect().await?.quit().await?;
    println!("=> logged in; tokens issued: {}", issued.load(Relaxed));
    assert_eq!(issued.load(Relaxed), 2, "one refresh");

    step("Have the token expire in the middle of a session");
    let mut client = imap.connect().await?;
    server.expire_token(current(&tokens, &server).await?.expose());
    server.expire_sessions();
    let error = client.noop().await.expect_err("Exchange Online ends such a session");
    println!("=> {error}\n=> what to do: {:?}", error.retry());
    assert_eq!(error.retry(), Retry::RefreshToken);
    imap.connect().await?.logout().await?;
    println!("=> connected again; tokens issued: {}", issued.load(Relaxed));
    assert_eq!(issued.load(Relaxed), 3, "one refresh more");

    Ok(())
}

/// The token in the cache.
async fn current(tokens: &Cached<Office>, server: &Server) -> Result<AccessToken, TokenError> {
    tokens.token(&TokenRequest::new(server.imap(), MAILBOX)).await
}

fn step(title: &str) {
    println!("\n== {title}");
}

/// Protocol lines are events of the target `mailbearer::wire`. Set `RUST_LOG=off` to hide them.
fn show_protocol_lines() {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("mailbearer::wire=trace"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .without_time()
        .with_level(false)
        .with_target(false)
        .with_ansi(false)
        .with_writer(std::io::stdout)
        .init();
}
