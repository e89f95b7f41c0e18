//! Times, for information only: ours over that of a hand-written floor on the same replay, the best
//! of a few runs each, in turn.
//!
//! A floor does what any client has to do to the octets, knows beforehand how the dialogue goes,
//! and checks nothing.

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mailbearer::{Protocol, SmtpClient};
use memchr::memmem;
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, ReadBuf,
};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::figure::Measured;
use crate::replay::{Player, Replay, after};
use crate::workloads::{self, imap, pop, smtp};
use crate::{said, single_threaded};

/// A message of 25 MiB sent by DATA.
pub(crate) fn smtp_body() -> Measured {
    let message = workloads::message(25 * 1024 * 1024);
    single_threaded(async {
        let (mut client, envelope) = (smtp::client().await?, smtp::envelope()?);
        let mut sink = Replay::new([], [after(b"\r\n.\r\n", "250 OK\r\n")]).stream();
        let mut times = Times::default();
        for _ in 0..RUNS {
            let sent = client.send(&envelope, &message);
            times
                .ours(async { sent.await.map(|receipt| _ = black_box(receipt)).map_err(said) })
                .await?;
            times.floor(stuffed(&message, &mut sink)).await?;
        }
        times.ratio()
    })
}

async fn stuffed(message: &[u8], sink: &mut Player) -> Result<(), String> {
    let mut buffer = Vec::with_capacity(64 * 1024);
    for chunk in message.chunks(32 * 1024) {
        buffer.clear();
        let mut copied = 0;
        for dot in memmem::find_iter(chunk, b"\n.") {
            buffer.extend_from_slice(&chunk[copied..=dot]);
            buffer.push(b'.');
            copied = dot + 1;
        }
        buffer.extend_from_slice(&chunk[copied..]);
        sink.write_all(&buffer).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Messages of 10 KiB sent a second by `send_all`, over TCP on this machine in clear text. The
/// server does no more than wait for the end of each flight.
pub(crate) fn smtp_messages() -> Measured {
    const MESSAGES: usize = 20_000;
    let runtime = networked()?;
    let mut most = 0.0_f64;
    for _ in 0..RUNS {
        let server = Server::start(&smtp::server_for_all(1, MESSAGES))?;
        let took = runtime.block_on(async {
            let connector = workloads::at(SmtpClient::builder, Protocol::Smtp, server.port);
            let mut client = connector.connect().await.map_err(said)?;
            let start = Instant::now();
            smtp::send_all(&mut client, 1, MESSAGES).await?;
            Ok::<_, String>(start.elapsed())
        })?;
        server.ended()?;
        most = most.max(MESSAGES as f64 / took.as_secs_f64());
    }
    Ok(most)
}

fn networked() -> Result<Runtime, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())
}

/// A thread that plays a replay to the first client that connects.
struct Server {
    port: u16,
    thread: JoinHandle<std::io::Result<()>>,
}

impl Server {
    fn start(replay: &Replay) -> Result<Self, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| e.to_string())?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        let replay = replay.stream();
        Ok(Self { port, thread: std::thread::spawn(move || serve(&listener, replay)) })
    }

    /// Waits until the client has closed.
    fn ended(self) -> Result<(), String> {
        let served = self.thread.join().map_err(|_| "the server panicked")?;
        served.map_err(|error| error.to_string())
    }
}

fn serve(listener: &TcpListener, mut replay: Player) -> std::io::Result<()> {
    let (mut socket, _) = listener.accept()?;
    socket.set_nodelay(true)?;
    let mut cx = Context::from_waker(Waker::noop());
    let (mut heard, mut said) = ([0; 64 * 1024], [0; 64 * 1024]);
    loop {
        let mut reply = ReadBuf::new(&mut said);
        while let Poll::Ready(played) = Pin::new(&mut replay).poll_read(&mut cx, &mut reply) {
            played?;
            socket.write_all(reply.filled())?;
            reply.clear();
        }
        match socket.read(&mut heard)? {
            0 => return Ok(()),
            octets => _ = Pin::new(&mut replay).poll_write(&mut cx, &heard[..octets])?,
        }
    }
}

/// 1,000 messages of 50 KiB by one FETCH. The floor reads over them.
pub(crate) fn imap_bodies() -> Measured {
    const MESSAGES: u64 = 1000;
    let response = imap::literal(50 * 1024);
    let server = imap::server(response.clone(), MESSAGES);
    let octets = MESSAGES as usize * response.len();
    let bare = Replay::new([], [after(b"", response).times(MESSAGES)]);
    compared(|| imap::bodies(server.clone(), 1, MESSAGES), || read_over(bare.stream(), octets))
}

/// The same over TCP on this machine, where to read costs what it does in life.
pub(crate) fn imap_bodies_over_tcp() -> Measured {
    const MESSAGES: u64 = 1000;
    let response = imap::literal(50 * 1024);
    let full = imap::server(response.clone(), MESSAGES);
    let octets = MESSAGES as usize * response.len();
    let bare = Replay::new([], [after(b"", response).times(MESSAGES)]);
    let runtime = networked()?;
    let mut times = Times::default();
    for _ in 0..RUNS {
        let server = Server::start(&full)?;
        runtime.block_on(times.ours(imap::bodies_at(server.port, MESSAGES)))?;
        server.ended()?;
        let server = Server::start(&bare)?;
        runtime.block_on(times.floor(async {
            let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).await;
            let read = read_over(socket.map_err(|error| error.to_string())?, octets).await;
            read.map_err(|error| error.to_string())
        }))?;
        server.ended()?;
    }
    times.ratio()
}

