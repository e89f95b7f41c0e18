//! The services this crate knows: one file each, every fact overridable.
//!
//! A [`Provider`] is data: where its protocols are reached, who issues its tokens and for which
//! scopes, how it wants to be logged in to, what it allows, how shared mailboxes are opened, and
//! what is odd about it. Each module says where and when its facts were read.
//!
//! | service | module | protocols |
//! |---|---|---|
//! | Microsoft 365, worldwide and GCC | [`microsoft365`] | SMTP, IMAP, POP3 |
//! | Microsoft 365, GCC High | [`microsoft365::gcc_high`] | SMTP, IMAP, POP3 |
//! | Microsoft 365, DoD | [`microsoft365::dod`] | SMTP, IMAP, POP3 |
//! | Microsoft 365 by 21Vianet in China | [`microsoft365::china`] | SMTP, IMAP, POP3 |
//! | Outlook.com, Hotmail, Live | [`outlook`] | SMTP, IMAP, POP3 |
//! | High Volume Email | [`hve`] | SMTP |
//! | Gmail and Google Workspace | [`gmail`] | SMTP, IMAP, POP3 |
//! | Yahoo Mail | [`yahoo`] | SMTP, IMAP, POP3 |
//! | AOL Mail | [`aol`] | SMTP, IMAP, POP3 |
//! | Fastmail | [`fastmail`] | SMTP, IMAP, POP3 |
//! | iCloud Mail | [`icloud`] | SMTP, IMAP |
//!
//! What differs in your tenant or region is changed on the value:
//!
//! ```
//! use std::time::Duration;
//! use mailbearer::provider::microsoft365;
//!
//! let through_a_tunnel = microsoft365::imap().with_host("localhost").with_port(1993);
//! let patient = microsoft365::profile().with_least_token_lifetime(Duration::from_secs(1200));
//! let smtp = microsoft365::smtp().with_profile(patient);
//! ```
//!
//! A provider is found by its name, by the host of a server, or by the domain of an address where
//! that says it for certain:
//!
//! ```
//! use mailbearer::Protocol;
//! use mailbearer::provider::{Kind, OnBehalf, Provider};
//!
//! let dod = Provider::of_host("outlook-dod.office365.us").unwrap();
//! assert_eq!((dod.id(), dod.kind()), ("microsoft365-dod", Kind::Microsoft365));
//! assert_eq!(dod.cloud().unwrap().authority(), "https://login.microsoftonline.us");
//!
//! let gmail = Provider::of_mailbox_domain("gmail.com").unwrap();
//! assert_eq!(gmail.endpoint(Protocol::Imap).unwrap().host(), "imap.gmail.com");
//! let scope = gmail.scope(Protocol::Imap, OnBehalf::User).unwrap();
//! assert_eq!(scope, "https://mail.google.com/");
//!
//! // Who serves this domain is not known without asking (feature `discover`).
//! assert!(Provider::of_mailbox_domain("contoso.example").is_none());
//! ```

pub mod aol;
mod authority;
mod cloud;
pub mod fastmail;
pub mod gmail;
pub mod hve;
pub mod icloud;
mod kind;
mod limits;
pub mod microsoft365;
pub mod outlook;
mod place;
mod quirk;
mod shared;
#[cfg(test)]
mod tests;
pub mod yahoo;

use std::borrow::Cow;

use crate::{Endpoint, Profile, Protocol};
use authority::Scopes;
use place::Place;

pub use authority::{Authority, AuthorizationServer, OnBehalf};
pub use cloud::Cloud;
pub use kind::Kind;
pub use limits::ServiceLimits;
pub use place::Mechanism;
pub use quirk::Quirk;
pub use shared::SharedMailbox;

pub(crate) use cloud::within;

/// All that are known, in the order of the table above.
static ALL: [&Provider; 11] = [
    &microsoft365::PROVIDER,
    &microsoft365::gcc_high::PROVIDER,
    &microsoft365::dod::PROVIDER,
    &microsoft365::china::PROVIDER,
    &outlook::PROVIDER,
    &hve::PROVIDER,
    &gmail::PROVIDER,
    &yahoo::PROVIDER,
    &aol::PROVIDER,
    &fastmail::PROVIDER,
    &icloud::PROVIDER,
];

/// All the services this crate knows.
pub fn all() -> impl Iterator<Item = &'static Provider> {
    ALL.into_iter()
}

/// What is known of one mail service.
#[derive(Debug, PartialEq, Eq)]
pub struct Provider {
    id: &'static str,
    name: &'static str,
    profile: Profile,
    /// The preferred ones of a protocol first.
    places: &'static [Place],
    /// Hosts, and domains in which all hosts are this service's.
    hosts: &'static [&'static str],
    /// Domains whose mailboxes are all here.
    mailbox_domains: &'static [&'static str],
    authority: Option<Authority>,
    scopes: Scopes,
    /// What is asked for besides, to be given a refresh token.
    refresh_scope: Option<&'static str>,
    quirks: &'static [Quirk],
}

