//! Stands between a client and a server of the bed, line by line.

use std::io;
use std::sync::Arc;

use mailbearer::net::{Connection, Dial};
use mailbearer::{BoxFuture, ImapClient, Profile, Protocol, Security, danger};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, duplex, split};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};

use super::person::Person;
use super::servers::Server;

/// Passes lines on to this machine in clear text. Says of the server's capabilities what a test
/// wants, keeps what the client has said, and holds a line of it back until it may go on.
#[derive(Clone)]
pub(crate) struct Relay(Arc<Inner>);

struct Inner {
    /// What the server's capabilities say, and what they are to say instead.
    told: Vec<(&'static str, &'static str)>,
    held: &'static str,
    holds: Notify,
    goes_on: Notify,
    said: watch::Sender<Vec<String>>,
}

impl Relay {
    /// With these words of the capabilities replaced by others.
    pub(crate) fn telling(told: impl Into<Vec<(&'static str, &'static str)>>) -> Self {
        Self::holding("\0", told)
    }

    /// The same, and the first line with `held` in it waits.
    pub(crate) fn holding(
        held: &'static str,
        told: impl Into<Vec<(&'static str, &'static str)>>,
    ) -> Self {
        let (holds, goes_on) = Default::default();
        let said = watch::Sender::default();
        Self(Arc::new(Inner { told: told.into(), held, holds, goes_on, said }))
    }

    /// IMAP through it.
    pub(crate) async fn imap(&self, owner: &Person) -> ImapClient {
        self.imap_with(owner, Profile::generic()).await
    }

    /// The same at a service of which this is known.
    pub(crate) async fn imap_with(&self, owner: &Person, profile: Profile) -> ImapClient {
        let endpoint = owner.bed.endpoint(Server::Jwt, Protocol::Imap, Security::StartTls);
        let endpoint = endpoint.with_security(danger::plaintext_on_loopback());
        let connector = ImapClient::builder(endpoint.with_profile(profile)).auth(owner.auth());
        connector.dial(self.clone()).connect().await.expect("IMAP opens")
    }

    /// Waits until the line is held back.
    pub(crate) async fn held(&self) {
        self.0.holds.notified().await;
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) {
        self.0.goes_on.notify_one();
    }

    /// The lines with this in them that the client has said so far.
    pub(crate) fn said(&self, words: &str) -> Vec<String> {
        let said = self.0.said.borrow();
        said.iter().filter(|line| line.contains(words)).cloned().collect()
    }

    /// Waits until the client has said so many lines with this in them.
    pub(crate) async fn heard(&self, words: &str, lines: usize) {
        let mut said = self.0.said.subscribe();
        let enough =
            |said: &Vec<String>| said.iter().filter(|line| line.contains(words)).count() >= lines;
        said.wait_for(enough).await.expect("the relay lives");
    }

    async fn client_lines(
        self,
        from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let mut held = false;
        let mut lines = BufReader::new(from);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).await? > 0 {
            let shown = String::from_utf8_lossy(&line).into_owned();
            if shown.contains(self.0.held) && !std::mem::replace(&mut held, true) {
                self.0.holds.notify_one();
                self.0.goes_on.notified().await;
            }
            self.0.said.send_modify(|said| said.push(shown));
            to.write_all(&line).await?;
            line.clear();
        }
        to.shutdown().await
    }

    async fn server_lines(
        self,
        from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let mut lines = BufReader::new(from);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).await? > 0 {
            if memchr::memmem::find(&line, b"CAPABILITY").is_some() {
                let mut shown = String::from_utf8_lossy(&line).into_owned();
                for (words, instead) in &self.0.told {
                    shown = shown.replace(words, instead);
                }
                line = shown.into_bytes();
            }
            to.write_all(&line).await?;
            line.clear();
        }
        to.shutdown().await
    }
}

impl Dial for Relay {
    fn dial<'a>(&'a self, _: &'a str, port: u16) -> BoxFuture<'a, io::Result<Connection>> {
        Box::pin(async move {
            let stream = TcpStream::connect(("127.0.0.1", port)).await?;
            let peer = stream.peer_addr()?;
            let (from_server, to_server) = stream.into_split();
            let (near, far) = duplex(64 * 1024);
            let (from_client, to_client) = split(far);
            tokio::spawn(self.clone().server_lines(from_server, to_client));
            tokio::spawn(self.clone().client_lines(from_client, to_server));
            Ok(Connection::new(near).with_peer(peer))
        })
    }
}
