//! Mailboxes, folders and messages, in memory.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::date;

/// The folders every mailbox has, with the attribute LIST shows. The names are those Outlook.com
/// gives them in English.
pub(super) const FOLDERS: [(&str, &str); 5] = [
    ("INBOX", ""),
    ("Sent", "\\Sent"),
    ("Drafts", "\\Drafts"),
    ("Deleted", "\\Trash"),
    ("Junk", "\\Junk"),
];

/// A message and what the server keeps about it.
#[derive(Clone)]
pub(super) struct Message {
    pub(super) uid: u32,
    pub(super) flags: BTreeSet<String>,
    pub(super) internal_date: i64,
    pub(super) bytes: Bytes,
}

impl Message {
    /// Whether `flag` is set, in any case.
    pub(super) fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|set| set.eq_ignore_ascii_case(flag))
    }
}

/// A folder: messages in the order of their UIDs.
pub(super) struct Folder {
    pub(super) uid_validity: u32,
    pub(super) uid_next: u32,
    pub(super) messages: Vec<Message>,
    /// Grows with every change, so that a session sees at a glance whether it is behind.
    pub(super) changes: u64,
}

impl Folder {
    /// Appends a message and returns its UID.
    pub(super) fn append(
        &mut self,
        bytes: Bytes,
        flags: BTreeSet<String>,
        date: Option<i64>,
    ) -> u32 {
        let uid = self.uid_next;
        self.uid_next = self.uid_next.saturating_add(1);
        let internal_date = date.unwrap_or_else(date::now);
        self.messages.push(Message { uid, flags, internal_date, bytes });
        self.changes += 1;
        uid
    }

    pub(super) fn message(&self, uid: u32) -> Option<&Message> {
        let at = self.messages.binary_search_by_key(&uid, |message| message.uid).ok()?;
        self.messages.get(at)
    }

    /// The message for changing: counts as a change.
    pub(super) fn message_mut(&mut self, uid: u32) -> Option<&mut Message> {
        let at = self.messages.binary_search_by_key(&uid, |message| message.uid).ok()?;
        self.changes += 1;
        self.messages.get_mut(at)
    }

    /// Removes the messages that `gone` picks.
    pub(super) fn remove(&mut self, gone: impl Fn(&Message) -> bool) {
        self.messages.retain(|message| !gone(message));
        self.changes += 1;
    }
}

/// All mailboxes of one server, by address in lower case.
#[derive(Default)]
pub(super) struct Store {
    mailboxes: BTreeMap<String, BTreeMap<&'static str, Folder>>,
    folders_made: u32,
}

impl Store {
    pub(super) fn add(&mut self, address: &str) {
        let address = address.to_lowercase();
        if self.mailboxes.contains_key(&address) {
            return;
        }
        let folders = FOLDERS.map(|(name, _)| {
            self.folders_made += 1;
            let uid_validity = self.folders_made;
            (name, Folder { uid_validity, uid_next: 1, messages: Vec::new(), changes: 0 })
        });
        self.mailboxes.insert(address, folders.into());
    }

    pub(super) fn holds(&self, address: &str) -> bool {
        self.mailboxes.contains_key(&address.to_lowercase())
    }

    /// A folder by name; INBOX in any case (RFC 3501 section 5.1).
    pub(super) fn folder(&mut self, address: &str, name: &str) -> Option<&mut Folder> {
        let name = folder_name(name)?;
        self.mailboxes.get_mut(&address.to_lowercase())?.get_mut(name)
    }
}

/// The name as the server spells it, if there is such a folder.
pub(super) fn folder_name(name: &str) -> Option<&'static str> {
    let known = FOLDERS.iter().map(|(known, _)| *known);
    known
        .into_iter()
        .find(|known| *known == name || (*known == "INBOX" && name.eq_ignore_ascii_case("INBOX")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_are_never_used_twice() {
        let mut store = Store::default();
        store.add("A@b.example");
        let inbox = store.folder("a@b.example", "inbox").unwrap();
        assert_eq!(inbox.append(Bytes::new(), BTreeSet::new(), None), 1);
        inbox.remove(|message| message.uid == 1);
        assert_eq!(inbox.append(Bytes::new(), BTreeSet::new(), None), 2);
        assert!(inbox.message(1).is_none() && inbox.message(2).is_some());
    }

    #[test]
    fn adding_a_mailbox_again_keeps_its_messages() {
        let mut store = Store::default();
        store.add("a@b.example");
        store.folder("a@b.example", "INBOX").unwrap().append(Bytes::new(), BTreeSet::new(), None);
        store.add("A@B.example");
        assert_eq!(store.folder("a@b.example", "INBOX").unwrap().messages.len(), 1);
        assert!(store.folder("a@b.example", "inbox/sub").is_none());
    }
}
