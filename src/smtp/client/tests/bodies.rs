//! Content of every kind.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::model::{Account, Model, numbered};
use super::*;
use crate::smtp::BodyError;

/// Chunks, and an error behind them if there is one.
pub(super) struct Chunks(std::vec::IntoIter<Result<Bytes, &'static str>>);

/// A stream of these octets.
pub(super) fn pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Chunks {
    let pieces = pieces.into_iter().map(|piece| Ok(Bytes::copy_from_slice(piece)));
    Chunks(pieces.collect::<Vec<_>>().into_iter())
}

fn chunks(chunks: impl IntoIterator<Item = Result<&'static [u8], &'static str>>) -> Chunks {
    let chunks = chunks.into_iter().map(|chunk| chunk.map(Bytes::from_static));
    Chunks(chunks.collect::<Vec<_>>().into_iter())
}

impl futures_core::Stream for Chunks {
    type Item = Result<Bytes, &'static str>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.next())
    }
}

async fn sent(
    keywords: &[&'static str],
    body: impl Into<Body<'_>>,
) -> (Result<Receipt, Error>, Account) {
    let (mut client, server) = Model::new(keywords).start();
    let sent = client.send(&numbered(7), body).await;
    drop(client);
    (sent, server.await.unwrap())
}

const CHUNKING: &[&str] = &["PIPELINING", "CHUNKING", "8BITMIME", "SIZE 1000"];

#[tokio::test]
async fn chunks_of_a_stream_are_one_message_wherever_they_are_cut() {
    let pieces: [&[u8]; 9] =
        [b"Subject: x", b"\r", b"\n\r\n", b"", b".a\n", b".", b"\n.\r", b"\n", b"..b\r"];
    let whole = b"Subject: x\r\n\r\n.a\r\n.\r\n.\r\n..b\r\n";
    for keywords in [&["PIPELINING"][..], CHUNKING, &[]] {
        let (outcome, account) = sent(keywords, Body::stream(chunks(pieces.map(Ok)))).await;
        assert!(outcome.is_ok());
        assert_eq!(account.delivered[0].content, whole);
    }
}

#[tokio::test]
async fn an_empty_message_is_a_message() {
    for keywords in [&["PIPELINING"][..], CHUNKING, &[]] {
        for body in [Body::from(""), Body::from("").chunked(), Body::reader(&b""[..])] {
            let (outcome, account) = sent(keywords, body).await;
            assert!(outcome.is_ok());
            assert_eq!(account.delivered[0].content, b"");
        }
    }
}

#[tokio::test]
async fn a_size_that_was_said_is_declared_and_compared() {
    let body = || Body::reader(&b"12345678\r\n"[..]);
    let (outcome, account) = sent(&["PIPELINING", "SIZE 10"], body().exact_size(10)).await;
    assert!(outcome.is_ok());
    assert_eq!(account.commands[0], "MAIL FROM:<m7@contoso.example> SIZE=10");

    let (outcome, account) = sent(&["PIPELINING", "SIZE 9"], body().exact_size(10)).await;
    assert!(matches!(outcome, Err(Error::TooLarge { size: 10, limit: 9 })));
    assert_eq!(account.commands, [""; 0]);

    let (outcome, account) = sent(&["PIPELINING", "SIZE 9"], "12345678\r\n").await;
    assert!(matches!(outcome, Err(Error::TooLarge { size: 10, limit: 9 })));
    assert_eq!(account.commands, [""; 0]);

    for (declared, given) in [(9, 10), (11, 10)] {
        let (outcome, account) = sent(&["PIPELINING"], body().exact_size(declared)).await;
        let Err(Error::Body { source: BodyError::Size { declared: d, given: g }, usable }) =
            outcome
        else {
            panic!()
        };
        assert_eq!((d, g, usable), (declared, given, false));
        assert!(account.delivered.is_empty());
    }
}

#[tokio::test]
async fn lines_that_are_too_long_are_told_or_go_by_bdat_or_as_the_caller_will() {
    let text = format!("Subject: x\r\n\r\n{}\r\n", "y".repeat(999));
    let reader = || Body::reader(std::io::Cursor::new(text.clone()));
    let plain = &["PIPELINING"];
    let (outcome, account) = sent(plain, &text).await;
    let error = outcome.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the message was not delivered because of its content: line 3 has more than 998 octets"
    );
    assert!(error.connection_usable() && account.commands.is_empty());
    let (outcome, account) = sent(plain, reader()).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, Error::Body { source: BodyError::LongLine { line: 3 }, .. }));
    assert!(!error.connection_usable() && account.delivered.is_empty());

    for body in [Body::from(&text), reader()] {
        let (outcome, account) = sent(plain, body.allow_long_lines()).await;
        assert!(outcome.is_ok());
        assert_eq!(account.delivered[0].content, text.as_bytes());
        assert!(account.commands.contains(&"DATA".to_owned()));
    }
    let chunking = &["CHUNKING"];
    for body in [Body::from(&text), reader()] {
        let (outcome, account) = sent(chunking, body).await;
        assert!(outcome.is_ok());
        assert_eq!(account.delivered[0].content, text.as_bytes());
        assert!(account.commands.contains(&format!("BDAT {} LAST", text.len())));
    }
}

