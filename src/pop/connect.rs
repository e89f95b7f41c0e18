//! From a stream to a client that is logged in.

use crate::auth::{AuthCause, AuthError, Login};
use crate::connector::{Client, Establish, Milestone, Protection, Settings};
use crate::net::Stream;
use crate::net::driver::Driver;
use crate::sasl::{self, POP_COMMAND_LINE};
use crate::{Fault, Protocol, Stage};

use super::client::{Offered, rest};
use super::command::capa::Capa;
use super::command::stat::Stat;
use super::command::utf8::Utf8;
use super::command::{Command, stls::Stls};
use super::error::EXCHANGE_TOKEN;
use super::proto::{Core, Event, Response};
use super::{Capabilities, Error, PopClient, Reply, ResponseCode};

impl Client for PopClient {}

impl Establish for PopClient {
    type Error = Error;

    const PROTOCOL: Protocol = Protocol::Pop;

    /// The clear-text core ends with this function: what was heard on it cannot survive.
    async fn start_tls(
        stream: Box<dyn Stream>,
        settings: &Settings,
    ) -> Result<Box<dyn Stream>, Error> {
        let mut session = Opening::new(stream, settings, false);
        session.greeting(settings).await?;
        let offered = session.capabilities().await?;
        // A server without CAPA may know STLS all the same.
        if offered.iter().next().is_some() && !offered.has("STLS") {
            return Err(unsupported("STLS".to_owned(), offered.iter()));
        }
        session.run(Stls, Stage::StartTls).await?;
        let (stream, core) = session.driver.into_parts();
        match core.unread() {
            0 => Ok(stream),
            // RFC 2595 section 4 has the client wait; whoever spoke meanwhile is not the server.
            octets => Err(Error::Protocol {
                stage: Stage::StartTls,
                fault: Fault::BytesBeforeTls { octets },
            }),
        }
    }

    async fn open(
        stream: Box<dyn Stream>,
        protection: Protection,
        settings: &Settings,
        login: Login,
    ) -> Result<Self, Error> {
        let mut session = Opening::new(stream, settings, protection.confidential);
        if !protection.greeted {
            session.greeting(settings).await?;
        }
        let capabilities = session.capabilities().await?;
        settings
            .reached(|| Milestone::Offered(capabilities.iter().collect::<Vec<_>>().join(", ")))?;
        may_log_in(&capabilities, &login.session)?;
        // RFC 6856 section 2: only before the login. Without it the server must rewrite or refuse
        // messages with UTF-8 in their headers.
        if capabilities.has("UTF8") {
            match session.run(Utf8, Stage::Command(Utf8::NAME)).await {
                Err(Error::Refused { .. }) => {}
                done => done?,
            }
        }
        session.authenticate(settings, login, &capabilities).await?;
        // What is offered may differ behind the login. Asking costs nothing where it can be done
        // in one flight with the probe.
        let ask_again = capabilities.has("PIPELINING");
        rest(&mut session.driver, Stage::Probe).await?;
        session.start(&Stat)?;
        if ask_again {
            session.start(&Capa)?;
        }
        // A login can succeed and the mailbox still not open; STAT finds out.
        let maildrop = match session.finish(Stat, Stage::Probe).await {
            Err(Error::Refused { reply, .. }) => {
                return Err(session.not_opened(reply, &capabilities));
            }
            maildrop => maildrop?,
        };
        let mut offered = Offered { capabilities, behind_login: ask_again };
        if ask_again {
            match session.finish(Capa, Stage::Capabilities).await {
                Err(Error::Refused { .. }) => {}
                capabilities => offered.capabilities = capabilities?,
            }
        }
        Ok(Self::new(session.driver, offered, settings.limits.clone(), maildrop))
    }
}

