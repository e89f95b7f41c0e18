//! Which fields of a header make the envelope (RFC 5322 section 3.6).

use std::collections::HashSet;

use super::address;
use super::fields::{Field, Fields};
use crate::smtp::address::split;
use crate::smtp::envelope::{Envelope, EnvelopeError};

/// Octets of a header that are read. Gmail takes 500 KB, Postfix 100 KiB, Exchange 256 KiB.
const LONGEST_HEADER: usize = 1024 * 1024;

impl Envelope {
    /// The envelope that a message's own header asks for: from its `Sender`, or else the first
    /// address of `From`, to everybody in `To`, `Cc` and `Bcc`, each once.
    ///
    /// If the message was resent, which `Resent-…` fields at its top say (RFC 5322 section 3.6.6),
    /// the newest of them decide and nothing else: `Resent-Sender` or `Resent-From`, and
    /// `Resent-To`, `Resent-Cc` and `Resent-Bcc`.
    ///
    /// `message` may be the whole message or its header.
    /// [`Body::without_bcc`](crate::smtp::Body::without_bcc) leaves the hidden recipients out of
    /// what is sent.
    ///
    /// Addresses are read as RFC 5322 has them, with groups, comments, folding, names of all kinds
    /// and the obsolete forms, and with the mistakes that real messages make where it is clear who
    /// is meant. An encoded name is a name, whatever it says.
    ///
    /// # Errors
    /// [`EnvelopeError::Recipient`] or [`Sender`](EnvelopeError::Sender) with the first entry that
    /// is no address: no recipient is left out in silence. [`EnvelopeError::NoSender`] and
    /// [`NoRecipients`](EnvelopeError::NoRecipients) if there are none,
    /// [`EnvelopeError::HeaderTooLong`] if the header does not end within 1 MiB.
    ///
    /// # Example
    /// ```
    /// use mailbearer::smtp::Envelope;
    ///
    /// let message = "From: Billing <billing@contoso.example>\r\n\
    ///                To: \"Example, Ann\" <ann@example.com>, Team: bob@example.com, eve@x.example;\r\n\
    ///                Bcc: archive@contoso.example\r\n\
    ///                Subject: Your invoice\r\n\r\nAttached.\r\n";
    /// let envelope = Envelope::from_headers(message.as_bytes())?;
    /// assert_eq!(envelope.reverse_path(), "billing@contoso.example");
    /// assert_eq!(envelope.recipients().count(), 4);
    /// # Ok::<(), mailbearer::smtp::EnvelopeError>(())
    /// ```
    pub fn from_headers(message: &[u8]) -> Result<Self, EnvelopeError> {
        let read = message.get(..LONGEST_HEADER).unwrap_or(message);
        let mut fields = Fields::of(read);
        let (mut plain, mut resent) = (Parties::default(), Resent::default());
        for field in &mut fields {
            resent.see(field)?;
            // A message that was resent goes to nobody else, but has to be read to its end.
            if resent.seen.is_empty() {
                plain.see(field, field.name)?;
            }
        }
        if fields.rest().is_empty() && read.len() < message.len() {
            return Err(EnvelopeError::HeaderTooLong { limit: LONGEST_HEADER });
        }
        if resent.seen.is_empty() { plain.envelope() } else { resent.parties.envelope() }
    }
}

/// Who is named by the fields read so far.
#[derive(Default)]
struct Parties {
    sender: Option<String>,
    from: Option<String>,
    recipients: Vec<String>,
    /// Local part and domain, of which only the domain is the same in upper and lower case.
    known: HashSet<(String, String)>,
}

impl Parties {
    /// `name` is that of the field, or what follows `Resent-`.
    fn see(&mut self, field: Field<'_>, name: &[u8]) -> Result<(), EnvelopeError> {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        if is("Sender") && self.sender.is_none() {
            self.sender = first(field.body)?;
        } else if is("From") && self.from.is_none() {
            self.from = first(field.body)?;
        } else if is("To") || is("Cc") || is("Bcc") {
            let read = address::each(field.body, |address| self.add(address));
            read.map_err(|(text, flaw)| EnvelopeError::recipient(&text, flaw))?;
        }
        Ok(())
    }

    fn add(&mut self, address: String) {
        let (local, domain) = split(&address);
        if self.known.insert((local.to_owned(), domain.to_ascii_lowercase())) {
            self.recipients.push(address);
        }
    }

    fn envelope(self) -> Result<Envelope, EnvelopeError> {
        let sender = self.sender.or(self.from).ok_or(EnvelopeError::NoSender)?;
        Envelope::new(sender, self.recipients)
    }
}

/// The first address of a list, whatever follows it.
fn first(list: &[u8]) -> Result<Option<String>, EnvelopeError> {
    let mut first = None;
    let read = address::each(list, |address| {
        first.get_or_insert(address);
    });
    match read {
        Err((text, flaw)) if first.is_none() => Err(EnvelopeError::sender(&text, flaw)),
        _ => Ok(first),
    }
}

/// The newest block of `Resent-…` fields. Each block was put before what was there, and holds each
/// field once at most: a name that comes again belongs to an older one, as does what follows a
/// server's trace.
#[derive(Default)]
struct Resent {
    parties: Parties,
    seen: HashSet<Vec<u8>>,
    over: bool,
}

