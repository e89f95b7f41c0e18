//! One dialogue of a recording: what becomes of a line before it is kept.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Kept;
use super::address;
use super::quoted::{Fetch, Search};
use super::view::escaped;
use crate::secret::{REDACTED, Scrubber};
use crate::wire::{Heard, Said};
use crate::{Failure, Protocol, Stage};

/// Where the lines of one call of `connect`, and of the session that it led to, are kept. A cheap
/// clone.
#[derive(Clone)]
pub(crate) struct Dialogue {
    kept: Arc<Mutex<Kept>>,
    number: u64,
}

/// The text of a dialogue so far.
pub(super) struct Text {
    pub(super) number: u64,
    protocol: Protocol,
    endpoint: String,
    auth: String,
    /// Octets of each token or password that was used.
    credentials: Vec<usize>,
    error: Option<String>,
    pub(super) lines: String,
    /// Content that may go on.
    content: Option<(char, u64)>,
    /// The line of the client that has not ended.
    line: String,
    /// The command that the client is about, if it searches.
    search: Option<Search>,
    fetch: Option<Fetch>,
    /// The rest of the response is not taken in.
    left_out: bool,
    dialled: bool,
    ended: bool,
    /// Nothing more is taken in.
    pub(super) full: bool,
}

impl Text {
    pub(super) const fn new(
        number: u64,
        protocol: Protocol,
        endpoint: String,
        auth: String,
    ) -> Self {
        Self {
            number,
            protocol,
            endpoint,
            auth,
            credentials: Vec::new(),
            error: None,
            lines: String::new(),
            content: None,
            line: String::new(),
            search: None,
            fetch: None,
            left_out: false,
            dialled: false,
            ended: false,
            full: false,
        }
    }

    /// What stands in the place of a dialogue that is being changed.
    pub(super) const fn taken(number: u64) -> Self {
        Self::new(number, Protocol::Smtp, String::new(), String::new())
    }

    /// Keeps so many octets, and takes nothing more in.
    pub(super) fn cut(&mut self, octets: usize) {
        let most = self.lines.as_bytes().get(..octets).unwrap_or_default();
        let whole = memchr::memrchr(b'\n', most).map_or(0, |end| end + 1);
        self.lines.truncate(whole);
        self.lines.shrink_to_fit();
        self.line.clear();
        self.content = None;
        self.full = true;
    }

    /// The dialogue as a transcript.
    pub(super) fn transcript(&self) -> String {
        let mut text = format!("# recorded: mailbearer {}\n", env!("CARGO_PKG_VERSION"));
        text.push_str(&format!("# endpoint: {}\n# auth: {}", self.endpoint, self.auth));
        for octets in &self.credentials {
            text.push_str(&format!(" \"[{octets} octets]\""));
        }
        match &self.error {
            Some(error) => text.push_str(&format!("\n# error: {error}\n")),
            None => text.push_str("\n# result: ok\n"),
        }
        text.push_str(&self.lines);
        text.extend(self.content.map(shown));
        if !self.line.is_empty() {
            text.push_str(&format!("C: {}\n", self.line));
        }
        if self.full {
            text.push_str("# the recording ends here, since there is no more room\n");
        }
        text
    }

    /// What a dialogue takes though nothing is said in it.
    const OVERHEAD: usize = 512;

    /// Octets of memory, about.
    pub(super) fn octets(&self) -> usize {
        let error = self.error.as_ref().map_or(0, String::len);
        let credentials = self.credentials.len() * size_of::<usize>();
        let head = self.endpoint.len() + self.auth.len() + error + credentials;
        Self::OVERHEAD + head + self.said_octets()
    }

    /// Octets of what was said.
    pub(super) fn said_octets(&self) -> usize {
        self.lines.len() + self.line.len()
    }
}

fn shown((who, octets): (char, u64)) -> String {
    format!("{who}: [content, {octets} octets]\n")
}

impl Dialogue {
    pub(super) const fn new(kept: Arc<Mutex<Kept>>, number: u64) -> Self {
        Self { kept, number }
    }

    /// A token or password of so many octets is used from here on.
    pub(crate) fn credential(&self, octets: usize) {
        self.change(|text, _| text.credentials.push(octets));
    }

    /// Somebody else logs in on the same connection.
    #[cfg(feature = "imap")]
    pub(crate) fn login(&self, user: &str) {
        lock(&self.kept).aliases.login(user);
    }

    /// A connection is about to be opened.
    pub(crate) fn dial(&self) {
        self.change(|text, _| {
            text.ended = false;
            if std::mem::replace(&mut text.dialled, true) {
                text.push("-- DIAL");
            }
        });
    }

    /// TLS protects it.
    pub(crate) fn tls(&self) {
        self.change(|text, _| text.push("-- TLS"));
    }

