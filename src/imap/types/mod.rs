//! Values that outlive a command.

mod body_structure;
mod capability;
mod date;
mod date_time;
mod envelope;
mod flag;
pub(crate) mod item;
mod mailbox_name;
mod message;
mod section;
mod set;
pub(crate) mod span;
mod text;
#[cfg(test)]
mod tolerance;
mod uid;

pub use body_structure::{
    BodyPart, BodyParts, BodyStructure, Disposition, Languages, OwnedBodyStructure, Parameter,
    ParameterIter, Parameters, PartNumber,
};
pub use capability::Capabilities;
pub use date::Date;
pub use date_time::DateTime;
pub(crate) use date_time::{days_from_civil, days_in, month};
pub use envelope::{Address, AddressIter, Addresses, Envelope};
pub use flag::{Flag, Flags};
pub use item::{Item, Unparsed, UnparsedReason};
pub use mailbox_name::MailboxName;
pub use message::Message;
pub use section::Section;
pub(crate) use set::NumberSet;
pub use set::{ParseSetError, SeqSet, UidSet};
pub use text::Text;
pub use uid::Uid;
