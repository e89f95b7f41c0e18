//! The text of a transcript and what it means.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::recorded;

/// One file under `tests/transcripts`.
pub(crate) struct Transcript {
    /// Directory and file name.
    pub(crate) name: String,
    /// Provider and protocol: `microsoft365 pop`.
    pub(crate) endpoint: Vec<String>,
    /// Mechanism, user and credentials: `xoauth2 someuser@example.com token`.
    pub(crate) auth: Vec<String>,
    pub(crate) calls: Vec<Call>,
    pub(crate) ending: Ending,
    /// Other endings that are right when the octets come one by one.
    pub(crate) alternatives: Vec<Ending>,
    pub(crate) steps: Vec<Step>,
    /// Calls may fail: what a recording says of them is their lines.
    pub(crate) calls_may_fail: bool,
}

/// One call of the API: `uid_fetch 1:* envelope => …`.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) verb: String,
    pub(crate) arguments: Vec<String>,
    /// What it must give, as the protocol's verbs print it; unchecked if absent.
    pub(crate) gives: Option<String>,
}

/// How the transcript ends for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Every call succeeded.
    Ok,
    /// The last thing that was tried failed so.
    Error(Expected),
}

/// What is stated of an error. Absent fields are not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    /// The variant of the protocol's error.
    pub(crate) variant: String,
    /// `stage`, `retry`, `usable` and what else the harness can read off an error.
    pub(crate) fields: Vec<(String, String)>,
}

/// What the scripted server does next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// Waits for a new connection.
    Dial,
    /// Does its part of the TLS handshake.
    Tls,
    /// Waits for these octets, and that no more come before it answers.
    Client(Vec<u8>),
    /// Sends these octets.
    Server(Vec<u8>),
    /// Waits until the client has nothing more to do.
    Pause,
    /// Closes the connection.
    Eof,
}

impl Transcript {
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let tail: Vec<_> = path.iter().rev().take(2).map(|part| part.to_string_lossy()).collect();
        let name = tail.into_iter().rev().collect::<Vec<_>>().join("/");
        if recorded::is_one(&text) {
            return recorded::transcripts(&name, &text).swap_remove(0);
        }
        Self::parse(name, &text)
    }

    pub(crate) fn parse(name: String, text: &str) -> Result<Self, String> {
        let mut transcript = Self {
            name,
            endpoint: Vec::new(),
            auth: Vec::new(),
            calls: Vec::new(),
            ending: Ending::Ok,
            alternatives: Vec::new(),
            steps: vec![Step::Dial],
            calls_may_fail: false,
        };
        let mut endings = Vec::new();
        for (number, line) in (1..).zip(text.split_terminator('\n')) {
            transcript
                .line(line, &mut endings)
                .map_err(|problem| format!("line {number}: {problem}: {line}"))?;
        }
        let mut endings = endings.into_iter();
        transcript.ending = endings.next().ok_or("no `# result:` or `# error:`")?;
        transcript.alternatives = endings.collect();
        if transcript.endpoint.is_empty() || transcript.auth.is_empty() {
            return Err("no `# endpoint:` or no `# auth:`".into());
        }
        Ok(transcript)
    }

    fn line(&mut self, line: &str, endings: &mut Vec<Ending>) -> Result<(), String> {
        match line.split_at_checked(2).unwrap_or((line, "")) {
            ("C:", said) => self.says(said, true),
            ("S:", said) => self.says(said, false),
            ("--", mark) => self.steps.push(mark.trim().parse()?),
            ("# " | "#", header) => self.header(header, endings)?,
            _ => return Err("neither `C: `, `S: `, `# ` nor `-- `".into()),
        }
        Ok(())
    }

    fn says(&mut self, said: &str, client: bool) {
        // An empty line may have lost the space that ends `C: `.
        let said = said.strip_prefix(' ').unwrap_or(said);
        self.says_octets(octets(said), client);
    }

    /// Lines of one side that follow each other are one flight.
    pub(super) fn says_octets(&mut self, said: Vec<u8>, client: bool) {
        match (self.steps.last_mut(), client) {
            (Some(Step::Client(flight)), true) | (Some(Step::Server(flight)), false) => {
                flight.extend(said);
            }
            (_, true) => self.steps.push(Step::Client(said)),
            (_, false) => self.steps.push(Step::Server(said)),
        }
    }

    fn header(&mut self, header: &str, endings: &mut Vec<Ending>) -> Result<(), String> {
        let Some((key, value)) = header.split_once(':') else { return Ok(()) };
        let value = value.trim();
        match key {
            "endpoint" => self.endpoint = words(value),
            "auth" => self.auth = words(value),
            "do" => self.calls.push(value.parse()?),
            "result" if value == "ok" => endings.push(Ending::Ok),
            "result" => return Err("a result is `ok`; what a call gives follows its `=>`".into()),
            "error" | "or-error" => endings.push(Ending::Error(value.parse()?)),
            // Anything else is a remark that happens to have a colon.
            _ => {}
        }
        Ok(())
    }

    /// `pop`, `imap` or `smtp`, whatever follows it (`smtp_starttls`).
    pub(crate) fn protocol(&self) -> &str {
        let service = self.endpoint.get(1).map_or("", String::as_str);
        service.split('_').next().unwrap_or_default()
    }

    /// The name that the client gives of itself in SMTP.
    pub(crate) fn ehlo_name(&self) -> Option<String> {
        self.steps.iter().find_map(|step| match step {
            Step::Client(flight) => {
                let line = flight.strip_prefix(b"EHLO ")?.strip_suffix(b"\r\n")?;
                Some(String::from_utf8_lossy(line).into_owned())
            }
            _ => None,
        })
    }

    /// Everything secret in the file: tokens and passwords.
    pub(crate) fn secrets(&self) -> &[String] {
        self.auth.get(2..).unwrap_or_default()
    }

    /// Octets that the server sends.
    pub(crate) fn server_octets(&self) -> usize {
        let server = |step: &Step| if let Step::Server(flight) = step { flight.len() } else { 0 };
        self.steps.iter().map(server).sum()
    }
}

