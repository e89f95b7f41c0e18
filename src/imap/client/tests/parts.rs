//! Messages in pieces.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;
use crate::Limits;
use crate::Stage;
use crate::imap::{Part, Section};

/// What the parts say, chunks that follow each other as one.
fn tell(parts: &[Part]) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for part in parts {
        match part {
            Part::Items(message) => {
                let names: Vec<_> =
                    message.items().map(|i| i.name().escape_ascii().to_string()).collect();
                told.push(format!("{} {}", message.seq(), names.join(" ")));
            }
            Part::Section(section) => {
                told.push(format!("{} {}: ", section.name().escape_ascii(), section.octets()));
            }
            Part::Chunk(octets) => {
                told.last_mut().unwrap().push_str(&octets.escape_ascii().to_string());
            }
            Part::Unreadable { seq } => told.push(format!("unreadable {seq}")),
            Part::End { seq } => told.push(format!("end {seq}")),
        }
    }
    told
}

const FETCHED: &str = "
    C: A1 SELECT INBOX
    S: A1 OK done
    C: A2 UID FETCH 1:* (FLAGS BODY.PEEK[])
";

async fn parts_of(answer: &str) -> (Vec<String>, Vec<Event>) {
    let (mut client, server) = client(&format!("{FETCHED}{answer}")).await;
    let inbox = client.select("INBOX").await.unwrap();
    let messages = inbox.uid_fetch(UidSet::all(), Fetch::flags().body()).await.unwrap();
    let mut parts = messages.parts();
    let mut all = Vec::new();
    while let Some(part) = parts.next().await.unwrap() {
        all.push(part);
    }
    assert!(parts.next().await.unwrap().is_none());
    let events = std::iter::from_fn(|| inbox.take_event()).collect();
    drop(client);
    server.await.unwrap();
    (tell(&all), events)
}

