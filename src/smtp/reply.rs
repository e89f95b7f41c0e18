//! A server's answer: three digits, perhaps an enhanced status code, and words
//! (RFC 5321 section 4.2, RFC 2034).

use std::borrow::Cow;
use std::fmt;

use crate::fault::Fault;
use crate::smtp::meaning::{self, Meaning};
use crate::smtp::words::Words;

/// What the server answered, in its own words.
///
/// A reply is read from the connection or lent by a [`Receipt`](crate::smtp::Receipt); both look the
/// same here, and [`into_owned`](Self::into_owned) makes one that lives by itself.
///
/// `Display` gives one line, as a log would want it:
/// `535 5.7.3 Authentication unsuccessful [SN2PR00CA0018.namprd00.prod.outlook.com]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply<'a> {
    head: Head,
    /// The words of each line, without codes, joined by LF.
    text: Cow<'a, str>,
}

impl<'a> Reply<'a> {
    pub(crate) fn new(head: Head, text: impl Into<Cow<'a, str>>) -> Self {
        Self { head, text: text.into() }
    }

    /// The three-digit code, 200 to 599.
    pub const fn code(&self) -> u16 {
        self.head.code
    }

    /// The enhanced status code (RFC 3463), if the server sent one.
    ///
    /// It is read whether or not the server announced ENHANCEDSTATUSCODES: refusals that come
    /// before EHLO is answered have codes too, and some servers never announce them. What looks like
    /// one and is none can be left in the words by switching the
    /// [extension](crate::smtp::Extension::EnhancedStatusCodes) off.
    pub const fn enhanced(&self) -> Option<EnhancedCode> {
        self.head.enhanced
    }

    /// The words of every line, without codes, joined by line feeds.
    ///
    /// Octets that are not UTF-8, and control characters, are shown as U+FFFD.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The words, line by line, without codes. There is at least one line; it may be empty.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.split('\n')
    }

    /// The lines with the enhanced status code of each. RFC 2034 has the same code in every line; a
    /// server that gives several reasons in one reply may use one for each.
    pub fn coded_lines(&self) -> impl Iterator<Item = (Option<EnhancedCode>, &str)> {
        self.lines().map(|line| {
            let own = self.head.enhanced.and_then(|_| EnhancedCode::cut(line.as_bytes()));
            match own.and_then(|(code, rest)| Some((code, line.get(line.len() - rest.len()..)?))) {
                Some((code, words)) => (Some(code), words),
                None => (self.head.enhanced, line),
            }
        })
    }

    /// Whether the server did what was asked: 2xx.
    pub const fn is_positive(&self) -> bool {
        self.head.is_positive()
    }

    /// Whether the server waits for more before it decides: 3xx.
    pub const fn is_intermediate(&self) -> bool {
        self.head.is_intermediate()
    }

    /// Whether the server calls its refusal a passing one: 4xx.
    pub const fn is_transient(&self) -> bool {
        self.head.code / 100 == 4
    }

    /// Whether the server calls its refusal final: 5xx.
    pub const fn is_permanent(&self) -> bool {
        self.head.code / 100 == 5
    }

    /// Whether the server refuses because this client asks too often or for too much: connections,
    /// logins, messages or recipients in a time. That passes; [`Retry::Later`](crate::Retry::Later)
    /// of the error says how long to wait, if the server does.
    pub fn is_throttled(&self) -> bool {
        !self.is_positive() && meaning::meaning(self) == Meaning::Throttled
    }

    /// Whether the server refuses because the access token has come to its end, or is about to.
    /// Exchange Online's High Volume Email says so; others refuse such a token like any bad one.
    pub fn is_token_expired(&self) -> bool {
        meaning::is_expiry(self)
    }

    /// The same reply with words of its own.
    pub fn into_owned(self) -> Reply<'static> {
        Reply { head: self.head, text: Cow::Owned(self.text.into_owned()) }
    }
}

impl fmt::Debug for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({self})")
    }
}

impl fmt::Display for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.head.code)?;
        if let Some(enhanced) = self.head.enhanced {
            write!(f, " {enhanced}")?;
        }
        for line in self.lines().map(str::trim).filter(|line| !line.is_empty()) {
            write!(f, " {line}")?;
        }
        Ok(())
    }
}

