//! Other crates' codecs as oracles for the IMAP client.
//!
//! What a server may say is made up by proptest, in the form of `neutral`, which is nobody's. imap-codec
//! writes it; the client reads it, fed through its public API by `server`; imap-proto reads the same
//! octets. All must come back to what was made up. Where an oracle is at odds with RFC 9051, the
//! place in the test says so, and what it says is not asked.
//!
//! Neither oracle knows ESEARCH; what the client makes of it is compared with what was made up.

#![cfg(test)]

mod fetch;
mod mailboxes;
mod neutral;
mod server;
mod status;
