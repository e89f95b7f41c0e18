//! Gmail and Google Workspace.
//!
//! Source: Google, "OAuth 2.0 Mechanism: Gmail IMAP, POP, and SMTP" (read 2026-11). XOAUTH2 and
//! OAUTHBEARER. An SMTP AUTH line over 512 octets is answered `555 5.5.2` and the connection is
//! closed, so a long token needs the two-step form.

use std::time::Duration;

use crate::{Endpoint, Profile};

/// What is known of Gmail.
pub const fn profile() -> Profile {
    Profile::generic()
        .with_name("Gmail")
        .with_inline_auth(true)
        .with_least_token_lifetime(Duration::from_secs(5 * 60))
}

/// `smtp.gmail.com:465`.
pub fn smtp() -> Endpoint {
    Endpoint::smtp("smtp.gmail.com").with_profile(profile())
}

/// `smtp.gmail.com:587` with STARTTLS.
pub fn smtp_starttls() -> Endpoint {
    Endpoint::smtp_starttls("smtp.gmail.com").with_profile(profile())
}

/// `imap.gmail.com:993`.
pub fn imap() -> Endpoint {
    Endpoint::imap("imap.gmail.com").with_profile(profile())
}

/// `pop.gmail.com:995`.
pub fn pop() -> Endpoint {
    Endpoint::pop("pop.gmail.com").with_profile(profile())
}
