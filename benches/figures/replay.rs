//! A peer that costs next to nothing: canned answers, each given when the client has written what
//! it answers. No task, no allocation and no parsing, so that what is measured is the client.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use mailbearer::BoxFuture;
use mailbearer::net::{Connection, Dial};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Step {
    /// What the client has written when its turn is over ends in this: at most eight octets.
    after: &'static [u8],
    octets: Arc<[u8]>,
    /// How often `octets` are said.
    times: u64,
    /// What follows them behind the tag of the client's last command.
    tagged: &'static [u8],
}

/// What `octets` answer, once the client has written something that ends in `after`.
pub(crate) fn after(after: &'static [u8], octets: impl Into<Vec<u8>>) -> Step {
    assert!(after.len() <= 8);
    Step { after, octets: octets.into().into(), times: 1, tagged: b"" }
}

impl Step {
    /// The same, said over and over.
    pub(crate) fn times(self, times: u64) -> Self {
        Self { times, ..self }
    }

    /// The same, and then the client's tag and this.
    pub(crate) fn tagged(self, tagged: &'static [u8]) -> Self {
        Self { tagged, ..self }
    }
}

/// Dials the replay, in clear text and on loopback as far as the client can tell.
#[derive(Debug, Clone)]
pub(crate) struct Replay {
    steps: Vec<Step>,
    /// The step that follows the last one.
    again_from: usize,
    /// The most that one read gives.
    read: usize,
}

impl Replay {
    /// `login` once, then `session` over and over.
    pub(crate) fn new(
        login: impl Into<Vec<Step>>,
        session: impl IntoIterator<Item = Step>,
    ) -> Self {
        let mut steps = login.into();
        let again_from = steps.len();
        steps.extend(session);
        Self { steps, again_from, read: usize::MAX }
    }

    /// The same with at most `octets` in one read.
    pub(crate) fn in_reads_of(self, octets: usize) -> Self {
        Self { read: octets, ..self }
    }

    /// The stream itself, for what is written by hand.
    pub(crate) fn stream(&self) -> Player {
        let mut player = Player {
            replay: self.clone(),
            step: 0,
            times: 0,
            at: 0,
            ending: Vec::with_capacity(128),
            ending_at: 0,
            recent: 0,
            speaking: false,
        };
        player.heard(b"");
        player
    }
}

impl Dial for Replay {
    fn dial<'a>(&'a self, _: &'a str, port: u16) -> BoxFuture<'a, io::Result<Connection>> {
        let peer = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Box::pin(async move { Ok(Connection::new(self.stream()).with_peer(peer)) })
    }
}

/// A replay under way.
#[derive(Debug)]
pub(crate) struct Player {
    replay: Replay,
    step: usize,
    /// How often the octets of the step have been said, and how many of them since.
    times: u64,
    at: usize,
    /// The tag and what follows it.
    ending: Vec<u8>,
    ending_at: usize,
    /// The last eight octets heard.
    recent: u64,
    /// The client's turn is over.
    speaking: bool,
}

impl Player {
    fn heard(&mut self, octets: &[u8]) {
        let start = octets.len().saturating_sub(8);
        self.recent = fold(self.recent, &octets[start..]);
        let step = &self.replay.steps[self.step];
        let mask = u64::MAX.checked_shr(64 - 8 * step.after.len() as u32).unwrap_or(0);
        if self.speaking || self.recent & mask != fold(0, step.after) {
            return;
        }
        self.speaking = true;
        self.ending.clear();
        self.ending_at = 0;
        if !step.tagged.is_empty() {
            let lines = octets.strip_suffix(b"\r\n").unwrap_or(octets);
            let line = lines.rsplit(|octet| *octet == b'\n').next().unwrap_or_default();
            let tag = line.split(|octet| *octet == b' ').next().unwrap_or_default();
            self.ending.extend_from_slice(tag);
            self.ending.extend_from_slice(step.tagged);
        }
    }

    /// A piece of what is to be said; empty when all was.
    fn piece(&mut self, most: usize) -> &[u8] {
        let step = &self.replay.steps[self.step];
        if self.times < step.times && !step.octets.is_empty() {
            let start = self.at;
            let end = step.octets.len().min(start + most);
            self.at = end;
            if end == step.octets.len() {
                self.at = 0;
                self.times += 1;
            }
            return &step.octets[start..end];
        }
        let start = self.ending_at;
        self.ending_at = self.ending.len().min(start + most);
        &self.ending[start..self.ending_at]
    }

    /// Goes on to the next step if this one was said.
    fn turn(&mut self) {
        let step = &self.replay.steps[self.step];
        let said = step.octets.is_empty() || self.times == step.times;
        if said && self.ending_at == self.ending.len() {
            self.speaking = false;
            (self.times, self.at) = (0, 0);
            self.step += 1;
            if self.step == self.replay.steps.len() {
                self.step = self.replay.again_from;
            }
        }
    }
}

fn fold(before: u64, octets: &[u8]) -> u64 {
    octets.iter().fold(before, |recent, octet| recent << 8 | u64::from(*octet))
}

impl AsyncRead for Player {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.speaking {
            // Nobody will wake the client: it writes next, or hangs until its deadline.
            return Poll::Pending;
        }
        let mut most = self.replay.read.min(buffer.remaining());
        while most > 0 {
            let piece = self.piece(most);
            if piece.is_empty() {
                break;
            }
            buffer.put_slice(piece);
            most -= piece.len();
        }
        self.turn();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Player {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.heard(octets);
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
