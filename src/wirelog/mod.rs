//! A recording of what client and server said, fit to be attached to a bug report, and to be
//! replayed as a test.
//!
//! It is asked for at the connector:
//!
//! ```
//! use mailbearer::{Auth, ImapClient, provider::microsoft365, token::StaticToken, wirelog::Recorder};
//!
//! # fn record(tokens: StaticToken) -> std::io::Result<()> {
//! let recorder = Recorder::new();
//! let connector = ImapClient::builder(microsoft365::imap())
//!     .auth(Auth::xoauth2("billing@contoso.example", tokens))
//!     .record(recorder.clone());
//! // … whatever fails …
//! recorder.write_to(std::fs::File::create("failure.txt")?)?;
//! # Ok(()) }
//! ```
//!
//! # What is in it
//! ```text
//! # recorded: mailbearer 0.1.0
//! # endpoint: generic smtp_starttls host=smtp.office365.com port=587
//! # auth: xoauth2 user1@contoso.example "[1843 octets]"
//! # error: Auth stage="authentication" retry="Administrator" usable=false
//! S: 220 TYCP286CA0192.outlook.office365.com Microsoft ESMTP MAIL Service ready
//! C: EHLO [127.0.0.1]
//! …
//! -- TLS
//! …
//! C: AUTH XOAUTH2
//! S: 334
//! C: [secret, 2504 octets]
//! S: 535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.
//! ```
//!
//! | | |
//! |---|---|
//! | `C: `, `S: ` | a line of the client, of the server |
//! | `-- DIAL`, `-- TLS`, `-- EOF` | another connection, a TLS handshake, the end of what the server says |
//! | `-- NEXT` | another dialogue begins: each call of `connect`, with the session that it leads to, is one |
//! | `[secret, 160 octets]` | a SASL response or a password |
//! | `[content, 4413 octets]` | a message or a literal, with its line ends: on a line of its own, it is followed by none |
//! | `[base64: {"status":"400"}]` | a challenge, decoded |
//! | `\x0d` | an octet that no text shows |
//! | `# ` | a header or a remark |
//!
//! # What is not in it
//! - Tokens and passwords, also where a server echoes them.
//! - Messages, header fields, and what somebody searched for.
//! - Subjects, names of persons and of files in ENVELOPE and BODYSTRUCTURE: as many `x` as they have
//!   characters.
//! - Local parts of addresses: `user1` stands for the same one throughout a recording, whatever its
//!   letter case, in commands, replies, envelopes and names of mailboxes. Domains stay, since they
//!   are evidence.
//!
//! Names of mailboxes and what servers say in their own words are kept but for that, as are the names
//! and addresses of machines, this one's among them, and the identifiers of messages in POP3. Read a
//! recording before you publish it.

mod address;
mod alias;
mod dialogue;
mod quoted;
#[cfg(all(test, feature = "imap"))]
mod tests;
mod view;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};

use crate::auth::Credentials;
use crate::{Endpoint, Security};

use alias::Aliases;
use dialogue::{Text, lock};

pub(crate) use dialogue::Dialogue;

/// Records the dialogues of the connectors that it was given to. A cheap clone, and all clones are
/// one recording.
///
/// Its memory is bounded: where there is too much, the oldest dialogues go first, and one that is
/// too long by itself ends where the bound is. Both are said in the recording.
#[derive(Clone, Default)]
pub struct Recorder {
    kept: Arc<Mutex<Kept>>,
}

/// What was recorded.
pub(crate) struct Kept {
    limit: usize,
    dialogues: VecDeque<Text>,
    /// Octets of all of them but the one that is taken.
    octets: usize,
    next: u64,
    /// Dialogues that had to go.
    gone: u64,
    aliases: Aliases,
}

impl Default for Kept {
    fn default() -> Self {
        let limit = Recorder::LIMIT;
        let (dialogues, aliases) = (VecDeque::new(), Aliases::default());
        Self { limit, dialogues, octets: 0, next: 0, gone: 0, aliases }
    }
}

impl Recorder {
    const LIMIT: usize = 1024 * 1024;

