//! FETCH and UID FETCH, RFC 9051 sections 6.4.5 and 6.4.9.
//!
//! ```text
//! C: A7 UID FETCH 87:90 (FLAGS ENVELOPE BODY.PEEK[])
//! S: * 12 FETCH (UID 87 FLAGS (\Seen) ENVELOPE (…) BODY[] {310}
//! S: (the message))
//! S: A7 OK FETCH completed
//! ```

use std::num::NonZeroU32;

use super::Command;
use super::fetch_items::FetchItems;
use super::message_set::Which;
use super::modifier::Need;
use super::select::Select;
use crate::imap::flight::Flight;
use crate::imap::proto::encode::{Line, no_longer_kept};
use crate::imap::proto::{Claims, Effect};
use crate::imap::session::Session;
use crate::imap::{
    Capabilities, Error, ImapClient, Mailbox, MailboxName, Message, Messages, Reply, SeqSet, Uid,
    UidSet,
};
use crate::{Misuse, Stage};

impl Mailbox {
    /// Fetches of every message in `set` what `items` names: asks for it, and gives the messages
    /// as they come. An empty set gives no messages and asks nothing of the server.
    ///
    /// UIDs of messages that are gone are passed over by the server without a word.
    ///
    /// # Example
    /// ```no_run
    /// # async fn read(inbox: &mut mailbearer::imap::Mailbox) -> Result<(), mailbearer::imap::Error> {
    /// use mailbearer::imap::{Fetch, UidSet};
    ///
    /// let mut messages = inbox.uid_fetch(UidSet::all(), Fetch::envelope().size()).await?;
    /// while let Some(message) = messages.next().await? {
    ///     let subject = message.envelope().and_then(|envelope| envelope.subject());
    ///     println!("{:?} {subject:?}", message.uid());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Misuse`] if something in the request cannot be sent; [`Error::Closed`] if the
    /// connection is gone. What the server says to the request comes from
    /// [`next`](Messages::next).
    ///
    /// # Cancel safety
    /// See [`ImapClient`](crate::ImapClient).
    pub async fn uid_fetch(
        &mut self,
        set: impl Into<UidSet>,
        items: FetchItems,
    ) -> Result<Messages<'_>, Error> {
        let uids = set.into();
        self.session.rest(STAGE).await?;
        let commands = fetches(&self.session, &uids, &items)?;
        if commands.is_empty() {
            return Ok(Messages::new(self, Flight::none(STAGE)));
        }
        let flight = self.session.launch(&commands, STAGE).await?;
        Ok(Messages::new(self, flight))
    }

    /// Fetches of every message in a set of sequence numbers what `items` names, and its UID. Numbers move
    /// whenever a message is expunged: [`uid_fetch`](Self::uid_fetch) is nearly always the one to use.
    /// The set must fit into one line.
    ///
    /// # Errors
    /// As for [`uid_fetch`](Self::uid_fetch); [`Error::Misuse`] for
    /// [`vanished`](FetchItems::vanished), for which only a fetch by UIDs may ask; and
    /// [`Error::Renumbered`] if messages have gone of which
    /// the caller has not taken the events; that there is no message of one of these numbers is an
    /// error at some servers.
    ///
    /// # Cancel safety
    /// See [`ImapClient`](crate::ImapClient).
    pub async fn fetch(
        &mut self,
        set: impl Into<SeqSet>,
        items: FetchItems,
    ) -> Result<Messages<'_>, Error> {
        const STAGE: Stage = Stage::Command("FETCH");
        let numbers = set.into();
        if numbers.is_empty() {
            return Ok(Messages::new(self, Flight::none(STAGE)));
        }
        let fetch = MessageFetch { which: Which::Numbers(numbers), items: items.and_uid() };
        let flight = self.session.launch(&[fetch], STAGE).await?;
        Ok(Messages::new(self, flight))
    }
}

