//! What tells commands apart, and what searches have left at the server.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::decode;

/// The tag of a command: `A` and a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag(pub(super) u32);

impl Tag {
    /// That of no command.
    pub(crate) const NONE: Self = Self(0);

    /// One of ours.
    pub(crate) fn parse(tag: &[u8]) -> Option<Self> {
        tag.strip_prefix(b"A").and_then(decode::parse_u32).map(Self)
    }

    /// That of the command so many behind this one.
    pub(crate) const fn next(self, commands: u32) -> Self {
        Self(self.0.wrapping_add(commands))
    }

    /// How many commands after that with the tag `first` this one was.
    pub(crate) const fn behind(self, first: Self) -> u32 {
        self.0.wrapping_sub(first.0)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "A{}", self.0)
    }
}

/// What a server keeps of a search (RFC 5182): a number that no other search of this program has. A
/// tag would not do, since sets outlive connections, and tags begin anew with each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Saved(u64);

impl Saved {
    /// Nothing.
    pub(crate) const NONE: Self = Self(0);
    /// Of several searches; no server keeps that.
    const SEVERAL: Self = Self(u64::MAX);

    /// What has just been saved.
    pub(crate) fn now() -> Self {
        static SAVED: AtomicU64 = AtomicU64::new(0);
        Self(SAVED.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Whether it is nothing.
    pub(crate) const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// This and what another search has left.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (one, Self::NONE) => one,
            (Self::NONE, other) => other,
            (one, other) if one == other => one,
            _ => Self::SEVERAL,
        }
    }
}
