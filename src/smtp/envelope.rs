//! Who a message comes from and whom it goes to (RFC 5321 section 2.3.1).

use std::collections::HashSet;

use crate::smtp::extension::SessionLimits;

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
    /// The reverse path and then the recipients, without separators.
    text: String,
    /// Where each address ends in `text`.
    ends: Vec<usize>,
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
        let mut envelope = Self { text: from.to_owned(), ends: vec![from.len()] };
        for address in to {
            let address = address.as_ref();
            check(address).map_err(|flaw| EnvelopeError::recipient(address, flaw))?;
            envelope.push(address);
        }
        if envelope.ends.len() == 1 {
            return Err(EnvelopeError::NoRecipients);
        }
        Ok(envelope)
    }

    /// Where failures are reported to; empty for nobody.
    pub fn reverse_path(&self) -> &str {
        self.address(0)
    }

    /// The recipients, in the order they were given. There is at least one.
    pub fn recipients(&self) -> impl ExactSizeIterator<Item = &str> {
        (1..self.ends.len()).map(|n| self.address(n))
    }

    /// Whether an address has characters outside ASCII, so that only a server with SMTPUTF8
    /// (RFC 6531) can take it.
    pub fn needs_smtp_utf8(&self) -> bool {
        !self.text.is_ascii()
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
        let mut rest = self.to_nobody();
        for address in self.recipients().filter(|address| named.contains(address)) {
            rest.push(address);
        }
        (rest.ends.len() > 1).then_some(rest)
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
        let mut parts: Vec<(Self, HashSet<String>)> = Vec::new();
        for address in self.recipients() {
            let domain = domain(address).to_ascii_lowercase();
            // The last part only: an order that was kept is worth more than one message saved.
            match parts.last_mut() {
                Some((part, domains))
                    if part.recipients().len() < most
                        && (domains.contains(&domain) || domains.len() < most_domains) =>
                {
                    part.push(address);
                    domains.insert(domain);
                }
                _ => {
                    let mut part = self.to_nobody();
                    part.push(address);
                    parts.push((part, HashSet::from([domain])));
                }
            }
        }
        parts.into_iter().map(|(part, _)| part).collect()
    }

    fn to_nobody(&self) -> Self {
        let from = self.reverse_path();
        Self { text: from.to_owned(), ends: vec![from.len()] }
    }

    /// Octets of all addresses together.
    pub(crate) const fn octets(&self) -> usize {
        self.text.len()
    }

    fn push(&mut self, address: &str) {
        self.text.push_str(address);
        self.ends.push(self.text.len());
    }

    fn address(&self, n: usize) -> &str {
        let end = |n| self.ends.get(n).copied();
        let start = n.checked_sub(1).and_then(end).unwrap_or(0);
        self.text.get(start..end(n).unwrap_or(start)).unwrap_or_default()
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
    /// The sender is no address that SMTP can carry.
    #[error("sender address {address:?}: {flaw}")]
    Sender {
        /// The address as it was given.
        address: String,
        /// What is wrong with it.
        flaw: AddressFlaw,
    },
    /// A recipient is no address that SMTP can carry.
    #[error("recipient address {address:?}: {flaw}")]
    Recipient {
        /// The address as it was given.
        address: String,
        /// What is wrong with it.
        flaw: AddressFlaw,
    },
}

impl EnvelopeError {
    pub(super) fn sender(address: &str, flaw: AddressFlaw) -> Self {
        Self::Sender { address: address.to_owned(), flaw }
    }

    pub(super) fn recipient(address: &str, flaw: AddressFlaw) -> Self {
        Self::Recipient { address: address.to_owned(), flaw }
    }
}

/// What is wrong with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressFlaw {
    /// There is nothing.
    #[error("it is empty")]
    Empty,
    /// A carriage return, line feed, NUL or other control character.
    #[error("it holds the control character {0:?}")]
    Control(char),
    /// A character that has no place where it stands. Give `ann@example.com`, not
    /// `Ann <ann@example.com>`; a local part with spaces or specials has to be quoted.
    #[error("the character {0:?} cannot stand there")]
    Misplaced(char),
    /// There is no `@` with a domain behind it, and it is not `postmaster`.
    #[error("it has no domain")]
    NoDomain,
    /// There is nothing before the `@`.
    #[error("it has no local part")]
    NoLocalPart,
    /// The quoted local part is not closed, or goes on after its closing quote.
    #[error("its quotes do not match")]
    Quotes,
    /// A part of the domain between two dots, or before or after one, is empty.
    #[error("its domain has an empty label")]
    EmptyLabel,
    /// More than 64 octets before the `@`, RFC 5321 section 4.5.3.1.1.
    #[error("its local part is longer than 64 octets")]
    LongLocalPart,
    /// More than 255 octets after the `@`, RFC 5321 section 4.5.3.1.2.
    #[error("its domain is longer than 255 octets")]
    LongDomain,
    /// More than 256 octets with its angle brackets, RFC 5321 section 4.5.3.1.3.
    #[error("it is longer than 254 octets")]
    Long,
}

