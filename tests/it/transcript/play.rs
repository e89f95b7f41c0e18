//! Plays one transcript in one mode and says what was wrong, if anything.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::time::Duration;

use mailbearer::token::{TokenError, from_fn_with};
use mailbearer::wirelog::Recorder;
use mailbearer::{AccessToken, Auth, Challenge, Client, Connector, Endpoint, Failure};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::endpoint::endpoint;
use super::script::{Call, Ending, Expected, Step, Transcript};
use super::server::{Aftermath, Cut, Mode, Played, serve};
use super::trace::{SILENT, Trace};
use crate::support::dial::{PipeDial, pipe};
use crate::support::tls;

/// What a transcript needs of one of the three clients.
pub(crate) trait Session: Sized {
    type Error: Failure;
    type Client: Client<Error = Self::Error>;

    fn connector(endpoint: Endpoint) -> Connector<Self::Client>;

    fn of(client: Self::Client) -> Self;

    /// Carries out one call and prints what it gave. A call that ends the session takes it.
    async fn call(session: &mut Option<Self>, call: &Call) -> Result<String, Self::Error>;

    /// A command whose answer from [`Aftermath`] cannot be mistaken for another's: whether it got
    /// its own.
    async fn probe(&mut self) -> Result<bool, Self::Error>;

    fn aftermath() -> &'static dyn Aftermath;

    fn challenge(error: &Self::Error) -> Option<&Challenge>;
}

/// What is known of an error.
struct Seen {
    variant: String,
    usable: bool,
    fields: Vec<(&'static str, String)>,
    /// All the ways in which it can be printed.
    printed: String,
}

impl Seen {
    fn new<S: Session>(error: &S::Error) -> Self {
        let debug = format!("{error:?}");
        let variant = debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        let reply = error.reply_text().unwrap_or_default().into_owned();
        let challenge = S::challenge(error).map(Challenge::text).unwrap_or_default();
        Self {
            variant: variant.to_owned(),
            usable: error.connection_usable(),
            fields: vec![
                ("stage", error.stage().to_string()),
                ("retry", format!("{:?}", error.retry())),
                ("usable", error.connection_usable().to_string()),
                ("message", error.to_string()),
                ("reply", reply.clone()),
                ("challenge", challenge.to_owned()),
            ],
            printed: format!("{debug} {error} {reply} {challenge}"),
        }
    }

    fn is(&self, expected: &Expected) -> bool {
        self.variant == expected.variant
            && expected.fields.iter().all(|(key, value)| {
                self.fields.iter().any(|(name, seen)| name == key && seen.trim_end() == value)
            })
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.variant)?;
        self.fields.iter().try_for_each(|(key, value)| write!(f, " {key}={value:?}"))
    }
}

/// How the user's side ended.
enum Outcome {
    /// All calls succeeded.
    Ok,
    /// Connecting or a call failed.
    Failed(Seen),
    /// A call gave something else than stated.
    Wrong(String),
    /// The future of connecting was dropped.
    DroppedConnecting,
    /// The future of a call was dropped, or that of none because all were done. The session may
    /// have gone with it; else the next command said this.
    Dropped { call: Option<Call>, next: Option<Result<bool, Seen>> },
}

/// More virtual time than a play takes and less than any deadline of the client: if it passed,
/// somebody waited in vain.
const PATIENCE: Duration = Duration::from_secs(5);

/// When to give up on a play in which no deadline runs.
const FOR_EVER: Duration = Duration::from_secs(1 << 20);

/// Plays `transcript` and compares.
pub(crate) fn play<S: Session>(
    transcript: &Transcript,
    mode: Mode,
    recorder: &Recorder,
) -> Result<(), String> {
    let played = play_once::<S>(transcript, mode, recorder);
    if !matches!(&played, Err(problem) if problem == SILENT) {
        return played;
    }
    // While one thread registers the place that traces, another may begin to listen and be
    // overlooked. From then on the place is known, so a second play is heard, or never would be.
    tracing::callsite::rebuild_interest_cache();
    recorder.clear();
    play_once::<S>(transcript, mode, recorder)
}

