//! Lines as the services say them to others: other hosts and ids, other letter case, wrapped, with a
//! final dot and without. Then lines that only look alike, and successes: of those nothing is said.

use mailbearer::diagnosis::{Cause, Context, Evidence};
use mailbearer::provider::{fastmail, gmail, hve, microsoft365, outlook, yahoo};
use mailbearer::{Diagnosis, Endpoint, Protocol, Stage};

const LOGIN: Stage = Stage::Auth;
const SENDER: Stage = Stage::Command("MAIL FROM");
const MESSAGE: Stage = Stage::Command("the message");
const LATER: Stage = Stage::Command("SELECT");

/// What is known of a line, said by this server.
fn find(at: &Endpoint, stage: Stage, line: &str) -> Option<Diagnosis> {
    let context = Context::new().with_endpoint(at.clone()).with_mailbox("desk@fabrikam.example");
    Diagnosis::of_line(at.protocol(), stage, line, &context)
}

/// A server of which nothing is known.
fn own(protocol: Protocol) -> Endpoint {
    match protocol {
        Protocol::Smtp => Endpoint::smtp("mail.fabrikam.example"),
        Protocol::Imap => Endpoint::imap("mail.fabrikam.example"),
        _ => Endpoint::pop("mail.fabrikam.example"),
    }
}

#[track_caller]
fn all_say(at: &Endpoint, stage: Stage, cause: Cause, lines: &[&str]) {
    for line in lines {
        let found = find(at, stage, line).map(|diagnosis| diagnosis.first().cause());
        assert_eq!(found, Some(cause), "{at}: {line}");
    }
}

#[test]
fn exchange_is_understood_however_it_writes_its_lines_of_smtp() {
    let at = microsoft365::smtp();
    all_say(
        &at,
        LOGIN,
        Cause::SmtpAuthDisabledForTenant,
        &[
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the \
             Tenant. Visit https://aka.ms/smtp_auth_disabled for more information. \
             [FR0P281CA0196.DEUP281.PROD.OUTLOOK.COM 2026-03-03T08:11:52.771Z 08DE78A1B2C3D4E5]",
            "535-5.7.139 AUTHENTICATION UNSUCCESSFUL, SmtpClientAuthentication\r\n535 5.7.139 is \
             disabled for the tenant",
            "535 5.7.139 authentication unsuccessful, smtpclientauthentication is disabled for the \
             tenant.",
        ],
    );
    all_say(
        &at,
        LOGIN,
        Cause::SmtpAuthDisabledForMailbox,
        &[
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the \
             Mailbox. Visit https://aka.ms/smtp_auth_disabled [AS4P190CA0044.EURP190.PROD.OUTLOOK.COM]",
            "535 5.7.139  Authentication unsuccessful,  SmtpClientAuthentication is disabled for \
             the Mailbox",
        ],
    );
    all_say(
        &at,
        LOGIN,
        Cause::AuthenticationPolicy,
        &[
            "535 5.7.139 Authentication unsuccessful, the organization configuration doesn't allow \
             this authentication request. [ZR0P278CA0101.CHEP278.PROD.OUTLOOK.COM]",
            "535 5.7.139 Authentication unsuccessful, the organization configuration doesn\u{2019}t \
             allow this authentication request",
            "535 5.7.139 Authentication unsuccessful, user is locked by your organization's \
             security defaults policy. Contact your administrator.",
        ],
    );
    all_say(&at, LOGIN, Cause::ServerBusy, &["454 4.7.0 Temporary authentication failure."]);
    all_say(
        &at,
        SENDER,
        Cause::SendAsDenied,
        &[
            "550 5.7.60 SMTP; Client does not have permissions to send as this sender \
             [PAXPR04MB8000.eurprd04.prod.outlook.com]",
            "550-5.7.60 smtp; client does not have permissions\n550 5.7.60 to send as this sender.",
        ],
    );
    all_say(
        &at,
        MESSAGE,
        Cause::SendAsDenied,
        &[
            "554 5.2.252 SendAsDenied; desk@fabrikam.example not allowed to send as \
             board@fabrikam.example; STOREDRV.Submission.Exception:SendAsDeniedException.\
             MapiExceptionSendAsDenied; Failed to process message due to a permanent exception",
            "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied",
        ],
    );
    all_say(
        &at,
        MESSAGE,
        Cause::MailboxPermissionMissing,
        &["430 4.2.0 STOREDRV; mailbox logon failure; Failed to process message due to a \
           transient exception with message Cannot open mailbox. MapiExceptionLogonFailed: Unable \
           to open message store. [Hostname=DB9PR10MB0001.EURPRD10.PROD.OUTLOOK.COM]"],
    );
    all_say(
        &at,
        MESSAGE,
        Cause::TooManyConnections,
        &[
            "432 4.3.2 concurrent connections limit exceeded. Visit \
             https://aka.ms/concurrent_sending for more information.",
            "432 4.3.2 STOREDRV.ClientSubmit; Sender thread limit exceeded",
        ],
    );
    all_say(
        &at,
        MESSAGE,
        Cause::DailyQuota,
        &["554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed to \
           process message due to a permanent exception"],
    );
    all_say(
        &at,
        MESSAGE,
        Cause::MailboxFull,
        &["554 5.2.2 Mailbox full; STOREDRV.Submission.Exception:QuotaExceededException.\
           MapiExceptionShutoffQuotaExceeded; Failed to process message"],
    );
    all_say(
        &at,
        MESSAGE,
        Cause::SenderBlocked,
        &["550 5.1.8 Access denied, bad outbound sender. For more information please go to \
           https://go.microsoft.com/fwlink/. S(8500)"],
    );
    all_say(
        &at,
        SENDER,
        Cause::NotAuthenticated,
        &["530 5.7.57 Client not authenticated to send mail."],
    );
    all_say(
        &at,
        SENDER,
        Cause::HelloMissing,
        &["503 5.5.2 Send Hello First [LO4P123CA0001.GBRP123]"],
    );
    all_say(
        &at,
        SENDER,
        Cause::ServerBusy,
        &[
            "421 4.3.2 Service not active.",
            "451 4.7.0 Temporary server error. Please try again later",
        ],
    );
}

