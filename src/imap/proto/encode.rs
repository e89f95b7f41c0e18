//! Writes commands, so that no argument can become anything but an argument.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use bytes::Bytes;
use memchr::memchr3;

use crate::Misuse;
use crate::imap::proto::Saved;
use crate::imap::proto::offer::Offer;
use crate::imap::types::{Flag, MailboxName, SeqSet, UidSet};

/// Which literals need not wait for the server (RFC 7888).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Literals {
    /// None.
    #[default]
    Synchronizing,
    /// Those of at most 4,096 octets: `LITERAL-`.
    Small,
    /// All: `LITERAL+`.
    Any,
}

impl Literals {
    /// RFC 7888 section 5.
    pub(crate) const SMALL: u64 = 4096;

    pub(crate) fn of(offer: Offer<'_>) -> Self {
        if offer.has("LITERAL+") {
            Self::Any
        } else if offer.has("LITERAL-") {
            Self::Small
        } else {
            Self::Synchronizing
        }
    }

    /// The same of literals that may hold NUL. Where BINARY is not offered too, a `+` in their
    /// announcement is not known, and the octets would be read as commands (RFC 4466 section 6, RFC
    /// 7888 section 6). The grammar of RFC 9051 has none.
    pub(crate) fn of_binary(offer: Offer<'_>) -> Self {
        let announced = ["LITERAL+", "LITERAL-"].iter().any(|word| offer.announced.has(word));
        if announced && offer.has("BINARY") { Self::of(offer) } else { Self::Synchronizing }
    }

    const fn waits(self, length: u64) -> bool {
        match self {
            Self::Synchronizing => true,
            Self::Small => length > Self::SMALL,
            Self::Any => false,
        }
    }
}

/// What a command is made of on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A line, to be ended by CRLF.
    Line(Vec<u8>),
    /// The octets that the line before has announced.
    Literal(Bytes),
    /// As many octets that the line before has announced, which are handed in later.
    Upload(u64),
    /// Nothing more until the server says `+`.
    Wait,
    /// Nothing more until the user has enough of it.
    Hold,
}

/// The server has forgotten what a search has left there, or `$` stands for other messages.
pub(crate) fn no_longer_kept() -> Misuse {
    let why = "what it stands for is no longer kept by the server".to_owned();
    Misuse::Argument { what: "set of UIDs", why }
}

/// A command in the making. Arguments are separated by the one who writes them.
#[derive(Debug)]
pub(crate) struct Line {
    literals: Literals,
    /// Of those that may hold NUL.
    binary: Literals,
    /// The server takes UTF-8 in quotes, and names in UTF-8 (RFC 6855).
    utf8: bool,
    /// The server takes numbers of 63 bits where others take 32 (RFC 9051).
    wide: bool,
    /// What the server keeps of a search.
    saved: Saved,
    /// It names that.
    names_saved: bool,
    /// It names messages by UID, or by sequence number, and not just all of them.
    names_uids: bool,
    names_numbers: bool,
    pieces: Vec<Piece>,
    text: Vec<u8>,
}

impl Line {
    pub(crate) const fn new(literals: Literals) -> Self {
        Self {
            literals,
            binary: Literals::Synchronizing,
            utf8: false,
            wide: false,
            saved: Saved::NONE,
            names_saved: false,
            names_uids: false,
            names_numbers: false,
            pieces: Vec::new(),
            text: Vec::new(),
        }
    }

    /// For a server that takes literals that may hold NUL like this.
    pub(crate) const fn binary(mut self, literals: Literals) -> Self {
        self.binary = literals;
        self
    }

    /// For a server that has been told `ENABLE UTF8=ACCEPT`.
    pub(crate) const fn utf8(mut self, utf8: bool) -> Self {
        self.utf8 = utf8;
        self
    }

    /// For a server that speaks IMAP4rev2.
    pub(crate) const fn wide(mut self, wide: bool) -> Self {
        self.wide = wide;
        self
    }

    /// The largest number of octets that can be named.
    pub(crate) const fn most_octets(&self) -> u64 {
        if self.wide { i64::MAX as u64 } else { u32::MAX as u64 }
    }

    /// For a server that keeps this of a search.
    pub(crate) const fn saved(mut self, saved: Saved) -> Self {
        self.saved = saved;
        self
    }

