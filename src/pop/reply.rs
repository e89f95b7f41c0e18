//! The server's status line.

use std::fmt;
use std::time::Duration;

use super::Capabilities;
use crate::fault::printable;

/// What a server said: `+OK` or `-ERR`, maybe a code, and text for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    ok: bool,
    code: Option<ResponseCode>,
    text: String,
}

/// A code in brackets that tells programs why (RFC 2449 section 8, RFC 3206).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseCode {
    /// `[IN-USE]`: the login was good, but another session holds the maildrop.
    InUse,
    /// `[LOGIN-DELAY]`: logging in again too soon.
    LoginDelay,
    /// `[SYS/TEMP]`: a fault of the server's that will pass.
    SysTemp,
    /// `[SYS/PERM]`: a fault of the server's that somebody must mend.
    SysPerm,
    /// `[AUTH]`: the credentials are to blame.
    Auth,
    /// `[UTF8]`: not without [`utf8`](crate::PopClient::utf8) (RFC 6856 section 5).
    Utf8,
    /// Any other.
    Other(String),
}

impl Reply {
    /// The size with which many servers begin the answer to RETR.
    pub(crate) fn octets(&self) -> Option<u64> {
        self.text.split(' ').next()?.parse().ok()
    }

    /// Reads a status line; nothing if it is none.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (status, rest) = line.split_at_checked(line.find(' ').unwrap_or(line.len()))?;
        let ok = match status.to_ascii_uppercase().as_str() {
            "+OK" => true,
            "-ERR" => false,
            _ => return None,
        };
        let rest = rest.trim();
        let (code, text) = match split_code(rest) {
            // RFC 2449 section 8: a code may follow -ERR, and +OK too; what stands in brackets
            // behind +OK may also be a host name in a greeting.
            Some((code, text)) if !ok => (Some(ResponseCode::parse(code)), text),
            _ => (None, rest),
        };
        Some(Self { ok, code, text: printable(text) })
    }

    /// Whether it is `+OK`.
    pub const fn is_ok(&self) -> bool {
        self.ok
    }

    /// The code of an `-ERR`.
    pub const fn code(&self) -> Option<&ResponseCode> {
        self.code.as_ref()
    }

    /// Whether the server refuses because this client asks too often or for too much: it logged in
    /// too recently (`LOGIN-DELAY`, RFC 2449 section 8.1.1), or it has had too much in a time. That
    /// passes; [`Retry::Later`](crate::Retry::Later) of the error says how long to wait, if the
    /// server does.
    pub fn is_throttled(&self) -> bool {
        // Those of the same services' IMAP.
        const PHRASES: [&str; 4] = [
            "request is throttled",
            "suggested backoff time",
            "bandwidth limit",
            "too many simultaneous connections",
        ];
        !self.ok
            && (self.code == Some(ResponseCode::LoginDelay)
                || PHRASES.iter().any(|phrase| self.says(phrase)))
    }

    /// Whether the server says that the access token has come to its end, in the words of Exchange's
    /// IMAP. Others refuse such a token like any bad one.
    pub fn is_token_expired(&self) -> bool {
        !self.ok && self.says("accesstokenexpired")
    }

    /// Whether the server says that it has hung up with this. Exchange ends so what it cannot read
    /// (`-ERR Protocol error. Connection is closed. 10`).
    pub(crate) fn announces_close(&self) -> bool {
        !self.ok && self.says("connection is closed")
    }

    /// Whether `phrase`, in lower case, is part of the text.
    pub(crate) fn says(&self, phrase: &str) -> bool {
        self.text.to_ascii_lowercase().contains(phrase)
    }

    /// The text behind status and code.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.ok { "+OK" } else { "-ERR" })?;
        if let Some(code) = &self.code {
            write!(f, " [{code}]")?;
        }
        if !self.text.is_empty() {
            write!(f, " {}", self.text)?;
        }
        Ok(())
    }
}

