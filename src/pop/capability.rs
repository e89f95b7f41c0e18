//! What the server offers (RFC 2449).

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

    /// Every line, unknown ones included.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// Whether `mechanism` can be tried: it is listed, or nothing is known of mechanisms at all.
    pub(crate) fn may_authenticate(&self, mechanism: &str) -> bool {
        !self.has("SASL") || self.mechanisms().any(|name| name.eq_ignore_ascii_case(mechanism))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
