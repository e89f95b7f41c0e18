//! IMAP4rev1 (RFC 3501) and IMAP4rev2 (RFC 9051), with some forty extensions: `docs/imap-extensions.md`
//! has a table of them, with the method, its RFC, and who offers it.
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
//! # Which call for which need
//! | need | call |
//! |---|---|
//! | look at a mailbox | [`select`](ImapClient::select), or [`examine`](ImapClient::examine), which changes nothing |
//! | a list of its messages | [`uid_fetch`](Mailbox::uid_fetch) of [`Fetch::envelope`]; a page of it: [`FetchItems::partial`] |
//! | one message, or a part of it | [`uid_fetch`](Mailbox::uid_fetch) of [`Fetch::body`], [`Fetch::section`] |
//! | a message of any size, to a file | [`Messages::parts`], [`Parts::copy_body`] |
//! | messages that match, sorted or in threads | [`uid_search`](Mailbox::uid_search), [`uid_sort`](Mailbox::uid_sort), [`uid_thread`](Mailbox::uid_thread) |
//! | what has changed since the last session | [`resync`](ImapClient::resync), [`FetchItems::changed_since`]; UIDs that were kept, if they still hold: [`select_if`](ImapClient::select_if) |
//! | wait for mail | [`idle`](Mailbox::idle) |
//! | how many, without opening it | [`status`](ImapClient::status), [`status_all`](ImapClient::status_all) |
//! | the mailbox for sent mail, drafts or junk | [`list`](ImapClient::list), then [`Mailboxes::role`] |
//! | keep a message | [`append`](ImapClient::append); one that is not in memory: [`Upload::reader`] |
//! | mark | [`uid_store`](Mailbox::uid_store); if nobody else has: [`uid_store_unchanged_since`](Mailbox::uid_store_unchanged_since) |
//! | move, delete | [`uid_move`](Mailbox::uid_move); [`uid_store`](Mailbox::uid_store), then [`uid_expunge`](Mailbox::uid_expunge) |
//! | space left, rights | [`quota_root`](ImapClient::quota_root), [`my_rights`](ImapClient::my_rights) |
//! | open a mailbox and fetch from it in one round trip | [`select_fetch`](ImapClient::select_fetch) |
//! | a command that has no method | [`raw`](ImapClient::raw) |
//!
//! What the extensions give, and what is done where a server lacks one, is told
//! [below](#imap-extensions).
//!
//! # Which method for which command
//! | command | method |
//! |---|---|
//! | CAPABILITY, NOOP, LOGOUT | [`capability`](ImapClient::capability), [`noop`](ImapClient::noop), [`logout`](ImapClient::logout) |
//! | AUTHENTICATE | what connects: [`connect_xoauth2`](ImapClient::connect_xoauth2), [`Auth`](crate::Auth); without a mechanism that the server offers: [`Error::Unsupported`] |
//! | LOGIN | [`Auth::user_pass`](crate::Auth::user_pass); with LOGINDISABLED: [`Error::Unsupported`] |
//! | ID, ENABLE, NAMESPACE | [`id`](ImapClient::id), [`enable`](ImapClient::enable), [`namespace`](ImapClient::namespace) |
//! | SELECT, EXAMINE | [`select`](ImapClient::select), [`ensure_selected`](ImapClient::ensure_selected), [`select_if`](ImapClient::select_if), [`examine`](ImapClient::examine) |
//! | CLOSE, UNSELECT | [`close`](ImapClient::close), [`unselect`](ImapClient::unselect) |
//! | LIST, LSUB, STATUS | [`list`](ImapClient::list), [`lsub`](ImapClient::lsub), [`status`](ImapClient::status), [`status_all`](ImapClient::status_all) |
//! | CREATE, DELETE, RENAME | [`create`](ImapClient::create), [`delete`](ImapClient::delete), [`rename`](ImapClient::rename) |
//! | SUBSCRIBE, UNSUBSCRIBE | [`subscribe`](ImapClient::subscribe), [`unsubscribe`](ImapClient::unsubscribe) |
//! | APPEND | [`append`](ImapClient::append) |
//! | FETCH | [`uid_fetch`](Mailbox::uid_fetch), [`fetch`](Mailbox::fetch), [`select_fetch`](ImapClient::select_fetch), [`select_fetch_if`](ImapClient::select_fetch_if) |
//! | COMPRESS | `compress` (feature `compress`) |
//! | IDLE | [`idle`](Mailbox::idle) |
//! | NOTIFY | [`notify`](ImapClient::notify), [`notifications`](ImapClient::notifications) |
//! | SEARCH | [`uid_search`](Mailbox::uid_search), [`uid_search_returning`](Mailbox::uid_search_returning), [`search`](Mailbox::search), [`search_returning`](Mailbox::search_returning); the charset refused: once more without |
//! | STORE | [`uid_store`](Mailbox::uid_store), [`store`](Mailbox::store) |
//! | COPY, MOVE | [`uid_copy`](Mailbox::uid_copy), [`copy`](Mailbox::copy), [`uid_move`](Mailbox::uid_move), [`move_numbers`](Mailbox::move_numbers) |
//! | EXPUNGE | [`uid_expunge`](Mailbox::uid_expunge), [`expunge`](Mailbox::expunge) |
//! | UNAUTHENTICATE | [`unauthenticate`](ImapClient::unauthenticate), then [`Unauthenticated::authenticate`] |
//! | any other | [`raw`](ImapClient::raw), which hands out the answer as it came |
//!
//! A set of UIDs that is too long for one line goes in several commands whose answers are joined.
//!
//! CHECK has no method: RFC 9051 has dropped it, and NOOP does as much.
//!
#![doc = include_str!("../../docs/imap-extensions.md")]

