use proptest::prelude::*;

use super::*;
use crate::imap::{Code, Uid, UidSet};

fn core() -> Core {
    let mut core = Core::new(&Limits::default(), true);
    core.expect_greeting();
    hear(&mut core, "* PREAUTH hi\r\n");
    core
}

fn hear(core: &mut Core, octets: &str) -> Vec<Step> {
    core.input.push(octets.as_bytes());
    std::iter::from_fn(|| core.poll().unwrap()).collect()
}

fn written(core: &mut Core) -> String {
    let mut written = Vec::new();
    while !core.output().is_empty() {
        let octets = core.output().unsent().to_vec();
        core.output().sent(octets.len());
        written.extend(octets);
    }
    String::from_utf8(written).unwrap()
}

fn start(core: &mut Core, words: &str, claims: Claims, effect: Effect) -> Tag {
    let mut line = core.line();
    line.raw(words);
    core.start(line, claims, effect).unwrap()
}

fn fetch(core: &mut Core) -> Tag {
    fetch_of(core, "1:*")
}

fn fetch_of(core: &mut Core, set: &str) -> Tag {
    let claims = Claims::Messages(UidSet::parse(set).unwrap());
    start(core, &format!("UID FETCH {set} (FLAGS)"), claims, Effect::Stream)
}

fn select(core: &mut Core, name: &str) -> Tag {
    let effect = Effect::Select { name: name.into(), read_only: false };
    start(core, &format!("SELECT {name}"), Claims::Nothing, effect)
}

fn upload(core: &mut Core, octets: usize) -> Tag {
    let mut line = core.line();
    line.raw("APPEND x ").literal(vec![b'm'; octets].into());
    core.start(line, Claims::Nothing, Effect::Upload).unwrap()
}

fn selected(core: &Core) -> Option<String> {
    core.selected().map(|selected| selected.name.to_string())
}

#[test]
fn what_a_dropped_fetch_claims_is_thrown_away_and_the_rest_has_its_effect() {
    let mut core = core();
    select(&mut core, "INBOX");
    hear(&mut core, "A1 OK done\r\n");
    fetch(&mut core);
    hear(&mut core, "* 1 FETCH (UID 1 FLAGS ())\r\n");
    assert_eq!(core.abandon(), Abandon::Drain);
    let steps = hear(
        &mut core,
        "* 2 FETCH (UID 2 FLAGS ())\r\n* 7 EXISTS\r\n* QUOTA \"\" (STORAGE 10  512)\r\n\
         A2 OK done\r\n",
    );
    assert!(matches!(steps[..], [Step::Discarded, Step::Discarded]), "{steps:?}");
    assert!(!core.in_flight());
    assert_eq!(core.selected().unwrap().exists, 7);
    let Some(Event::Data(quota)) = core.take_event() else { panic!() };
    assert_eq!((quota.name(), quota.rest()), ("QUOTA", &b"\"\" (STORAGE 10  512)"[..]));

    let next = fetch(&mut core);
    let steps = hear(&mut core, "* 3 FETCH (UID 3 FLAGS ())\r\nA3 OK done\r\n");
    let [Step::Fetched { tag, .. }, Step::Done { .. }] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!(*tag, next);
}

#[test]
fn a_dropped_select_selects_but_nothing_counts_as_selected_meanwhile() {
    let mut core = core();
    select(&mut core, "A");
    hear(&mut core, "* 3 EXISTS\r\nA1 OK done\r\n");
    assert_eq!(selected(&core).as_deref(), Some("A"));
    select(&mut core, "B");
    assert_eq!(selected(&core), None);
    core.abandon();
    hear(&mut core, "* 5 EXISTS\r\nA2 OK done\r\n");
    assert_eq!(selected(&core).as_deref(), Some("B"));
    assert_eq!(core.selected().unwrap().exists, 5);
}

#[test]
fn a_refused_select_leaves_nothing_selected_and_a_refused_close_the_same_mailbox() {
    let mut core = core();
    select(&mut core, "A");
    hear(&mut core, "A1 OK done\r\n");
    start(&mut core, "CLOSE", Claims::Nothing, Effect::Unselect);
    assert_eq!(selected(&core), None);
    hear(&mut core, "A2 NO cannot\r\n");
    assert_eq!(selected(&core).as_deref(), Some("A"));
    select(&mut core, "B");
    hear(&mut core, "A3 NO no such mailbox\r\n");
    assert_eq!(selected(&core), None);
}

