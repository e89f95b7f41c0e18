//! What is to be reported of a delivery, and how (DSN, RFC 3461).
//!
//! ```text
//! C: MAIL FROM:<billing@contoso.example> RET=HDRS ENVID=invoice+204711
//! C: RCPT TO:<ann@example.com> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;ann@example.com
//! C: RCPT TO:<bob@example.com> NOTIFY=NEVER
//! ```

use std::collections::HashMap;
use std::fmt;
use std::fmt::Write as _;
use std::ops::BitOr;

/// What the sender wants to hear of a message's delivery; see
/// [`Envelope::with_dsn`](crate::smtp::Envelope::with_dsn).
///
/// Reports are messages to the reverse path, and come long after
/// [`send`](crate::SmtpClient::send) has returned. Whether a server beyond the first heeds what is
/// asked for here is up to it.
///
/// Where the server does not offer DSN, sending fails with
/// [`Error::Unsupported`](crate::smtp::Error::Unsupported) before anything is sent, since the
/// report that somebody waits for would never come. [`if_offered`](Self::if_offered) makes it a
/// wish.
///
/// ```
/// use mailbearer::smtp::{Dsn, Envelope, Notify, Ret};
///
/// let dsn = Dsn::new()
///     .ret(Ret::Hdrs)
///     .envid("invoice 4711")?
///     .notify(Notify::SUCCESS | Notify::FAILURE)
///     .notify_for("archive@contoso.example", Notify::NEVER);
/// let recipients = ["ann@example.com", "archive@contoso.example"];
/// let envelope = Envelope::new("billing@contoso.example", recipients)?.with_dsn(dsn)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dsn {
    ret: Option<Ret>,
    /// As xtext.
    envid: Option<String>,
    notify: Option<Notify>,
    orcpt: bool,
    of: HashMap<String, OfRecipient>,
    if_offered: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct OfRecipient {
    notify: Option<Notify>,
    /// Type and address.
    orcpt: Option<(String, String)>,
}

/// How much of the message a report of failure brings back (RFC 3461 section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ret {
    /// All of it.
    Full,
    /// Its header.
    Hdrs,
}

/// On what occasions there is to be a report (RFC 3461 section 4.1). Several are joined by `|`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Notify(u8);

impl Notify {
    /// On none, whatever happens.
    pub const NEVER: Self = Self(0);
    /// When the message has been delivered.
    pub const SUCCESS: Self = Self(1);
    /// When it will not be.
    pub const FAILURE: Self = Self(2);
    /// When it takes unusually long.
    pub const DELAY: Self = Self(4);

    const fn parameter(self) -> &'static str {
        match self.0 & 7 {
            0 => " NOTIFY=NEVER",
            1 => " NOTIFY=SUCCESS",
            2 => " NOTIFY=FAILURE",
            3 => " NOTIFY=SUCCESS,FAILURE",
            4 => " NOTIFY=DELAY",
            5 => " NOTIFY=SUCCESS,DELAY",
            6 => " NOTIFY=FAILURE,DELAY",
            _ => " NOTIFY=SUCCESS,FAILURE,DELAY",
        }
    }
}

impl BitOr for Notify {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Notify({})", self.parameter().trim_start_matches(" NOTIFY="))
    }
}

/// Why something cannot be asked for. Nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DsnError {
    /// There is nothing.
    #[error("it is empty")]
    Empty,
    /// Reports can hold printable ASCII only. An address beyond ASCII is one of the type `utf-8`.
    #[error("the character {0:?} cannot stand in a report")]
    Character(char),
    /// A type of addresses is made of letters, digits and hyphens.
    #[error("that is no type of addresses")]
    AddressType,
    /// RFC 3461 section 5.4: 100 characters for an identifier, 500 for an address, as encoded.
    #[error("it is longer than {limit} characters when encoded")]
    Long {
        /// How long it may be.
        limit: usize,
    },
}

impl Dsn {
    /// Nothing in particular: servers report failures, and perhaps delays.
    pub fn new() -> Self {
        Self::default()
    }

    /// How much of the message a report of failure brings back. Without it, the server decides.
    pub const fn ret(mut self, ret: Ret) -> Self {
        self.ret = Some(ret);
        self
    }

    /// A name for this sending, which comes back in every report: printable ASCII, which may have
    /// spaces.
    ///
    /// # Errors
    /// If it is empty, has other characters, or is longer than 100 characters as encoded: `+`, `=`
    /// and spaces count for three.
    pub fn envid(mut self, id: &str) -> Result<Self, DsnError> {
        let encoded = xtext(id)?;
        self.envid = Some(within(encoded, ENVID)?);
        Ok(self)
    }

    /// On what occasions there is to be a report of any recipient.
    pub const fn notify(mut self, notify: Notify) -> Self {
        self.notify = Some(notify);
        self
    }

    /// On what occasions there is to be a report of this recipient, whatever holds for others.
    pub fn notify_for(mut self, recipient: &str, notify: Notify) -> Self {
        self.of.entry(recipient.to_owned()).or_default().notify = Some(notify);
        self
    }

