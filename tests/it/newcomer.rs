//! A new user.
use std::sync::Arc;
use std::time::Duration;

use mailbearer::imap::{AppendOptions, Fetch, Flag, StoreFlags, UidSet};
use mailbearer::smtp::Envelope;
use mailbearer::testing::{Fault, Server};
use mailbearer::token::{self, Cached, StaticToken, TokenError, TokenRequest};
use mailbearer::{
    AccessToken, Auth, BoxFuture, Failure, ImapClient, PopClient, Retry, SmtpClient, TokenProvider,
    tls,
};

struct Vault(String);

impl TokenProvider for Vault {
    fn token<'a>(
        &'a self,
        request: &'a TokenRequest,
    ) -> BoxFuture<'a, Result<AccessToken, TokenError>> {
        Box::pin(async move {
            println!(
                "asked for {} at {} {:?}",
                request.mailbox(),
                request.endpoint(),
                request.purpose()
            );
            Ok(AccessToken::new(self.0.clone()).with_lifetime(Duration::from_secs(3600)))
        })
    }
}

const ME: &str = "billing@contoso.example";
const SHARED: &str = "orders@contoso.example";

async fn setup() -> (Server, tls::Config) {
    let server = Server::start().await.unwrap();
    server.add_mailbox(ME);
    server.add_mailbox(SHARED);
    let roots = tls::Config::with_root_pem(server.certificate_pem().as_bytes()).unwrap();
    (server, roots)
}

#[tokio::test]
async fn arc_dyn_spawn_closure() {
    let (server, roots) = setup().await;
    let dynamic: Arc<dyn TokenProvider> = Arc::new(Vault(server.issue_token(ME)));
    // As auth, and by reference, and in a spawned task.
    let connector = SmtpClient::builder(server.smtp())
        .tls(roots.clone())
        .auth(Auth::xoauth2(ME, dynamic.clone()));
    let task = tokio::spawn(async move {
        let mut smtp = connector.connect().await?;
        let envelope = Envelope::new(ME, [SHARED]).unwrap();
        let receipt = smtp.send(&envelope, "Subject: hi\r\n\r\nhello\r\n").await?;
        smtp.quit().await?;
        Ok::<_, mailbearer::smtp::Error>(receipt)
    });
    println!("{:?}", task.await.unwrap().unwrap());
    // The webpki roots do not know this server; connect_xoauth2 has no way to say so.
    println!("{}", ImapClient::connect_xoauth2(server.imap(), ME, &dynamic).await.unwrap_err());
    println!("{}", ImapClient::connect_xoauth2(server.imap(), ME, &*dynamic).await.unwrap_err());

    let value = server.issue_token(ME);
    let tokens = Cached::new(token::from_fn(move |_request| {
        let value = value.clone();
        async move { Ok(AccessToken::new(value).with_lifetime(Duration::from_secs(3599))) }
    }));
    let mut imap = ImapClient::builder(server.imap_starttls())
        .tls(roots.clone())
        .auth(Auth::xoauth2(ME, tokens.clone()))
        .connect()
        .await
        .unwrap();
    // Shared mailbox without access, then with.
    let refused = ImapClient::builder(server.imap())
        .tls(roots.clone())
        .auth(Auth::xoauth2(SHARED, tokens.clone()))
        .connect()
        .await;
    println!("shared: {:?}", refused.map_err(|e| (e.to_string(), e.retry())));
    server.allow(ME, SHARED);
    let mut shared = ImapClient::builder(server.imap())
        .tls(roots.clone())
        .auth(Auth::xoauth2(SHARED, tokens.clone()))
        .connect()
        .await
        .unwrap();
    let inbox = shared.select("INBOX").await.unwrap();
    let mut messages =
        inbox.uid_fetch(UidSet::all(), Fetch::envelope().flags().body()).await.unwrap();
    while let Some(message) = messages.next().await.unwrap() {
        println!("{:?} {:?}", message.uid(), message.body());
        let uid = message.uid().unwrap();
        let _ = uid;
    }
    let changed = inbox.uid_store(UidSet::all(), StoreFlags::add([Flag::Seen])).await.unwrap();
    println!("{changed:?}");
    // select! and timeout
    tokio::select! {
        biased;
        _ = std::future::ready(()) => {}
        r = shared.noop() => { r.unwrap(); }
    }
    let dropped = tokio::time::timeout(Duration::ZERO, shared.select("Sent")).await;
    println!("dropped {}", dropped.is_err());
    println!("selected {:?}", shared.selected().map(|m| m.name().to_string()));
    shared.noop().await.unwrap();
    println!("selected {:?}", shared.selected().map(|m| m.name().to_string()));
    shared.ensure_selected("INBOX").await.unwrap();
    shared
        .append("Drafts", "Subject: d\r\n\r\n", AppendOptions::new().flags([Flag::Draft]))
        .await
        .unwrap();
    shared.logout().await.unwrap();
    imap.noop().await.unwrap();
    let mut pop = PopClient::builder(server.pop_starttls())
        .tls(roots.clone())
        .auth(Auth::xoauth2(SHARED, tokens))
        .connect()
        .await
        .unwrap();
    let _ = tokio::time::timeout(Duration::ZERO, pop.retr(1)).await;
    println!("{:?} {:?}", pop.list().await.unwrap(), pop.retr(1).await.unwrap());
    println!(
        "{:?}",
        pop.retr(7).await.map_err(|e| (e.to_string(), e.retry(), e.connection_usable()))
    );
    pop.quit().await.unwrap();
}

