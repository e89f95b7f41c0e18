//! What stands in quotes in IMAP: subjects, names, file names, what somebody searches for. It is
//! replaced by as many `x`, but for what is no secret of anybody: dates, domains, and the words of a
//! body structure that are the same in all messages.

use super::alias::{Aliases, Style};

/// Reads a FETCH response, which may come in pieces between its literals.
#[derive(Default)]
pub(super) struct Fetch {
    open: Vec<Open>,
    /// Parentheses beyond those that are kept.
    deeper: usize,
    /// The last atom or keyword, in upper case.
    last: String,
}

struct Open {
    kind: Kind,
    items: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `(FLAGS … ENVELOPE …)`
    Items,
    /// RFC 9051 section 7.5.2: date, subject, six lists of addresses, two identifiers.
    Envelope,
    Addresses,
    /// Name, route, local part, domain.
    Address,
    Other,
}

impl Fetch {
    /// Whether a response that begins so is one.
    pub(super) fn is_one(text: &str) -> bool {
        let mut words = text.split(' ');
        let number = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
        words.next() == Some("*")
            && words.next().is_some_and(number)
            && words.next().is_some_and(|word| {
                word.eq_ignore_ascii_case("FETCH") || word.eq_ignore_ascii_case("UIDFETCH")
            })
    }

    /// The next piece of text. `literal`: one follows.
    pub(super) fn masked(&mut self, text: &str, literal: bool, aliases: &mut Aliases) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let token = match c {
                '"' => quoted_string(rest),
                '(' | ')' | ' ' => 1,
                _ => atom(rest),
            };
            let (word, behind) = rest.split_at(token);
            match c {
                '(' => {
                    self.open();
                    out.push('(');
                }
                ')' => {
                    self.close();
                    out.push(')');
                }
                ' ' => out.push(' '),
                '"' => {
                    out.push_str(&self.quoted(word, aliases));
                    self.item();
                }
                _ => {
                    self.last = word.to_ascii_uppercase();
                    self.item();
                    out.push_str(word);
                }
            }
            rest = behind;
        }
        if literal {
            self.item();
        }
        out
    }

    /// Levels that are told apart; no envelope is as deep.
    const DEEPEST: usize = 8;

    fn open(&mut self) {
        if self.open.len() >= Self::DEEPEST {
            self.deeper += 1;
            return;
        }
        let kind = match self.open.last().map(|open| open.kind) {
            None => Kind::Items,
            Some(Kind::Items) if self.last == "ENVELOPE" => Kind::Envelope,
            Some(Kind::Envelope) => Kind::Addresses,
            Some(Kind::Addresses) => Kind::Address,
            Some(_) => Kind::Other,
        };
        self.open.push(Open { kind, items: 0 });
    }

    fn close(&mut self) {
        if self.deeper > 0 {
            self.deeper -= 1;
        } else {
            self.open.pop();
        }
        self.last.clear();
        self.item();
    }

    fn item(&mut self) {
        if let Some(open) = self.open.last_mut().filter(|_| self.deeper == 0) {
            open.items += 1;
        }
    }

    fn quoted(&mut self, string: &str, aliases: &mut Aliases) -> String {
        let within = self.open.last().filter(|_| self.deeper == 0);
        let place = within.map_or((Kind::Other, 0), |open| (open.kind, open.items));
        let inside = string.trim_matches('"');
        let keep = match place {
            (Kind::Envelope, 0) | (Kind::Address, 3) => true,
            (Kind::Address, 2) => {
                let local: String = inside.replace('\\', "");
                let style = if local.is_ascii() { Style::Plain } else { Style::Wide };
                return format!("\"{}\"", aliases.of(&local, style));
            }
            (Kind::Items, _) => self.last == "INTERNALDATE" || self.last == "SAVEDATE",
            (Kind::Other, _) => {
                let medium = is_one_of(MEDIA, &self.last);
                self.last = inside.to_ascii_uppercase();
                is_one_of(MEDIA, inside) || is_one_of(WORDS, inside) || medium && is_token(inside)
            }
            _ => false,
        };
        if keep { string.to_owned() } else { filled(string) }
    }
}

/// The types of RFC 2046 and those that came later. What follows one is its subtype.
const MEDIA: &[&str] =
    &["TEXT", "IMAGE", "AUDIO", "VIDEO", "APPLICATION", "MESSAGE", "FONT", "MODEL", "MULTIPART"];

