//! The scripted server: plays one side of a transcript and compares the other.

use std::cell::Cell;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tokio_rustls::server::TlsStream;

use super::script::{Ending, Step, Transcript};
use crate::support::dial::Listener;
use crate::support::tls;

/// Where in a transcript something happens: after `offset` octets of the server flight at `step`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) step: usize,
    pub(crate) offset: usize,
}

/// How a transcript is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Each flight in one write.
    Whole,
    /// The server's octets one by one.
    Bytes,
    /// The server closes the connection there.
    Eof(Cut),
    /// The client's future is dropped there.
    Drop(Cut),
}

impl Mode {
    /// Where it differs from the transcript.
    pub(crate) fn cut(self) -> Option<Cut> {
        match self {
            Self::Eof(cut) | Self::Drop(cut) => Some(cut),
            Self::Whole | Self::Bytes => None,
        }
    }
}

/// What the server does for a client whose future was dropped: it answers the commands that a
/// client needs to get the connection back to rest, and the one that shows that it did.
pub(crate) trait Aftermath {
    /// The answer to `line`, given the last line before the drop; `None` if nothing but a
    /// confused client says that.
    fn answer(&self, line: &str, last: &str) -> Option<String>;
}

/// What became of the script.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Played {
    /// To its end, and then the client closed the connection without another word.
    ToTheEnd,
    /// To the cut.
    ToTheCut,
    /// The client closed the connection before step `.0`, of which it had done `.1`.
    ClientLeft(usize, String),
}

/// Time in which a client that has anything to do would do it. The clock is paused and moves on
/// only when every task waits, so this is "until the client is idle", not a wait.
const IDLE: Duration = Duration::from_millis(1);

/// Plays `transcript`. `dropping` is told when the client's future is to be dropped; `done` tells
/// that the client has its result.
pub(crate) async fn serve(
    transcript: &Transcript,
    mode: Mode,
    mut listener: Listener,
    dropping: oneshot::Sender<()>,
    aftermath: &dyn Aftermath,
    done: &Cell<bool>,
) -> Result<Played, String> {
    let mut connection = Connection::None;
    let mut last_line = Vec::new();
    for (at, step) in transcript.steps.iter().enumerate() {
        let left = |done: String| Ok(Played::ClientLeft(at, done));
        let cut = mode.cut().filter(|cut| cut.step == at).map(|cut| cut.offset);
        match step {
            Step::Dial => {
                if !matches!(connection, Connection::None) && connection.rest().await?.is_some() {
                    return Err("the client said more before it dialled again".into());
                }
                match listener.recv().await {
                    Some(pipe) => connection = Connection::Clear(pipe),
                    None => return left("did not dial".into()),
                }
            }
            Step::Tls if cut.is_some() => {
                drop(connection);
                listener.close();
                return Ok(Played::ToTheCut);
            }
            Step::Tls => match connection.handshake().await {
                Ok(protected) => connection = protected,
                Err(error) => return left(format!("TLS: {error}")),
            },
            Step::Client(flight) => {
                last_line = flight.clone();
                if let Some(done) = connection.expect(flight).await? {
                    return left(done);
                }
            }
            Step::Server(flight) if cut.is_some() => {
                let offset = cut.unwrap_or_default();
                connection.write(&flight[..offset]).await;
                if matches!(mode, Mode::Eof(_)) {
                    drop(connection);
                    // Whoever dials now finds nobody.
                    listener.close();
                    return Ok(Played::ToTheCut);
                }
                sleep(IDLE).await;
                if dropping.send(()).is_err() {
                    return left("finished before the cut".into());
                }
                sleep(IDLE).await;
                connection.write(&flight[offset..]).await;
                if transcript.steps.get(at + 1) == Some(&Step::Eof) {
                    connection.close().await;
                    return Ok(Played::ToTheCut);
                }
                let last = String::from_utf8_lossy(&last_line).into_owned();
                match connection.answer_all(&last, aftermath).await {
                    Err(_) if !transcript.alternatives.is_empty() => {}
                    answered => answered?,
                }
                return Ok(Played::ToTheCut);
            }
            Step::Server(flight) if mode == Mode::Bytes => {
                for (sent, octet) in flight.iter().enumerate() {
                    if done.get() && transcript.ending == Ending::Ok {
                        let unread = lossy(&flight[sent..]);
                        return Err(format!("the client did not wait for {unread:?}"));
                    }
                    connection.write(&[*octet]).await;
                    // Lets the client see each octet alone.
                    tokio::task::yield_now().await;
                    tokio::task::yield_now().await;
                }
            }
            Step::Server(flight) => connection.write(flight).await,
            Step::Pause => sleep(IDLE).await,
            Step::Eof => {
                connection.close().await;
                connection = Connection::None;
            }
        }
    }
    match connection.rest().await? {
        // Who reads an answer before the octets that make it a trap goes on for a moment.
        Some(_) if mode != Mode::Whole && !transcript.alternatives.is_empty() => {
            Ok(Played::ToTheEnd)
        }
        None => Ok(Played::ToTheEnd),
        Some(said) => Err(format!("after the end of the transcript the client said {said:?}")),
    }
}

