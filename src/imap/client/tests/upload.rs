//! Messages that are read while they are sent.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::time::timeout;

use super::*;
use crate::imap::{CatenatePart, Upload};

fn message(octets: usize) -> Vec<u8> {
    (0..octets).map(|n| b'a' + (n % 26) as u8).collect()
}

/// A server that takes one APPEND, and what it took.
async fn taking(
    capabilities: &'static str,
    announced: usize,
) -> (ImapClient, JoinHandle<(String, Vec<u8>)>) {
    let (near, mut far) = duplex(1000);
    let server = tokio::spawn(async move {
        far.write_all(format!("* PREAUTH [CAPABILITY {capabilities}] hi\r\n").as_bytes())
            .await
            .unwrap();
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(far.read_u8().await.unwrap());
        }
        let line = String::from_utf8(line).unwrap();
        if !line.contains("+}") {
            far.write_all(b"+ go\r\n").await.unwrap();
        }
        let mut heard = vec![0; announced + 2];
        let mut read = 0;
        while read < heard.len() {
            match far.read(&mut heard[read..]).await {
                Ok(0) | Err(_) => break,
                Ok(octets) => read += octets,
            }
        }
        heard.truncate(read);
        if read == announced + 2 {
            far.write_all(b"A1 OK [APPENDUID 1 7] done\r\n").await.unwrap();
        }
        (line.trim_end().to_owned(), heard)
    });
    let settings = Settings::new(Endpoint::imap("mail.example"));
    let mut session = Session::new(Box::new(near), &settings, true);
    session.core_mut().expect_greeting();
    session.step(crate::Stage::Greeting).await.unwrap();
    (ImapClient::new(session), server)
}

/// A server that takes one command, and the octets of the literals in it.
async fn reading(capabilities: &str) -> (ImapClient, JoinHandle<Vec<Vec<u8>>>) {
    let (near, mut far) = duplex(1000);
    let greeting = format!("* PREAUTH [CAPABILITY {capabilities}] hi\r\n");
    let server = tokio::spawn(async move {
        far.write_all(greeting.as_bytes()).await.unwrap();
        let mut literals = Vec::new();
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                line.push(far.read_u8().await.unwrap());
            }
            let line = String::from_utf8(line).unwrap();
            let announced = line.trim_end().strip_suffix('}').and_then(|l| l.rsplit_once('{'));
            let Some((_, octets)) = announced else { break };
            if !octets.ends_with('+') {
                far.write_all(b"+ go\r\n").await.unwrap();
            }
            let mut literal = vec![0; octets.trim_end_matches('+').parse().unwrap()];
            far.read_exact(&mut literal).await.unwrap();
            literals.push(literal);
        }
        far.write_all(b"A1 OK done\r\n").await.unwrap();
        literals
    });
    let settings = Settings::new(Endpoint::imap("mail.example"));
    let mut session = Session::new(Box::new(near), &settings, true);
    session.core_mut().expect_greeting();
    session.step(crate::Stage::Greeting).await.unwrap();
    (ImapClient::new(session), server)
}

/// Pieces of a message as a stream.
struct Pieces(Vec<io::Result<Bytes>>);

impl Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        Poll::Ready(if self.0.is_empty() { None } else { Some(self.0.remove(0)) })
    }
}

fn pieces(octets: &[u8]) -> Pieces {
    let mut pieces: Vec<_> = octets.chunks(777).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
    pieces.insert(0, Ok(Bytes::new()));
    Pieces(pieces)
}

