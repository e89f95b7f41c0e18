//! Connections that break when they are told to.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use mailbearer::net::{Connection, Dial};
use mailbearer::{BoxFuture, Client, Connector};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Dials this machine, whatever the name.
#[derive(Debug, Clone)]
pub(crate) struct Fragile {
    /// So many octets can still be read, on all connections together.
    left: Arc<AtomicU64>,
}

impl Fragile {
    pub(crate) fn new() -> Self {
        Self { left: Arc::new(AtomicU64::new(u64::MAX)) }
    }

    /// Breaks what is connected when `octets` more have been read.
    pub(crate) fn break_after(&self, octets: u64) {
        self.left.store(octets, Ordering::Relaxed);
    }

    pub(crate) fn apply<C: Client>(&self, connector: Connector<C>) -> Connector<C> {
        connector.dial(self.clone())
    }
}

impl Dial for Fragile {
    fn dial<'a>(&'a self, _: &'a str, port: u16) -> BoxFuture<'a, io::Result<Connection>> {
        Box::pin(async move {
            let stream = TcpStream::connect(("127.0.0.1", port)).await?;
            Ok(Connection::new(Thread { stream, left: Arc::clone(&self.left) }))
        })
    }
}

/// One connection.
struct Thread {
    stream: TcpStream,
    left: Arc<AtomicU64>,
}

impl AsyncRead for Thread {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let mut octets =
            vec![0; usize::try_from(left).unwrap_or(usize::MAX).min(buffer.remaining())];
        let mut part = ReadBuf::new(&mut octets);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut part))?;
        buffer.put_slice(part.filled());
        if left != u64::MAX {
            self.left.fetch_sub(part.filled().len() as u64, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Thread {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
