//! Outlook.com, Hotmail and Live: Microsoft's personal accounts.
//!
//! | fact | value | source |
//! |---|---|---|
//! | hosts | `outlook.office365.com` for IMAP and POP3, `smtp-mail.outlook.com` for SMTP; `imap-mail.outlook.com` and `pop-mail.outlook.com` answer, too | Microsoft Support, "POP, IMAP, and SMTP settings for Outlook.com", 2026-11 |
//! | scopes | those of Microsoft 365, for users only | Microsoft Learn, "Authenticate an IMAP, POP or SMTP connection using OAuth", 2026-11 |
//! | tenant | `consumers` | Microsoft Learn, "Microsoft identity platform endpoints", 2026-11 |
//! | recipients | 5,000 a day and 500 a message for subscribers, fewer for others and new accounts | Microsoft Support, "Sending limits in Outlook.com", 2026-11 |
//! | access tokens are opaque (`EwB…`) | | seen until 2026-09 |
//! | IMAP and POP3 can be off while SMTP takes the same token | | seen in 2026-09 |
//! | passwords are refused since 2024-09-16 | | Microsoft Support, 2024 |
//!
//! The protocols are those of Exchange Online. The servers are shared with Microsoft 365, so a host
//! alone does not tell a personal account.

use super::authority::{Authority, Scopes};
use super::place::{Place, XOAUTH2};
use super::{Cloud, Kind, Provider, Quirk, ServiceLimits, SharedMailbox, microsoft365};
use crate::{Endpoint, Profile, Protocol};

/// Personal Microsoft accounts.
pub static PROVIDER: Provider = Provider {
    id: "outlook",
    name: "Outlook.com",
    profile: profile(),
    places: &[SMTP, IMAP, POP],
    hosts: &["smtp-mail.outlook.com", "imap-mail.outlook.com", "pop-mail.outlook.com"],
    mailbox_domains: &[
        "outlook.com",
        "hotmail.com",
        "live.com",
        "msn.com",
        "outlook.at",
        "outlook.be",
        "outlook.cl",
        "outlook.co.id",
        "outlook.co.il",
        "outlook.co.th",
        "outlook.com.ar",
        "outlook.com.au",
        "outlook.com.br",
        "outlook.com.gr",
        "outlook.com.tr",
        "outlook.com.vn",
        "outlook.cz",
        "outlook.de",
        "outlook.dk",
        "outlook.es",
        "outlook.fr",
        "outlook.hu",
        "outlook.ie",
        "outlook.in",
        "outlook.it",
        "outlook.jp",
        "outlook.kr",
        "outlook.lv",
        "outlook.my",
        "outlook.ph",
        "outlook.pt",
        "outlook.sa",
        "outlook.sg",
        "outlook.sk",
        "hotmail.be",
        "hotmail.co.jp",
        "hotmail.co.uk",
        "hotmail.de",
        "hotmail.es",
        "hotmail.fr",
        "hotmail.it",
        "hotmail.nl",
        "hotmail.se",
        "live.ca",
        "live.cn",
        "live.co.uk",
        "live.com.au",
        "live.com.mx",
        "live.com.pt",
        "live.de",
        "live.dk",
        "live.fr",
        "live.ie",
        "live.it",
        "live.jp",
        "live.nl",
        "live.no",
        "live.se",
    ],
    authority: Some(Authority::Entra { cloud: Cloud::Global, tenant: Some(TENANT) }),
    scopes: Scopes::ExchangeForUsers(Cloud::Global),
    refresh_scope: Some(microsoft365::OFFLINE),
    quirks: &[
        Quirk::OneLineAuthEndsPop,
        Quirk::LongTokenEndsPop,
        Quirk::OkWithoutMailbox,
        Quirk::SessionEndsWithToken,
        Quirk::RefusesWithoutReason,
        Quirk::OpaqueTokens,
        Quirk::NoPasswords,
        Quirk::SubmissionCanBeOff,
        Quirk::KeepsSentMessages,
        Quirk::RewritesMessageId,
        Quirk::ForgetsKeywords,
    ],
};

/// The tenant of all personal accounts.
pub(crate) const TENANT: &str = "consumers";

const SMTP: Place = Place::submission("smtp-mail.outlook.com", XOAUTH2);
const IMAP: Place = Place::tls(Protocol::Imap, "outlook.office365.com", XOAUTH2);
const POP: Place = Place::tls(Protocol::Pop, "outlook.office365.com", XOAUTH2);

/// What is known of Outlook.com.
pub const fn profile() -> Profile {
    microsoft365::profile()
        .with_kind(Kind::OutlookCom)
        .with_service_limits(
            ServiceLimits::unknown()
                .with_recipients_per_day(Some(5_000))
                .with_recipients_per_message(Some(500)),
        )
        .with_shared_mailbox(Protocol::Imap, SharedMailbox::None)
        .with_shared_mailbox(Protocol::Pop, SharedMailbox::None)
        .with_shared_mailbox(Protocol::Smtp, SharedMailbox::None)
}

/// `smtp-mail.outlook.com:587` with STARTTLS.
pub fn smtp() -> Endpoint {
    SMTP.endpoint(&profile())
}

/// `outlook.office365.com:993`.
pub fn imap() -> Endpoint {
    IMAP.endpoint(&profile())
}

/// `outlook.office365.com:995`.
pub fn pop() -> Endpoint {
    POP.endpoint(&profile())
}