impl ImapClient {
    /// Opens a mailbox and fetches from it in one round trip: [`select`](Self::select) and
    /// [`uid_fetch`](Mailbox::uid_fetch) sent together. The mailbox is found at
    /// [`Messages::mailbox`], and afterwards at [`selected`](Self::selected).
    ///
    /// # Example
    /// ```no_run
    /// # async fn read(imap: &mut mailbearer::ImapClient) -> Result<(), mailbearer::imap::Error> {
    /// use mailbearer::imap::{Fetch, UidSet};
    ///
    /// let mut messages = imap.select_fetch("INBOX", UidSet::all(), Fetch::envelope()).await?;
    /// println!("{} messages", messages.mailbox().exists());
    /// while let Some(message) = messages.next().await? {
    ///     println!("{:?}", message.uid());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As for [`select`](Self::select): if the mailbox does not open, nothing is fetched, for then
    /// none is selected. [`Error::Misuse`] for items that mark messages as read: what is asked
    /// before the mailbox is known to be the right one must not change it; and for what a search
    /// has left at the server, for that ends with the mailbox. What the server says to the fetch
    /// comes from [`next`](Messages::next).
    ///
    /// # Cancel safety
    /// As for [`select`](Self::select).
    pub async fn select_fetch(
        &mut self,
        name: impl Into<MailboxName>,
        set: impl Into<UidSet>,
        items: FetchItems,
    ) -> Result<Messages<'_>, Error> {
        let flight = self.launch_select_fetch(name.into(), set.into(), items).await?;
        Ok(Messages::new(&mut self.mailbox, flight))
    }

    /// [`select_fetch`](Self::select_fetch) for a program that has kept UIDs: gives messages only if
    /// the UIDs of the mailbox are still those of `uid_validity`, as
    /// [`select_if`](Self::select_if) does.
    ///
    /// # Errors
    /// [`Error::Changed`] if the UIDVALIDITY is another one, or the server tells none: what the server
    /// says to the fetch is then about other messages, and is read and thrown away by the next command.
    /// The mailbox is open, and [`selected`](Self::selected) has it. Otherwise as for
    /// [`select_fetch`](Self::select_fetch).
    ///
    /// # Cancel safety
    /// As for [`select`](Self::select).
    pub async fn select_fetch_if(
        &mut self,
        name: impl Into<MailboxName>,
        uid_validity: NonZeroU32,
        set: impl Into<UidSet>,
        items: FetchItems,
    ) -> Result<Messages<'_>, Error> {
        let flight = self.launch_select_fetch(name.into(), set.into(), items).await?;
        match self.mailbox.uid_validity() {
            Some(found) if found == uid_validity => Ok(Messages::new(&mut self.mailbox, flight)),
            found => Err(Error::Changed {
                stage: Stage::Command("SELECT"),
                expected: uid_validity,
                found,
            }),
        }
    }

    async fn launch_select_fetch(
        &mut self,
        name: MailboxName,
        uids: UidSet,
        items: FetchItems,
    ) -> Result<Flight, Error> {
        if items.mark_seen() {
            let why = "it marks messages as read; select first, then fetch".to_owned();
            return Err(Misuse::Argument { what: "an item to fetch", why }.into());
        }
        let select = Select::new(name);
        // SELECT empties it (RFC 5182 section 2.1).
        if !uids.saved().is_none() {
            return Err(no_longer_kept().into());
        }
        let session = &mut self.mailbox.session;
        session.rest(STAGE).await?;
        let fetches = fetches(session, &uids, &items)?;
        session.launch_behind(select, &fetches, STAGE).await
    }
}

