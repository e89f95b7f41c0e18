//! A server that keeps account of what it took and what it said, to be compared with what the
//! client tells. It reads by the rules of RFC 5321, 2920 and 3030, and answers as it is told.

use std::collections::VecDeque;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex};
use tokio::task::JoinHandle;

use super::{Driver, Limits, SmtpClient, Timeouts, extensions};
use crate::smtp::Envelope;
use crate::smtp::proto::Core;

/// What the server does at a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    /// 4xx or 5xx.
    No(u16),
    /// 421, and the end.
    Closing,
    /// The end, without a word.
    Close,
    /// The end in the middle of a yes.
    CloseHalfWay,
    /// A yes of many lines.
    YesInLines,
}

/// How the server is.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) keywords: Vec<&'static str>,
    /// At each command in turn; yes when they are used up.
    pub(super) answers: VecDeque<Answer>,
    /// Octets of replies after which it closes.
    pub(super) most: usize,
    /// It says 354 although every recipient was refused.
    pub(super) careless: bool,
    /// Octets that fit between the two.
    pub(super) pipe: usize,
}

impl Model {
    pub(super) fn new(keywords: &[&'static str]) -> Self {
        Self {
            keywords: keywords.to_vec(),
            answers: VecDeque::new(),
            most: usize::MAX,
            careless: false,
            pipe: 64 * 1024,
        }
    }

    pub(super) fn answering(mut self, answers: impl IntoIterator<Item = Answer>) -> Self {
        self.answers = answers.into_iter().collect();
        self
    }

    pub(super) fn start(self) -> (SmtpClient, JoinHandle<Account>) {
        let (ours, theirs) = duplex(self.pipe);
        let limits = Limits::default();
        let core = Core::after_greeting(true, &limits);
        let driver = Driver::new(Box::new(ours), core, "smtp", Timeouts::default(), &limits);
        let client = SmtpClient::new(driver, extensions(&self.keywords));
        (client, tokio::spawn(Server::new(self, theirs).serve()))
    }
}

/// What the server took.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) commands: Vec<String>,
    pub(super) delivered: Vec<Delivered>,
    /// Octets of replies.
    pub(super) said: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Delivered {
    /// The number in the sender's address.
    pub(super) message: usize,
    pub(super) to: Vec<String>,
    pub(super) content: Vec<u8>,
}

/// The n-th message, to two recipients.
pub(super) fn numbered(n: usize) -> Envelope {
    Envelope::new(format!("m{n}@contoso.example"), ["ann@a.example", "bob@b.example"]).unwrap()
}

/// A transaction on the server.
#[derive(Default)]
struct Mail {
    message: usize,
    to: Vec<String>,
    chunks: Vec<u8>,
    /// A BDAT failed, and there was no RSET since.
    failed: bool,
}

struct Server {
    model: Model,
    stream: BufReader<DuplexStream>,
    account: Account,
    mail: Option<Mail>,
}

/// The connection ends.
struct End;

impl Server {
    fn new(model: Model, stream: DuplexStream) -> Self {
        Self { model, stream: BufReader::new(stream), account: Account::default(), mail: None }
    }

    async fn serve(mut self) -> Account {
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = self.stream.read_until(b'\n', &mut line).await;
            if read.unwrap_or(0) == 0 || !line.ends_with(b"\r\n") {
                return self.account;
            }
            let command = String::from_utf8(line[..line.len() - 2].to_vec()).unwrap();
            assert!(!command.contains(['\r', '\n']), "{command:?}");
            self.account.commands.push(command.clone());
            // A client that was not told of PIPELINING waits.
            let pipelining = self.model.keywords.contains(&"PIPELINING");
            let ahead = self.stream.buffer().len();
            assert!(pipelining || ahead == 0 || command.starts_with("BDAT"), "{command}");
            if self.command(&command).await.is_err() {
                return self.account;
            }
        }
    }