    /// Gives each recipient's address along as the original one (ORCPT), so that reports name it
    /// even where the message was forwarded.
    pub const fn orcpt(mut self) -> Self {
        self.orcpt = true;
        self
    }

    /// Another original address of a recipient, for gateways and mailing lists: of the type
    /// `rfc822`, `utf-8` (RFC 6533) or another that is registered. Who submits a message of his own
    /// has no other address than the recipient's (RFC 3461 section 4.2), which
    /// [`orcpt`](Self::orcpt) gives.
    ///
    /// # Errors
    /// If the type is none, or the address is empty, longer than 500 characters as encoded with its
    /// type, or, of another type than `utf-8`, not printable ASCII.
    pub fn orcpt_for(
        mut self,
        recipient: &str,
        address_type: &str,
        address: &str,
    ) -> Result<Self, DsnError> {
        let in_type = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if address_type.is_empty() || !address_type.chars().all(in_type) {
            return Err(DsnError::AddressType);
        }
        original(address_type, address, false)?;
        let orcpt = (address_type.to_owned(), address.to_owned());
        self.of.entry(recipient.to_owned()).or_default().orcpt = Some(orcpt);
        Ok(self)
    }

    /// Asks only a server that offers DSN, and lets the message go without to others.
    pub const fn if_offered(mut self) -> Self {
        self.if_offered = true;
        self
    }

    pub(crate) const fn is_optional(&self) -> bool {
        self.if_offered
    }

    /// Recipients with wishes of their own.
    pub(crate) fn named(&self) -> impl Iterator<Item = &str> {
        self.of.keys().map(String::as_str)
    }

    /// Whether this recipient's address can be given along.
    pub(crate) fn check(&self, recipient: &str) -> Result<(), DsnError> {
        self.original_of(recipient, false).map(drop)
    }

    /// What MAIL says: RET and ENVID.
    pub(crate) fn of_message(&self) -> [&str; 3] {
        let ret = match self.ret {
            None => "",
            Some(Ret::Full) => " RET=FULL",
            Some(Ret::Hdrs) => " RET=HDRS",
        };
        match &self.envid {
            None => [ret, "", ""],
            Some(id) => [ret, " ENVID=", id],
        }
    }

    /// What RCPT says: NOTIFY and ORCPT. `utf8`: the server was told of SMTPUTF8.
    pub(crate) fn of_recipient(&self, recipient: &str, utf8: bool) -> (&'static str, String) {
        let own = self.of.get(recipient).and_then(|of| of.notify);
        let notify = own.or(self.notify).map_or("", Notify::parameter);
        // It was checked when the envelope was made.
        let original = self.original_of(recipient, utf8).ok().flatten().unwrap_or_default();
        (notify, original)
    }

    fn original_of(&self, recipient: &str, utf8: bool) -> Result<Option<String>, DsnError> {
        let own = self.of.get(recipient).and_then(|of| of.orcpt.as_ref());
        Ok(match own {
            Some((address_type, address)) => Some(original(address_type, address, utf8)?),
            None if !self.orcpt => None,
            None if recipient.is_ascii() => Some(original("rfc822", recipient, utf8)?),
            None => Some(original("utf-8", recipient, utf8)?),
        })
    }
}

/// RFC 3461 section 5.4.
const ENVID: usize = 100;
const ORCPT: usize = 500;

/// ` ORCPT=rfc822;ann@example.com`
fn original(address_type: &str, address: &str, utf8: bool) -> Result<String, DsnError> {
    let encoded = if address_type.eq_ignore_ascii_case("utf-8") {
        unitext(address, utf8)?
    } else {
        xtext(address)?
    };
    // The limit is on what stands behind the keyword.
    Ok(format!(" ORCPT={}", within(format!("{address_type};{encoded}"), ORCPT)?))
}

fn within(encoded: String, limit: usize) -> Result<String, DsnError> {
    if encoded.len() > limit { Err(DsnError::Long { limit }) } else { Ok(encoded) }
}

/// RFC 3461 section 4: what is not graphic ASCII, `+` and `=` as `+` and two hexadecimal digits.
fn xtext(text: &str) -> Result<String, DsnError> {
    if text.is_empty() {
        return Err(DsnError::Empty);
    }
    let mut encoded = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' ' | '+' | '=' => {
                let _ = write!(encoded, "+{:02X}", u32::from(c));
            }
            '!'..='~' => encoded.push(c),
            _ => return Err(DsnError::Character(c)),
        }
    }
    Ok(encoded)
}

