//! The servers of a domain, by its SRV records (RFC 6186, RFC 8314 section 5.1).
//!
//! A domain says in the DNS where its mailboxes are served: `_imaps._tcp.contoso.example` has the
//! IMAP servers with TLS from the start, `_imap._tcp` those with STARTTLS, and so on for POP3 and
//! submission. Few large services do without; where a domain has no such records, its user knows.
//!
//! ```no_run
//! # async fn find() -> Result<(), Box<dyn std::error::Error>> {
//! use mailbearer::{ImapClient, Protocol, discover};
//! # let tokens = mailbearer::token::StaticToken::new("T");
//!
//! let mailbox = "billing@contoso.example";
//! let found = discover::discover(mailbox).await?;
//! for server in found.servers(Protocol::Imap) {
//!     if server.ask_first() {
//!         println!("{} is at {}: is that right?", found.domain(), server.endpoint());
//!         // … and go on only if the user says so.
//!     }
//!     let endpoint = server.endpoint().clone();
//!     if let Ok(imap) = ImapClient::connect_xoauth2(endpoint, mailbox, &tokens).await {
//! #       drop(imap);
//!         break;
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! # Whom to believe
//! Answers of the DNS can be forged. The connection that follows checks the certificate against the
//! name of the server that was found, which stops whoever holds the network, and not whoever forged
//! the record to name a server of his own. So a server outside the domain is to be shown to the
//! user before a token goes there (RFC 6186 section 6): [`Server::ask_first`] says when. An endpoint
//! in clear text is never returned: `_imap`, `_pop3` and `_submission` mean STARTTLS, and connecting
//! fails without it.
//!
//! Keep what was found and confirmed with the account, and ask again only when connecting fails
//! (RFC 6186 section 4).
//!
//! # Who is asked
//! The resolver named in `/etc/resolv.conf`, over UDP, and over TCP where the answer is too long:
//! [`Dns`]. Anything else that can look up a record, such as a client for DNS over HTTPS, is a
//! [`Resolver`] and goes to [`discover_with`].

mod dns;
mod error;
mod message;
mod order;
mod server;
#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::task::Poll;

use crate::BoxFuture;

pub use dns::{Dns, ResolvConfError};
pub use error::{Error, LookupError};
pub use server::{Discovered, Server};

use order::random;
use server::Label;

/// Looks up records. Object safe, so that it can be replaced.
pub trait Resolver: Send + Sync {
    /// The SRV records (RFC 2782) of `name`, in any order; none if the name does not exist or has no
    /// such records. Aliases (CNAME) are followed.
    ///
    /// # Cancel safety
    /// Dropping the future ends the lookup.
    fn srv<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<Srv>, LookupError>>;
}

/// One SRV record (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srv {
    priority: u16,
    weight: u16,
    port: u16,
    target: String,
}

impl Srv {
    /// A record. The target is a host name with or without its final dot; `.` alone says that the
    /// service is not offered.
    pub fn new(priority: u16, weight: u16, port: u16, target: impl Into<String>) -> Self {
        Self { priority, weight, port, target: target.into() }
    }

    /// Lower ones are to be tried first.
    pub const fn priority(&self) -> u16 {
        self.priority
    }

    /// How often it is to be chosen among those of the same priority, relative to them.
    pub const fn weight(&self) -> u16 {
        self.weight
    }

    /// The TCP port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The host.
    pub fn target(&self) -> &str {
        &self.target
    }
}

/// Finds the servers of a domain with the resolver of this system. Takes the domain, or a whole
/// address. See [`discover_with`].
///
/// # Errors
/// As [`discover_with`], and [`Error::NoResolver`] if `/etc/resolv.conf` names none.
///
/// # Cancel safety
/// Dropping the future ends all lookups.
pub async fn discover(domain: &str) -> Result<Discovered, Error> {
    discover_with(domain, &Dns::system()?).await
}

/// Finds the servers of a domain. Six records are asked for at the same time: submission, IMAP and
/// POP3, each with TLS from the start and with STARTTLS.
///
/// A domain without such records is no error: the result is [empty](Discovered::is_empty). If only
/// some of the lookups failed, the result says [which](Discovered::failures).
///
/// # Errors
/// [`Error::NotADomain`] before anything is asked, and [`Error::Lookup`] if every lookup failed.
///
/// # Cancel safety
/// Dropping the future ends all lookups.
pub async fn discover_with(domain: &str, resolver: &dyn Resolver) -> Result<Discovered, Error> {
    let domain = checked(domain)?;
    let names = Label::ALL.map(|label| (label, format!("{}.{domain}", label.name())));
    let lookups = names.iter().map(|(_, name)| resolver.srv(name)).collect();
    let answers = all(lookups).await;
    let mut found = Discovered::new(domain);
    for ((label, name), answer) in names.iter().zip(answers) {
        match answer {
            Ok(records) => found.add(*label, records),
            Err(error) => found.fail(name, error),
        }
    }
    found.finish(&mut random)
}

/// The domain of an address or the domain itself, if it can be one: letters, digits and hyphens.
fn checked(text: &str) -> Result<&str, Error> {
    let domain = text.rsplit_once('@').map_or(text, |(_, domain)| domain);
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    // With the longest label before it, the name still has to fit 255 octets.
    let fits = is_host_name(domain) && domain.len() + "_submissions._tcp.".len() <= 253;
    if fits { Ok(domain) } else { Err(Error::NotADomain { given: text.to_owned() }) }
}

/// Whether this is the name of a host: letters, digits, hyphens, and no IP address.
fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= 253
        && name.split('.').all(label)
        && !last.bytes().all(|octet| octet.is_ascii_digit())
}

/// Waits for all, each at its own pace.
async fn all<T>(mut futures: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, slot) in futures.iter_mut().zip(&mut done) {
            if slot.is_none()
                && let Poll::Ready(output) = future.as_mut().poll(context)
            {
                *slot = Some(output);
            }
        }
        if done.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}
