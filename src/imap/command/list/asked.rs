//! Which rows answer a LIST, where the server tells of changes by rows of its own (RFC 5465).
//!
//! ```text
//! C: A4 LIST "" "Archive/%"
//! S: * LIST (\HasNoChildren) "/" Archive/2025
//! S: * LIST (\HasNoChildren) "/" Drafts/new        is not asked for
//! S: * LIST (\NonExistent) "/" Archive/2025        is told twice
//! S: A4 OK done
//! ```
//!
//! A row that could be either is taken for an answer, so that no list lacks one: it is true of a
//! mailbox that was asked for.

use std::collections::HashSet;

use super::{Attribute, ListedMailbox};
use crate::imap::MailboxName;
use crate::imap::command::Fit;

/// What a LIST asks for.
pub(super) struct Asked<'a> {
    pub(super) reference: &'a MailboxName,
    pub(super) patterns: &'a [MailboxName],
    /// Names that are subscribed to only.
    pub(super) subscribed: bool,
}

impl Asked<'_> {
    /// Whether what follows `* LIST` answers it. What cannot be read may.
    pub(super) fn fit(&self, rest: &[u8], utf8: bool, listed: &HashSet<MailboxName>) -> Fit {
        match ListedMailbox::parse(rest, utf8) {
            Ok(row) if !self.is_answered_by(&row, listed) => Fit::No,
            _ => Fit::Exact,
        }
    }

    /// Whether a row answers it. `listed`: the names of those before it.
    fn is_answered_by(&self, row: &ListedMailbox, listed: &HashSet<MailboxName>) -> bool {
        self.names(row)
            && !listed.contains(&row.name)
            && !row.has(&Attribute::NoAccess)
            && match self.subscribed {
                // RFC 5258 section 3.4: else it is named for those below it.
                true => row.has(&Attribute::Subscribed) || !row.extended().is_empty(),
                // Only a level of other names is listed without being there.
                false => !row.has(&Attribute::NonExistent) || row.has_children() == Some(true),
            }
    }

    fn names(&self, row: &ListedMailbox) -> bool {
        // What a reference makes of a pattern is the server's affair (RFC 9051 section 6.3.9).
        let spelt = |name: &MailboxName| name.to_str_lossy().to_lowercase();
        let name = spelt(&row.name);
        !self.reference.as_wire().is_empty()
            || self.patterns.iter().any(|pattern| matches(&spelt(pattern), &name, row.delimiter()))
    }
}

/// Whether a pattern matches a name.
fn matches(pattern: &str, name: &str, delimiter: Option<char>) -> bool {
    // Which beginnings of the name, by their length, the pattern so far matches.
    let letters: Vec<char> = name.chars().collect();
    let mut reached = vec![false; letters.len() + 1];
    if let Some(empty) = reached.first_mut() {
        *empty = true;
    }
    for wanted in pattern.chars() {
        let mut before = false;
        let behind = std::iter::once(None).chain(letters.iter().map(Some));
        for (here, letter) in reached.iter_mut().zip(behind) {
            let stood = *here;
            *here = match wanted {
                '*' => stood || before,
                '%' => stood || before && letter.copied() != delimiter,
                _ => before && letter == Some(&wanted),
            };
            before = if matches!(wanted, '*' | '%') { *here } else { stood };
        }
    }
    reached.last() == Some(&true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(line: &str) -> ListedMailbox {
        ListedMailbox::parse(line.as_bytes(), false).unwrap()
    }

    fn answers(pattern: &str, subscribed: bool, line: &str) -> bool {
        let (reference, patterns) = ("".into(), [pattern.into()]);
        let asked = Asked { reference: &reference, patterns: &patterns, subscribed };
        asked.is_answered_by(&row(line), &HashSet::from(["Old".into()]))
    }

    #[test]
    fn what_was_not_asked_for_or_cannot_be_an_answer_is_told_apart() {
        assert!(answers("*", false, "() \"/\" New"));
        assert!(answers("INBOX", false, "() \"/\" inbox"));
        assert!(answers("entw\u{fc}rfe%", false, "() \"/\" Entw&APw-rfe"));
        assert!(answers("%", false, "(\\NonExistent \\HasChildren) \"/\" a"));
        for line in [
            "() \"/\" Old",
            "(\\NonExistent) \"/\" gone",
            "(\\NoAccess) \"/\" a",
            "() \"/\" a/b",
            "(\\Noselect \\NonExistent \\HasNoChildren) \"/\" a",
        ] {
            assert!(!answers("%", false, line), "{line}");
        }
        assert!(answers("*", true, "(\\Subscribed \\NonExistent) \"/\" a"));
        assert!(answers("*", true, "() \"/\" a (\"CHILDINFO\" (\"SUBSCRIBED\"))"));
        assert!(!answers("*", true, "() \"/\" a"));
    }

    #[test]
    fn beside_a_reference_any_name_may_be_meant() {
        let (reference, patterns) = ("~/Mail/".into(), ["%".into()]);
        let asked = Asked { reference: &reference, patterns: &patterns, subscribed: false };
        assert!(asked.is_answered_by(&row("() \"/\" /home/me/Mail/foo"), &HashSet::new()));
    }

    #[test]
    fn wildcards_stand_for_anything_or_for_anything_within_a_level() {
        for (pattern, name, matched) in [
            ("*", "", true),
            ("%", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*c", "abbc", true),
            ("a*c", "ac/b/c", true),
            ("a%c", "ac/b/c", false),
            ("%/%", "a/b", true),
            ("%/%", "a/b/c", false),
            ("*%", "a/b", true),
            ("a/%", "a/", true),
            ("a", "ab", false),
        ] {
            assert_eq!(matches(pattern, name, Some('/')), matched, "{pattern} {name}");
        }
        assert!(matches("%", "a/b", None));
    }

    proptest! {
        #[test]
        fn a_pattern_matches_what_it_matches_letter_by_letter(
            pattern in "[ab/*%]{0,6}",
            name in "[ab/]{0,6}",
        ) {
            fn slowly(pattern: &[u8], name: &[u8]) -> bool {
                match (pattern.split_first(), name.split_first()) {
                    (None, _) => name.is_empty(),
                    (Some((b'*' | b'%', rest)), None) => slowly(rest, name),
                    (Some((wild @ (b'*' | b'%'), rest)), Some((letter, behind))) => {
                        slowly(rest, name)
                            || (*wild == b'*' || *letter != b'/') && slowly(pattern, behind)
                    }
                    (Some((wanted, rest)), Some((letter, behind))) => {
                        wanted == letter && slowly(rest, behind)
                    }
                    (Some(_), None) => false,
                }
            }
            let matched = slowly(pattern.as_bytes(), name.as_bytes());
            prop_assert_eq!(matches(&pattern, &name, Some('/')), matched);
        }
    }
}