#[test]
fn exchange_is_understood_however_it_writes_its_lines_of_imap_and_pop3() {
    let (imap, pop) = (microsoft365::imap(), microsoft365::pop());
    all_say(
        &imap,
        LOGIN,
        Cause::MailboxPermissionMissing,
        &[
            "NO User is authenticated but not connected.",
            "NO USER IS AUTHENTICATED BUT NOT CONNECTED",
            "A7 BAD User is authenticated but not connected",
        ],
    );
    all_say(
        &imap,
        LATER,
        Cause::TokenExpired,
        &[
            "* BYE Session invalidated - AccessTokenExpired.",
            "* bye session invalidated - accesstokenexpired",
        ],
    );
    all_say(
        &imap,
        LATER,
        Cause::Throttled,
        &["* BAD Request is throttled. Suggested Backoff Time: 299853 milliseconds"],
    );
    all_say(&imap, LATER, Cause::SessionIdle, &["* BYE Connection is closed. 13."]);
    all_say(
        &imap,
        LATER,
        Cause::SessionEnded,
        &["* BYE Connection closed. 14", "* BYE connection is closed. 14"],
    );
    all_say(&imap, LOGIN, Cause::BasicAuthDisabled, &["NO basic authentication is disabled"]);
    all_say(&pop, LOGIN, Cause::BasicAuthDisabled, &["-ERR Basic authentication is disabled."]);
    all_say(
        &pop,
        LOGIN,
        Cause::MailboxInUse,
        &["-ERR [in-use] Mailbox is locked by another session."],
    );
    all_say(&pop, LOGIN, Cause::LoginTooSoon, &["-ERR [LOGIN-DELAY] minimum is 300 s"]);
    all_say(&pop, LOGIN, Cause::ServerBusy, &["-err [sys/temp] try later"]);
    all_say(&pop, LOGIN, Cause::ServerFault, &["-ERR [SYS/PERM] Configuration error."]);
    // Where the line says nothing, the first of the possible causes is only that.
    for (at, line) in [
        (imap, "NO AUTHENTICATE failed"),
        (pop, "-ERR Authentication failure: unknown user name or bad password"),
        (microsoft365::smtp(), "535 5.7.3 authentication unsuccessful [LV3P220CA0030.NAMP220]"),
    ] {
        let found = find(&at, LOGIN, line).unwrap();
        assert!(found.findings().len() > 3, "{line}");
        for finding in found.findings() {
            let evidence = finding.evidence().first();
            assert!(matches!(evidence, Some(Evidence::Reply(_))), "{line}: {evidence:?}");
        }
    }
}

