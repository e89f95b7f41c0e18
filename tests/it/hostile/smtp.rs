//! What an SMTP server can do.

use std::time::Duration;

use mailbearer::{Failure, Retry, Stage};
use tokio::io::AsyncReadExt;

use super::{TOKEN, envelope, logged_in_smtp};

/// 250 in place of the answer to a dot that was never written: the receipt says "sent".
#[tokio::test(start_paused = true)]
async fn a_message_that_was_not_written_is_not_reported_as_sent() {
    let (mut client, mut far) = logged_in_smtp("250-PIPELINING\r\n").await;
    let server = async {
        for _ in 0..3 {
            far.line().await;
        }
        far.say("250 ok\r\n250 ok\r\n354 go\r\n250 one too many\r\n").await;
        far
    };
    let body = "Subject: x\r\n\r\nhello\r\n";
    let envelope = envelope();
    let (sent, mut far) = tokio::join!(client.send(&envelope, body), server);
    drop(client);
    let mut written = String::new();
    far.stream.read_to_string(&mut written).await.unwrap();
    assert!(sent.is_err() || written.ends_with("\r\n.\r\n"), "{sent:?}, but written: {written:?}");
}

/// 552 while the message is still in the send buffer: what is left of it must not be read as
/// commands.
#[tokio::test(start_paused = true)]
async fn a_refusal_before_the_message_was_written_costs_the_connection() {
    let (mut client, mut far) = logged_in_smtp("250-PIPELINING\r\n").await;
    let server = async {
        for _ in 0..3 {
            far.line().await;
        }
        far.say("250 ok\r\n250 ok\r\n354 go\r\n552 5.3.4 no\r\n").await;
        // A server for which DATA is over by that.
        let next = tokio::time::timeout(Duration::from_secs(5), far.line()).await;
        (next, far)
    };
    let body = "MAIL FROM:<smuggled@b.example>\r\n\r\nhello\r\n";
    let envelope = envelope();
    let client = async {
        let error = client.send(&envelope, body).await.unwrap_err();
        let usable = error.connection_usable();
        let _ = tokio::time::timeout(Duration::from_secs(1), client.noop()).await;
        usable
    };
    let (usable, (next, _)) = tokio::join!(client, server);
    assert!(!usable, "connection_usable(); the server read as a command: {next:?}");
}