/// What follows the last `@`; nothing for `postmaster`.
pub(crate) fn domain(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}

/// Whether `address` is a Mailbox of RFC 5321 section 4.1.2, with what RFC 6531 section 3.3 adds.
pub(super) fn check(address: &str) -> Result<(), AddressFlaw> {
    // Before anything else: this is what the rest of the session hangs on.
    if let Some(control) = address.chars().find(|c| c.is_control()) {
        return Err(AddressFlaw::Control(control));
    }
    if address.is_empty() {
        return Err(AddressFlaw::Empty);
    }
    // RFC 5321 section 4.1.1.3: the one recipient without a domain.
    if address.eq_ignore_ascii_case("postmaster") {
        return Ok(());
    }
    let (local, domain) = match address.strip_prefix('"') {
        Some(rest) => quoted_local_part(rest)?,
        None => plain_local_part(address)?,
    };
    if local > 64 {
        return Err(AddressFlaw::LongLocalPart);
    }
    check_domain(domain)?;
    // Section 4.5.3.1.3 counts the brackets of the path.
    if address.len() > 254 { Err(AddressFlaw::Long) } else { Ok(()) }
}

/// The length of the local part with its quotes, and the domain. `rest` follows the first quote.
fn quoted_local_part(rest: &str) -> Result<(usize, &str), AddressFlaw> {
    let mut escaped = false;
    for (at, octet) in rest.bytes().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => {
                let after = rest.get(at + 1..).unwrap_or_default();
                return match after.strip_prefix('@') {
                    Some(domain) => Ok((at + 2, domain)),
                    None if after.is_empty() => Err(AddressFlaw::NoDomain),
                    None => Err(AddressFlaw::Quotes),
                };
            }
            _ => {}
        }
    }
    Err(AddressFlaw::Quotes)
}

fn plain_local_part(address: &str) -> Result<(usize, &str), AddressFlaw> {
    let special = |c: char| {
        matches!(c, ' ' | '"' | '(' | ')' | ',' | ':' | ';' | '<' | '>' | '[' | ']' | '\\')
    };
    let (local, domain) = address.split_once('@').unwrap_or((address, ""));
    if let Some(misplaced) = local.chars().find(|c| special(*c)) {
        return Err(AddressFlaw::Misplaced(misplaced));
    }
    if local.is_empty() {
        return Err(AddressFlaw::NoLocalPart);
    }
    Ok((local.len(), domain))
}

