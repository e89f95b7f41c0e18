//! What somebody may do in a mailbox, in the letters of RFC 4314 section 2.1 and of RFC 2086.
//!
//! ```text
//! * MYRIGHTS INBOX lrswipkxteacd    a server of RFC 4314: `c` and `d` stand for rights beside them
//! * MYRIGHTS INBOX lrswipcda        one of RFC 2086: they are what there is
//! ```

use std::fmt;

use crate::imap::Capabilities;
use crate::imap::proto::decode::{Malformed, Parsed};

/// Something that somebody may do in a mailbox: a letter, or a digit for what only this server has.
///
/// ```
/// use mailbearer::imap::{Right, Rights};
///
/// let rights = Rights::from_iter([Right::LOOKUP, Right::READ, Right::SEEN]);
/// assert!(rights.has(Right::READ) && !rights.has(Right::INSERT));
/// assert_eq!(rights.to_string(), "lrs");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Right(u8);

impl Right {
    /// `l`: LIST shows the mailbox.
    pub const LOOKUP: Self = Self(b'l');
    /// `r`: SELECT opens it, and its messages can be read.
    pub const READ: Self = Self(b'r');
    /// `s`: `\Seen` is kept from session to session.
    pub const SEEN: Self = Self(b's');
    /// `w`: flags can be changed, but for `\Seen` and `\Deleted`.
    pub const WRITE: Self = Self(b'w');
    /// `i`: messages can be put into it.
    pub const INSERT: Self = Self(b'i');
    /// `p`: mail can be sent to its address.
    pub const POST: Self = Self(b'p');
    /// `k`: mailboxes can be made below it.
    pub const CREATE_MAILBOX: Self = Self(b'k');
    /// `x`: the mailbox itself can be removed.
    pub const DELETE_MAILBOX: Self = Self(b'x');
    /// `t`: messages can be marked `\Deleted`.
    pub const DELETE_MESSAGES: Self = Self(b't');
    /// `e`: messages can be expunged.
    pub const EXPUNGE: Self = Self(b'e');
    /// `a`: who may do what can be changed.
    pub const ADMINISTER: Self = Self(b'a');

    /// A right by its letter or digit.
    pub fn new(letter: char) -> Option<Self> {
        let octet = u8::try_from(letter).ok()?;
        (octet.is_ascii_lowercase() || octet.is_ascii_digit()).then_some(Self(octet))
    }

    /// Its letter or digit.
    pub const fn letter(self) -> char {
        self.0 as char
    }
}

/// A set of rights. Two are equal if they hold the same, whatever the order.
///
/// What a server tells is in the letters of RFC 4314. Its `c` and `d`, which stand there for several
/// rights together, are left out; where an older server (RFC 2086) has only these, they are told as what
/// they have become: `c` as [`CREATE_MAILBOX`](Right::CREATE_MAILBOX), `d` as
/// [`DELETE_MESSAGES`](Right::DELETE_MESSAGES) and [`EXPUNGE`](Right::EXPUNGE), and both together as
/// [`DELETE_MAILBOX`](Right::DELETE_MAILBOX), too, which the one server has in `c`, the other in `d`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Rights {
    /// A bit for each letter and behind those one for each digit.
    bits: u64,
}

impl Rights {
    const LETTERS: &'static [u8; 36] = b"lrswipkxteacdbfghjmnoquvyz0123456789";

    /// Whether this right is among them.
    pub fn has(self, right: Right) -> bool {
        self.bits & Self::bit(right) != 0
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// Each of them, those of RFC 4314 first.
    pub fn iter(self) -> impl Iterator<Item = Right> {
        Self::LETTERS.iter().map(|l| Right(*l)).filter(move |r| self.bits & Self::bit(*r) != 0)
    }

    const CREATE: Right = Right(b'c');
    const DELETE: Right = Right(b'd');

    fn has_all<const N: usize>(self, rights: [Right; N]) -> bool {
        rights.into_iter().all(|right| self.has(right))
    }

    fn has_any<const N: usize>(self, rights: [Right; N]) -> bool {
        rights.into_iter().any(|right| self.has(right))
    }

    fn with<const N: usize>(self, rights: [Right; N]) -> Self {
        Self { bits: self.bits | Self::from_iter(rights).bits }
    }

    fn without<const N: usize>(self, rights: [Right; N]) -> Self {
        Self { bits: self.bits & !Self::from_iter(rights).bits }
    }

    /// What a server means that says so (RFC 4314 section 2.1.1).
    pub(super) fn told_by(self, letters: Letters) -> Self {
        let (create, delete) = (self.has(Self::CREATE), self.has(Self::DELETE));
        let mut told = self.without([Self::CREATE, Self::DELETE]);
        if letters == Letters::Old {
            if create {
                told = told.with([Right::CREATE_MAILBOX]);
            }
            if delete {
                told = told.with([Right::DELETE_MESSAGES, Right::EXPUNGE]);
            }
            if create && delete {
                told = told.with([Right::DELETE_MAILBOX]);
            }
        }
        told
    }

    /// The same, of what is told alone.
    pub(in crate::imap::command) fn told_alone_by(self, letters: Letters) -> Self {
        self.told_by(letters.and_of([self]))
    }

    /// What to say to a server to mean this. `c` and `d` would give more than is meant beside one of
    /// the rights that they stand for. What an older server has no letter for it refuses.
    pub(super) fn said_to(self, letters: Letters) -> Self {
        let mut said = self;
        if letters == Letters::Old {
            let (create, delete) =
                ([Right::CREATE_MAILBOX], [Right::DELETE_MESSAGES, Right::EXPUNGE]);
            let (creates, deletes) = (self.has_all(create), self.has_all(delete));
            if creates {
                said = said.without(create).with([Self::CREATE]);
            }
            if deletes {
                said = said.without(delete).with([Self::DELETE]);
            }
            if creates && deletes {
                said = said.without([Right::DELETE_MAILBOX]);
            }
            return said;
        }
        if self.has_any([Right::CREATE_MAILBOX, Right::DELETE_MAILBOX]) {
            said = said.without([Self::CREATE]);
        }
        if self.has_any([Right::DELETE_MAILBOX, Right::DELETE_MESSAGES, Right::EXPUNGE]) {
            said = said.without([Self::DELETE]);
        }
        said
    }

    fn bit(right: Right) -> u64 {
        let at = Self::LETTERS.iter().position(|letter| *letter == right.0);
        at.map_or(0, |at| 1 << at)
    }

    /// Of letters and digits.
    pub(super) fn parse(letters: &[u8]) -> Parsed<Self> {
        let rights = letters.iter().map(|letter| Right::new((*letter).into()));
        rights.collect::<Option<Self>>().ok_or(Malformed("rights, which are letters and digits"))
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        Self { bits: rights.into_iter().fold(0, |bits, right| bits | Self::bit(right)) }
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|right| write!(f, "{}", right.letter()))
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rights({self})")
    }
}

