//! A status response as users and errors see it.

use std::fmt;
use std::time::Duration;

use crate::fault::printable;
use crate::secret::Scrubber;

use super::proto::response::Condition;
use super::{Code, Status};

/// What a server said: `OK`, `NO`, `BAD`, `PREAUTH` or `BYE`, maybe a response code, and text for
/// people. Tokens and passwords that it may have echoed are taken out, control characters replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    status: Status,
    /// The code, and the code as sent for showing it.
    code: Option<Box<(Code, String)>>,
    text: String,
}

impl Reply {
    pub(crate) fn new(condition: &Condition<'_>, scrubber: &Scrubber) -> Self {
        let code = condition.code.map(|code| {
            let text = printable(&scrubber.clean_str(code));
            Box::new((Code::parse(text.as_bytes()), text))
        });
        Self {
            status: condition.status,
            code,
            text: printable(&scrubber.clean_str(condition.text)),
        }
    }

    /// Octets it holds.
    pub(crate) fn octets(&self) -> usize {
        // The code is there twice: as it came, and as it was read.
        self.text.len() + self.code.as_ref().map_or(0, |code| 2 * code.1.len())
    }

    /// How it went.
    pub const fn status(&self) -> Status {
        self.status
    }

    /// The response code, if there is one.
    pub fn code(&self) -> Option<&Code> {
        self.code.as_ref().map(|code| &code.0)
    }

    /// The text behind status and code; it may be empty.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it grants what was asked. An `OK` of Exchange may hold an error: a proxy that
    /// could not reach the mailbox server says `OK [Error="…"] AUTHENTICATE completed.`
    /// (net-imap#597).
    pub(crate) fn grants(&self) -> bool {
        self.status == Status::Ok && !self.says_not_connected()
    }

    /// Exchange says so, in any status, when the token is good and the mailbox is not: since 2019
    /// in the answer to the first command, since 2026 at AUTHENTICATE too.
    pub(crate) fn says_not_connected(&self) -> bool {
        self.says("authenticated but not connected")
            || self.status == Status::Ok
                && matches!(self.code(), Some(Code::Other { name, .. })
                    if name.get(..6).is_some_and(|name| name.eq_ignore_ascii_case("Error=")))
    }

    /// Whether the server says that the access token has come to its end. Exchange Online ends a
    /// session when the token expires that opened it: `BYE Session invalidated -
    /// AccessTokenExpired` (aioimaplib#83). The code `EXPIRED` (RFC 5530) says it of a token, or of a
    /// password, at the login. Others refuse such a token like any bad one.
    pub fn is_token_expired(&self) -> bool {
        self.status != Status::Ok
            && (self.says("accesstokenexpired") || self.code() == Some(&Code::Expired))
    }

    /// Whether the server refuses because this client asks too often or for too much: commands,
    /// octets or connections in a time. That passes; [`Retry::Later`](crate::Retry::Later) of the
    /// error says how long to wait, if the server does. Exchange Online and Gmail throttle so.
    pub fn is_throttled(&self) -> bool {
        self.status != Status::Ok && self.throttled().is_some()
    }

    /// Exchange cannot reach what is behind it: `NO Server Unavailable. 15`.
    pub(crate) fn says_unavailable(&self) -> bool {
        self.says("server unavailable")
    }

    /// How long a server wants to be left alone. Exchange Online: `BAD Request is throttled.
    /// Suggested Backoff Time: 92415 milliseconds`; Gmail: `NO [THROTTLED] …`, `NO [OVERQUOTA]
    /// Account exceeded command or bandwidth limits.`, which is no matter of the quota, and `NO
    /// [ALERT] Too many simultaneous connections.` Inside, `None` if it does not say how long; never more
    /// than a day, whatever it says.
    pub(crate) fn throttled(&self) -> Option<Option<Duration>> {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        let text = self.text.to_ascii_lowercase();
        let time = text.split_once("suggested backoff time:").map(|(_, time)| time.trim_start());
        let phrases =
            ["request is throttled", "bandwidth limit", "too many simultaneous connections"];
        let coded = matches!(self.code(), Some(Code::Other { name, .. })
            if name.eq_ignore_ascii_case("THROTTLED"));
        if time.is_none() && !coded && !phrases.iter().any(|phrase| text.contains(phrase)) {
            return None;
        }
        let digits = time.unwrap_or_default().split(|c: char| !c.is_ascii_digit()).next();
        let digits = digits.filter(|digits| !digits.is_empty());
        // Digits that are no number make one too large.
        let milliseconds = digits.map(|digits| digits.parse().unwrap_or(u64::MAX));
        Some(milliseconds.map(|milliseconds| Duration::from_millis(milliseconds).min(DAY)))
    }

