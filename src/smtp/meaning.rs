//! What replies really mean. Codes say little: Microsoft answers with 535 to an expired token and
//! to a switch that an administrator must turn, and with a passing 430 to a permission that will
//! never come by itself.
//!
//! Sources: Microsoft Learn, "Authenticate an IMAP, POP or SMTP connection using OAuth", "Enable or
//! disable SMTP AUTH in Exchange Online", "Troubleshoot issues with High Volume Email",
//! "Improvements to SMTP client submission" (all read 2026-11); RFC 4954 section 6; RFC 3463.

use super::reply::{EnhancedCode, Reply};

/// What a refusal is about, which decides what helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The token or password itself.
    Credential,
    /// The credential is good, but the mailbox does not open for it.
    MailboxNotOpened,
    /// A permission, a switch, a quota: somebody must change it.
    Policy,
    /// It passes.
    Later,
    /// The session lasted too long or did nothing for too long; another may begin at once.
    Idle,
    /// The server could not read the command.
    Syntax,
    /// The same request will be refused again.
    Final,
}

/// What `reply`, a refusal, is about.
pub(crate) fn meaning(reply: &Reply<'_>) -> Meaning {
    by_phrase(reply)
        .or_else(|| reply.enhanced().and_then(|enhanced| by_enhanced(reply.code(), enhanced)))
        .unwrap_or_else(|| by_code(reply.code()))
}

/// Phrases that tell more than any code beside them.
fn by_phrase(reply: &Reply<'_>) -> Option<Meaning> {
    const PHRASES: [(&str, Meaning); 9] = [
        // HVE: 501 5.5.127 in the preview, 535 5.7.142 since.
        ("token will expire soon", Meaning::Credential),
        // Postfix, of an initial response over its line_length_limit.
        ("invalid base64", Meaning::Syntax),
        ("authenticated but not connected", Meaning::MailboxNotOpened),
        // Exchange: `430 4.2.0 STOREDRV; mailbox logon failure; ... MapiExceptionLogonFailed`, for
        // an application that may not open the mailbox. It comes only after the whole message.
        ("mailbox logon failure", Meaning::Policy),
        ("mapiexceptionlogonfailed", Meaning::Policy),
        ("sendasdenied", Meaning::Policy),
        // 10,000 recipients a day; the window moves on.
        ("submissionquotaexceeded", Meaning::Later),
        // The sender's own mailbox is full.
        ("storedrv.submission.exception:quotaexceeded", Meaning::Policy),
        ("bad outbound sender", Meaning::Policy),
    ];
    let text = reply.text().to_ascii_lowercase();
    PHRASES.iter().find(|(phrase, _)| text.contains(phrase)).map(|(_, meaning)| *meaning)
}

fn by_enhanced(code: u16, enhanced: EnhancedCode) -> Option<Meaning> {
    let EnhancedCode { class, subject, detail } = enhanced;
    match (code, class, subject, detail) {
        // 5.7.3 Exchange, 5.7.8 RFC 4954, 5.7.142 and 5.7.143 HVE: the token is about to expire
        // or has expired.
        (535, 5, 7, 3 | 8 | 142 | 143) => Some(Meaning::Credential),
        // 5.7.139: SMTP AUTH is switched off for the tenant or the mailbox, or security defaults
        // forbid it. 5.7.144: the token lacks Mail.Send. 5.7.240: the application is not on the
        // account's list. 5.7.60: no right to send as this sender. 5.7.9: a password will not do.
        // 5.1.8: blocked for suspected spam.
        (_, 5, 7, 139 | 144 | 240 | 60 | 9) | (550, 5, 1, 8) => Some(Meaning::Policy),
        // The sender was throttled after it had been refused too often; `554 5.2.252` is the
        // refusal itself and is known by its phrase.
        (550, 5, 2, 252) => Some(Meaning::Later),
        // RFC 4954 section 6: the mechanism needs a new password first.
        (432, 4, 7, 12) => Some(Meaning::Policy),
        // RFC 3463: no answer from the host, bad connection; what servers write when they time out.
        (421, 4, 4, 1 | 2) => Some(Meaning::Idle),
        _ => None,
    }
}

