//! Waiting for what the server tells unasked.

use std::fmt;
use std::time::Duration;

use super::idle::{Idle, Way};
use super::{Error, Event, ImapClient};

impl ImapClient {
    /// Waits for what [`notify`](Self::notify) has asked for: [`Notifications::next`] gives the events
    /// as they are told, of the selected mailbox and of others, and none need be selected.
    ///
    /// Nothing is sent but NOOP after each nine minutes in which no other command was, which keeps the
    /// server from closing the connection, and finds out whether there still is one. So another
    /// command may follow at any time at once, where [`idle`](crate::imap::Mailbox::idle) has to be
    /// ended first, and that costs a round trip. What
    /// [`selected_delayed`](super::Notify::selected_delayed) keeps back the server tells only then: it
    /// is better waited for by `idle`. So is the selected mailbox at Dovecot 2.3, which was seen to tell
    /// of it with commands only.
    ///
    /// ```no_run
    /// # async fn watch(imap: &mut mailbearer::ImapClient) -> Result<(), mailbearer::imap::Error> {
    /// use mailbearer::imap::{Event, Fetch};
    ///
    /// loop {
    ///     let Event::Status { mailbox, .. } = imap.notifications().next().await? else { continue };
    ///     let inside = imap.examine(&mailbox).await?;
    ///     println!("{mailbox}: {} messages", inside.exists());
    /// }
    /// # }
    /// ```
    pub fn notifications(&mut self) -> Notifications<'_> {
        Notifications { idle: Idle::new(&mut self.mailbox, Way::Listen) }
    }
}

/// What the server tells unasked, by [`ImapClient::notifications`]. It may be dropped at any time, and
/// nothing has to be ended.
// Nothing in it may need dropping, or the borrow of the client would last to the end of its scope.
#[must_use = "what is told comes from `next`"]
pub struct Notifications<'a> {
    idle: Idle<'a>,
}

impl Notifications<'_> {
    /// Sends NOOP after so long a time without a command, in place of nine minutes; at most 29.
    pub fn renew_every(mut self, interval: Duration) -> Self {
        self.idle = self.idle.poll_every(interval);
        self
    }

    /// The next event, in the order in which the server tells them; those that nobody has taken
    /// before come first. While nothing happens, it waits.
    ///
    /// # Errors
    /// As for [`Idle::next`].
    ///
    /// # Cancel safety
    /// As for [`Idle::next`].
    pub async fn next(&mut self) -> Result<Event, Error> {
        self.idle.next().await
    }
}

impl fmt::Debug for Notifications<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifications").finish_non_exhaustive()
    }
}
