//! Asking a resolver: UDP, and TCP where the answer does not fit a datagram (RFC 1035 section 4.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use std::{fs, io};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::message::{Answer, answer, question};
use super::order::random;
use super::{LookupError, Resolver, Srv};
use crate::BoxFuture;

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// As many as the C library uses (resolv.conf(5)).
const SERVERS: usize = 3;

/// A datagram is at most so long. Without EDNS servers send 512 octets; some send more.
const DATAGRAM: usize = 4096;

/// Asks resolvers that recurse, such as those in `/etc/resolv.conf`.
///
/// Each query has a port and an id by chance, and an answer must come from the address that was
/// asked and repeat id and question; whatever else arrives is passed over. Nothing is cached, and
/// DNSSEC is left to the resolver.
///
/// ```
/// use std::net::SocketAddr;
/// use std::time::Duration;
/// use mailbearer::discover::Dns;
///
/// let resolver: SocketAddr = "192.0.2.53:53".parse().unwrap();
/// let dns = Dns::new([resolver]).attempt_timeout(Duration::from_secs(2)).attempts(3);
/// # drop(dns);
/// ```
#[derive(Debug, Clone)]
pub struct Dns {
    servers: Vec<SocketAddr>,
    attempt_timeout: Duration,
    attempts: u32,
}

/// `/etc/resolv.conf` could not be read. Name a resolver by [`Dns::new`].
#[derive(Debug, thiserror::Error)]
#[error("cannot tell the resolver of this system from {RESOLV_CONF}: name one")]
pub struct ResolvConfError(#[source] io::Error);

impl Dns {
    /// Asks these, one after the other until one answers. Without any, every lookup fails.
    pub fn new(servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self {
            servers: servers.into_iter().collect(),
            attempt_timeout: Duration::from_secs(5),
            attempts: 2,
        }
    }

    /// Asks the resolvers of this system: the first three in `/etc/resolv.conf`, or the one on this
    /// machine if that file names none.
    ///
    /// # Errors
    /// There is no such file that can be read, as on Windows.
    pub fn system() -> Result<Self, ResolvConfError> {
        let text = fs::read_to_string(RESOLV_CONF).map_err(ResolvConfError)?;
        Ok(Self::new(name_servers(&text)))
    }

    /// How long to wait for one resolver at a time; 5 seconds unless said otherwise.
    pub const fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = timeout;
        self
    }

    /// How many times all resolvers are asked; twice unless said otherwise, once at least.
    pub const fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    #[cfg(test)]
    pub(super) fn servers(&self) -> &[SocketAddr] {
        &self.servers
    }

    async fn lookup(&self, name: &str) -> Result<Vec<Srv>, LookupError> {
        let no_server = io::Error::new(io::ErrorKind::NotFound, "there is no resolver to ask");
        let mut failure = LookupError::Io(no_server);
        for _ in 0..self.attempts.max(1) {
            for server in &self.servers {
                match timeout(self.attempt_timeout, ask(*server, name)).await {
                    Ok(Ok(records)) => return Ok(records),
                    Ok(Err(error)) => failure = error,
                    Err(_) => failure = LookupError::TimedOut(self.attempt_timeout),
                }
            }
        }
        Err(failure)
    }
}

impl Resolver for Dns {
    fn srv<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<Srv>, LookupError>> {
        Box::pin(self.lookup(name))
    }
}

/// The addresses after `nameserver`, as resolv.conf(5) has them.
fn name_servers(text: &str) -> Vec<SocketAddr> {
    let named = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        words.next().filter(|word| *word == "nameserver")?;
        let address = words.next()?;
        // An address with a zone (`fe80::1%eth0`) would need the number of the interface.
        Some(SocketAddr::new(address.parse().ok()?, 53))
    });
    let mut servers: Vec<SocketAddr> = named.take(SERVERS).collect();
    if servers.is_empty() {
        servers.push(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 53));
    }
    servers
}

/// Asks one resolver once.
async fn ask(server: SocketAddr, name: &str) -> Result<Vec<Srv>, LookupError> {
    // The low octets of a number by chance.
    let id = random() as u16;
    let query = question(id, name)?;
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // The system chooses the port; a connected socket hears nobody but the resolver.
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(&query).await?;
    let mut datagram = vec![0; DATAGRAM];
    loop {
        let length = socket.recv(&mut datagram).await?;
        match answer(datagram.get(..length).unwrap_or_default(), id, name) {
            Answer::NotOurs => {}
            Answer::Truncated => return ask_by_tcp(server, name).await,
            Answer::Records(records) => return Ok(records),
            Answer::Failed(error) => return Err(error),
        }
    }
}

/// Asks again where there is room for 65,535 octets.
async fn ask_by_tcp(server: SocketAddr, name: &str) -> Result<Vec<Srv>, LookupError> {
    let id = random() as u16;
    let query = question(id, name)?;
    let length = u16::try_from(query.len()).map_err(|_| LookupError::Malformed)?;
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend(query);
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(&framed).await?;
    let mut length = [0; 2];
    stream.read_exact(&mut length).await?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).await?;
    match answer(&message, id, name) {
        Answer::Records(records) => Ok(records),
        Answer::Failed(error) => Err(error),
        Answer::NotOurs | Answer::Truncated => Err(LookupError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolv_conf_is_read_as_the_c_library_reads_it() {
        let text = "# comment\nsearch contoso.example\nnameserver 192.0.2.1\n\
                    nameserver\t2001:db8::53   # main\nnameserver fe80::1%eth0\n\
                    nameserver none\nnameservers 192.0.2.9\noptions ndots:1\n\
                    nameserver 192.0.2.2\nnameserver 192.0.2.3\n";
        let servers: Vec<String> = name_servers(text).iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["192.0.2.1:53", "[2001:db8::53]:53", "192.0.2.2:53"]);
        assert_eq!(name_servers("search x\n"), ["127.0.0.1:53".parse().unwrap()]);
    }
}
