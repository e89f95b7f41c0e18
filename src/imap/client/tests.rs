#[cfg(feature = "compress")]
mod compress;
mod context;
mod fall_backs;
mod faulty;
mod finding;
mod flights;
mod flood;
mod idle;
mod lists;
mod moves;
mod named;
mod notify;
mod pages;
mod parts;
mod renumbered;
mod replace;
mod rev2;
mod saved;
mod synchronise;
mod unauthenticate;
mod upload;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use futures_core::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{Duration, sleep};

use super::*;
use crate::Endpoint;
use crate::connector::Settings;
use crate::imap::{AppendOptions, Extension, Fetch, Flag, StoreFlags, Uid, UidSet};
use crate::{Failure, Retry, net};

/// A server that follows a script and checks every octet the client writes: `C: ` lines are
/// read, `S: ` lines written, `S~ ` lines written without a line end, with `\\r` and `\\n` as they are meant, `EOF` closes, `PAUSE 60` lets a minute
/// pass, and `\\r\\n`
/// within a line ends it in the same write. At its end
/// it goes on reading, and nothing more may come.
pub(crate) fn scripted(script: &str) -> (DuplexStream, JoinHandle<()>) {
    let (client, mut server) = duplex(256);
    let script = script.to_owned();
    let server = tokio::spawn(async move {
        for line in script.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
            if let Some(line) = line.strip_prefix("S: ") {
                let line = line.replace(r"\r\n", "\r\n");
                server.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
            } else if let Some(piece) = line.strip_prefix("S~ ") {
                let piece = piece.replace(r"\r", "\r").replace(r"\n", "\n");
                server.write_all(piece.as_bytes()).await.unwrap();
            } else if line == "EOF" {
                return;
            } else if let Some(seconds) = line.strip_prefix("PAUSE ") {
                sleep(Duration::from_secs(seconds.parse().unwrap())).await;
            } else {
                let expected = line.strip_prefix("C:").unwrap();
                let expected = expected.strip_prefix(' ').unwrap_or(expected);
                let mut octets = vec![0; expected.len() + 2];
                let read = server.read_exact(&mut octets).await;
                let read = read.map(|_| String::from_utf8_lossy(&octets).into_owned());
                assert_eq!(read.unwrap(), format!("{expected}\r\n"));
            }
        }
        let mut more = String::new();
        let _ = server.read_to_string(&mut more).await;
        assert_eq!(more, "", "after the end of the script");
    });
    (client, server)
}

/// A client that is logged in, and its server.
async fn client(script: &str) -> (ImapClient, JoinHandle<()>) {
    client_of("IMAP4rev1 UIDPLUS UNSELECT LITERAL+", script).await
}

/// A client that is logged in to a server of these capabilities.
async fn client_of(capabilities: &str, script: &str) -> (ImapClient, JoinHandle<()>) {
    let (stream, server) =
        scripted(&format!("S: * PREAUTH [CAPABILITY {capabilities}] hi\n{script}"));
    let settings = Settings::new(Endpoint::imap("mail.example"));
    let mut session = Session::new(Box::new(stream), &settings, true);
    session.core_mut().expect_greeting();
    session.step(crate::Stage::Greeting).await.unwrap();
    (ImapClient::new(session), server)
}

/// Polls a future until it waits, then drops it.
async fn cut(future: impl Future) {
    let mut future = pin!(future);
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending(), "there was nothing to wait for");
        Poll::Ready(())
    })
    .await;
}

/// The names of the data among the events.
fn names_of_events(client: &mut ImapClient) -> Vec<String> {
    std::iter::from_fn(|| client.take_event())
        .map(|event| match event {
            Event::Data(data) => data.name().to_owned(),
            Event::Metadata { .. } => "METADATA".to_owned(),
            event => format!("{event:?}"),
        })
        .collect()
}

