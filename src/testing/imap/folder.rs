//! Folders: LIST, STATUS, SELECT, EXAMINE, CLOSE, UNSELECT, APPEND.

use std::fmt::Write as _;

use bytes::Bytes;

use super::super::date;
use super::super::store::{FOLDERS, folder_name};
use super::super::world::lock;
use super::command::{Arg, Command};
use super::selected::{FLAGS, Selected, kept};
use super::{ARGUMENT_ERROR, Imap, Reply};

impl Imap {
    fn mailbox(&self) -> String {
        self.login.as_ref().map_or_else(String::new, |login| login.mailbox.clone())
    }

    pub(super) fn list(&self, command: &Command, out: &mut Vec<u8>) -> Reply {
        let verb = &command.verb;
        let reference = command.text(0).ok_or(ARGUMENT_ERROR)?;
        let pattern = command.text(1).ok_or(ARGUMENT_ERROR)?;
        if pattern.is_empty() {
            out.extend(format!("* {verb} (\\Noselect) \"/\" \"\"\r\n").into_bytes());
        } else {
            let pattern = format!("{reference}{pattern}");
            for (name, role) in FOLDERS.iter().filter(|(name, _)| matches(&pattern, name)) {
                let role = if role.is_empty() { String::new() } else { format!(" {role}") };
                let line = format!("* {verb} (\\HasNoChildren{role}) \"/\" {name}\r\n");
                out.extend(line.into_bytes());
            }
        }
        Ok(format!("OK {verb} completed."))
    }

    pub(super) fn status(&self, command: &Command, out: &mut Vec<u8>) -> Reply {
        let name = command.text(0).ok_or(ARGUMENT_ERROR)?;
        let items = command.arg(1).ok_or(ARGUMENT_ERROR)?.members();
        let mut store = lock(&self.world.store);
        let folder = store.folder(&self.mailbox(), name).ok_or(NO_FOLDER)?;
        let mut values = Vec::new();
        for item in items {
            let item = item.text().ok_or(ARGUMENT_ERROR)?.to_ascii_uppercase();
            let value = match item.as_str() {
                "MESSAGES" => folder.messages.len(),
                "RECENT" => 0,
                "UIDNEXT" => folder.uid_next as usize,
                "UIDVALIDITY" => folder.uid_validity as usize,
                "UNSEEN" => folder.messages.iter().filter(|found| !found.has("\\Seen")).count(),
                _ => return Err(ARGUMENT_ERROR),
            };
            values.push(format!("{item} {value}"));
        }
        let name = folder_name(name).unwrap_or(name);
        out.extend(format!("* STATUS {name} ({})\r\n", values.join(" ")).into_bytes());
        Ok("OK STATUS completed.".to_owned())
    }

    pub(super) fn select(&mut self, command: &Command, out: &mut Vec<u8>) -> Reply {
        let verb = &command.verb;
        // RFC 3501 section 6.3.1: a SELECT that fails leaves nothing selected.
        self.selected = None;
        let name = command.text(0).ok_or(ARGUMENT_ERROR)?;
        let name = folder_name(name).ok_or(NO_FOLDER)?;
        let mut store = lock(&self.world.store);
        let folder = store.folder(&self.mailbox(), name).ok_or(NO_FOLDER)?;
        let read_only = verb == "EXAMINE";
        let flags = FLAGS.join(" ");
        let permanent = if read_only { "" } else { flags.as_str() };
        let mut text = format!("* {} EXISTS\r\n* 0 RECENT\r\n", folder.messages.len());
        let _ = write!(text, "* FLAGS ({flags})\r\n");
        let _ = write!(text, "* OK [PERMANENTFLAGS ({permanent})] Permanent flags\r\n");
        let unseen = folder.messages.iter().position(|found| !found.has("\\Seen"));
        if let Some(at) = unseen {
            let _ = write!(text, "* OK [UNSEEN {}] Is the first unseen message\r\n", at + 1);
        }
        let _ = write!(text, "* OK [UIDVALIDITY {}] UIDVALIDITY value\r\n", folder.uid_validity);
        let next = folder.uid_next;
        let _ = write!(text, "* OK [UIDNEXT {next}] The next unique identifier value\r\n");
        out.extend(text.into_bytes());
        self.selected = Some(Selected::new(name, read_only, folder));
        let mode = if read_only { "READ-ONLY" } else { "READ-WRITE" };
        Ok(format!("OK [{mode}] {verb} completed."))
    }

    /// CLOSE removes what is marked deleted and does not say so; UNSELECT leaves it.
    pub(super) fn close(&mut self, command: &Command) -> Reply {
        if command.verb == "CLOSE" {
            self.in_folder(|selected, folder| {
                if !selected.read_only {
                    folder.remove(|message| message.has("\\Deleted"));
                }
            });
            self.world.ring();
        }
        self.selected = None;
        Ok(format!("OK {} completed.", command.verb))
    }

    pub(super) fn append(&self, command: &Command) -> Reply {
        let name = command.text(0).ok_or(ARGUMENT_ERROR)?;
        let arguments = command.args.get(1..).and_then(<[Arg]>::split_last);
        let Some((Arg::String(message), options)) = arguments else { return Err(ARGUMENT_ERROR) };
        let (mut flags, mut internal_date) = (Default::default(), None);
        for option in options {
            match option {
                Arg::List(names) => flags = kept(names.iter().filter_map(Arg::text)),
                Arg::String(text) => {
                    let text = std::str::from_utf8(text).map_err(|_| ARGUMENT_ERROR)?;
                    let moment = date::parse_internal_date(text).ok_or(ARGUMENT_ERROR)?;
                    internal_date = Some(moment);
                }
                Arg::Atom(_) => return Err(ARGUMENT_ERROR),
            }
        }
        let mut store = lock(&self.world.store);
        let folder = store
            .folder(&self.mailbox(), name)
            .ok_or("NO [TRYCREATE] The requested folder could not be found.")?;
        // A copy of its own: the literal shares the buffer it was read into.
        let message = Bytes::copy_from_slice(message);
        let uid = folder.append(message, flags, internal_date);
        let validity = folder.uid_validity;
        drop(store);
        self.world.ring();
        Ok(format!("OK [APPENDUID {validity} {uid}] APPEND completed."))
    }
}

pub(super) const NO_FOLDER: &str = "NO The requested folder could not be found.";

/// Whether a LIST pattern matches. No folder here has children, so `%` matches what `*` does.
fn matches(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split(['*', '%']).map(str::to_ascii_uppercase);
    let name = name.to_ascii_uppercase();
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first.as_str()) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece.as_str()) else { return false };
        rest = rest.get(at + piece.len()..).unwrap_or_default();
    }
    rest.ends_with(last.as_str())
}

#[cfg(test)]
mod unit {
    use super::matches;

    #[test]
    fn list_patterns_match_by_their_wildcards() {
        for pattern in ["*", "%", "Dr*", "*fts", "D*f*s", "drafts", "Drafts*"] {
            assert!(matches(pattern, "Drafts"), "{pattern}");
        }
        for pattern in ["D", "*x*", "Draftsx", "fts*", "*Draft"] {
            assert!(!matches(pattern, "Drafts"), "{pattern}");
        }
    }
}
