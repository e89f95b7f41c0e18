//! The content of a message to be sent.

use bytes::Bytes;
use memchr::{memchr_iter, memchr2};

use super::headers;

/// A message: header, empty line, text. Bytes in, bytes out; this crate reads none of it.
///
/// Made from byte slices, strings, vectors and [`Bytes`], so [`send`](crate::SmtpClient::send) takes
/// any of them as they are.
///
/// Octets above 127 are declared to a server with 8BITMIME (RFC 6152), and sent as they are to one
/// without: there are few of those, and they let them pass.
///
/// Line ends become CRLF on the wire, and a final one is added if the message has none: SMTP knows
/// no other (RFC 5321 section 2.3.8). That includes a bare CR and a bare LF anywhere. A server that
/// took one for a line end could otherwise be made to see the end of this message, and another
/// one behind it, where somebody wrote `LF . LF` into a text.
#[derive(Debug)]
pub struct Body<'a> {
    content: Content<'a>,
}

#[derive(Debug)]
enum Content<'a> {
    Lent(&'a [u8]),
    Owned(Vec<u8>),
    Shared(Bytes),
}

impl Body<'_> {
    /// The whole content, before line ends and dots are seen to.
    pub(crate) fn octets(&self) -> &[u8] {
        match &self.content {
            Content::Lent(octets) => octets,
            Content::Owned(octets) => octets,
            Content::Shared(octets) => octets,
        }
    }

    /// The size to declare (RFC 1870): octets with CRLF line ends and without stuffed dots.
    ///
    /// Exact for messages whose line ends are all of one kind, and too low by at most the number of
    /// lines for others, which section 6 of the RFC allows for.
    pub(crate) fn declared_size(&self) -> u64 {
        let octets = self.octets();
        let first_end = memchr2(b'\r', b'\n', octets).and_then(|end| octets.get(end..));
        let to_be_completed = match first_end {
            None | Some([b'\r', b'\n', ..]) => 0,
            Some([b'\n', ..]) => memchr_iter(b'\n', octets).count(),
            Some(_) => memchr_iter(b'\r', octets).count(),
        };
        let last = if matches!(octets.last(), None | Some(b'\r' | b'\n')) { 0 } else { 2 };
        (octets.len() + to_be_completed + last) as u64
    }

    /// Whether the header is UTF-8 beyond ASCII, so that the server must be told (RFC 6531).
    pub(crate) fn has_utf8_header(&self) -> bool {
        self.has_eight_bit() && headers::is_utf8(self.octets())
    }

    /// Whether an octet is above 127, so that the server must be told (RFC 6152).
    pub(crate) fn has_eight_bit(&self) -> bool {
        !self.octets().is_ascii()
    }
}

impl<'a> From<&'a [u8]> for Body<'a> {
    fn from(octets: &'a [u8]) -> Self {
        Self { content: Content::Lent(octets) }
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Body<'a> {
    fn from(octets: &'a [u8; N]) -> Self {
        Self::from(octets.as_slice())
    }
}

impl<'a> From<&'a Vec<u8>> for Body<'a> {
    fn from(octets: &'a Vec<u8>) -> Self {
        Self::from(octets.as_slice())
    }
}

impl<'a> From<&'a str> for Body<'a> {
    fn from(text: &'a str) -> Self {
        Self::from(text.as_bytes())
    }
}

impl<'a> From<&'a String> for Body<'a> {
    fn from(text: &'a String) -> Self {
        Self::from(text.as_bytes())
    }
}

impl From<Vec<u8>> for Body<'_> {
    fn from(octets: Vec<u8>) -> Self {
        Self { content: Content::Owned(octets) }
    }
}

impl From<String> for Body<'_> {
    fn from(text: String) -> Self {
        Self::from(text.into_bytes())
    }
}

impl From<Bytes> for Body<'_> {
    fn from(octets: Bytes) -> Self {
        Self { content: Content::Shared(octets) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::dot::Stuffer;

    fn on_the_wire(content: &[u8]) -> Vec<u8> {
        let mut stuffer = Stuffer::new();
        let mut wire = Vec::new();
        stuffer.stuff(content, &mut wire);
        stuffer.finish(&mut wire);
        wire
    }

    #[test]
    fn everything_that_holds_octets_is_a_body() {
        let (vector, string) = (b"a\r\n".to_vec(), String::from("a\r\n"));
        let bodies: [Body<'_>; 8] = [
            b"a\r\n".into(),
            b"a\r\n".as_slice().into(),
            (&vector).into(),
            "a\r\n".into(),
            (&string).into(),
            string.clone().into(),
            vector.clone().into(),
            Bytes::from_static(b"a\r\n").into(),
        ];
        for body in bodies {
            assert_eq!(body.octets(), b"a\r\n");
        }
    }

    #[test]
    fn the_declared_size_is_what_goes_out_without_dots() {
        for content in ["", "\r\n", "a", "a\r\nb", "a\nb\n", "a\r\nb\r\n", "a\rb\r", "\n\n\nx"] {
            let wire = on_the_wire(content.as_bytes());
            let sent = wire.len() - ".\r\n".len();
            assert_eq!(Body::from(content).declared_size(), sent as u64, "{content:?}");
        }
        assert_eq!(Body::from("..\r\n").declared_size(), 4);
    }

    #[test]
    fn octets_above_127_are_noticed() {
        assert!(!Body::from("plain\x7f").has_eight_bit());
        assert!(Body::from(b"caf\xe9").has_eight_bit());
    }
}
