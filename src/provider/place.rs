//! Where a service is reached.

use crate::{Endpoint, Profile, Protocol, Security};

/// A token mechanism of SASL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mechanism {
    /// Google's and Microsoft's own: `user=…^Aauth=Bearer …^A^A`.
    Xoauth2,
    /// RFC 7628.
    OauthBearer,
}

impl Mechanism {
    /// The name by which servers offer it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Xoauth2 => "XOAUTH2",
            Self::OauthBearer => "OAUTHBEARER",
        }
    }
}

/// One address of a service, and how it lets in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) protocol: Protocol,
    host: &'static str,
    port: u16,
    security: Security,
    pub(super) mechanisms: &'static [Mechanism],
}

pub(super) const XOAUTH2: &[Mechanism] = &[Mechanism::Xoauth2];
pub(super) const BOTH: &[Mechanism] = &[Mechanism::Xoauth2, Mechanism::OauthBearer];

impl Place {
    /// TLS from the start, on the port that RFC 8314 gives the protocol.
    pub(super) const fn tls(
        protocol: Protocol,
        host: &'static str,
        mechanisms: &'static [Mechanism],
    ) -> Self {
        let port = match protocol {
            Protocol::Smtp => 465,
            Protocol::Imap => 993,
            Protocol::Pop => 995,
        };
        Self { protocol, host, port, security: Security::ImplicitTls, mechanisms }
    }

    /// Submission with STARTTLS.
    pub(super) const fn submission(host: &'static str, mechanisms: &'static [Mechanism]) -> Self {
        let (protocol, port, security) = (Protocol::Smtp, 587, Security::StartTls);
        Self { protocol, host, port, security, mechanisms }
    }

    pub(super) fn endpoint(&self, profile: &Profile) -> Endpoint {
        Endpoint::new(self.protocol, self.host, self.port, self.security)
            .with_profile(profile.clone())
    }
}