    /// The client is logged in; what follows is what was called.
    pub(crate) fn connected(&self) {
        self.change(|text, _| text.push("# connected"));
    }

    /// There is no client.
    pub(crate) fn failed(&self, error: &impl Failure) {
        let variant = format!("{error:?}");
        let variant = variant.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        let (stage, retry) = (error.stage(), error.retry());
        let stated = format!(
            "{variant} stage=\"{stage}\" retry=\"{retry:?}\" usable={}",
            error.connection_usable()
        );
        let message = escaped(error.to_string().as_bytes());
        self.change(|text, kept| {
            text.error = Some(stated);
            let message = kept.aliases(|aliases| address::masked(&message, false, aliases));
            text.push(&format!("# message: {message}"));
            if matches!(stage, Stage::Token | Stage::Dial | Stage::Tls) {
                text.push("# what went wrong is below the protocol, and cannot be replayed");
            }
        });
    }

    /// What the client wrote.
    pub(crate) fn client(&self, said: &[Said]) {
        self.change(|text, kept| {
            for said in said {
                text.said(said, kept);
            }
        });
    }

    /// What the server said, without the secrets that `scrubber` knows.
    pub(crate) fn server(&self, heard: &Heard, scrubber: &Scrubber) {
        self.change(|text, kept| text.heard(heard, scrubber, kept));
    }

    /// The server says no more.
    pub(crate) fn end(&self) {
        self.change(|text, _| {
            if !std::mem::replace(&mut text.ended, true) {
                text.push("-- EOF");
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut Text, &mut Kept)) {
        let mut kept = lock(&self.kept);
        let Some(mut text) = kept.take(self.number) else { return };
        if !text.full {
            change(&mut text, &mut kept);
        }
        kept.put(text);
    }
}

pub(super) fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    // What was kept is whole, whoever panicked.
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A line, or what stands between two literals, of more octets is left out of a recording: a
/// response may have 32 MiB of text, and to mask it takes much more.
const LONGEST: usize = 64 * 1024;

impl Text {
    /// Ends what has not ended, and adds a line.
    fn push(&mut self, line: &str) {
        let content = self.content.take().map(shown);
        self.lines.extend(content);
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            self.lines.push_str(&format!("C: {line}\n"));
        }
        self.lines.push_str(line);
        self.lines.push('\n');
    }

    fn content(&mut self, who: char, octets: u64) {
        match &mut self.content {
            Some((speaker, more)) if *speaker == who => *more += octets,
            _ => {
                let content = self.content.take().map(shown);
                self.lines.extend(content);
                self.content = Some((who, octets));
            }
        }
    }

    fn said(&mut self, said: &Said, kept: &mut Kept) {
        match said {
            Said::Text(octets) => {
                let mut lines = octets.split(|octet| *octet == b'\n').peekable();
                while let Some(line) = lines.next() {
                    let line = line.strip_suffix(b"\r").unwrap_or(line);
                    let text = self.client_text(line, kept);
                    self.line.push_str(&text);
                    if lines.peek().is_some() {
                        let line = std::mem::take(&mut self.line);
                        self.push(&format!("C: {line}"));
                    }
                }
            }
            Said::Secret(octets) => self.line.push_str(&format!("[secret, {octets} octets]")),
            Said::Content(octets) => self.content('C', *octets as u64),
            Said::TakenBack(octets) => {
                self.push(&format!("# the last {octets} octets of the client did not leave"));
            }
        }
    }

    fn client_text(&mut self, line: &[u8], kept: &mut Kept) -> String {
        let imap = self.protocol == Protocol::Imap;
        let mut line = escaped(line);
        // Behind a literal a command goes on with a space or a parenthesis, where others have a tag.
        if imap && self.line.is_empty() && !line.is_empty() && !line.starts_with([' ', ')']) {
            self.search = Search::begun_by(&line);
        }
        if let Some(search) = &mut self.search {
            line = search.masked(&line);
        }
        kept.aliases(|aliases| address::masked(&line, imap, aliases))
    }

    fn heard(&mut self, heard: &Heard, scrubber: &Scrubber, kept: &mut Kept) {
        match heard {
            Heard::Line(line) if line.len() > LONGEST => self.leave_out(line.len()),
            Heard::Line(line) => {
                let line = self.server_text(line, scrubber, kept);
                self.push(&format!("S: {line}"));
            }
            #[cfg(feature = "proxy")]
            Heard::Note(_) => {}
            Heard::Listing(rows) => {
                for row in rows.split_inclusive(|octet| *octet == b'\n') {
                    let row = row.strip_suffix(b"\n").unwrap_or(row);
                    let row = row.strip_suffix(b"\r").unwrap_or(row);
                    if row.len() > LONGEST {
                        self.leave_out(row.len());
                        continue;
                    }
                    let stuffed = if row.first() == Some(&b'.') { "." } else { "" };
                    let row = self.server_text(row, scrubber, kept);
                    self.push(&format!("S: {stuffed}{row}"));
                }
                self.push("S: .");
            }
            Heard::Message(octets) => {
                if *octets > 0 {
                    self.content('S', *octets);
                }
                self.push("S: .");
            }
            Heard::Response { begins, parts } => {
                if *begins {
                    self.fetch = None;
                    self.left_out = false;
                }
                for (text, literal) in parts {
                    // What follows a part cannot be masked without it.
                    self.left_out |= text.len() > LONGEST;
                    if self.left_out {
                        self.leave_out(text.len());
                        continue;
                    }
                    let text = self.server_text(text, scrubber, kept);
                    let text = self.fetched(text, *begins, literal.is_some(), kept);
                    self.push(&format!("S: {text}"));
                    if let Some(octets) = literal.filter(|octets| *octets > 0) {
                        self.content('S', octets);
                    }
                }
            }
        }
    }

    /// Text of the server that is too long to be looked through.
    fn leave_out(&mut self, octets: usize) {
        self.push(&format!("# the server said {octets} octets more, which were left out"));
    }

    /// What stands in quotes in a FETCH response is masked as well.
    fn fetched(&mut self, text: String, begins: bool, literal: bool, kept: &mut Kept) -> String {
        if begins && self.fetch.is_none() && Fetch::is_one(&text) {
            self.fetch = Some(Fetch::default());
        }
        match &mut self.fetch {
            Some(fetch) => kept.aliases(|aliases| fetch.masked(&text, literal, aliases)),
            None => text,
        }
    }

    fn server_text(&self, line: &[u8], scrubber: &Scrubber, kept: &mut Kept) -> String {
        let imap = self.protocol == Protocol::Imap;
        let clean = without_hidden_secrets(&scrubber.clean(line), scrubber);
        if let Some((mark, challenge)) = challenge(&clean) {
            let challenge = escaped(&scrubber.clean(&challenge));
            let challenge = kept.aliases(|aliases| address::masked(&challenge, false, aliases));
            return format!("{mark}[base64: {challenge}]");
        }
        let line = escaped(&clean);
        kept.aliases(|aliases| address::masked(&line, imap, aliases))
    }
}

/// A SASL challenge, decoded: what stands before it, and what it says.
fn challenge(line: &[u8]) -> Option<(&str, Vec<u8>)> {
    let said = line.strip_prefix(b"+ ").map(|said| ("+ ", said));
    let (mark, said) = said.or_else(|| Some(("334 ", line.strip_prefix(b"334 ")?)))?;
    if said.len() < 8 {
        return None;
    }
    let said = STANDARD.decode(said).ok()?;
    let readable = std::str::from_utf8(&said)
        .is_ok_and(|text| text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace()));
    readable.then_some((mark, said))
}

