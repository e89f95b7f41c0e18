//! What High Volume Email says.
//!
//! Sources: Microsoft Learn, "Troubleshoot issues with High Volume Email" and "Add-HVEAppAccess"
//! (read 2026-11); sasl-xoauth2#110 and the Postfix Entra Relay for what is not documented. The
//! codes of the preview differ from today's, so the words count.

use super::super::case::{Case, Guess};
use super::super::line::Line;
use super::super::service::Service;
use super::{CERTAIN, LIKELY, POSSIBLE, Rule, Then, access, claims};
use crate::diagnosis::Cause;

const LEARN: &str = "Microsoft Learn, \"Troubleshoot issues with High Volume Email\", 2026-11";
const OBSERVED: &str = "observed at High Volume Email, 2026";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "hve-token-expires-soon",
        source: LEARN,
        when: |line, case| {
            is_hve(case) && line.smtp_status() / 100 == 5 && line.says("token will expire soon")
                || case.service == Service::HighVolumeEmail && line.is(5, 7, 142)
        },
        then: Then::Is(Cause::TokenExpiresSoon, CERTAIN),
    },
    Rule {
        name: "hve-token-expired",
        source: LEARN,
        when: |line, case| {
            case.service == Service::HighVolumeEmail && line.is(5, 7, 143)
                || is_hve(case) && line.is(5, 7, 143) && line.says("token") && line.says("expired")
        },
        then: Then::Is(Cause::TokenExpired, CERTAIN),
    },
    Rule {
        name: "hve-invalid-permissions",
        source: LEARN,
        when: |line, case| {
            is_hve(case)
                && line.is(5, 7, 144)
                && (case.service == Service::HighVolumeEmail
                    || line.says("invalid api permissions"))
        },
        then: Then::Ask(permissions),
    },
    Rule {
        name: "hve-application-not-allowed",
        source: "Microsoft Learn, \"Add-HVEAppAccess\", 2026-11",
        when: |line, case| {
            is_hve(case) && line.is(5, 7, 240) && line.says("application is not allowed")
        },
        then: Then::Is(Cause::ApplicationNotAllowed, CERTAIN),
    },
    Rule {
        name: "hve-external-recipient",
        source: "observed at High Volume Email by one writer, 2025",
        when: |line, case| {
            is_hve(case) && line.is(5, 5, 105) && line.says("external sending is not supported")
        },
        then: Then::Is(Cause::ExternalRecipient, CERTAIN),
    },
    Rule {
        name: "hve-malformed-login",
        source: LEARN,
        when: |line, case| {
            is_hve(case)
                && case.at_login()
                && line.smtp_status() == 501
                && line.enhanced.is_some_and(|(class, subject, detail)| {
                    (class, subject) == (5, 5) && (121..=127).contains(&detail)
                })
                && line.begins("invalid xoauth2")
        },
        then: Then::Is(Cause::MalformedLogin, CERTAIN),
    },
    Rule {
        name: "hve-sender-is-not-account",
        source: OBSERVED,
        when: |line, case| case.service == Service::HighVolumeEmail && has_detail(line, 7, 62),
        then: Then::Is(Cause::SenderIsNotAccount, CERTAIN),
    },
    Rule {
        name: "hve-header-from-differs",
        source: OBSERVED,
        when: |line, case| case.service == Service::HighVolumeEmail && has_detail(line, 6, 241),
        then: Then::Is(Cause::HeaderFromDiffers, CERTAIN),
    },
    Rule {
        name: "hve-not-an-account",
        source: OBSERVED,
        when: |line, case| case.service == Service::HighVolumeEmail && has_detail(line, 2, 240),
        then: Then::Is(Cause::NotHighVolumeAccount, CERTAIN),
    },
    Rule {
        name: "hve-organisation-forbids",
        source: LEARN,
        when: |line, case| {
            case.service == Service::HighVolumeEmail
                && case.at_login()
                && line.is(5, 7, 139)
                && line.says("organization configuration")
        },
        then: Then::Is(Cause::AuthenticationPolicy, CERTAIN),
    },
    Rule {
        name: "hve-authentication-unsuccessful",
        source: LEARN,
        when: |line, case| {
            case.service == Service::HighVolumeEmail
                && case.at_login()
                && line.smtp_status() == 535
                && line.is(5, 7, 3)
        },
        then: Then::Ask(refused),
    },
];

/// HVE's words are its own, so a server of which nothing is known may say them too.
fn is_hve(case: &Case<'_>) -> bool {
    matches!(case.service, Service::HighVolumeEmail | Service::Unknown)
}

