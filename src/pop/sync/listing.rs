//! LIST and UIDL together: which messages there are, and what each is called.
//!
//! LIST decides what exists, so that a message without an identifier, or with a line that makes no
//! sense, is not overlooked: it is one that nobody can know.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::pop::command::uidl::identifier;
use crate::pop::command::{numbered, rows, size};

/// A message as the server lists it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// Nothing if there is none, the server names two, or another message has the same.
    pub(super) id: Option<String>,
    /// Nothing if the server does not say it in digits.
    pub(super) octets: Option<u64>,
}

/// All messages of the maildrop by number.
///
/// # Errors
/// A line of LIST without a number: it is not known which message it is about.
pub(super) fn joined(list: &[u8], uidl: &[u8]) -> Result<BTreeMap<u32, Entry>, Vec<u8>> {
    let mut entries = BTreeMap::new();
    for row in rows(list) {
        let (number, octets) = numbered(row).ok_or_else(|| row.to_vec())?;
        entries.insert(number, Entry { id: None, octets: size(octets) });
    }
    // A message that is named twice differently has no name to be known by.
    let mut named: BTreeMap<u32, Option<String>> = BTreeMap::new();
    for (number, id) in rows(uidl).filter_map(numbered) {
        let id = Some(identifier(id));
        let doubtful = named.get(&number).is_some_and(|known| *known != id);
        named.insert(number, id.filter(|_| !doubtful));
    }
    for (number, id) in named {
        entries.entry(number).or_default().id = id;
    }
    forget_shared(&mut entries);
    Ok(entries)
}

/// Identical copies may share an identifier (RFC 1939 section 7). Messages that share one and have
/// different sizes are no copies: who has one of them does not have the others.
fn forget_shared(entries: &mut BTreeMap<u32, Entry>) {
    let mut sizes: HashMap<&str, Option<u64>> = HashMap::new();
    let mut shared = HashSet::new();
    for entry in entries.values() {
        if let Some(id) = entry.id.as_deref()
            && *sizes.entry(id).or_insert(entry.octets) != entry.octets
        {
            shared.insert(id.to_owned());
        }
    }
    for entry in entries.values_mut() {
        entry.id.take_if(|id| shared.contains(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(list: &str, uidl: &str) -> Vec<(u32, Option<String>)> {
        let entries = joined(list.as_bytes(), uidl.as_bytes()).unwrap();
        entries.into_iter().map(|(number, entry)| (number, entry.id)).collect()
    }

    fn named(number: u32, id: &str) -> (u32, Option<String>) {
        (number, Some(id.to_owned()))
    }

    #[test]
    fn every_message_is_there_whatever_uidl_leaves_out() {
        let list = "1 10\r\n2 20\r\n3 30\r\n4 40\r\n5 50\r\n6 60\r\n";
        let uidl = "1 a\r\n2\r\nthree c\r\n4 d\r\n4 e\r\n4 d\r\n6 f\r\n6 f\r\n";
        let expected = [named(1, "a"), (2, None), (3, None), (4, None), (5, None), named(6, "f")];
        assert_eq!(ids(list, uidl), expected);
    }

    #[test]
    fn a_message_that_only_uidl_lists_is_there_too() {
        assert_eq!(ids("1 10\r\n", "1 a\r\n2 b\r\n"), [named(1, "a"), named(2, "b")]);
    }

    #[test]
    fn identical_copies_share_an_identifier() {
        assert_eq!(ids("1 10\r\n2 10\r\n", "1 a\r\n2 a\r\n"), [named(1, "a"), named(2, "a")]);
    }

    #[test]
    fn a_size_that_is_none_hides_no_message_and_a_number_that_is_none_is_an_error() {
        for size in ["-1", "huge", "99999999999999999999999", "1.5"] {
            let entries = joined(format!("7 {size}\r\n").as_bytes(), b"7 x\r\n").unwrap();
            assert_eq!(entries[&7], Entry { id: Some("x".into()), octets: None });
        }
        for line in ["x 10", "-1 10", "0 10", "10", "99999999999 1"] {
            assert_eq!(joined(line.as_bytes(), b""), Err(line.as_bytes().to_vec()));
        }
    }
}
