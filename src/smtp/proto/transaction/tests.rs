//! The transaction as dialogues.

use super::*;
use crate::Limits;
use crate::machine::Abandon;
use crate::machine::Machine;
use crate::smtp::proto::script::play;
use crate::smtp::proto::sending::Lost;
use crate::smtp::proto::{Core, Ended, Event};

const TO_THREE: [&str; 3] = ["ann@a.example", "bob@b.example", "eve@c.example"];

fn envelope() -> Envelope {
    Envelope::new("me@contoso.example", TO_THREE).unwrap()
}

fn plan(transfer: Transfer, pipelining: bool) -> Plan {
    Plan {
        parameters: Parameters::default(),
        transfer,
        pipelining,
        all_or_nothing: false,
        stuffer: Some(match transfer {
            Transfer::Data => Stuffer::new(),
            Transfer::Chunks | Transfer::OneFlight => Stuffer::without_dots(),
        }),
    }
}

fn begun(pipelining: bool) -> Core {
    begun_as(plan(Transfer::Data, pipelining))
}

fn begun_as(plan: Plan) -> Core {
    let mut core = Core::after_greeting(true, &Limits::default());
    core.send(&envelope(), plan).unwrap();
    core
}

fn told(sent: &Ended) -> String {
    let codes: Vec<u16> = sent.receipt.recipients().map(|r| r.reply().code()).collect();
    let reply = sent.receipt.reply().map(|reply| reply.to_string());
    let verdict = match sent.refused {
        None => "accepted".to_owned(),
        Some(what) => format!("refused {what}"),
    };
    let rest = if sent.at_rest { "at rest" } else { "unusable" };
    format!("{verdict} {codes:?} {} {rest}", reply.unwrap_or_default())
}

/// What the events of a dialogue were, the same whatever the chunks.
fn events(pipelining: bool, content: &str, dialogue: &str) -> String {
    let run = |chunk| {
        let mut told_events = Vec::new();
        let played = play(&mut begun(pipelining), dialogue, chunk, |core, event| match event {
            Event::SendContent => {
                core.content(content.as_bytes());
                core.end_content();
            }
            Event::Sent(sent) => told_events.push(told(&sent)),
            Event::StopContent => {}
            Event::Closing => {
                told_events.push(format!("closing: {}", core.last_words().unwrap()));
            }
            other => panic!("{other:?}"),
        });
        told_events.extend(played.err().map(|fault| fault.to_string()));
        told_events.join("; ")
    };
    let whole = run(usize::MAX);
    assert_eq!(run(1), whole);
    assert_eq!(run(7), whole);
    whole
}

#[test]
fn with_pipelining_everything_up_to_data_is_one_flight() {
    let told = events(
        true,
        "Subject: hi\r\n\r\n.dot\r\n",
        "C: MAIL FROM:<me@contoso.example>
         C: RCPT TO:<ann@a.example>
         C: RCPT TO:<bob@b.example>
         C: RCPT TO:<eve@c.example>
         C: DATA
         S: 250 2.1.0 Sender OK
         S: 250 2.1.5 Recipient OK
         S: 550-5.1.1 No such user
         S: 550 5.1.1 here
         S: 451 4.7.1 Later
         S: 354 Start mail input
         C: Subject: hi
         C: 
         C: ..dot
         C: .
         S: 250 2.0.0 Ok: queued as 4XyZ1",
    );
    assert_eq!(told, "accepted [250, 550, 451] 250 2.0.0 Ok: queued as 4XyZ1 at rest");
}

