//! The client and how it runs a command.

use std::collections::VecDeque;
use std::fmt;

use crate::Stage;
use crate::connector::ways_in;
use crate::net::driver::Driver;

use super::proto::transaction::MESSAGE;
use super::proto::{Core, Ended, Event};
use super::{Error, Extensions, Receipt, Reply};

/// An SMTP session that is logged in and can send messages, one after the other.
///
/// # Cancel safety
/// The future of [`noop`](Self::noop) or [`rset`](Self::rset) may be dropped: the next command
/// reads the old answer first and throws it away. What a dropped [`send`](Self::send) does is said
/// there. Dropping the future of `connect_…` or [`Connector::connect`](crate::Connector::connect) closes the connection.
///
/// # Example
/// ```no_run
/// # async fn send(tokens: mailbearer::token::StaticToken) -> Result<(), Box<dyn std::error::Error>> {
/// use mailbearer::{SmtpClient, provider::microsoft365, smtp::Envelope};
///
/// let mut smtp =
///     SmtpClient::connect_xoauth2(microsoft365::smtp(), "billing@contoso.example", &tokens).await?;
/// let envelope = Envelope::new("billing@contoso.example", ["someone@example.com"])?;
/// let receipt = smtp.send(&envelope, "Subject: Your invoice\r\n\r\nAttached.\r\n").await?;
/// for refused in receipt.refused() {
///     eprintln!("{refused}");
/// }
/// smtp.quit().await?;
/// # Ok(())
/// # }
/// ```
pub struct SmtpClient {
    driver: Driver<Core>,
    extensions: Extensions,
    /// Of messages that nobody waited for any longer.
    outcomes: VecDeque<Result<Receipt, Error>>,
    /// Of messages that were in flight when the connection was lost, while somebody asks for them.
    untold: VecDeque<Error>,
    /// A sender was named that is to be taken back; see [`rehearse`](Self::rehearse).
    rehearsing: bool,
}

ways_in!(SmtpClient, Error);

impl SmtpClient {
    pub(crate) const fn new(driver: Driver<Core>, extensions: Extensions) -> Self {
        Self {
            driver,
            extensions,
            outcomes: VecDeque::new(),
            untold: VecDeque::new(),
            rehearsing: false,
        }
    }

    /// Whether a command can still be sent, as far as is known without asking the server: for pools
    /// that hand out connections.
    pub fn is_open(&self) -> bool {
        self.driver.is_open() && self.driver.core().takes_commands()
    }

    /// What the server announced after TLS.
    pub const fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// What became of a message whose [`send`](Self::send) was dropped after all of it had been
    /// handed over.
    ///
    /// It is known once another method of the client has read the server's answer, so call
    /// [`noop`](Self::noop) first, or send the next message. `None` if there is no such message, or
    /// nothing of it was delivered because the drop came earlier.
    ///
    /// With [`send_all`](Self::send_all) and [`pipeline`](Self::pipeline) there may be several: they
    /// come in the order in which the messages were sent, one at a call. The last message that
    /// those had begun may have none, if it had not left whole.
    pub fn take_outcome(&mut self) -> Option<Result<Receipt, Error>> {
        self.note_untold();
        self.note_outcomes();
        self.outcomes.pop_front()
    }