#[tokio::test(start_paused = true)]
async fn parts_come_in_the_order_of_the_wire_wherever_the_uid_stands() {
    let (told, events) = parts_of(
        r"
        S: * 1 FETCH (UID 11 FLAGS (\Seen) BODY[] {13}
        S: Subject: hi
        S: )
        S: * 7 FETCH (UID 99 FLAGS ())
        S: * 2 FETCH (BODY[] {3}
        S~ abc
        S:  FLAGS () UID 12)
        S: A2 OK done
        ",
    )
    .await;
    let expected = [
        "1 UID FLAGS",
        r"BODY[] 13: Subject: hi\r\n",
        "end 1",
        "7 UID FLAGS",
        "end 7",
        "BODY[] 3: abc",
        "2 FLAGS UID",
        "end 2",
    ];
    assert_eq!(told, expected);
    assert!(events.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_section_comes_apart_in_whatever_form_it_came() {
    let (told, _) = parts_of(
        r#"
        S: * 1 FETCH (BODY[HEADER] "A: \"b\"" UID 11 BODY[TEXT] "" RFC822 {0}
        S: )
        S: * 2 FETCH (UID 12 BODY[] NIL)
        S: * 3 FETCH (UID 13 BINARY[1] ~{2}
        S: ab X-LIST (BODY[] {2}
        S: cd) BODY[2]<5> {2}
        S: ef)
        S: A2 OK done
        "#,
    )
    .await;
    let expected = [
        r#"BODY[HEADER] 6: A: \"b\""#,
        "1 UID",
        "BODY[TEXT] 0: ",
        "RFC822 0: ",
        "end 1",
        "2 UID BODY[]",
        "end 2",
        "3 UID",
        "BINARY[1] 2: ab",
        // What only looks like a section is a value like any other.
        "3 X-LIST",
        "BODY[2]<5> 2: ef",
        "end 3",
    ];
    assert_eq!(told, expected);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_an_event_and_the_message_ends_all_the_same() {
    let (told, events) = parts_of(
        r"
        S: * 1 FETCH (UID 11 BODY[] {3}
        S: abc ((
        S: * 2 FETCH nonsense
        S: * 3 FETCH (FLAGS (\Seen))
        S: A2 OK done
        ",
    )
    .await;
    let expected = ["1 UID", "BODY[] 3: abc", "unreadable 1", "end 1", "unreadable 2", "end 2"];
    assert_eq!(told, expected);
    let [Event::Unparsed { frame: rest, .. }, Event::Unparsed { .. }, Event::Fetch(foreign)] =
        &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((&rest[..], foreign.seq()), (&b" ((\r\n"[..], 3));
}

#[tokio::test(start_paused = true)]
async fn what_next_gave_before_is_not_given_again_and_foreign_events_keep_their_place() {
    let script = format!(
        "{FETCHED}
        S: * 1 EXPUNGE
        S: * 1 FETCH (UID 11 BODY[] {{1}}
        S: a)
        S: * 9 EXPUNGE
        S: * 2 FETCH (UID 12 BODY[] {{1}}
        S: b)
        S: A2 OK done"
    );
    let (mut client, server) = client(&script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let items = Fetch::flags().body();
    let mut messages = inbox.uid_fetch(UidSet::all(), items).await.unwrap();
    assert_eq!(messages.next().await.unwrap().unwrap().body(), Some(&b"a"[..]));
    assert!(matches!(messages.take_event(), Some(Event::Expunge(1))));
    assert!(messages.take_event().is_none(), "the second was said behind the message");
    let mut parts = messages.parts();
    assert!(matches!(parts.next().await.unwrap(), Some(Part::Items(m)) if m.seq() == 2));
    assert!(matches!(parts.take_event(), Some(Event::Expunge(9))));
    let Some(Part::Section(section)) = parts.next().await.unwrap() else { panic!() };
    assert!(section.is(&Section::full()) && !section.is(&Section::text()));
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn parts_that_were_dropped_anywhere_leave_the_next_command_its_own_answer() {
    for taken in 0..6 {
        let script = format!(
            "{FETCHED}
            S: * 1 FETCH (UID 11 BODY[] {{4}}
            S: ab
            S:  FLAGS ())
            S: * 2 FETCH (UID 12 BODY[] {{1}}
            S: b)
            S: A2 OK done
            C: A3 UID FETCH 5 (FLAGS BODY.PEEK[])
            S: * 3 FETCH (UID 5 BODY[] {{1}}
            S: c)
            S: A3 OK done"
        );
        let (mut client, server) = client(&script).await;
        let inbox = client.select("INBOX").await.unwrap();
        let items = Fetch::flags().body();
        let mut parts = inbox.uid_fetch(UidSet::all(), items.clone()).await.unwrap().parts();
        for _ in 0..taken {
            parts.next().await.unwrap().unwrap();
        }
        let messages = inbox.uid_fetch(Uid::new(5).unwrap(), items).await.unwrap();
        let messages = messages.collect().await.unwrap();
        assert_eq!(messages.len(), 1, "{taken}");
        assert_eq!(messages[0].body(), Some(&b"c"[..]));
        assert!(inbox.take_event().is_none());
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_ends_within_a_message_is_an_error() {
    let whole = "* 1 FETCH (UID 11 BODY[] {6}\r\nabcdef FLAGS ())\r\n";
    for end in 0..whole.len() {
        let said = whole[..end].replace('\r', r"\r").replace('\n', r"\n");
        let script = format!("{FETCHED}\nS~ {said}\nEOF");
        let (mut client, server) = client(&script).await;
        let inbox = client.select("INBOX").await.unwrap();
        let items = Fetch::flags().body();
        let mut parts = inbox.uid_fetch(UidSet::all(), items).await.unwrap().parts();
        let error = loop {
            match parts.next().await {
                Ok(Some(Part::End { .. }) | None) => panic!("it looks whole at {end}"),
                Ok(Some(_)) => {}
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::Closed { .. }), "{error}");
        assert!(parts.next().await.unwrap().is_none());
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_are_copied_one_by_one_with_what_else_was_said() {
    let script = format!(
        r"{FETCHED}
        S: * 1 FETCH (BODY[] {{6}}
        S: abcd
        S:  UID 11 FLAGS (\Seen))
        S: * 2 FETCH (UID 12 BODY[] NIL)
        S: * 3 FETCH (UID 13 BODY[] {{1}}
        S: x)
        S: A2 OK done"
    );
    let (mut client, server) = client(&script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let items = Fetch::flags().body();
    let mut parts = inbox.uid_fetch(UidSet::all(), items).await.unwrap().parts();
    let (mut file, mut seen) = (Vec::new(), Vec::new());
    let copied = parts.copy_body_with(&mut file, |done, of| seen.push((done, of))).await;
    let copied = copied.unwrap().unwrap();
    assert_eq!((copied.seq, copied.uid, copied.octets), (1, Uid::new(11), Some(6)));
    assert!(copied.items[0].flags().contains(&Flag::Seen));
    assert_eq!(
        (file.as_slice(), seen.first(), seen.last()),
        (&b"abcd\r\n"[..], Some(&(0, 6)), Some(&(6, 6)))
    );
    // A message that the server cannot read is not passed over.
    let copied = parts.copy_body(&mut file).await.unwrap().unwrap();
    assert_eq!((copied.uid, copied.octets, file.len()), (Uid::new(12), None, 6));
    // Half a message, and then the next one, of which there is none.
    assert!(matches!(parts.next().await.unwrap(), Some(Part::Items(_))));
    assert!(parts.copy_body(&mut file).await.unwrap().is_none());
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_body_whose_octets_were_miscounted_is_not_copied_in_silence() {
    // What is sent has 10 octets, or 10 and a line end.
    for (counted, sent, whole) in [
        (10, r"0123456789", true),
        (8, r"0123456789", false),
        (9, r"0123456789", false),
        (11, r"0123456789", false),
        (12, r"0123456789", false),
        (10, r"0123456789\r\n", false),
        (11, r"0123456789\r\n", false),
    ] {
        let script = format!(
            r"{FETCHED}
            S~ * 1 FETCH (UID 11 BODY[] {{{counted}}}\r\n{sent})\r\n
            S~ * 2 FETCH (UID 12 BODY[] {{1}}\r\nx)\r\n
            S: A2 OK done"
        );
        let (mut client, server) = client(&script).await;
        let inbox = client.select("INBOX").await.unwrap();
        let items = Fetch::flags().body();
        let mut parts = inbox.uid_fetch(UidSet::all(), items).await.unwrap().parts();
        let mut file = Vec::new();
        let first = parts.copy_body(&mut file).await.unwrap().unwrap();
        assert_eq!((first.uid, first.octets), (Uid::new(11), Some(counted)), "{counted} {sent}");
        assert_eq!(first.whole, whole, "{counted} {sent}");
        let second = parts.copy_body(&mut file).await.unwrap().unwrap();
        assert!(second.whole && second.uid == Uid::new(12), "{counted} {sent}");
        assert!(parts.copy_body(&mut file).await.unwrap().is_none());
        assert_eq!(inbox.take_event().is_none(), whole, "{counted} {sent}");
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn news_of_flags_ahead_of_a_body_are_not_taken_for_a_message_without_one() {
    let script = format!(
        r"{FETCHED}
        S: * 1 FETCH (UID 11 FLAGS (\Seen))
        S: * 2 FETCH (FLAGS (\Flagged))
        S: * 3 FETCH (FLAGS () UID 13)
        S: * 3 FETCH (FLAGS (\Draft))
        S: * 2 FETCH (UID 12 BODY[] {{1}}
        S: b)
        S: * 1 FETCH (BODY[] {{1}}
        S: a UID 11)
        S: * 4 FETCH (UID 14 BODY[] NIL)
        S: A2 OK done"
    );
    let (mut client, server) = client(&script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let items = Fetch::flags().body();
    let mut parts = inbox.uid_fetch(UidSet::all(), items).await.unwrap().parts();
    let mut told = Vec::new();
    let mut file = Vec::new();
    while let Some(copied) = parts.copy_body(&mut file).await.unwrap() {
        let flags: Vec<_> = copied.items.iter().map(|items| items.flags().to_vec().len()).collect();
        told.push((copied.seq, copied.uid.map(Uid::get), copied.octets, flags));
    }
    let expected = [
        (2, Some(12), Some(1), vec![0]),
        (1, Some(11), Some(1), vec![1, 0]),
        (4, Some(14), None, vec![0]),
        // Of this one no body has come at all.
        (3, Some(13), None, vec![0]),
    ];
    assert_eq!((&told[..], file.as_slice()), (&expected[..], &b"ba"[..]));
    // Without a UID and without a section they answer nothing that was asked.
    let unasked = std::iter::from_fn(|| inbox.take_event());
    assert_eq!(unasked.filter(|event| matches!(event, Event::Fetch(_))).count(), 2);
    drop(client);
    server.await.unwrap();
}

/// What `copy_body` gives: numbers, UIDs, octets; and the events behind it.
async fn copies_of(
    client: &mut ImapClient,
    set: crate::imap::SeqSet,
) -> (Vec<(u32, Option<u32>, Option<u64>, usize)>, Vec<Event>) {
    let inbox = client.select("INBOX").await.unwrap();
    let mut parts = inbox.fetch(set, Fetch::flags().body()).await.unwrap().parts();
    let mut told = Vec::new();
    while let Some(copied) = parts.copy_body(&mut Vec::new()).await.unwrap() {
        told.push((copied.seq, copied.uid.map(Uid::get), copied.octets, copied.items.len()));
    }
    (told, std::iter::from_fn(|| inbox.take_event()).collect())
}

const BY_NUMBER: &str = "
    C: A1 SELECT INBOX
    S: A1 OK done
    C: A2 FETCH 1:* (UID FLAGS BODY.PEEK[])
";

#[tokio::test(start_paused = true)]
async fn news_behind_a_body_do_not_give_its_message_again() {
    let script = format!(
        r"{BY_NUMBER}
        S: * 1 FETCH (UID 11 BODY[] {{1}}
        S: a)
        S: * 1 FETCH (UID 11 FLAGS (\Seen))
        S: * 1 FETCH (FLAGS ())
        S: * 2 FETCH (BODY[] {{1}}
        S: b)
        S: * 2 FETCH (FLAGS (\Seen))
        S: * 3 FETCH (BODY[] NIL UID 13)
        S: * 3 FETCH (UID 13 FLAGS (\Seen))
        S: * 4 FETCH (UID 14 FLAGS (\Seen))
        S: A2 OK done"
    );
    let (mut client, server) = client(&script).await;
    let (told, events) = copies_of(&mut client, crate::imap::SeqSet::all()).await;
    let expected = [
        (1, Some(11), Some(1), 1),
        (2, None, Some(1), 0),
        (3, Some(13), None, 1),
        (4, Some(14), None, 1),
    ];
    assert_eq!(told, expected);
    let behind: Vec<_> = events
        .iter()
        .map(|event| match event {
            Event::Fetch(message) => message.seq(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(behind, [1, 1, 2, 3]);
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn news_by_number_are_not_taken_for_those_of_the_message_that_has_the_number_next() {
    for removal in ["1 EXPUNGE", "VANISHED 11"] {
        let script = format!(
            r"{BY_NUMBER}
            S: * 1 FETCH (FLAGS (\Flagged))
            S: * 2 FETCH (FLAGS (\Draft) UID 12)
            S: * {removal}
            S: * 2 FETCH (BODY[] {{1}}
            S: c)
            S: * 1 FETCH (BODY[] {{1}}
            S: b UID 12)
            S: A2 OK done"
        );
        let (mut client, server) = client(&script).await;
        let (told, events) = copies_of(&mut client, crate::imap::SeqSet::all()).await;
        assert_eq!(told, [(2, None, Some(1), 0), (1, Some(12), Some(1), 2)], "{removal}");
        let [Event::Fetch(news), Event::Expunge(1) | Event::Vanished { .. }] = &events[..] else {
            panic!("{events:?}")
        };
        assert!(news.flags().contains(&Flag::Flagged));
        drop(client);
        server.await.unwrap();
    }
}

/// A disk that is full after four octets.
struct Full(usize);

impl tokio::io::AsyncWrite for Full {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let room = octets.len().min(4 - self.0);
        self.0 += room;
        Poll::Ready(if room == 0 { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(room) })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_fails_costs_its_message_and_not_the_connection() {
    let script = format!(
        "{FETCHED}
        S: * 1 FETCH (UID 11 BODY[] {{6}}
        S: abcd
        S: )
        S: * 2 FETCH (UID 12 BODY[] {{1}}
        S: x)
        S: A2 OK done"
    );
    let (mut client, server) = client(&script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let items = Fetch::flags().body();
    let mut parts = inbox.uid_fetch(UidSet::all(), items).await.unwrap().parts();
    let error = parts.copy_body(&mut Full(0)).await.unwrap_err();
    assert!(matches!(error, Error::Copy { .. }) && error.connection_usable(), "{error}");
    assert_eq!(error.stage(), Stage::Command("UID FETCH"));
    let mut file = Vec::new();
    let copied = parts.copy_body(&mut file).await.unwrap().unwrap();
    assert_eq!((copied.uid, file.as_slice()), (Uid::new(12), &b"x"[..]));
    drop(client);
    server.await.unwrap();
}

/// A server that says how large a message is, and sends so much of it.
async fn announcing(octets: u64, sent: usize) -> ImapClient {
    let (near, mut far) = duplex(64 * 1024);
    tokio::spawn(async move {
        far.write_all(b"* PREAUTH hi\r\n* 1 EXISTS\r\n").await.unwrap();
        let mut heard = vec![0; "A1 SELECT INBOX\r\n".len()];
        far.read_exact(&mut heard).await.unwrap();
        far.write_all(b"A1 OK done\r\n").await.unwrap();
        far.read_exact(&mut [0; 10]).await.unwrap();
        far.write_all(format!("* 1 FETCH (UID 1 BODY[] {{{octets}}}\r\n").as_bytes())
            .await
            .unwrap();
        let chunk = [b'x'; 1000];
        for _ in 0..sent / chunk.len() {
            if far.write_all(&chunk).await.is_err() {
                return;
            }
        }
        let _ = far.read_to_end(&mut Vec::new()).await;
    });
    let mut settings = Settings::new(Endpoint::imap("mail.example"));
    settings.limits = Limits::default().message(1000);
    let mut session = Session::new(Box::new(near), &settings, true);
    session.core_mut().expect_greeting();
    session.step(Stage::Greeting).await.unwrap();
    ImapClient::new(session)
}

#[tokio::test(start_paused = true)]
async fn a_message_of_any_size_passes_through_and_a_server_that_stops_comes_to_the_deadline() {
    for octets in [2_000_000, u64::MAX] {
        let mut client = announcing(octets, 2_000_000).await;
        let inbox = client.select("INBOX").await.unwrap();
        let mut parts = inbox.uid_fetch(UidSet::all(), Fetch::body()).await.unwrap().parts();
        let (mut read, mut largest) = (0, 0);
        let error = loop {
            match parts.next().await {
                Ok(Some(Part::Chunk(chunk))) => {
                    read += chunk.len();
                    largest = largest.max(chunk.len());
                }
                Ok(Some(_)) => {}
                Ok(None) => panic!("it looks whole"),
                Err(error) => break error,
            }
        };
        assert_eq!(read, 2_000_000);
        assert!(largest <= 64 * 1024, "{largest}");
        assert!(matches!(error, Error::Net { source: net::Error::Deadline { .. }, .. }), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_message_that_is_too_large_to_throw_away_costs_the_connection() {
    let mut client = announcing(50_000_000, 50_000_000).await;
    let inbox = client.select("INBOX").await.unwrap();
    let mut parts = inbox.uid_fetch(UidSet::all(), Fetch::body()).await.unwrap().parts();
    while !matches!(parts.next().await.unwrap(), Some(Part::Chunk(_))) {}
    let error = inbox.noop().await.unwrap_err();
    assert!(matches!(error, Error::Net { source: net::Error::Abandoned, .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_read_whole_still_has_its_limit() {
    let mut client = announcing(1001, 0).await;
    let inbox = client.select("INBOX").await.unwrap();
    let mut messages = inbox.uid_fetch(UidSet::all(), Fetch::body()).await.unwrap();
    assert!(matches!(messages.next().await, Err(Error::Protocol { .. })));
}