#[test]
fn a_reply_that_comes_again_and_again_answers_one_command_each_time() {
    let envelope = "C: MAIL FROM:<me@contoso.example>
         C: RCPT TO:<ann@a.example>
         C: RCPT TO:<bob@b.example>
         C: RCPT TO:<eve@c.example>
         C: DATA\n";
    let end = "S: 354 Go on
         C: hi
         C: .
         S: 250 OK";
    for (replies, codes) in [
        ("S: 250 OK\n S: 250 OK\n S: 250 OK\n S: 250 OK\n", "[250, 250, 250]"),
        ("S: 250 OK\n S: 250 OK\n S: 250 OK\n S: 250 ok\n", "[250, 250, 250]"),
        ("S: 250 OK\n S: 250 Ok\n S: 251 Ok\n S: 251 Ok\n", "[250, 251, 251]"),
        ("S: 250 OK\n S: 550 No\n S: 550 No\n S: 250 OK\n", "[550, 550, 250]"),
        // Of many lines, of which the last is no other than the first of the next.
        (
            "S: 250 OK\n S: 250-OK\n S: 250-OK\n S: 250 OK\n S: 250 OK\n S: 250 OK\n",
            "[250, 250, 250]",
        ),
    ] {
        let told = events(true, "hi", &format!("{envelope}{replies}{end}"));
        assert_eq!(told, format!("accepted {codes} 250 OK at rest"), "{replies}");
    }
    let one_more = "S: 250 OK\n".repeat(5);
    let told = events(true, "hi", &format!("{envelope}{one_more}"));
    assert!(told.contains("expected 354 or a refusal of DATA"), "{told}");
}

#[test]
fn what_is_said_again_is_given_to_each_recipient() {
    let mut core = begun(true);
    let octets = core.output().unsent().len();
    core.output().sent(octets);
    let said = "250 OK\r\n250 2.1.5 Ok\r\n250 2.1.5 Ok\r\n250 2.1.5 Ok\r\n354 Go on\r\n";
    core.input().push(said.as_bytes());
    assert!(matches!(core.poll(), Ok(Some(Event::SendContent))));
    core.end_content();
    let octets = core.output().unsent().len();
    core.output().sent(octets);
    core.input().push(b"250 2.0.0 Ok\r\n");
    let Ok(Some(Event::Sent(sent))) = core.poll() else { panic!("not sent") };
    let told: Vec<String> = sent.receipt.recipients().map(|r| r.to_string()).collect();
    let expected = TO_THREE.map(|address| format!("<{address}>: 250 2.1.5 Ok"));
    assert_eq!(told, expected);
    assert_eq!(sent.receipt.reply().unwrap().to_string(), "250 2.0.0 Ok");
}

#[test]
fn without_pipelining_each_command_waits_for_its_reply() {
    let told = events(
        false,
        "hi",
        "C: MAIL FROM:<me@contoso.example>
         S: 250 OK
         C: RCPT TO:<ann@a.example>
         S: 250 OK
         C: RCPT TO:<bob@b.example>
         S: 550 No
         C: RCPT TO:<eve@c.example>
         S: 251 Forwarded
         C: DATA
         S: 354
         C: hi
         C: .
         S: 250 Queued",
    );
    assert_eq!(told, "accepted [250, 550, 251] 250 Queued at rest");
}

#[test]
fn a_go_ahead_for_nobody_gets_a_lone_dot() {
    let told = events(
        true,
        "never sent",
        "C: MAIL FROM:<me@contoso.example>
         C: RCPT TO:<ann@a.example>
         C: RCPT TO:<bob@b.example>
         C: RCPT TO:<eve@c.example>
         C: DATA
         S: 250 OK
         S: 550 One
         S: 550 Two
         S: 550 Three
         S: 354 Go ahead
         C: .
         S: 554 5.5.1 No valid recipients",
    );
    assert_eq!(told, "refused RCPT TO [550, 550, 550] 550 One at rest");
}

#[test]
fn a_refused_data_is_followed_by_rset() {
    let all_refused = "C: MAIL FROM:<me@contoso.example>
         C: RCPT TO:<ann@a.example>
         C: RCPT TO:<bob@b.example>
         C: RCPT TO:<eve@c.example>
         C: DATA
         S: 250 OK
         S: 550 One
         S: 550 Two
         S: 450 Three
         S: 554 No valid recipients
         C: RSET
         S: 250 OK";
    let told = events(true, "never sent", all_refused);
    assert_eq!(told, "refused RCPT TO [550, 550, 450] 550 One at rest");

    let data_refused =
        all_refused.replace("550 One", "250 OK").replace("554 No valid", "451 Later for");
    let told = events(true, "never sent", &data_refused);
    assert_eq!(told, "refused DATA [250, 550, 450] 451 Later for recipients at rest");
}

