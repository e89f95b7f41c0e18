//! The lines MAIL and RCPT with their parameters (RFC 5321 section 4.1.2).
//!
//! ```text
//! MAIL FROM:<reverse-path> SIZE=n BODY=8BITMIME SMTPUTF8 REQUIRETLS RET=HDRS ENVID=id
//! RCPT TO:<forward-path> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;address
//! ```
//!
//! And BDAT with its size (RFC 3030).

use std::borrow::Cow;

use crate::fault::Unwritable;
use crate::smtp::dsn::Dsn;
use crate::smtp::envelope::Envelope;
use crate::smtp::idn;
use crate::wire::{Lines, Output};

/// What MAIL says about the message besides its sender.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Parameters {
    /// RFC 1870.
    pub(crate) size: Option<u64>,
    /// What the content is made of.
    pub(crate) form: Form,
    /// RFC 6531.
    pub(crate) utf8: bool,
    /// Domains beyond ASCII are written as A-labels, which they all have.
    pub(crate) a_labels: bool,
    /// RFC 3461; what is asked for is in the envelope.
    pub(crate) dsn: bool,
    /// RFC 8689.
    pub(crate) require_tls: bool,
}

/// What content is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Form {
    /// Nothing is said.
    #[default]
    SevenBit,
    /// RFC 6152.
    EightBit,
    /// RFC 3030 section 3.
    Binary,
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
    let path = path(envelope.reverse_path(), parameters);
    let [ret, envid, id] = asked(envelope, parameters).map_or([""; 3], Dsn::of_message);
    output.command_of(&[
        "MAIL FROM:<",
        &path,
        ">",
        if size.is_some() { " SIZE=" } else { "" },
        size.unwrap_or_default(),
        match parameters.form {
            Form::SevenBit => "",
            Form::EightBit => " BODY=8BITMIME",
            Form::Binary => " BODY=BINARYMIME",
        },
        if parameters.utf8 { " SMTPUTF8" } else { "" },
        if parameters.require_tls { " REQUIRETLS" } else { "" },
        ret,
        envid,
        id,
    ])
}

/// MAIL and every RCPT as lines, to be sent one by one.
pub(crate) fn lines(
    envelope: &Envelope,
    parameters: Parameters,
) -> Result<Vec<String>, Unwritable> {
    let mut output = Output::new(false);
    mail(envelope, parameters, &mut output)?;
    let recipients = recipients(envelope, parameters)?;
    let mail = String::from_utf8_lossy(output.unsent()).trim_end().to_owned();
    let recipients = (0..recipients.len()).map(|n| recipients.get(n).to_owned());
    Ok(std::iter::once(mail).chain(recipients).collect())
}

/// RCPT for every recipient.
pub(super) fn recipients(
    envelope: &Envelope,
    parameters: Parameters,
) -> Result<Cow<'_, Lines>, Unwritable> {
    let dsn = asked(envelope, parameters);
    if dsn.is_none() && !parameters.a_labels {
        return Ok(Cow::Borrowed(envelope.to().lines()));
    }
    let mut lines = Lines::default();
    for address in envelope.recipients() {
        let path = path(address, parameters);
        let said = dsn.map(|dsn| dsn.of_recipient(address, parameters.utf8));
        let (notify, original) = said.unwrap_or_default();
        lines.push(&["RCPT TO:<", &path, ">", notify, &original])?;
    }
    Ok(Cow::Owned(lines))
}

/// What is to be reported, if the server is to be told.
fn asked(envelope: &Envelope, parameters: Parameters) -> Option<&Dsn> {
    envelope.dsn().filter(|_| parameters.dsn)
}

/// An address as it is written.
fn path(address: &str, parameters: Parameters) -> Cow<'_, str> {
    let ascii = parameters.a_labels.then(|| idn::in_ascii(address)).flatten();
    ascii.unwrap_or(Cow::Borrowed(address))
}

/// Writes BDAT for a chunk of so many octets, which follow (RFC 3030 section 2).
pub(super) fn bdat(octets: usize, last: bool, output: &mut Output) {
    let mut digits = [0; 20];
    let size = decimal(octets as u64, &mut digits);
    // A number and constants: no line break is among them.
    let _ = output.command_of(&["BDAT ", size, if last { " LAST" } else { "" }]);
}

fn decimal(number: u64, digits: &mut [u8; 20]) -> &str {
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
    use crate::smtp::{Notify, Ret};

    #[test]
    fn mail_declares_size_and_form_of_the_message() {
        let envelope = Envelope::new("me@contoso.example", ["ann@a.example"]).unwrap();
        let line = |size, form, utf8| {
            let mut output = Output::new(true);
            let parameters = Parameters { size, form, utf8, ..Parameters::default() };
            mail(&envelope, parameters, &mut output).unwrap();
            String::from_utf8(output.unsent().to_vec()).unwrap()
        };
        let from = "MAIL FROM:<me@contoso.example>";
        assert_eq!(
            line(Some(10240), Form::EightBit, true),
            format!("{from} SIZE=10240 BODY=8BITMIME SMTPUTF8\r\n")
        );
        assert_eq!(
            line(Some(0), Form::Binary, false),
            format!("{from} SIZE=0 BODY=BINARYMIME\r\n")
        );
        assert_eq!(
            line(Some(u64::MAX), Form::SevenBit, true),
            format!("{from} SIZE={} SMTPUTF8\r\n", u64::MAX)
        );
    }

    fn lines(envelope: &Envelope, parameters: Parameters) -> String {
        let mut output = Output::new(true);
        mail(envelope, parameters, &mut output).unwrap();
        output.lines(&recipients(envelope, parameters).unwrap());
        String::from_utf8(output.unsent().to_vec()).unwrap()
    }

    #[test]
    fn what_is_to_be_reported_is_said_where_the_server_heeds_it() {
        let dsn = Dsn::new().ret(Ret::Full).envid("a b").unwrap().orcpt().notify(Notify::FAILURE);
        let dsn = dsn.notify_for("bob@b.example", Notify::NEVER);
        let envelope = Envelope::new("", ["ann@a.example", "bob@b.example"]).unwrap();
        let envelope = envelope.with_dsn(dsn).unwrap().require_tls();
        let all = Parameters { dsn: true, require_tls: true, ..Parameters::default() };
        assert_eq!(
            lines(&envelope, all),
            "MAIL FROM:<> REQUIRETLS RET=FULL ENVID=a+20b\r\n\
             RCPT TO:<ann@a.example> NOTIFY=FAILURE ORCPT=rfc822;ann@a.example\r\n\
             RCPT TO:<bob@b.example> NOTIFY=NEVER ORCPT=rfc822;bob@b.example\r\n"
        );
        assert_eq!(
            lines(&envelope, Parameters::default()),
            "MAIL FROM:<>\r\nRCPT TO:<ann@a.example>\r\nRCPT TO:<bob@b.example>\r\n"
        );
    }

    #[cfg(feature = "idn")]
    #[test]
    fn a_domain_is_written_in_ascii_and_reported_as_it_is() {
        let envelope = Envelope::new("me@exämple.example", ["ann@bücher.example"]).unwrap();
        let envelope = envelope.with_dsn(Dsn::new().orcpt()).unwrap();
        let ascii = Parameters { a_labels: true, dsn: true, ..Parameters::default() };
        assert_eq!(
            lines(&envelope, ascii),
            "MAIL FROM:<me@xn--exmple-cua.example>\r\n\
             RCPT TO:<ann@xn--bcher-kva.example> ORCPT=utf-8;ann@b\\x{FC}cher.example\r\n"
        );
    }
}
