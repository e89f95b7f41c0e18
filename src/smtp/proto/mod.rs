//! The SMTP core: replies paired with commands by their count, and nothing else.
//!
//! ```text
//!   Greeting ──220──► Rest ◄──reply── Command    EHLO, STARTTLS, NOOP, RSET, QUIT
//!                      │  ◄──verdict── Auth      AUTH and its challenges
//!                      └─────────────► Sending   MAIL, RCPT…, DATA, content   (transaction.rs)
//! ```
//!
//! A 421 may come at any time, in place of any reply, and ends the session (RFC 5321 section
//! 3.8). It is an event of its own, so no command needs to know.

pub(crate) mod parameters;
#[cfg(test)]
pub(crate) mod script;
pub(crate) mod transaction;

use std::borrow::Cow;

use crate::fault::{Fault, Unwritable};
use crate::machine::{Abandon, Machine, Wait};
use crate::secret::Scrubber;
use crate::smtp::receipt::Receipt;
use crate::smtp::reply::{Head, Reply, ReplyParser};
use crate::wire::{Input, Output};
use crate::{Limits, sasl};
use transaction::{Next, Transaction};

/// An SMTP session, from the greeting on.
#[derive(Debug)]
pub(crate) struct Core {
    input: Input,
    output: Output,
    parser: ReplyParser,
    /// The words of the reply that is being read, but for those that go into a receipt.
    words: String,
    /// Where in its buffer that reply began.
    mark: usize,
    in_flight: InFlight,
    /// Transactions begun.
    transactions: u32,
    /// Replies taken, so that every wait for one has a number of its own.
    replies: u32,
    /// Octets of one line of a reply.
    longest_line: usize,
    /// Knows the credential, which a server may quote as long as the session lasts.
    scrubber: Scrubber,
    /// How a message ended that nobody waited for any longer.
    left_behind: Option<Sent>,
    last_words: Option<Reply<'static>>,
    /// The step of the transaction that was under way last.
    step: &'static str,
    /// The server is in the middle of a message, or has lost count.
    stuck: bool,
    eof: bool,
}

#[derive(Debug)]
enum InFlight {
    Rest,
    Greeting,
    Command,
    Auth(Box<sasl::Session>),
    Sending(Transaction),
}

/// What the core reports.
#[derive(Debug)]
pub(crate) enum Event {
    /// The greeting, or the answer to the one command in flight.
    Replied(Reply<'static>),
    /// The final answer to AUTH, with the exchange that led to it.
    Authenticated(Reply<'static>, Box<sasl::Session>),
    /// The server waits for the content of the message.
    SendContent,
    /// The transaction is over.
    Sent(Sent),
    /// What was in flight came to its end, and nobody waited for it.
    Settled,
    /// The server closes the connection; see [`Core::last_words`].
    Closing,
}

/// How a transaction ended.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) receipt: Receipt,
    /// What was refused. None: the final reply was 2xx, and there was somebody to deliver to.
    pub(crate) refused: Option<&'static str>,
    /// Another command can follow.
    pub(crate) at_rest: bool,
}

impl Core {
    /// A session that begins with the server's greeting. `confidential`: secrets may be written.
    pub(crate) fn before_greeting(confidential: bool, limits: &Limits) -> Self {
        Self { in_flight: InFlight::Greeting, ..Self::after_greeting(confidential, limits) }
    }

    /// A session whose greeting was read before TLS. RFC 3207 section 4.2: the server does not
    /// repeat it, and nothing that was said before counts.
    pub(crate) fn after_greeting(confidential: bool, limits: &Limits) -> Self {
        Self {
            input: Input::default(),
            output: Output::new(confidential),
            parser: ReplyParser::new(limits.line, limits.lines),
            words: String::new(),
            mark: 0,
            in_flight: InFlight::Rest,
            transactions: 0,
            replies: 0,
            longest_line: limits.line,
            scrubber: Scrubber::default(),
            left_behind: None,
            last_words: None,
            step: transaction::MAIL,
            stuck: false,
            eof: false,
        }
    }

    /// Sends a command that is answered by one reply.
    pub(crate) fn command(&mut self, line: &str) -> Result<(), Unwritable> {
        self.output.command(line.as_bytes())?;
        self.in_flight = InFlight::Command;
        Ok(())
    }

    /// From now on a code behind the code of a reply is words like others.
    pub(crate) const fn leave_enhanced_codes(&mut self) {
        self.parser.leave_enhanced_codes();
    }

    /// Begins AUTH. `inline`: the initial response stands on the command line.
    pub(crate) fn auth(
        &mut self,
        mut session: Box<sasl::Session>,
        inline: bool,
    ) -> Result<(), Unwritable> {
        let mut line = format!("AUTH {}", session.mechanism());
        match session.initial_response().filter(|_| inline) {
            Some(response) => {
                line.push(' ');
                self.output.secret(line.as_bytes(), response)?;
                session.initial_response_sent();
            }
            None => self.output.command(line.as_bytes())?,
        }
        self.scrubber = session.scrubber();
        self.in_flight = InFlight::Auth(session);
        Ok(())
    }