#[test]
fn message_numbers_of_the_old_mailbox_are_forgotten_by_select() {
    let mut core = core();
    hear(&mut core, "* 4 EXPUNGE\r\n* NO [ALERT] disk full\r\n");
    select(&mut core, "A");
    let Some(Event::Notice(notice)) = core.take_event() else { panic!() };
    assert_eq!(notice.to_string(), "NO [ALERT] disk full");
    assert!(core.take_event().is_none());
}

#[test]
fn expunged_messages_are_taken_off_the_count() {
    let mut core = core();
    select(&mut core, "A");
    hear(&mut core, "* 2 EXISTS\r\nA1 OK done\r\n* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n");
    assert_eq!(core.selected().unwrap().exists, 0);
}

#[test]
fn an_expunge_of_a_message_that_there_is_not_is_told_and_not_counted() {
    let mut core = core();
    select(&mut core, "A");
    hear(&mut core, "* 3 EXISTS\r\nA1 OK done\r\n* 99 EXPUNGE\r\n* 99 FETCH (FLAGS ())\r\n");
    assert_eq!(core.selected().unwrap().exists, 3);
    let Some(Event::Expunge(99)) = core.take_event() else { panic!() };
    let Some(Event::Fetch(message)) = core.take_event() else { panic!() };
    assert_eq!(message.seq(), 99);
}

