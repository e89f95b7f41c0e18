//! What to do about each cause, and whose turn it is.

use super::Cause;
use super::case::Case;
use super::finding::Who;
use super::rules::claims::wanted;
use super::service::Service;
use crate::Protocol;
use crate::token::Claims;

/// Who acts, and how.
pub(super) fn of(cause: Cause, case: &Case<'_>) -> (Who, String) {
    let (who, text) = fixed(cause);
    match (cause, case.service, case.protocol) {
        (Cause::WrongAudience, ..) => (who, format!("{text} {}", scopes(case))),
        (Cause::MissingScope | Cause::MissingRole | Cause::NoPermissions, ..) => {
            let missing = wanted(case).map(|(scope, role)| match cause {
                Cause::MissingScope => format!("Missing is {scope}. "),
                _ => format!("Missing is {role}. "),
            });
            let mut text = format!("{}{text}", missing.unwrap_or_default());
            let by_rbac = case.protocol == Some(Protocol::Smtp) && case.service.is_exchange();
            if by_rbac && cause != Cause::MissingScope {
                text.push_str(
                    " It may be absent on purpose: where the role `Application SMTP.SendAsApp` is \
                     assigned by RBAC for Applications, the token needs none.",
                );
            }
            (who, text)
        }
        // The switch is in the settings of the mailbox itself, for its owner.
        (Cause::ProtocolDisabled, Service::Exchange { personal: true }, _) => (
            Who::User,
            "Let other apps and devices use POP and IMAP in the settings of the mailbox on the \
             web: Settings, Mail, Forwarding and IMAP."
                .into(),
        ),
        (Cause::SmtpAuthDisabledForMailbox, Service::Exchange { personal: true }, _) => (
            Who::User,
            "A personal account has no switch for it. Send from the web or from an app of \
             Microsoft's, or by Microsoft Graph, or take an account of another service."
                .into(),
        ),
        (Cause::SendAsDenied, Service::Gmail, _) => (
            Who::User,
            "Send from the account's own address, or add the other as an alias under \"Send mail \
             as\"."
                .into(),
        ),
        _ => (who, text.into()),
    }
}

/// The scopes that get a token for this server.
fn scopes(case: &Case<'_>) -> String {
    let cloud = case.cloud();
    if case.service == Service::HighVolumeEmail {
        return "For High Volume Email that is https://outlook.office.com/.default.".into();
    }
    let application = format!("{}/.default", cloud.application_resource());
    let permission = wanted(case).map_or("…", |(scope, _)| scope);
    let user = format!("{}/{permission}", cloud.delegated_resource());
    match case.claims().map(Claims::app_only) {
        Some(true) => format!("This application asks for {application}."),
        Some(false) => format!("This application asks for {user}."),
        None => {
            format!("An application for itself asks for {application}, one for a user for {user}.")
        }
    }
}