    /// A set of UIDs. What the server was to keep must be what it keeps: else `$` would name other
    /// messages (RFC 5182).
    pub(crate) fn uids(&mut self, set: &UidSet) -> Result<&mut Self, Misuse> {
        match set.saved() {
            Saved::NONE => {}
            _ if set.names_others() => {
                let why = "what a search has left at the server cannot be joined with others";
                return Err(Misuse::Argument { what: "set of UIDs", why: why.to_owned() });
            }
            saved if saved != self.saved => return Err(no_longer_kept()),
            _ => self.names_saved = true,
        }
        self.names_uids |= *set != UidSet::all();
        Ok(self.raw(set))
    }

    /// A set of sequence numbers.
    pub(crate) fn numbers(&mut self, set: &SeqSet) -> &mut Self {
        self.names_numbers |= *set != SeqSet::all();
        self.raw(set)
    }

    /// Whether it means other messages if the mailbox has got another UIDVALIDITY.
    pub(crate) const fn names_uids(&self) -> bool {
        self.names_uids
    }

    /// Whether it means other messages if some have been expunged.
    pub(crate) const fn names_numbers(&self) -> bool {
        self.names_numbers
    }

    /// Refuses a line that names what a search has found, if that is not the search of which the
    /// server keeps it by now.
    pub(crate) fn check_saved(&self, saved: Saved) -> Result<(), Misuse> {
        if self.names_saved && self.saved != saved { Err(no_longer_kept()) } else { Ok(()) }
    }

    /// Has the literals that follow wait for the server, whatever it takes at once.
    pub(crate) const fn wait_with_literals(&mut self) -> &mut Self {
        self.literals = Literals::Synchronizing;
        self.binary = Literals::Synchronizing;
        self
    }

    /// Text of our own: verbs, numbers, parentheses, spaces. Never an argument from outside.
    pub(crate) fn raw(&mut self, text: impl fmt::Display) -> &mut Self {
        // Writing to a vector does not fail.
        let _ = write!(Sink(&mut self.text), "{text}");
        self
    }

    /// A word that must be an atom, as a keyword.
    pub(crate) fn atom(&mut self, what: &'static str, word: &str) -> Result<&mut Self, Misuse> {
        check_atom(what, word)?;
        Ok(self.raw(word))
    }

    /// A word that may hold what an atom may not but no argument needs quotes for: `*`, `%`, `\\`
    /// and brackets.
    pub(crate) fn word(&mut self, what: &'static str, word: &str) -> Result<&mut Self, Misuse> {
        let atom = word.replace(['*', '%', '\\', '[', ']'], "");
        if !atom.is_empty() || word.is_empty() {
            check_atom(what, &atom)?;
        }
        Ok(self.raw(word))
    }

    /// A string in the shortest form that can carry it.
    pub(crate) fn astring(
        &mut self,
        what: &'static str,
        string: &[u8],
    ) -> Result<&mut Self, Misuse> {
        let bare = !string.is_empty()
            && !string.eq_ignore_ascii_case(b"NIL")
            && string.len() <= Self::LONGEST_QUOTED
            && string.iter().copied().all(is_astring_octet);
        if bare {
            self.text.extend_from_slice(string);
            return Ok(self);
        }
        self.string(what, string)
    }

    /// A string in quotes, or as a literal where quotes cannot carry it.
    pub(crate) fn string(
        &mut self,
        what: &'static str,
        string: &[u8],
    ) -> Result<&mut Self, Misuse> {
        forbid_line_breaks(what, string)?;
        let quotable = string.is_ascii() || self.utf8 && std::str::from_utf8(string).is_ok();
        if quotable && string.len() <= Self::LONGEST_QUOTED {
            self.quote(string);
        } else {
            self.literal(Bytes::copy_from_slice(string));
        }
        Ok(self)
    }

    /// Servers need not take lines longer than 1,000 octets (RFC 2683 section 3.2.1.5).
    const LONGEST_QUOTED: usize = 512;

    /// The name of a mailbox.
    pub(crate) fn mailbox(&mut self, name: &MailboxName) -> Result<&mut Self, Misuse> {
        let wire = self.spelt(name);
        self.astring("the mailbox name", &wire)
    }

