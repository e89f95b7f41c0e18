//! CONTEXT=SEARCH and CONTEXT=SORT, RFC 5267: searches that the server keeps up to date. For pages of
//! a result, which the RFC has as well, see [`Partial`](super::partial::Partial).
//!
//! ```text
//! C: A4 UID SEARCH RETURN (ALL UPDATE) DELETED KEYWORD $Junk
//! S: * ESEARCH (TAG "A4") UID ALL 32760
//! S: A4 OK Search completed, will notify.
//!    (time passes)
//! S: * ESEARCH (TAG "A4") UID ADDTO (0 32768:32769)
//! C: A5 CANCELUPDATE "A4"
//! S: A5 OK No further updates.
//! ```
//!
//! All that is found is asked for with it, and not a count or a page: an update names each message that
//! joins or leaves, whatever was asked for (section 4.3), so that a count is there to be had from what
//! was found, and of a page it cannot be told what moves into it. The hint CONTEXT (section 4.2) is not
//! given: UPDATE needs none, and servers may ignore it.
//!
//! What is told comes at any time, and is told from the answer to another search by its tag: the core
//! knows which searches are kept up to date.

mod update;

pub(crate) use update::Told;
pub use update::{SearchChange, SearchContext, SearchUpdate};

use bytes::Bytes;

use super::modifier::Need;
use super::search::{Charset, Finding, Search, SearchResult, Wanted};
use super::sort::{Sort, Sorted};
use super::{Command, is_coded, is_data, untagged_code};
use crate::imap::proto::decode::{Malformed, Parsed};
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Claims, Core, Effect, Following, Tag};
use crate::imap::{Capabilities, Code, Error, FetchItems, Mailbox, Reply, Uid};
use crate::{Misuse, Stage};

const SEARCH: Need = Need::offered(&["CONTEXT=SEARCH"]);
const SORT: Need = Need::offered(&["CONTEXT=SORT"]);
const NOTIFY: Need = Need::offered(&["NOTIFY"]);

/// How a search is to be kept up to date.
#[derive(Debug, Clone, Default)]
pub struct UpdateOptions {
    fetch: Option<FetchItems>,
}

impl UpdateOptions {
    /// By telling the UIDs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of a new message that matches, tells these, too, as an [`Event::Fetch`](crate::imap::Event)
    /// before the update. Needs `NOTIFY` besides (RFC 5465 section 7).
    pub fn fetch(mut self, items: FetchItems) -> Self {
        self.fetch = Some(items);
        self
    }
}

/// What a search has found, and whether it is kept up to date.
#[derive(Debug, Clone)]
pub struct Updating<R> {
    found: R,
    context: Option<SearchContext>,
}

impl<R> Updating<R> {
    /// What was found.
    pub const fn found(&self) -> &R {
        &self.found
    }

    /// What was found, to take in [`Event::Search`](crate::imap::Event::Search).
    pub const fn found_mut(&mut self) -> &mut R {
        &mut self.found
    }

    /// What was found, by value.
    pub fn into_found(self) -> R {
        self.found
    }

    fn map<S>(self, of: impl FnOnce(R) -> S) -> Updating<S> {
        Updating { found: of(self.found), context: self.context }
    }

    /// By which updates name this search. `None` if the server does not keep it up to date
    /// (`NOUPDATE`), since there are too many already: [`Mailbox::cancel_update`] ends one.
    pub const fn context(&self) -> Option<SearchContext> {
        self.context
    }
}