fn may_log_in(offered: &Capabilities, session: &sasl::Session) -> Result<(), Error> {
    let mechanism = session.mechanism();
    let Some((user, password)) = session.by_user_pass() else {
        return if offered.may_authenticate(mechanism) {
            Ok(())
        } else {
            Err(unsupported(format!("SASL {mechanism}"), offered.mechanisms()))
        };
    };
    if offered.iter().next().is_some() && !offered.has("USER") {
        return Err(unsupported("USER".to_owned(), offered.iter()));
    }
    // RFC 6856 section 2.2.
    let ascii = user.is_ascii() && password.expose().is_ascii();
    let utf8 = offered.arguments("UTF8").unwrap_or_default();
    if !ascii && !utf8.split(' ').any(|word| word.eq_ignore_ascii_case("USER")) {
        return Err(unsupported(
            "user names and passwords beyond ASCII".to_owned(),
            offered.iter(),
        ));
    }
    Ok(())
}

/// A connection on the way to a client.
struct Opening {
    driver: Driver<Core>,
}

impl Opening {
    fn new(stream: Box<dyn Stream>, settings: &Settings, confidential: bool) -> Self {
        let core = Core::new(settings.limits.clone(), confidential);
        let (timeouts, limits) = (settings.timeouts.clone(), &settings.limits);
        let driver = Driver::new(stream, core, Protocol::Pop.name(), timeouts, limits);
        Self { driver: driver.recorded(settings.dialogue.clone()) }
    }

    async fn greeting(&mut self, settings: &Settings) -> Result<(), Error> {
        self.driver.core_mut().expect_greeting();
        let Response { reply, .. } = self.event(Stage::Greeting).await?;
        if !reply.is_ok() {
            return Err(Error::Refused { stage: Stage::Greeting, reply });
        }
        settings.reached(|| Milestone::Greeted(reply.to_string()))?;
        Ok(())
    }

    /// Empty if the server does not know CAPA (RFC 2449 came after RFC 1939).
    async fn capabilities(&mut self) -> Result<Capabilities, Error> {
        // The core takes nothing for the answer that came ahead of it. To look for that first would
        // break up the flight that begins with the end of the TLS handshake.
        self.start(&Capa)?;
        match self.finish(Capa, Stage::Capabilities).await {
            Err(Error::Refused { .. }) => Ok(Capabilities::default()),
            offered => offered,
        }
    }

    async fn authenticate(
        &mut self,
        settings: &Settings,
        login: Login,
        offered: &Capabilities,
    ) -> Result<(), Error> {
        let inline = !login.two_step
            && settings.endpoint.profile().inline_auth()
            && login.session.fits_inline("AUTH", POP_COMMAND_LINE);
        rest(&mut self.driver, Stage::Auth).await?;
        self.driver.scrub(login.session.scrubber());
        let started = self.driver.core_mut().authenticate(login.session, inline);
        started.map_err(|error| Error::unwritable("the login", error))?;
        let Response { reply, .. } = self.event(Stage::Auth).await?;
        if reply.is_ok() && !says_not_connected(&reply) {
            return Ok(());
        }
        let cause = cause(&reply, offered);
        Err(self.refused(reply, cause, inline))
    }

    /// The first command after the login was refused.
    fn not_opened(&self, reply: Reply, offered: &Capabilities) -> Error {
        let cause = match reply.code() {
            Some(code) if code.is_temporary() => AuthCause::Temporary(code.wait(offered)),
            _ if reply.is_throttled() => AuthCause::Temporary(None),
            _ => AuthCause::NotConnected,
        };
        self.refused(reply, cause, false)
    }

    fn refused(&self, reply: Reply, cause: AuthCause, inline: bool) -> Error {
        let Some(session) = self.driver.core().session() else {
            return Error::Refused { stage: Stage::Auth, reply };
        };
        let mut error = AuthError::new(session, cause, reply);
        error.try_two_step = inline && cause == AuthCause::Malformed;
        error.explanation = explanation(error.reply(), inline, error.credential_octets());
        Error::Auth(Box::new(error))
    }

    async fn run<C: Command>(&mut self, command: C, stage: Stage) -> Result<C::Output, Error> {
        rest(&mut self.driver, stage).await?;
        self.start(&command)?;
        self.finish(command, stage).await
    }

