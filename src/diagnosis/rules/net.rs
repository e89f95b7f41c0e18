//! What the network, TLS and proxies did.

use std::io;

use rustls::{AlertDescription, InvalidMessage};

use super::super::case::{Case, Guess};
use super::{CERTAIN, LIKELY, POSSIBLE};
use crate::diagnosis::Cause;
use crate::{Endpoint, Fault, Protocol, Security, Stage, net};

/// A failure below the protocol.
pub(crate) fn broke(error: &net::Error, case: &Case<'_>) -> Vec<Guess> {
    let guesses = match error {
        net::Error::Dial { source, .. } => vec![dial(source)],
        #[cfg(feature = "proxy")]
        net::Error::Proxy { source, .. } => proxy(source),
        net::Error::Certificate { reason, .. } => vec![certificate(reason)],
        net::Error::Tls { source, .. } => tls(source),
        net::Error::Deadline { .. } => deadline(case),
        net::Error::Io(_) => vec![Guess::certain(Cause::ConnectionLost)],
        // What a server did before it closed says more than that it did.
        net::Error::Closed | net::Error::ClosedByClient { .. } | net::Error::Abandoned => {
            Vec::new()
        }
    };
    guesses.into_iter().map(|guess| guess.fact(super::one_line(&error.to_string()))).collect()
}

fn dial(source: &io::Error) -> Guess {
    use io::ErrorKind as Kind;
    let text = source.to_string().to_ascii_lowercase();
    match source.kind() {
        Kind::NotFound => Guess::certain(Cause::HostNotFound),
        Kind::ConnectionRefused => Guess::certain(Cause::ConnectionRefused),
        Kind::TimedOut => Guess::certain(Cause::ConnectTimeout),
        Kind::HostUnreachable
        | Kind::NetworkUnreachable
        | Kind::NetworkDown
        | Kind::AddrNotAvailable
        | Kind::PermissionDenied => Guess::certain(Cause::HostUnreachable),
        Kind::ConnectionReset | Kind::ConnectionAborted => Guess::certain(Cause::ConnectionLost),
        // The system's resolver has no kind of its own.
        _ if text.contains("lookup address") || text.contains("no such host") => {
            Guess::certain(Cause::HostNotFound)
        }
        _ => Guess::possible(Cause::HostUnreachable),
    }
}

/// By rustls' words for the rule that failed.
fn certificate(reason: &str) -> Guess {
    let reason = reason.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    Guess::certain(if says(&["not valid for name", "notvalidforname", "not valid for any"]) {
        Cause::CertificateName
    } else if says(&["not valid yet", "notvalidyet"]) {
        Cause::CertificateNotYetValid
    } else if says(&["revoked"]) {
        Cause::CertificateRevoked
    } else if says(&["unknownissuer", "unknown issuer", "causedasendentity"]) {
        Cause::CertificateUntrusted
    } else if says(&["expired"]) {
        Cause::CertificateExpired
    } else {
        Cause::CertificateRefused
    })
}

fn tls(source: &io::Error) -> Vec<Guess> {
    let rustls = source.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match rustls {
        // The first octet is none of TLS: `2` of 220, `*` of IMAP, `+` of POP3.
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            vec![Guess::certain(Cause::PlainTextOnTlsPort)]
        }
        Some(rustls::Error::InvalidMessage(_)) => vec![Guess::likely(Cause::PlainTextOnTlsPort)],
        Some(
            rustls::Error::PeerIncompatible(_)
            | rustls::Error::AlertReceived(
                AlertDescription::ProtocolVersion
                | AlertDescription::HandshakeFailure
                | AlertDescription::InsufficientSecurity,
            ),
        ) => vec![Guess::certain(Cause::TlsVersion)],
        Some(_) => vec![Guess::certain(Cause::TlsFailed)],
        None => {
            vec![Guess::certain(Cause::TlsFailed), Guess::possible(Cause::PlainTextOnTlsPort)]
        }
    }
}

