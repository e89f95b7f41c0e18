//! What an extension adds to a command: modifiers and parameters (RFC 4466 sections 2.1 to 2.5), and
//! what the server must offer for them.
//!
//! ```text
//! C: A3 SELECT INBOX (CONDSTORE)
//! C: A4 UID STORE 6 (UNCHANGEDSINCE 12121230045) +FLAGS (\Seen)
//! C: A5 UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345 VANISHED)
//! ```

use crate::imap::proto::encode::Line;
use crate::imap::proto::offer::Offer;
use crate::imap::{Capabilities, Error, Extension};
use crate::{Misuse, Stage};

/// What a server must offer. Some answer wrongly, not with BAD, to what they do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    /// As errors name it.
    pub(crate) what: &'static str,
    how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// Any of these capabilities.
    Offered(&'static [&'static str]),
    /// ENABLE has to have brought it.
    Enabled(Extension),
    /// Any of these capabilities, or IMAP4rev2, which has it built in.
    OfferedOrRev2(&'static [&'static str]),
    /// IMAP4rev2 has it no longer.
    Rev1,
}

impl Need {
    /// Any of these capabilities; the first gives it its name.
    pub(crate) const fn offered(any_of: &'static [&'static str]) -> Self {
        let what = match any_of.first() {
            Some(first) => first,
            None => "",
        };
        Self { what, how: How::Offered(any_of) }
    }

    /// The same, or the server speaks IMAP4rev2.
    pub(crate) const fn offered_or_rev2(any_of: &'static [&'static str]) -> Self {
        Self { how: How::OfferedOrRev2(any_of), ..Self::offered(any_of) }
    }

    /// This extension, confirmed by ENABLE.
    pub(crate) const fn enabled(extension: Extension) -> Self {
        Self { what: extension.as_str(), how: How::Enabled(extension) }
    }

    /// What IMAP4rev1 has, and IMAP4rev2 no longer (RFC 9051 appendix E).
    pub(crate) const fn rev1(what: &'static str) -> Self {
        Self { what, how: How::Rev1 }
    }

    /// Whether a server that offers and has enabled this much will do.
    pub(crate) fn is_met(&self, offered: &Capabilities, enabled: &Capabilities) -> bool {
        let offer = Offer { announced: offered, enabled };
        match self.how {
            How::Offered(any_of) => any_of.iter().any(|word| offer.has(word)),
            How::OfferedOrRev2(any_of) => {
                any_of.iter().any(|word| offer.has(word)) || offer.speaks_rev2()
            }
            How::Enabled(extension) => enabled.has(extension.as_str()),
            How::Rev1 => !offer.speaks_rev2(),
        }
    }

    /// What it means that it is not met.
    pub(crate) fn unmet(&self, offered: &Capabilities, stage: Stage) -> Error {
        match self.how {
            How::Enabled(extension)
                if extension.announced_by().iter().any(|word| offered.has(word)) =>
            {
                Error::NotEnabled { stage, extension }
            }
            _ => Error::lacks(offered, stage, self.what),
        }
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
        let enabled = Need::enabled(Extension::QResync);
        assert!(enabled.is_met(&of(""), &of("QRESYNC")));
        assert!(!enabled.is_met(&of("QRESYNC"), &of("")));
        let rev1 = Need::rev1("RECENT");
        assert!(rev1.is_met(&of("IMAP4rev1 IMAP4rev2"), &of("")));
        assert!(!rev1.is_met(&of("IMAP4rev2"), &of("")));
        let stage = Stage::Command("SELECT");
        let unmet = enabled.unmet(&of("IMAP4rev1"), stage).to_string();
        assert_eq!(unmet, "the server does not offer QRESYNC for SELECT (it offers: IMAP4rev1)");
        let unmet = Need::enabled(Extension::Utf8Accept).unmet(&of("UTF8=ONLY"), stage);
        assert!(matches!(unmet, Error::NotEnabled { extension: Extension::Utf8Accept, .. }));
    }
}