enum Connection {
    None,
    Clear(DuplexStream),
    Tls(Box<TlsStream<DuplexStream>>),
}

impl Connection {
    async fn handshake(self) -> Result<Self, String> {
        let Self::Clear(pipe) = self else { return Err("there is no clear connection".into()) };
        let stream = tls::acceptor().accept(pipe).await.map_err(|error| error.to_string())?;
        Ok(Self::Tls(Box::new(stream)))
    }

    /// Reads `flight`, octet by octet the same, and makes sure that no more comes before it is
    /// answered. `Some` if the client closed the connection instead.
    async fn expect(&mut self, flight: &[u8]) -> Result<Option<String>, String> {
        let mut got = Vec::new();
        while got.len() < flight.len() {
            let mut buffer = [0; 4096];
            let room = (flight.len() - got.len()).min(buffer.len());
            match self.read(&mut buffer[..room]).await {
                0 => return Ok(Some(format!("sent {:?} and closed", lossy(&got)))),
                octets => got.extend_from_slice(&buffer[..octets]),
            }
            if !flight.starts_with(&got) {
                // What else there is of the line helps to see what went wrong.
                while let Ok(octets @ 1..) = timeout(IDLE, self.read(&mut buffer)).await {
                    got.extend_from_slice(&buffer[..octets]);
                }
                let (want, got) = (lossy(flight), lossy(&got));
                return Err(format!("the client should say\n  {want:?}\nand said\n  {got:?}"));
            }
        }
        let mut more = [0; 256];
        match timeout(IDLE, self.read(&mut more)).await {
            Ok(octets @ 1..) => Err(format!(
                "after {:?} the client said {:?} before it was answered",
                lossy(flight),
                lossy(&more[..octets])
            )),
            _ => Ok(None),
        }
    }

    /// Reads lines and answers them until the client closes.
    async fn answer_all(&mut self, last: &str, aftermath: &dyn Aftermath) -> Result<(), String> {
        let mut said = Vec::new();
        loop {
            let mut buffer = [0; 1024];
            match self.read(&mut buffer).await {
                0 if said.is_empty() => return Ok(()),
                0 => return Err(format!("after the drop: half a line {:?}", lossy(&said))),
                octets => said.extend_from_slice(&buffer[..octets]),
            }
            while let Some(end) = said.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = said.drain(..end + 2).collect();
                let line = lossy(&line[..end]);
                let answer = aftermath
                    .answer(&line, last)
                    .ok_or_else(|| format!("after the drop the client said {line:?}"))?;
                self.write(answer.as_bytes()).await;
            }
        }
    }

    /// What the client says until it closes, if anything.
    async fn rest(&mut self) -> Result<Option<String>, String> {
        let mut rest = Vec::new();
        let mut buffer = [0; 1024];
        loop {
            match self.read(&mut buffer).await {
                0 => return Ok((!rest.is_empty()).then(|| lossy(&rest))),
                octets => rest.extend_from_slice(&buffer[..octets]),
            }
        }
    }

    /// An error of the pipe is an end of it: the client is gone either way.
    async fn read(&mut self, buffer: &mut [u8]) -> usize {
        match self {
            Self::None => 0,
            Self::Clear(pipe) => pipe.read(buffer).await.unwrap_or(0),
            Self::Tls(stream) => stream.read(buffer).await.unwrap_or(0),
        }
    }

    /// A client that is gone does not mind.
    async fn write(&mut self, octets: &[u8]) {
        let _ = match self {
            Self::None => Ok(()),
            Self::Clear(pipe) => pipe.write_all(octets).await,
            Self::Tls(stream) => match stream.write_all(octets).await {
                Ok(()) => stream.flush().await,
                error => error,
            },
        };
    }

    async fn close(&mut self) {
        let _ = match self {
            Self::None => Ok(()),
            Self::Clear(pipe) => pipe.shutdown().await,
            Self::Tls(stream) => stream.shutdown().await,
        };
    }
}

fn lossy(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}
