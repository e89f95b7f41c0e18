//! CONNECT of HTTP (RFC 9110 section 9.3.6) with Basic credentials (RFC 7617).
//!
//! ```text
//! C: CONNECT mail.example.net:993 HTTP/1.1
//! C: Host: mail.example.net:993
//! C: Proxy-Authorization: Basic dXNlcjpwYXNz
//! C:
//! S: HTTP/1.1 200 Connection established
//! S:
//! ```

use std::time::Duration;

use super::handshake::{Dialogue, Host, Target};
use super::{Credentials, Error, Part, SetupError};
use crate::fault::{Fault, Unwritable, printable};
use crate::secret::Scrubber;
use crate::wire::{Input, Output};

/// Octets of an answer without its body, interim answers included.
const LONGEST_HEAD: usize = 64 * 1024;

/// Characters of the proxy's words in an error.
const QUOTED: usize = 200;

pub(super) struct Connect {
    /// Octets of the answer so far.
    taken: usize,
    /// The answer whose header is being read.
    head: Option<Head>,
    with_credentials: bool,
    scrubber: Scrubber,
}

/// What is of interest in an answer.
struct Head {
    status: u16,
    reason: String,
    retry_after: Option<Duration>,
    /// Schemes of Proxy-Authenticate (RFC 9110 section 11.7.1).
    schemes: Vec<String>,
}

impl Connect {
    pub(super) fn begin(
        target: Target<'_>,
        credentials: Option<&Credentials>,
        output: &mut Output,
    ) -> Result<Self, SetupError> {
        ask(target, credentials, output)?;
        let scrubber = credentials.map(Credentials::scrubber).unwrap_or_default();
        Ok(Self { taken: 0, head: None, with_credentials: credentials.is_some(), scrubber })
    }

    /// RFC 9112 section 4. What the proxy gives as a reason may quote the request.
    fn status_line(&self, line: &[u8]) -> Result<Head, Error> {
        let parsed = match line {
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9', b' ', code @ ..] => {
                status(code)
            }
            _ => None,
        };
        let Some((status, reason)) = parsed else {
            return Err(Fault::unexpected("a status line of HTTP/1", line).into());
        };
        let reason = cut(&printable(&self.scrubber.clean_str(reason.trim_ascii())));
        Ok(Head { status, reason, retry_after: None, schemes: Vec::new() })
    }

    /// What an answer that is complete means.
    fn verdict(&self, head: Head) -> Result<bool, Error> {
        match head.status {
            // An interim answer, which RFC 9110 section 15.2 has a client expect at any time. 101
            // would change the protocol.
            100 | 102..=199 => Ok(false),
            // Content-Length and Transfer-Encoding mean nothing here (RFC 9110 section 9.3.6).
            200..=299 => Ok(true),
            _ => Err(self.refusal(head)),
        }
    }

    fn refusal(&self, head: Head) -> Error {
        let basic = head.schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("Basic"));
        match head.status {
            407 if !basic && !head.schemes.is_empty() => {
                Error::NoCommonMethod { offered: cut(&head.schemes.join(", ")) }
            }
            407 if !self.with_credentials => Error::CredentialsRequired,
            // Tinyproxy says 401 to credentials that are wrong.
            407 | 401 if self.with_credentials => Error::CredentialsRefused,
            status => Error::Http { status, reason: head.reason, retry_after: head.retry_after },
        }
    }
}

impl Dialogue for Connect {
    fn step(&mut self, input: &mut Input, _: &mut Output) -> Result<bool, Error> {
        loop {
            let left = LONGEST_HEAD.saturating_sub(self.taken);
            let too_long = |_| Error::TooLong { limit: LONGEST_HEAD };
            let Some(line) = input.line(left).map_err(too_long)? else { return Ok(false) };
            self.taken += line.text.len() + 2;
            match self.head.take() {
                None => self.head = Some(self.status_line(&line.text)?),
                Some(head) if line.text.is_empty() => {
                    if self.verdict(head)? {
                        return Ok(true);
                    }
                }
                Some(mut head) => {
                    head.field(&line.text)?;
                    self.head = Some(head);
                }
            }
        }
    }

    /// A refusal is one from its first line on.
    fn ended(&mut self) -> Error {
        match self.head.take() {
            Some(head) if head.status >= 300 => self.refusal(head),
            _ => Error::Closed,
        }
    }
}

