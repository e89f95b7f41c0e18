//! A sign-in that several machines share: its tokens lie in Redis.
//!
//! [`store`] is what to copy. The program shows that it keeps its promises. Processes that count in
//! one stored set, with nothing but compare-and-set between them, lose no step. Processes that renew
//! all the time, against a server that gives another refresh token with each answer, never use one
//! twice and lose none. `./test.sh` starts a Redis of its own for it.
//!
//! ```sh
//! cargo run -- redis://127.0.0.1:6379
//! ```

mod server;
mod store;

use std::error::Error;
use std::io::{BufRead, BufReader, Read, stdin};
use std::process::{Command, Stdio};
use std::time::Duration;

use mailbearer::token::store::{Conflict, Stored, TokenSet, TokenStore};
use mailbearer::token::{RefreshToken, TokenRequest};
use mailbearer::{Endpoint, TokenProvider};

use server::Server;
use store::RedisStore;

const PROCESSES: usize = 6;
const RENEWALS: usize = 25;
const STEPS: usize = 50;

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [redis] => {
            prove_compare_and_set(redis).await?;
            prove_renewals(redis).await
        }
        [redis, "count", key] => count(redis, key).await,
        [redis, "die-with-the-lock", key] => die_with_the_lock(redis, key).await,
        [redis, "renew", key, token_url] => renew(redis, key, token_url).await,
        _ => Err("usage: with-redis redis://HOST:PORT".into()),
    }
}

async fn prove_compare_and_set(redis: &str) -> Outcome {
    let store = RedisStore::new(redis)?;
    let key = format!("{}-counts", std::process::id());
    let first = TokenSet::default().with_refresh_token("0");
    let revision = store.store_if(&key, &first, None).await??;
    ensure(store.store_if(&key, &first, None).await? == Err(Conflict), "it was written over")?;

    let program = std::env::current_exe()?;
    let processes =
        (0..PROCESSES).map(|_| Command::new(&program).args([redis, "count", &key]).spawn());
    for mut process in processes.collect::<Result<Vec<_>, _>>()? {
        ensure(process.wait()?.success(), "a process could not count")?;
    }

    let stored = store.load(&key).await?.ok_or("nothing is stored")?;
    println!("{PROCESSES} processes counted to {:?}", stored.tokens().refresh_token());
    let all = (PROCESSES * STEPS).to_string();
    ensure(stored.tokens().refresh_token() == Some(&all), "a step is lost")?;
    let late = store.store_if(&key, &first, Some(revision)).await?;
    ensure(late == Err(Conflict), "an old revision was taken for the last")
}

/// Adds one to what is stored, again and again, and without the lock.
async fn count(redis: &str, key: &str) -> Outcome {
    let store = RedisStore::new(redis)?;
    for _ in 0..STEPS {
        loop {
            let stored = store.load(key).await?.ok_or("nothing is stored")?;
            let (reached, since) = (number(&stored)?, stored.revision());
            let next = TokenSet::default().with_refresh_token((reached + 1).to_string());
            if store.store_if(key, &next, Some(since)).await?.is_ok() {
                break;
            }
        }
    }
    Ok(())
}

fn number(stored: &Stored) -> Result<usize, Box<dyn Error>> {
    Ok(stored.tokens().refresh_token().ok_or("no number")?.parse()?)
}

async fn prove_renewals(redis: &str) -> Outcome {
    let server = Server::start()?;
    // Not that of an earlier run.
    let key = format!("{}@{}", std::process::id(), server.address);
    let token_url = format!("http://{}/token", server.address);
    let program = std::env::current_exe()?;

    let died = Command::new(&program).args([redis, "die-with-the-lock", &key]).status()?;
    ensure(died.success(), "the first process could not take the lock")?;
    let processes = (0..PROCESSES).map(|_| {
        let mut process = Command::new(&program);
        process.args([redis, "renew", &key, &token_url]);
        process.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    });
    let mut processes = processes.collect::<Result<Vec<_>, _>>()?;
    for process in &mut processes {
        let mut done = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut done)?;
    }
    for mut process in processes {
        // Waiting closes its input, and it ends.
        ensure(process.wait()?.success(), "a process could not renew")?;
    }

    let count = server.count();
    let stored = RedisStore::new(redis)?.load(&key).await?.ok_or("nothing is stored")?;
    println!("{PROCESSES} processes: {count:?}, stored: {:?}", stored.revision());
    ensure(count.rotated == PROCESSES * RENEWALS, "some did not renew")?;
    ensure(count.reused == 0, "a refresh token was used twice")?;
    let last = format!("r{}", count.rotated);
    ensure(stored.tokens().refresh_token() == Some(&last), "the last refresh token is lost")
}

/// Ends with the lock held, as a program that is killed does: the others have to wait it out.
async fn die_with_the_lock(redis: &str, key: &str) -> Outcome {
    let store = RedisStore::new(redis)?.lease(Duration::from_secs(1));
    let _lock = store.lock(key).await?;
    std::process::exit(0)
}

async fn renew(redis: &str, key: &str, token_url: &str) -> Outcome {
    let tokens = RefreshToken::builder(token_url, "demo", "r0")
        .scope("mail")
        .store(RedisStore::new(redis)?, key)
        .build()?;
    let request = TokenRequest::new(Endpoint::imap("mail.example.net"), "alice@example.net");
    for _ in 0..RENEWALS {
        tokens.token(&request).await?;
    }
    println!("done");
    // The last lock is given back in the background, and the others need not wait for it to expire.
    stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn ensure(good: bool, otherwise: &str) -> Outcome {
    if good { Ok(()) } else { Err(otherwise.into()) }
}