fn by_code(code: u16) -> Meaning {
    match code {
        400..=499 => Meaning::Later,
        // 555 is Gmail's for an AUTH line that is too long.
        500 | 501 | 555 => Meaning::Syntax,
        // RFC 4954 section 6: stronger mechanism wanted; encryption wanted.
        534 | 538 => Meaning::Policy,
        _ => Meaning::Final,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::reply::ReplyParser;

    fn of(line: &str) -> Meaning {
        let mut words = String::new();
        let head = ReplyParser::default().line(line.as_bytes(), &mut words).unwrap().unwrap();
        meaning(&Reply::new(head, words))
    }

    #[test]
    fn refusals_of_the_credential_are_few() {
        for line in [
            "535 5.7.3 Authentication unsuccessful [SN2PR00CA0018.namprd00.prod.outlook.com]",
            "535 5.7.3 Authentication unsuccessful",
            "535 5.7.8 Error: authentication failed: (reason unavailable)",
            "535 5.7.8 Username and Password not accepted.",
            "535 5.7.142 Token will expire soon",
            "535 5.7.143 Expired token",
            "501 5.5.127 Invalid XOAUTH2 auth data - Token will expire soon error",
        ] {
            assert_eq!(of(line), Meaning::Credential, "{line}");
        }
    }

    #[test]
    fn what_only_an_administrator_can_change_is_told_from_it() {
        for line in [
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for \
             the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.",
            "535 5.7.139 Authentication unsuccessful, the organization configuration doesn't \
             allow this authentication request",
            "535 5.7.144 XOAUTH2 authentication failed. Invalid API permissions",
            "550 5.7.240 The application is not allowed for use with this account",
            "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
            "554 5.2.252 SendAsDenied; a@x not allowed to send as b@y; \
             STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied",
            "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException",
            "430 4.2.0 STOREDRV; mailbox logon failure; server: x; MapiExceptionLogonFailed",
            "554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException",
            "550 5.1.8 Access denied, bad outbound sender",
            "534 5.7.9 Application-specific password required",
            "534 Please log in with your web browser",
            "432 4.7.12 A password transition is needed",
        ] {
            assert_eq!(of(line), Meaning::Policy, "{line}");
        }
    }

    #[test]
    fn what_passes_is_told_from_what_does_not() {
        for line in [
            "432 4.3.2 Concurrent connections limit exceeded.",
            "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded.",
            "454 4.7.0 Temporary authentication failure",
            "421 4.3.2 Service not active",
            "451 4.7.0 Temporary server error. Please try again later.",
            "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException",
            "550 5.2.252 Sender throttled",
        ] {
            assert_eq!(of(line), Meaning::Later, "{line}");
        }
        for line in [
            "530 5.7.57 Client not authenticated to send mail",
            "503 5.5.2 Send hello first",
            "504 5.5.4 Unrecognized authentication type",
            "550 5.5.105 External sending is not supported for High Volume Email accounts",
            "550 5.1.1 User unknown",
            "554 5.7.62 Sender address rejected",
        ] {
            assert_eq!(of(line), Meaning::Final, "{line}");
        }
        assert_eq!(of("421 4.4.2 mail.test Error: timeout exceeded"), Meaning::Idle);
    }

    #[test]
    fn what_the_server_could_not_read_blames_no_token() {
        for line in [
            "555 5.5.2 Syntax error, goodbye.",
            "500 5.5.2 Line too long",
            "500 5.5.6 SASL response limit exceeded",
            "501 5.5.124 Invalid XOAUTH2 auth data - User address provided is not valid.",
            "535 5.7.8 Error: authentication failed: Invalid base64 data in initial response",
        ] {
            assert_eq!(of(line), Meaning::Syntax, "{line}");
        }
    }
}
