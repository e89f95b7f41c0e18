//! What the token shows by itself.
//!
//! Source: Microsoft Learn, "Access tokens in the Microsoft identity platform" and "Authenticate an
//! IMAP, POP or SMTP connection using OAuth" (read 2026-11). Which audiences Exchange takes is
//! concluded from the scopes it documents.

use std::time::{Duration, SystemTime};

use super::super::case::{Case, Guess};
use super::super::service::Service;
use crate::Protocol;
use crate::diagnosis::Cause;
use crate::provider::{Cloud, OnBehalf, Provider, microsoft365};
use crate::token::Claims;

/// Exchange Online, as an application of Entra's.
const EXCHANGE_ID: &str = "00000002-0000-0ff1-ce00-000000000000";
/// Microsoft Graph.
const GRAPH_ID: &str = "00000003-0000-0000-c000-000000000000";
const GRAPH: [&str; 4] = [
    "graph.microsoft.com",
    "graph.microsoft.us",
    "dod-graph.microsoft.us",
    "microsoftgraph.chinacloudapi.cn",
];
/// The tenant of all personal accounts.
const PERSONAL_TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
/// What HVE is known to want of a token's lifetime.
const HVE_MARGIN: Duration = Duration::from_secs(600);
/// What Exchange's POP3 service is known to take (observed since 2025-07).
const POP_TOKEN: usize = 4096;
/// Servers allow clocks to differ by five minutes.
const SKEW: Duration = Duration::from_secs(300);

/// All that speaks against the token, for this endpoint and mailbox.
pub(crate) fn look(case: &Case<'_>) -> Vec<Guess> {
    let mut guesses = Vec::new();
    let microsofts = case.service.is_microsofts();
    guesses.extend(times(case));
    if microsofts && case.protocol == Some(Protocol::Pop) {
        guesses.extend(length(case));
    }
    let Some(claims) = case.claims().filter(|_| microsofts || case.service == Service::Unknown)
    else {
        return guesses;
    };
    match audience(case, claims) {
        // Its permissions are those of another resource.
        Some(wrong) => guesses.push(wrong),
        None if microsofts => guesses.extend(permissions(case, claims)),
        None => {}
    }
    if microsofts {
        guesses.extend(user(case, claims));
    }
    guesses
}

fn times(case: &Case<'_>) -> Option<Guess> {
    let expiry = case.context.expiry();
    if let Some(at) = expiry {
        match at.duration_since(case.now) {
            Err(past) => {
                let guess = Guess::certain(Cause::TokenExpired);
                return Some(guess.claim("exp", format!("{} ago", span(past.duration()))));
            }
            Ok(Duration::ZERO) => {
                return Some(Guess::certain(Cause::TokenExpired).claim("exp", "now"));
            }
            Ok(left) if case.service == Service::HighVolumeEmail && left < HVE_MARGIN => {
                let guess = Guess::likely(Cause::TokenExpiresSoon);
                return Some(guess.claim("exp", format!("in {}", span(left))));
            }
            Ok(_) => {}
        }
    }
    let begins: Option<SystemTime> = case.claims().and_then(Claims::not_before);
    let early = begins?.duration_since(case.now).ok()?;
    let guess = Guess::likely(Cause::TokenNotYetValid);
    (early > SKEW).then(|| guess.claim("nbf", format!("in {}", span(early))))
}

/// Seconds, or minutes, or more, for people.
fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

pub(crate) fn length(case: &Case<'_>) -> Option<Guess> {
    let octets = case.context.token_octets().or(case.credential_octets)?;
    let guess = Guess::likely(Cause::TokenTooLong).fact(format!("the token has {octets} octets"));
    (octets > POP_TOKEN).then_some(guess)
}

