//! Writes commands, so that no argument can become anything but an argument.

use std::fmt::{self, Write as _};

use bytes::Bytes;

use crate::imap::types::{Capabilities, Flag, MailboxName};

/// An argument that no command can carry. Nothing of the command has been written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{argument}: {fault}")]
pub struct InvalidArgument {
    argument: &'static str,
    fault: Fault,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault {
    Octet(u8, usize),
    Empty,
    Other(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (octet, at) = match self {
            Self::Octet(octet, at) => (octet, at),
            Self::Empty => return f.write_str("empty"),
            Self::Other(fault) => return f.write_str(fault),
        };
        match octet {
            b'\r' => write!(f, "carriage return at octet {at}"),
            b'\n' => write!(f, "line feed at octet {at}"),
            0 => write!(f, "NUL at octet {at}"),
            other => write!(f, "'{}' at octet {at}", other.escape_ascii()),
        }
    }
}

impl InvalidArgument {
    pub(crate) const fn new(argument: &'static str, fault: &'static str) -> Self {
        Self { argument, fault: Fault::Other(fault) }
    }
}

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
    const SMALL: usize = 4096;

    pub(crate) fn of(capabilities: &Capabilities) -> Self {
        if capabilities.has("LITERAL+") {
            Self::Any
        } else if capabilities.has("LITERAL-") || capabilities.has("IMAP4rev2") {
            Self::Small
        } else {
            Self::Synchronizing
        }
    }

    const fn waits(self, length: usize) -> bool {
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
    /// Octets to write.
    Text(Vec<u8>),
    /// Octets to write that the caller lent us.
    Body(Bytes),
    /// Nothing more until the server says `+`.
    Wait,
}

/// A command line in the making. Arguments are separated by the one who writes them.
#[derive(Debug)]
pub(crate) struct Line {
    literals: Literals,
    pieces: Vec<Piece>,
    text: Vec<u8>,
}

impl Line {
    pub(crate) const fn new(literals: Literals) -> Self {
        Self { literals, pieces: Vec::new(), text: Vec::new() }
    }

    /// Text of our own: verbs, numbers, parentheses, spaces. Never an argument from outside.
    pub(crate) fn raw(&mut self, text: impl fmt::Display) -> &mut Self {
        let mut sink = Ascii(&mut self.text);
        // Writing to a vector does not fail.
        let _ = write!(sink, "{text}");
        self
    }

    /// A word that must be an atom, as a mechanism or a keyword.
    pub(crate) fn atom(
        &mut self,
        argument: &'static str,
        word: &str,
    ) -> Result<&mut Self, InvalidArgument> {
        let bad = |octet: &u8| !is_astring_octet(*octet) || *octet == b']';
        match word.bytes().position(|octet| bad(&octet)) {
            _ if word.is_empty() => Err(InvalidArgument { argument, fault: Fault::Empty }),
            Some(at) => {
                let octet = word.as_bytes().get(at).copied().unwrap_or_default();
                Err(InvalidArgument { argument, fault: Fault::Octet(octet, at) })
            }
            None => Ok(self.raw(word)),
        }
    }

    /// A string in the shortest form that can carry it. `CR`, `LF` and `NUL` are refused.
    pub(crate) fn astring(
        &mut self,
        argument: &'static str,
        string: &[u8],
    ) -> Result<&mut Self, InvalidArgument> {
        forbid(argument, string, |octet| matches!(octet, b'\r' | b'\n' | 0))?;
        if !string.is_ascii() || string.len() > Self::LONGEST_QUOTED {
            self.literal(string);
        } else if string.is_empty()
            || string.eq_ignore_ascii_case(b"NIL")
            || !string.iter().copied().all(is_astring_octet)
        {
            self.quote(string);
        } else {
            self.text.extend_from_slice(string);
        }
        Ok(self)
    }

    /// A string in quotes wherever that can carry it, for the places that take no atom.
    pub(crate) fn string(
        &mut self,
        argument: &'static str,
        string: &[u8],
    ) -> Result<&mut Self, InvalidArgument> {
        forbid(argument, string, |octet| matches!(octet, b'\r' | b'\n' | 0))?;
        if string.is_ascii() && string.len() <= Self::LONGEST_QUOTED {
            self.quote(string);
        } else {
            self.literal(string);
        }
        Ok(self)
    }

    /// Servers need not take lines longer than 1,000 octets (RFC 2683 section 3.2.1.5).
    const LONGEST_QUOTED: usize = 512;

    /// The name of a mailbox.
    pub(crate) fn mailbox(&mut self, name: &MailboxName) -> Result<&mut Self, InvalidArgument> {
        self.astring("mailbox name", name.as_wire())
    }

