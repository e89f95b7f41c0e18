//! What a command tells the core of itself: what it does to the session, and which data are its own.

use super::Tag;
use super::response::Response;
use crate::imap::command::context::SearchContext;
use crate::imap::types::{MailboxName, SeqSet, UidSet};

/// What a command does to the session beyond its own answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    None,
    /// Its data may go on for long, and are handed on as they come.
    Stream,
    /// The same, and messages come in parts.
    Parts,
    /// Asks to be told of what changes in the mailbox: once, or until it is let go.
    Poll,
    Idle,
    /// It carries a message, which may take long.
    Upload,
    /// Selects a mailbox.
    Select {
        name: MailboxName,
        read_only: bool,
    },
    /// Leaves the selected mailbox.
    Unselect,
    /// Makes the server do what it does on demand only: these words may be confirmed.
    Enable(Vec<&'static str>),
    /// Has the server tell of changes at any time, or no longer.
    Notify(Notifying),
    /// Searches, and the server may keep what it finds.
    Search {
        saves: bool,
    },
    /// Searches, and the server may keep what it has found up to date.
    Update,
    /// Ends that for these searches.
    CancelUpdate(Vec<Tag>),
    /// Puts a layer below the session behind its answer, or takes it away: TLS, compression.
    Layer,
    /// Logs in.
    Authenticate,
    /// Says goodbye.
    Logout,
}

/// What the server tells unasked (RFC 5465).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Notifying {
    /// Something: it may come at any time, and be of the same kind as the answer to a command.
    pub(crate) tells: bool,
    /// That messages of the selected mailbox are gone, at once: a sequence number may mean another
    /// message at any time (section 5.3).
    pub(crate) expunges: bool,
}

/// A search that the server keeps up to date (RFC 5267).
#[derive(Debug)]
pub(crate) struct Following {
    pub(crate) tag: Tag,
    pub(crate) context: SearchContext,
    /// Its future was not dropped, so that somebody knows of it.
    pub(crate) wanted: bool,
}

/// Which untagged data a command takes for itself.
#[derive(Debug)]
pub(crate) enum Claims {
    /// None.
    Nothing,
    /// Those of which this is true.
    Data(fn(&Response<'_>) -> bool),
    /// What is said of these messages. Servers tell of others in between (RFC 9051 section 7), so
    /// being a FETCH response is not enough.
    Messages(UidSet),
    /// The same, where nothing is asked but what servers tell unasked, too: flags and their like.
    Flags(UidSet),
    /// The same of messages named by their sequence numbers.
    Numbers(SeqSet),
}

impl Claims {
    pub(super) fn may_claim(&self, response: &Response<'_>) -> bool {
        match self {
            Self::Nothing => false,
            Self::Data(claims) => claims(response),
            Self::Messages(_) | Self::Flags(_) | Self::Numbers(_) => response.is_fetch(),
        }
    }

    /// The messages that are asked about by their UIDs.
    pub(super) const fn uids(&self) -> Option<&UidSet> {
        match self {
            Self::Messages(set) | Self::Flags(set) => Some(set),
            Self::Nothing | Self::Data(_) | Self::Numbers(_) => None,
        }
    }
}