#[tokio::test]
async fn a_session_from_select_to_logout() {
    let (mut client, server) = client(
        r"
        C: A1 SELECT INBOX
        S: * 2 EXISTS
        S: * OK [UIDVALIDITY 7] ok
        S: A1 OK [READ-WRITE] done
        C: A2 UID FETCH 1:* (ENVELOPE FLAGS BODY.PEEK[])
        S: * 1 FETCH (UID 11 FLAGS (\Seen) ENVELOPE (NIL {2}
        S: hi NIL NIL NIL NIL NIL NIL NIL NIL) BODY[] {13}
        S: Subject: hi
        S: )
        S: * 2 FETCH (FLAGS (\Deleted))
        S: * 3 EXISTS
        S: * 2 FETCH (UID 12 BODY[] NIL)
        S: A2 OK done
        C: A3 UID STORE 11 +FLAGS (\Deleted)
        S: * 1 FETCH (UID 11 FLAGS (\Seen \Deleted))
        S: A3 OK done
        C: A4 UID EXPUNGE 11
        S: * 1 EXPUNGE
        S: A4 OK done
        C: A5 APPEND Sent {2+}
        C: ab
        S: A5 OK [APPENDUID 9 77] done
        C: A6 NAMESPACE
        S: * NAMESPACE NIL NIL NIL
        S: A6 OK done
        C: A7 CLOSE
        S: A7 OK done
        C: A8 LOGOUT
        S: * BYE
        EOF
        ",
    )
    .await;
    let inbox = client.select("INBOX").await.unwrap();
    assert_eq!((inbox.exists(), inbox.uid_validity().unwrap().get()), (2, 7));

    let items = Fetch::envelope().flags().body();
    let mut messages = inbox.uid_fetch(UidSet::all(), items).await.unwrap();
    let first = messages.next().await.unwrap().unwrap();
    assert_eq!(first.body(), Some(&b"Subject: hi\r\n"[..]));
    assert_eq!(first.envelope().unwrap().subject().unwrap(), "hi");
    let second = messages.next().await.unwrap().unwrap();
    assert_eq!((second.uid(), second.body()), (Uid::new(12), None));
    assert!(messages.next().await.unwrap().is_none());
    assert!(messages.next().await.unwrap().is_none());
    // The borrow has ended although `messages` is still in scope.
    assert_eq!(inbox.exists(), 3);
    assert!(matches!(inbox.take_event(), Some(Event::Fetch(_))));

    let uid = first.uid().unwrap();
    let changed = inbox.uid_store(uid, StoreFlags::add([Flag::Deleted])).await.unwrap();
    assert!(changed[0].flags().contains(&Flag::Deleted));
    assert_eq!(inbox.uid_expunge(uid).await.unwrap().numbers(), [1]);
    assert_eq!(inbox.exists(), 2);
    let stored = client.append("Sent", "ab", AppendOptions::new()).await.unwrap();
    assert_eq!(stored.uid(), Uid::new(77));
    client.namespace().await.unwrap();
    client.close().await.unwrap();
    assert!(client.selected().is_none());
    client.logout().await.unwrap();
    server.await.unwrap();
}

