//! The messages that a command is about: FETCH, STORE, COPY, MOVE and REPLACE name them by UID or by
//! sequence number.

use crate::Misuse;
use crate::imap::proto::encode::Line;
use crate::imap::{SeqSet, UidSet};

/// The messages that a command is about.
#[derive(Debug, Clone)]
pub(super) enum Which {
    Uids(UidSet),
    Numbers(SeqSet),
}

impl Which {
    /// The UIDs, if they are named by UID.
    pub(super) const fn uids(&self) -> Option<&UidSet> {
        match self {
            Self::Uids(uids) => Some(uids),
            Self::Numbers(_) => None,
        }
    }

    /// What a command is called that names them so.
    pub(super) const fn name(&self, by_uid: &'static str, by_number: &'static str) -> &'static str {
        match self {
            Self::Uids(_) => by_uid,
            Self::Numbers(_) => by_number,
        }
    }

    /// Begins a command with this verb.
    pub(super) fn encode<'a>(
        &self,
        line: &'a mut Line,
        verb: &'static str,
    ) -> Result<&'a mut Line, Misuse> {
        match self {
            Self::Uids(set) => line.raw(format_args!("UID {verb} ")).uids(set),
            Self::Numbers(set) => Ok(line.raw(format_args!("{verb} ")).numbers(set)),
        }
    }
}
