//! A refusal in the server's words, ready to be compared.
//!
//! Replies reach this place as the text that people see, whether they come from an error or from a
//! log, so there is one way to read them. Nothing is ever compared with a whole line: servers
//! change their words, wrap them, and end them with their own name.

use std::ops::RangeInclusive;

use super::quote::one_line;
use crate::Protocol;

/// What the server says of how it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// 2xx, 3xx, `OK`, `PREAUTH`, `+OK`: no refusal.
    Good,
    /// 4xx or 5xx of SMTP.
    Code(u16),
    /// IMAP's `NO`.
    No,
    /// IMAP's `BAD`.
    Bad,
    /// IMAP's `BYE`.
    Bye,
    /// POP3's `-ERR`.
    Err,
}

/// One reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) status: Status,
    /// SMTP's enhanced status code (RFC 3463).
    pub(super) enhanced: Option<(u16, u16, u16)>,
    /// What stands in brackets right behind the status of IMAP and POP3, in capitals.
    pub(super) code: Option<String>,
    /// The words behind, in lower case, with single spaces.
    words: String,
    /// All of it, for people.
    pub(super) shown: String,
}

/// A reply may be 64 KiB long; no rule looks so far.
const LOOKED_AT: usize = 4096;

impl Line {
    /// Reads a reply, with its status, perhaps with an IMAP tag, perhaps of several lines. `None` if
    /// it is no reply of the protocol.
    pub(super) fn read(protocol: Protocol, text: &str) -> Option<Self> {
        let end = text.char_indices().nth(LOOKED_AT).map_or(text.len(), |(end, _)| end);
        let text = text.get(..end)?;
        match protocol {
            Protocol::Smtp => Self::smtp(text),
            Protocol::Imap => Self::imap(text),
            Protocol::Pop => Self::pop(text),
        }
    }

    fn smtp(text: &str) -> Option<Self> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let (code, first) = smtp_code(lines.next()?)?;
        let (enhanced, first) = enhanced(first);
        let mut words = first.to_owned();
        for line in lines {
            // The codes stand in every line; a log may have wrapped one without.
            let rest =
                smtp_code(line).filter(|(other, _)| *other == code).map_or(line, |(_, rest)| rest);
            let rest = match self::enhanced(rest) {
                (Some(again), rest) if Some(again) == enhanced => rest,
                _ => rest,
            };
            words.push(' ');
            words.push_str(rest);
        }
        let status = if code < 400 { Status::Good } else { Status::Code(code) };
        Some(Self { enhanced, ..Self::new(status, None, &words, text) })
    }

    fn imap(text: &str) -> Option<Self> {
        let (first, rest) = word(text.trim());
        let (status, rest) = match imap_status(first) {
            Some(status) => (status, rest),
            // Behind a tag, or the star of an untagged reply.
            None => {
                let (second, rest) = word(rest);
                (imap_status(second)?, rest)
            }
        };
        let (code, words) = bracketed(rest);
        Some(Self::new(status, code, words, text))
    }

    fn pop(text: &str) -> Option<Self> {
        let (first, rest) = word(text.trim());
        let status = match first.to_ascii_uppercase().as_str() {
            "+OK" => Status::Good,
            "-ERR" => Status::Err,
            _ => return None,
        };
        let (code, words) = bracketed(rest);
        Some(Self::new(status, code, words, text))
    }

    fn new(status: Status, code: Option<String>, words: &str, shown: &str) -> Self {
        // What a server calls “doesn’t” it may call "doesn't" tomorrow.
        let plain = |c: char| {
            if matches!(c, '\u{2018}' | '\u{2019}') { '\'' } else { c.to_ascii_lowercase() }
        };
        let words: Vec<_> = words.split_whitespace().collect();
        let words = words.join(" ").chars().map(plain).collect();
        Self { status, enhanced: None, code, words, shown: one_line(shown) }
    }

    /// Whether it is a refusal at all.
    pub(super) fn refuses(&self) -> bool {
        self.status != Status::Good
    }

    /// SMTP's code, 0 in another protocol.
    pub(super) const fn smtp_status(&self) -> u16 {
        match self.status {
            Status::Code(code) => code,
            _ => 0,
        }
    }

    /// Whether the words hold this phrase, given in lower case.
    pub(super) fn says(&self, phrase: &str) -> bool {
        self.words.contains(phrase)
    }

    /// Whether the words begin with this phrase, given in lower case: what stands further back may be
    /// a quotation.
    pub(super) fn begins(&self, phrase: &str) -> bool {
        self.words.starts_with(phrase)
    }

    /// Whether the words end with this, given in lower case.
    pub(super) fn ends(&self, phrase: &str) -> bool {
        self.words.trim_end_matches('.').ends_with(phrase)
    }

    /// Whether it has this enhanced code.
    pub(super) fn is(&self, class: u16, subject: u16, detail: u16) -> bool {
        self.enhanced == Some((class, subject, detail))
    }

    /// Whether it has an enhanced code of this class and subject, with a detail in this range.
    pub(super) fn is_between(
        &self,
        class: u16,
        subject: u16,
        details: RangeInclusive<u16>,
    ) -> bool {
        self.enhanced
            .is_some_and(|code| (code.0, code.1) == (class, subject) && details.contains(&code.2))
    }

    /// Whether the code in brackets is this one, given in capitals.
    pub(super) fn coded(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whom one may not send as: `SendAsDenied; a@x not allowed to send as b@y; …`.
    pub(super) fn refused_sender(&self) -> Option<String> {
        let (_, rest) = self.words.split_once("not allowed to send as ")?;
        let address = rest.split([';', ' ']).next()?.trim_end_matches(['.', ',']);
        address.contains('@').then(|| address.to_owned())
    }

    /// Marks that only Exchange leaves in its replies: the name of a server of Microsoft's at the end,
    /// a component's name, the pages it sends people to.
    pub(super) fn is_exchanges(&self) -> bool {
        let host = self
            .words
            .trim_end_matches('.')
            .rsplit_once('[')
            .and_then(|(_, host)| host.strip_suffix(']'));
        let host = host.and_then(|host| host.split(' ').next());
        host.is_some_and(|host| host.ends_with(".outlook.com") || host.ends_with(".outlook.cn"))
            || self.says("storedrv")
            || self.says("aka.ms/")
    }
}

