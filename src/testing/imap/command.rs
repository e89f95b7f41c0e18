//! Commands as they come in: a tag, a verb, arguments, with the literals in their places.

use bytes::Bytes;

use super::super::line_io::WORD_LIMIT;

/// How deep lists may nest.
const DEPTH_LIMIT: usize = 32;

/// One argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Arg {
    /// An atom. What stands in brackets belongs to it: `BODY[HEADER.FIELDS (FROM TO)]<0.9>`.
    Atom(Vec<u8>),
    /// A quoted string or a literal.
    String(Bytes),
    List(Vec<Self>),
}

impl Arg {
    /// The octets of an atom or string.
    pub(super) fn octets(&self) -> Option<&[u8]> {
        match self {
            Self::Atom(octets) => Some(octets),
            Self::String(octets) => Some(octets),
            Self::List(_) => None,
        }
    }

    /// The same as text.
    pub(super) fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.octets()?).ok()
    }

    /// The members of a list; another argument is a list of itself.
    pub(super) fn members(&self) -> &[Self] {
        match self {
            Self::List(members) => members,
            other => std::slice::from_ref(other),
        }
    }
}

/// One command.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) tag: String,
    /// In capitals, without UID.
    pub(super) verb: String,
    /// Whether UID went before the verb.
    pub(super) by_uid: bool,
    pub(super) args: Vec<Arg>,
}

/// Text up to a literal or the end, and the literal.
pub(super) type Segment = (Vec<u8>, Option<Bytes>);

impl Command {
    /// Takes a command apart; the tag alone if it cannot be read.
    pub(super) fn parse(segments: &[Segment]) -> Result<Self, String> {
        let mut args = Parser { segments, at: 0 }.args(0).unwrap_or_default().into_iter();
        let word = |arg: Option<Arg>| arg.and_then(|arg| arg.text().map(str::to_owned));
        // What is too long for a tag is SASL at the wrong moment, and not to be repeated.
        let tag = word(args.next()).filter(|tag| tag.len() <= WORD_LIMIT).ok_or("*")?;
        let mut verb = word(args.next()).ok_or_else(|| tag.clone())?.to_ascii_uppercase();
        let by_uid = verb == "UID";
        if by_uid {
            verb = word(args.next()).ok_or_else(|| tag.clone())?.to_ascii_uppercase();
        }
        Ok(Self { tag, verb, by_uid, args: args.collect() })
    }

    pub(super) fn arg(&self, at: usize) -> Option<&Arg> {
        self.args.get(at)
    }

    pub(super) fn text(&self, at: usize) -> Option<&str> {
        self.arg(at)?.text()
    }
}

/// The size of the literal that `line` announces at its end, and whether the client waits for the
/// go-ahead (RFC 3501 section 4.3, RFC 7888).
pub(super) fn literal(line: &[u8]) -> Option<(usize, usize, bool)> {
    let open = memchr::memrchr(b'{', line)?;
    let digits = line.get(open + 1..)?.strip_suffix(b"}")?;
    let (digits, waits) = digits.strip_suffix(b"+").map_or((digits, true), |plain| (plain, false));
    let size = std::str::from_utf8(digits).ok()?.parse().ok()?;
    digits.iter().all(u8::is_ascii_digit).then_some((open, size, waits))
}

struct Parser<'a> {
    segments: &'a [Segment],
    at: usize,
}

impl Parser<'_> {
    /// The arguments up to the end, or up to the parenthesis that closes this list.
    fn args(&mut self, depth: usize) -> Option<Vec<Arg>> {
        let mut args = Vec::new();
        loop {
            let Some(next) = self.peek() else {
                let literal = self.segments.first().and_then(|(_, literal)| literal.clone());
                let Some(literal) = literal else { return (depth == 0).then_some(args) };
                args.push(Arg::String(literal));
                (self.segments, self.at) = (self.segments.get(1..)?, 0);
                continue;
            };
            match next {
                b' ' => self.at += 1,
                b'(' if depth < DEPTH_LIMIT => {
                    self.at += 1;
                    args.push(Arg::List(self.args(depth + 1)?));
                }
                b')' => {
                    self.at += 1;
                    return (depth > 0).then_some(args);
                }
                b'(' => return None,
                b'"' => args.push(Arg::String(self.quoted()?)),
                _ => args.push(Arg::Atom(self.atom())),
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.segments.first()?.0.get(self.at).copied()
    }

    fn quoted(&mut self) -> Option<Bytes> {
        let mut text = Vec::new();
        self.at += 1;
        loop {
            let octet = self.peek()?;
            self.at += 1;
            match octet {
                b'"' => return Some(text.into()),
                b'\\' => {
                    text.push(self.peek()?);
                    self.at += 1;
                }
                other => text.push(other),
            }
        }
    }

    fn atom(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        let mut brackets = 0_usize;
        while let Some(octet) = self.peek() {
            match octet {
                b'[' => brackets += 1,
                b']' => brackets = brackets.saturating_sub(1),
                b' ' | b'(' | b')' if brackets == 0 => break,
                _ => {}
            }
            text.push(octet);
            self.at += 1;
        }
        text
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        Command::parse(&[(line.as_bytes().to_vec(), None)])
    }

    #[test]
    fn a_section_is_part_of_its_atom() {
        let command =
            parse("a uid fetch 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (FROM TO)]<0.9>)").unwrap();
        assert_eq!((command.verb.as_str(), command.by_uid), ("FETCH", true));
        let items = command.arg(1).unwrap().members();
        assert_eq!(items[1].text(), Some("BODY.PEEK[HEADER.FIELDS (FROM TO)]<0.9>"));
    }

    #[test]
    fn literals_stand_where_they_were_announced() {
        let segments = [
            (b"a APPEND ".to_vec(), Some(Bytes::from_static(b"in \"box"))),
            (b" (\\Seen) ".to_vec(), Some(Bytes::from_static(b"body"))),
            (Vec::new(), None),
        ];
        let command = Command::parse(&segments).unwrap();
        assert_eq!(command.text(0), Some("in \"box"));
        assert_eq!(command.arg(2).unwrap().octets(), Some(&b"body"[..]));
    }

    #[test]
    fn a_quoted_string_is_unescaped() {
        assert_eq!(parse(r#"a SELECT "a \"b\" c""#).unwrap().text(0), Some(r#"a "b" c"#));
    }

    #[test]
    fn what_cannot_be_read_is_an_error_with_its_tag() {
        assert_eq!(parse(""), Err("*".into()));
        assert_eq!(parse("a1"), Err("a1".into()));
        assert!(parse(&format!("a FETCH {}", "(".repeat(5000))).is_err());
        assert!(parse("a SELECT \"open").is_err());
    }

    #[test]
    fn a_literal_is_announced_at_the_end_of_a_line() {
        assert_eq!(literal(b"a APPEND x {12}"), Some((11, 12, true)));
        assert_eq!(literal(b"a APPEND x {12+}"), Some((11, 12, false)));
        assert_eq!(literal(b"a APPEND x {+12}"), None);
        assert_eq!(literal(b"a NOOP"), None);
    }
}
