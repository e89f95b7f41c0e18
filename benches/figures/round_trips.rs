//! Round trips, counted on the wire of `link` against the scripted servers of `server`.
//!
//! TLS is real (rustls on both ends, version 1.3, no resumption), so its round trip is counted like
//! every other and STARTTLS can be counted at all. TCP's own is added when the client dials; the
//! greeting costs the one in which the client first waits for it.

use std::io;
use std::sync::{Arc, OnceLock};

use mailbearer::imap::{Extension, Fetch, Messages, StatusItem, UidSet};
use mailbearer::net::{Connection, Dial};
use mailbearer::smtp::{Body, Envelope};
use mailbearer::token::StaticToken;
use mailbearer::{
    Auth, BoxFuture, Client, Connector, Endpoint, ImapClient, PopClient, Profile, Security,
    SmtpClient, tls,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use crate::figure::Measured;
use crate::link::Traffic;
use crate::server::{self, Imap, Pop, Script, Smtp};
use crate::workloads::imap::resync;
use crate::{said, single_threaded};

const HOST: &str = "mail.example";
const MAILBOX: &str = "billing@contoso.example";
const MESSAGE: &str = "Subject: Your invoice\r\n\r\nAttached.\r\n";

/// Fits an AUTH line of SMTP (RFC 4954 section 4: 512 octets).
const SHORT_TOKEN: usize = 200;
/// As long as those of Entra.
const LONG_TOKEN: usize = 1600;

/// A message to one recipient, from nothing to its acceptance. AUTH on one line.
pub(crate) fn smtp_sent() -> Measured {
    smtp(one_line(Endpoint::smtp(HOST)), 1, SHORT_TOKEN)
}

/// The same to ten recipients.
pub(crate) fn smtp_sent_to_ten() -> Measured {
    smtp(one_line(Endpoint::smtp(HOST)), 10, SHORT_TOKEN)
}

/// The same with a token that needs AUTH in two steps.
pub(crate) fn smtp_sent_two_step() -> Measured {
    smtp(one_line(Endpoint::smtp(HOST)), 1, LONG_TOKEN)
}

/// The same with STARTTLS.
pub(crate) fn smtp_sent_starttls() -> Measured {
    smtp(one_line(Endpoint::smtp_starttls(HOST)), 1, SHORT_TOKEN)
}

/// The same on one line, with envelope and content in one flight.
pub(crate) fn smtp_sent_in_one_flight() -> Measured {
    let route = Route::to(one_line(Endpoint::smtp(HOST)), SHORT_TOKEN);
    single_threaded(async {
        let mut client = route.smtp().await?;
        let body = Body::from(MESSAGE).chunked_in_one_flight();
        let _ = client.send(&envelope(10)?, body).await.map_err(said)?;
        Ok(route.trips())
    })
}

/// A hundred messages, from nothing to the acceptance of the last.
pub(crate) fn smtp_hundred() -> Measured {
    hundred(|| Body::from(MESSAGE))
}

/// The same with envelopes and contents in as few flights as can be.
pub(crate) fn smtp_hundred_in_one_flight() -> Measured {
    hundred(|| Body::from(MESSAGE).chunked_in_one_flight())
}

fn hundred(body: fn() -> Body<'static>) -> Measured {
    let route = Route::to(one_line(Endpoint::smtp(HOST)), SHORT_TOKEN);
    single_threaded(async {
        let mut client = route.smtp().await?;
        let envelope = envelope(1)?;
        let mut sending = client.send_all((0..100).map(|_| (&envelope, body())));
        while let Some(sent) = sending.next().await {
            let _ = sent.outcome.map_err(said)?;
        }
        drop(sending);
        Ok(route.trips())
    })
}

fn smtp(endpoint: Endpoint, recipients: usize, token: usize) -> Measured {
    let route = Route::to(endpoint, token);
    single_threaded(async {
        let mut client = route.smtp().await?;
        deliver(&mut client, &envelope(recipients)?).await?;
        Ok(route.trips())
    })
}

/// One more message on the same connection.
pub(crate) fn smtp_second_message() -> Measured {
    second_message(|route, before| route.trips() - before)
}

/// The most writes that the envelope or the message took. More than one, and Nagle's algorithm or
/// the server's delayed ACK have their say in how fast mail goes out.
pub(crate) fn smtp_writes() -> Measured {
    second_message(|route, _| route.traffic.most_writes(2).into())
}

fn second_message(look: impl FnOnce(&Route, f64) -> f64) -> Measured {
    let route = Route::to(Endpoint::smtp(HOST), LONG_TOKEN);
    single_threaded(async {
        let mut client = route.smtp().await?;
        let envelope = envelope(10)?;
        deliver(&mut client, &envelope).await?;
        let before = route.trips();
        deliver(&mut client, &envelope).await?;
        Ok(look(&route, before))
    })
}

/// Exchange Online, whose greeting and login do not tell what it can do.
pub(crate) fn imap_connect_exchange() -> Measured {
    imap(Imap::exchange, async |route, _| Ok(route.trips()))
}

/// A server that tells.
pub(crate) fn imap_connect() -> Measured {
    imap(Imap::dovecot, async |route, _| Ok(route.trips()))
}

pub(crate) fn imap_select() -> Measured {
    imap(Imap::exchange, async |route, client| {
        let before = route.trips();
        client.select("INBOX").await.map_err(said)?;
        Ok(route.trips() - before)
    })
}

pub(crate) fn imap_fetch() -> Measured {
    imap(Imap::exchange, async |route, client| {
        let inbox = client.select("INBOX").await.map_err(said)?;
        let before = route.trips();
        let messages = inbox.uid_fetch(UidSet::all(), Fetch::flags().body()).await;
        one(messages.map_err(said)?).await?;
        Ok(route.trips() - before)
    })
}

/// How many messages there are in each of a hundred mailboxes.
pub(crate) fn imap_status_of_hundred() -> Measured {
    imap(Imap::exchange, async |route, client| {
        let names = (0..100).map(|number| format!("Folder {number}"));
        let before = route.trips();
        let told = client.status_all(names, [StatusItem::Messages]).await.map_err(said)?;
        match told.iter().filter(|told| told.is_ok()).count() {
            100 => Ok(route.trips() - before),
            other => Err(format!("{other} mailboxes")),
        }
    })
}

/// A mailbox of 100,000 messages that is opened with the ten that have changed.
pub(crate) fn imap_resynced() -> Measured {
    imap(Imap::qresync, async |route, client| {
        client.enable([Extension::QResync]).await.map_err(said)?;
        let before = route.trips();
        match resync(client).await?.changed().len() {
            10 => Ok(route.trips() - before),
            other => Err(format!("{other} messages")),
        }
    })
}

/// From nothing to a message read at Exchange Online.
pub(crate) fn imap_fetched_exchange() -> Measured {
    imap(Imap::exchange, connect_to_fetched)
}

/// The same at a server that tells what it can do.
pub(crate) fn imap_fetched() -> Measured {
    imap(Imap::dovecot, connect_to_fetched)
}

/// The most writes that any flight behind TLS took at Exchange Online: CAPABILITY, AUTHENTICATE,
/// the probe of several commands, SELECT with UID FETCH.
pub(crate) fn imap_writes() -> Measured {
    imap(Imap::exchange, async |route, client| {
        connect_to_fetched(route, client).await?;
        Ok(route.traffic.most_writes(4).into())
    })
}

async fn connect_to_fetched(route: &Route, client: &mut ImapClient) -> Measured {
    let messages = client.select_fetch("INBOX", UidSet::all(), Fetch::flags().body()).await;
    one(messages.map_err(said)?).await?;
    Ok(route.trips())
}

async fn one(messages: Messages<'_>) -> Result<(), String> {
    match messages.collect().await.map_err(said)?.len() {
        1 => Ok(()),
        other => Err(format!("{other} messages")),
    }
}

fn imap(
    script: fn() -> Imap,
    look: impl AsyncFnOnce(&Route, &mut ImapClient) -> Measured,
) -> Measured {
    let route = Route::to(Endpoint::imap(HOST), LONG_TOKEN);
    single_threaded(async {
        let mut client = route.connect(ImapClient::builder, script).await?;
        look(&route, &mut client).await
    })
}

pub(crate) fn pop_connect() -> Measured {
    pop(Endpoint::pop(HOST), async |route, _| Ok(route.trips()))
}

pub(crate) fn pop_connect_stls() -> Measured {
    pop(Endpoint::pop_starttls(HOST), async |route, _| Ok(route.trips()))
}

pub(crate) fn pop_retr() -> Measured {
    pop(Endpoint::pop(HOST), async |route, client| {
        let before = route.trips();
        client.retr(1).await.map_err(said)?;
        Ok(route.trips() - before)
    })
}

/// 1,000 messages of 20 KiB where they can be asked for ahead.
pub(crate) fn pop_retr_all_pipelined() -> Measured {
    pop_retr_all(Pop::pipelining)
}

/// The trips that each takes where they cannot.
pub(crate) fn pop_retr_all_one_by_one() -> Measured {
    Ok(pop_retr_all(Pop::large)? / 1000.0)
}

fn pop_retr_all(script: fn() -> Pop) -> Measured {
    let route = Route::to(Endpoint::pop(HOST), LONG_TOKEN);
    single_threaded(async {
        let mut client = route.connect(PopClient::builder, script).await?;
        client.capa().await.map_err(said)?;
        let before = route.trips();
        let mut messages = client.retr_all(1..=1000);
        while let Some(retrieved) = messages.next().await.map_err(said)? {
            retrieved.into_message().map_err(said)?;
        }
        Ok(route.trips() - before)
    })
}

fn pop(endpoint: Endpoint, look: impl AsyncFnOnce(&Route, &mut PopClient) -> Measured) -> Measured {
    let route = Route::to(endpoint, LONG_TOKEN);
    single_threaded(async {
        let mut client = route.connect(PopClient::builder, Pop::default).await?;
        look(&route, &mut client).await
    })
}

async fn deliver(client: &mut SmtpClient, envelope: &Envelope) -> Result<(), String> {
    let receipt = client.send(envelope, MESSAGE).await.map_err(said)?;
    receipt.refused().next().map_or(Ok(()), |refused| Err(refused.to_string()))
}

/// The endpoint of a service known to take the token on the AUTH line.
fn one_line(endpoint: Endpoint) -> Endpoint {
    endpoint.with_profile(Profile::generic().with_inline_auth(true))
}

fn envelope(recipients: usize) -> Result<Envelope, String> {
    let recipients = (1..=recipients).map(|n| format!("someone{n}@example.com"));
    Envelope::new(MAILBOX, recipients).map_err(|error| error.to_string())
}

/// An endpoint, the token to show there, and the wire to it.
struct Route {
    endpoint: Endpoint,
    token: String,
    traffic: Traffic,
}

impl Route {
    fn to(endpoint: Endpoint, token: usize) -> Self {
        Self { endpoint, token: "t".repeat(token), traffic: Traffic::default() }
    }

    fn trips(&self) -> f64 {
        self.traffic.trips().into()
    }

    async fn smtp(&self) -> Result<SmtpClient, String> {
        self.connect(SmtpClient::builder, Smtp::default).await
    }

    async fn connect<C: Client, S: Script>(
        &self,
        builder: fn(Endpoint) -> Connector<C>,
        script: fn() -> S,
    ) -> Result<C, String> {
        let greets_in_clear = self.endpoint.security() == Security::StartTls;
        builder(self.endpoint.clone())
            .auth(Auth::xoauth2(MAILBOX, StaticToken::new(self.token.clone())))
            .tls(identity().roots.clone())
            .dial(Scripted { traffic: self.traffic.clone(), greets_in_clear, script })
            .connect()
            .await
            .map_err(said)
    }
}

/// Dials a scripted server, once.
struct Scripted<S> {
    traffic: Traffic,
    greets_in_clear: bool,
    script: fn() -> S,
}

impl<S: Script> Dial for Scripted<S> {
    fn dial<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, io::Result<Connection>> {
        Box::pin(async {
            let (client, server) = self.traffic.open();
            let acceptor = identity().acceptor.clone();
            // How it ends shows at the client.
            tokio::spawn(server::serve(server, acceptor, self.greets_in_clear, (self.script)()));
            Ok(Connection::new(client))
        })
    }
}

/// The server's certificate, made at start, and the client that trusts it.
struct Identity {
    acceptor: TlsAcceptor,
    roots: tls::Config,
}

fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed([HOST.to_owned()]).expect("a certificate can be made");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .and_then(|builder| {
                builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key)
            })
            .expect("the certificate fits its key");
        Identity {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            roots: tls::Config::with_root_pem(cert.pem().as_bytes()).expect("it is PEM"),
        }
    })
}
