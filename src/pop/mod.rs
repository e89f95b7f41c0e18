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
//! | room | what lives there |
//! |---|---|
//! | `connect` | from a stream to a client that is logged in |
//! | `client` | [`PopClient`]: how a command is run |
//! | `command` | one file a command: what it writes, what it reads, its public method |
//! | `proto` | the core: frames, what is in flight, the SASL exchange; no IO |
//! | `error` | [`Error`] |

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
