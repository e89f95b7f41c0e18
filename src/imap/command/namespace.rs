//! NAMESPACE, RFC 9051 section 6.3.10 (RFC 2342).
//!
//! ```text
//! C: A4 NAMESPACE
//! S: * NAMESPACE (("" "/")) (("~" "/")) NIL
//! S: A4 OK NAMESPACE completed
//! ```

use bytes::Bytes;

use super::{Command, is_data};
use crate::imap::proto::decode::{Cursor, Malformed, Parsed};
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::proto::{Claims, Tag};
use crate::imap::{Capabilities, Error, ImapClient, MailboxName, Reply};
use crate::{Misuse, Stage};

/// Where mailboxes are: the user's own, those of other users, and those shared by all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespaces {
    personal: Vec<NamespacePrefix>,
    others: Vec<NamespacePrefix>,
    shared: Vec<NamespacePrefix>,
}

impl Namespaces {
    /// The user's own mailboxes.
    pub fn personal(&self) -> &[NamespacePrefix] {
        &self.personal
    }

    /// The mailboxes of other users.
    pub fn others(&self) -> &[NamespacePrefix] {
        &self.others
    }

    /// The mailboxes shared by all.
    pub fn shared(&self) -> &[NamespacePrefix] {
        &self.shared
    }
}

/// What the names of one namespace begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespacePrefix {
    prefix: MailboxName,
    delimiter: Option<char>,
    translation: Option<MailboxName>,
}

impl NamespacePrefix {
    /// What they begin with, its delimiter included where there is one; maybe empty.
    pub const fn prefix(&self) -> &MailboxName {
        &self.prefix
    }

    /// What parts the levels of a name; `None` if there are none.
    pub const fn delimiter(&self) -> Option<char> {
        self.delimiter
    }

    /// What to show people in place of the [prefix](Self::prefix), in the language that was
    /// [set](ImapClient::set_language) (RFC 5255 section 3.4). Never sent.
    pub const fn translation(&self) -> Option<&MailboxName> {
        self.translation.as_ref()
    }
}

impl ImapClient {
    /// Where mailboxes are.
    ///
    /// # Errors
    /// [`Error::Refused`] if the server does not know the command; [`Error::Unsupported`] at Exchange
    /// 2003, which would end the connection.
    ///
    /// # Cancel safety
    /// See [`ImapClient`].
    pub async fn namespace(&mut self) -> Result<Namespaces, Error> {
        let core = self.mailbox.session.core();
        if core.habits().ends_at_namespace {
            let stage = Stage::Command("NAMESPACE");
            return Err(Error::lacks(core.capabilities(), stage, "NAMESPACE"));
        }
        self.run(Namespace::default()).await
    }
}

#[derive(Default)]
pub(crate) struct Namespace {
    found: Namespaces,
    utf8: bool,
}

impl Command for Namespace {
    type Output = Namespaces;

    fn name(&self) -> &'static str {
        "NAMESPACE"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw("NAMESPACE");
        Ok(())
    }

    fn claims(&self) -> Claims {
        Claims::Data(|response| is_data(response, "NAMESPACE"))
    }

    fn started(&mut self, _: Tag, utf8: bool) {
        self.utf8 = utf8;
    }

    fn accept(&mut self, response: &Response<'_>, _: &Bytes) -> Parsed<()> {
        if let Response::Data { rest, .. } = response {
            let mut cursor = Cursor::new(rest);
            self.found = Namespaces {
                personal: prefixes(&mut cursor, self.utf8)?,
                others: prefixes(&mut cursor, self.utf8)?,
                shared: prefixes(&mut cursor, self.utf8)?,
            };
        }
        Ok(())
    }

    fn finish(self, _: Reply) -> Namespaces {
        self.found
    }
}

