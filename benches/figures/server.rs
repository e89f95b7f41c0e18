//! Servers that say just enough for the client to do its work, line by line.

use std::io;

use mailbearer::net::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::workloads::imap::changes;

/// One side of a dialogue.
pub(crate) trait Script: Send + 'static {
    /// The first thing said on the connection.
    fn greeting(&self) -> &'static str;

    /// The answer to a line, which comes without its end.
    fn answer(&mut self, line: &str) -> Answer;
}

/// What a server says to a line.
pub(crate) enum Answer {
    /// This, which may be nothing.
    Say(String),
    /// This, and TLS from here on.
    StartTls(&'static str),
}

fn say(text: &str) -> Answer {
    Answer::Say(text.to_owned())
}

/// Plays `script` until the client closes. `acceptor` serves implicit TLS, or STARTTLS if
/// `greets_in_clear`.
pub(crate) async fn serve(
    stream: impl Stream + 'static,
    acceptor: TlsAcceptor,
    greets_in_clear: bool,
    mut script: impl Script,
) -> io::Result<()> {
    let mut stream: Box<dyn Stream> = Box::new(stream);
    if !greets_in_clear {
        stream = Box::new(acceptor.accept(stream).await?);
    }
    stream.write_all(script.greeting().as_bytes()).await?;
    stream.flush().await?;
    let mut heard = Vec::new();
    loop {
        while let Some(end) = heard.iter().position(|octet| *octet == b'\n') {
            let line: Vec<u8> = heard.drain(..=end).collect();
            match script.answer(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n'])) {
                Answer::Say(text) => stream.write_all(text.as_bytes()).await?,
                Answer::StartTls(text) => {
                    stream.write_all(text.as_bytes()).await?;
                    stream.flush().await?;
                    stream = Box::new(acceptor.accept(stream).await?);
                }
            }
        }
        stream.flush().await?;
        if stream.read_buf(&mut heard).await? == 0 {
            return Ok(());
        }
    }
}

/// Exchange Online's submission service, but for the initial response, which this one takes.
#[derive(Default)]
pub(crate) struct Smtp {
    step: SmtpStep,
}

#[derive(Default, PartialEq)]
enum SmtpStep {
    #[default]
    Command,
    Token,
    Content,
    /// So many octets of a chunk are to come, and it is the last.
    Chunk(usize),
}

impl Script for Smtp {
    fn greeting(&self) -> &'static str {
        "220 AM0PR01CA0001.outlook.office365.com Microsoft ESMTP MAIL Service ready\r\n"
    }

    fn answer(&mut self, line: &str) -> Answer {
        match self.step {
            SmtpStep::Token => {
                self.step = SmtpStep::Command;
                return say("235 2.7.0 Authentication successful\r\n");
            }
            SmtpStep::Content if line == "." => {
                self.step = SmtpStep::Command;
                return say("250 2.0.0 OK <1@AM0PR01MB0001.eurprd01.prod.exchangelabs.com>\r\n");
            }
            SmtpStep::Content => return say(""),
            SmtpStep::Chunk(octets) => {
                let left = octets.saturating_sub(line.len() + 2);
                self.step = if left > 0 { SmtpStep::Chunk(left) } else { SmtpStep::Command };
                return say(if left > 0 { "" } else { "250 2.0.0 OK\r\n" });
            }
            SmtpStep::Command => {}
        }
        let mut words = line.split(' ');
        match words.next().unwrap_or_default() {
            "EHLO" => say("250-AM0PR01CA0001.outlook.office365.com Hello [127.0.0.1]\r\n\
                 250-SIZE 157286400\r\n250-PIPELINING\r\n250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n\
                 250-STARTTLS\r\n250-AUTH LOGIN XOAUTH2\r\n250-8BITMIME\r\n250-BINARYMIME\r\n\
                 250-CHUNKING\r\n250 SMTPUTF8\r\n"),
            "STARTTLS" => Answer::StartTls("220 2.0.0 SMTP server ready\r\n"),
            "AUTH" if words.nth(1).is_some() => say("235 2.7.0 Authentication successful\r\n"),
            "AUTH" => {
                self.step = SmtpStep::Token;
                say("334 \r\n")
            }
            "MAIL" => say("250 2.1.0 Sender OK\r\n"),
            "RCPT" => say("250 2.1.5 Recipient OK\r\n"),
            "DATA" => {
                self.step = SmtpStep::Content;
                say("354 Start mail input; end with <CRLF>.<CRLF>\r\n")
            }
            "BDAT" => {
                let octets = words.next().and_then(|octets| octets.parse().ok());
                self.step = SmtpStep::Chunk(octets.unwrap_or_default());
                say("")
            }
            "RSET" => say("250 2.0.0 Resetting\r\n"),
            "QUIT" => say("221 2.0.0 Service closing transmission channel\r\n"),
            _ => say("500 5.3.3 Unrecognized command\r\n"),
        }
    }
}

/// Exchange Online's POP3 service.
#[derive(Default)]
pub(crate) struct Pop {
    token_follows: bool,
    pipelines: bool,
    /// Lines of each message besides the first.
    lines: usize,
}

