//! SMTP submission.

mod body;
mod envelope;
mod extension;
mod proto;
mod receipt;
mod reply;

pub use body::Body;
pub use envelope::{AddressFlaw, Envelope, EnvelopeError};
pub use extension::Extensions;
pub use receipt::{Receipt, RecipientReply};
pub use reply::{EnhancedCode, Reply};
