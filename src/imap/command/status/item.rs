//! What can be asked about a mailbox, and what the server must offer for it.

use std::borrow::Cow;

use crate::imap::command::modifier::Need;
use crate::imap::proto::Core;

const MODSEQ: Need = Need::offered(&["CONDSTORE", "QRESYNC"]);
const OBJECTID: Need = Need::offered(&["OBJECTID"]);
const STATUS_SIZE: Need = Need::offered(&["STATUS=SIZE"]);
const APPENDLIMIT: Need = Need::offered(&["APPENDLIMIT"]);
const RES_MESSAGE: Need = Need::offered(&["QUOTA=RES-MESSAGE"]);
const RES_STORAGE: Need = Need::offered(&["QUOTA=RES-STORAGE"]);

/// What to ask about a mailbox.
///
/// The first five any server knows. Of the others nothing is sent to a server that does not offer
/// what they belong to; an item of one's own is sent to any.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatusItem {
    /// `MESSAGES`: how many messages there are.
    Messages,
    /// `RECENT`: how many of them no session has seen (RFC 3501 only). Where IMAP4rev2
    /// is spoken, which has it no longer, it is left out, and nothing is told of it.
    Recent,
    /// `UIDNEXT`: a message to come will have this UID or a greater one.
    UidNext,
    /// `UIDVALIDITY`.
    UidValidity,
    /// `UNSEEN`: how many messages have not been read.
    Unseen,
    /// `DELETED`: how many are marked `\Deleted`. IMAP4rev2 has it (RFC 9051), and `QUOTA=RES-MESSAGE`
    /// (RFC 9208).
    Deleted,
    /// `DELETED-STORAGE`: octets of what is marked `\Deleted`, about. `QUOTA=RES-STORAGE` has it (RFC
    /// 9208).
    DeletedStorage,
    /// `SIZE`: octets of all messages together. IMAP4rev2 has it (RFC 9051), and `STATUS=SIZE` (RFC
    /// 8438).
    Size,
    /// `HIGHESTMODSEQ`: the highest modification sequence. `CONDSTORE` has it (RFC 7162).
    HighestModSeq,
    /// `MAILBOXID`: an identifier that renaming does not change. `OBJECTID` has it (RFC 8474).
    MailboxId,
    /// `APPENDLIMIT`: the octets of the longest message that it takes. `APPENDLIMIT` has it (RFC
    /// 7889). From then on [`append`](crate::ImapClient::append) goes by it.
    AppendLimit,
    /// Any other, by its name on the wire: `X-GUID`.
    Other(Cow<'static, str>),
}

impl StatusItem {
    const KNOWN: [Self; 11] = [
        Self::Messages,
        Self::Recent,
        Self::UidNext,
        Self::UidValidity,
        Self::Unseen,
        Self::Deleted,
        Self::DeletedStorage,
        Self::Size,
        Self::HighestModSeq,
        Self::MailboxId,
        Self::AppendLimit,
    ];

    /// The item on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Messages => "MESSAGES",
            Self::Recent => "RECENT",
            Self::UidNext => "UIDNEXT",
            Self::UidValidity => "UIDVALIDITY",
            Self::Unseen => "UNSEEN",
            Self::Deleted => "DELETED",
            Self::DeletedStorage => "DELETED-STORAGE",
            Self::Size => "SIZE",
            Self::HighestModSeq => "HIGHESTMODSEQ",
            Self::MailboxId => "MAILBOXID",
            Self::AppendLimit => "APPENDLIMIT",
            Self::Other(name) => name,
        }
    }

    /// What a server must offer for it.
    fn need(&self, core: &Core) -> Option<Need> {
        match self {
            // RFC 9051 section 6.3.11 has them built in.
            Self::Deleted if core.speaks_rev2() => None,
            Self::Deleted => Some(RES_MESSAGE),
            Self::DeletedStorage => Some(RES_STORAGE),
            Self::Size => Some(STATUS_SIZE),
            Self::HighestModSeq => Some(MODSEQ),
            Self::MailboxId => Some(OBJECTID),
            // RFC 7889 section 2: a number may stand behind it.
            Self::AppendLimit if core.capabilities().value(APPENDLIMIT.what).is_some() => None,
            Self::AppendLimit => Some(APPENDLIMIT),
            Self::Messages
            | Self::Recent
            | Self::UidNext
            | Self::UidValidity
            | Self::Unseen
            | Self::Other(_) => None,
        }
    }

    /// Of these items what this server has, whatever it offers. Who asks for RECENT alone learns at
    /// least whether there is such a mailbox.
    pub(in crate::imap::command) fn known_to(core: &Core, mut items: Vec<Self>) -> Vec<Self> {
        let asked = items.len();
        if core.speaks_rev2() {
            items.retain(|item| *item != Self::Recent);
        }
        if items.is_empty() && asked > 0 {
            items.push(Self::Messages);
        }
        items
    }

    /// What this server must offer for these items.
    pub(in crate::imap::command) fn needs(items: &[Self], core: &Core) -> Vec<Need> {
        items.iter().filter_map(|item| item.need(core)).collect()
    }

    fn known(name: &str) -> Option<Self> {
        Self::KNOWN.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(name))
    }
}

