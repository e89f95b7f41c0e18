//! What Exchange Online says in SMTP, and what RFC 4954 has every server say.

use super::super::case::Case;
use super::super::line::Line;
use super::{CERTAIN, LEARN_OAUTH, LIKELY, POSSIBLE, Rule, Then, access};
use crate::diagnosis::Cause;

const LEARN_SWITCH: &str =
    "Microsoft Learn, \"Enable or disable authenticated client SMTP submission\", 2026-11";
const LEARN_LIMITS: &str = "Microsoft Learn, \"Improvements to SMTP client submission\", 2026-11";
const REPORTS: &str = "observed at Exchange Online, 2026";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "smtp-auth-disabled-for-tenant",
        source: LEARN_SWITCH,
        when: |line, case| is_switched_off(line, case) && line.says("disabled for the tenant"),
        then: Then::Is(Cause::SmtpAuthDisabledForTenant, CERTAIN),
    },
    Rule {
        name: "smtp-auth-disabled-for-mailbox",
        source: LEARN_SWITCH,
        when: |line, case| is_switched_off(line, case) && line.says("disabled for the mailbox"),
        then: Then::Is(Cause::SmtpAuthDisabledForMailbox, CERTAIN),
    },
    Rule {
        name: "smtp-auth-disabled",
        source: LEARN_SWITCH,
        when: is_switched_off,
        then: Then::OneOf(&[
            (Cause::SmtpAuthDisabledForMailbox, LIKELY),
            (Cause::SmtpAuthDisabledForTenant, LIKELY),
        ]),
    },
    Rule {
        name: "smtp-basic-auth-disabled",
        source: REPORTS,
        when: |line, case| {
            refused_login(line, case) && line.says("basic authentication is disabled")
        },
        then: Then::Is(Cause::BasicAuthDisabled, CERTAIN),
    },
    Rule {
        name: "smtp-organisation-forbids",
        source: "Microsoft Learn, \"Troubleshoot issues with High Volume Email\", 2026-11",
        when: |line, case| {
            refused_login(line, case)
                && (line.says("the organization configuration doesn't allow")
                    || line.says("security defaults policy"))
        },
        then: Then::Is(Cause::AuthenticationPolicy, CERTAIN),
    },
    Rule {
        name: "smtp-wrong-credentials",
        source: REPORTS,
        when: |line, case| {
            refused_login(line, case) && line.says("the user credentials were incorrect")
        },
        then: Then::Is(Cause::WrongPassword, CERTAIN),
    },
    Rule {
        name: "smtp-request-did-not-meet-criteria",
        source: REPORTS,
        when: |line, case| {
            refused_login(line, case) && line.says("did not meet the criteria to be authenticated")
        },
        then: Then::Is(Cause::AuthenticationPolicy, LIKELY),
    },
    Rule {
        name: "smtp-authentication-unsuccessful",
        source: LEARN_OAUTH,
        when: |line, case| {
            case.at_login()
                && case.at_microsoft(line)
                && line.smtp_status() == 535
                && (line.is(5, 7, 3) || line.enhanced.is_none())
                && line.begins("authentication unsuccessful")
        },
        then: Then::Ask(access::refused),
    },
    Rule {
        name: "smtp-not-connected",
        source: REPORTS,
        when: |line, case| case.service.may_be_microsofts() && super::is_not_connected(line),
        then: Then::Ask(access::not_opened),
    },
    Rule {
        name: "smtp-mailbox-logon-failure",
        source: "observed at Exchange Online by three projects, 2026",
        when: |line, case| {
            case.in_session()
                && case.service.may_be_microsofts()
                && (line.smtp_status() == 430 || line.begins("storedrv"))
                && (line.says("mailbox logon failure") || line.says("mapiexceptionlogonfailed"))
        },
        then: Then::Ask(access::not_opened),
    },
    Rule {
        name: "smtp-store-driver-430",
        source: "observed at Exchange Online by three projects, 2026",
        when: |line, case| {
            case.in_session()
                && case.service.may_be_microsofts()
                && line.smtp_status() == 430
                && line.is(4, 2, 0)
                && line.begins("storedrv")
        },
        then: Then::OneOf(&[
            (Cause::MailboxPermissionMissing, LIKELY),
            (Cause::PermissionNotYetInForce, POSSIBLE),
            (Cause::ServerBusy, POSSIBLE),
        ]),
    },
    Rule {
        name: "smtp-temporary-authentication-failure",
        source: "RFC 4954 section 6",
        when: |line, case| {
            case.at_login()
                && line.smtp_status() == 454
                && line.is(4, 7, 0)
                && line.begins("temporary authentication failure")
        },
        then: Then::Is(Cause::ServerBusy, CERTAIN),
    },
    Rule {
        name: "smtp-may-not-send-as",
        source: LEARN_OAUTH,
        when: |line, case| {
            let words = "client does not have permissions to send as this sender";
            case.in_session()
                && case.service.may_be_microsofts()
                && line.smtp_status() / 100 == 5
                && (line.is(5, 7, 60) || line.enhanced.is_none())
                && line.says(words)
        },
        then: Then::Is(Cause::SendAsDenied, CERTAIN),
    },
    Rule {
        name: "smtp-sender-throttled",
        source: "observed at Exchange Online by one project",
        when: |line, case| {
            case.in_session()
                && case.service.is_microsofts()
                && line.smtp_status() == 550
                && line.is(5, 2, 252)
        },
        then: Then::OneOf(&[(Cause::SenderThrottled, LIKELY), (Cause::SendAsDenied, LIKELY)]),
    },
    Rule {
        name: "smtp-send-as-denied",
        source: "observed at Exchange Online, behind DATA",
        when: |line, case| {
            case.in_session()
                && case.at_microsoft(line)
                && line.smtp_status() == 554
                && (line.begins("sendasdenied")
                    || line.is(5, 2, 252) && line.begins("not allowed to send as")
                    || in_store(line, "sendasdenied"))
        },
        then: Then::Is(Cause::SendAsDenied, CERTAIN),
    },
    Rule {
        name: "smtp-connection-limit",
        source: LEARN_LIMITS,
        when: |line, case| {
            case.service.may_be_microsofts()
                && line.smtp_status() == 432
                && (line.begins("concurrent connections limit exceeded")
                    || line.says("sender thread limit exceeded"))
        },
        then: Then::Is(Cause::TooManyConnections, CERTAIN),
    },
    Rule {
        name: "smtp-daily-quota",
        source: LEARN_LIMITS,
        when: |line, case| {
            case.in_session()
                && case.service.may_be_microsofts()
                && (in_store(line, "submissionquotaexceeded")
                    || line.is(5, 1, 90) && line.says("daily"))
        },
        then: Then::Is(Cause::DailyQuota, CERTAIN),
    },
    Rule {
        name: "smtp-own-mailbox-full",
        source: LEARN_LIMITS,
        when: |line, case| {
            case.in_session() && case.service.may_be_microsofts() && in_store(line, "quotaexceeded")
        },
        then: Then::Is(Cause::MailboxFull, CERTAIN),
    },
    Rule {
        name: "smtp-bad-outbound-sender",
        source: "Microsoft Learn, \"Remove blocked users from the Restricted entities page\"",
        when: |line, case| {
            case.in_session()
                && case.service.may_be_microsofts()
                && line.is(5, 1, 8)
                && line.begins("access denied, bad outbound sender")
        },
        then: Then::Is(Cause::SenderBlocked, CERTAIN),
    },
    Rule {
        name: "smtp-submission-rate",
        source: LEARN_LIMITS,
        when: |line, case| {
            case.service.may_be_microsofts()
                && line.smtp_status() / 100 == 4
                && line.says("submission rate for this client has exceeded")
        },
        then: Then::Is(Cause::Throttled, CERTAIN),
    },
    Rule {
        name: "smtp-server-busy",
        source: "Microsoft Learn, \"Email non-delivery reports in Exchange Online\", 2026-11",
        when: |line, case| {
            case.service.may_be_microsofts() && line.is(4, 7, 500) && line.begins("server busy")
        },
        then: Then::Is(Cause::Throttled, CERTAIN),
    },
    Rule {
        name: "smtp-idle",
        source: REPORTS,
        when: |line, case| {
            case.service.may_be_microsofts()
                && line.smtp_status() == 421
                && line.is(4, 4, 2)
                && line.begins("connection dropped due to timedout")
        },
        then: Then::Is(Cause::SessionIdle, CERTAIN),
    },
    Rule {
        name: "smtp-address-blocked",
        source: "Microsoft Learn, \"Email non-delivery reports in Exchange Online\", 2026-11",
        when: |line, case| {
            case.service.may_be_microsofts()
                && (line.says("traffic not accepted from this ip")
                    || line.is_between(5, 7, 606..=649) && line.says("banned sending ip"))
        },
        then: Then::Is(Cause::SendingAddressBlocked, CERTAIN),
    },
    Rule {
        name: "smtp-organisation-blocked",
        source: "Microsoft Learn, \"Email non-delivery reports in Exchange Online\", 2026-11",
        when: |line, case| {
            case.service.may_be_microsofts()
                && line.is(5, 7, 705)
                && line.says("tenant has exceeded threshold")
        },
        then: Then::Is(Cause::OrganisationBlocked, CERTAIN),
    },
    Rule {
        name: "smtp-not-authenticated",
        source: "observed at Exchange Online; RFC 4954 section 6 has 530 5.7.0",
        when: |line, case| {
            case.in_session()
                && line.smtp_status() == 530
                && line.is(5, 7, 57)
                && line.says("not authenticated to send")
        },
        then: Then::Is(Cause::NotAuthenticated, CERTAIN),
    },
    Rule {
        name: "smtp-hello-missing",
        source: "RFC 5321 section 4.1.4",
        when: |line, _| {
            line.smtp_status() == 503 && line.is(5, 5, 2) && line.begins("send hello first")
        },
        then: Then::Is(Cause::HelloMissing, CERTAIN),
    },
    Rule {
        name: "smtp-passing-fault",
        source: REPORTS,
        when: |line, case| {
            case.service.may_be_microsofts()
                && (line.smtp_status() == 421
                    && line.is(4, 3, 2)
                    && line.begins("service not active")
                    || line.smtp_status() == 451
                        && line.is(4, 7, 0)
                        && line.begins("temporary server error"))
        },
        then: Then::Is(Cause::ServerBusy, CERTAIN),
    },
];

