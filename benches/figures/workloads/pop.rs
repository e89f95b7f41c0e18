//! Reading messages by POP3.

use mailbearer::{PopClient, Protocol};

use super::{Workload, connector, dots, message};
use crate::replay::{Replay, after};
use crate::{said, single_threaded};

pub(crate) static RETR_20_KIB: Workload = Workload::new("pop-retr-20-kib", |items| {
    single_threaded(retr(server(&message(20 * 1024)), items))
});

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

/// Reads it again and again.
pub(crate) async fn retr(replay: Replay, items: u64) -> Result<(), String> {
    let mut client =
        connector(PopClient::builder, Protocol::Pop, replay).connect().await.map_err(said)?;
    for _ in 0..items {
        client.retr(1).await.map_err(said)?;
    }
    Ok(())
}
