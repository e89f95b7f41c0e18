//! What is done again and again while instructions or allocations are counted.
//!
//! Each workload does as many items as it is told, through the public clients and over a `replay`.
//! Connecting and the first use of everything come on top; who counts compares two runs.

use std::time::Duration;

use mailbearer::token::{Cached, StaticToken, TokenRequest, from_fn};
use mailbearer::{
    AccessToken, Auth, Client, Connector, Endpoint, PopClient, Protocol, TokenProvider, danger,
};

use crate::replay::{Replay, after};
use crate::{said, single_threaded};

/// A piece of work.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    work: fn(u64) -> Result<(), String>,
}

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

/// Those that are run by name under valgrind.
const ALL: &[&Workload] =
    &[&POP_RETR, &POP_RETR_SMALL_IN_OCTETS, &POP_RETR_LARGE_IN_OCTETS, &TOKEN_HIT, &TOKEN_HIT_ONE];

pub(crate) static POP_RETR: Workload = Workload::new("pop-retr-20-kib", |items| {
    single_threaded(pop_retr(pop(&message(20 * 1024)), items))
});

pub(crate) static POP_RETR_SMALL_IN_OCTETS: Workload =
    Workload::new("pop-retr-10-kib-octets", |items| {
        single_threaded(pop_retr(pop(&dots(10 * 1024)).in_reads_of(1), items))
    });

pub(crate) static POP_RETR_LARGE_IN_OCTETS: Workload =
    Workload::new("pop-retr-1-mib-octets", |items| {
        single_threaded(pop_retr(pop(&dots(1024 * 1024)).in_reads_of(1), items))
    });

pub(crate) static TOKEN_HIT: Workload =
    Workload::new("token-hit", |items| single_threaded(token_hits(cached(), items)));

pub(crate) static TOKEN_HIT_ONE: Workload = Workload::new("token-hit-one-for-all", |items| {
    single_threaded(token_hits(cached().one_token_for_all(), items))
});

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
pub(crate) fn dots(octets: usize) -> Vec<u8> {
    b".\r\n".repeat(octets / 3)
}

/// A server of clear text on this machine. Only the figures of round trips need TLS.
pub(crate) fn connector<C: Client>(
    builder: fn(Endpoint) -> Connector<C>,
    protocol: Protocol,
    replay: Replay,
) -> Connector<C> {
    builder(Endpoint::new(protocol, "127.0.0.1", 1, danger::plaintext_on_loopback()))
        .auth(Auth::xoauth2("billing@contoso.example", StaticToken::new("EwBAAl3BAAUF")))
        .dial(replay)
}

pub(crate) fn pop(message: &[u8]) -> Replay {
    let mut stuffed = b"+OK\r\n".to_vec();
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        stuffed.extend(line.starts_with(b".").then_some(b'.'));
        stuffed.extend_from_slice(line);
    }
    stuffed.extend_from_slice(b".\r\n");
    let login = [
        after(b"", "+OK ready\r\n"),
        after(b"CAPA\r\n", "+OK\r\nTOP\r\nUIDL\r\nSASL XOAUTH2\r\n.\r\n"),
        after(b"AUTH2\r\n", "+ \r\n"),
        after(b"\r\n", "+OK\r\n"),
        after(b"STAT\r\n", "+OK 1 120\r\n"),
    ];
    Replay::new(login, [after(b"RETR 1\r\n", stuffed)])
}

async fn pop_retr(replay: Replay, items: u64) -> Result<(), String> {
    let mut client =
        connector(PopClient::builder, Protocol::Pop, replay).connect().await.map_err(said)?;
    for _ in 0..items {
        client.retr(1).await.map_err(said)?;
    }
    Ok(())
}

fn cached() -> Cached<impl TokenProvider + 'static> {
    Cached::new(from_fn(|_request| async {
        Ok(AccessToken::new("EwBAAl3BAAUF").with_lifetime(Duration::from_secs(3600)))
    }))
}

async fn token_hits(
    tokens: Cached<impl TokenProvider + 'static>,
    items: u64,
) -> Result<(), String> {
    let request = TokenRequest::new(Endpoint::smtp("mail.example"), "billing@contoso.example");
    for _ in 0..=items {
        tokens.token(&request).await.map_err(said)?;
    }
    Ok(())
}
