//! The ports, and the tasks behind them.
//!
//! Every task hangs in a [`JoinSet`] that the task above it owns, up to the one in the
//! [`Server`](super::Server), so dropping that one ends them all.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::fault::Fault;
use super::line_io::Wire;
use super::world::World;
use super::{imap, pop, smtp};
use crate::endpoint::{Protocol, Security};

/// How many connections one port serves at a time; more wait to be accepted.
const CONNECTION_LIMIT: usize = 256;

const PORTS: [(Protocol, Security); 6] = [
    (Protocol::Smtp, Security::StartTls),
    (Protocol::Smtp, Security::ImplicitTls),
    (Protocol::Imap, Security::ImplicitTls),
    (Protocol::Imap, Security::StartTls),
    (Protocol::Pop, Security::ImplicitTls),
    (Protocol::Pop, Security::StartTls),
];

/// The open ports.
pub(super) struct Listeners {
    ports: Vec<(Protocol, Security, u16)>,
    tasks: JoinSet<()>,
    /// Yields `None` when the last connection task has gone.
    gone: mpsc::Receiver<()>,
}

impl Listeners {
    pub(super) async fn open(world: &Arc<World>) -> io::Result<Self> {
        let (alive, gone) = mpsc::channel(1);
        let mut listeners = Self { ports: Vec::new(), tasks: JoinSet::new(), gone };
        for (protocol, security) in PORTS {
            let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            listeners.ports.push((protocol, security, socket.local_addr()?.port()));
            let port = Port { world: Arc::clone(world), protocol, security, alive: alive.clone() };
            listeners.tasks.spawn(port.accept(socket));
        }
        Ok(listeners)
    }

    pub(super) fn port(&self, protocol: Protocol, security: Security) -> u16 {
        let mut ports = self.ports.iter();
        let found = ports.find(|(of, by, _)| (*of, *by) == (protocol, security));
        found.map_or(0, |(_, _, port)| *port)
    }

    pub(super) async fn close(mut self) {
        self.tasks.shutdown().await;
        while self.gone.recv().await.is_some() {}
    }
}

struct Port {
    world: Arc<World>,
    protocol: Protocol,
    security: Security,
    alive: mpsc::Sender<()>,
}

impl Port {
    async fn accept(self, socket: TcpListener) {
        let mut connections = JoinSet::new();
        for number in 1_u64.. {
            while connections.try_join_next().is_some() {}
            if connections.len() >= CONNECTION_LIMIT {
                connections.join_next().await;
            }
            // An error here is that of a client which went away, or a lack of descriptors, which
            // the end of another connection mends.
            let Ok((stream, _)) = socket.accept().await else {
                if connections.join_next().await.is_none() {
                    tokio::task::yield_now().await;
                }
                continue;
            };
            let label = format!("{}-{number}", self.protocol.name());
            let (world, alive) = (Arc::clone(&self.world), self.alive.clone());
            let (protocol, security) = (self.protocol, self.security);
            connections.spawn(async move {
                // A client may go whenever it likes.
                let _ = serve(world, protocol, security, stream, label).await;
                drop(alive);
            });
        }
    }
}

async fn serve(
    world: Arc<World>,
    protocol: Protocol,
    security: Security,
    stream: TcpStream,
    label: String,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut wire = Wire::new(Box::new(stream), label, world.transcript.clone());
    if world.strikes(&Fault::ClosedBeforeGreeting) {
        return Ok(());
    }
    if world.strikes(&Fault::Silence) {
        // Until the client has gone.
        loop {
            wire.line().await?;
        }
    }
    let secure = match security {
        Security::ImplicitTls => !world.strikes(&Fault::ClearTextWhereTls),
        _ => world.strikes(&Fault::TlsWhereClearText),
    };
    if secure {
        wire.start_tls(&world.acceptor()?).await?;
    }
    if world.strikes(&Fault::GreetingRefused) {
        let refusal = match protocol {
            Protocol::Smtp => "421 4.3.2 Service not available",
            Protocol::Imap => "* BYE [UNAVAILABLE] Service not available.",
            Protocol::Pop => "-ERR [SYS/TEMP] Service not available.",
        };
        wire.reply(refusal).await?;
        wire.close().await;
        return Ok(());
    }
    match protocol {
        Protocol::Smtp => smtp::serve(world, wire, secure).await,
        Protocol::Imap => imap::serve(world, wire, secure).await,
        Protocol::Pop => pop::serve(world, wire, secure).await,
    }
}
