//! What a `wirelog::Recorder` wrote, as transcripts: its masks are filled in, and what was called is
//! told from what the client said.
//!
//! A recording may also be kept as a file among the transcripts, where `-- NEXT` must not be in it.
//! What was called is then stated by `# do:` headers, or else derived here, with results unchecked.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::script::{Call, Ending, Step, Transcript, octets, words};

/// Each dialogue of a recording, or why it cannot be replayed.
pub(crate) fn transcripts(name: &str, text: &str) -> Vec<Result<Transcript, String>> {
    let dialogues = text.split("-- NEXT\n");
    dialogues.map(|dialogue| Recording::default().read(name, dialogue)).collect()
}

/// What begins the reason why a recording cannot be replayed, though nothing is wrong with it.
pub(crate) const NOT_REPLAYABLE: &str = "it cannot be replayed what is not in the dialogue";
/// The same of calls.
pub(crate) const NOT_DERIVED: &str = "no call is known";

/// Whether a text is a recording.
pub(crate) fn is_one(text: &str) -> bool {
    text.starts_with("# recorded:")
}

#[derive(Default)]
struct Recording {
    protocol: String,
    service: String,
    /// Clear text: TLS in its place changes nothing but what may be written.
    clear: bool,
    mechanism: String,
    user: String,
    credentials: Vec<String>,
    /// Which of them is in use.
    credential: usize,
    /// Secrets written on this connection.
    secrets: usize,
    /// Connections on which one was written.
    connections: usize,
    /// Whether the last connection had its initial response on the line of the command, and
    /// whether this one has.
    inline: (bool, bool),
    connected: bool,
    /// What the client said since it was connected, and where it was answered.
    said: Vec<Said>,
    /// A message whose content was begun: how it is to be written.
    message: Option<Message>,
}

/// A step of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Line(String),
    Content(u64),
    /// The server said something.
    Answer,
}

/// A message that is sent.
#[derive(Debug, Clone, Default)]
struct Message {
    size: Option<u64>,
    eight_bit: bool,
    data: bool,
}

impl Recording {
    fn read(mut self, name: &str, text: &str) -> Result<Transcript, String> {
        let mut transcript = Transcript {
            name: name.to_owned(),
            endpoint: Vec::new(),
            auth: Vec::new(),
            calls: Vec::new(),
            ending: Ending::Ok,
            alternatives: Vec::new(),
            steps: vec![Step::Dial],
            calls_may_fail: true,
        };
        for (number, line) in (1..).zip(text.split_terminator('\n')) {
            self.line(line, &mut transcript)
                .map_err(|problem| format!("line {number}: {problem}: {line}"))?;
        }
        if transcript.endpoint.is_empty() || transcript.auth.is_empty() {
            return Err("no `# endpoint:` or no `# auth:`".into());
        }
        if transcript.calls.is_empty() {
            transcript.calls = self.calls()?;
        }
        // Nobody answers what was said last.
        if matches!(transcript.steps.last(), Some(Step::Client(_))) {
            transcript.steps.push(Step::Eof);
        }
        Ok(transcript)
    }

    fn line(&mut self, line: &str, transcript: &mut Transcript) -> Result<(), String> {
        if let Some(header) = line.strip_prefix("# ") {
            return self.header(header, transcript);
        }
        if let Some(mark) = line.strip_prefix("-- ") {
            transcript.steps.push(mark.parse()?);
            if mark == "DIAL" {
                self.dial();
                self.protect(transcript);
            }
            return Ok(());
        }
        let (client, said) = match line.split_at_checked(3).unwrap_or((line, "")) {
            ("C: ", said) => (true, said),
            ("S: ", said) => (false, said),
            _ => return Err("neither `C: `, `S: `, `# ` nor `-- `".into()),
        };
        let content = number_in(said, "[content, ").filter(|_| said.ends_with(" octets]"));
        let octets = match (client, content) {
            (true, Some(octets)) => {
                if self.connected {
                    self.said.push(Said::Content(octets));
                }
                self.content(octets)
            }
            (true, None) => {
                let said = self.without_masks(said);
                if self.connected {
                    self.said.push(Said::Line(said.clone()));
                }
                self.heed(&said);
                octets(&said)
            }
            (false, Some(octets)) => filler(octets),
            (false, None) => octets(&encoded(said)),
        };
        if !client && self.connected {
            self.said.push(Said::Answer);
        }
        transcript.says_octets(octets, client);
        Ok(())
    }