#[tokio::test]
async fn refused_expired() {
    let (server, roots) = setup().await;
    let value = server.issue_token_with_lifetime(ME, Duration::from_secs(1));
    server.expire_token(&value);
    let connector = SmtpClient::builder(server.smtp())
        .tls(roots.clone())
        .auth(Auth::xoauth2(ME, StaticToken::new(value.as_str())));
    let error = connector.connect().await.unwrap_err();
    println!("{error} {:?} {:?}", error.retry(), error.stage());
    assert_eq!(error.retry(), Retry::RefreshToken);
    let good = server.issue_token(ME);
    server.inject(Fault::DropAfterData);
    let mut smtp = SmtpClient::builder(server.smtp())
        .tls(roots.clone())
        .auth(Auth::xoauth2(ME, StaticToken::new(good.as_str())))
        .connect()
        .await
        .unwrap();
    let envelope = Envelope::new(ME, [SHARED]).unwrap();
    let error = smtp.send(&envelope, "x").await.unwrap_err();
    println!("{error} {:?}", error.retry());
    assert_eq!(error.retry(), Retry::MayDuplicate);
    server.inject(Fault::StartTlsInjection);
    let error = SmtpClient::builder(server.smtp())
        .tls(roots.clone())
        .auth(Auth::xoauth2(ME, StaticToken::new(good.as_str())))
        .connect()
        .await
        .unwrap_err();
    println!("{error} {:?}", error.retry());
    // Dropped send, then the outcome.
    let mut smtp = SmtpClient::builder(server.smtp())
        .tls(roots.clone())
        .auth(Auth::xoauth2(ME, StaticToken::new(good.as_str())))
        .connect()
        .await
        .unwrap();
    for wait in [0, 1, 2, 5] {
        let r = tokio::time::timeout(Duration::from_millis(wait), smtp.send(&envelope, "x")).await;
        println!(
            "{wait} {:?} noop {:?} outcome {:?}",
            r.is_ok(),
            smtp.noop().await.map_err(|e| (e.to_string(), e.retry())),
            smtp.take_outcome().map(|o| o.is_ok())
        );
    }
    println!("{:?}", server.messages(SHARED).len());
}

#[tokio::test]
async fn spawned_by_reference() {
    let tokens: Arc<dyn TokenProvider> = Arc::new(Vault("x".into()));
    let cached = Arc::new(Cached::new(Vault("x".into())));
    let shared: Arc<tokio::sync::Mutex<Option<SmtpClient>>> = Arc::default();
    let task = tokio::spawn(async move {
        let endpoint = mailbearer::Endpoint::imap_starttls("localhost").with_port(1);
        let one = ImapClient::connect_xoauth2(endpoint.clone(), ME, &tokens).await.map(drop);
        let two = ImapClient::connect_xoauth2(endpoint, ME, &cached).await.map(drop);
        let smtp = shared.lock().await;
        drop(smtp);
        (one, two)
    });
    println!("{:?}", task.await.unwrap());
}

#[allow(dead_code)]
async fn fetch_in_a_task(
    mut imap: ImapClient,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    tokio::spawn(async move {
        let inbox = imap.select("INBOX").await?;
        let messages = inbox.uid_fetch(UidSet::all(), Fetch::body()).await?;
        let mut stream = std::pin::pin!(messages.into_stream());
        use futures_core::Stream;
        while let Some(message) = std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
            drop(message?);
        }
        Ok::<_, mailbearer::imap::Error>(())
    })
    .await??;
    Ok(())
}
