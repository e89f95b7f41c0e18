//! APPENDLIMIT, RFC 7889: how long a message may be.
//!
//! ```text
//! S: * CAPABILITY IMAP4rev1 APPENDLIMIT
//! C: A3 STATUS Drafts (APPENDLIMIT)
//! S: * STATUS Drafts (APPENDLIMIT 257890)
//! S: A3 OK STATUS completed
//! ```
//!
//! A number in the capability holds for every mailbox. Without one each may have its own, and what was
//! told of it is remembered.

use std::collections::HashMap;

use crate::imap::{MailboxName, MailboxStatus};

/// What mailboxes have been told to take.
#[derive(Debug, Default)]
pub(crate) struct AppendLimits(HashMap<MailboxName, u64>);

impl AppendLimits {
    /// Of more mailboxes nothing is remembered: the server checks all the same.
    const MOST: usize = 10_000;

    /// Remembers what was asked about, if it was.
    pub(super) fn learn(&mut self, name: &MailboxName, status: &MailboxStatus) {
        match (status.append_limit(), status.raw("APPENDLIMIT")) {
            (Some(limit), _) if self.0.len() < Self::MOST || self.0.contains_key(name) => {
                self.0.insert(name.clone(), limit);
            }
            // It takes any, or the old limit holds no longer.
            (_, Some(_)) => drop(self.0.remove(name)),
            (_, None) => {}
        }
    }

    pub(super) fn of(&self, name: &MailboxName) -> Option<u64> {
        self.0.get(name).copied()
    }

    /// These may be other mailboxes now, or none.
    pub(in crate::imap) fn forget_below(&mut self, name: &MailboxName) {
        self.0.retain(|known, _| !name.may_hold(known));
    }

    /// These may have been made with it.
    pub(in crate::imap) fn forget_above(&mut self, name: &MailboxName) {
        self.0.retain(|known, _| !known.may_come_with(name));
    }

    /// They may be others for somebody else.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}
