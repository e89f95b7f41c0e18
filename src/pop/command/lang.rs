//! LANG, RFC 6856 section 3.
//!
//! ```text
//! C: LANG
//! S: +OK Language listing follows:
//! S: en English
//! S: es Espanol
//! S: .
//! C: LANG es
//! S: +OK es Idioma cambiado
//! ```

use super::{Command, rows};
use crate::Misuse;
use crate::pop::proto::{Response, Shape};
use crate::pop::{Error, PopClient};

/// A language in which the server can word its answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Language {
    tag: String,
    description: String,
}

impl Language {
    /// Its tag (RFC 5646): `en`, `es-419`, …
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// What it is called in itself; may be empty.
    pub fn description(&self) -> &str {
        &self.description
    }

    fn parse(line: &str) -> Self {
        let (tag, description) = line.split_once(' ').unwrap_or((line, ""));
        Self { tag: tag.to_owned(), description: description.trim().to_owned() }
    }
}

impl PopClient {
    /// The languages in which the server can word its answers.
    ///
    /// # Errors
    /// [`Error::Refused`] by a server that does not know LANG, or cannot tell.
    ///
    /// # Cancel safety
    /// See [`PopClient`].
    pub async fn languages(&mut self) -> Result<Vec<Language>, Error> {
        self.run(Languages).await
    }

    /// Chooses the language of the server's answers by a language range (RFC 4647), or `*` for the
    /// one that its administrator prefers. Gives the tag of the language chosen.
    ///
    /// # Errors
    /// [`Error::Refused`] if it has none that fits: the language stays what it was.
    /// [`Error::Misuse`] for a range that is empty or has a space in it.
    ///
    /// # Cancel safety
    /// See [`PopClient`].
    pub async fn lang(&mut self, range: &str) -> Result<String, Error> {
        if range.is_empty() || range.contains(char::is_whitespace) {
            let why = format!("`{range}` is no language range");
            return Err(Misuse::Argument { what: "the language", why }.into());
        }
        self.run(Lang { range }).await
    }
}

struct Languages;

impl Command for Languages {
    const NAME: &'static str = "LANG";

    type Output = Vec<Language>;

    fn encode(&self) -> Vec<u8> {
        b"LANG".to_vec()
    }

    fn shape(&self) -> Shape {
        Shape::Listing
    }

    fn finish(self, response: Response) -> Result<Vec<Language>, String> {
        let listed = rows(&response.text).map(String::from_utf8_lossy);
        Ok(listed.map(|line| Language::parse(&line)).collect())
    }
}

struct Lang<'a> {
    range: &'a str,
}

impl Command for Lang<'_> {
    const NAME: &'static str = "LANG";

    type Output = String;

    fn encode(&self) -> Vec<u8> {
        format!("LANG {}", self.range).into_bytes()
    }

    fn finish(self, response: Response) -> Result<String, String> {
        let tag = response.reply.text().split(' ').next().filter(|tag| !tag.is_empty());
        tag.map(str::to_owned).ok_or_else(|| response.reply.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listing_of_the_rfc() {
        let listed = Language::parse("en-boont English Boontling dialect");
        assert_eq!((listed.tag(), listed.description()), ("en-boont", "English Boontling dialect"));
        assert_eq!(Language::parse("sv").description(), "");
    }
}