fn check_domain(domain: &str) -> Result<(), AddressFlaw> {
    if domain.is_empty() {
        return Err(AddressFlaw::NoDomain);
    }
    if domain.len() > 255 {
        return Err(AddressFlaw::LongDomain);
    }
    let literal = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    // Section 4.1.3: dcontent within the brackets of an address literal.
    let allowed = |c: char| match literal {
        Some(_) => c.is_ascii_graphic() && !matches!(c, '[' | ']' | '\\' | '<' | '>'),
        // The underscore is no letter, digit or hyphen, but such hosts receive mail.
        None => c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_') || !c.is_ascii(),
    };
    if let Some(misplaced) = literal.unwrap_or(domain).chars().find(|c| !allowed(*c)) {
        return Err(AddressFlaw::Misplaced(misplaced));
    }
    match literal {
        Some("") => Err(AddressFlaw::NoDomain),
        None if domain.split('.').any(str::is_empty) => Err(AddressFlaw::EmptyLabel),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flaw(address: &str) -> Option<AddressFlaw> {
        match Envelope::new("a@b.example", [address]) {
            Ok(envelope) => {
                assert_eq!(envelope.recipients().collect::<Vec<_>>(), [address]);
                None
            }
            Err(EnvelopeError::Recipient { address: told, flaw }) => {
                assert_eq!(told, address);
                Some(flaw)
            }
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn addresses_of_every_form_are_taken() {
        for address in [
            "someone@example.com",
            "first.last+tag@mail.example.com",
            "o'brien_{x}~!#$%&*/=?^`|@example.com",
            "docomo..user.@docomo.example",
            "\"quoted local\"@example.com",
            "\"with \\\" and @ and <\"@example.com",
            "user@[192.0.2.1]",
            "user@[IPv6:2001:db8::1]",
            "user@under_score.example",
            "root@localhost",
            "Postmaster",
            "grå@exämple.example",
        ] {
            assert_eq!(flaw(address), None, "{address}");
        }
    }

    #[test]
    fn nothing_can_end_a_command_line() {
        assert_eq!(flaw("a@b.example>\r\nDATA"), Some(AddressFlaw::Control('\r')));
        assert_eq!(flaw("a\n@b.example"), Some(AddressFlaw::Control('\n')));
        assert_eq!(flaw("a@b.example\0"), Some(AddressFlaw::Control('\0')));
        assert_eq!(flaw("\"a\x7f\"@b.example"), Some(AddressFlaw::Control('\x7f')));
        assert_eq!(flaw("a@[1.2.3.4\r\n]"), Some(AddressFlaw::Control('\r')));
        assert_eq!(flaw("a\u{85}@b.example"), Some(AddressFlaw::Control('\u{85}')));
        assert_eq!(flaw("a@b.example> SIZE=1"), Some(AddressFlaw::Misplaced('>')));
        assert_eq!(flaw("a@[1.2.3.4> X]"), Some(AddressFlaw::Misplaced('>')));
        let sender = Envelope::new("a@b.example>\r\nRSET", ["c@d.example"]).unwrap_err();
        assert_eq!(
            sender.to_string(),
            r#"sender address "a@b.example>\r\nRSET": it holds the control character '\r'"#
        );
    }

    #[test]
    fn what_is_no_address_is_told_apart() {
        assert_eq!(flaw(""), Some(AddressFlaw::Empty));
        assert_eq!(flaw("Ann <ann@example.com>"), Some(AddressFlaw::Misplaced(' ')));
        assert_eq!(flaw("<ann@example.com>"), Some(AddressFlaw::Misplaced('<')));
        assert_eq!(flaw("ann@example.com,bob@example.com"), Some(AddressFlaw::Misplaced(',')));
        assert_eq!(flaw("@relay.example:ann@example.com"), Some(AddressFlaw::NoLocalPart));
        assert_eq!(flaw("ann"), Some(AddressFlaw::NoDomain));
        assert_eq!(flaw("ann@"), Some(AddressFlaw::NoDomain));
        assert_eq!(flaw("\"ann\""), Some(AddressFlaw::NoDomain));
        assert_eq!(flaw("ann@[]"), Some(AddressFlaw::NoDomain));
        assert_eq!(flaw("@example.com"), Some(AddressFlaw::NoLocalPart));
        assert_eq!(flaw("\"ann@example.com"), Some(AddressFlaw::Quotes));
        assert_eq!(flaw("\"ann\"bob@example.com"), Some(AddressFlaw::Quotes));
        assert_eq!(flaw("\"ann\\\"@example.com"), Some(AddressFlaw::Quotes));
        assert_eq!(flaw("ann@@example.com"), Some(AddressFlaw::Misplaced('@')));
        assert_eq!(flaw("ann@example..com"), Some(AddressFlaw::EmptyLabel));
        assert_eq!(flaw("ann@example.com."), Some(AddressFlaw::EmptyLabel));
    }

    #[test]
    fn lengths_are_those_of_rfc_5321() {
        let at = |local: usize, domain: usize| {
            let label = "d".repeat(domain);
            flaw(&format!("{}@{label}", "l".repeat(local)))
        };
        assert_eq!(at(64, 189), None);
        assert_eq!(at(65, 11), Some(AddressFlaw::LongLocalPart));
        assert_eq!(at(64, 190), Some(AddressFlaw::Long));
        assert_eq!(at(1, 255), Some(AddressFlaw::Long));
        assert_eq!(at(1, 256), Some(AddressFlaw::LongDomain));
        let quoted = format!("\"{}\"@example.com", "q".repeat(63));
        assert_eq!(flaw(&quoted), Some(AddressFlaw::LongLocalPart));
    }

    #[test]
    fn the_null_reverse_path_is_for_senders_only() {
        let envelope = Envelope::new("", ["a@b.example"]).unwrap();
        assert_eq!(envelope.reverse_path(), "");
        assert_eq!(envelope.recipients().collect::<Vec<_>>(), ["a@b.example"]);
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

    proptest! {
        #[test]
        fn no_address_can_leave_its_brackets(
            text in "[\\x00-\\x7f\u{80}-\u{9f}é]{0,12}@?[a-z.\\[\\]<>\r\n ]{0,8}",
        ) {
            if let Ok(envelope) = Envelope::new(&text, [&text]) {
                prop_assert!(!text.contains(char::is_control));
                prop_assert_eq!(envelope.recipients().next(), Some(text.as_str()));
                // Outside quotes nothing ends the path or begins a parameter.
                let local = text.rfind('@').unwrap_or(0);
                let plain = if text.starts_with('"') { &text[local..] } else { &text[..] };
                prop_assert!(!plain.contains(['<', '>', ' ', ',']), "{}", text);
            }
        }
    }
}
