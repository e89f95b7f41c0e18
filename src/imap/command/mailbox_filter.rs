//! Mailbox filters, RFC 5465 section 6: which mailboxes NOTIFY watches, and ESEARCH goes through (RFC
//! 7377 section 2.2).

use crate::Misuse;
use crate::imap::MailboxName;
use crate::imap::proto::encode::Line;

/// Some mailboxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MailboxFilter {
    Selected,
    SelectedDelayed,
    Inboxes,
    Personal,
    Subscribed,
    Subtree(Vec<MailboxName>),
    SubtreeOne(Vec<MailboxName>),
    Mailboxes(Vec<MailboxName>),
}

impl MailboxFilter {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Selected => "selected",
            Self::SelectedDelayed => "selected-delayed",
            Self::Inboxes => "inboxes",
            Self::Personal => "personal",
            Self::Subscribed => "subscribed",
            Self::Subtree(_) => "subtree",
            Self::SubtreeOne(_) => "subtree-one",
            Self::Mailboxes(_) => "mailboxes",
        }
    }

    const fn names(&self) -> Option<&[MailboxName]> {
        match self {
            Self::Subtree(names) | Self::SubtreeOne(names) | Self::Mailboxes(names) => {
                Some(names.as_slice())
            }
            _ => None,
        }
    }

    pub(super) const fn is_selected(&self) -> bool {
        matches!(self, Self::Selected | Self::SelectedDelayed)
    }

    /// Whether a mailbox of this name may be among them, as far as is known here: of some the server
    /// alone knows what they are.
    pub(super) fn may_hold(&self, name: &MailboxName, selected: Option<&MailboxName>) -> bool {
        match self {
            Self::Selected | Self::SelectedDelayed => {
                selected.is_none_or(|selected| selected == name)
            }
            Self::Inboxes | Self::Personal | Self::Subscribed => true,
            Self::Mailboxes(names) => names.contains(name),
            Self::Subtree(names) | Self::SubtreeOne(names) => {
                names.iter().any(|top| top == name || is_below(name, top))
            }
        }
    }

    pub(super) fn encode(&self, line: &mut Line) -> Result<(), Misuse> {
        line.raw(self.as_str());
        let Some(names) = self.names() else { return Ok(()) };
        if names.is_empty() {
            let why = "a group of mailboxes names none".to_owned();
            return Err(Misuse::Argument { what: self.as_str(), why });
        }
        let mut separator = " (";
        for name in names {
            line.raw(separator).mailbox(name)?;
            separator = " ";
        }
        line.raw(")");
        Ok(())
    }
}

/// Whether a name begins with that of another. What stands between the levels is not known here.
fn is_below(name: &MailboxName, top: &MailboxName) -> bool {
    let start = name.as_wire().get(..top.as_wire().len());
    start.is_some_and(|start| MailboxName::from_wire(start) == *top)
}

#[cfg(test)]
mod tests {
    use super::MailboxFilter::*;
    use super::*;

    #[test]
    fn only_those_that_are_named_are_known() {
        let names = |names: &[&str]| names.iter().copied().map(MailboxName::from).collect();
        let holds = |filter: MailboxFilter, name: &str| {
            filter.may_hold(&name.into(), Some(&MailboxName::from("Open")))
        };
        assert!(holds(Mailboxes(names(&["INBOX", "b"])), "inbox"));
        assert!(!holds(Mailboxes(names(&["a"])), "a/b"));
        assert!(holds(Subtree(names(&["a"])), "a/b/c"));
        assert!(holds(SubtreeOne(names(&["inbox"])), "INBOX.c"));
        assert!(!holds(Subtree(names(&["a/b"])), "a"));
        assert!(holds(Selected, "Open") && !holds(Selected, "b"));
        assert!(holds(Personal, "b") && holds(Subscribed, "b") && holds(Inboxes, "b"));
    }
}
