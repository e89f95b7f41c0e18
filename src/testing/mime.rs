//! The parts of a message, as far as BODYSTRUCTURE and sections need them (RFC 2045, RFC 2046).

use super::header;

/// Parts within parts are looked for no deeper than this.
const MOST_LEVELS: u32 = 32;

/// A message, or a part of one.
#[derive(Debug)]
pub(super) struct Part<'a> {
    /// With the empty line behind it.
    pub(super) head: &'a [u8],
    pub(super) body: &'a [u8],
    pub(super) media_type: String,
    pub(super) subtype: String,
    pub(super) parameters: Vec<(String, String)>,
    /// Of a multipart its parts; of a `message/rfc822` the message.
    pub(super) parts: Vec<Self>,
}

impl<'a> Part<'a> {
    pub(super) fn parse(octets: &'a [u8]) -> Self {
        Self::at(octets, 0)
    }

    fn at(octets: &'a [u8], level: u32) -> Self {
        let (head, body) = octets.split_at(header::length(octets));
        let content_type = header::value(head, "Content-Type").unwrap_or_default();
        let (word, parameters) = parameterized(&content_type);
        let (media_type, subtype) = match word.split_once('/') {
            Some((media_type, subtype)) => {
                (media_type.trim().to_owned(), subtype.trim().to_owned())
            }
            None => ("text".to_owned(), "plain".to_owned()),
        };
        let mut part = Self { head, body, media_type, subtype, parameters, parts: Vec::new() };
        if level < MOST_LEVELS {
            part.parts = part.within().into_iter().map(|part| Self::at(part, level + 1)).collect();
        }
        part
    }

    /// The octets of the parts in it.
    fn within(&self) -> Vec<&'a [u8]> {
        if self.is_message() {
            return vec![self.body];
        }
        let boundary = self.parameters.iter().find(|(name, _)| name == "boundary");
        match boundary {
            Some((_, boundary)) if self.media_type.eq_ignore_ascii_case("multipart") => {
                split(self.body, boundary.as_bytes())
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn is_multipart(&self) -> bool {
        self.media_type.eq_ignore_ascii_case("multipart") && !self.parts.is_empty()
    }

    pub(super) fn is_message(&self) -> bool {
        self.media_type.eq_ignore_ascii_case("message")
            && self.subtype.eq_ignore_ascii_case("rfc822")
    }

    /// Of a message, the part with this number (RFC 3501 section 6.4.5).
    pub(super) fn part(&self, number: &[usize]) -> Option<&Self> {
        let Some((first, rest)) = number.split_first() else { return Some(self) };
        if !self.is_multipart() {
            return (*first == 1).then_some(self)?.below(rest);
        }
        self.parts.get(first.checked_sub(1)?)?.below(rest)
    }

    /// What is numbered within this part.
    fn below(&self, number: &[usize]) -> Option<&Self> {
        match self.parts.first() {
            _ if number.is_empty() => Some(self),
            Some(message) if self.is_message() => message.part(number),
            _ if self.is_multipart() => self.part(number),
            _ => None,
        }
    }
}

/// `word; name=value; …`, with the names in lower case.
pub(super) fn parameterized(value: &[u8]) -> (String, Vec<(String, String)>) {
    let value = String::from_utf8_lossy(value);
    let (mut quoted, mut escaped) = (false, false);
    let mut pieces = value.split(|letter| {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ';' => return !quoted,
            _ => {}
        }
        false
    });
    let word = pieces.next().unwrap_or_default().trim().to_owned();
    let parameters = pieces.filter_map(|piece| {
        let (name, value) = piece.split_once('=')?;
        let value = value.trim();
        let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let value = inner.map_or_else(|| value.to_owned(), |inner| inner.replace("\\\"", "\""));
        Some((name.trim().to_ascii_lowercase(), value))
    });
    (word, parameters.collect())
}

/// What lies between the lines that are two dashes and `boundary`. The line end before such a line
/// belongs to it.
fn split<'a>(body: &'a [u8], boundary: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut begun = None;
    let mut at = 0;
    while at < body.len() {
        let rest = body.get(at..).unwrap_or_default();
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let line = rest.get(..end).unwrap_or_default().trim_ascii_end();
        let behind = line.strip_prefix(b"--").and_then(|line| line.strip_prefix(boundary));
        if let Some(behind @ (b"" | b"--")) = behind {
            if let Some(begun) = begun {
                let part = body.get(begun..at).unwrap_or_default();
                let part = part.strip_suffix(b"\n").unwrap_or(part);
                parts.push(part.strip_suffix(b"\r").unwrap_or(part));
            }
            if !behind.is_empty() {
                return parts;
            }
            begun = Some(at + end);
        }
        at += end;
    }
    parts.extend(begun.and_then(|begun| body.get(begun..)));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] = b"Content-Type: multipart/mixed; boundary=\"a;b\"\r\n\r\npreamble\r\n\
        --a;b\r\n\r\none\r\n--a;b\r\nContent-Type: message/rfc822\r\n\r\n\
        Content-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\ntwo\r\n--c\r\n\
        Content-Type: text/html\r\n\r\nthree\r\n--c--\r\n\r\n--a;b--\r\n";

    #[test]
    fn parts_are_found_by_their_numbers() {
        let message = Part::parse(MESSAGE);
        let body = |number: &[usize]| message.part(number).map(|part| part.body);
        assert_eq!(body(&[1]), Some(&b"one"[..]));
        assert_eq!(body(&[2, 1]), Some(&b"two"[..]));
        assert_eq!(body(&[2, 2]), Some(&b"three"[..]));
        assert_eq!(message.part(&[2, 2]).unwrap().subtype, "html");
        assert!(message.part(&[2]).unwrap().is_message());
        for none in [&[0][..], &[3], &[1, 1], &[2, 3], &[2, 1, 1]] {
            assert!(message.part(none).is_none(), "{none:?}");
        }
    }

    #[test]
    fn the_only_part_is_number_one() {
        let message = Part::parse(b"Subject: x\r\n\r\ntext");
        assert_eq!(message.part(&[1]).unwrap().body, b"text");
        assert!(message.part(&[2]).is_none() && message.part(&[1, 1]).is_none());
    }

    #[test]
    fn a_thousand_levels_are_no_trouble() {
        let deep = b"Content-Type: message/rfc822\r\n\r\n".repeat(1000);
        assert!(Part::parse(&deep).part(&[1; 20]).is_some());
    }
}
