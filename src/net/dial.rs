//! Opening a connection: by TCP to the nearest address that answers (RFC 8305), or by whatever the
//! user brings.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::BoxFuture;

/// A two-way stream of octets: what [`Dial`] gives. Implemented for everything that fits.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for S {}

/// An open connection, before TLS.
pub struct Connection {
    pub(crate) stream: Box<dyn Stream>,
    pub(crate) peer: Option<SocketAddr>,
}

impl Connection {
    /// A connection over any stream: a tunnel, a pipe, a test.
    pub fn new(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), peer: None }
    }

    /// Says who is at the other end. Without it, clear text is not allowed on the connection.
    pub const fn with_peer(mut self, peer: SocketAddr) -> Self {
        self.peer = Some(peer);
        self
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// Opens connections. TLS comes on top of what it gives.
///
/// # Example: always the same address
/// ```
/// use mailbearer::{BoxFuture, net::{Connection, Dial}};
///
/// struct Gateway(std::net::SocketAddr);
///
/// impl Dial for Gateway {
///     fn dial<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, std::io::Result<Connection>> {
///         Box::pin(async {
///             let stream = tokio::net::TcpStream::connect(self.0).await?;
///             Ok(Connection::new(stream).with_peer(self.0))
///         })
///     }
/// }
/// ```
pub trait Dial: Send + Sync {
    /// Opens a connection to `host`, a name or an address literal. Dropping the future gives the
    /// attempt up. The time allowed is bounded by [`Timeouts::dial`](crate::Timeouts::dial).
    fn dial<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Connection>>;
}

/// Plain TCP with Nagle's algorithm off.
///
/// All addresses of the host are tried, IPv6 and IPv4 in turn, each a quarter of a second after
/// the one before it (RFC 8305 sections 4 and 5); the first that answers wins.
#[derive(Debug, Clone)]
pub struct Tcp {
    keepalive: Option<Duration>,
}

impl Default for Tcp {
    fn default() -> Self {
        Self { keepalive: Some(Duration::from_secs(60)) }
    }
}

impl Tcp {
    /// Idle time after which the system probes whether the peer is still there, in whole seconds,
    /// or none. One minute: middleboxes forget idle connections after a few.
    pub const fn keepalive(mut self, idle: Option<Duration>) -> Self {
        self.keepalive = idle;
        self
    }

    async fn open(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(address).await?;
        // A flight is one write; waiting for the peer's delayed ACK would cost 40 ms each.
        stream.set_nodelay(true)?;
        if let Some(idle) = self.keepalive {
            // The system counts in whole seconds and takes no zero.
            let least = Duration::from_secs(1);
            let idle = idle.max(least);
            let probes = TcpKeepalive::new().with_time(idle).with_interval((idle / 4).max(least));
            SockRef::from(&stream).set_tcp_keepalive(&probes)?;
        }
        Ok(stream)
    }
}

impl Dial for Tcp {
    fn dial<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Connection>> {
        Box::pin(async move {
            let addresses: Vec<_> = tokio::net::lookup_host((host, port)).await?.collect();
            let (stream, peer) = race(addresses, |address| self.open(address)).await?;
            Ok(Connection { stream: Box::new(stream), peer: Some(peer) })
        })
    }
}

/// RFC 8305 section 5, "Connection Attempt Delay".
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Tries `addresses` one after the other, not waiting for one to fail before the next is begun.
async fn race<'a, T, F>(
    addresses: Vec<SocketAddr>,
    attempt: impl Fn(SocketAddr) -> F,
) -> io::Result<(T, SocketAddr)>
where
    F: Future<Output = io::Result<T>> + Send + 'a,
{
    let mut waiting = interleaved(addresses);
    let mut running: Vec<(SocketAddr, Pin<Box<F>>)> = Vec::new();
    let mut failures: Vec<(SocketAddr, io::Error)> = Vec::new();
    loop {
        if let Some(address) = waiting.pop_front() {
            running.push((address, Box::pin(attempt(address))));
        } else if running.is_empty() {
            return Err(all_failed(failures));
        }
        let mut delay = pin!(sleep(ATTEMPT_DELAY));
        let more = !waiting.is_empty();
        let winner = poll_fn(|cx| {
            let mut at = 0;
            let mut failed = false;
            while at < running.len() {
                let (address, attempt) = &mut running[at];
                match attempt.as_mut().poll(cx) {
                    Poll::Ready(Ok(stream)) => return Poll::Ready(Some((stream, *address))),
                    Poll::Ready(Err(error)) => {
                        failures.push((*address, error));
                        running.swap_remove(at);
                        failed = true;
                    }
                    Poll::Pending => at += 1,
                }
            }
            // A failure starts the next attempt at once.
            if failed || (more && delay.as_mut().poll(cx).is_ready()) {
                return Poll::Ready(None);
            }
            Poll::Pending
        })
        .await;
        if let Some(winner) = winner {
            return Ok(winner);
        }
    }
}

