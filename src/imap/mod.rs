//! IMAP4 (RFC 3501, RFC 9051).

mod proto;
mod types;

pub use proto::code::{AppendUid, Code, CopyUid};
pub use proto::response::Status;
pub use types::{
    Address, AddressIter, Addresses, Capabilities, DateTime, Envelope, Flag, Flags, Item,
    MailboxName, Message, ParseSetError, Section, SeqSet, Text, Uid, UidSet,
};
