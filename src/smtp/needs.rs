//! What a message needs of the server beyond plain SMTP, and what the server said of it.

use std::collections::HashSet;

use super::address::split;
use super::error::Counted;
use super::idn;
use super::proto::parameters::Parameters;
use super::proto::transaction::MAIL;
use super::{Envelope, Error, Extension, Extensions};
use crate::Stage;

/// What MAIL and RCPT say because of the envelope and the header. `sent` is the number of messages
/// that went over this connection before.
///
/// # Errors
/// The server does not offer it, or takes less. Nothing was written.
pub(crate) fn of_envelope(
    envelope: &Envelope,
    utf8_header: bool,
    sent: u32,
    offered: &Extensions,
) -> Result<Parameters, Error> {
    within_limits(envelope, sent, offered)?;
    let dsn = match envelope.dsn() {
        None => false,
        Some(dsn) if !offered.dsn() && dsn.is_optional() => false,
        Some(_) => need(Extension::Dsn, "the envelope asks for", offered)?,
    };
    let require_tls =
        envelope.requires_tls() && need(Extension::RequireTls, "the envelope asks for", offered)?;
    let (mut utf8, mut a_labels) = (false, false);
    if utf8_header {
        utf8 = need(Extension::SmtpUtf8, "the header of this message needs", offered)?;
    } else if envelope.needs_smtp_utf8() {
        utf8 = offered.smtp_utf8();
        a_labels = !utf8;
    }
    if a_labels {
        let mut addresses = std::iter::once(envelope.reverse_path()).chain(envelope.recipients());
        if let Some(stuck) = addresses.find(|address| idn::in_ascii(address).is_none()) {
            let what = format!("SMTPUTF8, which {stuck} needs: {}", idn::why_not(stuck));
            return Err(unsupported(what, offered));
        }
    }
    Ok(Parameters { utf8, a_labels, dsn, require_tls, ..Parameters::default() })
}

/// RFC 9422. A server may refuse what is beyond its limits after half of it was accepted.
fn within_limits(envelope: &Envelope, sent: u32, offered: &Extensions) -> Result<(), Error> {
    let limits = offered.limits();
    let check = |what, count: usize, limit: Option<u32>| match limit {
        Some(limit) if count > usize::try_from(limit).unwrap_or(usize::MAX) => {
            Err(Error::TooMany { what, count, limit })
        }
        _ => Ok(()),
    };
    let messages = usize::try_from(sent).unwrap_or(usize::MAX).saturating_add(1);
    check(Counted::Messages, messages, limits.messages)?;
    check(Counted::Recipients, envelope.recipients().len(), limits.recipients)?;
    if limits.domains.is_some() {
        let domains: HashSet<String> =
            envelope.recipients().map(|to| split(to).1.to_ascii_lowercase()).collect();
        check(Counted::Domains, domains.len(), limits.domains)?;
    }
    Ok(())
}

fn need(extension: Extension, why: &str, offered: &Extensions) -> Result<bool, Error> {
    if offered.has(extension) {
        return Ok(true);
    }
    let off = if offered.parameters(extension.keyword()).is_some() {
        // REQUIRETLS without TLS is switched off too.
        " (it is offered, but not to be used on this connection)"
    } else {
        ""
    };
    Err(unsupported(format!("{extension}, which {why}{off}"), offered))
}