impl Pop {
    /// With messages of 20 KiB.
    pub(crate) fn large() -> Self {
        Self { lines: 262, ..Self::default() }
    }

    /// The same at a server that takes commands before it has answered the last.
    pub(crate) fn pipelining() -> Self {
        Self { pipelines: true, ..Self::large() }
    }
}

impl Script for Pop {
    fn greeting(&self) -> &'static str {
        "+OK The Microsoft Exchange POP3 service is ready. [QQBNADAA]\r\n"
    }

    fn answer(&mut self, line: &str) -> Answer {
        if std::mem::take(&mut self.token_follows) {
            return say("+OK User successfully authenticated.\r\n");
        }
        match line.split(' ').next().unwrap_or_default() {
            "CAPA" if self.pipelines => {
                say("+OK\r\nTOP\r\nUIDL\r\nPIPELINING\r\nSASL PLAIN XOAUTH2\r\n.\r\n")
            }
            "CAPA" => say("+OK\r\nTOP\r\nUIDL\r\nSTLS\r\nSASL PLAIN XOAUTH2\r\n.\r\n"),
            "STLS" => Answer::StartTls("+OK Begin TLS negotiation.\r\n"),
            "AUTH" => {
                self.token_follows = true;
                say("+ \r\n")
            }
            "STAT" => say("+OK 1 120\r\n"),
            "RETR" => {
                let body = format!("{}\r\n", "A".repeat(76)).repeat(self.lines);
                say(&format!("+OK\r\nSubject: hello\r\n\r\n{body}body\r\n.\r\n"))
            }
            "QUIT" => say("+OK Microsoft Exchange POP3 server signing off.\r\n"),
            _ => say("-ERR Protocol error. 14\r\n"),
        }
    }
}

/// An IMAP server that takes the token on the AUTHENTICATE line.
pub(crate) struct Imap {
    tells_capabilities: bool,
    tells_changes: bool,
}

impl Imap {
    /// Exchange Online, which says what it can do only when it is asked.
    pub(crate) fn exchange() -> Self {
        Self { tells_capabilities: false, tells_changes: false }
    }

    /// Dovecot, which says so in its greeting and when the login is done.
    pub(crate) fn dovecot() -> Self {
        Self { tells_capabilities: true, tells_changes: false }
    }

    /// The same with the changes of a mailbox that is opened.
    pub(crate) fn qresync() -> Self {
        Self { tells_capabilities: true, tells_changes: true }
    }
}

const EXCHANGE: &str = "IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS MOVE ID UNSELECT \
                        CLIENTACCESSRULES CLIENTNETWORKPRESENCELOCATION BACKENDAUTHENTICATE \
                        CHILDREN IDLE NAMESPACE LITERAL+";

impl Script for Imap {
    fn greeting(&self) -> &'static str {
        if self.tells_capabilities {
            "* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID ENABLE IDLE AUTH=XOAUTH2] ready\r\n"
        } else {
            "* OK The Microsoft Exchange IMAP4 service is ready. [QQBNADAA]\r\n"
        }
    }

    fn answer(&mut self, line: &str) -> Answer {
        let mut words = line.split(' ');
        let tag = words.next().unwrap_or_default();
        let verb = words.next().unwrap_or_default();
        let untagged = match verb {
            "CAPABILITY" => format!("* CAPABILITY {EXCHANGE}\r\n"),
            "NAMESPACE" => "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n".to_owned(),
            "ID" => "* ID (\"name\" \"Microsoft.Exchange.Imap4.Imap4Server\")\r\n".to_owned(),
            "ENABLE" => "* ENABLED QRESYNC\r\n".to_owned(),
            "SELECT" if self.tells_changes => changes(10),
            "SELECT" | "EXAMINE" => "* 1 EXISTS\r\n* 0 RECENT\r\n\
                * FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft $MDNSent)\r\n\
                * OK [PERMANENTFLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft $MDNSent)] \
                Permanent flags\r\n* OK [UIDVALIDITY 14] UIDVALIDITY value\r\n\
                * OK [UIDNEXT 2] The next unique identifier value\r\n"
                .to_owned(),
            "UID" => "* 1 FETCH (UID 1 FLAGS (\\Seen) BODY[] {8}\r\nA: b\r\n\r\n)\r\n".to_owned(),
            "STATUS" => {
                let name = line.split('"').nth(1).unwrap_or_default();
                format!("* STATUS \"{name}\" (MESSAGES 7)\r\n")
            }
            "LOGOUT" => "* BYE Microsoft Exchange Server IMAP4 server signing off.\r\n".to_owned(),
            _ => String::new(),
        };
        let code = match verb {
            "AUTHENTICATE" if self.tells_capabilities => {
                "[CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID ENABLE IDLE UIDPLUS NAMESPACE QRESYNC] "
            }
            "SELECT" => "[READ-WRITE] ",
            _ => "",
        };
        Answer::Say(format!("{untagged}{tag} OK {code}{verb} completed.\r\n"))
    }
}
