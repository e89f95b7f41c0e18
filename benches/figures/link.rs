//! A network in memory on which round trips can be counted.
//!
//! What the client writes stays with the client until it waits to read; what the server writes
//! stays with the server until it waits to read. So nobody ever sees half a flight, no answer comes
//! before it could come over a long wire, and the number of times the client had to wait is the
//! number of round trips, whatever the machine does.
//!
//! ```text
//!   client ──write──► held ──(client waits: one trip)──► server's input
//!   client's input ◄──(server waits)── held ◄──write── server
//! ```

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What happened on the wire so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Traffic(Arc<Mutex<Wire>>);

#[derive(Debug, Default)]
struct Wire {
    trips: u32,
    /// How many writes each flight of the client took. The last is the flight being written.
    flights: Vec<u32>,
    /// The client has not waited yet, so its first wait is for something that was under way.
    connected: bool,
    from_client: Pipe,
    from_server: Pipe,
}

#[derive(Debug, Default)]
struct Pipe {
    held: Vec<u8>,
    arrived: Vec<u8>,
    closed: bool,
    reader: Option<Waker>,
}

impl Pipe {
    fn deliver(&mut self) {
        if self.held.is_empty() && !self.closed {
            return;
        }
        self.arrived.append(&mut self.held);
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    /// False if nothing has arrived.
    fn give(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let octets = self.arrived.len().min(buffer.remaining());
        buffer.put_slice(&self.arrived[..octets]);
        self.arrived.drain(..octets);
        octets > 0
    }
}

impl Traffic {
    /// Opens the connection, which takes the round trip of TCP's handshake.
    pub(crate) fn open(&self) -> (ClientEnd, ServerEnd) {
        let mut wire = self.lock();
        assert!(!wire.connected, "the client dialled twice");
        (wire.connected, wire.trips) = (true, 1);
        wire.flights.push(0);
        drop(wire);
        (ClientEnd { wire: self.clone(), waited: false }, ServerEnd(self.clone()))
    }

    /// Round trips so far.
    pub(crate) fn trips(&self) -> u32 {
        self.lock().trips
    }

    /// The most writes that any of the last `flights` flights took.
    pub(crate) fn most_writes(&self, flights: usize) -> u32 {
        let wire = self.lock();
        let done = wire.flights.iter().rev().filter(|writes| **writes > 0);
        done.take(flights).copied().max().unwrap_or(0)
    }

    fn lock(&self) -> MutexGuard<'_, Wire> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the client under measurement gets.
#[derive(Debug)]
pub(crate) struct ClientEnd {
    wire: Traffic,
    waited: bool,
}

impl AsyncRead for ClientEnd {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let first = !std::mem::replace(&mut self.waited, true);
        let mut wire = self.wire.lock();
        if wire.from_server.give(buffer) {
            return Poll::Ready(Ok(()));
        }
        if first || !wire.from_client.held.is_empty() {
            wire.trips += 1;
            wire.flights.push(0);
            wire.from_client.deliver();
        }
        if wire.from_server.closed {
            return Poll::Ready(Ok(()));
        }
        wire.from_server.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl AsyncWrite for ClientEnd {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut wire = self.wire.lock();
        wire.from_client.held.extend_from_slice(octets);
        if let Some(writes) = wire.flights.last_mut() {
            *writes += 1;
        }
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for ClientEnd {
    fn drop(&mut self) {
        let mut wire = self.wire.lock();
        wire.from_client.closed = true;
        wire.from_client.deliver();
    }
}

/// What the scripted server gets.
#[derive(Debug)]
pub(crate) struct ServerEnd(Traffic);

impl AsyncRead for ServerEnd {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut wire = self.0.lock();
        if wire.from_client.give(buffer) || wire.from_client.closed {
            return Poll::Ready(Ok(()));
        }
        wire.from_server.deliver();
        wire.from_client.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl AsyncWrite for ServerEnd {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().from_server.held.extend_from_slice(octets);
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for ServerEnd {
    fn drop(&mut self) {
        let mut wire = self.0.lock();
        wire.from_server.closed = true;
        wire.from_server.deliver();
    }
}
