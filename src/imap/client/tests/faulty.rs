//! Messages that cannot be read, or not whose they are.

use std::pin::pin;

use super::*;
use crate::imap::types::UnparsedReason;
use crate::imap::{Message, Part, SeqSet};

const FETCHED: &str = "
    C: A1 SELECT INBOX
    S: * 3 EXISTS
    S: A1 OK done
    C: A2 UID FETCH 1:* (FLAGS)
";

/// What a message says: its number, its UID, its flags, and what of it could not be read.
fn tell(message: &Message) -> String {
    let uid = message.uid().map_or(0, Uid::get);
    let mut told = format!("{} {uid}", message.seq());
    message.flags().for_each(|flag| told += &format!(" {flag}"));
    assert_eq!(message.is_complete(), message.unparsed().next().is_none());
    for unparsed in message.unparsed() {
        let UnparsedReason::Malformed { expected } = unparsed.reason() else { panic!() };
        told += &format!(" [{}: {expected}]", unparsed.octets().escape_ascii());
    }
    told
}

fn tell_event(event: &Event) -> String {
    match event {
        Event::Fetch(message) => format!("news {}", tell(message)),
        Event::Unparsed { frame, .. } => frame.trim_ascii_end().escape_ascii().to_string(),
        event => format!("{event:?}"),
    }
}

fn events(inbox: &mut Mailbox) -> Vec<String> {
    std::iter::from_fn(|| inbox.take_event()).map(|event| tell_event(&event)).collect()
}

/// The messages that are fetched, how many lines were not understood, and the events.
async fn fetched(answer: &str) -> (Vec<String>, usize, Vec<String>) {
    let (mut client, server) = client(&format!("{FETCHED}\n{answer}\nS: A2 OK done")).await;
    let inbox = client.select("INBOX").await.unwrap();
    let mut messages = inbox.uid_fetch(UidSet::all(), Fetch::flags()).await.unwrap();
    let mut told = Vec::new();
    while let Some(message) = messages.next().await.unwrap() {
        told.push(tell(&message));
    }
    let (unread, events) = (messages.unread(), events(inbox));
    drop(client);
    server.await.unwrap();
    (told, unread, events)
}