    fn start<C: Command>(&mut self, command: &C) -> Result<(), Error> {
        let started = self.driver.core_mut().start(&command.encode(), command.shape());
        started.map_err(|error| Error::unwritable("the command", error))
    }

    async fn finish<C: Command>(&mut self, command: C, stage: Stage) -> Result<C::Output, Error> {
        let response = self.event(stage).await?;
        super::command::finish(command, response, stage, self.driver.core())
    }

    async fn event(&mut self, stage: Stage) -> Result<Response, Error> {
        match self.driver.event().await {
            Ok(Event::Response(response)) => Ok(response),
            // Nothing is streamed here.
            Ok(Event::Piece(_) | Event::End) => {
                let fault = Fault::unexpected("+OK or -ERR", b"a message");
                Err(Error::Protocol { stage, fault })
            }
            Err(broken) => Err(Error::broken(&self.driver, stage, broken)),
        }
    }
}

fn unsupported<'a>(what: String, offered: impl Iterator<Item = &'a str>) -> Error {
    Error::Unsupported { what, offered: offered.collect::<Vec<_>>().join(", ") }
}

/// What `Protocol error. Connection is closed. 10` means when a login is answered so, which Exchange
/// does not tell: it is its word for any line that it does not take (observed since 2019; that the
/// length of the token counts, since 2025-07).
fn explanation(reply: &Reply, inline: bool, credential_octets: usize) -> Option<&'static str> {
    if !reply.says("protocol error") {
        return None;
    }
    Some(if inline {
        "Exchange's POP3 service takes the token on a line of its own only"
    } else if credential_octets > EXCHANGE_TOKEN {
        "Exchange Online's POP3 service takes no tokens over 4,096 octets; fewer claims, such as \
         groups, make them shorter"
    } else {
        "Exchange's POP3 service says so to any line that it cannot read, and closes; no word about \
         the token"
    })
}

/// Exchange says so, in any status, when the token is good and the mailbox is not (observed since
/// 2019, and at AUTH itself since 2026).
fn says_not_connected(reply: &Reply) -> bool {
    reply.says("authenticated but not connected")
}