/// `class.subject.detail`, RFC 3463: what happened, in a form that programs can compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnhancedCode {
    /// 2 success, 4 passing failure, 5 permanent failure.
    pub class: u8,
    /// What it is about: 1 addresses, 2 mailboxes, 3 the mail system, 4 routing, 5 the protocol,
    /// 6 content, 7 security and policy. 0 to 999.
    pub subject: u16,
    /// The precise condition, 0 to 999.
    pub detail: u16,
}

impl EnhancedCode {
    /// `EnhancedCode::new(5, 7, 8)` is `5.7.8`.
    pub const fn new(class: u8, subject: u16, detail: u16) -> Self {
        Self { class, subject, detail }
    }

    /// Cuts the code off the front of a line: the code, and the words after the space.
    ///
    /// RFC 2034 section 4 puts it there in 2xx, 4xx and 5xx replies only. That its class repeats
    /// the first digit of the reply is not insisted on, since not every server manages it.
    fn cut(line: &[u8]) -> Option<(Self, &[u8])> {
        let (class, rest) = match line {
            [class @ (b'2' | b'4' | b'5'), b'.', rest @ ..] => (class - b'0', rest),
            _ => return None,
        };
        let (subject, rest) = number(rest)?;
        let (detail, rest) = number(rest.strip_prefix(b".")?)?;
        match rest {
            [] => Some((Self::new(class, subject, detail), rest)),
            [b' ', words @ ..] => Some((Self::new(class, subject, detail), words)),
            _ => None,
        }
    }
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// A reply without its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) code: u16,
    pub(crate) enhanced: Option<EnhancedCode>,
}

impl Head {
    pub(crate) const fn is_positive(self) -> bool {
        self.code / 100 == 2
    }

    pub(crate) const fn is_intermediate(self) -> bool {
        self.code / 100 == 3
    }
}

/// A whole reply that came, whose words lie in a buffer with others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) head: Head,
    /// Where its words begin. They go to the end of the buffer.
    pub(crate) mark: usize,
    /// How often it came in a row.
    pub(crate) times: usize,
}

/// Makes replies of lines.
///
/// The words go into a buffer of the caller's, so that a receipt for a hundred recipients is one
/// buffer and not a hundred.
#[derive(Debug)]
pub(crate) struct ReplyParser {
    head: Option<Head>,
    lines: usize,
    octets: usize,
    most_lines: usize,
    most_octets: usize,
    /// Enhanced codes stay in the words.
    plain: bool,
}

impl ReplyParser {
    /// RFC 5321 section 4.5.3.1.5 says 512 octets for one line and nothing for their number. What
    /// is beyond these limits is no reply but an attack or another protocol.
    pub(crate) const fn new(most_octets: usize, most_lines: usize) -> Self {
        Self { head: None, lines: 0, octets: 0, most_lines, most_octets, plain: false }
    }

    /// From now on a code behind the code is words like others.
    pub(crate) const fn leave_enhanced_codes(&mut self) {
        self.plain = true;
    }

    /// Takes the next line, without its line end, and appends its words to `text`. After the last
    /// line of a reply that is its head; the next line then begins another reply.
    pub(crate) fn line(&mut self, line: &[u8], text: &mut Words) -> Result<Option<Head>, Fault> {
        self.octets += line.len();
        self.lines += 1;
        if self.octets > self.most_octets {
            return Err(Fault::ResponseTooLong { limit: self.most_octets as u64, unit: "octets" });
        }
        if self.lines > self.most_lines {
            return Err(Fault::ResponseTooLong { limit: self.most_lines as u64, unit: "lines" });
        }
        let (code, last, words) =
            split(line).ok_or_else(|| Fault::unexpected("an SMTP reply", line))?;
        let mut head = match self.head {
            Some(head) if head.code != code => {
                return Err(Fault::unexpected("the next line of a reply with the same code", line));
            }
            Some(head) => {
                text.begin_line();
                head
            }
            None => Head { code, enhanced: None },
        };

        let mut words = words;
        // RFC 2034 section 4: the code stands in every line of a multi-line reply.
        if code / 100 != 3
            && !self.plain
            && let Some((enhanced, rest)) = EnhancedCode::cut(words)
            && *head.enhanced.get_or_insert(enhanced) == enhanced
        {
            words = rest;
        }
        text.push(words);

        if last {
            (self.head, self.lines, self.octets) = (None, 0, 0);
            Ok(Some(head))
        } else {
            self.head = Some(head);
            Ok(None)
        }
    }

    /// Whether a reply has begun and not ended.
    pub(crate) const fn within_reply(&self) -> bool {
        self.head.is_some()
    }
}

