//! SEARCHRES, RFC 5182: what a search has found stays at the server, and the next command names it.
//!
//! ```text
//! C: A4 UID SEARCH RETURN (SAVE) FLAGGED SINCE 1-Feb-1994 NOT FROM "Smith"
//! S: A4 OK SEARCH completed, result saved
//! C: A5 UID FETCH $ (FLAGS)
//! S: * 2 FETCH (UID 14 FLAGS (\Flagged))
//! S: A5 OK completed
//! ```
//!
//! A server keeps one result at a time, and `$` would silently mean the next one. So each set knows
//! which search it stands for, and is not written once that is not the last.

use super::Command;
use super::modifier::Need;
use super::search::{Charset, Search};
use crate::imap::proto::Effect;
use crate::imap::proto::encode::Line;
use crate::imap::{Capabilities, Code, Error, Mailbox, Reply, UidSet};
use crate::{Misuse, Stage};

/// What a search has found, kept by the server if it can.
#[derive(Debug, Clone)]
pub struct SavedSearch {
    set: UidSet,
    at_server: bool,
    fuzzy: bool,
    unread: usize,
    without_charset: bool,
}

impl SavedSearch {
    /// Whether text beyond ASCII was sought without a word on its charset: see
    /// [`SearchResult::is_without_charset`](crate::imap::SearchResult::is_without_charset).
    pub const fn is_without_charset(&self) -> bool {
        self.without_charset
    }

    /// Whether the server keeps it. Otherwise the UIDs are here.
    pub const fn is_at_server(&self) -> bool {
        self.at_server
    }

    /// Whether messages were sought that resemble the words, too, and not only those that hold them:
    /// see [`Search::fuzzy_if_offered`].
    pub const fn is_fuzzy(&self) -> bool {
        self.fuzzy
    }

    /// How many answers could not be read where the UIDs are here, as for
    /// [`SearchResult::unread`](crate::imap::SearchResult::unread).
    pub const fn unread(&self) -> usize {
        self.unread
    }

    /// As a set, as commands take it. One that the server keeps is written `$`; it cannot be
    /// joined with other UIDs, and commands refuse it as [`Error::Misuse`] once another mailbox was
    /// opened, another search was saved, or a search was refused, and at every other connection.
    pub const fn set(&self) -> &UidSet {
        &self.set
    }
}

impl From<SavedSearch> for UidSet {
    fn from(saved: SavedSearch) -> Self {
        saved.set
    }
}

impl From<&SavedSearch> for UidSet {
    fn from(saved: &SavedSearch) -> Self {
        saved.set.clone()
    }
}

impl Mailbox {
    /// Searches, and leaves what is found at the server: the next commands name it, and nobody has
    /// to send thousands of UIDs to and fro. At the server, messages that are expunged leave it.
    ///
    /// Where the server does not keep results, or not this one, the UIDs are fetched as by
    /// [`uid_search`](Self::uid_search), and [`SavedSearch::is_at_server`] says so.
    ///
    /// ```no_run
    /// # async fn archive(inbox: &mut mailbearer::imap::Mailbox) -> Result<(), mailbearer::imap::Error> {
    /// use mailbearer::imap::{Flag, Search, StoreFlags};
    ///
    /// let old = inbox.uid_search_saving(Search::all().seen().unflagged()).await?;
    /// inbox.uid_store(&old, StoreFlags::add([Flag::from("$Done")]).silent()).await?;
    /// inbox.uid_copy(&old, "Archive").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As for [`uid_search`](Self::uid_search).
    ///
    /// # Cancel safety
    /// As for [`uid_search`](Self::uid_search). What was saved before is lost.
    pub async fn uid_search_saving(&mut self, search: Search) -> Result<SavedSearch, Error> {
        self.session.rest(STAGE).await?;
        let core = self.session.core();
        if !core.offer().has("SEARCHRES") || self.too_long(&search)? {
            return self.uid_search_held(search).await;
        }
        let fuzzy = search.is_fuzzy(core.capabilities());
        let mut charset = Charset::of(&search, core);
        let saved = loop {
            let save = Save { search: search.clone(), charset };
            let saved = self.session.run(save, STAGE).await;
            if !charset.leave_out(&saved) {
                break saved;
            }
        };
        let without_charset = charset.is_left_out();
        match saved {
            Ok(()) => {
                let set = UidSet::kept(self.session.core().saved());
                Ok(SavedSearch { set, at_server: true, fuzzy, unread: 0, without_charset })
            }
            // It has no room.
            Err(error) if error.code() == Some(&Code::NotSaved) => {
                self.uid_search_held(search).await
            }
            Err(error) => Err(error),
        }
    }

    async fn uid_search_held(&mut self, search: Search) -> Result<SavedSearch, Error> {
        let found = self.uid_search(search).await?;
        let (fuzzy, unread) = (found.is_fuzzy(), found.unread());
        let without_charset = found.is_without_charset();
        let set = found.into_set();
        Ok(SavedSearch { set, at_server: false, fuzzy, unread, without_charset })
    }

    fn too_long(&self, search: &Search) -> Result<bool, Error> {
        let save = Save { search: search.clone(), charset: Charset::Named };
        Ok(self.session.too_long(&save)?.is_some())
    }
}

const STAGE: Stage = Stage::Command("UID SEARCH");

struct Save {
    search: Search,
    charset: Charset,
}

impl Command for Save {
    type Output = ();

    fn name(&self) -> &'static str {
        "UID SEARCH"
    }

    fn encode(&self, line: &mut Line, offered: &Capabilities) -> Result<(), Misuse> {
        line.raw("UID SEARCH RETURN (SAVE) ");
        self.charset.encode(line);
        self.search.encode(line, offered)
    }

    fn needs(&self) -> &[Need] {
        self.search.needs()
    }

    fn effect(&self) -> Effect {
        Effect::Search { saves: true }
    }

    fn finish(self, _: Reply) {}
}