/// Words of body structures that say nothing of the message.
const WORDS: &[&str] = &[
    "MIXED",
    "ALTERNATIVE",
    "RELATED",
    "REPORT",
    "SIGNED",
    "ENCRYPTED",
    "DIGEST",
    "PARALLEL",
    "FORM-DATA",
    "CHARSET",
    "NAME",
    "FILENAME",
    "BOUNDARY",
    "FORMAT",
    "FLOWED",
    "DELSP",
    "TYPE",
    "REPORT-TYPE",
    "DELIVERY-STATUS",
    "PROTOCOL",
    "MICALG",
    "SIZE",
    "CREATION-DATE",
    "MODIFICATION-DATE",
    "START",
    "YES",
    "NO",
    "US-ASCII",
    "UTF-8",
    "ISO-8859-1",
    "ISO-8859-15",
    "WINDOWS-1252",
    "7BIT",
    "8BIT",
    "BINARY",
    "BASE64",
    "QUOTED-PRINTABLE",
    "ATTACHMENT",
    "INLINE",
];

fn is_one_of(words: &[&str], word: &str) -> bool {
    words.iter().any(|one| one.eq_ignore_ascii_case(word))
}

/// A subtype.
fn is_token(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.'))
}

/// Octets of the quoted string at the start of `text`, with its quotes.
fn quoted_string(text: &str) -> usize {
    let mut escaped = false;
    for (at, octet) in text.bytes().enumerate().skip(1) {
        match octet {
            b'"' if !escaped => return at + 1,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// Octets of the atom at the start of `text`; what stands in brackets belongs to it.
fn atom(text: &str) -> usize {
    let mut bracket = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '[' => bracket = true,
            ']' => bracket = false,
            '(' | ')' | ' ' | '"' if !bracket => return at,
            _ => {}
        }
    }
    text.len()
}

/// As many `x` as there are characters between the quotes.
fn filled(string: &str) -> String {
    let inside = string.strip_prefix('"').unwrap_or(string);
    let inside = inside.strip_suffix('"').unwrap_or(inside);
    format!("\"{}\"", "x".repeat(inside.chars().count()))
}

/// Reads a command of the client that searches, which may come in pieces between its literals: what
/// is searched for is nobody's business.
pub(super) struct Search {
    /// Before the end of the keys of SORT, which have the names of those of SEARCH, but no terms.
    sorting: bool,
    /// What stands in parentheses next is what is to be returned.
    returns: bool,
    /// How many of the next strings are terms; HEADER has a name before its own.
    terms: u8,
}

impl Search {
    /// The command that begins with this line, if it is one.
    pub(super) fn begun_by(line: &str) -> Option<Self> {
        let mut words = line.split(' ').skip(1);
        let verb = match words.next()? {
            uid if uid.eq_ignore_ascii_case("UID") => words.next()?,
            verb => verb,
        };
        let searches = is_one_of(&["SEARCH", "SORT", "THREAD", "ESEARCH"], verb);
        let sorting = verb.eq_ignore_ascii_case("SORT");
        searches.then_some(Self { sorting, returns: false, terms: 0 })
    }

    /// Keys with a term.
    const KEYS: &[&str] =
        &["FROM", "TO", "CC", "BCC", "SUBJECT", "BODY", "TEXT", "X-GM-RAW", "X-GM-LABELS"];

    /// The next piece of text.
    pub(super) fn masked(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let octets = match c {
                '"' => quoted_string(rest),
                '(' | ')' | ' ' => 1,
                _ => rest.find([' ', ')', '"']).unwrap_or(rest.len()),
            };
            let (word, behind) = rest.split_at(octets);
            rest = behind;
            match c {
                ')' => {
                    self.sorting &= std::mem::take(&mut self.returns);
                    out.push(c);
                }
                '(' | ' ' => out.push(c),
                '"' => {
                    out.push_str(&filled(word));
                    self.term();
                }
                // The literal is masked where it comes.
                _ if self.terms == 1 && !word.starts_with('{') => {
                    out.push_str(&"x".repeat(word.chars().count()));
                    self.term();
                }
                _ => {
                    out.push_str(word);
                    self.word(word);
                }
            }
        }
        out
    }

    fn word(&mut self, word: &str) {
        match word {
            _ if self.terms > 0 => self.term(),
            _ if self.sorting => self.returns |= word.eq_ignore_ascii_case("RETURN"),
            _ if word.eq_ignore_ascii_case("HEADER") => self.terms = 2,
            _ => self.terms = u8::from(is_one_of(Self::KEYS, word)),
        }
    }

    fn term(&mut self) {
        self.terms = self.terms.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_envelope_dates_and_domains_are_left() {
        let mut aliases = Aliases::default();
        let line = "* 1 FETCH (UID 7 INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" ENVELOPE (\"Wed, 17 \
                    Jul 1996\" \"IMAP \\\"x\\\"\" ((\"Terry Gray\" NIL \"gray\" \"cac.example\")) NIL NIL \
                    ((NIL NIL \"gray\" \"cac.example\")) NIL NIL NIL \"<B27@cac.example>\"))";
        assert!(Fetch::is_one(line));
        let expected = "* 1 FETCH (UID 7 INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" ENVELOPE (\"Wed, \
                        17 Jul 1996\" \"xxxxxxxxxx\" ((\"xxxxxxxxxx\" NIL \"user1\" \"cac.example\")) NIL \
                        NIL ((NIL NIL \"user1\" \"cac.example\")) NIL NIL NIL \"xxxxxxxxxxxxxxxxx\"))";
        assert_eq!(Fetch::default().masked(line, false, &mut aliases), expected);
    }

    #[test]
    fn of_a_body_structure_the_words_of_mime_are_left() {
        let mut aliases = Aliases::default();
        let line = "* 1 FETCH (BODYSTRUCTURE ((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\") NIL NIL \"7BIT\" 9 \
                    1)(\"APPLICATION\" \"PDF\" (\"NAME\" \"resume.pdf\") \"<i@d>\" \"mine\" \"BASE64\" 9) \
                    \"MIXED\" (\"BOUNDARY\" \"b1\")))";
        let expected = "* 1 FETCH (BODYSTRUCTURE ((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\") NIL NIL \"7BIT\" \
                        9 1)(\"APPLICATION\" \"PDF\" (\"NAME\" \"xxxxxxxxxx\") \"xxxxx\" \"xxxx\" \"BASE64\" 9) \
                        \"MIXED\" (\"BOUNDARY\" \"xx\")))";
        assert_eq!(Fetch::default().masked(line, false, &mut aliases), expected);
    }

    #[test]
    fn the_place_in_an_envelope_is_known_behind_a_literal() {
        let (mut fetch, mut aliases) = (Fetch::default(), Aliases::default());
        let first = fetch.masked("* 1 FETCH (ENVELOPE (\"d\" {4}", true, &mut aliases);
        let rest = fetch.masked(" ((\"N\" NIL \"al\" \"b.c\"))))", false, &mut aliases);
        assert_eq!(
            first + &rest,
            "* 1 FETCH (ENVELOPE (\"d\" {4} ((\"x\" NIL \"user1\" \"b.c\"))))"
        );
    }

    #[test]
    fn what_is_searched_for_is_not_shown() {
        for (line, expected) in [
            (
                "A1 UID SEARCH FROM alice SINCE 1-Jan-2026",
                "A1 UID SEARCH FROM xxxxx SINCE 1-Jan-2026",
            ),
            ("A1 SEARCH (SUBJECT \"a b\" SEEN)", "A1 SEARCH (SUBJECT \"xxx\" SEEN)"),
            ("A1 SEARCH HEADER Message-ID \"<a@b>\"", "A1 SEARCH HEADER Message-ID \"xxxxx\""),
            ("A1 SELECT \"FROM\"", "A1 SELECT \"FROM\""),
        ] {
            let masked = Search::begun_by(line).map(|mut search| search.masked(line));
            assert_eq!(masked.as_deref().unwrap_or(line), expected);
        }
    }

    #[test]
    fn the_keys_of_a_sort_have_no_terms() {
        for (line, expected) in [
            (
                "A1 UID SORT (SUBJECT) UTF-8 SINCE 1-Feb-1994",
                "A1 UID SORT (SUBJECT) UTF-8 SINCE 1-Feb-1994",
            ),
            ("A1 SORT (FROM REVERSE TO) UTF-8 FROM al", "A1 SORT (FROM REVERSE TO) UTF-8 FROM xx"),
            (
                "A1 SORT RETURN (ALL COUNT) (SUBJECT DATE) UTF-8 (TO al)",
                "A1 SORT RETURN (ALL COUNT) (SUBJECT DATE) UTF-8 (TO xx)",
            ),
        ] {
            assert_eq!(Search::begun_by(line).unwrap().masked(line), expected);
        }
    }
}
