//! What Exchange Online and Outlook.com say in IMAP, and the response codes of RFC 5530 that say
//! why by themselves.

use super::super::case::Case;
use super::super::line::{Line, Status};
use super::{CERTAIN, LEARN_OAUTH, LIKELY, POSSIBLE, Rule, Then, access};
use crate::Stage;
use crate::diagnosis::Cause;

const REPORTS: &str = "observed at Exchange Online and Outlook.com, 2026";
const FAREWELLS: &str = "the closing codes of Exchange Server, seen at Exchange Online too";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "imap-not-connected",
        source: "observed at Exchange Online since 2019 (MailKit#1494, email-oauth2-proxy#74)",
        when: |line, case| case.service.may_be_microsofts() && super::is_not_connected(line),
        then: Then::Ask(access::not_opened),
    },
    Rule {
        name: "imap-error-in-code",
        source: "observed at Exchange Online (net-imap#597)",
        when: |line, case| case.service.may_be_microsofts() && super::is_error_in_code(line),
        then: Then::OneOf(&[
            (Cause::MailboxNotOpened, LIKELY),
            (Cause::NoMailbox, POSSIBLE),
            (Cause::ServerBusy, POSSIBLE),
        ]),
    },
    Rule {
        name: "imap-session-token-expired",
        source: "observed at Exchange Online (aioimaplib#83)",
        when: |line, case| {
            case.service.may_be_microsofts()
                && line.status == Status::Bye
                && line.begins("session invalidated")
                && line.says("accesstokenexpired")
        },
        then: Then::Is(Cause::TokenExpired, CERTAIN),
    },
    Rule {
        name: "imap-authenticate-failed",
        source: LEARN_OAUTH,
        when: |line, case| {
            case.stage == Some(Stage::Auth)
                && line.status == Status::No
                && line.code.is_none()
                && line.begins("authenticate failed")
                && case.at_microsoft(line)
        },
        then: Then::Ask(access::refused),
    },
    Rule {
        name: "imap-basic-auth-disabled",
        source: REPORTS,
        when: |line, case| {
            case.at_login()
                && case.service.may_be_microsofts()
                && line.begins("basic authentication is disabled")
        },
        then: Then::Is(Cause::BasicAuthDisabled, CERTAIN),
    },
    Rule {
        name: "imap-login-failed",
        source: "observed at Exchange Online (imapsync#368)",
        when: |line, case| {
            case.stage == Some(Stage::Auth)
                && case.by_password
                && line.status == Status::No
                && line.code.is_none()
                && line.begins("login failed")
                && case.at_microsoft(line)
        },
        then: Then::Ask(access::refused),
    },
    Rule {
        name: "imap-throttled",
        source: "observed at Exchange Online (imapflow)",
        when: |line, case| case.service.may_be_microsofts() && line.begins("request is throttled"),
        then: Then::Is(Cause::Throttled, CERTAIN),
    },
    Rule {
        name: "imap-server-unavailable",
        source: REPORTS,
        when: |line, case| case.at_microsoft(line) && line.begins("server unavailable"),
        then: Then::Is(Cause::ServerBusy, CERTAIN),
    },
    Rule {
        name: "imap-closed-10",
        source: FAREWELLS,
        when: |line, case| is_farewell(line, case, "10"),
        then: Then::OneOf(&[
            (Cause::TooManyConnections, POSSIBLE),
            (Cause::SessionEnded, POSSIBLE),
        ]),
    },
    Rule {
        name: "imap-closed-13",
        source: FAREWELLS,
        when: |line, case| is_farewell(line, case, "13"),
        then: Then::Is(Cause::SessionIdle, LIKELY),
    },
    Rule {
        name: "imap-closed-14",
        source: FAREWELLS,
        when: |line, case| is_farewell(line, case, "14"),
        then: Then::Is(Cause::SessionEnded, LIKELY),
    },
    Rule {
        name: "imap-closed-15",
        source: FAREWELLS,
        when: |line, case| is_farewell(line, case, "15"),
        then: Then::Is(Cause::TlsFailed, POSSIBLE),
    },
    Rule {
        name: "imap-unavailable",
        source: "RFC 5530 section 3",
        when: |line, _| line.coded("UNAVAILABLE"),
        then: Then::Is(Cause::ServerBusy, CERTAIN),
    },
    Rule {
        name: "imap-expired",
        source: "RFC 5530 section 3",
        when: |line, case| case.at_login() && !case.by_password && line.coded("EXPIRED"),
        then: Then::Is(Cause::TokenExpired, LIKELY),
    },
    Rule {
        name: "imap-authorization-failed",
        source: "RFC 5530 section 3",
        when: |line, case| case.at_login() && line.coded("AUTHORIZATIONFAILED"),
        then: Then::OneOf(&[
            (Cause::MailboxPermissionMissing, LIKELY),
            (Cause::TokenOfOtherUser, POSSIBLE),
        ]),
    },
    Rule {
        name: "imap-in-use",
        source: "RFC 5530 section 3",
        when: |line, _| line.coded("INUSE"),
        then: Then::Is(Cause::MailboxInUse, CERTAIN),
    },
    Rule {
        name: "imap-limit",
        source: "RFC 5530 section 3",
        when: |line, case| case.at_login() && line.coded("LIMIT"),
        then: Then::Is(Cause::TooManyConnections, LIKELY),
    },
];