    fn header(&mut self, header: &str, transcript: &mut Transcript) -> Result<(), String> {
        if header == "connected" {
            self.connected = true;
        }
        let Some((key, value)) = header.split_once(": ") else { return Ok(()) };
        match key {
            "endpoint" => {
                let words = words(value);
                let [_, service, changes @ ..] = &words[..] else {
                    return Err("no endpoint".into());
                };
                let plain = service.strip_suffix("_clear");
                self.clear = plain.is_some();
                self.protocol = service.split('_').next().unwrap_or_default().to_owned();
                self.service = plain.unwrap_or(service).to_owned();
                let kept =
                    |change: &&String| !change.starts_with("host=") && !change.starts_with("port=");
                transcript.endpoint = vec!["generic".to_owned(), self.service.clone()];
                transcript.endpoint.extend(changes.iter().filter(kept).cloned());
                self.protect(transcript);
            }
            "auth" => {
                let words = words(value);
                let [mechanism, user, credentials @ ..] = &words[..] else {
                    return Err("no credentials".into());
                };
                (self.mechanism, self.user) = (mechanism.clone(), user.clone());
                let lengths = credentials.iter().filter_map(|mask| number_in(mask, "["));
                let letters = (b'a'..=b'z').cycle().map(char::from);
                self.credentials =
                    letters.zip(lengths).map(|(c, n)| c.to_string().repeat(n as usize)).collect();
                transcript.auth = vec![self.mechanism.clone(), self.user.clone()];
                transcript.auth.extend(self.credentials.iter().cloned());
            }
            "error" => {
                transcript.ending = Ending::Error(value.parse()?);
                let below = ["stage=\"getting a token\"", "stage=\"dialling\"", "stage=\"TLS hand"];
                // Octets that nobody read are not in it.
                if value.starts_with("Protocol stage=\"STARTTLS\"") {
                    return Err(NOT_REPLAYABLE.into());
                }
                if below.iter().any(|stage| value.contains(stage)) {
                    return Err(NOT_REPLAYABLE.into());
                }
            }
            "do" => transcript.calls.push(value.parse()?),
            _ => {}
        }
        Ok(())
    }

    fn protect(&self, transcript: &mut Transcript) {
        if self.clear {
            transcript.steps.push(Step::Tls);
        }
    }

    fn dial(&mut self) {
        self.secrets = 0;
        self.inline = (self.inline.1, false);
    }

    /// What the client says, with the secret that the harness has for it in place of the mask.
    fn without_masks(&mut self, said: &str) -> String {
        let Some((before, mask)) = said.split_once("[secret, ") else { return said.to_owned() };
        let behind = mask.split_once(']').map_or("", |(_, behind)| behind);
        if self.secrets == 0 {
            self.inline.1 = !before.is_empty();
            // The first, the same one in two steps, or else another.
            let same = self.connections == 0 || self.inline == (true, false);
            self.credential += usize::from(!same);
            self.connections += 1;
        }
        self.secrets += 1;
        format!("{before}{}{behind}", self.secret())
    }

