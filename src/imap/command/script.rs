//! Plays a command against a script, for tests: `C: ` lines are what the core must write, `S: `
//! lines what it hears. Every script runs whole and octet by octet.

use std::fmt;

use crate::Limits;
use crate::imap::Reply;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Core, Step};
use crate::machine::Machine;

use super::raw::NAME as RAW;
use super::{Command, Fit};

/// How a command ended, and what the session was like then.
pub(crate) struct Played<T> {
    pub(crate) output: Result<T, Reply>,
    pub(crate) core: Core,
}

impl<T: fmt::Debug> Played<T> {
    pub(crate) fn refusal(self) -> Reply {
        self.output.unwrap_err()
    }
}

/// Plays `script` with `command`, and has every ending checked. The capabilities are those of the
/// greeting that the script begins with.
pub(crate) fn play<C: Command>(
    command: impl Fn() -> C,
    script: &str,
    check: impl Fn(Played<C::Output>),
) {
    for chunk in [usize::MAX, 1, 7] {
        check(run(command(), script, chunk));
    }
}

fn run<C: Command>(command: C, script: &str, chunk: usize) -> Played<C::Output> {
    let mut core = Core::new(&Limits::default(), true);
    core.expect_greeting();
    let mut command = Some(command);
    let mut written = Vec::new();
    let mut running = None;
    let mut output = None;
    for line in script.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
        if let Some(expected) = line.strip_prefix("C:") {
            let begun = command.take();
            let name = begun.as_ref().map(Command::name);
            if let Some(command) = begun {
                let mut line = core.line();
                command.encode(&mut line, &core.capabilities().clone()).unwrap();
                let tag = core.start(line, command.claims(), command.effect()).unwrap();
                running = Some(command);
                running.as_mut().unwrap().started(tag, core.takes_utf8());
                if core.notifying().tells {
                    running.as_mut().unwrap().beware();
                }
            }
            flush(&mut core, &mut written);
            // What errors call it is what it is on the wire.
            if let Some(name) = name.filter(|name| *name != RAW) {
                let words = written.splitn(2, |octet| *octet == b' ').nth(1).unwrap_or_default();
                let behind = words.strip_prefix(name.as_bytes()).and_then(<[u8]>::first);
                assert!(matches!(behind, Some(b' ' | b'\r')), "{name}: {}", show(&written));
            }
            let expected = format!("{}\r\n", expected.strip_prefix(' ').unwrap_or(expected));
            let rest = written.strip_prefix(expected.as_bytes());
            written = rest.unwrap_or_else(|| panic!("{line} but {}", show(&written))).to_vec();
            continue;
        }
        assert_eq!(show(&written), "", "written before {line}");
        let heard = format!("{}\r\n", line.strip_prefix("S: ").unwrap());
        for piece in heard.as_bytes().chunks(chunk) {
            core.input().push(piece);
            while let Some(step) = core.poll().unwrap() {
                match step {
                    Step::Data { frame, .. } => {
                        let command = running.as_mut().unwrap();
                        let response = Response::parse(&frame);
                        if core.notifying().tells && command.fit(&response) < Fit::Exact {
                            core.unclaimed(&response, &frame);
                        } else if let Err(why) = command.accept(&response, &frame) {
                            core.keep_unparsed(frame, why);
                        }
                    }
                    Step::Fetched { .. } => {
                        running.as_mut().unwrap().fetched(core.take_fetched().unwrap());
                    }
                    Step::Done { reply, .. } if reply.grants() => {
                        let mut command = running.take().unwrap();
                        command.give_back(&mut core);
                        output = Some(Ok(command.finish(reply)));
                    }
                    Step::Done { reply, .. } => output = Some(Err(reply)),
                    Step::Greeting(_) => {}
                    step => panic!("{step:?}"),
                }
            }
        }
        flush(&mut core, &mut written);
    }
    assert_eq!(show(&written), "", "written at the end");
    assert!(!core.in_flight() && core.unread() == 0);
    Played { output: output.expect("no tagged answer"), core }
}

fn flush(core: &mut Core, written: &mut Vec<u8>) {
    while !core.output().is_empty() {
        let octets = core.output().unsent().to_vec();
        core.output().sent(octets.len());
        written.extend(octets);
    }
}

fn show(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}
