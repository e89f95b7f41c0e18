//! MAIL, RCPT, DATA: RFC 5321 section 3.3, in one flight where the server has PIPELINING
//! (RFC 2920).
//!
//! ```text
//! C: MAIL FROM:<billing@contoso.example> SIZE=1024
//! C: RCPT TO:<someone@example.com>
//! C: DATA
//! S: 250 2.1.0 Sender OK
//! S: 250 2.1.5 Recipient OK
//! S: 354 Start mail input; end with <CRLF>.<CRLF>
//! C: Subject: Your invoice
//! C: …
//! C: .
//! S: 250 2.0.0 OK
//! ```

use std::borrow::Cow;

use super::flow::Flow;
use crate::Stage;
use crate::smtp::proto::parameters::{Form, Parameters};
use crate::smtp::proto::transaction::MESSAGE;
use crate::smtp::{Body, Envelope, Error, Receipt, SmtpClient, needs};

impl SmtpClient {
    /// Sends a message.
    ///
    /// Several messages go faster by [`send_all`](Self::send_all) or [`pipeline`](Self::pipeline).
    ///
    /// The message goes out as it is, but for line ends and dots (see [`Body`]): no header is added
    /// or taken away, so the names of hidden recipients belong into the envelope only. Exchange
    /// Online and Gmail file what is sent in the sender's folder of sent messages themselves.
    ///
    /// Octets above 127 are sent as they are, and announced if the server has 8BITMIME (RFC 6152).
    /// If it has not, they are sent all the same: the message is not converted, and such a server
    /// may cut off the eighth bit. Encode it (quoted-printable, base64) where that matters; see
    /// [`Extensions::eight_bit_mime`](crate::smtp::Extensions::eight_bit_mime).
    ///
    /// # Errors
    /// [`Error::Refused`] if the server refused the sender, every recipient or the message: nothing
    /// was delivered, and the receipt says what was answered to whom. If it accepted one recipient
    /// at least, and the message, the result is `Ok`, and the others are in
    /// [`Receipt::refused`].
    ///
    /// [`Error::Unknown`] if the whole message was handed over and the answer lost: it may have
    /// been delivered. Any other failure means that it was not.
    ///
    /// [`Error::TooLarge`], [`Error::TooMany`] and [`Error::Unsupported`] come before anything is
    /// sent, and so does [`Error::Body`] where the content is in memory. A message whose header is
    /// UTF-8 beyond ASCII needs a server with SMTPUTF8 (RFC 6531); of a reader or stream that is
    /// known by [`Body::utf8_header`] only.
    ///
    /// # Cancel safety
    /// A message is never delivered half. If the future is dropped
    /// - before DATA or BDAT was sent, the next command takes the sender and recipients back;
    /// - between that and the end of the message, the next command closes the connection, since
    ///   there is no other way to take back a message that was begun;
    /// - after that, the message may be delivered. The next command reads the answer, for which it
    ///   waits as long as [`Timeouts::settle`](crate::Timeouts::settle) allows, and
    ///   [`take_outcome`](SmtpClient::take_outcome) gives it.
    ///
    /// # Example
    /// ```no_run
    /// # async fn send(smtp: &mut mailbearer::SmtpClient) -> Result<(), Box<dyn std::error::Error>> {
    /// use mailbearer::{Failure, Retry, smtp::{Envelope, Error}};
    ///
    /// let envelope = Envelope::new("billing@contoso.example", ["ann@example.com", "bob@example.com"])?;
    /// match smtp.send(&envelope, "Subject: Hello\r\n\r\nHello.\r\n").await {
    ///     Ok(receipt) => {
    ///         for refused in receipt.refused() {
    ///             eprintln!("not to {}: {}", refused.recipient(), refused.reply());
    ///         }
    ///     }
    ///     Err(Error::Refused { reply, .. }) => eprintln!("to nobody: {reply}"),
    ///     Err(error) if error.retry() == Retry::MayDuplicate => eprintln!("perhaps: {error}"),
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send(
        &mut self,
        envelope: &Envelope,
        body: impl Into<Body<'_>>,
    ) -> Result<Receipt, Error> {
        let mut message = Some((Cow::Borrowed(envelope), body.into()));
        let mut flow = Flow::new();
        match self.advance(&mut flow, &mut || message.take()).await {
            Some(outcome) => outcome,
            // The one message has an outcome.
            None => Err(Error::gone(self.driver(), Stage::Command(MESSAGE))),
        }
    }

    /// What MAIL has to say about the message; an error if the server cannot take it.
    pub(super) fn parameters(
        &self,
        envelope: &Envelope,
        utf8_header: bool,
        size: Option<u64>,
        form: Form,
    ) -> Result<Parameters, Error> {
        let extensions = self.extensions();
        let sent = self.transactions();
        let needed = needs::of_envelope(envelope, utf8_header, sent, extensions)?;
        let size = size.filter(|_| extensions.size());
        if let (Some(size), Some(limit)) = (size, extensions.size_limit())
            && size > limit
        {
            return Err(Error::TooLarge { size, limit });
        }
        Ok(Parameters { size, form, ..needed })
    }
}
