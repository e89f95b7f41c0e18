//! What a program does in each protocol, from connecting to the farewell, at the embedded server.

use mailbearer::imap::{Fetch, UidSet};
use mailbearer::smtp::Envelope;
use mailbearer::testing::{Fault, Server};
use mailbearer::{
    Auth, Client, Connector, Endpoint, Failure, ImapClient, PopClient, Protocol, SmtpClient, tls,
};

/// Where its messages go.
pub(crate) const COLLEAGUE: &str = "orders@contoso.example";

/// How a program at the embedded server fared.
pub(crate) type Outcome = Result<(), Box<dyn Failure>>;

/// A connector that trusts the server.
pub(crate) fn door<C: Client>(
    server: &Server,
    builder: fn(Endpoint) -> Connector<C>,
    endpoint: Endpoint,
    auth: Auth,
) -> Connector<C> {
    let trust = tls::Config::with_root_pem(server.certificate_pem().as_bytes()).unwrap();
    builder(endpoint).tls(trust).auth(auth)
}

fn boxed<E: Failure>(error: E) -> Box<dyn Failure> {
    Box::new(error)
}

/// Sends a message as `me` to one colleague.
pub(crate) async fn send(server: &Server, endpoint: Endpoint, auth: Auth, me: &str) -> Outcome {
    let connector = door(server, SmtpClient::builder, endpoint, auth);
    let mut client = connector.connect().await.map_err(boxed)?;
    let envelope = Envelope::new(me, [COLLEAGUE]).unwrap();
    let message = format!("From: {me}\r\nSubject: hello\r\n\r\nGood morning.\r\n");
    let receipt = client.send(&envelope, message).await.map_err(boxed)?;
    assert_eq!(receipt.refused().count(), 0);
    client.quit().await.map_err(boxed)
}

/// Looks into the INBOX, and waits for news.
pub(crate) async fn read(server: &Server, endpoint: Endpoint, auth: Auth) -> Outcome {
    let connector = door(server, ImapClient::builder, endpoint, auth);
    let mut client = connector.connect().await.map_err(boxed)?;
    let inbox = client.select("INBOX").await.map_err(boxed)?;
    let messages = inbox.uid_fetch(UidSet::all(), Fetch::flags()).await.map_err(boxed)?;
    messages.collect().await.map_err(boxed)?;
    let mut idle = inbox.idle();
    idle.next().await.map_err(boxed)?;
    idle.done().await.map_err(boxed)?;
    client.logout().await.map_err(boxed)
}

/// Lists a maildrop.
pub(crate) async fn fetch(server: &Server, endpoint: Endpoint, auth: Auth) -> Outcome {
    let connector = door(server, PopClient::builder, endpoint, auth);
    let mut client = connector.connect().await.map_err(boxed)?;
    client.list().await.map_err(boxed)?;
    client.quit().await.map_err(boxed)
}

/// The errand of a protocol by the door where this fault happens.
pub(crate) async fn run(
    server: &Server,
    protocol: Protocol,
    fault: Option<&Fault>,
    auth: Auth,
    me: &str,
) -> Outcome {
    // Somebody writes while the reader waits in IDLE.
    let news = async {
        loop {
            tokio::task::yield_now().await;
            server.deliver(me, "Subject: news\r\n\r\n");
        }
    };
    let endpoint = door_of(server, protocol, fault);
    let errand = async {
        match protocol {
            Protocol::Smtp => send(server, endpoint, auth, me).await,
            Protocol::Imap => read(server, endpoint, auth).await,
            _ => fetch(server, endpoint, auth).await,
        }
    };
    tokio::select! {
        outcome = errand => outcome,
        () = news => unreachable!("news never end"),
    }
}

/// With TLS from the start, unless it is about STARTTLS.
pub(crate) fn door_of(server: &Server, protocol: Protocol, fault: Option<&Fault>) -> Endpoint {
    let starts_tls = matches!(
        fault,
        Some(Fault::StartTlsNotOffered | Fault::StartTlsRefused | Fault::StartTlsInjection)
    );
    match (protocol, starts_tls) {
        (Protocol::Smtp, true) => server.smtp(),
        (Protocol::Smtp, false) => server.smtp_implicit(),
        (Protocol::Imap, true) => server.imap_starttls(),
        (Protocol::Imap, false) => server.imap(),
        (_, true) => server.pop_starttls(),
        (_, false) => server.pop(),
    }
}