impl Head {
    /// One line of the header.
    fn field(&mut self, line: &[u8]) -> Result<(), Error> {
        // Folded lines (RFC 9112 section 5.2) go on with a field; none is long enough to matter.
        if matches!(line, [b' ' | b'\t', ..]) {
            return Ok(());
        }
        let Some(colon) = memchr::memchr(b':', line) else {
            return Err(Fault::unexpected("a header field", line).into());
        };
        let (name, value) = (&line[..colon], String::from_utf8_lossy(&line[colon + 1..]));
        if name.eq_ignore_ascii_case(b"Retry-After") {
            self.retry_after = value.trim().parse().ok().map(Duration::from_secs);
        } else if name.eq_ignore_ascii_case(b"Proxy-Authenticate") {
            self.schemes.extend(schemes(&value));
        }
        Ok(())
    }
}

fn cut(words: &str) -> String {
    words.chars().take(QUOTED).collect()
}

/// The three digits and the reason, which may be missing.
fn status(code: &[u8]) -> Option<(u16, &[u8])> {
    let (digits, reason) = code.split_at_checked(3)?;
    let status = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let separated = matches!(reason, [] | [b' ', ..]);
    (separated && (100..=999).contains(&status)).then_some((status, reason))
}

/// The schemes of a list of challenges: the words that no `=` follows.
fn schemes(challenges: &str) -> impl Iterator<Item = String> {
    challenges.split(',').filter_map(|challenge| {
        let word = challenge.split_whitespace().next()?;
        let is_scheme =
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        is_scheme.then(|| word.to_owned())
    })
}

fn ask(
    target: Target<'_>,
    credentials: Option<&Credentials>,
    output: &mut Output,
) -> Result<(), SetupError> {
    let (name, port) = match target.host {
        Host::Name(name) | Host::V4(_, name) => (name.to_owned(), target.port),
        Host::V6(_, address) => (format!("[{address}]"), target.port),
    };
    let authority = format!("{name}:{port}");
    let bad_host = |_: Unwritable| SetupError::Host(name.clone());
    output.command_of(&["CONNECT ", &authority, " HTTP/1.1"]).map_err(bad_host)?;
    output.command_of(&["Host: ", &authority]).map_err(bad_host)?;
    output.command_of(&["User-Agent: mailbearer/", env!("CARGO_PKG_VERSION")]).map_err(bad_host)?;
    if let Some(credentials) = credentials {
        // RFC 7617 section 2: the first colon ends the name.
        if credentials.user.expose().contains(':') {
            return Err(SetupError::Forbidden { part: Part::User, found: ':' });
        }
        for (part, text) in
            [(Part::User, &credentials.user), (Part::Password, &credentials.password)]
        {
            if let Some(found) = text.expose().chars().find(|c| c.is_control()) {
                return Err(SetupError::Forbidden { part, found });
            }
        }
        let basic = credentials.basic();
        output.secret(b"Proxy-Authorization: Basic ", &basic).map_err(bad_host)?;
    }
    output.command(b"").map_err(bad_host)
}

#[cfg(test)]
mod tests {
    use super::super::handshake::{Handshake, play};
    use super::*;
    use crate::machine::Machine;
    use crate::secret::Secret;

    const NAMED: Target<'_> = Target { host: Host::Name("mail.example"), port: 993 };
    const REQUEST: &[u8] = concat!(
        "CONNECT mail.example:993 HTTP/1.1\r\nHost: mail.example:993\r\nUser-Agent: mailbearer/",
        env!("CARGO_PKG_VERSION"),
        "\r\n\r\n"
    )
    .as_bytes();

    fn credentials(user: &str, password: &str) -> Credentials {
        Credentials { user: Secret::new(user.into()), password: Secret::new(password.into()) }
    }

    /// How an answer ends the handshake and what it leaves, which must be the same however it is
    /// cut.
    fn answer(credentials: Option<&Credentials>, answer: &str) -> (Result<(), Error>, String) {
        let mut seen = Vec::new();
        for cut in [1, 7, usize::MAX] {
            let handshake = Handshake::http(NAMED, credentials).unwrap();
            let asked = {
                let mut same = Handshake::http(NAMED, credentials).unwrap();
                same.output().unsent().to_vec()
            };
            let (end, rest) = play(handshake, &[(&asked, answer.as_bytes())], cut);
            seen.push((end, String::from_utf8(rest.to_vec()).unwrap()));
        }
        let shown: Vec<_> = seen.iter().map(|end| format!("{end:?}")).collect();
        assert!(shown.iter().all(|other| *other == shown[0]), "{shown:#?}");
        seen.remove(0)
    }

