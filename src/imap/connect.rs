//! From a stream to a client that is logged in.
//!
//! ```text
//! greeting ─► [CAPABILITY] ─► AUTHENTICATE ─► [CAPABILITY, NAMESPACE, ID in one flight] ─► client
//! ```
//!
//! CAPABILITY is asked for only where the server has not told of itself. Where the login brought no
//! capabilities, the flight behind it also proves that the mailbox really opened: Exchange may say
//! `OK` to AUTHENTICATE and `BAD User is authenticated but not connected.` to the next command.

use crate::auth::{AuthCause, Login};
use crate::connector::{Client, Establish, Milestone, Protection, Settings};
use crate::net::Stream;
use crate::sasl::IMAP_COMMAND_LINE;
use crate::{Fault, Misuse, Protocol, Stage};

use super::command::capability::Capability;
use super::command::id::{self, Id};
use super::command::namespace::Namespace;
use super::command::starttls::StartTls;
use super::proto::encode::Literals;
use super::proto::{Step, Tag};
use super::session::Session;
use super::{Code, Error, ImapClient, Reply, Status};

impl Client for ImapClient {}

impl Establish for ImapClient {
    type Error = Error;

    const PROTOCOL: Protocol = Protocol::Imap;

    fn check(settings: &Settings) -> Result<(), Misuse> {
        id::check(&settings.id)
    }

