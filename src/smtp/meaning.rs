//! What replies really mean. Codes say little: Microsoft answers with 535 to an expired token and
//! to a switch that an administrator must turn, and with a passing 430 to a permission that will
//! never come by itself.
//!
//! Sources: Microsoft Learn, "Authenticate an IMAP, POP or SMTP connection using OAuth", "Enable or
//! disable SMTP AUTH in Exchange Online", "Troubleshoot issues with High Volume Email",
//! "Improvements to SMTP client submission" (all read 2026-11); RFC 4954 section 6; RFC 3463.

use std::time::Duration;

use super::hint;
use super::reply::{EnhancedCode, Reply};
use crate::Retry;

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
    /// This client asks too often, or for too much; that passes, too.
    Throttled,
    /// The session lasted too long or did nothing for too long; another may begin at once.
    Idle,
    /// The server could not read the command.
    Syntax,
    /// The same request will be refused again.
    Final,
}

/// What to do after `reply`, a refusal.
pub(crate) fn retry(reply: &Reply<'_>) -> Retry {
    match meaning(reply) {
        Meaning::Credential => Retry::RefreshToken,
        Meaning::Policy | Meaning::MailboxNotOpened => Retry::Administrator,
        Meaning::Later | Meaning::Throttled => Retry::Later(wait(reply)),
        Meaning::Idle => Retry::Reconnect,
        Meaning::Syntax | Meaning::Final => Retry::Never,
    }
}

/// How long a reply that means [`Meaning::Later`] or [`Meaning::Throttled`] asks to wait, if it says so.
pub(crate) fn wait(reply: &Reply<'_>) -> Option<Duration> {
    hint::wait(reply.text())
}

/// Whether a refusal is about the token's end. HVE says so, a little ahead or when it has come:
/// 501 5.5.127 in the preview, 535 5.7.142 and 5.7.143 since.
pub(crate) fn is_expiry(reply: &Reply<'_>) -> bool {
    let coded = |code: EnhancedCode| {
        (code.class, code.subject) == (5, 7) && matches!(code.detail, 142 | 143)
    };
    !reply.is_positive()
        && (reply.code() == 535 && reply.enhanced().is_some_and(coded)
            || reply.text().to_ascii_lowercase().contains("token will expire soon"))
}

/// What `reply`, a refusal, is about.
pub(crate) fn meaning(reply: &Reply<'_>) -> Meaning {
    by_phrase(reply)
        .or_else(|| reply.enhanced().and_then(|enhanced| by_enhanced(reply.code(), enhanced)))
        .unwrap_or_else(|| by_code(reply.code()))
}

