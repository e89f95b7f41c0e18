//! SMTP submission (RFC 5321, 6409, 4954, 3030) from the server's side.

mod auth;
mod mail;

use std::io;
use std::sync::Arc;

use super::fault::Fault;
use super::line_io::Wire;
use super::service::{SECURITY, SmtpLines};
use super::world::{Session, World};
use super::{Protocol, date};
use mail::Transaction;

/// The front end that answers, in brackets where Exchange signs its replies.
const HOSTNAME: &str = "[Hostname=TYCP286MB0001.JPNP286.PROD.OUTLOOK.COM]";

/// Speaks SMTP until the client goes.
pub(super) async fn serve(world: Arc<World>, wire: Wire, secure: bool) -> io::Result<()> {
    let lines = &world.lines().smtp;
    let mut smtp = Smtp { world, wire, lines, secure, greeted: false, login: None, mail: None };
    let greeting = lines.greeting.replace("{date}", &date::header_date(date::now()));
    smtp.wire.reply(&greeting).await?;
    match smtp.run().await {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            smtp.wire.reply("500 5.5.6 Line too long").await?;
        }
        other => other?,
    }
    smtp.wire.close().await;
    Ok(())
}

struct Smtp {
    world: Arc<World>,
    wire: Wire,
    lines: &'static SmtpLines,
    secure: bool,
    /// Whether EHLO was heard since the connection, or since TLS, began.
    greeted: bool,
    login: Option<Session>,
    mail: Option<Transaction>,
}

/// Whether the connection goes on after a command.
#[derive(PartialEq, Eq)]
enum Next {
    Command,
    Close,
}

impl Smtp {
    async fn run(&mut self) -> io::Result<()> {
        loop {
            let line = self.wire.line().await?;
            let text = String::from_utf8_lossy(&line).into_owned();
            let (verb, argument) = text.split_once(' ').unwrap_or((&text, ""));
            let (verb, argument) = (verb.to_ascii_uppercase(), argument.trim());
            if verb == "AUTH" && argument.contains(' ') {
                self.wire.heard_secret(&line);
            } else {
                self.wire.heard(&line);
            }
            let next = match self.world.replacement(Protocol::Smtp, &verb) {
                Some(reply) => {
                    // The chunk of BDAT follows without waiting (RFC 3030 section 2).
                    if verb == "BDAT" {
                        self.wire.skip(mail::chunk_size(argument).unwrap_or(0)).await?;
                    }
                    self.replaced(reply).await?
                }
                None => self.command(&verb, argument, line.len()).await?,
            };
            if next == Next::Close {
                return Ok(());
            }
        }
    }

    async fn command(&mut self, verb: &str, argument: &str, length: usize) -> io::Result<Next> {
        match verb {
            "EHLO" | "HELO" => self.hello(verb, argument).await,
            "NOOP" => self.say("250 2.0.0 OK").await,
            "QUIT" => {
                self.wire.reply(self.lines.bye).await?;
                Ok(Next::Close)
            }
            "RSET" => {
                self.mail = None;
                self.say("250 2.0.0 Resetting").await
            }
            "BDAT" => self.bdat(argument).await,
            "STARTTLS" | "AUTH" | "MAIL" | "RCPT" | "DATA" | "VRFY" if !self.greeted => {
                self.say("503 5.5.2 Send hello first").await
            }
            "STARTTLS" => self.start_tls().await,
            "AUTH" => self.auth(argument, length).await,
            "MAIL" => self.mail_from(argument).await,
            "RCPT" => self.rcpt_to(argument).await,
            "DATA" => self.data().await,
            "VRFY" => self.say("252 2.1.5 Cannot VRFY user").await,
            // The real one waits five seconds first.
            _ => {
                let line = format!("500 5.3.3 Unrecognized command '{}' {HOSTNAME}", clip(verb));
                self.say(&line).await
            }
        }
    }

    /// Answers, and says that the connection goes on.
    async fn say(&mut self, line: &str) -> io::Result<Next> {
        self.wire.reply(line).await?;
        Ok(Next::Command)
    }

    /// Answers with what a fault wants answered.
    async fn replaced(&mut self, reply: &str) -> io::Result<Next> {
        if !reply.is_empty() {
            self.wire.reply(reply).await?;
        }
        Ok(if reply.is_empty() || reply.starts_with("421") { Next::Close } else { Next::Command })
    }

    async fn hello(&mut self, verb: &str, argument: &str) -> io::Result<Next> {
        if argument.is_empty() {
            return self.say("501 5.5.4 Invalid domain name").await;
        }
        self.greeted = true;
        self.mail = None;
        if verb == "HELO" {
            return self.say(&format!("250 {}", self.lines.hello)).await;
        }
        let (security, hidden) = if self.secure {
            (self.lines.auth, Fault::MechanismNotOffered)
        } else {
            ("STARTTLS", Fault::StartTlsNotOffered)
        };
        let security = (!self.world.strikes(&hidden)).then_some(security);
        let extensions = self
            .lines
            .extensions
            .iter()
            .filter_map(|name| if *name == SECURITY { security } else { Some(*name) });
        let list = [self.lines.hello].into_iter().chain(extensions);
        let list: Vec<String> = list.map(|line| self.world.spelt(line)).collect();
        let last = list.len() - 1;
        let mark = |at: usize| if at == last { ' ' } else { '-' };
        let reply: Vec<String> =
            list.iter().enumerate().map(|(at, line)| format!("250{}{line}", mark(at))).collect();
        self.say(&reply.join("\r\n")).await
    }

    async fn start_tls(&mut self) -> io::Result<Next> {
        if self.secure {
            return self.say("503 5.5.2 Only one STARTTLS command can be issued per session").await;
        }
        if self.world.strikes(&Fault::StartTlsRefused) {
            return self.say("454 4.7.0 TLS not available due to temporary reason").await;
        }
        let injected = self.world.strikes(&Fault::StartTlsInjection);
        let extra = if injected { "\r\n250 2.0.0 injected" } else { "" };
        self.wire.reply(&format!("{}{extra}", self.lines.ready_for_tls)).await?;
        self.wire.start_tls(&self.world.acceptor()?).await?;
        // RFC 3207 section 4.2: both sides start anew.
        (self.secure, self.greeted, self.mail) = (true, false, None);
        Ok(Next::Command)
    }
}

/// A word of the client's, short enough to be quoted.
fn clip(word: &str) -> String {
    word.chars().take(40).collect()
}
