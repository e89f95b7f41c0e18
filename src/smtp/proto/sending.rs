//! The messages in flight, first in first out.

use crate::fault::{Fault, Unwritable};
use crate::machine::Abandon;
use crate::smtp::Envelope;
use crate::smtp::receipt::Receipt;
use crate::smtp::reply::Arrival;

use super::transaction::{Next, Plan, Transaction};
use super::{Core, Ended, Event};

/// Transactions that may be in flight at a time, so that their receipts are bounded.
const MOST_IN_FLIGHT: usize = 64;

/// A message that was in flight when the connection was lost.
#[derive(Debug)]
pub(crate) enum Lost {
    /// The server has all of it, and has not answered for it.
    PerhapsDelivered(Receipt),
    NotDelivered,
}

impl Core {
    /// Whether another message may be begun: none is in flight, or all there is to write for the
    /// others was written and replies need not be waited for.
    pub(crate) fn may_send(&self, pipelining: bool) -> bool {
        match self.sending.back() {
            None => true,
            Some(last) => {
                pipelining && last.is_written() && self.sending.len() < MOST_IN_FLIGHT && !self.eof
            }
        }
    }

    /// Begins a message.
    ///
    /// # Errors
    /// Part of its envelope cannot be written; nothing was.
    pub(crate) fn send(&mut self, envelope: &Envelope, plan: Plan) -> Result<(), Unwritable> {
        let mark = self.output.mark();
        let clear = self.sending.back().is_some_and(Transaction::leaves_chunks);
        match Transaction::start(envelope, plan, clear, &mut self.output) {
            Ok(transaction) => {
                self.transactions = self.transactions.saturating_add(1);
                self.sending.push_back(transaction);
                Ok(())
            }
            Err(unwritable) => {
                self.output.take_back(mark);
                Err(unwritable)
            }
        }
    }

    /// Whether a message is in flight.
    pub(crate) fn is_sending(&self) -> bool {
        !self.sending.is_empty()
    }

    /// Whether content of the message begun last is wanted now.
    pub(crate) fn takes_content(&self) -> bool {
        self.sending.back().is_some_and(Transaction::takes_content)
    }

    /// Whether that content may go to the socket from where it is, but for its last octet.
    pub(crate) fn content_may_pass(&self) -> bool {
        self.sending.back().is_some_and(Transaction::content_may_pass)
    }

    /// Whether all content of the message begun last was handed over, or no more of it is wanted.
    pub(crate) fn content_is_over(&self) -> bool {
        self.sending.back().is_none_or(Transaction::content_is_over)
    }

    /// Whether all content of the message begun last was handed over.
    pub(crate) fn content_is_written(&self) -> bool {
        self.sending.back().is_some_and(Transaction::has_outcome)
    }

    /// Takes the message begun last back, if none of its content has left: what the server
    /// answers to its envelope is still to come. Otherwise it is gone, nothing more of it leaves,
    /// and the connection is of no use behind the messages before it.
    pub(crate) fn take_back_last(&mut self) -> bool {
        self.staged.clear();
        let Some(last) = self.sending.back_mut() else { return false };
        if last.take_back(&mut self.output) {
            return true;
        }
        self.output.take_back_unsent();
        self.half_way = true;
        self.sending.pop_back();
        false
    }

    /// Makes room in the send buffer at once instead of by and by: `octets` with what it holds.
    pub(crate) fn make_room(&mut self, octets: usize) {
        self.output.content(|buffer| buffer.reserve_exact(octets.saturating_sub(buffer.len())));
    }

    /// A piece of the content, while it [is wanted](Self::takes_content).
    pub(crate) fn content(&mut self, piece: &[u8]) {
        if let Some(transaction) = self.sending.back_mut() {
            transaction.content(piece, &mut self.output, &mut self.staged);
        }
    }

    /// The content is complete.
    pub(crate) fn end_content(&mut self) {
        if let Some(transaction) = self.sending.back_mut() {
            transaction.end(&mut self.output, &mut self.staged);
        }
    }

    /// The connection is lost: what is known of the first message in flight, and of the next when
    /// asked again.
    pub(crate) fn lost(&mut self) -> Option<Lost> {
        let transaction = self.sending.pop_front()?;
        self.staged = Vec::new();
        Some(match transaction.may_be_delivered(&self.output) {
            true => Lost::PerhapsDelivered(transaction.into_receipt()),
            false => Lost::NotDelivered,
        })
    }

    /// How a message ended whose sender had gone; of several, the one that was sent first.
    pub(crate) fn take_left_behind(&mut self) -> Option<Ended> {
        self.left_behind.pop_front()
    }

    /// Whether a message was left half way, so that the connection has to be closed: nothing else
    /// keeps the server from delivering what it has of it.
    pub(crate) const fn is_half_way(&self) -> bool {
        self.half_way
    }

    /// A whole reply came for the first message in flight.
    pub(super) fn transaction_replied(&mut self, reply: Arrival) -> Result<Option<Event>, Fault> {
        let alone = self.sending.len() == 1;
        let Some(transaction) = self.sending.front_mut() else { return Ok(None) };
        self.step = transaction.stage();
        if transaction.keeps_words(reply.head) {
            transaction.words().scrub_since(reply.mark, &self.scrubber);
        }
        let next = transaction.replied(reply, alone, &mut self.output)?;
        // Nothing is owed when the first chunk is asked for. Whatever else came would be taken for
        // the answer to it.
        if matches!(next, Next::Content) && transaction.begins_with_chunks() {
            self.check_quiet()?;
        }
        Ok(self.after_transaction(next))
    }

    pub(super) fn after_transaction(&mut self, next: Next) -> Option<Event> {
        let (refused, at_rest) = match next {
            Next::Wait => return None,
            Next::Content => return Some(Event::SendContent),
            Next::Stop => {
                self.staged.clear();
                return Some(Event::StopContent);
            }
            Next::Closing(reply) => return Some(self.closing(reply)),
            Next::Over { refused, at_rest } => (refused, at_rest),
        };
        self.stuck |= !at_rest;
        let transaction = self.sending.pop_front()?;
        let (abandoned, outcome) = (transaction.is_abandoned(), transaction.has_outcome());
        let ended = Ended { receipt: transaction.into_receipt(), refused, at_rest };
        if !abandoned {
            return Some(Event::Sent(ended));
        }
        if outcome {
            self.left_behind.push_back(ended);
        }
        Some(Event::Settled)
    }

    /// Nobody waits any longer. What has left whole is answered for; what has not begun to leave
    /// is taken back; of what has left in part, no octet more may leave.
    pub(super) fn abandon_sending(&mut self) -> Abandon {
        for transaction in &mut self.sending {
            transaction.abandon();
        }
        self.staged = Vec::new();
        let first = self.sending.iter().position(|one| !one.is_handed_over(&self.output));
        let Some(first) = first else { return Abandon::Drain };
        let Some(transaction) = self.sending.get_mut(first) else { return Abandon::Drain };
        if transaction.take_back(&mut self.output) {
            self.sending.truncate(first + 1);
            return Abandon::Drain;
        }
        self.output.take_back_unsent();
        self.half_way = true;
        if first == 0 {
            return Abandon::Close;
        }
        self.sending.truncate(first);
        Abandon::Drain
    }
}
