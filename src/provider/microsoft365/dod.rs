//! Microsoft 365 for the US Department of Defense.
//!
//! | fact | value | source |
//! |---|---|---|
//! | authority | `login.microsoftonline.us` | Microsoft Learn, "Microsoft Entra authentication & national clouds", 2026-11 |
//! | IMAP and POP3 host | `outlook-dod.office365.us` | email-oauth2-proxy, EmailEngine (2026-08) |
//! | SMTP host | the same | EmailEngine alone (2026-08) |
//! | resource of the scopes | `outlook.office365.us` | sasl-xoauth2 (2026-03), EmailEngine (2026-08) |
//!
//! Exchange management there has the resource `outlook-dod.office365.us`; if tokens are refused for
//! their audience, name that one by the `scope` of the grant. The rest is as [worldwide](super).

use super::super::authority::{Authority, Scopes};
use super::super::place::{Place, XOAUTH2};
use super::super::{Cloud, Provider};
use super::{OFFLINE, QUIRKS, profile};
use crate::{Endpoint, Protocol};

/// Microsoft 365 for the US Department of Defense.
pub static PROVIDER: Provider = Provider {
    id: "microsoft365-dod",
    name: "Microsoft 365 DoD",
    profile: profile(),
    places: &[SMTP, IMAP, POP],
    hosts: &["outlook-dod.office365.us"],
    mailbox_domains: &[],
    authority: Some(Authority::Entra { cloud: Cloud::UsGovernment, tenant: None }),
    scopes: Scopes::Exchange(Cloud::UsGovernment),
    refresh_scope: Some(OFFLINE),
    quirks: QUIRKS,
};

const SMTP: Place = Place::submission("outlook-dod.office365.us", XOAUTH2);
const IMAP: Place = Place::tls(Protocol::Imap, "outlook-dod.office365.us", XOAUTH2);
const POP: Place = Place::tls(Protocol::Pop, "outlook-dod.office365.us", XOAUTH2);

/// `outlook-dod.office365.us:587` with STARTTLS.
pub fn smtp() -> Endpoint {
    SMTP.endpoint(&profile())
}

/// `outlook-dod.office365.us:993`.
pub fn imap() -> Endpoint {
    IMAP.endpoint(&profile())
}

/// `outlook-dod.office365.us:995`.
pub fn pop() -> Endpoint {
    POP.endpoint(&profile())
}