#[test]
fn lines_that_make_no_sense_are_events_and_the_session_goes_on() {
    let mut core = core();
    start(&mut core, "NOOP", Claims::Nothing, Effect::None);
    // Exchange 2003 (libetpan#45), and a `+` that nothing called for (MailKit#852).
    let steps =
        hear(&mut core, "CAPABILITY completed.\r\n+ \r\nB7 OK?\r\nA9 OK x\r\nA1 OK done\r\n");
    assert!(matches!(steps[..], [Step::Done { .. }]));
    let unparsed: Vec<_> = std::iter::from_fn(|| core.take_event())
        .map(|event| match event {
            Event::Unparsed { frame, .. } => String::from_utf8_lossy(&frame).into_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(unparsed, ["CAPABILITY completed.\r\n", "+ \r\n", "B7 OK?\r\n", "A9 OK x\r\n"]);
}

#[test]
fn the_answers_of_one_flight_find_their_commands() {
    let mut core = core();
    let capability = start(&mut core, "CAPABILITY", Claims::Nothing, Effect::None);
    let namespace = start(&mut core, "NAMESPACE", Claims::Nothing, Effect::None);
    assert_eq!(written(&mut core), "A1 CAPABILITY\r\nA2 NAMESPACE\r\n");
    let steps = hear(&mut core, "A2 OK two\r\n* CAPABILITY IMAP4rev1 IDLE\r\nA1 OK one\r\n");
    let [Step::Done { tag: first, .. }, Step::Done { tag: second, .. }] = &steps[..] else {
        panic!("{steps:?}")
    };
    assert_eq!((*first, *second), (namespace, capability));
    assert!(core.capabilities().has("IDLE"));
}

#[test]
fn a_large_message_goes_out_in_chunks_and_its_line_end_with_the_last() {
    let mut core = core();
    hear(&mut core, "* CAPABILITY LITERAL+\r\n");
    upload(&mut core, 200_000);
    assert!(core.output().unsent().len() < 2 * Core::CHUNK);
    assert_eq!(core.wait(), Wait::Transfer);
    let sent = written(&mut core);
    assert!(sent.starts_with("A1 APPEND x {200000+}\r\nmmm") && sent.ends_with("m\r\n"));
    assert_eq!(sent.len(), "A1 APPEND x {200000+}\r\n".len() + 200_000 + 2);
    assert!(matches!(core.wait(), Wait::Reply(_)));
}

#[test]
fn a_small_message_goes_out_with_its_command_at_once() {
    let mut core = core();
    hear(&mut core, "* CAPABILITY LITERAL+\r\n");
    upload(&mut core, 3);
    assert_eq!(core.output().unsent(), b"A1 APPEND x {3+}\r\nmmm\r\n");
}

#[test]
fn a_message_refused_before_its_first_octet_leaves_the_session_good() {
    let mut core = core();
    upload(&mut core, 200_000);
    assert_eq!(written(&mut core), "A1 APPEND x {200000}\r\n");
    hear(&mut core, "A1 NO [TOOBIG] too large\r\n");
    assert!(core.takes_commands());
    start(&mut core, "NOOP", Claims::Nothing, Effect::None);
    assert_eq!(written(&mut core), "A2 NOOP\r\n");
}

#[test]
fn nothing_is_sent_behind_a_message_that_was_refused_on_its_way() {
    let refuse = |core: &mut Core| {
        hear(core, "A1 NO [TOOBIG] too large\r\n");
        assert!(core.pieces.is_empty() && !core.takes_commands());
    };
    // In pieces that wait for room in the send buffer.
    let mut core = core();
    hear(&mut core, "* CAPABILITY LITERAL+\r\n");
    upload(&mut core, 200_000);
    refuse(&mut core);
    // In the send buffer.
    for sent in [0, 5, 20] {
        let mut core = self::core();
        hear(&mut core, "* CAPABILITY LITERAL+\r\n");
        upload(&mut core, 3);
        core.output().sent(sent);
        refuse(&mut core);
    }
    // Invited.
    let mut core = self::core();
    upload(&mut core, 200_000);
    written(&mut core);
    hear(&mut core, "+ go\r\n");
    refuse(&mut core);
}

#[test]
fn a_message_cannot_be_stored_before_it_was_sent() {
    for (capabilities, sent) in [("IMAP4rev1", 0), ("IMAP4rev1", 17), ("LITERAL+", 20)] {
        let mut core = core();
        hear(&mut core, &format!("* CAPABILITY {capabilities}\r\n"));
        upload(&mut core, 3);
        core.output().sent(sent);
        core.input.push(b"A1 OK [APPENDUID 1 7] done\r\n");
        assert_eq!(
            core.poll().unwrap_err().to_string(),
            "expected no answer before the end of the command, the server sent \
             `OK [APPENDUID 1 7] done`"
        );
        assert!(!core.may_have_stored());
    }
}

#[test]
fn a_message_may_be_stored_from_its_last_octet_on_until_it_is_answered_for() {
    let mut core = core();
    upload(&mut core, 3);
    assert!(!core.may_have_stored());
    written(&mut core);
    assert!(!core.may_have_stored());
    hear(&mut core, "+ go\r\n");
    core.output().sent("mmm\r".len());
    assert!(!core.may_have_stored());
    core.output().sent("\n".len());
    assert!(core.may_have_stored());
    hear(&mut core, "A1 OK done\r\n");
    assert!(!core.may_have_stored());
}

#[test]
fn a_message_that_is_not_in_the_set_is_an_event() {
    let mut core = core();
    select(&mut core, "A");
    hear(&mut core, "* 9 EXISTS\r\nA1 OK\r\n");
    let uids = |core: &mut Core, answer: &str| {
        core.input.push(answer.as_bytes());
        let mut uids = Vec::new();
        while let Some(step) = core.poll().unwrap() {
            assert!(matches!(step, Step::Fetched { .. }), "{step:?}");
            uids.extend(core.take_fetched().unwrap().uid().map(Uid::get));
        }
        uids
    };
    let answer = "* 3 FETCH (UID 5 FLAGS ())\r\n* 4 FETCH (FLAGS (\\Seen))\r\n\
        * 8 FETCH (UID 40 FLAGS ())\r\n* 9 FETCH (UID 99 FLAGS ())\r\n";
    for (set, tag, claimed) in [
        ("5", "A2", &[5][..]),
        ("1:20,99", "A3", &[5, 99]),
        ("50:*", "A4", &[99]),
        // The last message is meant, although its UID is less (RFC 9051 section 6.4.9).
        ("500:*", "A5", &[99]),
        ("*", "A6", &[99]),
    ] {
        fetch_of(&mut core, set);
        assert_eq!(uids(&mut core, answer), claimed, "{set}");
        hear(&mut core, &format!("{tag} OK\r\n"));
        let events = std::iter::from_fn(|| core.take_event()).count();
        assert_eq!(events, 4 - claimed.len(), "{set}");
    }
}

#[test]
fn of_a_dropped_fetch_only_the_messages_it_asked_for_are_thrown_away() {
    let mut core = core();
    fetch_of(&mut core, "5");
    core.abandon();
    let steps = hear(&mut core, "* 1 FETCH (UID 5)\r\n* 9 FETCH (UID 99)\r\nA1 OK\r\n");
    assert!(matches!(steps[..], [Step::Discarded, Step::Discarded]), "{steps:?}");
    let Some(Event::Fetch(message)) = core.take_event() else { panic!() };
    assert_eq!(message.uid(), Uid::new(99));
    assert!(core.take_event().is_none());
}

#[test]
fn what_came_before_closed_is_forgotten() {
    let mut core = core();
    select(&mut core, "A");
    hear(&mut core, "* 9 EXISTS\r\nA1 OK\r\n");
    select(&mut core, "B");
    hear(
        &mut core,
        "* 3 EXPUNGE\r\n* 8 EXISTS\r\n* 2 FETCH (FLAGS ())\r\n* OK [UIDNEXT 70] x\r\n\
         * OK [CLOSED] x\r\n* 5 EXISTS\r\n* 5 EXPUNGE\r\nA2 OK\r\n",
    );
    let state = core.selected().unwrap();
    assert_eq!((state.exists, state.uid_next), (4, None));
    assert!(matches!(core.take_event(), Some(Event::Expunge(5))));
    assert!(core.take_event().is_none());
}

#[test]
fn a_number_that_no_message_has_is_no_message() {
    let mut core = core();
    select(&mut core, "A");
    hear(&mut core, "* 3 EXISTS\r\n* 0 RECENT\r\nA1 OK\r\n");
    hear(&mut core, "* 0 EXPUNGE\r\n* 0 FETCH (FLAGS ())\r\n* 0 FETCH (UID 1)\r\n");
    assert_eq!(core.selected().unwrap().exists, 3);
    for _ in 0..2 {
        assert!(matches!(core.take_event(), Some(Event::Unparsed { .. })));
    }
    // Its UID says which it is.
    let Some(Event::Fetch(message)) = core.take_event() else { panic!() };
    assert_eq!((message.seq(), message.uid()), (0, Uid::new(1)));
}

#[test]
fn of_what_nobody_asked_for_the_beginning_is_kept_and_is_free_of_secrets() {
    let token = "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAAW9s8zQ1kX7yT5uR2vN4mK6hG";
    let mut core = core();
    let session = sasl::Session::xoauth2("a@b.c", token, &[]).unwrap();
    core.authenticate(session, true).unwrap();
    hear(&mut core, "A1 OK in\r\n");
    let long = format!("{token} ").repeat(1000);
    for (line, name) in [
        (format!("* 1 BOGUS {token}"), None),
        (format!("* 1 BOGUS {long}"), None),
        (format!("* QUOTA {token}"), Some("QUOTA")),
        (format!("* QUOTA {long}"), None),
        (format!("* {token}x"), Some("[SECRET]X")),
    ] {
        hear(&mut core, &format!("{line}\r\n"));
        let shown = match core.take_event() {
            Some(Event::Unparsed { frame, octets, .. }) => {
                assert_eq!(octets, line.len() + 2);
                assert!(frame.len() <= Event::KEPT && name.is_none());
                frame
            }
            Some(Event::Data(data)) => {
                assert_eq!(Some(data.name()), name);
                data.rest
            }
            other => panic!("{other:?}"),
        };
        assert!(!String::from_utf8_lossy(&shown).contains(&token[..16]), "{shown:?}");
    }
}

#[test]
fn sections_without_end_are_not_taken_apart() {
    let mut core = core();
    fetch(&mut core);
    core.divide(|_| true);
    let items = "BODY.PEEK[]\"\" A B ".repeat(20_000);
    hear(&mut core, &format!("* 1 FETCH (UID 1 {items})\r\n"));
    let parts: Vec<_> = std::iter::from_fn(|| core.take_part()).collect();
    let sections = parts.iter().filter(|part| matches!(part, Part::Section(_))).count();
    assert_eq!(sections, 5000);
    assert!(matches!(parts[..], [.., Part::Unreadable { seq: 1 }, Part::End { seq: 1 }]));
    assert!(matches!(core.take_event(), Some(Event::Unparsed { .. })));
}

#[test]
fn a_code_that_names_many_messages_is_no_line_too_long() {
    let mut core = core();
    start(&mut core, "UID COPY 1:* x", Claims::Nothing, Effect::None);
    let sources: Vec<_> = (1..=20_000).map(|uid| (2 * uid).to_string()).collect();
    let answer = format!("A1 OK [COPYUID 38505 {} 1:20000] done\r\n", sources.join(","));
    assert!(answer.len() > 100_000);
    let steps = hear(&mut core, &answer);
    let [Step::Done { reply, .. }] = &steps[..] else { panic!("{steps:?}") };
    let Some(Code::CopyUid(copied)) = reply.code() else { panic!() };
    assert_eq!(copied.pairs().count(), 20_000);
}

#[test]
fn an_alert_that_comes_with_an_invitation_is_an_event() {
    let mut core = core();
    upload(&mut core, 3);
    written(&mut core);
    hear(&mut core, "+ [ALERT] The disk is nearly full\r\n");
    assert_eq!(written(&mut core), "mmm\r\n");
    let Some(Event::Notice(reply)) = core.take_event() else { panic!() };
    assert_eq!((reply.code(), reply.text()), (Some(&Code::Alert), "The disk is nearly full"));
    assert!(core.take_event().is_none());
}

#[test]
fn a_dropped_upload_costs_the_connection_only_while_it_is_on_its_way() {
    let mut core = core();
    upload(&mut core, 3);
    assert_eq!(core.abandon(), Abandon::Close);
    let mut core = self::core();
    upload(&mut core, 3);
    written(&mut core);
    hear(&mut core, "+ go\r\n");
    assert_eq!(core.abandon(), Abandon::Drain);
    assert_eq!(written(&mut core), "mmm\r\n");
}

#[test]
fn a_dropped_login_or_starttls_costs_the_connection() {
    let mut core = core();
    start(&mut core, "STARTTLS", Claims::Nothing, Effect::Layer);
    assert_eq!(core.abandon(), Abandon::Close);
    let mut core = self::core();
    core.authenticate(sasl::Session::xoauth2("a@b.c", "T", &[]).unwrap(), true).unwrap();
    assert_eq!(core.abandon(), Abandon::Close);
    let mut core = Core::new(&Limits::default(), true);
    core.expect_greeting();
    assert_eq!(core.abandon(), Abandon::Close);
}

#[test]
fn the_initial_response_goes_on_the_line_or_behind_the_plus() {
    let session = || sasl::Session::xoauth2("a@b.c", "T", &[]).unwrap();
    let mut core = core();
    core.authenticate(session(), true).unwrap();
    let inline = "A1 AUTHENTICATE XOAUTH2 dXNlcj1hQGIuYwFhdXRoPUJlYXJlciBUAQE=\r\n";
    assert_eq!(written(&mut core), inline);

    for plus in ["+ \r\n", "+\r\n"] {
        let mut core = self::core();
        core.authenticate(session(), false).unwrap();
        assert_eq!(written(&mut core), "A1 AUTHENTICATE XOAUTH2\r\n");
        hear(&mut core, plus);
        assert_eq!(written(&mut core), "dXNlcj1hQGIuYwFhdXRoPUJlYXJlciBUAQE=\r\n");
        assert_eq!(core.credential_octets(), Some(1));
    }
}

#[test]
fn a_challenge_behind_the_token_is_kept_and_answered_with_an_empty_line() {
    let mut core = core();
    core.authenticate(sasl::Session::xoauth2("a@b.c", "T", &[]).unwrap(), true).unwrap();
    written(&mut core);
    hear(&mut core, "+ eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIiwic2NvcGUiOiJtYWlsIn0=\r\n");
    assert_eq!(written(&mut core), "\r\n");
    let steps = hear(&mut core, "A1 NO [AUTHENTICATIONFAILED] Authentication failed.\r\n");
    assert!(matches!(&steps[..], [Step::Done { reply, .. }] if !reply.grants()));
    let challenge = core.session().unwrap().challenge().unwrap();
    assert_eq!(challenge.status(), Some("401"));
    assert_eq!(core.credential_octets(), None);
}

#[test]
fn an_endless_challenge_ends_the_session() {
    let mut core = core();
    core.authenticate(sasl::Session::xoauth2("a@b.c", "T", &[]).unwrap(), true).unwrap();
    hear(&mut core, "+ eyJ9\r\n");
    core.input.push(b"+ eyJ9\r\n");
    assert!(matches!(core.poll(), Err(Fault::EndlessChallenge)));
}

#[test]
fn a_clear_text_core_writes_no_token() {
    let mut core = Core::new(&Limits::default(), false);
    let session = sasl::Session::xoauth2("a@b.c", "T", &[]).unwrap();
    assert!(matches!(core.authenticate(session, true), Err(Unwritable::SecretInClearText)));
    assert!(core.output().is_empty() && !core.in_flight());
}

#[test]
fn greetings_of_all_kinds() {
    let greeted = |line: &str| {
        let mut core = Core::new(&Limits::default(), true);
        core.expect_greeting();
        core.input.push(line.as_bytes());
        match core.poll() {
            Ok(Some(Step::Greeting(reply))) => Ok((reply.to_string(), core)),
            Ok(other) => panic!("{other:?}"),
            Err(fault) => Err(fault.to_string()),
        }
    };
    let (_, core) = greeted("* OK [CAPABILITY IMAP4rev1 SASL-IR] hello\r\n").unwrap();
    assert!(core.capabilities().has("SASL-IR"));
    for (line, shown) in [
        ("* OK hi\n", "OK hi"),
        ("* BYE Too many connections\r\n", "BYE Too many connections"),
        // IceWarp (MailKit#1073) and SmarterMail (MailKit#1100).
        ("* NO LOGOUT Intrusion prevention\r\n", "NO LOGOUT Intrusion prevention"),
        ("421 Server is busy\r\n", "BYE 421 Server is busy"),
    ] {
        assert_eq!(greeted(line).unwrap().0, shown);
    }
    let fault = greeted("220 mail.example ESMTP\r\n").map(|_| ()).unwrap_err();
    assert_eq!(fault, "expected an IMAP greeting, the server sent `220 mail.example ESMTP`");
}

#[test]
fn what_one_command_collects_is_bounded_however_short_its_pieces_are() {
    let collects = |claims: Claims, effect: Effect, data: &str| {
        let limits = Limits::default().response(1000).message(3000);
        let mut core = Core::new(&limits, true);
        start(&mut core, "X", claims, effect);
        let mut taken = 0;
        for _ in 0..1000 {
            core.input().push(data.as_bytes());
            match core.poll() {
                Ok(_) => taken += 1,
                Err(fault) => return Some((taken, fault)),
            }
        }
        None
    };
    let expunges = || Claims::Data(|response| matches!(response, Response::Numbered { .. }));
    let too_long = Fault::ResponseTooLong { limit: 4000, unit: "octets" };
    let bounded = Some((62, too_long));
    assert_eq!(collects(expunges(), Effect::None, "* 1 EXPUNGE\r\n"), bounded);
    let all = || Claims::Messages(UidSet::all());
    let data = "* 1 FETCH (UID 1 FLAGS ())\r\n";
    assert_eq!(collects(all(), Effect::None, data), bounded);
    // Messages that are handed on as they come may be any number.
    assert_eq!(collects(all(), Effect::Stream, data), None);
}

#[test]
fn a_server_that_says_goodbye_twice_is_gone() {
    let mut core = core();
    start(&mut core, "NOOP", Claims::Nothing, Effect::None);
    assert!(hear(&mut core, "* BYE Session invalidated - AccessTokenExpired\r\n").is_empty());
    assert!(core.last_words().unwrap().is_token_expired());
    assert!(matches!(hear(&mut core, "* BYE\r\n")[..], [Step::Gone]));
}

#[test]
fn half_a_line_can_be_the_last_words() {
    let mut core = core();
    hear(&mut core, "* BYE Connection is closed. 13");
    core.eof();
    assert_eq!(core.last_words().unwrap().to_string(), "BYE Connection is closed. 13");
}

#[test]
fn an_alert_in_an_ok_reaches_the_user() {
    let mut core = core();
    start(&mut core, "NOOP", Claims::Nothing, Effect::None);
    hear(&mut core, "A1 OK [ALERT] System shutdown in 10 minutes\r\n");
    assert!(matches!(core.take_event(), Some(Event::Notice(_))));
}

#[test]
fn each_message_of_a_stream_gets_the_whole_time_and_a_half_one_must_move() {
    let mut core = core();
    fetch(&mut core);
    let before = core.wait();
    hear(&mut core, "* 1 FETCH (UID 1)\r\n");
    assert_ne!(core.wait(), before);
    hear(&mut core, "* 2 FETCH (UID 2 BODY[] {9}\r\nabc");
    assert_eq!(core.wait(), Wait::Transfer);
}

/// Rows of answers that broke other clients, as data that nobody has asked for: none of them
/// ends the session, and none is lost.
#[test]
fn odd_answers_are_all_kept() {
    let rows = [
        "* STATUS INBOX (MESSAGES 0) ",
        "* STATUS \"INBOX\" ()",
        "* SEARCH 1 2 ",
        "* SEARCH ",
        "* ID (\"name\" \"x\" )",
        "* QUOTA \"\" (STORAGE 10  512)",
        "* QUOTA \"\" (STORAGE 1 7881299347898368)",
        "* 11784 FETCH (UID 87567 RFC822.SIZE 5799845 )",
        "* 1 FETCH (RFC822.HEADER  {5}\r\nA: b\n)",
        "* 1 FETCH (ENVELOPE (NIL NIL () () () () () () NIL NIL))",
        "* 1 FETCH (BODY (\"text\" \"plain\" (\"boundary\" NIL) NIL NIL NIL -1 -1))",
        "* 1 FETCH (X-GM-LABELS (\\Inbox) X-GM-MSGID 1 X-GM-THRID 2)",
        "* 1 FETCH (BINARY[1] ~{3}\r\na\0b BINARY.SIZE[1] 3)",
        "* 0 FETCH (UID 1)",
        "* ESEARCH (TAG \"A1\") UID ALL 1:3",
        "* THREAD (1 2)(3)",
        "* LIST () \"/\" \"a\" (\"CHILDINFO\" (\"SUBSCRIBED\"))",
        "* LIST (\\HasNoChildren \\) \".\" \"INBOX.ARCH\"",
        "* XFOO bar",
        "CAPABILITY completed.",
        "Server Unavailable.",
        "* 99999999999 EXISTS",
        "* OK [COPYUID 14  ]",
        "[COPYUID 124 10 233]",
        "* NO [WEBALERT https://accounts.google.com/] Web login required.",
    ];
    let mut core = core();
    for row in rows {
        assert!(hear(&mut core, &format!("{row}\r\n")).is_empty(), "{row}");
        assert!(core.take_event().is_some(), "{row}");
        assert!(core.take_event().is_none(), "{row}");
    }
    // These are state.
    select(&mut core, "A");
    hear(
        &mut core,
        "*  1688 EXISTS\r\n* FLAGS (\\Answered $Forwarded )\r\n* OK [UIDVALIDITY 1] \r\n\
         * OK [HIGHESTMODSEQ 13637]\r\n* CAPABILITY IMAP4rev1 \r\n* OK [UIDNEXT 5]\r\nA1 OK\r\n",
    );
    let state = core.selected().unwrap();
    assert_eq!((state.exists, state.flags.len()), (1688, 2));
    assert_eq!((state.uid_next, state.highest_mod_seq), (Uid::new(5), Some(13_637)));
    assert!(core.take_event().is_none());
}

proptest! {
    #[test]
    fn no_octets_make_the_core_panic(
        lines in proptest::collection::vec(
            "(\\*|\\+|A[1-3]|) ?(OK|NO|BYE|[0-9]{1,12}|FETCH|FLAGS)? ?[ -~]{0,30}(\\{[0-9]\\})?",
            0..12,
        ),
    ) {
        let mut core = core();
        select(&mut core, "A");
        fetch(&mut core);
        for line in lines {
            core.input.push(format!("{line}\r\n").as_bytes());
            while let Ok(Some(_)) = core.poll() {}
        }
        core.eof();
        while core.take_event().is_some() {}
    }

    #[test]
    fn no_cut_changes_what_is_reported(chunk in 1_usize..40) {
        let octets = b"* 1 FETCH (UID 1 BODY[] {4}\r\na\r\nb)\r\n* 2 EXISTS\r\n+ \r\nA1 OK x\r\n";
        let mut core = core();
        fetch(&mut core);
        let mut steps = String::new();
        for piece in octets.chunks(chunk) {
            core.input.push(piece);
            while let Some(step) = core.poll().unwrap() {
                steps += &format!("{step:?}\n");
            }
        }
        let mut whole = self::core();
        fetch(&mut whole);
        let expected = hear(&mut whole, std::str::from_utf8(octets).unwrap());
        let expected: String = expected.iter().map(|step| format!("{step:?}\n")).collect();
        prop_assert_eq!(steps, expected);
    }
}

#[test]
fn while_the_server_notifies_a_new_message_in_the_mailbox_that_is_left_is_not_in_the_new_one() {
    let mut core = core();
    let told = Notifying { tells: true, expunges: true };
    start(&mut core, "NOTIFY SET", Claims::Nothing, Effect::Notify(told));
    hear(&mut core, "A1 OK done\r\n");
    select(&mut core, "A");
    hear(&mut core, "* 3 EXISTS\r\nA2 OK done\r\n");
    select(&mut core, "B");
    hear(&mut core, "* 4 EXISTS\r\n* 4 FETCH (UID 9 FLAGS ())\r\n* 1 EXPUNGE\r\n");
    hear(&mut core, "* 8 EXISTS\r\n* FLAGS (\\Seen)\r\nA3 OK done\r\n");
    assert_eq!(core.selected().unwrap().exists, 8);
    assert!(core.take_event().is_none());
}

#[test]
fn while_the_server_notifies_the_uidvalidity_alone_begins_the_new_mailbox() {
    let tells = Notifying { tells: true, expunges: true };
    for (code, begins) in [
        ("UIDVALIDITY 7", true),
        ("UIDNEXT 9", false),
        ("HIGHESTMODSEQ 9", false),
        ("UNSEEN 2", false),
    ] {
        let mut core = core();
        start(&mut core, "NOTIFY SET", Claims::Nothing, Effect::Notify(tells));
        hear(&mut core, "A1 OK done\r\n");
        select(&mut core, "A");
        hear(&mut core, "* 3 EXISTS\r\nA2 OK done\r\n");
        select(&mut core, "B");
        hear(&mut core, &format!("* 8 EXISTS\r\n* OK [{code}] x\r\n* 1 EXPUNGE\r\nA3 OK done\r\n"));
        assert_eq!(core.selected().unwrap().exists, if begins { 7 } else { 8 }, "{code}");
        assert_eq!(core.take_event().is_some(), begins, "{code}");
    }
    // Without NOTIFY, each of them is about the mailbox that is entered.
    for code in ["UIDVALIDITY 7", "UIDNEXT 9"] {
        let mut core = core();
        select(&mut core, "A");
        hear(&mut core, "* 3 EXISTS\r\nA1 OK done\r\n");
        select(&mut core, "B");
        hear(&mut core, &format!("* OK [{code}] x\r\n* 1 EXPUNGE\r\nA2 OK done\r\n"));
        assert!(core.take_event().is_some(), "{code}");
    }
}

#[test]
fn what_goes_while_a_close_is_refused_is_told_and_counted() {
    let mut core = core();
    select(&mut core, "A");
    hear(&mut core, "* 3 EXISTS\r\nA1 OK done\r\n* 2 EXPUNGE\r\n");
    start(&mut core, "CLOSE", Claims::Nothing, Effect::Unselect);
    hear(&mut core, "* 1 EXPUNGE\r\nA2 NO cannot\r\n");
    assert_eq!(core.selected().unwrap().exists, 1);
    assert!(matches!(core.take_event(), Some(Event::Expunge(2))));
    assert!(matches!(core.take_event(), Some(Event::Expunge(1))));
    hear(&mut core, "* 1 EXPUNGE\r\n");
    start(&mut core, "CLOSE", Claims::Nothing, Effect::Unselect);
    hear(&mut core, "A3 OK done\r\n");
    assert!(core.take_event().is_none());
}

#[test]
fn what_the_greeting_has_told_of_the_server_outlives_the_login() {
    let mut core = Core::new(&Limits::default(), true);
    core.expect_greeting();
    core.input().push(b"* OK mail.example IMAP4rev1 2007f.404 at Mon, 1 Jan 2018\r\n");
    assert!(matches!(core.poll(), Ok(Some(Step::Greeting(_)))));
    core.forget_login(&Limits::default(), false);
    assert!(core.habits().short_lines);
}
