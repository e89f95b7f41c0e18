//! A string as the server sent it.

use std::borrow::Cow;
use std::fmt;

/// A string in a response, as octets: mostly ASCII, at times UTF-8, at times neither. Header
/// strings still carry the encoded words of RFC 2047.
///
/// It borrows from the response, so reading one costs no allocation unless it holds a quotation
/// mark or a backslash that had to be escaped on the wire.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    raw: &'a [u8],
    escaped: bool,
}

impl<'a> Text<'a> {
    #[inline]
    pub(crate) const fn plain(raw: &'a [u8]) -> Self {
        Self { raw, escaped: false }
    }

    /// The inside of a quoted string; `escaped` if it holds `\"` or `\\`.
    #[inline]
    pub(crate) const fn quoted(raw: &'a [u8], escaped: bool) -> Self {
        Self { raw, escaped }
    }

    /// Whether it has no octets.
    pub const fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// Its octets.
    #[inline]
    pub fn to_bytes(&self) -> Cow<'a, [u8]> {
        if self.escaped { Cow::Owned(unescaped(self.raw)) } else { Cow::Borrowed(self.raw) }
    }

    /// Its octets as on the wire.
    pub(crate) const fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Its octets, if they lie on the wire as they are.
    pub(crate) const fn borrowed(&self) -> Option<&'a [u8]> {
        if self.escaped { None } else { Some(self.raw) }
    }

    /// Its octets as UTF-8, with U+FFFD where they are not.
    pub fn to_str_lossy(&self) -> Cow<'a, str> {
        match self.to_bytes() {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// Whether it is `other`, without regard to the case of ASCII letters.
    pub fn eq_ignore_ascii_case(&self, other: &str) -> bool {
        if let Some(octets) = self.borrowed() {
            return octets.eq_ignore_ascii_case(other.as_bytes());
        }
        self.octets()
            .map(|octet| octet.to_ascii_lowercase())
            .eq(other.bytes().map(|octet| octet.to_ascii_lowercase()))
    }

    /// The octets one by one, unescaped.
    fn octets(&self) -> impl Iterator<Item = u8> + use<'a> {
        let Self { mut raw, escaped } = *self;
        std::iter::from_fn(move || {
            let (octet, behind) = raw.split_first()?;
            raw = behind;
            match raw.split_first() {
                Some((next @ (b'"' | b'\\'), behind)) if escaped && *octet == b'\\' => {
                    raw = behind;
                    Some(*next)
                }
                _ => Some(*octet),
            }
        })
    }
}

/// The octets of a quoted string with escapes. A backslash before anything else than a quotation
/// mark or a backslash is an octet like any other.
fn unescaped(raw: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.iter().position(|octet| *octet == b'\\') {
        let (before, escape) = rest.split_at(at);
        octets.extend_from_slice(before);
        let ([_, octet @ (b'"' | b'\\'), behind @ ..] | [octet, behind @ ..]) = escape else {
            break;
        };
        octets.push(*octet);
        rest = behind;
    }
    octets.extend_from_slice(rest);
    octets
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.to_bytes().escape_ascii())
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.octets().eq(other.octets())
    }
}

impl Eq for Text<'_> {}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        self.octets().eq(other.bytes())
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_escaped_text_is_copied() {
        assert!(matches!(Text::plain(b"a\\b").to_bytes(), Cow::Borrowed(b"a\\b")));
        assert_eq!(Text::quoted(b"a\\\\b\\\"", true).to_bytes().as_ref(), b"a\\b\"");
    }

    #[test]
    fn texts_are_equal_by_their_octets_not_by_their_form_on_the_wire() {
        assert_eq!(Text::quoted(b"say \\\"hi\\\"", true), Text::plain(b"say \"hi\""));
        assert_eq!(Text::quoted(b"say \\\"hi\\\"", true), "say \"hi\"");
        assert!(Text::plain(b"base64").eq_ignore_ascii_case("BASE64"));
    }

    #[test]
    fn text_that_is_not_utf_8_is_shown_with_replacement_characters() {
        assert_eq!(Text::plain(b"G\xf6").to_str_lossy(), "G\u{fffd}");
        assert_eq!(format!("{:?}", Text::plain(b"G\xf6")), "\"G\\xf6\"");
    }
}