    fn refused(words: &str) -> Error {
        answer(None, words).0.unwrap_err()
    }

    #[test]
    fn a_2xx_opens_the_tunnel_and_what_follows_is_the_servers() {
        for head in [
            "HTTP/1.1 200 Connection established\r\n\r\n",
            "HTTP/1.0 200 Connection established\r\nProxy-agent: x/1\r\n\r\n",
            "HTTP/1.1 200\r\n\r\n",
            "HTTP/1.1 200 \r\nVia: 1.1 x\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
            // What has no meaning here: RFC 9110 section 9.3.6.
            "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\tc: d\r\n\r\n",
            "HTTP/1.1 200 OK\nX: a\n\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n\
             HTTP/1.1 200 OK\r\n\r\n",
        ] {
            for greeting in ["", "220 mail.example ESMTP\r\n", "\r\n\r\n"] {
                let (end, rest) = answer(None, &format!("{head}{greeting}"));
                assert!(end.is_ok(), "{head}: {end:?}");
                assert_eq!(rest, greeting, "{head}");
            }
        }
    }

    #[test]
    fn the_request_names_the_server_and_carries_the_credentials() {
        let sent = |target, credentials: Option<&Credentials>| {
            let mut handshake = Handshake::http(target, credentials).unwrap();
            String::from_utf8(handshake.output().unsent().to_vec()).unwrap()
        };
        assert_eq!(sent(NAMED, None).as_bytes(), REQUEST);
        let v6 = Target { host: Host::V6([0; 16], "2001:db8::1"), port: 143 };
        let request = sent(v6, None);
        assert!(
            request.starts_with("CONNECT [2001:db8::1]:143 HTTP/1.1\r\nHost: [2001:db8::1]:143")
        );
        // RFC 7617 section 2.
        let request = sent(NAMED, Some(&credentials("Aladdin", "open sesame")));
        let line = "\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n";
        assert!(request.ends_with(line), "{request}");
    }

    #[test]
    fn the_trace_shows_no_credentials() {
        let credentials = credentials("Aladdin", "open sesame");
        let mut handshake = Handshake::http(NAMED, Some(&credentials)).unwrap();
        let shown = handshake.output().show();
        assert_eq!(shown[3], "Proxy-Authorization: Basic [secret, 28 octets]");
    }

    #[test]
    fn credentials_are_missing_wrong_or_of_another_kind() {
        let basic = "HTTP/1.1 407 Authenticate\r\nProxy-Authenticate: Basic realm=\"a, b\"\r\n\r\n";
        let others = "HTTP/1.1 407 Authenticate\r\nproxy-authenticate: Negotiate\r\n\
                      Proxy-Authenticate: Digest realm=\"x\", nonce=\"y\", NTLM\r\n\r\n";
        let bare = "HTTP/1.1 407 Authenticate\r\n\r\n";
        let password = credentials("user", "password");
        for words in [basic, bare] {
            assert!(matches!(refused(words), Error::CredentialsRequired));
            let error = answer(Some(&password), words).0.unwrap_err();
            assert!(matches!(error, Error::CredentialsRefused), "{error}");
        }
        for credentials in [None, Some(&password)] {
            let error = answer(credentials, others).0.unwrap_err();
            assert!(matches!(error, Error::NoCommonMethod { .. }), "{error}");
            assert!(error.to_string().ends_with("(it offers: Negotiate, Digest, NTLM)"), "{error}");
        }
        let unauthorized = "HTTP/1.1 401 Unauthorized\r\n\r\n";
        let error = answer(Some(&password), unauthorized).0.unwrap_err();
        assert!(matches!(error, Error::CredentialsRefused), "{error}");
        assert!(matches!(refused(unauthorized), Error::Http { status: 401, .. }));
    }

    #[test]
    fn a_refusal_says_which_with_the_proxys_words() {
        for (words, shown) in [
            ("HTTP/1.1 403 Forbidden\r\n\r\n", "HTTP 403 Forbidden"),
            ("HTTP/1.0 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nabc", "HTTP 502 Bad Gateway"),
            ("HTTP/1.1 503\r\n\r\n", "HTTP 503"),
            ("HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n", "HTTP 302 Found"),
            ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP 101 Switching Protocols"),
            ("HTTP/1.1 500 a\u{7}b\r\n\r\n", "HTTP 500 a\u{fffd}b"),
        ] {
            let error = refused(words);
            assert_eq!(error.to_string(), format!("the proxy answered: {shown}"));
        }
        let busy = refused("HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n\r\n");
        assert_eq!(busy.retry(), crate::Retry::Later(Some(Duration::from_secs(7))));
        let dated = "HTTP/1.1 503 Busy\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n\r\n";
        assert_eq!(refused(dated).retry(), crate::Retry::Later(None));
        let long = refused(&format!("HTTP/1.1 500 {}\r\n\r\n", "x".repeat(9000)));
        assert!(long.to_string().len() < 300);
    }

