//! The header of a message, as far as ENVELOPE, HEADER.FIELDS and the sender check need it.

/// The length of the header with the empty line that ends it; the whole message if none does.
pub(super) fn length(message: &[u8]) -> usize {
    if message.starts_with(b"\r\n") {
        return 2;
    }
    memchr::memmem::find(message, b"\r\n\r\n").map_or(message.len(), |at| at + 4)
}

/// The fields in order: name, and the whole field with its folding and line end.
pub(super) fn fields(message: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut rest = message.get(..length(message)).unwrap_or_default();
    let mut fields = Vec::new();
    while !rest.is_empty() && !rest.starts_with(b"\r\n") {
        let mut end = 0;
        loop {
            let line = rest.get(end..).unwrap_or_default();
            end += memchr::memchr(b'\n', line).map_or(line.len(), |at| at + 1);
            if !matches!(rest.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let (field, after) = rest.split_at(end);
        if let Some(colon) = memchr::memchr(b':', field) {
            fields.push((field.split_at(colon).0.trim_ascii_end(), field));
        }
        rest = after;
    }
    fields
}

/// The unfolded value of the first field of that name.
pub(super) fn value(message: &[u8], name: &str) -> Option<Vec<u8>> {
    let (name, field) = fields(message)
        .into_iter()
        .find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))?;
    let value = field.get(name.len()..)?.trim_ascii_start().strip_prefix(b":")?;
    let unfolded: Vec<u8> =
        value.iter().copied().filter(|octet| !b"\r\n".contains(octet)).collect();
    Some(unfolded.trim_ascii().to_vec())
}

/// One address of a From or To field. Groups and comments are not taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) name: Option<Vec<u8>>,
    pub(super) local: Vec<u8>,
    pub(super) host: Vec<u8>,
}

impl Address {
    /// `local@host`.
    pub(super) fn spec(&self) -> String {
        format!("{}@{}", String::from_utf8_lossy(&self.local), String::from_utf8_lossy(&self.host))
    }
}

/// The addresses in the value of an address field.
pub(super) fn addresses(value: &[u8]) -> Vec<Address> {
    split_outside_quotes(value).into_iter().filter_map(address).collect()
}

fn address(text: &[u8]) -> Option<Address> {
    let text = text.trim_ascii();
    let (name, spec) = match memchr::memrchr(b'<', text) {
        Some(open) => {
            let (name, spec) = text.split_at(open);
            (unquoted(name.trim_ascii()), spec.get(1..)?.split(|octet| *octet == b'>').next()?)
        }
        None => (None, text),
    };
    let at = memchr::memrchr(b'@', spec)?;
    let (local, host) = (spec.get(..at)?.to_vec(), spec.get(at + 1..)?.to_vec());
    Some(Address { name, local, host })
}

/// A display name without quotes and backslashes; `None` if it is empty.
fn unquoted(name: &[u8]) -> Option<Vec<u8>> {
    let inner = name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\""));
    let plain = match inner {
        Some(inner) => {
            let mut octets = inner.iter();
            let mut plain = Vec::with_capacity(inner.len());
            while let Some(octet) = octets.next() {
                plain.push(if *octet == b'\\' { *octets.next().unwrap_or(&b'\\') } else { *octet });
            }
            plain
        }
        None => name.to_vec(),
    };
    (!plain.is_empty()).then_some(plain)
}

fn split_outside_quotes(value: &[u8]) -> Vec<&[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    value
        .split(|octet| {
            match octet {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b',' => return !quoted,
                _ => {}
            }
            false
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folded_field_is_one_field() {
        let message = b"Subject: one\r\n two\r\nFrom: a@b.c\r\n\r\nFrom: body\r\n";
        assert_eq!(fields(message).len(), 2);
        assert_eq!(value(message, "SUBJECT").unwrap(), b"one two");
        assert_eq!(length(message), 35);
    }

    #[test]
    fn a_message_without_a_header_has_none() {
        assert!(fields(b"\r\nSubject: body\r\n").is_empty());
        assert!(fields(b"").is_empty());
        assert_eq!(value(b"no colon here", "subject"), None);
    }

    #[test]
    fn addresses_are_split_at_commas_outside_quotes() {
        let found = addresses(br#""Doe, \"J\"" <j@d.example>, k@e.example, junk"#);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].name.as_deref(), Some(&br#"Doe, "J""#[..]));
        assert_eq!(
            (found[0].spec(), found[1].spec()),
            ("j@d.example".into(), "k@e.example".into())
        );
    }
}
