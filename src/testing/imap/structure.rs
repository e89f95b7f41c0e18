//! BODYSTRUCTURE and BODY (RFC 3501 section 7.4.2).

use super::super::header;
use super::super::mime::{Part, parameterized};
use super::fetch::{envelope, nstring};

/// Writes what is told of a message; `extended` with the extension data.
pub(super) fn render(out: &mut Vec<u8>, message: &[u8], extended: bool) {
    body(out, &Part::parse(message), extended);
}

fn body(out: &mut Vec<u8>, part: &Part<'_>, extended: bool) {
    out.push(b'(');
    if part.is_multipart() {
        for part in &part.parts {
            body(out, part, extended);
        }
        out.push(b' ');
        string(out, &part.subtype);
        if extended {
            out.push(b' ');
            parameters(out, &part.parameters);
        }
    } else {
        single(out, part, extended);
    }
    if extended {
        out.push(b' ');
        disposition(out, part);
        out.push(b' ');
        field(out, part, "Content-Language");
        out.push(b' ');
        field(out, part, "Content-Location");
    }
    out.push(b')');
}

fn single(out: &mut Vec<u8>, part: &Part<'_>, extended: bool) {
    string(out, &part.media_type);
    out.push(b' ');
    string(out, &part.subtype);
    out.push(b' ');
    parameters(out, &part.parameters);
    for name in ["Content-ID", "Content-Description"] {
        out.push(b' ');
        field(out, part, name);
    }
    out.push(b' ');
    let encoding = header::value(part.head, "Content-Transfer-Encoding");
    nstring(out, Some(encoding.as_deref().unwrap_or(b"7bit")));
    out.extend(format!(" {}", part.body.len()).into_bytes());
    let lines = memchr::memchr_iter(b'\n', part.body).count();
    if let Some(message) = part.parts.first().filter(|_| part.is_message()) {
        out.push(b' ');
        envelope(out, part.body);
        out.push(b' ');
        body(out, message, extended);
        out.extend(format!(" {lines}").into_bytes());
    } else if part.media_type.eq_ignore_ascii_case("text") {
        out.extend(format!(" {lines}").into_bytes());
    }
    if extended {
        out.push(b' ');
        field(out, part, "Content-MD5");
    }
}

fn disposition(out: &mut Vec<u8>, part: &Part<'_>) {
    let Some(value) = header::value(part.head, "Content-Disposition") else {
        out.extend(b"NIL");
        return;
    };
    let (kind, found) = parameterized(&value);
    out.push(b'(');
    string(out, &kind);
    out.push(b' ');
    parameters(out, &found);
    out.push(b')');
}

fn parameters(out: &mut Vec<u8>, parameters: &[(String, String)]) {
    if parameters.is_empty() {
        out.extend(b"NIL");
        return;
    }
    let mut separator = b'(';
    for (name, value) in parameters {
        out.push(separator);
        string(out, name);
        out.push(b' ');
        string(out, value);
        separator = b' ';
    }
    out.push(b')');
}

fn field(out: &mut Vec<u8>, part: &Part<'_>, name: &str) {
    nstring(out, header::value(part.head, name).as_deref());
}

fn string(out: &mut Vec<u8>, text: &str) {
    nstring(out, Some(text.as_bytes()));
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn a_message_with_an_attachment_is_described() {
        let message = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhi\r\n--b\r\n\
            Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\
            Content-Disposition: attachment; filename=a.pdf\r\n\r\nQQ==\r\n--b--\r\n";
        let mut out = Vec::new();
        render(&mut out, message, true);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"(("text" "plain" NIL NIL NIL "7bit" 2 0 NIL NIL NIL NIL)("application" "pdf" ("name" "a.pdf") NIL NIL "base64" 4 NIL ("attachment" ("filename" "a.pdf")) NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)"#
        );
        let mut out = Vec::new();
        render(&mut out, b"Subject: x\r\n\r\na\r\nb\r\n", false);
        assert_eq!(out, br#"("text" "plain" NIL NIL NIL "7bit" 6 2)"#);
    }
}
