//! One message: MAIL, RCPT…, DATA, content (RFC 5321 section 3.3).
//!
//! ```text
//!         ┌────────── PIPELINING: one flight ──────────┐
//!   MAIL ─┴─► RCPT ─► RCPT ─► … ─► DATA ──354─► Content ─► End ──► over
//!                                   │   └─354, nobody accepted─► LoneDot ──► over
//!                                   └─ refused ─► Reset ──► over
//! ```
//!
//! With and without PIPELINING the replies are the same and come in the same order; only when the
//! commands are written differs.

use crate::fault::{Fault, Unwritable};
use crate::machine::{Abandon, Wait};
use crate::smtp::envelope::Envelope;
use crate::smtp::proto::parameters::{self, Parameters};
use crate::smtp::receipt::Receipt;
use crate::smtp::reply::{Head, Reply};
use crate::wire::Output;
use crate::wire::dot::Stuffer;

/// A transaction in flight.
#[derive(Debug)]
pub(crate) struct Transaction {
    receipt: Receipt,
    step: Step,
    pipelining: bool,
    /// Without PIPELINING: the lines of the recipients that have not been asked for.
    later: Output,
    sender_accepted: bool,
    stuffer: Stuffer,
    /// Where DATA begins in the send buffer.
    data_at: usize,
    /// Nobody waits for the outcome any longer.
    abandoned: bool,
    /// RSET stands where DATA stood.
    taken_back: bool,
    /// What was refused, once something was that decides on the message.
    refused: Option<&'static str>,
}

/// The reply that is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Mail,
    /// To the n-th recipient.
    Rcpt(usize),
    /// 354 or a refusal.
    Data,
    /// None: the caller hands over the content.
    Content,
    /// To the dot that ends the content.
    End,
    /// To the dot that ends the content for nobody.
    LoneDot,
    Reset,
}

/// What a reply leads to.
#[derive(Debug)]
pub(crate) enum Next {
    /// More replies are to come.
    Wait,
    /// The content is to be handed over.
    Content,
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

impl Transaction {
    /// Writes MAIL, and with PIPELINING all the rest up to DATA as well.
    pub(crate) fn start(
        envelope: &Envelope,
        parameters: Parameters,
        pipelining: bool,
        output: &mut Output,
    ) -> Result<Self, Unwritable> {
        let mut transaction = Self {
            receipt: Receipt::for_envelope(envelope),
            step: Step::Mail,
            pipelining,
            later: Output::new(false),
            sender_accepted: false,
            stuffer: Stuffer::new(),
            data_at: 0,
            abandoned: false,
            taken_back: false,
            refused: None,
        };
        parameters::mail(envelope, parameters, output)?;
        if pipelining {
            parameters::recipients(envelope, parameters, output)?;
            transaction.write_data(output)?;
        } else {
            parameters::recipients(envelope, parameters, &mut transaction.later)?;
        }
        Ok(transaction)
    }

    /// Where the words of replies go.
    pub(crate) const fn words(&mut self) -> &mut String {
        self.receipt.words()
    }

    /// Whether anybody will see the words of a reply that comes now: those of a go-ahead and of an
    /// accepted sender are forgotten.
    pub(crate) fn keeps_words(&self, head: Head) -> bool {
        !(head.is_intermediate() || head.is_positive() && self.step == Step::Mail)
    }

    pub(crate) fn content(&mut self, piece: &[u8], output: &mut Output) {
        let stuffer = &mut self.stuffer;
        output.content(|buffer| stuffer.stuff(piece, buffer));
    }

    /// Writes the dot. From here on the message may be delivered.
    pub(crate) fn end(&mut self, output: &mut Output) {
        let stuffer = std::mem::replace(&mut self.stuffer, Stuffer::new());
        output.content(|buffer| stuffer.finish(buffer));
        self.step = Step::End;
    }

