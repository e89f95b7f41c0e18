//! A message on its way to the server.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use tokio::io::{AsyncRead, ReadBuf};

use crate::Stage;
use crate::octets::from_octets;

use super::Error;
use super::command::Command;
use super::proto::Step;
use super::session::Session;

/// A message to be [stored](crate::ImapClient::append): octets in memory, or somewhere they are
/// read from while they are sent.
///
/// IMAP announces the size before the first octet, so that of a reader or a stream must be known.
/// It is taken at its word: if there are fewer octets or more, the connection is closed before the
/// server has a whole message, and nothing is stored.
///
/// # Example: a file
/// ```no_run
/// # async fn store(imap: &mut mailbearer::ImapClient) -> Result<(), Box<dyn std::error::Error>> {
/// use mailbearer::imap::{AppendOptions, Upload};
///
/// let file = tokio::fs::File::open("message.eml").await?;
/// let octets = file.metadata().await?.len();
/// let message = Upload::reader(file, octets).progress(|sent| println!("{sent} octets sent"));
/// imap.append("Archive", message, AppendOptions::new()).await?;
/// # Ok(()) }
/// ```
pub struct Upload<'a> {
    source: Source<'a>,
    octets: u64,
    progress: Option<Box<dyn FnMut(u64) + Send + 'a>>,
    /// There may be NUL in it.
    binary: bool,
}

enum Source<'a> {
    Lent(&'a [u8]),
    Shared(Bytes),
    Reader(Pin<Box<dyn AsyncRead + Send + 'a>>),
    Stream(Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send + 'a>>),
}

impl<'a> Upload<'a> {
    /// The `octets` that `reader` gives.
    pub fn reader(reader: impl AsyncRead + Send + 'a, octets: u64) -> Self {
        Self::new(Source::Reader(Box::pin(reader)), octets)
    }

    /// The `octets` that `stream` gives, in pieces of any size.
    pub fn stream(stream: impl Stream<Item = io::Result<Bytes>> + Send + 'a, octets: u64) -> Self {
        Self::new(Source::Stream(Box::pin(stream)), octets)
    }

    fn new(source: Source<'a>, octets: u64) -> Self {
        Self { source, octets, progress: None, binary: false }
    }

    /// Calls `progress` with the octets that were handed to the connection so far, each time that
    /// there are more. What is in memory and no longer than 64 KiB leaves with its command, and is
    /// reported once, when the server has stored it.
    pub fn progress(mut self, progress: impl FnMut(u64) + Send + 'a) -> Self {
        self.progress = Some(Box::new(progress));
        self
    }

    /// There may be NUL in what a reader or a stream gives, as there is where parts are sent without
    /// transfer encoding. Only servers with the capability BINARY (RFC 3516) take that; others are
    /// not even asked. Of octets in memory it is known.
    pub const fn binary(mut self) -> Self {
        self.binary = true;
        self
    }

    /// Its octets.
    pub(crate) const fn octets(&self) -> u64 {
        self.octets
    }

    /// Whether a NUL is in it, or may be.
    pub(crate) fn holds_nul(&self) -> bool {
        match &self.source {
            Source::Lent(octets) => memchr::memchr(0, octets).is_some(),
            Source::Shared(octets) => memchr::memchr(0, octets).is_some(),
            Source::Reader(_) | Source::Stream(_) => self.binary,
        }
    }

    /// All of it, if it is in memory and so short that it goes out with its command.
    pub(crate) fn short(&self) -> Option<Bytes> {
        match &self.source {
            Source::Lent(octets) if octets.len() <= CHUNK => Some(Bytes::copy_from_slice(octets)),
            Source::Shared(octets) if octets.len() <= CHUNK => Some(octets.clone()),
            _ => None,
        }
    }

    fn report(&mut self, sent: u64) {
        if let Some(progress) = &mut self.progress {
            progress(sent);
        }
    }
}

/// As much is read at a time.
const CHUNK: usize = 64 * 1024;

impl Session {
    /// Runs a command that carries messages, in the order in which they stand in it.
    pub(crate) async fn run_upload<C: Command>(
        &mut self,
        mut command: C,
        messages: Vec<Upload<'_>>,
        stage: Stage,
    ) -> Result<C::Output, Error> {
        self.rest(stage).await?;
        let line = self.encode(&command)?;
        self.settle(stage).await?;
        let tag = self.start(line, &command)?;
        let mut buffer = Vec::new();
        // Those that went out with the command are reported when it has been carried out.
        let (messages, mut gone): (Vec<_>, Vec<_>) =
            messages.into_iter().partition(|message| message.short().is_none());
        let mut messages: VecDeque<_> = messages.into_iter().map(Reading::new).collect();
        loop {
            // What stands before a message may be too long to be written at once.
            let step = self.drain(stage).await?;
            let is_wanted = self.core().wanted().is_some();
            let step = match (step, messages.front_mut().filter(|_| is_wanted)) {
                (Some(step), _) => step,
                (None, None) => self.step(stage).await?,
                (None, Some(message)) => {
                    match self.listen_and_read(&mut message.upload, &mut buffer, stage).await? {
                        Heard::Step(step) => step,
                        Heard::Octets(octets) => {
                            let octets = octets.and_then(|octets| message.release(octets));
                            let octets = octets.map_err(|source| {
                                let error = Error::Upload { stage, source };
                                self.driver_mut().close_after(&error);
                                error
                            })?;
                            self.core_mut().feed(&octets);
                            if message.is_over {
                                messages.pop_front();
                            }
                            continue;
                        }
                    }
                }
            };
            match step {
                Step::Data { tag: whose, frame } if whose == tag => {
                    self.hand(&mut command, frame);
                }
                Step::Done { tag: whose, reply } if whose == tag => {
                    let reply = self.judge(reply, stage)?;
                    gone.iter_mut().for_each(|message| message.report(message.octets));
                    return Ok(command.finish(reply));
                }
                _ => {}
            }
        }
    }

    /// Waits until all that was handed in is with the connection, or the server says something.
    async fn drain(&mut self, stage: Stage) -> Result<Option<Step>, Error> {
        match self.driver_mut().drain(0).await.transpose() {
            Some(event) => self.heard(event, stage).map(Some),
            None => Ok(None),
        }
    }

    /// Reads what comes next of the message, and meanwhile listens to the server, which may have
    /// enough of it.
    async fn listen_and_read(
        &mut self,
        message: &mut Upload<'_>,
        buffer: &mut Vec<u8>,
        stage: Stage,
    ) -> Result<Heard, Error> {
        let heard = {
            let mut event = pin!(self.driver_mut().event());
            poll_fn(|cx| match event.as_mut().poll(cx) {
                Poll::Ready(event) => Poll::Ready(Err(event)),
                Poll::Pending => message.source.poll_chunk(cx, buffer).map(Ok),
            })
            .await
        };
        match heard {
            Ok(octets) => Ok(Heard::Octets(octets)),
            Err(event) => self.heard(event, stage).map(Heard::Step),
        }
    }
}

/// What came first.
enum Heard {
    Step(Step),
    Octets(io::Result<Bytes>),
}

/// A message that is being read.
struct Reading<'a> {
    upload: Upload<'a>,
    read: u64,
    /// The octets that make it whole. They are kept back until the reader says that they are the
    /// last: of what is too long the server must not have a beginning that looks whole.
    last: Bytes,
    is_over: bool,
}

impl<'a> Reading<'a> {
    fn new(mut upload: Upload<'a>) -> Self {
        upload.binary = upload.holds_nul();
        Self { upload, read: 0, last: Bytes::new(), is_over: false }
    }

    /// What may leave now that these octets were read, which are none at the end.
    fn release(&mut self, octets: Bytes) -> io::Result<Bytes> {
        self.check(&octets)?;
        self.read += octets.len() as u64;
        let leaving = if octets.is_empty() {
            self.is_over = true;
            std::mem::take(&mut self.last)
        } else if self.read == self.upload.octets {
            self.last = octets;
            return Ok(Bytes::new());
        } else {
            octets
        };
        self.upload.report(self.read);
        Ok(leaving)
    }

    /// Whether these octets may come behind those that were read.
    fn check(&self, octets: &Bytes) -> io::Result<()> {
        let (read, announced) = (self.read, self.upload.octets);
        if octets.is_empty() && read < announced {
            let why = format!("it ended after {read} octets, and {announced} were announced");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
        }
        if read.saturating_add(octets.len() as u64) > announced {
            let why = format!("it is longer than the {announced} octets that were announced");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        if !self.upload.binary && memchr::memchr(0, octets).is_some() {
            let why = "there is a NUL in it, which a literal cannot hold";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(())
    }
}

impl fmt::Debug for Upload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("octets", &self.octets).finish_non_exhaustive()
    }
}

from_octets!(Upload);

impl<'a> From<&'a [u8]> for Upload<'a> {
    fn from(octets: &'a [u8]) -> Self {
        Self::new(Source::Lent(octets), octets.len() as u64)
    }
}

