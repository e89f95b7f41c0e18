//! The commands, one file each.
//!
//! A new command is one file and one line here: what it writes ([`Command::encode`]), what its
//! answer looks like ([`Command::shape`]), what the answer means ([`Command::finish`]), and the
//! public method.

pub(crate) mod capa;
pub(crate) mod dele;
pub(crate) mod flight;
pub(crate) mod lang;
pub(crate) mod list;
pub(crate) mod noop;
pub(crate) mod quit;
pub(crate) mod retr;
pub(crate) mod retr_all;
pub(crate) mod rset;
pub(crate) mod stat;
pub(crate) mod stls;
pub(crate) mod top;
pub(crate) mod uidl;
pub(crate) mod utf8;

use std::borrow::Cow;

use super::Error;
use super::proto::{Core, Response, Shape};
use crate::Stage;
use crate::fault::printable;

/// A command and its answer.
pub(crate) trait Command {
    /// The keyword, for errors.
    const NAME: &'static str;

    /// What the caller gets.
    type Output;

    /// The line without its CRLF.
    fn encode(&self) -> Vec<u8>;

    /// What the answer looks like.
    fn shape(&self) -> Shape {
        Shape::Line
    }

    /// Makes sense of a `+OK`.
    ///
    /// # Errors
    /// The line that makes none.
    fn finish(self, response: Response) -> Result<Self::Output, String>;
}

/// What an answer means to the caller: a refusal is an error, and so is nonsense.
pub(crate) fn finish<C: Command>(
    command: C,
    response: Response,
    stage: Stage,
    core: &Core,
) -> Result<C::Output, Error> {
    let response = accepted_at(response, stage)?;
    command.finish(response).map_err(|answer| unparsed(&answer, stage, core))
}

/// The answer to a command that was not refused.
fn accepted(response: Response, name: &'static str) -> Result<Response, Error> {
    accepted_at(response, Stage::Command(name))
}

fn accepted_at(response: Response, stage: Stage) -> Result<Response, Error> {
    let reply = match response {
        accepted if accepted.reply.is_ok() => return Ok(accepted),
        refused => refused.reply,
    };
    if reply.announces_close() {
        return Err(Error::Closed { stage, reply: Some(reply), credential_octets: None });
    }
    Err(Error::Refused { stage, reply })
}

/// A line that makes no sense.
pub(crate) fn unparsed(answer: &str, stage: Stage, core: &Core) -> Error {
    let answer = printable(&core.scrubber().clean_str(answer.as_bytes()));
    Error::Unparsed { stage, answer }
}

/// Reads a listing line by line; the first line that makes no sense is the error.
fn lines<T>(text: &[u8], read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    rows(text).map(|line| read(&line).ok_or_else(|| line.into_owned())).collect()
}

/// The lines of a listing. An empty one is no row.
pub(crate) fn rows(text: &[u8]) -> impl Iterator<Item = Cow<'_, str>> {
    text.split(|octet| *octet == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .map(String::from_utf8_lossy)
}

/// Two words, the first of them a message number. Servers may add more (RFC 1939 section 5).
pub(crate) fn numbered(line: &str) -> Option<(u32, &str)> {
    let mut words = line.split_ascii_whitespace();
    Some((words.next()?.parse().ok().filter(|number| *number > 0)?, words.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_number_is_positive_and_fits() {
        assert_eq!(numbered("1 whqtswO00WBw418f9t5JxYwZ"), Some((1, "whqtswO00WBw418f9t5JxYwZ")));
        assert_eq!(numbered("2 120 more"), Some((2, "120")));
        for line in ["", "1", "0 1", "-1 1", "x 1", "99999999999 1"] {
            assert_eq!(numbered(line), None, "{line}");
        }
    }
}