fn deadline(case: &Case<'_>) -> Vec<Guess> {
    match case.stage {
        Some(Stage::Dial) => vec![Guess::certain(Cause::ConnectTimeout)],
        Some(Stage::Greeting) => {
            let mut guesses = silent_greeting(case);
            guesses.push(Guess::likely(Cause::NoAnswer));
            guesses
        }
        _ => vec![Guess::certain(Cause::NoAnswer)],
    }
}

/// A server that speaks TLS from the start waits for the client's first word.
fn silent_greeting(case: &Case<'_>) -> Vec<Guess> {
    let Some(endpoint) = &case.context.endpoint else {
        return vec![Guess::possible(Cause::TlsOnPlainPort)];
    };
    if endpoint.security() == Security::ImplicitTls {
        return Vec::new();
    }
    // A silent server is rare; the wrong port is not.
    let confidence =
        if matches!(endpoint.port(), 25 | 110 | 143 | 587) { POSSIBLE } else { LIKELY };
    let guess = Guess::new(Cause::TlsOnPlainPort, confidence);
    vec![guess.fact(format!("port {} was to begin in clear text", endpoint.port()))]
}

/// The server closed the connection without a word.
pub(crate) fn closed(case: &Case<'_>) -> Vec<Guess> {
    match case.stage {
        // Many servers hang up on a client that keeps silent where it should begin with TLS.
        Some(Stage::Greeting) => {
            let tls_port = |at: &&Endpoint| matches!(at.port(), 465 | 993 | 995);
            let known = case.context.endpoint.as_ref().filter(tls_port).is_some();
            if known { silent_greeting(case) } else { Vec::new() }
        }
        Some(Stage::Auth) => {
            let octets = case.credential_octets.unwrap_or_default();
            let confidence = match case.protocol {
                Some(Protocol::Pop) if case.service.is_microsofts() => LIKELY,
                _ => POSSIBLE,
            };
            // Exchange's POP3 takes 4,096 octets; Dovecot 8 KiB in base64, which is a quarter less.
            let pop = case.protocol == Some(Protocol::Pop) && case.service.may_be_microsofts();
            let limit = if pop { 4096 } else { 6000 };
            let guess = Guess::new(Cause::TokenTooLong, confidence);
            let guess = guess.fact(format!(
                "the server closed the connection after a credential of {octets} octets"
            ));
            (octets > limit).then_some(guess).into_iter().collect()
        }
        _ => {
            let guess = Guess::certain(Cause::ConnectionLost);
            vec![guess.fact("the server closed the connection without a word")]
        }
    }
}

/// The server broke the protocol.
pub(crate) fn fault(fault: &Fault, case: &Case<'_>) -> Vec<Guess> {
    let guess = match fault {
        Fault::BytesBeforeTls { .. } | Fault::PreauthInClearText => {
            Guess::certain(Cause::StartTlsInjected)
        }
        Fault::TlsFromTheStart => Guess::certain(Cause::TlsOnPlainPort),
        Fault::Unexpected { got, .. } if case.stage == Some(Stage::Greeting) => {
            let others: &[&str] = match case.protocol {
                Some(Protocol::Smtp) => &["* ", "+OK", "HTTP/", "SSH-"],
                Some(Protocol::Imap) => &["220", "+OK", "HTTP/", "SSH-"],
                Some(Protocol::Pop) => &["220", "* ", "HTTP/", "SSH-"],
                None => &[],
            };
            match others.iter().any(|other| got.starts_with(other)) {
                true => Guess::new(Cause::WrongProtocol, CERTAIN),
                false => return Vec::new(),
            }
        }
        _ => return Vec::new(),
    };
    vec![guess.fact(super::one_line(&fault.to_string()))]
}

/// The server does not offer what is needed.
pub(crate) fn lacks(what: &str, offered: &str) -> Vec<Guess> {
    let upper = what.to_ascii_uppercase();
    let cause = if matches!(upper.as_str(), "STARTTLS" | "STLS") {
        Cause::StartTlsMissing
    } else if upper.starts_with("AUTH")
        || upper.starts_with("SASL")
        || upper == "LOGIN"
        || upper == "USER"
    {
        Cause::MechanismNotOffered
    } else {
        return Vec::new();
    };
    vec![
        Guess::certain(cause).fact(super::one_line(&format!(
            "the server does not offer {what} (it offers: {offered})"
        ))),
    ]
}

