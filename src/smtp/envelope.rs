//! Who a message comes from and whom it goes to (RFC 5321 section 2.3.1).

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use crate::smtp::address::{AddressFlaw, check, split};
use crate::smtp::dsn::{Dsn, DsnError};
use crate::smtp::extension::SessionLimits;
use crate::smtp::recipients::Recipients;

/// The sender and the recipients of one message, as the server hears them.
///
/// They are not read from the message, and the message need not name them: that is how blind
/// copies work. Every address is checked here, so nothing in it can end a command line and begin
/// another.
///
/// ```
/// use mailbearer::smtp::Envelope;
///
/// let envelope = Envelope::new("billing@contoso.example", ["ann@example.com", "bob@example.com"])?;
/// assert_eq!(envelope.recipients().len(), 2);
/// # Ok::<(), mailbearer::smtp::EnvelopeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    from: String,
    /// In common with the receipts of the messages that were sent with it.
    to: Arc<Recipients>,
    dsn: Option<Arc<Dsn>>,
    require_tls: bool,
    all_or_nothing: bool,
}

impl Envelope {
    /// An envelope from one address to one or more others, without display names or brackets.
    ///
    /// The sender `""` is the null reverse path, for messages whose failure nobody is to hear of.
    ///
    /// # Errors
    /// If there is no recipient, or an address is not one by RFC 5321 section 4.1.2 or is longer
    /// than section 4.5.3.1 allows. Two things are taken that the RFC does not have: consecutive
    /// dots in a local part, since such mailboxes exist, and characters outside ASCII, which need
    /// a server with SMTPUTF8 (RFC 6531).
    pub fn new<T: AsRef<str>>(
        from: impl AsRef<str>,
        to: impl IntoIterator<Item = T>,
    ) -> Result<Self, EnvelopeError> {
        let from = from.as_ref();
        if !from.is_empty() {
            check(from).map_err(|flaw| EnvelopeError::sender(from, flaw))?;
        }
        let mut recipients = Recipients::default();
        for address in to {
            let address = address.as_ref();
            recipients.push(address).map_err(|flaw| EnvelopeError::recipient(address, flaw))?;
        }
        if recipients.len() == 0 {
            return Err(EnvelopeError::NoRecipients);
        }
        Ok(Self {
            from: from.to_owned(),
            to: Arc::new(recipients),
            dsn: None,
            require_tls: false,
            all_or_nothing: false,
        })
    }

    /// Asks for reports of the delivery (RFC 3461).
    ///
    /// # Errors
    /// If `dsn` names a recipient that is not in the envelope, or the address of one is too long to
    /// be given along.
    pub fn with_dsn(mut self, dsn: Dsn) -> Result<Self, EnvelopeError> {
        let recipients: HashSet<&str> = self.recipients().collect();
        if let Some(stranger) = dsn.named().find(|named| !recipients.contains(named)) {
            return Err(EnvelopeError::NotARecipient { address: stranger.to_owned() });
        }
        for address in self.recipients() {
            dsn.check(address)
                .map_err(|flaw| EnvelopeError::Dsn { address: address.to_owned(), flaw })?;
        }
        self.dsn = Some(Arc::new(dsn));
        Ok(self)
    }

    /// Lets the message go only over connections with TLS and a certificate that was checked, here
    /// and at every relay behind (REQUIRETLS, RFC 8689). Where the server does not offer that, or
    /// this connection has no TLS, sending fails with
    /// [`Error::Unsupported`](crate::smtp::Error::Unsupported) before anything is sent.
    ///
    /// The header `TLS-Required: No`, which asks for the contrary, is the message's affair.
    pub const fn require_tls(mut self) -> Self {
        self.require_tls = true;
        self
    }

    /// What is to be reported of the delivery.
    pub fn dsn(&self) -> Option<&Dsn> {
        self.dsn.as_deref()
    }

    /// Whether every relay has to use TLS; see [`require_tls`](Self::require_tls).
    pub const fn requires_tls(&self) -> bool {
        self.require_tls
    }

