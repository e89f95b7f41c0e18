//! Every fault of the embedded server, met by a client as programs use it: connect, then send, read
//! and wait. `src/testing/mod.rs` has the same as a table for readers.

use std::time::Duration;

use mailbearer::testing::{Fault, Jwt, Server, Service, Variant};
use mailbearer::token::StaticToken;
use mailbearer::{Auth, ImapClient, PopClient, Protocol, Retry, SmtpClient, Stage, imap, tls};

use crate::support::errand::{self, COLLEAGUE, door};

const ME: &str = "billing@contoso.example";

/// What a program is told of a fault: at which stage, and what to do.
async fn told(server: &Server, protocol: Protocol, fault: &Fault) -> Option<(Stage, Retry)> {
    server.inject_always(fault.clone());
    let outcome = errand::run(server, protocol, Some(fault), me(server), ME).await;
    server.clear_faults();
    outcome.err().map(|error| (error.stage(), error.retry()))
}

fn me(server: &Server) -> Auth {
    Auth::xoauth2(ME, StaticToken::new(server.issue_token(ME)))
}

async fn server_of(service: Service) -> Server {
    let server = Server::builder().service(service).start().await.unwrap();
    server.add_mailbox(ME);
    server.add_mailbox(COLLEAGUE);
    server
}

const SMTP: &[Protocol] = &[Protocol::Smtp];
const IMAP: &[Protocol] = &[Protocol::Imap];
const POP: &[Protocol] = &[Protocol::Pop];
const ALL: &[Protocol] = &[Protocol::Smtp, Protocol::Imap, Protocol::Pop];

#[tokio::test]
async fn connections_that_fail_say_where() {
    let cases = [
        (Fault::GreetingRefused, ALL, Stage::Greeting, Retry::Later(None)),
        (Fault::ClearTextWhereTls, ALL, Stage::Tls, Retry::Never),
        (Fault::CertificateForOtherName, ALL, Stage::Tls, Retry::Never),
        (Fault::CertificateExpired, ALL, Stage::Tls, Retry::Never),
        (Fault::CertificateNotYetValid, ALL, Stage::Tls, Retry::Never),
        (Fault::CertificateOfUnknownIssuer, ALL, Stage::Tls, Retry::Never),
        (Fault::StartTlsNotOffered, SMTP, Stage::Capabilities, Retry::Never),
        (Fault::StartTlsNotOffered, IMAP, Stage::StartTls, Retry::Never),
        (Fault::StartTlsNotOffered, POP, Stage::Capabilities, Retry::Never),
        (Fault::StartTlsRefused, SMTP, Stage::StartTls, Retry::Later(None)),
        (Fault::StartTlsRefused, IMAP, Stage::StartTls, Retry::Never),
        (Fault::StartTlsRefused, POP, Stage::StartTls, Retry::Never),
        (Fault::StartTlsInjection, ALL, Stage::StartTls, Retry::Reconnect),
        (Fault::MechanismNotOffered, SMTP, Stage::Capabilities, Retry::Never),
        (Fault::MechanismNotOffered, IMAP, Stage::Auth, Retry::Never),
    ];
    let server = server_of(Service::ExchangeOnline).await;
    for (fault, protocols, stage, retry) in cases {
        for protocol in protocols {
            let got = told(&server, *protocol, &fault).await;
            assert_eq!(got, Some((stage, retry)), "{fault:?} {protocol}");
        }
    }
    for protocol in ALL {
        assert!(told(&server, *protocol, &Fault::ClosedBeforeGreeting).await.is_some());
        assert!(server.logins().is_empty());
    }
}

