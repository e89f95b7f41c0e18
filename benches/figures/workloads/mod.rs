//! What is done again and again while instructions, allocations or time are measured.
//!
//! Each workload does as many items as it is told, through the public clients and over a `replay`.
//! Connecting and the first use of everything come on top; who counts compares two runs.

pub(crate) mod imap;
pub(crate) mod pop;
pub(crate) mod smtp;
pub(crate) mod token;

use mailbearer::token::StaticToken;
use mailbearer::{Auth, Client, Connector, Endpoint, Protocol, danger};

use crate::replay::Replay;

/// A piece of work.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    work: fn(u64) -> Result<(), String>,
}

/// Those that can be run by name, as under valgrind.
const ALL: &[&Workload] = &[
    &imap::BODY_50_KIB,
    &imap::LINE_1_MIB_BY_OCTETS,
    &imap::LINE_10_KIB_BY_OCTETS,
    &imap::LISTS_1_MIB,
    &imap::LISTS_10_KIB,
    &imap::LINE_64_KIB,
    &imap::LINE_64_KIB_BY_OCTETS,
    &imap::LITERAL_1_MIB_BY_OCTETS,
    &imap::LITERAL_10_KIB_BY_OCTETS,
    &imap::LITERAL_64_KIB,
    &imap::LITERAL_64_KIB_BY_OCTETS,
    &imap::METADATA,
    &imap::OCTETS_64_KIB,
    &imap::SEARCH_100_000,
    &imap::SEARCH_1_000_000,
    &pop::RETR_1_MIB_BY_OCTETS,
    &pop::RETR_10_KIB_BY_OCTETS,
    &pop::RETR_20_KIB,
    &pop::RETR_ALL_20_KIB,
    &smtp::DOTS_1_MIB,
    &smtp::DOTS_10_KIB,
    &smtp::SEND_10_KIB,
    &smtp::SEND_10_KIB_TO_TEN,
    &token::HIT,
];

impl Workload {
    const fn new(name: &'static str, work: fn(u64) -> Result<(), String>) -> Self {
        Self { name, work }
    }

    /// Does `items` of it.
    pub(crate) fn run(&self, items: u64) -> Result<(), String> {
        (self.work)(items)
    }

    /// The one of this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().copied().find(|workload| workload.name == name)
    }
}

/// A message of about this many octets, in lines as base64 has them.
pub(crate) fn message(octets: usize) -> Vec<u8> {
    let mut message = b"Subject: figures\r\n\r\n".to_vec();
    while message.len() < octets {
        message.extend_from_slice(&[b'A'; 76]);
        message.extend_from_slice(b"\r\n");
    }
    message
}

/// The hardest text for dot-stuffing: every line is a dot.
fn dots(octets: usize) -> Vec<u8> {
    b".\r\n".repeat(octets / 3)
}

/// Goes to a server of clear text on this machine: what TLS costs is not ours.
pub(crate) fn connector<C: Client>(
    builder: fn(Endpoint) -> Connector<C>,
    protocol: Protocol,
    replay: Replay,
) -> Connector<C> {
    at(builder, protocol, 1).dial(replay)
}

/// The same, to a server that listens.
pub(crate) fn at<C: Client>(
    builder: fn(Endpoint) -> Connector<C>,
    protocol: Protocol,
    port: u16,
) -> Connector<C> {
    builder(Endpoint::new(protocol, "127.0.0.1", port, danger::plaintext_on_loopback()))
        .auth(Auth::xoauth2("billing@contoso.example", StaticToken::new("EwBAAl3BAAUF")))
}
