//! The services that transcripts name.

use mailbearer::Endpoint;
use mailbearer::provider::{gmail, hve, microsoft365, outlook};
use mailbearer::smtp::Extension;

/// `microsoft365 pop`, `generic smtp_starttls`, and behind that what is changed on it: `inline`
/// for a service that takes the initial response on the AUTH line, `id` for one that demands ID,
/// `host=…`, or
/// `without=size,codes` for extensions of SMTP that are not used.
pub(crate) fn endpoint(words: &[String]) -> Endpoint {
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let [provider, service, changes @ ..] = &words[..] else {
        panic!("an endpoint has a provider and a service: {words:?}")
    };
    let own = "mail.example.net";
    let endpoint = match (*provider, *service) {
        ("microsoft365", "smtp") => microsoft365::smtp(),
        ("microsoft365", "imap") => microsoft365::imap(),
        ("microsoft365", "pop") => microsoft365::pop(),
        ("outlook", "smtp") => outlook::smtp(),
        ("outlook", "imap") => outlook::imap(),
        ("outlook", "pop") => outlook::pop(),
        ("hve", "smtp") => hve::smtp(),
        ("gmail", "smtp") => gmail::smtp(),
        ("gmail", "smtp_starttls") => gmail::smtp_starttls(),
        ("gmail", "imap") => gmail::imap(),
        ("gmail", "pop") => gmail::pop(),
        ("generic", "smtp") => Endpoint::smtp(own),
        ("generic", "smtp_starttls") => Endpoint::smtp_starttls(own),
        ("generic", "imap") => Endpoint::imap(own),
        ("generic", "imap_starttls") => Endpoint::imap_starttls(own),
        ("generic", "pop") => Endpoint::pop(own),
        ("generic", "pop_starttls") => Endpoint::pop_starttls(own),
        _ => panic!("no endpoint {words:?}"),
    };
    changes.iter().fold(endpoint, |endpoint, change| match change.split_once('=') {
        None if *change == "inline" => {
            let profile = endpoint.profile().clone().with_inline_auth(true);
            endpoint.with_profile(profile)
        }
        None if *change == "id" => {
            let profile = endpoint.profile().clone().with_id_demanded(true);
            endpoint.with_profile(profile)
        }
        Some(("host", host)) => endpoint.with_host(host),
        Some(("without", extensions)) => {
            extensions.split(',').fold(endpoint, |endpoint, name| endpoint.without(extension(name)))
        }
        _ => panic!("no change `{change}` of an endpoint"),
    })
}

fn extension(name: &str) -> Extension {
    match name {
        "pipelining" => Extension::Pipelining,
        "size" => Extension::Size,
        "codes" | "enhancedstatuscodes" => Extension::EnhancedStatusCodes,
        _ => panic!("no extension `{name}`"),
    }
}