fn play_once<S: Session>(
    transcript: &Transcript,
    mode: Mode,
    recorder: &Recorder,
) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(|error| error.to_string())?;
    let trace = Trace::default();
    let listening = (mode == Mode::Whole).then(|| trace.listen());
    let played = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let start = Instant::now();
            let (dial, listener) = pipe();
            let (dropping, dropped) = oneshot::channel();
            let done = Cell::new(false);
            let both = async {
                let user = async {
                    let mut connector = connector::<S>(transcript, dial);
                    if mode == Mode::Whole {
                        connector = connector.record(recorder.clone());
                    }
                    let outcome = user::<S>(transcript, mode, connector, dropped).await;
                    done.set(true);
                    outcome
                };
                tokio::join!(
                    user,
                    serve(transcript, mode, listener, dropping, S::aftermath(), &done),
                )
            };
            let result = timeout(FOR_EVER, both).await;
            (result, start.elapsed())
        })
    }));
    if listening.is_some() {
        trace.leaks(transcript)?;
    }
    let (result, elapsed) = played.map_err(|_| "panicked")?;
    let (outcome, played) = result.map_err(|_| "hangs: client and server wait for each other")?;
    if elapsed > PATIENCE {
        let how = match outcome {
            Outcome::Failed(seen) => seen.to_string(),
            _ => String::new(),
        };
        return Err(format!("waited for {elapsed:?} in vain; {how} {played:?}"));
    }
    judge(transcript, mode, outcome, played?)
}

fn connector<S: Session>(transcript: &Transcript, dial: PipeDial) -> Connector<S::Client> {
    let connector = S::connector(endpoint(&transcript.endpoint))
        .auth(auth(&transcript.auth))
        .dial(dial)
        .tls(tls::client());
    match transcript.ehlo_name() {
        Some(name) => connector.ehlo_name(&name),
        None => connector,
    }
}

async fn user<S: Session>(
    transcript: &Transcript,
    mode: Mode,
    connector: Connector<S::Client>,
    dropped: oneshot::Receiver<()>,
) -> Outcome {
    let mut dropped = pin!(async {
        if dropped.await.is_err() {
            std::future::pending::<()>().await;
        }
    });
    let session = tokio::select! {
        biased;
        () = &mut dropped => return Outcome::DroppedConnecting,
        session = connector.connect() => session,
    };
    let mut session = match session {
        Ok(client) => Some(S::of(client)),
        Err(error) => return Outcome::Failed(Seen::new::<S>(&error)),
    };
    for call in &transcript.calls {
        let given = tokio::select! {
            biased;
            () = &mut dropped => return after_drop(session, Some(call.clone())).await,
            given = S::call(&mut session, call) => given,
        };
        match (given, &call.gives) {
            (Err(error), _) if transcript.calls_may_fail => {
                if session.is_none() || !error.connection_usable() {
                    return Outcome::Ok;
                }
            }
            (Err(error), _) => return Outcome::Failed(Seen::new::<S>(&error)),
            (Ok(given), Some(gives)) if given != *gives => {
                return Outcome::Wrong(format!("`{call}` gave {given}"));
            }
            (Ok(_), _) => {}
        }
    }
    if matches!(mode, Mode::Drop(_)) && session.is_some() {
        dropped.await;
        return after_drop(session, None).await;
    }
    Outcome::Ok
}

async fn after_drop<S: Session>(mut session: Option<S>, call: Option<Call>) -> Outcome {
    let next = match &mut session {
        Some(session) => Some(session.probe().await.map_err(|error| Seen::new::<S>(&error))),
        None => None,
    };
    Outcome::Dropped { call, next }
}

fn auth(words: &[String]) -> Auth {
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["xoauth2", user, ..] => Auth::xoauth2(user, tokens(&words[2..])),
        ["oauthbearer", user, ..] => Auth::oauthbearer(user, tokens(&words[2..])),
        ["plain", user, password] => Auth::plain(user, password),
        ["login", user, password] => Auth::login(user, password),
        ["user_pass", user, password] => Auth::user_pass(user, password),
        _ => panic!("no credentials {words:?}"),
    }
}

/// Hands out the tokens one after the other; the last one for ever.
fn tokens(tokens: &[&str]) -> impl mailbearer::TokenProvider + 'static {
    let tokens: Vec<AccessToken> = tokens.iter().map(|token| AccessToken::new(*token)).collect();
    let state = std::sync::Arc::new((tokens, std::sync::atomic::AtomicUsize::new(0)));
    from_fn_with(state, |state, _request| async move {
        let (tokens, next) = &*state;
        let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let token = tokens.get(at).or_else(|| tokens.last()).cloned();
        token.ok_or_else(|| TokenError::never(std::io::Error::other("the transcript has no token")))
    })
}

/// The dropped futures that may break a connection; all others leave it at rest. (A dropped
/// `connect` leaves no connection behind.)
fn may_break(call: &Call, transcript: &Transcript, cut: Cut) -> bool {
    match call.verb.as_str() {
        // Half a message cannot be taken back but by closing.
        "append" | "append_lines" => true,
        verb if verb.starts_with("send") => {
            let said = transcript.steps[..cut.step].iter().rev().filter_map(|step| match step {
                Step::Client(flight) => Some(String::from_utf8_lossy(flight)),
                _ => None,
            });
            let mut data_sent = false;
            for flight in said {
                let starts = |verb: &str| flight.lines().any(|line| line.starts_with(verb));
                data_sent |= starts("DATA") || starts("BDAT");
                if starts("MAIL FROM") {
                    break;
                }
            }
            data_sent
        }
        _ => false,
    }
}