#[test]
fn high_volume_email_is_understood_at_both_its_hosts() {
    let old = hve::smtp().with_host("SMTP-HVE.office365.com");
    for at in [hve::smtp(), old] {
        for (stage, cause, line) in [
            (
                LOGIN,
                Cause::MalformedLogin,
                "501 5.5.122 Invalid XOAUTH2 auth data - Bearer is missing. Please ensure the auth \
                 data is well formed.",
            ),
            (
                LOGIN,
                Cause::TokenExpiresSoon,
                "501 5.5.127 Invalid XOAUTH2 auth data - Token will expire soon error.",
            ),
            (LOGIN, Cause::TokenExpiresSoon, "535 5.7.142 TOKEN WILL EXPIRE SOON"),
            (SENDER, Cause::TokenExpired, "535 5.7.143 The token is expired"),
            (
                LOGIN,
                Cause::MissingRole,
                "535 5.7.144 XOAUTH2 Authentication failed. Invalid API Permissions.",
            ),
            (
                SENDER,
                Cause::ApplicationNotAllowed,
                "550 5.7.240 the application is not allowed for use with this high volume email \
                 account.",
            ),
            (
                MESSAGE,
                Cause::ExternalRecipient,
                "550 5.5.105 External sending is not supported for High Volume Email accounts. \
                 Remove the external recipients.",
            ),
            (SENDER, Cause::SenderIsNotAccount, "550 5.7.62 sender must be the account"),
            (MESSAGE, Cause::HeaderFromDiffers, "550 5.6.241 From differs"),
            (LOGIN, Cause::NotHighVolumeAccount, "550 5.2.240 not an HVE account"),
        ] {
            let found = find(&at, stage, line).map(|diagnosis| diagnosis.first().cause());
            assert_eq!(found, Some(cause), "{at}: {line}");
        }
    }
}

#[test]
fn gmail_is_understood_with_its_support_pages_and_without() {
    all_say(
        &gmail::smtp(),
        LOGIN,
        Cause::TokenRefused,
        &[
            "535-5.7.8 Username and Password not accepted. For more information, go to\r\n535 5.7.8 \
             https://support.google.com/mail/?p=BadCredentials \
             5b1f17b1804b1-45dd0000000sm1234567.5 - gsmtp",
            "535 5.7.8 username and password not accepted",
        ],
    );
    all_say(
        &gmail::imap(),
        LOGIN,
        Cause::TokenRefused,
        &["NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)"],
    );
    all_say(&gmail::pop(), LOGIN, Cause::TokenRefused, &["-ERR [AUTH] Invalid credentials"]);
    all_say(
        &gmail::imap(),
        LOGIN,
        Cause::WebLoginRequired,
        &["NO [ALERT] Please log in via your web browser: \
           https://support.google.com/mail/accounts/answer/78754 (Failure)"],
    );
    all_say(
        &gmail::smtp(),
        LOGIN,
        Cause::AppPasswordRequired,
        &["534-5.7.9 Application-specific password required. For more information, go to\n534 \
           5.7.9 https://support.google.com/mail/?p=InvalidSecondFactor"],
    );
}

