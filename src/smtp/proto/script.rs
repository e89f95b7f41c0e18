//! Dialogues as tests: `C:` lines the core must write, `S:` lines it hears.

use crate::fault::Fault;
use crate::machine::Machine;
use crate::smtp::proto::{Core, Event};

/// Plays a dialogue. Each `S:` line is heard in pieces of `chunk` octets; what the core wrote since
/// the last `S:` line must be the `C:` lines in between, to the octet. `S: …\` stands for a line
/// that lacks its end. `on_event` may make the core write more.
pub(crate) fn play(
    core: &mut Core,
    dialogue: &str,
    chunk: usize,
    mut on_event: impl FnMut(&mut Core, Event),
) -> Result<(), Fault> {
    let mut expected = String::new();
    for line in dialogue.lines().map(str::trim_start) {
        if let Some(command) = line.strip_prefix("C: ") {
            expected.push_str(command);
            expected.push_str("\r\n");
        } else if let Some(reply) = line.strip_prefix("S: ") {
            check(core, &mut expected);
            let heard = match reply.strip_suffix('\\') {
                Some(half) => half.to_owned(),
                None => format!("{reply}\r\n"),
            };
            for piece in heard.as_bytes().chunks(chunk) {
                core.input().push(piece);
                poll(core, &mut on_event)?;
            }
        } else if line == "EOF" {
            check(core, &mut expected);
            core.eof();
            poll(core, &mut on_event)?;
        } else {
            assert!(line.is_empty(), "neither C:, S: nor EOF: {line:?}");
        }
    }
    check(core, &mut expected);
    Ok(())
}

fn poll(core: &mut Core, on_event: &mut impl FnMut(&mut Core, Event)) -> Result<(), Fault> {
    while let Some(event) = core.poll()? {
        on_event(core, event);
    }
    Ok(())
}

fn check(core: &mut Core, expected: &mut String) {
    let written = String::from_utf8_lossy(core.output().unsent()).into_owned();
    assert_eq!(written, *expected);
    let octets = core.output().unsent().len();
    core.output().sent(octets);
    expected.clear();
}
