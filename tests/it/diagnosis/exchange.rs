//! What Exchange Online and Outlook.com refuse.

use mailbearer::Protocol::{Imap, Pop, Smtp};
use mailbearer::diagnosis::Who::{Administrator, Developer, Nobody, User};
use mailbearer::diagnosis::{Cause, Who};
use mailbearer::testing::{Fault, Jwt, Service};

use super::{APPLICATION, Case, PRINCIPAL, Trouble, application, user};
use crate::diagnosis::Protocol;

const PERSONAL_TENANT: &str = "9188040D-6C67-4C5B-B112-36A304B66DAD";

fn token(protocol: Protocol, what: &'static str, jwt: Jwt, cause: Cause, who: Who) -> Case {
    Case::new(Service::ExchangeOnline, protocol, what, Trouble::Token(jwt.into()), cause, who)
}

fn fault(protocol: Protocol, what: &'static str, fault: Fault, cause: Cause, who: Who) -> Case {
    Case::new(Service::ExchangeOnline, protocol, what, Trouble::Fault(fault), cause, who)
}

/// Where the server says the same whatever is wrong, and the claims say what.
pub(super) fn tokens() -> Vec<Case> {
    let graph = || user().audience("https://Graph.Microsoft.com/").scopes(["Mail.Send"]);
    let register = format!("New-ServicePrincipal -AppId {APPLICATION} -ObjectId {PRINCIPAL}");
    // A quotation mark in a name cannot end the string it stands in.
    let grant =
        format!("Add-MailboxPermission -Identity 'Nora.O''Hara@contoso.example' -User {PRINCIPAL}");
    vec![
        token(Smtp, "a token for Microsoft Graph", graph(), Cause::WrongAudience, Developer),
        token(Imap, "the same", graph(), Cause::WrongAudience, Developer),
        token(Pop, "the same", graph(), Cause::WrongAudience, Developer),
        token(
            Imap,
            "a token for Graph by its id",
            user().audience("00000003-0000-0000-C000-000000000000"),
            Cause::WrongAudience,
            Developer,
        ),
        token(
            Imap,
            "an expired token",
            user().expires_at(1_650_000_000),
            Cause::TokenExpired,
            Developer,
        ),
        token(
            Smtp,
            "a token from the future: a clock is wrong",
            user().not_before(4_100_000_000),
            Cause::TokenNotYetValid,
            Administrator,
        ),
        token(
            Smtp,
            "no `SMTP.Send`",
            user().scopes(["IMAP.AccessAsUser.All", "User.Read"]),
            Cause::MissingScope,
            Developer,
        ),
        token(
            Imap,
            "no `IMAP.AccessAsUser.All`",
            user().scopes(["SMTP.Send"]),
            Cause::MissingScope,
            Developer,
        ),
        token(
            Pop,
            "no `POP.AccessAsUser.All`",
            user().scopes(["IMAP.AccessAsUser.All"]),
            Cause::MissingScope,
            Developer,
        ),
        token(
            Imap,
            "an application without `IMAP.AccessAsApp`",
            application().roles(["POP.AccessAsApp"]),
            Cause::MissingRole,
            Administrator,
        ),
        token(
            Pop,
            "an application without any role",
            application().roles([""; 0]),
            Cause::NoPermissions,
            Administrator,
        ),
        token(
            Imap,
            "an application that Exchange does not know",
            application(),
            Cause::ServicePrincipalNotRegistered,
            Administrator,
        )
        .command(&register),
        token(Smtp, "the same", application(), Cause::ServicePrincipalNotRegistered, Administrator)
            .command(&register),
        Case::new(
            Service::ExchangeOnline,
            Imap,
            "an application without permission on the mailbox",
            Trouble::RegisteredApplication,
            Cause::MailboxPermissionMissing,
            Administrator,
        )
        .command(grant),
        token(
            Imap,
            "somebody else signed in",
            Jwt::of_user("erik@contoso.example"),
            Cause::TokenOfOtherUser,
            User,
        ),
        token(
            Smtp,
            "a guest signed in",
            Jwt::of_user("nora_fabrikam.example#ext#@contoso.example"),
            Cause::GuestUser,
            Developer,
        ),
        token(
            Imap,
            "a personal account signed in",
            Jwt::of_user("nora@example.com").tenant(PERSONAL_TENANT),
            Cause::PersonalAccount,
            User,
        ),
        token(
            Pop,
            "a token of 5,000 characters",
            user().length(5000),
            Cause::TokenTooLong,
            Developer,
        ),
        Case::new(
            Service::ExchangeOnline,
            Imap,
            "a token that was copied with its line ends",
            Trouble::Malformed,
            Cause::TokenMalformed,
            Developer,
        ),
        Case::new(
            Service::ExchangeOnline,
            Imap,
            "a password",
            Trouble::Password,
            Cause::BasicAuthDisabled,
            Developer,
        ),
    ]
}

