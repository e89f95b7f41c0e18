//! POP3.

use super::*;

/// Connects with TLS and reads the greeting.
pub(super) async fn open(server: &Server) -> Raw {
    let mut raw = Raw::open(server, &server.pop()).await;
    let greeting = raw.line().await;
    assert!(greeting.starts_with("+OK "), "{greeting}");
    raw
}

pub(super) async fn logged_in(server: &Server) -> Raw {
    let mut raw = open(server).await;
    assert_eq!(raw.ask("AUTH XOAUTH2").await, "+ ");
    let reply = raw.ask(&xoauth2(USER, &server.issue_token(USER))).await;
    assert_eq!(reply, "+OK User successfully authenticated.");
    raw
}

/// A multi-line reply up to its dot, unstuffed.
pub(super) async fn dotted(raw: &mut Raw) -> Vec<u8> {
    let mut text = Vec::new();
    loop {
        while !raw.input.windows(2).any(|pair| pair == b"\r\n") {
            assert!(raw.fill().await);
        }
        let end = raw.input.windows(2).position(|pair| pair == b"\r\n").unwrap() + 2;
        let line: Vec<u8> = raw.input.drain(..end).collect();
        if line == b".\r\n" {
            return text;
        }
        text.extend(line.strip_prefix(b".").unwrap_or(&line));
    }
}

const REFUSED: &str = "-ERR Authentication failure: unknown user name or bad password.";
const PROTOCOL_ERROR: &str = "-ERR Protocol error. Connection is closed. 10";

#[tokio::test]
async fn one_line_auth_ends_the_connection() {
    let server = server().await;
    let token = server.issue_token(USER);
    let mut raw = open(&server).await;
    assert_eq!(raw.ask(&format!("AUTH XOAUTH2 {}", xoauth2(USER, &token))).await, PROTOCOL_ERROR);
    raw.ends().await;
}

#[tokio::test]
async fn a_token_over_4096_characters_ends_the_connection() {
    let server = Server::builder().token_length(4097).start().await.unwrap();
    server.add_mailbox(USER);
    let mut raw = open(&server).await;
    raw.ask("AUTH XOAUTH2").await;
    assert_eq!(raw.ask(&xoauth2(USER, &server.issue_token(USER))).await, PROTOCOL_ERROR);
    raw.ends().await;
    assert!(!server.logins()[0].accepted());
}

#[tokio::test]
async fn stls_comes_before_auth() {
    let server = server().await;
    let mut raw = Raw::open(&server, &server.pop_starttls()).await;
    raw.line().await;
    raw.send("CAPA").await;
    assert_eq!(raw.until(".").await, ["+OK", "TOP", "UIDL", "USER", "STLS", "."]);
    assert_eq!(raw.ask("AUTH XOAUTH2").await, "-ERR Command is not valid in this state.");
    assert!(raw.ask("STLS").await.starts_with("+OK"));
    let mut raw = raw.start_tls("localhost").await;
    raw.send("CAPA").await;
    assert_eq!(raw.until(".").await, ["+OK", "TOP", "UIDL", "SASL PLAIN XOAUTH2", "USER", "."]);
    assert_eq!(raw.ask("AUTH XOAUTH2").await, "+ ");
    assert!(raw.ask(&xoauth2(USER, &server.issue_token(USER))).await.starts_with("+OK"));
    server.inject(Fault::StartTlsInjection);
    let mut raw = Raw::open(&server, &server.pop_starttls()).await;
    raw.line().await;
    raw.ask("STLS").await;
    assert_eq!(raw.line().await, "+OK injected");
}

#[tokio::test]
async fn a_refusal_does_not_say_why() {
    let server = server().await;
    let token = server.issue_token(USER);
    let mut raw = open(&server).await;
    for response in [xoauth2(USER, "guess"), xoauth2(OTHER, &token), "bad base64".to_owned()] {
        raw.ask("AUTH XOAUTH2").await;
        assert_eq!(raw.ask(&response).await, REFUSED);
    }
    assert_eq!(raw.ask("STAT").await, "-ERR Command is not valid in this state.");
    raw.ask(&format!("USER {USER}")).await;
    assert_eq!(raw.ask("PASS secret").await, "-ERR Basic authentication is disabled");
}

