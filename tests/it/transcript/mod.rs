//! Dialogues with mail servers as text, played by the real clients from the dialler up.
//!
//! `tests/transcripts/<server>/<name>.txt`, one dialogue a file. Every physical line begins with
//!
//! | | |
//! |---|---|
//! | `C: ` | a line of the client, compared octet by octet; lines that follow each other are one flight: the server answers no earlier, and the client may not say more before the answer |
//! | `S: ` | a line of the server; both kinds stand without their CRLF, and `\x01` is an octet that no text shows |
//! | `-- TLS` | a TLS handshake; the first mark where TLS is implicit |
//! | `-- PAUSE` | the server says nothing until the client is idle |
//! | `-- EOF` | the server closes |
//! | `-- DIAL` | the client connects once more |
//! | `# ` | a header, or a remark |
//!
//! The headers say all that the test needs:
//!
//! ```text
//! # endpoint: microsoft365 pop
//! # auth: xoauth2 someuser@example.com first-token token-after-a-refusal
//! # do: stat => 2 messages, 320 octets
//! # result: ok
//! ```
//!
//! or, in place of the result, the error with which the last step fails:
//!
//! ```text
//! # error: Auth stage=authentication retry=RefreshToken usable=false
//! ```
//!
//! Further fields are `message`, `reply` and `challenge`. An `# or-error:` is also right where
//! octets come late, as those behind the answer to STARTTLS may.
//!
//! What a `wirelog::Recorder` wrote is a transcript as well; `recorded` says what else may be in it.
//!
//! Each transcript is played whole, when its trace must show none of the secrets; octet by octet; with the connection closing at every flight
//! and, in those up to 2 KiB, at every octet; and with the client's future dropped at the same
//! places. Time is virtual: a play in which anybody waits in vain fails at once.

mod endpoint;
mod extensions;
mod harness;
pub(crate) mod imap;
mod newer;
pub(crate) mod play;
mod pop;
pub(crate) mod recorded;
pub(crate) mod script;
mod server;
mod smtp;
mod trace;
mod unasked;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use mailbearer::wirelog::Recorder;
use play::play;
use recorded::{NOT_DERIVED, NOT_REPLAYABLE};
use script::{Step, Transcript};
use server::{Cut, Mode};

/// Transcripts with more from the server than this are cut at flights only.
const CUT_EVERYWHERE_UP_TO: usize = 2048;

#[test]
fn every_transcript_ends_as_it_states() {
    check(|_| vec![Mode::Whole]);
}

#[test]
fn a_server_that_sends_octet_by_octet_changes_nothing() {
    check(|_| vec![Mode::Bytes]);
}

#[test]
fn a_connection_that_closes_anywhere_is_an_error_and_never_a_hang() {
    check(|transcript| {
        let handshakes = transcript.steps.iter().enumerate().filter_map(|(step, kind)| {
            (*kind == Step::Tls).then_some(Mode::Eof(Cut { step, offset: 0 }))
        });
        handshakes.chain(cuts(transcript).into_iter().map(Mode::Eof)).collect()
    });
}

#[test]
fn after_a_dropped_future_the_next_command_gets_its_own_answer() {
    check(|transcript| {
        let seen =
            cuts(transcript).into_iter().filter(|cut| before_the_client_goes_on(transcript, *cut));
        seen.map(Mode::Drop).collect()
    });
}

#[test]
fn one_program_gets_the_same_of_imap4rev1_and_imap4rev2() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts/other");
    let calls = |name: &str| {
        let transcript = Transcript::read(&root.join(name)).expect("a transcript");
        transcript.calls.iter().map(|call| format!("{call:?}")).collect::<Vec<_>>()
    };
    assert_eq!(calls("imap-program-rev1.txt"), calls("imap-program-rev2.txt"));
}

#[test]
fn what_is_recorded_of_any_dialogue_replays_and_shows_nothing_private() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut problems = Vec::new();
    let mut replayed = 0;
    for path in files(&root) {
        let transcript = Transcript::read(&path).expect("the transcript is read elsewhere");
        let recording = match play_recorded(&transcript, Mode::Whole) {
            Ok(recorder) => recorder.to_string(),
            Err(problem) => panic!("{}: {problem}", transcript.name),
        };
        let mut problem = |what: String| {
            problems.push(format!("{}: {what}\n{recording}", transcript.name));
        };
        let user = transcript.auth[1].split('@').next().unwrap_or_default();
        if let Some(shown) = transcript.secrets().iter().find(|it| recording.contains(*it)) {
            problem(format!("shows the secret {shown}"));
        }
        if recording.contains(&format!("{user}@")) {
            problem(format!("shows the local part {user}"));
        }
        for replay in recorded::transcripts(&transcript.name, &recording) {
            match replay {
                Err(why) if why.contains(NOT_DERIVED) || why.contains(NOT_REPLAYABLE) => {}
                Err(why) => problem(why),
                Ok(replay) => match play_any(&replay, Mode::Whole) {
                    Ok(()) => replayed += 1,
                    Err(why) => problem(why),
                },
            }
        }
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    assert!(replayed > 150, "{replayed} recordings were replayed");
}