#[test]
fn a_refused_sender_refuses_everybody() {
    let told = events(
        true,
        "never sent",
        "C: MAIL FROM:<me@contoso.example>
         C: RCPT TO:<ann@a.example>
         C: RCPT TO:<bob@b.example>
         C: RCPT TO:<eve@c.example>
         C: DATA
         S: 550 5.7.60 SMTP; Client does not have permissions to send as this sender
         S: 503 5.5.2 Need mail command
         S: 503 5.5.2 Need mail command
         S: 503 5.5.2 Need mail command
         S: 503 5.5.2 Need mail command",
    );
    let words = "550 5.7.60 SMTP; Client does not have permissions to send as this sender";
    assert_eq!(told, format!("refused MAIL FROM [550, 550, 550] {words} at rest"));

    let told = events(
        false,
        "never sent",
        "C: MAIL FROM:<me@contoso.example>
         S: 451 4.7.1 Later",
    );
    assert_eq!(told, "refused MAIL FROM [451, 451, 451] 451 4.7.1 Later at rest");
}

#[test]
fn a_go_ahead_without_a_sender_gets_a_lone_dot_too() {
    let told = events(
        true,
        "never sent",
        "C: MAIL FROM:<me@contoso.example>
         C: RCPT TO:<ann@a.example>
         C: RCPT TO:<bob@b.example>
         C: RCPT TO:<eve@c.example>
         C: DATA
         S: 550 Not you
         S: 250 Odd
         S: 250 Odd
         S: 250 Odd
         S: 354 Odder
         C: .
         S: 250 Oddest",
    );
    assert_eq!(told, "refused MAIL FROM [550, 550, 550] 550 Not you at rest");
}

#[test]
fn without_pipelining_data_is_not_asked_for_nobody() {
    let told = events(
        false,
        "never sent",
        "C: MAIL FROM:<me@contoso.example>
         S: 250 OK
         C: RCPT TO:<ann@a.example>
         S: 550 One
         C: RCPT TO:<bob@b.example>
         S: 550 Two
         C: RCPT TO:<eve@c.example>
         S: 550 Three
         C: RSET
         S: 250 OK",
    );
    assert_eq!(told, "refused RCPT TO [550, 550, 550] 550 One at rest");
}

const UP_TO_CONTENT: &str = "C: MAIL FROM:<me@contoso.example>
         C: RCPT TO:<ann@a.example>
         C: RCPT TO:<bob@b.example>
         C: RCPT TO:<eve@c.example>
         C: DATA
         S: 250 OK
         S: 250 One
         S: 250 Two
         S: 250 Three
         S: 354 Go ahead
         C: hi
         C: .
         ";

#[test]
fn the_message_as_a_whole_may_be_refused() {
    let told = events(true, "hi", &format!("{UP_TO_CONTENT}S: 554 5.2.0 STOREDRV; no"));
    assert_eq!(told, "refused the message [250, 250, 250] 554 5.2.0 STOREDRV; no at rest");
}

#[test]
fn a_421_ends_the_session_whatever_it_answers() {
    let told = events(true, "hi", &format!("{UP_TO_CONTENT}S: 421 4.3.2 Closing"));
    assert_eq!(told, "closing: 421 4.3.2 Closing");
    let told = events(
        false,
        "hi",
        "C: MAIL FROM:<me@contoso.example>
         S: 421-4.7.0 Too many
         S: 421 4.7.0 connections",
    );
    assert_eq!(told, "closing: 421 4.7.0 Too many connections");
}

#[test]
fn a_refusal_is_told_though_the_way_back_to_rest_is_cut_off() {
    let refused = "C: MAIL FROM:<me@contoso.example>
         C: RCPT TO:<ann@a.example>
         C: RCPT TO:<bob@b.example>
         C: RCPT TO:<eve@c.example>
         C: DATA
         S: 250 OK
         S: 550 One
         S: 550 Two
         S: 550 Three
         S: 554 No valid recipients
         C: RSET
         ";
    for end in ["S: 421 4.7.0 Too many errors", "EOF", "S: 250 half\\\n EOF", "S: 500 What?"] {
        let told = events(true, "never sent", &format!("{refused}{end}"));
        assert_eq!(told, "refused RCPT TO [550, 550, 550] 550 One unusable", "{end}");
    }
}