    async fn command(&mut self, command: &str) -> Result<(), End> {
        let n = self.mail.as_ref().map_or(0, |mail| mail.message);
        let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
        match verb {
            "MAIL" => {
                let number = rest.strip_prefix("FROM:<m").and_then(|rest| rest.split('@').next());
                let message = number.unwrap().parse().unwrap();
                if self.mail.is_some() {
                    return self.no(503, message).await;
                }
                if self.asked(message, "mail").await? {
                    self.mail = Some(Mail { message, ..Mail::default() });
                }
            }
            "RCPT" => {
                let to = rest.strip_prefix("TO:<").unwrap().trim_end_matches('>').to_owned();
                if self.mail.as_ref().is_none_or(|mail| mail.failed) {
                    return self.no(503, n).await;
                }
                if self.asked(n, &format!("rcpt {to}")).await? {
                    self.mail.as_mut().unwrap().to.push(to);
                }
            }
            "DATA" => {
                let ready = self.mail.as_ref().is_some_and(|mail| !mail.to.is_empty());
                if !ready && !self.model.careless {
                    return self.no(503, n).await;
                }
                if !self.asked_with(n, "go", 354).await? {
                    return Ok(());
                }
                let content = self.dotted().await?;
                let mail = self.mail.take().unwrap_or_default();
                if self.asked(n, &format!("queued as Q{n}")).await? && !mail.to.is_empty() {
                    self.deliver(mail, content);
                }
            }
            "BDAT" => {
                let (size, last) = match rest.strip_suffix(" LAST") {
                    Some(size) => (size, true),
                    None => (rest, false),
                };
                let mut chunk = vec![0; size.parse().unwrap()];
                self.stream.read_exact(&mut chunk).await.map_err(|_| End)?;
                match &mut self.mail {
                    Some(mail) if !mail.failed && !mail.to.is_empty() => {
                        mail.chunks.extend_from_slice(&chunk);
                    }
                    mail => {
                        if let Some(mail) = mail {
                            mail.failed = true;
                        }
                        return self.no(503, n).await;
                    }
                }
                let words = if last { format!("queued as Q{n}") } else { "chunk".to_owned() };
                match self.asked(n, &words).await? {
                    true if last => {
                        let mut mail = self.mail.take().unwrap();
                        let content = std::mem::take(&mut mail.chunks);
                        self.deliver(mail, content);
                    }
                    true => {}
                    // RFC 3030 section 2: what state this is in is not said.
                    false => self.mail.as_mut().unwrap().failed = true,
                }
            }
            "RSET" => {
                self.mail = None;
                self.say(&format!("250 reset {n}\r\n")).await?;
            }
            "NOOP" => self.say("250 noop\r\n").await?,
            "QUIT" => self.say("221 bye\r\n").await?,
            _ => panic!("{command:?} is no command of ours"),
        }
        Ok(())
    }

    fn deliver(&mut self, mail: Mail, content: Vec<u8>) {
        let Mail { message, to, .. } = mail;
        self.account.delivered.push(Delivered { message, to, content });
    }

    async fn asked(&mut self, n: usize, words: &str) -> Result<bool, End> {
        self.asked_with(n, words, 250).await
    }

    async fn asked_with(&mut self, n: usize, words: &str, code: u16) -> Result<bool, End> {
        match self.model.answers.pop_front().unwrap_or(Answer::Yes) {
            Answer::Yes => self.say(&format!("{code} #{n} {words}\r\n")).await.map(|()| true),
            Answer::YesInLines => {
                let lines = format!("{code}-#{n}\r\n{code}-2.0.0 {words}\r\n{code} #{n}\r\n");
                self.say(&lines).await.map(|()| true)
            }
            Answer::No(code) => self.no(code, n).await.map(|()| false),
            Answer::Closing => {
                self.say("421 4.3.2 closing\r\n").await?;
                Err(End)
            }
            Answer::Close => Err(End),
            Answer::CloseHalfWay => {
                self.say(&format!("{code} #{n}")).await?;
                Err(End)
            }
        }
    }

    async fn no(&mut self, code: u16, n: usize) -> Result<(), End> {
        self.say(&format!("{code} #{n} no\r\n")).await
    }

    async fn say(&mut self, words: &str) -> Result<(), End> {
        let left = self.model.most - self.account.said;
        let part = words.get(..left).unwrap_or(words);
        self.account.said += part.len();
        self.stream.write_all(part.as_bytes()).await.map_err(|_| End)?;
        if part.len() < words.len() { Err(End) } else { Ok(()) }
    }

    async fn dotted(&mut self) -> Result<Vec<u8>, End> {
        let (mut content, mut line) = (Vec::new(), Vec::new());
        loop {
            line.clear();
            self.stream.read_until(b'\n', &mut line).await.map_err(|_| End)?;
            if !line.ends_with(b"\n") {
                return Err(End);
            }
            assert!(line.ends_with(b"\r\n"), "a bare line feed");
            let text = &line[..line.len() - 2];
            assert!(!text.contains(&b'\r'), "a bare carriage return");
            match text {
                b"." => return Ok(content),
                [b'.', rest @ ..] => content.extend_from_slice(rest),
                text => content.extend_from_slice(text),
            }
            content.extend_from_slice(b"\r\n");
        }
    }
}
