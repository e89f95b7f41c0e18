//! Fastmail.
//!
//! | fact | value | source |
//! |---|---|---|
//! | hosts | `imap.fastmail.com:993`, `pop.fastmail.com:995`, `smtp.fastmail.com:465` and `:587` | Fastmail Help, "Server names and ports", 2026-11 |
//! | authority, scopes | `api.fastmail.com`; `https://www.fastmail.com/dev/protocol-imap`, `-pop`, `-smtp` | email-oauth2-proxy, Thunderbird, 2026 |
//! | PKCE required, no client secret | | email-oauth2-proxy, 2026 |
//! | mechanisms | OAUTHBEARER is what Fastmail names; other programs log in by XOAUTH2; what a server offers decides | Fastmail, "Developer information", from memory; email-oauth2-proxy, 2026 |
//! | limits | depend on the plan | Fastmail Help, "Account limits", 2026-11 |
//!
//! A user signs in like this (feature `oauth`):
//!
#![cfg_attr(feature = "oauth", doc = "```")]
#![cfg_attr(not(feature = "oauth"), doc = "```ignore")]
//! use mailbearer::provider::{Authority, OnBehalf, fastmail};
//! use mailbearer::{Protocol, token::AuthorizationCode};
//!
//! let Some(Authority::Server(server)) = fastmail::PROVIDER.authority() else { unreachable!() };
//! let scopes = [Protocol::Imap, Protocol::Smtp]
//!     .map(|protocol| fastmail::PROVIDER.scope(protocol, OnBehalf::User).unwrap())
//!     .join(" ");
//! let (authorization, token) = (server.authorization_url(), server.token_url());
//! let sign_in = AuthorizationCode::builder(authorization, token, "client id").scope(scopes).build()?;
//! # drop(sign_in);
//! # Ok::<(), mailbearer::token::SetupError>(())
//! ```

use super::authority::{Authority, AuthorizationServer, Scopes};
use super::place::{BOTH, Place};
use super::{Kind, Provider, Quirk};
use crate::{Endpoint, Profile, Protocol};

/// Fastmail.
pub static PROVIDER: Provider = Provider {
    id: "fastmail",
    name: "Fastmail",
    profile: profile(),
    places: &[SMTP, SMTP_STARTTLS, IMAP, POP],
    hosts: &["fastmail.com", "messagingengine.com"],
    mailbox_domains: &["fastmail.com", "fastmail.fm"],
    authority: Some(Authority::Server(&SERVER)),
    scopes: Scopes::ByProtocol {
        smtp: "https://www.fastmail.com/dev/protocol-smtp",
        imap: "https://www.fastmail.com/dev/protocol-imap",
        pop: "https://www.fastmail.com/dev/protocol-pop",
    },
    refresh_scope: None,
    quirks: &[Quirk::OpaqueTokens, Quirk::PkceRequired],
};

static SERVER: AuthorizationServer = AuthorizationServer {
    issuer: None,
    authorization_url: "https://api.fastmail.com/oauth/authorize",
    token_url: "https://api.fastmail.com/oauth/refresh",
    device_authorization_url: None,
};

const SMTP: Place = Place::tls(Protocol::Smtp, "smtp.fastmail.com", BOTH);
const SMTP_STARTTLS: Place = Place::submission("smtp.fastmail.com", BOTH);
const IMAP: Place = Place::tls(Protocol::Imap, "imap.fastmail.com", BOTH);
const POP: Place = Place::tls(Protocol::Pop, "pop.fastmail.com", BOTH);

/// What is known of Fastmail.
pub const fn profile() -> Profile {
    Profile::generic().with_kind(Kind::Fastmail)
}

/// `smtp.fastmail.com:465`.
pub fn smtp() -> Endpoint {
    SMTP.endpoint(&profile())
}

/// `smtp.fastmail.com:587` with STARTTLS.
pub fn smtp_starttls() -> Endpoint {
    SMTP_STARTTLS.endpoint(&profile())
}

/// `imap.fastmail.com:993`.
pub fn imap() -> Endpoint {
    IMAP.endpoint(&profile())
}

/// `pop.fastmail.com:995`.
pub fn pop() -> Endpoint {
    POP.endpoint(&profile())
}
