//! Round trips, counted on the wire of `link` against the scripted servers of `server`.
//!
//! TLS is real (rustls on both ends, version 1.3, no resumption), so its round trip is counted like
//! every other and STARTTLS can be counted at all. TCP's own is added when the client dials; the
//! greeting costs the one in which the client first waits for it.

use std::io;
use std::sync::{Arc, OnceLock};

use mailbearer::net::{Connection, Dial};
use mailbearer::token::StaticToken;
use mailbearer::{Auth, BoxFuture, Connector, Endpoint, PopClient, tls};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use crate::figure::Measured;
use crate::link::Traffic;
use crate::server::{self, Script};
use crate::{said, single_threaded};

const HOST: &str = "mail.example";
const MAILBOX: &str = "billing@contoso.example";

/// Fits an AUTH line of SMTP (RFC 4954 section 4: 512 octets).
const SHORT_TOKEN: usize = 200;
/// As long as those of Entra.
const LONG_TOKEN: usize = 1600;

pub(crate) fn pop_connect() -> Measured {
    let route = Route::to(Endpoint::pop(HOST), LONG_TOKEN);
    single_threaded(async {
        route.pop().await?;
        Ok(route.trips())
    })
}

pub(crate) fn pop_connect_stls() -> Measured {
    let route = Route::to(Endpoint::pop_starttls(HOST), LONG_TOKEN);
    single_threaded(async {
        route.pop().await?;
        Ok(route.trips())
    })
}

pub(crate) fn pop_retr() -> Measured {
    let route = Route::to(Endpoint::pop(HOST), LONG_TOKEN);
    single_threaded(async {
        let mut client = route.pop().await?;
        let before = route.trips();
        client.retr(1).await.map_err(said)?;
        Ok(route.trips() - before)
    })
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

    async fn pop(&self) -> Result<PopClient, String> {
        let dial = self.dial(server::Pop::default);
        self.prepared(PopClient::builder(self.endpoint.clone()), dial).connect().await.map_err(said)
    }

    fn dial<S: Script>(&self, script: fn() -> S) -> Scripted<S> {
        let greets_in_clear = self.endpoint.security() == mailbearer::Security::StartTls;
        Scripted { traffic: self.traffic.clone(), greets_in_clear, script }
    }

    fn prepared<C: mailbearer::Client>(
        &self,
        connector: Connector<C>,
        dial: impl Dial + 'static,
    ) -> Connector<C> {
        let tokens = StaticToken::new(self.token.clone());
        connector.auth(Auth::xoauth2(MAILBOX, tokens)).tls(identity().roots.clone()).dial(dial)
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