    /// Begins the transaction whose first flight `start` writes.
    ///
    /// # Errors
    /// Part of it cannot be written; nothing was.
    pub(crate) fn send(
        &mut self,
        start: impl FnOnce(&mut Output) -> Result<Transaction, Unwritable>,
    ) -> Result<(), Unwritable> {
        let mark = self.output.mark();
        match start(&mut self.output) {
            Ok(transaction) => {
                self.transactions = self.transactions.saturating_add(1);
                self.in_flight = InFlight::Sending(transaction);
                Ok(())
            }
            Err(unwritable) => {
                self.output.take_back(mark);
                Err(unwritable)
            }
        }
    }

    /// Messages that were begun over this connection.
    pub(crate) const fn transactions(&self) -> u32 {
        self.transactions
    }

    /// Makes room in the send buffer at once instead of by and by.
    pub(crate) fn make_room(&mut self, octets: usize) {
        self.output.content(|buffer| buffer.reserve_exact(octets));
    }

    /// A piece of the content, after [`Event::SendContent`].
    pub(crate) fn content(&mut self, piece: &[u8]) {
        if let InFlight::Sending(transaction) = &mut self.in_flight {
            transaction.content(piece, &mut self.output);
        }
    }

    /// The content is complete.
    pub(crate) fn end_content(&mut self) {
        if let InFlight::Sending(transaction) = &mut self.in_flight {
            transaction.end(&mut self.output);
        }
    }

    /// The connection is lost. If the server may have the whole message and has not answered for
    /// it, what is known of that message.
    pub(crate) fn lost(&mut self) -> Option<Receipt> {
        match std::mem::replace(&mut self.in_flight, InFlight::Rest) {
            InFlight::Sending(transaction) if transaction.may_be_delivered(&self.output) => {
                Some(transaction.into_receipt())
            }
            _ => None,
        }
    }

    /// How far the transaction has come that is in flight, or that came to an end last.
    pub(crate) const fn step(&self) -> &'static str {
        match &self.in_flight {
            InFlight::Sending(transaction) => transaction.stage(),
            _ => self.step,
        }
    }

    /// How a message ended whose sender had gone.
    pub(crate) const fn take_left_behind(&mut self) -> Option<Sent> {
        self.left_behind.take()
    }

    /// Whether the server would take another command for one.
    pub(crate) const fn takes_commands(&self) -> bool {
        !self.stuck && self.last_words.is_none()
    }