/// What holds whatever the service.
fn fixed(cause: Cause) -> (Who, &'static str) {
    use Who::{Administrator, Developer, Nobody, User};
    match cause {
        Cause::WrongAudience => (
            Developer,
            "Ask for a token of the mail server's own resource, with the full URL in the scope; a \
             bare permission name, or one of Microsoft Graph, gives a token that no mail server \
             takes.",
        ),
        Cause::TokenExpired => (
            Developer,
            "Get a new token, renew it before its end, and connect again with it: a session cannot \
             change its token. If the token is new, the clock of this machine is wrong.",
        ),
        Cause::TokenExpiresSoon => (
            Developer,
            "Renew tokens at least ten minutes before they end, and connect with the new one.",
        ),
        Cause::TokenNotYetValid => (
            Administrator,
            "Set the clock of this machine, by NTP: the token begins in the future.",
        ),
        Cause::MissingScope => (
            Developer,
            "Add the delegated permission to the app registration, ask for it with the resource's \
             URL in front, and let the user or the administrator consent to it; then get a new \
             token.",
        ),
        Cause::InsufficientScope => (
            Developer,
            "Ask for a token with the scope that the server names, or that its documentation names, \
             and let the user consent to it.",
        ),
        Cause::MissingRole | Cause::NoPermissions => (
            Administrator,
            "Add the application permission of \"Office 365 Exchange Online\" to the app \
             registration, and grant admin consent; then get a new token.",
        ),
        Cause::TokenRefused => (
            Developer,
            "Check that the token is an access token for this service with its mail scope, that it \
             is not older than its lifetime, and that it was issued for this account. If the grant \
             was revoked, let the user sign in again.",
        ),
        Cause::TokenMalformed => (
            Developer,
            "Give the bare access token: no `Bearer` in front, no line end, nothing but visible \
             ASCII.",
        ),
        Cause::TokenTooLong => (
            Developer,
            "Have fewer claims put into the token: fewer groups, or groups assigned to the \
             application only; or read the mailbox by IMAP, which takes longer tokens.",
        ),
        Cause::TokenOfOtherUser => (
            User,
            "Sign in as the user of this mailbox: an account picker may have taken another. If the \
             mailbox is a shared one, the user needs the permission on it.",
        ),
        Cause::GuestUser => (
            Developer,
            "Let the user sign in at the home tenant, where the mailbox is: use that tenant's id, \
             or `organizations`, in the authority.",
        ),
        Cause::WrongTenant => (
            Developer,
            "Ask for the token at the tenant of the mailbox: its id stands in the `issuer` on the \
             page below, and must be the token's `tid`.",
        ),
        Cause::PersonalAccount => (
            User,
            "Sign in with the work or school account, and with the tenant's id in the authority.",
        ),
        Cause::MalformedLogin => (
            Developer,
            "Check the mailbox name (a full address) and the token, which may be empty, cut, or \
             with a line end; this crate's own payload is well formed.",
        ),
        Cause::OneLineLogin => (
            Developer,
            "Send the login on a line of its own: do not turn on `Profile::with_inline_auth` for \
             this service.",
        ),
        Cause::ServicePrincipalNotRegistered => (
            Administrator,
            "Register the application's service principal in Exchange with the Object ID of the \
             page \"Enterprise applications\", which is the token's `oid`; the one of \"App \
             registrations\" is another, and leads to this refusal. Compare what \
             `Get-ServicePrincipal` lists.",
        ),
        Cause::MailboxPermissionMissing => (
            Administrator,
            "Grant the application's service principal, or the user, access to the mailbox: \
             FullAccess to read, SendAs to send.",
        ),
        Cause::PermissionNotYetInForce => (
            Nobody,
            "Exchange takes up to an hour to act on a new service principal or permission: wait, \
             and try again with a new token.",
        ),
        Cause::ProtocolDisabled => (
            Administrator,
            "Switch the protocol on for the mailbox, and check that no authentication policy \
             forbids it.",
        ),
        Cause::NoMailbox => (
            Administrator,
            "Check that the address is that of a mailbox, not of a group or a contact, and that it \
             has a licence with Exchange Online.",
        ),
        Cause::MailboxNotOpened => {
            (Administrator, "Check the permissions on the mailbox, and whether it exists.")
        }
        Cause::SmtpAuthDisabledForTenant => (
            Administrator,
            "Switch authenticated SMTP on for the mailbox, which overrides the organisation's \
             switch, or for the organisation. It holds for OAuth as for passwords; no other token \
             helps.",
        ),
        Cause::SmtpAuthDisabledForMailbox => (
            Administrator,
            "Switch authenticated SMTP on for the mailbox. It holds for OAuth as for passwords; no \
             other token helps.",
        ),
        Cause::AuthenticationPolicy => (
            Administrator,
            "Log in with a token (XOAUTH2) where a password was used; otherwise look for security \
             defaults, an authentication policy or a Conditional Access policy that forbids this \
             client, in the sign-in log of the user.",
        ),
        Cause::BasicAuthDisabled => (Developer, "Log in with an OAuth token: `Auth::xoauth2`."),
        Cause::WrongPassword => (
            User,
            "Check the mailbox name and the password, and sign in by OAuth where the service takes \
             no passwords.",
        ),
        Cause::WebLoginRequired => (
            User,
            "Log in once with a browser on the account's page and confirm that it was you; then \
             try again.",
        ),
        Cause::AppPasswordRequired => {
            (User, "Make an app password in the account's security settings, or sign in by OAuth.")
        }

        Cause::SendAsDenied => (
            Administrator,
            "Send from the address of the mailbox that logged in, in the envelope and in the From \
             field, or grant SendAs for the other.",
        ),
        Cause::SenderBlocked => (
            Administrator,
            "Find out why the account sent what looked like spam, secure it, and unblock it on the \
             page \"Restricted entities\".",
        ),
        Cause::SendingAddressBlocked => (
            Administrator,
            "Ask Microsoft to take the address of this machine off its list, or send from another \
             network.",
        ),
        Cause::OrganisationBlocked => (
            Administrator,
            "The organisation sent more than Exchange lets it, or what looked like spam: find the \
             account that did, and ask Microsoft's support to lift the block.",
        ),
        Cause::SenderThrottled => (
            Developer,
            "Stop sending as addresses that were refused; the account is released after some \
             time.",
        ),
        Cause::DailyQuota => (
            Nobody,
            "Stop until the window of a day has moved on; send large numbers by a service made for \
             it, such as High Volume Email inside the organisation.",
        ),
        Cause::MailboxFull => {
            (User, "Free space in the sender's mailbox: a copy of each message goes to Sent Items.")
        }
        Cause::TooManyConnections => (
            Developer,
            "Open fewer connections to one mailbox (Exchange Online takes three for SMTP; two are \
             safe), reuse them, and back off before the next.",
        ),
        Cause::NotAuthenticated => (
            Developer,
            "Log in before sending; if you did, the session was lost and another began.",
        ),
        Cause::HelloMissing => (Developer, "Say EHLO first, and again after STARTTLS."),

        Cause::ApplicationNotAllowed => (
            Administrator,
            "Add the application to the account's Allowed Apps by the Object ID of the page \
             \"Enterprise applications\", not by its client id; at most ten, in force within five \
             minutes.",
        ),
        Cause::ExternalRecipient => (
            Developer,
            "High Volume Email delivers inside the organisation only: send to other recipients by \
             Exchange Online or another service.",
        ),
        Cause::SenderIsNotAccount => (
            Developer,
            "Give the High Volume Email account's own address as the sender of the envelope.",
        ),
        Cause::HeaderFromDiffers => {
            (Developer, "Give the same address in the From field and in the envelope.")
        }
        Cause::NotHighVolumeAccount => (
            Administrator,
            "Log in as a High Volume Email account; other mailboxes submit at \
             smtp.office365.com.",
        ),
        Cause::BillingPolicyMissing => (
            Administrator,
            "Give the account a billing policy of the resource type HVE whose subscription is \
             active: until then it cannot send.",
        ),

        Cause::Throttled => (
            Nobody,
            "Wait for as long as the server says, and send fewer commands: keep connections and \
             fetch in fewer, larger commands.",
        ),
        Cause::ServerBusy => (Nobody, "Wait and try again, with the same credentials."),
        Cause::ServerFault => (
            Administrator,
            "Ask the administrator of the mail server: it calls its fault a lasting one.",
        ),
        Cause::MailboxInUse => (
            Nobody,
            "The login was good. Wait until the other session has ended, and open one at a time.",
        ),
        Cause::LoginTooSoon => (
            Developer,
            "Wait before the next login, and keep sessions open instead of logging in for each \
             look.",
        ),
        Cause::SessionIdle => (
            Developer,
            "Connect again; to keep a session, say NOOP or use IDLE, and renew that at least every \
             29 minutes.",
        ),
        Cause::SessionEnded => (
            Developer,
            "Connect again, and look at the refusals before this one: the server ends a session \
             after too many of them.",
        ),

        Cause::SignInRequired => (User, "Sign in, once, and store what it gives."),
        Cause::ConsentDeclined => {
            (User, "Sign in again, and accept what the application asks for.")
        }
        Cause::DeviceCodeExpired => {
            (User, "Start the sign-in again, and enter the new code before it ends.")
        }
        Cause::TokenServerBusy => {
            (Nobody, "Wait and ask again: the service that gives tokens is busy.")
        }
        Cause::TokenAnswerUnusable => (
            Developer,
            "Check the URL of the token endpoint: what answers there is no OAuth 2.0 server, or \
             gives another kind of token.",
        ),

        Cause::HostNotFound => (
            Developer,
            "Check the spelling of the host name, and that this machine can resolve names.",
        ),
        Cause::ConnectionRefused => (
            Developer,
            "Check host and port: the machine answers, and nothing listens there. A firewall may \
             answer in its place.",
        ),
        Cause::HostUnreachable => (
            Administrator,
            "Check the network of this machine: routes, firewalls, and whether IPv6 works if the \
             host has only such an address.",
        ),
        Cause::ConnectTimeout => (
            Administrator,
            "Something drops the packets, most often a firewall or a provider that blocks mail \
             ports: open the port, or go through a proxy.",
        ),
        Cause::NoAnswer => (
            Nobody,
            "Try again; if it stays so, look whether something between here and the server holds \
             the connection.",
        ),
        Cause::ConnectionLost => (
            Nobody,
            "Connect again; if it happens at the same place each time, look for a firewall that \
             inspects mail.",
        ),
        Cause::TlsOnPlainPort => (
            Developer,
            "Use TLS from the start: `Security::ImplicitTls`, as `Endpoint::smtp`, `::imap` and \
             `::pop` do, usually on ports 465, 993 and 995.",
        ),
        Cause::PlainTextOnTlsPort => (
            Developer,
            "Use STARTTLS: `Endpoint::smtp_starttls` (port 587), `::imap_starttls` (143) or \
             `::pop_starttls` (110), or the port that speaks TLS from the start (465, 993, 995).",
        ),
        Cause::StartTlsMissing => (
            Administrator,
            "Use a port that speaks TLS from the start, or switch STARTTLS on at the server; if it \
             should be there, something in between removes it.",
        ),
        Cause::StartTlsRefused => (
            Administrator,
            "Try again later; if it stays so, look at the server's certificate and TLS settings, or \
             use a port that speaks TLS from the start.",
        ),
        Cause::StartTlsInjected => (
            Administrator,
            "Do not use this network for mail until it is known who speaks in the server's place, \
             or update the server.",
        ),
        Cause::CertificateName => (Developer, "Connect by a name that is in the certificate."),
        Cause::CertificateExpired => (
            Administrator,
            "Renew the certificate of the server; if it is a new one, set the clock of this \
             machine.",
        ),
        Cause::CertificateNotYetValid => (
            Administrator,
            "Set the clock of this machine, by NTP, or wait until the certificate begins.",
        ),
        Cause::CertificateUntrusted => (
            Developer,
            "Trust the server's own authority by `tls::Config::with_root_pem`, if it is yours. If \
             it is a public server, something in between decrypts the connection, or the server \
             does not send its intermediate certificate.",
        ),
        Cause::CertificateRevoked => (Administrator, "Replace the certificate of the server."),
        Cause::CertificateRefused => (
            Administrator,
            "Replace the certificate of the server by one that is made for servers.",
        ),
        Cause::TlsVersion => {
            (Administrator, "Switch TLS 1.2 or 1.3 on at the server, with a cipher of today.")
        }
        Cause::TlsFailed => (
            Administrator,
            "Look into the server's log for the other half of the failure; something in between \
             may interfere.",
        ),
        Cause::WrongProtocol => (Developer, "Check the port: another service answers there."),
        Cause::MechanismNotOffered => (
            Developer,
            "Use a mechanism that the server offers, at the server that offers it; some offer \
             tokens only behind TLS or on their new host.",
        ),
        Cause::ProxyUnreachable => (Administrator, "Check the proxy's host and port."),
        Cause::ProxyLogin => (Administrator, "Give the proxy's user name and password."),
        Cause::ProxyForbids => {
            (Administrator, "Allow the mail server's host and port in the proxy's rules.")
        }
        Cause::ProxyFailed => {
            (Administrator, "Check the kind of the proxy, and that it reaches the mail server.")
        }

        // Those that only a token endpoint names come with its own table.
        _ => (Developer, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Context;

    #[test]
    fn every_cause_has_its_remedy() {
        let context = Context::new();
        let case = Case::of(&context, None);
        for cause in Cause::ALL {
            let (_, text) = of(*cause, &case);
            #[cfg(feature = "oauth")]
            let elsewhere = super::super::rules::token::remedy(*cause).is_some();
            #[cfg(not(feature = "oauth"))]
            let elsewhere = text.is_empty();
            assert!(!text.is_empty() || elsewhere, "{cause:?}");
            assert!(text.is_empty() || text.ends_with('.'), "{text}");
        }
    }
}
