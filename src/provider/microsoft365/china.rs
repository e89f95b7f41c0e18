//! Microsoft 365 in China, operated by 21Vianet.
//!
//! | fact | value | source |
//! |---|---|---|
//! | authority | `login.partner.microsoftonline.cn`; older ones name `login.chinacloudapi.cn` | Microsoft Learn, "Microsoft Entra authentication & national clouds", 2026-11 |
//! | hosts | `partner.outlook.cn`, `smtp.partner.outlook.cn` | sasl-xoauth2 (2026-03); EmailEngine (2026-08) has the first for SMTP, too |
//! | resource of the scopes | `partner.outlook.cn` | the same |
//! | the password grant | may need the older endpoint with `resource` (`version_1` of the builder) | email-oauth2-proxy, 2026 |
//!
//! There is no High Volume Email here. The rest is as [worldwide](super).

use super::super::authority::{Authority, Scopes};
use super::super::place::{Place, XOAUTH2};
use super::super::{Cloud, Provider};
use super::{OFFLINE, QUIRKS, profile};
use crate::{Endpoint, Protocol};

/// Microsoft 365 in China, operated by 21Vianet.
pub static PROVIDER: Provider = Provider {
    id: "microsoft365-china",
    name: "Microsoft 365 by 21Vianet",
    profile: profile(),
    places: &[SMTP, IMAP, POP],
    hosts: &["partner.outlook.cn"],
    mailbox_domains: &[".partner.onmschina.cn"],
    authority: Some(Authority::Entra { cloud: Cloud::China, tenant: None }),
    scopes: Scopes::Exchange(Cloud::China),
    refresh_scope: Some(OFFLINE),
    quirks: QUIRKS,
};

const SMTP: Place = Place::submission("smtp.partner.outlook.cn", XOAUTH2);
const IMAP: Place = Place::tls(Protocol::Imap, "partner.outlook.cn", XOAUTH2);
const POP: Place = Place::tls(Protocol::Pop, "partner.outlook.cn", XOAUTH2);

/// `smtp.partner.outlook.cn:587` with STARTTLS.
pub fn smtp() -> Endpoint {
    SMTP.endpoint(&profile())
}

/// `partner.outlook.cn:993`.
pub fn imap() -> Endpoint {
    IMAP.endpoint(&profile())
}

/// `partner.outlook.cn:995`.
pub fn pop() -> Endpoint {
    POP.endpoint(&profile())
}
