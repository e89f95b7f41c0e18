//! Sending messages.

use std::hint::black_box;

use mailbearer::smtp::Envelope;
use mailbearer::{Protocol, SmtpClient};

use super::{Workload, connector, dots, message};
use crate::replay::{Replay, after};
use crate::{said, single_threaded};

pub(crate) static SEND_10_KIB: Workload =
    Workload::new("smtp-send-10-kib", |items| single_threaded(send(&message(10 * 1024), items)));

pub(crate) static DOTS_10_KIB: Workload =
    Workload::new("smtp-dots-10-kib", |items| single_threaded(send(&dots(10 * 1024), items)));

pub(crate) static DOTS_1_MIB: Workload =
    Workload::new("smtp-dots-1-mib", |items| single_threaded(send(&dots(1024 * 1024), items)));

/// A client that is logged in.
pub(crate) async fn client() -> Result<SmtpClient, String> {
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
    let session = [
        after(
            b"DATA\r\n",
            "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n354 Start mail input\r\n",
        ),
        after(b"\r\n.\r\n", "250 2.0.0 OK <1@AM0PR01MB0001.eurprd01.prod.exchangelabs.com>\r\n"),
    ];
    connector(SmtpClient::builder, Protocol::Smtp, Replay::new(login, session))
        .connect()
        .await
        .map_err(said)
}

pub(crate) fn envelope() -> Result<Envelope, String> {
    Envelope::new("billing@contoso.example", ["someone@example.com"])
        .map_err(|error| error.to_string())
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
