//! iCloud Mail.
//!
//! | fact | value | source |
//! |---|---|---|
//! | hosts | `imap.mail.me.com:993`, `smtp.mail.me.com:587` with STARTTLS; there is no POP3 | Apple Support, "iCloud Mail server settings for other email client apps", 2026-11 |
//! | mechanism | IMAP offers XOAUTH2; whether SMTP does is not known | IMAP greeting in MailKit's tests |
//! | tokens | Apple gives none to other applications, as far as is known; passwords for one application are what programs use | 2026-11 |
//! | messages and recipients a day, recipients a message | 1,000, 1,000, 500 | Apple Support, "Mailbox size and message sending limits in iCloud", 2026-11 |
//! | message size | 20 MB | the same |
//! | SEARCH with RETURN is answered by SEARCH | | MailKit issue 863 |

use super::authority::Scopes;
use super::place::{Place, XOAUTH2};
use super::{Kind, Provider, Quirk, ServiceLimits, SharedMailbox};
use crate::{Endpoint, Profile, Protocol};

/// iCloud Mail.
pub static PROVIDER: Provider = Provider {
    id: "icloud",
    name: "iCloud Mail",
    profile: profile(),
    places: &[SMTP, IMAP],
    hosts: &["mail.me.com", "mail.icloud.com"],
    mailbox_domains: &["icloud.com", "me.com", "mac.com"],
    authority: None,
    scopes: Scopes::Unknown,
    refresh_scope: None,
    quirks: &[Quirk::ClosedToNewApplications, Quirk::SearchWithoutEsearch],
};

const SMTP: Place = Place::submission("smtp.mail.me.com", &[]);
const IMAP: Place = Place::tls(Protocol::Imap, "imap.mail.me.com", XOAUTH2);

/// What is known of iCloud Mail.
pub const fn profile() -> Profile {
    Profile::generic()
        .with_kind(Kind::ICloud)
        .with_service_limits(
            ServiceLimits::unknown()
                .with_messages_per_day(Some(1_000))
                .with_recipients_per_day(Some(1_000))
                .with_recipients_per_message(Some(500))
                .with_message_size(Some(20 * 1024 * 1024)),
        )
        .with_shared_mailbox(Protocol::Smtp, SharedMailbox::None)
        .with_shared_mailbox(Protocol::Imap, SharedMailbox::None)
}

/// `smtp.mail.me.com:587` with STARTTLS.
pub fn smtp() -> Endpoint {
    SMTP.endpoint(&profile())
}

/// `imap.mail.me.com:993`.
pub fn imap() -> Endpoint {
    IMAP.endpoint(&profile())
}
