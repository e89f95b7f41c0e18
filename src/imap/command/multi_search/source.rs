//! Which mailboxes to search: the source options of RFC 7377 section 2.2, which are the mailbox
//! filters of RFC 5465 section 6 but `selected-delayed`.

use crate::Misuse;
use crate::imap::MailboxName;
use crate::imap::command::mailbox_filter::MailboxFilter;
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
    filters: Vec<MailboxFilter>,
}

impl SearchSource {
    /// `selected`: the selected mailbox.
    pub fn selected() -> Self {
        Self::one(MailboxFilter::Selected)
    }

    /// `inboxes`: those to which the server may deliver mail.
    pub fn inboxes() -> Self {
        Self::one(MailboxFilter::Inboxes)
    }

    /// `personal`: all in the user's own namespaces.
    pub fn personal() -> Self {
        Self::one(MailboxFilter::Personal)
    }

    /// `subscribed`: those that the user has subscribed to.
    pub fn subscribed() -> Self {
        Self::one(MailboxFilter::Subscribed)
    }

    /// `subtree`: these, and all below them. Where no name is given, here or below, nothing is sent:
    /// [`Error::Misuse`](crate::imap::Error::Misuse).
    pub fn subtree<N: Into<MailboxName>>(names: impl IntoIterator<Item = N>) -> Self {
        Self::one(MailboxFilter::Subtree(all(names)))
    }

    /// `subtree-one`: these, and those one level below them.
    pub fn subtree_one<N: Into<MailboxName>>(names: impl IntoIterator<Item = N>) -> Self {
        Self::one(MailboxFilter::SubtreeOne(all(names)))
    }

    /// `mailboxes`: these. Those that do not exist, or may not be read, are passed over by the
    /// server without a word.
    pub fn mailboxes<N: Into<MailboxName>>(names: impl IntoIterator<Item = N>) -> Self {
        Self::one(MailboxFilter::Mailboxes(all(names)))
    }

    /// Those of the other, too. No mailbox should be in both: servers may refuse that.
    pub fn and(mut self, other: Self) -> Self {
        self.filters.extend(other.filters);
        self
    }

    fn one(filter: MailboxFilter) -> Self {
        Self { filters: vec![filter] }
    }

    pub(super) fn wants_selected(&self) -> bool {
        self.filters.contains(&MailboxFilter::Selected)
    }

    /// Whether a mailbox of this name may be among them, as far as is known here.
    pub(super) fn may_hold(&self, name: &MailboxName, selected: Option<&MailboxName>) -> bool {
        self.filters.iter().any(|filter| filter.may_hold(name, selected))
    }

    /// Writes `IN (…)`.
    pub(super) fn encode(&self, line: &mut Line) -> Result<(), Misuse> {
        let mut separator = "IN (";
        for filter in &self.filters {
            filter.encode(line.raw(separator))?;
            separator = " ";
        }
        line.raw(")");
        Ok(())
    }
}

fn all<N: Into<MailboxName>>(names: impl IntoIterator<Item = N>) -> Vec<MailboxName> {
    names.into_iter().map(N::into).collect()
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
        ];
        let all = all.into_iter().reduce(SearchSource::and).unwrap();
        assert_eq!(
            written(&all),
            "IN (selected inboxes personal subscribed subtree (folder2) \
             subtree-one (\"a b\" Entw&APw-rfe) mailboxes (folder1 inbox))"
        );
    }

    #[test]
    fn a_group_that_names_no_mailbox_is_refused() {
        for none in [SearchSource::mailboxes, SearchSource::subtree, SearchSource::subtree_one] {
            let some = SearchSource::personal().and(none([""; 0]));
            assert!(some.encode(&mut Line::new(Default::default())).is_err());
        }
    }
}
