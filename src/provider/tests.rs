use super::*;
use crate::Security;

const PROTOCOLS: [Protocol; 3] = [Protocol::Smtp, Protocol::Imap, Protocol::Pop];

#[test]
fn every_host_leads_back_to_its_provider() {
    for provider in all() {
        for endpoint in PROTOCOLS.iter().flat_map(|protocol| provider.endpoints(*protocol)) {
            let found = Provider::of_host(endpoint.host()).unwrap();
            let shared = provider.kind() == Kind::OutlookCom && found.id() == "microsoft365";
            assert!(found == provider || shared, "{endpoint} is {}", found.id());
            // The endpoint itself knows whose it is.
            assert_eq!(Provider::of_endpoint(&endpoint).map(Provider::id), Some(provider.id()));
        }
    }
}

#[test]
fn hosts_are_found_in_any_spelling_and_neighbours_are_not() {
    for (host, id) in [
        ("OUTLOOK.office365.com.", Some("microsoft365")),
        ("outlook.office365.us", Some("microsoft365-gcc-high")),
        ("outlook-dod.office365.us", Some("microsoft365-dod")),
        ("smtp.partner.outlook.cn", Some("microsoft365-china")),
        ("mwhpr21ca0060.namprd21.prod.outlook.com", Some("microsoft365")),
        ("smtp-mail.outlook.com", Some("outlook")),
        ("smtp.hve.mx.microsoft", Some("hve")),
        ("smtp-hve.office365.com", Some("hve")),
        ("smtp.office365.com", Some("microsoft365")),
        ("imap.googlemail.com", Some("gmail")),
        ("imap.mail.yahoo.com", Some("yahoo")),
        ("p00-imap.mail.me.com", Some("icloud")),
        ("mail.messagingengine.com", Some("fastmail")),
        ("notoffice365.com", None),
        ("outlook.office365.com.attacker.example", None),
        ("office365.com..", None),
        ("", None),
        (".", None),
        ("é.gmail.com", Some("gmail")),
        ("égmail.com", None),
        ("localhost", None),
    ] {
        assert_eq!(Provider::of_host(host).map(Provider::id), id, "{host}");
    }
}

#[test]
fn a_mailbox_domain_counts_only_where_it_is_certain() {
    for (domain, id) in [
        ("Gmail.com", Some("gmail")),
        ("contoso.onmicrosoft.com", Some("microsoft365")),
        ("contoso.mail.onmicrosoft.com", Some("microsoft365")),
        ("onmicrosoft.com", None),
        ("notonmicrosoft.com", None),
        ("outlook.com.", Some("outlook")),
        ("mail.outlook.com", None),
        ("yahoo.co.uk", Some("yahoo")),
        ("yahoo.co.jp", None),
        ("me.com", Some("icloud")),
        ("contoso.example", None),
        ("", None),
    ] {
        assert_eq!(Provider::of_mailbox_domain(domain).map(Provider::id), id, "{domain}");
    }
}

#[test]
fn an_endpoint_elsewhere_is_known_by_its_profile() {
    let tunnel = outlook::imap().with_host("localhost");
    assert_eq!(Provider::of_endpoint(&tunnel).map(Provider::id), Some("outlook"));
    let own = Endpoint::imap("mail.example.net");
    assert_eq!(Provider::of_endpoint(&own), None);
    // A plain endpoint is known by its host.
    let plain = Endpoint::imap("outlook.office365.us");
    assert_eq!(Provider::of_endpoint(&plain).map(Provider::id), Some("microsoft365-gcc-high"));
    // Where both speak and differ, the caller has said it.
    let told = Endpoint::smtp("smtp.office365.com").with_profile(hve::profile());
    assert_eq!(Provider::of_endpoint(&told).map(Provider::kind), Some(Kind::HighVolumeEmail));
}

#[test]
fn ids_are_unique_and_found() {
    let mut ids: Vec<_> = all().map(Provider::id).collect();
    assert!(ids.iter().all(|id| Provider::named(&id.to_uppercase()).is_some()));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all().count());
    assert_eq!(Provider::named("generic"), None);
}

#[test]
fn no_host_and_no_domain_belongs_to_two() {
    type Names = fn(&Provider) -> &'static [&'static str];
    for names in [(|one| one.hosts) as Names, |one| one.mailbox_domains] {
        let mut seen: Vec<_> = all().flat_map(|provider| names(provider).iter()).collect();
        let count = seen.len();
        assert!(seen.iter().all(|name| **name == name.to_ascii_lowercase()));
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }
}

