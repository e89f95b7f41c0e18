//! High Volume Email for Microsoft 365: submission to recipients inside the tenant.
//!
//! Source: Microsoft Learn, "Manage High Volume Email for Microsoft 365" and "Troubleshoot issues
//! with High Volume Email" (read 2026-11). The sender is the HVE account, and the application must
//! be on the account's list of allowed applications.

use std::time::Duration;

use crate::{Endpoint, Profile};

/// What is known of HVE.
///
/// It refuses tokens that are about to expire (`Token will expire soon`): ten minutes are the
/// least that is known to pass.
pub const fn profile() -> Profile {
    Profile::generic()
        .with_name("High Volume Email")
        .with_least_token_lifetime(Duration::from_secs(10 * 60))
}

/// `smtp.hve.mx.microsoft:587` with STARTTLS. It replaces `smtp-hve.office365.com`.
pub fn smtp() -> Endpoint {
    Endpoint::smtp_starttls("smtp.hve.mx.microsoft").with_profile(profile())
}
