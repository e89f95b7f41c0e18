//! Which mailboxes to search: the source options of RFC 7377 section 2.2, which are the mailbox
//! filters of RFC 5465 section 6 but `selected-delayed`.

use crate::Misuse;
use crate::imap::MailboxName;
use crate::imap::proto::encode::Line;

/// The mailboxes that a [`MultiSearch`](super::MultiSearch) goes through.
///
/// ```
/// use mailbearer::imap::SearchSource;
///
/// let mine = SearchSource::personal();
/// let some = SearchSource::mailboxes(["INBOX"]).and(SearchSource::subtree(["Projects"]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchSource {
    filters: Vec<Filter>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Filter {
    Selected,
    /// Of which the server alone knows what they are.
    Known(&'static str),
    Named(&'static str, Vec<MailboxName>),
}

const MAILBOXES: &str = "mailboxes";

impl SearchSource {
    /// `selected`: the selected mailbox.
    pub fn selected() -> Self {
        Self { filters: vec![Filter::Selected] }
    }

    /// `inboxes`: those to which the server may deliver mail.
    pub fn inboxes() -> Self {
        Self { filters: vec![Filter::Known("inboxes")] }
    }

    /// `personal`: all in the user's own namespaces.
    pub fn personal() -> Self {
        Self { filters: vec![Filter::Known("personal")] }
    }

    /// `subscribed`: those that the user has subscribed to.
    pub fn subscribed() -> Self {
        Self { filters: vec![Filter::Known("subscribed")] }
    }

    /// `subtree`: these, and all below them.
    pub fn subtree<N: Into<MailboxName>>(names: impl IntoIterator<Item = N>) -> Self {
        Self::named("subtree", names)
    }

    /// `subtree-one`: these, and those one level below them.
    pub fn subtree_one<N: Into<MailboxName>>(names: impl IntoIterator<Item = N>) -> Self {
        Self::named("subtree-one", names)
    }

    /// `mailboxes`: these. Those that do not exist, or may not be read, are passed over by the
    /// server without a word.
    pub fn mailboxes<N: Into<MailboxName>>(names: impl IntoIterator<Item = N>) -> Self {
        Self::named(MAILBOXES, names)
    }

    /// Those of the other, too. No mailbox should be in both: servers may refuse that.
    pub fn and(mut self, other: Self) -> Self {
        self.filters.extend(other.filters);
        self
    }

    fn named<N: Into<MailboxName>>(
        filter: &'static str,
        names: impl IntoIterator<Item = N>,
    ) -> Self {
        let names: Vec<_> = names.into_iter().map(N::into).collect();
        let filters = if names.is_empty() { vec![] } else { vec![Filter::Named(filter, names)] };
        Self { filters }
    }

    /// Whether there is no mailbox to be searched.
    pub(super) const fn is_empty(&self) -> bool {
        self.filters.is_empty()
    }

    pub(super) fn wants_selected(&self) -> bool {
        self.filters.contains(&Filter::Selected)
    }

    /// Whether a mailbox of this name may be among them, as far as is known here.
    pub(super) fn may_hold(&self, name: &MailboxName, selected: Option<&MailboxName>) -> bool {
        self.filters.iter().any(|filter| match filter {
            Filter::Selected => selected.is_none_or(|selected| selected == name),
            Filter::Known(_) => true,
            Filter::Named(MAILBOXES, names) => names.contains(name),
            Filter::Named(_, names) => names.iter().any(|top| top == name || is_below(name, top)),
        })
    }

    /// Writes `IN (…)`.
    pub(super) fn encode(&self, line: &mut Line) -> Result<(), Misuse> {
        let mut separator = "IN (";
        for filter in &self.filters {
            line.raw(separator);
            separator = " ";
            match filter {
                Filter::Selected => line.raw("selected"),
                Filter::Known(word) => line.raw(word),
                Filter::Named(word, names) => {
                    line.raw(word);
                    let mut separator = " (";
                    for name in names {
                        line.raw(separator).mailbox(name)?;
                        separator = " ";
                    }
                    line.raw(")")
                }
            };
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
    use super::*;
    use crate::imap::proto::encode::Piece;

    fn written(source: &SearchSource) -> String {
        let mut line = Line::new(Default::default());
        source.encode(&mut line).unwrap();
        match &line.finish()[..] {
            [Piece::Line(line)] => String::from_utf8_lossy(line).into_owned(),
            pieces => panic!("{pieces:?}"),
        }
    }

    #[test]
    fn each_is_spelt_as_in_the_grammar() {
        let all = [
            SearchSource::selected(),
            SearchSource::inboxes(),
            SearchSource::personal(),
            SearchSource::subscribed(),
            SearchSource::subtree(["folder2"]),
            SearchSource::subtree_one(["a b", "Entwürfe"]),
            SearchSource::mailboxes(["folder1", "inbox"]),
            SearchSource::mailboxes([""; 0]),
        ];
        let all = all.into_iter().reduce(SearchSource::and).unwrap();
        assert_eq!(
            written(&all),
            "IN (selected inboxes personal subscribed subtree (folder2) \
             subtree-one (\"a b\" Entw&APw-rfe) mailboxes (folder1 inbox))"
        );
        assert!(SearchSource::mailboxes([""; 0]).is_empty());
    }

    #[test]
    fn only_those_that_are_named_are_known() {
        let holds = |source: SearchSource, name: &str| {
            source.may_hold(&name.into(), Some(&MailboxName::from("Open")))
        };
        assert!(holds(SearchSource::mailboxes(["INBOX", "b"]), "inbox"));
        assert!(!holds(SearchSource::mailboxes(["a"]), "a/b"));
        assert!(holds(SearchSource::subtree(["a"]), "a/b/c"));
        assert!(holds(SearchSource::subtree_one(["inbox"]), "INBOX.c"));
        assert!(!holds(SearchSource::subtree(["a/b"]), "a"));
        assert!(holds(SearchSource::selected(), "Open") && !holds(SearchSource::selected(), "b"));
        assert!(holds(SearchSource::selected().and(SearchSource::personal()), "b"));
    }
}
