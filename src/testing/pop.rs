//! POP3 (RFC 1939, 2449, 5034) from the server's side.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::fault::{Fault, PROTOCOL_ERROR};
use super::line_io::{LINE_LIMIT, Wire};
use super::sasl::{self, Mechanism};
use super::service::{PROXY_POP_GREETING, PopLines, Variant};
use super::store::Message;
use super::world::{Judgement, World, lock};
use super::{Protocol, header};

const WRONG_STATE: &str = "-ERR Command is not valid in this state.";

/// Speaks POP3 until the client goes.
pub(super) async fn serve(world: Arc<World>, wire: Wire, secure: bool) -> io::Result<()> {
    let lines = &world.lines().pop;
    let mut session = Pop { world, wire, lines, secure, drop: None };
    let greeting = match session.world.variant {
        Variant::TcpProxy if session.world.service.is_exchange() => PROXY_POP_GREETING,
        _ => lines.greeting,
    };
    session.wire.reply(greeting).await?;
    match session.run().await {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            session.wire.reply(PROTOCOL_ERROR).await?;
        }
        other => other?,
    }
    session.wire.close().await;
    Ok(())
}

struct Pop {
    world: Arc<World>,
    wire: Wire,
    lines: &'static PopLines,
    secure: bool,
    drop: Option<Maildrop>,
}

/// The INBOX as it was at login.
struct Maildrop {
    mailbox: String,
    messages: Vec<Entry>,
}

struct Entry {
    uid: u32,
    bytes: Bytes,
    deleted: bool,
}

impl Maildrop {
    fn kept(&self) -> impl Iterator<Item = (usize, &Entry)> {
        self.messages.iter().enumerate().filter(|(_, entry)| !entry.deleted)
    }

    /// A message by the number the client gave.
    fn entry(&mut self, number: Option<&str>) -> Option<(usize, &mut Entry)> {
        let number: usize = number?.parse().ok()?;
        let entry = self.messages.get_mut(number.checked_sub(1)?)?;
        (!entry.deleted).then_some((number, entry))
    }
}

impl Pop {
    async fn run(&mut self) -> io::Result<()> {
        loop {
            let line = self.wire.line().await?;
            let text = String::from_utf8_lossy(&line).into_owned();
            let mut words = text.split_ascii_whitespace();
            let verb = words.next().unwrap_or_default().to_ascii_uppercase();
            let arguments: Vec<&str> = words.collect();
            if verb == "AUTH" && arguments.len() > 1 || verb == "PASS" {
                self.wire.heard_secret(&line);
            } else {
                self.wire.heard(&line);
            }
            if let Some(reply) = self.world.replacement(Protocol::Pop, &verb) {
                if reply.is_empty() {
                    return Ok(());
                }
                self.wire.reply(reply).await?;
                continue;
            }
            let open = match verb.as_str() {
                "CAPA" => self.capa().await?,
                "QUIT" => return self.quit().await,
                "STLS" => self.stls().await?,
                "AUTH" => self.auth(&arguments).await?,
                "USER" if self.secure && self.drop.is_none() => self.say("+OK").await?,
                "PASS" if self.secure && self.drop.is_none() => {
                    self.say("-ERR Basic authentication is disabled").await?
                }
                _ => self.transaction(&verb, &arguments).await?,
            };
            if !open {
                return Ok(());
            }
        }
    }

    /// Answers, and says that the connection stays open.
    async fn say(&mut self, line: &str) -> io::Result<bool> {
        self.wire.reply(line).await?;
        Ok(true)
    }

    async fn capa(&mut self) -> io::Result<bool> {
        let list = if self.drop.is_some() { self.lines.after } else { self.lines.before };
        let mut reply = String::from("+OK\r\n");
        let hidden = self.secure && self.world.strikes(&Fault::MechanismNotOffered);
        for capability in list {
            // No mechanism is offered in the clear.
            if self.secure && !hidden || !capability.starts_with("SASL") {
                reply += &self.world.spelt(capability);
                reply += "\r\n";
            }
        }
        if !self.secure && !self.world.strikes(&Fault::StartTlsNotOffered) {
            reply += &self.world.spelt("STLS\r\n");
        }
        reply += ".";
        self.say(&reply).await
    }

