//! The program, with all that it touches handed in.

mod arguments;
mod credentials;
mod show;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mailbearer::diagnosis::{Checkup, Progress};
use mailbearer::wirelog::Recorder;
use mailbearer::{diagnose, tls};

use arguments::{Asked, Options};

/// All that was checked works.
const PASSED: u8 = 0;
/// A step failed.
const FAILED: u8 = 1;
/// The arguments or the environment are wrong; nothing was checked.
const USAGE: u8 = 2;
/// The recording or the report could not be written.
const NOT_WRITTEN: u8 = 3;

/// What a process has around it.
pub(crate) struct Surroundings {
    /// The environment.
    pub(crate) variable: Variables,
    /// Where the report goes.
    pub(crate) output: Box<dyn Write>,
    /// Where all else goes.
    pub(crate) messages: Box<dyn Write + Send>,
    /// Whether `output` is a terminal.
    pub(crate) terminal: bool,
}

/// The value of a variable, if it is set.
type Variables = Box<dyn Fn(&str) -> Option<String>>;

/// Runs the program; its exit status.
pub(crate) async fn run(
    arguments: impl IntoIterator<Item = impl Into<OsString>>,
    surroundings: Surroundings,
) -> u8 {
    let Surroundings { variable, mut output, mut messages, terminal } = surroundings;
    let arguments: Result<Vec<_>, _> =
        arguments.into_iter().map(|argument| argument.into().into_string()).collect();
    // What it is may be a secret that slipped in.
    let arguments = arguments.map_err(|_| "there is an argument that is not UTF-8".to_owned());
    let options = match arguments.and_then(arguments::read) {
        Ok(Asked::Check(options)) => options,
        Ok(Asked::Help) => return written(output.write_all(arguments::HELP.as_bytes()), PASSED),
        Err(problem) => {
            let _ = writeln!(messages, "doctor: {problem}\nTry --help.");
            return USAGE;
        }
    };
    let prepared = match prepare(&options, &variable, &mut *messages).await {
        Ok(checkup) => checkup,
        Err(problem) => {
            let _ = writeln!(messages, "doctor: {problem}");
            return USAGE;
        }
    };
    let recorder = Recorder::new();
    let messages = Arc::new(Mutex::new(messages));
    let mut checkup = prepared.record(recorder.clone());
    if !options.quiet {
        let messages = messages.clone();
        checkup = checkup.on_progress(move |progress| tell(progress, &messages));
    }
    let report = diagnose(&checkup).await;
    let text = match options.json {
        true => report.to_json() + "\n",
        false => show::report(&report, terminal && may_colour(&variable)),
    };
    let status = if report.passed() { PASSED } else { FAILED };
    let mut status =
        written(output.write_all(text.as_bytes()).and_then(|()| output.flush()), status);
    if let Some(path) = &options.record {
        let kept = File::create(path).and_then(|file| recorder.write_to(file));
        if let Err(error) = kept {
            let mut messages = messages.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = writeln!(messages, "doctor: {}: {error}", path.display());
            status = NOT_WRITTEN;
        }
    }
    status
}

/// What is to be checked, from the options.
async fn prepare(
    options: &Options,
    variable: &dyn Fn(&str) -> Option<String>,
    messages: &mut (dyn Write + Send),
) -> Result<Checkup, String> {
    let auth = credentials::of(options, variable, messages).await?;
    let mut checkup = Checkup::new(auth).deadline(Duration::from_secs(options.deadline));
    for endpoint in &options.endpoints {
        checkup = checkup.endpoint(endpoint.clone());
    }
    if let Some(path) = &options.roots {
        let pem = contents(path)?;
        let trust = tls::Config::with_root_pem(&pem);
        checkup = checkup.tls(trust.map_err(|error| error.to_string())?);
    }
    #[cfg(feature = "proxy")]
    if let Some(proxy) = proxy(variable)? {
        checkup = checkup.proxy(proxy);
    }
    if let Some(sender) = &options.sender {
        checkup = checkup.sender(sender);
    }
    if let Some(recipient) = &options.recipient {
        checkup = checkup.recipient(recipient);
    }
    Ok(if options.send_message { checkup.send_message() } else { checkup })
}

/// A file that was named, as far as one of its kind can be long: a device has no end.
fn contents(path: &Path) -> Result<Vec<u8>, String> {
    const LONGEST: u64 = 1 << 20;
    let read = || {
        let mut contents = Vec::new();
        File::open(path)?.take(LONGEST + 1).read_to_end(&mut contents)?;
        match contents.len() as u64 > LONGEST {
            true => Err(io::Error::other("the file is longer than 1 MiB")),
            false => Ok(contents),
        }
    };
    read().map_err(|error| format!("{}: {error}", path.display()))
}

/// For the mail servers and for token requests.
#[cfg(feature = "proxy")]
fn proxy(
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<mailbearer::net::proxy::Proxy>, String> {
    let parse = |url: String| mailbearer::net::proxy::Proxy::parse(&url);
    variable("MAIL_PROXY").map(parse).transpose().map_err(|error| format!("MAIL_PROXY: {error}"))
}

/// Progress is on its way before the report: a line for each step that has ended.
fn tell(progress: &Progress<'_>, messages: &Mutex<Box<dyn Write + Send>>) {
    if let Progress::Ended { endpoint, step } = progress {
        let mut messages = messages.lock().unwrap_or_else(PoisonError::into_inner);
        let protocol = endpoint.protocol().to_string();
        let _ = writeln!(messages, "{protocol:<5} {:<12} {}", step.name(), step.outcome());
    }
}

/// <https://no-color.org>: any value but an empty one.
fn may_colour(variable: &dyn Fn(&str) -> Option<String>) -> bool {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    set("NO_COLOR").is_none() && set("TERM").is_none_or(|terminal| terminal != "dumb")
}

fn written(result: io::Result<()>, status: u8) -> u8 {
    if result.is_ok() { status } else { NOT_WRITTEN }
}
