//! The selected mailbox.

use std::fmt;
use std::num::NonZeroU32;

use crate::Stage;

use super::command::Command;
use super::proto::selected::Selected;
use super::session::Session;
use super::{Error, Event, Flag, MailboxName, Uid};

/// The selected mailbox, lent by [`ImapClient::select`](super::ImapClient::select).
///
/// What it says about itself is kept up to date from whatever the server sends, so it is as new as
/// the last command.
///
/// # Errors
/// What any of its methods can fail with, besides what it says itself:
/// - [`Error::Closed`], [`Error::Net`] and [`Error::Protocol`] if the connection ends.
/// - [`Error::Changed`] where messages are named by UID, and the server has told that the mailbox has
///   another UIDVALIDITY: nothing was sent.
/// - [`Error::Renumbered`] where they are named by sequence number, in a search as well, and the
///   server has told that messages are gone: nothing was sent. [`Error::Misuse`] where it may tell so at any
///   moment, after [`Notify::selected`](super::Notify::selected).
/// - [`Error::Misuse`] for a [saved search](super::SavedSearch) that the server keeps no longer.
/// - [`Error::Refused`] for a sequence number that no message has. A UID that no message has is passed
///   over by the server.
///
/// # Cancel safety
/// As for [`ImapClient`](super::ImapClient).
pub struct Mailbox {
    pub(crate) session: Session,
}

/// What is said while nothing is selected, which nobody can ask for.
static NOWHERE: Selected = Selected::new(MailboxName::NONE, true);

impl Mailbox {
    pub(crate) const fn new(session: Session) -> Self {
        Self { session }
    }

    pub(crate) async fn run<C: Command>(&mut self, command: C) -> Result<C::Output, Error> {
        let stage = Stage::Command(command.name());
        self.session.run(command, stage).await
    }

    pub(super) fn state(&self) -> &Selected {
        self.session.core().selected().unwrap_or(&NOWHERE)
    }

    /// Its name.
    pub fn name(&self) -> &MailboxName {
        &self.state().name
    }

    /// Whether nothing in it can be changed: it was opened by EXAMINE, or the user may only read.
    pub fn is_read_only(&self) -> bool {
        self.state().read_only
    }

    /// How many messages there are.
    pub fn exists(&self) -> u32 {
        self.state().exists
    }

    /// How many of them no other session has seen (RFC 3501 only).
    pub fn recent(&self) -> u32 {
        self.state().recent
    }

    /// The flags in use; the first 1,000 if there are more.
    pub fn flags(&self) -> &[Flag<'static>] {
        &self.state().flags
    }

    /// The flags that can be changed for good; with [`Flag::Any`] among them, new keywords can be
    /// made up. The first 1,000 if there are more. `None` if the server did not say, which means all (RFC 3501 section 7.1).
    pub fn permanent_flags(&self) -> Option<&[Flag<'static>]> {
        self.state().permanent_flags.as_deref()
    }

    /// As long as this is the same, a UID names the same message. `None` if the server gave no
    /// usable one: then UIDs must not be stored.
    pub fn uid_validity(&self) -> Option<NonZeroU32> {
        self.state().uid_validity
    }

    /// The least UID that the next new message can have, as of the selection. `None` if the server
    /// did not say, and once the UIDs have become others ([`Event::UidValidity`]).
    pub fn uid_next(&self) -> Option<Uid> {
        self.state().uid_next
    }

    /// The sequence number of the first unread message, as of the selection (RFC 3501 only).
    pub fn first_unseen(&self) -> Option<NonZeroU32> {
        self.state().first_unseen
    }

    /// The highest modification sequence of a message in it, as of the selection or of the last
    /// command that told a newer one (RFC 7162). Some servers tell it only after
    /// [`SelectOptions::condstore`](super::SelectOptions::condstore).
    pub fn highest_mod_seq(&self) -> Option<u64> {
        self.state().highest_mod_seq
    }

    /// Whether the server has said that it keeps no modification sequences for this mailbox
    /// (`NOMODSEQ`, RFC 7162): changes in it can only be found by comparing all of it.
    pub fn has_no_mod_seqs(&self) -> bool {
        self.state().no_mod_seq
    }

    /// The oldest event that nobody has taken yet: see [`Event`]. It waits for nothing;
    /// [`noop`](Self::noop) gives the server an occasion to send some.
    pub fn take_event(&mut self) -> Option<Event> {
        self.session.core_mut().take_event()
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox")
            .field("name", self.name())
            .field("exists", &self.exists())
            .field("open", &self.session.is_open())
            .finish_non_exhaustive()
    }
}