pub(super) fn reading() -> Vec<Case> {
    vec![
        fault(
            Imap,
            "IMAP is off for the mailbox",
            Fault::NotConnected,
            Cause::ProtocolDisabled,
            Administrator,
        )
        .command("Set-CASMailbox"),
        fault(
            Imap,
            "the same, told after the login",
            Fault::NotConnectedAfterLogin,
            Cause::ProtocolDisabled,
            Administrator,
        )
        .command("-ImapEnabled $true"),
        fault(
            Pop,
            "POP3 is off for the mailbox",
            Fault::LoginRefused,
            Cause::ProtocolDisabled,
            Administrator,
        )
        .command("-PopEnabled $true"),
        fault(Imap, "too many commands", Fault::Throttled, Cause::Throttled, Nobody),
        fault(
            Imap,
            "the token ended during the session",
            Fault::AccessTokenExpired,
            Cause::TokenExpired,
            Developer,
        ),
        fault(
            Imap,
            "too many connections",
            Fault::ConnectionClosed { code: 10 },
            Cause::TooManyConnections,
            Developer,
        ),
        fault(
            Imap,
            "nothing was said for too long",
            Fault::ConnectionClosed { code: 13 },
            Cause::SessionIdle,
            Developer,
        ),
        fault(
            Imap,
            "refusals before this",
            Fault::ConnectionClosed { code: 14 },
            Cause::SessionEnded,
            Developer,
        ),
        fault(
            Imap,
            "the connection broke in IDLE",
            Fault::DropInIdle,
            Cause::ConnectionLost,
            Nobody,
        ),
        fault(
            Pop,
            "another session has the maildrop",
            Fault::PopInUse,
            Cause::MailboxInUse,
            Nobody,
        ),
        fault(
            Pop,
            "logins follow each other too soon",
            Fault::PopLoginDelay,
            Cause::LoginTooSoon,
            Developer,
        ),
        fault(Pop, "a passing fault", Fault::PopTemporaryFailure, Cause::ServerBusy, Nobody),
        fault(
            Pop,
            "a lasting fault",
            Fault::PopPermanentFailure,
            Cause::ServerFault,
            Administrator,
        ),
        fault(
            Pop,
            "the login is good, the mailbox is not",
            Fault::PopNotOpened,
            Cause::ProtocolDisabled,
            Administrator,
        ),
    ]
}

