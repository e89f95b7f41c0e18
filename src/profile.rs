//! What is known of the service that answers at an endpoint.

use std::time::Duration;

use crate::Protocol;
use crate::provider::{Kind, ServiceLimits, SharedMailbox};

/// What is known of a mail service beyond its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    kind: Kind,
    name: &'static str,
    inline_auth: bool,
    least_token_lifetime: Duration,
    demands_id: bool,
    command_line: usize,
    /// SMTP extensions that are not to be used, a bit each.
    smtp_off: u16,
    limits: ServiceLimits,
    /// By SMTP, IMAP, POP3.
    shared: [SharedMailbox; 3],
}

impl Profile {
    /// Nothing is known: authenticate in two steps, five minutes of token lifetime, no ID.
    pub const fn generic() -> Self {
        Self {
            kind: Kind::Generic,
            name: Kind::Generic.name(),
            inline_auth: false,
            least_token_lifetime: Duration::from_secs(5 * 60),
            demands_id: false,
            command_line: 8000,
            smtp_off: 0,
            limits: ServiceLimits::unknown(),
            shared: [SharedMailbox::Unknown; 3],
        }
    }

    /// Whose service it is, which also gives it that name. Refusals are read accordingly.
    pub const fn with_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self.name = kind.name();
        self
    }

    /// The same knowledge under another name.
    pub const fn with_name(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// Whether the service is known to take the SASL initial response on the AUTH line of SMTP and
    /// POP3. It is then sent so if the line fits RFC 4954 section 4 (512 octets) or RFC 5034
    /// section 4 (255 octets); otherwise authentication takes one round trip more. IMAP goes by
    /// the SASL-IR capability instead.
    pub const fn with_inline_auth(mut self, inline: bool) -> Self {
        self.inline_auth = inline;
        self
    }

    /// How long an access token must still live to be used for a new connection.
    pub const fn with_least_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.least_token_lifetime = lifetime;
        self
    }

    /// Whether an IMAP session must begin with ID (RFC 2971) before the server cooperates.
    pub const fn with_id_demanded(mut self, demanded: bool) -> Self {
        self.demands_id = demanded;
        self
    }

    /// Never use this SMTP extension, though the server offers it: for servers that have it wrong.
    ///
    /// ```
    /// use mailbearer::{Endpoint, Profile, smtp::Extension};
    ///
    /// let profile = Profile::generic().without(Extension::Chunking).without(Extension::BinaryMime);
    /// let endpoint = Endpoint::smtp("mail.example.net").with_profile(profile);
    /// ```
    #[cfg(feature = "smtp")]
    pub const fn without(mut self, extension: crate::smtp::Extension) -> Self {
        self.smtp_off |= extension.bit();
        self
    }

    /// Whether this SMTP extension is not to be used; see [`without`](Self::without).
    #[cfg(feature = "smtp")]
    pub const fn is_without(&self, extension: crate::smtp::Extension) -> bool {
        self.smtp_off & extension.bit() != 0
    }

    #[cfg(feature = "smtp")]
    pub(crate) const fn smtp_off(&self) -> u16 {
        self.smtp_off
    }

    /// How many octets a line of an IMAP command may have before the set of messages in it is split
    /// and sent in several commands, and before a token waits for the server's invitation. 8,000, which servers should take (RFC 2683 section 3.2.1.5);
    /// Yahoo takes 1,000, and is known by its capabilities.
    pub const fn with_command_line(mut self, octets: usize) -> Self {
        self.command_line = octets;
        self
    }

    /// What the service allows; nothing is enforced by it.
    pub const fn with_service_limits(mut self, limits: ServiceLimits) -> Self {
        self.limits = limits;
        self
    }

    /// How a mailbox of somebody else is opened by this protocol.
    pub const fn with_shared_mailbox(mut self, protocol: Protocol, rule: SharedMailbox) -> Self {
        self.shared[protocol.index()] = rule;
        self
    }

    /// Whose service it is.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// A short name, for traces and errors.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// See [`with_inline_auth`](Self::with_inline_auth).
    pub const fn inline_auth(&self) -> bool {
        self.inline_auth
    }

    /// See [`with_least_token_lifetime`](Self::with_least_token_lifetime).
    pub const fn least_token_lifetime(&self) -> Duration {
        self.least_token_lifetime
    }

    /// See [`with_id_demanded`](Self::with_id_demanded).
    pub const fn demands_id(&self) -> bool {
        self.demands_id
    }

    /// See [`with_command_line`](Self::with_command_line).
    pub const fn command_line(&self) -> usize {
        self.command_line
    }
    /// See [`with_service_limits`](Self::with_service_limits).
    pub const fn service_limits(&self) -> ServiceLimits {
        self.limits
    }

    /// See [`with_shared_mailbox`](Self::with_shared_mailbox).
    pub const fn shared_mailbox(&self, protocol: Protocol) -> SharedMailbox {
        self.shared[protocol.index()]
    }
}