    /// A list of flags a client may set, in parentheses.
    pub(crate) fn flags(&mut self, flags: &[Flag<'_>]) -> Result<&mut Self, InvalidArgument> {
        self.raw("(");
        for (at, flag) in flags.iter().enumerate() {
            if at > 0 {
                self.raw(" ");
            }
            match flag {
                Flag::Recent | Flag::Any => {
                    return Err(InvalidArgument::new("flag", "only the server can set it"));
                }
                flag => match flag.as_str().strip_prefix('\\') {
                    Some(extension) => self.raw("\\").atom("flag", extension)?,
                    None => self.atom("flag", flag.as_str())?,
                },
            };
        }
        Ok(self.raw(")"))
    }

    /// A message, as a literal; with `NUL` in it as a literal8, if the server takes one (RFC 3516).
    pub(crate) fn message(
        &mut self,
        message: Bytes,
        binary: bool,
    ) -> Result<&mut Self, InvalidArgument> {
        if let Some(at) = memchr::memchr(0, &message) {
            if !binary {
                return Err(InvalidArgument { argument: "message", fault: Fault::Octet(0, at) });
            }
            self.raw("~");
        }
        self.announce(message.len());
        self.flush();
        self.pieces.push(Piece::Body(message));
        Ok(self)
    }

    /// The finished command, with its line end.
    pub(crate) fn finish(mut self) -> Vec<Piece> {
        self.raw("\r\n").flush();
        self.pieces
    }

    fn quote(&mut self, string: &[u8]) {
        self.text.push(b'"');
        for octet in string {
            if matches!(octet, b'"' | b'\\') {
                self.text.push(b'\\');
            }
            self.text.push(*octet);
        }
        self.text.push(b'"');
    }

    fn literal(&mut self, string: &[u8]) {
        self.announce(string.len());
        self.text.extend_from_slice(string);
    }

    fn announce(&mut self, length: usize) {
        if self.literals.waits(length) {
            self.raw(format_args!("{{{length}}}\r\n")).flush();
            self.pieces.push(Piece::Wait);
        } else {
            self.raw(format_args!("{{{length}+}}\r\n"));
        }
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.pieces.push(Piece::Text(std::mem::take(&mut self.text)));
        }
    }
}

/// Formats into a vector of octets.
struct Ascii<'a>(&'a mut Vec<u8>);

impl fmt::Write for Ascii<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Refuses `argument` if it has one of these octets.
fn forbid(
    argument: &'static str,
    octets: &[u8],
    forbidden: impl Fn(u8) -> bool,
) -> Result<(), InvalidArgument> {
    match octets.iter().enumerate().find(|(_, octet)| forbidden(**octet)) {
        Some((at, octet)) => Err(InvalidArgument { argument, fault: Fault::Octet(*octet, at) }),
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
                Piece::Text(text) => wire.extend_from_slice(text),
                Piece::Body(body) => wire.extend_from_slice(body),
                Piece::Wait => wire.extend_from_slice(b"<wait>"),
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
    fn line_ends_and_nul_are_refused_with_their_place() {
        let refused = |string: &[u8]| {
            let mut line = Line::new(Literals::Any);
            line.mailbox(&MailboxName::from_wire(string)).unwrap_err().to_string()
        };
        assert_eq!(refused(b"a\rb"), "mailbox name: carriage return at octet 1");
        assert_eq!(refused(b"INBOX\nA1 DELETE x"), "mailbox name: line feed at octet 5");
        assert_eq!(refused(b"\0"), "mailbox name: NUL at octet 0");
    }

    #[test]
    fn flags_are_checked_word_by_word() {
        let flags = |flags: &[Flag<'_>]| {
            let mut line = Line::new(Literals::Any);
            line.flags(flags).map(|_| ())?;
            Ok::<_, InvalidArgument>(flat(&line.finish()))
        };
        let good = [Flag::Seen, Flag::from("$Forwarded"), Flag::from("\\Extension")];
        assert_eq!(flags(&good).unwrap(), b"(\\Seen $Forwarded \\Extension)\r\n");
        assert_eq!(flags(&[]).unwrap(), b"()\r\n");
        for bad in ["", "\\", "a b", "a)", "a\r\nb", "\\*", "\\Recent", "\u{fc}", "a\\b"] {
            assert!(flags(&[Flag::from(bad)]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_message_is_lent_not_copied_and_nul_needs_a_binary_literal() {
        let message = Bytes::from_static(b"A: b\r\n\r\n\0");
        let mut line = Line::new(Literals::Any);
        assert_eq!(
            line.message(message.clone(), false).unwrap_err().to_string(),
            "message: NUL at octet 8"
        );
        line.message(message.clone(), true).unwrap();
        let pieces = line.finish();
        assert_eq!(flat(&pieces), b"~{9+}\r\nA: b\r\n\r\n\0\r\n");
        assert!(pieces.iter().any(|piece| *piece == Piece::Body(message.clone())));
    }

    #[test]
    fn what_the_server_takes_follows_from_its_capabilities() {
        let of = |words: &str| Literals::of(&Capabilities::from(words));
        assert_eq!(of("IMAP4rev1 LITERAL+"), Literals::Any);
        assert_eq!(of("IMAP4rev1 LITERAL-"), Literals::Small);
        assert_eq!(of("IMAP4rev2"), Literals::Small);
        assert_eq!(of("IMAP4rev1"), Literals::Synchronizing);
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
