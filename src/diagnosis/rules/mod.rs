//! The rules: one table for each subject, one row for each thing that servers are known to say.
//!
//! A rule looks at one reply and what is known around it. The first that fits speaks; each names
//! who says so. A reply that is nearly the same as a known one fits none: no word is better than a
//! wrong one.

pub(super) mod access;
pub(super) mod claims;
mod gmail;
mod hve;
mod imap;
pub(super) mod net;
mod pop;
mod smtp;
#[cfg(feature = "oauth")]
pub(super) mod token;

use super::case::{Case, Guess};
use super::finding::{Confidence, Evidence};
use super::line::{Line, Status};
use super::quote::one_line;
use crate::diagnosis::Cause;
use crate::{Protocol, Stage};

const CERTAIN: Confidence = Confidence::Certain;
const LIKELY: Confidence = Confidence::Likely;
const POSSIBLE: Confidence = Confidence::Possible;

/// One row of a table.
struct Rule {
    name: &'static str,
    source: &'static str,
    when: fn(&Line, &Case<'_>) -> bool,
    then: Then,
}

/// What a rule concludes.
enum Then {
    Is(Cause, Confidence),
    OneOf(&'static [(Cause, Confidence)]),
    Ask(fn(&Case<'_>) -> Vec<Guess>),
}

const LEARN_OAUTH: &str = "Microsoft Learn, \"Authenticate an IMAP, POP or SMTP connection using \
                           OAuth\", 2026-11";

/// What is to be said to one reply.
pub(super) fn said(line: &Line, case: &Case<'_>) -> Vec<Guess> {
    if !line.refuses() && !connected_in_words_only(line, case) {
        return Vec::new();
    }
    let tables: &[&[Rule]] = match case.protocol {
        Some(Protocol::Smtp) => &[hve::RULES, gmail::SMTP, smtp::RULES, EVERYWHERE],
        Some(Protocol::Imap) => &[gmail::IMAP, imap::RULES, EVERYWHERE],
        Some(Protocol::Pop) => &[gmail::POP, pop::RULES, EVERYWHERE],
        None => &[],
    };
    let rule = tables.iter().copied().flatten().find(|rule| (rule.when)(line, case));
    let Some(rule) = rule else { return Vec::new() };
    let guesses = match &rule.then {
        Then::Is(cause, confidence) => vec![Guess::new(*cause, *confidence)],
        Then::OneOf(causes) => {
            causes.iter().map(|(cause, confidence)| Guess::new(*cause, *confidence)).collect()
        }
        Then::Ask(ask) => ask(case),
    };
    with_proof(guesses, line, (rule.name, rule.source))
}

/// The same with the reply and the rule that led to them.
fn with_proof(
    mut guesses: Vec<Guess>,
    line: &Line,
    (name, source): (&'static str, &'static str),
) -> Vec<Guess> {
    for guess in &mut guesses {
        guess.evidence.insert(0, Evidence::Reply(line.shown.clone()));
        guess.evidence.push(Evidence::Rule { name, source });
    }
    guesses
}

/// A server that turns every connection away (RFC 5321 section 3.8, RFC 9051 section 7.1.5), or
/// refuses TLS (RFC 3207 section 4).
const EVERYWHERE: &[Rule] = &[
    Rule {
        name: "greeting-refused",
        source: "RFC 5321 section 4.2.3",
        when: |line, case| case.stage == Some(Stage::Greeting) && line.smtp_status() == 421,
        then: Then::Is(Cause::ServerBusy, LIKELY),
    },
    // It may as well turn away this client only, and for good.
    Rule {
        name: "greeting-turned-away",
        source: "RFC 9051 section 7.1.5; RFC 1939 section 4",
        when: |line, case| {
            case.stage == Some(Stage::Greeting) && matches!(line.status, Status::Bye | Status::Err)
        },
        then: Then::Is(Cause::ServerBusy, POSSIBLE),
    },
    Rule {
        name: "starttls-refused",
        source: "RFC 3207 section 4; RFC 9051 section 6.2.1; RFC 2595 section 4",
        when: |_, case| case.stage == Some(Stage::StartTls),
        then: Then::Is(Cause::StartTlsRefused, CERTAIN),
    },
];

/// What is to be said to the final answer to a login: by its words, else by what the refused token
/// shows at any server, else by the reason that the server gave before it in the words of RFC 6750
/// (RFC 7628 section 3.2.2).
pub(super) fn login(line: &Line, case: &Case<'_>) -> Vec<Guess> {
    let mut said = said(line, case);
    if let Some(first) = said.first_mut().filter(|_| case.refreshed) {
        let fact = Evidence::Fact("a newly obtained token was refused, too".into());
        first.evidence.insert(1, fact);
    }
    if !said.is_empty() {
        return said;
    }
    if case.not_opened {
        let guesses = match case.service.is_microsofts() {
            true => access::not_opened(case),
            false => vec![Guess::likely(Cause::MailboxNotOpened)],
        };
        let rule = ("mailbox-not-opened", "the first command behind the login was refused");
        return with_proof(guesses, line, rule);
    }
    if case.token_refused {
        let mut proven = claims::look(case);
        proven.retain(|guess| guess.confidence == CERTAIN);
        if !proven.is_empty() {
            return with_proof(proven, line, ("token-refused", "the token shows it by itself"));
        }
    }
    let mut guesses = match case.challenge.and_then(|(status, _)| status) {
        Some("invalid_token") => claims::look(case),
        Some("insufficient_scope") => vec![Guess::certain(Cause::InsufficientScope)],
        _ => return said,
    };
    if !guesses.iter().any(|guess| guess.confidence == CERTAIN) {
        guesses.push(Guess::likely(Cause::TokenRefused));
    }
    for guess in &mut guesses {
        guess.evidence.extend(wanted_scope(case));
    }
    with_proof(guesses, line, ("sasl-challenge", "RFC 7628 section 3.2.2; RFC 6750 section 3.1"))
}

/// The scope that the server said it wants.
fn wanted_scope(case: &Case<'_>) -> Option<Evidence> {
    let (_, scope) = case.challenge?;
    Some(Evidence::Fact(format!("the server wants the scope {}", one_line(scope?))))
}

/// A success that is none: Exchange may say OK to the login of a mailbox that does not open.
fn connected_in_words_only(line: &Line, case: &Case<'_>) -> bool {
    case.at_login() && (is_not_connected(line) || is_error_in_code(line))
}

/// `OK [Error="…"] AUTHENTICATE completed.`, from a proxy of Exchange's that did not reach the
/// mailbox (net-imap#597).
fn is_error_in_code(line: &Line) -> bool {
    !line.refuses() && line.code.as_deref().is_some_and(|code| code.starts_with("ERROR="))
}

/// In any status, at the login or behind it, in all three protocols.
fn is_not_connected(line: &Line) -> bool {
    line.begins("user is authenticated but not connected")
        || line.code.as_deref().is_some_and(|code| {
            code.starts_with("ERROR=") && code.contains("AUTHENTICATED BUT NOT CONNECTED")
        })
}

/// An address for people.
fn shown(mailbox: Option<&str>) -> String {
    one_line(mailbox.unwrap_or_default())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::diagnosis::{Context, Diagnosis};
    use crate::{Endpoint, provider};

    pub(in crate::diagnosis) fn at(endpoint: Endpoint) -> Context {
        Context::new().with_endpoint(endpoint).with_mailbox("erin@contoso.example")
    }

    /// The first cause and how sure it is.
    pub(in crate::diagnosis) fn first(
        context: &Context,
        stage: Stage,
        line: &str,
    ) -> Option<(Cause, Confidence)> {
        let protocol = context.endpoint().unwrap().protocol();
        let diagnosis = Diagnosis::of_line(protocol, stage, line, context)?;
        Some((diagnosis.first().cause(), diagnosis.first().confidence()))
    }

    #[test]
    fn no_two_rules_share_a_name() {
        let mut seen = std::collections::HashSet::new();
        let tables = [
            hve::RULES,
            gmail::SMTP,
            smtp::RULES,
            gmail::IMAP,
            imap::RULES,
            gmail::POP,
            pop::RULES,
        ];
        for rule in tables.into_iter().flatten() {
            assert!(seen.insert(rule.name), "{}", rule.name);
            assert!(!rule.source.is_empty());
        }
    }

    #[test]
    fn no_rule_leads_to_a_cause_without_a_remedy() {
        let context = at(provider::microsoft365::smtp());
        let tables: [&[Rule]; 8] = [
            hve::RULES,
            gmail::SMTP,
            smtp::RULES,
            gmail::IMAP,
            imap::RULES,
            gmail::POP,
            pop::RULES,
            EVERYWHERE,
        ];
        for rule in tables.into_iter().flatten() {
            let mut case = Case::of(&context, None);
            let guesses = match &rule.then {
                Then::Is(cause, _) => vec![Guess::possible(*cause)],
                Then::OneOf(causes) => {
                    causes.iter().map(|(cause, _)| Guess::possible(*cause)).collect()
                }
                Then::Ask(ask) => {
                    let by_token = ask(&case);
                    case.by_password = true;
                    [by_token, ask(&case)].concat()
                }
            };
            for finding in crate::diagnosis::tell(guesses, &case) {
                assert!(!finding.remedy().is_empty(), "{}: {finding}", rule.name);
            }
        }
    }

    #[test]
    fn a_server_that_turns_a_client_away_may_be_busy() {
        let smtp = at(provider::microsoft365::smtp());
        let busy = |confidence| Some((Cause::ServerBusy, confidence));
        assert_eq!(first(&smtp, Stage::Greeting, "421 come back later"), busy(LIKELY));
        let imap = at(Endpoint::imap("mail.example"));
        assert_eq!(first(&imap, Stage::Greeting, "* BYE your address is blocked"), busy(POSSIBLE));
        let pop = at(Endpoint::pop("mail.example"));
        assert_eq!(first(&pop, Stage::Greeting, "-ERR your address is blocked"), busy(POSSIBLE));
    }

    #[test]
    fn each_protocol_has_its_own_words() {
        let imap = at(provider::microsoft365::imap());
        assert_eq!(first(&imap, Stage::Auth, "535 5.7.3 Authentication unsuccessful"), None);
        let smtp = at(provider::microsoft365::smtp());
        assert_eq!(first(&smtp, Stage::Auth, "NO AUTHENTICATE failed."), None);
    }
}
