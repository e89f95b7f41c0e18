//! Whose server it is, as far as that is known.

use crate::Endpoint;
use crate::provider::{Kind, Provider};

/// The service behind an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// Exchange Online.
    Exchange {
        /// The accounts are personal ones: Outlook.com.
        personal: bool,
    },
    /// High Volume Email.
    HighVolumeEmail,
    /// Gmail and Google Workspace.
    Gmail,
    /// Another that is known.
    Other,
    /// Nothing is known.
    Unknown,
}

impl Service {
    /// By the host, or by the profile: a tunnel or a test has another host.
    pub(super) fn of(endpoint: Option<&Endpoint>) -> Self {
        match endpoint.and_then(Provider::of_endpoint).map(Provider::kind) {
            None | Some(Kind::Generic) => Self::Unknown,
            Some(Kind::Microsoft365) => Self::Exchange { personal: false },
            Some(Kind::OutlookCom) => Self::Exchange { personal: true },
            Some(Kind::HighVolumeEmail) => Self::HighVolumeEmail,
            Some(Kind::Gmail) => Self::Gmail,
            Some(_) => Self::Other,
        }
    }

    pub(super) const fn is_exchange(self) -> bool {
        matches!(self, Self::Exchange { .. })
    }

    pub(super) const fn is_microsofts(self) -> bool {
        matches!(self, Self::Exchange { .. } | Self::HighVolumeEmail)
    }

    /// Nothing speaks against Exchange.
    pub(super) const fn may_be_microsofts(self) -> bool {
        self.is_microsofts() || matches!(self, Self::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{gmail, hve, microsoft365, outlook, yahoo};

    #[test]
    fn a_service_is_known_by_its_host_or_its_profile() {
        const WORK: Service = Service::Exchange { personal: false };
        const PERSONAL: Service = Service::Exchange { personal: true };
        for (endpoint, service) in [
            (microsoft365::imap(), WORK),
            (Endpoint::imap("OUTLOOK.office365.com."), WORK),
            (microsoft365::imap().with_host("localhost"), WORK),
            (Endpoint::pop("partner.outlook.cn"), WORK),
            (outlook::imap(), PERSONAL),
            (Endpoint::imap("imap-mail.outlook.com"), PERSONAL),
            (hve::smtp(), Service::HighVolumeEmail),
            (Endpoint::smtp_starttls("smtp-hve.office365.com"), Service::HighVolumeEmail),
            (gmail::pop(), Service::Gmail),
            (Endpoint::imap("imap.gmail.com"), Service::Gmail),
            (Endpoint::imap("notgmail.com"), Service::Unknown),
            (yahoo::imap(), Service::Other),
            (Endpoint::imap("mail.example"), Service::Unknown),
        ] {
            assert_eq!(Service::of(Some(&endpoint)), service, "{endpoint}");
        }
        assert_eq!(Service::of(None), Service::Unknown);
    }
}
