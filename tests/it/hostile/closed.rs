//! What is said of a connection that the client itself has closed.

use std::time::Duration;

use mailbearer::imap::{AppendOptions, Upload};
use mailbearer::smtp::Body;
use mailbearer::{Failure, Retry, Timeouts};
use tokio::time::timeout;

use super::imap::logged_in_imap;
use super::{Far, envelope, logged_in_pop, logged_in_smtp};

/// One command, and then two more: what each ended in.
macro_rules! three_ends {
    ($client:expr) => {{
        let mut ends = Vec::new();
        for _ in 0..3 {
            let error = $client.noop().await.unwrap_err();
            assert!(!error.connection_usable() && !$client.is_open());
            ends.push((error.to_string(), error.retry()));
        }
        ends
    }};
}

fn check(protocol: &str, ends: &[(String, Retry)], cause: &str) {
    let after = format!(
        "the client closed this connection after an earlier failure, `{cause}` (during NOOP)"
    );
    assert!(ends[0].0.contains(cause), "{protocol}: {ends:?}");
    for (text, retry) in &ends[1..] {
        assert_eq!((text, *retry), (&after, Retry::Reconnect), "{protocol}");
    }
}

async fn all_three(server: impl AsyncFn(Far), cause: &str) {
    let (mut client, far) = logged_in_smtp("").await;
    let (ends, ()) = tokio::join!(async { three_ends!(client) }, server(far));
    check("SMTP", &ends, cause);
    let (mut client, far) = logged_in_pop().await;
    let (ends, ()) = tokio::join!(async { three_ends!(client) }, server(far));
    check("POP3", &ends, cause);
    let (mut client, far) = logged_in_imap(Timeouts::default()).await;
    let (ends, ()) = tokio::join!(async { three_ends!(client) }, server(far));
    check("IMAP", &ends, cause);
}

#[tokio::test(start_paused = true)]
async fn behind_a_deadline_it_was_the_client_that_closed() {
    let silent = async |mut far: Far| {
        // The command, and then the end: the socket is not kept until the client is dropped.
        while !far.line().await.is_empty() {}
    };
    all_three(silent, "no answer within 300 s").await;
}

#[tokio::test(start_paused = true)]
async fn behind_a_broken_rule_it_was_the_client_that_closed() {
    let endless = async |mut far: Far| {
        far.line().await;
        far.say("x".repeat(40_000_000)).await;
    };
    all_three(endless, "the server sent a line of more than 65536 octets").await;
}

#[tokio::test(start_paused = true)]
async fn behind_a_dropped_command_that_cannot_be_ended_that_is_the_cause_for_good() {
    macro_rules! dropped {
        ($client:expr) => {{
            assert!(timeout(Duration::from_secs(1), $client.noop()).await.is_err());
            for _ in 0..3 {
                let error = $client.noop().await.unwrap_err();
                assert_eq!(
                    error.to_string(),
                    "the connection was closed because an operation on it was dropped half way \
                     (during NOOP)"
                );
                assert_eq!(error.retry(), Retry::Reconnect);
            }
        }};
    }
    let (mut client, _far) = logged_in_smtp("").await;
    dropped!(client);
    let (mut client, _far) = logged_in_pop().await;
    dropped!(client);
    let (mut client, _far) = logged_in_imap(Timeouts::default()).await;
    dropped!(client);
}

/// Where the message cannot be taken back but by closing.
#[tokio::test(start_paused = true)]
async fn behind_a_message_that_could_not_be_read_its_error_is_the_cause() {
    fn check(first: &dyn Failure, next: &dyn Failure) {
        let first = first.to_string();
        assert!(first.contains("announced"), "{first}");
        assert_eq!(
            next.to_string(),
            format!(
                "the client closed this connection after an earlier failure, `{first}` (during \
                 NOOP)"
            )
        );
        assert_eq!(next.retry(), Retry::Reconnect);
    }
    let (mut client, mut far) = logged_in_imap(Timeouts::default()).await;
    let server = async {
        far.line().await;
        far.say("+ go\r\n").await;
    };
    let options = AppendOptions::new();
    let message = Upload::reader(&b"abc"[..], 100_000);
    let (first, ()) = tokio::join!(client.append("Sent", message, options), server);
    check(&first.unwrap_err(), &client.noop().await.unwrap_err());

    let (mut client, mut far) = logged_in_smtp("").await;
    let server = async {
        for answer in ["250 ok\r\n", "250 ok\r\n", "354 go\r\n"] {
            far.line().await;
            far.say(answer).await;
        }
    };
    let lines = "x\r\n".repeat(100_000);
    let message = Body::reader(lines.as_bytes()).exact_size(1_000_000);
    let envelope = envelope();
    let (first, ()) = tokio::join!(client.send(&envelope, message), server);
    check(&first.unwrap_err(), &client.noop().await.unwrap_err());
}
