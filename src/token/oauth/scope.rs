//! Which scope a token needs, by service, protocol and grant.
//!
//! Sources: Microsoft Learn, "Authenticate an IMAP, POP or SMTP connection using OAuth" and "Manage
//! high volume emails for Microsoft 365"; Google, "OAuth 2.0 Mechanism" (read 2026-11).
//!
//! | service | an application for itself | an application for a user |
//! |---|---|---|
//! | Exchange Online, Outlook.com | `https://outlook.office365.com/.default` | `https://outlook.office.com/IMAP.AccessAsUser.All`, `/POP.AccessAsUser.All`, `/SMTP.Send` |
//! | High Volume Email | `https://outlook.office.com/.default` | the same |
//! | Gmail | `https://mail.google.com/` | the same |

use std::borrow::Cow;

use crate::provider::gmail::SCOPE as GMAIL;
use crate::provider::hve::SCOPE as HIGH_VOLUME_EMAIL;
use crate::provider::microsoft365::OFFLINE;
use crate::provider::{Cloud, Kind, Provider};
use crate::{Endpoint, Protocol};

/// The rule by which a grant chooses its scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ScopeRule {
    /// What the caller said, whatever the endpoint.
    Fixed(String),
    /// An application for itself, at Microsoft: all its permissions of the endpoint's resource. The
    /// cloud is that of the endpoint's host, or this one where the host is not one of Microsoft's.
    Application { cloud: Cloud },
    /// An application for a user, at Microsoft.
    Delegated { cloud: Cloud, protocols: Vec<Protocol>, high_volume_email: bool },
    /// Gmail has one scope for everything.
    Gmail,
    /// Entra's older endpoints take the resource alone, in a field of its own, and give all the
    /// permissions to it that were consented to.
    Resource(String),
}

impl ScopeRule {
    /// What a sign-in asks for, once, for all that will come. One resource only: Entra refuses more
    /// (AADSTS28002, AADSTS700022).
    pub(crate) fn at_sign_in(&self) -> Cow<'_, str> {
        match self {
            Self::Delegated { high_volume_email: true, .. } => {
                format!("{HIGH_VOLUME_EMAIL} {OFFLINE}").into()
            }
            Self::Delegated { cloud, protocols, .. } => {
                let mut scope = String::new();
                for protocol in protocols {
                    scope.push_str(&cloud.delegated_scope(*protocol));
                    scope.push(' ');
                }
                scope.push_str(OFFLINE);
                scope.into()
            }
            Self::Application { cloud } => cloud.application_scope().into(),
            Self::Gmail => GMAIL.into(),
            Self::Fixed(scope) | Self::Resource(scope) => scope.as_str().into(),
        }
    }

    /// What a token for this endpoint needs.
    pub(crate) fn of(&self, endpoint: &Endpoint) -> Cow<'_, str> {
        let hve = is_high_volume_email(endpoint.host());
        match self {
            Self::Application { .. } if hve => HIGH_VOLUME_EMAIL.into(),
            Self::Application { .. } => Cloud::of_mail_host(endpoint.host())
                .map_or_else(|| self.at_sign_in(), |cloud| cloud.application_scope().into()),
            Self::Delegated { .. } if hve => format!("{HIGH_VOLUME_EMAIL} {OFFLINE}").into(),
            other => other.at_sign_in(),
        }
    }

    /// Whether the sign-in asked for what this endpoint needs, as far as can be told.
    pub(crate) fn covers(&self, endpoint: &Endpoint) -> bool {
        match self {
            Self::Delegated { protocols, high_volume_email: false, .. } => {
                is_high_volume_email(endpoint.host()) || protocols.contains(&endpoint.protocol())
            }
            _ => true,
        }
    }

    /// Whether a renewal names its scope. At Entra one refresh token brings access tokens for
    /// several resources, so it must; elsewhere silence means what was granted (RFC 6749 section
    /// 6), and that is the safer thing to ask for.
    pub(crate) const fn named_at_renewal(&self) -> bool {
        matches!(self, Self::Delegated { .. } | Self::Application { .. } | Self::Resource(_))
    }

    /// The field of a form in which the scope is named.
    pub(crate) const fn field(&self) -> &'static str {
        match self {
            Self::Resource(_) => "resource",
            _ => "scope",
        }
    }
}

