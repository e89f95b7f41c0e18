//! What was found.

use super::order::shuffle;
use super::{Error, LookupError, Srv, is_host_name};
use crate::provider::{Provider, within};
use crate::{Endpoint, Protocol, Security};

/// How many servers are kept of one record set: more than anybody tries.
const SERVERS: usize = 64;

/// A service label of RFC 6186 section 3 and RFC 8314 section 5.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label {
    protocol: Protocol,
    implicit_tls: bool,
}

impl Label {
    pub(super) const ALL: [Self; 6] = [
        Self::of(Protocol::Smtp, true),
        Self::of(Protocol::Smtp, false),
        Self::of(Protocol::Imap, true),
        Self::of(Protocol::Imap, false),
        Self::of(Protocol::Pop, true),
        Self::of(Protocol::Pop, false),
    ];

    const fn of(protocol: Protocol, implicit_tls: bool) -> Self {
        Self { protocol, implicit_tls }
    }

    pub(super) const fn name(self) -> &'static str {
        match (self.protocol, self.implicit_tls) {
            (Protocol::Smtp, true) => "_submissions._tcp",
            (Protocol::Smtp, false) => "_submission._tcp",
            (Protocol::Imap, true) => "_imaps._tcp",
            (Protocol::Imap, false) => "_imap._tcp",
            (Protocol::Pop, true) => "_pop3s._tcp",
            (Protocol::Pop, false) => "_pop3._tcp",
        }
    }

    const fn security(self) -> Security {
        if self.implicit_tls { Security::ImplicitTls } else { Security::StartTls }
    }
}

/// A server that a domain names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    endpoint: Endpoint,
    priority: u16,
    weight: u16,
    in_domain: bool,
}

impl Server {
    /// Where to connect. It has the [profile](crate::Profile) of the provider whose host it is, if
    /// that is a [known](crate::provider) one.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The provider whose host it is, if that is a known one.
    pub fn provider(&self) -> Option<&'static Provider> {
        Provider::of_host(self.endpoint.host())
    }

    /// Whether the host is outside the domain that was asked for, so that the user should confirm it
    /// before anything secret is sent there (RFC 6186 section 6): a forged answer would name such a
    /// host. A known [provider](Self::provider) is a good sign and no proof.
    pub const fn ask_first(&self) -> bool {
        !self.in_domain
    }

    /// The priority in its record: lower ones come first.
    pub const fn priority(&self) -> u16 {
        self.priority
    }

    /// The weight in its record.
    pub const fn weight(&self) -> u16 {
        self.weight
    }
}

/// What a domain says about its servers.
#[derive(Debug)]
pub struct Discovered {
    domain: String,
    servers: Vec<Server>,
    /// The labels with at least one server, and those that are said not to be offered.
    offered: Vec<Label>,
    not_offered: Vec<Label>,
    failures: Vec<(String, LookupError)>,
}

impl Discovered {
    pub(super) fn new(domain: &str) -> Self {
        Self {
            domain: domain.to_owned(),
            servers: Vec::new(),
            offered: Vec::new(),
            not_offered: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Takes the records of one label. Those that name no host or no port are left out.
    pub(super) fn add(&mut self, label: Label, mut records: Vec<Srv>) {
        records.sort_by_key(Srv::priority);
        let before = self.servers.len();
        for record in records {
            let host = record.target();
            if host == "." {
                self.not_offered.push(label);
                continue;
            }
            let host = host.strip_suffix('.').unwrap_or(host);
            let room = self.servers.len() - before < SERVERS;
            if !room || record.port() == 0 || !is_host_name(host) {
                continue;
            }
            let mut endpoint = Endpoint::new(label.protocol, host, record.port(), label.security());
            if let Some(provider) = Provider::of_host(host) {
                endpoint = endpoint.with_profile(provider.profile().clone());
            }
            self.servers.push(Server {
                endpoint,
                priority: record.priority(),
                weight: record.weight(),
                in_domain: within(host, &self.domain.to_ascii_lowercase()),
            });
        }
        if self.servers.len() > before {
            self.offered.push(label);
        }
    }

    pub(super) fn fail(&mut self, name: &str, error: LookupError) {
        self.failures.push((name.to_owned(), error));
    }

    /// Puts the servers in order: by protocol, priority, TLS from the start before STARTTLS (RFC
    /// 8314 section 3), and by chance according to weight.
    pub(super) fn finish(mut self, random: &mut dyn FnMut() -> u64) -> Result<Self, Error> {
        if self.failures.len() == Label::ALL.len() {
            let (_, source) = self.failures.swap_remove(0);
            return Err(Error::Lookup { domain: self.domain, source });
        }
        let rank = |server: &Server| {
            let starts_tls = server.endpoint.security() == Security::StartTls;
            (server.endpoint.protocol(), server.priority, starts_tls)
        };
        let mut servers = std::mem::take(&mut self.servers);
        servers.sort_by_key(rank);
        while let Some(first) = servers.first() {
            let group = rank(first);
            let rest = servers.split_off(servers.partition_point(|server| rank(server) <= group));
            self.servers.extend(shuffle(servers, |server| server.weight, random));
            servers = rest;
        }
        Ok(self)
    }

    /// The domain that was asked for.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The servers of a protocol, in the order in which they are to be tried.
    pub fn servers(&self, protocol: Protocol) -> impl Iterator<Item = &Server> {
        self.servers.iter().filter(move |server| server.endpoint.protocol() == protocol)
    }

    /// Whether the domain names no server at all.
    pub const fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }

    /// Whether the domain says that it does not offer this protocol (a target of `.`), rather than
    /// saying nothing about it.
    pub fn is_not_offered(&self, protocol: Protocol) -> bool {
        self.not_offered.iter().any(|label| label.protocol == protocol)
            && !self.offered.iter().any(|label| label.protocol == protocol)
    }

    /// IMAP or POP3: what the domain prefers for reading, by the priority of its records (RFC 6186
    /// section 3.4); IMAP where both are equal. `None` if it names neither.
    ///
    /// A program that has chosen once stays with it: it must not change because of new records.
    pub fn preferred_for_reading(&self) -> Option<Protocol> {
        let best = |protocol| self.servers(protocol).map(Server::priority).min();
        match (best(Protocol::Imap), best(Protocol::Pop)) {
            (Some(imap), Some(pop)) if pop < imap => Some(Protocol::Pop),
            (Some(_), _) => Some(Protocol::Imap),
            (None, pop) => pop.map(|_| Protocol::Pop),
        }
    }

    /// The lookups that were not answered, by the name that was asked for. What they would have said
    /// is not in here.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &LookupError)> {
        self.failures.iter().map(|(name, error)| (name.as_str(), error))
    }
}
