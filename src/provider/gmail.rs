//! Gmail and Google Workspace.
//!
//! | fact | value | source |
//! |---|---|---|
//! | hosts | `imap.gmail.com:993`, `pop.gmail.com:995`, `smtp.gmail.com:465` and `:587` | Google, "IMAP, POP, and SMTP", 2026-11 |
//! | mechanisms, scope | XOAUTH2 and OAUTHBEARER; `https://mail.google.com/` | Google, "OAuth 2.0 Mechanism", 2026-11 |
//! | an application for itself | a service account with domain-wide delegation, in Workspace only; it acts for one user at a time | the same |
//! | long AUTH lines | `555 5.5.2` and the end of the connection; two lines are always taken | angus-mail issue 201 (2026-06), MailKit issue 1343 |
//! | IMAP connections | 15 at a time | Google Workspace Admin Help, from memory, 2026-11 |
//! | bandwidth a day | IMAP 2,500 MB down, 500 MB up; POP3 1,250 MB down | Google Workspace Admin Help, copies of 2026 |
//! | recipients | 100 a message by SMTP; 10,000 a day in Workspace, 500 in personal accounts | "Gmail sending limits in Google Workspace", copies of 2026 |
//! | messages a day | 2,000 in Workspace, 500 in personal accounts and trials | the same |
//! | message size | SIZE 35,882,577; APPENDLIMIT 35,651,584 | seen until 2025-10 |
//! | POP3 LOGIN-DELAY | 300 s | seen in CAPA |
//! | sessions outlive their token | | node-imap issue 789 |
//! | the device code grant | is not allowed for the mail scope | Google, "OAuth 2.0 for TV and Limited-Input Devices", 2026-11 |
//!
//! The limits here are those of Workspace. Mailboxes delegated to somebody cannot be opened by IMAP
//! or POP3; sending as another address needs it among the account's own addresses.

use std::time::Duration;

use super::authority::{Authority, AuthorizationServer, OnBehalf, Scopes};
use super::place::{BOTH, Place};
use super::{Kind, Provider, Quirk, ServiceLimits, SharedMailbox};
use crate::{Endpoint, Profile, Protocol};

/// Gmail and Google Workspace.
pub static PROVIDER: Provider = Provider {
    id: "gmail",
    name: "Gmail",
    profile: profile(),
    places: &[SMTP, SMTP_STARTTLS, IMAP, POP],
    hosts: &["gmail.com", "googlemail.com"],
    mailbox_domains: &["gmail.com", "googlemail.com"],
    authority: Some(Authority::Server(&SERVER)),
    scopes: Scopes::One {
        scope: SCOPE,
        permission: None,
        on_behalf: &[OnBehalf::Application, OnBehalf::User],
    },
    refresh_scope: None,
    quirks: &[
        Quirk::LongAuthLineEndsSmtp,
        Quirk::OpaqueTokens,
        Quirk::KeepsSentMessages,
        Quirk::FoldersAreLabels,
        Quirk::PopFollowsSettings,
        Quirk::NoDeviceCodeForMail,
    ],
};

/// Google's authorization server.
pub(crate) static SERVER: AuthorizationServer = AuthorizationServer {
    issuer: Some("https://accounts.google.com"),
    authorization_url: "https://accounts.google.com/o/oauth2/v2/auth",
    token_url: "https://oauth2.googleapis.com/token",
    device_authorization_url: Some("https://oauth2.googleapis.com/device/code"),
};

/// One scope for everything.
pub(crate) const SCOPE: &str = "https://mail.google.com/";

const SMTP: Place = Place::tls(Protocol::Smtp, "smtp.gmail.com", BOTH);
const SMTP_STARTTLS: Place = Place::submission("smtp.gmail.com", BOTH);
const IMAP: Place = Place::tls(Protocol::Imap, "imap.gmail.com", BOTH);
const POP: Place = Place::tls(Protocol::Pop, "pop.gmail.com", BOTH);

const LIMITS: ServiceLimits = ServiceLimits::unknown()
    .with_connections(Protocol::Imap, Some(15))
    .with_messages_per_day(Some(2_000))
    .with_recipients_per_day(Some(10_000))
    .with_recipients_per_message(Some(100))
    .with_message_size(Some(35_882_577))
    .with_download_per_day(Protocol::Imap, Some(2_500_000_000))
    .with_download_per_day(Protocol::Pop, Some(1_250_000_000))
    .with_upload_per_day(Some(500_000_000))
    .with_login_delay(Some(Duration::from_secs(300)));

/// What is known of Gmail.
pub const fn profile() -> Profile {
    Profile::generic()
        .with_kind(Kind::Gmail)
        .with_inline_auth(true)
        .with_least_token_lifetime(Duration::from_secs(5 * 60))
        .with_service_limits(LIMITS)
        .with_shared_mailbox(Protocol::Smtp, SharedMailbox::None)
        .with_shared_mailbox(Protocol::Imap, SharedMailbox::None)
        .with_shared_mailbox(Protocol::Pop, SharedMailbox::None)
}

/// `smtp.gmail.com:465`.
pub fn smtp() -> Endpoint {
    SMTP.endpoint(&profile())
}

/// `smtp.gmail.com:587` with STARTTLS.
pub fn smtp_starttls() -> Endpoint {
    SMTP_STARTTLS.endpoint(&profile())
}

/// `imap.gmail.com:993`.
pub fn imap() -> Endpoint {
    IMAP.endpoint(&profile())
}

/// `pop.gmail.com:995`.
pub fn pop() -> Endpoint {
    POP.endpoint(&profile())
}
