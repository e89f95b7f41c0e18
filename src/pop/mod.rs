//! POP3: RFC 1939, with CAPA (RFC 2449), STLS (RFC 2595) and AUTH (RFC 5034).
//!
//! ```text
//!  greeting ─► CAPA ─► [STLS ─► TLS ─► CAPA] ─► AUTH ─► STAT ─► a PopClient ─► QUIT
//!              AUTHORIZATION                          TRANSACTION            UPDATE
//! ```
//!
//! What DELE marks is deleted when [`quit`](PopClient::quit) is answered, and only then. A client
//! that is dropped deletes nothing.
//!
//! # Which call for which need
//! | need | call |
//! |---|---|
//! | fetch what is new, and delete what is stored | [`sync`](PopClient::sync) |
//! | many messages at once | [`retr_all`](PopClient::retr_all), pipelined where it can be |
//! | a message of any size, to a file or a parser | [`retr_reader`](PopClient::retr_reader) |
//! | one message in memory | [`retr`](PopClient::retr) |
//! | its header | [`top`](PopClient::top) with 0 lines |
//! | how many, how large | [`maildrop`](PopClient::maildrop), [`stat`](PopClient::stat), [`list`](PopClient::list) |
//! | what each is called from one session to the next | [`uidl`](PopClient::uidl) |
//! | delete by hand | [`dele`](PopClient::dele), then [`quit`](PopClient::quit); [`rset`](PopClient::rset) takes it back |
//!
//! # What POP3 cannot do
//! It knows one mailbox, the INBOX; no folders, no flags, no search, no part of a message but its
//! beginning. It does not tell of new mail: what there is, is fixed at the login. Most servers let
//! one session at a time have the maildrop ([`ResponseCode::InUse`]), and some want minutes between
//! two ([`ResponseCode::LoginDelay`]). Numbers mean other messages in the next session; only
//! identifiers (UIDL) hold. Whoever needs more takes IMAP.

// The rooms:
//
// | room | what lives there |
// |---|---|
// | `connect` | from a stream to a client that is logged in |
// | `client` | `PopClient`: how a command is run |
// | `command` | one file a command: what it writes, what it reads, its public method |
// | `reader` | a message that is read as it comes |
// | `sync` | what is new, and the deletion of what was stored |
// | `proto` | the core: frames, what is in flight, the SASL exchange; no IO |
// | `error` | `Error` |

mod capability;
mod client;
mod command;
mod connect;
mod error;
pub(crate) mod proto;
mod reader;
mod reply;
mod sync;

pub use capability::{Capabilities, Expire};
pub use client::PopClient;
pub use command::lang::Language;
pub use command::list::Listed;
pub use command::retr_all::{Messages, Retrieved};
pub use command::stat::Maildrop;
pub use command::uidl::UniqueId;
pub use error::Error;
pub use reader::MessageReader;
pub use reply::{Reply, ResponseCode};
pub use sync::{Finished, NewMessage, NewMessages};