    /// Keeps up to 1 MiB of text.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps up to so many octets of text.
    pub fn with_limit(octets: usize) -> Self {
        let kept = Kept { limit: octets, ..Kept::default() };
        Self { kept: Arc::new(Mutex::new(kept)) }
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        lock(&self.kept).dialogues.is_empty()
    }

    /// Forgets what was recorded. Pseudonyms stay the same.
    pub fn clear(&self) {
        let mut kept = lock(&self.kept);
        kept.dialogues.clear();
        (kept.octets, kept.gone) = (0, 0);
    }

    /// Writes what was recorded so far. The [`Display`](fmt::Display) of a recorder is the same text.
    ///
    /// # Errors
    /// Those of `writer`.
    pub fn write_to(&self, mut writer: impl io::Write) -> io::Result<()> {
        writer.write_all(self.to_string().as_bytes())?;
        writer.flush()
    }

    /// A dialogue begins.
    pub(crate) fn begin(&self, endpoint: &Endpoint, credentials: &Credentials<'_>) -> Dialogue {
        let mut kept = lock(&self.kept);
        let number = kept.next;
        kept.next += 1;
        let (mechanism, user) = (credentials.mechanism(), credentials.user());
        kept.aliases.login(user);
        let user = view::escaped(user.as_bytes()).replace(['"', '\''], "");
        let user = kept.aliases(|aliases| address::masked(&user, false, aliases));
        let auth = format!("{mechanism} \"{user}\"");
        let text = Text::new(number, endpoint.protocol(), described(endpoint), auth);
        kept.dialogues.push_back(Text::taken(number));
        kept.put(text);
        Dialogue::new(self.kept.clone(), number)
    }
}

/// The endpoint as transcripts write it.
fn described(endpoint: &Endpoint) -> String {
    let service = match endpoint.security() {
        Security::ImplicitTls => "",
        Security::StartTls => "_starttls",
        Security::ClearText(_) => "_clear",
    };
    let profile = endpoint.profile();
    let mut text = format!("generic {}{service}", endpoint.protocol().name());
    let host = view::escaped(endpoint.host().as_bytes()).replace([' ', '"', '\''], "_");
    text.push_str(&format!(" host={host} port={}", endpoint.port()));
    if profile.inline_auth() {
        text.push_str(" inline");
    }
    if profile.demands_id() {
        text.push_str(" id");
    }
    #[cfg(feature = "smtp")]
    {
        let off = crate::smtp::Extension::ALL.into_iter();
        let off = off.filter(|extension| profile.is_without(*extension));
        let off: Vec<_> = off.map(|extension| format!("{extension:?}").to_lowercase()).collect();
        if !off.is_empty() {
            text.push_str(&format!(" without={}", off.join(",")));
        }
    }
    text
}

impl Kept {
    fn take(&mut self, number: u64) -> Option<Text> {
        let place = self.dialogues.iter_mut().rev().find(|text| text.number == number)?;
        let text = std::mem::replace(place, Text::taken(number));
        self.octets -= text.octets();
        Some(text)
    }

    /// Puts a dialogue back that was taken, and makes room for it.
    fn put(&mut self, mut text: Text) {
        while text.octets() + self.octets > self.limit
            && self.dialogues.front().is_some_and(|oldest| oldest.number != text.number)
        {
            let oldest = self.dialogues.pop_front();
            self.octets -= oldest.map_or(0, |oldest| oldest.octets());
            self.gone += 1;
        }
        // The last one may say so much by itself.
        if text.said_octets() + self.octets > self.limit && !text.full {
            text.cut(self.limit.saturating_sub(self.octets));
        }
        let place = self.dialogues.iter_mut().rev().find(|other| other.number == text.number);
        if let Some(place) = place {
            self.octets += text.octets();
            *place = text;
        }
    }

    fn aliases<T>(&mut self, ask: impl FnOnce(&mut Aliases) -> T) -> T {
        ask(&mut self.aliases)
    }
}

impl fmt::Display for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = lock(&self.kept);
        if kept.gone > 0 {
            writeln!(f, "# {} older dialogues were dropped for want of room", kept.gone)?;
        }
        for (at, text) in kept.dialogues.iter().enumerate() {
            if at > 0 {
                f.write_str("-- NEXT\n")?;
            }
            f.write_str(&text.transcript())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}