    /// The clear-text core ends with this function: what was heard on it cannot survive.
    async fn start_tls(
        stream: Box<dyn Stream>,
        settings: &Settings,
    ) -> Result<Box<dyn Stream>, Error> {
        let mut session = Session::new(stream, settings, false);
        if greeting(&mut session, settings).await? == Status::PreAuth {
            // Nothing but STARTTLS may be said on it, and a server in this state refuses that.
            let fault = Fault::PreauthInClearText;
            return Err(Error::Protocol { stage: Stage::Greeting, fault });
        }
        capabilities(&mut session).await?;
        if !session.core().capabilities().has("STARTTLS") {
            let offered = session.core().capabilities();
            return Err(Error::lacks(offered, Stage::StartTls, "STARTTLS"));
        }
        session.run(StartTls, Stage::StartTls).await?;
        let (stream, core) = session.into_parts();
        match core.unread() {
            0 => Ok(stream),
            // RFC 9051 section 6.2.1 has the client wait; whoever spoke meanwhile is not the
            // server.
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
        let mut session = Session::new(stream, settings, protection.confidential);
        let status = match protection.greeted {
            true => Status::Ok,
            false => greeting(&mut session, settings).await?,
        };
        capabilities(&mut session).await?;
        settings.reached(|| Milestone::Offered(session.core().capabilities().to_string()))?;
        match status {
            // A server that knows us by other means wants no login (RFC 9051 section 7.1.4).
            Status::PreAuth => settle_in(&mut session, settings, true).await?,
            _ => log_in(&mut session, settings, login).await?,
        }
        Ok(Self::new(session))
    }
}

/// From a server that says what it can do, and with whom nobody is logged in, to one that takes
/// commands.
pub(super) async fn log_in(
    session: &mut Session,
    settings: &Settings,
    login: Login,
) -> Result<(), Error> {
    let named = session.core().capabilities_named();
    authenticate(session, login).await?;
    session.core_mut().forget_premature();
    let told = session.core().capabilities_named() > named;
    settle_in(session, settings, told).await
}

async fn greeting(session: &mut Session, settings: &Settings) -> Result<Status, Error> {
    session.core_mut().expect_greeting();
    loop {
        if let Step::Greeting(reply) = session.step(Stage::Greeting).await? {
            return match reply.status() {
                status @ (Status::Ok | Status::PreAuth) => {
                    settings.reached(|| Milestone::Greeted(reply.to_string()))?;
                    Ok(status)
                }
                _ => Err(Error::refused(session.core(), Stage::Greeting, reply)),
            };
        }
    }
}

/// Asks what the server can do, unless it has told.
pub(super) async fn capabilities(session: &mut Session) -> Result<(), Error> {
    match session.core().capabilities_named() {
        0 => session.run(Capability, Stage::Capabilities).await.map(drop),
        _ => Ok(()),
    }
}

async fn authenticate(session: &mut Session, login: Login) -> Result<(), Error> {
    if let Some((user, password)) = login.session.by_user_pass() {
        let offered = session.core().capabilities();
        if offered.has("LOGINDISABLED") {
            return Err(Error::lacks(offered, Stage::Auth, "LOGIN"));
        }
        let small = user.len().max(password.expose().len()) as u64 <= Literals::SMALL;
        let literals = Literals::of(session.core().offer());
        let ascii = user.is_ascii() && password.expose().is_ascii();
        let writable = ascii || literals == Literals::Any || literals == Literals::Small && small;
        if !writable {
            return Err(Error::lacks(offered, Stage::Auth, "LITERAL+"));
        }
        session.driver_mut().scrub(login.session.scrubber());
        let started = session.core_mut().log_in(login.session);
        let tag = started.map_err(|error| Error::unwritable("the login", error))?;
        return granted(session, tag, false).await;
    }
    let mechanism = login.session.mechanism();
    let offered = session.core().capabilities();
    if !offered.has_auth(mechanism) {
        return Err(Error::lacks(offered, Stage::Auth, &format!("AUTH={mechanism}")));
    }
    let command = format!("{} AUTHENTICATE", session.core().next_tag());
    let inline = !login.two_step
        && session.core().offer().has("SASL-IR")
        && login.session.fits_inline(&command, session.most_of_line().min(IMAP_COMMAND_LINE));
    session.driver_mut().scrub(login.session.scrubber());
    let started = session.core_mut().authenticate(login.session, inline);
    let tag = started.map_err(|error| Error::unwritable("the login", error))?;
    granted(session, tag, inline).await
}

/// Waits for what the server says to a login.
async fn granted(session: &mut Session, tag: Tag, inline: bool) -> Result<(), Error> {
    let reply = reply_to(session, tag, Stage::Auth).await?;
    match cause(&reply) {
        None => Ok(()),
        Some(cause) => Err(session.refused(reply, cause, inline)),
    }
}

/// What is still to be said and asked behind a login, in one flight, and compression.
async fn settle_in(session: &mut Session, settings: &Settings, told: bool) -> Result<(), Error> {
    let offered = session.core().capabilities();
    let may_id = offered.has("ID");
    let (offer, habits) = (session.core().offer(), session.core().habits());
    let may_namespace = offer.has("NAMESPACE") && !habits.ends_at_namespace;
    let demanded = settings.endpoint.profile().demands_id() || habits.demands_id;
    let capability = if told { None } else { Some(session.send(&Capability)?) };
    let namespace =
        if told || !may_namespace { None } else { Some(session.send(&Namespace::default())?) };
    let id = if demanded || may_id && !settings.id.is_empty() {
        Some(session.send(&Id::new(id::or_ours(&settings.id)))?)
    } else {
        None
    };
    let tags = [capability, namespace, id];
    let mut outstanding = tags.iter().flatten().count();
    while outstanding > 0 {
        if let Step::Done { tag, reply } = session.step(Stage::Probe).await? {
            outstanding -= 1;
            // MailKit found that any BAD to NAMESPACE means as much (MailKit#1135).
            if Some(tag) == namespace
                && reply.status() == Status::Bad
                && reply.throttled().is_none()
            {
                return Err(session.refused(reply, AuthCause::NotConnected, false));
            }
            match session.judge(reply, Stage::Probe) {
                // Nothing depends on the answer to ID, nor on namespaces.
                Err(Error::Refused { reply, .. })
                    if Some(tag) != capability && reply.throttled().is_none() => {}
                judged => drop(judged?),
            }
        }
    }
    #[cfg(feature = "compress")]
    if settings.compress {
        compress(session).await?;
    }
    Ok(())
}

/// What the server does not want goes on without.
#[cfg(feature = "compress")]
async fn compress(session: &mut Session) -> Result<(), Error> {
    match session.compress(Stage::Probe).await {
        Err(Error::Unsupported { .. }) => Ok(()),
        Err(Error::Refused { reply, .. }) if reply.throttled().is_none() => Ok(()),
        compressed => compressed,
    }
}

async fn reply_to(session: &mut Session, tag: Tag, stage: Stage) -> Result<Reply, Error> {
    loop {
        match session.step(stage).await? {
            Step::Done { tag: whose, reply } if whose == tag => return Ok(reply),
            _ => {}
        }
    }
}

/// Why a login was refused; `None` if it was granted. Where there is no response code it goes by
/// Microsoft's phrases (Microsoft Learn, "Authenticate an IMAP, POP or SMTP connection using
/// OAuth", 2026).
fn cause(reply: &Reply) -> Option<AuthCause> {
    if reply.grants() {
        return None;
    }
    if reply.says_not_connected() {
        return Some(AuthCause::NotConnected);
    }
    if let Some(after) = reply.throttled() {
        return Some(AuthCause::Temporary(after));
    }
    Some(match reply.code() {
        Some(Code::AuthenticationFailed | Code::Expired) => AuthCause::Credential,
        Some(Code::Unavailable | Code::InUse | Code::Limit | Code::ServerBug) => {
            AuthCause::Temporary(None)
        }
        // Google asks for a login by browser under ALERT.
        Some(
            Code::Alert
            | Code::AuthorizationFailed
            | Code::ContactAdmin
            | Code::NoPerm
            | Code::PrivacyRequired,
        ) => AuthCause::Policy,
        Some(_) => AuthCause::Other,
        None if reply.status() == Status::Bad => AuthCause::Malformed,
        None if reply.says_unavailable() => AuthCause::Temporary(None),
        None if reply.says("basic authentication is disabled") => AuthCause::Policy,
        None => AuthCause::Credential,
    })
}

#[cfg(test)]
mod tests;
