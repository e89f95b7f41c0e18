//! Microsoft 365 for the US Government: GCC High.
//!
//! | fact | value | source |
//! |---|---|---|
//! | authority | `login.microsoftonline.us` | Microsoft Learn, "Microsoft Entra authentication & national clouds", 2026-11 |
//! | hosts and resource | `outlook.office365.us`, `smtp.office365.us` | sasl-xoauth2 (2026-03), EmailEngine (2026-08) |
//!
//! The rest is as [worldwide](super). GCC without "High" is in the worldwide cloud.

use super::super::authority::{Authority, Scopes};
use super::super::place::{Place, XOAUTH2};
use super::super::{Cloud, Provider};
use super::{OFFLINE, QUIRKS, profile};
use crate::{Endpoint, Protocol};

/// Microsoft 365 for the US Government: GCC High.
pub static PROVIDER: Provider = Provider {
    id: "microsoft365-gcc-high",
    name: "Microsoft 365 GCC High",
    profile: profile(),
    places: &[SMTP, IMAP, POP],
    hosts: &["office365.us"],
    mailbox_domains: &[],
    authority: Some(Authority::Entra { cloud: Cloud::UsGovernment, tenant: None }),
    scopes: Scopes::Exchange(Cloud::UsGovernment),
    refresh_scope: Some(OFFLINE),
    quirks: QUIRKS,
};

const SMTP: Place = Place::submission("smtp.office365.us", XOAUTH2);
const IMAP: Place = Place::tls(Protocol::Imap, "outlook.office365.us", XOAUTH2);
const POP: Place = Place::tls(Protocol::Pop, "outlook.office365.us", XOAUTH2);

/// `smtp.office365.us:587` with STARTTLS.
pub fn smtp() -> Endpoint {
    SMTP.endpoint(&profile())
}

/// `outlook.office365.us:993`.
pub fn imap() -> Endpoint {
    IMAP.endpoint(&profile())
}

/// `outlook.office365.us:995`.
pub fn pop() -> Endpoint {
    POP.endpoint(&profile())
}