    fn secret(&self) -> String {
        let user = String::from_utf8(octets(&self.user)).unwrap_or_default();
        let user = user.trim_end_matches("\r\n");
        let last = self.credentials.last();
        let secret = self.credentials.get(self.credential).or(last).map_or("", String::as_str);
        let port = match self.service.as_str() {
            "smtp" => 465,
            "smtp_starttls" => 587,
            "imap" => 993,
            "imap_starttls" => 143,
            "pop" => 995,
            _ => 110,
        };
        match (self.mechanism.as_str(), self.secrets) {
            ("xoauth2", _) => {
                STANDARD.encode(format!("user={user}\u{1}auth=Bearer {secret}\u{1}\u{1}"))
            }
            ("oauthbearer", 1) => {
                let user = user.replace('=', "=3D").replace(',', "=2C");
                STANDARD.encode(format!(
                    "n,a={user},\u{1}host=mail.example.net\u{1}port={port}\u{1}auth=Bearer \
                     {secret}\u{1}\u{1}"
                ))
            }
            // The answer to the challenge of a refusal.
            ("oauthbearer", _) => "AQ==".to_owned(),
            ("plain", _) => STANDARD.encode(format!("\0{user}\0{secret}")),
            ("login", 1) => STANDARD.encode(user),
            ("login", _) => STANDARD.encode(secret),
            _ if self.protocol == "imap" => format!("\"{secret}\""),
            _ => secret.to_owned(),
        }
    }

    /// Remembers how the message that comes is to be written.
    fn heed(&mut self, said: &str) {
        if self.protocol != "smtp" {
            return;
        }
        if said.starts_with("MAIL FROM:") {
            self.message = Some(Message::of(said));
        } else if said == "DATA"
            && let Some(message) = &mut self.message
        {
            message.data = true;
        }
    }

    /// Content of the client, as the calls write it.
    fn content(&self, octets: u64) -> Vec<u8> {
        match &self.message {
            Some(message) if message.data => {
                let body = message.body(octets);
                let mut wire = Vec::new();
                for line in body.split_inclusive(|octet| *octet == b'\n') {
                    wire.extend_from_slice(if line.starts_with(b".") { b"." } else { b"" });
                    wire.extend_from_slice(line);
                }
                if !wire.is_empty() && !wire.ends_with(b"\n") {
                    wire.extend_from_slice(b"\r\n");
                }
                wire.extend_from_slice(b".\r\n");
                wire
            }
            _ => filler(octets),
        }
    }

    /// What was called, from the lines of the client behind the login.
    fn calls(&self) -> Result<Vec<Call>, String> {
        match self.protocol.as_str() {
            "smtp" => self.smtp_calls(),
            "pop" => self.pop_calls(),
            _ => self.imap_calls(),
        }
    }

    /// What the client said without waiting, time after time.
    fn flights(&self) -> impl Iterator<Item = &[Said]> {
        self.said.split(|said| *said == Said::Answer).filter(|flight| !flight.is_empty())
    }

    fn smtp_calls(&self) -> Result<Vec<Call>, String> {
        let mut calls = Vec::new();
        let mut flights = self.flights().peekable();
        while let Some(flight) = flights.next() {
            if let [Said::Line(line)] = flight
                && let "NOOP" | "RSET" | "QUIT" = line.as_str()
            {
                calls.push(call(&line.to_lowercase(), []));
                continue;
            }
            let [Said::Line(mail), rest @ ..] = flight else { return Err(unknown(flight)) };
            let from = path(mail, "MAIL FROM:<").ok_or_else(|| unknown(flight))?;
            let odd = [" RET=", " ENVID=", " REQUIRETLS", " BODY=BINARY", " SMTPUTF8"];
            if odd.iter().any(|option| mail.contains(option)) && from.is_ascii() {
                return Err(unknown(flight));
            }
            let mut message = Message::of(mail);
            // The flights of the envelope, until one ends in something else than RCPT.
            let mut to = Vec::new();
            let mut rest: Vec<Said> = rest.to_vec();
            let mut alone = rest.is_empty();
            loop {
                while let Some(Said::Line(line)) = rest.first()
                    && let Some(path) = path(line, "RCPT TO:<")
                {
                    to.push(path);
                    rest.remove(0);
                }
                if !rest.is_empty() {
                    break;
                }
                let Some(flight) = flights.next() else { break };
                alone |= flight.len() == 1
                    && matches!(&flight[0], Said::Line(l) if l.starts_with("RCPT"));
                rest = flight.to_vec();
            }
            let waited = rest.len() == 1 && !flight.contains(&rest[0]);
            let (verb, content) = match &rest[..] {
                [Said::Line(rset)] if rset == "RSET" && waited => {
                    if to.is_empty() {
                        // The sender was refused, so that nobody knows who comes next.
                        to.push("nobody@example.net".to_owned());
                        alone = true;
                    }
                    (if alone { "rehearse" } else { "send_all_or_nothing" }, 0)
                }
                [Said::Line(data)] if data == "DATA" => {
                    message.data = true;
                    let verb = if waited && !alone { "send_all_or_nothing" } else { "send" };
                    match flights.peek() {
                        Some([Said::Content(octets)]) => {
                            flights.next();
                            (verb, *octets)
                        }
                        Some([Said::Line(line)]) if line == "." || line == "RSET" => {
                            // Nobody was accepted.
                            flights.next();
                            (verb, 0)
                        }
                        Some([Said::Content(_), ..]) => return Err(unknown(flight)),
                        _ => (verb, 0),
                    }
                }
                [Said::Line(bdat), Said::Content(octets)] if bdat.ends_with(" LAST") && waited => {
                    ("send_chunked", *octets)
                }
                _ => return Err(unknown(flight)),
            };
            let text = match content {
                0 => filler(message.size.unwrap_or(0)),
                octets => message.body(octets),
            };
            let text = String::from_utf8_lossy(&text).into_owned();
            calls.push(call(verb, [from, to.join(","), text]));
        }
        Ok(calls)
    }

