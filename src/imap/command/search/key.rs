//! What to search for.

use crate::Misuse;
use crate::imap::command::fuzzy::FUZZY;
use crate::imap::command::modifier::Need;
use crate::imap::proto::encode::{Line, check_flag};
use crate::imap::{Capabilities, Date, Flag, MailboxName, SeqSet, UidSet};

/// A search: all messages, and then only those that match each key that is added.
///
/// Strings match without regard to case, as substrings; dates are days without their time, in the
/// server's zone. Text beyond ASCII is sought as UTF-8.
///
/// ```
/// use mailbearer::imap::{Date, Search};
///
/// let day = Date::new(2026, 11, 16).unwrap();
/// let invoices = Search::all().unseen().from("billing@example.com").since(day);
/// let urgent = Search::all().or(
///     Search::all().flagged(),
///     Search::all().subject("urgent").not(Search::all().header("List-Id", "")),
/// );
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// As they are written, from left to right. Flat, so that no depth of nesting is too much.
    pub(super) tokens: Vec<Token>,
    /// How many keys they make at the top.
    keys: usize,
    /// What the server must offer.
    needs: Vec<Need>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::imap::command) enum Token {
    Word(&'static str),
    /// `FUZZY` where it is offered, and nothing where it is not.
    FuzzyIfOffered,
    Text(String),
    FieldName(String),
    Keyword(Flag<'static>),
    Day(Date),
    Octets(u64),
    /// An argument of an extension: a number, a word of our own.
    Number(u64),
    Argument(&'static str),
    Atom(String),
    /// The entry of a flag (RFC 7162 section 7).
    FlagEntry(Flag<'static>),
    Name(MailboxName),
    Uids(UidSet),
    Numbers(SeqSet),
    Open,
    Close,
}

impl Search {
    /// Every message.
    pub fn all() -> Self {
        Self::default()
    }

    /// Those that match at least one of these; none if there are none of these.
    pub fn any_of(alternatives: impl IntoIterator<Item = Self>) -> Self {
        let mut alternatives = alternatives.into_iter().peekable();
        if alternatives.peek().is_none() {
            return Self::all().not(Self::all());
        }
        let mut any = Self { keys: 1, ..Self::default() };
        while let Some(alternative) = alternatives.next() {
            if alternatives.peek().is_some() {
                any.tokens.push(Token::Word("OR"));
            }
            any.group(alternative);
        }
        any
    }

    /// Those that match this search, too.
    pub fn and(mut self, other: Self) -> Self {
        self.keys += other.keys;
        self.tokens.extend(other.tokens);
        self.needs.extend(other.needs);
        self
    }

    /// Those that match at least one of the two.
    pub fn or(self, one: Self, other: Self) -> Self {
        self.and(Self::any_of([one, other]))
    }

    /// Those that do not match this search.
    pub fn not(self, other: Self) -> Self {
        self.prefixed(Token::Word("NOT"), None, other)
    }

    /// `ANSWERED`: those that have been replied to.
    pub fn answered(self) -> Self {
        self.word("ANSWERED")
    }

    /// `UNANSWERED`.
    pub fn unanswered(self) -> Self {
        self.word("UNANSWERED")
    }

    /// `DELETED`: those marked `\Deleted`.
    pub fn deleted(self) -> Self {
        self.word("DELETED")
    }

    /// `UNDELETED`.
    pub fn undeleted(self) -> Self {
        self.word("UNDELETED")
    }

    /// `DRAFT`: those that are not finished.
    pub fn draft(self) -> Self {
        self.word("DRAFT")
    }

    /// `UNDRAFT`.
    pub fn undraft(self) -> Self {
        self.word("UNDRAFT")
    }

    /// `FLAGGED`: those marked for attention.
    pub fn flagged(self) -> Self {
        self.word("FLAGGED")
    }

    /// `UNFLAGGED`.
    pub fn unflagged(self) -> Self {
        self.word("UNFLAGGED")
    }

    /// `SEEN`: those that have been read.
    pub fn seen(self) -> Self {
        self.word("SEEN")
    }

    /// `UNSEEN`.
    pub fn unseen(self) -> Self {
        self.word("UNSEEN")
    }

    /// `RECENT`: those that no earlier session has seen (RFC 3501 only:
    /// where IMAP4rev2 is spoken it is [`Error::Unsupported`](crate::imap::Error::Unsupported)).
    pub fn recent(self) -> Self {
        self.extension("RECENT", Need::rev1("RECENT"))
    }

    /// `OLD`: those that are not recent (RFC 3501 only, as [`recent`](Self::recent)).
    pub fn old(self) -> Self {
        self.extension("OLD", Need::rev1("OLD"))
    }

    /// `NEW`: those that are recent and have not been read (RFC 3501 only, as
    /// [`recent`](Self::recent)).
    pub fn recent_and_unseen(self) -> Self {
        self.extension("NEW", Need::rev1("NEW"))
    }

    /// `KEYWORD`: those with this keyword. For a flag that has a key of its own, such as
    /// [`Flag::Seen`], that key.
    pub fn keyword(self, flag: impl Into<Flag<'static>>) -> Self {
        match flag.into() {
            Flag::Seen => self.seen(),
            Flag::Answered => self.answered(),
            Flag::Flagged => self.flagged(),
            Flag::Deleted => self.deleted(),
            Flag::Draft => self.draft(),
            Flag::Recent => self.recent(),
            flag => self.word("KEYWORD").with(Token::Keyword(flag)),
        }
    }

    /// `UNKEYWORD`: those without it.
    pub fn unkeyword(self, flag: impl Into<Flag<'static>>) -> Self {
        match flag.into() {
            Flag::Seen => self.unseen(),
            Flag::Answered => self.unanswered(),
            Flag::Flagged => self.unflagged(),
            Flag::Deleted => self.undeleted(),
            Flag::Draft => self.undraft(),
            Flag::Recent => self.old(),
            flag => self.word("UNKEYWORD").with(Token::Keyword(flag)),
        }
    }

    /// `FROM`: those whose From field holds this.
    pub fn from(self, text: impl Into<String>) -> Self {
        self.sought("FROM", text.into())
    }

    /// `TO`: those whose To field holds this.
    pub fn to(self, text: impl Into<String>) -> Self {
        self.sought("TO", text.into())
    }

    /// `CC`: those whose Cc field holds this.
    pub fn cc(self, text: impl Into<String>) -> Self {
        self.sought("CC", text.into())
    }

    /// `BCC`: those whose Bcc field holds this.
    pub fn bcc(self, text: impl Into<String>) -> Self {
        self.sought("BCC", text.into())
    }

    /// `SUBJECT`: those whose subject holds this.
    pub fn subject(self, text: impl Into<String>) -> Self {
        self.sought("SUBJECT", text.into())
    }

    /// `BODY`: those whose body holds this.
    pub fn body(self, text: impl Into<String>) -> Self {
        self.sought("BODY", text.into())
    }

    /// `TEXT`: those whose header or body holds this.
    pub fn text(self, text: impl Into<String>) -> Self {
        self.sought("TEXT", text.into())
    }

    /// `HEADER`: those that have a field of this name which holds this; `""` if any value will do.
    pub fn header(self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.word("HEADER").with(Token::FieldName(name.into())).with(Token::Text(text.into()))
    }

    /// `BEFORE`: those received before this day.
    pub fn before(self, day: Date) -> Self {
        self.word("BEFORE").with(Token::Day(day))
    }

    /// `ON`: those received on this day.
    pub fn on(self, day: Date) -> Self {
        self.word("ON").with(Token::Day(day))
    }

    /// `SINCE`: those received on this day or later.
    pub fn since(self, day: Date) -> Self {
        self.word("SINCE").with(Token::Day(day))
    }

    /// `SENTBEFORE`: those whose Date field is before this day.
    pub fn sent_before(self, day: Date) -> Self {
        self.word("SENTBEFORE").with(Token::Day(day))
    }

    /// `SENTON`: those whose Date field is this day.
    pub fn sent_on(self, day: Date) -> Self {
        self.word("SENTON").with(Token::Day(day))
    }

    /// `SENTSINCE`: those whose Date field is this day or later.
    pub fn sent_since(self, day: Date) -> Self {
        self.word("SENTSINCE").with(Token::Day(day))
    }

    /// `LARGER`: those of more octets; at most 2^63 - 1, and at servers of RFC 3501 2^32 - 1.
    pub fn larger(self, octets: u64) -> Self {
        self.word("LARGER").with(Token::Octets(octets))
    }

    /// `SMALLER`: those of fewer octets; at most 2^63 - 1, and at servers of RFC 3501 2^32 - 1.
    pub fn smaller(self, octets: u64) -> Self {
        self.word("SMALLER").with(Token::Octets(octets))
    }

    /// `UID`: those of these UIDs; none if the set is empty.
    pub fn uids(self, set: impl Into<UidSet>) -> Self {
        match set.into() {
            none if none.is_empty() => self.and(Self::any_of([])),
            set => self.word("UID").with(Token::Uids(set)),
        }
    }

    /// Those of these sequence numbers; none if the set is empty.
    pub fn numbers(mut self, set: impl Into<SeqSet>) -> Self {
        match set.into() {
            none if none.is_empty() => self.and(Self::any_of([])),
            set => {
                self.keys += 1;
                self.with(Token::Numbers(set))
            }
        }
    }

    /// Whether it needs no charset.
    pub(in crate::imap::command) fn is_ascii(&self) -> bool {
        self.tokens.iter().all(|token| match token {
            Token::Text(text) => text.is_ascii(),
            _ => true,
        })
    }

    /// Begins a key of an extension, for which the server must offer something.
    pub(in crate::imap::command) fn extension(mut self, key: &'static str, need: Need) -> Self {
        self.needs.push(need);
        self.word(key)
    }

    /// A word that has another key for its argument.
    pub(in crate::imap::command) fn prefixed(
        mut self,
        word: Token,
        need: Option<Need>,
        other: Self,
    ) -> Self {
        self.needs.extend(need);
        self.keys += 1;
        let mut search = self.with(word);
        search.group(other);
        search
    }

    /// A number as an argument.
    pub(in crate::imap::command) fn number(self, number: u64) -> Self {
        self.with(Token::Number(number))
    }

    /// A day as an argument.
    pub(in crate::imap::command) fn day(self, day: Date) -> Self {
        self.with(Token::Day(day))
    }

    /// A word from outside as an argument.
    pub(in crate::imap::command) fn atom(self, word: String) -> Self {
        self.with(Token::Atom(word))
    }

    /// A word of our own as an argument.
    pub(in crate::imap::command) fn argument(self, word: &'static str) -> Self {
        self.with(Token::Argument(word))
    }

    /// A flag as the name of what is kept about it.
    pub(in crate::imap::command) fn flag_entry(self, flag: Flag<'static>) -> Self {
        self.with(Token::FlagEntry(flag))
    }

    /// What is sought, in the charset of the search.
    pub(in crate::imap::command) fn sought_text(self, text: String) -> Self {
        self.with(Token::Text(text))
    }

    /// A name that is spelt as those of mailboxes are.
    pub(in crate::imap::command) fn name(self, name: MailboxName) -> Self {
        self.with(Token::Name(name))
    }

    /// What the server must offer.
    pub(in crate::imap::command) fn needs(&self) -> &[Need] {
        &self.needs
    }

    /// What it is made of, from left to right.
    pub(in crate::imap::command) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Writes it for a server that offers this.
    pub(in crate::imap::command) fn encode(
        &self,
        line: &mut Line,
        offered: &Capabilities,
    ) -> Result<(), Misuse> {
        if self.keys == 0 {
            line.raw("ALL");
        }
        let mut separator = "";
        let left_out = if offered.has(FUZZY.what) { None } else { Some(Token::FuzzyIfOffered) };
        for token in self.tokens.iter().filter(|token| left_out.as_ref() != Some(*token)) {
            line.raw(if *token == Token::Close { "" } else { separator });
            separator = if *token == Token::Open { "" } else { " " };
            match token {
                Token::Word(word) => line.raw(word),
                Token::FuzzyIfOffered => line.raw("FUZZY"),
                Token::Text(text) => line.string("what is sought", text.as_bytes())?,
                Token::FieldName(name) => field_name(line, name)?,
                Token::Keyword(flag) => line.atom("keyword", flag.as_str())?,
                Token::Day(day) => line.raw(day),
                // RFC 9051 section 9 has numbers of 63 bits there, RFC 3501 of 32.
                Token::Octets(octets) if *octets > line.most_octets() => {
                    let most = line.most_octets();
                    let why = format!("{octets} octets, and the server takes numbers up to {most}");
                    return Err(Misuse::Argument { what: "size", why });
                }
                Token::Octets(octets) => line.raw(octets),
                Token::Number(number) => line.raw(number),
                Token::Argument(word) => line.raw(word),
                Token::Atom(word) => line.atom("what is sought", word)?,
                Token::Name(name) => line.mailbox(name)?,
                Token::FlagEntry(flag) => {
                    check_flag(flag)?;
                    line.string("flag", format!("/flags/{flag}").as_bytes())?
                }
                Token::Uids(set) => line.uids(set)?,
                Token::Numbers(set) => line.numbers(set),
                Token::Open => line.raw("("),
                Token::Close => line.raw(")"),
            };
        }
        Ok(())
    }

    /// Begins a key.
    fn word(mut self, word: &'static str) -> Self {
        self.keys += 1;
        self.with(Token::Word(word))
    }

    fn sought(self, key: &'static str, text: String) -> Self {
        self.word(key).with(Token::Text(text))
    }

    fn with(mut self, token: Token) -> Self {
        self.tokens.push(token);
        self
    }

    /// Puts another search where the grammar has one key.
    fn group(&mut self, other: Self) {
        self.needs.extend(other.needs);
        match other.keys {
            0 => self.tokens.push(Token::Word("ALL")),
            1 => self.tokens.extend(other.tokens),
            _ => {
                self.tokens.push(Token::Open);
                self.tokens.extend(other.tokens);
                self.tokens.push(Token::Close);
            }
        }
    }
}

/// RFC 5322 section 2.2: printable ASCII but the colon.
fn field_name<'a>(line: &'a mut Line, name: &str) -> Result<&'a mut Line, Misuse> {
    const WHAT: &str = "the name of a header field";
    match name.chars().find(|c| !c.is_ascii_graphic() || *c == ':') {
        Some('\r' | '\n' | '\0') => Err(Misuse::LineBreak { what: WHAT }),
        Some(c) => Err(Misuse::Argument { what: WHAT, why: format!("{c:?} may not be in it") }),
        None if name.is_empty() => Err(Misuse::Argument { what: WHAT, why: "empty".to_owned() }),
        None => line.astring(WHAT, name.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::imap::proto::encode::Piece;
    use proptest::prelude::*;

    fn written(search: &Search) -> Result<String, Misuse> {
        let mut line = Line::new(Default::default());
        search.encode(&mut line, &Capabilities::default())?;
        let pieces = line.finish().into_iter().map(|piece| match piece {
            Piece::Line(line) => String::from_utf8(line).unwrap(),
            Piece::Literal(octets) => String::from_utf8(octets.to_vec()).unwrap(),
            _ => "~".to_owned(),
        });
        Ok(pieces.collect())
    }

    #[test]
    fn every_key_of_both_rfcs_is_spelt_as_in_the_grammar() {
        let all = Search::all;
        let day = Date::new(1994, 2, 1).unwrap();
        let numbers = SeqSet::range(NonZeroU32::MIN, NonZeroU32::new(4).unwrap());
        for (search, expected) in [
            (all(), "ALL"),
            (all().answered().unanswered(), "ANSWERED UNANSWERED"),
            (all().deleted().undeleted(), "DELETED UNDELETED"),
            (all().draft().undraft(), "DRAFT UNDRAFT"),
            (all().flagged().unflagged(), "FLAGGED UNFLAGGED"),
            (all().seen().unseen(), "SEEN UNSEEN"),
            (all().recent().old().recent_and_unseen(), "RECENT OLD NEW"),
            (all().keyword("$Junk").unkeyword("$Junk"), "KEYWORD $Junk UNKEYWORD $Junk"),
            (all().keyword(Flag::Seen).unkeyword("\\recent"), "SEEN OLD"),
            (all().from("a").to("b").cc("c").bcc("d"), "FROM \"a\" TO \"b\" CC \"c\" BCC \"d\""),
            (all().subject("a \"b\" \\").body("NIL"), "SUBJECT \"a \\\"b\\\" \\\\\" BODY \"NIL\""),
            (all().text(""), "TEXT \"\""),
            (all().header("List-Id", "x y"), "HEADER List-Id \"x y\""),
            (all().header("X(1)", ""), "HEADER \"X(1)\" \"\""),
            (all().before(day).on(day), "BEFORE 1-Feb-1994 ON 1-Feb-1994"),
            (all().since(day).sent_on(day), "SINCE 1-Feb-1994 SENTON 1-Feb-1994"),
            (all().sent_before(day), "SENTBEFORE 1-Feb-1994"),
            (all().sent_since(day), "SENTSINCE 1-Feb-1994"),
            (all().larger(0).smaller(u32::MAX.into()), "LARGER 0 SMALLER 4294967295"),
            (all().uids(UidSet::all()), "UID 1:*"),
            (all().numbers(numbers), "1:4"),
            (all().fuzzy(all().subject("IMAP break")), "FUZZY SUBJECT \"IMAP break\""),
            (all().fuzzy(all().larger(9).smaller(99)).old(), "FUZZY (LARGER 9 SMALLER 99) OLD"),
            (all().fuzzy_if_offered(all().seen().draft()), "(SEEN DRAFT)"),
            (all().not(all().fuzzy_if_offered(all().seen())), "NOT SEEN"),
        ] {
            assert_eq!(written(&search).unwrap(), expected);
        }
    }

    #[test]
    fn what_stands_for_one_key_is_one_key() {
        let all = Search::all;
        let two = || all().seen().draft();
        for (search, expected) in [
            (all().not(all()), "NOT ALL"),
            (all().not(two()), "NOT (SEEN DRAFT)"),
            (all().not(all().not(all().seen())), "NOT NOT SEEN"),
            (all().or(all().seen(), two()), "OR SEEN (SEEN DRAFT)"),
            (all().old().or(two(), all()).new_key(), "OLD OR (SEEN DRAFT) ALL NEW"),
            (all().not(all().or(two(), two())), "NOT OR (SEEN DRAFT) (SEEN DRAFT)"),
            (Search::any_of([all().seen(), two(), all().old()]), "OR SEEN OR (SEEN DRAFT) OLD"),
            (Search::any_of([two()]), "(SEEN DRAFT)"),
            (Search::any_of([]), "NOT ALL"),
            (all().uids(UidSet::default()), "NOT ALL"),
            (all().and(two()).and(all()), "SEEN DRAFT"),
        ] {
            assert_eq!(written(&search).unwrap(), expected);
        }
    }

    impl Search {
        fn new_key(self) -> Self {
            self.recent_and_unseen()
        }
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let all = Search::all;
        for bad in [
            all().from("a\r\nA2 DELETE INBOX"),
            all().subject("a\0"),
            all().header("Subject:", "x"),
            all().header("", "x"),
            all().header("a\nb", "x"),
            all().header("Bcc\u{e9}", "x"),
            all().keyword("a b"),
            all().keyword("\\Custom)"),
            all().keyword(Flag::Any),
            all().keyword(""),
            all().larger(1 << 32),
            all().mod_seq_of("a b", 1),
            all().mod_seq_of(Flag::Any, 1),
        ] {
            assert!(written(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn sizes_beyond_32_bits_are_for_servers_that_know_them() {
        for (octets, taken) in [(1 << 32, true), ((1 << 63) - 1, true), (1 << 63, false)] {
            let mut line = Line::new(Default::default()).wide(true);
            let larger = Search::all().larger(octets);
            assert_eq!(larger.encode(&mut line, &Capabilities::default()).is_ok(), taken);
        }
    }

    #[test]
    fn thousands_of_levels_are_written() {
        let mut search = Search::all().seen();
        for _ in 0..2_000 {
            search = Search::default().word("NOT").tap(search);
        }
        assert_eq!(written(&search).unwrap().len(), 4 * 2_000 + 4);
    }

    impl Search {
        fn tap(mut self, other: Self) -> Self {
            self.group(other);
            self
        }
    }

    proptest! {
        #[test]
        fn no_text_becomes_more_than_one_string(text in "\\PC{0,20}") {
            let expected = text.replace('\\', "\\\\").replace('"', "\\\"");
            let line = written(&Search::all().body(text.clone())).unwrap();
            if text.is_ascii() {
                prop_assert_eq!(line, format!("BODY \"{expected}\""));
            } else {
                let octets = text.len();
                prop_assert_eq!(line, format!("BODY {{{octets}}}~{text}"));
            }
        }
    }
}