impl Resent {
    fn see(&mut self, field: Field<'_>) -> Result<(), EnvelopeError> {
        const PREFIX: &[u8] = b"Resent-";
        let name = match field.name.split_at_checked(PREFIX.len()) {
            Some((prefix, name)) if prefix.eq_ignore_ascii_case(PREFIX) => name,
            _ => {
                let trace = field.is("Received") || field.is("Return-Path");
                self.over |= trace && !self.seen.is_empty();
                return Ok(());
            }
        };
        if !self.over {
            self.over = !self.seen.insert(name.to_ascii_lowercase());
        }
        if self.over { Ok(()) } else { self.parties.see(field, name) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::smtp::AddressFlaw;

    fn read(header: &str) -> Result<String, EnvelopeError> {
        let header = header.replace("\n             ", "\r\n");
        let envelope = Envelope::from_headers(header.as_bytes())?;
        let to: Vec<&str> = envelope.recipients().collect();
        Ok(format!("{} -> {}", envelope.reverse_path(), to.join(" ")))
    }

    #[test]
    fn everybody_named_is_a_recipient_once() {
        let header = "From: Ann <ann@a.example>
             To: bob@b.example, \"C\" <c@c.example>
             cc : d@d.example, bob@B.EXAMPLE
             BCC: e@e.example
             To: f@f.example, Bob@b.example
             Reply-To: no@no.example
             Subject: To: x@y.example

             To: text@text.example";
        let told = "ann@a.example -> bob@b.example c@c.example d@d.example e@e.example \
                    f@f.example Bob@b.example";
        assert_eq!(read(header).unwrap(), told);
    }

    #[test]
    fn the_sender_goes_before_the_author() {
        assert_eq!(
            read("From: a@a.example, b@b.example\nSender: s@s.example\nTo: t@t.example").unwrap(),
            "s@s.example -> t@t.example"
        );
        assert_eq!(
            read("From: a@a.example, nobody\nTo: t@t.example").unwrap(),
            "a@a.example -> t@t.example"
        );
    }

    #[test]
    fn the_newest_resending_decides_alone() {
        let header = "Resent-From: third@x.example
             Resent-Sender: robot@x.example
             Resent-To: new@n.example
             Resent-Bcc: hidden@n.example
             Resent-Date: Sat, 21 Nov 2026 09:00:00 +0000
             Resent-From: second@x.example
             Resent-To: older@o.example
             Received: from a by b
             Resent-Cc: oldest@o.example
             From: ann@a.example
             To: bob@b.example
             Bcc: eve@e.example

             ";
        let told = "robot@x.example -> new@n.example hidden@n.example";
        assert_eq!(read(header).unwrap(), told);
        let behind_a_trace = "Received: from a by b
             Resent-From: third@x.example
             Resent-To: new@n.example
             Received: from c by d
             Resent-Cc: oldest@o.example
             From: ann@a.example
             To: bob@b.example";
        assert_eq!(read(behind_a_trace).unwrap(), "third@x.example -> new@n.example");
    }

    #[test]
    fn a_resending_to_nobody_does_not_go_to_the_first_recipients_again() {
        let header = "Resent-From: third@x.example
             From: ann@a.example
             To: bob@b.example";
        assert_eq!(read(header), Err(EnvelopeError::NoRecipients));
    }

    #[test]
    fn what_is_missing_or_no_address_is_told() {
        let sender = |address: &str, flaw| EnvelopeError::sender(address, flaw);
        assert_eq!(read("To: t@t.example"), Err(EnvelopeError::NoSender));
        assert_eq!(read("From: Nobody:;\nTo: t@t.example"), Err(EnvelopeError::NoSender));
        assert_eq!(read("From: a@a.example"), Err(EnvelopeError::NoRecipients));
        assert_eq!(read("From: a@a.example\nTo: undisclosed:;"), Err(EnvelopeError::NoRecipients));
        assert_eq!(read(""), Err(EnvelopeError::NoSender));
        assert_eq!(read("From: Ann\nTo: t@t.example"), Err(sender("Ann", AddressFlaw::NoDomain)));
        assert_eq!(
            read("From: a@a.example\nTo: t@t.example, Bob"),
            Err(EnvelopeError::recipient("Bob", AddressFlaw::NoDomain))
        );
    }

    #[test]
    fn a_header_that_does_not_end_is_not_read_for_ever() {
        let endless = format!("From: a@a.example\r\nTo: {}", "t@t.example,\r\n ".repeat(100_000));
        let limit = LONGEST_HEADER;
        let read = Envelope::from_headers(endless.as_bytes());
        assert_eq!(read, Err(EnvelopeError::HeaderTooLong { limit }));
        let long =
            format!("From: a@a.example\nTo: t@t.example\n\n{}", "x\n".repeat(LONGEST_HEADER));
        assert!(Envelope::from_headers(long.as_bytes()).is_ok());
    }

    proptest! {
        #[test]
        fn any_octets_are_read(header in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Envelope::from_headers(&header);
        }

        #[test]
        fn any_text_is_read(header in "((From|To|Bcc|Resent-To): )?[ -~\r\n]{0,60}") {
            let _ = Envelope::from_headers(header.as_bytes());
        }
    }
}