/// RFC 8305 section 4: families alternate, beginning with that of the resolver's first address.
fn interleaved(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let Some(first) = addresses.first().map(SocketAddr::is_ipv6) else { return VecDeque::new() };
    let (preferred, other): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first);
    let mut other = other.into_iter();
    let mut order = VecDeque::new();
    for address in preferred {
        order.push_back(address);
        order.extend(other.next());
    }
    order.extend(other);
    order
}

/// The last error, with the text of all.
fn all_failed(failures: Vec<(SocketAddr, io::Error)>) -> io::Error {
    let Some((_, last)) = failures.last() else {
        return io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    };
    let kind = last.kind();
    let attempts: Vec<_> =
        failures.iter().map(|(address, error)| format!("{address}: {error}")).collect();
    io::Error::new(kind, attempts.join("; "))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::time::Instant;

    use super::*;

    const V6: &str = "[2001:db8::1]:993";
    const V6_B: &str = "[2001:db8::2]:993";
    const V4: &str = "192.0.2.1:993";
    const V4_B: &str = "192.0.2.2:993";

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// Runs a race in which every address answers after a time of its own, and tells when each was
    /// tried, in milliseconds.
    async fn run(
        script: &[(&str, u64, Result<(), io::ErrorKind>)],
    ) -> (io::Result<String>, Vec<(String, u128)>) {
        let start = Instant::now();
        let tried = Mutex::new(Vec::new());
        let texts: Vec<&str> = script.iter().map(|(text, ..)| *text).collect();
        let outcome = race(addresses(&texts), |address| {
            tried.lock().unwrap().push((address.to_string(), start.elapsed().as_millis()));
            let (_, after, outcome) =
                script.iter().find(|(text, ..)| *text == address.to_string()).unwrap();
            async move {
                sleep(Duration::from_millis(*after)).await;
                outcome.map_err(io::Error::from)
            }
        })
        .await;
        (outcome.map(|((), address)| address.to_string()), tried.into_inner().unwrap())
    }

    #[test]
    fn families_alternate_beginning_with_the_resolvers_first() {
        let order = interleaved(addresses(&[V6, V6_B, V4, V4_B]));
        assert_eq!(Vec::from(order), addresses(&[V6, V4, V6_B, V4_B]));
        let order = interleaved(addresses(&[V4, V6, V6_B]));
        assert_eq!(Vec::from(order), addresses(&[V4, V6, V6_B]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_delays_by_a_quarter_of_a_second_only() {
        let (winner, tried) = run(&[(V6, 60_000, Ok(())), (V4, 10, Ok(()))]).await;
        assert_eq!(winner.unwrap(), V4);
        assert_eq!(tried, [(V6.to_owned(), 0), (V4.to_owned(), 250)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_starts_the_next_attempt_at_once() {
        let refused = Err(io::ErrorKind::ConnectionRefused);
        let (winner, tried) = run(&[(V6, 5, refused), (V4, 10, Ok(()))]).await;
        assert_eq!(winner.unwrap(), V4);
        assert_eq!(tried, [(V6.to_owned(), 0), (V4.to_owned(), 5)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_first_address_still_wins_over_slower_ones() {
        let (winner, _) = run(&[(V6, 400, Ok(())), (V4, 9_000, Ok(()))]).await;
        assert_eq!(winner.unwrap(), V6);
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_fail_the_error_names_every_address() {
        let refused = Err(io::ErrorKind::ConnectionRefused);
        let (outcome, _) = run(&[(V6, 5, refused), (V4, 10, refused)]).await;
        let text = outcome.unwrap_err().to_string();
        assert!(text.contains(V6) && text.contains(V4), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_without_addresses_is_an_error() {
        let (outcome, _) = run(&[]).await;
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