/// Why a login was refused. Microsoft's servers send no codes; their phrases are from Microsoft
/// Learn, "Authenticate an IMAP, POP or SMTP connection using OAuth" (2026).
fn cause(reply: &Reply, offered: &Capabilities) -> AuthCause {
    match reply.code() {
        Some(ResponseCode::Auth) => AuthCause::Credential,
        Some(ResponseCode::SysPerm) => AuthCause::Policy,
        Some(code) if code.is_temporary() => AuthCause::Temporary(code.wait(offered)),
        // A code that means nothing here hides no phrase that does.
        _ if says_not_connected(reply) => AuthCause::NotConnected,
        _ if reply.is_throttled() => AuthCause::Temporary(None),
        _ if reply.is_token_expired() => AuthCause::Credential,
        _ if reply.says("authentication failure") => AuthCause::Credential,
        _ if reply.says("basic authentication is disabled") => AuthCause::Policy,
        _ if reply.says("protocol error") || reply.says("bad command") || reply.says("syntax") => {
            AuthCause::Malformed
        }
        _ => AuthCause::Other,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, duplex};

    use super::*;
    use crate::Endpoint;

    /// Opens a session with a server that says these lines, one at a time, each after it has heard
    /// a line; the first is the greeting. How that ends, and what the server heard.
    async fn open(lines: &[&str]) -> (Error, String) {
        let (ours, theirs) = duplex(4096);
        let settings = Settings::new(Endpoint::pop("mail.test"));
        let session = sasl::Session::xoauth2("a@b.c", "T", &[]).unwrap();
        let protection = Protection { greeted: false, confidential: true };
        let login = Login { session, two_step: false };
        let client = async {
            let opened = PopClient::open(Box::new(ours), protection, &settings, login).await;
            opened.map(drop).unwrap_err()
        };
        let server = async {
            let (read, mut write) = tokio::io::split(theirs);
            let (mut read, mut heard) = (BufReader::new(read), String::new());
            for (n, line) in lines.iter().enumerate() {
                if n > 0 && read.read_line(&mut heard).await.unwrap() == 0 {
                    break;
                }
                let _ = write.write_all(line.as_bytes()).await;
            }
            let _ = read.read_to_string(&mut heard).await;
            heard
        };
        tokio::join!(client, server)
    }

    #[tokio::test(start_paused = true)]
    async fn one_answer_too_many_is_not_that_to_the_login() {
        let capa = "+OK\r\nSASL XOAUTH2\r\n.\r\n";
        for surplus in ["+OK one too many\r\n", "+OK", "+ \r\n"] {
            let (error, heard) = open(&["+OK hi\r\n", &format!("{capa}{surplus}")]).await;
            assert!(matches!(error, Error::Protocol { stage: Stage::Auth, .. }), "{error}");
            assert_eq!(heard, "CAPA\r\n");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_says_goodbye_before_the_login_is_not_told_the_token() {
        let capa = "+OK\r\nSASL XOAUTH2\r\n.\r\n-ERR going down\r\n";
        let (error, heard) = open(&["+OK hi\r\n", capa]).await;
        assert!(matches!(error, Error::Closed { stage: Stage::Auth, .. }), "{error}");
        assert!(error.to_string().contains("going down"), "{error}");
        assert_eq!(heard, "CAPA\r\n");
    }

    fn cause_of(line: &str) -> AuthCause {
        cause(&Reply::parse(line).unwrap(), &Capabilities::parse(b"LOGIN-DELAY 300\r\n"))
    }

    /// Each line that is known from a service, what is behind it, and what helps.
    #[test]
    fn only_a_refusal_of_the_credential_blames_it() {
        use AuthCause::{Credential, Malformed, NotConnected, Other, Policy, Temporary};
        let delay = Some(std::time::Duration::from_secs(300));
        let known = [
            // Microsoft: the token, the mailbox or a switch, it does not say which.
            ("-ERR Authentication failure: unknown user name or bad password.", Credential),
            ("-ERR Authentication failure: unknown user name or bad password", Credential),
            ("-ERR User is authenticated but not connected.", NotConnected),
            ("-ERR Basic authentication is disabled", Policy),
            ("-ERR Protocol error. Connection is closed. 10", Malformed),
            // Gmail, and what it says to anything but an empty line behind its challenge.
            ("-ERR [AUTH] Invalid credentials.", Credential),
            ("-ERR bad command", Malformed),
            // RFC 2449 section 8.1, RFC 3206.
            ("-ERR [IN-USE] locked", Temporary(None)),
            // What their IMAP says.
            (
                "-ERR Request is throttled. Suggested Backoff Time: 92415 milliseconds",
                Temporary(None),
            ),
            ("-ERR Session invalidated - AccessTokenExpired", Credential),
            ("-ERR [LOGIN-DELAY] too soon", Temporary(delay)),
            ("-ERR [SYS/TEMP] Temporary authentication failure.", Temporary(None)),
            ("-ERR [SYS/PERM] no such mailbox", Policy),
            ("-ERR [X-UNKNOWN] Authentication failure", Credential),
            ("-ERR no", Other),
        ];
        for (line, expected) in known {
            assert_eq!(cause_of(line), expected, "{line}");
        }
    }

    #[test]
    fn a_protocol_error_at_the_login_is_explained() {
        let closed = Reply::parse("-ERR Protocol error. Connection is closed. 10").unwrap();
        let explained = |inline, octets| explanation(&closed, inline, octets).unwrap();
        assert!(explained(true, 40).contains("on a line of its own"));
        assert!(explained(false, 4097).contains("4,096"));
        assert!(explained(false, 4096).contains("no word about the token"));
        let refused = Reply::parse("-ERR Authentication failure").unwrap();
        assert_eq!(explanation(&refused, false, 9000), None);
    }
}
