//! The lines MAIL and RCPT with their parameters (RFC 5321 section 4.1.2).
//!
//! ```text
//! MAIL FROM:<reverse-path> SIZE=n BODY=8BITMIME SMTPUTF8
//! RCPT TO:<forward-path>
//! ```

use crate::fault::Unwritable;
use crate::smtp::envelope::Envelope;
use crate::wire::Output;

/// What MAIL says about the message besides its sender.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Parameters {
    /// RFC 1870.
    pub(crate) size: Option<u64>,
    /// RFC 6152.
    pub(crate) eight_bit: bool,
    /// RFC 6531.
    pub(crate) utf8: bool,
}

/// Writes MAIL.
pub(super) fn mail(
    envelope: &Envelope,
    parameters: Parameters,
    output: &mut Output,
) -> Result<(), Unwritable> {
    // Digits of the largest number.
    let mut digits = [0; 20];
    let size = parameters.size.map(|size| decimal(size, &mut digits));
    output.command_of(&[
        "MAIL FROM:<",
        envelope.reverse_path(),
        ">",
        if size.is_some() { " SIZE=" } else { "" },
        size.unwrap_or_default(),
        if parameters.eight_bit { " BODY=8BITMIME" } else { "" },
        if parameters.utf8 { " SMTPUTF8" } else { "" },
    ])
}

/// Writes RCPT for every recipient.
pub(super) fn recipients(envelope: &Envelope, output: &mut Output) -> Result<(), Unwritable> {
    for address in envelope.recipients() {
        output.command_of(&["RCPT TO:<", address, ">"])?;
    }
    Ok(())
}

pub(super) fn decimal(number: u64, digits: &mut [u8; 20]) -> &str {
    let mut rest = number;
    let mut start = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        start -= 1;
        if rest == 0 {
            break;
        }
    }
    digits.get(start..).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_declares_size_and_form_of_the_message() {
        let envelope = Envelope::new("me@contoso.example", ["ann@a.example"]).unwrap();
        let line = |size, eight_bit, utf8| {
            let mut output = Output::new(true);
            mail(&envelope, Parameters { size, eight_bit, utf8 }, &mut output).unwrap();
            String::from_utf8(output.unsent().to_vec()).unwrap()
        };
        let from = "MAIL FROM:<me@contoso.example>";
        assert_eq!(
            line(Some(10240), true, true),
            format!("{from} SIZE=10240 BODY=8BITMIME SMTPUTF8\r\n")
        );
        assert_eq!(line(Some(0), false, false), format!("{from} SIZE=0\r\n"));
        assert_eq!(
            line(Some(u64::MAX), false, true),
            format!("{from} SIZE={} SMTPUTF8\r\n", u64::MAX)
        );
    }
}
