//! ID, RFC 2971.
//!
//! ```text
//! C: A2 ID ("name" "billing-robot" "version" "2.1")
//! S: * ID ("name" "Dovecot")
//! S: A2 OK ID completed.
//! ```

use bytes::Bytes;

use super::{Command, is_data};
use crate::Misuse;
use crate::imap::proto::Claims;
use crate::imap::proto::decode::{Cursor, Malformed, Parsed};
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::{Capabilities, Error, ImapClient, Reply};

impl ImapClient {
    /// Tells the server what this client is, and gives what the server tells of itself: names such
    /// as `name` and `version` with their values. Without fields it tells nothing, and still asks.
    ///
    /// # Errors
    /// [`Error::Refused`] if the server does not know the command. [`Error::Misuse`] for more than 30
    /// fields, a name of more than 30 octets or that is there twice, and a value of more than 1,024
    /// octets (RFC 2971 section 3.3).
    ///
    /// # Cancel safety
    /// See [`ImapClient`].
    pub async fn id<'a>(
        &mut self,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Vec<(String, Option<String>)>, Error> {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let fields = fields.into_iter().map(owned).collect();
        self.run(Id::new(fields)).await
    }
}

/// What a connector tells of us: what the user has set, else who we are.
pub(crate) fn or_ours(set: &[(String, String)]) -> Vec<(String, String)> {
    if set.is_empty() {
        vec![
            ("name".to_owned(), env!("CARGO_PKG_NAME").to_owned()),
            ("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ]
    } else {
        set.to_vec()
    }
}

pub(crate) struct Id {
    fields: Vec<(String, String)>,
    answer: Vec<(String, Option<String>)>,
}

impl Id {
    pub(crate) const fn new(fields: Vec<(String, String)>) -> Self {
        Self { fields, answer: Vec::new() }
    }
}

impl Command for Id {
    type Output = Vec<(String, Option<String>)>;

    fn name(&self) -> &'static str {
        "ID"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        // Exchange and GMX refuse `ID ()`.
        if self.fields.is_empty() {
            line.raw("ID NIL");
            return Ok(());
        }
        check(&self.fields)?;
        let mut separator = "ID (";
        for (name, value) in &self.fields {
            line.raw(separator).string("an ID field", name.as_bytes())?;
            line.raw(" ").string("an ID field", value.as_bytes())?;
            separator = " ";
        }
        line.raw(")");
        Ok(())
    }

    fn claims(&self) -> Claims {
        Claims::Data(|response| is_data(response, "ID"))
    }

    fn accept(&mut self, response: &Response<'_>, _: &Bytes) -> Parsed<()> {
        if let Response::Data { rest, .. } = response {
            self.answer = parse(rest)?;
        }
        Ok(())
    }

    fn finish(self, _: Reply) -> Self::Output {
        self.answer
    }
}

/// RFC 2971 section 3.3.
pub(crate) fn check(fields: &[(String, String)]) -> Result<(), Misuse> {
    const MOST: usize = 30;
    let refused = |why: &str| Err(Misuse::Argument { what: "an ID field", why: why.to_owned() });
    if fields.len() > MOST {
        return refused("there are more than 30");
    }
    for (at, (name, value)) in fields.iter().enumerate() {
        if name.len() > 30 {
            return refused("its name has more than 30 octets");
        }
        if value.len() > 1024 {
            return refused("its value has more than 1,024 octets");
        }
        if fields.iter().take(at).any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            return refused("its name is there twice");
        }
    }
    Ok(())
}

/// `NIL`, or names and values in one list; Archiveopteryx ends it with a space.
fn parse(rest: &[u8]) -> Parsed<Vec<(String, Option<String>)>> {
    let mut cursor = Cursor::new(rest);
    let mut fields = Vec::new();
    if cursor.eat_word(b"NIL") {
        return Ok(fields);
    }
    cursor.expect(b'(', "a list of ID fields")?;
    loop {
        cursor.spaces();
        if cursor.eat(b')') {
            return Ok(fields);
        }
        let name = cursor.astring()?.to_str_lossy().into_owned();
        cursor.spaces();
        let value = cursor.nstring()?.map(|value| value.to_str_lossy().into_owned());
        // RFC 2971 section 3.3 allows 30; each takes more room than its text.
        if fields.len() == 100 {
            return Err(Malformed("at most 100 fields of ID"));
        }
        fields.push((name, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;

    #[test]
    fn of_too_many_fields_none_is_left_out_in_silence() {
        let fields = |fields: usize| format!("({})", "\"a\" NIL ".repeat(fields));
        assert_eq!(parse(fields(100).as_bytes()).unwrap().len(), 100);
        assert!(parse(fields(101).as_bytes()).is_err());
    }

    #[test]
    fn no_more_is_told_than_a_server_need_take() {
        let field = |name: usize, value: usize| ("n".repeat(name), "v".repeat(value));
        let numbered = |fields: usize| (0..fields).map(|n| (format!("n{n}"), String::new()));
        for (fields, taken) in [
            (vec![field(30, 1024)], true),
            (vec![field(31, 0)], false),
            (vec![field(1, 1025)], false),
            (vec![field(1, 1), ("N".to_owned(), String::new())], false),
            (numbered(30).collect(), true),
            (numbered(31).collect(), false),
        ] {
            let mut line = Line::new(Default::default());
            let encoded = Id::new(fields).encode(&mut line, &Capabilities::default());
            assert_eq!(encoded.is_ok(), taken, "{encoded:?}");
        }
    }

    #[test]
    fn names_and_values_are_quoted_and_those_of_the_server_come_back() {
        let script = r#"
            S: * PREAUTH hi
            C: A1 ID ("name" "a \"robot\"" "version" "2.1")
            S: * ID ("name" "Dovecot")
            S: A1 OK ID completed.
        "#;
        let fields = [("name", "a \"robot\""), ("version", "2.1")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        play(
            || Id::new(fields.clone()),
            script,
            |played| {
                let named = ("name".to_owned(), Some("Dovecot".to_owned()));
                assert_eq!(played.output.unwrap(), [named]);
            },
        );
    }

    #[test]
    fn without_fields_nil_is_sent() {
        let script = "
            S: * PREAUTH hi
            C: A1 ID NIL
            S: * ID NIL
            S: A1 OK ID completed.
        ";
        play(|| Id::new(Vec::new()), script, |played| assert!(played.output.unwrap().is_empty()));
    }

    #[test]
    fn names_and_values_come_in_pairs() {
        let read = parse(b"(\"name\" \"Cyrus\" \"vendor\" NIL )").unwrap();
        let expected = [("name".to_owned(), Some("Cyrus".to_owned())), ("vendor".to_owned(), None)];
        assert_eq!(read, expected);
        assert_eq!(parse(b"NIL").unwrap(), []);
        assert_eq!(parse(b"()").unwrap(), []);
        assert!(parse(b"(\"name\"").is_err());
    }
}
