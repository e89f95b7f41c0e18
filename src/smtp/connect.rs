//! From a stream to a client that is logged in.

use crate::auth::Login;
use crate::connector::{Client, Establish, Milestone, Protection, Settings};
use crate::net::Stream;
use crate::net::driver::Driver;
use crate::sasl::SMTP_COMMAND_LINE;
use crate::{Fault, Misuse, Protocol, Security, Stage};

use super::client::reply;
use super::command::{auth, ehlo};
use super::proto::{Core, Event};
use super::{Error, Extension, Extensions, Reply, SmtpClient};

impl Client for SmtpClient {}

impl Establish for SmtpClient {
    type Error = Error;

    const PROTOCOL: Protocol = Protocol::Smtp;

    fn check(settings: &Settings) -> Result<(), Misuse> {
        ehlo::line(settings.ehlo_name.as_deref()).map(drop)
    }

    /// The clear-text core ends with this function: what was heard on it cannot survive.
    async fn start_tls(
        stream: Box<dyn Stream>,
        settings: &Settings,
    ) -> Result<Box<dyn Stream>, Error> {
        let core = Core::before_greeting(false, &settings.limits);
        let mut session = Opening::new(stream, core, settings);
        session.greeting(settings).await?;
        let offered = session.ehlo(settings).await?;
        if !offered.start_tls() {
            return Err(unsupported("STARTTLS", offered.all().map(|(keyword, _)| keyword)));
        }
        session.command("STARTTLS", Stage::StartTls).await?;
        let (stream, core) = session.driver.into_parts();
        match core.unread() {
            0 => Ok(stream),
            // RFC 3207 section 4 has the server wait for the handshake; whoever spoke is not it.
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
        let core = match protection.greeted {
            true => Core::after_greeting(protection.confidential, &settings.limits),
            false => Core::before_greeting(protection.confidential, &settings.limits),
        };
        let mut session = Opening::new(stream, core, settings);
        if settings.endpoint.profile().is_without(Extension::EnhancedStatusCodes) {
            session.driver.core_mut().leave_enhanced_codes();
        }
        if !protection.greeted {
            session.greeting(settings).await?;
        }
        let extensions = session.ehlo(settings).await?;
        settings.reached(|| Milestone::Offered(described(&extensions)))?;
        let mechanism = login.session.mechanism();
        if !extensions.auth(mechanism) {
            return Err(unsupported(&format!("AUTH {mechanism}"), extensions.auth_mechanisms()));
        }
        session.authenticate(settings, login).await?;
        Ok(Self::new(session.driver, extensions))
    }
}

/// A connection on the way to a client.
struct Opening {
    driver: Driver<Core>,
}

impl Opening {
    fn new(stream: Box<dyn Stream>, core: Core, settings: &Settings) -> Self {
        let (timeouts, limits) = (settings.timeouts.clone(), &settings.limits);
        let driver = Driver::new(stream, core, Protocol::Smtp.name(), timeouts, limits);
        Self { driver: driver.recorded(settings.dialogue.clone()) }
    }

    /// 220, or 554 from a server that takes no mail (RFC 5321 section 3.1).
    async fn greeting(&mut self, settings: &Settings) -> Result<(), Error> {
        let reply = self.answered(Stage::Greeting).await?;
        settings.reached(|| Milestone::Greeted(reply.to_string()))?;
        Ok(())
    }

    async fn ehlo(&mut self, settings: &Settings) -> Result<Extensions, Error> {
        let line = ehlo::line(settings.ehlo_name.as_deref())?;
        let reply = self.command(&line, Stage::Capabilities).await?;
        let endpoint = &settings.endpoint;
        let mut off = endpoint.profile().smtp_off();
        if matches!(endpoint.security(), Security::ClearText(_)) {
            // RFC 8689 section 2: only over TLS.
            off |= Extension::RequireTls.bit();
        }
        Ok(Extensions::from_reply(&reply).without(off))
    }

    async fn authenticate(&mut self, settings: &Settings, login: Login) -> Result<(), Error> {
        let inline = !login.two_step
            && settings.endpoint.profile().inline_auth()
            && login.session.fits_inline("AUTH", SMTP_COMMAND_LINE);
        self.check_rest(Stage::Auth)?;
        self.driver.scrub(login.session.scrubber());
        let started = self.driver.core_mut().auth(Box::new(login.session), inline);
        started.map_err(|error| Error::unwritable("the login", error))?;
        loop {
            match self.driver.event().await {
                Ok(Event::Authenticated(reply, session)) => {
                    return auth::verdict(&session, reply, inline).map_err(Error::Auth);
                }
                Ok(Event::Closing) => return Err(Error::closed(self.driver.core(), Stage::Auth)),
                // Nothing else is in flight.
                Ok(_) => {}
                Err(broken) => return Err(Error::broken(&mut self.driver, Stage::Auth, broken)),
            }
        }
    }

    async fn command(&mut self, line: &str, stage: Stage) -> Result<Reply<'static>, Error> {
        self.check_rest(stage)?;
        let core = self.driver.core_mut();
        core.command(line).map_err(|error| Error::unwritable("the command", error))?;
        self.answered(stage).await
    }

    /// What stands before an answer that was not asked for yet was not said by the server we talk
    /// to, or not to us; or it says that it will close.
    fn check_rest(&mut self, stage: Stage) -> Result<(), Error> {
        let core = self.driver.core_mut();
        core.check_quiet().map_err(|fault| Error::Protocol { stage, fault })?;
        match core.last_words() {
            Some(_) => Err(Error::closed(core, stage)),
            None => Ok(()),
        }
    }

    async fn answered(&mut self, stage: Stage) -> Result<Reply<'static>, Error> {
        let reply = reply(&mut self.driver, stage).await?;
        if reply.is_positive() { Ok(reply) } else { Err(Error::refused(stage, reply)) }
    }
}

/// The extensions, for people.
fn described(extensions: &Extensions) -> String {
    let all = extensions.all().map(|(keyword, with)| format!("{keyword} {with}"));
    all.map(|one| one.trim_end().to_owned()).collect::<Vec<_>>().join(", ")
}

fn unsupported<'a>(what: &str, offered: impl Iterator<Item = &'a str>) -> Error {
    let offered = offered.collect::<Vec<_>>().join(", ");
    Error::Unsupported { stage: Stage::Capabilities, what: what.to_owned(), offered }
}