#[tokio::test(start_paused = true)]
async fn no_message_is_missing_because_its_uid_stands_behind_what_cannot_be_read() {
    for (line, told) in [
        // Exchange and Gmail put it last.
        (
            r#"* 3 FETCH (BODYSTRUCTURE ("text" "plain  UID 35)"#,
            r#"3 0 [(BODYSTRUCTURE (\"text\" \"plain  UID 35): the end of a list]"#,
        ),
        (
            r#"* 3 FETCH (FLAGS (\Seen) BODYSTRUCTURE ("text" "plain  UID 35)"#,
            r#"3 0 \Seen [BODYSTRUCTURE (\"text\" \"plain  UID 35): the end of a list]"#,
        ),
        // Its list has an end, so that it can be told what is behind it.
        (
            r#"* 3 FETCH (BODYSTRUCTURE ("text" "plain) FLAGS (\Seen) UID 35)"#,
            r#"3 35 \Seen [BODYSTRUCTURE (\"text\" \"plain): the end of a list]"#,
        ),
        // What would be behind it makes no sense: so it is none.
        (
            r#"* 3 FETCH (FLAGS () X ("a) UID 35 (b)"#,
            r#"3 0 [X (\"a) UID 35 (b): the end of a list]"#,
        ),
        (r"* 3 FETCH FLAGS ()", "3 0 [FLAGS (): a list of items]"),
        (r"* 3 FETCH", "3 0 [: a list of items]"),
        (r"* 3 FETCH (FLAGS (\Seen", r"3 0 [(FLAGS (\\Seen: the end of a list]"),
        (r"* 3 FETCH (UID 0 FLAGS ())", "3 0 [UID 0: a number of 32 bits, at least 1]"),
        (r"* 3 FETCH (UID x FLAGS ())", "3 0 [UID x: a number of 32 bits, at least 1]"),
        (
            r"* 3 FETCH (UID 4294967296 FLAGS ())",
            "3 0 [UID 4294967296: a number of 32 bits, at least 1]",
        ),
        (r"* 3 FETCH (RFC822.SIZE 7)", "3 0 [: the UID of the message]"),
        (r"* 99999999999 FETCH (FLAGS () UID 35)", "0 35"),
        (r"* 0 FETCH (FLAGS () UID 35)", "0 35"),
        (r"* 99999999999 FETCH FLAGS", "0 0 [FLAGS: a list of items]"),
    ] {
        let answer = format!("S: * 1 FETCH (UID 33 FLAGS ())\nS: {line}\nS: * 9 EXISTS");
        let found = fetched(&answer).await;
        assert_eq!(found, (vec!["1 33".to_owned(), told.to_owned()], 0, Vec::new()), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn news_of_flags_is_no_answer_and_what_makes_no_sense_is_counted() {
    for (line, unread, event) in [
        // It may be the answer without its UID.
        (r"* 3 FETCH (FLAGS (\Seen))", 1, r"news 3 0 \Seen"),
        (r"* 3 FETCH (FLAGS (\Seen) MODSEQ (7))", 1, r"news 3 0 \Seen"),
        // Courier: there is no telling of which message.
        (r"* 0 FETCH (FLAGS (\Seen))", 1, r"* 0 FETCH (FLAGS (\\Seen))"),
        (r"* FETCH (UID 35 FLAGS ())", 1, r"* FETCH (UID 35 FLAGS ())"),
        (r"* 3 FETC (UID 35 FLAGS ())", 1, r"* 3 FETC (UID 35 FLAGS ())"),
        (r"nonsense", 1, r"nonsense"),
        (r"* 4x9 FETCH (UID 35 FLAGS ())", 1, r"* 4x9 FETCH (UID 35 FLAGS ())"),
        (r"* -3 fetch (UID 35 FLAGS ())", 1, r"* -3 fetch (UID 35 FLAGS ())"),
        (r"* 4x9 FETCHED", 0, r#"Data(Data { name: "4X9", rest: b"FETCHED" })"#),
    ] {
        let (told, missed, events) = fetched(&format!("S: {line}")).await;
        assert_eq!((told.len(), missed, events), (0, unread, vec![event.to_owned()]), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn news_of_flags_of_messages_that_come_are_no_reason_for_doubt() {
    const NEWS: &str = r"S: * 3 FETCH (FLAGS (\Seen))";
    const ROW: &str = "S: * 3 FETCH (UID 35 FLAGS ())";
    for answer in [format!("{NEWS}\n{ROW}"), format!("{ROW}\n{NEWS}")] {
        let found = fetched(&answer).await;
        let expected = (vec!["3 35".to_owned()], 0, vec![r"news 3 0 \Seen".to_owned()]);
        assert_eq!(found, expected, "{answer}");
    }
    // What may be another message by then.
    let (_, unread, _) = fetched(&format!("{ROW}\nS: * 1 EXPUNGE\n{NEWS}")).await;
    assert_eq!(unread, 1);
    // Of what holds more than flags the news are none.
    for (items, unread) in [("FLAGS ENVELOPE", 0), ("FLAGS X-GM-LABELS", 1)] {
        let script = format!(
            "
            C: A1 SELECT INBOX
            S: * 3 EXISTS
            S: A1 OK done
            C: A2 UID FETCH 33:35 ({items})
            {NEWS}
            S: A2 OK done
            "
        );
        let (mut client, server) = client(&script).await;
        let inbox = client.select("INBOX").await.unwrap();
        let asked = match unread {
            0 => Fetch::flags().envelope(),
            _ => Fetch::flags().item("X-GM-LABELS"),
        };
        let set = UidSet::parse("33:35").unwrap();
        let mut messages = inbox.uid_fetch(set, asked).await.unwrap();
        assert!(messages.next().await.unwrap().is_none());
        assert_eq!(messages.unread(), unread, "{items}");
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_not_understood_is_counted_for_each_fetch_anew_and_by_a_stream_too() {
    let script = format!(
        "{FETCHED}
        S: * nonsense (
        S: * 1 FETC (UID 33)
        S: A2 OK done
        C: A3 UID FETCH 1:* (FLAGS)
        S: x
        S: * 1 FETCH (UID 33 FLAGS ())
        S: y
        S: A3 OK done
        C: A4 UID FETCH 1:* (FLAGS)
        S: A4 OK done"
    );
    let (mut client, server) = client(&script).await;
    let inbox = client.select("INBOX").await.unwrap();
    let mut messages = inbox.uid_fetch(UidSet::all(), Fetch::flags()).await.unwrap();
    assert!(messages.next().await.unwrap().is_none());
    // The first is data of a kind that nobody knows.
    assert_eq!(messages.unread(), 1);
    {
        let stream = inbox.uid_fetch(UidSet::all(), Fetch::flags()).await.unwrap().into_stream();
        let mut stream = pin!(stream);
        assert_eq!(stream.unread(), 0);
        let first = poll_fn(|cx| stream.as_mut().poll_next(cx)).await.unwrap().unwrap();
        assert_eq!((first.uid(), stream.unread()), (Uid::new(33), 1));
        assert!(poll_fn(|cx| stream.as_mut().poll_next(cx)).await.is_none());
        assert_eq!(stream.unread(), 2);
    }
    let mut parts = inbox.uid_fetch(UidSet::all(), Fetch::flags()).await.unwrap().parts();
    assert!(parts.next().await.unwrap().is_none() && parts.unread() == 0);
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn by_number_only_what_has_no_number_is_taken_for_an_answer() {
    let (mut client, server) = client(
        r"
        C: A1 SELECT INBOX
        S: * 9 EXISTS
        S: A1 OK done
        C: A2 FETCH 1:3 (UID FLAGS)
        S: * 1 FETCH nonsense
        S: * 7 FETCH (FLAGS (\Seen
        S: * 7 FETCH nonsense
        S: * 0 FETCH (FLAGS () UID 35)
        S: * 99999999999 FETCH (FLAGS (\Seen
        S: A2 OK done
        ",
    )
    .await;
    let inbox = client.select("INBOX").await.unwrap();
    let set = SeqSet::parse("1:3").unwrap();
    let messages = inbox.fetch(set, Fetch::flags()).await.unwrap().collect().await.unwrap();
    let told: Vec<_> = messages.iter().map(tell).collect();
    let expected = [
        "1 0 [nonsense: a list of items]",
        "0 35 [: the number of the message]",
        r"0 0 [(FLAGS (\\Seen: the end of a list]",
    ];
    assert_eq!(told, expected);
    let about_others = [r"* 7 FETCH (FLAGS (\\Seen", "* 7 FETCH nonsense"];
    assert_eq!(events(inbox), about_others);
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_change_of_flags_is_not_told_of_messages_that_it_may_not_be_about() {
    let (mut client, server) = client(
        r"
        C: A1 SELECT INBOX
        S: * 9 EXISTS
        S: A1 OK done
        C: A2 UID STORE 33 +FLAGS (\Seen)
        S: * 0 FETCH (UID 33 FLAGS (\Seen))
        S: * 1 FETCH (FLAGS (\Seen) X (
        S: * 2 FETCH (UID 0 FLAGS (\Seen))
        S: A2 OK done
        C: A3 NOOP
        S: * 1 FETCH (FLAGS (\Seen) X (
        S: A3 OK done
        ",
    )
    .await;
    let inbox = client.select("INBOX").await.unwrap();
    let change = StoreFlags::add([Flag::Seen]);
    let changed = inbox.uid_store(Uid::new(33).unwrap(), change).await.unwrap();
    // Courier tells such numbers (MailKit#428).
    assert_eq!(changed.iter().map(tell).collect::<Vec<_>>(), [r"0 33 \Seen"]);
    inbox.noop().await.unwrap();
    let odd = r"news 1 0 \Seen [X (: the end of a list]";
    let zero = r"news 2 0 \Seen [UID 0: a number of 32 bits, at least 1]";
    assert_eq!(events(inbox), [odd, zero, odd]);
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_answers_a_dropped_fetch_is_thrown_away_though_it_lacks_its_uid() {
    let script = format!(
        r"{FETCHED}
        S: * 1 FETCH (UID 33 FLAGS ())
        S: * 2 FETCH (RFC822.SIZE 7)
        S: * 3 FETCH (FLAGS (\Seen) X (
        S: stray
        S: A2 OK done
        C: A3 UID FETCH 1:* (FLAGS)
        S: A3 OK done"
    );
    let (mut client, server) = client(&script).await;
    let inbox = client.select("INBOX").await.unwrap();
    drop(inbox.uid_fetch(UidSet::all(), Fetch::flags()).await.unwrap());
    let mut messages = inbox.uid_fetch(UidSet::all(), Fetch::flags()).await.unwrap();
    assert!(messages.next().await.unwrap().is_none());
    assert_eq!(messages.unread(), 0);
    assert_eq!(events(inbox), [r"news 3 0 \Seen [X (: the end of a list]", "stray"]);
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn before_a_mailbox_is_open_nothing_is_said_of_its_messages() {
    let (mut client, server) = client(
        r"
        C: A1 SELECT INBOX
        C: A2 UID FETCH 1:* (FLAGS)
        S: * 2 FETCH (RFC822.SIZE 7)
        S: stray
        S: A1 OK done
        S: * 3 FETCH (UID x FLAGS ())
        S: A2 OK done
        ",
    )
    .await;
    let mut messages = client.select_fetch("INBOX", UidSet::all(), Fetch::flags()).await.unwrap();
    let message = messages.next().await.unwrap().unwrap();
    assert_eq!(message.seq(), 3);
    assert!(messages.next().await.unwrap().is_none());
    assert_eq!(messages.unread(), 0);
    drop(client);
    server.await.unwrap();
}

async fn parts(answer: &str) -> (Vec<String>, usize, Vec<String>) {
    let (mut client, server) = client(&format!("{FETCHED}\n{answer}\nS: A2 OK done")).await;
    let inbox = client.select("INBOX").await.unwrap();
    let messages = inbox.uid_fetch(UidSet::all(), Fetch::flags()).await.unwrap();
    let (mut parts, mut told) = (messages.parts(), Vec::new());
    while let Some(part) = parts.next().await.unwrap() {
        told.push(match part {
            Part::Items(message) => format!("items {}", tell(&message)),
            Part::Section(section) => format!("section {}", section.octets()),
            Part::Chunk(octets) => octets.escape_ascii().to_string(),
            Part::Unreadable { seq } => format!("unreadable {seq}"),
            Part::End { seq } => format!("end {seq}"),
        });
    }
    let (unread, events) = (parts.unread(), events(inbox));
    drop(client);
    server.await.unwrap();
    (told, unread, events)
}

#[tokio::test(start_paused = true)]
async fn in_parts_too_what_cannot_be_read_is_told() {
    for (line, told) in [
        (r"* 3 FETCH FLAGS ()", &["unreadable 3", "end 3"][..]),
        (r"* 3 FETCH", &["unreadable 3", "end 3"]),
        (
            r#"* 3 FETCH (BODYSTRUCTURE ("text" "plain) FLAGS (\Seen) UID 35)"#,
            &["unreadable 3", "items 3 35", "end 3"],
        ),
        (
            r#"* 3 FETCH (UID 35 BODYSTRUCTURE ("text" "plain)"#,
            &["items 3 35", "unreadable 3", "end 3"],
        ),
        (
            r#"* 3 FETCH (BODY[1] "abc" BODYSTRUCTURE ("text" "plain) UID 35)"#,
            &["section 3", "abc", "unreadable 3", "items 3 35", "end 3"],
        ),
        (r"* 3 FETCH (RFC822.SIZE 7)", &["items 3 0", "unreadable 3", "end 3"]),
        (r#"* 3 FETCH (BODY[1] "abc")"#, &["section 3", "abc", "unreadable 3", "end 3"]),
    ] {
        let (parts, unread, events) = parts(&format!("S: {line}")).await;
        let faults = parts.iter().filter(|part| part.starts_with("unreadable")).count();
        // Of what came and is nobody's all was told.
        let faults = if line.ends_with("7)") || line.ends_with("c\")") { 0 } else { faults };
        assert_eq!(
            (&parts[..], unread),
            (&told.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>()[..], 0),
            "{line}"
        );
        assert_eq!(events.len(), faults, "{line}");
    }
    let (parts, unread, events) = parts("S: stray").await;
    assert_eq!((parts.len(), unread, &events[..]), (0, 1, &["stray".to_owned()][..]));
}

/// What is fetched of a message of ten octets, whole and in parts: its UID, its octets, whether it was
/// told that something is wrong.
async fn body_of(answer: &str) -> [(Option<Uid>, Vec<u8>, bool); 2] {
    let script = format!(
        "
        C: A1 SELECT INBOX
        S: A1 OK done
        C: A2 UID FETCH 1:* (BODY.PEEK[])
        {answer}
        S~ * 2 FETCH (UID 12 BODY[] {{1}}\\r\\nx)\\r\\n
        S: A2 OK done
        "
    );
    let items = || Fetch::body();
    let (mut whole, server) = client(&script).await;
    let inbox = whole.select("INBOX").await.unwrap();
    let messages = inbox.uid_fetch(UidSet::all(), items()).await.unwrap().collect().await.unwrap();
    let [first, second] = &messages[..] else { panic!("{answer}: {messages:?}") };
    assert!(second.is_complete() && second.body() == Some(b"x"), "{answer}");
    assert!(inbox.take_event().is_none(), "{answer}");
    let told = (first.uid(), first.body().unwrap_or_default().to_vec(), first.is_complete());
    drop(whole);
    server.await.unwrap();
    let (mut divided, server) = client(&script).await;
    let inbox = divided.select("INBOX").await.unwrap();
    let mut parts = inbox.uid_fetch(UidSet::all(), items()).await.unwrap().parts();
    let (mut one, mut other) = (Vec::new(), Vec::new());
    let first = parts.copy_body(&mut one).await.unwrap().unwrap();
    let second = parts.copy_body(&mut other).await.unwrap().unwrap();
    assert!(second.whole && second.uid == Uid::new(12) && other == b"x", "{answer}");
    assert!(parts.copy_body(&mut other).await.unwrap().is_none());
    assert_eq!(inbox.take_event().is_none(), first.whole, "{answer}");
    let in_parts = (first.uid, one, first.whole);
    drop(divided);
    server.await.unwrap();
    [told, in_parts]
}

#[tokio::test(start_paused = true)]
async fn a_body_that_was_miscounted_is_told_with_its_uid_whole_and_in_parts() {
    // Ten octets, or with the line end at its end twelve.
    for (said, body, uid) in [
        // MailKit#954.
        (r"BODY[] {10}\r\n0123456789\r\n UID 11)\r\n", "0123456789", 11),
        (r"BODY[] {11}\r\n0123456789\r\n UID 11)\r\n", "0123456789\r", 11),
        (r"UID 11 BODY[] {10}\r\n0123456789\r\n)\r\n", "0123456789", 11),
        (r"BODY[] {10}\n0123456789\n UID 11)\n", "0123456789", 11),
        (r"UID 11 BODY[] {11}\r\n0123456789)\r\n", "0123456789)", 11),
        (r"UID 11 BODY[] {12}\r\n0123456789)\r\n", "0123456789)\r", 11),
        (r"BODY[] {8}\r\n0123456789 UID 11)\r\n", "01234567", 0),
        (r"UID 11 BODY[] {10}\r\n0123456789\r\n", "0123456789", 11),
    ] {
        let told = body_of(&format!(r"S~ * 1 FETCH ({said}")).await;
        let expected = (Uid::new(uid), body.as_bytes().to_vec(), false);
        assert_eq!(told, [expected.clone(), expected], "{said}");
    }
    let whole = body_of(r"S~ * 1 FETCH (BODY[] {10}\r\n0123456789 UID 11)\r\n").await;
    let expected = (Uid::new(11), b"0123456789".to_vec(), true);
    assert_eq!(whole, [expected.clone(), expected]);
}

#[tokio::test(start_paused = true)]
async fn a_body_whose_uid_is_left_out_is_not_whole_however_it_comes() {
    for answer in [
        r"S~ * 1 FETCH (BODY[] {3}\r\nabc)\r\n".to_owned(),
        "S~ * 1 FETCH (BODY[] \"abc\")\\r\\n".to_owned(),
        // It comes in pieces.
        "S~ * 1 FETCH (BODY[] {3}\\r\\n\nS~ abc\nS~ )\\r\\n".to_owned(),
    ] {
        let script = format!(
            "
            C: A1 SELECT INBOX
            S: A1 OK done
            C: A2 UID FETCH 1:* (BODY.PEEK[])
            {answer}
            S: * 2 FETCH (UID 12 BODY[] \"x\")
            S: A2 OK done
            "
        );
        let (mut client, server) = client(&script).await;
        let inbox = client.select("INBOX").await.unwrap();
        let mut parts = inbox.uid_fetch(UidSet::all(), Fetch::body()).await.unwrap().parts();
        let mut body = Vec::new();
        let first = parts.copy_body(&mut body).await.unwrap().unwrap();
        assert_eq!((first.uid, first.whole, &body[..]), (None, false, &b"abc"[..]), "{answer}");
        let second = parts.copy_body(&mut body).await.unwrap().unwrap();
        assert_eq!((second.uid, second.whole), (Uid::new(12), true), "{answer}");
        assert!(parts.copy_body(&mut body).await.unwrap().is_none());
        drop(client);
        server.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_said_before_a_raw_command_is_refused_has_the_names_that_it_had() {
    let (mut client, server) = client_of(
        "IMAP4rev2",
        r#"
        C: A1 XTHING
        S: * 1 FETCH (UID 7 X-GM-LABELS ("b&AOQ-"))
        S: A1 NO no such thing
        "#,
    )
    .await;
    let error = client.raw(crate::imap::RawCommand::new("XTHING")).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    let Some(Event::Fetch(told)) = client.take_event() else { panic!() };
    // In modified UTF-7 it would be another name.
    let labels: Vec<_> = told.gmail_labels().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(labels, ["b&AOQ-"]);
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_section_that_is_left_out_is_none_and_nothing_is_wrong() {
    // Yandex (MailKit#1708).
    let told = body_of(r"S~ * 1 FETCH (UID 11 BODY[])\r\n").await;
    let nothing = (Uid::new(11), Vec::new(), true);
    assert_eq!(told, [nothing.clone(), nothing]);
}