impl ResponseCode {
    /// Further levels of detail are ignored (RFC 2449 section 8).
    fn parse(code: &str) -> Self {
        let upper = code.to_ascii_uppercase();
        let mut levels = upper.split('/').map(str::trim);
        match (levels.next().unwrap_or_default(), levels.next()) {
            ("IN-USE", _) => Self::InUse,
            ("LOGIN-DELAY", _) => Self::LoginDelay,
            ("SYS", Some("TEMP")) => Self::SysTemp,
            ("SYS", Some("PERM")) => Self::SysPerm,
            ("AUTH", _) => Self::Auth,
            ("UTF8", _) => Self::Utf8,
            _ => Self::Other(printable(code)),
        }
    }

    /// Whether what it says will pass by itself.
    pub(crate) const fn is_temporary(&self) -> bool {
        matches!(self, Self::InUse | Self::LoginDelay | Self::SysTemp)
    }

    /// How long to wait until it has passed, if the server's capabilities say.
    pub(crate) fn wait(&self, offered: &Capabilities) -> Option<Duration> {
        offered.login_delay().filter(|_| *self == Self::LoginDelay)
    }
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InUse => "IN-USE",
            Self::LoginDelay => "LOGIN-DELAY",
            Self::SysTemp => "SYS/TEMP",
            Self::SysPerm => "SYS/PERM",
            Self::Auth => "AUTH",
            Self::Utf8 => "UTF8",
            Self::Other(code) => code,
        })
    }
}

fn split_code(text: &str) -> Option<(&str, &str)> {
    let (code, rest) = text.strip_prefix('[')?.split_once(']')?;
    Some((code, rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_line_has_a_status_maybe_a_code_and_text() {
        let reply = Reply::parse("-ERR [IN-USE] Do you have another POP session running?").unwrap();
        assert!(!reply.is_ok());
        assert_eq!(reply.code(), Some(&ResponseCode::InUse));
        assert_eq!(reply.text(), "Do you have another POP session running?");
        assert_eq!(reply.to_string(), "-ERR [IN-USE] Do you have another POP session running?");
    }

    #[test]
    fn codes_are_known_in_any_case_with_any_detail_and_unknown_ones_are_kept() {
        for (line, code) in [
            ("-ERR [in-use/other/session] x", ResponseCode::InUse),
            ("-ERR [LOGIN-DELAY]", ResponseCode::LoginDelay),
            ("-ERR [Sys/Temp] x", ResponseCode::SysTemp),
            ("-ERR [SYS/PERM/QUOTA] x", ResponseCode::SysPerm),
            ("-ERR [AUTH/EXPIRED] x", ResponseCode::Auth),
            ("-ERR [UTF8] x", ResponseCode::Utf8),
            ("-ERR [SYS] x", ResponseCode::Other("SYS".into())),
            ("-ERR [SYS/OTHER] x", ResponseCode::Other("SYS/OTHER".into())),
            ("-ERR [AUTHOR] x", ResponseCode::Other("AUTHOR".into())),
        ] {
            assert_eq!(Reply::parse(line).unwrap().code(), Some(&code), "{line}");
        }
    }

    #[test]
    fn the_brackets_of_an_exchange_greeting_are_no_code() {
        let line = "+OK The Microsoft Exchange POP3 service is ready. [TQBXAEgA]";
        let reply = Reply::parse(line).unwrap();
        assert!(reply.is_ok() && reply.code().is_none());
        assert_eq!(reply.to_string(), line);
    }

    #[test]
    fn a_status_may_stand_alone_and_in_lower_case() {
        assert_eq!(Reply::parse("+ok").unwrap().to_string(), "+OK");
        assert_eq!(Reply::parse("-ERR").unwrap().text(), "");
    }

    #[test]
    fn anything_else_is_no_status_line() {
        for line in ["", "+", "+OKAY", "OK", "* OK hi", "250 OK"] {
            assert_eq!(Reply::parse(line), None, "{line}");
        }
    }
}