fn has_detail(line: &Line, subject: u16, detail: u16) -> bool {
    line.is(5, subject, detail)
}

/// `Mail.Send` is missing, as a scope or as a role.
fn permissions(case: &Case<'_>) -> Vec<Guess> {
    let known = claims::look(case)
        .into_iter()
        .find(|guess| {
            let permission = [Cause::MissingScope, Cause::MissingRole, Cause::NoPermissions];
            permission.contains(&guess.cause)
        })
        .map(|guess| Guess { confidence: CERTAIN, ..guess });
    match (known, case.claims()) {
        (Some(known), _) => vec![known],
        (None, Some(claims)) if claims.app_only() => vec![Guess::likely(Cause::MissingRole)],
        (None, Some(_)) => vec![Guess::likely(Cause::MissingScope)],
        (None, None) => {
            vec![Guess::likely(Cause::MissingRole), Guess::likely(Cause::MissingScope)]
        }
    }
}

/// HVE knows no mailbox permissions: what is left is the token, the list and the policies.
fn refused(case: &Case<'_>) -> Vec<Guess> {
    let mut guesses = claims::look(case);
    if case.by_password {
        guesses = vec![Guess::new(Cause::AuthenticationPolicy, LIKELY)];
        guesses.push(Guess::possible(Cause::WrongPassword));
        return guesses;
    }
    if case.claims().is_none() {
        guesses.push(Guess::new(Cause::WrongAudience, POSSIBLE));
    }
    guesses.push(Guess::possible(Cause::ApplicationNotAllowed));
    guesses.push(Guess::possible(Cause::NotHighVolumeAccount));
    // In which words it refuses then is not documented.
    guesses.push(Guess::possible(Cause::BillingPolicyMissing));
    guesses.push(Guess::possible(Cause::AuthenticationPolicy));
    access::most_telling(guesses)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, first};
    use super::*;
    use crate::provider::{hve, microsoft365};
    use crate::{Endpoint, Stage};

    const MAIL: Stage = Stage::Command("MAIL FROM");

    #[test]
    fn each_line_is_explained() {
        let hve = at(hve::smtp());
        for (stage, line, cause) in [
            (
                Stage::Auth,
                "501 5.5.124 Invalid XOAUTH2 auth data - User address provided is not valid.",
                Cause::MalformedLogin,
            ),
            (Stage::Auth, "501 5.5.121 Invalid XOAUTH2 argument", Cause::MalformedLogin),
            (
                Stage::Auth,
                "501 5.5.127 Invalid XOAUTH2 auth data - Token will expire soon error",
                Cause::TokenExpiresSoon,
            ),
            (Stage::Auth, "535 5.7.142 Token will expire soon", Cause::TokenExpiresSoon),
            (MAIL, "535 5.7.143 Expired token", Cause::TokenExpired),
            (
                Stage::Auth,
                "535 5.7.144 XOAUTH2 authentication failed. Invalid API permissions",
                Cause::MissingRole,
            ),
            (
                Stage::Auth,
                "550 5.7.240 The application is not allowed for use with this High Volume Email \
                 account",
                Cause::ApplicationNotAllowed,
            ),
            (
                Stage::Command("RCPT TO"),
                "550 5.5.105 External sending is not supported for High Volume Email accounts",
                Cause::ExternalRecipient,
            ),
            (MAIL, "550 5.7.62 Sender is not the account", Cause::SenderIsNotAccount),
            (MAIL, "550 5.6.241 From differs", Cause::HeaderFromDiffers),
            (Stage::Auth, "550 5.2.240 no such account", Cause::NotHighVolumeAccount),
            (Stage::Auth, "535 5.7.3 Authentication unsuccessful", Cause::WrongAudience),
            (
                Stage::Auth,
                "535 5.7.139 Authentication unsuccessful, the organization configuration doesn't \
                 allow this authentication request",
                Cause::AuthenticationPolicy,
            ),
        ] {
            assert_eq!(first(&hve, stage, line).map(|found| found.0), Some(cause), "{line}");
        }
    }

    #[test]
    fn bare_codes_mean_this_at_hve_only() {
        for endpoint in [microsoft365::smtp(), Endpoint::smtp("mail.example")] {
            for line in ["550 5.7.62 no", "550 5.6.241 no", "550 5.2.240 no", "535 5.7.143 no"] {
                assert_eq!(first(&at(endpoint.clone()), MAIL, line), None, "{line}");
            }
        }
    }
}
