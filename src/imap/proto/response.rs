//! One response, by shape: what kind it is, and slices of its frame for the rest.
//!
//! ```text
//! + text                          Continue
//! tag OK|NO|BAD [code] text       Tagged
//! * OK|NO|BAD|BYE|PREAUTH …       Status
//! * 12 FETCH (…)                  Fetch
//! * 12 EXISTS|EXPUNGE|…           Numbered
//! * NAME …                        Data
//! anything else                   Unparsed
//! ```
//!
//! What a name means, and what follows it, is the business of whoever claims it.

use crate::imap::proto::decode::{Cursor, Malformed, Parsed, parse_u32};

/// The word that says how something went (RFC 9051 section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// It was done; untagged, just information.
    Ok,
    /// It was refused; untagged, a warning.
    No,
    /// It was not understood.
    Bad,
    /// The connection is authenticated already. Only as a greeting.
    PreAuth,
    /// The server is about to close the connection.
    Bye,
}

impl Status {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::No => "NO",
            Self::Bad => "BAD",
            Self::PreAuth => "PREAUTH",
            Self::Bye => "BYE",
        }
    }

    fn from_word(word: &[u8]) -> Option<Self> {
        [Self::Ok, Self::No, Self::Bad, Self::PreAuth, Self::Bye]
            .into_iter()
            .find(|status| word.eq_ignore_ascii_case(status.as_str().as_bytes()))
    }
}

/// A response without its line end. Everything in it is a slice of the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Response<'a> {
    /// The server waits for more of the command.
    Continue { text: &'a [u8] },
    /// The command with this tag is over.
    Tagged { tag: &'a [u8], condition: Condition<'a> },
    /// A status that belongs to no command.
    Status(Condition<'a>),
    /// What a message is like: nearly all responses are this. The number is 0 if the server sent none
    /// that is one.
    Fetch { seq: u32, items: &'a [u8] },
    /// Other data about one message, or a number of messages.
    Numbered { number: u32, name: &'a [u8], rest: &'a [u8] },
    /// Any other data.
    Data { name: &'a [u8], rest: &'a [u8] },
    /// A line of no known shape.
    Unparsed(Malformed),
}

/// Status, response code and text: what RFC 9051 section 7.1 calls a status response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Condition<'a> {
    pub(crate) status: Status,
    /// The inside of the brackets.
    pub(crate) code: Option<&'a [u8]>,
    pub(crate) text: &'a [u8],
}

impl<'a> Response<'a> {
    /// Reads one whole frame, literals inline. It never fails: what has no known shape is
    /// [`Response::Unparsed`].
    pub(crate) fn parse(frame: &'a [u8]) -> Self {
        let line = without_line_end(frame);
        match line.first() {
            Some(b'+') => Self::Continue { text: line[1..].trim_ascii_start() },
            Some(b'*') if line.get(1).is_none_or(|next| *next == b' ') => {
                untagged(&line[1..]).unwrap_or_else(Self::Unparsed)
            }
            // Exchange 2013 leaves out `* OK` before COPYUID (net-imap#250).
            Some(b'[') => Self::Status(Condition::parse(Status::Ok, line)),
            // Exchange leaves out `* BAD`, too, when what is behind it is down (ImapFlow).
            _ if begins_with(line, b"Server Unavailable") => {
                Self::Status(Condition { status: Status::Bad, code: None, text: line })
            }
            _ => tagged(line).unwrap_or_else(Self::Unparsed),
        }
    }

    /// Whether it describes a message.
    pub(crate) const fn is_fetch(&self) -> bool {
        matches!(self, Self::Fetch { .. })
    }
}

fn begins_with(line: &[u8], words: &[u8]) -> bool {
    line.get(..words.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(words))
}

impl<'a> Condition<'a> {
    /// What follows the word that says how something went.
    pub(super) fn parse(status: Status, rest: &'a [u8]) -> Self {
        let rest = rest.trim_ascii_start();
        match code_end(rest) {
            Some(end) => {
                let (code, text) = rest.split_at(end);
                let text = text.get(1..).unwrap_or_default().trim_ascii_start();
                Self { status, code: code.get(1..).map(<[u8]>::trim_ascii), text }
            }
            None => Self { status, code: None, text: rest },
        }
    }
}

fn untagged(after_star: &[u8]) -> Parsed<Response<'_>> {
    let mut cursor = Cursor::new(after_star);
    cursor.spaces();
    if let Some(number) = cursor.plain_number() {
        return numbered(u32::try_from(number).ok(), cursor);
    }
    let word = cursor.atom().map_err(|_| Malformed("a response name"))?;
    if let Some(status) = Status::from_word(word) {
        return Ok(Response::Status(Condition::parse(status, cursor.rest())));
    }
    if word.iter().all(u8::is_ascii_digit) {
        return numbered(parse_u32(word), cursor);
    }
    Ok(Response::Data { name: word, rest: cursor.rest().trim_ascii_start() })
}

