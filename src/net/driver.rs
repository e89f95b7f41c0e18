//! Moves octets between a socket and a core, and nothing more.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::io::AsyncReadExt;

use super::deadline::Clock;
#[cfg(feature = "compress")]
use super::deflate::{Deflated, Growth};
use super::trace::Trace;
use super::{Error, Stream};
use crate::fault::Fault;
use crate::machine::{Abandon, Machine, Wait};
use crate::secret::Scrubber;
use crate::wirelog::Dialogue;
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

/// Who ended a connection, and why.
enum Ended {
    ByServer,
    /// A dropped future left what could not be brought to an end.
    Abandoned,
    /// After a failure, in its own words.
    Failed(String),
}

/// What came first.
#[cfg(feature = "smtp")]
pub(crate) enum Either<E, T> {
    Event(E),
    Other(T),
}

/// What ends a wait for the core's next event besides the event.
enum Until<'a> {
    /// Nothing.
    Event,
    /// At most so many octets are left to be written.
    Left(usize),
    /// The socket took some of these octets, as many as is then said behind them.
    Passed(&'a [u8], &'a mut usize),
}

/// What octets come and go through.
enum Socket {
    Plain(Box<dyn Stream>),
    /// With compression on top of it.
    #[cfg(feature = "compress")]
    Deflated(Box<Deflated>),
}

impl Socket {
    /// One that takes what is written and never says anything.
    fn closed() -> Self {
        Self::Plain(Box::new(tokio::io::empty()))
    }

    fn stream(&mut self) -> Pin<&mut dyn Stream> {
        match self {
            Self::Plain(stream) => Pin::new(&mut **stream),
            #[cfg(feature = "compress")]
            Self::Deflated(stream) => Pin::new(&mut **stream),
        }
    }

    fn into_stream(self) -> Box<dyn Stream> {
        match self {
            Self::Plain(stream) => stream,
            #[cfg(feature = "compress")]
            Self::Deflated(stream) => stream,
        }
    }
}