#[test]
fn lines_that_only_look_alike_are_not_explained() {
    let (smtp, imap, pop) = (own(Protocol::Smtp), own(Protocol::Imap), own(Protocol::Pop));
    let near_misses = [
        // Other servers' refusals, in words near to Microsoft's and Google's.
        (smtp.clone(), LOGIN, "535 5.7.8 Error: authentication failed: generic failure"),
        (smtp.clone(), LOGIN, "535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6"),
        (smtp.clone(), LOGIN, "535 5.7.1 authentication failed"),
        (smtp.clone(), LOGIN, "535 Incorrect authentication data"),
        // Exchange's words, without a mark of Exchange's.
        (smtp.clone(), LOGIN, "535 Authentication unsuccessful"),
        (smtp.clone(), LOGIN, "535 5.7.3 Authentication unsuccessful"),
        (
            smtp.clone(),
            MESSAGE,
            "554 5.2.252 SendAsDenied; a not allowed to send as ceo@victim.example",
        ),
        (smtp.clone(), SENDER, "550 5.7.1 Client does not have permissions to send to this server"),
        (
            smtp.clone(),
            SENDER,
            "553 5.7.1 <a@b.example>: Sender address rejected: not owned by user",
        ),
        (smtp.clone(), MESSAGE, "550 5.7.139 Access denied by the content filter"),
        (smtp.clone(), MESSAGE, "452 4.2.2 Mailbox full"),
        (smtp.clone(), MESSAGE, "550 5.2.252 Quota of this list is used up"),
        (smtp.clone(), SENDER, "550 5.7.62 Message rejected by policy"),
        (imap.clone(), LOGIN, "NO [AUTHENTICATIONFAILED] Authentication failed."),
        (imap.clone(), LOGIN, "NO [AUTHENTICATIONFAILED] Authentication failed for user"),
        (imap.clone(), LATER, "NO [SERVERBUG] Internal error occurred. [2026-11-21 10:00:00]"),
        (imap.clone(), LATER, "* BYE Logging out"),
        (imap.clone(), LATER, "* BYE Disconnected for inactivity."),
        (imap.clone(), LATER, "BAD Error in IMAP command: Unknown command"),
        (pop.clone(), LOGIN, "-ERR Authentication failed."),
        (pop.clone(), LOGIN, "-ERR Mailbox is not connected to the user"),
        // The services themselves, about something else, or quoting.
        (
            microsoft365::smtp(),
            MESSAGE,
            "550 5.7.1 Blocked: your text says \"535 5.7.3 Authentication unsuccessful\"",
        ),
        (
            microsoft365::smtp(),
            MESSAGE,
            "554 5.6.0 Message quotes SendAsDenied; not allowed to send as",
        ),
        (microsoft365::smtp(), SENDER, "501 5.1.7 Invalid address"),
        (
            microsoft365::smtp(),
            Stage::Command("RCPT TO"),
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound",
        ),
        (
            microsoft365::imap(),
            LATER,
            "NO The folder \"User is authenticated but not connected\" does not exist",
        ),
        (microsoft365::imap(), LATER, "NO AUTHENTICATE failed."),
        (microsoft365::imap(), LATER, "BAD Command Argument Error. 11"),
        (microsoft365::imap(), LATER, "NO Some of the requested messages no longer exist"),
        (microsoft365::pop(), LATER, "-ERR The specified message is out of range."),
        (outlook::imap(), LATER, "NO Mailbox named AccessTokenExpired does not exist"),
        (gmail::imap(), LATER, "NO [NONEXISTENT] Unknown Mailbox: Invalid credentials (Failure)"),
        (
            gmail::smtp(),
            MESSAGE,
            "552 5.7.0 This message was blocked because its content presents a potential security issue",
        ),
        (yahoo::imap(), LOGIN, "NO AUTHENTICATE failed."),
        (fastmail::smtp(), LOGIN, "535 5.7.3 Authentication unsuccessful"),
    ];
    assert!(near_misses.len() >= 15);
    for (at, stage, line) in near_misses {
        let found = find(&at, stage, line);
        assert_eq!(found, None, "{at}: {line}");
    }
}

#[test]
fn of_a_success_nothing_is_said() {
    let smtp = [
        "220 TYCP286CA0192.outlook.office365.com Microsoft ESMTP MAIL Service ready",
        "220 2.0.0 SMTP server ready",
        "250-TYCP286CA0192.outlook.office365.com Hello [192.0.2.7]\r\n250-SIZE 157286400\r\n250 SMTPUTF8",
        "334 ",
        "235 2.7.0 Authentication successful",
        "235 2.7.0 Accepted",
        "250 2.1.0 Sender OK",
        "250 2.1.5 Recipient OK",
        "354 Start mail input; end with <CRLF>.<CRLF>",
        "250 2.0.0 OK <535 5.7.3 Authentication unsuccessful@x.prod.outlook.com> \
         [Hostname=AS8PR01MB1.eurprd01.prod.exchangelabs.com]",
        "221 2.0.0 Service closing transmission channel",
    ];
    let imap = [
        "* OK The Microsoft Exchange IMAP4 service is ready. [TQBXAEgA]",
        "A01 OK AUTHENTICATE completed.",
        "A1 OK user authenticated (Success)",
        "OK Thats all she wrote! 5b1f17b1804b1",
        "A2 OK [READ-WRITE] SELECT completed.",
        "A9 OK LOGOUT completed.",
    ];
    let pop = [
        "+OK The Microsoft Exchange POP3 service is ready. [TQBXAEgA]",
        "+OK User successfully authenticated.",
        "+OK User successfully logged on.",
        "+OK Welcome.",
        "+OK Microsoft Exchange Server POP3 server signing off.",
    ];
    for (places, lines) in [
        ([microsoft365::smtp(), hve::smtp(), gmail::smtp(), own(Protocol::Smtp)], &smtp[..]),
        ([microsoft365::imap(), outlook::imap(), gmail::imap(), own(Protocol::Imap)], &imap[..]),
        ([microsoft365::pop(), outlook::pop(), gmail::pop(), own(Protocol::Pop)], &pop[..]),
    ] {
        for at in &places {
            for line in lines {
                for stage in [LOGIN, Stage::Probe, SENDER, MESSAGE, LATER] {
                    assert_eq!(find(at, stage, line), None, "{at}, {stage}: {line}");
                }
            }
        }
    }
}
