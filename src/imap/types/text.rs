//! A string as the server sent it.

use std::borrow::Cow;
use std::fmt;

use super::span::Span;

/// A string in a response, as octets: mostly ASCII, at times UTF-8, at times neither. Header
/// strings still carry the encoded words of RFC 2047.
///
/// It borrows from the response, so reading one costs no allocation unless it holds a quotation
/// mark or a backslash that had to be escaped on the wire.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    /// The response it lies in, or its octets on the wire alone.
    frame: &'a [u8],
    /// Where it lies in the response. It is looked up when somebody asks for the octets, of which
    /// many want no more than one or two strings.
    place: Span,
}

impl<'a> Text<'a> {
    /// All of `raw`.
    #[inline]
    pub(crate) const fn plain(raw: &'a [u8]) -> Self {
        Self { frame: raw, place: Span::NONE }
    }

    /// The inside of a quoted string; `escaped` if it holds `\"` or `\\`.
    #[inline]
    pub(crate) const fn quoted(raw: &'a [u8], escaped: bool) -> Self {
        Self { frame: raw, place: if escaped { Span::ESCAPED } else { Span::NONE } }
    }

    /// What lies somewhere in a response.
    #[inline]
    pub(crate) const fn at(place: Span, frame: &'a [u8]) -> Self {
        Self { frame, place }
    }

    /// Whether it has no octets.
    pub fn is_empty(&self) -> bool {
        self.raw().is_empty()
    }

    /// Its octets.
    #[inline]
    pub fn to_bytes(&self) -> Cow<'a, [u8]> {
        match self.borrowed() {
            Some(octets) => Cow::Borrowed(octets),
            None => Cow::Owned(unescaped(self.raw())),
        }
    }

    /// Its octets as on the wire.
    pub(crate) fn raw(&self) -> &'a [u8] {
        if self.place.is_none() { self.frame } else { self.place.unmarked().octets(self.frame) }
    }

    /// Its octets, if they lie on the wire as they are.
    #[inline]
    pub(crate) fn borrowed(&self) -> Option<&'a [u8]> {
        if self.place.is_none() {
            return (self.place == Span::NONE).then_some(self.frame);
        }
        self.place.plain(self.frame)
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
        let (mut raw, escaped) = (self.raw(), self.borrowed().is_none());
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
    while let [b'\\', octet @ (b'"' | b'\\'), behind @ ..] | [octet, behind @ ..] = rest {
        octets.push(*octet);
        rest = behind;
    }
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
