//! What goes wrong before anybody logs in.

use std::io;

use mailbearer::Protocol::{self, Imap, Pop, Smtp};
use mailbearer::diagnosis::Who::{Administrator, Developer, Nobody};
use mailbearer::diagnosis::{Cause, Who};
use mailbearer::net::{Connection, Dial};
use mailbearer::testing::{Fault, Service};
use mailbearer::token::StaticToken;
use mailbearer::{Auth, BoxFuture, Diagnosis, ImapClient, provider};

use super::{Case, ME, Met, Outcome, Trouble, bare};

fn at(protocol: Protocol, what: &'static str, fault: Fault, cause: Cause, who: Who) -> Case {
    Case::new(Service::ExchangeOnline, protocol, what, Trouble::Fault(fault), cause, who)
}

fn cases() -> Vec<Case> {
    vec![
        at(
            Imap,
            "clear text on a port for TLS",
            Fault::ClearTextWhereTls,
            Cause::PlainTextOnTlsPort,
            Developer,
        ),
        at(Pop, "the same", Fault::ClearTextWhereTls, Cause::PlainTextOnTlsPort, Developer),
        at(Smtp, "no STARTTLS", Fault::StartTlsNotOffered, Cause::StartTlsMissing, Administrator),
        at(
            Smtp,
            "STARTTLS is refused",
            Fault::StartTlsRefused,
            Cause::StartTlsRefused,
            Administrator,
        ),
        at(
            Imap,
            "words between STARTTLS and TLS",
            Fault::StartTlsInjection,
            Cause::StartTlsInjected,
            Administrator,
        ),
        at(
            Imap,
            "a certificate for another name",
            Fault::CertificateForOtherName,
            Cause::CertificateName,
            Developer,
        ),
        at(
            Smtp,
            "an old certificate",
            Fault::CertificateExpired,
            Cause::CertificateExpired,
            Administrator,
        ),
        at(
            Pop,
            "a certificate of tomorrow",
            Fault::CertificateNotYetValid,
            Cause::CertificateNotYetValid,
            Administrator,
        ),
        at(
            Imap,
            "a certificate of an unknown authority",
            Fault::CertificateOfUnknownIssuer,
            Cause::CertificateUntrusted,
            Developer,
        ),
        at(
            Smtp,
            "no mechanism for tokens",
            Fault::MechanismNotOffered,
            Cause::MechanismNotOffered,
            Developer,
        ),
        at(Smtp, "a server that is not ready", Fault::GreetingRefused, Cause::ServerBusy, Nobody),
    ]
}

/// A dialler that fails in its own way, so that no test depends on the network around it.
struct Fails(io::ErrorKind);

impl Dial for Fails {
    fn dial<'a>(&'a self, _host: &'a str, _port: u16) -> BoxFuture<'a, io::Result<Connection>> {
        let error = io::Error::from(self.0);
        Box::pin(async { Err(error) })
    }
}

/// What is said when the host cannot be reached.
async fn unreached(what: &'static str, kind: io::ErrorKind, cause: Cause, who: Who) -> Outcome {
    let connector = ImapClient::builder(provider::microsoft365::imap())
        .dial(Fails(kind))
        .auth(Auth::xoauth2(ME, StaticToken::new("never-sent")));
    let error = connector.connect().await.unwrap_err();
    let diagnosis = Diagnosis::of(&error).ok_or_else(|| format!("{what}: {error}"))?;
    let met = Met { what, bare: bare(&error), diagnosis, secret: "never-sent".into() };
    met.compare(cause, who, None).map(|()| met)
}

pub(super) async fn met() -> Vec<Outcome> {
    let mut met = super::play(cases()).await;
    for (what, kind, cause, who) in [
        ("nobody listens", io::ErrorKind::ConnectionRefused, Cause::ConnectionRefused, Developer),
        ("no such host", io::ErrorKind::NotFound, Cause::HostNotFound, Developer),
        (
            "no way to the host",
            io::ErrorKind::NetworkUnreachable,
            Cause::HostUnreachable,
            Administrator,
        ),
        ("packets are dropped", io::ErrorKind::TimedOut, Cause::ConnectTimeout, Administrator),
    ] {
        met.push(unreached(what, kind, cause, who).await);
    }
    met
}