    /// The reply whose words begin at `mark` came.
    pub(crate) fn replied(
        &mut self,
        head: Head,
        mark: usize,
        output: &mut Output,
    ) -> Result<Next, Fault> {
        if head.code == 421 {
            return Ok(self.closing(head, mark));
        }
        // RFC 5321 section 4.3.2: 3xx answers DATA and nothing else here.
        if head.is_intermediate() && self.step != Step::Data {
            return Err(self.unexpected("an SMTP reply other than 3xx", head, mark));
        }
        let unsent = !output.is_empty();
        match self.step {
            // The rest of the flight may still be on its way.
            Step::Mail | Step::Rcpt(_) if unsent && !self.pipelining => {
                Err(self.unexpected("no reply before the command was sent", head, mark))
            }
            Step::Data if unsent => {
                Err(self.unexpected("no reply before DATA was sent", head, mark))
            }
            Step::Mail => self.sender_answered(head, mark, output),
            Step::Rcpt(n) => self.recipient_answered(n, head, mark, output),
            Step::Data => self.data_answered(head, mark, output),
            Step::Content => {
                if head.is_positive() {
                    return Err(self.unexpected("no reply before the message ended", head, mark));
                }
                // The server will not have it. What it makes of the rest of the content is
                // anybody's guess.
                self.receipt.decided(head, mark);
                Ok(Next::Over { refused: Some(MESSAGE), at_rest: false })
            }
            Step::End if unsent && head.is_positive() => {
                Err(self.unexpected("no reply before the message ended", head, mark))
            }
            Step::End => {
                self.receipt.decided(head, mark);
                let at_rest = !unsent;
                let refused = if head.is_positive() { None } else { Some(MESSAGE) };
                Ok(Next::Over { refused, at_rest })
            }
            Step::LoneDot => {
                self.receipt.forget(mark);
                Ok(self.over(!unsent))
            }
            Step::Reset => {
                self.receipt.forget(mark);
                Ok(self.over(head.is_positive() && !unsent))
            }
        }
    }

    /// The server will send no more.
    pub(crate) const fn cut_off(&self) -> Next {
        match self.step {
            Step::LoneDot | Step::Reset if !self.abandoned => self.over(false),
            _ => Next::Wait,
        }
    }

    /// See [`Machine::abandon`](crate::machine::Machine::abandon).
    pub(crate) fn abandon(&mut self, output: &mut Output) -> Abandon {
        self.abandoned = true;
        let data_written = self.pipelining || self.step == Step::Data;
        match self.step {
            // RSET follows when the reply has come.
            Step::Mail | Step::Rcpt(_) if !data_written || self.taken_back => Abandon::Drain,
            Step::Mail | Step::Rcpt(_) | Step::Data => {
                if !output.take_back(self.data_at) || output.command(b"RSET").is_err() {
                    return Abandon::Close;
                }
                self.taken_back = true;
                if self.step == Step::Data {
                    self.step = Step::Reset;
                }
                Abandon::Drain
            }
            // Closing is the only way not to deliver half a message.
            Step::Content => Abandon::Close,
            Step::End if !output.is_empty() => Abandon::Close,
            Step::End | Step::LoneDot | Step::Reset => Abandon::Drain,
        }
    }

    /// The command whose answer is waited for.
    pub(crate) const fn stage(&self) -> &'static str {
        match self.step {
            Step::Mail => MAIL,
            Step::Rcpt(_) => RCPT,
            Step::Data | Step::LoneDot => DATA,
            Step::Content | Step::End => MESSAGE,
            Step::Reset => "RSET",
        }
    }

    pub(crate) const fn is_abandoned(&self) -> bool {
        self.abandoned
    }

    /// Whether the transaction came as far as the dot, so that there is an outcome to be told.
    pub(crate) fn was_handed_over(&self) -> bool {
        self.step == Step::End
    }

    /// Whether the server may have the whole message.
    pub(crate) fn may_be_delivered(&self, output: &Output) -> bool {
        self.step == Step::End && output.is_empty()
    }

    pub(crate) fn wait(&self, replies: u32, output: &Output) -> Wait {
        match self.step {
            Step::Content => Wait::Transfer,
            Step::End if output.is_empty() => Wait::Delivery,
            Step::End => Wait::Transfer,
            _ => Wait::Reply(replies),
        }
    }

    pub(crate) fn into_receipt(self) -> Receipt {
        self.receipt
    }

    fn sender_answered(
        &mut self,
        head: Head,
        mark: usize,
        output: &mut Output,
    ) -> Result<Next, Fault> {
        self.sender_accepted = head.is_positive();
        if self.sender_accepted {
            self.receipt.forget(mark);
        } else {
            self.receipt.sender_refused(head, mark);
            self.refused = Some(MAIL);
            if !self.pipelining {
                // There is no transaction to be taken back.
                return Ok(self.over(true));
            }
        }
        self.ask_recipient(0, output)
    }