impl Mailbox {
    /// Hands on, one by one, what is fetched of these messages, with their UIDs; `take` says how many
    /// octets it keeps by now, which are bounded as what any command collects. They are asked for in
    /// windows: if this future is dropped, little is left to be read.
    pub(super) async fn uid_fetch_each(
        &mut self,
        set: &UidSet,
        items: &FetchItems,
        mut take: impl FnMut(Uid, &Message) -> usize,
    ) -> Result<(), Error> {
        const WINDOW: u32 = 1_000;
        /// Of so many the next are asked for while one is answered.
        const WINDOWS: usize = 32;
        // Of more UIDs than there are messages, as `1:4294967295`, most have none, and cost no window.
        let window = if set.count() > self.exists() { u32::MAX } else { WINDOW };
        let mut windows = set.windows(window);
        loop {
            let mut commands = Vec::new();
            for window in windows.by_ref().take(WINDOWS) {
                commands.extend(fetches(&self.session, &window, items)?);
            }
            if commands.is_empty() {
                return Ok(());
            }
            let flight = self.session.launch(&commands, STAGE).await?;
            let mut messages = Messages::new(self, flight);
            while let Some(message) = messages.next().await? {
                if let Some(uid) = message.uid() {
                    let kept = take(uid, &message);
                    messages.charge_together(kept);
                }
            }
        }
    }
}

/// One command, or several if the set is too long for one line.
fn fetches(
    session: &Session,
    uids: &UidSet,
    items: &FetchItems,
) -> Result<Vec<MessageFetch>, Error> {
    let fetch = |uids| MessageFetch { which: Which::Uids(uids), items: items.clone() };
    let commands = session.split(uids, fetch)?;
    // RFC 9394 section 3.3: each command has a page of its own.
    if commands.len() > 1 && items.are_paged() {
        let why = "the set is too long for a page of it".to_owned();
        return Err(Misuse::Argument { what: "set of UIDs", why }.into());
    }
    Ok(commands)
}

pub(crate) const STAGE: Stage = Stage::Command("UID FETCH");

struct MessageFetch {
    which: Which,
    items: FetchItems,
}

impl Command for MessageFetch {
    type Output = ();

    fn name(&self) -> &'static str {
        self.which.name("UID FETCH", "FETCH")
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        // RFC 7162 section 3.2.6.
        if matches!(self.which, Which::Numbers(_)) && self.items.has_modifier("VANISHED") {
            let why = "only a fetch by UIDs may ask for it".to_owned();
            return Err(Misuse::Argument { what: "VANISHED", why });
        }
        self.items.encode(self.which.encode(line, "FETCH")?.raw(" "))
    }

    fn needs(&self) -> &[Need] {
        self.items.needs()
    }

    fn claims(&self) -> Claims {
        match &self.which {
            Which::Uids(set) if self.items.are_told_unasked() => Claims::Flags(set.clone()),
            Which::Uids(set) => Claims::Messages(set.clone()),
            Which::Numbers(set) => Claims::Numbers(set.clone()),
        }
    }

    fn effect(&self) -> Effect {
        Effect::Stream
    }

    fn finish(self, _: Reply) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::Fetch;
    use crate::imap::proto::encode::Piece;

    #[test]
    fn uids_and_items_are_one_command() {
        let mut line = Line::new(Default::default());
        let which = Which::Uids(UidSet::parse("4:2").unwrap());
        let request = MessageFetch { which, items: Fetch::flags() };
        request.encode(&mut line, &Capabilities::default()).unwrap();
        assert_eq!(line.finish(), [Piece::Line(b"UID FETCH 2:4 (FLAGS)".to_vec())]);
    }

    #[test]
    fn by_number_nobody_asks_for_what_has_vanished() {
        let items = || Fetch::flags().changed_since(7).vanished();
        let mut line = Line::new(Default::default());
        let which = Which::Numbers(SeqSet::all());
        let refused = MessageFetch { which, items: items() }.encode(&mut line, &"".into());
        assert_eq!(
            refused.unwrap_err().to_string(),
            "VANISHED: only a fetch by UIDs may ask for it"
        );
        let which = Which::Uids(UidSet::all());
        assert!(MessageFetch { which, items: items() }.encode(&mut line, &"".into()).is_ok());
    }
}