/// Calls that end the session, so that what the server says last is nobody's loss.
fn ends_session(call: &Call) -> bool {
    matches!(call.verb.as_str(), "quit" | "logout")
}

fn judge(
    transcript: &Transcript,
    mode: Mode,
    outcome: Outcome,
    played: Played,
) -> Result<(), String> {
    if let Some(seen) = error_of(&outcome) {
        let leaks = |secret: &&String| secret.len() > 3 && seen.printed.contains(secret.as_str());
        if transcript.secrets().iter().any(|secret| leaks(&secret)) {
            return Err(format!("an error shows the secret: {seen}"));
        }
    }
    let stated = as_stated(&outcome, &transcript.ending)
        || mode != Mode::Whole && transcript.alternatives.iter().any(|e| as_stated(&outcome, e));
    match mode {
        Mode::Whole | Mode::Bytes => {
            if let Played::ClientLeft(step, done) = &played
                && !(stated && mode == Mode::Bytes)
            {
                return Err(format!("{}; the client {done} at {}", tell(&outcome), {
                    describe(transcript.steps.get(*step))
                }));
            }
            if stated { Ok(()) } else { Err(format!("ended with {}", tell(&outcome))) }
        }
        Mode::Eof(cut) => match &outcome {
            _ if stated && (all_said(transcript, cut) || transcript.ending != Ending::Ok) => Ok(()),
            Outcome::Failed(seen) if !seen.usable => Ok(()),
            Outcome::Failed(seen) => Err(format!("calls a closed connection usable: {seen}")),
            _ => Err(format!("the connection closed early, and yet: {}", tell(&outcome))),
        },
        Mode::Drop(cut) => match &outcome {
            Outcome::DroppedConnecting | Outcome::Dropped { next: None, .. } => Ok(()),
            Outcome::Dropped { next: Some(Ok(true)), .. } => Ok(()),
            Outcome::Dropped { next: Some(Ok(false)), .. } => {
                Err("after the drop the next command got another's answer".into())
            }
            Outcome::Dropped { call: Some(call), next: Some(Err(seen)) }
                if may_break(call, transcript, cut) && !seen.usable =>
            {
                Ok(())
            }
            // The server itself had closed by then.
            Outcome::Dropped { next: Some(Err(seen)), .. }
                if transcript.ending != Ending::Ok && !seen.usable =>
            {
                Ok(())
            }
            Outcome::Dropped { call, next: Some(Err(seen)) } => {
                let call = call.as_ref().map(ToString::to_string).unwrap_or_default();
                Err(format!("dropping `{call}` broke the connection: {seen}"))
            }
            _ if stated => Ok(()),
            _ => Err(format!("ended with {}", tell(&outcome))),
        },
    }
}

fn error_of(outcome: &Outcome) -> Option<&Seen> {
    match outcome {
        Outcome::Failed(seen) | Outcome::Dropped { next: Some(Err(seen)), .. } => Some(seen),
        _ => None,
    }
}

fn as_stated(outcome: &Outcome, ending: &Ending) -> bool {
    match (outcome, ending) {
        (Outcome::Ok, Ending::Ok) => true,
        (Outcome::Failed(seen), Ending::Error(expected)) => seen.is(expected),
        _ => false,
    }
}

/// Whether the server had said everything that counts when it closed.
fn all_said(transcript: &Transcript, cut: Cut) -> bool {
    let said_all_of = |step: &Step| matches!(step, Step::Server(f) if f.len() == cut.offset);
    let later = transcript.steps.get(cut.step + 1..).unwrap_or_default();
    transcript.calls.last().is_some_and(ends_session)
        || transcript.steps.get(cut.step).is_some_and(said_all_of)
            && !later.iter().any(|step| matches!(step, Step::Server(_)))
}

fn tell(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Ok => "success".into(),
        Outcome::Failed(seen) => seen.to_string(),
        Outcome::Wrong(what) => what.clone(),
        Outcome::DroppedConnecting => "connecting dropped".into(),
        Outcome::Dropped { .. } => "a call dropped".into(),
    }
}

fn describe(step: Option<&Step>) -> String {
    match step {
        Some(Step::Client(flight)) => format!("C: {:?}", String::from_utf8_lossy(flight)),
        Some(Step::Server(flight)) => format!("S: {:?}", String::from_utf8_lossy(flight)),
        step => format!("{step:?}"),
    }
}