impl Mailbox {
    /// The UIDs of the messages that match, and from then on which join and leave them, as
    /// [`Event::Search`](crate::imap::Event::Search), whether by new messages, other flags, or messages that are
    /// expunged. The server may tell them whenever it tells anything: while
    /// [idling](Self::idle), with any command, and after
    /// [`notify`](crate::ImapClient::notify) in between. It ends with
    /// [`cancel_update`](Self::cancel_update), and when the mailbox is left.
    ///
    /// ```no_run
    /// # async fn watch(inbox: &mut mailbearer::imap::Mailbox) -> Result<(), mailbearer::imap::Error> {
    /// use mailbearer::imap::{Event, Search, UpdateOptions};
    ///
    /// let search = Search::all().flagged().unseen();
    /// let mut urgent = inbox.uid_search_updating(search, UpdateOptions::new()).await?;
    /// let mut idle = inbox.idle();
    /// while urgent.context().is_some() {
    ///     match idle.next().await? {
    ///         Event::Search(update) if Some(update.context()) == urgent.context() => {
    ///             urgent.found_mut().update(&update);
    ///             println!("{} messages", urgent.found().count());
    ///         }
    ///         Event::SearchOutdated(context) if Some(context) == urgent.context() => break,
    ///         // Updates may be among what was lost.
    ///         Event::Overflow { .. } => break,
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As for [`uid_search`](Self::uid_search); [`Error::Unsupported`] if the server does not offer
    /// `CONTEXT=SEARCH`, and [`Error::Misuse`] for a set of messages too long for a line. That the
    /// server does not keep it up to date is no error: see [`Updating::context`].
    ///
    /// # Cancel safety
    /// As for [`uid_search`](Self::uid_search). The server may go on keeping it up to date; what it
    /// tells is thrown away.
    pub async fn uid_search_updating(
        &mut self,
        search: Search,
        options: UpdateOptions,
    ) -> Result<Updating<SearchResult<Uid>>, Error> {
        self.session.rest(Stage::Command("UID SEARCH")).await?;
        let mut charset = Charset::of(&search, self.session.core());
        loop {
            let found = self.follow(Update::new(None, search.clone(), &options, charset)).await;
            if !charset.leave_out(&found) {
                return Ok(found?.map(|found| SearchResult::new(found, &[])));
            }
        }
    }

    /// The UIDs of the messages that match, in this order, and from then on which join and leave them,
    /// each with its place in the order: see [`Sorted::update`], and
    /// [`uid_search_updating`](Self::uid_search_updating) for all else.
    ///
    /// # Errors
    /// As for [`uid_sort`](Self::uid_sort); [`Error::Unsupported`] if the server does not offer
    /// `CONTEXT=SORT`. That the server does not keep it up to date is no error: see
    /// [`Updating::context`].
    ///
    /// # Cancel safety
    /// As for [`uid_search_updating`](Self::uid_search_updating).
    pub async fn uid_sort_updating(
        &mut self,
        sort: Sort,
        search: Search,
        options: UpdateOptions,
    ) -> Result<Updating<Sorted<Uid>>, Error> {
        self.session.rest(Stage::Command("UID SORT")).await?;
        let offered = self.session.core().capabilities();
        sort.check(search.is_fuzzy(offered), offered)?;
        let found = self.follow(Update::new(Some(sort), search, &options, Charset::Known)).await?;
        Ok(found.map(|found| Sorted::new(found, &[])))
    }

    async fn follow(&mut self, update: Update) -> Result<Updating<Finding>, Error> {
        self.session.refuse_too_long(&update, &update.search)?;
        let fuzzy = update.search.is_fuzzy(self.session.core().capabilities());
        let stage = Stage::Command(update.name());
        let found = self.session.run(update, stage).await?;
        Ok(found.map(|found| Finding { fuzzy, ..found }))
    }

