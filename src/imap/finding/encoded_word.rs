//! Encoded words in header fields, RFC 2047.
//!
//! Known are UTF-8, US-ASCII, ISO-8859-1 and windows-1252. A word in another charset is left as it
//! is: such words are alike if they are written alike.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What windows-1252 has from 0x80 on, where ISO-8859-1 has control characters.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// The text with its encoded words decoded, and U+FFFD for what is no text.
pub(crate) fn decode(text: &[u8]) -> Cow<'_, str> {
    if memchr::memmem::find(text, b"=?").is_none() {
        return String::from_utf8_lossy(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut behind_word = false;
    while let Some(start) = memchr::memmem::find(rest, b"=?") {
        let (before, word) = rest.split_at(start);
        let Some((octets, after)) = encoded_word(word) else {
            let (mark, after) = word.split_at(2);
            decoded.extend_from_slice(before);
            decoded.extend_from_slice(mark);
            (rest, behind_word) = (after, false);
            continue;
        };
        // Section 6.2: the space between two words is none of the text. A character may begin in
        // one and end in the next.
        if !(behind_word && before.iter().all(u8::is_ascii_whitespace)) {
            decoded.extend_from_slice(before);
        }
        decoded.extend(octets);
        (rest, behind_word) = (after, true);
    }
    decoded.extend_from_slice(rest);
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

/// The encoded word that begins here as UTF-8, and what is behind it.
fn encoded_word(word: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut parts = word.get(2..)?.splitn(4, |octet| *octet == b'?');
    let (charset, encoding, text) = (parts.next()?, parts.next()?, parts.next()?);
    let after = parts.next()?.strip_prefix(b"=")?;
    // RFC 2231 section 5: a language may stand behind the charset.
    let charset = charset.split(|octet| *octet == b'*').next()?.to_ascii_lowercase();
    let octets = match encoding {
        b"q" | b"Q" => quoted(text),
        b"b" | b"B" => {
            let text: Vec<u8> = text.iter().copied().filter(|c| !c.is_ascii_whitespace()).collect();
            BASE64.decode(text).ok()?
        }
        _ => return None,
    };
    let octets = match charset.as_slice() {
        b"utf-8" | b"utf8" | b"us-ascii" => octets,
        b"iso-8859-1" => to_utf8(&octets, char::from),
        b"windows-1252" => to_utf8(&octets, |octet| {
            let at = usize::from(octet).checked_sub(0x80);
            at.and_then(|at| WINDOWS_1252.get(at).copied()).unwrap_or_else(|| char::from(octet))
        }),
        _ => return None,
    };
    Some((octets, after))
}

/// Section 4.2. What is no octet in hexadecimal stands for itself.
fn quoted(text: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((octet, after)) = rest.split_first() {
        rest = after;
        let escaped = match (octet, after) {
            (b'=', [high, low, behind @ ..]) => hexadecimal(*high)
                .zip(hexadecimal(*low))
                .map(|(high, low)| (16 * high + low, behind)),
            _ => None,
        };
        match escaped {
            Some((octet, behind)) => {
                octets.push(octet);
                rest = behind;
            }
            None => octets.push(if *octet == b'_' { b' ' } else { *octet }),
        }
    }
    octets
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn to_utf8(octets: &[u8], character: impl Fn(u8) -> char) -> Vec<u8> {
    octets.iter().map(|octet| character(*octet)).collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_rfc_2047_are_decoded() {
        for (text, expected) in [
            ("=?US-ASCII?Q?Keith_Moore?=", "Keith Moore"),
            ("=?ISO-8859-1?Q?Andr=E9?= Pirard", "André Pirard"),
            (
                "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n =?ISO-8859-1?B?dSB1bmRlcnN0YW5k?= it",
                "If you can read this you understand it",
            ),
            ("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a?= b", "a b"),
            ("=?ISO-8859-1?Q?a_b?=", "a b"),
        ] {
            assert_eq!(decode(text.as_bytes()), expected);
        }
    }

    #[test]
    fn a_character_may_be_divided_between_words_and_what_is_no_word_is_left() {
        for (text, expected) in [
            ("=?utf-8?b?w?= =?utf-8?b?vw==?=", "=?utf-8?b?w?= \u{fffd}"),
            ("=?utf-8?q?=C3?= =?UTF-8*en?q?=BC?=", "ü"),
            ("=?windows-1252?q?=80_=FC?=", "€ ü"),
            ("=?koi8-r?q?=C1?=", "=?koi8-r?q?=C1?="),
            ("a =? b ?= =?x?", "a =? b ?= =?x?"),
            ("=?utf-8?q?=4_=zz?=", "=4 =zz"),
        ] {
            assert_eq!(decode(text.as_bytes()), expected);
        }
        assert_eq!(decode(b"caf\xe9"), "caf\u{fffd}");
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(octets: Vec<u8>, text in "(=\\?|\\?=|utf-8|[?qb=A-Z0-9_ ]){0,30}") {
            let _ = (decode(&octets), decode(text.as_bytes()));
        }
    }
}
