//! The selected folder as this session knows it, and how it learns of what others changed.

use std::collections::BTreeSet;

use super::super::store::{Folder, Message};
use super::super::world::lock;
use super::Imap;
use super::set::Set;

/// The flags Exchange keeps. Others are taken without complaint and forgotten.
pub(super) const FLAGS: [&str; 6] =
    ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "$MDNSent"];

/// What the client was told of the folder so far.
pub(super) struct Selected {
    pub(super) name: &'static str,
    pub(super) read_only: bool,
    /// By sequence number, from one.
    pub(super) known: Vec<Known>,
    changes: u64,
}

pub(super) struct Known {
    pub(super) uid: u32,
    pub(super) flags: BTreeSet<String>,
}

impl Known {
    fn of(message: &Message) -> Self {
        Self { uid: message.uid, flags: message.flags.clone() }
    }
}

impl Selected {
    pub(super) fn new(name: &'static str, read_only: bool, folder: &Folder) -> Self {
        let known = folder.messages.iter().map(Known::of).collect();
        Self { name, read_only, known, changes: folder.changes }
    }

    /// The sequence numbers and UIDs that a set of either names.
    pub(super) fn resolve(
        &self,
        set: &Set,
        by_uid: bool,
    ) -> Result<Vec<(usize, u32)>, &'static str> {
        let count = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        if !by_uid && set.exceeds(count) {
            return Err("BAD The specified message set is invalid.");
        }
        let largest = if by_uid { self.known.last().map_or(0, |known| known.uid) } else { count };
        let numbered = (1..).zip(self.known.iter().map(|known| known.uid));
        Ok(numbered
            .filter(|(number, uid)| {
                let sought = if by_uid { *uid } else { u32::try_from(*number).unwrap_or(0) };
                set.contains(sought, largest)
            })
            .collect())
    }

    /// Remembers that the client was told the flags of a message.
    pub(super) fn told(&mut self, number: usize, flags: &BTreeSet<String>) {
        if let Some(known) = self.known.get_mut(number.saturating_sub(1)) {
            known.flags.clone_from(flags);
        }
    }

    /// Tells what has changed since. Removals wait for a command under which numbers may shift.
    fn catch_up(&mut self, folder: &Folder, out: &mut Vec<u8>, shift: bool) {
        if folder.changes == self.changes {
            return;
        }
        if shift {
            for at in (0..self.known.len()).rev() {
                if self.known.get(at).is_some_and(|known| folder.message(known.uid).is_none()) {
                    self.known.remove(at);
                    out.extend(format!("* {} EXPUNGE\r\n", at + 1).into_bytes());
                }
            }
            self.changes = folder.changes;
        }
        for (number, known) in (1..).zip(self.known.iter_mut()) {
            let Some(message) = folder.message(known.uid) else { continue };
            if message.flags != known.flags {
                known.flags.clone_from(&message.flags);
                let flags = flag_list(&message.flags);
                out.extend(format!("* {number} FETCH (FLAGS {flags})\r\n").into_bytes());
            }
        }
        let last = self.known.last().map_or(0, |known| known.uid);
        let new = folder.messages.iter().filter(|message| message.uid > last).map(Known::of);
        let before = self.known.len();
        self.known.extend(new);
        if self.known.len() > before {
            out.extend(format!("* {} EXISTS\r\n", self.known.len()).into_bytes());
        }
    }
}

impl Imap {
    /// Tells the client what others, or its own command, did to the selected folder.
    pub(super) fn catch_up(&mut self, out: &mut Vec<u8>, shift: bool) {
        let (Some(login), Some(selected)) = (&self.login, &mut self.selected) else { return };
        if let Some(folder) = lock(&self.world.store).folder(&login.mailbox, selected.name) {
            selected.catch_up(folder, out, shift);
        }
    }

    /// Works on the selected folder.
    pub(super) fn in_folder<T>(
        &mut self,
        work: impl FnOnce(&mut Selected, &mut Folder) -> T,
    ) -> Option<T> {
        let (login, selected) = (self.login.as_ref()?, self.selected.as_mut()?);
        let mut store = lock(&self.world.store);
        store.folder(&login.mailbox, selected.name).map(|folder| work(selected, folder))
    }
}

/// The flags a client names, as the server spells and keeps them.
pub(super) fn kept<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    names
        .filter_map(|name| FLAGS.iter().find(|known| known.eq_ignore_ascii_case(name)))
        .map(|known| (*known).to_owned())
        .collect()
}

/// `(\Seen \Flagged)`
pub(super) fn flag_list(flags: &BTreeSet<String>) -> String {
    let names: Vec<&str> = flags.iter().map(String::as_str).collect();
    format!("({})", names.join(" "))
}
