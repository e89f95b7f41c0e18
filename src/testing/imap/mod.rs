//! IMAP4rev1 (RFC 3501) with the extensions Exchange announces, from the server's side.

mod auth;
mod change;
mod command;
mod fetch;
mod folder;
mod idle;
mod search;
mod selected;
mod set;
mod structure;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::watch;

use super::Protocol;
use super::fault::Fault;
use super::line_io::{LINE_LIMIT, Wire};
use super::service::{IMAP_BEFORE_2025, ImapLines, PROXY_IMAP_AFTER, PROXY_IMAP_GREETING, Variant};
use super::world::{Session, World};
use command::{Command, Segment};
use selected::Selected;

const ARGUMENT_ERROR: &str = "BAD Command Argument Error. 11";
const INVALID_STATE: &str = "BAD Command received in Invalid state.";
const THROTTLED: &str = "BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds";
const TOKEN_EXPIRED: &str = "* BYE Session invalidated - AccessTokenExpired";

/// How many literals a command may have: more than any real one has.
const LITERAL_COUNT_LIMIT: usize = 100;

/// Speaks IMAP until the client goes.
pub(super) async fn serve(world: Arc<World>, wire: Wire, secure: bool) -> io::Result<()> {
    let lines = &world.lines().imap;
    let bell = world.bell.subscribe();
    let mut imap = Imap {
        world,
        wire,
        lines,
        bell,
        secure,
        login: None,
        connected: true,
        last_refusal: false,
        rev2: false,
        selected: None,
    };
    let greeting = match imap.exchange_variant() {
        Some(Variant::TcpProxy) => PROXY_IMAP_GREETING,
        _ => lines.greeting,
    };
    let words = greeting.strip_prefix("* OK").unwrap_or_default();
    imap.wire.reply(&format!("* {}{words}", imap.world.spelt("OK"))).await?;
    match imap.run().await {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            imap.wire.reply("* BYE Connection is closed. 10").await?;
        }
        other => other?,
    }
    imap.wire.close().await;
    Ok(())
}

struct Imap {
    world: Arc<World>,
    wire: Wire,
    lines: &'static ImapLines,
    /// Rings whenever something changed anywhere on the server.
    bell: watch::Receiver<u64>,
    secure: bool,
    login: Option<Session>,
    /// False after a login that was answered OK but did not open the mailbox.
    connected: bool,
    /// Whether the connection ends behind the refusal of this login.
    last_refusal: bool,
    /// Whether IMAP4rev2 was enabled.
    rev2: bool,
    selected: Option<Selected>,
}

/// The tagged reply without its tag; an error is one, too, and lets `?` end a command early.
type Reply = Result<String, &'static str>;

impl Imap {
    async fn run(&mut self) -> io::Result<()> {
        loop {
            let Some(line) = self.next_line().await? else {
                return self.wire.reply(TOKEN_EXPIRED).await;
            };
            let segments = self.segments(line).await?;
            let command = match Command::parse(&segments) {
                Ok(command) => command,
                Err(tag) => {
                    self.wire.reply(&format!("{tag} BAD Command Error. 12")).await?;
                    continue;
                }
            };
            if self.over() {
                return self.wire.reply(TOKEN_EXPIRED).await;
            }
            if let Some(reply) = self.world.replacement(Protocol::Imap, &command.verb) {
                if reply.is_empty() || reply.starts_with("* BYE") {
                    return if reply.is_empty() { Ok(()) } else { self.wire.reply(reply).await };
                }
                self.wire.reply(&format!("{} {reply}", command.tag)).await?;
                continue;
            }
            let spared = matches!(command.verb.as_str(), "CAPABILITY" | "ID" | "LOGOUT");
            if self.login.is_some() && !spared {
                if !self.connected {
                    let reply = "BAD User is authenticated but not connected.";
                    self.wire.reply(&format!("{} {reply}", command.tag)).await?;
                    return self.wire.reply("* BYE Connection closed. 14").await;
                }
                if let Some(farewell) = self.world.strike(Fault::imap_farewell) {
                    return self.wire.reply(&farewell).await;
                }
                if self.world.strikes(&Fault::Throttled) {
                    self.wire.reply(&format!("{} {THROTTLED}", command.tag)).await?;
                    continue;
                }
            }
            if !self.command(&command).await? {
                return Ok(());
            }
        }
    }