pub(super) fn sending() -> Vec<Case> {
    let send_as = "Add-RecipientPermission";
    vec![
        fault(
            Smtp,
            "SMTP AUTH is off for the tenant",
            Fault::SmtpAuthDisabledForTenant,
            Cause::SmtpAuthDisabledForTenant,
            Administrator,
        )
        .command("Set-TransportConfig -SmtpClientAuthenticationDisabled $false"),
        fault(
            Smtp,
            "SMTP AUTH is off for the mailbox",
            Fault::SmtpAuthDisabledForMailbox,
            Cause::SmtpAuthDisabledForMailbox,
            Administrator,
        )
        .command(
            "Set-CASMailbox -Identity 'Nora.O''Hara@contoso.example' \
             -SmtpClientAuthenticationDisabled $false",
        ),
        fault(
            Smtp,
            "a policy of the organisation",
            Fault::AuthForbiddenByPolicy,
            Cause::AuthenticationPolicy,
            Administrator,
        ),
        fault(
            Smtp,
            "security defaults",
            Fault::LockedBySecurityDefaults,
            Cause::AuthenticationPolicy,
            Administrator,
        ),
        fault(
            Smtp,
            "a passing fault at the login",
            Fault::TemporaryAuthFailure,
            Cause::ServerBusy,
            Nobody,
        ),
        fault(
            Smtp,
            "another sender, refused at MAIL",
            Fault::SenderNotPermitted,
            Cause::SendAsDenied,
            Administrator,
        )
        .command(send_as),
        fault(
            Smtp,
            "another sender, refused behind the message",
            Fault::SendAsDenied,
            Cause::SendAsDenied,
            Administrator,
        )
        .command(send_as),
        fault(
            Smtp,
            "the same in older words",
            Fault::SendAsDeniedOlder,
            Cause::SendAsDenied,
            Administrator,
        )
        .command(send_as),
        fault(
            Smtp,
            "too many such refusals",
            Fault::SenderThrottled,
            Cause::SenderThrottled,
            Developer,
        ),
        Case::new(
            Service::ExchangeOnline,
            Smtp,
            "the mailbox does not open for the application",
            Trouble::FaultForApplication(Fault::MailboxLogonFailure),
            Cause::MailboxPermissionMissing,
            Administrator,
        )
        .command("-AccessRights FullAccess"),
        fault(
            Smtp,
            "a fourth connection",
            Fault::ConnectionLimit,
            Cause::TooManyConnections,
            Developer,
        ),
        fault(
            Smtp,
            "the same, deeper inside",
            Fault::SenderThreadLimit,
            Cause::TooManyConnections,
            Developer,
        ),
        fault(
            Smtp,
            "10,000 recipients in a day",
            Fault::SubmissionQuotaExceeded,
            Cause::DailyQuota,
            Nobody,
        ),
        fault(
            Smtp,
            "no room for the copy in Sent Items",
            Fault::MailboxFull,
            Cause::MailboxFull,
            User,
        ),
        fault(
            Smtp,
            "the account is blocked",
            Fault::OutboundSenderBlocked,
            Cause::SenderBlocked,
            Administrator,
        ),
        fault(Smtp, "the server goes down", Fault::ServiceNotActive, Cause::ServerBusy, Nobody),
        fault(Smtp, "a passing fault", Fault::TemporaryServerError, Cause::ServerBusy, Nobody),
        fault(
            Smtp,
            "the session was lost",
            Fault::NotAuthenticated,
            Cause::NotAuthenticated,
            Developer,
        ),
        fault(Smtp, "no EHLO", Fault::HelloWanted, Cause::HelloMissing, Developer),
    ]
}

pub(super) fn personal() -> Vec<Case> {
    let at = |protocol, what, with, cause, who| {
        Case::new(Service::OutlookCom, protocol, what, with, cause, who)
    };
    vec![
        at(
            Smtp,
            "a token that is none (no claims to read)",
            Trouble::Opaque,
            Cause::TokenRefused,
            Developer,
        ),
        at(
            Smtp,
            "SMTP AUTH is off for a new account",
            Trouble::Fault(Fault::SmtpAuthDisabledForMailbox),
            Cause::SmtpAuthDisabledForMailbox,
            User,
        ),
        at(
            Imap,
            "IMAP is off in the settings",
            Trouble::Fault(Fault::NotConnected),
            Cause::ProtocolDisabled,
            User,
        ),
    ]
}
