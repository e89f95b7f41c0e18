//! What Gmail says.
//!
//! Sources: Google, "OAuth 2.0 Mechanism: Gmail IMAP, POP, and SMTP" (read 2026-11); observed.

use super::super::case::{Case, Guess};
use super::super::line::Line;
use super::super::service::Service;
use super::{CERTAIN, LIKELY, Rule, Then, claims};
use crate::diagnosis::Cause;

const GOOGLE: &str = "Google, \"OAuth 2.0 Mechanism: Gmail IMAP, POP, and SMTP\", 2026-11";
const OBSERVED: &str = "observed at Gmail";

pub(super) const SMTP: &[Rule] = &[
    Rule {
        name: "gmail-smtp-not-accepted",
        source: GOOGLE,
        when: |line, case| {
            case.at_login()
                && is_gmail(line, case)
                && line.is(5, 7, 8)
                && line.begins("username and password not accepted")
        },
        then: Then::Ask(refused),
    },
    Rule {
        name: "gmail-smtp-app-password",
        source: OBSERVED,
        when: |line, case| {
            case.at_login()
                && is_gmail(line, case)
                && line.smtp_status() == 534
                && line.begins("application-specific password required")
        },
        then: Then::Is(Cause::AppPasswordRequired, CERTAIN),
    },
    Rule {
        name: "gmail-smtp-web-login",
        source: OBSERVED,
        when: |line, case| {
            case.at_login()
                && is_gmail(line, case)
                && line.smtp_status() == 534
                && wants_browser(line)
        },
        then: Then::Is(Cause::WebLoginRequired, CERTAIN),
    },
    Rule {
        name: "gmail-smtp-line-too-long",
        source: OBSERVED,
        when: |line, case| {
            case.at_login() && is_gmail(line, case) && line.smtp_status() == 555 && line.is(5, 5, 2)
        },
        then: Then::Is(Cause::OneLineLogin, LIKELY),
    },
    Rule {
        name: "gmail-smtp-too-many-logins",
        source: OBSERVED,
        when: |line, case| {
            is_gmail(line, case)
                && line.smtp_status() / 100 == 4
                && line.begins("too many login attempts")
        },
        then: Then::Is(Cause::LoginTooSoon, CERTAIN),
    },
    Rule {
        name: "gmail-smtp-daily-limit",
        source: "Google Workspace Help, \"Gmail SMTP errors and codes\", 2026-11",
        when: |line, case| {
            case.in_session()
                && is_gmail(line, case)
                && line.is(5, 4, 5)
                && line.says("sending limit exceeded")
        },
        then: Then::Is(Cause::DailyQuota, CERTAIN),
    },
];

pub(super) const IMAP: &[Rule] = &[
    Rule {
        name: "gmail-imap-invalid-credentials",
        source: OBSERVED,
        when: |line, case| {
            case.at_login()
                && is_gmail(line, case)
                && line.coded("AUTHENTICATIONFAILED")
                && line.begins("invalid credentials")
        },
        then: Then::Ask(refused),
    },
    Rule {
        name: "gmail-imap-web-login",
        source: OBSERVED,
        when: |line, case| {
            case.at_login()
                && is_gmail(line, case)
                && (line.coded("ALERT") && wants_browser(line)
                    || line.code.as_deref().is_some_and(|code| code.starts_with("WEBALERT")))
        },
        then: Then::Is(Cause::WebLoginRequired, CERTAIN),
    },
    Rule {
        name: "gmail-imap-app-password",
        source: OBSERVED,
        when: |line, case| {
            case.at_login()
                && is_gmail(line, case)
                && line.begins("application-specific password required")
        },
        then: Then::Is(Cause::AppPasswordRequired, CERTAIN),
    },
    Rule {
        name: "gmail-imap-too-many-connections",
        source: OBSERVED,
        when: |line, case| {
            (is_gmail(line, case) || line.coded("ALERT"))
                && line.begins("too many simultaneous connections")
        },
        then: Then::Is(Cause::TooManyConnections, CERTAIN),
    },
    Rule {
        name: "gmail-imap-throttled",
        source: OBSERVED,
        when: |line, case| {
            is_gmail(line, case)
                && (line.coded("THROTTLED") || line.says("exceeded command or bandwidth limits"))
        },
        then: Then::Is(Cause::Throttled, CERTAIN),
    },
];