impl Provider {
    /// The provider of this [`id`](Self::id), in any case.
    pub fn named(id: &str) -> Option<&'static Self> {
        all().find(|provider| provider.id.eq_ignore_ascii_case(id))
    }

    /// Whose server this is, by its host name alone.
    ///
    /// Personal accounts share servers with Microsoft 365: `outlook.office365.com` is taken for
    /// Microsoft 365. An [`Endpoint`] that was made for Outlook.com knows better; see
    /// [`of_endpoint`](Self::of_endpoint).
    pub fn of_host(host: &str) -> Option<&'static Self> {
        let longest = |provider: &&'static Self| {
            let own = provider.hosts.iter().filter(|domain| within(host, domain));
            own.map(|domain| domain.len()).max()
        };
        all()
            .filter_map(|provider| longest(&provider).map(|length| (length, provider)))
            .max_by_key(|(length, _)| *length)
            .map(|(_, provider)| provider)
    }

    /// Whose server this is: by the host, or by the [kind](Profile::kind) in its profile where the
    /// host does not say it, as behind a tunnel or at a test server.
    pub fn of_endpoint(endpoint: &Endpoint) -> Option<&'static Self> {
        let kind = endpoint.profile().kind();
        let by_host = Self::of_host(endpoint.host());
        match by_host {
            Some(provider) if kind == Kind::Generic || kind == provider.kind() => by_host,
            _ => all().find(|provider| provider.kind() == kind).or(by_host),
        }
    }

    /// Where the mailboxes of this domain are, if the domain says so for certain: `gmail.com` does,
    /// `contoso.example` does not, wherever it is hosted.
    pub fn of_mailbox_domain(domain: &str) -> Option<&'static Self> {
        let domain = domain.strip_suffix('.').unwrap_or(domain);
        // A name that begins with a dot stands for the domains below it.
        let names = |known: &str| match known.strip_prefix('.') {
            Some(parent) => within(domain, parent) && !domain.eq_ignore_ascii_case(parent),
            None => domain.eq_ignore_ascii_case(known),
        };
        all().find(|provider| provider.mailbox_domains.iter().any(|known| names(known)))
    }

    /// A short name for command lines and configuration files, such as `gmail`.
    pub const fn id(&self) -> &'static str {
        self.id
    }

    /// Whose service it is. The clouds of Microsoft 365 have one kind.
    pub const fn kind(&self) -> Kind {
        self.profile.kind()
    }

    /// A name for people, such as `Microsoft 365 GCC High`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What a connection needs to know: the form of AUTH, the least lifetime of a token, limits.
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The preferred endpoint of a protocol; `None` if the service does not have it.
    pub fn endpoint(&self, protocol: Protocol) -> Option<Endpoint> {
        self.endpoints(protocol).next()
    }

    /// All endpoints of a protocol, the preferred one first.
    pub fn endpoints(&self, protocol: Protocol) -> impl Iterator<Item = Endpoint> {
        self.of(protocol).map(|place| place.endpoint(&self.profile))
    }

    /// The token mechanisms that a protocol takes here.
    pub fn mechanisms(&self, protocol: Protocol) -> &'static [Mechanism] {
        self.of(protocol).next().map_or(&[], |place| place.mechanisms)
    }

    fn of(&self, protocol: Protocol) -> impl Iterator<Item = &'static Place> {
        self.places.iter().filter(move |place| place.protocol == protocol)
    }

    /// Who issues the tokens; `None` where strangers' applications are given none.
    pub const fn authority(&self) -> Option<Authority> {
        self.authority
    }

    /// The Microsoft cloud in which it is.
    pub const fn cloud(&self) -> Option<Cloud> {
        match self.authority {
            Some(Authority::Entra { cloud, .. }) => Some(cloud),
            _ => None,
        }
    }

    /// The scope to ask for to use a protocol. `None` if it is not known, or if an application gets
    /// no token for itself here.
    pub fn scope(&self, protocol: Protocol, on_behalf: OnBehalf) -> Option<Cow<'static, str>> {
        self.scopes.scope(protocol, on_behalf)
    }

    /// The permission that a token must carry, by the name it has there: in `scp` for a user, in
    /// `roles` for an application. `None` where tokens do not say.
    pub fn permission(&self, protocol: Protocol, on_behalf: OnBehalf) -> Option<&'static str> {
        self.scopes.permission(protocol, on_behalf)
    }

    /// What has to be asked for besides the [`scope`](Self::scope) to be given a refresh token.
    pub const fn refresh_scope(&self) -> Option<&'static str> {
        self.refresh_scope
    }

    /// What the service allows.
    pub const fn limits(&self) -> ServiceLimits {
        self.profile.service_limits()
    }

    /// How a mailbox of somebody else is opened.
    pub const fn shared_mailbox(&self, protocol: Protocol) -> SharedMailbox {
        self.profile.shared_mailbox(protocol)
    }

    /// What is odd about it.
    pub const fn quirks(&self) -> &'static [Quirk] {
        self.quirks
    }

    /// Whether it has this quirk.
    pub fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }
}