    /// Has the server keep these searches up to date no longer. Those that have ended already are
    /// passed over, and if there are no others, nothing is sent.
    ///
    /// # Errors
    /// [`Error::Closed`] if the connection is gone.
    ///
    /// # Cancel safety
    /// See [`ImapClient`](crate::ImapClient).
    pub async fn cancel_update(
        &mut self,
        contexts: impl IntoIterator<Item = SearchContext>,
    ) -> Result<(), Error> {
        let contexts: Vec<_> = contexts.into_iter().collect();
        // What a dropped command comes to may end them all.
        self.session.rest(Stage::Command("CANCELUPDATE")).await?;
        let known = self.session.core().contexts();
        let meant = |known: &&Following| contexts.contains(&known.context);
        if !known.iter().any(|known| meant(&known)) {
            return Ok(());
        }
        let tags = known.iter().filter(meant).map(|known| known.tag).collect();
        self.run(CancelUpdate(tags)).await?;
        // A dropped future has left searches that no caller can name. Whether the server has begun to
        // keep them up to date is not known, so it may refuse to end them.
        let known = self.session.core().contexts().iter();
        let unwanted: Vec<_> = known.filter(|known| !known.wanted).map(|known| known.tag).collect();
        if unwanted.is_empty() {
            return Ok(());
        }
        match self.run(CancelUpdate(unwanted)).await {
            Err(Error::Refused { .. }) => Ok(()),
            ended => ended,
        }
    }
}

struct Update {
    sort: Option<Sort>,
    search: Search,
    fetch: Option<FetchItems>,
    charset: Charset,
    needs: Vec<Need>,
    tag: Tag,
    found: Finding,
    context: Option<SearchContext>,
}

impl Update {
    fn new(sort: Option<Sort>, search: Search, options: &UpdateOptions, charset: Charset) -> Self {
        let mut needs = vec![if sort.is_some() { SORT } else { SEARCH }];
        needs.extend_from_slice(search.needs());
        needs.extend(sort.iter().flat_map(|sort| sort.needs()));
        let fetch = options.fetch.clone();
        if let Some(items) = &fetch {
            needs.push(NOTIFY);
            needs.extend_from_slice(items.needs());
        }
        let (found, context) = Default::default();
        Self { sort, search, fetch, charset, needs, tag: Tag::NONE, found, context }
    }

    /// What is said of updates that there will be none of.
    fn heed(&self, code: Option<&Code>) -> Parsed<()> {
        match code {
            // The core takes it off its list.
            Some(Code::NoUpdate(tag)) if Tag::parse(tag.as_bytes()) == Some(self.tag) => Ok(()),
            _ => Err(Malformed("the tag of the running search")),
        }
    }
}

impl Command for Update {
    type Output = Updating<Finding>;

    fn name(&self) -> &'static str {
        if self.sort.is_some() { "UID SORT" } else { "UID SEARCH" }
    }

    fn encode(&self, line: &mut Line, offered: &Capabilities) -> Result<(), Misuse> {
        line.raw(self.name()).raw(" RETURN (ALL UPDATE");
        if let Some(items) = &self.fetch {
            items.encode_unasked(line.raw(" "))?;
        }
        line.raw(") ");
        match &self.sort {
            // RFC 5256 section 3: every server has this charset.
            Some(sort) => drop(sort.encode(line).raw(" UTF-8 ")),
            None => self.charset.encode(line),
        }
        self.search.encode(line, offered)
    }

    fn needs(&self) -> &[Need] {
        &self.needs
    }

    fn effect(&self) -> Effect {
        Effect::Update
    }

    fn claims(&self) -> Claims {
        Claims::Data(|response| {
            ["SEARCH", "SORT", "ESEARCH"].iter().any(|name| is_data(response, name))
                || is_coded(response, "NOUPDATE")
        })
    }

    fn started(&mut self, tag: Tag, _: bool) {
        self.tag = tag;
    }

    fn accept(&mut self, response: &Response<'_>, _: &Bytes) -> Parsed<()> {
        match response {
            Response::Status(_) => self.heed(untagged_code(response).as_ref()),
            _ => {
                let wanted = Wanted { tag: self.tag, uids: true, page: None };
                self.found.take_response(response, &wanted)
            }
        }
    }

    fn give_back(&mut self, core: &mut Core) {
        self.context = core.context(self.tag);
    }

    fn finish(self, _: Reply) -> Updating<Finding> {
        let found = Finding { without_charset: self.charset.is_left_out(), ..self.found };
        Updating { found, context: self.context }
    }
}

