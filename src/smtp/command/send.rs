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

use crate::Stage;
use crate::machine::Machine;
use crate::smtp::proto::parameters::Parameters;
use crate::smtp::proto::transaction::{MAIL, MESSAGE, Transaction};
use crate::smtp::proto::{Event, Sent};
use crate::smtp::{Body, Envelope, Error, Receipt, SmtpClient, needs};

/// Octets of content that are stuffed at a time.
const PIECE: usize = 8 * 1024;
/// Octets in the send buffer that are worth a write: few, and the socket runs dry in between; many,
/// and memory is wasted. The last write takes the dot along, so a small message is one write.
const FULL: usize = 72 * 1024;
/// What the send buffer grows to at most. A piece grows by less than three times.
const ROOM: usize = FULL + 3 * PIECE;

impl SmtpClient {
    /// Sends a message.
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
    /// sent. A message whose header is UTF-8 beyond ASCII needs a server with SMTPUTF8 (RFC 6531).
    ///
    /// # Cancel safety
    /// A message is never delivered half. If the future is dropped
    /// - before DATA was sent, the next command takes the sender and recipients back;
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
        let body = body.into();
        self.send_body(envelope, &body).await
    }

    async fn send_body(&mut self, envelope: &Envelope, body: &Body<'_>) -> Result<Receipt, Error> {
        let parameters = self.parameters(envelope, body)?;
        self.rest(Stage::Command(MAIL)).await?;
        let pipelining = self.extensions().pipelining();
        let core = self.driver().core_mut();
        core.send(|output| Transaction::start(envelope, parameters, pipelining, output))
            .map_err(|error| Error::unwritable("an address", error))?;

        if let Some(early) = self.next().await? {
            return self.verdict(early);
        }
        let content = body.octets();
        self.driver().core_mut().make_room((content.len() + 512).min(ROOM));
        for piece in content.chunks(PIECE) {
            if self.driver().core_mut().output().unsent().len() >= FULL
                && let Some(early) = self.written().await?
            {
                return self.verdict(early);
            }
            self.driver().core_mut().content(piece);
        }
        self.driver().core_mut().end_content();
        match self.next().await? {
            Some(sent) => self.verdict(sent),
            // The core asks for content once.
            None => Err(Error::closed(self.driver().core(), Stage::Command(MESSAGE))),
        }
    }

    /// What MAIL has to say about the message; an error if the server cannot take it.
    fn parameters(&self, envelope: &Envelope, body: &Body<'_>) -> Result<Parameters, Error> {
        let extensions = self.extensions();
        let sent = self.transactions();
        let needed = needs::of_envelope(envelope, body.has_utf8_header(), sent, extensions)?;
        let size = extensions.size().then(|| body.declared_size());
        if let (Some(size), Some(limit)) = (size, extensions.size_limit())
            && size > limit
        {
            return Err(Error::TooLarge { size, limit });
        }
        let eight_bit = extensions.eight_bit_mime() && body.has_eight_bit();
        Ok(Parameters { size, eight_bit, ..needed })
    }

    /// Until the server waits for the content (`None`) or the transaction is over.
    async fn next(&mut self) -> Result<Option<Sent>, Error> {
        loop {
            match self.driver().event().await {
                Ok(Event::SendContent) => return Ok(None),
                Ok(event) => {
                    if let Some(sent) = self.over(event)? {
                        return Ok(Some(sent));
                    }
                }
                Err(broken) => {
                    let stage = self.stage();
                    return Err(Error::broken(self.driver(), stage, broken));
                }
            }
        }
    }

    /// Until the socket has taken what was written, or the transaction is over before its time.
    async fn written(&mut self) -> Result<Option<Sent>, Error> {
        loop {
            match self.driver().drain(0).await {
                Ok(None) => return Ok(None),
                Ok(Some(event)) => {
                    if let Some(sent) = self.over(event)? {
                        return Ok(Some(sent));
                    }
                }
                Err(broken) => {
                    let stage = self.stage();
                    return Err(Error::broken(self.driver(), stage, broken));
                }
            }
        }
    }

    fn over(&mut self, event: Event) -> Result<Option<Sent>, Error> {
        match event {
            Event::Sent(sent) => Ok(Some(sent)),
            Event::Closing => {
                let stage = self.stage();
                Err(Error::closed(self.driver().core(), stage))
            }
            // No other command is in flight, and this one has not been abandoned.
            Event::Replied(_) | Event::Authenticated(..) | Event::SendContent | Event::Settled => {
                Ok(None)
            }
        }
    }

    fn stage(&mut self) -> Stage {
        Stage::Command(self.driver().core().step())
    }
}
