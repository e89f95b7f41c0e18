//! Why a login at Exchange was refused, or a mailbox did not open: the server does not say, so the
//! token is asked, and what is left is ranked by what it usually is.
//!
//! Sources: Microsoft Learn, "Authenticate an IMAP, POP or SMTP connection using OAuth" (read
//! 2026-11); reports of many programs' users (MailKit#1494, email-oauth2-proxy#74 and #275, and
//! others).

use super::super::case::{Case, Guess};
use super::super::service::Service;
use super::claims;
use crate::Protocol;
use crate::diagnosis::Cause;
use crate::token::Claims;

/// The refusal that stands for all: `535 5.7.3`, `NO AUTHENTICATE failed.`, `-ERR Authentication
/// failure`.
pub(crate) fn refused(case: &Case<'_>) -> Vec<Guess> {
    let case = &case.at_exchange();
    if case.by_password {
        return passwords(case);
    }
    let mut guesses = claims::look(case);
    for guess in &mut guesses {
        if guess.cause == Cause::TokenOfOtherUser {
            guess.confidence = super::LIKELY;
        }
    }
    let reading = case.protocol != Some(Protocol::Smtp);
    match case.claims() {
        Some(claims) if claims.app_only() => {
            let mut unregistered = Guess::likely(Cause::ServicePrincipalNotRegistered);
            // A role that is wanting explains as much, but for SMTP it is a hint only.
            let first = guesses
                .iter()
                .position(|guess| matches!(guess.cause, Cause::MissingRole | Cause::NoPermissions));
            if first.is_some() || convicts(&guesses) {
                unregistered.confidence = super::POSSIBLE;
            }
            guesses.push(ids(unregistered, claims));
            guesses.push(Guess::possible(Cause::MailboxPermissionMissing));
            guesses.push(Guess::possible(Cause::PermissionNotYetInForce));
            guesses.extend(other_tenant(claims));
            if reading {
                guesses.push(Guess::possible(Cause::ProtocolDisabled));
            }
        }
        Some(claims) => {
            let own = is_own(case, claims);
            if own == Some(false) {
                guesses.push(Guess::possible(Cause::MailboxPermissionMissing));
                guesses.push(Guess::possible(Cause::PermissionNotYetInForce));
                if !is_of_domain(case, claims) {
                    guesses.extend(other_tenant(claims));
                }
            }
            if reading {
                let likely = own == Some(true) && !convicts(&guesses);
                let confidence = if likely { super::LIKELY } else { super::POSSIBLE };
                guesses.push(Guess::new(Cause::ProtocolDisabled, confidence));
            } else {
                guesses.push(Guess::possible(Cause::AuthenticationPolicy));
            }
            if own != Some(false) {
                guesses.push(Guess::possible(Cause::NoMailbox));
            }
        }
        None if matches!(case.service, Service::Exchange { personal: true }) => {
            guesses.push(Guess::likely(Cause::TokenRefused));
            guesses.push(Guess::possible(Cause::TokenOfOtherUser));
            if reading {
                guesses.push(Guess::possible(Cause::ProtocolDisabled));
            }
        }
        None => {
            guesses.push(Guess::possible(Cause::WrongAudience));
            guesses.push(Guess::possible(Cause::ServicePrincipalNotRegistered));
            guesses.push(Guess::possible(Cause::MailboxPermissionMissing));
            guesses.push(Guess::possible(Cause::TokenOfOtherUser));
            if !case.refreshed && case.context.expiry().is_none() {
                guesses.push(Guess::possible(Cause::TokenExpired));
            }
            if reading {
                guesses.push(Guess::possible(Cause::ProtocolDisabled));
            } else {
                guesses.push(Guess::possible(Cause::AuthenticationPolicy));
            }
            guesses.push(Guess::possible(Cause::PermissionNotYetInForce));
        }
    }
    most_telling(guesses)
}

/// Where something is certain, what is merely possible is noise.
pub(crate) fn most_telling(mut guesses: Vec<Guess>) -> Vec<Guess> {
    if guesses.iter().any(|guess| guess.confidence == super::CERTAIN) {
        guesses.retain(|guess| guess.confidence > super::POSSIBLE);
    }
    guesses
}