    /// Carries a command out; false if it was the last.
    async fn command(&mut self, command: &Command) -> io::Result<bool> {
        let mut out = Vec::new();
        let reply = match command.verb.as_str() {
            "LOGOUT" => {
                let bye = format!("{}\r\n{} OK LOGOUT completed.", self.lines.bye, command.tag);
                self.wire.reply(&bye).await?;
                return Ok(false);
            }
            "STARTTLS" if !self.secure => return self.start_tls(&command.tag).await.map(|()| true),
            "AUTHENTICATE" => self.authenticate(command).await?,
            "IDLE" if self.login.is_some() => match self.idle().await? {
                Some(reply) => reply,
                None => return Ok(false),
            },
            "FETCH" => self.fetch(command).await?,
            _ => self.answer(command, &mut out),
        };
        // RFC 3501 section 7.4.1: numbers must not shift under commands that use them.
        let shift =
            command.by_uid || !matches!(command.verb.as_str(), "FETCH" | "STORE" | "SEARCH");
        self.catch_up(&mut out, shift);
        let reply = reply.unwrap_or_else(str::to_owned);
        let (status, words) = reply.split_once(' ').unwrap_or((&reply, ""));
        let status = self.world.spelt(status);
        out.extend(format!("{} {status} {words}\r\n", command.tag).into_bytes());
        self.wire.send(&out).await?;
        if self.last_refusal {
            self.wire.reply("* BYE Connection is closed. 14").await?;
        }
        Ok(!self.last_refusal)
    }

