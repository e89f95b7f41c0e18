//! The lines behind the `+OK` of a multi-line command (RFC 1939 section 3).
//!
//! They gather at the front of the receive buffer, where their dots are taken out, and leave it
//! without a copy: whole at the lone dot, or piece by piece as they come.

use super::{Event, Response, Shape};
use crate::Limits;
use crate::fault::Fault;
use crate::pop::Reply;
use crate::pop::command::rows;
use crate::wire::dot::{Unstuffed, Unstuffer};
use crate::wire::{Heard, Input};

/// A multi-line answer that is being read.
pub(super) struct Text {
    kind: Kind,
    unstuffer: Unstuffer,
    /// So many octets at the front of the input are text.
    ready: usize,
    /// Octets that have left the input: passed on, or thrown away.
    gone: u64,
    /// The lone dot was read; with what the stuffing left it takes so many octets behind the text.
    end: Option<usize>,
}

enum Kind {
    Whole { reply: Reply, shape: Shape, most: Most },
    Streamed,
}

/// What may be kept.
struct Most {
    octets: u64,
    lines: usize,
    line: usize,
    /// So many octets more are read to get to the end of what is too large.
    beyond: u64,
}

impl Most {
    const fn new(shape: Shape, limits: &Limits) -> Self {
        let listing = Self {
            octets: limits.response as u64,
            lines: usize::MAX,
            line: limits.line,
            beyond: 0,
        };
        match shape {
            // One that is larger than LIST said must not end the session: every session would end
            // at the same one.
            Shape::Message => {
                Self { octets: limits.literal, line: usize::MAX, beyond: limits.settle, ..listing }
            }
            Shape::Capabilities => Self { lines: limits.lines, ..listing },
            _ => listing,
        }
    }

    fn check_lines(&self, text: &[u8]) -> Result<(), Fault> {
        let mut lines = 0;
        for line in rows(text) {
            lines += 1;
            if line.len() > self.line {
                return Err(Fault::LineTooLong { limit: self.line });
            }
            if lines > self.lines {
                return Err(Fault::ResponseTooLong { limit: self.lines as u64, unit: "lines" });
            }
        }
        Ok(())
    }
}

impl Text {
    /// Room for what is read at once of a streamed message.
    const PIECE: usize = 64 * 1024;

    /// `crlf`: how the status line ended.
    pub(super) fn whole(
        reply: Reply,
        shape: Shape,
        limits: &Limits,
        crlf: bool,
        input: &mut Input,
    ) -> Self {
        let most = Most::new(shape, limits);
        // Room for several messages at once, since each is copied out of it if it is small. Many
        // servers say `+OK 120 octets`: that saves allocations and need not be right.
        let announced = usize::try_from(reply.octets().unwrap_or(0).min(most.octets)).unwrap_or(0);
        let octets = if shape == Shape::Message { announced.max(Self::PIECE) } else { announced };
        input.expect(octets.saturating_sub(input.unread().len()));
        Self::new(Kind::Whole { reply, shape, most }, crlf)
    }

    /// See [`whole`](Self::whole). It may have any size.
    pub(super) const fn streamed(crlf: bool) -> Self {
        Self::new(Kind::Streamed, crlf)
    }

    const fn new(kind: Kind, crlf: bool) -> Self {
        Self { kind, unstuffer: Unstuffer::new(crlf), ready: 0, gone: 0, end: None }
    }

    /// Reads on. The event is the last one unless it is a piece.
    ///
    /// # Errors
    /// There is more than may be kept, and its end is far.
    pub(super) fn read(
        &mut self,
        input: &mut Input,
        abandoned: bool,
    ) -> Result<Option<Event>, Fault> {
        if self.end.is_none() {
            match self.unstuffer.unstuff(input, self.ready) {
                Unstuffed::More { text } => self.ready = text,
                Unstuffed::End { text, skip } => (self.ready, self.end) = (text, Some(skip)),
            }
        }
        let length = self.gone + self.ready as u64;
        let streamed = matches!(self.kind, Kind::Streamed);
        let too_large = match &self.kind {
            Kind::Whole { most, .. } if length > most.octets => {
                if length - most.octets > most.beyond {
                    return Err(Fault::ResponseTooLong { limit: most.octets, unit: "octets" });
                }
                Some((length, most.octets))
            }
            _ => None,
        };
        if self.ready > 0 && (streamed || abandoned || too_large.is_some()) {
            let piece = input.cut(self.ready);
            (self.gone, self.ready) = (length, 0);
            if streamed && !abandoned {
                return Ok(Some(Event::Piece(piece)));
            }
        }
        let Some(skip) = self.end else {
            if streamed {
                input.expect(Self::PIECE);
            }
            return Ok(None);
        };
        input.expect(0);
        let text = input.cut_owned(self.ready);
        input.skip(skip);
        Ok(Some(match &self.kind {
            Kind::Streamed => {
                input.hear(|| Heard::Message(length));
                Event::End
            }
            Kind::Whole { reply, shape, most } => {
                input.hear(|| match shape {
                    Shape::Message => Heard::Message(length),
                    _ => Heard::Listing(text.to_vec()),
                });
                if *shape != Shape::Message && !abandoned {
                    most.check_lines(&text)?;
                }
                Event::Response(Response { reply: reply.clone(), text, too_large })
            }
        }))
    }
}
