//! What is done where a server lacks MOVE, at a real one that is kept from offering it, while
//! somebody else changes the mailbox.

use std::io;
use std::sync::Arc;

use mailbearer::imap::{MoveWay, UidSet};
use mailbearer::net::{Connection, Dial};
use mailbearer::{Auth, BoxFuture, ImapClient, Protocol, Security, danger};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, duplex, split};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::support::minter::Minter;
use crate::support::person::Person;
use crate::support::servers::{Kind, Server};

/// Passes lines on to this machine, takes MOVE out of what the server offers, and holds the first
/// STORE back until it is told to go on.
#[derive(Debug, Clone, Default)]
struct Relay {
    holds: Arc<Notify>,
    goes_on: Arc<Notify>,
}

impl Dial for Relay {
    fn dial<'a>(&'a self, _: &'a str, port: u16) -> BoxFuture<'a, io::Result<Connection>> {
        Box::pin(async move {
            let stream = TcpStream::connect(("127.0.0.1", port)).await?;
            let peer = stream.peer_addr()?;
            let (from_server, to_server) = stream.into_split();
            let (near, far) = duplex(64 * 1024);
            let (from_client, to_client) = split(far);
            tokio::spawn(without_move(from_server, to_client));
            tokio::spawn(self.clone().holding_store(from_client, to_server));
            Ok(Connection::new(near).with_peer(peer))
        })
    }
}

impl Relay {
    async fn holding_store(
        self,
        from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let mut lines = BufReader::new(from);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).await? > 0 {
            if String::from_utf8_lossy(&line).contains("UID STORE") {
                self.holds.notify_one();
                self.goes_on.notified().await;
            }
            to.write_all(&line).await?;
            line.clear();
        }
        to.shutdown().await
    }
}

async fn without_move(
    from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let mut lines = BufReader::new(from);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).await? > 0 {
        let shown = String::from_utf8_lossy(&line);
        if shown.contains("CAPABILITY") {
            line = shown.replace(" MOVE", "").into_bytes();
        }
        to.write_all(&line).await?;
        line.clear();
    }
    to.shutdown().await
}

#[tokio::test]
async fn a_message_delivered_while_all_are_moved_without_move_stays_where_it_is() {
    let owner = Person::new("mover");
    owner.store(b"Subject: one\r\n\r\n").await;
    owner.store(b"Subject: two\r\n\r\n").await;
    let endpoint = owner.bed.endpoint(Server::Jwt, Protocol::Imap, Security::StartTls);
    let endpoint = endpoint.with_security(danger::plaintext_on_loopback());
    let auth = Auth::xoauth2(&owner.mailbox, Minter::new(owner.bed, [Kind::Valid]));
    let relay = Relay::default();
    let connector = ImapClient::builder(endpoint).auth(auth).dial(relay.clone());
    let mut imap = connector.connect().await.expect("IMAP opens");
    assert!(!imap.capabilities().has("MOVE") && imap.capabilities().has("UIDPLUS"));
    imap.create("Archive").await.expect("CREATE");

    let inbox = imap.select("INBOX").await.expect("SELECT");
    let meanwhile = async {
        relay.holds.notified().await;
        owner.store(b"Subject: three\r\n\r\n").await;
        relay.goes_on.notify_one();
    };
    let (moved, ()) = tokio::join!(inbox.uid_move(UidSet::all(), "Archive"), meanwhile);
    let moved = moved.expect("COPY, STORE and EXPUNGE");
    assert_eq!((moved.way(), moved.expunged().len()), (MoveWay::CopyAndExpunge, 2));
    assert_eq!(moved.pairs().count(), 2);
    inbox.noop().await.expect("NOOP");
    assert_eq!(inbox.exists(), 1, "what was delivered meanwhile");
    assert_eq!(imap.select("Archive").await.expect("SELECT").exists(), 2);
    imap.logout().await.expect("LOGOUT");
}
