//! Yahoo Mail.
//!
//! | fact | value | source |
//! |---|---|---|
//! | hosts | `imap.mail.yahoo.com:993`, `pop.mail.yahoo.com:995`, `smtp.mail.yahoo.com:465` and `:587` | Yahoo Help, "IMAP server settings for Yahoo Mail", 2026-11 |
//! | mechanisms | XOAUTH2 and OAUTHBEARER by IMAP, XOAUTH2 by SMTP; POP3 is not known to differ from SMTP | IMAP greeting in MailKit's tests; EHLO of 2015 (PHPMailer issue 490) |
//! | authority, scope | `api.login.yahoo.com`, `mail-w` | email-oauth2-proxy, Thunderbird, 2026 |
//! | new applications | are not given the mail scope | email-oauth2-proxy, 2026 |
//! | messages a day, recipients a message | 500, 100 | Yahoo Help for business mail, copies of 2021 |
//! | message size | SIZE 41,697,280 | EHLO of 2015 |
//! | IMAP command lines | 1,000 octets at most | MailKit's source |
//! | no IDLE | | IMAP capabilities in MailKit's tests |
//!
//! Yahoo Japan (`yahoo.co.jp`) is another company with other servers.

use super::authority::{Authority, AuthorizationServer, Scopes};
use super::place::{BOTH, Place, XOAUTH2};
use super::{Kind, Provider, Quirk, ServiceLimits, SharedMailbox};
use crate::{Endpoint, Profile, Protocol};

/// Yahoo Mail.
pub static PROVIDER: Provider = Provider {
    id: "yahoo",
    name: "Yahoo Mail",
    profile: profile(),
    places: &[SMTP, SMTP_STARTTLS, IMAP, POP],
    hosts: &["mail.yahoo.com"],
    mailbox_domains: &[
        "yahoo.com",
        "ymail.com",
        "rocketmail.com",
        "myyahoo.com",
        "yahoo.ca",
        "yahoo.co.id",
        "yahoo.co.in",
        "yahoo.co.nz",
        "yahoo.co.th",
        "yahoo.co.uk",
        "yahoo.co.za",
        "yahoo.com.ar",
        "yahoo.com.au",
        "yahoo.com.br",
        "yahoo.com.hk",
        "yahoo.com.mx",
        "yahoo.com.my",
        "yahoo.com.ph",
        "yahoo.com.sg",
        "yahoo.com.tr",
        "yahoo.com.tw",
        "yahoo.com.vn",
        "yahoo.de",
        "yahoo.dk",
        "yahoo.es",
        "yahoo.fr",
        "yahoo.gr",
        "yahoo.ie",
        "yahoo.in",
        "yahoo.it",
        "yahoo.no",
        "yahoo.pl",
        "yahoo.ro",
        "yahoo.se",
    ],
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
    issuer: Some("https://api.login.yahoo.com"),
    authorization_url: "https://api.login.yahoo.com/oauth2/request_auth",
    token_url: "https://api.login.yahoo.com/oauth2/get_token",
    device_authorization_url: None,
};

/// To read, write and send.
pub(super) const SCOPE: &str = "mail-w";

const SMTP: Place = Place::tls(Protocol::Smtp, "smtp.mail.yahoo.com", XOAUTH2);
const SMTP_STARTTLS: Place = Place::submission("smtp.mail.yahoo.com", XOAUTH2);
const IMAP: Place = Place::tls(Protocol::Imap, "imap.mail.yahoo.com", BOTH);
const POP: Place = Place::tls(Protocol::Pop, "pop.mail.yahoo.com", XOAUTH2);

/// What is known of Yahoo Mail.
pub const fn profile() -> Profile {
    Profile::generic()
        .with_kind(Kind::Yahoo)
        .with_command_line(1000)
        .with_service_limits(
            ServiceLimits::unknown()
                .with_messages_per_day(Some(500))
                .with_recipients_per_message(Some(100))
                .with_message_size(Some(41_697_280)),
        )
        .with_shared_mailbox(Protocol::Smtp, SharedMailbox::None)
        .with_shared_mailbox(Protocol::Imap, SharedMailbox::None)
        .with_shared_mailbox(Protocol::Pop, SharedMailbox::None)
}

/// `smtp.mail.yahoo.com:465`.
pub fn smtp() -> Endpoint {
    SMTP.endpoint(&profile())
}

/// `smtp.mail.yahoo.com:587` with STARTTLS.
pub fn smtp_starttls() -> Endpoint {
    SMTP_STARTTLS.endpoint(&profile())
}

/// `imap.mail.yahoo.com:993`.
pub fn imap() -> Endpoint {
    IMAP.endpoint(&profile())
}

/// `pop.mail.yahoo.com:995`.
pub fn pop() -> Endpoint {
    POP.endpoint(&profile())
}