#[tokio::test]
async fn binary_content_arrives_to_the_octet_or_not_at_all() {
    let octets: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let keywords = &["PIPELINING", "CHUNKING", "BINARYMIME", "8BITMIME"];
    for body in [Body::from(&octets), Body::reader(&octets[..])] {
        let (outcome, account) = sent(keywords, body.binary()).await;
        assert!(outcome.is_ok());
        assert!(account.delivered[0].content == octets);
        assert!(account.commands[0].ends_with("BODY=BINARYMIME"), "{}", account.commands[0]);
    }
    for keywords in [&["CHUNKING", "8BITMIME"][..], &["BINARYMIME"], &[]] {
        let (outcome, account) = sent(keywords, Body::from(&octets).binary()).await;
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }) && error.connection_usable());
        assert!(account.commands.is_empty());
    }
}

#[tokio::test]
async fn what_cannot_be_looked_at_is_declared_as_8_bit() {
    let (_, account) = sent(&["8BITMIME"], Body::reader(&b"plain"[..])).await;
    assert!(account.commands[0].ends_with(" BODY=8BITMIME"));
    let (_, account) = sent(&["8BITMIME"], "plain").await;
    assert!(!account.commands[0].contains("BODY"));
    let (_, account) = sent(&[], Body::reader(&b"plain"[..])).await;
    assert!(!account.commands[0].contains("BODY"));
}

#[tokio::test]
async fn a_stream_that_fails_delivers_nothing_and_keeps_its_error() {
    for keywords in [&["PIPELINING"][..], CHUNKING, &[]] {
        let stream = chunks([Ok(&b"Subject: x\r\n"[..]), Err("gone")]);
        let (outcome, account) = sent(keywords, Body::stream(stream)).await;
        let Err(Error::Body { source: BodyError::Read(source), .. }) = outcome else { panic!() };
        assert_eq!(source.to_string(), "gone");
        assert!(account.delivered.is_empty());
    }
}

#[tokio::test]
async fn a_failed_upload_of_many_chunks_ends_the_connection_without_the_last() {
    static BIG: [u8; 40_000] = [b'x'; 40_000];
    let stream = chunks([Ok(&BIG[..]), Ok(&BIG[..]), Err("gone")]);
    let (outcome, account) = sent(CHUNKING, Body::stream(stream)).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, Error::Body { usable: false, .. }), "{error:?}");
    assert!(account.commands.iter().any(|command| command.starts_with("BDAT")));
    assert!(!account.commands.iter().any(|command| command.ends_with("LAST")));
    assert!(account.delivered.is_empty());
}

#[tokio::test]
async fn many_chunks_are_pipelined_and_never_too_many() {
    let text = message(120_000);
    assert!(text.len() > 4 << 20);
    for keywords in [&["PIPELINING", "CHUNKING"][..], &["CHUNKING"]] {
        for body in [Body::from(&text).chunked(), Body::reader(text.as_bytes())] {
            let (outcome, account) = sent(keywords, body).await;
            assert!(outcome.is_ok());
            assert!(account.delivered[0].content == text.as_bytes());
        }
    }
}

#[tokio::test]
async fn progress_goes_up_to_the_whole() {
    let (text, straight) = (message(40_000), plain(2_000_000));
    for (text, keywords, chunked) in [
        (&text, &["PIPELINING"][..], false),
        (&text, CHUNKING, true),
        (&text, &[], false),
        (&straight, &["PIPELINING"], false),
    ] {
        let whole = text.len() as u64;
        let keywords: Vec<_> =
            keywords.iter().filter(|word| !word.starts_with("SIZE")).copied().collect();
        let (reports, last) = (AtomicU64::new(0), AtomicU64::new(0));
        let body = Body::from(text).on_progress(|progress| {
            reports.fetch_add(1, Ordering::Relaxed);
            assert_eq!(progress.total, Some(whole));
            assert!(last.swap(progress.sent, Ordering::Relaxed) <= progress.sent);
        });
        let (outcome, _) = sent(&keywords, if chunked { body.chunked() } else { body }).await;
        assert!(outcome.is_ok());
        assert_eq!(last.into_inner(), whole);
        assert!(reports.into_inner() > whole / (100 * 1024));
    }
}

/// A reader that never has anything.
struct Silent;

impl tokio::io::AsyncRead for Silent {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_closes_while_a_reader_thinks_is_heard() {
    fn answers(command: &str) -> &'static str {
        if command == "DATA" { "354 Go\r\n421 4.4.2 Too slow\r\n" } else { willing(command) }
    }
    let (mut client, _server) = session(4096, &["PIPELINING"], answers);
    let error = client.send(&envelope(), Body::reader(Silent)).await.unwrap_err();
    assert_eq!(error.reply().unwrap().to_string(), "421 4.4.2 Too slow");
    assert!(!error.connection_usable());
}

#[tokio::test(start_paused = true)]
async fn time_in_which_the_caller_has_no_content_is_not_the_servers() {
    let (mut client, server) = session(4096, &["PIPELINING"], willing);
    let (mut far, near) = duplex(16);
    let envelope = envelope();
    let send = client.send(&envelope, Body::reader(near));
    let write = async {
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            far.write_all(b"line\r\n").await.unwrap();
        }
        drop(far);
    };
    let (sent, ()) = tokio::join!(send, write);
    assert!(sent.is_ok());
    drop(client);
    assert_eq!(server.await.unwrap().messages, ["line\r\n".repeat(5)]);
}