    /// Whether the text holds this phrase, given in lower case.
    pub(crate) fn says(&self, phrase: &str) -> bool {
        self.text.to_ascii_lowercase().contains(phrase)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.status.as_str())?;
        if let Some(code) = &self.code {
            write!(f, " [{}]", code.1)?;
        }
        if !self.text.is_empty() {
            write!(f, " {}", self.text)?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::imap::proto::response::Response;

    /// The reply in a tagged or untagged status line.
    pub(crate) fn reply(line: &str) -> Reply {
        match Response::parse(line.as_bytes()) {
            Response::Tagged { condition, .. } | Response::Status(condition) => {
                Reply::new(&condition, &Scrubber::default())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_reply_shows_as_the_server_sent_it() {
        for line in ["NO [UNAVAILABLE] down", "BYE", "OK [x] ", "BAD no such command"] {
            assert_eq!(reply(&format!("* {line}")).to_string(), line.trim_end());
        }
    }

    #[test]
    fn an_ok_that_means_failure_grants_nothing() {
        let proxy = "A1 OK [Error=\"Failed to connect: WrongServerException\" \
            Proxy=AM0PR0.EURPRD0.PROD.OUTLOOK.COM:1993:SSL] AUTHENTICATE completed.";
        assert!(!reply(proxy).grants());
        assert!(!reply("A1 OK User is authenticated but not connected.").grants());
        assert!(reply("A1 OK [CAPABILITY IMAP4rev1] AUTHENTICATE completed.").grants());
        assert!(!reply("A1 NO AUTHENTICATE failed.").says_not_connected());
        assert!(reply("A1 BAD User is authenticated but not connected").says_not_connected());
    }

    #[test]
    fn a_throttle_tells_its_time() {
        let text = "A1 BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds";
        assert_eq!(reply(text).throttled(), Some(Some(Duration::from_millis(92_415))));
        assert_eq!(reply("A1 BAD Request is throttled.").throttled(), Some(None));
        assert_eq!(reply("A1 BAD Command Argument Error. 11").throttled(), None);
        for time in ["99999999999", "99999999999999999999999999"] {
            let text = format!("A1 BAD Request is throttled. Suggested Backoff Time: {time} ms");
            assert_eq!(reply(&text).throttled(), Some(Some(Duration::from_secs(86_400))));
        }
    }

    #[test]
    fn control_characters_are_replaced() {
        let reply = reply("* BYE [\x1b[2J x\0] a\rb\x07\nc");
        let shown = format!("{reply} {:?} {}", reply.code(), reply.text());
        assert!(!shown.contains(char::is_control), "{shown:?}");
        assert_eq!(reply.text(), "a\u{fffd}b\u{fffd}\u{fffd}c");
    }

    #[test]
    fn an_echoed_token_is_taken_out() {
        let mut scrubber = Scrubber::default();
        scrubber.learn(b"EwBAAl3BAAUFFpUAo7J3Ve0b");
        let condition = Condition {
            status: Status::No,
            code: Some(b"X EwBAAl3BAAUFFpUAo7J3Ve0b"),
            text: b"bad token EwBAAl3BAAUFFpUAo7J3Ve0b",
        };
        let reply = Reply::new(&condition, &scrubber);
        assert!(!format!("{reply} {reply:?}").contains("EwBAAl3B"));
    }
}
