//! One certificate for every host name that the tests dial, made when the first test asks for it.

use std::sync::{Arc, LazyLock};

use mailbearer::tls;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

/// The names on the certificate.
const HOSTS: [&str; 16] = [
    "localhost",
    "mail.example.net",
    "outlook.office365.com",
    "smtp.office365.com",
    "smtp-mail.outlook.com",
    "imap-mail.outlook.com",
    "pop-mail.outlook.com",
    "smtp.hve.mx.microsoft",
    "smtp-hve.office365.com",
    "imap.gmail.com",
    "pop.gmail.com",
    "smtp.gmail.com",
    "imap.mail.yahoo.com",
    "pop.mail.yahoo.com",
    "smtp.mail.yahoo.com",
    "server.example.com",
];

struct Identity {
    #[cfg(feature = "oauth")]
    server: Arc<ServerConfig>,
    acceptor: TlsAcceptor,
    client: tls::Config,
}

static IDENTITY: LazyLock<Identity> = LazyLock::new(|| {
    let hosts = HOSTS.map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(hosts).expect("the names are host names");
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("key and certificate belong together");
    // A ticket is an octet more on the wire that no transcript speaks of.
    config.send_tls13_tickets = 0;
    let client =
        tls::Config::with_root_pem(made.cert.pem().as_bytes()).expect("it is its own root");
    let server = Arc::new(config);
    Identity {
        acceptor: TlsAcceptor::from(server.clone()),
        #[cfg(feature = "oauth")]
        server,
        client,
    }
});

/// The server's side of the handshake.
pub(crate) fn acceptor() -> &'static TlsAcceptor {
    &IDENTITY.acceptor
}

/// The same, for a server that is no task.
#[cfg(feature = "oauth")]
pub(crate) fn server() -> Arc<ServerConfig> {
    IDENTITY.server.clone()
}

/// A client configuration that trusts [`acceptor`] and nobody else.
pub(crate) fn client() -> tls::Config {
    IDENTITY.client.clone()
}
