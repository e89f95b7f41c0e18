//! The trace of a play, which must show the dialogue and none of its secrets.

use std::io;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tracing::subscriber::DefaultGuard;

use super::script::{Step, Transcript};

/// What is wrong with a trace of nothing.
pub(crate) const SILENT: &str = "the trace shows nothing";

/// What was traced on this thread.
#[derive(Clone, Default)]
pub(crate) struct Trace(Arc<Mutex<Vec<u8>>>);

impl Trace {
    /// Listens until the guard is dropped.
    pub(crate) fn listen(&self) -> DefaultGuard {
        let trace = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .without_time()
            .with_writer(move || trace.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    /// An error that names the secret of the transcript that was traced, if one was.
    pub(crate) fn leaks(&self, transcript: &Transcript) -> Result<(), String> {
        let traced = self.0.lock().map_err(|_| "the trace is lost")?;
        let traced = String::from_utf8_lossy(&traced);
        if !traced.contains("S: ") {
            return Err(SILENT.into());
        }
        let wire = on_the_wire(transcript);
        match transcript.secrets().iter().chain(&wire).find(|secret| traced.contains(*secret)) {
            Some(secret) => Err(format!("the trace shows {secret}:\n{traced}")),
            None => Ok(()),
        }
    }
}

impl io::Write for Trace {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut traced = self.0.lock().map_err(|_| io::Error::other("poisoned"))?;
        traced.extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the client says in base64 of a secret.
fn on_the_wire(transcript: &Transcript) -> Vec<String> {
    let said = transcript.steps.iter().filter_map(|step| match step {
        Step::Client(flight) => Some(String::from_utf8_lossy(flight)),
        _ => None,
    });
    let words: Vec<String> = said
        .flat_map(|flight| flight.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let tells = |word: &String| {
        let decoded = STANDARD.decode(word).unwrap_or_default();
        let decoded = String::from_utf8_lossy(&decoded);
        transcript.secrets().iter().any(|secret| decoded.contains(secret.as_str()))
    };
    words.into_iter().filter(tells).collect()
}
