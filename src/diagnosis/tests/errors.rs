//! From the errors of the clients, wherever they are wrapped.

use std::io;
use std::sync::Arc;

use super::*;
use crate::net;

fn dial() -> net::Error {
    let source = io::ErrorKind::ConnectionRefused.into();
    net::Error::Dial { host: "mail.example".into(), port: 993, source }
}

#[derive(Debug, thiserror::Error)]
#[error("my program: {0}")]
struct Mine(#[source] Box<dyn Error + Send + Sync>);

#[test]
fn an_error_is_found_in_whatever_wraps_it() {
    let smtp = || crate::smtp::Error::Net { stage: Stage::Dial, source: dial() };
    let wrapped: Vec<Box<dyn Error>> = vec![
        Box::new(dial()),
        Box::new(smtp()),
        Box::new(Mine(Box::new(smtp()))),
        Box::new(Mine(Box::new(Mine(Box::new(smtp()))))),
        Box::new(io::Error::other(smtp())),
        Box::new(Mine(Box::new(io::Error::other(Mine(Box::new(dial())))))),
        Box::new(Box::new(smtp())),
        Box::new(Arc::new(smtp())),
        Box::new(crate::token::TokenError::later(Mine(Box::new(dial())))),
        Box::new(crate::imap::Error::Unknown {
            cause: Box::new(crate::imap::Error::Net { stage: Stage::Dial, source: dial() }),
        }),
        Box::new(crate::pop::Error::Token(crate::token::TokenError::never(dial()))),
    ];
    for error in wrapped {
        let found = Diagnosis::of(&*error).unwrap_or_else(|| panic!("{error:?}"));
        assert_eq!(found.first().cause(), Cause::ConnectionRefused, "{error:?}");
    }
}

#[test]
fn what_is_none_of_ours_gives_nothing() {
    assert_eq!(Diagnosis::of(&io::Error::from(io::ErrorKind::ConnectionRefused)), None);
    assert_eq!(Diagnosis::of(&Mine(Box::new(io::Error::other("x")))), None);
    assert_eq!(Diagnosis::of(&crate::smtp::Error::Misuse(crate::Misuse::NoAuth)), None);
}

#[test]
fn a_chain_without_an_end_is_left() {
    #[derive(Debug)]
    struct Endless;
    impl fmt::Display for Endless {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Ok(())
        }
    }
    impl Error for Endless {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self)
        }
    }
    assert_eq!(Diagnosis::of(&Endless), None);
}

#[cfg(all(feature = "testing", any(feature = "ring", feature = "aws-lc-rs")))]
mod at_a_server {
    use super::*;
    use crate::testing::{Fault, Server, Service};
    use crate::token::StaticToken;
    use crate::{Auth, Connector, Endpoint, ImapClient, PopClient, SmtpClient, tls};

    const MAILBOX: &str = "billing@contoso.example";

    fn connector<C: crate::Client>(
        server: &Server,
        builder: fn(Endpoint) -> Connector<C>,
        endpoint: Endpoint,
        token: &str,
    ) -> Connector<C> {
        let roots = tls::Config::with_root_pem(server.certificate_pem().as_bytes()).unwrap();
        builder(endpoint).tls(roots).auth(Auth::xoauth2(MAILBOX, StaticToken::new(token)))
    }

