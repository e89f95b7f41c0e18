//! A line as its characters, whatever they are written in: escapes of octets, the percent form of
//! `@`, and in IMAP the modified UTF-7 of mailbox names (RFC 3501 section 5.1.3).

use std::fmt::Write as _;
use std::ops::Range;

use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// A character, and where in the line it stands.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) char: char,
    pub(super) at: Range<usize>,
}

/// Octets as text: what is no UTF-8 and what is a control character as `\x` and two digits.
pub(super) fn escaped(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    for chunk in octets.utf8_chunks() {
        let mut before = None;
        for char in chunk.valid().chars() {
            if before == Some('\\') && char == 'x' {
                // It would read as an escape.
                text.push_str("x5cx");
            } else if char.is_control() {
                for octet in char.to_string().bytes() {
                    let _ = write!(text, "\\x{octet:02x}");
                }
            } else {
                text.push(char);
            }
            before = Some(char);
        }
        for octet in chunk.invalid() {
            let _ = write!(text, "\\x{octet:02x}");
        }
    }
    text
}

/// The characters of an escaped line. `utf7`: it may hold names of mailboxes in modified UTF-7.
pub(super) fn characters(line: &str, utf7: bool) -> Vec<Seen> {
    let mut seen = Vec::with_capacity(line.len());
    let mut at = 0;
    while let Some(char) = line[at..].chars().next() {
        let rest = &line[at..];
        let shifted = if utf7 && char == '&' { shifted(rest) } else { None };
        if let Some((chars, octets)) = shifted {
            // All of it stands for each.
            seen.extend(chars.chars().map(|char| Seen { char, at: at..at + octets }));
            at += octets;
            continue;
        }
        let (char, octets) = match char {
            '\\' => escape(rest).map_or((char, 1), |octet| (octet, 4)),
            '%' if rest.starts_with("%40") => ('@', 3),
            _ => (char, char.len_utf8()),
        };
        seen.push(Seen { char, at: at..at + octets });
        at += octets;
    }
    seen
}

/// An escaped octet: a character, or what is one in no name.
fn escape(text: &str) -> Option<char> {
    let digits = text.strip_prefix("\\x")?.get(..2)?;
    let octet = u8::from_str_radix(digits, 16).ok()?;
    if octet.is_ascii_graphic() {
        Some(octet.into())
    } else {
        char::from_u32(0xF700 + u32::from(octet))
    }
}

/// What `&…-` at the start of `text` stands for, and its length.
fn shifted(text: &str) -> Option<(String, usize)> {
    // Nothing is looked at twice, however many `&` there are.
    let base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | ',');
    let inside = text.get(1..)?.split(|c| !base64(c)).next()?;
    let end = 1 + inside.len();
    if inside.is_empty() || !text[end..].starts_with('-') {
        return None;
    }
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let octets = GeneralPurpose::new(&IMAP_MUTF7, config).decode(inside).ok()?;
    let units = octets.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let decoded: String = char::decode_utf16(units).collect::<Result<_, _>>().ok()?;
    (!decoded.is_empty()).then_some((decoded, end + 1))
}
