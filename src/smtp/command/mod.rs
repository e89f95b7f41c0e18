//! The commands, one file each: the exchange, the public method, what the answer means.
//!
//! A message takes several: `plan` decides how it is sent, `flow` sends it.
//!
//! STARTTLS and EHLO are only sent on the way to a client; see `connect`.

pub(crate) mod auth;
pub(crate) mod ehlo;
mod flow;
pub(crate) mod noop;
mod plan;
pub(crate) mod quit;
pub(crate) mod rehearse;
pub(crate) mod rset;
pub(crate) mod send;
pub(crate) mod send_all;
