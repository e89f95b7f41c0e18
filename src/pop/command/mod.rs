//! The commands, one file each.
//!
//! A new command is one file and one line here: what it writes ([`Command::encode`]), what its
//! answer looks like ([`Command::shape`]), what the answer means ([`Command::finish`]), and the
//! public method.

pub(crate) mod capa;
pub(crate) mod dele;
pub(crate) mod list;
pub(crate) mod noop;
pub(crate) mod quit;
pub(crate) mod retr;
pub(crate) mod rset;
pub(crate) mod stat;
pub(crate) mod stls;
pub(crate) mod top;
pub(crate) mod uidl;

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
    if !response.reply.is_ok() {
        return Err(Error::Refused { stage, reply: response.reply });
    }
    command.finish(response).map_err(|answer| {
        let answer = printable(&core.scrubber().clean_str(answer.as_bytes()));
        Error::Unparsed { stage, answer }
    })
}

/// Reads a listing line by line; the first line that makes no sense is the error.
fn lines<T>(text: &[u8], read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    String::from_utf8_lossy(text)
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| read(line).ok_or_else(|| line.to_owned()))
        .collect()
}

/// Two words, the first of them a message number. Servers may add more (RFC 1939 section 5).
fn numbered(line: &str) -> Option<(u32, &str)> {
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