    /// The message is to go to all recipients or to none.
    ///
    /// Its content is sent only when the server has accepted every one of them, which takes one
    /// round trip more; otherwise the transaction is taken back, and the result is
    /// [`Error::Refused`](crate::smtp::Error::Refused), whose receipt says who was refused. What a
    /// server decides after it has accepted a recipient is beyond this.
    #[must_use]
    pub const fn all_or_nothing(mut self) -> Self {
        self.all_or_nothing = true;
        self
    }

    pub(crate) const fn is_all_or_nothing(&self) -> bool {
        self.all_or_nothing
    }

    /// Where failures are reported to; empty for nobody.
    pub fn reverse_path(&self) -> &str {
        &self.from
    }

    /// The recipients, in the order they were given. There is at least one.
    pub fn recipients(&self) -> impl ExactSizeIterator<Item = &str> {
        self.to.iter()
    }

    /// Whether an address has characters outside ASCII, so that only a server with SMTPUTF8
    /// (RFC 6531) can take it.
    pub fn needs_smtp_utf8(&self) -> bool {
        !self.from.is_ascii() || self.to.are_beyond_ascii()
    }

    /// The same envelope, but only to those of its recipients that are named. `None` if none is.
    ///
    /// This makes the next attempt after some were refused:
    ///
    /// ```
    /// use mailbearer::smtp::{Envelope, Receipt};
    ///
    /// fn next_attempt(envelope: &Envelope, receipt: &Receipt) -> Option<Envelope> {
    ///     envelope.to_only(receipt.refused().filter(|refused| refused.is_transient()))
    /// }
    /// ```
    pub fn to_only<T: AsRef<str>>(&self, recipients: impl IntoIterator<Item = T>) -> Option<Self> {
        let named: Vec<T> = recipients.into_iter().collect();
        let named: HashSet<&str> = named.iter().map(AsRef::as_ref).collect();
        let mut rest = Recipients::default();
        for (n, _) in self.recipients().enumerate().filter(|(_, address)| named.contains(address)) {
            rest.push_from(&self.to, n);
        }
        (rest.len() > 0).then(|| self.to_these(rest))
    }

    /// Envelopes with at most so many recipients each, which together have all of them, in their
    /// order. For servers that take fewer at a time: High Volume Email takes 50.
    pub fn split(&self, most: usize) -> Vec<Self> {
        self.divided(most.max(1), usize::MAX)
    }

    /// Envelopes that keep within what a server said it takes in one message (LIMITS, RFC 9422),
    /// and together have all recipients.
    pub fn split_within(&self, limits: &SessionLimits) -> Vec<Self> {
        let most = |limit: Option<u32>| {
            limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
        };
        self.divided(most(limits.recipients), most(limits.domains))
    }

    fn divided(&self, most: usize, most_domains: usize) -> Vec<Self> {
        let mut parts: Vec<(Recipients, HashSet<String>)> = Vec::new();
        for (n, address) in self.recipients().enumerate() {
            let domain = split(address).1.to_ascii_lowercase();
            // The last part only: an order that was kept is worth more than one message saved.
            match parts.last_mut() {
                Some((part, domains))
                    if part.len() < most
                        && (domains.contains(&domain) || domains.len() < most_domains) =>
                {
                    part.push_from(&self.to, n);
                    domains.insert(domain);
                }
                _ => {
                    let mut part = Recipients::default();
                    part.push_from(&self.to, n);
                    parts.push((part, HashSet::from([domain])));
                }
            }
        }
        parts.into_iter().map(|(part, _)| self.to_these(part)).collect()
    }

    fn to_these(&self, recipients: Recipients) -> Self {
        Self { to: Arc::new(recipients), ..self.clone() }
    }

    pub(crate) const fn to(&self) -> &Arc<Recipients> {
        &self.to
    }
}