fn numbered(number: Option<u32>, mut cursor: Cursor<'_>) -> Parsed<Response<'_>> {
    cursor.spaces();
    let name = cursor.atom().map_err(|_| Malformed("a response name"))?;
    let rest = || cursor.rest().trim_ascii_start();
    // Nearly all servers write it so.
    if name == b"FETCH" || name.eq_ignore_ascii_case(b"FETCH") {
        // Courier sends 0 with the UID of a message (MailKit#428). What is said of a message with a
        // number that is none is said of a message all the same.
        return Ok(Response::Fetch { seq: number.unwrap_or(0), items: rest() });
    }
    let number = number.ok_or(Malformed("a message number of 32 bits"))?;
    let counts = || name.eq_ignore_ascii_case(b"EXISTS") || name.eq_ignore_ascii_case(b"RECENT");
    if number == 0 && !counts() {
        return Err(Malformed("a message number of at least 1"));
    }
    Ok(Response::Numbered { number, name, rest: rest() })
}

fn tagged(line: &[u8]) -> Parsed<Response<'_>> {
    const WANTED: Malformed = Malformed("a tag and OK, NO or BAD");
    let mut cursor = Cursor::new(line);
    let tag = cursor.atom().map_err(|_| WANTED)?;
    cursor.spaces();
    match Status::from_word(cursor.atom().map_err(|_| WANTED)?) {
        Some(status @ (Status::Ok | Status::No | Status::Bad)) => {
            Ok(Response::Tagged { tag, condition: Condition::parse(status, cursor.rest()) })
        }
        _ => Err(WANTED),
    }
}

/// Where the `]` of a leading response code is. Keywords may hold brackets (Gmail's
/// `OIB-Seen-[Gmail]/All`), so one within parentheses or quotes does not count, unless there is
/// no other. A quotation mark within a word (`5"`) begins nothing.
fn code_end(text: &[u8]) -> Option<usize> {
    if text.first() != Some(&b'[') {
        return None;
    }
    let (mut depth, mut in_quotes, mut escaped, mut before) = (0_usize, false, false, b' ');
    for (at, &octet) in text.iter().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if in_quotes => escaped = true,
            b'"' if in_quotes => in_quotes = false,
            b'"' => in_quotes = matches!(before, b' ' | b'(' | b'[' | b'='),
            b'(' if !in_quotes => depth += 1,
            b')' if !in_quotes => depth = depth.saturating_sub(1),
            b']' if !in_quotes && depth == 0 => return Some(at),
            _ => {}
        }
        before = octet;
    }
    memchr::memchr(b']', text)
}

