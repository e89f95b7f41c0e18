//! What is sorted or threaded here: a search, what is fetched of each message that it has found, and
//! how much of that is missing.
//!
//! ```text
//! C: A4 UID SEARCH UNSEEN
//! S: * SEARCH 2 84 882
//! S: A4 OK SEARCH completed
//! C: A5 UID FETCH 2,84,882 (ENVELOPE)
//! S: * 2 FETCH (UID 2 ENVELOPE (…))
//! S: * 9 FETCH (UID 882 ENVELOPE (…))
//! S: A5 OK FETCH completed
//! C: A6 UID SEARCH UID 84
//! S: * SEARCH
//! S: A6 OK SEARCH completed
//! ```
//!
//! The last search, sent where a message was found and not told of, tells which of them have gone: a
//! server need not say so meanwhile, and EXPUNGE says no UIDs.

use super::search::SearchReturn;
use crate::imap::{Error, FetchItems, Mailbox, Message, Search, SearchResult, Uid, UidSet};

/// What is kept of messages until all are told.
pub(super) trait Gather {
    /// What of each message to ask for.
    fn items(&self) -> FetchItems;

    /// Takes what was told of a message. Servers may tell more than once of it, and then not of all
    /// that is wanted: what they tell belongs together. Returns how many octets are kept by now.
    fn take(&mut self, uid: Uid, message: &Message) -> usize;

    /// The messages that were told of.
    fn uids(&self) -> UidSet;

    /// Of how many of them something is lacking.
    fn incomplete(&self) -> usize;
}

impl Mailbox {
    /// Gathers what is wanted of each message that a search finds. Returns what it has found, and how
    /// much could not be read of all this.
    pub(super) async fn gather(
        &mut self,
        search: Search,
        returns: &[SearchReturn],
        into: &mut impl Gather,
    ) -> Result<(SearchResult<Uid>, usize), Error> {
        let found = self.uid_search_returning(search, returns.iter().copied()).await?;
        let uids = UidSet::from(&found);
        self.uid_fetch_each(&uids, &into.items(), |uid, message| into.take(uid, message)).await?;
        let missing = uids.without(&into.uids());
        let unread = found.unread() + into.incomplete() + self.still_there(missing).await?;
        Ok((found, unread))
    }

    /// How many of these messages have not gone. What cannot be found out is taken to be there.
    async fn still_there(&mut self, uids: UidSet) -> Result<usize, Error> {
        if uids.is_empty() {
            return Ok(0);
        }
        let there = match self.uid_search(Search::all().uids(uids.clone())).await {
            Ok(there) if there.unread() == 0 => there.into_set().within(&uids),
            Ok(_) | Err(Error::Refused { usable: true, .. }) => uids,
            Err(error) => return Err(error),
        };
        // A server that finds UIDs without messages has no more of them than messages.
        let most = there.count().min(self.exists().max(1));
        Ok(usize::try_from(most).unwrap_or(usize::MAX))
    }
}
