//! SMTP submission: RFC 6409 and RFC 5321, with AUTH (RFC 4954), STARTTLS (RFC 3207), PIPELINING
//! (RFC 2920), SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531) and enhanced status codes
//! (RFC 2034).
//!
//! ```text
//!  greeting ─► EHLO ─► [STARTTLS ─► TLS ─► EHLO] ─► AUTH ─► an SmtpClient ─► send, send, … ─► QUIT
//! ```
//!
//! A message is octets; this crate neither writes nor reads headers. Who gets it is said by the
//! [`Envelope`], and what the server answered to each recipient by the [`Receipt`].
//!
//! | room | what lives there |
//! |---|---|
//! | `connect` | from a stream to a client that is logged in |
//! | `client` | [`SmtpClient`]: how a command is run |
//! | `command` | one file a command: the exchange, its public method |
//! | `proto` | the core: replies paired with commands, the transaction, the SASL exchange; no IO |
//! | `reply`, `extension`, `envelope`, `receipt`, `body` | values that outlive a command |
//! | `meaning`, `hint` | what replies really mean, and how long they ask to wait |
//! | `error` | [`Error`] |

mod body;
mod client;
mod command;
mod connect;
mod envelope;
mod error;
mod extension;
mod headers;
mod hint;
mod meaning;
mod proto;
mod queue_id;
mod receipt;
mod reply;

pub use body::Body;
pub use client::SmtpClient;
pub use envelope::{AddressFlaw, Envelope, EnvelopeError};
pub use error::Error;
pub use extension::{Extension, Extensions, SessionLimits};
pub use receipt::{Receipt, RecipientReply};
pub use reply::{EnhancedCode, Reply};
