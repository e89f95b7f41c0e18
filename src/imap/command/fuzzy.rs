//! FUZZY, RFC 6203: searches that find what is like what was sought, and how well each message
//! fits.
//!
//! ```text
//! C: A4 UID SEARCH RETURN (RELEVANCY ALL) FUZZY TEXT "Helo"
//! S: * ESEARCH (TAG "A4") UID ALL 1,5,10 RELEVANCY (4 99 42)
//! S: A4 OK Search completed.
//! C: A5 UID SORT (RELEVANCY) UTF-8 FUZZY SUBJECT "Helo"
//! S: * SORT 5 10 1
//! S: A5 OK Sort completed.
//! ```
//!
//! What is sorted and told by relevancy must be sought so (RFC 6203 sections 4 and 6).

use super::modifier::Need;
use super::search::{SearchReturn, Token};
use crate::imap::proto::decode::{Cursor, Malformed, Parsed};
use crate::imap::{Capabilities, Error, Search};
use crate::{Misuse, Stage};

pub(super) const FUZZY: Need = Need::offered(&["SEARCH=FUZZY"]);

impl Search {
    /// `FUZZY`: those that match this search, and those that the server takes to be like them. What
    /// is found may be something else the next time.
    ///
    /// ```
    /// use mailbearer::imap::Search;
    ///
    /// let broken = Search::all().fuzzy(Search::all().subject("IMAP break")).from("Smith");
    /// ```
    pub fn fuzzy(self, key: Self) -> Self {
        self.prefixed(Token::Word("FUZZY"), Some(FUZZY), key)
    }

    /// `FUZZY` where the server offers it, and the search as it is where not.
    /// [`SearchResult::is_fuzzy`](crate::imap::SearchResult::is_fuzzy) tells what was done.
    pub fn fuzzy_if_offered(self, key: Self) -> Self {
        self.prefixed(Token::FuzzyIfOffered, None, key)
    }

    /// Whether anything in it is sought so at a server that offers this.
    pub(super) fn is_fuzzy(&self, offered: &Capabilities) -> bool {
        self.needs().contains(&FUZZY)
            || offered.has(FUZZY.what) && self.tokens().contains(&Token::FuzzyIfOffered)
    }

    /// Refuses to have scores told of a search that gives none.
    pub(super) fn check_relevancy(&self, returns: &[SearchReturn]) -> Result<(), Misuse> {
        let fuzzy = self.needs().contains(&FUZZY) || self.tokens().contains(&Token::FuzzyIfOffered);
        let why = match returns.contains(&SearchReturn::Relevancy) {
            false => return Ok(()),
            true if !fuzzy => "nothing is sought by FUZZY",
            true if !returns.iter().any(SearchReturn::lists) => "scores want their messages: ALL",
            true => return Ok(()),
        };
        Err(Misuse::Argument { what: "RELEVANCY", why: why.to_owned() })
    }

    /// Refuses to do without the scores where FUZZY was to be had at any rate, of a server that
    /// does not tell them for want of `lacking`.
    pub(super) fn refuse_unscored(
        &self,
        returns: &[SearchReturn],
        offered: &Capabilities,
        stage: Stage,
        lacking: &str,
    ) -> Result<(), Error> {
        match returns.contains(&SearchReturn::Relevancy) && self.needs().contains(&FUZZY) {
            true => Err(Error::lacks(offered, stage, lacking)),
            false => Ok(()),
        }
    }
}

/// Reads a list of scores: `(4 99 42)`.
pub(super) fn scores(list: &[u8]) -> Parsed<Vec<u8>> {
    const WANTED: Malformed = Malformed("scores from 1 to 100");
    let mut list = Cursor::new(list);
    list.expect(b'(', WANTED.0)?;
    let mut scores = Vec::new();
    loop {
        list.spaces();
        if list.eat(b')') {
            return Ok(scores);
        }
        let score = list.digits().and_then(|score| u8::try_from(score).ok());
        scores.push(score.filter(|score| (1..=100).contains(score)).ok_or(WANTED)?);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_from_1_to_100() {
        assert_eq!(scores(b"(4 99 100)"), Ok(vec![4, 99, 100]));
        assert_eq!(scores(b"()"), Ok(vec![]));
        for bad in ["(0)", "(101)", "(4 -1)", "(9223372036854775808)", "4", "(4", "(x)"] {
            assert!(scores(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn scores_are_told_only_of_what_is_sought_so_and_listed() {
        let fuzzy = Search::all().fuzzy(Search::all().text("Helo"));
        let listed = [SearchReturn::Relevancy, SearchReturn::All];
        assert!(fuzzy.check_relevancy(&listed).is_ok());
        assert!(fuzzy.check_relevancy(&[SearchReturn::Relevancy, SearchReturn::Min]).is_err());
        assert!(Search::all().text("Helo").check_relevancy(&listed).is_err());
        let lenient = Search::all().fuzzy_if_offered(Search::all().text("Helo"));
        assert!(lenient.check_relevancy(&listed).is_ok());
    }

    #[test]
    fn whether_a_search_is_fuzzy_is_decided_by_the_server_where_it_may() {
        let fuzzy = Search::all().fuzzy(Search::all().seen());
        let lenient = Search::all().not(Search::all().fuzzy_if_offered(Search::all().seen()));
        let (none, some) = (Capabilities::default(), Capabilities::from("SEARCH=FUZZY"));
        assert!(fuzzy.is_fuzzy(&some) && lenient.is_fuzzy(&some) && !lenient.is_fuzzy(&none));
        assert!(lenient.needs().is_empty() && !fuzzy.needs().is_empty());
    }
}