    #[tokio::test]
    async fn a_refused_login_carries_what_the_connector_knew() {
        let server = Server::start().await.unwrap();
        server.add_mailbox(MAILBOX);
        let graph = token(r#""aud":"https://graph.microsoft.com","scp":"Mail.Send""#);
        let imap = connector(&server, ImapClient::builder, server.imap(), graph.expose());
        let error = imap.connect().await.unwrap_err();
        let diagnosis = Diagnosis::of(&error).unwrap();
        // The end of the token's life is long past, too.
        assert!(
            causes(&diagnosis).contains(&(Cause::WrongAudience, Confidence::Certain)),
            "{diagnosis}"
        );
        assert!(!format!("{error:?} {diagnosis}").contains(graph.expose()));
        let crate::imap::Error::Auth(refused) = &error else { panic!("{error:?}") };
        let context = refused.context().unwrap();
        assert_eq!((context.mailbox(), context.endpoint()), (Some(MAILBOX), Some(&server.imap())));

        let pop = connector(&server, PopClient::builder, server.pop(), graph.expose());
        let found = Diagnosis::of(&pop.connect().await.unwrap_err()).unwrap();
        assert!(causes(&found).contains(&(Cause::WrongAudience, Confidence::Certain)), "{found}");
        // What the caller knows goes before it.
        let later = Context::new().at(now());
        let found = Diagnosis::with(&error, &later).unwrap();
        assert_eq!(causes(&found)[0], (Cause::WrongAudience, Confidence::Certain));
    }

    #[tokio::test]
    async fn the_switches_are_told_with_the_mailbox_filled_in() {
        let server = Server::start().await.unwrap();
        server.add_mailbox(MAILBOX);
        let issued = server.issue_token(MAILBOX);
        let smtp = connector(&server, SmtpClient::builder, server.smtp(), &issued);
        for (fault, cause) in [
            (Fault::SmtpAuthDisabledForTenant, Cause::SmtpAuthDisabledForTenant),
            (Fault::SmtpAuthDisabledForMailbox, Cause::SmtpAuthDisabledForMailbox),
            (Fault::TemporaryAuthFailure, Cause::ServerBusy),
        ] {
            server.inject(fault);
            let found = Diagnosis::of(&smtp.connect().await.unwrap_err()).unwrap();
            assert_eq!(found.first().cause(), cause, "{found}");
        }
        let imap = connector(&server, ImapClient::builder, server.imap(), &issued);
        for fault in [Fault::NotConnected, Fault::NotConnectedAfterLogin] {
            server.inject(fault);
            let found = Diagnosis::of(&imap.connect().await.unwrap_err()).unwrap();
            let grant = found.first().commands()[0].as_str();
            assert!(grant.starts_with("Add-MailboxPermission -Identity 'billing@"), "{grant}");
        }
    }

    #[tokio::test]
    async fn a_refusal_in_a_session_needs_only_the_connectors_context() {
        let hve = Server::builder().service(Service::HighVolumeEmail).start().await.unwrap();
        hve.add_mailbox(MAILBOX);
        hve.inject(Fault::Reply {
            protocol: Protocol::Smtp,
            verb: "RCPT",
            reply: "550 5.5.105 External sending is not supported for High Volume Email accounts",
        });
        let issued = hve.issue_token(MAILBOX);
        let smtp = connector(&hve, SmtpClient::builder, hve.smtp(), &issued);
        let mut client = smtp.connect().await.unwrap();
        let envelope = crate::smtp::Envelope::new(MAILBOX, ["x@elsewhere.example"]).unwrap();
        let error = client.send(&envelope, "Subject: x\r\n\r\n").await.unwrap_err();
        let found = Diagnosis::with(&error, &smtp.context()).unwrap();
        assert_eq!(found.first().cause(), Cause::ExternalRecipient);
        assert_eq!(smtp.context().mailbox(), Some(MAILBOX));
    }

    #[tokio::test]
    async fn tls_and_clear_text_at_the_wrong_port_are_told() {
        let server = Server::start().await.unwrap();
        let starttls = server.imap_starttls();
        let wrong = Endpoint::imap(starttls.host()).with_port(starttls.port());
        let imap = connector(&server, ImapClient::builder, wrong, "T");
        let found = Diagnosis::of(&imap.connect().await.unwrap_err()).unwrap();
        assert_eq!(found.first().cause(), Cause::PlainTextOnTlsPort);
        let strangers = server.imap();
        let imap = ImapClient::builder(strangers).auth(Auth::xoauth2("a@b", StaticToken::new("T")));
        let found = Diagnosis::of(&imap.connect().await.unwrap_err()).unwrap();
        assert_eq!(found.first().cause(), Cause::CertificateUntrusted);
        let by_address = server.imap().with_host("127.0.0.1");
        let imap = connector(&server, ImapClient::builder, by_address, "T");
        let found = imap.connect().await.err().map(|error| Diagnosis::of(&error).unwrap());
        assert!(found.is_none_or(|found| found.first().cause() != Cause::CertificateUntrusted));
    }
}