    /// Runs a command that is answered by one reply.
    pub(crate) async fn command(&mut self, name: &'static str) -> Result<Reply<'static>, Error> {
        let stage = Stage::Command(name);
        self.rest(stage).await?;
        let reply = self.ask(name, name).await?;
        if reply.is_positive() { Ok(reply) } else { Err(Error::refused(stage, reply)) }
    }

    /// Brings the connection to where the next command can be sent.
    pub(crate) async fn rest(&mut self, stage: Stage) -> Result<(), Error> {
        let settled = self.driver.settle().await;
        self.note_outcomes();
        if let Err(broken) = settled {
            return match Error::broken(&mut self.driver, stage, broken) {
                // That is about another message than the one at hand.
                Error::Unknown { receipt, cause } => {
                    let message = Stage::Command(MESSAGE);
                    let lost = Box::new(Error::gone(&self.driver, message));
                    self.outcomes.push_back(Err(Error::Unknown { receipt, cause: lost }));
                    self.note_lost();
                    Err(*cause)
                }
                error => {
                    self.note_lost();
                    Err(error)
                }
            };
        }
        if self.driver.core().is_half_way() {
            let broken = self.driver.close();
            return Err(Error::broken(&mut self.driver, stage, broken));
        }
        if let Err(fault) = self.driver.core_mut().check_quiet() {
            self.driver.close_after(&fault);
            return Err(Error::Protocol { stage, fault });
        }
        if !self.driver.core().takes_commands() {
            // A server that has said goodbye has closed it already.
            if self.driver.core().last_words().is_none() {
                self.driver.close_after(&"the server refused a message that was on its way");
            }
            return Err(Error::gone(&self.driver, stage));
        }
        if self.rehearsing {
            let reply = self.ask("RSET", "RSET").await?;
            if !reply.is_positive() {
                // The sender and the recipients would be those of the next message.
                self.driver.close_after(&"the server refused RSET");
                let (stage, receipt) = (Stage::Command("RSET"), Box::default());
                return Err(Error::Refused { stage, reply, receipt, usable: false });
            }
            self.rehearsing = false;
        }
        Ok(())
    }

    /// What is said from here on has to be taken back before anything else.
    pub(crate) const fn set_rehearsing(&mut self) {
        self.rehearsing = true;
    }

    /// A command and its reply, whatever it is. The connection must be at rest.
    pub(crate) async fn ask(
        &mut self,
        name: &'static str,
        line: &str,
    ) -> Result<Reply<'static>, Error> {
        let started = self.driver.core_mut().command(line);
        started.map_err(|error| Error::unwritable(name, error))?;
        reply(&mut self.driver, Stage::Command(name)).await
    }

    /// Messages that were begun over this connection.
    pub(crate) const fn transactions(&self) -> u32 {
        self.driver.core().transactions()
    }

    pub(crate) const fn driver(&mut self) -> &mut Driver<Core> {
        &mut self.driver
    }

    /// What became of messages behind one that was told of when the connection was lost.
    pub(crate) const fn untold(&mut self) -> &mut VecDeque<Error> {
        &mut self.untold
    }

    /// Nobody asks for those any longer: which of them may be delivered must not be lost.
    pub(crate) fn note_untold(&mut self) {
        let unknown = |error: &Error| matches!(error, Error::Unknown { .. });
        self.outcomes.extend(self.untold.drain(..).filter(unknown).map(Err));
    }

    /// How a transaction ended, to the caller.
    pub(crate) fn verdict(&self, sent: Ended) -> Result<Receipt, Error> {
        match sent.refused {
            None => Ok(sent.receipt),
            Some(what) => Err(Error::not_sent(what, sent, self.driver.is_open())),
        }
    }

    fn note_outcomes(&mut self) {
        while let Some(sent) = self.driver.core_mut().take_left_behind() {
            self.outcomes.push_back(self.verdict(sent));
        }
    }

    /// The connection is lost: what is left in flight has an outcome if it may be delivered.
    fn note_lost(&mut self) {
        while let Some(lost) = self.driver.core_mut().lost() {
            let cause = Error::gone(&self.driver, Stage::Command(MESSAGE));
            if let error @ Error::Unknown { .. } = cause.about(Some(lost)) {
                self.outcomes.push_back(Err(error));
            }
        }
    }
}

/// The reply to the command in flight, or the greeting.
pub(crate) async fn reply(
    driver: &mut Driver<Core>,
    stage: Stage,
) -> Result<Reply<'static>, Error> {
    loop {
        match driver.event().await {
            Ok(Event::Replied(reply)) => return Ok(reply),
            Ok(Event::Closing) => return Err(Error::closed(driver.core(), stage)),
            // They belong to AUTH and to messages, and none is in flight.
            Ok(
                Event::Authenticated(..)
                | Event::SendContent
                | Event::StopContent
                | Event::Sent(_)
                | Event::Settled,
            ) => {}
            Err(broken) => return Err(Error::broken(driver, stage, broken)),
        }
    }
}

impl fmt::Debug for SmtpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpClient")
            .field("extensions", &self.extensions)
            .field("open", &self.is_open())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
