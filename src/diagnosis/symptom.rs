//! What an error of this crate says went wrong, wherever it is wrapped.

use std::error::Error;
use std::sync::Arc;

use super::Context;
use super::case::Case;
use super::finding::Finding;
use super::line::Line;
#[cfg(feature = "proxy")]
use super::quote::one_line;
use super::rules;
use super::tell;
use crate::token::TokenError;
use crate::{AuthCause, AuthError, Fault, Protocol, Stage, net};

/// How many errors may be wrapped in one another.
const DEEPEST: usize = 32;

/// What is to be said to an error, with what it carries and what the caller knows.
pub(super) fn explain(error: &(dyn Error + 'static), known: &Context) -> Vec<Finding> {
    let mut next = Some(error);
    for _ in 0..DEEPEST {
        let Some(error) = next else { break };
        if let Some(findings) = of_this_crate(error, known) {
            return findings;
        }
        next = within(error);
    }
    Vec::new()
}

/// What an error wraps. An `io::Error` skips it in `source`, since its text is the same.
fn within<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let held = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    match held {
        Some(held) => Some(held),
        None => error.source(),
    }
}

/// The same, if it is one of this crate's; in a box or shared, too.
fn of_this_crate(error: &(dyn Error + 'static), known: &Context) -> Option<Vec<Finding>> {
    macro_rules! try_as {
        ($($kind:ty => $look:expr),* $(,)?) => {
            $(
                let found = error
                    .downcast_ref::<$kind>()
                    .or_else(|| error.downcast_ref::<Box<$kind>>().map(|boxed| &**boxed))
                    .or_else(|| error.downcast_ref::<Arc<$kind>>().map(|shared| &**shared));
                if let Some(found) = found {
                    let look: fn(&$kind, &Context) -> Vec<Finding> = $look;
                    return Some(look(found, known));
                }
            )*
        };
    }
    #[cfg(feature = "smtp")]
    try_as! { crate::smtp::Error => smtp, AuthError<crate::smtp::Reply<'static>> => |error, known| auth(error, Protocol::Smtp, known) }
    #[cfg(feature = "imap")]
    try_as! { crate::imap::Error => imap, AuthError<crate::imap::Reply> => |error, known| auth(error, Protocol::Imap, known) }
    #[cfg(feature = "pop")]
    try_as! { crate::pop::Error => pop, AuthError<crate::pop::Reply> => |error, known| auth(error, Protocol::Pop, known) }
    try_as! { TokenError => token, net::Error => |error, known| broke(error, None, None, known) }
    #[cfg(feature = "oauth")]
    try_as! {
        crate::token::TokenEndpointError => |error, known| rules::token::refused(error, &Case::of(known, None)),
    }
    #[cfg(feature = "proxy")]
    try_as! { net::proxy::Error => |error, known| {
        let fact = one_line(&error.to_string());
        let guesses = rules::net::proxy(error).into_iter().map(|guess| guess.fact(fact.clone()));
        tell(guesses.collect(), &Case::of(known, None))
    } }
    None
}

#[cfg(feature = "smtp")]
fn smtp(error: &crate::smtp::Error, known: &Context) -> Vec<Finding> {
    use crate::smtp::Error;
    const PROTOCOL: Protocol = Protocol::Smtp;
    match error {
        Error::Refused { stage, reply, receipt, .. } => {
            let mut findings = refused(PROTOCOL, *stage, &reply.to_string(), known);
            for refused_one in receipt.refused() {
                if !findings.is_empty() {
                    break;
                }
                findings = refused(PROTOCOL, *stage, &refused_one.reply().to_string(), known);
            }
            findings
        }
        Error::Auth(error) => auth(error, PROTOCOL, known),
        Error::Unknown { cause, .. } => smtp(cause, known),
        Error::Closed { stage, reply, credential_octets } => closed(
            PROTOCOL,
            *stage,
            reply.as_ref().map(ToString::to_string),
            *credential_octets,
            known,
        ),
        Error::Protocol { stage, fault } => at_fault(PROTOCOL, *stage, fault, known),
        Error::Unsupported { what, offered, .. } => lacking(PROTOCOL, what, offered, known),
        Error::Net { stage, source } => broke(source, Some(PROTOCOL), Some(*stage), known),
        Error::Token(error) => token(error, known),
        Error::TooLarge { .. } | Error::TooMany { .. } | Error::Body { .. } | Error::Misuse(_) => {
            Vec::new()
        }
    }
}

#[cfg(feature = "imap")]
fn imap(error: &crate::imap::Error, known: &Context) -> Vec<Finding> {
    use crate::imap::Error;
    const PROTOCOL: Protocol = Protocol::Imap;
    match error {
        Error::Refused { stage, reply, .. } => refused(PROTOCOL, *stage, &reply.to_string(), known),
        Error::Auth(error) => auth(error, PROTOCOL, known),
        Error::Unknown { cause }
        | Error::Halfway { cause, .. }
        | Error::NotRemoved { cause, .. } => imap(cause, known),
        Error::Closed { stage, reply, credential_octets } => closed(
            PROTOCOL,
            *stage,
            reply.as_ref().map(ToString::to_string),
            *credential_octets,
            known,
        ),
        Error::Protocol { stage, fault } => at_fault(PROTOCOL, *stage, fault, known),
        Error::Unsupported { what, offered, .. } => lacking(PROTOCOL, what, offered, known),
        Error::Net { stage, source } => broke(source, Some(PROTOCOL), Some(*stage), known),
        Error::Token(error) => token(error, known),
        _ => Vec::new(),
    }
}

#[cfg(feature = "pop")]
fn pop(error: &crate::pop::Error, known: &Context) -> Vec<Finding> {
    use crate::pop::Error;
    const PROTOCOL: Protocol = Protocol::Pop;
    match error {
        Error::Refused { stage, reply } => refused(PROTOCOL, *stage, &reply.to_string(), known),
        Error::Auth(error) => auth(error, PROTOCOL, known),
        Error::Unknown { source, .. } => pop(source, known),
        Error::Closed { stage, reply, credential_octets } => closed(
            PROTOCOL,
            *stage,
            reply.as_ref().map(ToString::to_string),
            *credential_octets,
            known,
        ),
        Error::Protocol { stage, fault } => at_fault(PROTOCOL, *stage, fault, known),
        Error::Unsupported { what, offered } => lacking(PROTOCOL, what, offered, known),
        Error::Net { stage, source } => broke(source, Some(PROTOCOL), Some(*stage), known),
        Error::Token(error) => token(error, known),
        _ => Vec::new(),
    }
}

/// A refused login, with what the connector knew.
fn auth<R: std::fmt::Display>(
    error: &AuthError<R>,
    protocol: Protocol,
    known: &Context,
) -> Vec<Finding> {
    let context = match error.context() {
        Some(carried) => known.clone().or(carried),
        None => known.clone(),
    };
    let mut case = Case::of(&context, Some(protocol));
    case.stage = Some(Stage::Auth);
    case.by_password = !matches!(error.mechanism(), "XOAUTH2" | "OAUTHBEARER");
    case.not_opened = error.cause() == AuthCause::NotConnected;
    case.token_refused = error.cause() == AuthCause::Credential && !case.by_password;
    case.refreshed = error.token_refreshed();
    case.credential_octets = Some(error.credential_octets());
    let challenge = error.challenge();
    case.challenge = challenge.map(|challenge| (challenge.status(), challenge.scope()));
    let line = Line::read(protocol, &error.reply().to_string());
    tell(line.map(|line| rules::login(&line, &case)).unwrap_or_default(), &case)
}

/// A reply of the server's that is a refusal.
pub(super) fn refused(
    protocol: Protocol,
    stage: Stage,
    reply: &str,
    known: &Context,
) -> Vec<Finding> {
    let mut case = Case::of(known, Some(protocol));
    case.stage = Some(stage);
    let Some(line) = Line::read(protocol, reply) else { return Vec::new() };
    // Only Microsoft's own word for it gets into a command.
    case.refused_sender = line.refused_sender().filter(|_| case.service.is_microsofts());
    tell(rules::said(&line, &case), &case)
}

fn closed(
    protocol: Protocol,
    stage: Stage,
    words: Option<String>,
    credential_octets: Option<usize>,
    known: &Context,
) -> Vec<Finding> {
    let mut case = Case::of(known, Some(protocol));
    case.stage = Some(stage);
    case.credential_octets = credential_octets;
    let line = words.and_then(|words| Line::read(protocol, &words));
    let said = line.map(|line| rules::said(&line, &case)).unwrap_or_default();
    tell(if said.is_empty() { rules::net::closed(&case) } else { said }, &case)
}

fn at_fault(protocol: Protocol, stage: Stage, fault: &Fault, known: &Context) -> Vec<Finding> {
    let mut case = Case::of(known, Some(protocol));
    case.stage = Some(stage);
    tell(rules::net::fault(fault, &case), &case)
}

fn lacking(protocol: Protocol, what: &str, offered: &str, known: &Context) -> Vec<Finding> {
    tell(rules::net::lacks(what, offered), &Case::of(known, Some(protocol)))
}

fn broke(
    error: &net::Error,
    protocol: Option<Protocol>,
    stage: Option<Stage>,
    known: &Context,
) -> Vec<Finding> {
    let mut case = Case::of(known, protocol);
    case.stage = stage;
    tell(rules::net::broke(error, &case), &case)
}

fn token(error: &TokenError, known: &Context) -> Vec<Finding> {
    let case = Case::of(known, None);
    #[cfg(feature = "oauth")]
    if let Some(refusal) = error.cause().downcast_ref::<crate::token::TokenEndpointError>() {
        return rules::token::refused(refusal, &case);
    }
    #[cfg(feature = "oauth")]
    let guesses = rules::token::missing(error, &case);
    #[cfg(not(feature = "oauth"))]
    let guesses: Vec<super::case::Guess> = match error.cause().is::<crate::token::MalformedToken>()
    {
        true => vec![super::case::Guess::certain(super::Cause::TokenMalformed)],
        false => Vec::new(),
    };
    if guesses.is_empty() {
        // A caller's provider may have wrapped an error of this crate.
        return explain(error.cause(), known);
    }
    tell(guesses, &case)
}
