//! The client: logged in, with or without a selected mailbox.

use std::fmt;

use crate::connector::ways_in;

use super::command::Command;
use super::session::Session;
use super::{Capabilities, Error, Event, Mailbox, MailboxName};

/// An IMAP session that is logged in.
///
/// A mailbox is selected by [`select`](Self::select), which lends it; to select another, the
/// borrow must have ended, as the protocol has it.
///
/// # Cancel safety
/// The future of any command may be dropped: the next command reads the rest of the old answer and
/// throws it away, within the bounds of [`Limits::settle`](crate::Limits::settle) and
/// [`Timeouts::settle`](crate::Timeouts::settle). The server may still carry the old command out.
/// Only two drops cost the connection: that of `connect_…` or [`Connector::connect`](crate::Connector::connect), and that of
/// [`append`](Self::append) while the message is on its way. Dropping the client sends nothing.
///
/// # Example
/// ```no_run
/// # async fn read(tokens: mailbearer::token::StaticToken) -> Result<(), mailbearer::imap::Error> {
/// use mailbearer::imap::{Fetch, UidSet};
/// use mailbearer::{ImapClient, provider::microsoft365};
///
/// let mut imap =
///     ImapClient::connect_xoauth2(microsoft365::imap(), "billing@contoso.example", &tokens)
///         .await?;
/// let inbox = imap.select("INBOX").await?;
/// let mut messages = inbox.uid_fetch(UidSet::all(), Fetch::envelope().flags().body()).await?;
/// while let Some(message) = messages.next().await? {
///     println!("{:?}: {:?}", message.uid(), message.body().map(<[u8]>::len));
/// }
/// imap.logout().await
/// # }
/// ```
pub struct ImapClient {
    pub(crate) mailbox: Mailbox,
}

ways_in!(ImapClient, Error);

impl ImapClient {
    pub(crate) const fn new(session: Session) -> Self {
        Self { mailbox: Mailbox::new(session) }
    }

    /// Whether a command can still be sent, as far as is known without asking the server: for pools
    /// that hand out connections.
    pub const fn is_open(&self) -> bool {
        self.mailbox.session.is_open()
    }

    /// What the server has last said that it can do.
    pub const fn capabilities(&self) -> &Capabilities {
        self.mailbox.session.core().capabilities()
    }

    /// The selected mailbox, if there is one.
    pub fn selected(&mut self) -> Option<&mut Mailbox> {
        self.mailbox.session.core().selected()?;
        Some(&mut self.mailbox)
    }

    /// Whether this mailbox is selected for reading and writing.
    pub(crate) fn has_selected(&self, name: &MailboxName) -> bool {
        let selected = self.mailbox.session.core().selected();
        selected.is_some_and(|selected| {
            selected.is_called(name) && !selected.examined && !selected.displaced
        })
    }

    /// The oldest event that nobody has taken yet: see [`Event`].
    pub fn take_event(&mut self) -> Option<Event> {
        self.mailbox.take_event()
    }

    pub(crate) async fn run<C: Command>(&mut self, command: C) -> Result<C::Output, Error> {
        self.mailbox.run(command).await
    }
}

impl fmt::Debug for ImapClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let selected = self.mailbox.session.core().selected();
        f.debug_struct("ImapClient")
            .field("selected", &selected.map(|selected| &selected.name))
            .field("open", &self.is_open())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests;