    fn pop_calls(&self) -> Result<Vec<Call>, String> {
        let mut calls = Vec::new();
        for flight in self.flights() {
            let [Said::Line(line)] = flight else { return Err(unknown(flight)) };
            let mut words = line.split(' ');
            let verb = words.next().unwrap_or_default();
            let arguments: Vec<String> = words.map(str::to_owned).collect();
            let verb = match (verb, arguments.len()) {
                ("STAT" | "LIST" | "UIDL" | "NOOP" | "RSET" | "QUIT" | "CAPA" | "UTF8", 0) => verb,
                ("RETR" | "DELE", 1) | ("TOP", 2) => verb,
                ("LIST", 1) => "list_one",
                ("UIDL", 1) => "uidl_one",
                _ => return Err(unknown(flight)),
            };
            calls.push(call(&verb.to_lowercase(), arguments));
        }
        Ok(calls)
    }

    fn imap_calls(&self) -> Result<Vec<Call>, String> {
        let mut calls = Vec::new();
        for flight in self.flights() {
            let mut commands = Vec::new();
            for said in flight {
                let Said::Line(line) = said else { return Err(unknown(flight)) };
                commands.push(arguments(line.split_once(' ').map_or("", |(_, rest)| rest)));
            }
            let commands: Vec<Vec<&str>> =
                commands.iter().map(|words| words.iter().map(String::as_str).collect()).collect();
            let commands: Vec<&[&str]> = commands.iter().map(Vec::as_slice).collect();
            calls.push(match commands[..] {
                [[verb @ ("SELECT" | "EXAMINE"), name]] => {
                    call(&verb.to_lowercase(), [decoded(name)])
                }
                [["SELECT", name], ["UID", "FETCH", set, what]] => {
                    let items = items(what).ok_or_else(|| unknown(flight))?;
                    call("select_fetch", [vec![decoded(name), (*set).to_owned()], items].concat())
                }
                [["UID", "FETCH", set, what]] => {
                    let items = items(what).ok_or_else(|| unknown(flight))?;
                    call("uid_fetch", [vec![(*set).to_owned()], items].concat())
                }
                [
                    [
                        verb @ ("NOOP" | "LOGOUT" | "CLOSE" | "UNSELECT" | "CAPABILITY"
                        | "NAMESPACE"),
                    ],
                ] => call(&verb.to_lowercase(), []),
                [[verb @ ("LIST" | "LSUB"), reference, pattern]] => {
                    call(&verb.to_lowercase(), [decoded(reference), decoded(pattern)])
                }
                _ => return Err(unknown(flight)),
            });
        }
        Ok(calls)
    }
}

