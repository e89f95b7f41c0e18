//! What the clients meet at the embedded server, and what is said to it.

use super::*;
use crate::testing::{Fault, Server, Service};
use crate::token::StaticToken;
use crate::{Auth, Client, Connector, Endpoint, ImapClient, PopClient, SmtpClient, tls};

const MAILBOX: &str = "billing@contoso.example";

struct Bed {
    server: Server,
    token: String,
}

impl Bed {
    async fn of(service: Service) -> Self {
        let server = Server::builder().service(service).start().await.unwrap();
        server.add_mailbox(MAILBOX);
        let token = server.issue_token(MAILBOX);
        Self { server, token }
    }

    fn connector<C: Client>(
        &self,
        builder: fn(Endpoint) -> Connector<C>,
        endpoint: Endpoint,
    ) -> Connector<C> {
        let roots = tls::Config::with_root_pem(self.server.certificate_pem().as_bytes()).unwrap();
        let token = StaticToken::new(self.token.as_str());
        builder(endpoint).tls(roots).auth(Auth::xoauth2(MAILBOX, token))
    }

    async fn login<C: Client>(
        &self,
        builder: fn(Endpoint) -> Connector<C>,
        endpoint: Endpoint,
        fault: Fault,
    ) -> Cause {
        self.server.inject(fault.clone());
        let Err(error) = self.connector(builder, endpoint).connect().await else {
            panic!("{fault:?}")
        };
        match Diagnosis::of(&error) {
            Some(found) => found.first().cause(),
            None => panic!("{fault:?}: {error}"),
        }
    }

    async fn send(&self, fault: Fault) -> Cause {
        let connector = self.connector(SmtpClient::builder, self.server.smtp());
        let mut client = connector.connect().await.unwrap();
        self.server.inject(fault.clone());
        let envelope = crate::smtp::Envelope::new(MAILBOX, [MAILBOX]).unwrap();
        let message = format!("From: {MAILBOX}\r\nSubject: x\r\n\r\nx\r\n");
        let error = client.send(&envelope, message).await.expect_err("a refusal");
        match Diagnosis::with(&error, &connector.context()) {
            Some(found) => found.first().cause(),
            None => panic!("{fault:?}: {error}"),
        }
    }
}

#[tokio::test]
async fn refused_logins() {
    let exchange = Bed::of(Service::ExchangeOnline).await;
    let smtp = || exchange.server.smtp();
    for (fault, cause) in [
        (Fault::SmtpAuthDisabledForTenant, Cause::SmtpAuthDisabledForTenant),
        (Fault::SmtpAuthDisabledForMailbox, Cause::SmtpAuthDisabledForMailbox),
        (Fault::AuthForbiddenByPolicy, Cause::AuthenticationPolicy),
        (Fault::LockedBySecurityDefaults, Cause::AuthenticationPolicy),
        (Fault::TemporaryAuthFailure, Cause::ServerBusy),
        (Fault::LoginRefused, Cause::WrongAudience),
        (Fault::GreetingRefused, Cause::ServerBusy),
        (Fault::StartTlsNotOffered, Cause::StartTlsMissing),
        (Fault::StartTlsRefused, Cause::StartTlsRefused),
        (Fault::StartTlsInjection, Cause::StartTlsInjected),
        (Fault::MechanismNotOffered, Cause::MechanismNotOffered),
    ] {
        assert_eq!(
            exchange.login(SmtpClient::builder, smtp(), fault.clone()).await,
            cause,
            "{fault:?}"
        );
    }
    for (fault, cause) in [
        (Fault::NotConnected, Cause::MailboxPermissionMissing),
        (Fault::NotConnectedAfterLogin, Cause::MailboxPermissionMissing),
        (Fault::TooManyConnections, Cause::TooManyConnections),
        (Fault::GreetingRefused, Cause::ServerBusy),
        (Fault::MechanismNotOffered, Cause::MechanismNotOffered),
        (Fault::ClearTextWhereTls, Cause::PlainTextOnTlsPort),
        (Fault::CertificateForOtherName, Cause::CertificateName),
        (Fault::CertificateExpired, Cause::CertificateExpired),
        (Fault::CertificateNotYetValid, Cause::CertificateNotYetValid),
        (Fault::CertificateOfUnknownIssuer, Cause::CertificateUntrusted),
    ] {
        let imap = exchange.server.imap();
        assert_eq!(
            exchange.login(ImapClient::builder, imap, fault.clone()).await,
            cause,
            "{fault:?}"
        );
    }
    for (fault, cause) in [
        (Fault::PopInUse, Cause::MailboxInUse),
        (Fault::PopLoginDelay, Cause::LoginTooSoon),
        (Fault::PopTemporaryFailure, Cause::ServerBusy),
        (Fault::PopPermanentFailure, Cause::ServerFault),
        (Fault::PopProtocolError, Cause::OneLineLogin),
        (Fault::PopNotOpened, Cause::MailboxPermissionMissing),
        (Fault::LoginRefused, Cause::WrongAudience),
        (Fault::GreetingRefused, Cause::ServerBusy),
    ] {
        let pop = exchange.server.pop();
        assert_eq!(
            exchange.login(PopClient::builder, pop, fault.clone()).await,
            cause,
            "{fault:?}"
        );
    }
    let gmail = Bed::of(Service::Gmail).await;
    let (smtp, imap) = (gmail.server.smtp(), gmail.server.imap());
    for (fault, cause) in [
        (Fault::WebLoginRequired, Cause::WebLoginRequired),
        (Fault::TooManyConnections, Cause::TooManyConnections),
        (Fault::LoginRefused, Cause::TokenRefused),
    ] {
        let found = gmail.login(ImapClient::builder, imap.clone(), fault.clone()).await;
        assert_eq!(found, cause, "{fault:?}");
    }
    for (fault, cause) in [
        (Fault::WebLoginRequired, Cause::WebLoginRequired),
        (Fault::ApplicationPasswordRequired, Cause::AppPasswordRequired),
        (Fault::LoginRefused, Cause::TokenRefused),
    ] {
        let found = gmail.login(SmtpClient::builder, smtp.clone(), fault.clone()).await;
        assert_eq!(found, cause, "{fault:?}");
    }
    let hve = Bed::of(Service::HighVolumeEmail).await;
    for (fault, cause) in [
        (Fault::HveMalformed { detail: 122 }, Cause::MalformedLogin),
        (Fault::HveInvalidAuthData, Cause::MalformedLogin),
        (Fault::HveTokenExpiresSoon, Cause::TokenExpiresSoon),
        (Fault::HveTokenExpiresSoonPreview, Cause::TokenExpiresSoon),
        (Fault::HveTokenExpired, Cause::TokenExpired),
        (Fault::HveInvalidPermissions, Cause::MissingRole),
        (Fault::HveApplicationNotAllowed, Cause::ApplicationNotAllowed),
        (Fault::HveNotAnAccount, Cause::NotHighVolumeAccount),
    ] {
        let smtp = hve.server.smtp();
        assert_eq!(hve.login(SmtpClient::builder, smtp, fault.clone()).await, cause, "{fault:?}");
    }
}

