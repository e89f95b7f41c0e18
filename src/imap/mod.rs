//! IMAP: RFC 3501 and RFC 9051, with SASL-IR (RFC 4959), ID (RFC 2971), NAMESPACE (RFC 2342),
//! UIDPLUS (RFC 4315), UNSELECT (RFC 3691) and LITERAL+ (RFC 7888).
//!
//! ```text
//!                                                       ┌── select ──┐
//!  greeting ─► [STARTTLS ─► TLS] ─► AUTHENTICATE ─► ImapClient ◄───► Mailbox ─► LOGOUT
//!              not authenticated                   authenticated     selected
//! ```
//!
//! An [`ImapClient`] is logged in; [`ImapClient::select`] lends its [`Mailbox`]. A [`Message`] is
//! what the server says about one message, and owns the octets it came in. What the server says
//! unasked is an [`Event`].
//!
//! There are methods for CAPABILITY, NOOP, LOGOUT, ID and NAMESPACE, SELECT, EXAMINE, CLOSE and
//! UNSELECT, APPEND, EXPUNGE, and by UID for FETCH, STORE and EXPUNGE. The other commands, such as
//! LIST, STATUS, SEARCH, COPY and MOVE, go through [`ImapClient::raw`], which hands out the answer
//! as it came. IDLE, NOTIFY, ENABLE and COMPRESS change the session in ways that this crate does not
//! follow yet, and cannot be sent.
//!
//! | room | what lives there |
//! |---|---|
//! | `connect` | from a stream to a client that is logged in |
//! | `session` | how a command is run |
//! | `client`, `mailbox` | [`ImapClient`], [`Mailbox`] |
//! | `command` | one file a command: what it writes, what it claims, its public method |
//! | `types` | values that outlive a command |
//! | `proto` | the core: frames, tags, what is in flight, the state of the session; no IO |
//! | `reply`, `event`, `error` | [`Reply`], [`Event`], [`Error`] |

mod client;
mod command;
mod connect;
mod error;
mod event;
mod mailbox;
mod proto;
mod reply;
mod session;
mod types;

pub use client::ImapClient;
pub use command::append::{AppendOptions, AppendResult};
pub use command::copy::CopyResult;
pub use command::enable::Extension;
pub use command::fetch::{MessageStream, Messages};
pub use command::fetch_items::{Fetch, FetchItems};
pub use command::list::{Attribute, ListedMailbox, Mailboxes, Role};
pub use command::r#move::{MoveResult, MoveWay};
pub use command::namespace::{NamespacePrefix, Namespaces};
pub use command::raw::{RawCommand, RawOutcome};
pub use command::search::{Search, SearchResult, SearchReturn};
pub use command::status::{MailboxStatus, StatusItem};
pub use command::store::StoreFlags;
pub use error::Error;
pub use event::{Data, Event};
pub use mailbox::Mailbox;
pub use proto::code::{AppendUid, Code, CopyUid};
pub use proto::response::Status;
pub use reply::Reply;
pub use types::{
    Address, AddressIter, Addresses, BodyPart, BodyParts, BodyStructure, Capabilities, Date,
    DateTime, Disposition, Envelope, Flag, Flags, Item, Languages, MailboxName, Message,
    OwnedBodyStructure, Parameter, ParameterIter, Parameters, ParseSetError, PartNumber, Section,
    SeqSet, Text, Uid, UidSet, Unparsed, UnparsedReason,
};