impl From<&str> for StatusItem {
    /// By its name on the wire, in any case if it is known.
    fn from(name: &str) -> Self {
        Self::known(name).unwrap_or_else(|| Self::Other(name.to_owned().into()))
    }
}

impl From<String> for StatusItem {
    /// By its name on the wire, in any case if it is known.
    fn from(name: String) -> Self {
        Self::known(&name).unwrap_or_else(|| Self::Other(name.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::machine::Machine;

    /// What is lacking for it at a server that announces this.
    fn lacking(item: &StatusItem, offered: &str) -> Option<&'static str> {
        let mut core = Core::new(&Limits::default(), true);
        core.expect_greeting();
        core.input().push(format!("* PREAUTH [CAPABILITY {offered}] hi\r\n").as_bytes());
        while core.poll().unwrap().is_some() {}
        let needs = StatusItem::needs(std::slice::from_ref(item), &core);
        let met = |need: &&Need| !need.is_met(core.capabilities(), core.enabled());
        needs.iter().find(met).map(|need| need.what)
    }

    #[test]
    fn a_known_item_is_known_by_its_name_in_any_case_and_others_are_kept_as_they_are() {
        for item in StatusItem::KNOWN {
            assert_eq!(StatusItem::from(item.as_str()), item);
            assert_eq!(StatusItem::from(item.as_str().to_lowercase()), item);
        }
        for name in ["X-guid", "MESSAGE", ""] {
            assert_eq!(StatusItem::from(name), StatusItem::Other(name.into()));
            assert_eq!(StatusItem::from(name.to_owned()).as_str(), name);
        }
    }

    #[test]
    fn what_belongs_to_an_extension_is_asked_of_a_server_that_has_it() {
        for (item, lacks, has) in [
            (StatusItem::Deleted, "QUOTA QUOTA=RES-STORAGE", "QUOTA QUOTA=RES-MESSAGE"),
            (StatusItem::Deleted, "IMAP4rev1 IMAP4rev2", "IMAP4rev2"),
            (StatusItem::DeletedStorage, "IMAP4rev2 QUOTA=RES-MESSAGE", "QUOTA=RES-STORAGE"),
            (StatusItem::Size, "IMAP4rev1 IMAP4rev2", "IMAP4rev2"),
            (StatusItem::Size, "LIST-STATUS", "STATUS=SIZE"),
            (StatusItem::HighestModSeq, "IMAP4rev2", "CONDSTORE"),
            (StatusItem::HighestModSeq, "XYMHIGHESTMODSEQ", "QRESYNC"),
            (StatusItem::MailboxId, "IMAP4rev2", "OBJECTID"),
            (StatusItem::AppendLimit, "IMAP4rev2", "APPENDLIMIT"),
            (StatusItem::AppendLimit, "IMAP4rev1", "APPENDLIMIT=35651584"),
        ] {
            assert!(lacking(&item, lacks).is_some(), "{item:?} {lacks}");
            assert_eq!(lacking(&item, has), None, "{item:?} {has}");
        }
        for item in ["MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "X-GUID"] {
            assert_eq!(lacking(&item.into(), "IMAP4rev1"), None, "{item}");
        }
    }
}
