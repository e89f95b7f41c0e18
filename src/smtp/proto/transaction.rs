//! One message: MAIL, RCPT…, and its content by DATA (RFC 5321 section 3.3) or BDAT (RFC 3030).
//!
//! ```text
//!         ┌────────── PIPELINING: one flight ──────────┐
//!   MAIL ─┴─► RCPT ─► RCPT ─► … ─► DATA ──354─► Content ─► End ──► over
//!                               │   │   └─354, nobody accepted─► LoneDot ──► over
//!                               │   └─ refused ─► Reset ──► over
//!                               └─ by BDAT ─► Chunks ──► over
//!                                               └─ refused ─► Reset ──► over
//! ```
//!
//! With and without PIPELINING the replies are the same and come in the same order; only when the
//! commands are written differs. With it, another transaction may be written behind this one once
//! all of this one has been; see the core.

use crate::fault::{Fault, Unwritable};
use crate::machine::Wait;
use crate::smtp::envelope::Envelope;
use crate::smtp::proto::parameters::{self, Parameters};
use crate::smtp::receipt::Receipt;
use crate::smtp::reply::{Arrival, Head, Reply};
use crate::smtp::words::Words;
use crate::wire::dot::Stuffer;
use crate::wire::{Lines, Output};

/// A transaction in flight.
#[derive(Debug)]
pub(crate) struct Transaction {
    receipt: Receipt,
    step: Step,
    transfer: Transfer,
    pipelining: bool,
    all_or_nothing: bool,
    /// Without PIPELINING: the lines of the recipients, each of which is written when it is its turn.
    later: Lines,
    sender_accepted: bool,
    content: Content,
    /// None: content goes out as it is.
    stuffer: Option<Stuffer>,
    /// BDAT commands whose replies have not come.
    chunks: usize,
    /// Where the first command ends in the send buffer.
    begun_at: u64,
    /// Where DATA or the first BDAT begins, once it was written.
    content_at: Option<u64>,
    /// Where the content ends, once all of it was written.
    ends_at: u64,
    /// Nobody waits for the outcome any longer.
    abandoned: bool,
    /// RSET stands where the content would have begun.
    taken_back: bool,
    /// What was refused, once something was that decides on the message.
    refused: Option<&'static str>,
}

/// How content is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transfer {
    /// DATA.
    Data,
    /// BDAT, when all recipients have been answered for.
    Chunks,
    /// BDAT, without waiting for that; with PIPELINING only.
    OneFlight,
}

/// How a message is to be sent.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) parameters: Parameters,
    pub(crate) transfer: Transfer,
    pub(crate) pipelining: bool,
    /// Content is sent only if nobody was refused.
    pub(crate) all_or_nothing: bool,
    /// None: content goes out as it is.
    pub(crate) stuffer: Option<Stuffer>,
}

/// The reply that is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// To RSET, which clears what a failed BDAT of the message before may have left.
    Clear,
    Mail,
    /// To the n-th recipient.
    Rcpt(usize),
    /// 354 or a refusal.
    Data,
    /// None: the caller hands over the content.
    Content,
    /// To BDAT, or none while the caller hands over the content.
    Chunks,
    /// To the dot that ends the content.
    End,
    /// To the dot that ends the content for nobody.
    LoneDot,
    Reset,
}

/// Where the caller is with the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    NotYet,
    Open,
    /// All of it is in the send buffer or beyond.
    Written,
    /// The server does not want the rest.
    Stopped,
}