#[cfg(feature = "proxy")]
pub(crate) fn proxy(error: &net::proxy::Error) -> Vec<Guess> {
    use net::proxy::{Error, SocksReply};
    vec![match error {
        Error::Unreachable(_) => Guess::certain(Cause::ProxyUnreachable),
        // It took the connection, and most wait for the server then.
        Error::Deadline { .. } => {
            return vec![
                Guess::possible(Cause::ProxyFailed),
                Guess::possible(Cause::ConnectTimeout),
            ];
        }
        Error::CredentialsRequired
        | Error::CredentialsRefused
        | Error::NoCommonMethod { .. }
        | Error::Http { status: 407, .. } => Guess::certain(Cause::ProxyLogin),
        Error::Socks(SocksReply::NotAllowed) | Error::Http { status: 403 | 451, .. } => {
            Guess::certain(Cause::ProxyForbids)
        }
        _ => Guess::likely(Cause::ProxyFailed),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::{Context, Diagnosis};
    use crate::provider;

    fn first(error: &net::Error, stage: Stage, endpoint: Endpoint) -> Option<Cause> {
        let context = Context::new().with_endpoint(endpoint);
        let mut case = Case::of(&context, None);
        case.stage = Some(stage);
        broke(error, &case).first().map(|guess| guess.cause)
    }

    #[test]
    fn a_host_that_is_not_reached_says_why() {
        let dns =
            io::Error::other("failed to lookup address information: Name or service not known");
        for (source, cause) in [
            (dns, Cause::HostNotFound),
            (
                io::Error::new(io::ErrorKind::NotFound, "the host has no address"),
                Cause::HostNotFound,
            ),
            (io::ErrorKind::ConnectionRefused.into(), Cause::ConnectionRefused),
            (io::ErrorKind::TimedOut.into(), Cause::ConnectTimeout),
            (io::ErrorKind::NetworkUnreachable.into(), Cause::HostUnreachable),
        ] {
            let error = net::Error::Dial { host: "mail.example".into(), port: 993, source };
            assert_eq!(Diagnosis::of(&error).unwrap().first().cause(), cause, "{error}");
        }
    }

    #[test]
    fn the_rule_that_a_certificate_fails_is_named() {
        for (reason, cause) in [
            (
                "invalid peer certificate: certificate not valid for name \"a\"; certificate is only \
              valid for DnsName(\"b\")",
                Cause::CertificateName,
            ),
            ("invalid peer certificate: NotValidForName", Cause::CertificateName),
            (
                "invalid peer certificate: certificate expired: verification time 2 (UNIX), but \
              certificate is not valid after 1 (1 seconds ago)",
                Cause::CertificateExpired,
            ),
            ("invalid peer certificate: Expired", Cause::CertificateExpired),
            (
                "invalid peer certificate: certificate not valid yet: verification time 1 (UNIX)",
                Cause::CertificateNotYetValid,
            ),
            ("invalid peer certificate: UnknownIssuer", Cause::CertificateUntrusted),
            (
                "invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))",
                Cause::CertificateUntrusted,
            ),
            ("invalid peer certificate: Revoked", Cause::CertificateRevoked),
            ("invalid peer certificate: BadEncoding", Cause::CertificateRefused),
        ] {
            assert_eq!(certificate(reason).cause, cause, "{reason}");
        }
    }

    #[test]
    fn clear_text_where_tls_is_expected_is_told_from_the_reverse() {
        let plain = rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType);
        let tls = net::Error::Tls { host: "h".into(), source: io::Error::other(plain) };
        let found = Diagnosis::of(&tls).unwrap();
        assert_eq!(found.first().cause(), Cause::PlainTextOnTlsPort);
        let silent = net::Error::Deadline { after: std::time::Duration::from_secs(30) };
        let wrong = Endpoint::imap_starttls("mail.example").with_port(993);
        assert_eq!(first(&silent, Stage::Greeting, wrong), Some(Cause::TlsOnPlainPort));
        let findings = fault(&Fault::TlsFromTheStart, &Case::of(&Context::new(), None));
        assert_eq!(findings[0].cause, Cause::TlsOnPlainPort);
        let right = provider::microsoft365::imap();
        assert_eq!(first(&silent, Stage::Greeting, right.clone()), Some(Cause::NoAnswer));
        assert_eq!(first(&silent, Stage::Dial, right), Some(Cause::ConnectTimeout));
        let old = rustls::Error::AlertReceived(AlertDescription::ProtocolVersion);
        let tls = net::Error::Tls { host: "h".into(), source: io::Error::other(old) };
        assert_eq!(Diagnosis::of(&tls).unwrap().first().cause(), Cause::TlsVersion);
    }

    #[test]
    fn another_protocol_at_the_port_is_recognised() {
        let context = Context::new().with_endpoint(Endpoint::imap("mail.example"));
        let mut case = Case::of(&context, None);
        case.stage = Some(Stage::Greeting);
        let unexpected = |got: &str| Fault::Unexpected { expected: "a greeting", got: got.into() };
        assert_eq!(fault(&unexpected("220 mail ESMTP"), &case)[0].cause, Cause::WrongProtocol);
        assert!(fault(&unexpected("* hello"), &case).is_empty());
        assert_eq!(fault(&Fault::PreauthInClearText, &case)[0].cause, Cause::StartTlsInjected);
        assert_eq!(lacks("STLS", "TOP")[0].cause, Cause::StartTlsMissing);
        assert_eq!(lacks("AUTH=XOAUTH2", "AUTH=PLAIN")[0].cause, Cause::MechanismNotOffered);
        assert!(lacks("MOVE or UIDPLUS", "").is_empty());
    }

    #[cfg(feature = "proxy")]
    #[test]
    fn a_proxy_is_blamed_for_what_is_its_own() {
        use crate::net::proxy::{Error, SocksReply};
        let plain = rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType);
        let plain = net::Error::Tls { host: "p".into(), source: io::Error::other(plain) };
        for (source, cause) in [
            (Error::CredentialsRequired, Cause::ProxyLogin),
            (Error::Socks(SocksReply::NotAllowed), Cause::ProxyForbids),
            (Error::Unreachable(io::ErrorKind::ConnectionRefused.into()), Cause::ProxyUnreachable),
            (Error::Closed, Cause::ProxyFailed),
            (Error::Io(io::ErrorKind::ConnectionReset.into()), Cause::ProxyFailed),
            (Error::Tls(Box::new(plain)), Cause::ProxyFailed),
            (
                Error::Http { status: 502, reason: String::new(), retry_after: None },
                Cause::ProxyFailed,
            ),
        ] {
            let error = net::Error::Proxy {
                proxy: "socks5://p:1080".into(),
                host: "h".into(),
                port: 993,
                source: Box::new(source),
            };
            assert_eq!(Diagnosis::of(&error).unwrap().first().cause(), cause, "{error}");
        }
    }
    #[cfg(feature = "proxy")]
    #[test]
    fn a_proxy_that_took_the_connection_and_keeps_silent_may_wait_for_the_server() {
        let after = std::time::Duration::from_secs(30);
        let diagnosis = Diagnosis::of(&net::proxy::Error::Deadline { after }).unwrap();
        let found: Vec<_> =
            diagnosis.findings().iter().map(|it| (it.cause(), it.confidence())).collect();
        assert_eq!(
            found,
            [(Cause::ProxyFailed, POSSIBLE), (Cause::ConnectTimeout, POSSIBLE)],
            "{diagnosis}"
        );
    }

    #[cfg(feature = "proxy")]
    #[test]
    fn what_tls_with_the_proxy_said_is_a_fact() {
        let source = io::Error::other("the certificate has expired");
        let error = net::Error::Tls { host: "p".into(), source };
        let diagnosis = Diagnosis::of(&net::proxy::Error::Tls(Box::new(error))).unwrap();
        let told = diagnosis.to_string();
        assert!(told.contains("the certificate has expired"), "{told}");
    }
}
