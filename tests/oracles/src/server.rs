//! A client in front of a server that says what it is told.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;

use imap_codec::ResponseCodec;
use imap_codec::encode::Encoder;
use imap_types::response::{Data, Response};
use mailbearer::net::{Connection, Dial};
use mailbearer::{Auth, BoxFuture, Endpoint, ImapClient, Protocol, danger};
use proptest::prelude::ProptestConfig;
use proptest::test_runner::{TestCaseError, TestRunner};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

/// Made-up responses for each test.
const CASES: u32 = 1000;

/// Runs a test on made-up values.
pub(crate) fn check<S: proptest::strategy::Strategy>(
    strategy: S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..Default::default() };
    TestRunner::new(config).run(&strategy, test).unwrap_or_else(|error| panic!("{error}"));
}

/// The octets of untagged data.
pub(crate) fn encoded(data: Data<'_>) -> Vec<u8> {
    ResponseCodec::default().encode(&Response::Data(data)).dump()
}

/// A client with a mailbox selected, and the line to its server.
pub(crate) struct Fed {
    runtime: Runtime,
    pub(crate) client: ImapClient,
    answers: mpsc::UnboundedSender<Vec<u8>>,
}

impl Fed {
    pub(crate) fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let (answers, told) = mpsc::unbounded_channel();
        let (ours, theirs) = duplex(1 << 20);
        runtime.spawn(serve(theirs, told));
        let local = danger::plaintext_on_loopback();
        let client = runtime.block_on(async {
            let mut client =
                ImapClient::builder(Endpoint::new(Protocol::Imap, "127.0.0.1", 143, local))
                    .auth(Auth::plain("user", "password"))
                    .dial(Once(Mutex::new(Some(ours))))
                    .connect()
                    .await
                    .expect("connected");
            client.select("INBOX").await.expect("selected");
            client
        });
        Self { runtime, client, answers }
    }

    /// Answers the next command by `untagged` and the tagged line `condition`.
    pub(crate) fn answer(&self, untagged: &[u8], condition: &str) {
        let answer = [untagged, b"TAG ", condition.as_bytes(), b"\r\n"].concat();
        self.answers.send(answer).expect("the server listens");
    }

    /// Runs one command on the client.
    pub(crate) fn run<'a, T, F>(&'a mut self, command: impl FnOnce(&'a mut ImapClient) -> F) -> T
    where
        F: Future<Output = T> + 'a,
    {
        self.runtime.block_on(command(&mut self.client))
    }
}

async fn serve(stream: DuplexStream, mut answers: mpsc::UnboundedReceiver<Vec<u8>>) {
    let mut stream = BufReader::new(stream);
    let greeting = b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n";
    stream.write_all(greeting).await.expect("the client listens");
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|octets| octets > 0) {
        let (tag, command) = line.split_once(' ').expect("a tag");
        let answer = match command.split_whitespace().next() {
            Some("AUTHENTICATE") => b"TAG OK [CAPABILITY IMAP4rev1 ESEARCH] in\r\n".to_vec(),
            // So many that every number is one of a message.
            Some("SELECT") => b"* 4294967295 EXISTS\r\nTAG OK [READ-WRITE] open\r\n".to_vec(),
            _ => answers.recv().await.expect("an answer"),
        };
        let at = answer.windows(4).rposition(|four| four == b"TAG ").expect("a place for the tag");
        let answer = [&answer[..at], tag.as_bytes(), &answer[at + 3..]].concat();
        stream.write_all(&answer).await.expect("the client listens");
        line.clear();
    }
}

/// Gives out one connection, in memory; the loopback address is what lets it go without TLS.
struct Once(Mutex<Option<DuplexStream>>);

impl Dial for Once {
    fn dial<'a>(&'a self, _: &'a str, port: u16) -> BoxFuture<'a, io::Result<Connection>> {
        let stream = self.0.lock().expect("no panic").take().expect("one connection is enough");
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Box::pin(async move { Ok(Connection::new(stream).with_peer(peer)) })
    }
}
