//! Values that outlive a command.

mod capability;
mod date;
mod date_time;
mod envelope;
mod flag;
mod mailbox_name;
mod message;
mod section;
mod span;
mod text;
mod uid;

pub use capability::Capabilities;
pub use date::Date;
pub use date_time::DateTime;
pub use envelope::{Address, AddressIter, Addresses, Envelope};
pub use flag::{Flag, Flags};
pub use mailbox_name::MailboxName;
pub use message::{Item, Message};
pub use section::Section;
pub use text::Text;
pub(crate) use uid::NumberSet;
pub use uid::{ParseSetError, SeqSet, Uid, UidSet};
