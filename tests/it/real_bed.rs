//! The test bed does what the other tests take for granted. No client of the crate is involved.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mailbearer::{Endpoint, Protocol, Security};

use crate::support::servers::{Bed, Fault, Kind, Raw, Server};

fn xoauth2(user: &str, token: &str) -> String {
    STANDARD.encode(format!("user={user}\x01auth=Bearer {token}\x01\x01"))
}

/// Logs in with XOAUTH2 in two steps and returns the challenge, if one came, and the last line.
fn log_in(
    bed: &Bed,
    endpoint: &Endpoint,
    user: &str,
    token: &str,
) -> (Raw, Option<String>, String) {
    let mut raw = Raw::connect(endpoint, bed.ca_pem());
    if endpoint.protocol() == Protocol::Smtp {
        raw.ask("EHLO client.test");
    }
    let (ask, go_on) = match endpoint.protocol() {
        Protocol::Smtp => ("AUTH XOAUTH2", "334 "),
        Protocol::Imap => ("a1 AUTHENTICATE XOAUTH2", "+ "),
        _ => ("AUTH XOAUTH2", "+ "),
    };
    let reply = raw.ask(ask);
    assert_eq!(reply, go_on, "{endpoint}\n{}", bed.logs());
    let is_untagged = |line: &str| line.starts_with("* ");
    raw.say(&xoauth2(user, token));
    let mut reply = raw.line();
    while is_untagged(&reply) {
        reply = raw.line();
    }
    let challenge = reply
        .strip_prefix(go_on)
        .map(|base64| String::from_utf8(STANDARD.decode(base64).expect("base64")).expect("a text"));
    if challenge.is_some() {
        raw.say("");
        reply = raw.line();
    }
    (raw, challenge, reply)
}

fn welcomes(protocol: Protocol, reply: &str) -> bool {
    reply.starts_with(match protocol {
        Protocol::Smtp => "235 ",
        Protocol::Imap => "a1 OK",
        _ => "+OK",
    })
}

#[test]
fn every_listener_greets_and_takes_a_valid_token() {
    let bed = Bed::start();
    for (server, endpoint) in bed.endpoints() {
        let user = bed.mailbox("greeted");
        let token = bed.mint(&user, Kind::Valid);
        let (raw, challenge, reply) = log_in(bed, &endpoint, &user, &token);
        let greeting = match endpoint.protocol() {
            Protocol::Smtp => "220 mail.test ",
            Protocol::Imap => "* OK [CAPABILITY ",
            _ => "+OK ",
        };
        assert!(raw.greeting().starts_with(greeting), "{server:?} {endpoint}: {}", raw.greeting());
        assert_eq!(challenge, None, "{server:?} {endpoint}\n{}", bed.logs());
        assert!(welcomes(endpoint.protocol(), &reply), "{server:?} {endpoint}: {reply}");
    }
}

#[test]
fn tokens_that_are_not_good_are_refused_with_a_challenge() {
    let bed = Bed::start();
    let bad = [
        Kind::Expired,
        Kind::NotYet,
        Kind::WrongAudience,
        Kind::WrongScope,
        Kind::WrongIssuer,
        Kind::OtherUser,
        Kind::RogueKey,
        Kind::Unsigned,
        Kind::Revoked,
    ];
    // At the same time, because every refusal takes Dovecot half a second.
    std::thread::scope(|scope| {
        for (server, endpoint) in bed.endpoints() {
            scope.spawn(move || bad.map(|kind| refused(bed, server, &endpoint, kind)));
        }
    });
}

