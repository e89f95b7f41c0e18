//! What a peer can do wrong, whatever the protocol.

use crate::{Misuse, Retry};

/// The server broke the rules of its protocol, so that what it says next cannot be trusted to
/// belong to what was asked. The connection is unusable afterwards.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A line grew beyond the limit set in [`Limits`](crate::Limits).
    #[error("the server sent a line of more than {limit} octets")]
    LineTooLong {
        /// The limit in octets.
        limit: usize,
    },
    /// A response of many lines, or one with literals, grew beyond its limit.
    #[error("the server sent a response of more than {limit} {unit}")]
    ResponseTooLong {
        /// The limit.
        limit: u64,
        /// What is counted: `octets` or `lines`.
        unit: &'static str,
    },
    /// Something that is not an answer to what was asked.
    #[error("expected {expected}, the server sent `{got}`")]
    Unexpected {
        /// What the protocol allows here.
        expected: &'static str,
        /// What came, cut to a readable length.
        got: String,
    },
    /// The server goes on challenging after the SASL exchange has ended.
    #[error("the server keeps sending SASL challenges after the exchange has ended")]
    EndlessChallenge,
    /// Octets arrived in clear text behind the answer to STARTTLS or STLS. They may come from an
    /// attacker between us and the server (RFC 3207 section 6, CVE-2011-0411).
    #[error("the server sent {octets} octets between its answer to STARTTLS and the TLS handshake")]
    BytesBeforeTls {
        /// How many.
        octets: usize,
    },
    /// TLS at a port that was to begin in clear text. A server waits there for the client's
    /// handshake, so that this is rarely heard before the deadline of the greeting.
    #[error("the server speaks TLS from the start, where a greeting in clear text was expected")]
    TlsFromTheStart,
    /// What comes is no deflate stream, although compression was switched on (RFC 4978).
    #[error("the compressed stream of the server is damaged")]
    DamagedDeflate,
    /// A compressed stream grows beyond [`Limits::inflated`](crate::Limits::inflated).
    #[error("{received} octets of a compressed stream have become more than {limit}")]
    InflatedTooFar {
        /// Octets received.
        received: u64,
        /// How far they may grow.
        limit: u64,
    },
    /// A session in clear text was greeted as already authenticated, which would skip STARTTLS
    /// (RFC 9051 section 7.1.4).
    #[error("the server greeted a clear-text connection with PREAUTH")]
    PreauthInClearText,
}

impl Fault {
    /// What to do next.
    pub(crate) const fn retry(&self) -> Retry {
        match self {
            Self::TlsFromTheStart => Retry::Never,
            _ => Retry::Reconnect,
        }
    }

    /// An [`Unexpected`](Self::Unexpected) that quotes at most 200 octets.
    pub(crate) fn unexpected(expected: &'static str, got: &[u8]) -> Self {
        const QUOTED: usize = 200;
        let mut text = printable(&String::from_utf8_lossy(&got[..got.len().min(QUOTED)]));
        if got.len() > QUOTED {
            text.push('…');
        }
        Self::Unexpected { expected, got: text }
    }
}

/// A peer's words without control characters, which would garble the log or terminal they end up
/// in.
pub(crate) fn printable(words: &str) -> String {
    let visible = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    words.chars().map(visible).collect()
}

/// A line that must not be written. Nothing of it has been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unwritable {
    /// CR, LF or NUL would end the line early and start another command.
    #[error("a CR, LF or NUL inside a command")]
    LineBreak,
    /// The connection is not encrypted.
    #[error("a secret on a clear-text connection")]
    SecretInClearText,
}

impl Unwritable {
    /// The caller's mistake behind it; `what` holds the offending octet.
    pub(crate) const fn in_argument(self, what: &'static str) -> Misuse {
        match self {
            Self::LineBreak => Misuse::LineBreak { what },
            Self::SecretInClearText => Misuse::SecretInClearText,
        }
    }
}

/// Characters that nobody sees, or that make others be seen elsewhere: controls, line and paragraph
/// separators, directional marks, joiners and tags. Text with them is not what it looks like.
#[cfg(feature = "diagnosis")]
pub(crate) fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}
