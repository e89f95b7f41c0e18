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
pub(crate) fn accepted(response: Response, name: &'static str) -> Result<Response, Error> {
    accepted_at(response, Stage::Command(name))
}

fn accepted_at(response: Response, stage: Stage) -> Result<Response, Error> {
    if let Some((octets, limit)) = response.too_large {
        return Err(Error::TooLarge { octets, limit });
    }
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
fn lines<T>(text: &[u8], read: impl Fn(&[u8]) -> Option<T>) -> Result<Vec<T>, String> {
    let nonsense = |line| String::from_utf8_lossy(line).into_owned();
    rows(text).map(|line| read(line).ok_or_else(|| nonsense(line))).collect()
}

/// The lines of a listing. An empty one is no row.
pub(crate) fn rows(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
}

/// A message number, which is positive, and what stands behind it.
pub(crate) fn numbered(line: &[u8]) -> Option<(u32, &[u8])> {
    let line = line.trim_ascii();
    let (number, rest) = line.split_at(line.iter().position(u8::is_ascii_whitespace)?);
    let number = u32::try_from(decimal(number)?).ok().filter(|number| *number > 0)?;
    Some((number, rest.trim_ascii()))
}

/// The first word, which is a number. Servers may add more to a size (RFC 1939 section 5).
pub(crate) fn size(text: &[u8]) -> Option<u64> {
    decimal(text.split(u8::is_ascii_whitespace).next()?)
}

/// Digits and nothing else.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(digits).ok()?;
    digits.bytes().all(|octet| octet.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_number_is_positive_and_fits() {
        assert_eq!(
            numbered(b"1 whqtswO00WBw418f9t5JxYwZ"),
            Some((1, &b"whqtswO00WBw418f9t5JxYwZ"[..]))
        );
        assert_eq!(numbered(b" 2  120 more "), Some((2, &b"120 more"[..])));
        for line in ["", "1", "1 ", "0 1", "-1 1", "+1 1", "x 1", "99999999999 1", "\u{663} 1"] {
            assert_eq!(numbered(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn a_size_is_a_number_and_nothing_else() {
        assert_eq!(size(b"120"), Some(120));
        assert_eq!(size(b"5000000000 octets"), Some(5_000_000_000));
        for text in ["", " ", "-1", "+1", "1.5", "1e3", "x", "99999999999999999999999"] {
            assert_eq!(size(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_listing_gives_every_row_or_an_error(
            rows in proptest::collection::vec("[ -~]{0,12}|[0-9]{1,3} [!-~]{1,8}", 0..20),
            end in prop_oneof![Just("\r\n"), Just("\n")],
        ) {
            let text: String = rows.iter().map(|row| format!("{row}{end}")).collect();
            let written = rows.iter().filter(|row| !row.trim().is_empty()).count();
            let read = lines(text.as_bytes(), |line| numbered(line).map(|(number, _)| number));
            prop_assert!(read.is_err() || read.is_ok_and(|read| read.len() == written));
        }
    }
}
