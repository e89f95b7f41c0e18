//! The three clients behind one door, for what they have in common.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mailbearer::net::{Connection, Dial, Tcp};
use mailbearer::{
    Auth, BoxFuture, Client, Connector, Endpoint, Failure, ImapClient, PopClient, Protocol,
    SmtpClient, tls,
};

use super::servers::Bed;

/// An open client, of whichever protocol.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is never more than one")]
pub(crate) enum Opened {
    Smtp(SmtpClient),
    Imap(ImapClient),
    Pop(PopClient),
}

impl Opened {
    /// A command that does nothing.
    #[cfg(feature = "oauth")]
    pub(crate) async fn noop(&mut self) -> Result<(), Box<dyn Failure>> {
        match self {
            Self::Smtp(client) => client.noop().await.map(drop).map_err(boxed),
            Self::Imap(client) => client.noop().await.map(drop).map_err(boxed),
            Self::Pop(client) => client.noop().await.map_err(boxed),
        }
    }

    /// Shows that the session is really open, and ends it.
    pub(crate) async fn use_and_close(self) -> Result<(), Box<dyn Failure>> {
        match self {
            Self::Smtp(mut client) => {
                client.noop().await.map_err(boxed)?;
                client.quit().await.map_err(boxed)
            }
            Self::Imap(mut client) => {
                client.select("INBOX").await.map_err(boxed)?;
                client.logout().await.map_err(boxed)
            }
            Self::Pop(mut client) => {
                client.stat().await.map_err(boxed)?;
                client.quit().await.map_err(boxed)
            }
        }
    }
}

/// How to reach a server of the bed.
#[derive(Clone)]
pub(crate) struct Way {
    endpoint: Endpoint,
    tls: tls::Config,
    dial: Loopback,
    #[cfg(feature = "proxy")]
    proxy: Option<mailbearer::net::proxy::Proxy>,
}

impl Way {
    /// Trusts the bed's root, and leads every name to this machine.
    pub(crate) fn to(endpoint: Endpoint, bed: &Bed) -> Self {
        let tls = tls::Config::with_root_pem(bed.ca_pem().as_bytes()).expect("the bed's root");
        Self {
            endpoint,
            tls,
            dial: Loopback::default(),
            #[cfg(feature = "proxy")]
            proxy: None,
        }
    }

    /// The same way, through a proxy.
    #[cfg(feature = "proxy")]
    pub(crate) fn through(mut self, proxy: mailbearer::net::proxy::Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// The same way, without the bed's root.
    pub(crate) fn trusting_public_roots(mut self) -> Self {
        self.tls = tls::Config::default();
        self
    }

    /// How many connections were opened.
    pub(crate) fn dials(&self) -> usize {
        self.dial.dials.load(Ordering::Relaxed)
    }

    /// The settings of the way on a connector.
    pub(crate) fn apply<C: Client>(&self, connector: Connector<C>) -> Connector<C> {
        let connector = connector.tls(self.tls.clone()).dial(self.dial.clone());
        #[cfg(feature = "proxy")]
        if let Some(proxy) = &self.proxy {
            return connector.proxy(proxy.clone());
        }
        connector
    }

    pub(crate) async fn open(&self, auth: Auth) -> Result<Opened, Box<dyn Failure>> {
        match self.endpoint.protocol() {
            Protocol::Smtp => self.smtp(auth).await.map(Opened::Smtp).map_err(boxed),
            Protocol::Imap => self.imap(auth).await.map(Opened::Imap).map_err(boxed),
            _ => self.pop(auth).await.map(Opened::Pop).map_err(boxed),
        }
    }

    pub(crate) async fn smtp(&self, auth: Auth) -> Result<SmtpClient, mailbearer::smtp::Error> {
        self.apply(SmtpClient::builder(self.endpoint.clone())).auth(auth).connect().await
    }

    pub(crate) async fn imap(&self, auth: Auth) -> Result<ImapClient, mailbearer::imap::Error> {
        self.apply(ImapClient::builder(self.endpoint.clone())).auth(auth).connect().await
    }

    pub(crate) async fn pop(&self, auth: Auth) -> Result<PopClient, mailbearer::pop::Error> {
        self.apply(PopClient::builder(self.endpoint.clone())).auth(auth).connect().await
    }
}

fn boxed(error: impl Failure) -> Box<dyn Failure> {
    Box::new(error)
}

/// Dials this machine, whatever the name, and counts.
#[derive(Debug, Clone, Default)]
struct Loopback {
    tcp: Tcp,
    dials: Arc<AtomicUsize>,
}

impl Dial for Loopback {
    fn dial<'a>(&'a self, _: &'a str, port: u16) -> BoxFuture<'a, io::Result<Connection>> {
        self.dials.fetch_add(1, Ordering::Relaxed);
        self.tcp.dial("127.0.0.1", port)
    }
}