/// What a reply leads to.
#[derive(Debug)]
pub(crate) enum Next {
    /// More replies are to come.
    Wait,
    /// Content is to be handed over.
    Content,
    /// No more content is to be handed over.
    Stop,
    /// The transaction is over, and the receipt complete. `refused` names what was, if anything.
    Over { refused: Option<&'static str>, at_rest: bool },
    /// The server ends the session.
    Closing(Reply<'static>),
}

/// What of a message may be refused; for error messages.
pub(crate) const MAIL: &str = "MAIL FROM";
pub(crate) const RCPT: &str = "RCPT TO";
pub(crate) const DATA: &str = "DATA";
pub(crate) const MESSAGE: &str = "the message";

/// BDAT commands that may wait for their replies. A server has refused the message for that long
/// before we hear of it.
const MOST_CHUNKS: usize = 64;

/// Octets of an address and of what is said to it: some lines of 512 octets (RFC 5321 section
/// 4.5.3.1.5). If each of 10,000 recipients were answered by as much as one reply may be, one
/// message would take 640 MB.
const MOST_PER_RECIPIENT: usize = 4 * 1024;

impl Transaction {
    /// Writes MAIL, and with PIPELINING all the rest up to DATA as well. `clear`: RSET goes before.
    pub(crate) fn start(
        envelope: &Envelope,
        plan: Plan,
        clear: bool,
        output: &mut Output,
    ) -> Result<Self, Unwritable> {
        let Plan { parameters, transfer, pipelining, all_or_nothing, stuffer } = plan;
        let mut transaction = Self {
            receipt: Receipt::for_envelope(envelope),
            step: if clear { Step::Clear } else { Step::Mail },
            transfer,
            pipelining,
            all_or_nothing,
            later: Lines::default(),
            sender_accepted: false,
            content: Content::NotYet,
            stuffer,
            chunks: 0,
            begun_at: 0,
            content_at: None,
            ends_at: u64::MAX,
            abandoned: false,
            taken_back: false,
            refused: None,
        };
        if clear {
            output.command(b"RSET")?;
            transaction.begun_at = output.mark();
        }
        parameters::mail(envelope, parameters, output)?;
        if !clear {
            transaction.begun_at = output.mark();
        }
        let recipients = parameters::recipients(envelope, parameters)?;
        if !pipelining {
            transaction.later = recipients.into_owned();
            return Ok(transaction);
        }
        output.lines(&recipients);
        match transfer {
            Transfer::Data if !all_or_nothing => transaction.write_data(output)?,
            Transfer::OneFlight => transaction.content = Content::Open,
            Transfer::Data | Transfer::Chunks => {}
        }
        Ok(transaction)
    }

    /// Where the words of replies go.
    pub(crate) const fn words(&mut self) -> &mut Words {
        self.receipt.words()
    }

    /// Octets that all words together may take besides those of one long reply.
    pub(crate) fn most_words(&self) -> usize {
        self.receipt.asked().saturating_mul(MOST_PER_RECIPIENT)
    }

    /// Recipients whose replies come next, one behind the other; at least one.
    pub(crate) fn recipients_in_flight(&self) -> usize {
        match self.step {
            Step::Rcpt(n) if self.pipelining => self.receipt.asked().saturating_sub(n).max(1),
            _ => 1,
        }
    }

    /// Whether anybody will see the words of a reply that comes now: those of a go-ahead, of an
    /// accepted sender and of an accepted chunk are forgotten.
    pub(crate) fn keeps_words(&self, head: Head) -> bool {
        let forgotten = match self.step {
            Step::Clear => true,
            Step::Mail => head.is_positive(),
            Step::Chunks => head.is_positive() && !self.waits_for_last_chunk(),
            _ => false,
        };
        // A farewell is kept in place of whatever reply it came.
        head.code == 421 || !(head.is_intermediate() || forgotten)
    }

    /// Whether the caller may hand over content now.
    pub(crate) fn takes_content(&self) -> bool {
        self.content == Content::Open && (self.transfer == Transfer::Data || self.has_chunk_room())
    }

    /// Whether content may go past the send buffer as it is; but not its last octet, which tells
    /// how it ends.
    pub(crate) fn content_may_pass(&self) -> bool {
        self.transfer == Transfer::Data
            && self.stuffer.as_ref().is_some_and(Stuffer::changes_nothing)
    }

    /// Whether the next thing to be written for it is its first BDAT.
    pub(crate) const fn begins_with_chunks(&self) -> bool {
        matches!(self.step, Step::Chunks) && self.content_at.is_none()
    }

    /// Whether the caller has handed over all of the content, or no more of it is wanted.
    pub(crate) fn content_is_over(&self) -> bool {
        matches!(self.content, Content::Written | Content::Stopped)
            || matches!(self.step, Step::LoneDot | Step::Reset)
    }

    /// Takes a piece of the content. What is to go by BDAT is staged until it is worth a chunk.
    pub(crate) fn content(&mut self, piece: &[u8], output: &mut Output, staged: &mut Vec<u8>) {
        if self.transfer == Transfer::Data {
            // Content that goes out as it is does not go by DATA.
            if let Some(stuffer) = &mut self.stuffer {
                output.content(|buffer| stuffer.stuff(piece, buffer));
            }
            return;
        }
        match &mut self.stuffer {
            Some(stuffer) => stuffer.stuff(piece, staged),
            None => staged.extend_from_slice(piece),
        }
        if staged.len() >= CHUNK {
            self.write_chunk(false, output, staged);
        }
    }

    /// Writes the dot, or the last chunk. From here on the message may be delivered.
    pub(crate) fn end(&mut self, output: &mut Output, staged: &mut Vec<u8>) {
        let stuffer = self.stuffer.take();
        match self.transfer {
            Transfer::Data => {
                output.content(|buffer| stuffer.unwrap_or_else(Stuffer::new).finish(buffer));
                self.step = Step::End;
            }
            Transfer::Chunks | Transfer::OneFlight => {
                if let Some(stuffer) = stuffer {
                    stuffer.finish(staged);
                }
                self.write_chunk(true, output, staged);
            }
        }
        self.content = Content::Written;
        self.ends_at = output.mark();
    }

    /// A reply came. `alone`: no other transaction was written behind this one.
    pub(crate) fn replied(
        &mut self,
        reply: Arrival,
        alone: bool,
        output: &mut Output,
    ) -> Result<Next, Fault> {
        if reply.head.code == 421 {
            return Ok(self.closing(reply));
        }
        // RFC 5321 section 4.3.2: 3xx answers DATA and nothing else here.
        if reply.head.is_intermediate() && self.step != Step::Data {
            return Err(self.unexpected("an SMTP reply other than 3xx", reply));
        }
        let unsent = !output.is_empty();
        match self.step {
            // The rest of the flight may still be on its way.
            Step::Clear | Step::Mail | Step::Rcpt(_)
                if unsent && !self.pipelining || !output.has_left(self.begun_at) =>
            {
                Err(self.unexpected("no reply before the command was sent", reply))
            }
            Step::Data if unsent => Err(self.unexpected("no reply before DATA was sent", reply)),
            Step::Clear => {
                self.receipt.forget(reply);
                self.step = Step::Mail;
                Ok(Next::Wait)
            }
            Step::Mail => self.sender_answered(reply, output),
            Step::Rcpt(n) => self.recipients_answered(n, reply, output),
            Step::Data => self.data_answered(reply, output),
            Step::Content => self.interrupted(reply),
            Step::Chunks => self.chunk_answered(reply, alone, output),
            Step::End if !output.has_left(self.ends_at) && reply.head.is_positive() => {
                Err(self.unexpected("no reply before the message ended", reply))
            }
            Step::End => {
                self.receipt.decided(reply);
                let at_rest = output.has_left(self.ends_at);
                let refused = if reply.head.is_positive() { None } else { Some(MESSAGE) };
                Ok(Next::Over { refused, at_rest })
            }
            Step::LoneDot => {
                self.receipt.forget(reply);
                Ok(self.over(output.has_left(self.ends_at)))
            }
            Step::Reset => {
                self.receipt.forget(reply);
                Ok(self.over(reply.head.is_positive() && output.has_left(self.ends_at)))
            }
        }
    }

    /// The server will send no more.
    pub(crate) const fn cut_off(&self) -> Next {
        match self.step {
            Step::LoneDot | Step::Reset if !self.abandoned => self.over(false),
            Step::Chunks if self.refused.is_some() && !self.abandoned => self.over(false),
            _ => Next::Wait,
        }
    }

    /// Nobody waits for the outcome any longer.
    pub(crate) const fn abandon(&mut self) {
        self.abandoned = true;
    }

    /// Whether nothing more is to be done for it but to read what the server answers.
    pub(crate) fn is_handed_over(&self, output: &Output) -> bool {
        match self.step {
            Step::LoneDot | Step::Reset => true,
            _ => self.taken_back || output.has_left(self.ends_at),
        }
    }

    /// Puts RSET where the content would have begun. False if some of that has left already.
    pub(crate) fn take_back(&mut self, output: &mut Output) -> bool {
        if let Some(content_at) = self.content_at {
            if !output.take_back(content_at) {
                return false;
            }
        } else if !self.pipelining && matches!(self.step, Step::Mail | Step::Rcpt(_)) {
            // RSET follows when the reply has come.
            return true;
        }
        if output.command(b"RSET").is_err() {
            return false;
        }
        self.taken_back = true;
        self.ends_at = output.mark();
        (self.content, self.chunks) = (Content::Stopped, 0);
        if matches!(self.step, Step::Data | Step::Chunks) {
            self.step = Step::Reset;
        }
        true
    }

    /// The command whose answer is waited for.
    pub(crate) const fn stage(&self) -> &'static str {
        match self.step {
            Step::Mail => MAIL,
            Step::Rcpt(_) => RCPT,
            Step::Data | Step::LoneDot => DATA,
            Step::Content | Step::Chunks | Step::End => MESSAGE,
            Step::Clear | Step::Reset => "RSET",
        }
    }

    pub(crate) const fn is_abandoned(&self) -> bool {
        self.abandoned
    }

    /// Whether all that there is to write for it was written, whatever the replies that have not
    /// come say, so that another transaction may be written behind it.
    pub(crate) fn is_written(&self) -> bool {
        matches!(self.step, Step::LoneDot | Step::Reset) || self.content == Content::Written
    }

    /// Whether it may end in a failed BDAT, so that whatever follows has to begin with RSET.
    pub(crate) fn leaves_chunks(&self) -> bool {
        self.transfer != Transfer::Data && self.step != Step::Reset
    }

    /// Whether the transaction came as far as the end of the content, so that there is an outcome
    /// to be told.
    pub(crate) fn has_outcome(&self) -> bool {
        self.content == Content::Written
    }

    /// Whether the server may have the whole message.
    pub(crate) fn may_be_delivered(&self, output: &Output) -> bool {
        self.content == Content::Written && self.refused.is_none() && output.has_left(self.ends_at)
    }

    pub(crate) fn wait(&self, replies: u32, output: &Output) -> Wait {
        // Time in which the caller has no content to give is not the server's.
        let upload = || if output.is_empty() { Wait::Rest } else { Wait::Transfer };
        match (self.step, self.content) {
            (Step::Content, _) => upload(),
            (Step::Chunks, Content::Open) if self.has_chunk_room() || !output.is_empty() => {
                upload()
            }
            (Step::Chunks | Step::End, Content::Written) if output.has_left(self.ends_at) => {
                Wait::Delivery(replies)
            }
            (Step::Chunks | Step::End, Content::Written) => Wait::Transfer,
            _ if self.transfer == Transfer::OneFlight && !output.is_empty() => Wait::Transfer,
            _ => Wait::Reply(replies),
        }
    }

    pub(crate) fn into_receipt(self) -> Receipt {
        self.receipt
    }

    fn sender_answered(&mut self, reply: Arrival, output: &mut Output) -> Result<Next, Fault> {
        self.sender_accepted = reply.head.is_positive();
        if self.sender_accepted {
            self.receipt.forget(reply);
        } else {
            self.receipt.sender_refused(reply);
            self.refused = Some(MAIL);
            if !self.pipelining {
                // There is no transaction to be taken back.
                return Ok(self.over(true));
            }
        }
        self.ask_recipient(0, output)
    }

    fn recipients_answered(
        &mut self,
        n: usize,
        reply: Arrival,
        output: &mut Output,
    ) -> Result<Next, Fault> {
        if self.sender_accepted {
            self.receipt.answered(reply);
        } else {
            // Says only that there was no MAIL.
            self.receipt.forget(reply);
        }
        self.ask_recipient(n + reply.times, output)
    }

    /// Goes on to the n-th recipient, or to the content behind the last.
    fn ask_recipient(&mut self, n: usize, output: &mut Output) -> Result<Next, Fault> {
        if n < self.receipt.asked() {
            if self.pipelining {
                self.step = Step::Rcpt(n);
            } else if self.abandoned {
                return self.reset(output);
            } else {
                output.line_of(&self.later, n);
                self.step = Step::Rcpt(n);
            }
            return Ok(Next::Wait);
        }
        if self.taken_back {
            self.step = Step::Reset;
            return Ok(Next::Wait);
        }
        match self.transfer {
            Transfer::Data if self.content_at.is_some() => {
                self.step = Step::Data;
                return Ok(Next::Wait);
            }
            Transfer::OneFlight => return self.recipients_answered_in_flight(output),
            Transfer::Data | Transfer::Chunks => {}
        }
        // Nothing of the content was written yet.
        if self.abandoned {
            return self.reset(output);
        }
        if !self.is_wanted() {
            return if self.sender_accepted { self.give_up(output) } else { Ok(self.over(true)) };
        }
        if self.transfer == Transfer::Data {
            self.write_data(output).map_err(unwritable)?;
            self.step = Step::Data;
            return Ok(Next::Wait);
        }
        self.step = Step::Chunks;
        self.content = Content::Open;
        Ok(Next::Content)
    }

    /// The content follows the last recipient in the same flight, and may have left.
    fn recipients_answered_in_flight(&mut self, output: &mut Output) -> Result<Next, Fault> {
        self.step = Step::Chunks;
        if self.is_wanted() || self.content != Content::Open {
            return Ok(Next::Wait);
        }
        self.content = Content::Stopped;
        if self.chunks == 0 {
            self.reset(output)?;
        }
        Ok(Next::Stop)
    }

    /// Whether there is somebody to send the content to; what was refused, if not.
    fn is_wanted(&mut self) -> bool {
        let wanted = match self.all_or_nothing {
            true => self.receipt.all_accepted(),
            false => self.receipt.any_accepted(),
        };
        if self.sender_accepted && !wanted {
            self.receipt.decided_by_first_refusal();
            self.refused = Some(RCPT);
        }
        self.sender_accepted && wanted
    }

    fn data_answered(&mut self, reply: Arrival, output: &mut Output) -> Result<Next, Fault> {
        if reply.head.is_positive() {
            return Err(self.unexpected("354 or a refusal of DATA", reply));
        }
        let go_ahead = reply.head.is_intermediate();
        let somebody = self.is_wanted();
        if go_ahead || !somebody {
            self.receipt.forget(reply);
        } else {
            self.receipt.decided(reply);
            self.refused = Some(DATA);
        }
        match (go_ahead, somebody) {
            (true, true) => {
                self.step = Step::Content;
                self.content = Content::Open;
                Ok(Next::Content)
            }
            // RFC 2920 section 3.1: the client must then send a lone dot.
            (true, false) => {
                output.command(b".").map_err(unwritable)?;
                self.step = Step::LoneDot;
                self.ends_at = output.mark();
                Ok(Next::Stop)
            }
            (false, _) if !self.sender_accepted => Ok(self.over(true)),
            (false, _) => self.give_up(output),
        }
    }

    fn chunk_answered(
        &mut self,
        reply: Arrival,
        alone: bool,
        output: &mut Output,
    ) -> Result<Next, Fault> {
        let last = self.waits_for_last_chunk();
        let Some(others) = self.chunks.checked_sub(1) else {
            return self.interrupted(reply);
        };
        let had_room = self.has_chunk_room();
        self.chunks = others;
        if self.refused.is_some() {
            // Says only what follows from it.
            self.receipt.forget(reply);
            return if others == 0 { self.clear_up(alone, output) } else { Ok(Next::Wait) };
        }
        if reply.head.is_positive() {
            if !last {
                self.receipt.forget(reply);
                let room = !had_room && self.content == Content::Open;
                return Ok(if room { Next::Content } else { Next::Wait });
            }
            if !output.has_left(self.ends_at) {
                return Err(self.unexpected("no reply before the message ended", reply));
            }
            self.receipt.decided(reply);
            return Ok(self.over(true));
        }
        // RFC 3030 section 2: the message failed, and no other chunk may be sent.
        self.receipt.decided(reply);
        self.refused = Some(MESSAGE);
        let open = self.content == Content::Open;
        if open {
            self.content = Content::Stopped;
        }
        match self.clear_up(alone, output)? {
            Next::Wait if open => Ok(Next::Stop),
            next => Ok(next),
        }
    }

    /// After a failed BDAT nothing may be sent but RSET (RFC 3030 section 2). A transaction behind
    /// this one has begun with it.
    fn clear_up(&mut self, alone: bool, output: &mut Output) -> Result<Next, Fault> {
        match self.chunks {
            0 if alone => self.reset(output),
            0 => Ok(self.over(true)),
            _ => Ok(Next::Wait),
        }
    }

    /// A reply in the middle of the content, which nothing had asked for.
    fn interrupted(&mut self, reply: Arrival) -> Result<Next, Fault> {
        if reply.head.is_positive() {
            return Err(self.unexpected("no reply before the message ended", reply));
        }
        // The server will not have it. What it makes of the rest of the content is anybody's guess.
        self.receipt.decided(reply);
        Ok(Next::Over { refused: Some(MESSAGE), at_rest: false })
    }

    const fn over(&self, at_rest: bool) -> Next {
        Next::Over { refused: self.refused, at_rest }
    }

    /// Before any content was written. The next message may be begun at once, in the same flight.
    fn give_up(&mut self, output: &mut Output) -> Result<Next, Fault> {
        self.reset(output)?;
        Ok(Next::Stop)
    }

    fn reset(&mut self, output: &mut Output) -> Result<Next, Fault> {
        output.command(b"RSET").map_err(unwritable)?;
        self.step = Step::Reset;
        self.ends_at = output.mark();
        Ok(Next::Wait)
    }

    fn write_data(&mut self, output: &mut Output) -> Result<(), Unwritable> {
        self.content_at = Some(output.mark());
        output.command(b"DATA")
    }

    fn write_chunk(&mut self, last: bool, output: &mut Output, staged: &mut Vec<u8>) {
        self.content_at.get_or_insert_with(|| output.mark());
        parameters::bdat(staged.len(), last, output);
        output.content(|buffer| buffer.extend_from_slice(staged));
        staged.clear();
        self.chunks += 1;
    }

    const fn has_chunk_room(&self) -> bool {
        self.chunks < if self.pipelining { MOST_CHUNKS } else { 1 }
    }

    fn waits_for_last_chunk(&self) -> bool {
        self.content == Content::Written && self.chunks == 1
    }

    /// A 421. If it is known already that the message was refused, that is the news.
    fn closing(&mut self, reply: Arrival) -> Next {
        match self.cut_off() {
            // For whoever asks later what became of it.
            Next::Wait if self.abandoned && self.has_outcome() => {
                self.receipt.decided(reply);
                Next::Over { refused: Some(MESSAGE), at_rest: false }
            }
            Next::Wait => Next::Closing(self.take_reply(reply)),
            over => {
                self.receipt.forget(reply);
                over
            }
        }
    }

    fn unexpected(&mut self, expected: &'static str, reply: Arrival) -> Fault {
        let reply = self.take_reply(reply).to_string();
        Fault::unexpected(expected, reply.as_bytes())
    }

    fn take_reply(&mut self, reply: Arrival) -> Reply<'static> {
        Reply::new(reply.head, self.words().take_since(reply.mark))
    }
}

/// Octets that are worth a chunk.
pub(crate) const CHUNK: usize = 32 * 1024;

/// The lines are constants and addresses that the envelope has checked.
fn unwritable(why: Unwritable) -> Fault {
    Fault::unexpected("addresses that can be written", why.to_string().as_bytes())
}

#[cfg(test)]
mod tests;