/// The token echoed in the answer to a later command.
#[tokio::test(start_paused = true)]
async fn the_token_is_taken_out_of_later_replies() {
    let (mut client, mut far) = logged_in_smtp("").await;
    let server = async {
        far.line().await;
        far.say(format!("451 4.3.0 session {TOKEN} lost\r\n")).await;
        far.line().await;
        far.say(format!("{TOKEN}\r\n")).await;
    };
    let client = async {
        let refused = client.noop().await.unwrap_err();
        let nonsense = client.noop().await.unwrap_err();
        format!("{refused} {refused:?} {nonsense} {nonsense:?}")
    };
    let (shown, ()) = tokio::join!(client, server);
    assert!(!shown.contains(&TOKEN[..16]), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn the_token_is_taken_out_of_receipts() {
    let (mut client, mut far) = logged_in_smtp("").await;
    let server = async {
        far.line().await;
        far.say(format!("550 5.7.1 {TOKEN}\r\n")).await;
    };
    let envelope = envelope();
    let (sent, ()) = tokio::join!(client.send(&envelope, "x"), server);
    let error = sent.unwrap_err();
    let shown = format!("{error} {error:?} {:?}", error.reply_text());
    assert!(!shown.contains(&TOKEN[..16]), "{shown}");
}

/// An acceptance may quote as well as a refusal.
#[tokio::test(start_paused = true)]
async fn the_token_is_taken_out_of_the_receipt_of_a_message_that_was_sent() {
    let (mut client, mut far) = logged_in_smtp("").await;
    let server = async {
        for answer in ["250 ok", "250 ok for", "354 go", "250 2.0.0 ok: queued as"] {
            far.line().await;
            far.say(format!("{answer} {TOKEN}\r\n")).await;
        }
    };
    let envelope = envelope();
    let (sent, ()) = tokio::join!(client.send(&envelope, ""), server);
    let receipt = sent.unwrap();
    assert_eq!(receipt.reply().unwrap().to_string(), "250 2.0.0 ok: queued as [secret]");
    // What stands in the place of a secret is no name to search a log for.
    assert_eq!((receipt.queue_id(), receipt.message_id()), (None, None));
    let recipients: Vec<_> = receipt.recipients().map(|r| r.reply().to_string()).collect();
    assert_eq!(recipients, ["250 ok for [secret]"]);
}

/// The server says goodbye with the token.
#[tokio::test(start_paused = true)]
async fn the_token_is_taken_out_of_last_words() {
    for unasked in [false, true] {
        let (mut client, mut far) = logged_in_smtp("").await;
        let server = async {
            if !unasked {
                far.line().await;
            }
            far.say(format!("421 4.7.0 session {TOKEN} is over\r\n")).await;
        };
        let client = async {
            tokio::task::yield_now().await;
            client.noop().await.unwrap_err()
        };
        let (error, ()) = tokio::join!(client, server);
        assert_eq!(error.reply_text().unwrap(), "421 4.7.0 session [secret] is over");
    }
}

/// 354 to MAIL, to RCPT, or no answer at all: the error names the command.
#[tokio::test(start_paused = true)]
async fn what_goes_wrong_with_mail_or_rcpt_is_said_of_it() {
    for (extensions, answers, stage) in [
        ("", &["354 go"][..], "MAIL FROM"),
        ("", &["250 ok", "354 go"], "RCPT TO"),
        ("", &[], "MAIL FROM"),
        ("", &["250 ok"], "RCPT TO"),
        ("250-PIPELINING\r\n", &["354 go"], "MAIL FROM"),
        ("250-PIPELINING\r\n", &[], "MAIL FROM"),
        ("250-PIPELINING\r\n", &["250 ok"], "RCPT TO"),
    ] {
        let (mut client, mut far) = logged_in_smtp(extensions).await;
        let server = async {
            for answer in answers {
                far.line().await;
                far.say(format!("{answer}\r\n")).await;
            }
        };
        let envelope = envelope();
        let (sent, ()) = tokio::join!(client.send(&envelope, "x"), server);
        let error = sent.unwrap_err();
        assert_eq!(error.stage(), Stage::Command(stage), "{error}");
        assert!(!error.connection_usable(), "{error}");
    }
}

/// 3xx to NOOP: the server waits for something, so another command would be content.
#[tokio::test(start_paused = true)]
async fn a_354_to_a_command_that_is_not_data_costs_the_connection() {
    let (mut client, mut far) = logged_in_smtp("").await;
    let server = async {
        far.line().await;
        far.say("354 go ahead\r\n").await;
    };
    let (answer, ()) = tokio::join!(client.noop(), server);
    let error = answer.unwrap_err();
    assert!(!error.connection_usable(), "{error:?} {:?}", error.retry());
}

/// Something that nobody asked for, and no 421: the next connection is a good one.
#[tokio::test(start_paused = true)]
async fn a_reply_that_nobody_asked_for_means_connect_again() {
    for unasked in [
        "250 ok",
        "554 5.0.0 idle for too long",
        "500 what",
        "451 4.7.0 Timeout waiting for client input",
    ] {
        let (mut client, mut far) = logged_in_smtp("").await;
        let server = async {
            far.line().await;
            far.say(format!("250 ok\r\n{unasked}\r\n")).await;
        };
        let client = async {
            client.noop().await.unwrap();
            tokio::task::yield_now().await;
            client.noop().await.unwrap_err()
        };
        let (error, ()) = tokio::join!(client, server);
        assert_eq!(error.retry(), Retry::Reconnect, "{error}");
    }
}