impl Message {
    /// What MAIL says of it.
    fn of(mail: &str) -> Self {
        let size = number_in(mail, " SIZE=");
        Self { size, eight_bit: mail.contains(" BODY=8BITMIME"), data: false }
    }

    /// A text that takes so many octets on the wire, with the dot behind it, and that has the size
    /// that was declared.
    fn body(&self, octets: u64) -> Vec<u8> {
        let content = if self.data { octets.saturating_sub(3) } else { octets };
        let size = self.size.unwrap_or(content).min(content);
        let stuffed = content - size;
        let mut body = Vec::new();
        if stuffed == 2 && size > 0 && self.data {
            // It did not end with a line end.
            body = vec![b'x'; size as usize];
        } else {
            body.extend(b".\r\n".repeat(stuffed as usize));
            body.extend(filler(size.saturating_sub(body.len() as u64)));
        }
        if self.eight_bit && body.len() >= 4 {
            body.splice(..2, "\u{fc}".bytes());
        }
        body
    }
}

/// So many octets of lines; at their end is a line end wherever there is room for one.
fn filler(octets: u64) -> Vec<u8> {
    const LINE: u64 = 72;
    let mut filler = Vec::new();
    let mut left = octets;
    while left > 0 {
        let line = if left == LINE + 1 { LINE - 1 } else { left.min(LINE) };
        filler.extend(vec![b'x'; line.saturating_sub(2) as usize]);
        filler.extend_from_slice(if line > 1 { b"\r\n" } else { b"x" });
        left -= line;
    }
    filler
}

/// A challenge as it stood on the wire.
fn encoded(said: &str) -> String {
    let Some((mark, text)) = said.split_once("[base64: ") else { return said.to_owned() };
    let text = octets(text.strip_suffix(']').unwrap_or(text));
    format!("{mark}{}", STANDARD.encode(text.strip_suffix(b"\r\n").unwrap_or(&text)))
}

fn number_in(text: &str, before: &str) -> Option<u64> {
    let (_, number) = text.split_once(before)?;
    let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

fn path(line: &str, before: &str) -> Option<String> {
    let (path, _) = line.strip_prefix(before)?.split_once('>')?;
    Some(path.to_owned())
}

/// The arguments of a command: words, strings, and lists as they stand.
fn arguments(line: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let (mut quoted, mut depth) = (false, 0);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        if c == ' ' && !quoted && depth == 0 {
            words.push(std::mem::take(&mut word));
        } else {
            word.push(c);
        }
    }
    words.push(word);
    words
}

/// The name of a mailbox, from its form in a command.
fn decoded(name: &str) -> String {
    let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
    let name = name.replace("\\\"", "\"").replace("\\\\", "\\");
    mailbearer::imap::MailboxName::from_wire(name.into_bytes()).to_str_lossy().into_owned()
}

/// What is fetched, in the words of transcripts. The UID is always asked for.
fn items(list: &str) -> Option<Vec<String>> {
    let list = list.strip_prefix('(')?.strip_suffix(')')?;
    let item = |word: &str| {
        Some(match word {
            "FLAGS" => "flags",
            "RFC822.SIZE" => "size",
            "INTERNALDATE" => "date",
            "ENVELOPE" => "envelope",
            "BODYSTRUCTURE" => "structure",
            "BODY.PEEK[]" => "body",
            "RFC822" => "rfc822",
            _ => return None,
        })
    };
    list.split(' ')
        .filter(|word| *word != "UID")
        .map(|word| item(word).map(str::to_owned))
        .collect()
}

fn call(verb: &str, arguments: impl IntoIterator<Item = String>) -> Call {
    Call { verb: verb.to_owned(), arguments: arguments.into_iter().collect(), gives: None }
}

fn unknown(flight: &[Said]) -> String {
    format!("{NOT_DERIVED} that says {flight:?}: state what was called by `# do:`")
}
