//! What Exchange Online and Outlook.com say in POP3, and the response codes of RFC 2449 and RFC
//! 3206.

use super::super::case::{Case, Guess};
use super::{CERTAIN, LEARN_OAUTH, Rule, Then, access, claims};
use crate::Stage;
use crate::diagnosis::Cause;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "pop-not-connected",
        source: "observed at Exchange Online, 2026",
        when: |line, case| case.service.may_be_microsofts() && super::is_not_connected(line),
        then: Then::Ask(access::not_opened),
    },
    Rule {
        name: "pop-authentication-failure",
        source: LEARN_OAUTH,
        when: |line, case| {
            case.stage == Some(Stage::Auth)
                && line.code.is_none()
                && line.begins("authentication failure: unknown user name or bad password")
                && case.at_microsoft(line)
        },
        then: Then::Ask(access::refused),
    },
    Rule {
        name: "pop-basic-auth-disabled",
        source: "observed at Exchange Online and Outlook.com, 2026",
        when: |line, case| {
            case.at_login()
                && case.service.may_be_microsofts()
                && line.begins("basic authentication is disabled")
        },
        then: Then::Is(Cause::BasicAuthDisabled, CERTAIN),
    },
    Rule {
        name: "pop-protocol-error",
        source: "observed at Exchange Online (jakartaee/mail-api#461, MailKit#1948)",
        when: |line, case| {
            case.at_login()
                && case.service.may_be_microsofts()
                && line.begins("protocol error. connection is closed")
        },
        then: Then::Ask(unreadable),
    },
    Rule {
        name: "pop-in-use",
        source: "RFC 2449 section 8.1.1",
        when: |line, _| line.coded("IN-USE"),
        then: Then::Is(Cause::MailboxInUse, CERTAIN),
    },
    Rule {
        name: "pop-login-delay",
        source: "RFC 2449 section 8.1.1",
        when: |line, _| line.coded("LOGIN-DELAY"),
        then: Then::Is(Cause::LoginTooSoon, CERTAIN),
    },
    Rule {
        name: "pop-temporary-fault",
        source: "RFC 3206 section 4",
        when: |line, _| line.coded("SYS/TEMP"),
        then: Then::Is(Cause::ServerBusy, CERTAIN),
    },
    Rule {
        name: "pop-permanent-fault",
        source: "RFC 3206 section 4",
        when: |line, _| line.coded("SYS/PERM"),
        then: Then::Is(Cause::ServerFault, CERTAIN),
    },
];

/// A token over 4,096 octets, or a response on the command line.
fn unreadable(case: &Case<'_>) -> Vec<Guess> {
    match claims::length(case) {
        Some(too_long) => vec![too_long, Guess::possible(Cause::OneLineLogin)],
        None => vec![Guess::likely(Cause::OneLineLogin), Guess::possible(Cause::MalformedLogin)],
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, first};
    use super::*;
    use crate::provider::{microsoft365, outlook};
    use crate::{AccessToken, Endpoint};

    #[test]
    fn each_line_is_explained() {
        let pop = at(microsoft365::pop());
        for (line, cause) in [
            (
                "-ERR Authentication failure: unknown user name or bad password.",
                Cause::WrongAudience,
            ),
            (
                "-ERR Authentication failure: unknown user name or bad password",
                Cause::WrongAudience,
            ),
            ("-ERR User is authenticated but not connected.", Cause::MailboxPermissionMissing),
            ("-ERR Basic authentication is disabled", Cause::BasicAuthDisabled),
            ("-ERR Protocol error. Connection is closed. 10", Cause::OneLineLogin),
            ("-ERR [IN-USE] locked", Cause::MailboxInUse),
            ("-ERR [LOGIN-DELAY] too soon", Cause::LoginTooSoon),
            ("-ERR [SYS/TEMP] later", Cause::ServerBusy),
            ("-ERR [SYS/PERM] no such mailbox", Cause::ServerFault),
        ] {
            assert_eq!(first(&pop, Stage::Auth, line).map(|found| found.0), Some(cause), "{line}");
        }
        let personal = at(outlook::pop());
        let line = "-ERR Authentication failure: unknown user name or bad password.";
        assert_eq!(first(&personal, Stage::Auth, line).unwrap().0, Cause::TokenRefused);
    }

    #[test]
    fn a_protocol_error_after_a_long_token_is_about_its_length() {
        let long = AccessToken::new("x".repeat(4097));
        let pop = at(microsoft365::pop()).with_token(&long);
        let line = "-ERR Protocol error. Connection is closed. 10";
        assert_eq!(first(&pop, Stage::Auth, line).unwrap().0, Cause::TokenTooLong);
    }

    #[test]
    fn other_servers_words_are_not_exchanges() {
        let own = at(Endpoint::pop("mail.example"));
        for line in [
            "-ERR [AUTH] Authentication failed.",
            "-ERR Authentication failure: unknown user name or bad password.",
            "-ERR bad command",
        ] {
            assert_eq!(first(&own, Stage::Auth, line), None, "{line}");
        }
    }
}
