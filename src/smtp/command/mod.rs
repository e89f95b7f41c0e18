//! The commands, one file each: the exchange, the public method, what the answer means.
//!
//! STARTTLS and EHLO are only sent on the way to a client; see `connect`.

pub(crate) mod auth;
pub(crate) mod ehlo;
pub(crate) mod noop;
pub(crate) mod quit;
pub(crate) mod rset;
pub(crate) mod send;