impl<'a> From<&'a Envelope> for Cow<'a, Envelope> {
    fn from(envelope: &'a Envelope) -> Self {
        Cow::Borrowed(envelope)
    }
}

impl From<Envelope> for Cow<'_, Envelope> {
    fn from(envelope: Envelope) -> Self {
        Cow::Owned(envelope)
    }
}

/// Why no envelope could be made. The caller's to fix; nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// The list of recipients was empty.
    #[error("an envelope needs at least one recipient")]
    NoRecipients,
    /// The header names neither a sender nor an author.
    #[error("the header has no sender and no author")]
    NoSender,
    /// The header does not end where every header has ended.
    #[error("the header is longer than {limit} octets")]
    HeaderTooLong {
        /// How much is read.
        limit: usize,
    },
    /// Reports are asked for of somebody who is no recipient.
    #[error("{address:?} is no recipient of this envelope")]
    NotARecipient {
        /// The address as it was given.
        address: String,
    },
    /// The address of a recipient cannot be given along as the original one.
    #[error("original recipient {address:?}: {flaw}")]
    Dsn {
        /// The recipient.
        address: String,
        /// What is wrong with it.
        flaw: DsnError,
    },
    /// The sender is no address that SMTP can carry.
    #[error("sender address {address:?}: {flaw}")]
    Sender {
        /// The address as it was given; of more than 320 characters, these and an ellipsis.
        address: String,
        /// What is wrong with it.
        flaw: AddressFlaw,
    },
    /// A recipient is no address that SMTP can carry.
    #[error("recipient address {address:?}: {flaw}")]
    Recipient {
        /// The address as it was given; of more than 320 characters, these and an ellipsis.
        address: String,
        /// What is wrong with it.
        flaw: AddressFlaw,
    },
}

impl EnvelopeError {
    pub(super) fn sender(address: &str, flaw: AddressFlaw) -> Self {
        Self::Sender { address: shortened(address), flaw }
    }

    pub(super) fn recipient(address: &str, flaw: AddressFlaw) -> Self {
        Self::Recipient { address: shortened(address), flaw }
    }
}