    async fn stls(&mut self) -> io::Result<bool> {
        if self.secure {
            return self.say(WRONG_STATE).await;
        }
        if self.world.strikes(&Fault::StartTlsRefused) {
            return self.say("-ERR TLS is not available now.").await;
        }
        let injected = self.world.strikes(&Fault::StartTlsInjection);
        let extra = if injected { "\r\n+OK injected" } else { "" };
        self.wire.reply(&format!("+OK Begin TLS negotiation now.{extra}")).await?;
        self.wire.start_tls(&self.world.acceptor()?).await?;
        self.secure = true;
        Ok(true)
    }

    async fn auth(&mut self, arguments: &[&str]) -> io::Result<bool> {
        if !self.secure || self.drop.is_some() {
            return self.say(WRONG_STATE).await;
        }
        let Some(name) = arguments.first() else {
            return self.say(PROTOCOL_ERROR).await.map(|_| false);
        };
        let mechanism = Mechanism::named(name)
            .filter(|mechanism| *mechanism == Mechanism::Xoauth2 || self.world.lines().oauthbearer);
        let Some(mechanism) = mechanism else {
            return self.say("-ERR Unrecognized authentication type.").await;
        };
        let response = match arguments.get(1) {
            Some(inline) if self.lines.one_line_auth => inline.as_bytes().to_vec(),
            Some(_) => return self.say(PROTOCOL_ERROR).await.map(|_| false),
            None => {
                self.wire.reply("+ ").await?;
                self.secret_line().await?
            }
        };
        if response == b"*" {
            return self.say("-ERR Authentication cancelled.").await;
        }
        let limit = self.lines.token_limit;
        let known = sasl::parse(mechanism, &response, false);
        let long = known.is_ok_and(|known| known.token.len() > limit);
        let fault =
            long.then_some(PROTOCOL_ERROR).or_else(|| self.world.strike(Fault::pop_auth_reply));
        let judgement = self.world.judge(Protocol::Pop, mechanism, &response, fault.is_some());
        if let Some(reply) = fault {
            return self.say(reply).await.map(|_| reply != PROTOCOL_ERROR);
        }
        match judgement {
            Judgement::Welcome(session) => {
                let messages = self.inbox(&session.mailbox);
                self.drop = Some(Maildrop { mailbox: session.mailbox, messages });
                self.say(self.lines.authenticated).await
            }
            Judgement::NoAccess(_) => self.say(self.lines.refused).await,
            Judgement::Refused(_) => {
                if let Some(json) = self.world.challenge() {
                    self.wire.reply(&format!("+ {}", STANDARD.encode(json))).await?;
                    if self.secret_line().await? != mechanism.answer_to_error() {
                        return self.say("-ERR bad command").await;
                    }
                }
                self.say(self.lines.refused).await
            }
        }
    }

    fn inbox(&self, mailbox: &str) -> Vec<Entry> {
        let mut store = lock(&self.world.store);
        let Some(inbox) = store.folder(mailbox, "INBOX") else { return Vec::new() };
        let entry = |message: &Message| Entry {
            uid: message.uid,
            bytes: message.bytes.clone(),
            deleted: false,
        };
        inbox.messages.iter().map(entry).collect()
    }

    async fn secret_line(&mut self) -> io::Result<Vec<u8>> {
        let line = self.wire.line().await?;
        self.wire.heard_secret(&line);
        Ok(line)
    }