/// `BYE Connection is closed. 13`, and without the `is`.
fn is_farewell(line: &Line, case: &Case<'_>, number: &str) -> bool {
    line.status == Status::Bye
        && (case.at_microsoft(line) || case.context.endpoint.is_none())
        && (line.begins("connection is closed.") || line.begins("connection closed."))
        && line.ends(&format!(" {number}"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, first};
    use super::*;
    use crate::Endpoint;
    use crate::provider::microsoft365;

    const NOOP: Stage = Stage::Command("NOOP");

    #[test]
    fn each_line_of_exchange_is_explained() {
        let imap = at(microsoft365::imap());
        for (stage, line, cause) in [
            (Stage::Auth, "NO AUTHENTICATE failed.", Cause::WrongAudience),
            (
                Stage::Probe,
                "BAD User is authenticated but not connected.",
                Cause::MailboxPermissionMissing,
            ),
            (
                Stage::Auth,
                "NO User is authenticated but not connected",
                Cause::MailboxPermissionMissing,
            ),
            (
                Stage::Auth,
                "A1 OK [Error=\"AuthFailed:User is authenticated but not connected\"] done",
                Cause::MailboxPermissionMissing,
            ),
            (
                Stage::Auth,
                "OK [Error=\"ProxyNotAuthenticated\" Proxy=x] AUTHENTICATE completed.",
                Cause::MailboxNotOpened,
            ),
            (NOOP, "* BYE Session invalidated - AccessTokenExpired", Cause::TokenExpired),
            (Stage::Auth, "NO Basic authentication is disabled.", Cause::BasicAuthDisabled),
            (
                NOOP,
                "BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds",
                Cause::Throttled,
            ),
            (Stage::Auth, "NO Server Unavailable. 15", Cause::ServerBusy),
            (NOOP, "* BYE Connection is closed. 13", Cause::SessionIdle),
            (Stage::Auth, "* BYE Connection closed. 14", Cause::SessionEnded),
            (Stage::Auth, "* BYE Connection is closed. 10", Cause::TooManyConnections),
            (NOOP, "* BYE Connection is closed. 15", Cause::TlsFailed),
        ] {
            assert_eq!(first(&imap, stage, line).map(|found| found.0), Some(cause), "{line}");
        }
        let own = at(Endpoint::imap("mail.example"));
        for (line, cause) in [
            ("NO [UNAVAILABLE] Temporary authentication failure.", Cause::ServerBusy),
            ("NO [EXPIRED] Your access is over", Cause::TokenExpired),
            ("NO [AUTHORIZATIONFAILED] Not yours", Cause::MailboxPermissionMissing),
            ("NO [INUSE] Mailbox is locked", Cause::MailboxInUse),
            ("NO [LIMIT] Maximum number of connections exceeded", Cause::TooManyConnections),
        ] {
            assert_eq!(first(&own, Stage::Auth, line).map(|found| found.0), Some(cause), "{line}");
        }
    }

    #[test]
    fn other_servers_words_are_not_exchanges() {
        let own = at(Endpoint::imap("mail.example"));
        for line in [
            "NO AUTHENTICATE failed",
            "NO [AUTHENTICATIONFAILED] Authentication failed.",
            "* BYE Connection closed. 14",
            "NO LOGIN failed.",
        ] {
            assert_eq!(first(&own, Stage::Auth, line), None, "{line}");
        }
        let imap = at(microsoft365::imap());
        let quoted = "NO Cannot store: \"User is authenticated but not connected\"";
        assert_eq!(first(&imap, NOOP, quoted), None);
    }
}
