//! The SMTP core: replies paired with commands by their count, and nothing else.
//!
//! ```text
//!   Greeting ──220──► Rest ◄──reply── Command    EHLO, STARTTLS, NOOP, RSET, QUIT
//!                      │  ◄──verdict── Auth      AUTH and its challenges
//!                      └─────────────► sending   MAIL, RCPT…, content   (transaction.rs)
//! ```
//!
//! Several transactions may be in flight: once all of one has been written, the next is written
//! behind it, so that the end of a message and the envelope of the next leave in one flight
//! (RFC 2920). Replies belong to the first of them until it is over.
//!
//! A 421 may come at any time, in place of any reply, and ends the session (RFC 5321 section
//! 3.8). It is an event of its own, so no command needs to know.

pub(crate) mod parameters;
#[cfg(test)]
pub(crate) mod script;
pub(crate) mod sending;
pub(crate) mod transaction;

use std::collections::VecDeque;

use crate::fault::{Fault, Unwritable};
use crate::machine::{Abandon, Machine, Wait};
use crate::secret::Scrubber;
use crate::smtp::receipt::Receipt;
use crate::smtp::reply::{Arrival, Head, Reply, ReplyParser};
use crate::smtp::words::Words;
use crate::wire::{Input, LineSpan, Output};
use crate::{Limits, sasl};
use transaction::{Next, Transaction};

/// An SMTP session, from the greeting on.
#[derive(Debug)]
pub(crate) struct Core {
    input: Input,
    output: Output,
    parser: ReplyParser,
    /// The words of the reply that is being read, but for those that go into a receipt.
    words: Words,
    /// Where in its buffer that reply began.
    mark: usize,
    in_flight: InFlight,
    /// Transactions begun.
    transactions: u32,
    /// Messages whose replies have not all come; those to the first come first.
    sending: VecDeque<Transaction>,
    /// Content that is to go by BDAT, until it is worth a chunk.
    staged: Vec<u8>,
    /// Replies taken, so that every wait for one has a number of its own.
    replies: u32,
    /// Octets of one line of a reply.
    longest_line: usize,
    /// Knows the credential, which a server may quote as long as the session lasts.
    scrubber: Scrubber,
    /// How messages ended that nobody waited for any longer.
    left_behind: VecDeque<Ended>,
    /// One of them was left half way.
    half_way: bool,
    last_words: Option<Reply<'static>>,
    /// The step of the transaction that was under way last.
    step: &'static str,
    /// The server is in the middle of a message, or has lost count.
    stuck: bool,
    eof: bool,
}

/// What is in flight besides messages.
#[derive(Debug)]
enum InFlight {
    Rest,
    Greeting,
    Command,
    /// Also where in the send buffer it begins.
    Auth(Box<sasl::Session>, u64),
}

/// What the core reports.
#[derive(Debug)]
pub(crate) enum Event {
    /// The greeting, or the answer to the one command in flight.
    Replied(Reply<'static>),
    /// The final answer to AUTH, with the exchange that led to it.
    Authenticated(Reply<'static>, Box<sasl::Session>),
    /// The server waits for content of the message begun last.
    SendContent,
    /// It will have no content of the message begun last, or no more of it.
    StopContent,
    /// The first transaction is over.
    Sent(Ended),
    /// What was in flight came to its end, and nobody waited for it.
    Settled,
    /// The server closes the connection; see [`Core::last_words`].
    Closing,
}

/// How a transaction ended.
#[derive(Debug)]
pub(crate) struct Ended {
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
            words: Words::default(),
            mark: 0,
            in_flight: InFlight::Rest,
            transactions: 0,
            sending: VecDeque::new(),
            staged: Vec::new(),
            replies: 0,
            longest_line: limits.line,
            scrubber: Scrubber::default(),
            left_behind: VecDeque::new(),
            half_way: false,
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
        let begins_at = self.output.mark();
        match session.initial_response().filter(|_| inline) {
            Some(response) => {
                line.push(' ');
                self.output.secret(line.as_bytes(), response)?;
                session.initial_response_sent();
            }
            None => self.output.command(line.as_bytes())?,
        }
        self.scrubber = session.scrubber();
        self.in_flight = InFlight::Auth(session, begins_at);
        Ok(())
    }

    /// Messages that were begun over this connection.
    pub(crate) const fn transactions(&self) -> u32 {
        self.transactions
    }

    /// How far the first transaction has come that is in flight, or that came to an end last.
    pub(crate) fn step(&self) -> &'static str {
        self.sending.front().map_or(self.step, Transaction::stage)
    }

