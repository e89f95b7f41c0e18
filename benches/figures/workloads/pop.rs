//! Reading messages by POP3.

use std::hint::black_box;

use mailbearer::{PopClient, Protocol};

use super::{Workload, connector, dots, message};
use crate::replay::{Replay, after};
use crate::{said, single_threaded};

pub(crate) static RETR_20_KIB: Workload = Workload::new("pop-retr-20-kib", |items| {
    single_threaded(retr(server(&message(20 * 1024)), items))
});

/// Pipelined. Goes by whole batches.
pub(crate) static RETR_ALL_20_KIB: Workload = Workload::new("pop-retr-all-20-kib", |items| {
    single_threaded(retr_all(&message(20 * 1024), items / BATCH))
});

/// Messages asked for by one `retr_all`.
pub(crate) const BATCH: u64 = 64;

pub(crate) static RETR_10_KIB_BY_OCTETS: Workload =
    Workload::new("pop-retr-10-kib-by-octets", |items| {
        single_threaded(retr(server(&dots(10 * 1024)).in_reads_of(1), items))
    });

pub(crate) static RETR_1_MIB_BY_OCTETS: Workload =
    Workload::new("pop-retr-1-mib-by-octets", |items| {
        single_threaded(retr(server(&dots(1024 * 1024)).in_reads_of(1), items))
    });

/// Serves this message.
pub(crate) fn server(message: &[u8]) -> Replay {
    let login = [
        after(b"", "+OK ready\r\n"),
        after(b"CAPA\r\n", "+OK\r\nTOP\r\nUIDL\r\nSASL XOAUTH2\r\n.\r\n"),
        after(b"AUTH2\r\n", "+ \r\n"),
        after(b"\r\n", "+OK\r\n"),
        after(b"STAT\r\n", "+OK 1 120\r\n"),
    ];
    Replay::new(login, [after(b"RETR 1\r\n", stuffed(message))])
}

/// Serves it in answer to a batch of commands.
fn pipelining_server(message: &[u8]) -> Replay {
    let offered = "+OK\r\nTOP\r\nUIDL\r\nPIPELINING\r\nSASL XOAUTH2\r\n.\r\n";
    let login = [
        after(b"", "+OK ready\r\n"),
        after(b"CAPA\r\n", offered),
        after(b"AUTH2\r\n", "+ \r\n"),
        after(b"\r\n", "+OK\r\n"),
        after(b"CAPA\r\n", format!("+OK 1 120\r\n{offered}")),
    ];
    Replay::new(login, [after(b"RETR 1\r\n", stuffed(message)).times(BATCH)])
}

/// The answer to RETR.
pub(crate) fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut stuffed = b"+OK\r\n".to_vec();
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        stuffed.extend(line.starts_with(b".").then_some(b'.'));
        stuffed.extend_from_slice(line);
    }
    stuffed.extend_from_slice(b".\r\n");
    stuffed
}

/// Reads it again and again.
pub(crate) async fn retr(replay: Replay, items: u64) -> Result<(), String> {
    let mut client = client(replay).await?;
    for _ in 0..items {
        client.retr(1).await.map_err(said)?;
    }
    Ok(())
}

async fn retr_all(message: &[u8], batches: u64) -> Result<(), String> {
    let mut client = client(pipelining_server(message)).await?;
    for _ in 0..batches {
        let mut messages = client.retr_all((0..BATCH).map(|_| 1));
        while let Some(retrieved) = messages.next().await.map_err(said)? {
            retrieved.into_message().map_err(said)?;
        }
    }
    Ok(())
}

/// Reads it as it comes.
pub(crate) async fn read(replay: Replay) -> Result<(), String> {
    let mut client = client(replay).await?;
    let mut reader = client.retr_reader(1).await.map_err(said)?;
    while let Some(chunk) = reader.chunk().await.map_err(said)? {
        black_box(&chunk);
    }
    Ok(())
}

async fn client(replay: Replay) -> Result<PopClient, String> {
    connector(PopClient::builder, Protocol::Pop, replay).connect().await.map_err(said)
}
