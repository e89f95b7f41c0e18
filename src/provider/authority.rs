//! Who issues the tokens of a service, and for which scope.

use std::borrow::Cow;

use crate::Protocol;

use super::cloud::{Cloud, application_permission, delegated_permission};

/// Who issues the tokens of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Authority {
    /// Microsoft Entra, in this cloud. The constructors named `entra` in [`token`](crate::token)
    /// take the tenant; `cloud` is set on their builders.
    #[non_exhaustive]
    Entra {
        /// Where tenants sign in.
        cloud: Cloud,
        /// The tenant to name, where it is not the customer's own: `consumers` for personal
        /// accounts.
        tenant: Option<&'static str>,
    },
    /// A server with URLs of its own.
    Server(&'static AuthorizationServer),
}

/// The URLs of an OAuth 2.0 authorization server.
#[derive(Debug, PartialEq, Eq)]
pub struct AuthorizationServer {
    pub(super) issuer: Option<&'static str>,
    pub(super) authorization_url: &'static str,
    pub(super) token_url: &'static str,
    pub(super) device_authorization_url: Option<&'static str>,
}

impl AuthorizationServer {
    /// Its name for itself, where it has one (RFC 8414 section 2).
    pub const fn issuer(&self) -> Option<&'static str> {
        self.issuer
    }

    /// Where users sign in in a browser (RFC 6749 section 3.1).
    pub const fn authorization_url(&self) -> &'static str {
        self.authorization_url
    }

    /// Where tokens come from (RFC 6749 section 3.2).
    pub const fn token_url(&self) -> &'static str {
        self.token_url
    }

    /// Where device codes come from (RFC 8628 section 3.1), where there is such a thing.
    pub const fn device_authorization_url(&self) -> Option<&'static str> {
        self.device_authorization_url
    }
}

/// Whom a token is for, which decides its scope at Microsoft.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnBehalf {
    /// An application for itself: client credentials, managed identity.
    Application,
    /// An application for a user who signed in.
    User,
}

/// Which scope a token needs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scopes {
    /// By protocol and by whom it is for, at the resource of a cloud.
    Exchange(Cloud),
    /// The same, for users only.
    ExchangeForUsers(Cloud),
    /// One for everything, and the permission that it brings, by its name in the token.
    One { scope: &'static str, permission: Option<&'static str>, on_behalf: &'static [OnBehalf] },
    /// By protocol, for users only.
    ByProtocol { smtp: &'static str, imap: &'static str, pop: &'static str },
    /// Not known.
    Unknown,
}

impl Scopes {
    pub(super) fn scope(
        &self,
        protocol: Protocol,
        on_behalf: OnBehalf,
    ) -> Option<Cow<'static, str>> {
        let user = on_behalf == OnBehalf::User;
        match self {
            Self::Exchange(cloud) if !user => Some(cloud.application_scope().into()),
            Self::Exchange(cloud) | Self::ExchangeForUsers(cloud) if user => {
                Some(cloud.delegated_scope(protocol).into())
            }
            Self::One { scope, on_behalf: whose, .. } if whose.contains(&on_behalf) => {
                Some((*scope).into())
            }
            Self::ByProtocol { smtp, imap, pop } if user => Some(Cow::Borrowed(match protocol {
                Protocol::Smtp => smtp,
                Protocol::Imap => imap,
                Protocol::Pop => pop,
            })),
            _ => None,
        }
    }

    pub(super) fn permission(
        &self,
        protocol: Protocol,
        on_behalf: OnBehalf,
    ) -> Option<&'static str> {
        match (self, on_behalf) {
            (Self::Exchange(_), OnBehalf::Application) => Some(application_permission(protocol)),
            (Self::Exchange(_) | Self::ExchangeForUsers(_), OnBehalf::User) => {
                Some(delegated_permission(protocol))
            }
            (Self::One { permission, .. }, _) => *permission,
            _ => None,
        }
    }
}