    /// Whether the server would take another command for one.
    pub(crate) const fn takes_commands(&self) -> bool {
        !self.stuck && !self.half_way && self.last_words.is_none()
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
            [b'4', b'2', b'1', ..] if self.is_sending() => Ok(()),
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
            InFlight::Auth(session, _) => Some(session.credential_len()),
            _ => None,
        }
    }

    /// What the lines that have come lead to.
    fn hear(&mut self) -> Result<Option<Event>, Fault> {
        while let Some(line) = self.input.line_span(self.longest_line)? {
            if let Some(reply) = self.heard(line)?
                && let Some(event) = self.answered(reply)?
            {
                return Ok(Some(event));
            }
        }
        if !self.eof {
            return Ok(None);
        }
        // A refusal is believed without its line end, an acceptance is not.
        let whole = self.input.unread().len();
        if matches!(self.input.unread(), [b'4' | b'5', _, _, b' ', ..])
            && let Some(reply) = self.heard(LineSpan { text: whole, whole })?
        {
            return self.answered(reply);
        }
        self.input.skip(whole);
        // The refusal of the message is known already; only the way back to rest is cut off.
        let next = self.sending.front().map_or(Next::Wait, Transaction::cut_off);
        Ok(self.after_transaction(next))
    }

    /// Reads the line at the start of the input: a reply if it is the last line of one. Those that
    /// follow and say the same to the next recipients are not read again.
    fn heard(&mut self, line: LineSpan) -> Result<Option<Arrival>, Fault> {
        let text = self.input.unread().get(..line.text).unwrap_or_default();
        let (words, most) = match self.sending.front_mut() {
            Some(transaction) => {
                let most = transaction.most_words().saturating_add(self.longest_line);
                (transaction.words(), most)
            }
            None => (&mut self.words, usize::MAX),
        };
        let first = !self.parser.within_reply();
        if first {
            self.mark = words.len();
        }
        let head = self.parser.line(text, words)?;
        if words.len() > most {
            return Err(Fault::ResponseTooLong { limit: most as u64, unit: "octets" });
        }
        let times = match head {
            Some(head) if first && head.is_positive() => self.in_a_row(line),
            _ => 1,
        };
        self.input.skip(times * line.whole);
        Ok(head.map(|head| Arrival { head, mark: self.mark, times }))
    }

    /// How often the line at the start of the input comes there in a row, as an answer to one
    /// recipient each.
    fn in_a_row(&mut self, line: LineSpan) -> usize {
        let most = self.sending.front().map_or(1, Transaction::recipients_in_flight);
        let mut lines = self.input.unread().chunks_exact(line.whole);
        let first = lines.next();
        let again = lines.take(most - 1).take_while(|line| Some(*line) == first).count();
        self.input.hear_line(line.text, again);
        1 + again
    }

    /// What a whole reply leads to.
    fn answered(&mut self, reply: Arrival) -> Result<Option<Event>, Fault> {
        self.replies = self.replies.wrapping_add(reply.times as u32);
        match self.is_sending() {
            true => self.transaction_replied(reply),
            false => self.replied(reply.head),
        }
    }

    fn replied(&mut self, head: Head) -> Result<Option<Event>, Fault> {
        match &mut self.in_flight {
            _ if head.code == 421 => {
                let reply = self.take_reply(head);
                Ok(Some(self.closing(reply)))
            }
            // A refusal may come before all of what it refuses has left, and nothing else may.
            InFlight::Auth(_, begins_at)
                if !self.output.is_empty()
                    && (head.is_positive()
                        || head.is_intermediate()
                        || !self.output.has_left(*begins_at + 1)) =>
            {
                let reply = self.take_reply(head).to_string();
                Err(Fault::unexpected("no reply before the login was sent", reply.as_bytes()))
            }
            InFlight::Auth(session, _) if head.code == 334 => {
                let challenge = self.words.take_since(0);
                let answer =
                    session.respond(challenge.as_bytes()).map_err(|_| Fault::EndlessChallenge)?;
                // Base64 on a connection that took AUTH: it can be written.
                self.output.secret(b"", &answer).map_err(|_| Fault::EndlessChallenge)?;
                Ok(None)
            }
            InFlight::Auth(..) => {
                let reply = self.take_reply(head);
                match std::mem::replace(&mut self.in_flight, InFlight::Rest) {
                    InFlight::Auth(session, _) => Ok(Some(Event::Authenticated(reply, session))),
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

    fn closing(&mut self, reply: Reply<'static>) -> Event {
        self.in_flight = InFlight::Rest;
        if self.sending.front().is_some_and(Transaction::is_abandoned) {
            self.sending.clear();
        }
        self.last_words = Some(reply);
        Event::Closing
    }

    fn take_reply(&mut self, head: Head) -> Reply<'static> {
        self.words.scrub_since(0, &self.scrubber);
        Reply::new(head, self.words.take_since(0))
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

impl Machine for Core {
    type Event = Event;

    fn input(&mut self) -> &mut Input {
        &mut self.input
    }

    fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    fn poll(&mut self) -> Result<Option<Event>, Fault> {
        self.hear().map_err(|fault| scrubbed(fault, &self.scrubber))
    }

    fn eof(&mut self) {
        self.eof = true;
    }

    fn wait(&self) -> Wait {
        match (&self.in_flight, self.sending.front()) {
            (InFlight::Rest, Some(transaction)) => transaction.wait(self.replies, &self.output),
            (InFlight::Rest, None) => Wait::Rest,
            (InFlight::Greeting, _) => Wait::Greeting,
            (InFlight::Command, _) => Wait::Reply(self.replies),
            (InFlight::Auth(..), _) => Wait::Sasl,
        }
    }

    fn in_flight(&self) -> bool {
        self.is_sending() || !matches!(self.in_flight, InFlight::Rest)
    }

    fn abandon(&mut self) -> Abandon {
        match self.in_flight {
            InFlight::Rest if self.is_sending() => self.abandon_sending(),
            InFlight::Rest | InFlight::Command => Abandon::Drain,
            InFlight::Greeting | InFlight::Auth(..) => Abandon::Close,
        }
    }
}
