//! What the server offers (RFC 2449).

use std::time::Duration;

/// The answer to CAPA: keywords with their arguments, as the server wrote them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    lines: Vec<String>,
}

impl Capabilities {
    pub(crate) fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        Self {
            lines: text
                .lines()
                .map(str::trim)
                .filter(|l| !l.is_empty())
                .map(str::to_owned)
                .collect(),
        }
    }

    /// Whether `keyword` is offered, in any case: `TOP`, `UIDL`, `PIPELINING`, `STLS`, …
    pub fn has(&self, keyword: &str) -> bool {
        self.arguments(keyword).is_some()
    }

    /// What stands behind a keyword: `EXPIRE` gives `0` or `NEVER`.
    pub fn arguments(&self, keyword: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            word.eq_ignore_ascii_case(keyword).then(|| rest.trim())
        })
    }

    /// The SASL mechanisms offered.
    pub fn mechanisms(&self) -> impl Iterator<Item = &str> {
        self.arguments("SASL").unwrap_or_default().split_ascii_whitespace()
    }

    /// How long messages stay on the server (EXPIRE, section 6.7). Before the login a server
    /// may name the shortest time that any of its users has.
    pub fn expire(&self) -> Option<Expire> {
        let after = self.arguments("EXPIRE")?.split_ascii_whitespace().next()?;
        if after.eq_ignore_ascii_case("NEVER") {
            return Some(Expire::Never);
        }
        after.parse().ok().map(Expire::Days)
    }

    /// How long the server wants a user to wait between two logins (LOGIN-DELAY, section 6.5). One
    /// that comes sooner may be refused with
    /// [`ResponseCode::LoginDelay`](super::ResponseCode::LoginDelay).
    pub fn login_delay(&self) -> Option<Duration> {
        let seconds = self.arguments("LOGIN-DELAY")?.split_ascii_whitespace().next()?;
        seconds.parse().ok().map(Duration::from_secs)
    }

    /// What the server says it is (IMPLEMENTATION, section 6.9).
    pub fn implementation(&self) -> Option<&str> {
        self.arguments("IMPLEMENTATION").filter(|text| !text.is_empty())
    }

    /// Every line, unknown ones included.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// Whether `mechanism` can be tried: it is listed, or nothing is known of mechanisms at all.
    pub(crate) fn may_authenticate(&self, mechanism: &str) -> bool {
        !self.has("SASL") || self.mechanisms().any(|name| name.eq_ignore_ascii_case(mechanism))
    }
}

/// How long messages stay on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expire {
    /// The server deletes nothing by itself.
    Never,
    /// They are kept for at least so many days. With 0 the server may delete what was read by
    /// RETR when the session ends by QUIT, as if it had been marked by DELE.
    Days(u32),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_nonsense_is_no_time() {
        let of = |lines: &str| Capabilities::parse(lines.as_bytes());
        let gmail = of("EXPIRE 0\r\nLOGIN-DELAY 300\r\nIMPLEMENTATION Gpop 1.0\r\n");
        assert_eq!(gmail.expire(), Some(Expire::Days(0)));
        assert_eq!(gmail.login_delay(), Some(Duration::from_secs(300)));
        assert_eq!(gmail.implementation(), Some("Gpop 1.0"));
        let by_user = of("expire 5 USER\r\nlogin-delay 60 USER\r\n");
        assert_eq!(by_user.expire(), Some(Expire::Days(5)));
        assert_eq!(by_user.login_delay(), Some(Duration::from_secs(60)));
        assert_eq!(of("EXPIRE never").expire(), Some(Expire::Never));
        for lines in ["", "EXPIRE\r\nLOGIN-DELAY\r\nIMPLEMENTATION", "EXPIRE -1\r\nLOGIN-DELAY x"] {
            let offered = of(lines);
            assert_eq!((offered.expire(), offered.login_delay()), (None, None), "{lines}");
            assert_eq!(offered.implementation(), None, "{lines}");
        }
    }

    #[test]
    fn keywords_are_found_in_any_case_and_unknown_ones_are_kept() {
        let offered =
            Capabilities::parse(b"TOP\r\nuidl\r\nSASL PLAIN XOAUTH2\r\nX-GOOGLE-RICO\r\n");
        assert!(offered.has("top") && offered.has("UIDL") && !offered.has("STLS"));
        assert!(offered.mechanisms().eq(["PLAIN", "XOAUTH2"]));
        assert!(offered.iter().any(|line| line == "X-GOOGLE-RICO"));
        assert!(offered.may_authenticate("xoauth2") && !offered.may_authenticate("LOGIN"));
    }

    #[test]
    fn a_server_without_a_list_of_mechanisms_may_be_tried() {
        assert!(Capabilities::default().may_authenticate("XOAUTH2"));
    }
}