#[test]
fn replies_that_answer_nothing_that_was_asked_are_faults() {
    let mail = "C: MAIL FROM:<me@contoso.example>
         ";
    for (reply, told) in [
        ("334 Go on", "expected an SMTP reply other than 3xx, the server sent `334 Go on`"),
        ("+OK POP3", "expected an SMTP reply, the server sent `+OK POP3`"),
    ] {
        assert_eq!(events(false, "", &format!("{mail}S: {reply}")), told);
    }
    let to_data = UP_TO_CONTENT.split("S: 354").next().unwrap();
    assert_eq!(
        events(true, "", &format!("{to_data}S: 250 What?")),
        "expected 354 or a refusal of DATA, the server sent `250 What?`"
    );
}

/// A core that was told to go ahead and has written a line of content, but not its end.
fn in_content() -> Core {
    let mut core = begun(true);
    let dialogue = UP_TO_CONTENT.replace("C: .\n", "");
    play(&mut core, &dialogue, 1, |core, event| {
        assert!(matches!(event, Event::SendContent));
        core.content(b"hi\r\n");
    })
    .unwrap();
    core
}

#[test]
fn a_refusal_in_the_middle_of_the_content_ends_it() {
    for (reply, expected) in [
        (
            "552 Too much",
            Ok("refused the message [250, 250, 250] 552 Too much unusable".to_owned()),
        ),
        ("250 Enough", Err(Fault::unexpected("no reply before the message ended", b"250 Enough"))),
    ] {
        let mut last = String::new();
        let played = play(&mut in_content(), &format!("S: {reply}"), 1, |_, event| match event {
            Event::Sent(sent) => last = told(&sent),
            other => panic!("{other:?}"),
        });
        assert_eq!(played.map(|()| last), expected);
    }
}

/// Lets the socket take the first `octets` of what was written.
fn leave(core: &mut Core, octets: usize) -> usize {
    let written = core.output().unsent().len();
    core.output().sent(octets.min(written));
    written
}

const FLIGHT: &str = "MAIL FROM:<me@contoso.example>\r\nRCPT TO:<ann@a.example>\r\n\
     RCPT TO:<bob@b.example>\r\nRCPT TO:<eve@c.example>\r\nDATA\r\n";

#[test]
fn a_drop_before_data_left_takes_the_envelope_back() {
    for sent in 0..=FLIGHT.len() - "DATA\r\n".len() {
        let mut core = begun(true);
        leave(&mut core, sent);
        assert_eq!(core.abandon(), Abandon::Drain);
        let rest = FLIGHT.replace("DATA", "RSET").split_off(sent);
        assert_eq!(core.output().unsent(), rest.as_bytes());
        // Asking again changes nothing.
        assert_eq!(core.abandon(), Abandon::Drain);
        leave(&mut core, usize::MAX);
        let mut settled = 0;
        let replies = "S: 250 OK
             S: 250 One
             S: 550 Two
             S: 250 Three
             S: 250 Reset";
        play(&mut core, replies, 1, |_, event| match event {
            Event::Settled => settled += 1,
            other => panic!("{other:?}"),
        })
        .unwrap();
        assert_eq!(settled, 1);
        assert!(!core.in_flight() && core.take_left_behind().is_none());
    }
}

#[test]
fn a_drop_once_data_began_to_leave_closes_the_connection() {
    for sent in FLIGHT.len() - "DATA\r\n".len() + 1..=FLIGHT.len() {
        let mut core = begun(true);
        leave(&mut core, sent);
        assert_eq!(core.abandon(), Abandon::Close);
    }
    assert_eq!(in_content().abandon(), Abandon::Close);
}