/// A message of 100 MiB, passed on as it comes. The floor reads over it.
pub(crate) fn imap_copied() -> Measured {
    const OCTETS: usize = 100 * 1024 * 1024;
    let response = imap::literal(OCTETS);
    let server = imap::server(response.clone(), 1);
    let octets = response.len();
    let bare = Replay::new([], [after(b"", response)]);
    compared(|| imap::copied(server.clone(), OCTETS), || read_over(bare.stream(), octets))
}

async fn read_over(mut stream: impl AsyncRead + Unpin, mut octets: usize) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    while octets > 0 {
        match stream.read(&mut buffer).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => octets -= read,
        }
        black_box(&buffer);
    }
    Ok(())
}

/// The metadata of 64,000 messages by one FETCH, every field looked at. The floor only finds the
/// lines.
pub(crate) fn imap_metadata() -> Measured {
    const MESSAGES: u64 = 64_000;
    compared(
        || imap::metadata(MESSAGES),
        || async {
            let said = imap::metadata_responses();
            let said = Replay::new([], [after(b"", said).times(MESSAGES / imap::BLOCK)]);
            let mut stream = BufReader::with_capacity(64 * 1024, said.stream());
            let mut line = Vec::new();
            for _ in 0..MESSAGES {
                line.clear();
                stream.read_until(b'\n', &mut line).await?;
                black_box(&line);
            }
            Ok(())
        },
    )
}

/// Responses with metadata read in a second, every field looked at.
pub(crate) fn imap_metadata_rate() -> Measured {
    const MESSAGES: u64 = 64_000;
    single_threaded(async {
        let mut times = Times::default();
        for _ in 0..RUNS {
            times.ours(imap::metadata(MESSAGES)).await?;
        }
        Ok(MESSAGES as f64 / times.ours.ok_or("no run")?.as_secs_f64())
    })
}

/// A message of 100 MiB by RETR. The floor knows how long it is and looks at nothing.
///
/// Much smaller and it would measure the allocator: below 32 MiB glibc hands the floor the pages
/// that its last run has touched, and to whoever lets a buffer grow, fresh ones.
pub(crate) fn pop_retr() -> Measured {
    let message = workloads::message(100 * 1024 * 1024);
    let server = pop::server(&message);
    let bare = Replay::new([], [after(b"", message.clone())]);
    compared(
        || pop::retr(server.clone(), 1),
        || async {
            let mut stream = bare.stream();
            let mut text = Vec::with_capacity(message.len() + 64);
            while text.len() < message.len() {
                stream.read_buf(&mut text).await?;
            }
            black_box(text);
            Ok(())
        },
    )
}

/// A message of 100 MiB, read as it comes. The floor looks for dots and passes on what is between
/// them.
pub(crate) fn pop_read() -> Measured {
    let server = pop::server(&workloads::message(100 * 1024 * 1024));
    let response = pop::stuffed(&workloads::message(100 * 1024 * 1024));
    let bare = Replay::new([], [after(b"", response.clone())]);
    compared(
        || pop::read(server.clone()),
        || async {
            let mut stream = bare.stream();
            let mut buffer = vec![0; 64 * 1024];
            let mut left = response.len();
            while left > 0 {
                let octets = stream.read(&mut buffer).await?;
                left -= octets;
                let mut passed = 0;
                for dot in memmem::find_iter(&buffer[..octets], b"\n.") {
                    black_box(&buffer[passed..=dot]);
                    passed = dot + 2;
                }
                black_box(&buffer[passed.min(octets)..octets]);
            }
            Ok(())
        },
    )
}

const RUNS: usize = 5;

fn compared<O, F>(ours: impl Fn() -> O, floor: impl Fn() -> F) -> Measured
where
    O: Future<Output = Result<(), String>>,
    F: Future<Output = std::io::Result<()>>,
{
    single_threaded(async {
        let mut times = Times::default();
        for _ in 0..RUNS {
            times.ours(ours()).await?;
            times.floor(async { floor().await.map_err(|error| error.to_string()) }).await?;
        }
        times.ratio()
    })
}

/// The shortest of several runs.
#[derive(Default)]
struct Times {
    ours: Option<Duration>,
    floor: Option<Duration>,
}

impl Times {
    async fn ours(&mut self, work: impl Future<Output = Result<(), String>>) -> Result<(), String> {
        timed(&mut self.ours, work).await
    }

    async fn floor(
        &mut self,
        work: impl Future<Output = Result<(), String>>,
    ) -> Result<(), String> {
        timed(&mut self.floor, work).await
    }

    fn ratio(&self) -> Measured {
        let times = self.ours.zip(self.floor).ok_or("no run")?;
        Ok(times.0.as_secs_f64() / times.1.as_secs_f64())
    }
}

async fn timed(
    shortest: &mut Option<Duration>,
    work: impl Future<Output = Result<(), String>>,
) -> Result<(), String> {
    let start = Instant::now();
    work.await?;
    let took = start.elapsed();
    *shortest = Some(shortest.map_or(took, |shortest| shortest.min(took)));
    Ok(())
}
