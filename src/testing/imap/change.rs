//! What changes messages: STORE, EXPUNGE, COPY and MOVE (RFC 3501, 4315, 6851).

use super::super::store::Message;
use super::super::world::lock;
use super::command::{Arg, Command};
use super::folder::NO_FOLDER;
use super::selected::{flag_list, kept};
use super::set::Set;
use super::{ARGUMENT_ERROR, INVALID_STATE, Imap, Reply};

impl Imap {
    pub(super) fn store(&mut self, command: &Command, out: &mut Vec<u8>) -> Reply {
        let set = command.text(0).and_then(Set::parse).ok_or(ARGUMENT_ERROR)?;
        let item = command.text(1).ok_or(ARGUMENT_ERROR)?.to_ascii_uppercase();
        let (item, silent) = match item.strip_suffix(".SILENT") {
            Some(item) => (item, true),
            None => (item.as_str(), false),
        };
        let named = command.args.get(2..).unwrap_or_default().iter().flat_map(Arg::members);
        let flags = kept(named.filter_map(Arg::text));
        if !matches!(item, "FLAGS" | "+FLAGS" | "-FLAGS") || command.args.len() < 3 {
            return Err(ARGUMENT_ERROR);
        }
        self.writable()?;
        let by_uid = command.by_uid;
        self.in_folder(|selected, folder| {
            for (number, uid) in selected.resolve(&set, by_uid)? {
                let Some(message) = folder.message_mut(uid) else { continue };
                match item {
                    "+FLAGS" => message.flags.extend(flags.iter().cloned()),
                    "-FLAGS" => message.flags.retain(|flag| !flags.contains(flag)),
                    _ => message.flags.clone_from(&flags),
                }
                selected.told(number, &message.flags);
                if !silent {
                    let list = flag_list(&message.flags);
                    let uid = if by_uid { format!(" UID {uid}") } else { String::new() };
                    out.extend(format!("* {number} FETCH (FLAGS {list}{uid})\r\n").into_bytes());
                }
            }
            Ok::<(), &'static str>(())
        })
        .ok_or(NO_FOLDER)??;
        self.world.ring();
        Ok("OK STORE completed.".to_owned())
    }

    /// EXPUNGE, and UID EXPUNGE with a set. The numbers that go follow from catching up.
    pub(super) fn expunge(&mut self, command: &Command) -> Reply {
        let set = match command.by_uid {
            true => Some(command.text(0).and_then(Set::parse).ok_or(ARGUMENT_ERROR)?),
            false => None,
        };
        self.writable()?;
        self.in_folder(|selected, folder| {
            let largest = selected.known.last().map_or(0, |known| known.uid);
            let chosen = |message: &Message| {
                set.as_ref().is_none_or(|set| set.contains(message.uid, largest))
            };
            folder.remove(|message| message.has("\\Deleted") && chosen(message));
        });
        self.world.ring();
        Ok("OK EXPUNGE completed.".to_owned())
    }

    pub(super) fn copy(&mut self, command: &Command, out: &mut Vec<u8>) -> Reply {
        let set = command.text(0).and_then(Set::parse).ok_or(ARGUMENT_ERROR)?;
        let target = command.text(1).ok_or(ARGUMENT_ERROR)?;
        let (moves, by_uid) = (command.verb == "MOVE", command.by_uid);
        if moves {
            self.writable()?;
        }
        let taken = self
            .in_folder(|selected, folder| {
                let named = selected.resolve(&set, by_uid)?;
                Ok::<_, &'static str>(
                    named
                        .iter()
                        .filter_map(|(_, uid)| folder.message(*uid).cloned())
                        .collect::<Vec<_>>(),
                )
            })
            .ok_or(NO_FOLDER)??;
        let mailbox = self.login.as_ref().map_or("", |login| &login.mailbox);
        let mut store = lock(&self.world.store);
        let folder = store
            .folder(mailbox, target)
            .ok_or("NO [TRYCREATE] The requested folder could not be found.")?;
        let list =
            |uids: Vec<u32>| uids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let from = list(taken.iter().map(|message| message.uid).collect());
        let copies = taken.iter().cloned().map(|message| {
            folder.append(message.bytes, message.flags, Some(message.internal_date))
        });
        let to = list(copies.collect());
        let code = match taken.is_empty() {
            // RFC 4315 section 3: there is no COPYUID without a UID in it.
            true => String::new(),
            false => format!("[COPYUID {} {from} {to}] ", folder.uid_validity),
        };
        drop(store);
        let reply = if moves {
            self.in_folder(|_, folder| {
                folder.remove(|message| taken.iter().any(|moved| moved.uid == message.uid));
            });
            if !code.is_empty() {
                out.extend(format!("* OK {code}Moved.\r\n").into_bytes());
            }
            "OK MOVE completed.".to_owned()
        } else {
            format!("OK {code}COPY completed.")
        };
        self.world.ring();
        Ok(reply)
    }

    /// Refuses what would change a folder that was opened by EXAMINE.
    fn writable(&self) -> Result<(), &'static str> {
        match &self.selected {
            None => Err(INVALID_STATE),
            Some(selected) if selected.read_only => Err("NO The folder is opened read-only."),
            Some(_) => Ok(()),
        }
    }
}
