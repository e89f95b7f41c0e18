//! Sending messages.

use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll};

use mailbearer::smtp::{Body, Envelope};
use mailbearer::{Protocol, SmtpClient};

use super::{Workload, connector, dots, message};
use crate::replay::{Replay, Step, after};
use crate::{said, single_threaded};

pub(crate) static SEND_10_KIB: Workload =
    Workload::new("smtp-send-10-kib", |items| single_threaded(send_10_kib(1, items)));

pub(crate) static SEND_10_KIB_TO_TEN: Workload =
    Workload::new("smtp-send-10-kib-to-ten", |items| single_threaded(send_10_kib(10, items)));

pub(crate) static DOTS_10_KIB: Workload =
    Workload::new("smtp-dots-10-kib", |items| single_threaded(send(&dots(10 * 1024), items)));

pub(crate) static DOTS_1_MIB: Workload =
    Workload::new("smtp-dots-1-mib", |items| single_threaded(send(&dots(1024 * 1024), items)));

/// A client that is logged in, at a server that takes one message after the other.
pub(crate) async fn client() -> Result<SmtpClient, String> {
    let session = [after(b"DATA\r\n", envelope_replies(1, "354")), after(b"\r\n.\r\n", ACCEPTED)];
    client_of(server(session)).await
}

const ACCEPTED: &str = "250 2.0.0 OK <1@AM0PR01MB0001.eurprd01.prod.exchangelabs.com>\r\n";

/// Up to the go-ahead.
fn envelope_replies(recipients: usize, go_ahead: &str) -> String {
    let recipients = "250 2.1.5 Recipient OK\r\n".repeat(recipients);
    format!("250 2.1.0 Sender OK\r\n{recipients}{go_ahead} Start mail input\r\n")
}

fn server(session: impl IntoIterator<Item = Step>) -> Replay {
    let login = [
        after(b"", "220 mail.example ready\r\n"),
        after(
            b"\r\n",
            "250-mail.example\r\n250-SIZE 157286400\r\n250-PIPELINING\r\n\
             250-ENHANCEDSTATUSCODES\r\n250-AUTH XOAUTH2\r\n250 8BITMIME\r\n",
        ),
        after(b"AUTH2\r\n", "334 \r\n"),
        after(b"\r\n", "235 2.7.0 Authentication successful\r\n"),
    ];
    Replay::new(login, session)
}

async fn client_of(server: Replay) -> Result<SmtpClient, String> {
    connector(SmtpClient::builder, Protocol::Smtp, server).connect().await.map_err(said)
}

/// A server that takes as many messages, by `send_all`.
pub(crate) fn server_for_all(recipients: usize, count: usize) -> Replay {
    let envelope_only = after(b"DATA\r\n", envelope_replies(recipients, "354"));
    let both = format!("{ACCEPTED}{}", envelope_replies(recipients, "354"));
    let between = after(b"DATA\r\n", both);
    let session = std::iter::once(envelope_only)
        .chain(std::iter::repeat_n(between, count - 1))
        .chain([after(b"\r\n.\r\n", ACCEPTED)]);
    server(session)
}

/// A message of so many octets that is never in memory whole.
pub(crate) fn streamed(octets: usize) -> Body<'static> {
    let line = bytes::Bytes::from(message(64 * 1024));
    Body::stream(Lines { line, left: octets / (64 * 1024) })
}

/// The same lines over and over.
struct Lines {
    line: bytes::Bytes,
    left: usize,
}

impl futures_core::Stream for Lines {
    type Item = Result<bytes::Bytes, std::io::Error>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<bytes::Bytes, std::io::Error>>> {
        self.left = self.left.saturating_sub(1);
        Poll::Ready((self.left > 0).then(|| Ok(self.line.clone())))
    }
}

pub(crate) fn envelope() -> Result<Envelope, String> {
    Envelope::new("billing@contoso.example", ["someone@example.com"])
        .map_err(|error| error.to_string())
}

async fn send_10_kib(recipients: usize, items: u64) -> Result<(), String> {
    let count = usize::try_from(items).map_err(|error| error.to_string())?;
    let mut client = client_of(server_for_all(recipients, count)).await?;
    send_all(&mut client, recipients, count).await
}

/// Sends 10 KiB again and again, with the same envelope.
pub(crate) async fn send_all(
    client: &mut SmtpClient,
    recipients: usize,
    count: usize,
) -> Result<(), String> {
    let addresses = (1..=recipients).map(|n| format!("someone{n}@example.com"));
    let envelope =
        Envelope::new("billing@contoso.example", addresses).map_err(|e| e.to_string())?;
    let message = message(10 * 1024);
    let messages = std::iter::repeat_n((&envelope, &message), count);
    let mut sending = client.send_all(messages);
    while let Some(sent) = sending.next().await {
        let _ = black_box(sent.outcome.map_err(said)?);
    }
    Ok(())
}

/// Sends it again and again.
async fn send(message: &[u8], items: u64) -> Result<(), String> {
    let mut client = client().await?;
    let envelope = envelope()?;
    for _ in 0..items {
        let _ = black_box(client.send(&envelope, message).await.map_err(said)?);
    }
    Ok(())
}