/// The octets of a line, with its CRLF. `\x` and two digits are any octet; nothing else is escaped.
pub(super) fn octets(said: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(said.len() + 2);
    let mut rest = said;
    while let Some(at) = rest.find("\\x") {
        let digits = rest.get(at + 2..at + 4).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        octets.extend_from_slice(&rest.as_bytes()[..at]);
        rest = match digits {
            Some(octet) => {
                octets.push(octet);
                &rest[at + 4..]
            }
            None => {
                octets.extend_from_slice(b"\\x");
                &rest[at + 2..]
            }
        };
    }
    octets.extend_from_slice(rest.as_bytes());
    octets.extend_from_slice(b"\r\n");
    octets
}

/// Words at spaces; what stands in double or single quotes may contain them.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = None::<String>;
    let mut quote = None;
    for c in text.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (' ', None) => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

impl FromStr for Call {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (call, gives) = match text.split_once("=>") {
            Some((call, gives)) => (call, Some(gives.trim().to_owned())),
            None => (text, None),
        };
        let mut words = words(call).into_iter();
        let verb = words.next().ok_or("no verb")?;
        Ok(Self { verb, arguments: words.collect(), gives })
    }
}

impl Call {
    /// An argument that the verb cannot do without.
    pub(crate) fn argument(&self, at: usize) -> &str {
        match self.arguments.get(at) {
            Some(argument) => argument,
            None => panic!("`{}` needs an argument {}", self.verb, at + 1),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.arguments.join(" "))
    }
}

impl FromStr for Expected {
    type Err = String;

    /// `Auth stage=authentication retry=RefreshToken usable=false`
    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = words(text).into_iter();
        let variant = words.next().ok_or("no variant")?;
        let field = |word: String| match word.split_once('=') {
            Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
            None => Err(format!("`{word}` is not a field")),
        };
        let fields = words.map(field).collect::<Result<Vec<_>, _>>()?;
        for required in ["stage", "retry", "usable"] {
            if !fields.iter().any(|(key, _)| key == required) {
                return Err(format!("the error must state its {required}"));
            }
        }
        Ok(Self { variant, fields })
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(mark: &str) -> Result<Self, String> {
        Ok(match mark {
            "DIAL" => Self::Dial,
            "TLS" => Self::Tls,
            "PAUSE" => Self::Pause,
            "EOF" => Self::Eof,
            _ => return Err("unknown mark".into()),
        })
    }
}
