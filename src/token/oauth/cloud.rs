//! Microsoft's clouds.

/// One of Microsoft's clouds: where its tenants sign in, and the name of Exchange there.
///
/// Source: Microsoft Learn, "Microsoft Entra authentication & national clouds" (read 2026-11). The
/// mail hosts of a cloud are set on the endpoint, by
/// [`Endpoint::with_host`](crate::Endpoint::with_host).
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

    /// The cloud of a mail host, by its domain; `None` if that is not Microsoft's.
    pub(crate) fn of_mail_host(host: &str) -> Option<Self> {
        const GLOBAL: [&str; 4] = ["office365.com", "office.com", "outlook.com", "mx.microsoft"];
        if within(host, "office365.us") {
            Some(Self::UsGovernment)
        } else if within(host, "partner.outlook.cn") {
            Some(Self::China)
        } else {
            GLOBAL.iter().any(|domain| within(host, domain)).then_some(Self::Global)
        }
    }

    /// The cloud of an authority's URL, by its host.
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

/// Whether a host is this domain or lies in it.
pub(crate) fn within(host: &str, domain: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
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