/// The token is good, and the mailbox did not open for it.
pub(crate) fn not_opened(case: &Case<'_>) -> Vec<Guess> {
    let case = &case.at_exchange();
    if case.by_password {
        return vec![Guess::likely(Cause::WrongPassword), Guess::possible(Cause::NoMailbox)];
    }
    // Audience and lifetime were found good by the server.
    let mut guesses: Vec<_> = claims::look(case)
        .into_iter()
        .filter(|guess| {
            !matches!(
                guess.cause,
                Cause::WrongAudience
                    | Cause::TokenExpired
                    | Cause::TokenExpiresSoon
                    | Cause::TokenNotYetValid
                    | Cause::TokenTooLong
            )
        })
        .collect();
    for guess in &mut guesses {
        if guess.cause == Cause::TokenOfOtherUser {
            guess.confidence = super::LIKELY;
        }
    }
    let reading = case.protocol != Some(Protocol::Smtp);
    let granting = |guesses: &mut Vec<Guess>, first: Guess| {
        guesses.push(first);
        guesses.push(Guess::possible(Cause::PermissionNotYetInForce));
    };
    match case.claims() {
        Some(claims) if claims.app_only() => {
            let missing = if convicts(&guesses) { super::POSSIBLE } else { super::LIKELY };
            granting(
                &mut guesses,
                ids(Guess::new(Cause::MailboxPermissionMissing, missing), claims),
            );
            guesses.push(ids(Guess::possible(Cause::ServicePrincipalNotRegistered), claims));
        }
        Some(claims) => match is_own(case, claims) {
            Some(true) if reading => guesses.push(Guess::likely(Cause::ProtocolDisabled)),
            Some(true) => {}
            _ => granting(&mut guesses, Guess::possible(Cause::MailboxPermissionMissing)),
        },
        None if matches!(case.service, Service::Exchange { personal: true }) => {
            if reading {
                guesses.push(Guess::likely(Cause::ProtocolDisabled));
            }
            guesses.push(Guess::possible(Cause::TokenOfOtherUser));
        }
        None => {
            granting(&mut guesses, Guess::likely(Cause::MailboxPermissionMissing));
            guesses.push(Guess::possible(Cause::TokenOfOtherUser));
        }
    }
    if reading && !guesses.iter().any(|guess| guess.cause == Cause::ProtocolDisabled) {
        guesses.push(Guess::possible(Cause::ProtocolDisabled));
    }
    guesses.push(Guess::possible(Cause::NoMailbox));
    most_telling(guesses)
}

/// A password, where Microsoft hardly takes them any more.
fn passwords(case: &Case<'_>) -> Vec<Guess> {
    match case.protocol {
        Some(Protocol::Smtp) => vec![
            Guess::possible(Cause::WrongPassword),
            Guess::possible(Cause::AuthenticationPolicy),
            Guess::possible(Cause::BasicAuthDisabled),
        ],
        _ => vec![Guess::likely(Cause::BasicAuthDisabled)],
    }
}

/// Whether something is enough to explain the refusal alone.
fn convicts(guesses: &[Guess]) -> bool {
    guesses.iter().any(|guess| guess.confidence >= super::LIKELY)
}

/// Whether the token's user is the mailbox's, if both are known.
fn is_own(case: &Case<'_>, claims: &Claims) -> Option<bool> {
    Some(claims::is_same(case.mailbox()?, claims.user()?))
}

/// Whether the token's user and the mailbox have one domain.
fn is_of_domain(case: &Case<'_>, claims: &Claims) -> bool {
    let domain = |address: &str| address.rsplit_once('@').map(|(_, domain)| domain.to_lowercase());
    case.mailbox().and_then(domain) == claims.user().and_then(domain)
}

/// Whose tenant the mailbox is in cannot be told from here.
fn other_tenant(claims: &Claims) -> Option<Guess> {
    Some(Guess::possible(Cause::WrongTenant).claim("tid", claims.tenant()?))
}

/// What to compare with the registration in Exchange.
fn ids(mut guess: Guess, claims: &Claims) -> Guess {
    for (name, value) in
        [("tid", claims.tenant()), ("appid", claims.app_id()), ("oid", claims.object_id())]
    {
        if let Some(value) = value {
            guess = guess.claim(name, value);
        }
    }
    guess
}
