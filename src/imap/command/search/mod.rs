//! SEARCH and UID SEARCH, RFC 9051 section 6.4.4, with RETURN (RFC 4731).
//!
//! ```text
//! C: A8 UID SEARCH UNSEEN SINCE 1-Feb-2026 FROM "Smith"
//! S: * SEARCH 2 84 882
//! S: A8 OK SEARCH completed
//!
//! C: A9 UID SEARCH RETURN (MIN COUNT) FLAGGED
//! S: * ESEARCH (TAG "A9") UID MIN 7 COUNT 3
//! S: A9 OK SEARCH completed
//! ```
//!
//! What is sought is ASCII, or UTF-8 and named so: Gmail does not find what is not ASCII unless the
//! charset is named. Outlook.com refuses the name and takes UTF-8 without it, so a search that is
//! refused for its charset is sent once more without one. After `ENABLE UTF8=ACCEPT` none may be
//! named (RFC 6855 section 3).

mod charset;
mod correlator;
mod found;
mod key;
mod pieces;

pub use found::SearchResult;
pub use key::Search;
pub(super) use key::Token;

use std::fmt;
use std::num::NonZeroU32;

use bytes::Bytes;

pub(super) use self::charset::Charset;
pub(super) use self::correlator::Correlators;
pub(super) use self::found::{Finding, Wanted};
use self::pieces::Joined;
use super::modifier::Need;
use super::number::Number;
use super::partial::Partial;
use super::{Command, Piecewise, is_data};
use crate::imap::proto::decode::Parsed;
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Claims, Effect, Tag};
use crate::imap::session::Session;
use crate::imap::{Capabilities, Error, Mailbox, Reply, Uid, UidSet};
use crate::{Misuse, Stage};

/// What to tell of the messages that were found (RFC 4731).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SearchReturn {
    /// `MIN`: the lowest number.
    Min,
    /// `MAX`: the highest number.
    Max,
    /// `COUNT`: how many there are.
    Count,
    /// `ALL`: every number.
    All,
    /// `RELEVANCY`: how well each of them fits, from 1 to 100 (RFC 6203). Only of a search by
    /// [`Search::fuzzy`], and together with [`All`](Self::All) or a page.
    Relevancy,
    /// `PARTIAL`: the numbers at these places (RFC 9394, RFC 5267). Not together with
    /// [`All`](Self::All).
    Partial(Partial),
}

impl SearchReturn {
    /// The places, where a page is asked for.
    pub(super) const fn partial(&self) -> Option<Partial> {
        match self {
            Self::Partial(places) => Some(*places),
            _ => None,
        }
    }

    /// The page that is among these.
    pub(super) fn page(returns: &[Self]) -> Option<Partial> {
        returns.iter().find_map(Self::partial)
    }

    /// Whether numbers are told one by one.
    pub(super) const fn lists(&self) -> bool {
        matches!(self, Self::All | Self::Partial(_))
    }

    /// What to ask of a server in order to tell this. `paged`: it tells the page that is wanted;
    /// `fuzzy`: it gives scores.
    pub(super) fn to_ask(returns: &[Self], paged: bool, fuzzy: bool) -> Vec<Self> {
        let scored = fuzzy && returns.contains(&Self::Relevancy);
        match (paged, scored) {
            (true, _) => {
                let told = |wanted: &&Self| fuzzy || **wanted != Self::Relevancy;
                returns.iter().filter(told).copied().collect()
            }
            // The page is cut out of all, and so are its scores.
            (false, true) => vec![Self::All, Self::Relevancy],
            (false, false) => Vec::new(),
        }
    }

    /// Refuses what cannot be asked for together, whether the server is asked for it or not.
    pub(super) fn check(returns: &[Self], search: &Search) -> Result<(), Misuse> {
        search.check_relevancy(returns)?;
        let mut pages = returns.iter().filter_map(Self::partial);
        let first = pages.next();
        if let Some(places) = first {
            places.check()?;
        }
        if pages.next().is_some() || first.is_some() && returns.contains(&Self::All) {
            let why = "one page, or all, but not both".to_owned();
            return Err(Misuse::Argument { what: "PARTIAL", why });
        }
        Ok(())
    }
}