/// Before and after every flight of the server; in short transcripts, also within.
fn cuts(transcript: &Transcript) -> Vec<Cut> {
    let everywhere = transcript.server_octets() <= CUT_EVERYWHERE_UP_TO;
    let flights = transcript.steps.iter().enumerate();
    flights
        .filter_map(|(at, step)| match step {
            Step::Server(flight) => Some((at, flight.len())),
            _ => None,
        })
        .flat_map(|(step, len)| {
            let offsets = (0..=len).filter(move |at| everywhere || *at == 0 || *at == len);
            offsets.map(move |offset| Cut { step, offset })
        })
        .collect()
}

/// A client that has the whole flight says the next thing; dropping it then is the same as before
/// the flight that answers.
fn before_the_client_goes_on(transcript: &Transcript, cut: Cut) -> bool {
    let flight = &transcript.steps[cut.step];
    let whole = matches!(flight, Step::Server(flight) if flight.len() == cut.offset);
    let later = &transcript.steps[cut.step + 1..];
    !whole || later.iter().all(|step| matches!(step, Step::Server(_) | Step::Pause | Step::Eof))
}

/// Plays every transcript in every one of `modes` and reports all that went wrong.
fn check(modes: impl Fn(&Transcript) -> Vec<Mode> + Sync) {
    let paths = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts"));
    assert!(!paths.is_empty(), "no transcripts");
    let next = AtomicUsize::new(0);
    let problems = Mutex::new(Vec::new());
    let played = Mutex::new(HashSet::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = problems_of(path, &modes, &played);
                    problems.lock().expect("no thread panics").extend(found);
                }
            });
        }
    });
    let problems = problems.into_inner().expect("no thread panics");
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

/// Only the first few of a transcript: one fault shows in hundreds of cuts.
const ENOUGH: usize = 3;

fn problems_of(
    path: &Path,
    modes: &impl Fn(&Transcript) -> Vec<Mode>,
    played: &Mutex<HashSet<u64>>,
) -> Vec<String> {
    let transcript = match Transcript::read(path) {
        Ok(transcript) => transcript,
        Err(problem) => return vec![format!("{}: {problem}", path.display())],
    };
    let play = |mode: Mode| {
        let past = mode.cut().map(|cut| past(&transcript, cut));
        if past.is_some_and(|past| !played.lock().expect("no thread panics").insert(past)) {
            return None;
        }
        let problem = play_any(&transcript, mode).err()?;
        Some(format!("{}, {mode:?}: {problem}", transcript.name))
    };
    modes(&transcript).into_iter().filter_map(play).take(ENOUGH).collect()
}

/// All that can decide what a cut does. Many transcripts begin alike; what they have in common is
/// cut in one of them only.
fn past(transcript: &Transcript, cut: Cut) -> u64 {
    let said = &transcript.steps[..=cut.step];
    let over = matches!(said.last(), Some(Step::Server(flight)) if flight.len() == cut.offset);
    // A further token plays its part only when an answer is complete.
    let auth = if over { &transcript.auth[..] } else { &transcript.auth[..3] };
    let mut hasher = DefaultHasher::new();
    (&transcript.endpoint, auth, said, cut.offset).hash(&mut hasher);
    hasher.finish()
}

/// Plays it, and records it if it is played whole.
fn play_any(transcript: &Transcript, mode: Mode) -> Result<(), String> {
    play_recorded(transcript, mode).map(drop)
}

/// Plays a recording whole, on a thread of its own, since every play has a runtime.
#[cfg(all(feature = "diagnosis", feature = "oauth"))]
pub(crate) async fn replay(transcript: Transcript) {
    let played = tokio::task::spawn_blocking(move || play_any(&transcript, Mode::Whole)).await;
    played.expect("no panic").unwrap_or_else(|problem| panic!("{problem}"));
}

fn play_recorded(transcript: &Transcript, mode: Mode) -> Result<Recorder, String> {
    let recorder = Recorder::new();
    match transcript.protocol() {
        "imap" => play::<imap::Imap>(transcript, mode, &recorder),
        "pop" => play::<pop::Pop>(transcript, mode, &recorder),
        "smtp" => play::<smtp::Smtp>(transcript, mode, &recorder),
        other => Err(format!("no protocol `{other}`")),
    }
    .map(|()| recorder)
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).expect("the directory of transcripts is readable") {
        let path = entry.expect("its entries too").path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if path.extension().is_some_and(|extension| extension == "txt") {
            files.push(path);
        }
    }
    files.sort();
    files
}