    async fn transaction(&mut self, verb: &str, arguments: &[&str]) -> io::Result<bool> {
        let Some(drop) = &mut self.drop else { return self.say(WRONG_STATE).await };
        let number = arguments.first().copied();
        let mut reply = Vec::new();
        match (verb, number) {
            ("NOOP", _) => reply.extend(b"+OK"),
            ("RSET", _) => {
                drop.messages.iter_mut().for_each(|entry| entry.deleted = false);
                reply.extend(b"+OK");
            }
            ("STAT", _) if self.world.strikes(&Fault::PopNotOpened) => {
                reply.extend(b"-ERR The mailbox could not be opened.");
            }
            ("STAT", _) => {
                let octets: usize = drop.kept().map(|(_, entry)| entry.bytes.len()).sum();
                reply.extend(format!("+OK {} {octets}", drop.kept().count()).into_bytes());
            }
            ("LIST" | "UIDL", None) => {
                let mut list = String::from("+OK\r\n");
                for (index, entry) in drop.kept() {
                    let _ = write!(list, "{} {}\r\n", index + 1, listed(verb, entry));
                }
                reply.extend(list.into_bytes());
                reply.push(b'.');
            }
            ("LIST" | "UIDL" | "RETR" | "DELE" | "TOP", Some(_)) => match drop.entry(number) {
                None => reply.extend(b"-ERR The specified message is out of range."),
                Some((_, entry)) if verb == "RETR" => {
                    reply.extend(b"+OK\r\n");
                    stuff(&entry.bytes, &mut reply);
                }
                Some((_, entry)) if verb == "TOP" => {
                    let Some(lines) = arguments.get(1).and_then(|lines| lines.parse().ok()) else {
                        return self.say(PROTOCOL_ERROR).await.map(|_| false);
                    };
                    reply.extend(b"+OK\r\n");
                    stuff(top(&entry.bytes, lines), &mut reply);
                }
                Some((_, entry)) if verb == "DELE" => {
                    entry.deleted = true;
                    reply.extend(b"+OK");
                }
                Some((number, entry)) => {
                    reply.extend(format!("+OK {number} {}", listed(verb, entry)).into_bytes());
                }
            },
            _ => return self.say(PROTOCOL_ERROR).await.map(|_| false),
        }
        reply.extend(b"\r\n");
        self.wire.send(&reply).await?;
        Ok(true)
    }

    /// Only QUIT deletes (RFC 1939 section 6).
    async fn quit(&mut self) -> io::Result<()> {
        if let Some(maildrop) = self.drop.take() {
            let gone: Vec<u32> = maildrop
                .messages
                .iter()
                .filter(|entry| entry.deleted)
                .map(|entry| entry.uid)
                .collect();
            if !gone.is_empty() {
                if let Some(inbox) = lock(&self.world.store).folder(&maildrop.mailbox, "INBOX") {
                    inbox.remove(|message| gone.contains(&message.uid));
                }
                self.world.ring();
            }
        }
        self.wire.reply(self.lines.bye).await
    }
}

/// What LIST or UIDL says about a message. Unique identifiers at Exchange are as short as five
/// characters.
fn listed(verb: &str, entry: &Entry) -> String {
    match verb {
        "LIST" => entry.bytes.len().to_string(),
        _ => format!("{:05}", entry.uid),
    }
}

/// The header, the empty line, and so many lines of the body.
fn top(message: &[u8], lines: usize) -> &[u8] {
    let (head, body) = message.split_at(header::length(message));
    let ends = memchr::memchr_iter(b'\n', body).map(|at| at + 1);
    let kept = match lines {
        0 => 0,
        lines => ends
            .take(lines)
            .last()
            .filter(|_| memchr::memchr_iter(b'\n', body).count() >= lines)
            .unwrap_or(body.len()),
    };
    message.get(..head.len() + kept).unwrap_or(message)
}

/// Writes a message with its dots stuffed, ended by CRLF and a dot. A message that does not end
/// in CRLF gets one, since the dot must stand on its own line.
fn stuff(message: &[u8], out: &mut Vec<u8>) {
    out.reserve(message.len() + 16);
    let mut start = 0;
    if message.first() == Some(&b'.') {
        out.push(b'.');
    }
    for at in memchr::memmem::find_iter(message, b"\r\n.") {
        out.extend_from_slice(message.get(start..at + 2).unwrap_or_default());
        out.push(b'.');
        start = at + 2;
    }
    out.extend_from_slice(message.get(start..).unwrap_or_default());
    if !message.is_empty() && !message.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.push(b'.');
}

const _: () = assert!(LINE_LIMIT > 8192, "tokens over 4,096 characters must arrive to be refused");

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn dots_are_stuffed_after_crlf_only() {
        let mut out = Vec::new();
        stuff(b".a\r\n.\r\nb.\n.c", &mut out);
        assert_eq!(out, b"..a\r\n..\r\nb.\n.c\r\n.");
    }

    #[test]
    fn top_counts_body_lines() {
        let message = b"A: b\r\n\r\n1\r\n2\r\n3";
        assert_eq!(top(message, 0), b"A: b\r\n\r\n");
        assert_eq!(top(message, 2), b"A: b\r\n\r\n1\r\n2\r\n");
        assert_eq!(top(message, 9), message);
    }
}