fn is_high_volume_email(host: &str) -> bool {
    Provider::of_host(host).is_some_and(|provider| provider.kind() == Kind::HighVolumeEmail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Protocol; 3] = [Protocol::Imap, Protocol::Pop, Protocol::Smtp];

    fn delegated(protocols: &[Protocol]) -> ScopeRule {
        ScopeRule::Delegated {
            cloud: Cloud::Global,
            protocols: protocols.to_vec(),
            high_volume_email: false,
        }
    }

    #[test]
    fn one_sign_in_asks_for_all_protocols_of_one_resource() {
        assert_eq!(
            delegated(&ALL).at_sign_in(),
            "https://outlook.office.com/IMAP.AccessAsUser.All \
             https://outlook.office.com/POP.AccessAsUser.All \
             https://outlook.office.com/SMTP.Send offline_access"
        );
        assert_eq!(
            delegated(&[Protocol::Smtp]).at_sign_in(),
            "https://outlook.office.com/SMTP.Send offline_access"
        );
    }

    #[test]
    fn the_scope_of_an_application_follows_the_host() {
        for (host, scope) in [
            ("outlook.office365.com", "https://outlook.office365.com/.default"),
            ("outlook.office365.us", "https://outlook.office365.us/.default"),
            ("smtp.partner.outlook.cn", "https://partner.outlook.cn/.default"),
            ("smtp.hve.mx.microsoft", "https://outlook.office.com/.default"),
            ("smtp-hve.office365.com", "https://outlook.office.com/.default"),
        ] {
            for cloud in [Cloud::Global, Cloud::UsGovernment, Cloud::China] {
                let rule = ScopeRule::Application { cloud };
                assert_eq!(rule.of(&Endpoint::smtp(host)), scope, "{host}");
            }
        }
    }

    #[test]
    fn the_scope_of_an_application_behind_a_tunnel_follows_its_cloud() {
        for (cloud, scope) in [
            (Cloud::Global, "https://outlook.office365.com/.default"),
            (Cloud::UsGovernment, "https://outlook.office365.us/.default"),
            (Cloud::China, "https://partner.outlook.cn/.default"),
        ] {
            let rule = ScopeRule::Application { cloud };
            assert_eq!(rule.of(&Endpoint::imap("mail.contoso.example")), scope);
        }
    }

    #[test]
    fn high_volume_email_has_a_token_of_its_own() {
        let rule = delegated(&[Protocol::Imap]);
        let hve = Endpoint::smtp("smtp.hve.mx.microsoft");
        assert_eq!(rule.of(&hve), "https://outlook.office.com/.default offline_access");
        assert!(rule.covers(&hve));
        assert!(!rule.covers(&Endpoint::smtp("smtp.office365.com")));
        assert!(rule.covers(&Endpoint::imap("outlook.office365.com")));
    }

    #[test]
    fn no_request_names_two_resources() {
        for cloud in [Cloud::Global, Cloud::UsGovernment, Cloud::China] {
            for high_volume_email in [false, true] {
                let rule =
                    ScopeRule::Delegated { cloud, protocols: ALL.to_vec(), high_volume_email };
                for scope in [rule.at_sign_in(), rule.of(&Endpoint::smtp("smtp.hve.mx.microsoft"))]
                {
                    let mut hosts: Vec<_> =
                        scope.split(' ').filter_map(|one| one.split('/').nth(2)).collect();
                    hosts.dedup();
                    assert_eq!(hosts.len(), 1, "{scope}");
                }
            }
        }
    }
}
