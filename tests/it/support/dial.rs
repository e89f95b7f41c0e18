//! A dialler whose connections are pipes in memory: no socket, no port, no wall time.

use std::io;

use mailbearer::BoxFuture;
use mailbearer::net::{Connection, Dial};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

/// Octets that a pipe holds. More than any flight of a transcript, so that a server never has to
/// wait for the client to read.
const PIPE: usize = 1 << 20;

/// The client's end: gives a new pipe at each dial.
pub(crate) struct PipeDial {
    pipes: mpsc::UnboundedSender<DuplexStream>,
}

/// The server's end: the other ends of these pipes.
pub(crate) type Listener = mpsc::UnboundedReceiver<DuplexStream>;

/// A dialler, and where its connections arrive.
pub(crate) fn pipe() -> (PipeDial, Listener) {
    let (pipes, listener) = mpsc::unbounded_channel();
    (PipeDial { pipes }, listener)
}

impl Dial for PipeDial {
    fn dial<'a>(&'a self, _host: &'a str, _port: u16) -> BoxFuture<'a, io::Result<Connection>> {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let sent = self.pipes.send(theirs);
        Box::pin(async move {
            sent.map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
            Ok(Connection::new(ours))
        })
    }
}