#[test]
fn every_endpoint_is_protected() {
    for provider in all() {
        for protocol in PROTOCOLS {
            for endpoint in provider.endpoints(protocol) {
                assert_eq!(endpoint.protocol(), protocol);
                let expected = match (protocol, endpoint.port()) {
                    (Protocol::Smtp, 587) => Security::StartTls,
                    (Protocol::Smtp, 465) | (Protocol::Imap, 993) | (Protocol::Pop, 995) => {
                        Security::ImplicitTls
                    }
                    other => panic!("{other:?}"),
                };
                assert_eq!(endpoint.security(), expected, "{endpoint}");
                assert_eq!(endpoint.profile(), provider.profile());
            }
        }
    }
    assert!(hve::PROVIDER.endpoint(Protocol::Imap).is_none());
    assert!(hve::PROVIDER.mechanisms(Protocol::Pop).is_empty());
}

#[test]
fn scopes_are_those_of_the_vendors_documents() {
    use OnBehalf::{Application, User};
    for (provider, protocol, on_behalf, scope) in [
        ("microsoft365", Protocol::Imap, User, "https://outlook.office.com/IMAP.AccessAsUser.All"),
        ("microsoft365", Protocol::Pop, User, "https://outlook.office.com/POP.AccessAsUser.All"),
        ("microsoft365", Protocol::Smtp, User, "https://outlook.office.com/SMTP.Send"),
        ("microsoft365", Protocol::Smtp, Application, "https://outlook.office365.com/.default"),
        ("microsoft365-dod", Protocol::Smtp, User, "https://outlook.office365.us/SMTP.Send"),
        ("microsoft365-china", Protocol::Imap, Application, "https://partner.outlook.cn/.default"),
        ("hve", Protocol::Smtp, User, "https://outlook.office.com/.default"),
        ("hve", Protocol::Smtp, Application, "https://outlook.office.com/.default"),
        ("gmail", Protocol::Pop, Application, "https://mail.google.com/"),
        ("fastmail", Protocol::Pop, User, "https://www.fastmail.com/dev/protocol-pop"),
        ("aol", Protocol::Imap, User, "mail-w"),
    ] {
        let found = Provider::named(provider).unwrap().scope(protocol, on_behalf);
        assert_eq!(found.as_deref(), Some(scope), "{provider}");
    }
    // No application opens personal mailboxes by itself.
    assert_eq!(outlook::PROVIDER.scope(Protocol::Imap, Application), None);
    assert_eq!(fastmail::PROVIDER.scope(Protocol::Imap, Application), None);
    assert_eq!(icloud::PROVIDER.scope(Protocol::Imap, User), None);
}

#[test]
fn permissions_are_named_as_in_tokens() {
    use OnBehalf::{Application, User};
    let permission = |id: &str, protocol, whose| {
        Provider::named(id).unwrap().permission(protocol, whose).unwrap_or_default()
    };
    assert_eq!(permission("microsoft365", Protocol::Imap, Application), "IMAP.AccessAsApp");
    assert_eq!(permission("microsoft365", Protocol::Smtp, Application), "SMTP.SendAsApp");
    assert_eq!(permission("outlook", Protocol::Smtp, User), "SMTP.Send");
    assert_eq!(permission("outlook", Protocol::Smtp, Application), "");
    assert_eq!(permission("hve", Protocol::Smtp, User), "Mail.Send");
    assert_eq!(permission("gmail", Protocol::Smtp, User), "");
}

#[test]
fn a_profile_can_be_changed_in_all_it_says() {
    let profile = microsoft365::profile()
        .with_kind(Kind::Generic)
        .with_service_limits(ServiceLimits::unknown().with_connections(Protocol::Smtp, Some(2)))
        .with_shared_mailbox(Protocol::Smtp, SharedMailbox::Named);
    assert_eq!((profile.kind(), profile.name()), (Kind::Generic, "generic"));
    assert_eq!(profile.service_limits().connections(Protocol::Smtp), Some(2));
    assert_eq!(profile.service_limits().messages_per_minute(), None);
    assert_eq!(profile.shared_mailbox(Protocol::Smtp), SharedMailbox::Named);
    assert_eq!(microsoft365::PROVIDER.shared_mailbox(Protocol::Imap), SharedMailbox::Named);
}