    /// The commands that need no more from the client.
    fn answer(&mut self, command: &Command, out: &mut Vec<u8>) -> Reply {
        match command.verb.as_str() {
            "CAPABILITY" => {
                let hidden = self.world.strikes(&Fault::MechanismNotOffered);
                let unwanted =
                    |word: &str| hidden && ["AUTH=XOAUTH2", "AUTH=OAUTHBEARER"].contains(&word);
                let list = self.capabilities();
                let list: Vec<&str> = list.split(' ').filter(|word| !unwanted(word)).collect();
                let line = format!("* CAPABILITY {}\r\n", list.join(" "));
                out.extend(self.world.spelt(&line).into_bytes());
                return Ok(self.lines.capability_done.to_owned());
            }
            "NOOP" => return Ok("OK NOOP completed.".to_owned()),
            "ID" => {
                out.extend(format!("* ID {}\r\n", self.lines.id).into_bytes());
                return Ok("OK ID completed".to_owned());
            }
            "LOGIN" if self.world.strikes(&Fault::PasswordRefused) => {
                return Err("NO LOGIN failed.");
            }
            "LOGIN" => return Err(self.lines.login_refused),
            _ => {}
        }
        if self.login.is_none() {
            return Err(INVALID_STATE);
        }
        match command.verb.as_str() {
            "NAMESPACE" => {
                out.extend(b"* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
                Ok("OK NAMESPACE completed.".to_owned())
            }
            "ENABLE" if self.exchange_variant() == Some(Variant::TcpProxy) => {
                self.rev2 |= command.text(0).is_some_and(|it| it.eq_ignore_ascii_case("IMAP4rev2"));
                out.extend(if self.rev2 {
                    b"* ENABLED IMAP4rev2\r\n"
                } else {
                    &b"* ENABLED\r\n"[..]
                });
                Ok("OK ENABLE completed.".to_owned())
            }
            "LSUB" | "SEARCH" if self.rev2 => Err(ARGUMENT_ERROR),
            "LIST" | "LSUB" => self.list(command, out),
            "STATUS" => self.status(command, out),
            "SELECT" | "EXAMINE" => self.select(command, out),
            "APPEND" => self.append(command),
            _ if self.selected.is_none() => Err(INVALID_STATE),
            "CHECK" => Ok("OK CHECK completed.".to_owned()),
            "CLOSE" | "UNSELECT" => self.close(command),
            "STORE" => self.store(command, out),
            "EXPUNGE" => self.expunge(command),
            "COPY" | "MOVE" => self.copy(command, out),
            "SEARCH" => self.search(command, out),
            _ => Err("BAD Command Error. 12"),
        }
    }

    fn capabilities(&self) -> String {
        let list = match (self.exchange_variant(), self.login.is_some()) {
            (Some(Variant::TcpProxy), true) => PROXY_IMAP_AFTER,
            (Some(Variant::Until2025), false) => IMAP_BEFORE_2025,
            (_, true) => self.lines.after,
            (_, false) => self.lines.before,
        };
        if self.secure {
            return list.to_owned();
        }
        // In the clear there is STARTTLS, and no mechanism.
        let safe = list.split(' ').filter(|word| !word.starts_with("AUTH=") && *word != "SASL-IR");
        let safe: Vec<&str> = safe.filter(|word| *word != "LOGINDISABLED").collect();
        let offer = if self.world.strikes(&Fault::StartTlsNotOffered) { "" } else { " STARTTLS" };
        format!("{}{offer} LOGINDISABLED", safe.join(" "))
    }

    /// How this server speaks, if it is one of Exchange.
    fn exchange_variant(&self) -> Option<Variant> {
        self.world.service.is_exchange().then_some(self.world.variant)
    }

    async fn start_tls(&mut self, tag: &str) -> io::Result<()> {
        if self.world.strikes(&Fault::StartTlsRefused) {
            return self.wire.reply(&format!("{tag} NO TLS is not available now.")).await;
        }
        let injected = self.world.strikes(&Fault::StartTlsInjection);
        let extra = if injected { "\r\n* OK injected" } else { "" };
        self.wire.reply(&format!("{tag} OK Begin TLS negotiation now.{extra}")).await?;
        self.wire.start_tls(&self.world.acceptor()?).await?;
        self.secure = true;
        Ok(())
    }

    /// The next line, or nothing if the session is over before it comes.
    async fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            match race(self.wire.line(), self.bell.changed()).await {
                Raced::First(line) => return line.map(Some),
                Raced::Second(_) if self.over() => return Ok(None),
                Raced::Second(_) => {}
            }
        }
    }

    /// Whether the session has outlived its token, or was ended.
    fn over(&self) -> bool {
        self.login.as_ref().is_some_and(|login| {
            self.world.ended(login) || self.lines.ends_with_token && self.world.outlived(login)
        })
    }

    /// Reads on until a command is complete with its literals.
    async fn segments(&mut self, mut line: Vec<u8>) -> io::Result<Vec<Segment>> {
        // Strangers get no more room than a long line takes.
        let mut room = match self.login {
            Some(_) => self.world.lines().smtp.size,
            None => LINE_LIMIT,
        };
        let mut segments = Vec::new();
        loop {
            self.note(&line);
            let Some((open, size, waits)) = command::literal(&line) else {
                segments.push((line, None));
                return Ok(segments);
            };
            if size > room || segments.len() >= LITERAL_COUNT_LIMIT {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "literal too long"));
            }
            room -= size;
            if waits {
                self.wire.reply("+ Ready for additional command text.").await?;
            }
            line.truncate(open);
            segments.push((line, Some(self.wire.octets(size).await?)));
            line = self.wire.line().await?;
        }
    }

    /// Puts a line into the transcript, unless it carries a secret.
    fn note(&self, line: &[u8]) {
        let verb = line.split(|octet| *octet == b' ').nth(1).unwrap_or_default();
        let secret = verb.eq_ignore_ascii_case(b"LOGIN")
            || verb.eq_ignore_ascii_case(b"AUTHENTICATE")
                && line.iter().filter(|octet| **octet == b' ').count() > 2;
        if secret { self.wire.heard_secret(line) } else { self.wire.heard(line) }
    }
}

/// Which of two futures was ready first.
enum Raced<A, B> {
    First(A),
    Second(B),
}

/// Waits for either of two futures and drops the other.
async fn race<A: Future, B: Future>(first: A, second: B) -> Raced<A::Output, B::Output> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|context| {
        if let Poll::Ready(output) = first.as_mut().poll(context) {
            return Poll::Ready(Raced::First(output));
        }
        second.as_mut().poll(context).map(Raced::Second)
    })
    .await
}
