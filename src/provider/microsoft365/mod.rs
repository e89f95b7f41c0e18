//! Microsoft 365: Exchange Online, worldwide and GCC. The other clouds are [`gcc_high`], [`dod`]
//! and [`china`].
//!
//! | fact | value | source |
//! |---|---|---|
//! | IMAP, POP3 | `outlook.office365.com`, 993 and 995, TLS from the start | Microsoft Learn, "POP and IMAP settings", 2026-11 |
//! | SMTP | `smtp.office365.com`, 587, STARTTLS; no implicit TLS is documented | the same |
//! | mechanism | XOAUTH2 only, in two lines | Microsoft Learn, "Authenticate an IMAP, POP or SMTP connection using OAuth", 2026-11 |
//! | scopes | see [`token`](crate::token): `outlook.office.com` for users, `outlook.office365.com/.default` for applications | the same |
//! | shared mailbox | its address in `user=`, the token of who has access | the same |
//! | connections, rate, recipients a day | 3 by SMTP, 30 messages a minute, 10,000 recipients a day | Microsoft Learn, "Improvements in SMTP AUTH client submission", 2026-11 |
//! | recipients a message | 500 until the administrator says otherwise, up to 1,000 | Microsoft Learn, "Exchange Online limits", from memory, 2026-11 |
//! | message size | SIZE 157,286,400 is announced; a mailbox may send 35 MB until the administrator says otherwise, up to 150 MB | the same, and EHLO replies seen until 2026 |
//! | IMAP and POP3 connections | not published | |
//! | one-line AUTH ends POP3, and so do tokens over 4,096 characters | | MailKit issue 1948, 2026; jakartaee/mail-api issue 461 |
//! | OK without a mailbox, session ends with its token | | MailKit issue 1494; aioimaplib issue 83 |
//! | IMAP4rev2 offered and broken | | MailKit issue 2016, 2026-09 |

pub mod china;
pub mod dod;
pub mod gcc_high;

use std::time::Duration;

use super::authority::{Authority, Scopes};
use super::place::{Place, XOAUTH2};
use super::{Cloud, Kind, Provider, Quirk, ServiceLimits, SharedMailbox};
use crate::{Endpoint, Profile, Protocol};

/// The worldwide cloud, and GCC.
pub static PROVIDER: Provider = Provider {
    id: "microsoft365",
    name: "Microsoft 365",
    profile: profile(),
    places: &[SMTP, IMAP, POP],
    hosts: &["office365.com", "office.com", "outlook.com", "mx.microsoft"],
    // Every tenant has one of these.
    mailbox_domains: &[".onmicrosoft.com"],
    authority: Some(Authority::Entra { cloud: Cloud::Global, tenant: None }),
    scopes: Scopes::Exchange(Cloud::Global),
    refresh_scope: Some(OFFLINE),
    quirks: QUIRKS,
};

const SMTP: Place = Place::submission("smtp.office365.com", XOAUTH2);
const IMAP: Place = Place::tls(Protocol::Imap, "outlook.office365.com", XOAUTH2);
const POP: Place = Place::tls(Protocol::Pop, "outlook.office365.com", XOAUTH2);

/// Asks for a refresh token (OpenID Connect Core section 11).
pub(crate) const OFFLINE: &str = "offline_access";

const QUIRKS: &[Quirk] = &[
    Quirk::OneLineAuthEndsPop,
    Quirk::LongTokenEndsPop,
    Quirk::OkWithoutMailbox,
    Quirk::SessionEndsWithToken,
    Quirk::RefusesWithoutReason,
    Quirk::NoPasswords,
    Quirk::SubmissionCanBeOff,
    Quirk::KeepsSentMessages,
    Quirk::SenderCheckedAfterData,
    Quirk::RewritesMessageId,
    Quirk::ForgetsKeywords,
    Quirk::BrokenRev2,
];

const LIMITS: ServiceLimits = ServiceLimits::unknown()
    .with_connections(Protocol::Smtp, Some(3))
    .with_messages_per_minute(Some(30))
    .with_recipients_per_day(Some(10_000))
    .with_recipients_per_message(Some(500))
    .with_message_size(Some(35 * 1024 * 1024));

/// What is known of Exchange Online, in every cloud.
///
/// AUTH goes in two steps: its POP3 service closes the connection on an AUTH line with an initial
/// response, and Entra tokens of 1.5 KB and more do not fit an SMTP command line anyway.
pub const fn profile() -> Profile {
    // Entra tokens live for at least an hour; IMAP sessions are cut when theirs expires, so a
    // session should not begin on one's last minutes.
    Profile::generic()
        .with_kind(Kind::Microsoft365)
        .with_least_token_lifetime(Duration::from_secs(5 * 60))
        .with_service_limits(LIMITS)
        .with_shared_mailbox(Protocol::Imap, SharedMailbox::Named)
        .with_shared_mailbox(Protocol::Pop, SharedMailbox::Named)
        .with_shared_mailbox(Protocol::Smtp, SharedMailbox::NamedOrSendAs)
}

/// `smtp.office365.com:587` with STARTTLS. Microsoft documents no implicit TLS for submission.
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