impl From<Bytes> for Upload<'_> {
    fn from(octets: Bytes) -> Self {
        let length = octets.len() as u64;
        Self::new(Source::Shared(octets), length)
    }
}

impl From<Vec<u8>> for Upload<'_> {
    fn from(octets: Vec<u8>) -> Self {
        Self::from(Bytes::from(octets))
    }
}

impl Source<'_> {
    /// The next octets; none at the end.
    fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<Bytes>> {
        Poll::Ready(match self {
            Self::Lent(octets) => {
                let (chunk, rest) = octets.split_at(octets.len().min(CHUNK));
                *octets = rest;
                Ok(Bytes::copy_from_slice(chunk))
            }
            Self::Shared(octets) => Ok(octets.split_to(octets.len().min(CHUNK))),
            Self::Reader(reader) => {
                buffer.resize(CHUNK, 0);
                let mut buffer = ReadBuf::new(buffer);
                let read = ready!(reader.as_mut().poll_read(cx, &mut buffer));
                read.map(|()| Bytes::copy_from_slice(buffer.filled()))
            }
            Self::Stream(stream) => loop {
                match ready!(stream.as_mut().poll_next(cx)) {
                    None => break Ok(Bytes::new()),
                    Some(Ok(octets)) if octets.is_empty() => {}
                    Some(octets) => break octets,
                }
            },
        })
    }
}