/// A refused login at a server that may be Exchange. The words stand right behind the code: a bounce
/// or a filter may quote them further back.
fn refused_login(line: &Line, case: &Case<'_>) -> bool {
    case.at_login()
        && case.service.may_be_microsofts()
        && line.smtp_status() / 100 == 5
        && line.begins("authentication unsuccessful")
}

fn is_switched_off(line: &Line, case: &Case<'_>) -> bool {
    refused_login(line, case) && line.says("smtpclientauthentication is disabled")
}

/// An exception of the component that stores submitted messages.
fn in_store(line: &Line, exception: &str) -> bool {
    let marked = "storedrv.submission.exception:";
    line.smtp_status() / 100 == 5
        && line.enhanced.is_some_and(|(class, subject, _)| (class, subject) == (5, 2))
        && line.says(&format!("{marked}{exception}"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, first};
    use super::*;
    use crate::Stage;
    use crate::provider::microsoft365;

    /// Other hosts and other times spell it otherwise.
    #[test]
    fn the_words_may_differ_in_what_does_not_matter() {
        let smtp = at(microsoft365::smtp());
        for (stage, line, cause) in [
            (
                Stage::Auth,
                "535 5.7.139 Authentication unsuccessful, SMTPCLIENTAUTHENTICATION is disabled \
                 for the tenant. [LO4P123CA0001.GBRP123.PROD.OUTLOOK.COM 2026-11-21T09:00Z 08DE]",
                Cause::SmtpAuthDisabledForTenant,
            ),
            (
                Stage::Auth,
                "535 Authentication unsuccessful, SmtpClientAuthentication is disabled for the \
                 Mailbox",
                Cause::SmtpAuthDisabledForMailbox,
            ),
            (
                Stage::Auth,
                "535-5.7.139 Authentication unsuccessful, the organization\r\n535 5.7.139 \
                 configuration doesn\u{2019}t allow this authentication request",
                Cause::AuthenticationPolicy,
            ),
            (Stage::Auth, "535 Authentication unsuccessful", Cause::WrongAudience),
            (
                DATA,
                "550 SMTP; client does not have permissions to send as this SENDER [h.example]",
                Cause::SendAsDenied,
            ),
            (DATA, "554 5.2.252 not allowed to send as that", Cause::SendAsDenied),
            (DATA, "430 4.2.0 Storedrv; cause unknown", Cause::MailboxPermissionMissing),
            (
                DATA,
                "451 4.7.500 Server busy. Please try again later from [192.0.2.9]. (S77714)",
                Cause::Throttled,
            ),
            (DATA, "421 4.4.2 Connection dropped due to TimedOut", Cause::SessionIdle),
            (
                DATA,
                "550 5.7.708 Service unavailable. Access denied, traffic not accepted from this \
                 IP. (AS7230)",
                Cause::SendingAddressBlocked,
            ),
            (
                DATA,
                "550 5.7.606 Access denied, banned sending IP [192.0.2.9]",
                Cause::SendingAddressBlocked,
            ),
            (
                DATA,
                "550 5.7.705 Access denied, tenant has exceeded threshold",
                Cause::OrganisationBlocked,
            ),
            (
                DATA,
                "550 5.1.90 Your message can't be sent because you've reached your daily limit",
                Cause::DailyQuota,
            ),
            (Stage::Greeting, "421 4.3.2 Service not available", Cause::ServerBusy),
            (Stage::StartTls, "454 4.7.0 TLS not available", Cause::StartTlsRefused),
        ] {
            assert_eq!(first(&smtp, stage, line).map(|found| found.0), Some(cause), "{line}");
        }
    }

    const DATA: Stage = Stage::Command("the message");

    #[test]
    fn each_line_of_exchange_is_explained() {
        let smtp = at(microsoft365::smtp());
        for (stage, line, cause) in [
            (
                Stage::Auth,
                "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for \
                 the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.",
                Cause::SmtpAuthDisabledForTenant,
            ),
            (
                Stage::Auth,
                "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for \
                 the Mailbox. Visit https://aka.ms/smtp_auth_disabled for more information.",
                Cause::SmtpAuthDisabledForMailbox,
            ),
            (
                Stage::Auth,
                "535 5.7.139 Authentication unsuccessful, the organization configuration doesn't \
                 allow this authentication request",
                Cause::AuthenticationPolicy,
            ),
            (
                Stage::Auth,
                "535 5.7.139 Authentication unsuccessful, user is locked by your organization's \
                 security defaults policy",
                Cause::AuthenticationPolicy,
            ),
            (Stage::Auth, "454 4.7.0 Temporary authentication failure", Cause::ServerBusy),
            (
                DATA,
                "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
                Cause::SendAsDenied,
            ),
            (
                DATA,
                "554 5.2.252 SendAsDenied; a@x not allowed to send as b@y; \
                 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied",
                Cause::SendAsDenied,
            ),
            (
                DATA,
                "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException",
                Cause::SendAsDenied,
            ),
            (DATA, "550 5.2.252 Sender throttled", Cause::SenderThrottled),
            (
                DATA,
                "430 4.2.0 STOREDRV; mailbox logon failure; server: x; MapiExceptionLogonFailed",
                Cause::MailboxPermissionMissing,
            ),
            (DATA, "432 4.3.2 Concurrent connections limit exceeded.", Cause::TooManyConnections),
            (
                DATA,
                "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded.",
                Cause::TooManyConnections,
            ),
            (
                DATA,
                "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException",
                Cause::DailyQuota,
            ),
            (
                DATA,
                "554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException",
                Cause::MailboxFull,
            ),
            (DATA, "550 5.1.8 Access denied, bad outbound sender", Cause::SenderBlocked),
            (DATA, "421 4.3.2 Service not active", Cause::ServerBusy),
            (DATA, "451 4.7.0 Temporary server error. Please try again later.", Cause::ServerBusy),
            (
                DATA,
                "421 4.4.2 Message submission rate for this client has exceeded the configured limit",
                Cause::Throttled,
            ),
            (DATA, "503 5.5.2 Send hello first", Cause::HelloMissing),
            (DATA, "530 5.7.57 Client not authenticated to send mail", Cause::NotAuthenticated),
        ] {
            assert_eq!(first(&smtp, stage, line).map(|found| found.0), Some(cause), "{line}");
        }
    }

    #[test]
    fn a_quotation_behind_the_message_is_no_refusal_of_the_login() {
        let smtp = at(microsoft365::smtp());
        let quoted = "550 5.7.1 Rejected as spam: \"535 5.7.139 Authentication unsuccessful, \
                      SmtpClientAuthentication is disabled for the Tenant\"";
        assert_eq!(first(&smtp, DATA, quoted), None);
        assert_eq!(first(&smtp, Stage::Auth, quoted), None);
        assert_eq!(first(&smtp, Stage::Auth, "235 2.7.0 Authentication successful"), None);
    }
}