/// Phrases that tell more than any code beside them.
fn by_phrase(reply: &Reply<'_>) -> Option<Meaning> {
    const PHRASES: [(&str, Meaning); 17] = [
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
        // 535 5.7.139 has said so without its code, and with other ones.
        ("smtpclientauthentication is disabled", Meaning::Policy),
        ("security defaults policy", Meaning::Policy),
        // 10,000 recipients a day; the window moves on.
        ("submissionquotaexceeded", Meaning::Throttled),
        // The sender's own mailbox is full.
        ("storedrv.submission.exception:quotaexceeded", Meaning::Policy),
        ("bad outbound sender", Meaning::Policy),
        // Exchange's throttle, under the code it also hangs up on the idle with.
        ("submission rate for this client has exceeded", Meaning::Throttled),
        // Exchange, of more than three connections to one mailbox: `432 4.3.2 …`.
        ("concurrent connections limit exceeded", Meaning::Throttled),
        ("sender thread limit exceeded", Meaning::Throttled),
        ("suggested backoff time", Meaning::Throttled),
        // Gmail, `421 4.7.0` or `454 4.7.0`, to a mailbox that logs in too often.
        ("too many login attempts", Meaning::Throttled),
        // Microsoft, 4xx and 5xx, of an address with a bad name that somebody has to clear.
        ("traffic not accepted from this ip", Meaning::Policy),
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
        // 5.1.8: blocked for suspected spam. 5.2.240: the login is no HVE account.
        (_, 5, 7, 139 | 144 | 240 | 60 | 9) | (550, 5, 1, 8) | (_, 5, 2, 240) => {
            Some(Meaning::Policy)
        }
        // Exchange Online: an address, a domain or a tenant with a bad name, which somebody has to
        // clear.
        (_, 5, 7, 501..=503 | 606..=649 | 700..=750) => Some(Meaning::Policy),
        // Exchange's 430 for a mailbox that does not open, whatever the rest of its words.
        (430, 4, 2, 0) => Some(Meaning::Policy),
        // The sender was throttled after it had been refused too often; `554 5.2.252` is the
        // refusal itself.
        (550, 5, 2, 252) => Some(Meaning::Throttled),
        (554, 5, 2, 252) => Some(Meaning::Policy),
        // So many recipients or messages a day: Exchange Online, Gmail.
        (550, 5, 1, 90) | (550, 5, 4, 5) => Some(Meaning::Throttled),
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
    use crate::smtp::words::Words;

    fn reply(line: &str) -> Reply<'static> {
        let mut words = Words::default();
        let head = ReplyParser::default().line(line.as_bytes(), &mut words).unwrap().unwrap();
        Reply::new(head, words.take_since(0))
    }

    fn of(line: &str) -> Meaning {
        meaning(&reply(line))
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
    fn the_end_of_a_token_is_told_from_a_bad_one() {
        for (line, expired) in [
            ("535 5.7.142 Token will expire soon", true),
            ("535 5.7.143 Expired token", true),
            ("501 5.5.127 Invalid XOAUTH2 auth data - Token will expire soon error", true),
            ("535 5.7.3 Authentication unsuccessful", false),
            ("550 5.7.143 no relation", false),
            ("250 2.0.0 token will expire soon", false),
        ] {
            assert_eq!(reply(line).is_token_expired(), expired, "{line}");
        }
        // What was done is no throttle either.
        assert!(!reply("250 2.0.0 Too many login attempts before").is_throttled());
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
            "454 4.7.0 Temporary authentication failure",
            "421 4.3.2 Service not active",
            "451 4.7.0 Temporary server error. Please try again later.",
        ] {
            assert_eq!(of(line), Meaning::Later, "{line}");
            assert!(!reply(line).is_throttled(), "{line}");
        }
        for line in [
            "432 4.3.2 Concurrent connections limit exceeded.",
            "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded.",
            "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException",
            "550 5.2.252 Sender throttled",
            "421 4.7.0 Too many messages. Suggested Backoff Time: 92415 milliseconds",
            "454 4.7.0 Too many login attempts, please try again later.",
        ] {
            assert_eq!(of(line), Meaning::Throttled, "{line}");
            assert!(reply(line).is_throttled(), "{line}");
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

    /// Every line that Microsoft is known to refuse with, as other hosts and other times spell it.
    #[test]
    fn what_exchange_online_says_leads_to_what_helps() {
        use Retry::{Administrator, Later, Never, Reconnect, RefreshToken};
        let minutes = |minutes: u64| Later(Some(Duration::from_secs(60 * minutes)));
        for (line, retry) in [
            (
                "535 5.7.3 Authentication unsuccessful [FR2P281CA0042.DEUP281.PROD.OUTLOOK.COM]",
                RefreshToken,
            ),
            (
                "535 5.7.139 Authentication unsuccessful, SMTPCLIENTAUTHENTICATION is disabled \
                 for the tenant. Visit https://aka.ms/x. [LO4P123CA0001.GBRP123.PROD.OUTLOOK.COM \
                 2026-11-21T09:00:00.000Z 08DE]",
                Administrator,
            ),
            (
                "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled \
                 for the Mailbox.",
                Administrator,
            ),
            (
                "535 Authentication unsuccessful, SmtpClientAuthentication is disabled for the \
                 Mailbox",
                Administrator,
            ),
            (
                "535 5.7.139 Authentication unsuccessful, the organization configuration doesn't \
                 allow this authentication request.",
                Administrator,
            ),
            (
                "535 5.7.139 Authentication unsuccessful, user is locked by your organization's \
                 security defaults policy. Contact your administrator.",
                Administrator,
            ),
            (
                "550 5.7.60 SMTP; client does not have permissions to send as this sender \
                 [x.prod.outlook.com]",
                Administrator,
            ),
            (
                "554 5.2.252 SENDASDENIED; robot@fabrikam.example not allowed to send as \
                 boss@fabrikam.example; \
                 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; \
                 Failed to process message",
                Administrator,
            ),
            ("554 5.2.252 not allowed to send as that", Administrator),
            ("554 5.2.0 storedrv.submission.exception:sendasdeniedexception", Administrator),
            ("550 5.2.252 Sender throttled due to too many refusals", Later(None)),
            ("550 5.2.252 Sender throttled, try again in 15 minutes", minutes(15)),
            (
                "430 4.2.0 STOREDRV; mailbox logon failure; server: AM0PR.example; \
                 MapiExceptionLogonFailed: Unable to open message store",
                Administrator,
            ),
            ("430 4.2.0 Storedrv; MAILBOX LOGON FAILURE", Administrator),
            ("430 4.2.0 STOREDRV; cause unknown", Administrator),
            (
                "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/y for \
                 more information. [h]",
                Later(None),
            ),
            (
                "432 4.3.2 STOREDRV.ClientSubmit; Sender Thread Limit Exceeded; retry after 10 \
                 seconds",
                Later(Some(Duration::from_secs(10))),
            ),
            (
                "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed",
                Later(None),
            ),
            (
                "554 5.2.2 Mailbox Full; \
                 STOREDRV.Submission.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded",
                Administrator,
            ),
            ("550 5.1.8 Access denied, BAD OUTBOUND SENDER AS(42003)", Administrator),
            ("454 4.7.0 Temporary authentication failure", Later(None)),
            ("454 4.7.0 temporary authentication failure, wait 2 minutes", minutes(2)),
            ("421 4.3.2 Service not active", Later(None)),
            ("451 4.7.0 Temporary server error. Please try again later. PRX5", Later(None)),
            (
                "451 4.7.500 Server busy. Please try again in 5 minutes from [192.0.2.9]. (S77714)",
                minutes(5),
            ),
            (
                "421 4.4.2 Message submission rate for this client has exceeded the configured \
                 limit",
                Later(None),
            ),
            ("421 4.4.2 Connection dropped due to TimedOut", Reconnect),
            ("450 4.2.0 <ann@x.example>: Greylisted, come back in 300 seconds", minutes(5)),
            ("503 5.5.2 Send hello first [DB8PR.example]", Never),
            ("530 5.7.57 Client not authenticated to send mail. [DB8PR.example]", Never),
            (
                "550 5.7.708 Service unavailable. Access denied, traffic not accepted from this \
                 IP. (AS7230)",
                Administrator,
            ),
            ("450 4.7.26 service unavailable, TRAFFIC NOT ACCEPTED FROM THIS IP", Administrator),
            ("550 5.7.705 Access denied, tenant has exceeded threshold", Administrator),
            ("550 5.7.606 Access denied, banned sending IP [192.0.2.9]", Administrator),
            (
                "550 5.1.90 Your message can't be sent because you've reached your daily limit",
                Later(None),
            ),
        ] {
            assert_eq!(self::retry(&reply(line)), retry, "{line}");
        }
    }

    #[test]
    fn what_high_volume_email_says_leads_to_what_helps() {
        use Retry::{Administrator, Never, RefreshToken};
        for (line, retry) in [
            ("501 5.5.121 invalid xoauth2 argument", Never),
            ("501 5.5.122 Invalid XOAUTH2 auth data - Not base64", Never),
            ("501 5.5.123 Invalid XOAUTH2 auth data", Never),
            ("501 5.5.124 Invalid XOAUTH2 auth data - User address provided is not valid.", Never),
            ("501 5.5.125 Invalid XOAUTH2 auth data - Bearer missing", Never),
            ("501 5.5.126 Invalid XOAUTH2 auth data - Token missing", Never),
            ("501 5.5.127 INVALID XOAUTH2 auth data - TOKEN WILL EXPIRE SOON error", RefreshToken),
            ("535 5.7.142 The token will expire soon [hve-7.example]", RefreshToken),
            ("535 5.7.143 The token has expired", RefreshToken),
            (
                "535 5.7.144 xoauth2 authentication failed. invalid api permissions \
                 [hve-7.example]",
                Administrator,
            ),
            (
                "550 5.7.240 The application is not allowed for use with this High Volume Email \
                 account",
                Administrator,
            ),
            (
                "550 5.5.105 External sending is not supported for High Volume Email accounts: \
                 eve@fabrikam.example",
                Never,
            ),
            ("550 5.7.62 Sender is not the account", Never),
            ("550 5.6.241 From is not the envelope's", Never),
            ("535 5.2.240 The account is not a High Volume Email account", Administrator),
            ("535 5.7.3 Authentication unsuccessful", RefreshToken),
            (
                "535 5.7.139 Authentication unsuccessful, the organization configuration doesn't \
                 allow it",
                Administrator,
            ),
        ] {
            assert_eq!(self::retry(&reply(line)), retry, "{line}");
        }
    }

    #[test]
    fn gmail_and_others_are_read_too() {
        use Retry::{Administrator, Later, Never, RefreshToken};
        let minutes = |minutes: u64| Later(Some(Duration::from_secs(60 * minutes)));
        for (line, retry) in [
            ("535 5.7.8 Username and Password not accepted. - gsmtp", RefreshToken),
            ("555 5.5.2 Syntax error, goodbye. f8f - gsmtp", Never),
            ("534 5.7.9 Application-specific password required - gsmtp", Administrator),
            ("534 5.7.14 Please log in via your web browser - gsmtp", Administrator),
            ("454 4.7.0 Too many login attempts, please try again later. - gsmtp", Later(None)),
            ("550 5.4.5 Daily user sending limit exceeded. - gsmtp", Later(None)),
            ("450 4.7.1 Service unavailable; greylisted, retry in 10 minutes", minutes(10)),
            ("452 4.5.3 Too many recipients", Later(None)),
            ("552 5.3.4 Message size exceeds fixed limit", Never),
        ] {
            assert_eq!(self::retry(&reply(line)), retry, "{line}");
        }
    }
}