/// Which letters a server has for rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::imap::command) enum Letters {
    /// `c` and `d` in place of `k`, `x`, `t` and `e` (RFC 2086).
    Old,
    /// Those, and `c` and `d` beside them for older clients (RFC 4314).
    New,
}

impl Letters {
    /// A server of RFC 4314 names those that it has besides (section 2).
    pub(in crate::imap::command) fn of(offered: &Capabilities) -> Self {
        if offered.value("RIGHTS").is_some() { Self::New } else { Self::Old }
    }

    /// The same, where an answer shows it in any case.
    pub(super) fn and_of(self, told: impl IntoIterator<Item = Rights>) -> Self {
        const NEW: [Right; 4] =
            [Right::CREATE_MAILBOX, Right::DELETE_MAILBOX, Right::DELETE_MESSAGES, Right::EXPUNGE];
        if told.into_iter().any(|rights| rights.has_any(NEW)) { Self::New } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(letters: &str) -> Rights {
        Rights::parse(letters.as_bytes()).unwrap()
    }

    #[test]
    fn create_and_delete_are_no_rights_beside_those_that_they_stand_for() {
        // RFC 4314 section 2.1.1.
        let told = |letters: &str| rights(letters).told_by(Letters::New).to_string();
        assert_eq!(told("lrswipkcda"), "lrswipka");
        assert_eq!(
            (told("cd"), told("lrtd"), told("lrxcd")),
            ("".into(), "lrt".into(), "lrx".into())
        );
        // An older server has nothing else.
        let told = |letters: &str| rights(letters).told_by(Letters::Old).to_string();
        assert_eq!((told("lrc"), told("lrd")), ("lrk".to_owned(), "lrte".to_owned()));
        assert_eq!(told("lrswipcda"), "lrswipkxtea");
        assert!(!rights("c").has(Right::CREATE_MAILBOX));
    }

    #[test]
    fn what_was_told_is_written_back_as_no_more_than_that() {
        for (offered, told, letters, said) in [
            ("ACL RIGHTS=texk", "lrkcd", "lrk", "lrk"),
            ("ACL RIGHTS=texk", "lrtcd", "lrt", "lrt"),
            ("ACL", "lrc", "lrk", "lrc"),
            ("ACL", "lrd", "lrte", "lrd"),
            ("ACL", "lrcd", "lrkxte", "lrcd"),
        ] {
            let dialect = Letters::of(&offered.into());
            let told = rights(told).told_by(dialect);
            assert_eq!(
                (told.to_string(), told.said_to(dialect).to_string()),
                (letters.into(), said.into())
            );
        }
        let said = |letters: &str, to| rights(letters).said_to(to).to_string();
        // The letter alone is what was asked for; beside others it would be more.
        assert_eq!(
            (said("lcd", Letters::New), said("lkcd", Letters::New)),
            ("lcd".into(), "lkd".into())
        );
        assert_eq!(
            (said("lecd", Letters::New), said("lxcd", Letters::New)),
            ("lec".into(), "lx".into())
        );
        // An older server cannot give one without the other, and says so.
        assert_eq!(
            (said("lt", Letters::Old), said("lkx", Letters::Old)),
            ("lt".into(), "lxc".into())
        );
    }

    #[test]
    fn rights_are_equal_in_any_order() {
        assert_eq!(rights("srl"), rights("lrs"));
        assert_eq!(Right::new('A'), None);
        assert_eq!(
            Rights::LETTERS.iter().filter(|l| Right::new((**l).into()).is_some()).count(),
            36
        );
    }
}
