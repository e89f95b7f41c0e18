//! High Volume Email for Microsoft 365: submission to recipients inside the tenant.
//!
//! | fact | value | source |
//! |---|---|---|
//! | host | `smtp.hve.mx.microsoft`, 587, STARTTLS; before that `smtp-hve.office365.com`, which is being replaced | Microsoft Learn, "Manage High Volume Email for Microsoft 365", 2026-11 |
//! | scope | `https://outlook.office.com/.default`, for users and applications; the permission is `Mail.Send` | the same |
//! | application | must be on the account's list of allowed applications (`Add-HVEAppAccess`) | Microsoft Learn, "Add-HVEAppAccess", 2026 |
//! | recipients | inside the tenant only, 50 a message; no limit a day | Microsoft Learn, "Troubleshoot issues with High Volume Email", 2026-11 |
//! | message size | 10 MB | the same |
//! | tokens near their end | refused: `Token will expire soon`; ten minutes are the least known to pass | sasl-xoauth2 (2026), Microsoft Learn, 2026-11 |
//! | sender | the HVE account itself, in MAIL FROM and From | Postfix Entra Relay, 2026 |
//! | the organisation's switch for SMTP AUTH | does not concern it | Microsoft Learn, "Troubleshoot issues with High Volume Email", 2026-11 |
//! | clouds | not offered by 21Vianet | EOP HVE quick reference, 2026-04 |
//!
//! Keep one session and send one message after the other; it has no IMAP and no POP3.

use std::time::Duration;

use super::authority::{Authority, OnBehalf, Scopes};
use super::place::{Place, XOAUTH2};
use super::{Cloud, Kind, Provider, Quirk, ServiceLimits, SharedMailbox, microsoft365};
use crate::{Endpoint, Profile, Protocol};

/// High Volume Email, by its new host and its old one.
pub static PROVIDER: Provider = Provider {
    id: "hve",
    name: "High Volume Email",
    profile: profile(),
    places: &[SMTP, PREVIOUS_SMTP],
    hosts: &["hve.mx.microsoft", "smtp-hve.office365.com"],
    mailbox_domains: &[],
    authority: Some(Authority::Entra { cloud: Cloud::Global, tenant: None }),
    scopes: Scopes::One {
        scope: SCOPE,
        permission: Some("Mail.Send"),
        on_behalf: &[OnBehalf::Application, OnBehalf::User],
    },
    refresh_scope: Some(microsoft365::OFFLINE),
    quirks: &[
        Quirk::RefusesTokensNearTheirEnd,
        Quirk::RefusesWithoutReason,
        Quirk::InternalRecipientsOnly,
    ],
};

/// All permissions that were consented to: `Mail.Send` among them.
pub(crate) const SCOPE: &str = "https://outlook.office.com/.default";

const SMTP: Place = Place::submission("smtp.hve.mx.microsoft", XOAUTH2);
const PREVIOUS_SMTP: Place = Place::submission("smtp-hve.office365.com", XOAUTH2);

/// What is known of HVE.
///
/// It refuses tokens that are about to expire (`Token will expire soon`): ten minutes are the
/// least that is known to pass.
pub const fn profile() -> Profile {
    Profile::generic()
        .with_kind(Kind::HighVolumeEmail)
        .with_least_token_lifetime(Duration::from_secs(10 * 60))
        .with_service_limits(
            ServiceLimits::unknown()
                .with_recipients_per_message(Some(50))
                .with_message_size(Some(10 * 1024 * 1024)),
        )
        .with_shared_mailbox(Protocol::Smtp, SharedMailbox::None)
}

/// `smtp.hve.mx.microsoft:587` with STARTTLS. It replaces `smtp-hve.office365.com`.
pub fn smtp() -> Endpoint {
    SMTP.endpoint(&profile())
}

/// `smtp-hve.office365.com:587` with STARTTLS: the name until 2026, for as long as it answers.
pub fn previous_smtp() -> Endpoint {
    PREVIOUS_SMTP.endpoint(&profile())
}
