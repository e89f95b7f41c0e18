//! SMTP submission: RFC 6409 and RFC 5321, with AUTH (RFC 4954), STARTTLS (RFC 3207), PIPELINING
//! (RFC 2920), CHUNKING and BINARYMIME (RFC 3030), SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC
//! 6531), DSN (RFC 3461), REQUIRETLS (RFC 8689), LIMITS (RFC 9422) and enhanced status codes (RFC
//! 2034).
//!
//! ```text
//!  greeting ─► EHLO ─► [STARTTLS ─► TLS ─► EHLO] ─► AUTH ─► an SmtpClient ─► send, send, … ─► QUIT
//! ```
//!
//! A message is octets; this crate neither writes nor reads headers. Who gets it is said by the
//! [`Envelope`], and what the server answered to each recipient by the [`Receipt`].
//!
//! # Which call for which need
//! | need | call |
//! |---|---|
//! | one message | [`send`](SmtpClient::send) |
//! | many that are at hand | [`send_all`](SmtpClient::send_all) |
//! | many that come by and by | [`pipeline`](SmtpClient::pipeline) |
//! | content that is not in memory | [`Body::reader`], [`Body::stream`] |
//! | how far a long upload has come | [`Body::on_progress`]; to end it, drop the future |
//! | what became of a message whose `send` was dropped | [`take_outcome`](SmtpClient::take_outcome) |
//! | the envelope that the header asks for | [`Envelope::from_headers`], [`Body::without_bcc`] |
//! | send to all recipients or to none | [`Envelope::all_or_nothing`] |
//! | again, to those who were refused for now | [`Envelope::to_only`] |
//! | a report of what became of the message | [`Envelope::with_dsn`] |
//! | know whether sender and recipients would be refused, and send nothing | [`SmtpClient::rehearse`] |
//! | do without an extension that a server has wrong | [`Endpoint::without`](crate::Endpoint::without) |

// The rooms:
//
// | room | what lives there |
// |---|---|
// | `connect` | from a stream to a client that is logged in |
// | `client` | `SmtpClient`: how a command is run |
// | `command` | one file a command: the exchange, its public method |
// | `proto` | the core: replies paired with commands, the transaction, the SASL exchange; no IO |
// | `reply`, `extension`, `envelope`, `dsn`, `address`, `receipt`, `body` | values that outlive a command |
// | `headers` | the envelope that a message's own header asks for |
// | `needs`, `idn` | what a message needs of the server, and what goes without |
// | `meaning`, `hint` | what replies really mean, and how long they ask to wait |
// | `error` | `Error` |

mod address;
mod body;
mod client;
mod command;
mod connect;
mod dsn;
mod envelope;
mod error;
mod extension;
mod headers;
mod hint;
mod idn;
mod meaning;
mod needs;
mod proto;
mod queue_id;
mod receipt;
mod recipients;
mod reply;
mod words;

pub use address::{Address, AddressFlaw};
pub use body::{Body, BodyError, Progress};
pub use client::SmtpClient;
pub use command::rehearse::Rehearsal;
pub use command::send_all::{Pipeline, SendAll, Sent};
pub use dsn::{Dsn, DsnError, Notify, Ret};
pub use envelope::{Envelope, EnvelopeError};
pub use error::{Counted, Error};
pub use extension::{Extension, Extensions, SessionLimits};
pub use receipt::{Receipt, RecipientReply};
pub use reply::{EnhancedCode, Reply};