/// `NIL` or `((prefix delimiter extensions…)…)`.
fn prefixes(cursor: &mut Cursor<'_>, utf8: bool) -> Parsed<Vec<NamespacePrefix>> {
    const MOST: usize = 1000;
    let mut found = Vec::new();
    cursor.spaces();
    if cursor.eat_word(b"NIL") || cursor.at_end() {
        return Ok(found);
    }
    cursor.expect(b'(', "a list of namespaces")?;
    loop {
        cursor.spaces();
        if cursor.eat(b')') {
            return Ok(found);
        }
        cursor.expect(b'(', "a namespace")?;
        let prefix = MailboxName::heard(cursor.astring()?.to_bytes().into_owned(), utf8);
        cursor.spaces();
        let delimiter = cursor.nstring()?.and_then(|text| text.to_str_lossy().chars().next());
        // No server has more than some; each takes more room than its text.
        if found.len() == MOST {
            return Err(Malformed("at most 1,000 namespaces of a kind"));
        }
        let mut translation = None;
        cursor.spaces();
        while !cursor.eat(b')') {
            // RFC 4466 section 2.5: a name and a list of strings.
            let is_translation = Cursor::new(cursor.value()?)
                .astring()
                .is_ok_and(|name| name.eq_ignore_ascii_case("TRANSLATION"));
            cursor.spaces();
            if is_translation && cursor.peek() == Some(b'(') {
                let mut list = Cursor::new(cursor.value()?);
                list.eat(b'(');
                list.spaces();
                let name = list.astring().map(|name| name.to_bytes().into_owned());
                translation = name.ok().map(|name| MailboxName::heard(name, utf8));
                cursor.spaces();
            }
        }
        found.push(NamespacePrefix { prefix, delimiter, translation });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::command::script::play;

    /// Prefixes and their delimiters.
    type Shown = Vec<(String, Option<char>)>;

    fn parse(rest: &str) -> Parsed<Vec<Shown>> {
        let mut cursor = Cursor::new(rest.as_bytes());
        (0..3)
            .map(|_| {
                let found = prefixes(&mut cursor, false)?.into_iter();
                Ok(found.map(|found| (found.prefix.to_string(), found.delimiter)).collect())
            })
            .collect()
    }

    fn own(found: &[(&str, Option<char>)]) -> Shown {
        found.iter().map(|(prefix, delimiter)| ((*prefix).to_owned(), *delimiter)).collect()
    }

    #[test]
    fn the_examples_of_rfc_2342_are_read() {
        let found = parse("((\"\" \"/\")) NIL ((\"\" \"/\"))").unwrap();
        assert_eq!(found, [own(&[("", Some('/'))]), own(&[]), own(&[("", Some('/'))])]);
        let found = parse(
            "((\"\" \"/\")(\"#mh/\" \"/\" \"X-PARAM\" (\"FLAG1\" \"FLAG2\"))) NIL \
             ((\"Public Folders/\" NIL))",
        )
        .unwrap();
        assert_eq!(found[0], own(&[("", Some('/')), ("#mh/", Some('/'))]));
        assert_eq!(found[2], own(&[("Public Folders/", None)]));
    }

    #[test]
    fn translations_are_read_as_rfc_5255_shows_them() {
        let rest = concat!(
            r#"(("" "/")) (("Other Users/" "/" "X-P" ("a") "TRANSLATION" ("Andere Ben&APw-tzer/"))) "#,
            r#"(("Public Folders/" "/" translation ("Gemeinsame Postf&AM8-cher/" "x"))"#,
            r#"("" NIL TRANSLATION ()))"#,
        );
        let mut cursor = Cursor::new(rest.as_bytes());
        let shown = |found: &[NamespacePrefix]| -> Vec<_> {
            found.iter().map(|f| f.translation().map(ToString::to_string)).collect()
        };
        assert_eq!(shown(&prefixes(&mut cursor, false).unwrap()), [None]);
        let others = prefixes(&mut cursor, false).unwrap();
        assert_eq!(shown(&others), [Some("Andere Ben\u{fc}tzer/".to_owned())]);
        let shared = prefixes(&mut cursor, false).unwrap();
        assert_eq!(shown(&shared), [Some("Gemeinsame Postf\u{cf}cher/".to_owned()), None]);
    }

    #[test]
    fn exchange_online_has_one_namespace() {
        let script = "
            S: * PREAUTH hi
            C: A1 NAMESPACE
            S: * NAMESPACE ((\"\" \"/\")) NIL NIL
            S: A1 OK NAMESPACE completed.
        ";
        play(Namespace::default, script, |played| {
            let found = played.output.unwrap();
            assert_eq!(found.personal()[0].delimiter(), Some('/'));
            assert!(found.others().is_empty() && found.shared().is_empty());
        });
    }

    #[test]
    fn a_prefix_in_utf_8_is_the_name_that_lists_begin_with() {
        for (utf8, prefix) in [(true, "\u{d6}ffentlich/"), (false, "&ANY-ffentlich/")] {
            let mut namespace = Namespace::default();
            namespace.started(Tag::NONE, utf8);
            let line = format!("* NAMESPACE NIL NIL ((\"{prefix}\" \"/\"))\r\n");
            namespace.accept(&Response::parse(line.as_bytes()), &Bytes::new()).unwrap();
            let [shared] = namespace.found.shared() else { panic!("{line}") };
            assert_eq!(*shared.prefix(), MailboxName::from("\u{d6}ffentlich/"));
        }
    }

    #[test]
    fn a_list_without_bounds_is_not_cut_short_in_silence() {
        let of = |namespaces: usize| format!("({})", "(\"a\" NIL)".repeat(namespaces));
        assert_eq!(parse(&of(1000)).unwrap()[0].len(), 1000);
        assert!(parse(&of(1001)).is_err());
    }

    #[test]
    fn what_is_cut_short_is_no_namespace() {
        assert!(parse("((\"\" \"/\")").is_err());
        assert!(parse("x").is_err());
    }
}