// The rooms:
//
// | room | what lives there |
// |---|---|
// | `connect` | from a stream to a client that is logged in |
// | `session`, `flight` | how a command is run, and several at once |
// | `client`, `mailbox`, `unauthenticated` | `ImapClient`, `Mailbox`, `Unauthenticated` |
// | `messages`, `parts`, `upload`, `idle`, `notifications` | what takes long: `Messages`, `Parts`, `Upload`, `Idle`, `Notifications` |
// | `command` | one file a command: what it writes, what it claims, its public method |
// | `types` | values that outlive a command |
// | `finding` | what SORT and THREAD do, for servers without them; no IO |
// | `proto` | the core: frames, tags, what is in flight, the state of the session; no IO |
// | `reply`, `event`, `error` | `Reply`, `Event`, `Error` |

mod client;
mod command;
mod connect;
mod error;
mod event;
mod finding;
mod flight;
mod idle;
mod mailbox;
mod messages;
mod notifications;
mod parts;
mod proto;
mod reply;
mod session;
mod types;
mod unauthenticated;
mod upload;

pub use client::ImapClient;
pub use command::acl::{AccessList, ListedRights, Right, Rights, SetRights};
pub use command::append::{AppendOptions, AppendResult};
pub use command::catenate::CatenatePart;
pub use command::condstore::ConditionalStore;
pub use command::context::{SearchChange, SearchContext, SearchUpdate, UpdateOptions, Updating};
pub use command::copy::CopyResult;
pub use command::enable::Extension;
pub use command::expunge::Expunged;
pub use command::fetch_items::{Fetch, FetchItems};
pub use command::gmail::GmailId;
pub use command::list::{Attribute, ListQuery, ListedMailbox, Mailboxes, Role};
pub use command::metadata::{GetMetadata, Metadata, MetadataDepth};
pub use command::r#move::{MoveResult, MoveWay};
pub use command::multi_search::{MailboxMatches, MultiSearch, MultiSearchResult, SearchSource};
pub use command::namespace::{NamespacePrefix, Namespaces};
pub use command::notify::{Notified, Notify, NotifyEvent};
pub use command::number::FoundIter;
pub use command::partial::Partial;
pub use command::qresync::{QResync, Resynced};
pub use command::quota::{Quota, QuotaResource, QuotaUsage, Quotas};
pub use command::raw::{RawCommand, RawOutcome};
pub use command::replace::{ReplaceResult, ReplaceWay};
pub use command::search::{Search, SearchResult, SearchReturn};
pub use command::search_res::SavedSearch;
pub use command::select::SelectOptions;
pub use command::sort::{Sort, SortKey, Sorted};
pub use command::status::{MailboxStatus, StatusItem};
pub use command::store::StoreFlags;
pub use command::thread::{Thread, ThreadAlgorithm, ThreadIter, ThreadMessage, Threads};
pub use error::Error;
pub use event::{Data, Event};
pub use finding::DoneBy;
pub use idle::Idle;
pub use mailbox::Mailbox;
pub use messages::{MessageStream, Messages};
pub use notifications::Notifications;
pub use parts::{Copied, Parts};
pub use proto::code::{AppendUid, Code, CopyUid, Modified};
pub use proto::parts::{Part, SectionPart};
pub use proto::response::Status;
pub use reply::Reply;
pub use types::{
    Address, AddressIter, Addresses, BodyPart, BodyParts, BodyStructure, Capabilities, Date,
    DateTime, Disposition, Envelope, Flag, Flags, Item, Languages, MailboxName, Message,
    OwnedBodyStructure, Parameter, ParameterIter, Parameters, ParseSetError, PartNumber, Section,
    SeqSet, Text, Uid, UidSet, Unparsed, UnparsedReason,
};
pub use unauthenticated::Unauthenticated;
pub use upload::Upload;