#[tokio::test]
async fn refused_messages() {
    let exchange = Bed::of(Service::ExchangeOnline).await;
    for (fault, cause) in [
        (Fault::SenderNotPermitted, Cause::SendAsDenied),
        (Fault::NotAuthenticated, Cause::NotAuthenticated),
        (Fault::HelloWanted, Cause::HelloMissing),
        (Fault::ServiceNotActive, Cause::ServerBusy),
        (Fault::TemporaryServerError, Cause::ServerBusy),
        (Fault::SendAsDenied, Cause::SendAsDenied),
        (Fault::SendAsDeniedOlder, Cause::SendAsDenied),
        (Fault::SenderThrottled, Cause::SenderThrottled),
        (Fault::MailboxLogonFailure, Cause::MailboxPermissionMissing),
        (Fault::ConnectionLimit, Cause::TooManyConnections),
        (Fault::SenderThreadLimit, Cause::TooManyConnections),
        (Fault::SubmissionQuotaExceeded, Cause::DailyQuota),
        (Fault::MailboxFull, Cause::MailboxFull),
        (Fault::OutboundSenderBlocked, Cause::SenderBlocked),
    ] {
        assert_eq!(exchange.send(fault.clone()).await, cause, "{fault:?}");
    }
    let hve = Bed::of(Service::HighVolumeEmail).await;
    for (fault, cause) in [
        (Fault::HveExternalRecipient, Cause::ExternalRecipient),
        (Fault::HveForeignSender, Cause::SenderIsNotAccount),
        (Fault::HveForeignFrom, Cause::HeaderFromDiffers),
    ] {
        assert_eq!(hve.send(fault.clone()).await, cause, "{fault:?}");
    }
}

#[tokio::test]
async fn sessions_that_end() {
    let bed = Bed::of(Service::ExchangeOnline).await;
    let connector = bed.connector(ImapClient::builder, bed.server.imap());
    for (fault, cause) in [
        (Fault::Throttled, Cause::Throttled),
        (Fault::AccessTokenExpired, Cause::TokenExpired),
        (Fault::ConnectionClosed { code: 13 }, Cause::SessionIdle),
        (Fault::ConnectionClosed { code: 14 }, Cause::SessionEnded),
    ] {
        let mut client = connector.connect().await.unwrap();
        bed.server.inject(fault.clone());
        let error = client.select("INBOX").await.map(drop).unwrap_err();
        // Their words are Exchange's alone, so the error is enough.
        let found = Diagnosis::of(&error).unwrap_or_else(|| panic!("{error}"));
        assert_eq!(found.first().cause(), cause, "{fault:?}");
    }
}
