//! Would a message be taken? MAIL and RCPT (RFC 5321 section 3.3), and then RSET.
//!
//! ```text
//! C: MAIL FROM:<billing@contoso.example>
//! S: 250 2.1.0 Sender OK
//! C: RCPT TO:<someone@example.com>
//! S: 250 2.1.5 Recipient OK
//! C: RSET
//! S: 250 2.0.0 Resetting
//! ```

use crate::smtp::proto::parameters::{self, Form};
use crate::smtp::{Envelope, Error, Reply, SmtpClient};
use crate::{Misuse, Stage};

/// What a server said to a sender and recipients, and no message.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    sender: Reply<'static>,
    recipients: Vec<(String, Reply<'static>)>,
}

impl Rehearsal {
    /// The answer to the sender, which was accepted.
    pub const fn sender(&self) -> &Reply<'static> {
        &self.sender
    }

    /// Recipients that the server did not refuse, with its answers.
    pub fn accepted(&self) -> impl Iterator<Item = (&str, &Reply<'static>)> {
        self.all().filter(|(_, reply)| reply.is_positive())
    }

    /// Recipients that it refused, with its answers.
    pub fn refused(&self) -> impl Iterator<Item = (&str, &Reply<'static>)> {
        self.all().filter(|(_, reply)| !reply.is_positive())
    }

    fn all(&self) -> impl Iterator<Item = (&str, &Reply<'static>)> {
        self.recipients.iter().map(|(recipient, reply)| (recipient.as_str(), reply))
    }
}

impl SmtpClient {
    /// Tells the server who would send to whom, and takes it back. No message is sent.
    ///
    /// Not to be refused is no promise: Exchange Online looks at the right to send as somebody, and
    /// at the recipients, only after the content. To be refused is certain. Some servers count such
    /// attempts among the signs of an address harvester, so this is for the check of a set-up, not
    /// for each message.
    ///
    /// # Errors
    /// [`Error::Refused`] if the sender is refused; refused recipients are in the result. What
    /// [`send`](Self::send) says of the envelope holds here too. If RSET is refused, so that the
    /// attempt is not taken back, the connection is closed.
    ///
    /// # Cancel safety
    /// The future may be dropped: the next command begins with the RSET that was left out.
    pub async fn rehearse(&mut self, envelope: &Envelope) -> Result<Rehearsal, Error> {
        let parameters = self.parameters(envelope, false, None, Form::SevenBit)?;
        let lines = parameters::lines(envelope, parameters);
        let lines = lines.map_err(|_| Misuse::LineBreak { what: "an address" })?;
        let mut lines = lines.iter();
        self.rest(Stage::Command("MAIL")).await?;
        self.set_rehearsing();
        let mail = lines.next().map_or("", String::as_str);
        let sender = match self.ask("MAIL", mail).await? {
            sender if sender.is_positive() => sender,
            refused => {
                self.rest(Stage::Command("RSET")).await?;
                return Err(Error::refused(Stage::Command("MAIL"), refused));
            }
        };
        let mut recipients = Vec::new();
        for (recipient, line) in envelope.recipients().zip(lines) {
            recipients.push((recipient.to_owned(), self.ask("RCPT", line).await?));
        }
        self.rest(Stage::Command("RSET")).await?;
        Ok(Rehearsal { sender, recipients })
    }
}