#[test]
fn a_drop_between_commands_takes_the_envelope_back_with_the_next_reply() {
    let mut core = begun(false);
    leave(&mut core, usize::MAX);
    assert_eq!(core.abandon(), Abandon::Drain);
    let mut settled = 0;
    play(&mut core, "S: 250 OK\n C: RSET\n S: 250 Reset", 1, |_, event| match event {
        Event::Settled => settled += 1,
        other => panic!("{other:?}"),
    })
    .unwrap();
    assert_eq!(settled, 1);
    assert!(!core.in_flight());
}

#[test]
fn without_pipelining_too_data_is_taken_back_until_it_begins_to_leave() {
    for sent in 0..=4 {
        let mut core = begun(false);
        let up_to_data = "C: MAIL FROM:<me@contoso.example>
             S: 250 OK
             C: RCPT TO:<ann@a.example>
             S: 250 One
             C: RCPT TO:<bob@b.example>
             S: 250 Two
             C: RCPT TO:<eve@c.example>";
        play(&mut core, up_to_data, 1, |_, event| panic!("{event:?}")).unwrap();
        core.input().push(b"250 Three\r\n");
        assert!(core.poll().unwrap().is_none());
        leave(&mut core, sent);
        if sent > 0 {
            assert_eq!(core.abandon(), Abandon::Close);
            continue;
        }
        assert_eq!(core.abandon(), Abandon::Drain);
        let mut settled = 0;
        play(&mut core, "C: RSET\n S: 250 Reset", 1, |_, _| settled += 1).unwrap();
        assert_eq!(settled, 1);
    }
}

#[test]
fn a_drop_before_the_dot_left_closes_and_after_it_waits_for_the_outcome() {
    for left in 0..=5 {
        let mut core = in_content();
        core.end_content();
        assert_eq!(leave(&mut core, left), 3);
        if left < 3 {
            assert_eq!(core.abandon(), Abandon::Close);
            assert!(matches!(core.lost(), Some(Lost::NotDelivered) | None));
            continue;
        }
        assert!(matches!(core.wait(), Wait::Delivery(_)));
        assert_eq!(core.abandon(), Abandon::Drain);
        let mut settled = 0;
        play(&mut core, "S: 250 2.0.0 Queued", 1, |_, event| match event {
            Event::Settled => settled += 1,
            other => panic!("{other:?}"),
        })
        .unwrap();
        assert_eq!(settled, 1);
        let sent = core.take_left_behind().unwrap();
        assert_eq!(told(&sent), "accepted [250, 250, 250] 250 2.0.0 Queued at rest");
    }
}

#[test]
fn the_outcome_nobody_waited_for_may_be_a_refusal() {
    for (reply, expected) in [
        ("554 No", "refused the message [250, 250, 250] 554 No at rest"),
        ("421 Bye", "refused the message [250, 250, 250] 421 Bye unusable"),
    ] {
        let mut core = in_content();
        core.end_content();
        leave(&mut core, usize::MAX);
        core.abandon();
        play(&mut core, &format!("S: {reply}"), 1, |_, _| {}).unwrap();
        assert_eq!(told(&core.take_left_behind().unwrap()), expected);
    }
}

#[test]
fn when_the_answer_to_the_dot_is_lost_the_receipt_is_kept() {
    let mut core = in_content();
    core.end_content();
    leave(&mut core, usize::MAX);
    play(&mut core, "S: 250 2.0.0 Queu\\\n EOF", 1, |_, event| panic!("{event:?}")).unwrap();
    let Some(Lost::PerhapsDelivered(receipt)) = core.lost() else { panic!() };
    assert_eq!((receipt.accepted().count(), receipt.reply()), (3, None));
    assert!(core.lost().is_none());
}

/// Hears whole lines while nothing is written.
fn hear(core: &mut Core, lines: &str) -> Result<Option<Event>, Fault> {
    core.input().push(lines.replace('|', "\r\n").as_bytes());
    core.poll()
}