#[tokio::test]
async fn a_maildrop_is_listed_and_read() {
    let server = server().await;
    server.deliver(USER, *b"A: 1\r\n\r\n.one\r\ntwo\r\n");
    server.deliver(USER, *b"B: 2\r\n\r\nno line end");
    let mut raw = logged_in(&server).await;
    assert_eq!(raw.ask("STAT").await, "+OK 2 38");
    raw.send("LIST").await;
    assert_eq!(raw.until(".").await, ["+OK", "1 19", "2 19", "."]);
    assert_eq!(raw.ask("LIST 2").await, "+OK 2 19");
    raw.send("UIDL").await;
    assert_eq!(raw.until(".").await, ["+OK", "1 00001", "2 00002", "."]);
    raw.send("RETR 1").await;
    assert_eq!(raw.line().await, "+OK");
    assert_eq!(dotted(&mut raw).await, b"A: 1\r\n\r\n.one\r\ntwo\r\n");
    raw.ask("RETR 2").await;
    assert_eq!(dotted(&mut raw).await, b"B: 2\r\n\r\nno line end\r\n");
    raw.ask("TOP 1 1").await;
    assert_eq!(dotted(&mut raw).await, b"A: 1\r\n\r\n.one\r\n");
    assert!(raw.ask("RETR 3").await.starts_with("-ERR "));
    assert!(raw.ask("RETR 0").await.starts_with("-ERR "));
}

#[tokio::test]
async fn only_quit_deletes() {
    let server = server().await;
    server.deliver(USER, *b"1\r\n");
    server.deliver(USER, *b"2\r\n");
    let mut raw = logged_in(&server).await;
    assert_eq!(raw.ask("DELE 1").await, "+OK");
    assert_eq!(raw.ask("STAT").await, "+OK 1 3");
    assert!(raw.ask("RETR 1").await.starts_with("-ERR "));
    drop(raw);
    let mut raw = logged_in(&server).await;
    assert_eq!(raw.ask("STAT").await, "+OK 2 6");
    raw.ask("DELE 1").await;
    raw.ask("RSET").await;
    raw.ask("DELE 2").await;
    assert_eq!(raw.ask("QUIT").await, "+OK Microsoft Exchange Server POP3 server signing off.");
    raw.ends().await;
    assert_eq!(server.messages(USER), [b"1\r\n"]);
}

#[tokio::test]
async fn gmail_takes_one_line_and_wants_an_empty_answer_to_its_json() {
    let server = server_of(Service::Gmail).await;
    let mut raw = open(&server).await;
    raw.send("CAPA").await;
    let before = raw.until(".").await;
    assert!(before.contains(&"SASL PLAIN XOAUTH2 OAUTHBEARER".to_owned()), "{before:?}");
    raw.ask("AUTH XOAUTH2").await;
    assert!(raw.ask(&xoauth2(USER, "guess")).await.starts_with("+ eyJ"));
    assert_eq!(raw.ask("again").await, "-ERR bad command");
    raw.ask("AUTH XOAUTH2").await;
    raw.ask(&xoauth2(USER, "guess")).await;
    assert_eq!(raw.ask("").await, "-ERR [AUTH] Invalid credentials.");
    let token = server.issue_token(USER);
    assert_eq!(raw.ask(&format!("AUTH XOAUTH2 {}", xoauth2(USER, &token))).await, "+OK Welcome.");
    raw.send("CAPA").await;
    let after = raw.until(".").await;
    assert!(after.contains(&"PIPELINING".to_owned()) && !after.join(" ").contains("SASL"));
    assert_eq!(raw.ask("QUIT").await, "+OK Farewell.");
}

#[tokio::test]
async fn any_command_can_be_given_another_reply() {
    let server = server().await;
    let reply = "-ERR [SYS/TEMP] try later";
    server.inject(Fault::Reply { protocol: Protocol::Pop, verb: "STAT", reply });
    server.inject(Fault::Reply { protocol: Protocol::Pop, verb: "LIST", reply: "" });
    let mut raw = logged_in(&server).await;
    assert_eq!(raw.ask("STAT").await, reply);
    assert_eq!(raw.ask("STAT").await, "+OK 0 0");
    raw.send("LIST").await;
    raw.ends().await;
}