pub(super) const POP: &[Rule] = &[
    Rule {
        name: "gmail-pop-invalid-credentials",
        source: OBSERVED,
        when: |line, case| {
            case.at_login()
                && is_gmail(line, case)
                && line.coded("AUTH")
                && line.begins("invalid credentials")
        },
        then: Then::Ask(refused),
    },
    Rule {
        name: "gmail-pop-web-login",
        source: OBSERVED,
        when: |line, case| case.at_login() && is_gmail(line, case) && wants_browser(line),
        then: Then::Is(Cause::WebLoginRequired, CERTAIN),
    },
];

fn wants_browser(line: &Line) -> bool {
    line.begins("please log in via your web browser")
        || line.begins("please log in with your web browser")
        || line.begins("web login required")
}

/// By its name, or by the marks that only its replies have.
fn is_gmail(line: &Line, case: &Case<'_>) -> bool {
    case.service == Service::Gmail
        || line.ends("- gsmtp")
        || line.says("https://support.google.com/")
        || line.code.as_deref().is_some_and(|code| code.contains("HTTPS://ACCOUNTS.GOOGLE.COM/"))
}

/// The token is bad, expired, or without the one scope that Gmail knows.
fn refused(case: &Case<'_>) -> Vec<Guess> {
    if case.by_password {
        return vec![
            Guess::likely(Cause::AppPasswordRequired),
            Guess::possible(Cause::WrongPassword),
        ];
    }
    let mut guesses = claims::look(case);
    let mut refused = Guess::likely(Cause::TokenRefused);
    refused.evidence.extend(super::wanted_scope(case));
    guesses.push(refused);
    guesses.push(Guess::possible(Cause::TokenOfOtherUser));
    guesses
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, first};
    use super::*;
    use crate::provider::gmail;
    use crate::{Endpoint, Stage};

    #[test]
    fn each_line_of_gmail_is_explained() {
        for (endpoint, line, cause) in [
            (
                gmail::smtp(),
                "535-5.7.8 Username and Password not accepted. For more information, go to\n535 \
                 5.7.8  https://support.google.com/mail/?p=BadCredentials x1.2 - gsmtp",
                Cause::TokenRefused,
            ),
            (
                gmail::smtp(),
                "534-5.7.9 Application-specific password required.",
                Cause::AppPasswordRequired,
            ),
            (
                gmail::smtp(),
                "534-5.7.14 Please log in with your web browser and then try again.",
                Cause::WebLoginRequired,
            ),
            (gmail::smtp(), "555 5.5.2 Syntax error, command line too long", Cause::OneLineLogin),
            (
                gmail::smtp(),
                "454 4.7.0 Too many login attempts, please try again later.",
                Cause::LoginTooSoon,
            ),
            (
                gmail::imap(),
                "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)",
                Cause::TokenRefused,
            ),
            (
                gmail::imap(),
                "NO [ALERT] Please log in via your web browser: https://support.google.com/ (Failure)",
                Cause::WebLoginRequired,
            ),
            (
                gmail::imap(),
                "NO [WEBALERT https://accounts.google.com/x] Web login required.",
                Cause::WebLoginRequired,
            ),
            (
                gmail::imap(),
                "NO [ALERT] Too many simultaneous connections. (Failure)",
                Cause::TooManyConnections,
            ),
            (
                gmail::imap(),
                "NO [OVERQUOTA] Account exceeded command or bandwidth limits.",
                Cause::Throttled,
            ),
            (gmail::pop(), "-ERR [AUTH] Invalid credentials.", Cause::TokenRefused),
        ] {
            assert_eq!(
                first(&at(endpoint), Stage::Auth, line).map(|found| found.0),
                Some(cause),
                "{line}"
            );
        }
        let limit = "550 5.4.5 Daily user sending limit exceeded.";
        let sent = first(&at(gmail::smtp()), Stage::Command("the message"), limit);
        assert_eq!(sent.unwrap().0, Cause::DailyQuota);
    }

    #[test]
    fn the_same_words_elsewhere_are_not_gmails() {
        let own = at(Endpoint::imap("mail.example"));
        let line = "NO [AUTHENTICATIONFAILED] Invalid credentials";
        assert_eq!(first(&own, Stage::Auth, line), None);
    }
}
