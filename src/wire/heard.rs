//! What was read and written, as the trace and the recorder are told of it.

use std::borrow::Cow;

/// Something that the peer said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A line, without its end.
    Line(Vec<u8>),
    /// What is said of octets that are no line.
    #[cfg(feature = "proxy")]
    Note(String),
    /// The lines of a POP3 listing, unstuffed, each with its end, but not the dot.
    Listing(Vec<u8>),
    /// A POP3 message of so many octets, unstuffed, and the dot behind it.
    Message(u64),
    /// An IMAP response, or the rest of one, with its line end: text and literals in turn.
    Response {
        /// Whether it is the beginning of one.
        begins: bool,
        /// The text before each literal, up to the line end behind its length, and the octets of
        /// the literal; of the last text, nothing.
        parts: Vec<(Vec<u8>, Option<u64>)>,
    },
}

impl Heard {
    /// Takes the literals out of a response. `literals`: there may be some.
    pub(crate) fn response(
        frame: &[u8],
        begins: bool,
        literals: bool,
        announced: impl Fn(&[u8]) -> Option<u64>,
    ) -> Self {
        let mut parts = Vec::new();
        let (mut text, mut rest) = (Vec::new(), frame);
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let line = &rest[..end];
            text.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
            rest = &rest[end + 1..];
            if let Some(octets) = literals.then(|| announced(line)).flatten() {
                parts.push((std::mem::take(&mut text), Some(octets)));
                rest = rest.get(octets as usize..).unwrap_or_default();
            }
        }
        if !text.is_empty() || parts.is_empty() {
            parts.push((text, None));
        }
        Self::Response { begins, parts }
    }

    /// The lines that the trace shows: content by its length only.
    pub(crate) fn shown(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Line(text) => text.into(),
            #[cfg(feature = "proxy")]
            Self::Note(text) => text.as_bytes().into(),
            Self::Listing(text) => text.trim_ascii_end().into(),
            Self::Message(octets) => format!("[message, {octets} octets]").into_bytes().into(),
            Self::Response { parts, .. } => {
                let mut shown = Vec::new();
                for (text, literal) in parts {
                    shown.extend_from_slice(text);
                    if literal.is_some() {
                        shown.extend_from_slice("[…]".as_bytes());
                    }
                }
                shown.into()
            }
        }
    }
}

/// Something that the client wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// Text of commands, with line ends.
    Text(Vec<u8>),
    /// A secret of so many octets.
    Secret(usize),
    /// A message or a literal of so many octets, or a part of it.
    Content(usize),
    /// So many octets of what was said last were taken back before they left.
    TakenBack(usize),
}

/// The lines that the trace shows: secrets and content by their length.
pub(crate) fn lines(said: &[Said]) -> Vec<String> {
    let mut text = Vec::new();
    for said in said {
        match said {
            Said::Text(octets) => text.extend_from_slice(octets),
            Said::Secret(octets) => text.extend(format!("[secret, {octets} octets]").bytes()),
            Said::Content(octets) => text.extend(format!("[content, {octets} octets]\n").bytes()),
            Said::TakenBack(octets) => {
                text.extend(format!("[{octets} octets taken back]\n").bytes())
            }
        }
    }
    let text = String::from_utf8_lossy(&text);
    text.split_terminator('\n').map(|line| line.trim_end_matches('\r').to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_text_and_literals_in_turn() {
        let announced = |line: &[u8]| line.ends_with(b"{5}\r").then_some(5);
        let frame = b"* 1 FETCH (BODY[] {5}\r\na\r\nb\n UID 7)\r\n";
        let heard = Heard::response(frame, true, true, announced);
        let parts = vec![(b"* 1 FETCH (BODY[] {5}".to_vec(), Some(5)), (b" UID 7)".to_vec(), None)];
        assert_eq!(heard, Heard::Response { begins: true, parts });
        assert_eq!(heard.shown().as_ref(), "* 1 FETCH (BODY[] {5}[…] UID 7)".as_bytes());
    }
}