/// The code, whether this line is the last, and the words. Exchange prompts with a bare `334`, so
/// the space that RFC 5321 section 4.2 wants after the code of a last line may be missing.
fn split(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let [hundreds @ b'2'..=b'5', tens @ b'0'..=b'9', ones @ b'0'..=b'9', rest @ ..] = line else {
        return None;
    };
    let code =
        [hundreds, tens, ones].iter().fold(0, |code, digit| code * 10 + u16::from(**digit - b'0'));
    match rest {
        [] => Some((code, true, rest)),
        [b' ' | b'\t', words @ ..] => Some((code, true, words)),
        [b'-', words @ ..] => Some((code, false, words)),
        _ => None,
    }
}

/// One to three digits, and what follows them.
fn number(text: &[u8]) -> Option<(u16, &[u8])> {
    let digit = |octet: u8| match octet {
        b'0'..=b'9' => Some(u16::from(octet - b'0')),
        _ => None,
    };
    let (first, mut rest) = text.split_first()?;
    let mut number = digit(*first)?;
    for digits in 2..=4 {
        let Some((next, behind)) = rest.split_first() else { break };
        let Some(next) = digit(*next) else { break };
        if digits > 3 {
            return None;
        }
        (number, rest) = (number * 10 + next, behind);
    }
    Some((number, rest))
}

#[cfg(test)]
impl Default for ReplyParser {
    fn default() -> Self {
        Self::new(64 * 1024, 1000)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(lines: &[&str]) -> Result<Reply<'static>, Fault> {
        let mut parser = ReplyParser::default();
        let mut text = Words::default();
        for (n, line) in lines.iter().enumerate() {
            if let Some(head) = parser.line(line.as_bytes(), &mut text)? {
                assert_eq!(n + 1, lines.len(), "the reply ended early");
                return Ok(Reply::new(head, text.take_since(0)));
            }
            assert!(parser.within_reply());
        }
        panic!("the reply did not end");
    }

    #[test]
    fn a_reply_has_a_code_an_enhanced_code_and_words() {
        let line =
            "535 5.7.3 Authentication unsuccessful [SN2PR00CA0018.namprd00.prod.outlook.com]";
        let reply = parse(&[line]).unwrap();
        assert_eq!(reply.code(), 535);
        assert_eq!(reply.enhanced(), Some(EnhancedCode::new(5, 7, 3)));
        assert_eq!(
            reply.text(),
            "Authentication unsuccessful [SN2PR00CA0018.namprd00.prod.outlook.com]"
        );
        assert!(reply.is_permanent() && !reply.is_transient() && !reply.is_positive());
        assert_eq!(reply.to_string(), line);
    }

    #[test]
    fn the_enhanced_code_is_taken_off_every_line() {
        let reply = parse(&[
            "535-5.7.8 Username and Password not accepted. For more information, go to",
            "535 5.7.8  https://support.google.com/mail/?p=BadCredentials - gsmtp",
        ])
        .unwrap();
        assert_eq!(reply.enhanced(), Some(EnhancedCode::new(5, 7, 8)));
        assert_eq!(
            reply.lines().collect::<Vec<_>>(),
            [
                "Username and Password not accepted. For more information, go to",
                " https://support.google.com/mail/?p=BadCredentials - gsmtp"
            ]
        );
        assert_eq!(
            reply.to_string(),
            "535 5.7.8 Username and Password not accepted. For more information, go to \
             https://support.google.com/mail/?p=BadCredentials - gsmtp"
        );
    }

    #[test]
    fn a_second_enhanced_code_that_differs_stays_in_the_words() {
        let reply = parse(&["550-5.1.1 no such user", "550 5.7.1 and no relay"]).unwrap();
        assert_eq!(reply.enhanced(), Some(EnhancedCode::new(5, 1, 1)));
        assert_eq!(reply.text(), "no such user\n5.7.1 and no relay");
        assert_eq!(
            reply.coded_lines().collect::<Vec<_>>(),
            [
                (Some(EnhancedCode::new(5, 1, 1)), "no such user"),
                (Some(EnhancedCode::new(5, 7, 1)), "and no relay")
            ]
        );
        let plain = parse(&["250-mail.test", "250 2.5 GiB"]).unwrap();
        assert!(plain.coded_lines().all(|(code, _)| code.is_none()));
    }