/// Takes out the words that are base64 of something with a secret, or an address, in it.
fn without_hidden_secrets(line: &[u8], scrubber: &Scrubber) -> Vec<u8> {
    let mut clean = Vec::with_capacity(line.len());
    // The challenge as a whole is decoded and shown.
    if challenge(line).is_some() {
        return line.to_vec();
    }
    let mut hidden = false;
    for word in line.chunk_by(|one, other| is_base64(one) == is_base64(other)) {
        // The padding belongs to what stands before it; elsewhere `=` divides words.
        let padding = word.iter().take_while(|octet| hidden && **octet == b'=').count();
        hidden = word.first().is_some_and(is_base64) && hides(word, scrubber);
        clean.extend_from_slice(if hidden { REDACTED.as_bytes() } else { &word[padding..] });
    }
    clean
}

const fn is_base64(octet: &u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/')
}

/// Whether a word is base64 of something with a secret, or an address, in it. It may begin a little
/// behind the start of the word, as in `token/…`.
fn hides(word: &[u8], scrubber: &Scrubber) -> bool {
    /// A shorter word holds nothing that is known.
    const LEAST: usize = 12;
    word.len() >= LEAST
        && (0..4).any(|from| {
            let whole = (word.len() - from) / 4 * 4;
            STANDARD.decode(&word[from..from + whole]).is_ok_and(|decoded| {
                scrubber.clean(&decoded).len() != decoded.len() || holds_an_address(&decoded)
            })
        })
}

/// Whether there is an address among octets that need not be text.
fn holds_an_address(octets: &[u8]) -> bool {
    let named = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '[');
    octets.utf8_chunks().any(|chunk| {
        let text = chunk.valid();
        text.match_indices('@').any(|(at, _)| {
            let before = text[..at].chars().next_back();
            before.is_some_and(|c| !c.is_whitespace() && !c.is_control())
                && text[at + 1..].chars().take(3).filter(|c| named(*c)).count() == 3
        })
    })
}
