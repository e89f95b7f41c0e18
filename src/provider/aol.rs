//! AOL Mail, which runs on the servers of [Yahoo Mail](super::yahoo) under names of its own.
//!
//! | fact | value | source |
//! |---|---|---|
//! | hosts | `imap.aol.com:993`, `pop.aol.com:995`, `smtp.aol.com:465` and `:587` | AOL Help, "Use other email applications to send and receive your AOL Mail", 2026-11 |
//! | authority, scope | `api.login.aol.com`, `mail-w` | email-oauth2-proxy, Thunderbird, 2026 |
//! | new applications | are not given the mail scope | email-oauth2-proxy, 2026 |
//!
//! The mechanisms and the IMAP servers are taken to be those of Yahoo. AOL publishes no numbers for
//! what may be sent.

use super::authority::{Authority, AuthorizationServer, Scopes};
use super::place::{BOTH, Place, XOAUTH2};
use super::yahoo::SCOPE;
use super::{Kind, Provider, Quirk, SharedMailbox};
use crate::{Endpoint, Profile, Protocol};

/// AOL Mail.
pub static PROVIDER: Provider = Provider {
    id: "aol",
    name: "AOL Mail",
    profile: profile(),
    places: &[SMTP, SMTP_STARTTLS, IMAP, POP],
    hosts: &["imap.aol.com", "pop.aol.com", "smtp.aol.com", "export.imap.aol.com"],
    mailbox_domains: &["aol.com", "aol.co.uk", "aol.de", "aol.fr", "aim.com"],
    authority: Some(Authority::Server(&SERVER)),
    scopes: Scopes::ByProtocol { smtp: SCOPE, imap: SCOPE, pop: SCOPE },
    refresh_scope: None,
    quirks: &[
        Quirk::OpaqueTokens,
        Quirk::KeepsSentMessages,
        Quirk::NoIdle,
        Quirk::ShortCommandLines,
        Quirk::ClosedToNewApplications,
    ],
};

static SERVER: AuthorizationServer = AuthorizationServer {
    issuer: Some("https://api.login.aol.com"),
    authorization_url: "https://api.login.aol.com/oauth2/request_auth",
    token_url: "https://api.login.aol.com/oauth2/get_token",
    device_authorization_url: None,
};

const SMTP: Place = Place::tls(Protocol::Smtp, "smtp.aol.com", XOAUTH2);
const SMTP_STARTTLS: Place = Place::submission("smtp.aol.com", XOAUTH2);
const IMAP: Place = Place::tls(Protocol::Imap, "imap.aol.com", BOTH);
const POP: Place = Place::tls(Protocol::Pop, "pop.aol.com", XOAUTH2);

/// What is known of AOL Mail.
pub const fn profile() -> Profile {
    Profile::generic()
        .with_kind(Kind::Aol)
        .with_command_line(1000)
        .with_shared_mailbox(Protocol::Smtp, SharedMailbox::None)
        .with_shared_mailbox(Protocol::Imap, SharedMailbox::None)
        .with_shared_mailbox(Protocol::Pop, SharedMailbox::None)
}

/// `smtp.aol.com:465`.
pub fn smtp() -> Endpoint {
    SMTP.endpoint(&profile())
}

/// `smtp.aol.com:587` with STARTTLS.
pub fn smtp_starttls() -> Endpoint {
    SMTP_STARTTLS.endpoint(&profile())
}

/// `imap.aol.com:993`.
pub fn imap() -> Endpoint {
    IMAP.endpoint(&profile())
}

/// `pop.aol.com:995`.
pub fn pop() -> Endpoint {
    POP.endpoint(&profile())
}
