//! Mailboxes as SMTP commands carry them (RFC 5321 section 4.1.2, RFC 6531 section 3.3).

use std::fmt;
use std::str::FromStr;

/// An address that SMTP can carry, without display name or brackets.
///
/// [`Envelope`](crate::smtp::Envelope) checks the addresses it is given itself; this is for
/// programs that take one long before they send, and want to know at once.
///
/// ```
/// use mailbearer::smtp::{Address, AddressFlaw};
///
/// let ann: Address = "ann@example.com".parse()?;
/// assert_eq!((ann.local_part(), ann.domain()), ("ann", "example.com"));
/// assert_eq!(Address::new("Ann <ann@example.com>"), Err(AddressFlaw::Misplaced(' ')));
/// # Ok::<(), AddressFlaw>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address(String);

impl Address {
    /// Checks an address.
    ///
    /// # Errors
    /// If it is none by RFC 5321 section 4.1.2, or is longer than section 4.5.3.1 allows.
    /// Consecutive dots in a local part, underscores in a domain and characters outside ASCII are
    /// taken.
    pub fn new(address: impl Into<String>) -> Result<Self, AddressFlaw> {
        let address = address.into();
        check(&address)?;
        Ok(Self(address))
    }

    /// The address as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the `@`, with its quotes if it has any.
    pub fn local_part(&self) -> &str {
        split(&self.0).0
    }

    /// What stands behind the `@`, with its brackets if it is an address literal; empty for
    /// `postmaster`.
    pub fn domain(&self) -> &str {
        split(&self.0).1
    }

    /// Whether it has characters outside ASCII.
    pub fn needs_smtp_utf8(&self) -> bool {
        !self.0.is_ascii()
    }
}

impl FromStr for Address {
    type Err = AddressFlaw;

    fn from_str(address: &str) -> Result<Self, AddressFlaw> {
        Self::new(address)
    }
}

impl TryFrom<String> for Address {
    type Error = AddressFlaw;

    fn try_from(address: String) -> Result<Self, AddressFlaw> {
        Self::new(address)
    }
}

impl AsRef<str> for Address {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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

/// Local part and domain; the domain of `postmaster` is empty.
pub(super) fn split(address: &str) -> (&str, &str) {
    address.rsplit_once('@').unwrap_or((address, ""))
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
        check(address).err()
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
    fn an_address_has_two_parts() {
        let quoted = Address::new("\"a @ b\"@[192.0.2.1]").unwrap();
        assert_eq!((quoted.local_part(), quoted.domain()), ("\"a @ b\"", "[192.0.2.1]"));
        let postmaster: Address = "postmaster".parse().unwrap();
        assert_eq!((postmaster.local_part(), postmaster.domain()), ("postmaster", ""));
        assert!(Address::new("grå@b.example").unwrap().needs_smtp_utf8());
    }

    proptest! {
        #[test]
        fn no_address_can_leave_its_brackets(
            text in "[\\x00-\\x7f\u{80}-\u{9f}é]{0,12}@?[a-z.\\[\\]<>\r\n ]{0,8}",
        ) {
            if let Ok(address) = Address::new(&text) {
                prop_assert!(!text.contains(char::is_control));
                prop_assert_eq!(address.as_str(), &text);
                // Outside quotes nothing ends the path or begins a parameter.
                let local = text.rfind('@').unwrap_or(0);
                let plain = if text.starts_with('"') { &text[local..] } else { &text[..] };
                prop_assert!(!plain.contains(['<', '>', ' ', ',']), "{}", text);
            }
        }
    }
}