fn audience(case: &Case<'_>, claims: &Claims) -> Option<Guess> {
    let mut wrong = None;
    for audience in claims.audiences() {
        let id = audience.to_ascii_lowercase();
        let host = id.split_once("://").map_or(&*id, |(_, rest)| rest);
        let host = host.trim_end_matches('/');
        if is_exchange(host, case) {
            return None;
        }
        let graph = GRAPH.contains(&host) || host == GRAPH_ID;
        let guess = match graph {
            true => Guess::certain(Cause::WrongAudience),
            false => Guess::likely(Cause::WrongAudience),
        };
        wrong = wrong.or_else(|| Some(guess.claim("aud", audience)));
    }
    // Without a server of Microsoft's, any audience but Graph's may be right.
    let sure = |guess: &Guess| case.service.is_microsofts() || guess.confidence == super::CERTAIN;
    let mut wrong = wrong.filter(sure)?;
    if claims.has_graph_nonce() {
        wrong = wrong.fact("the token's header has a nonce, as those for Microsoft Graph do");
    }
    Some(wrong)
}

fn is_exchange(host: &str, case: &Case<'_>) -> bool {
    let of_cloud: &[&str] = match case.cloud() {
        Cloud::UsGovernment => {
            &["outlook.office365.us", "outlook-dod.office365.us", "webmail.apps.mil"]
        }
        Cloud::China => &["partner.outlook.cn"],
        _ => &["outlook.office.com", "outlook.office365.com", "ps.outlook.com", "outlook.com"],
    };
    host == EXCHANGE_ID
        || of_cloud.contains(&host)
        || case.context.endpoint.as_ref().is_some_and(|at| at.host().eq_ignore_ascii_case(host))
}

/// The permission for the protocol: for a user, and for the application itself.
pub(crate) fn wanted(case: &Case<'_>) -> Option<(&'static str, &'static str)> {
    let provider = case.context.endpoint.as_ref().and_then(Provider::of_endpoint);
    let provider = provider.unwrap_or(&microsoft365::PROVIDER);
    let user = provider.permission(case.protocol?, OnBehalf::User)?;
    let application = provider.permission(case.protocol?, OnBehalf::Application);
    Some((user, application.unwrap_or(user)))
}

fn permissions(case: &Case<'_>, claims: &Claims) -> Option<Guess> {
    let (scope, role) = wanted(case)?;
    let has =
        |list: &[String], wanted: &str| list.iter().any(|one| one.eq_ignore_ascii_case(wanted));
    if claims.app_only() {
        // RBAC for Applications grants SMTP without a claim, so its want is a hint.
        let by_rbac = case.protocol == Some(Protocol::Smtp) && case.service.is_exchange();
        let confidence = if by_rbac { super::POSSIBLE } else { super::CERTAIN };
        return match claims.roles().filter(|roles| !roles.is_empty()) {
            Some(roles) if has(roles, role) => None,
            Some(roles) => {
                Some(Guess::new(Cause::MissingRole, confidence).claim("roles", listed(roles)))
            }
            None => Some(Guess::new(Cause::NoPermissions, confidence).claim("roles", "absent")),
        };
    }
    let scopes = claims.scopes().unwrap_or_default();
    (!has(scopes, scope)).then(|| Guess::certain(Cause::MissingScope).claim("scp", listed(scopes)))
}

/// The first few of them.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let mut list = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(" ");
    if names.len() > SHOWN {
        list.push_str(" …");
    }
    if list.is_empty() { "empty".into() } else { list }
}

fn user(case: &Case<'_>, claims: &Claims) -> Vec<Guess> {
    let mut guesses = Vec::new();
    if let Some(tenant) =
        claims.tenant().filter(|tenant| tenant.eq_ignore_ascii_case(PERSONAL_TENANT))
    {
        let at_home = matches!(case.service, Service::Exchange { personal: true });
        if !at_home {
            guesses.push(Guess::likely(Cause::PersonalAccount).claim("tid", tenant));
        }
    }
    let Some(user) = claims.user().filter(|_| !claims.app_only()) else { return guesses };
    if user.to_ascii_uppercase().contains("#EXT#") {
        guesses.push(Guess::likely(Cause::GuestUser).claim("upn", user));
    } else if case.mailbox().is_some_and(|mailbox| !is_same(mailbox, user)) {
        let guess = Guess::possible(Cause::TokenOfOtherUser).claim("upn", user);
        guesses.push(guess.fact(format!("the login named {}", super::shown(case.mailbox()))));
    }
    guesses
}

pub(crate) fn is_same(mailbox: &str, user: &str) -> bool {
    mailbox.trim().to_lowercase() == user.trim().to_lowercase()
}