    /// A pattern of mailbox names. In quotes, where its wildcards are still such.
    pub(crate) fn pattern(
        &mut self,
        what: &'static str,
        name: &MailboxName,
    ) -> Result<&mut Self, Misuse> {
        let wire = self.spelt(name);
        self.string(what, &wire)
    }

    /// A name as this server spells it.
    fn spelt<'a>(&self, name: &'a MailboxName) -> Cow<'a, [u8]> {
        match name.decoded().filter(|_| self.utf8) {
            Some(text) => text.into_owned().into_bytes().into(),
            None => name.as_wire().into(),
        }
    }

    /// A list of flags a client may set, in parentheses.
    pub(crate) fn flags(&mut self, flags: &[Flag<'_>]) -> Result<&mut Self, Misuse> {
        self.raw("(");
        for (at, flag) in flags.iter().enumerate() {
            if at > 0 {
                self.raw(" ");
            }
            check_flag(flag)?;
            self.raw(flag);
        }
        Ok(self.raw(")"))
    }

    /// A message of so many octets that are handed in later, as a literal.
    pub(crate) fn upload(&mut self, octets: u64) -> &mut Self {
        self.announce(octets, self.literals);
        self.pieces.push(Piece::Upload(octets));
        self
    }

    /// The same of a message that may hold NUL, as a literal8 (RFC 3516).
    pub(crate) fn upload8(&mut self, octets: u64) -> &mut Self {
        self.raw("~");
        self.announce(octets, self.binary);
        self.pieces.push(Piece::Upload(octets));
        self
    }

    /// Ends this line; the next is written when the server has taken it up and the user has enough
    /// of it.
    pub(crate) fn hold(&mut self) -> &mut Self {
        let line = Piece::Line(std::mem::take(&mut self.text));
        self.pieces.extend([line, Piece::Wait, Piece::Hold]);
        self
    }

    /// Octets of the longest line of it, without the tag and the end of the line.
    pub(crate) fn longest(&self) -> usize {
        let lines = self.pieces.iter().map(|piece| match piece {
            Piece::Line(line) => line.len(),
            _ => 0,
        });
        lines.max().unwrap_or(0).max(self.text.len())
    }

    /// The finished command.
    pub(crate) fn finish(mut self) -> Vec<Piece> {
        self.pieces.push(Piece::Line(self.text));
        self.pieces
    }

    fn quote(&mut self, string: &[u8]) {
        self.text.extend_from_slice(&quoted(string));
    }

    /// Octets without NUL, as a literal.
    pub(crate) fn literal(&mut self, octets: Bytes) -> &mut Self {
        self.announce(octets.len() as u64, self.literals);
        self.pieces.push(Piece::Literal(octets));
        self
    }

    /// Octets of any kind, as a literal8 (RFC 3516).
    pub(crate) fn literal8(&mut self, octets: Bytes) -> &mut Self {
        self.raw("~");
        self.announce(octets.len() as u64, self.binary);
        self.pieces.push(Piece::Literal(octets));
        self
    }

    /// Announces a literal, to a server that takes such ones like this.
    fn announce(&mut self, octets: u64, literals: Literals) {
        let waits = literals.waits(octets);
        let plus = if waits { "" } else { "+" };
        self.raw(format_args!("{{{octets}{plus}}}"));
        self.pieces.push(Piece::Line(std::mem::take(&mut self.text)));
        if waits {
            self.pieces.push(Piece::Wait);
        }
    }
}

/// A string in quotes. It must be free of CR, LF and NUL.
pub(super) fn quoted(string: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(string.len() + 2);
    text.push(b'"');
    for octet in string {
        if matches!(octet, b'"' | b'\\') {
            text.push(b'\\');
        }
        text.push(*octet);
    }
    text.push(b'"');
    text
}

/// Formats into a vector of octets.
struct Sink<'a>(&'a mut Vec<u8>);

impl fmt::Write for Sink<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Refuses what is no flag that a client may set.
pub(crate) fn check_flag(flag: &Flag<'_>) -> Result<(), Misuse> {
    if matches!(flag, Flag::Recent | Flag::Any) {
        let why = format!("only the server can set {flag}");
        return Err(Misuse::Argument { what: "flag", why });
    }
    let name = flag.as_str();
    check_atom("flag", name.strip_prefix('\\').unwrap_or(name))
}