    #[test]
    fn what_a_refusal_echoes_of_the_credentials_is_not_shown() {
        let secret = credentials("user", "correct horse battery staple");
        for echo in ["correct horse battery staple", "dXNlcjpjb3JyZWN0IGhvcnNlIGJhdHRlcnkgc3RhcGxl"]
        {
            let words = format!("HTTP/1.1 403 no {echo}, sorry\r\n\r\n");
            let error = answer(Some(&secret), &words).0.unwrap_err();
            assert_eq!(error.to_string(), "the proxy answered: HTTP 403 no [secret], sorry");
        }
    }

    #[test]
    fn what_is_no_http_proxy_is_seen_by_its_first_line() {
        for words in [
            "220 mail.example ESMTP\r\n",
            "HTTP/2 200 OK\r\n\r\n",
            "HTTP/1.1  200 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/1.1 +20 OK\r\n\r\n",
            "http/1.1 200 OK\r\n\r\n",
            "\r\nHTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno field\r\n\r\n",
        ] {
            let error = refused(words);
            assert!(matches!(error, Error::Malformed { .. }), "{words}: {error}");
        }
    }

    #[test]
    fn an_answer_that_does_not_end_is_cut_off() {
        let long_line = format!("HTTP/1.1 200 {}", "x".repeat(LONGEST_HEAD));
        let many_lines = format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(LONGEST_HEAD / 4));
        let many_answers = "HTTP/1.1 100 Continue\r\n\r\n".repeat(LONGEST_HEAD / 20);
        for words in [&long_line, &many_lines, &many_answers] {
            let error = refused(words);
            assert!(matches!(error, Error::TooLong { limit: LONGEST_HEAD }), "{error}");
        }
        let fits = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(60_000));
        assert!(answer(None, &fits).0.is_ok());
    }

    #[test]
    fn an_answer_ahead_of_its_question_is_none() {
        let mut handshake = Handshake::http(NAMED, None).unwrap();
        handshake.output().sent(REQUEST.len() - 1);
        handshake.input().push(b"HTTP/1.1 200 OK\r\n\r\n");
        let end = handshake.poll().unwrap().unwrap();
        assert!(matches!(end, Err(Error::Malformed { .. })));
    }

    #[test]
    fn an_end_at_any_octet_is_told_as_such_and_a_refusal_begun_is_a_refusal() {
        let connected = "HTTP/1.1 200 OK\r\nVia: x\r\n\r\n";
        for octets in 0..connected.len() {
            let (end, _) = answer(None, &connected[..octets]);
            assert!(matches!(end, Err(Error::Closed)), "{octets}: {end:?}");
        }
        let forbidden = "HTTP/1.1 403 No\r\nVia: x\r\n\r\n";
        for octets in 0..forbidden.len() {
            let (end, _) = answer(None, &forbidden[..octets]);
            let said = octets >= "HTTP/1.1 403 No\r\n".len();
            assert_eq!(matches!(end, Err(Error::Http { status: 403, .. })), said, "{octets}");
            assert_eq!(matches!(end, Err(Error::Closed)), !said, "{octets}");
        }
    }

    #[test]
    fn nothing_in_a_host_or_in_credentials_makes_a_line_of_its_own() {
        let target = Target { host: Host::Name("a\r\nX: y"), port: 1 };
        assert!(matches!(Handshake::http(target, None), Err(SetupError::Host(_))));
        for (user, password, part, found) in [
            ("a:b", "p", Part::User, ':'),
            ("a\rb", "p", Part::User, '\r'),
            ("a", "p\nX: y", Part::Password, '\n'),
            ("a", "p\0", Part::Password, '\0'),
            ("a\u{85}", "p", Part::User, '\u{85}'),
        ] {
            let begun = Handshake::http(NAMED, Some(&credentials(user, password)));
            assert_eq!(begun.err(), Some(SetupError::Forbidden { part, found }));
        }
        assert!(Handshake::http(NAMED, Some(&credentials("ü", "p:a s"))).is_ok());
    }
}
