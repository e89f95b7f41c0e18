//! The check before connecting.

use std::fmt;
use std::time::SystemTime;

use super::case::Case;
use super::finding::{Finding, write_list};
use super::{Context, Diagnosis, rules, tell};
use crate::token::Claims;
use crate::{AccessToken, Endpoint};

/// Looks at a token before it is sent anywhere: audience, scope or role, lifetime, tenant, user,
/// guest and length, against the endpoint and the mailbox that is to be opened at `now`.
///
/// Whatever it finds is a hint and no reason not to connect: the claims are unverified, and the
/// server alone decides. A token with no role at all may be right for SMTP, where RBAC for
/// Applications grants it. Opaque tokens have no claims to read; only their length and their end, if
/// that is known, are looked at.
///
/// # Example
/// ```
/// use std::time::SystemTime;
/// use mailbearer::{AccessToken, diagnosis::check, provider::microsoft365};
///
/// let token = AccessToken::new("EwBAAl3BAAUF");
/// let checked = check(&token, &microsoft365::imap(), "erin@contoso.example", SystemTime::now());
/// assert!(checked.findings().is_empty());
/// assert_eq!(checked.to_string(), "no claims to read");
/// ```
pub fn check(token: &AccessToken, endpoint: &Endpoint, mailbox: &str, now: SystemTime) -> Check {
    let context = Context::new()
        .with_endpoint(endpoint.clone())
        .with_mailbox(mailbox)
        .with_token(token)
        .at(now);
    let case = Case::of(&context, None);
    let findings = tell(rules::claims::look(&case), &case);
    let findings = Diagnosis::ranked(findings).map(|diagnosis| diagnosis.findings);
    Check { claims: context.claims.clone(), findings: findings.unwrap_or_default() }
}

/// What [`check`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    claims: Option<Claims>,
    findings: Vec<Finding>,
}

impl Check {
    /// What the token says of itself; `None` if it is opaque.
    pub const fn claims(&self) -> Option<&Claims> {
        self.claims.as_ref()
    }

    /// What speaks against the token, the surest first. Empty if nothing does.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.claims, self.findings.as_slice()) {
            (None, []) => f.write_str("no claims to read"),
            (Some(_), []) => f.write_str("nothing speaks against the token"),
            (_, findings) => write_list(f, findings),
        }
    }
}