/// The server does not offer what a message needs.
pub(crate) fn unsupported(what: String, offered: &Extensions) -> Error {
    let offered = offered.all().map(|(keyword, _)| keyword).collect::<Vec<_>>();
    Error::Unsupported { stage: Stage::Command(MAIL), what, offered: offered.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::reply::{Head, Reply};
    use crate::smtp::{Dsn, Notify};
    use crate::{Failure, Retry};

    fn offered(lines: &str) -> Extensions {
        let text = format!("mail.test\n{lines}");
        Extensions::from_reply(&Reply::new(Head { code: 250, enhanced: None }, text))
    }

    fn to(recipients: &[&str]) -> Envelope {
        Envelope::new("me@x.example", recipients).unwrap()
    }

    fn refused(envelope: &Envelope, utf8_header: bool, sent: u32, lines: &str) -> Error {
        of_envelope(envelope, utf8_header, sent, &offered(lines)).unwrap_err()
    }

    #[test]
    fn plain_mail_needs_nothing() {
        let plain = of_envelope(&to(&["a@b.example"]), false, 1000, &offered("")).unwrap();
        assert!(!(plain.utf8 || plain.a_labels || plain.dsn || plain.require_tls));
    }

    #[test]
    fn what_was_asked_for_and_is_not_offered_is_an_error() {
        let dsn = Dsn::new().notify(Notify::SUCCESS);
        let asks = to(&["a@b.example"]).with_dsn(dsn.clone()).unwrap();
        let error = refused(&asks, false, 0, "SIZE 10\n8BITMIME");
        assert_eq!(
            error.to_string(),
            "the server does not offer DSN, which the envelope asks for (it offers: SIZE, 8BITMIME)"
        );
        assert!(error.connection_usable());
        assert_eq!(error.retry(), Retry::Never);
        assert!(of_envelope(&asks, false, 0, &offered("DSN")).unwrap().dsn);

        let wishes = to(&["a@b.example"]).with_dsn(dsn.if_offered()).unwrap();
        assert!(!of_envelope(&wishes, false, 0, &offered("")).unwrap().dsn);
        assert!(of_envelope(&wishes, false, 0, &offered("DSN")).unwrap().dsn);

        let demands = to(&["a@b.example"]).require_tls();
        assert!(of_envelope(&demands, false, 0, &offered("REQUIRETLS")).unwrap().require_tls);
        assert!(refused(&demands, false, 0, "").to_string().contains("offer REQUIRETLS, which"));
        let off = offered("REQUIRETLS").without(Extension::RequireTls.bit());
        let error = of_envelope(&demands, false, 0, &off).unwrap_err();
        assert!(error.to_string().contains("not to be used on this connection"), "{error}");
    }

    #[test]
    fn smtputf8_is_used_only_where_it_is_needed() {
        let plain = to(&["a@b.example"]);
        assert!(!of_envelope(&plain, false, 0, &offered("SMTPUTF8")).unwrap().utf8);
        assert!(of_envelope(&plain, true, 0, &offered("SMTPUTF8")).unwrap().utf8);
        let error = refused(&plain, true, 0, "8BITMIME");
        assert!(error.to_string().contains("SMTPUTF8, which the header"), "{error}");

        let local = to(&["a@b.example", "grå@b.example"]);
        let used = of_envelope(&local, false, 0, &offered("SMTPUTF8")).unwrap();
        assert!(used.utf8 && !used.a_labels);
        let error = refused(&local, false, 0, "8BITMIME");
        assert!(error.to_string().contains("which grå@b.example needs: its local part"), "{error}");
    }

    #[test]
    fn a_domain_beyond_ascii_needs_smtputf8_or_the_feature() {
        let domain = to(&["ann@exämple.example"]);
        assert!(of_envelope(&domain, false, 0, &offered("SMTPUTF8")).unwrap().utf8);
        let without = of_envelope(&domain, false, 0, &offered(""));
        if cfg!(feature = "idn") {
            let parameters = without.unwrap();
            assert!(parameters.a_labels && !parameters.utf8);
        } else {
            assert!(without.unwrap_err().to_string().contains("feature `idn`"));
        }
    }

    #[test]
    fn the_servers_limits_are_kept() {
        let three = to(&["a@b.example", "c@B.example", "d@e.example"]);
        let told = |sent, lines| {
            let error = of_envelope(&three, false, sent, &offered(lines)).err()?;
            Some((error.to_string(), error.retry(), error.connection_usable()))
        };
        assert_eq!(told(8, "LIMITS RCPTMAX=3 MAILMAX=9 RCPTDOMAINMAX=2"), None);
        assert_eq!(
            told(0, "LIMITS RCPTMAX=2"),
            Some((
                "the server takes at most 2 recipients of one message, not 3".into(),
                Retry::Never,
                true
            ))
        );
        assert_eq!(
            told(0, "LIMITS RCPTDOMAINMAX=1"),
            Some((
                "the server takes at most 1 domains among the recipients of one message, not 2"
                    .into(),
                Retry::Never,
                true
            ))
        );
        let (words, retry, usable) = told(9, "LIMITS MAILMAX=9").unwrap();
        assert_eq!(words, "the server takes at most 9 messages over one connection, not 10");
        assert_eq!((retry, usable), (Retry::Reconnect, false));
    }
}