#[tokio::test]
async fn logins_that_fail_say_what_to_do() {
    use Retry::{Administrator, Later, Never, RefreshToken};

    let cases = [
        (Fault::LoginRefused, ALL, RefreshToken),
        (Fault::NotConnected, IMAP, Administrator),
        (Fault::NotConnectedAfterLogin, IMAP, Administrator),
        (Fault::WebLoginRequired, IMAP, Administrator),
        (Fault::WebLoginRequired, SMTP, Administrator),
        (Fault::TooManyConnections, IMAP, Later(None)),
        (Fault::SmtpAuthDisabledForTenant, SMTP, Administrator),
        (Fault::SmtpAuthDisabledForMailbox, SMTP, Administrator),
        (Fault::AuthForbiddenByPolicy, SMTP, Administrator),
        (Fault::LockedBySecurityDefaults, SMTP, Administrator),
        (Fault::TemporaryAuthFailure, SMTP, Later(None)),
        (Fault::ApplicationPasswordRequired, SMTP, Administrator),
        (Fault::HveMalformed { detail: 121 }, SMTP, Never),
        (Fault::HveMalformed { detail: 126 }, SMTP, Never),
        (Fault::HveInvalidAuthData, SMTP, Never),
        (Fault::HveTokenExpiresSoon, SMTP, RefreshToken),
        (Fault::HveTokenExpiresSoonPreview, SMTP, RefreshToken),
        (Fault::HveTokenExpired, SMTP, RefreshToken),
        (Fault::HveInvalidPermissions, SMTP, Administrator),
        (Fault::HveApplicationNotAllowed, SMTP, Administrator),
        (Fault::HveNotAnAccount, SMTP, Administrator),
        (Fault::PopInUse, POP, Later(None)),
        (Fault::PopLoginDelay, POP, Later(None)),
        (Fault::PopTemporaryFailure, POP, Later(None)),
        (Fault::PopPermanentFailure, POP, Administrator),
        (Fault::PopProtocolError, POP, Never),
        (Fault::PopNotOpened, POP, Administrator),
    ];
    let server = server_of(Service::ExchangeOnline).await;
    for (fault, protocols, retry) in cases {
        for protocol in protocols {
            let got = told(&server, *protocol, &fault).await;
            assert_eq!(got, Some((Stage::Auth, retry)), "{fault:?} {protocol}");
        }
    }
}

#[tokio::test]
async fn messages_that_are_refused_say_what_to_do() {
    use Retry::{Administrator, Later, MayDuplicate, Never};

    let (mail, rcpt) = (Stage::Command("MAIL FROM"), Stage::Command("RCPT TO"));
    let message = Stage::Command("the message");
    let cases = [
        (Fault::SenderNotPermitted, mail, Administrator),
        (Fault::NotAuthenticated, mail, Never),
        (Fault::HelloWanted, mail, Never),
        (Fault::ServiceNotActive, mail, Later(None)),
        (Fault::TemporaryServerError, mail, Later(None)),
        (Fault::HveForeignSender, mail, Never),
        (Fault::HveExternalRecipient, rcpt, Never),
        (Fault::HveForeignFrom, message, Never),
        (Fault::SendAsDenied, message, Administrator),
        (Fault::SendAsDeniedOlder, message, Administrator),
        (Fault::SenderThrottled, message, Later(None)),
        (Fault::MailboxLogonFailure, message, Administrator),
        (Fault::ConnectionLimit, message, Later(None)),
        (Fault::SenderThreadLimit, message, Later(None)),
        (Fault::SubmissionQuotaExceeded, message, Later(None)),
        (Fault::MailboxFull, message, Administrator),
        (Fault::OutboundSenderBlocked, message, Administrator),
        (Fault::DropAfterData, message, MayDuplicate),
    ];
    let server = server_of(Service::ExchangeOnline).await;
    for (fault, stage, retry) in cases {
        let got = told(&server, Protocol::Smtp, &fault).await;
        assert_eq!(got, Some((stage, retry)), "{fault:?}");
    }
    // Only the one whose reply was lost arrived.
    assert_eq!(server.messages(COLLEAGUE).len(), 1);
}

#[tokio::test]
async fn sessions_that_end_say_what_to_do() {
    let wait = Duration::from_millis(92_415);
    let cases = [
        (Fault::Throttled, Stage::Probe, Retry::Later(Some(wait))),
        (Fault::AccessTokenExpired, Stage::Probe, Retry::RefreshToken),
        (Fault::ConnectionClosed { code: 10 }, Stage::Probe, Retry::Reconnect),
        (Fault::ConnectionClosed { code: 13 }, Stage::Probe, Retry::Reconnect),
        (Fault::ConnectionClosed { code: 14 }, Stage::Probe, Retry::Reconnect),
        (Fault::ConnectionClosed { code: 15 }, Stage::Probe, Retry::Reconnect),
        (Fault::DropInIdle, Stage::Command("IDLE"), Retry::Reconnect),
    ];
    let server = server_of(Service::ExchangeOnline).await;
    for (fault, stage, retry) in cases {
        let got = told(&server, Protocol::Imap, &fault).await;
        assert_eq!(got, Some((stage, retry)), "{fault:?}");
    }
}