fn refused(bed: &Bed, server: Server, endpoint: &Endpoint, kind: Kind) {
    let user = bed.mailbox("refused");
    let (_, challenge, reply) = log_in(bed, endpoint, &user, &bed.mint(&user, kind));
    assert!(
        challenge.as_deref().is_some_and(|json| json.contains(r#""status":"401""#)),
        "{kind:?} {server:?} {endpoint}: {challenge:?} {reply}\n{}",
        bed.logs()
    );
    let refusal = match (server, endpoint.protocol()) {
        (_, Protocol::Imap) => "a1 NO [AUTHENTICATIONFAILED] Authentication failed.",
        (_, Protocol::Pop) => "-ERR [AUTH] Authentication failed.",
        (Server::Postfix, _) => "535 5.7.8 Error: authentication failed: (reason unavailable)",
        _ => "535 5.7.8 Authentication failed.",
    };
    assert_eq!(reply, refusal, "{kind:?} {server:?} {endpoint}");
}

#[test]
fn an_opaque_token_is_worth_what_its_issuer_says() {
    let bed = Bed::start();
    let endpoint = bed.endpoint(Server::Introspection, Protocol::Imap, Security::ImplicitTls);
    let user = bed.mailbox("opaque");
    for (kind, welcome) in [(Kind::Opaque, true), (Kind::Revoked, false)] {
        let (_, _, reply) = log_in(bed, &endpoint, &user, &bed.mint(&user, kind));
        assert_eq!(welcomes(Protocol::Imap, &reply), welcome, "{reply}\n{}", bed.logs());
    }
}

#[test]
fn a_failing_issuer_is_a_temporary_failure_without_a_challenge() {
    let bed = Bed::start();
    for (protocol, start) in [
        (Protocol::Smtp, "454 4.7.0 Temporary"),
        (Protocol::Imap, "a1 NO [UNAVAILABLE] Temporary"),
        (Protocol::Pop, "-ERR [SYS/TEMP] Temporary"),
    ] {
        let endpoint = bed.endpoint(Server::Introspection, protocol, Security::ImplicitTls);
        for fault in [Fault::Status500, Fault::Garbage, Fault::NoEmail] {
            let user = bed.mailbox("unlucky");
            let token = bed.mint(&user, Kind::Unanswerable(fault));
            let (_, challenge, reply) = log_in(bed, &endpoint, &user, &token);
            assert_eq!(challenge, None, "{fault:?} {endpoint}");
            assert!(reply.starts_with(start), "{fault:?} {endpoint}: {reply}\n{}", bed.logs());
        }
    }
}

#[test]
fn a_token_has_the_length_that_was_asked_for() {
    let bed = Bed::start();
    for length in [1000, 1001, 1002, 1003, 5500, 8500] {
        assert_eq!(bed.mint("someone@example.test", Kind::OfLength(length)).len(), length);
    }
}

#[test]
fn what_is_sent_arrives() {
    let bed = Bed::start();
    let from = bed.mailbox("from");
    for server in [Server::Postfix, Server::Jwt, Server::Introspection] {
        let to = bed.mailbox("to");
        let endpoint = bed.endpoint(server, Protocol::Smtp, Security::ImplicitTls);
        let (mut smtp, _, reply) = log_in(bed, &endpoint, &from, &bed.mint(&from, Kind::Valid));
        assert!(welcomes(Protocol::Smtp, &reply), "{reply}");
        let ask = [
            (format!("MAIL FROM:<{from}>"), "250 "),
            (format!("RCPT TO:<{to}>"), "250 "),
            ("RCPT TO:<unknown@example.test>".into(), "550 5.1.1 "),
            ("RCPT TO:<busy@example.test>".into(), "450 4.2.1 "),
            ("RCPT TO:<someone@elsewhere.test>".into(), "554 5.7.1 "),
            ("DATA".into(), "354 "),
            (format!("Subject: it arrives\r\n\r\n{}\r\n.", "x".repeat(900)), "250 "),
        ];
        for (line, start) in ask {
            let reply = smtp.ask(&line);
            assert!(reply.starts_with(start), "{server:?} {line}: {reply}\n{}", bed.logs());
        }
        assert!(delivered(bed, &to).ends_with(&[b'x'; 900]), "{server:?}");
    }
}

/// Waits for the one message of a mailbox: Postfix delivers it after it has answered.
fn delivered(bed: &Bed, user: &str) -> Vec<u8> {
    let endpoint = bed.endpoint(Server::Jwt, Protocol::Imap, Security::ImplicitTls);
    let (mut imap, ..) = log_in(bed, &endpoint, user, &bed.mint(user, Kind::Valid));
    for _ in 0..600 {
        assert!(imap.ask("a2 SELECT INBOX").starts_with("a2 OK"));
        imap.say("a3 FETCH 1 BODY.PEEK[]");
        let line = imap.line();
        if let Some((_, length)) = line.strip_suffix('}').and_then(|line| line.split_once('{')) {
            let octets = imap.octets(length.parse().expect("a literal's length"));
            return octets.strip_suffix(b"\r\n").unwrap_or(&octets).to_vec();
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("nothing was delivered to {user}\n{}", bed.logs());
}