/// RFC 6533 section 3: `\x{FC}` for what is beyond ASCII, unless the server was told of SMTPUTF8,
/// and for what may not stand there as it is.
fn unitext(text: &str, utf8: bool) -> Result<String, DsnError> {
    if text.is_empty() {
        return Err(DsnError::Empty);
    }
    let mut encoded = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '+' | '=' | ' ' => {
                let _ = write!(encoded, "\\x{{{:02X}}}", u32::from(c));
            }
            '!'..='~' => encoded.push(c),
            _ if c.is_control() => return Err(DsnError::Character(c)),
            _ if utf8 => encoded.push(c),
            _ => {
                let _ = write!(encoded, "\\x{{{:02X}}}", u32::from(c));
            }
        }
    }
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 3461 section 10.1.
    #[test]
    fn the_example_of_the_rfc_is_written() {
        let dsn = Dsn::new().ret(Ret::Hdrs).envid("QQ314159").unwrap();
        assert_eq!(dsn.of_message().concat(), " RET=HDRS ENVID=QQ314159");
        let (bob, dana) = ("Bob@Example.COM", "Dana@Ivory.EDU");
        let dsn =
            dsn.orcpt().notify(Notify::SUCCESS).notify_for(dana, Notify::SUCCESS | Notify::FAILURE);
        let (notify, original) = dsn.of_recipient(bob, false);
        assert_eq!(format!("{notify}{original}"), " NOTIFY=SUCCESS ORCPT=rfc822;Bob@Example.COM");
        let (notify, _) = dsn.of_recipient(dana, false);
        assert_eq!(notify, " NOTIFY=SUCCESS,FAILURE");
    }

    #[test]
    fn what_was_not_asked_for_is_not_written() {
        assert_eq!(Dsn::new().of_message().concat(), "");
        assert_eq!(Dsn::new().of_recipient("a@b.example", true), ("", String::new()));
        assert_eq!(Dsn::new().ret(Ret::Full).of_message().concat(), " RET=FULL");
    }

    #[test]
    fn never_stands_alone() {
        for bits in 0..8 {
            let parameter = Notify(bits).parameter();
            assert_eq!(parameter.contains("NEVER"), bits == 0, "{parameter}");
            for (one, word) in [(1, "SUCCESS"), (2, "FAILURE"), (4, "DELAY")] {
                assert_eq!(parameter.contains(word), bits & one != 0, "{parameter}");
            }
        }
        assert_eq!(Notify::NEVER | Notify::DELAY, Notify::DELAY);
    }

    #[test]
    fn what_a_parameter_cannot_hold_is_encoded() {
        let envid = |id: &str| Dsn::new().envid(id).map(|dsn| dsn.of_message().concat());
        assert_eq!(envid("a+b=c d"), Ok(" ENVID=a+2Bb+3Dc+20d".into()));
        assert_eq!(envid(""), Err(DsnError::Empty));
        assert_eq!(envid("a\r\nRSET"), Err(DsnError::Character('\r')));
        assert_eq!(envid("grün"), Err(DsnError::Character('ü')));
        assert!(envid(&"x".repeat(100)).is_ok());
        assert_eq!(envid(&"x".repeat(101)), Err(DsnError::Long { limit: 100 }));
        assert_eq!(envid(&" ".repeat(34)), Err(DsnError::Long { limit: 100 }));
    }

    #[test]
    fn an_address_beyond_ascii_is_one_of_utf_8() {
        let dsn = Dsn::new().orcpt();
        let of = |recipient, utf8| dsn.of_recipient(recipient, utf8).1;
        assert_eq!(of("a+b@x.example", false), " ORCPT=rfc822;a+2Bb@x.example");
        assert_eq!(of("a+ü@x.example", false), " ORCPT=utf-8;a\\x{2B}\\x{FC}@x.example");
        assert_eq!(of("a+ü@x.example", true), " ORCPT=utf-8;a\\x{2B}ü@x.example");
        assert_eq!(of("\"a b\"@x.example", false), " ORCPT=rfc822;\"a+20b\"@x.example");
    }

    #[test]
    fn a_gateway_names_other_original_addresses() {
        let to = "list@x.example";
        let of = |kind: &str, address: &str| {
            let dsn = Dsn::new().orcpt().orcpt_for(to, kind, address)?;
            Ok::<_, DsnError>(dsn.of_recipient(to, false).1)
        };
        assert_eq!(of("x400", "/C=de/ G=a/").as_deref(), Ok(" ORCPT=x400;/C+3Dde/+20G+3Da/"));
        assert_eq!(of("UTF-8", "ü@b.example").as_deref(), Ok(" ORCPT=UTF-8;\\x{FC}@b.example"));
        assert_eq!(of("rfc 822", "a@b.example"), Err(DsnError::AddressType));
        assert_eq!(of("", "a@b.example"), Err(DsnError::AddressType));
        assert_eq!(of("rfc822", "ü@b.example"), Err(DsnError::Character('ü')));
        assert_eq!(of("utf-8", "a\n@b.example"), Err(DsnError::Character('\n')));
        assert_eq!(of("rfc822", &"x".repeat(494)), Err(DsnError::Long { limit: 500 }));
    }

    proptest! {
        #[test]
        fn no_value_can_leave_its_parameter(text in any::<String>()) {
            let values = [xtext(&text), unitext(&text, false), unitext(&text, true)];
            for value in values.into_iter().flatten() {
                let stray = |c: char| c == ' ' || c == '=' || c.is_control();
                prop_assert!(!value.contains(stray), "{}", value);
            }
        }
    }
}
