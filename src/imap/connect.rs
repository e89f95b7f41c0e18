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
use crate::connector::{Client, Establish, Protection, Settings};
use crate::net::Stream;
use crate::sasl::IMAP_COMMAND_LINE;
use crate::{Fault, Protocol, Stage};

use super::command::capability::Capability;
use super::command::id::{self, Id};
use super::command::namespace::Namespace;
use super::command::starttls::StartTls;
use super::proto::{Step, Tag};
use super::session::Session;
use super::{Code, Error, ImapClient, Reply, Status};

impl Client for ImapClient {}

impl Establish for ImapClient {
    type Error = Error;

    const PROTOCOL: Protocol = Protocol::Imap;

    /// The clear-text core ends with this function: what was heard on it cannot survive.
    async fn start_tls(
        stream: Box<dyn Stream>,
        settings: &Settings,
    ) -> Result<Box<dyn Stream>, Error> {
        let mut session = Session::new(stream, settings, false);
        if greeting(&mut session).await? == Status::PreAuth {
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
            false => greeting(&mut session).await?,
        };
        capabilities(&mut session).await?;
        let named = session.core().capabilities_named();
        // A server that knows us by other means wants no login (RFC 9051 section 7.1.4).
        if status != Status::PreAuth {
            authenticate(&mut session, login).await?;
        }
        let told = status == Status::PreAuth || session.core().capabilities_named() > named;
        settle_in(&mut session, settings, told).await?;
        Ok(Self::new(session))
    }
}

async fn greeting(session: &mut Session) -> Result<Status, Error> {
    session.core_mut().expect_greeting();
    loop {
        if let Step::Greeting(reply) = session.step(Stage::Greeting).await? {
            return match reply.status() {
                status @ (Status::Ok | Status::PreAuth) => Ok(status),
                _ => Err(Error::Refused { stage: Stage::Greeting, reply }),
            };
        }
    }
}

/// Asks what the server can do, unless its greeting told.
async fn capabilities(session: &mut Session) -> Result<(), Error> {
    if session.core().capabilities_named() == 0 {
        session.run(Capability, Stage::Capabilities).await?;
    }
    Ok(())
}

async fn authenticate(session: &mut Session, login: Login) -> Result<(), Error> {
    let mechanism = login.session.mechanism();
    let offered = session.core().capabilities();
    if !offered.has_auth(mechanism) {
        return Err(Error::lacks(offered, Stage::Auth, &format!("AUTH={mechanism}")));
    }
    // The longest tag of a session this young.
    const COMMAND: &str = "A99 AUTHENTICATE";
    let inline = !login.two_step
        && offered.has("SASL-IR")
        && login.session.fits_inline(COMMAND, IMAP_COMMAND_LINE);
    session.driver_mut().scrub(login.session.scrubber());
    let started = session.core_mut().authenticate(login.session, inline);
    let tag = started.map_err(|error| Error::unwritable("the login", error))?;
    let reply = reply_to(session, tag, Stage::Auth).await?;
    match cause(&reply) {
        None => Ok(()),
        Some(cause) => Err(session.refused(reply, cause, inline)),
    }
}

/// What is still to be said and asked behind a login, in one flight.
async fn settle_in(session: &mut Session, settings: &Settings, told: bool) -> Result<(), Error> {
    let offered = session.core().capabilities();
    let (may_id, may_namespace) = (offered.has("ID"), offered.has("NAMESPACE"));
    let demanded = settings.endpoint.profile().demands_id();
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
    Ok(())
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
        None if reply.says("basic authentication is disabled") => AuthCause::Policy,
        None => AuthCause::Credential,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::imap::reply::tests::reply;

    #[test]
    fn only_a_refusal_of_the_credential_blames_it() {
        let throttled = AuthCause::Temporary(Some(Duration::from_millis(92_415)));
        for (line, expected) in [
            ("NO AUTHENTICATE failed.", AuthCause::Credential),
            ("NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)", AuthCause::Credential),
            ("NO [EXPIRED] token", AuthCause::Credential),
            ("NO [UNAVAILABLE] Temporary authentication failure.", AuthCause::Temporary(None)),
            ("NO [CONTACTADMIN] ask", AuthCause::Policy),
            ("NO [ALERT] Please log in via your web browser", AuthCause::Policy),
            ("NO [XWHATEVER] no", AuthCause::Other),
            ("NO Basic authentication is disabled.", AuthCause::Policy),
            ("NO User is authenticated but not connected.", AuthCause::NotConnected),
            ("OK User is authenticated but not connected.", AuthCause::NotConnected),
            ("OK [Error=\"x\" Proxy=y] AUTHENTICATE completed.", AuthCause::NotConnected),
            ("BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds", throttled),
            ("BAD Command Argument Error. 12", AuthCause::Malformed),
        ] {
            assert_eq!(cause(&reply(&format!("A1 {line}"))), Some(expected), "{line}");
        }
        assert_eq!(cause(&reply("A1 OK AUTHENTICATE completed.")), None);
    }
}
