//! LANGUAGE, RFC 5255 section 3: in which language a server speaks to people.
//!
//! ```text
//! C: A3 LANGUAGE
//! S: * LANGUAGE (EN DE IT i-default)
//! S: A3 OK Supported languages have been enumerated
//! C: A4 LANGUAGE DE
//! S: * LANGUAGE (DE)
//! S: * NAMESPACE (("" "/")) (("Other Users/" "/" "TRANSLATION" ("Andere Ben&APw-tzer/"))) NIL
//! S: A4 OK Sprachwechsel durch LANGUAGE-Befehl ausgefuehrt
//! ```
//!
//! The names of namespaces in the new language are [`Namespaces`](crate::imap::Namespaces), asked for
//! anew; what comes of them unasked is an event.

use bytes::Bytes;

use super::modifier::Need;
use super::{Command, is_data};
use crate::Misuse;
use crate::imap::proto::Claims;
use crate::imap::proto::decode::{Cursor, Malformed, Parsed};
use crate::imap::proto::encode::Line;
use crate::imap::proto::response::Response;
use crate::imap::{Capabilities, Error, ImapClient, Reply};

const LANGUAGE: Need = Need::offered(&["LANGUAGE"]);

impl ImapClient {
    /// In which languages the server can speak to people.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server does not offer `LANGUAGE`.
    ///
    /// # Cancel safety
    /// See [`ImapClient`].
    pub async fn languages(&mut self) -> Result<Vec<String>, Error> {
        self.run(Language { wanted: Vec::new(), told: Vec::new() }).await
    }

    /// Has the server speak to people in the first of these languages that it knows (RFC 4647
    /// ranges: `de-AT`, `default`). Gives what it speaks now, if it says so.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server does not offer `LANGUAGE`; [`Error::Refused`] if it knows
    /// none of these. [`Error::Misuse`] without any.
    ///
    /// # Cancel safety
    /// See [`ImapClient`]. The server speaks so all the same.
    pub async fn set_language<L: Into<String>>(
        &mut self,
        ranges: impl IntoIterator<Item = L>,
    ) -> Result<Option<String>, Error> {
        let wanted: Vec<String> = ranges.into_iter().map(Into::into).collect();
        if wanted.is_empty() {
            let why = "none is named".to_owned();
            return Err(Misuse::Argument { what: "language", why }.into());
        }
        let told = self.run(Language { wanted, told: Vec::new() }).await?;
        // Several are what there is to choose from, and none was chosen.
        Ok(<[String; 1]>::try_from(told).ok().map(|[language]| language))
    }
}

struct Language {
    wanted: Vec<String>,
    told: Vec<String>,
}

impl Command for Language {
    type Output = Vec<String>;

    fn name(&self) -> &'static str {
        "LANGUAGE"
    }

    fn encode(&self, line: &mut Line, _: &Capabilities) -> Result<(), Misuse> {
        line.raw("LANGUAGE");
        for range in &self.wanted {
            line.raw(" ").astring("language", range.as_bytes())?;
        }
        Ok(())
    }

    fn needs(&self) -> &[Need] {
        &[LANGUAGE]
    }

    fn claims(&self) -> Claims {
        Claims::Data(|response| is_data(response, "LANGUAGE"))
    }

    fn accept(&mut self, response: &Response<'_>, _: &Bytes) -> Parsed<()> {
        /// There are no more.
        const MOST: usize = 10_000;
        let Response::Data { rest, .. } = response else { return Ok(()) };
        let mut cursor = Cursor::new(rest);
        cursor.expect(b'(', "a list of languages")?;
        let mut told = Vec::new();
        loop {
            cursor.spaces();
            if cursor.eat(b')') {
                self.told = told;
                return Ok(());
            }
            if told.len() == MOST {
                return Err(Malformed("at most 10,000 languages"));
            }
            told.push(cursor.astring()?.to_str_lossy().into_owned());
        }
    }

    fn finish(self, _: Reply) -> Vec<String> {
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::Event;
    use crate::imap::command::script::play;

    fn language(wanted: &'static [&'static str]) -> impl Fn() -> Language {
        let wanted: Vec<_> = wanted.iter().map(|range| (*range).to_owned()).collect();
        move || Language { wanted: wanted.clone(), told: Vec::new() }
    }

    #[test]
    fn the_examples_of_rfc_5255_are_played() {
        let script = "
            S: * PREAUTH [CAPABILITY LANGUAGE] hi
            C: A1 LANGUAGE
            S: * LANGUAGE (EN DE IT i-default)
            S: A1 OK Supported languages have been enumerated
        ";
        play(language(&[]), script, |played| {
            assert_eq!(played.output.unwrap(), ["EN", "DE", "IT", "i-default"]);
        });
        let script = r#"
            S: * PREAUTH [CAPABILITY LANGUAGE] hi
            C: A1 LANGUAGE FR-CA EN-CA
            S: * LANGUAGE (EN)
            S: * NAMESPACE (("" "/"))(("Other Users/" "/" "TRANSLATION" ("Andere Ben&APw-tzer/"))) NIL
            S: A1 OK Now speaking English
        "#;
        play(language(&["FR-CA", "EN-CA"]), script, |mut played| {
            assert_eq!(played.output.unwrap(), ["EN"]);
            assert!(matches!(played.core.take_event(), Some(Event::Data(_))));
        });
    }

    #[test]
    fn a_list_without_end_is_an_event() {
        let script = "
            S: * PREAUTH [CAPABILITY LANGUAGE] hi
            C: A1 LANGUAGE
            S: * LANGUAGE (EN DE
            S: * LANGUAGE EN
            S: A1 OK done
        ";
        play(language(&[]), script, |mut played| {
            assert!(played.output.unwrap().is_empty());
            for _ in 0..2 {
                assert!(matches!(played.core.take_event(), Some(Event::Unparsed { .. })));
            }
        });
    }
}
