//! Unique identifiers.

use std::fmt;
use std::num::NonZeroU32;

/// The unique identifier of a message within its mailbox (RFC 9051 section 2.3.1.1), good for as
/// long as the mailbox keeps its UIDVALIDITY.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uid(NonZeroU32);

impl Uid {
    /// `None` for 0, which no message has.
    pub const fn new(uid: u32) -> Option<Self> {
        match NonZeroU32::new(uid) {
            Some(uid) => Some(Self(uid)),
            None => None,
        }
    }

    /// The number, never 0.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl From<NonZeroU32> for Uid {
    fn from(uid: NonZeroU32) -> Self {
        Self(uid)
    }
}

impl From<Uid> for u32 {
    fn from(uid: Uid) -> Self {
        uid.get()
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
