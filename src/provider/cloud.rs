//! Microsoft's clouds.

use crate::Protocol;

/// One of Microsoft's clouds: where its tenants sign in, and the name of Exchange there.
///
/// Source: Microsoft Learn, "Microsoft Entra authentication & national clouds" (read 2026-11). The
/// mail hosts of a cloud are in [`microsoft365`](super::microsoft365).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Cloud {
    /// Worldwide, and the US Government Community Cloud (GCC).
    #[default]
    Global,
    /// US Government: GCC High and DoD.
    UsGovernment,
    /// China, operated by 21Vianet.
    China,
}

impl Cloud {
    /// The URL under which its tenants sign in.
    pub const fn authority(self) -> &'static str {
        match self {
            Self::Global => "https://login.microsoftonline.com",
            Self::UsGovernment => "https://login.microsoftonline.us",
            Self::China => "https://login.partner.microsoftonline.cn",
        }
    }

    /// The resource in front of delegated permissions, such as `/IMAP.AccessAsUser.All`.
    pub const fn delegated_resource(self) -> &'static str {
        match self {
            Self::Global => "https://outlook.office.com",
            Self::UsGovernment => "https://outlook.office365.us",
            Self::China => "https://partner.outlook.cn",
        }
    }

    /// The resource whose application permissions open mailboxes.
    pub const fn application_resource(self) -> &'static str {
        match self {
            Self::Global => "https://outlook.office365.com",
            Self::UsGovernment => "https://outlook.office365.us",
            Self::China => "https://partner.outlook.cn",
        }
    }

    /// The scope by which a user lets an application use a protocol.
    pub(crate) fn delegated_scope(self, protocol: Protocol) -> String {
        format!("{}/{}", self.delegated_resource(), delegated_permission(protocol))
    }

    /// The scope of an application for itself: all its permissions of the resource.
    pub(crate) fn application_scope(self) -> String {
        format!("{}/.default", self.application_resource())
    }

    /// The scope in the URL at which an administrator consents to the application permissions of a
    /// protocol.
    #[cfg(any(feature = "oauth", feature = "diagnosis"))]
    pub(crate) fn consent_scope(self, protocol: Protocol) -> String {
        match (self, protocol) {
            (Self::Global, Protocol::Imap | Protocol::Pop) => {
                "https://ps.outlook.com/.default".into()
            }
            _ => self.application_scope(),
        }
    }

    /// The cloud of a mail host; `None` if that is not Microsoft's.
    #[cfg(any(feature = "oauth", feature = "diagnosis"))]
    pub(crate) fn of_mail_host(host: &str) -> Option<Self> {
        super::Provider::of_host(host).and_then(super::Provider::cloud)
    }

    /// The cloud of an authority's URL, by its host.
    #[cfg(any(feature = "oauth", feature = "diagnosis"))]
    pub(crate) fn of_authority(url: &str) -> Self {
        let host = url.split("://").nth(1).unwrap_or(url);
        let host = host.split(['/', ':']).next().unwrap_or_default();
        if within(host, "microsoftonline.us") {
            Self::UsGovernment
        } else if within(host, "microsoftonline.cn") || within(host, "chinacloudapi.cn") {
            Self::China
        } else {
            Self::Global
        }
    }
}

/// The delegated permission of Exchange for a protocol, as `scp` in a token names it.
pub(super) const fn delegated_permission(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Smtp => "SMTP.Send",
        Protocol::Imap => "IMAP.AccessAsUser.All",
        Protocol::Pop => "POP.AccessAsUser.All",
    }
}

/// The application permission of Exchange for a protocol, as `roles` in a token names it.
pub(super) const fn application_permission(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Smtp => "SMTP.SendAsApp",
        Protocol::Imap => "IMAP.AccessAsApp",
        Protocol::Pop => "POP.AccessAsApp",
    }
}

/// Whether a host is this domain or lies in it. The domain is in lower case.
pub(crate) fn within(host: &str, domain: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let Some(start) = host.len().checked_sub(domain.len()) else { return false };
    let Some((front, end)) = host.split_at_checked(start) else { return false };
    end.eq_ignore_ascii_case(domain) && (front.is_empty() || front.ends_with('.'))
}

#[cfg(all(test, any(feature = "oauth", feature = "diagnosis")))]
mod tests {
    use super::*;

    #[test]
    fn a_cloud_is_known_by_its_hosts() {
        for (host, cloud) in [
            ("outlook.office365.us", Some(Cloud::UsGovernment)),
            ("SMTP.office365.us", Some(Cloud::UsGovernment)),
            ("outlook-dod.office365.us", Some(Cloud::UsGovernment)),
            ("partner.outlook.cn", Some(Cloud::China)),
            ("smtp.partner.outlook.cn", Some(Cloud::China)),
            ("notoffice365.us", None),
            ("imap.gmail.com", None),
            ("outlook.office365.com", Some(Cloud::Global)),
            ("smtp-mail.outlook.com", Some(Cloud::Global)),
            ("smtp.hve.mx.microsoft", Some(Cloud::Global)),
        ] {
            assert_eq!(Cloud::of_mail_host(host), cloud, "{host}");
        }
        for cloud in [Cloud::Global, Cloud::UsGovernment, Cloud::China] {
            assert_eq!(Cloud::of_authority(cloud.authority()), cloud);
        }
        let older = "https://login.chinacloudapi.cn/tenant";
        assert_eq!(Cloud::of_authority(older), Cloud::China);
    }
}
