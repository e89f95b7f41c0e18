//! The store.

use std::time::Duration;

use mailbearer::BoxFuture;
use mailbearer::token::store::{Conflict, Revision, StoreError, Stored, TokenSet, TokenStore};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, RedisResult, Script, cmd};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

/// Tokens in Redis.
///
/// The tokens lie there in clear, so the server must be private, or [`TokenSet::to_json`] be
/// encrypted on its way. Redis answers before it has written to disk unless `appendfsync` is
/// `always`; a failure in between loses the refresh token, and somebody has to sign in again.
#[derive(Clone)]
pub struct RedisStore {
    client: Client,
    lease: Duration,
}

impl RedisStore {
    /// Longer than a renewal may take: then only a program that died loses its lock by time.
    const LEASE: Duration = Duration::from_secs(60);

    pub fn new(url: &str) -> RedisResult<Self> {
        Ok(Self { client: Client::open(url)?, lease: Self::LEASE })
    }

    /// How long a lock outlives a program that did not give it back.
    pub fn lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    /// A connection for each use. One that is kept is served by a task of the runtime that opened
    /// it, and the store is used on several; and tokens are renewed no more than once an hour.
    async fn connect(&self) -> Result<MultiplexedConnection, StoreError> {
        const PATIENCE: Option<Duration> = Some(Duration::from_secs(10));
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(PATIENCE)
            .set_response_timeout(PATIENCE);
        let connection = self.client.get_multiplexed_async_connection_with_config(&config);
        connection.await.map_err(failed)
    }

    async fn wait_for_lock(&self, key: &str) -> Result<Lock, StoreError> {
        let mut connection = self.connect().await?;
        // Nobody else's, so that a lock is given back by its owner alone.
        let ticket = cmd("INCR").arg(name(key, "tickets")).query_async(&mut connection).await;
        let ticket: u64 = ticket.map_err(failed)?;
        // From here on, whoever drops the future gives back what it may have taken.
        let lock = Lock { name: name(key, "lock"), ticket, connection: connection.clone() };
        let mut take = cmd("SET");
        take.arg(&lock.name).arg(ticket).arg("NX").arg("PX").arg(self.lease.as_millis() as u64);
        let patience = Instant::now() + Self::LEASE;
        loop {
            let taken: Option<String> = take.query_async(&mut connection).await.map_err(failed)?;
            if taken.is_some() {
                return Ok(lock);
            }
            if Instant::now() >= patience {
                return Err(StoreError::later("another program holds the lock of the tokens"));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl TokenStore for RedisStore {
    fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        Box::pin(async move {
            let mut connection = self.connect().await?;
            let row = cmd("HMGET").arg(name(key, "set")).arg(&["revision", "tokens"]).to_owned();
            let row = row.query_async(&mut connection).await.map_err(failed)?;
            let (Some(revision), Some(json)): (Option<u64>, Option<String>) = row else {
                return Ok(None);
            };
            Ok(Some(Stored::new(TokenSet::from_json(&json)?, Revision::new(revision))))
        })
    }

    fn store_if<'a>(
        &'a self,
        key: &'a str,
        tokens: &'a TokenSet,
        unless_changed_since: Option<Revision>,
    ) -> BoxFuture<'a, Result<Result<Revision, Conflict>, StoreError>> {
        // Redis runs a script as one step. The counter is a key of its own: it goes on counting
        // after the set has been deleted.
        const SCRIPT: &str = "
            local there = redis.call('HGET', KEYS[1], 'revision')
            if (there or '') ~= ARGV[1] then return false end
            local revision = redis.call('INCR', KEYS[2])
            redis.call('HSET', KEYS[1], 'revision', revision, 'tokens', ARGV[2])
            return revision";
        Box::pin(async move {
            let mut connection = self.connect().await?;
            let expected = unless_changed_since.map(|revision| revision.number().to_string());
            let script = Script::new(SCRIPT);
            let mut stored = script.key(name(key, "set"));
            stored.key(name(key, "revisions")).arg(expected.unwrap_or_default());
            let stored = stored.arg(tokens.to_json()).invoke_async(&mut connection).await;
            let revision: Option<u64> = stored.map_err(failed)?;
            Ok(revision.map(Revision::new).ok_or(Conflict))
        })
    }

    fn lock<'a>(
        &'a self,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Box<dyn Send + Sync>>, StoreError>> {
        Box::pin(async move {
            let lock = self.wait_for_lock(key).await?;
            Ok(Some(Box::new(lock) as Box<dyn Send + Sync>))
        })
    }
}

/// Given back when it is dropped; left to expire where no runtime is left to do that.
struct Lock {
    name: String,
    ticket: u64,
    /// The one it was taken by, so that giving back comes after taking.
    connection: MultiplexedConnection,
}

impl Drop for Lock {
    fn drop(&mut self) {
        const SCRIPT: &str = "
            if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
            return redis.call('DEL', KEYS[1])";
        let Ok(runtime) = Handle::try_current() else { return };
        let (name, ticket) = (std::mem::take(&mut self.name), self.ticket);
        let mut connection = self.connection.clone();
        runtime.spawn(async move {
            let script = Script::new(SCRIPT);
            let given_back = script.key(name).arg(ticket).invoke_async(&mut connection).await;
            let _: RedisResult<u64> = given_back;
        });
    }
}

fn name(key: &str, what: &str) -> String {
    format!("mail-tokens:{key}:{what}")
}

fn failed(error: RedisError) -> StoreError {
    match error.kind() {
        ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig => {
            StoreError::never(error)
        }
        _ => StoreError::later(error),
    }
}