/// A core and its socket.
///
/// All methods are cancel safe: what was read is in the core, what is to be written is in the
/// core, and a dropped future has taken nothing with it.
pub(crate) struct Driver<M> {
    socket: Socket,
    core: M,
    clock: Clock,
    trace: Trace,
    settle_octets: u64,
    /// While the connection is brought to rest: how many octets may have been received in all.
    most_received: u64,
    /// Octets written, to see a transfer move.
    written: u64,
    /// The TLS layer may hold octets that it took but has not passed on.
    unflushed: bool,
    eof: bool,
    ended: Option<Ended>,
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
            socket: Socket::Plain(stream),
            core,
            clock: Clock::new(timeouts),
            trace,
            settle_octets: limits.settle,
            most_received: u64::MAX,
            written: 0,
            unflushed: false,
            eof: false,
            ended: None,
        }
    }

    /// Has what is said recorded.
    pub(crate) fn recorded(mut self, dialogue: Option<Dialogue>) -> Self {
        self.trace.record(dialogue);
        self.trace.attach(self.core.input());
        self
    }

    pub(crate) const fn core(&self) -> &M {
        &self.core
    }

    pub(crate) const fn core_mut(&mut self) -> &mut M {
        &mut self.core
    }

    /// Whether a command can still be sent.
    pub(crate) const fn is_open(&self) -> bool {
        self.ended.is_none() && !self.eof
    }

    /// Gives up the socket. Whatever the core knew is gone with it.
    pub(crate) fn into_parts(self) -> (Box<dyn Stream>, M) {
        (self.socket.into_stream(), self.core)
    }

    /// Puts compression between the socket and the core. What the core has not understood yet is
    /// compressed already.
    #[cfg(feature = "compress")]
    pub(crate) fn compress(&mut self, growth: Growth) {
        let received = self.core.input().cut_all();
        let deflated = match std::mem::replace(&mut self.socket, Socket::closed()) {
            Socket::Plain(stream) => Deflated::new(stream, &received, growth),
            Socket::Deflated(ended) => ended.again(&received, growth),
        };
        self.socket = Socket::Deflated(Box::new(deflated));
    }

    /// The compression on top of the socket, if there is any.
    #[cfg(feature = "compress")]
    pub(crate) const fn deflated(&mut self) -> Option<&mut Deflated> {
        match &mut self.socket {
            Socket::Plain(_) => None,
            Socket::Deflated(stream) => Some(stream),
        }
    }

    /// Secrets to be taken out of the trace.
    pub(crate) fn scrub(&mut self, scrubber: Scrubber) {
        self.trace.scrub(scrubber);
    }

    /// The core's next event; meanwhile what it has to say is written.
    // An `async fn` would copy the event once more, which mostly has come already.
    pub(crate) fn event(&mut self) -> impl Future<Output = Result<M::Event, Broken>> {
        let waiting = Waiting { driver: self };
        poll_fn(move |cx| {
            let event = waiting.driver.poll_event(cx, &mut Until::Event);
            // Nothing else ends the wait.
            event.map(|event| event?.ok_or_else(|| Error::Closed.into()))
        })
    }

    /// The core's next event, for what is polled and is no future. Waiting counts from a poll that
    /// finds nothing to the one that finds something.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<M::Event, Broken>> {
        let polled = self.poll_event(cx, &mut Until::Event);
        if polled.is_ready() {
            self.clock.stop();
        }
        polled.map(|event| event.and_then(|event| event.ok_or_else(|| Error::Closed.into())))
    }

    /// The core's next event, or what `other` gives, whichever comes first.
    #[cfg(feature = "smtp")]
    pub(crate) async fn event_or<T>(
        &mut self,
        mut other: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Result<Either<M::Event, T>, Broken> {
        let waiting = Waiting { driver: self };
        poll_fn(|cx| match other(cx) {
            Poll::Ready(other) => Poll::Ready(Ok(Either::Other(other))),
            Poll::Pending => waiting.driver.poll_event(cx, &mut Until::Event).map(|event| {
                // Nothing else ends the wait.
                event?.map(Either::Event).ok_or_else(|| Error::Closed.into())
            }),
        })
        .await
    }

    /// Writes until at most `low` octets are left, or the core has an event.
    pub(crate) async fn drain(&mut self, low: usize) -> Result<Option<M::Event>, Broken> {
        let waiting = Waiting { driver: self };
        poll_fn(|cx| waiting.driver.poll_event(cx, &mut Until::Left(low))).await
    }

    /// Writes octets of the caller's behind what the core has to say, without a copy: how many of
    /// them the socket took, or the core's event, whichever comes first.
    #[cfg(feature = "smtp")]
    pub(crate) async fn pass(&mut self, octets: &[u8]) -> Result<Either<M::Event, usize>, Broken> {
        let mut taken = 0;
        let waiting = Waiting { driver: self };
        let mut until = Until::Passed(octets, &mut taken);
        let event = poll_fn(|cx| waiting.driver.poll_event(cx, &mut until)).await?;
        Ok(event.map_or(Either::Other(taken), Either::Event))
    }

    /// Brings the connection back to rest if a dropped future left something in flight, and takes
    /// in what came while nobody asked: the farewell of a server that closed an idle connection
    /// must not be read as the answer to the next command.
    ///
    /// # Errors
    /// It cannot, or not within the bounds: the connection is closed.
    pub(crate) async fn settle(&mut self) -> Result<(), Broken> {
        if self.ended.is_some() {
            return Err(self.gone());
        }
        if !self.core.in_flight() {
            return self.catch_up().await;
        }
        if self.core.abandon() == Abandon::Close {
            return Err(self.close());
        }
        self.most_received = self.core.input().received().saturating_add(self.settle_octets);
        let within = self.clock.timeouts().settle;
        let settled = tokio::time::timeout(within, async {
            while self.core.in_flight() {
                self.event().await?;
            }
            Ok(())
        })
        .await;
        self.most_received = u64::MAX;
        settled.unwrap_or_else(|_| Err(self.close()))?;
        self.catch_up().await
    }

    /// As many octets are read at most before others have their turn: a server that never stops, on a
    /// stream that always has more, would be read for ever, and no deadline be looked at.
    const AT_ONCE: u64 = 1 << 20;

    /// Reads what has come already, and does not wait for more. What is beyond the bound is read
    /// with the next answer.
    async fn catch_up(&mut self) -> Result<(), Broken> {
        let most = self.core.input().received().saturating_add(Self::AT_ONCE);
        poll_fn(|cx| {
            loop {
                // Nothing is in flight, so that no event is anybody's answer.
                while self.poll_core()?.is_some() {}
                if self.eof || self.core.input().received() >= most {
                    return Poll::Ready(Ok(()));
                }
                match self.poll_read(cx) {
                    Poll::Ready(Ok(0)) => self.end(),
                    Poll::Ready(Ok(octets)) => self.core.input().filled(octets),
                    Poll::Ready(Err(error)) if is_end(&error) => self.end(),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(self.failed(error))),
                    Poll::Pending => return Poll::Ready(Ok(())),
                }
            }
        })
        .await
    }

    /// Closes the connection, of which nothing may leave any longer, since nobody waits for what
    /// is in flight; what the next use of it ends in.
    pub(crate) fn close(&mut self) -> Broken {
        self.end_as(Ended::Abandoned);
        self.gone()
    }

    /// Closes the connection after a failure.
    pub(crate) fn close_after(&mut self, failure: &impl fmt::Display) {
        self.end_as(Ended::Failed(failure.to_string()));
    }

    /// Closes the connection behind a server that has said that it will.
    #[cfg(feature = "pop")]
    pub(crate) fn close_with_server(&mut self) {
        self.end_as(Ended::ByServer);
    }

    /// What any further use of a connection that has ended ends in: the first cause, since what
    /// followed from it explains nothing.
    pub(crate) fn gone(&self) -> Broken {
        Broken::Net(match &self.ended {
            None | Some(Ended::ByServer) => Error::Closed,
            Some(Ended::Abandoned) => Error::Abandoned,
            Some(Ended::Failed(after)) => Error::ClosedByClient { after: after.clone() },
        })
    }

    fn end_as(&mut self, ended: Ended) {
        self.ended.get_or_insert(ended);
        self.socket = Socket::closed();
    }

    #[inline]
    fn poll_core(&mut self) -> Result<Option<M::Event>, Broken> {
        if self.ended.is_some() {
            return Err(self.gone());
        }
        let event = self.core.poll();
        self.trace.server(self.core.input());
        event.map_err(|fault| self.faulty(fault))
    }

    fn faulty(&mut self, fault: Fault) -> Broken {
        self.close_after(&fault);
        Broken::Fault(fault)
    }

    /// One loop both reads and writes: a server that will not read before it has been read from
    /// would block a client that writes first.
    fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        until: &mut Until<'_>,
    ) -> Poll<Result<Option<M::Event>, Broken>> {
        let most = self.core.input().received().saturating_add(Self::AT_ONCE);
        loop {
            // Ahead of the core: the last octet of an alert may be an LF.
            if is_tls(self.core.input().unread()) && self.core.wait() == Wait::Greeting {
                return Poll::Ready(Err(self.faulty(Fault::TlsFromTheStart)));
            }
            match self.poll_core() {
                Ok(None) => {}
                told => return Poll::Ready(told),
            }
            if self.eof {
                self.end_as(Ended::ByServer);
                return Poll::Ready(Err(self.gone()));
            }
            if self.core.input().received() >= most {
                cx.waker().wake_by_ref();
                return self.poll_clock(cx, until);
            }
            let write_failure = match self.poll_write(cx).and_then(|()| self.reached(cx, until)) {
                Ok(true) => return Poll::Ready(Ok(None)),
                Ok(false) => None,
                Err(error) => Some(error),
            };
            match self.poll_read(cx) {
                Poll::Ready(Ok(0)) => self.end(),
                Poll::Ready(Ok(octets)) => {
                    self.core.input().filled(octets);
                    if self.core.input().received() > self.most_received {
                        return Poll::Ready(Err(self.close()));
                    }
                }
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
                    return self.poll_clock(cx, until);
                }
            }
        }
    }

    /// Whether the time is up.
    fn poll_clock<T>(
        &mut self,
        cx: &mut Context<'_>,
        until: &Until<'_>,
    ) -> Poll<Result<T, Broken>> {
        let moved = self.written + self.core.input().received();
        let wait = self.wait(until);
        self.clock.poll(cx, wait, moved).map(|after| {
            let passed = Error::Deadline { after };
            self.close_after(&passed);
            Err(passed.into())
        })
    }

    /// What the time is counted for.
    fn wait(&self, until: &Until<'_>) -> Wait {
        match until {
            // Of octets that are not its own the core does not know.
            Until::Passed(..) if self.core.wait() == Wait::Rest => Wait::Transfer,
            _ => self.core.wait(),
        }
    }

    /// Whether what is waited for has come about.
    fn reached(&mut self, cx: &mut Context<'_>, until: &mut Until<'_>) -> std::io::Result<bool> {
        match until {
            Until::Event => Ok(false),
            Until::Left(most) => {
                let left = self.core.output().unsent().len();
                Ok(left <= *most && (left > 0 || !self.unflushed))
            }
            Until::Passed(octets, taken) if self.core.output().is_empty() => {
                match self.socket.stream().poll_write(cx, octets) {
                    Poll::Ready(Ok(0)) => Err(std::io::ErrorKind::WriteZero.into()),
                    Poll::Ready(written) => {
                        **taken = written?;
                        self.core.output().passed(**taken);
                        self.written += **taken as u64;
                        self.unflushed = true;
                        Ok(true)
                    }
                    Poll::Pending => Ok(false),
                }
            }
            Until::Passed(..) => Ok(false),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> std::io::Result<()> {
        let output = self.core.output();
        if output.is_empty() && !self.unflushed {
            return Ok(());
        }
        self.trace.client(output);
        while !self.core.output().is_empty() {
            let stream = self.socket.stream();
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
        if self.unflushed
            && let Poll::Ready(flushed) = self.socket.stream().poll_flush(cx)
        {
            flushed?;
            self.unflushed = !self.core.output().is_empty();
        }
        Ok(())
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        // `read_buf` keeps nothing across polls: it reads or it does not.
        pin!(self.socket.stream().read_buf(self.core.input().room())).poll(cx)
    }

    /// The peer sends no more; its last words may still lie in the core.
    fn end(&mut self) {
        self.eof = true;
        self.core.eof();
        self.trace.end();
    }

    fn failed(&mut self, error: std::io::Error) -> Broken {
        // What a layer above the socket found is the peer's doing.
        match error.downcast::<Fault>() {
            Ok(fault) => self.faulty(fault),
            Err(error) => {
                let broke = Error::Io(error);
                self.close_after(&broke);
                broke.into()
            }
        }
    }
}

/// Whether the error is only a way of closing. Servers drop TLS connections without a
/// close_notify; nothing that the protocol frames is lost by it.
fn is_end(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}

/// Whether these octets begin a TLS record: an alert or a handshake, of any version (RFC 8446
/// section 5.1). No greeting begins so.
const fn is_tls(octets: &[u8]) -> bool {
    matches!(octets, [21 | 22, 3, 0..=4, ..])
}

/// Stops the clock when one future has ended, however it ends.
struct Waiting<'a, M> {
    driver: &'a mut Driver<M>,
}

impl<M> Drop for Waiting<'_, M> {
    fn drop(&mut self) {
        self.driver.clock.stop();
    }
}

#[cfg(all(test, feature = "pop"))]
mod tests;