impl fmt::Display for SearchReturn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Min => f.write_str("MIN"),
            Self::Max => f.write_str("MAX"),
            Self::Count => f.write_str("COUNT"),
            Self::All => f.write_str("ALL"),
            Self::Relevancy => f.write_str("RELEVANCY"),
            Self::Partial(places) => places.fmt(f),
        }
    }
}

/// Writes `RETURN (…)` and a space, if anything is to be returned.
pub(super) fn write_returns(line: &mut Line, returns: &[SearchReturn]) {
    let mut separator = "RETURN (";
    for wanted in returns {
        line.raw(separator).raw(wanted);
        separator = " ";
    }
    if !returns.is_empty() {
        line.raw(") ");
    }
}

impl Mailbox {
    /// The UIDs of the messages that match. None that match is no error.
    ///
    /// A search among UIDs that are too many for one line goes in several commands, whose answers
    /// are joined.
    ///
    /// Text beyond ASCII is sought as UTF-8. Not every server finds it; at Exchange such a search
    /// may take minutes. Where the server refuses the name of the charset it is sought once more
    /// without, which [`SearchResult::is_without_charset`] tells.
    ///
    /// ```no_run
    /// # async fn read(inbox: &mut mailbearer::imap::Mailbox) -> Result<(), mailbearer::imap::Error> {
    /// use mailbearer::imap::{Date, Fetch, Search};
    ///
    /// let february = Date::new(2026, 2, 1).expect("a day of the calendar");
    /// let found = inbox.uid_search(Search::all().unseen().from("Smith").since(february)).await?;
    /// println!("{} messages", found.count());
    /// let mut messages = inbox.uid_fetch(found, Fetch::envelope()).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`] if the server does not take a key, or does not search in UTF-8
    /// ([`Code::BadCharset`](crate::imap::Code::BadCharset)). [`Error::Misuse`] for an argument that cannot be sent, and for more
    /// than one set of messages too long for a line (see
    /// [`Profile::with_command_line`](crate::Profile::with_command_line)); nothing was sent then.
    ///
    /// # Cancel safety
    /// See [`ImapClient`](crate::ImapClient).
    pub async fn uid_search(&mut self, search: Search) -> Result<SearchResult<Uid>, Error> {
        self.find(search, &[]).await
    }

    /// The sequence numbers of the messages that match. They move whenever a message is expunged:
    /// see [`uid_search`](Self::uid_search), which is nearly always the one to use.
    ///
    /// # Errors
    /// As for [`uid_search`](Self::uid_search).
    ///
    /// # Cancel safety
    /// As for [`uid_search`](Self::uid_search).
    pub async fn search(&mut self, search: Search) -> Result<SearchResult<NonZeroU32>, Error> {
        self.find(search, &[]).await
    }

    /// Of the messages that match, the lowest or highest UID, their number, or all UIDs, as
    /// `returns` says; servers with `ESEARCH` send no more than that, and all UIDs as ranges. Of
    /// other servers all UIDs are asked for, and the rest is worked out from them.
    ///
    /// # Errors
    /// As for [`uid_search`](Self::uid_search).
    ///
    /// # Cancel safety
    /// As for [`uid_search`](Self::uid_search).
    pub async fn uid_search_returning(
        &mut self,
        search: Search,
        returns: impl IntoIterator<Item = SearchReturn>,
    ) -> Result<SearchResult<Uid>, Error> {
        let returns: Vec<_> = returns.into_iter().collect();
        self.find(search, &returns).await
    }

