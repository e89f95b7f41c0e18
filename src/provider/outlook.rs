//! Outlook.com, Hotmail and Live: Microsoft's personal accounts.
//!
//! The protocols are those of Exchange Online. Access tokens are opaque, not JWTs. IMAP and POP3
//! can be off in the mailbox's settings while SMTP accepts the same token.

use crate::{Endpoint, Profile};

use super::microsoft365;

/// What is known of Outlook.com.
pub const fn profile() -> Profile {
    microsoft365::profile().with_name("Outlook.com")
}

/// `smtp-mail.outlook.com:587` with STARTTLS.
pub fn smtp() -> Endpoint {
    Endpoint::smtp_starttls("smtp-mail.outlook.com").with_profile(profile())
}

/// `outlook.office365.com:993`.
pub fn imap() -> Endpoint {
    Endpoint::imap("outlook.office365.com").with_profile(profile())
}

/// `outlook.office365.com:995`.
pub fn pop() -> Endpoint {
    Endpoint::pop("outlook.office365.com").with_profile(profile())
}
