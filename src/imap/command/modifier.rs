//! What an extension adds to a command: modifiers and parameters (RFC 4466 sections 2.1 to 2.5), and
//! what the server must offer for them.
//!
//! ```text
//! C: A3 SELECT INBOX (CONDSTORE)
//! C: A4 UID STORE 6 (UNCHANGEDSINCE 12121230045) +FLAGS (\Seen)
//! C: A5 UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345 VANISHED)
//! ```

use crate::Misuse;
use crate::imap::Capabilities;
use crate::imap::proto::encode::Line;

/// What a server must offer. Some answer wrongly, not with BAD, to what they do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    /// As errors name it.
    pub(crate) what: &'static str,
    /// Capabilities of which any announces it.
    any_of: &'static [&'static str],
    /// ENABLE has to have brought it.
    enabled: bool,
}

impl Need {
    /// Any of these capabilities; the first gives it its name.
    pub(crate) const fn offered(any_of: &'static [&'static str]) -> Self {
        let what = match any_of.first() {
            Some(first) => first,
            None => "",
        };
        Self { what, any_of, enabled: false }
    }

    /// The capability, after `ENABLE`.
    pub(crate) const fn enabled(what: &'static str, any_of: &'static [&'static str]) -> Self {
        Self { what, any_of, enabled: true }
    }

    /// Whether a server that offers and has enabled this much will do.
    pub(crate) fn is_met(&self, offered: &Capabilities, enabled: &Capabilities) -> bool {
        let known = if self.enabled { enabled } else { offered };
        self.any_of.iter().any(|word| known.has(word))
    }
}

/// Modifiers or parameters by their names, each once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Modifiers {
    modifiers: Vec<(&'static str, Option<String>)>,
    fault: Option<Misuse>,
}

impl Modifiers {
    /// Adds one, in place of one of the same name.
    pub(crate) fn set(&mut self, name: &'static str, value: Option<String>) {
        match self.modifiers.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.modifiers.push((name, value)),
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.modifiers.iter().any(|(known, _)| *known == name)
    }

    /// Whether there is none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.modifiers.is_empty() && self.fault.is_none()
    }

    /// One that cannot be sent as it was asked for.
    pub(crate) fn refuse(&mut self, what: &'static str, why: &str) {
        self.fault.get_or_insert_with(|| Misuse::Argument { what, why: why.to_owned() });
    }

    /// Writes them in parentheses, with a space before; nothing if there are none. What they hold is
    /// of our own making: numbers, sets and keywords.
    pub(crate) fn encode(&self, line: &mut Line) -> Result<(), Misuse> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let mut separator = " (";
        for (name, value) in &self.modifiers {
            line.raw(separator).raw(name);
            if let Some(value) = value {
                line.raw(" ").raw(value);
            }
            separator = " ";
        }
        if !self.modifiers.is_empty() {
            line.raw(")");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::proto::encode::Piece;

    #[test]
    fn each_is_written_once_with_its_last_value() {
        let written = |modifiers: &Modifiers| {
            let mut line = Line::new(Default::default());
            modifiers.encode(&mut line).unwrap();
            line.finish()
        };
        let mut modifiers = Modifiers::default();
        assert_eq!(written(&modifiers), [Piece::Line(Vec::new())]);
        modifiers.set("CHANGEDSINCE", Some("1".to_owned()));
        modifiers.set("VANISHED", None);
        modifiers.set("CHANGEDSINCE", Some("2".to_owned()));
        assert_eq!(written(&modifiers), [Piece::Line(b" (CHANGEDSINCE 2 VANISHED)".to_vec())]);
    }

    #[test]
    fn what_is_offered_need_not_be_enabled() {
        let of = |words: &str| Capabilities::from(words);
        let offered = Need::offered(&["CONDSTORE", "QRESYNC"]);
        assert_eq!(offered.what, "CONDSTORE");
        assert!(offered.is_met(&of("IMAP4rev1 QRESYNC"), &of("")));
        assert!(!offered.is_met(&of("IMAP4rev1"), &of("QRESYNC")));
        let enabled = Need::enabled("QRESYNC, by ENABLE", &["QRESYNC"]);
        assert!(enabled.is_met(&of(""), &of("QRESYNC")));
        assert!(!enabled.is_met(&of("QRESYNC"), &of("")));
    }
}