struct CancelUpdate(Vec<Tag>);

impl Command for CancelUpdate {
    type Output = ();

    fn name(&self) -> &'static str {
        "CANCELUPDATE"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw(self.name());
        for tag in &self.0 {
            line.raw(format_args!(" \"{tag}\""));
        }
        Ok(())
    }

    fn effect(&self) -> Effect {
        Effect::CancelUpdate(self.0.clone())
    }

    fn finish(self, _: Reply) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;
    use crate::imap::{Event, Fetch, SortKey};

    fn update(sort: Option<Sort>, options: UpdateOptions) -> impl Fn() -> Update {
        let search = Search::all().deleted().keyword("$Junk");
        move || Update::new(sort.clone(), search.clone(), &options, Charset::Known)
    }

    #[test]
    fn the_examples_of_rfc_5267_give_what_is_found_and_a_name_for_its_updates() {
        let script = r#"
            S: * PREAUTH [CAPABILITY IMAP4rev1 CONTEXT=SEARCH] hi
            C: A1 UID SEARCH RETURN (ALL UPDATE) DELETED KEYWORD $Junk
            S: * ESEARCH (TAG "A1") UID ALL 32760:32762
            S: * ESEARCH (TAG "A9") UID ALL 1
            S: A1 OK Search completed, will notify.
        "#;
        play(update(None, UpdateOptions::new()), script, |mut played| {
            let found = played.output.unwrap();
            assert!(found.context().is_some());
            assert_eq!(found.context(), played.core.context(Tag::NONE.next(1)));
            assert_eq!(found.found().ranges, [(32760, 32762)]);
            assert!(matches!(played.core.take_event(), Some(Event::Unparsed { .. })));
        });
        let script = r#"
            S: * PREAUTH [CAPABILITY IMAP4rev1 CONTEXT=SORT] hi
            C: A1 UID SORT RETURN (ALL UPDATE) (REVERSE DATE) UTF-8 DELETED KEYWORD $Junk
            S: * ESEARCH (TAG "A1") UID ALL 7,3
            S: * NO [NOUPDATE "A9"] That is another
            S: * NO [NOUPDATE "A1"] Too many contexts
            S: A1 OK Search completed, will not notify.
        "#;
        let sort = Some(Sort::reversed(SortKey::Date));
        play(update(sort, UpdateOptions::new()), script, |mut played| {
            let found = played.output.unwrap();
            assert_eq!((found.context(), &found.found().ranges[..]), (None, &[(7, 7), (3, 3)][..]));
            assert_eq!(played.core.context(Tag::NONE.next(1)), None);
            assert!(matches!(played.core.take_event(), Some(Event::Unparsed { .. })));
            assert!(played.core.take_event().is_none());
        });
    }

    #[test]
    fn the_example_of_rfc_5465_asks_what_new_messages_are_like() {
        let script = r#"
            S: * PREAUTH [CAPABILITY IMAP4rev1 CONTEXT=SEARCH NOTIFY] hi
            C: A1 UID SEARCH RETURN (ALL UPDATE (UID FLAGS)) DELETED KEYWORD $Junk
            S: A1 OK [NOUPDATE "A1"] done
        "#;
        let options = UpdateOptions::new().fetch(Fetch::flags());
        play(update(None, options.clone()), script, |played| {
            assert_eq!(played.output.unwrap().context(), None);
        });
        let sort = Some(Sort::by(SortKey::DisplayFrom));
        let needs: Vec<_> = update(sort, options)().needs.iter().map(|need| need.what).collect();
        assert_eq!(needs, ["CONTEXT=SORT", "SORT", "SORT=DISPLAY", "NOTIFY"]);
        let marking = UpdateOptions::new().fetch(Fetch::body_marking_seen());
        let mut line = Line::new(Default::default());
        assert!(update(None, marking)().encode(&mut line, &Capabilities::default()).is_err());
    }
}