    #[test]
    fn codes_that_are_none_can_be_left_in_the_words() {
        let mut parser = ReplyParser::default();
        parser.leave_enhanced_codes();
        for _ in 0..2 {
            let mut text = Words::default();
            let head = parser.line(b"250 2.1.5 Ok", &mut text).unwrap().unwrap();
            assert_eq!((head.enhanced, text.get(0..text.len())), (None, "2.1.5 Ok"));
        }
    }

    #[test]
    fn bare_codes_and_empty_lines_are_taken() {
        assert_eq!(parse(&["334"]).unwrap().to_string(), "334");
        assert_eq!(parse(&["334 "]).unwrap().text(), "");
        assert_eq!(parse(&["250-", "250"]).unwrap().lines().count(), 2);
        assert_eq!(parse(&["235 2.7.0"]).unwrap().to_string(), "235 2.7.0");
    }

    #[test]
    fn words_that_only_resemble_an_enhanced_code_are_words() {
        for words in ["2.0.0.1 hello", "3.0.0 hello", "2.0 hello", "2.0.0000 hello", "2..0 hello"] {
            let reply = parse(&[&format!("250 {words}")]).unwrap();
            assert_eq!((reply.enhanced(), reply.text()), (None, words));
        }
        assert_eq!(parse(&["354 5.0.0 go on"]).unwrap().enhanced(), None);
    }

    #[test]
    fn what_is_no_reply_is_a_fault_that_quotes_it() {
        for line in
            ["", "25", "abc", "* OK IMAP4rev1 ready", "+OK POP3", "150 wait", "650 x", "250=x"]
        {
            assert_eq!(parse(&[line]), Err(Fault::unexpected("an SMTP reply", line.as_bytes())));
        }
    }

    #[test]
    fn a_reply_may_not_change_its_code_half_way() {
        assert_eq!(
            parse(&["250-mail.test", "550 no"]),
            Err(Fault::unexpected("the next line of a reply with the same code", b"550 no"))
        );
    }

    #[test]
    fn an_endless_reply_is_a_fault() {
        let mut parser = ReplyParser::default();
        let mut text = Words::default();
        for _ in 0..1000 {
            assert_eq!(parser.line(b"250-x", &mut text), Ok(None));
        }
        assert_eq!(
            parser.line(b"250-x", &mut text),
            Err(Fault::ResponseTooLong { limit: 1000, unit: "lines" })
        );

        let mut parser = ReplyParser::default();
        let long = format!("250-{}", "x".repeat(40_000));
        assert_eq!(parser.line(long.as_bytes(), &mut text), Ok(None));
        assert_eq!(
            parser.line(long.as_bytes(), &mut text),
            Err(Fault::ResponseTooLong { limit: 65536, unit: "octets" })
        );
    }

    #[test]
    fn the_limits_are_for_one_reply_and_not_for_the_session() {
        let mut parser = ReplyParser::default();
        for _ in 0..3000 {
            let mut text = Words::default();
            assert!(parser.line(b"250 2.1.5 Ok", &mut text).unwrap().is_some());
            assert_eq!(text.take_since(0), "Ok");
        }
    }

    #[test]
    fn what_would_garble_a_log_is_replaced() {
        let mut text = Words::default();
        ReplyParser::default().line(b"250 a\x1b[31mb\xff\rc", &mut text).unwrap();
        assert_eq!(text.take_since(0), "a\u{fffd}[31mb\u{fffd}\u{fffd}c");
    }

    proptest! {
        #[test]
        fn any_line_is_a_reply_or_a_fault(
            lines in prop::collection::vec("([0-9]{2,4}[- ]?)?([245]\\.[0-9.]{0,6})?[^\n]{0,20}", 1..4),
        ) {
            let mut parser = ReplyParser::default();
            let mut text = Words::default();
            for line in lines {
                let before = text.len();
                match parser.line(line.as_bytes(), &mut text) {
                    Ok(_) => prop_assert!(!text.get(before..text.len()).chars().any(|c| c.is_control() && c != '\n')),
                    Err(_) => return Ok(()),
                }
            }
        }

        #[test]
        fn what_a_reply_prints_is_read_back_as_the_same_reply(
            code in 200u16..600, subject in 0u16..1000, detail in 0u16..1000, words in "[!-~]{0,9}",
        ) {
            let enhanced = Some(EnhancedCode::new(if code < 300 { 2 } else { 5 }, subject, detail))
                .filter(|_| code / 100 != 3);
            let reply = Reply::new(Head { code, enhanced }, words);
            prop_assert_eq!(parse(&[&reply.to_string()]).unwrap(), reply);
        }
    }
}