    /// The 421 with which the server ended the session, if it did.
    pub(crate) const fn last_words(&self) -> Option<&Reply<'static>> {
        self.last_words.as_ref()
    }

    /// Octets that came and were not asked for.
    pub(crate) fn unread(&self) -> usize {
        self.input.unread().len()
    }

    /// Whether a command would be answered by what came before it was sent.
    pub(crate) fn check_quiet(&mut self) -> Result<(), Fault> {
        match self.input.unread() {
            [] => Ok(()),
            [b'4', b'2', b'1', ..] => self.poll().map(drop),
            unread => {
                let fault = Fault::unexpected("nothing, as no command was sent", unread);
                Err(scrubbed(fault, &self.scrubber))
            }
        }
    }

    /// During the SASL exchange, the octets of the credential.
    pub(crate) fn credential_octets(&self) -> Option<usize> {
        match &self.in_flight {
            InFlight::Auth(session) => Some(session.credential_len()),
            _ => None,
        }
    }

    fn heard(&mut self, line: &[u8]) -> Result<Option<Event>, Fault> {
        let words = match &mut self.in_flight {
            InFlight::Sending(transaction) => transaction.words(),
            _ => &mut self.words,
        };
        if !self.parser.within_reply() {
            self.mark = words.len();
        }
        let parsed =
            self.parser.line(line, words).map_err(|fault| scrubbed(fault, &self.scrubber))?;
        let Some(head) = parsed else { return Ok(None) };
        self.replies = self.replies.wrapping_add(1);
        self.replied(head).map_err(|fault| scrubbed(fault, &self.scrubber))
    }

    fn replied(&mut self, head: Head) -> Result<Option<Event>, Fault> {
        match &mut self.in_flight {
            InFlight::Sending(transaction) => {
                self.step = transaction.stage();
                if transaction.keeps_words(head) {
                    scrub(transaction.words(), self.mark, &self.scrubber);
                }
                let next = transaction.replied(head, self.mark, &mut self.output)?;
                Ok(self.after_transaction(next))
            }
            _ if head.code == 421 => {
                let reply = self.take_reply(head);
                Ok(Some(self.closing(reply)))
            }
            InFlight::Auth(session) if head.code == 334 => {
                let challenge = std::mem::take(&mut self.words);
                let answer =
                    session.respond(challenge.as_bytes()).map_err(|_| Fault::EndlessChallenge)?;
                // Base64 on a connection that took AUTH: it can be written.
                self.output.secret(b"", &answer).map_err(|_| Fault::EndlessChallenge)?;
                Ok(None)
            }
            InFlight::Auth(_) => {
                let reply = self.take_reply(head);
                match std::mem::replace(&mut self.in_flight, InFlight::Rest) {
                    InFlight::Auth(session) => Ok(Some(Event::Authenticated(reply, session))),
                    _ => Ok(None),
                }
            }
            InFlight::Greeting | InFlight::Command if head.is_intermediate() => {
                // It would take the next command for what it waits for.
                let reply = self.take_reply(head).to_string();
                Err(Fault::unexpected("an SMTP reply other than 3xx", reply.as_bytes()))
            }
            InFlight::Command if !self.output.is_empty() => {
                let reply = self.take_reply(head).to_string();
                Err(Fault::unexpected("no reply before the command was sent", reply.as_bytes()))
            }
            InFlight::Greeting | InFlight::Command => {
                self.in_flight = InFlight::Rest;
                Ok(Some(Event::Replied(self.take_reply(head))))
            }
            // What a server says unasked before it closes need not be a 421.
            InFlight::Rest => {
                let reply = self.take_reply(head);
                Ok(Some(self.closing(reply)))
            }
        }
    }

    fn after_transaction(&mut self, next: Next) -> Option<Event> {
        let (refused, at_rest) = match next {
            Next::Wait => return None,
            Next::Content => return Some(Event::SendContent),
            Next::Closing(reply) => return Some(self.closing(reply)),
            Next::Over { refused, at_rest } => (refused, at_rest),
        };
        self.stuck |= !at_rest;
        let InFlight::Sending(transaction) = std::mem::replace(&mut self.in_flight, InFlight::Rest)
        else {
            return None;
        };
        if !transaction.is_abandoned() {
            let receipt = transaction.into_receipt();
            return Some(Event::Sent(Sent { receipt, refused, at_rest }));
        }
        if transaction.was_handed_over() {
            let receipt = transaction.into_receipt();
            self.left_behind = Some(Sent { receipt, refused, at_rest });
        }
        Some(Event::Settled)
    }

    fn closing(&mut self, reply: Reply<'static>) -> Event {
        self.in_flight = InFlight::Rest;
        self.last_words = Some(reply);
        Event::Closing
    }

    fn take_reply(&mut self, head: Head) -> Reply<'static> {
        scrub(&mut self.words, 0, &self.scrubber);
        Reply::new(head, std::mem::take(&mut self.words))
    }
}

/// A server may quote the line it did not like.
fn scrubbed(fault: Fault, scrubber: &Scrubber) -> Fault {
    match fault {
        Fault::Unexpected { expected, got } => {
            Fault::Unexpected { expected, got: scrubber.clean_str(got.as_bytes()) }
        }
        fault => fault,
    }
}

/// Takes echoes of the credential out of the words since `mark`.
fn scrub(words: &mut String, mark: usize, scrubber: &Scrubber) {
    let Some(since) = words.get(mark..) else { return };
    if let Cow::Owned(clean) = scrubber.clean(since.as_bytes()) {
        words.truncate(mark);
        words.push_str(&String::from_utf8_lossy(&clean));
    }
}

impl Machine for Core {
    type Event = Event;

    fn input(&mut self) -> &mut Input {
        &mut self.input
    }

    fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    fn poll(&mut self) -> Result<Option<Event>, Fault> {
        while let Some(line) = self.input.line(self.longest_line)? {
            if let Some(event) = self.heard(&line.text)? {
                return Ok(Some(event));
            }
        }
        if !self.eof {
            return Ok(None);
        }
        // A refusal is believed without its line end, an acceptance is not.
        let half = self.input.cut_all();
        if matches!(half.as_ref(), [b'4' | b'5', _, _, b' ', ..]) {
            return self.heard(&half);
        }
        // The refusal of the message is known already; only the way back to rest is cut off.
        let next = match &self.in_flight {
            InFlight::Sending(transaction) => transaction.cut_off(),
            _ => Next::Wait,
        };
        Ok(self.after_transaction(next))
    }

    fn eof(&mut self) {
        self.eof = true;
    }

    fn wait(&self) -> Wait {
        match &self.in_flight {
            InFlight::Rest => Wait::Rest,
            InFlight::Greeting => Wait::Greeting,
            InFlight::Command => Wait::Reply(self.replies),
            InFlight::Auth(_) => Wait::Sasl,
            InFlight::Sending(transaction) => transaction.wait(self.replies, &self.output),
        }
    }

    fn in_flight(&self) -> bool {
        !matches!(self.in_flight, InFlight::Rest)
    }

    fn abandon(&mut self) -> Abandon {
        match &mut self.in_flight {
            InFlight::Rest | InFlight::Command => Abandon::Drain,
            InFlight::Greeting | InFlight::Auth(_) => Abandon::Close,
            InFlight::Sending(transaction) => transaction.abandon(&mut self.output),
        }
    }
}