    /// `SEARCH RETURN`: of the messages that match, the lowest or highest sequence number, how many they
    /// are, or all sequence numbers, as `returns` says. See
    /// [`uid_search_returning`](Self::uid_search_returning), which is nearly always the one to use.
    ///
    /// # Errors
    /// As for [`uid_search`](Self::uid_search).
    ///
    /// # Cancel safety
    /// As for [`uid_search`](Self::uid_search).
    pub async fn search_returning(
        &mut self,
        search: Search,
        returns: impl IntoIterator<Item = SearchReturn>,
    ) -> Result<SearchResult<NonZeroU32>, Error> {
        let returns: Vec<_> = returns.into_iter().collect();
        self.find(search, &returns).await
    }

    async fn find<N: Number>(
        &mut self,
        mut search: Search,
        returns: &[SearchReturn],
    ) -> Result<SearchResult<N>, Error> {
        SearchReturn::check(returns, &search)?;
        self.session.rest(Stage::Command(N::SEARCH)).await?;
        let core = self.session.core();
        let offered = core.capabilities();
        let fuzzy = search.is_fuzzy(offered);
        let asked = match core.offer().has("ESEARCH") {
            true => {
                let page = SearchReturn::page(returns);
                let paged = page.is_none_or(|page| page.is_told_by(offered));
                SearchReturn::to_ask(returns, paged, fuzzy)
            }
            false => {
                search.refuse_unscored(returns, offered, Stage::Command(N::SEARCH), "ESEARCH")?;
                Vec::new()
            }
        };
        let mut charset = Charset::of(&search, core);
        let uids = search.take_uids();
        loop {
            let found = self.find_in::<N>(&search, uids.as_ref(), &asked, charset).await;
            if !charset.leave_out(&found) {
                return Ok(SearchResult::new(Finding { fuzzy, ..found? }, returns));
            }
        }
    }

    /// Searches these messages, in several commands if they are too many for one line.
    async fn find_in<N: Number>(
        &mut self,
        search: &Search,
        uids: Option<&(UidSet, Joined)>,
        returns: &[SearchReturn],
        charset: Charset,
    ) -> Result<Finding, Error> {
        let stage = Stage::Command(N::SEARCH);
        let find = |search| Find::<N>::new(search, returns, charset);
        let mut pieces = match uids {
            Some((uids, _)) => self.session.split(uids, |uids| find(search.with_uids(uids)))?,
            None => vec![find(search.clone())],
        };
        for piece in &pieces {
            self.session.refuse_too_long(piece, &piece.search)?;
        }
        if let (Some((_, joined)), [_, _, ..]) = (uids, &mut pieces[..]) {
            if returns.contains(&SearchReturn::Relevancy) {
                let why = "the set is too long for one search, and scores are of one".to_owned();
                return Err(Misuse::Argument { what: "RELEVANCY", why }.into());
            }
            for piece in &mut pieces {
                // Whatever is wanted of all is worked out from all of them.
                piece.returns = &[];
                piece.joined = *joined;
            }
        }
        let found = self.session.run_pieces(pieces, stage).await?;
        Ok(found.unwrap_or_default())
    }
}

impl Session {
    /// Refuses a command that sets of messages make longer than the server takes.
    pub(super) fn refuse_too_long<C: Command>(
        &self,
        command: &C,
        search: &Search,
    ) -> Result<(), Error> {
        match self.too_long(command)? {
            Some((octets, limit)) if search.names_messages() => {
                let why = format!("sets make it {octets} octets long, and a line takes {limit}");
                Err(Misuse::Argument { what: "search", why }.into())
            }
            _ => Ok(()),
        }
    }
}

struct Find<'a, N> {
    search: Search,
    returns: &'a [SearchReturn],
    charset: Charset,
    tag: Tag,
    found: Finding,
    /// What the pieces before it have found, and how that counts.
    before: Option<Finding>,
    joined: Joined,
    numbers: std::marker::PhantomData<N>,
}

impl<'a, N> Find<'a, N> {
    fn new(search: Search, returns: &'a [SearchReturn], charset: Charset) -> Self {
        let (found, joined, numbers) = Default::default();
        Self { search, returns, charset, tag: Tag::NONE, found, before: None, joined, numbers }
    }
}

