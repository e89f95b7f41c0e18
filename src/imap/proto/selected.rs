//! What is known of the selected mailbox, kept up to date from whatever the server says.

use std::num::NonZeroU32;

use crate::imap::command::{Fit, fit_of};
use crate::imap::proto::decode::Cursor;
use crate::imap::types::{Flag, Flags, MailboxName, Message, Uid};
use crate::imap::{Attribute, Code, ListedMailbox};

/// The state of the selected mailbox (RFC 9051 section 6.3.2).
#[derive(Debug, Clone)]
pub(crate) struct Selected {
    pub(crate) name: MailboxName,
    /// What it was called when it was selected, if the server calls it otherwise.
    called: Option<MailboxName>,
    pub(crate) read_only: bool,
    /// It was opened by EXAMINE.
    pub(crate) examined: bool,
    /// Its name may be that of another mailbox by now, or of none.
    pub(crate) displaced: bool,
    pub(crate) exists: u32,
    pub(crate) recent: u32,
    pub(crate) flags: Vec<Flag<'static>>,
    pub(crate) permanent_flags: Option<Vec<Flag<'static>>>,
    pub(crate) uid_validity: Option<NonZeroU32>,
    pub(crate) uid_next: Option<Uid>,
    pub(crate) first_unseen: Option<NonZeroU32>,
    pub(crate) highest_mod_seq: Option<u64>,
    /// Whether that, or that there is none, was told since the last tagged answer.
    mod_seq_told: bool,
    /// The highest modification sequence of a message that was told since then.
    mod_seq_seen: Option<u64>,
    /// It keeps no modification sequences.
    pub(crate) no_mod_seq: bool,
    pub(crate) mailbox_id: Option<String>,
}

impl Selected {
    pub(crate) const fn new(name: MailboxName, read_only: bool) -> Self {
        Self {
            name,
            called: None,
            read_only,
            examined: read_only,
            displaced: false,
            exists: 0,
            recent: 0,
            flags: Vec::new(),
            permanent_flags: None,
            uid_validity: None,
            uid_next: None,
            first_unseen: None,
            highest_mod_seq: None,
            mod_seq_told: false,
            mod_seq_seen: None,
            no_mod_seq: false,
            mailbox_id: None,
        }
    }

    /// The same mailbox, of which nothing is known yet.
    pub(crate) fn anew(&self) -> Self {
        let fresh = Self::new(self.name.clone(), self.examined);
        Self { called: self.called.clone(), displaced: self.displaced, ..fresh }
    }

    /// Whether it goes by this name.
    pub(crate) fn is_called(&self, name: &MailboxName) -> bool {
        self.name == *name || self.called.as_ref() == Some(name)
    }

    /// Whether a mailbox of this name may be it, or above it.
    pub(crate) fn may_be_below(&self, name: &MailboxName) -> bool {
        name.may_hold(&self.name)
            || self.called.as_ref().is_some_and(|called| name.may_hold(called))
    }

    /// `* LIST () "/" name`, which IMAP4rev2 has SELECT bring of its mailbox, with another name if
    /// the server calls it otherwise (RFC 9051 section 6.3.2). False if it tells of another mailbox,
    /// or that this one is no longer there.
    pub(crate) fn introduce(&mut self, row: &ListedMailbox) -> bool {
        let gone = [Attribute::NonExistent, Attribute::NoAccess];
        if gone.iter().any(|attribute| row.attributes().contains(attribute)) {
            return false;
        }
        let asked = self.called.as_ref().unwrap_or(&self.name);
        let fits = |told: &MailboxName| fit_of(asked, told.as_wire(), false);
        if row.old_name().is_some_and(|old| fits(&old) >= Fit::Loose) {
            let asked = std::mem::replace(&mut self.name, row.name().clone());
            self.called.get_or_insert(asked);
            return true;
        }
        fits(row.name()) > Fit::No
    }

    /// `* 3 EXISTS`, `* 3 RECENT`, `* 3 EXPUNGE` (RFC 9051 sections 7.4.1 and 7.5.1).
    pub(crate) fn count(&mut self, number: u32, name: &[u8]) {
        if name.eq_ignore_ascii_case(b"EXISTS") {
            self.exists = number;
        } else if name.eq_ignore_ascii_case(b"RECENT") {
            self.recent = number;
        } else if name.eq_ignore_ascii_case(b"EXPUNGE") && (1..=self.exists).contains(&number) {
            // Some servers tell of numbers that there are not (angus-mail); nothing goes by those.
            self.remove(1);
        }
    }

    /// So many messages are gone.
    pub(crate) fn remove(&mut self, messages: u32) {
        self.exists = self.exists.saturating_sub(messages);
    }

    /// `* FLAGS (…)`.
    pub(crate) fn set_flags(&mut self, rest: &[u8]) {
        if Cursor::new(rest).peek() == Some(b'(') {
            self.flags = Flags::new(rest).to_vec();
        }
    }

    /// Something was told of a message.
    pub(crate) fn heed(&mut self, message: &Message) {
        if self.highest_mod_seq.is_some() {
            self.mod_seq_seen = self.mod_seq_seen.max(message.mod_seq());
        }
    }

    /// A command was answered. The highest sequence of what came since the last one counts only now,
    /// since servers need not tell of changes in their order, and only where the server does not say
    /// up to where it has told of all, which may be less (RFC 7162 section 6).
    pub(crate) fn answered(&mut self) {
        let seen = self.mod_seq_seen.take().filter(|_| !self.mod_seq_told);
        self.mod_seq_told = false;
        if let (Some(highest), Some(seen)) = (&mut self.highest_mod_seq, seen) {
            *highest = seen.max(*highest);
        }
    }

    /// UIDs mean other messages from now on: what was told of the old ones is not true of the new.
    const fn renumber(&mut self) {
        (self.uid_next, self.first_unseen) = (None, None);
        (self.highest_mod_seq, self.mod_seq_seen) = (None, None);
    }

    pub(crate) fn apply(&mut self, code: &Code) {
        match code {
            Code::PermanentFlags(flags) => self.permanent_flags = Some(flags.clone()),
            Code::UidValidity(validity) => {
                if self.uid_validity.is_some_and(|known| known != *validity) {
                    self.renumber();
                }
                self.uid_validity = Some(*validity);
            }
            Code::UidNext(uid) => self.uid_next = Some(*uid),
            Code::Unseen(number) => self.first_unseen = Some(*number),
            Code::HighestModSeq(mod_seq) => {
                (self.highest_mod_seq, self.no_mod_seq) = (Some(*mod_seq), false);
                self.mod_seq_told = true;
            }
            Code::NoModSeq => {
                (self.highest_mod_seq, self.no_mod_seq) = (None, true);
                self.mod_seq_told = true;
            }
            Code::MailboxId(id) => self.mailbox_id = Some(id.clone()),
            Code::ReadOnly => self.read_only = true,
            Code::ReadWrite => self.read_only = false,
            _ => {}
        }
    }
}
