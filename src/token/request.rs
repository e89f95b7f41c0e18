//! What a provider is asked, and what it is told afterwards.

use std::sync::Arc;
use std::time::Duration;

use crate::{Endpoint, Protocol};

/// What a token is wanted for. A cheap clone.
///
/// # Example
///
/// ```
/// use mailbearer::Endpoint;
/// use mailbearer::token::{Purpose, TokenRequest};
///
/// // The crate makes these itself; a test of a provider makes its own.
/// let request = TokenRequest::new(Endpoint::imap("mail.example.net"), "billing@example.net");
/// assert_eq!(request.mailbox(), "billing@example.net");
/// assert_eq!(request.purpose(), Purpose::Connect);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    endpoint: Endpoint,
    mailbox: Arc<str>,
    purpose: Purpose,
    min_lifetime: Duration,
}

/// Why a token is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// For a new connection. A token obtained earlier will do.
    Connect,
    /// A server refused the last token: another is wanted, even if the last has not expired.
    Retry,
}

impl TokenRequest {
    /// A request for a first connection, with the least lifetime that the endpoint's
    /// [`Profile`](crate::Profile) demands.
    pub fn new(endpoint: Endpoint, mailbox: impl Into<String>) -> Self {
        let min_lifetime = endpoint.profile().least_token_lifetime();
        let mailbox: String = mailbox.into();
        Self { endpoint, mailbox: mailbox.into(), purpose: Purpose::Connect, min_lifetime }
    }

    /// The same request for another purpose.
    pub const fn with_purpose(mut self, purpose: Purpose) -> Self {
        self.purpose = purpose;
        self
    }

    /// The same request with another least lifetime.
    pub const fn with_min_lifetime(mut self, lifetime: Duration) -> Self {
        self.min_lifetime = lifetime;
        self
    }

    /// The protocol that the token is for: the endpoint's.
    pub const fn protocol(&self) -> Protocol {
        self.endpoint.protocol()
    }

    /// The server that the token is for.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The mailbox to be opened, as it is named to the server. It need not be the mailbox of the
    /// user or application that the token belongs to.
    pub fn mailbox(&self) -> &str {
        &self.mailbox
    }

    pub(crate) fn shared_mailbox(&self) -> Arc<str> {
        self.mailbox.clone()
    }

    /// Why the token is wanted.
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// How long a token must still live to be handed out again. One that was just issued is
    /// handed out whatever its lifetime: there is no better.
    pub const fn min_lifetime(&self) -> Duration {
        self.min_lifetime
    }
}

/// Why a server did not accept a token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// The server refused it when it was presented.
    Refused {
        /// The server's words, without secrets it may have echoed.
        reply: String,
    },
    /// The server ended a session because the token had expired.
    Expired,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Profile;

    #[test]
    fn the_profile_decides_the_least_lifetime_until_the_request_does() {
        let lifetime = Duration::from_secs(600);
        let profile = Profile::generic().with_least_token_lifetime(lifetime);
        let request = TokenRequest::new(Endpoint::smtp("h").with_profile(profile), "m");
        assert_eq!(request.min_lifetime(), lifetime);
        assert_eq!(request.with_min_lifetime(Duration::ZERO).min_lifetime(), Duration::ZERO);
    }
}