/// Servers that end lines with a bare LF exist.
fn without_line_end(frame: &[u8]) -> &[u8] {
    let line = frame.strip_suffix(b"\n").unwrap_or(frame);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn condition<'a>(status: Status, code: Option<&'a [u8]>, text: &'a [u8]) -> Condition<'a> {
        Condition { status, code, text }
    }

    fn untagged_status(line: &[u8]) -> Condition<'_> {
        match Response::parse(line) {
            Response::Status(condition) => condition,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn continuations_need_neither_text_nor_space() {
        assert_eq!(Response::parse(b"+ go ahead\r\n"), Response::Continue { text: b"go ahead" });
        assert_eq!(Response::parse(b"+ \r\n"), Response::Continue { text: b"" });
        // Yandex, Migadu, Proton Bridge, public-inbox (rust-imap#145).
        assert_eq!(Response::parse(b"+\r\n"), Response::Continue { text: b"" });
    }

    #[test]
    fn tagged_answers_carry_status_code_and_text() {
        let wire = b"A1 NO [AUTHENTICATIONFAILED] Authentication failed.\r\n";
        let condition =
            condition(Status::No, Some(b"AUTHENTICATIONFAILED"), b"Authentication failed.");
        assert_eq!(Response::parse(wire), Response::Tagged { tag: b"A1", condition });
    }

    #[test]
    fn codes_need_no_text_and_texts_no_code() {
        assert_eq!(
            untagged_status(b"* OK [HIGHESTMODSEQ 13637]\r\n"),
            condition(Status::Ok, Some(b"HIGHESTMODSEQ 13637"), b"")
        );
        assert_eq!(
            untagged_status(b"* OK [UIDVALIDITY 1] \r\n"),
            condition(Status::Ok, Some(b"UIDVALIDITY 1"), b"")
        );
        assert_eq!(untagged_status(b"* BYE\r\n"), condition(Status::Bye, None, b""));
        assert_eq!(untagged_status(b"* OK hi\n"), condition(Status::Ok, None, b"hi"));
        let webalert = b"* NO [WEBALERT https://accounts.google.com/x?y=1] Web login required.\r\n";
        assert_eq!(
            untagged_status(webalert).code,
            Some(&b"WEBALERT https://accounts.google.com/x?y=1"[..])
        );
    }

    #[test]
    fn a_bracket_after_text_is_text() {
        // The Exchange Online greeting names its front end so.
        let wire = b"* OK The Microsoft Exchange IMAP4 service is ready. [TQBXAEgA]\r\n";
        assert_eq!(untagged_status(wire).code, None);
    }

    #[test]
    fn a_text_may_hold_utf_8() {
        // A Dovecot banner (imap-proto#206).
        let wire = "* OK [CAPABILITY IMAP4rev1] Logged in \u{2013} go ahead!\r\n".as_bytes();
        assert_eq!(untagged_status(wire).text, "Logged in \u{2013} go ahead!".as_bytes());
    }

    #[test]
    fn a_bracket_within_a_keyword_does_not_end_the_code() {
        let wire = b"* OK [PERMANENTFLAGS (\\Seen OIB-Seen-[Gmail]/All \\*)] Limited\r\n";
        assert_eq!(
            untagged_status(wire).code,
            Some(&b"PERMANENTFLAGS (\\Seen OIB-Seen-[Gmail]/All \\*)"[..])
        );
        let wire = b"* OK [PERMANENTFLAGS (\\Seen $Forwarded )] Limited\r\n";
        assert_eq!(untagged_status(wire).text, b"Limited");
        let wire = b"* OK [BROKEN (never closed] text\r\n";
        assert_eq!(untagged_status(wire).code, Some(&b"BROKEN (never closed"[..]));
    }

    #[test]
    fn a_quotation_mark_within_a_word_or_behind_a_backslash_hides_no_bracket() {
        for (code, text) in [
            ("X-FOO 5\" disk", "It's 3\" [long]"),
            ("BADURL \"a\\\"]b\"", "no such \"part\" [x]"),
            ("X \"open", "and [more]"),
            ("X (\"a]\" b)", ""),
        ] {
            let wire = format!("* NO [{code}] {text}\r\n");
            let wanted = condition(Status::No, Some(code.as_bytes()), text.as_bytes());
            assert_eq!(untagged_status(wire.as_bytes()), wanted);
        }
    }

    #[test]
    fn an_error_code_with_an_equals_sign_is_kept_whole() {
        // Exchange Online in front of an old mailbox server (net-imap#597).
        let wire = b"A1 OK [Error=\"Failed WrongServerException: [x]\" \
            Proxy=AM0PR0.prod.outlook.com:1993:SSL Target=x] AUTHENTICATE completed.\r\n";
        let Response::Tagged { condition, .. } = Response::parse(wire) else { panic!() };
        assert_eq!(condition.text, b"AUTHENTICATE completed.");
        assert!(condition.code.unwrap().ends_with(b"Target=x"));
    }

    #[test]
    fn exchange_may_leave_out_the_status_before_a_code() {
        assert_eq!(
            untagged_status(b"[COPYUID 124 10 233]\r\n"),
            condition(Status::Ok, Some(b"COPYUID 124 10 233"), b"")
        );
        assert_eq!(untagged_status(b"* OK [COPYUID 14  ]\r\n").code, Some(&b"COPYUID 14"[..]));
    }

    #[test]
    fn numbered_data_takes_any_number_of_spaces() {
        // DavMail's keep-alive (davmail#122).
        assert_eq!(
            Response::parse(b"*  1688 EXISTS\r\n"),
            Response::Numbered { number: 1688, name: b"EXISTS", rest: b"" }
        );
        assert_eq!(
            Response::parse(b"* 1 FETCH (UID 2)\r\n"),
            Response::Fetch { seq: 1, items: b"(UID 2)" }
        );
    }

    #[test]
    fn of_a_message_without_a_number_the_number_is_0() {
        for number in ["0", "4294967296", "99999999999999999999999"] {
            let line = format!("* {number} FETCH (UID 2)\r\n");
            let told = Response::Fetch { seq: 0, items: b"(UID 2)" };
            assert_eq!(Response::parse(line.as_bytes()), told);
        }
    }

    #[test]
    fn data_is_a_name_and_what_follows() {
        let rows: [(&[u8], &[u8], &[u8]); 8] = [
            (b"* CAPABILITY IMAP4rev1 \r\n", b"CAPABILITY", b"IMAP4rev1 "),
            (b"* SEARCH\r\n", b"SEARCH", b""),
            (b"* XFOO bar\r\n", b"XFOO", b"bar"),
            (b"* STATUS INBOX (MESSAGES 0) \r\n", b"STATUS", b"INBOX (MESSAGES 0) "),
            (b"* STATUS \"INBOX\" ()\r\n", b"STATUS", b"\"INBOX\" ()"),
            (b"* ID (\"name\" \"x\" )\r\n", b"ID", b"(\"name\" \"x\" )"),
            (b"* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n", b"NAMESPACE", b"((\"\" \"/\")) NIL NIL"),
            (b"* ESEARCH (TAG \"A1\") UID ALL 1:3\r\n", b"ESEARCH", b"(TAG \"A1\") UID ALL 1:3"),
        ];
        for (wire, name, rest) in rows {
            assert_eq!(Response::parse(wire), Response::Data { name, rest });
        }
    }

    #[test]
    fn stray_lines_are_unparsed_with_a_reason() {
        // Exchange 2003 (libetpan#45), a greeting of SmarterMail (MailKit#1100), nothing at all.
        let stray: [&[u8]; 7] = [
            b"CAPABILITY completed.\r\n",
            b"421 Server is busy\r\n",
            b"\r\n",
            b"*\r\n",
            b"* 99999999999 EXISTS\r\n",
            b"* 5\r\n",
            b"* 0 EXPUNGE\r\n",
        ];
        for wire in stray {
            assert!(matches!(Response::parse(wire), Response::Unparsed(_)), "{wire:?}");
        }
    }

    proptest! {
        #[test]
        fn no_octets_make_the_parser_panic(bytes: Vec<u8>) {
            let _ = Response::parse(&bytes);
        }

        #[test]
        fn nothing_like_a_response_makes_it_panic(line in "[*+A\\[\\]() \"0-9OKN\\\\{}\r\n]{0,30}") {
            let _ = Response::parse(line.as_bytes());
        }
    }
}
