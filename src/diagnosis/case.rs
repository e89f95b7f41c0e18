//! One failure with all that is known around it.

use std::time::SystemTime;

use super::finding::{Confidence, Evidence};
use super::line::Line;
use super::service::Service;
use super::{Cause, Context};
use crate::provider::{Cloud, Kind, Provider};
use crate::token::Claims;
use crate::{Protocol, Stage};

/// What the rules ask.
#[derive(Clone)]
pub(super) struct Case<'a> {
    pub(super) context: &'a Context,
    pub(super) protocol: Option<Protocol>,
    pub(super) stage: Option<Stage>,
    pub(super) service: Service,
    pub(super) now: SystemTime,
    /// The login was one by password.
    pub(super) by_password: bool,
    /// The credential was good, and the mailbox did not open.
    pub(super) not_opened: bool,
    /// The server refused the token itself.
    pub(super) token_refused: bool,
    /// A second token was refused as well.
    pub(super) refreshed: bool,
    /// What the server said of the token before its final answer: status and scope.
    pub(super) challenge: Option<(Option<&'a str>, Option<&'a str>)>,
    pub(super) credential_octets: Option<usize>,
    /// The address that may not be sent as, if the server names it.
    pub(super) refused_sender: Option<String>,
}

impl<'a> Case<'a> {
    pub(super) fn of(context: &'a Context, protocol: Option<Protocol>) -> Self {
        let service = match Service::of(context.endpoint.as_ref()) {
            // Personal accounts share the servers of the others.
            Service::Exchange { .. } if context.mailbox.as_deref().is_some_and(is_personal) => {
                Service::Exchange { personal: true }
            }
            service => service,
        };
        Self {
            context,
            protocol: protocol.or_else(|| context.endpoint.as_ref().map(|at| at.protocol())),
            stage: None,
            service,
            now: context.now.unwrap_or_else(SystemTime::now),
            by_password: false,
            not_opened: false,
            token_refused: false,
            refreshed: false,
            challenge: None,
            credential_octets: None,
            refused_sender: None,
        }
    }

    /// The same, where the words are Exchange's though nothing is known of the server.
    pub(super) fn at_exchange(&self) -> Self {
        let service = match self.service {
            Service::Unknown => Service::Exchange { personal: false },
            known => known,
        };
        Self { service, ..self.clone() }
    }

    pub(super) const fn claims(&self) -> Option<&'a Claims> {
        self.context.claims.as_ref()
    }

    pub(super) fn mailbox(&self) -> Option<&'a str> {
        self.context.mailbox.as_deref()
    }

    /// The cloud of the server, else that of the token.
    pub(super) fn cloud(&self) -> Cloud {
        let host = self.context.endpoint.as_ref().and_then(|at| Cloud::of_mail_host(at.host()));
        host.unwrap_or_else(|| {
            let issuer = self.claims().and_then(Claims::issuer);
            issuer.map_or(Cloud::Global, Cloud::of_authority)
        })
    }

    /// Microsoft's server, by its name, its words, or the token it was given.
    pub(super) fn at_microsoft(&self, line: &Line) -> bool {
        self.service.is_microsofts()
            || self.service == Service::Unknown && (line.is_exchanges() || self.token_of_entra())
    }

    fn token_of_entra(&self) -> bool {
        let issuer = self.claims().and_then(Claims::issuer).unwrap_or_default();
        let host = issuer.strip_prefix("https://").unwrap_or_default();
        let host = host.split('/').next().unwrap_or_default();
        [
            "sts.windows.net",
            "login.microsoftonline.com",
            "login.microsoftonline.us",
            "login.partner.microsoftonline.cn",
            "sts.chinacloudapi.cn",
        ]
        .contains(&host)
    }

    /// The login, and the first command behind it.
    pub(super) const fn at_login(&self) -> bool {
        matches!(self.stage, Some(Stage::Auth | Stage::Probe))
    }

    /// A command of a session that is logged in.
    pub(super) const fn in_session(&self) -> bool {
        matches!(self.stage, Some(Stage::Command(_)))
    }
}

/// An address of a domain that is Outlook.com's.
fn is_personal(mailbox: &str) -> bool {
    let domain = mailbox.rsplit_once('@').map_or("", |(_, domain)| domain);
    Provider::of_mailbox_domain(domain).is_some_and(|provider| provider.kind() == Kind::OutlookCom)
}

/// A cause that is thought of, before it is told in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Guess {
    pub(super) cause: Cause,
    pub(super) confidence: Confidence,
    pub(super) evidence: Vec<Evidence>,
}

impl Guess {
    pub(super) const fn new(cause: Cause, confidence: Confidence) -> Self {
        Self { cause, confidence, evidence: Vec::new() }
    }

    pub(super) const fn certain(cause: Cause) -> Self {
        Self::new(cause, Confidence::Certain)
    }

    pub(super) const fn likely(cause: Cause) -> Self {
        Self::new(cause, Confidence::Likely)
    }

    pub(super) const fn possible(cause: Cause) -> Self {
        Self::new(cause, Confidence::Possible)
    }

    pub(super) fn because(mut self, evidence: Evidence) -> Self {
        self.evidence.push(evidence);
        self
    }

    pub(super) fn claim(self, name: &'static str, value: impl Into<String>) -> Self {
        self.because(Evidence::Claim { name, value: value.into() })
    }

    pub(super) fn fact(self, fact: impl Into<String>) -> Self {
        self.because(Evidence::Fact(fact.into()))
    }
}
