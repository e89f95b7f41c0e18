//! Moves octets between a socket and a core, and nothing more.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::io::{AsyncReadExt, AsyncWrite};

use super::deadline::Clock;
use super::trace::Trace;
use super::{Error, Stream};
use crate::fault::Fault;
use crate::machine::{Abandon, Machine};
use crate::secret::Scrubber;
use crate::{Limits, Timeouts};

/// Why a core can no longer be driven.
#[derive(Debug)]
pub(crate) enum Broken {
    Net(Error),
    Fault(Fault),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Net(error)
    }
}

/// A core and its socket.
///
/// All methods are cancel safe: what was read is in the core, what is to be written is in the
/// core, and a dropped future has taken nothing with it.
pub(crate) struct Driver<M> {
    stream: Box<dyn Stream>,
    core: M,
    clock: Clock,
    trace: Trace,
    settle_octets: u64,
    /// Octets written, to see a transfer move.
    written: u64,
    /// The TLS layer may hold octets that it took but has not passed on.
    unflushed: bool,
    eof: bool,
    broken: bool,
}

impl<M: Machine> Driver<M> {
    pub(crate) fn new(
        stream: Box<dyn Stream>,
        mut core: M,
        protocol: &'static str,
        timeouts: Timeouts,
        limits: &Limits,
    ) -> Self {
        let trace = Trace::new(protocol);
        trace.attach(core.input());
        Self {
            stream,
            core,
            clock: Clock::new(timeouts),
            trace,
            settle_octets: limits.settle,
            written: 0,
            unflushed: false,
            eof: false,
            broken: false,
        }
    }

    pub(crate) const fn core(&self) -> &M {
        &self.core
    }

    pub(crate) const fn core_mut(&mut self) -> &mut M {
        &mut self.core
    }

    /// Whether a command can still be sent.
    pub(crate) const fn is_open(&self) -> bool {
        !self.broken && !self.eof
    }

    /// Gives up the socket. Whatever the core knew is gone with it.
    pub(crate) fn into_parts(self) -> (Box<dyn Stream>, M) {
        (self.stream, self.core)
    }

    /// Secrets to be taken out of the trace.
    pub(crate) fn scrub(&mut self, scrubber: Scrubber) {
        self.trace.scrub(scrubber);
    }

    /// The core's next event; meanwhile what it has to say is written.
    pub(crate) async fn event(&mut self) -> Result<M::Event, Broken> {
        // What has come already needs no clock.
        if let Some(event) = self.poll_core()? {
            return Ok(event);
        }
        let waiting = Waiting::new(self);
        poll_fn(|cx| waiting.driver.poll_event(cx, None)).await.and_then(|event| {
            // Without a low mark there is always an event.
            event.ok_or(Broken::Net(Error::Closed))
        })
    }

    /// Writes until at most `low` octets are left, or the core has an event.
    pub(crate) async fn drain(&mut self, low: usize) -> Result<Option<M::Event>, Broken> {
        if let Some(event) = self.poll_core()? {
            return Ok(Some(event));
        }
        let waiting = Waiting::new(self);
        poll_fn(|cx| waiting.driver.poll_event(cx, Some(low))).await
    }

    /// Brings the connection back to rest if a dropped future left something in flight.
    ///
    /// # Errors
    /// It cannot, or not within the bounds: the connection is closed.
    pub(crate) async fn settle(&mut self) -> Result<(), Broken> {
        if self.broken {
            return Err(Error::Closed.into());
        }
        if !self.core.in_flight() {
            return Ok(());
        }
        if self.core.abandon() == Abandon::Close {
            return Err(self.give_up());
        }
        let limit = self.core.input().received().saturating_add(self.settle_octets);
        let within = self.clock.timeouts().settle;
        let settled = tokio::time::timeout(within, async {
            while self.core.in_flight() {
                if self.core.input().received() > limit {
                    return Err(self.give_up());
                }
                self.event().await?;
            }
            Ok(())
        })
        .await;
        settled.unwrap_or_else(|_| Err(self.give_up()))
    }

    fn give_up(&mut self) -> Broken {
        self.broken = true;
        Error::Abandoned.into()
    }

    fn poll_core(&mut self) -> Result<Option<M::Event>, Broken> {
        if self.broken {
            return Err(Error::Closed.into());
        }
        let event = self.core.poll();
        self.trace.server(self.core.input());
        event.map_err(|fault| {
            self.broken = true;
            Broken::Fault(fault)
        })
    }

    /// One loop both reads and writes: a server that will not read before it has been read from
    /// would block a client that writes first.
    fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        low: Option<usize>,
    ) -> Poll<Result<Option<M::Event>, Broken>> {
        loop {
            if let Some(event) = self.poll_core()? {
                return Poll::Ready(Ok(Some(event)));
            }
            if self.eof {
                self.broken = true;
                return Poll::Ready(Err(Error::Closed.into()));
            }
            let write_failure = self.poll_write(cx).err();
            if low.is_some_and(|low| {
                let left = self.core.output().unsent().len();
                left <= low && (left > 0 || !self.unflushed)
            }) {
                return Poll::Ready(Ok(None));
            }
            match self.poll_read(cx) {
                Poll::Ready(Ok(0)) => self.end(),
                Poll::Ready(Ok(octets)) => self.core.input().filled(octets),
                Poll::Ready(Err(error)) if is_end(&error) => self.end(),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.failed(error))),
                Poll::Pending => {
                    // The server may have said why before it stopped reading: what it said is
                    // read first.
                    match write_failure {
                        Some(error) if is_end(&error) => {
                            self.end();
                            continue;
                        }
                        Some(error) => return Poll::Ready(Err(self.failed(error))),
                        None => {}
                    }
                    let moved = self.written + self.core.input().received();
                    let wait = self.core.wait();
                    return self.clock.poll(cx, wait, moved).map(|after| {
                        self.broken = true;
                        Err(Error::Deadline { after }.into())
                    });
                }
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> std::io::Result<()> {
        self.trace.client(self.core.output());
        while !self.core.output().is_empty() {
            let stream = Pin::new(&mut self.stream);
            match stream.poll_write(cx, self.core.output().unsent()) {
                Poll::Ready(Ok(0)) => return Err(std::io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(octets)) => {
                    self.core.output().sent(octets);
                    self.written += octets as u64;
                    self.unflushed = true;
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        if self.unflushed {
            if let Poll::Ready(flushed) = Pin::new(&mut self.stream).poll_flush(cx) {
                flushed?;
                self.unflushed = !self.core.output().is_empty();
            }
        }
        Ok(())
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        // `read_buf` keeps nothing across polls: it reads or it does not.
        pin!(self.stream.read_buf(self.core.input().room())).poll(cx)
    }

    /// The peer sends no more; its last words may still lie in the core.
    fn end(&mut self) {
        self.eof = true;
        self.core.eof();
    }

    fn failed(&mut self, error: std::io::Error) -> Broken {
        self.broken = true;
        Error::Io(error).into()
    }
}

/// Whether the error is only a way of closing. Servers drop TLS connections without a
/// close_notify; nothing that the protocol frames is lost by it.
fn is_end(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}

/// Counts the time of one future, however it ends.
struct Waiting<'a, M> {
    driver: &'a mut Driver<M>,
}

impl<'a, M> Waiting<'a, M> {
    fn new(driver: &'a mut Driver<M>) -> Self {
        driver.clock.start();
        Self { driver }
    }
}

impl<M> Drop for Waiting<'_, M> {
    fn drop(&mut self) {
        self.driver.clock.stop();
    }
}
