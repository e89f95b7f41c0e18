//! What the messages of the tests begin with.

/// A header and the empty line behind it. It has all that Postfix would add for a client on the
/// same machine, so that what is sent and what arrives can be compared.
pub(crate) fn header(from: &str, to: &str) -> Vec<u8> {
    format!(
        "From: {from}\r\nTo: {to}\r\nSubject: test\r\nDate: Sat, 21 Nov 2026 08:00:00 +0000\r\n\
         Message-ID: <test.{from}>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    )
    .into_bytes()
}