/// As much as an address may have: 64 octets, an at-sign and 255 (RFC 5321 section 4.5.3.1). What
/// was taken for one may be a header of a million.
fn shortened(address: &str) -> String {
    const LONGEST: usize = 320;
    match address.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", address.get(..end).unwrap_or_default()),
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::Notify;

    #[test]
    fn the_null_reverse_path_is_for_senders_only() {
        let envelope = Envelope::new("", ["a@b.example"]).unwrap();
        assert_eq!(envelope.reverse_path(), "");
        assert_eq!(envelope.recipients().collect::<Vec<_>>(), ["a@b.example"]);
    }

    #[test]
    fn an_error_is_not_as_long_as_what_is_no_address() {
        for long in ["é".repeat(100_000), "a, b(".repeat(100_000)] {
            for error in [
                Envelope::new(&long, ["a@b.example"]).unwrap_err(),
                Envelope::new("a@b.example", [&long]).unwrap_err(),
                Envelope::from_headers(format!("From: a@b.example\nTo: {long}").as_bytes())
                    .unwrap_err(),
                Envelope::from_headers(format!("From: ({long}\nTo: a@b.example").as_bytes())
                    .unwrap_err(),
            ] {
                assert!(error.to_string().chars().count() < 1000, "{error}");
            }
        }
    }

    #[test]
    fn an_error_names_the_address_and_its_place() {
        let sender = Envelope::new("a@b.example>\r\nRSET", ["c@d.example"]).unwrap_err();
        assert_eq!(
            sender.to_string(),
            r#"sender address "a@b.example>\r\nRSET": it holds the control character '\r'"#
        );
        let recipient = Envelope::new("a@b.example", ["c@d.example", "e"]).unwrap_err();
        assert_eq!(recipient.to_string(), r#"recipient address "e": it has no domain"#);
    }

    #[test]
    fn wishes_stay_with_whoever_is_left() {
        let envelope = Envelope::new("a@b.example", ["c@d.example", "e@f.example"]).unwrap();
        let dsn = Dsn::new().orcpt().notify_for("e@f.example", Notify::NEVER);
        let envelope = envelope.with_dsn(dsn.clone()).unwrap().require_tls();
        let rest = envelope.to_only(["c@d.example"]).unwrap();
        assert!(rest.requires_tls());
        assert_eq!(rest.dsn(), Some(&dsn));
        assert!(envelope.split(1).iter().all(|part| part.dsn() == Some(&dsn)));
    }

    #[test]
    fn reports_are_of_recipients_only() {
        let envelope = Envelope::new("a@b.example", ["c@d.example"]).unwrap();
        let dsn = Dsn::new().notify_for("C@d.example", Notify::NEVER);
        let error = envelope.clone().with_dsn(dsn).unwrap_err();
        assert_eq!(error, EnvelopeError::NotARecipient { address: "C@d.example".into() });
        let long = format!("{}@{}.example", "+".repeat(64), "=".repeat(0) + &"d".repeat(180));
        let encodes_long = format!("{}@{}.example", "ü".repeat(32), "ü".repeat(90));
        assert!(Envelope::new("", [&long]).unwrap().with_dsn(Dsn::new().orcpt()).is_ok());
        let error = Envelope::new("", [&encodes_long]).unwrap().with_dsn(Dsn::new().orcpt());
        assert!(matches!(error, Err(EnvelopeError::Dsn { .. })), "{error:?}");
    }

    #[test]
    fn a_message_to_nobody_is_an_error() {
        let none: [&str; 0] = [];
        assert_eq!(Envelope::new("a@b.example", none), Err(EnvelopeError::NoRecipients));
    }

    #[test]
    fn only_addresses_outside_ascii_need_smtp_utf8() {
        assert!(!Envelope::new("a@b.example", ["c@d.example"]).unwrap().needs_smtp_utf8());
        assert!(Envelope::new("a@b.example", ["ç@d.example"]).unwrap().needs_smtp_utf8());
        assert!(Envelope::new("a@bücher.example", ["c@d.example"]).unwrap().needs_smtp_utf8());
    }

    #[test]
    fn a_retry_goes_to_those_named_and_no_others() {
        let all =
            Envelope::new("a@b.example", ["c@d.example", "e@f.example", "g@h.example"]).unwrap();
        let some = all.to_only(["g@h.example", "c@d.example", "stranger@x.example"]).unwrap();
        assert_eq!(some.reverse_path(), "a@b.example");
        assert_eq!(some.recipients().collect::<Vec<_>>(), ["c@d.example", "g@h.example"]);
        assert_eq!(all.to_only(["stranger@x.example"]), None);
    }

    #[test]
    fn an_envelope_is_split_into_parts_that_the_server_takes() {
        let all =
            ["a@one.example", "b@two.example", "c@ONE.example", "d@three.example", "e@one.example"];
        let envelope = Envelope::new("me@x.example", all).unwrap();
        let told = |parts: Vec<Envelope>| -> Vec<String> {
            assert!(parts.iter().all(|part| part.reverse_path() == "me@x.example"));
            let names = |part: &Envelope| part.recipients().map(|to| &to[..1]).collect::<String>();
            parts.iter().map(names).collect()
        };
        assert_eq!(told(envelope.split(2)), ["ab", "cd", "e"]);
        assert_eq!(told(envelope.split(5)), ["abcde"]);
        assert_eq!(told(envelope.split(0)), ["a", "b", "c", "d", "e"]);
        let mut limits = SessionLimits::default();
        assert_eq!(told(envelope.split_within(&limits)), ["abcde"]);
        limits.domains = Some(2);
        assert_eq!(told(envelope.split_within(&limits)), ["abc", "de"]);
        limits.recipients = Some(2);
        assert_eq!(told(envelope.split_within(&limits)), ["ab", "cd", "e"]);
    }
}
