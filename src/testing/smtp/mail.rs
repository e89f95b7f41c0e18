//! MAIL, RCPT, DATA and BDAT: from an envelope to messages in mailboxes.

use std::io;

use bytes::{Bytes, BytesMut};

use super::super::Protocol;
use super::super::fault::{Fault, HVE_EXPIRED, HVE_EXTERNAL, HVE_FOREIGN_FROM, HVE_FOREIGN_SENDER};
use super::super::header;
use super::super::world::lock;
use super::{HOSTNAME, Next, Smtp, clip};

const TOO_LARGE: &str = "552 5.3.4 Message size exceeds fixed maximum message size";

/// An envelope, and what has come of its message.
#[derive(Default)]
pub(super) struct Transaction {
    recipients: Vec<String>,
    /// The chunks of BDAT so far.
    chunks: BytesMut,
    /// Whether a chunk was refused; then all that follow are.
    failed: bool,
}

impl Smtp {
    pub(super) async fn mail_from(&mut self, argument: &str) -> io::Result<Next> {
        if let Some(reply) = self.world.strike(Fault::mail_reply) {
            return self.replaced(reply).await;
        }
        let Some(login) = &self.login else {
            return self.say(self.lines.not_authenticated).await;
        };
        if self.mail.is_some() {
            return self.say("503 5.5.2 Sender already specified").await;
        }
        if self.lines.high_volume && self.world.outlived(login) {
            return self.say(HVE_EXPIRED).await;
        }
        let Some((sender, parameters)) = path(argument, "FROM:") else {
            return self.say("501 5.5.4 Invalid arguments").await;
        };
        for parameter in parameters.split_ascii_whitespace() {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name.to_ascii_uppercase().as_str() {
                "SIZE" => {
                    if value.parse().is_ok_and(|size: usize| size > self.lines.size) {
                        return self.say(TOO_LARGE).await;
                    }
                }
                "BODY" | "SMTPUTF8" | "RET" | "ENVID" | "AUTH" => {}
                _ => return self.say("501 5.5.4 Invalid arguments").await,
            }
        }
        if self.lines.checks_sender && !lock(&self.world.tokens).may_open(&login.owner, sender) {
            let line = "550 5.7.60 SMTP; Client does not have permissions to send as this sender";
            return self.say(&format!("{line} {HOSTNAME}")).await;
        }
        if self.lines.high_volume && !sender.eq_ignore_ascii_case(&login.mailbox) {
            return self.say(HVE_FOREIGN_SENDER).await;
        }
        self.mail = Some(Transaction::default());
        self.say(self.lines.sender_ok).await
    }

    pub(super) async fn rcpt_to(&mut self, argument: &str) -> io::Result<Next> {
        let Some(mail) = &mut self.mail else {
            return self.say("503 5.5.2 Need mail command").await;
        };
        let Some((recipient, _)) = path(argument, "TO:").filter(|(path, _)| !path.is_empty())
        else {
            return self.say("501 5.5.4 Invalid arguments").await;
        };
        if let Some(reply) = self.world.strike(Fault::rcpt_reply) {
            return self.say(reply).await;
        }
        if mail.recipients.len() >= self.lines.recipients {
            return self.say("452 4.5.3 Too many recipients").await;
        }
        let own = self.login.as_ref().map(|login| domain(&login.mailbox));
        if self.lines.high_volume
            && own.is_some_and(|own| !own.eq_ignore_ascii_case(domain(recipient)))
        {
            return self.say(HVE_EXTERNAL).await;
        }
        if !lock(&self.world.store).holds(recipient) {
            let line = "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP \
                        address lookup";
            return self.say(line).await;
        }
        mail.recipients.push(recipient.to_owned());
        self.say(self.lines.recipient_ok).await
    }

    pub(super) async fn data(&mut self) -> io::Result<Next> {
        match &self.mail {
            None => return self.say("503 5.5.2 Need mail command").await,
            Some(mail) if mail.recipients.is_empty() => {
                return self.say("503 5.5.2 Need rcpt command").await;
            }
            Some(mail) if mail.failed || !mail.chunks.is_empty() => {
                // RFC 3030 section 2: BDAT and DATA do not mix.
                return self.say("503 5.5.2 Bad sequence of commands").await;
            }
            Some(_) => {}
        }
        self.wire.reply(self.lines.go_ahead).await?;
        let message = self.wire.dotted(self.lines.size).await?;
        let mail = self.mail.take().unwrap_or_default();
        if let Some(reply) = self.world.replacement(Protocol::Smtp, ".") {
            return self.replaced(reply).await;
        }
        match message {
            None => self.say(TOO_LARGE).await,
            Some(message) => self.accept(mail, message).await,
        }
    }