#[tokio::test]
async fn a_dropped_fetch_leaves_the_next_command_its_own_answer() {
    let (mut client, server) = client(
        "
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID FETCH 1:* (FLAGS)
        S: * 1 FETCH (UID 11 FLAGS ())
        S~ * 2 FETCH (UID 12
        C: A3 UID FETCH 1:* (UID)
        ",
    )
    .await;
    let inbox = client.select("INBOX").await.unwrap();
    let mut messages = inbox.uid_fetch(UidSet::all(), Fetch::flags()).await.unwrap();
    assert_eq!(messages.next().await.unwrap().unwrap().uid(), Uid::new(11));
    cut(messages.next()).await;
    // The server is still busy with the old answer, so the new command is not written yet.
    cut(inbox.uid_fetch(UidSet::all(), Fetch::uid())).await;
    drop(client);
    assert!(server.await.is_err(), "A3 was written before A2 had its answer");
}

#[tokio::test]
async fn what_is_left_of_a_dropped_fetch_is_thrown_away() {
    let (mut client, server) = client(
        "
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID FETCH 1:* (FLAGS)
        S: * 1 FETCH (UID 11 FLAGS ())
        S: * 2 FETCH (UID 12 FLAGS ())
        S: * 9 EXISTS
        S: A2 OK done
        C: A3 UID FETCH 1:* (UID)
        S: * 3 FETCH (UID 13)
        S: A3 OK done
        ",
    )
    .await;
    let inbox = client.select("INBOX").await.unwrap();
    let mut messages = inbox.uid_fetch(UidSet::all(), Fetch::flags()).await.unwrap();
    assert_eq!(messages.next().await.unwrap().unwrap().uid(), Uid::new(11));
    let messages = inbox.uid_fetch(UidSet::all(), Fetch::uid()).await.unwrap();
    let messages = messages.collect().await.unwrap();
    assert_eq!(messages.iter().map(|m| m.uid()).collect::<Vec<_>>(), [Uid::new(13)]);
    assert_eq!(inbox.exists(), 9);
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn a_dropped_select_cannot_send_a_command_to_the_wrong_mailbox() {
    let (mut client, server) = client(
        "
        C: A1 SELECT A
        S: A1 OK done
        C: A2 SELECT B
        S: A2 OK done
        C: A3 SELECT A
        S: A3 OK done
        ",
    )
    .await;
    client.select("A").await.unwrap();
    cut(client.select("B")).await;
    assert!(client.selected().is_none());
    // It is B by now, so this has to ask.
    assert_eq!(client.ensure_selected("A").await.unwrap().name().to_string(), "A");
    // Now it has not.
    client.ensure_selected("A").await.unwrap();
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn a_dropped_append_closes_the_connection_while_the_message_is_on_its_way() {
    let (mut client, server) = client("C: A1 APPEND Sent {100000+}\nEOF").await;
    cut(client.append("Sent", vec![b'm'; 100_000], AppendOptions::new())).await;
    let error = client.noop().await.unwrap_err();
    assert!(matches!(error, Error::Net { source: net::Error::Abandoned, .. }), "{error}");
    assert!(!error.connection_usable());
    server.await.unwrap();
}

#[tokio::test]
async fn an_empty_set_and_a_bad_argument_write_nothing() {
    let (mut client, server) = client("C: A1 SELECT INBOX\nS: A1 OK done").await;
    let inbox = client.select("INBOX").await.unwrap();
    let none = UidSet::default();
    let mut messages = inbox.uid_fetch(none.clone(), Fetch::flags()).await.unwrap();
    assert!(messages.next().await.unwrap().is_none());
    assert!(inbox.uid_store(none.clone(), StoreFlags::add([])).await.unwrap().is_empty());
    assert!(inbox.uid_expunge(none).await.unwrap().is_empty());
    let error = client.select("INBOX\r\nA2 DELETE x").await.unwrap_err();
    assert_eq!(error.to_string(), "a CR, LF or NUL in the mailbox name");
    assert!(error.connection_usable());
    assert!(client.selected().is_some());
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn a_refused_fetch_comes_from_next_and_the_connection_is_good() {
    let (mut client, server) = client(
        "
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID FETCH 5 (BODY.PEEK[])
        S: A2 NO Some of the requested messages no longer exist
        C: A3 NOOP
        S: A3 OK done
        ",
    )
    .await;
    let inbox = client.select("INBOX").await.unwrap();
    let uid = Uid::new(5).unwrap();
    let mut messages = inbox.uid_fetch(uid, Fetch::body()).await.unwrap();
    let error = messages.next().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "UID FETCH refused: NO Some of the requested messages no longer exist"
    );
    assert!(error.connection_usable());
    assert!(messages.next().await.unwrap().is_none());
    inbox.noop().await.unwrap();
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn a_session_whose_token_expires_asks_for_a_new_one() {
    let (mut client, server) = client(
        "
        C: A1 NOOP
        S: * BYE Session invalidated - AccessTokenExpired
        EOF
        ",
    )
    .await;
    let error = client.noop().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server closed the connection during NOOP: \
         BYE Session invalidated - AccessTokenExpired"
    );
    assert_eq!(error.retry(), Retry::RefreshToken);
    assert!(client.noop().await.is_err());
    server.await.unwrap();
}

#[tokio::test]
async fn what_the_server_does_not_offer_is_not_asked_for() {
    let (mut client, server) = client_of("IMAP4rev1", "").await;
    let error = client.enable([Extension::CondStore]).await.unwrap_err();
    assert_eq!(error.to_string(), "the server does not offer ENABLE (it offers: IMAP4rev1)");
    assert!(error.connection_usable());
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn a_stream_gives_the_same_messages_and_ends() {
    let (mut client, server) = client(
        "
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID FETCH 1:* (UID)
        S: * 1 FETCH (UID 11)
        S: * 2 FETCH (UID 12)
        S: A2 OK done
        ",
    )
    .await;
    let inbox = client.select("INBOX").await.unwrap();
    let messages = inbox.uid_fetch(UidSet::all(), Fetch::uid()).await.unwrap();
    let mut stream = messages.into_stream();
    let mut uids = Vec::new();
    while let Some(message) = poll_fn(|cx| pin!(&mut stream).poll_next(cx)).await {
        uids.push(message.unwrap().uid().unwrap().get());
    }
    assert_eq!(uids, [11, 12]);
    drop(stream);
    drop(client);
    server.await.unwrap();
}

/// A server that answers whatever it is asked, so that futures can be dropped anywhere.
async fn answering(mut stream: DuplexStream) {
    stream.write_all(b"* PREAUTH [CAPABILITY IMAP4rev1 LITERAL+ UIDPLUS] hi\r\n").await.unwrap();
    let mut heard = Vec::new();
    loop {
        while let Some(end) = heard.iter().position(|octet| *octet == b'\n') {
            let line: Vec<u8> = heard.drain(..=end).collect();
            let line = String::from_utf8(line).unwrap();
            let (tag, command) = line.trim_end().split_once(' ').unwrap();
            let data = match command.split(' ').next().unwrap() {
                "SELECT" => "* 3 EXISTS\r\n".to_owned(),
                // Each answer tells which UID it was asked for.
                "UID" => format!("* 1 FETCH (UID {})\r\n", command.split(' ').nth(2).unwrap()),
                _ => "* 3 EXISTS\r\n* 1 FETCH (FLAGS (\\Seen))\r\n".to_owned(),
            };
            let answer = format!("{data}{tag} OK done\r\n");
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
        if stream.read_buf(&mut heard).await.unwrap_or(0) == 0 {
            return;
        }
    }
}

async fn uids(client: &mut ImapClient, uid: u32) -> Result<Vec<u32>, Error> {
    let inbox = client.ensure_selected("INBOX").await?;
    let messages = inbox.uid_fetch(Uid::new(uid).unwrap(), Fetch::uid()).await?;
    let messages = messages.collect().await?;
    Ok(messages.iter().filter_map(|message| message.uid()).map(u32::from).collect())
}

#[tokio::test]
async fn a_future_dropped_at_any_poll_leaves_every_later_answer_right() {
    for polls in 0.. {
        let (stream, server) = duplex(7);
        let server = tokio::spawn(answering(server));
        let settings = Settings::new(Endpoint::imap("mail.example"));
        let mut session = Session::new(Box::new(stream), &settings, true);
        session.core_mut().expect_greeting();
        session.step(crate::Stage::Greeting).await.unwrap();
        let mut client = ImapClient::new(session);

        let mut left = polls;
        let mut first = Box::pin(uids(&mut client, 11));
        let done = poll_fn(|cx| {
            if left == 0 {
                return Poll::Ready(false);
            }
            left -= 1;
            first.as_mut().poll(cx).map(|answer| {
                assert_eq!(answer.unwrap(), [11]);
                true
            })
        })
        .await;
        drop(first);
        assert_eq!(uids(&mut client, 12).await.unwrap(), [12], "dropped after {polls} polls");
        client.noop().await.unwrap();
        assert_eq!(uids(&mut client, 13).await.unwrap(), [13]);
        assert_eq!(client.selected().unwrap().exists(), 3);
        drop(client);
        server.await.unwrap();
        if done {
            assert!(polls > 10, "the pipe was too wide to see anything");
            return;
        }
    }
}