#[tokio::test]
async fn a_program_gets_on_with_what_is_only_unusual() {
    let server = server_of(Service::ExchangeOnline).await;
    for (fault, protocols) in [
        (Fault::OneLineAuth555, SMTP),
        (Fault::CapitalAuthRefused, ALL),
        // Many POP3 servers do not list what they take.
        (Fault::MechanismNotOffered, POP),
    ] {
        for protocol in protocols {
            assert_eq!(told(&server, *protocol, &fault).await, None, "{fault:?} {protocol}");
        }
    }
    for variant in [Variant::Until2025, Variant::TcpProxy, Variant::LowerCase] {
        for service in [Service::ExchangeOnline, Service::Gmail] {
            let server = Server::builder().service(service).variant(variant).start().await.unwrap();
            server.add_mailbox(ME);
            server.add_mailbox(COLLEAGUE);
            for protocol in ALL {
                let nothing = Fault::CapitalAuthRefused;
                let got = told(&server, *protocol, &nothing).await;
                assert_eq!(got, None, "{variant:?} {service:?} {protocol}");
            }
        }
    }
}

#[tokio::test]
async fn a_challenge_ahead_of_a_refusal_is_kept() {
    let cases = [
        (Fault::JsonChallenge, Some("400")),
        (Fault::JsonChallengeWithNewline, Some("401")),
        (Fault::Challenge { json: r#"{"status":"invalid_token"}"# }, Some("invalid_token")),
        (Fault::Challenge { json: "not JSON" }, None),
    ];
    let server = server_of(Service::ExchangeOnline).await;
    for (fault, status) in cases {
        server.inject_always(fault.clone());
        server.inject_always(Fault::LoginRefused);
        let connector = door(&server, ImapClient::builder, server.imap(), me(&server));
        let error = connector.connect().await.unwrap_err();
        let imap::Error::Auth(error) = error else { panic!("{error}") };
        let challenge = error.challenge().unwrap_or_else(|| panic!("{fault:?}: {error}"));
        assert_eq!(challenge.status(), status, "{fault:?}");
        server.clear_faults();
    }
}

#[tokio::test]
async fn claims_decide_as_they_do_at_exchange() {
    let object = "22223333-cccc-4444-dddd-5555eeee6666";
    let app = || Jwt::of_application(object);
    let user = || Jwt::of_user(ME);
    // Who, the protocols that open, and what stands in the way of the others.
    let cases = [
        ("a user", user(), ALL),
        ("wrong audience", user().audience("https://graph.microsoft.com"), &[][..]),
        ("audience with a slash", user().audience("https://outlook.office365.com/"), ALL),
        ("expired", user().expires_at(1_700_000_000), &[]),
        ("not begun", user().not_before(4_000_000_000), &[]),
        ("of another tenant", user().tenant("99999999-0000-0000-0000-000000000000"), &[]),
        ("for SMTP only", user().scopes(["SMTP.Send"]), SMTP),
        ("for IMAP only", user().scopes(["IMAP.AccessAsUser.All"]), IMAP),
        ("of somebody else", Jwt::of_user(COLLEAGUE), &[]),
        ("version 2.0", user().version("2.0"), ALL),
        ("an application", app(), ALL),
        (
            "an application for POP3",
            app().roles(["POP.AccessAsApp"]),
            &[Protocol::Smtp, Protocol::Pop],
        ),
        ("without roles: RBAC", app().roles([""; 0]), SMTP),
        ("of another object", app().object("a wrong one"), &[]),
        ("too long for POP3", user().length(4097), &[Protocol::Smtp, Protocol::Imap]),
    ];
    let server = server_of(Service::ExchangeOnline).await;
    server.register_service_principal(Jwt::APPLICATION, object);
    server.allow(object, ME);
    for (who, jwt, open) in cases {
        let token = server.issue_jwt(jwt);
        for protocol in ALL {
            let trust = tls::Config::with_root_pem(server.certificate_pem().as_bytes()).unwrap();
            let auth = Auth::xoauth2(ME, StaticToken::new(token.clone()));
            let opened = match protocol {
                Protocol::Smtp => {
                    SmtpClient::builder(server.smtp()).tls(trust).auth(auth).connect().await.is_ok()
                }
                Protocol::Imap => {
                    ImapClient::builder(server.imap()).tls(trust).auth(auth).connect().await.is_ok()
                }
                _ => PopClient::builder(server.pop()).tls(trust).auth(auth).connect().await.is_ok(),
            };
            assert_eq!(opened, open.contains(protocol), "{who} {protocol}");
        }
    }
}