    fn recipient_answered(
        &mut self,
        n: usize,
        head: Head,
        mark: usize,
        output: &mut Output,
    ) -> Result<Next, Fault> {
        if self.sender_accepted {
            self.receipt.answered(n, head, mark);
        } else {
            // Says only that there was no MAIL.
            self.receipt.forget(mark);
        }
        self.ask_recipient(n + 1, output)
    }

    /// Goes on to the n-th recipient, or to DATA behind the last.
    fn ask_recipient(&mut self, n: usize, output: &mut Output) -> Result<Next, Fault> {
        let last = n == self.receipt.asked();
        if self.pipelining {
            self.step = match last {
                false => Step::Rcpt(n),
                true if self.taken_back => Step::Reset,
                true => Step::Data,
            };
            return Ok(Next::Wait);
        }
        if self.abandoned {
            return self.reset(output);
        }
        match last {
            false => {
                output.command_from(&mut self.later);
                self.step = Step::Rcpt(n);
            }
            true if self.receipt.any_accepted() => {
                self.write_data(output).map_err(unwritable)?;
                self.step = Step::Data;
            }
            true => {
                self.all_refused();
                return self.reset(output);
            }
        }
        Ok(Next::Wait)
    }

    fn data_answered(
        &mut self,
        head: Head,
        mark: usize,
        output: &mut Output,
    ) -> Result<Next, Fault> {
        if head.is_positive() {
            return Err(self.unexpected("354 or a refusal of DATA", head, mark));
        }
        let go_ahead = head.is_intermediate();
        let somebody = self.sender_accepted && self.receipt.any_accepted();
        if go_ahead || !somebody {
            self.receipt.forget(mark);
        } else {
            self.receipt.decided(head, mark);
            self.refused = Some(DATA);
        }
        if !somebody && self.sender_accepted {
            self.all_refused();
        }
        match (go_ahead, somebody) {
            (true, true) => {
                self.step = Step::Content;
                Ok(Next::Content)
            }
            // RFC 2920 section 3.1: the client must then send a lone dot.
            (true, false) => {
                output.command(b".").map_err(unwritable)?;
                self.step = Step::LoneDot;
                Ok(Next::Wait)
            }
            (false, _) if !self.sender_accepted => Ok(self.over(true)),
            (false, _) => self.reset(output),
        }
    }

    fn all_refused(&mut self) {
        self.receipt.decided_by_first_refusal();
        self.refused = Some(RCPT);
    }

    const fn over(&self, at_rest: bool) -> Next {
        Next::Over { refused: self.refused, at_rest }
    }

    fn reset(&mut self, output: &mut Output) -> Result<Next, Fault> {
        output.command(b"RSET").map_err(unwritable)?;
        self.step = Step::Reset;
        Ok(Next::Wait)
    }

    fn write_data(&mut self, output: &mut Output) -> Result<(), Unwritable> {
        self.data_at = output.mark();
        output.command(b"DATA")
    }

    /// A 421. If it is known already that the message was refused, that is the news.
    fn closing(&mut self, head: Head, mark: usize) -> Next {
        match self.cut_off() {
            // For whoever asks later what became of it.
            Next::Wait if self.abandoned && self.step == Step::End => {
                self.receipt.decided(head, mark);
                Next::Over { refused: Some(MESSAGE), at_rest: false }
            }
            Next::Wait => Next::Closing(self.take_reply(head, mark)),
            over => {
                self.receipt.forget(mark);
                over
            }
        }
    }

    fn unexpected(&mut self, expected: &'static str, head: Head, mark: usize) -> Fault {
        let reply = self.take_reply(head, mark).to_string();
        Fault::unexpected(expected, reply.as_bytes())
    }

    fn take_reply(&mut self, head: Head, mark: usize) -> Reply<'static> {
        let words = self.words();
        Reply::new(head, words.split_off(mark.min(words.len())))
    }
}

/// The lines are constants and addresses that the envelope has checked.
fn unwritable(why: Unwritable) -> Fault {
    Fault::unexpected("addresses that can be written", why.to_string().as_bytes())
}

#[cfg(test)]
mod tests;