    /// BDAT may be pipelined: its octets come whatever becomes of it.
    pub(super) async fn bdat(&mut self, argument: &str) -> io::Result<Next> {
        let Some(size) = chunk_size(argument) else {
            // Nobody knows where the next command begins.
            self.wire.reply("501 5.5.4 Invalid arguments").await?;
            return Ok(Next::Close);
        };
        let refusal = match &self.mail {
            None => Some("503 5.5.2 Need mail command"),
            Some(mail) if mail.recipients.is_empty() => Some("503 5.5.2 Need rcpt command"),
            Some(mail) if mail.failed => Some("503 5.5.2 Bad sequence of commands"),
            Some(mail) if size > self.lines.size.saturating_sub(mail.chunks.len()) => {
                Some(TOO_LARGE)
            }
            Some(_) => None,
        };
        if let Some(refusal) = refusal {
            self.wire.skip(size).await?;
            if let Some(mail) = &mut self.mail {
                mail.failed = true;
            }
            return self.say(refusal).await;
        }
        let chunk = self.wire.octets(size).await?;
        let mut mail = self.mail.take().unwrap_or_default();
        mail.chunks.extend_from_slice(&chunk);
        if argument.to_ascii_uppercase().ends_with("LAST") {
            let message = std::mem::take(&mut mail.chunks).freeze();
            return self.accept(mail, message).await;
        }
        self.mail = Some(mail);
        self.say(&format!("250 2.6.0 CHUNK received OK, {size} octets")).await
    }

    /// Takes a whole message, or refuses it.
    async fn accept(&mut self, mail: Transaction, message: Bytes) -> io::Result<Next> {
        if let Some(reply) = self.world.strike(Fault::message_reply) {
            return self.say(reply).await;
        }
        if let Some(refusal) = self.denied(&message) {
            return self.say(&refusal).await;
        }
        let id = self.world.queue_id();
        for recipient in &mail.recipients {
            self.world.deliver(recipient, "INBOX", message.clone());
        }
        if let Some(login) = &self.login {
            self.world.deliver(&login.mailbox, "Sent", message);
        }
        if self.world.strikes(&Fault::DropAfterData) {
            return Ok(Next::Close);
        }
        self.say(&self.lines.delivered.replace("{id}", &id)).await
    }

    /// Exchange looks at the From field too, once it has the message.
    fn denied(&self, message: &[u8]) -> Option<String> {
        let checks = self.lines.checks_sender || self.lines.high_volume;
        let login = self.login.as_ref().filter(|_| checks)?;
        let from = header::addresses(&header::value(message, "From")?).first()?.spec();
        if self.lines.high_volume {
            return (!from.eq_ignore_ascii_case(&login.mailbox)).then(|| HVE_FOREIGN_FROM.into());
        }
        if lock(&self.world.tokens).may_open(&login.owner, &from) {
            return None;
        }
        Some(format!(
            "554 5.2.252 SendAsDenied; {} not allowed to send as {}; \
             STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed \
             to process message due to a permanent exception with message [BeginDiagnosticData]\
             Cannot submit message. {HOSTNAME}",
            login.mailbox,
            clip(&from)
        ))
    }
}

fn domain(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}

/// The size of the chunk that follows `BDAT argument`.
pub(super) fn chunk_size(argument: &str) -> Option<usize> {
    let mut words = argument.split_ascii_whitespace();
    let size = words.next()?.parse().ok()?;
    match words.next() {
        None => Some(size),
        Some(last) if last.eq_ignore_ascii_case("LAST") && words.next().is_none() => Some(size),
        Some(_) => None,
    }
}

/// The address and the parameters of `FROM:<address> parameters`.
fn path<'a>(argument: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let (head, rest) = argument.split_at_checked(keyword.len())?;
    let rest = rest.trim_start().strip_prefix('<')?;
    let (address, parameters) = rest.split_once('>')?;
    head.eq_ignore_ascii_case(keyword).then_some((address, parameters))
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn a_path_is_split_from_its_parameters() {
        assert_eq!(path("from:<a@b.c> SIZE=3", "FROM:"), Some(("a@b.c", " SIZE=3")));
        assert_eq!(path("FROM:a@b.c", "FROM:"), None);
        assert_eq!(path("FR", "FROM:"), None);
        assert_eq!(path("TO:<>", "TO:"), Some(("", "")));
    }

    #[test]
    fn a_chunk_size_is_a_number_and_perhaps_last() {
        assert_eq!(chunk_size("12"), Some(12));
        assert_eq!(chunk_size("0 last"), Some(0));
        assert_eq!(chunk_size("12 FIRST"), None);
        assert_eq!(chunk_size(""), None);
    }
}