/// Refuses what is no atom.
pub(crate) fn check_atom(what: &'static str, word: &str) -> Result<(), Misuse> {
    forbid_line_breaks(what, word.as_bytes())?;
    match word.bytes().find(|octet| !is_astring_octet(*octet) || *octet == b']') {
        _ if word.is_empty() => Err(Misuse::Argument { what, why: "empty".to_owned() }),
        Some(octet) => {
            let why = format!("`{}` may not be in it", octet.escape_ascii());
            Err(Misuse::Argument { what, why })
        }
        None => Ok(()),
    }
}

/// Refuses what is no name of a header field (RFC 5322 section 2.2), or none that brackets can hold.
pub(crate) fn check_field_name(name: &str) -> Result<(), Misuse> {
    const WHAT: &str = "the name of a header field";
    check_atom(WHAT, name)?;
    match name.contains(':') {
        true => Err(Misuse::Argument { what: WHAT, why: "`:` may not be in it".to_owned() }),
        false => Ok(()),
    }
}

fn forbid_line_breaks(what: &'static str, octets: &[u8]) -> Result<(), Misuse> {
    match memchr3(b'\r', b'\n', 0, octets) {
        Some(_) => Err(Misuse::LineBreak { what }),
        None => Ok(()),
    }
}

/// ASTRING-CHAR of RFC 9051 section 9.
const fn is_astring_octet(octet: u8) -> bool {
    octet.is_ascii_graphic() && !matches!(octet, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::proto::decode::Cursor;
    use proptest::prelude::*;

    fn written(literals: Literals, string: &[u8]) -> Vec<u8> {
        let mut line = Line::new(literals);
        line.astring("test", string).unwrap();
        flat(&line.finish())
    }

    fn flat(pieces: &[Piece]) -> Vec<u8> {
        let mut wire = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Line(line) => wire.extend_from_slice(&[line, &b"\r\n"[..]].concat()),
                Piece::Literal(octets) => wire.extend_from_slice(octets),
                Piece::Upload(octets) => wire.extend(format!("<{octets} octets>").into_bytes()),
                Piece::Wait => wire.extend_from_slice(b"<wait>"),
                Piece::Hold => wire.extend_from_slice(b"<hold>"),
            }
        }
        wire
    }

    #[test]
    fn strings_take_the_shortest_form_that_can_carry_them() {
        let wire = |string: &str| written(Literals::Any, string.as_bytes());
        assert_eq!(wire("INBOX"), b"INBOX\r\n");
        assert_eq!(wire("a]b"), b"a]b\r\n");
        assert_eq!(wire(""), b"\"\"\r\n");
        assert_eq!(wire("nil"), b"\"nil\"\r\n");
        assert_eq!(wire("a \"b\" \\"), b"\"a \\\"b\\\" \\\\\"\r\n");
        assert_eq!(wire("tab\there"), b"\"tab\there\"\r\n");
        assert_eq!(wire("50%"), b"\"50%\"\r\n");
        assert_eq!(wire("\u{fc}"), b"{2+}\r\n\xc3\xbc\r\n");
    }

    #[test]
    fn a_literal_waits_unless_the_server_takes_it_at_once() {
        let long = vec![b'a'; 4097];
        assert!(written(Literals::Any, &long).starts_with(b"{4097+}\r\naaa"));
        assert!(written(Literals::Small, &long).starts_with(b"{4097}\r\n<wait>aaa"));
        assert!(written(Literals::Small, &long[1..]).starts_with(b"{4096+}\r\naaa"));
        assert_eq!(written(Literals::Synchronizing, b"\xff"), b"{1}\r\n<wait>\xff\r\n");
    }

    #[test]
    fn line_ends_and_nul_are_refused() {
        for bad in [&b"a\rb"[..], b"INBOX\nA1 DELETE x", b"\0", b"\xff\r\n"] {
            let mut line = Line::new(Literals::Any);
            let refused = line.mailbox(&MailboxName::from_wire(bad)).unwrap_err();
            assert_eq!(refused, Misuse::LineBreak { what: "the mailbox name" });
        }
    }

    #[test]
    fn flags_are_checked_word_by_word() {
        let flags = |flags: &[Flag<'_>]| {
            let mut line = Line::new(Literals::Any);
            line.flags(flags).map(|_| ())?;
            Ok::<_, Misuse>(flat(&line.finish()))
        };
        let good = [Flag::Seen, Flag::from("$Forwarded"), Flag::from("\\Extension")];
        assert_eq!(flags(&good).unwrap(), b"(\\Seen $Forwarded \\Extension)\r\n");
        assert_eq!(flags(&[]).unwrap(), b"()\r\n");
        for bad in ["", "\\", "a b", "a)", "a\r\nb", "\\*", "\\Recent", "\u{fc}", "a\\b"] {
            assert!(flags(&[Flag::from(bad)]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_handed_in_later_is_announced_and_waited_for_like_any_literal() {
        let wire = |literals, octets| {
            let mut line = Line::new(literals);
            line.raw("APPEND x ").upload(octets);
            String::from_utf8(flat(&line.finish())).unwrap()
        };
        let at_once = "APPEND x {4096+}\r\n<4096 octets>\r\n";
        assert_eq!(wire(Literals::Any, 4096), at_once);
        assert_eq!(wire(Literals::Small, 4096), at_once);
        let waits = "APPEND x {4097}\r\n<wait><4097 octets>\r\n";
        assert_eq!(wire(Literals::Small, 4097), waits);
        assert_eq!(wire(Literals::Synchronizing, 4097), waits);
    }

    fn offered(announced: &str, enabled: &str, of: fn(Offer<'_>) -> Literals) -> Literals {
        let (announced, enabled) = (announced.into(), enabled.into());
        of(Offer { announced: &announced, enabled: &enabled })
    }

    #[test]
    fn what_the_server_takes_follows_from_its_capabilities() {
        let of = |announced: &str, enabled: &str| offered(announced, enabled, Literals::of);
        assert_eq!(of("IMAP4rev1 LITERAL+", ""), Literals::Any);
        assert_eq!(of("IMAP4rev1 LITERAL-", ""), Literals::Small);
        assert_eq!(of("IMAP4rev1", ""), Literals::Synchronizing);
        assert_eq!(of("IMAP4rev2", ""), Literals::Small);
        assert_eq!(of("IMAP4rev1 IMAP4rev2", ""), Literals::Synchronizing);
        assert_eq!(of("IMAP4rev1 IMAP4rev2", "IMAP4rev2"), Literals::Small);
    }

    #[test]
    fn a_literal_that_may_hold_nul_waits_unless_binary_is_offered_too() {
        let of = |words: &str| offered(words, "", Literals::of_binary);
        assert_eq!(of("IMAP4rev1 LITERAL+ BINARY"), Literals::Any);
        assert_eq!(of("IMAP4rev1 LITERAL- BINARY"), Literals::Small);
        for words in ["LITERAL+", "LITERAL-", "BINARY", "IMAP4rev2", "IMAP4rev2 BINARY"] {
            assert_eq!(of(words), Literals::Synchronizing, "{words}");
        }
        let mut line = Line::new(Literals::Any).binary(Literals::Any);
        line.literal8(Bytes::from_static(b"\0")).upload8(5);
        line.wait_with_literals().literal8(Bytes::from_static(b"\0")).upload8(5);
        let wire = b"~{1+}\r\n\0~{5+}\r\n<5 octets>~{1}\r\n<wait>\0~{5}\r\n<wait><5 octets>\r\n";
        assert_eq!(flat(&line.finish()), wire);
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_is_read(string in proptest::collection::vec(1_u8.., 0..40)) {
            prop_assume!(!string.contains(&b'\r') && !string.contains(&b'\n'));
            let wire = written(Literals::Any, &string);
            let mut cursor = Cursor::new(&wire);
            let read = cursor.astring().unwrap().to_bytes().into_owned();
            prop_assert_eq!(read, string);
            prop_assert_eq!(cursor.rest(), b"\r\n");
        }

        #[test]
        fn no_name_can_smuggle_a_line(name: String) {
            let mut line = Line::new(Literals::Synchronizing);
            if line.mailbox(&MailboxName::from(name.as_str())).is_ok() {
                let wire = flat(&line.finish());
                prop_assert_eq!(memchr::memchr_iter(b'\n', &wire).count(), 1);
            }
        }
    }
}