impl<N: Number> Command for Find<'_, N> {
    type Output = Finding;

    fn name(&self) -> &'static str {
        N::SEARCH
    }

    fn encode(&self, line: &mut Line, offered: &Capabilities) -> Result<(), Misuse> {
        line.raw(N::SEARCH).raw(" ");
        write_returns(line, self.returns);
        self.charset.encode(line);
        self.search.encode(line, offered)
    }

    fn needs(&self) -> &[Need] {
        self.search.needs()
    }

    fn started(&mut self, tag: Tag, _: bool) {
        self.tag = tag;
    }

    fn effect(&self) -> Effect {
        Effect::Search { saves: false }
    }

    fn claims(&self) -> Claims {
        Claims::Data(|response| is_data(response, "SEARCH") || is_data(response, "ESEARCH"))
    }

    fn accept(&mut self, response: &Response<'_>, _: &Bytes) -> Parsed<()> {
        let page = SearchReturn::page(self.returns);
        self.found.take_response(response, &Wanted { tag: self.tag, uids: N::ARE_UIDS, page })
    }

    fn finish(mut self, _: Reply) -> Finding {
        if let Some(before) = self.before {
            self.found.retain(before);
        }
        self.found.without_charset = self.charset.is_left_out();
        self.found
    }
}

impl<N: Number> Piecewise for Find<'_, N> {
    fn go_on_from(&mut self, before: Finding) {
        match self.joined {
            Joined::Any => self.found = before,
            Joined::Each => self.before = Some(before),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;
    use crate::imap::{Date, Event};

    fn find<'a>(search: &'a Search, returns: &'a [SearchReturn]) -> impl Fn() -> Find<'a, Uid> {
        let charset = if search.is_ascii() { Charset::Known } else { Charset::Named };
        move || Find::new(search.clone(), returns, charset)
    }

    fn result<N: Number>(output: Result<Finding, Reply>) -> SearchResult<N> {
        SearchResult::new(output.unwrap(), &[])
    }

    #[test]
    fn the_examples_of_rfc_3501_are_searched_and_read() {
        let script = "
            S: * PREAUTH hi
            C: A1 UID SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"
            S: * SEARCH 2 84 882
            S: A1 OK SEARCH completed
        ";
        let since = Date::new(1994, 2, 1).unwrap();
        let search = Search::all().flagged().since(since).not(Search::all().from("Smith"));
        play(find(&search, &[]), script, |played| {
            let found = result::<Uid>(played.output);
            assert_eq!(found.iter().map(Uid::get).collect::<Vec<_>>(), [2, 84, 882]);
            assert_eq!((found.count(), found.min(), found.max()), (3, Uid::new(2), Uid::new(882)));
        });
        let script = "
            S: * PREAUTH hi
            C: A1 SEARCH TEXT \"string not in mailbox\"
            S: * SEARCH
            S: A1 OK SEARCH completed
        ";
        let search = Search::all().text("string not in mailbox");
        let find = || Find::<NonZeroU32>::new(search.clone(), &[], Charset::Known);
        play(find, script, |played| assert!(result::<NonZeroU32>(played.output).is_empty()));
    }

    #[test]
    fn an_answer_that_cannot_be_read_or_has_the_other_kind_of_number_leaves_the_result_incomplete()
    {
        for (odd, found) in [
            ("SEARCH 2 x 84", 2),
            ("SEARCH 2 4294967296 84", 2),
            ("ESEARCH (TAG \"A1\") ALL 2,84", 0),
            ("ESEARCH (TAG \"A1\") COUNT 2", 0),
            ("ESEARCH (TAG \"A1\") UID ALL 2,84 MAX x", 2),
            ("ESEARCH (TAG \"A2\") UID ALL 2,84", 0),
        ] {
            let script = format!(
                "
                S: * PREAUTH [CAPABILITY ESEARCH] hi
                C: A1 UID SEARCH ALL
                S: * {odd}
                S: A1 OK done
                "
            );
            let all = Search::all();
            play(find(&all, &[]), &script, |mut played| {
                let found_here = result::<Uid>(played.output);
                assert_eq!((found_here.count(), found_here.unread()), (found, 1), "{odd}");
                assert!(matches!(played.core.take_event(), Some(Event::Unparsed { .. })), "{odd}");
            });
        }
        let script = "
            S: * PREAUTH [CAPABILITY ESEARCH] hi
            C: A1 SEARCH ALL
            S: * ESEARCH (TAG \"A1\") UID ALL 17,900
            S: * ESEARCH (TAG \"A1\") ALL 2
            S: A1 OK done
        ";
        let find = || Find::<NonZeroU32>::new(Search::all(), &[], Charset::Known);
        play(find, script, |played| {
            let found = result::<NonZeroU32>(played.output);
            assert_eq!(found.unread(), 1);
            assert_eq!(found.into_set().to_string(), "2");
        });
    }

    #[test]
    fn what_is_not_ascii_goes_as_a_literal_of_the_charset() {
        let script = "
            S: * PREAUTH [CAPABILITY IMAP4rev1] hi
            C: A1 UID SEARCH CHARSET UTF-8 SUBJECT {12}
            S: + go ahead
            C: \u{43f}\u{440}\u{438}\u{432}\u{435}\u{442} UNSEEN
            S: * SEARCH 43
            S: A1 OK done
        ";
        let search = Search::all().subject("\u{43f}\u{440}\u{438}\u{432}\u{435}\u{442}").unseen();
        play(find(&search, &[]), script, |played| {
            assert_eq!(result::<Uid>(played.output).count(), 1);
        });
    }

    #[test]
    fn an_extended_answer_is_known_by_its_tag() {
        // RFC 4731 section 3.1.
        let script = "
            S: * PREAUTH hi
            C: A1 UID SEARCH RETURN (MIN COUNT) FLAGGED
            S: * ESEARCH (TAG \"A77\") UID MIN 9 COUNT 9
            S: * ESEARCH (TAG \"A1\") UID MIN 2 COUNT 3
            S: A1 OK SEARCH completed
        ";
        let search = Search::all().flagged();
        let returns = [SearchReturn::Min, SearchReturn::Count];
        play(find(&search, &returns), script, |mut played| {
            let found = result::<Uid>(played.output);
            assert_eq!((found.min(), found.max(), found.count()), (Uid::new(2), None, 3));
            assert!(matches!(played.core.take_event(), Some(Event::Unparsed { .. })));
        });
    }

    #[test]
    fn several_lines_are_one_answer_in_whatever_form() {
        // iCloud answers a search with RETURN by SEARCH (MailKit#863).
        let script = "
            S: * PREAUTH hi
            C: A1 UID SEARCH RETURN (ALL) ALL
            S: * SEARCH 1 2 
            S: * search 9 7 3
            S: * SEARCH 
            S: * ESEARCH (TAG A1) UID ALL 12:10,20
            S: A1 OK SEARCH completed
        ";
        let search = Search::all();
        play(find(&search, &[SearchReturn::All]), script, |mut played| {
            let found = result::<Uid>(played.output);
            assert_eq!(found.count(), 9);
            assert_eq!(found.into_set().to_string(), "1:3,7,9:12,20");
            assert!(played.core.take_event().is_none());
        });
    }

    #[test]
    fn what_is_no_number_is_an_event_and_the_numbers_beside_it_are_kept() {
        let script = "
            S: * PREAUTH hi
            C: A1 UID SEARCH ALL
            S: * SEARCH 1 x 99999999999 0 2
            S: * SEARCH 5 (MODSEQ 917162500)
            S: A1 OK SEARCH completed
        ";
        let search = Search::all();
        play(find(&search, &[]), script, |mut played| {
            assert_eq!(result::<Uid>(played.output).into_set().to_string(), "1:2,5");
            assert!(matches!(played.core.take_event(), Some(Event::Unparsed { .. })));
            assert!(played.core.take_event().is_none());
        });
    }
}