#[test]
fn what_answers_a_command_before_it_was_sent_is_a_fault() {
    let early = |pipelining, lines: &str| {
        let mut core = begun(pipelining);
        leave(&mut core, if pipelining { FLIGHT.len() - 1 } else { 0 });
        let fault = hear(&mut core, lines).unwrap_err().to_string();
        (fault, core.step())
    };
    assert_eq!(
        early(false, "550 No|"),
        ("expected no reply before the command was sent, the server sent `550 No`".into(), MAIL)
    );
    assert_eq!(
        early(true, "250 OK|250 One|250 Two|250 Three|354 Go|"),
        ("expected no reply before DATA was sent, the server sent `354 Go`".into(), DATA)
    );
}

#[test]
fn what_answers_the_way_back_before_it_was_sent_leaves_no_connection() {
    let refused = "250 OK|550 One|550 Two|550 Three|";
    for last in ["354 Go|250 Early|", "554 Nobody|250 Early|"] {
        let mut core = begun(true);
        leave(&mut core, usize::MAX);
        let stopped = hear(&mut core, &format!("{refused}{last}"));
        assert!(matches!(stopped, Ok(Some(Event::StopContent))), "{last}");
        let Ok(Some(Event::Sent(sent))) = core.poll() else { panic!("not over after {last}") };
        assert_eq!(told(&sent), "refused RCPT TO [550, 550, 550] 550 One unusable");
        assert!(!core.takes_commands());
    }
}

#[test]
fn what_comes_before_the_whole_message_was_written_is_no_verdict_on_it() {
    for left in 0..3 {
        for (reply, expected) in [
            ("250 Early|", None),
            ("554 No|", Some("refused the message [250, 250, 250] 554 No unusable")),
        ] {
            let mut core = in_content();
            core.end_content();
            leave(&mut core, left);
            let heard = hear(&mut core, reply);
            match (heard, expected) {
                (Ok(Some(Event::Sent(sent))), Some(expected)) => {
                    assert_eq!(told(&sent), expected);
                    assert!(!core.takes_commands());
                }
                (Err(Fault::Unexpected { .. }), None) => {
                    assert!(matches!(core.lost(), Some(Lost::NotDelivered)));
                }
                (heard, _) => panic!("{reply}: {heard:?}"),
            }
        }
    }
}

#[test]
fn a_fault_is_about_the_command_whose_answer_was_waited_for() {
    for (replies, step) in [
        ("354 Go|", MAIL),
        ("250 OK|354 Go|", RCPT),
        ("250 OK|250 One|250 Two|250 Three|250 What|", DATA),
    ] {
        let mut core = begun(true);
        leave(&mut core, usize::MAX);
        hear(&mut core, replies).unwrap_err();
        assert_eq!(core.step(), step);
    }
}

#[test]
fn a_refusal_counts_though_its_line_end_never_came() {
    let told = events(true, "hi", &format!("{UP_TO_CONTENT}S: 554 5.7.1 Spam\\\n EOF"));
    assert_eq!(told, "refused the message [250, 250, 250] 554 5.7.1 Spam at rest");
}

#[test]
fn a_farewell_in_place_of_the_answer_to_rset_quotes_no_token() {
    let token = "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA";
    let mut core = Core::after_greeting(true, &Limits::default());
    let session = crate::sasl::Session::xoauth2("a@b.c", token, &[]).unwrap();
    core.auth(Box::new(session), true).unwrap();
    let mut events = Vec::new();
    let mut said = String::from("235 in\r\n");
    for message in 0..2 {
        let written = core.output().unsent().len();
        core.output().sent(written);
        core.input().push(said.as_bytes());
        while let Some(event) = core.poll().unwrap() {
            events.push(event);
        }
        for _ in message..1 {
            core.send(&envelope(), plan(Transfer::OneFlight, true)).unwrap();
            core.content(b"hi");
            core.end_content();
            core.send(&envelope(), plan(Transfer::OneFlight, true)).unwrap();
        }
        said = "250 ok\r\n".repeat(5) + &format!("421 4.7.0 {token}\r\n");
    }
    assert!(matches!(events[..], [Event::Authenticated(..), Event::Sent(_), Event::Closing]));
    assert_eq!(core.last_words().unwrap().to_string(), "421 4.7.0 [secret]");
}
