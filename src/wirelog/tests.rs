use proptest::prelude::*;

use super::*;
use crate::Protocol;
use crate::secret::Scrubber;
use crate::token::StaticToken;
use crate::wire::{Heard, Said};

const ALICE: &str = "alice@contoso.example";

fn recording(limit: usize, protocol: Protocol) -> (Recorder, Dialogue) {
    let recorder = Recorder::with_limit(limit);
    let endpoint = match protocol {
        Protocol::Imap => Endpoint::imap("mail.example.net"),
        Protocol::Pop => Endpoint::pop("mail.example.net"),
        Protocol::Smtp => Endpoint::smtp("mail.example.net"),
    };
    let auth = crate::Auth::xoauth2(ALICE, StaticToken::new("T"));
    let dialogue = recorder.begin(&endpoint, &auth.credentials());
    (recorder, dialogue)
}

fn line(dialogue: &Dialogue, text: &str) {
    dialogue.server(&Heard::Line(text.into()), &Scrubber::default());
}

fn lines(recorder: &Recorder) -> Vec<String> {
    let text = recorder.to_string();
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn a_recording_is_a_transcript() {
    let (recorder, dialogue) = recording(1 << 20, Protocol::Smtp);
    dialogue.dial();
    dialogue.credential(1843);
    dialogue.tls();
    line(&dialogue, "220 ready");
    dialogue.client(&[
        Said::Text(b"AUTH XOAUTH2 ".into()),
        Said::Secret(160),
        Said::Text(b"\r\n".into()),
    ]);
    line(&dialogue, "334 eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIn0=");
    dialogue.client(&[Said::Text(b"\r\n".into())]);
    line(&dialogue, "535 5.7.8 alice@contoso.example \x07");
    dialogue.end();
    assert_eq!(
        recorder.to_string(),
        "# recorded: mailbearer 0.1.0\n\
         # endpoint: generic smtp host=mail.example.net port=465\n\
         # auth: xoauth2 \"user1@contoso.example\" \"[1843 octets]\"\n\
         # result: ok\n\
         -- TLS\n\
         S: 220 ready\n\
         C: AUTH XOAUTH2 [secret, 160 octets]\n\
         S: 334 [base64: {\"status\":\"400\",\"schemes\":\"Bearer\"}]\n\
         C: \n\
         S: 535 5.7.8 user1@contoso.example \\x07\n\
         -- EOF\n"
    );
}

#[test]
fn content_that_comes_in_pieces_is_one() {
    let (recorder, dialogue) = recording(1 << 20, Protocol::Smtp);
    dialogue.client(&[Said::Text(b"BDAT 9\r\n".into()), Said::Content(4)]);
    dialogue.client(&[Said::Content(5), Said::Text(b"NOOP\r\n".into())]);
    assert_eq!(lines(&recorder), ["C: BDAT 9", "C: [content, 9 octets]", "C: NOOP"]);
}

#[test]
fn a_literal_is_its_length_and_the_rest_a_line_of_its_own() {
    let (recorder, dialogue) = recording(1 << 20, Protocol::Imap);
    let head = vec![(b"* 1 FETCH (BODY[] {7}".to_vec(), Some(7))];
    let rest = vec![(b" ENVELOPE (\"d\" \"secret\"))".to_vec(), None)];
    let none = Scrubber::default();
    dialogue.server(&Heard::Response { begins: true, parts: head }, &none);
    dialogue.server(&Heard::Response { begins: false, parts: rest }, &none);
    let expected =
        ["S: * 1 FETCH (BODY[] {7}", "S: [content, 7 octets]", "S:  ENVELOPE (\"d\" \"xxxxxx\"))"];
    assert_eq!(lines(&recorder), expected);
}

#[test]
fn what_is_searched_for_behind_a_literal_is_not_shown() {
    let (recorder, dialogue) = recording(1 << 20, Protocol::Imap);
    let text = |text: &str| Said::Text(text.into());
    dialogue.client(&[
        text("A1 UID SEARCH CHARSET UTF-8 (SUBJECT {8+}\r\n"),
        Said::Content(8),
        text(" FROM \"alice smith\" HEADER X-Case {9}\r\n"),
    ]);
    line(&dialogue, "+ go on");
    dialogue.client(&[Said::Content(9), text(" TO bob)\r\nA2 SELECT \"TO do\"\r\n")]);
    // Refused before its literal came.
    dialogue.client(&[text("A3 SEARCH BODY {8}\r\n"), text("A4 SELECT TO\r\n")]);
    assert_eq!(
        lines(&recorder),
        [
            "C: A1 UID SEARCH CHARSET UTF-8 (SUBJECT {8+}",
            "C: [content, 8 octets]",
            "C:  FROM \"xxxxxxxxxxx\" HEADER X-Case {9}",
            "S: + go on",
            "C: [content, 9 octets]",
            "C:  TO xxx)",
            "C: A2 SELECT \"TO do\"",
            "C: A3 SEARCH BODY {8}",
            "C: A4 SELECT TO",
        ]
    );
}

#[test]
fn a_listing_is_what_stood_on_the_wire() {
    let (recorder, dialogue) = recording(1 << 20, Protocol::Pop);
    let none = Scrubber::default();
    dialogue.server(&Heard::Listing(b"1 .a\r\n.b\r\n".into()), &none);
    dialogue.server(&Heard::Message(12), &none);
    dialogue.server(&Heard::Message(0), &none);
    let expected = ["S: 1 .a", "S: ..b", "S: .", "S: [content, 12 octets]", "S: .", "S: ."];
    assert_eq!(lines(&recorder), expected);
}

#[test]
fn what_is_kept_is_bounded_and_says_so() {
    let (recorder, first) = recording(100, Protocol::Pop);
    line(&first, "+OK first");
    let second = recorder.begin(
        &Endpoint::pop("mail.example.net"),
        &crate::Auth::plain(ALICE, "password").credentials(),
    );
    for _ in 0..100 {
        line(&second, "+OK nine octets");
    }
    line(&first, "+OK nobody keeps that");
    let text = recorder.to_string();
    assert!(text.starts_with("# 1 older dialogues were dropped for want of room\n"), "{text}");
    assert!(text.ends_with("# the recording ends here, since there is no more room\n"), "{text}");
    assert_eq!(text.matches("+OK nine octets").count(), 5);
    assert!(!text.contains("nobody"));
    recorder.clear();
    assert!(recorder.is_empty());
}

#[test]
fn what_is_too_long_to_be_masked_is_left_out_with_all_that_hangs_on_it() {
    let (recorder, dialogue) = recording(1 << 20, Protocol::Imap);
    let scrubber = Scrubber::default();
    let hear = |said: &str, begins| {
        let heard = Heard::response(said.as_bytes(), begins, false, |_| None);
        dialogue.server(&heard, &scrubber);
    };
    hear(&format!("* LIST () \"/\" {}\r\n", "a@a@".repeat(20_000)), true);
    hear(&format!("* 1 FETCH (ENVELOPE (\"{}\r\n", "x".repeat(70_000)), true);
    hear(" \"Alice\"))\r\n", false);
    hear("* 2 EXISTS\r\n", true);
    let lines = lines(&recorder);
    assert_eq!(recorder.to_string().matches("were left out").count(), 3);
    assert_eq!(lines.last().map(String::as_str), Some("S: * 2 EXISTS"));
    assert!(!recorder.to_string().contains("Alice"));
}

#[test]
fn many_ampersands_are_looked_at_once() {
    let line = format!("{}-", "&".repeat(60_000));
    assert_eq!(view::characters(&line, true).len(), 60_001);
    let name: String = view::characters("&ZeVnLIqe-/&-", true).iter().map(|c| c.char).collect();
    assert_eq!(name, "日本語/&-");
}

#[test]
fn dialogues_in_which_nothing_is_said_are_dropped_as_well() {
    let (recorder, _) = recording(10_000, Protocol::Pop);
    let auth = crate::Auth::xoauth2(ALICE, StaticToken::new("T"));
    for _ in 0..1000 {
        recorder.begin(&Endpoint::pop("mail.example.net"), &auth.credentials());
    }
    let kept = recorder.to_string().matches("# endpoint").count();
    assert!((2..20).contains(&kept), "{kept}");
}

#[test]
fn a_secret_that_a_server_hides_in_base64_is_not_shown() {
    let (recorder, dialogue) = recording(1 << 20, Protocol::Imap);
    let mut scrubber = Scrubber::default();
    scrubber.learn(b"eyJhbGciOiJSUzI1NiJ9.secret");
    for prefix in [&b"\xff"[..], b"\xff\xff", b"x", b"{\"got\":"] {
        use base64::Engine as _;
        let echo = [prefix, b"eyJhbGciOiJSUzI1NiJ9.secret"].concat();
        let echo = base64::engine::general_purpose::STANDARD.encode(echo);
        let said = format!("+ {echo}\r\n");
        let heard = Heard::response(said.as_bytes(), true, false, |_| None);
        dialogue.server(&heard, &scrubber);
    }
    assert_eq!(
        lines(&recorder),
        [
            "S: + [secret]",
            "S: + [secret]",
            "S: + [base64: x[secret]]",
            "S: + [base64: {\"got\":[secret]]"
        ]
    );
}

#[test]
fn base64_behind_a_name_is_looked_into() {
    use base64::Engine as _;
    let (recorder, dialogue) = recording(1 << 20, Protocol::Pop);
    let mut scrubber = Scrubber::default();
    scrubber.learn(b"eyJhbGciOiJSUzI1NiJ9.secret");
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let (address, token) = (base64(ALICE), base64("{\"token\":\"eyJhbGciOiJSUzI1NiJ9.secret\"}"));
    for said in [
        format!("-ERR auth user={address} no"),
        format!("-ERR got={token}, sorry"),
        format!("-ERR token/{token}"),
        format!("-ERR +{address} a=b"),
        "-ERR authentication=unavailable== host=TYCP286CA0192".into(),
    ] {
        dialogue.server(&Heard::Line(said.into()), &scrubber);
    }
    assert_eq!(
        lines(&recorder),
        [
            "S: -ERR auth user=[secret] no",
            "S: -ERR got=[secret], sorry",
            "S: -ERR [secret]",
            "S: -ERR [secret] a=b",
            "S: -ERR authentication=unavailable== host=TYCP286CA0192",
        ]
    );
}

/// Local parts that no server says by chance.
fn local() -> impl Strategy<Value = String> {
    prop_oneof![
        "[zZ]q[a-z0-9]{4,9}",
        "zq[a-z]{2,4}[.+_-][a-z]{2,4}",
        "zq\u{fc}[a-z]{3,6}",
        "\"zq [a-z]{3,6}\"",
    ]
}

fn said(local: &str, shape: usize) -> Vec<u8> {
    let quoted = local.replace('"', "\\\"");
    match shape {
        0 => format!("250 2.1.5 {local}@contoso.example OK"),
        1 => format!("* LIST () \"/\" \"Users/{quoted}@contoso.example/Inbox\""),
        2 => format!("550 5.7.60 <{local}@contoso.example>: '{local}' may not send"),
        3 => format!("* 7 FETCH (ENVELOPE (\"d\" \"{quoted}\" ((\"{quoted}\" NIL \"{quoted}\" \"c.example\"))))"),
        4 => {
            let name = crate::imap::MailboxName::from(format!("x/{local}@contoso.example").as_str());
            let wire = String::from_utf8_lossy(name.as_wire()).replace('"', "\\\"");
            format!("* STATUS \"{wire}\" (MESSAGES 3)")
        }
        5 => format!("+OK {local}@contoso.example has 3 messages"),
        6 => format!("* NO [ALERT] user={local}@contoso.example, {local}%40contoso.example"),
        _ => format!("* BYE {}@contoso.example", local.to_uppercase()),
    }
    .into_bytes()
}

#[cfg(feature = "imap")]
proptest! {
    /// Whatever is said, in whatever order, neither the token nor a local part is in the recording.
    #[test]
    fn a_recording_holds_neither_token_nor_local_part(
        token in "[A-Za-z0-9_-]{24,60}",
        dialogue in proptest::collection::vec((local(), 0_usize..8, any::<bool>()), 1..20),
        noise in proptest::collection::vec(any::<u8>(), 0..60),
        imap: bool,
    ) {
        use base64::Engine as _;
        let protocol = if imap { Protocol::Imap } else { Protocol::Smtp };
        let (recorder, kept) = recording(1 << 20, protocol);
        let mut scrubber = Scrubber::default();
        scrubber.learn(token.as_bytes());
        kept.server(&Heard::Line(noise.clone()), &scrubber);
        for (local, shape, client) in &dialogue {
            // Names of mailboxes are IMAP's, where `/` divides them.
            let shape = if imap { *shape } else { [0, 2, 5, 6, 7][shape % 5] };
            let text = [said(local, shape), b" ".into(), noise.clone()].concat();
            if *client && shape != 3 {
                kept.client(&[Said::Text([&text[..], b"\r\n"].concat()), Said::Secret(token.len())]);
            }
            kept.server(&Heard::response(&[&text[..], b"\r\n"].concat(), true, true, |_| None), &scrubber);
            kept.server(&Heard::Line([b"-ERR ", token.as_bytes()].concat()), &scrubber);
            let echo = base64::engine::general_purpose::STANDARD.encode([&noise[..], token.as_bytes()].concat());
            kept.server(&Heard::Line(format!("+ {echo}").into_bytes()), &scrubber);
        }
        let text = recorder.to_string().to_lowercase();
        prop_assert!(!text.contains(&token.to_lowercase()), "{}", text);
        for (local, ..) in &dialogue {
            let bare = local.trim_matches('"').to_lowercase();
            prop_assert!(!text.contains(&bare), "{bare} in {text}");
            let base64 = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&*token);
            prop_assert!(!recorder.to_string().contains(&base64[..20]));
        }
    }
}
