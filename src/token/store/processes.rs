//! Many processes that share one store.
//!
//! The processes are this test binary, run again: a variable of the environment tells it that it
//! is one of them, and where the server and the store are.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::renew::{Refresh, Renewing};
use super::scratch::Scratch;
use super::{FileStore, StoreError, TokenSet, TokenStore};
use crate::token::{AccessToken, TokenError, TokenRequest};
use crate::{BoxFuture, Endpoint};

const PROCESSES: usize = 16;
const ROTATIONS: usize = 1000;
const CHILD: &str = "MAILBEARER_TEST_RENEWING_CHILD";

/// Rotates the refresh token at each use, as a line over TCP: the old one in, the new one out. The
/// use of an old one is counted, since a real server would revoke the sign-in.
struct Server {
    listener: TcpListener,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    current: usize,
    reused: usize,
}

impl Server {
    fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Arc::new(Self { listener, state: Mutex::default() });
        let accepting = server.clone();
        // Ends with the test's process.
        std::thread::spawn(move || {
            while let Ok((connection, _)) = accepting.listener.accept() {
                let server = accepting.clone();
                std::thread::spawn(move || server.answer(connection));
            }
        });
        server
    }

    fn answer(&self, connection: TcpStream) {
        let mut line = String::new();
        let mut reader = BufReader::new(&connection);
        if reader.read_line(&mut line).is_err() {
            return;
        }
        let answer = {
            let mut state = self.state.lock().unwrap();
            if line.trim_end() == format!("r{}", state.current) {
                state.current += 1;
                format!("r{}\n", state.current)
            } else {
                state.reused += 1;
                "invalid_grant\n".to_owned()
            }
        };
        let _ = (&connection).write_all(answer.as_bytes());
    }
}

/// Asks the server of the parent process.
struct Grant {
    server: String,
}

impl Refresh for Grant {
    fn refresh<'a>(
        &'a self,
        old: &'a TokenSet,
        scope: &'a str,
    ) -> BoxFuture<'a, Result<TokenSet, TokenError>> {
        Box::pin(async move {
            let mut connection = TcpStream::connect(&self.server).map_err(TokenError::later)?;
            let spent = old.refresh_token().ok_or_else(|| TokenError::never("not signed in"))?;
            writeln!(connection, "{spent}").map_err(TokenError::later)?;
            let mut answer = String::new();
            BufReader::new(connection).read_line(&mut answer).map_err(TokenError::later)?;
            let refresh_token = answer.trim_end();
            if !refresh_token.starts_with('r') {
                return Err(TokenError::administrator("invalid_grant"));
            }
            let token = AccessToken::new(format!("a{refresh_token}"));
            let lives = token.with_lifetime(Duration::from_secs(60));
            Ok(old.clone().with_refresh_token(refresh_token).with_access_token(scope, lives))
        })
    }

    fn was_spent(&self, error: &TokenError) -> bool {
        error.cause().to_string() == "invalid_grant"
    }

    fn not_stored(&self, error: &StoreError) {
        panic!("{error}");
    }
}

/// No test of its own: a part of the next one.
#[test]
fn one_process_of_many() {
    let Ok(what) = std::env::var(CHILD) else { return };
    let mut words = what.split_whitespace();
    let server = words.next().unwrap().to_owned();
    let times: usize = words.next().unwrap().parse().unwrap();
    let store = Arc::new(FileStore::new(words.next().unwrap()));
    let tokens = Renewing::new(Grant { server }, store, "shared sign-in");
    // Longer than any token lives here: each call renews.
    let request = TokenRequest::new(Endpoint::imap("mail.example.net"), "m")
        .with_min_lifetime(Duration::from_secs(3600));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for _ in 0..times {
            tokens.token("imap", &request).await.unwrap();
        }
    });
}

#[test]
fn sixteen_processes_that_renew_one_sign_in_lose_no_token() {
    let scratch = Scratch::new();
    let server = Server::start();
    let store = FileStore::new(scratch.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = TokenSet::default().with_refresh_token("r0");
    runtime.block_on(store.store_if("shared sign-in", &first, None)).unwrap().unwrap();

    let address = server.listener.local_addr().unwrap();
    let children: Vec<_> = (0..PROCESSES)
        .map(|number| {
            let times = ROTATIONS / PROCESSES + usize::from(number < ROTATIONS % PROCESSES);
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "token::store::processes::one_process_of_many", "--nocapture"])
                .env(CHILD, format!("{address} {times} {}", scratch.path().display()))
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    let state = server.state.lock().unwrap();
    assert_eq!((state.current, state.reused), (ROTATIONS, 0));
    let stored = runtime.block_on(store.load("shared sign-in")).unwrap().unwrap();
    assert_eq!(stored.tokens().refresh_token(), Some(format!("r{ROTATIONS}").as_str()));
    let damaged = std::fs::read_dir(scratch.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("damaged"));
    assert_eq!(damaged.count(), 0);
}
