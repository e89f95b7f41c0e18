//! The receive buffer.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

use super::Heard;

/// Octets received and not yet cut into frames.
///
/// It remembers how far a line end was searched for, so that a peer that sends one octet at a time
/// costs linear time. Frames are cut off as [`Bytes`] without copying.
#[derive(Debug, Default)]
pub(crate) struct Input {
    buffer: BytesMut,
    /// No line feed lies in `buffer[..searched]` from where the current search began.
    searched: usize,
    /// So many octets more are to come, nearly all of them for certain; room is made for them at
    /// once.
    expected: usize,
    /// Octets ever received.
    received: u64,
    /// What was read, for the trace, if it is on.
    heard: Option<Vec<Heard>>,
}

impl Input {
    /// Room made at once.
    const ROOM: usize = 16 * 1024;
    /// Room below which more is made, although nothing is known of what comes.
    const LEAST_ROOM: usize = 4 * 1024;
    /// Room below which more is made for what is to come.
    const LOW: usize = 64 * 1024;
    /// The most room made on the peer's word alone.
    const MOST_ROOM: usize = 4 * 1024 * 1024;

    /// The buffer to read into; it has room.
    pub(crate) fn room(&mut self) -> &mut BytesMut {
        let free = self.buffer.capacity() - self.buffer.len();
        if free < self.expected.clamp(Self::LEAST_ROOM, Self::LOW) {
            self.buffer.reserve(self.expected.clamp(Self::ROOM, Self::MOST_ROOM));
        }
        &mut self.buffer
    }

    /// `octets` were read into [`room`](Self::room).
    pub(crate) fn filled(&mut self, octets: usize) {
        self.received += octets as u64;
        self.expected = self.expected.saturating_sub(octets);
    }

    /// Adds octets directly.
    #[cfg(test)]
    pub(crate) fn push(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
        self.filled(octets.len());
    }

    /// Says that `octets` more are to come, so that reading them takes few allocations.
    pub(crate) const fn expect(&mut self, octets: usize) {
        self.expected = octets;
    }

    /// Octets ever received.
    pub(crate) const fn received(&self) -> u64 {
        self.received
    }

    /// What is buffered.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.buffer
    }

    /// What is buffered, to be changed in place.
    pub(crate) fn unread_mut(&mut self) -> &mut [u8] {
        &mut self.buffer
    }

    /// Keeps the first `octets` only.
    pub(crate) fn truncate(&mut self, octets: usize) {
        self.buffer.truncate(octets);
    }

    /// Position of the first line feed at or behind `from`. Octets already searched in the same
    /// frame are not searched again.
    #[inline]
    pub(crate) fn line_feed(&mut self, from: usize) -> Option<usize> {
        let start = self.searched.max(from);
        let found = match self.buffer.get(start..) {
            // From a peer that sends single octets: a search costs ten times as much as a look.
            Some([octet]) => (*octet == b'\n').then_some(0),
            Some(rest) => memchr(b'\n', rest),
            None => None,
        };
        match found {
            Some(at) => Some(start + at),
            None => {
                self.searched = self.buffer.len().max(from);
                None
            }
        }
    }

    /// Cuts off the first `octets`.
    pub(crate) fn cut(&mut self, octets: usize) -> Bytes {
        self.searched = 0;
        self.buffer.split_to(octets.min(self.buffer.len())).freeze()
    }

    /// Cuts off the first `octets` as a value of its own, which keeps at most twice its size in
    /// memory, whatever came before or behind it. At most one copy is made of each octet.
    pub(crate) fn cut_owned(&mut self, octets: usize) -> Bytes {
        let octets = octets.min(self.buffer.len());
        let rest = self.buffer.len() - octets;
        if octets < rest || octets < self.buffer.capacity() / 2 {
            let copied = Bytes::copy_from_slice(&self.buffer[..octets]);
            self.skip(octets);
            return copied;
        }
        self.searched = 0;
        let rest = BytesMut::from(&self.buffer[octets..]);
        let mut cut = std::mem::replace(&mut self.buffer, rest);
        cut.truncate(octets);
        cut.freeze()
    }

    /// Throws the first `octets` away.
    pub(crate) fn skip(&mut self, octets: usize) {
        self.searched = 0;
        let octets = octets.min(self.buffer.len());
        self.buffer.advance(octets);
    }

    /// Cuts off everything, for the half line at the end of a connection.
    pub(crate) fn cut_all(&mut self) -> Bytes {
        self.cut(self.buffer.len())
    }

    /// Starts to keep lines for the trace.
    pub(crate) fn keep_heard(&mut self) {
        self.heard = Some(Vec::new());
    }

    /// Keeps something for the trace; `what` runs only if the trace is on.
    pub(crate) fn hear(&mut self, what: impl FnOnce() -> Heard) {
        if let Some(heard) = &mut self.heard {
            heard.push(what());
        }
    }

    /// Keeps the first octets of the buffer, which are a line that came so many times, for the trace.
    #[inline]
    pub(crate) fn hear_line(&mut self, octets: usize, times: usize) {
        if self.heard.is_some() {
            self.keep_line(octets, times);
        }
    }

    #[cold]
    fn keep_line(&mut self, octets: usize, times: usize) {
        let line = Heard::Line(self.buffer.get(..octets).unwrap_or_default().to_vec());
        if let Some(heard) = &mut self.heard {
            heard.extend(std::iter::repeat_n(line, times));
        }
    }

    /// What was kept since the last call.
    pub(crate) fn take_heard(&mut self) -> Vec<Heard> {
        self.heard.as_mut().map(std::mem::take).unwrap_or_default()
    }
}

#[cfg(test)]
impl Input {
    pub(crate) const fn searched_up_to(&self) -> usize {
        self.searched
    }
}
