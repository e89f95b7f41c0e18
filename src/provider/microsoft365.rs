//! Microsoft 365: Exchange Online, worldwide and GCC.
//!
//! Sources: Microsoft Learn, "Authenticate an IMAP, POP or SMTP connection using OAuth" and "POP3
//! and IMAP4 in Exchange Online" (read 2026-11). XOAUTH2 is the only token mechanism.
//!
//! A shared mailbox is opened by its own address with the token of a user, or an application, that
//! has access to it.

use std::time::Duration;

use crate::{Endpoint, Profile};

/// What is known of Exchange Online.
///
/// AUTH goes in two steps: its POP3 service closes the connection on an AUTH line with an initial
/// response, and Entra tokens of 1.5 KB and more do not fit an SMTP command line anyway.
pub const fn profile() -> Profile {
    // Entra tokens live for at least an hour; IMAP sessions are cut when theirs expires, so a
    // session should not begin on one's last minutes.
    Profile::generic()
        .with_name("Microsoft 365")
        .with_least_token_lifetime(Duration::from_secs(5 * 60))
}

/// `smtp.office365.com:587` with STARTTLS. Microsoft documents no implicit TLS for submission.
pub fn smtp() -> Endpoint {
    Endpoint::smtp_starttls("smtp.office365.com").with_profile(profile())
}

/// `outlook.office365.com:993`.
pub fn imap() -> Endpoint {
    Endpoint::imap("outlook.office365.com").with_profile(profile())
}

/// `outlook.office365.com:995`.
pub fn pop() -> Endpoint {
    Endpoint::pop("outlook.office365.com").with_profile(profile())
}
