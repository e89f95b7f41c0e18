//! Pseudonyms: the same for the same local part, as long as the recording lasts.

use std::collections::HashMap;

/// Who is who.
#[derive(Default)]
pub(super) struct Aliases {
    numbers: HashMap<String, usize>,
    octets: usize,
    /// Logins that are no addresses: they are local parts wherever they stand.
    logins: Vec<String>,
}

/// How a local part is written, which its pseudonym keeps: it decides what a server is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Quoted,
    /// Beyond ASCII: needs SMTPUTF8.
    Wide,
}

impl Aliases {
    /// Octets of names that are kept. Whoever comes later has no number.
    const MOST: usize = 256 * 1024;
    /// A login as short as that is a word of any server.
    const LEAST_LOGIN: usize = 3;

    /// The pseudonym of `local`, whatever its letter case.
    pub(super) fn of(&mut self, local: &str, style: Style) -> String {
        let number = self.number(local);
        match style {
            Style::Plain => format!("user{number}"),
            Style::Quoted => format!("\"user {number}\""),
            Style::Wide => format!("\u{fc}ser{number}"),
        }
    }

    fn number(&mut self, local: &str) -> usize {
        let key = local.to_lowercase();
        let next = self.numbers.len() + 1;
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        if self.octets + key.len() > Self::MOST {
            return 0;
        }
        self.octets += key.len();
        self.numbers.insert(key, next);
        next
    }

    /// Somebody logs in as `user`.
    pub(super) fn login(&mut self, user: &str) {
        let known = self.logins.iter().any(|login| login == user);
        if !user.contains('@') && user.len() >= Self::LEAST_LOGIN && !known {
            self.logins.push(user.to_owned());
        }
    }

    pub(super) fn logins(&self) -> &[String] {
        &self.logins
    }

    /// Whether this is a local part that was seen before.
    pub(super) fn knows(&self, word: &str) -> bool {
        self.numbers.contains_key(&word.to_lowercase())
    }
}