/// The code of a line of SMTP, and what follows it.
fn smtp_code(line: &str) -> Option<(u16, &str)> {
    let (code, rest) = line.split_at_checked(3)?;
    let number = code.bytes().all(|octet| octet.is_ascii_digit()).then(|| code.parse().ok())??;
    let rest = match rest.as_bytes().first() {
        None => rest,
        Some(b' ' | b'-' | b'\t') => rest.get(1..)?,
        Some(_) => return None,
    };
    (200..600).contains(&number).then_some((number, rest.trim()))
}

/// The enhanced status code in front of some words, and the words.
fn enhanced(text: &str) -> (Option<(u16, u16, u16)>, &str) {
    let (first, rest) = word(text);
    let mut numbers = first.split('.').map(|part| {
        let digits = !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_digit());
        digits.then(|| part.parse::<u16>().ok()).flatten()
    });
    match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
        (Some(Some(class @ (2 | 4 | 5))), Some(Some(subject)), Some(Some(detail)), None) => {
            (Some((class, subject, detail)), rest)
        }
        _ => (None, text),
    }
}

fn imap_status(word: &str) -> Option<Status> {
    Some(match word.to_ascii_uppercase().as_str() {
        "OK" | "PREAUTH" => Status::Good,
        "NO" => Status::No,
        "BAD" => Status::Bad,
        "BYE" => Status::Bye,
        _ => return None,
    })
}

/// The code in brackets in front of some words, in capitals, and the words.
fn bracketed(text: &str) -> (Option<String>, &str) {
    match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((code, words)) => (Some(code.to_ascii_uppercase()), words.trim_start()),
        None => (None, text),
    }
}

/// The first word, and what follows it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word, rest.trim_start())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn smtp(text: &str) -> Line {
        Line::read(Protocol::Smtp, text).unwrap()
    }

    #[test]
    fn a_wrapped_reply_is_the_same_as_one_line() {
        for text in [
            "535 5.7.139 Authentication unsuccessful, it is off",
            "535-5.7.139 Authentication  unsuccessful,\r\n535 5.7.139 it is OFF\r\n",
            "535-5.7.139 AUTHENTICATION\n535-unsuccessful, it\n535 is off",
            "535 5.7.139 Authentication\n    unsuccessful, it is off",
        ] {
            let line = smtp(text);
            assert!(line.is(5, 7, 139) && line.smtp_status() == 535, "{line:?}");
            assert_eq!(line.words, "authentication unsuccessful, it is off");
        }
    }

    #[test]
    fn imap_replies_are_read_with_a_tag_and_without() {
        for text in ["NO [Limit X] Not now", "A17 no [LIMIT x]  not NOW", "* NO [limit x] not now"]
        {
            let line = Line::read(Protocol::Imap, text).unwrap();
            assert_eq!((line.status, line.code.as_deref()), (Status::No, Some("LIMIT X")));
            assert_eq!(line.words, "not now");
        }
        assert!(!Line::read(Protocol::Imap, "A1 OK done").unwrap().refuses());
        assert_eq!(Line::read(Protocol::Imap, "* 12 EXISTS"), None);
        let line = Line::read(Protocol::Pop, "-err [SYS/TEMP] later").unwrap();
        assert!(line.coded("SYS/TEMP") && line.status == Status::Err);
        assert_eq!(Line::read(Protocol::Pop, "535 5.7.3 no"), None);
    }

    #[test]
    fn exchange_is_known_by_the_name_at_the_end() {
        assert!(smtp("535 5.7.3 no [SN2PR00CA0018.namprd00.prod.outlook.com]").is_exchanges());
        assert!(
            smtp("535 5.7.3 no [X.EURP1.PROD.OUTLOOK.COM 2026-11-21T10:00:00Z 08D].")
                .is_exchanges()
        );
        assert!(!smtp("535 5.7.3 no [x.example]").is_exchanges());
        assert!(!smtp("550 5.7.1 you claim to be a.outlook.com]").is_exchanges());
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(535|5\\.7\\.3|NO|-ERR|\\[|\\]|[ -]|\r\n|\\PC){0,60}") {
            for protocol in [Protocol::Smtp, Protocol::Imap, Protocol::Pop] {
                let _ = Line::read(protocol, &text).map(|line| line.is_exchanges());
            }
        }
    }
}