#[tokio::test(start_paused = true)]
async fn every_source_goes_out_octet_for_octet_under_every_kind_of_literal() {
    for octets in [0, 1, 4096, 5000, 200_000] {
        let message = message(octets);
        for (capabilities, small) in
            [("LITERAL+", usize::MAX), ("LITERAL-", 4096), ("IMAP4rev1", 0)]
        {
            let plus =
                if capabilities == "LITERAL+" || octets <= small && small > 0 { "+" } else { "" };
            for kind in 0..4 {
                let (mut client, server) = taking(capabilities, octets).await;
                let length = octets as u64;
                let upload = match kind {
                    0 => Upload::from(&message),
                    1 => Upload::from(message.clone()),
                    2 => Upload::reader(message.as_slice(), length),
                    _ => Upload::stream(pieces(&message), length),
                };
                let seen = Arc::new(Mutex::new(Vec::new()));
                let report = seen.clone();
                let upload = upload.progress(move |sent| report.lock().unwrap().push(sent));
                let result = client.append("Sent", upload, AppendOptions::new()).await.unwrap();
                assert_eq!(result.uid(), Uid::new(7));
                let (line, heard) = server.await.unwrap();
                assert_eq!(line, format!("A1 APPEND Sent {{{octets}{plus}}}"));
                assert!(heard.strip_suffix(b"\r\n") == Some(&message[..]), "{octets} {kind}");
                let seen = seen.lock().unwrap();
                assert_eq!(seen.last(), Some(&length));
                assert!(seen.is_sorted());
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_of_another_size_than_announced_is_never_whole_at_the_server() {
    for (octets, announced, why) in [
        (10, 11, "it ended after 10 octets, and 11 were announced"),
        (0, 1, "it ended after 0 octets, and 1 were announced"),
        (11, 10, "it is longer than the 10 octets that were announced"),
        (100_001, 100_000, "it is longer than the 100000 octets that were announced"),
        (1, 0, "it is longer than the 0 octets that were announced"),
    ] {
        let message = message(octets);
        let (mut client, server) = taking("LITERAL+", announced).await;
        let upload = Upload::reader(message.as_slice(), announced as u64);
        let error = client.append("Sent", upload, AppendOptions::new()).await.unwrap_err();
        assert_eq!(error.to_string(), format!("the message to be stored could not be read: {why}"));
        assert_eq!((error.connection_usable(), error.retry()), (false, Retry::Never));
        assert!(!client.is_open() && client.noop().await.is_err());
        drop(client);
        assert!(server.await.unwrap().1.len() < announced + 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_fails_and_a_nul_close_the_connection() {
    let broken =
        Pieces(vec![Ok(Bytes::from_static(b"abc")), Err(io::Error::other("disk on fire"))]);
    let nul = Pieces(vec![Ok(Bytes::from_static(b"ab\0c"))]);
    for (source, why) in [(broken, "disk on fire"), (nul, "a NUL")] {
        let (mut client, server) = taking("LITERAL+", 4).await;
        let upload = Upload::stream(source, 4);
        let error = client.append("Sent", upload, AppendOptions::new()).await.unwrap_err();
        assert!(
            matches!(error, Error::Upload { .. }) && error.to_string().contains(why),
            "{error}"
        );
        assert!(!client.is_open());
        drop(client);
        assert!(server.await.unwrap().1.len() < 6);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_refused_before_the_invitation_is_not_even_read() {
    let (mut client, server) = client_of(
        "IMAP4rev1",
        "
        C: A1 APPEND Sent {100000}
        S: A1 NO [OVERQUOTA] full
        C: A2 NOOP
        S: A2 OK done
        ",
    )
    .await;
    let untouched = Pieces(vec![Err(io::Error::other("read"))]);
    let upload = Upload::stream(untouched, 100_000);
    let error = client.append("Sent", upload, AppendOptions::new()).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }) && error.connection_usable(), "{error}");
    assert_eq!(error.retry(), Retry::Administrator);
    client.noop().await.unwrap();
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_on_the_way_is_heard_although_the_reader_has_no_more_yet() {
    let (mut client, server) = client_of(
        "IMAP4rev1 LITERAL+",
        "
        C: A1 APPEND Sent {100+}
        S: A1 NO [TOOBIG] no
        ",
    )
    .await;
    let (never, _writer) = duplex(10);
    let upload = Upload::reader(never, 100);
    let error = client.append("Sent", upload, AppendOptions::new()).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }) && !error.connection_usable(), "{error}");
    assert!(!client.is_open());
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn time_in_which_the_reader_has_nothing_is_not_the_servers() {
    let (mut client, server) = taking("LITERAL+", 4).await;
    let (reader, mut writer) = duplex(10);
    let slow = tokio::spawn(async move {
        for octets in [b"ab", b"cd"] {
            sleep(Duration::from_secs(3600)).await;
            writer.write_all(octets).await.unwrap();
        }
    });
    client.append("Sent", Upload::reader(reader, 4), AppendOptions::new()).await.unwrap();
    assert_eq!(server.await.unwrap().1, b"abcd\r\n");
    slow.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_leaves_with_its_command_is_reported_once_it_is_stored_and_not_before() {
    let script = "
        C: A1 APPEND Sent {3+}
        C: abc
        S: A1 NO [OVERQUOTA] full
        C: A2 APPEND Sent {3+}
        C: abc
        S: A2 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1 LITERAL+", script).await;
    for (stored, reports) in [(false, &[][..]), (true, &[3][..])] {
        let mut reported = Vec::new();
        let upload = Upload::from("abc").progress(|octets| reported.push(octets));
        assert_eq!(client.append("Sent", upload, AppendOptions::new()).await.is_ok(), stored);
        assert_eq!(reported, reports);
    }
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_part_of_a_mailbox_whose_name_says_nothing_is_refused() {
    let (mut client, server) = client_of("IMAP4rev1 CATENATE LITERAL+", "").await;
    let (validity, uid) = (std::num::NonZeroU32::MIN, Uid::new(7).unwrap());
    let name = MailboxName::from_wire(*b"a&b");
    let part = CatenatePart::message(name, validity, uid, &crate::imap::Section::full());
    let error = client.append_catenated("Sent", [part], AppendOptions::new()).await.unwrap_err();
    assert!(matches!(error, Error::Misuse(_)) && error.connection_usable(), "{error:?}");
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_upload_dropped_while_octets_are_to_come_costs_the_connection() {
    let (mut client, server) = taking("LITERAL+", 100).await;
    let (reader, mut writer) = duplex(100);
    writer.write_all(b"half").await.unwrap();
    cut(client.append("Sent", Upload::reader(reader, 100), AppendOptions::new())).await;
    let error = client.noop().await.unwrap_err();
    assert!(matches!(error, Error::Net { source: net::Error::Abandoned, .. }), "{error}");
    drop(client);
    assert!(server.await.unwrap().1.len() <= 4);
}

#[tokio::test(start_paused = true)]
async fn messages_of_any_size_follow_each_other_in_one_command() {
    const CHUNK: usize = 64 * 1024;
    for literals in ["LITERAL+", "LITERAL-", "IMAP4rev1"] {
        for sizes in [
            &[40_000, 40_000, 200_000][..],
            &[2 * CHUNK, 2 * CHUNK],
            &[CHUNK, 4096],
            &[CHUNK, 1, CHUNK, 100_000, 4096, CHUNK],
        ] {
            let messages: Vec<_> = sizes.iter().map(|octets| message(*octets)).collect();
            for kind in 0..3 {
                let capabilities = format!("{literals} MULTIAPPEND CATENATE");
                let (mut client, server) = reading(&capabilities).await;
                let uploads = messages.iter().enumerate().map(|(at, message)| match kind {
                    0 => Upload::from(message),
                    // Some go out with the command, others do not.
                    1 if at % 2 == 1 => Upload::reader(message.as_slice(), message.len() as u64),
                    1 => Upload::from(message),
                    _ => {
                        let whole = Pieces(vec![Ok(Bytes::copy_from_slice(message))]);
                        Upload::stream(whole, message.len() as u64)
                    }
                });
                let uploads: Vec<_> = uploads.collect();
                let within = Duration::from_secs(3600);
                let options = AppendOptions::new();
                let stored = if kind == 0 {
                    let parts = uploads.into_iter().map(CatenatePart::text);
                    timeout(within, client.append_catenated("Sent", parts, options)).await
                } else {
                    let all = uploads.into_iter().map(|upload| (upload, options.clone()));
                    timeout(within, client.append_all("Sent", all)).await
                };
                assert!(matches!(stored, Ok(Ok(_))), "{literals} {sizes:?} {kind}: {stored:?}");
                assert!(server.await.unwrap() == messages, "{literals} {sizes:?} {kind}");
            }
        }
    }
}
