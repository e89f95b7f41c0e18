//! SASL mechanisms (RFC 4422) as machines without IO.
//!
//! A [`Session`] is one authentication attempt. It holds the initial response, ready for the wire,
//! and answers each challenge. What a line looks like around it (`334 `, `+ `, tags) and what the
//! final reply means belong to the protocols.
//!
//! ```text
//!             initial_response_sent()             challenge
//!   Start ───────────────────────────▶ Answering ───────────▶ Refused ──▶ EndlessChallenge
//!     │                                  ▲    │
//!     └── challenge: initial response ───┘    └── LOGIN only: the password
//! ```
//!
//! The token mechanisms have nothing to say after the initial response. A challenge that comes then
//! carries the reason of a refusal (RFC 7628 section 3.2.2): it is kept, answered with what lets the
//! server send its final refusal, and never answered with the token again.
//!
//! A new mechanism is one file that implements [`Mechanism`] and one constructor here.

mod challenge;
mod input;
mod login;
mod oauthbearer;
mod plain;
mod user_pass;
mod xoauth2;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use challenge::Challenge;
pub use input::{InputError, InputField};

use crate::fault::Fault;
use crate::secret::{Scrubber, Secret};

/// Octets of an SMTP command line with its CRLF (RFC 5321 section 4.5.3.1.4). RFC 4954 section 4
/// holds the AUTH command to it, though not the response lines that follow.
pub(crate) const SMTP_COMMAND_LINE: usize = 512;

/// Octets of a POP3 command line with its CRLF (RFC 2449 section 4). RFC 5034 section 4 holds the
/// AUTH command to it, though not the response lines that follow.
pub(crate) const POP_COMMAND_LINE: usize = 255;

/// Octets of a command line that an IMAP server should accept (RFC 2683 section 3.2.1.5).
pub(crate) const IMAP_COMMAND_LINE: usize = 8000;

/// One authentication attempt with one mechanism and one set of credentials.
#[derive(Debug)]
pub(crate) struct Session {
    mechanism: Box<dyn Mechanism>,
    state: State,
    /// Base64, as it goes on a command line.
    initial_response: Option<Secret<Vec<u8>>>,
    challenge: Option<Challenge>,
    scrubber: Scrubber,
    credential_len: usize,
}

/// What one mechanism knows. All octets here are those before base64.
trait Mechanism: fmt::Debug + Send + Sync {
    /// The registered name, upper case.
    fn name(&self) -> &'static str;

    /// What the client says first; `None` where the server does (RFC 4422 section 5).
    fn initial_response(&self) -> Option<Secret<Vec<u8>>>;

    /// The answer to a challenge that is not an invitation to send the initial response.
    fn answer(&mut self) -> Answer;

    /// The token or the password.
    fn credential(&self) -> &[u8];

    /// User and password of a login by commands of the protocol's own, which is no SASL.
    #[cfg(any(feature = "imap", feature = "pop"))]
    fn user_pass(&self) -> Option<(&str, &Secret<Vec<u8>>)> {
        None
    }
}

/// What a mechanism says to a challenge.
enum Answer {
    /// The exchange goes on with this response.
    Response(Secret<Vec<u8>>),
    /// The challenge was a refusal. The server waits for these octets before it says so.
    Acknowledge(&'static [u8]),
    /// The mechanism has no such step: cancel, which is a `*` in all three protocols.
    Cancel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Answering,
    Refused,
}

impl Session {
    /// Google's and Microsoft's XOAUTH2. `extra` are fields that some providers want, such as
    /// `vendor` at Yahoo.
    pub(crate) fn xoauth2(
        user: &str,
        token: &str,
        extra: &[(&str, &str)],
    ) -> Result<Self, InputError> {
        xoauth2::Xoauth2::new(user, token, extra).map(Self::new)
    }

    /// OAUTHBEARER, RFC 7628. `host` and `port` are those connected to.
    pub(crate) fn oauthbearer(
        user: &str,
        host: &str,
        port: u16,
        token: &str,
    ) -> Result<Self, InputError> {
        oauthbearer::OauthBearer::new(user, host, port, token).map(Self::new)
    }

    /// PLAIN, RFC 4616, without an authorization identity.
    pub(crate) fn plain(user: &str, password: &str) -> Result<Self, InputError> {
        plain::Plain::new(user, password).map(Self::new)
    }

    /// LOGIN, which has no RFC and is still the only password mechanism of some servers.
    pub(crate) fn login(user: &str, password: &str) -> Result<Self, InputError> {
        login::Login::new(user, password).map(Self::new)
    }

    /// USER and PASS of POP3, RFC 1939 section 7; LOGIN of IMAP, RFC 9051 section 6.2.3.
    pub(crate) fn user_pass(user: &str, password: &str) -> Result<Self, InputError> {
        user_pass::UserPass::new(user, password).map(Self::new)
    }

    fn new(mechanism: impl Mechanism + 'static) -> Self {
        // RFC 4954 section 4, RFC 4959 section 3: an empty initial response is a single "=".
        let initial_response = mechanism.initial_response().map(|raw| match encode(&raw) {
            wire if wire.expose().is_empty() => Secret::new(b"=".to_vec()),
            wire => wire,
        });
        Self {
            state: State::Start,
            scrubber: scrubber(mechanism.credential(), initial_response.as_ref()),
            credential_len: mechanism.credential().len(),
            mechanism: Box::new(mechanism),
            initial_response,
            challenge: None,
        }
    }

    /// The mechanism's registered name.
    pub(crate) fn mechanism(&self) -> &'static str {
        self.mechanism.name()
    }

    /// User and password, if they go out by commands of the protocol's own.
    #[cfg(any(feature = "imap", feature = "pop"))]
    pub(crate) fn by_user_pass(&self) -> Option<(&str, &Secret<Vec<u8>>)> {
        self.mechanism.user_pass()
    }

    /// The initial response in base64, as it goes on a command line; `None` where the server
    /// speaks first.
    pub(crate) fn initial_response(&self) -> Option<&Secret<Vec<u8>>> {
        self.initial_response.as_ref()
    }

    /// Whether `command`, the mechanism, the initial response and CRLF fit in a line of `limit`
    /// octets: `AUTH`, or for IMAP the tag and `AUTHENTICATE`.
    pub(crate) fn fits_inline(&self, command: &str, limit: usize) -> bool {
        self.initial_response.as_ref().is_some_and(|response| {
            let words = command.len() + self.mechanism().len() + response.expose().len();
            words + 2 * " ".len() + "\r\n".len() <= limit
        })
    }

    /// The initial response went out on the command line, so a challenge is not an invitation to
    /// send it.
    pub(crate) fn initial_response_sent(&mut self) {
        if self.initial_response.is_some() {
            self.state = State::Answering;
        }
    }

    /// The line that answers `challenge`, without its CRLF. `challenge` is what stood after `334 `
    /// or `+ `, still in base64, maybe empty.
    ///
    /// # Errors
    /// [`Fault::EndlessChallenge`]: the server had its answer to a refusal and challenges again.
    pub(crate) fn respond(&mut self, challenge: &[u8]) -> Result<Secret<Vec<u8>>, Fault> {
        match self.state {
            State::Start => {
                self.state = State::Answering;
                // Whatever it holds, the first challenge is an invitation: some servers write a
                // prompt or a greeting into it.
                if let Some(raw) = self.mechanism.initial_response() {
                    return Ok(encode(&raw));
                }
            }
            State::Answering => {}
            State::Refused => return Err(Fault::EndlessChallenge),
        }
        let line = match self.mechanism.answer() {
            Answer::Response(raw) => return Ok(encode(&raw)),
            Answer::Acknowledge(raw) => STANDARD.encode(raw).into_bytes(),
            Answer::Cancel => b"*".to_vec(),
        };
        self.state = State::Refused;
        // A server that refuses us may get its own base64 wrong: then its words are kept as sent.
        let text = decode(challenge).unwrap_or_else(|| challenge.to_vec());
        self.challenge = Some(Challenge::new(&text, &self.scrubber));
        Ok(Secret::new(line))
    }

    /// The challenge with which the server explained its refusal.
    pub(crate) fn challenge(&self) -> Option<&Challenge> {
        self.challenge.as_ref()
    }

    /// Knows the credential and the forms in which it goes on the wire.
    pub(crate) fn scrubber(&self) -> Scrubber {
        self.scrubber.clone()
    }

    /// Octets of the token or the password. Some servers refuse long tokens in ways that look
    /// like other failures.
    pub(crate) const fn credential_len(&self) -> usize {
        self.credential_len
    }
}

/// The shortest credential whose base64 is looked for at every alignment. Of a shorter one too
/// little would be left to tell it from other words.
const LONG_ENOUGH_TO_ALIGN: usize = 24;

fn scrubber(credential: &[u8], initial_response: Option<&Secret<Vec<u8>>>) -> Scrubber {
    let mut scrubber = Scrubber::default();
    scrubber.learn(credential);
    if let Some(wire) = initial_response {
        scrubber.learn(wire.expose());
    }
    // A server may quote the token inside base64 of its own, where it starts at any of the three
    // positions in a group.
    let alignments = if credential.len() < LONG_ENOUGH_TO_ALIGN { 1 } else { 3 };
    for tail in (0..alignments).filter_map(|start| credential.get(start..)) {
        scrubber.learn(encode(&Secret::new(tail.to_vec())).expose());
    }
    scrubber
}

fn encode(raw: &Secret<Vec<u8>>) -> Secret<Vec<u8>> {
    Secret::new(STANDARD.encode(raw.expose()).into_bytes())
}

/// Strict, as RFC 4954 section 4 has it: canonical padding, and no foreign octets.
fn decode(base64: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(base64).ok()
}

/// A secret put together from its parts in one allocation of the right size, so that no half of it
/// is left behind in memory.
fn concat(parts: &[&[u8]]) -> Secret<Vec<u8>> {
    Secret::new(parts.concat())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wire_len(session: &Session) -> usize {
        session.initial_response().map_or(0, |response| response.expose().len())
    }

    const TOKEN: &str = "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA";

    /// `{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}`
    const GMAIL_REFUSAL: &[u8] =
        b"eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRw\
        czovL21haWwuZ29vZ2xlLmNvbS8ifQ==";

    fn xoauth2() -> Session {
        Session::xoauth2("test@contoso.onmicrosoft.com", TOKEN, &[]).unwrap()
    }

    fn oauthbearer() -> Session {
        Session::oauthbearer("user@example.com", "server.example.com", 143, TOKEN).unwrap()
    }

    fn answer(session: &mut Session, challenge: &[u8]) -> Vec<u8> {
        session.respond(challenge).unwrap().expose().clone()
    }

    /// Stands for mechanisms such as EXTERNAL, whose initial response may be empty.
    #[derive(Debug)]
    struct Empty;

    impl Mechanism for Empty {
        fn name(&self) -> &'static str {
            "EMPTY"
        }

        fn initial_response(&self) -> Option<Secret<Vec<u8>>> {
            Some(Secret::new(Vec::new()))
        }

        fn answer(&mut self) -> Answer {
            Answer::Cancel
        }

        fn credential(&self) -> &[u8] {
            b""
        }
    }

    #[test]
    fn the_first_challenge_gets_the_initial_response_whatever_it_holds() {
        for challenge in [&b""[..], b"VXNlcm5hbWU6", b"not base64!", GMAIL_REFUSAL] {
            let mut session = xoauth2();
            let initial = session.initial_response().unwrap().expose().clone();
            assert_eq!(answer(&mut session, challenge), initial);
            assert!(session.challenge().is_none());
        }
    }

    #[test]
    fn a_challenge_after_the_inline_response_is_a_refusal_even_if_it_is_empty() {
        let mut session = xoauth2();
        session.initial_response_sent();
        assert_eq!(answer(&mut session, b""), b"");
        assert_eq!(session.challenge().unwrap().text(), "");
    }

    #[test]
    fn second_challenge_after_failure_gets_an_empty_reply() {
        let mut session = xoauth2();
        answer(&mut session, b"");
        assert_eq!(answer(&mut session, GMAIL_REFUSAL), b"");
        let challenge = session.challenge().unwrap();
        assert_eq!(challenge.status(), Some("400"));
        assert_eq!(challenge.schemes(), Some("Bearer"));
        assert_eq!(challenge.scope(), Some("https://mail.google.com/"));
    }

    #[test]
    fn oauthbearer_answers_a_refusal_with_a_single_kvsep() {
        let mut session = oauthbearer();
        session.initial_response_sent();
        assert_eq!(answer(&mut session, b"eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0="), b"AQ==");
        assert_eq!(session.challenge().unwrap().status(), Some("invalid_token"));
    }

    #[test]
    fn a_challenge_after_the_refusal_was_answered_ends_the_exchange() {
        for mut session in [xoauth2(), oauthbearer()] {
            session.initial_response_sent();
            answer(&mut session, GMAIL_REFUSAL);
            assert_eq!(session.respond(b"").unwrap_err(), Fault::EndlessChallenge);
            assert_eq!(session.respond(b"").unwrap_err(), Fault::EndlessChallenge);
            assert_eq!(session.challenge().unwrap().status(), Some("400"));
        }
    }

    #[test]
    fn a_refusal_in_bad_base64_is_kept_as_sent_and_answered() {
        let mut session = xoauth2();
        session.initial_response_sent();
        assert_eq!(answer(&mut session, b"try again, please"), b"");
        assert_eq!(session.challenge().unwrap().text(), "try again, please");
        assert_eq!(session.challenge().unwrap().status(), None);
    }

    #[test]
    fn a_refusal_that_echoes_the_token_is_kept_without_it() {
        let echo = format!("{{\"status\":\"401\",\"scope\":\"you sent {TOKEN}\"}}");
        let mut session = xoauth2();
        session.initial_response_sent();
        answer(&mut session, STANDARD.encode(echo).as_bytes());
        let challenge = session.challenge().unwrap();
        assert_eq!(challenge.scope(), Some("you sent [secret]"));
        assert_eq!(challenge.text(), "{\"status\":\"401\",\"scope\":\"you sent [secret]\"}");
    }

    #[test]
    fn the_scrubber_knows_the_token_inside_base64_at_every_alignment() {
        let scrubber = xoauth2().scrubber();
        for before in ["", "1", "12", "123"] {
            let quoted = STANDARD.encode(format!("{before}{TOKEN}"));
            let cleaned = scrubber.clean_str(quoted.as_bytes());
            assert!(cleaned.len() < quoted.len() / 2, "{cleaned}");
            assert!(cleaned.contains("[secret]"), "{cleaned}");
        }
    }

    #[test]
    fn plain_and_login_cancel_a_challenge_too_many() {
        let mut plain = Session::plain("user", "password").unwrap();
        plain.initial_response_sent();
        assert_eq!(answer(&mut plain, b""), b"*");
        let mut login = Session::login("user", "password").unwrap();
        answer(&mut login, b"VXNlcm5hbWU6");
        answer(&mut login, b"UGFzc3dvcmQ6");
        assert_eq!(answer(&mut login, b""), b"*");
        assert_eq!(login.respond(b"").unwrap_err(), Fault::EndlessChallenge);
    }

    #[test]
    fn an_empty_initial_response_is_an_equals_sign_inline_and_an_empty_line_otherwise() {
        let mut session = Session::new(Empty);
        assert_eq!(session.initial_response().unwrap().expose(), b"=");
        assert_eq!(answer(&mut session, b""), b"");
    }

    #[test]
    fn a_session_never_prints_its_secrets() {
        let plain = Session::plain("user", "correct horse battery").unwrap();
        let login = Session::login("user", "correct horse battery").unwrap();
        for session in [xoauth2(), oauthbearer(), plain, login] {
            let printed = format!("{session:?}");
            let wire = session.initial_response().map(|w| w.expose().clone()).unwrap_or_default();
            let wire = String::from_utf8(wire).unwrap();
            assert!(!printed.contains(TOKEN) && !printed.contains("horse"), "{printed}");
            assert!(wire.is_empty() || !printed.contains(&wire), "{printed}");
        }
    }

    #[test]
    fn lengths_are_those_of_the_token_and_of_its_wire_form() {
        assert_eq!(xoauth2().credential_len(), 40);
        assert_eq!(wire_len(&xoauth2()), 120);
        assert_eq!(wire_len(&Session::login("user", "secret").unwrap()), 0);
    }

    /// `raw` octets of XOAUTH2 response: 20 and those of user and token.
    fn xoauth2_of_raw_len(raw: usize) -> Session {
        Session::xoauth2("u", &"t".repeat(raw - 21), &[]).unwrap()
    }

    /// The frame of OAUTHBEARER around a one-letter user, host `h` and port 1 has 35 octets.
    fn oauthbearer_of_raw_len(raw: usize) -> Session {
        Session::oauthbearer("u", "h", 1, &"t".repeat(raw - 35)).unwrap()
    }

    #[test]
    fn the_longest_inline_auth_of_smtp_has_372_raw_octets_for_xoauth2_and_369_for_oauthbearer() {
        let longest = xoauth2_of_raw_len(372);
        assert_eq!(wire_len(&longest), 496);
        assert!(longest.fits_inline("AUTH", SMTP_COMMAND_LINE));
        assert!(!xoauth2_of_raw_len(373).fits_inline("AUTH", SMTP_COMMAND_LINE));

        let longest = oauthbearer_of_raw_len(369);
        assert_eq!(wire_len(&longest), 492);
        assert!(longest.fits_inline("AUTH", SMTP_COMMAND_LINE));
        assert!(!oauthbearer_of_raw_len(370).fits_inline("AUTH", SMTP_COMMAND_LINE));
    }

    #[test]
    fn the_longest_inline_auth_of_pop3_has_180_raw_octets_for_xoauth2_and_177_for_oauthbearer() {
        let longest = xoauth2_of_raw_len(180);
        assert_eq!(wire_len(&longest), 240);
        assert!(longest.fits_inline("AUTH", POP_COMMAND_LINE));
        assert!(!xoauth2_of_raw_len(181).fits_inline("AUTH", POP_COMMAND_LINE));

        let longest = oauthbearer_of_raw_len(177);
        assert_eq!(wire_len(&longest), 236);
        assert!(longest.fits_inline("AUTH", POP_COMMAND_LINE));
        assert!(!oauthbearer_of_raw_len(178).fits_inline("AUTH", POP_COMMAND_LINE));
    }

    #[test]
    fn a_line_of_exactly_the_limit_fits_and_one_octet_more_does_not() {
        let session = xoauth2();
        let line = format!("A1 AUTHENTICATE XOAUTH2 {}\r\n", "x".repeat(120)).len();
        assert!(session.fits_inline("A1 AUTHENTICATE", line));
        assert!(!session.fits_inline("A1 AUTHENTICATE", line - 1));
        assert!(session.fits_inline("A1 AUTHENTICATE", IMAP_COMMAND_LINE));
        assert!(!xoauth2_of_raw_len(6000).fits_inline("A1 AUTHENTICATE", IMAP_COMMAND_LINE));
        assert!(!Session::login("u", "p").unwrap().fits_inline("AUTH", SMTP_COMMAND_LINE));
    }

    fn raw(session: &Session) -> Vec<u8> {
        decode(session.initial_response().unwrap().expose()).unwrap()
    }

    fn fields(session: &Session) -> Vec<Vec<u8>> {
        raw(session).split(|octet| *octet == 1).map(<[u8]>::to_vec).collect()
    }

    proptest! {
        #[test]
        fn decoding_an_xoauth2_response_gives_its_parts_back(
            user in "[^\\p{C}]{1,40}", token in "[!-~]{1,200}", vendor in "[^\\p{C}]{1,10}",
        ) {
            let session = Session::xoauth2(&user, &token, &[("vendor", &vendor)]).unwrap();
            prop_assert_eq!(fields(&session), [
                format!("user={user}").into_bytes(),
                format!("auth=Bearer {token}").into_bytes(),
                format!("vendor={vendor}").into_bytes(),
                vec![],
                vec![],
            ]);
        }

        #[test]
        fn decoding_an_oauthbearer_response_gives_its_parts_back(
            user in "[^\\p{C}]{1,40}", token in "[!-~]{1,200}", port in 1_u16..,
        ) {
            let session = Session::oauthbearer(&user, "mail.example.net", port, &token).unwrap();
            let fields = fields(&session);
            let gs2 = String::from_utf8(fields[0].clone()).unwrap();
            let name = gs2.strip_prefix("n,a=").unwrap().strip_suffix(',').unwrap();
            prop_assert!(!name.contains(','));
            prop_assert_eq!(name.replace("=2C", ",").replace("=3D", "="), user);
            prop_assert_eq!(&fields[1..], [
                b"host=mail.example.net".to_vec(),
                format!("port={port}").into_bytes(),
                format!("auth=Bearer {token}").into_bytes(),
                vec![],
                vec![],
            ]);
        }

        #[test]
        fn no_input_can_smuggle_a_line_or_a_field(
            user in any::<String>(), token in "\\PC{0,8}[\\x00-\\x7f]{0,8}", other in any::<String>(),
        ) {
            let sessions = [
                (Session::xoauth2(&user, &token, &[]), 3),
                (Session::xoauth2(&user, &token, &[("vendor", &other)]), 4),
                (Session::xoauth2(&user, &token, &[(&other, "value")]), 4),
                (Session::oauthbearer(&user, &other, 993, &token), 5),
                (Session::plain(&user, &other), 0),
            ];
            for (session, separators) in sessions {
                let Ok(session) = session else { continue };
                let wire = session.initial_response().unwrap().expose();
                prop_assert!(wire.iter().all(u8::is_ascii_graphic));
                let raw = raw(&session);
                prop_assert!(!raw.contains(&b'\r') && !raw.contains(&b'\n'));
                let count = |octet| raw.iter().filter(|o| **o == octet).count();
                prop_assert_eq!(count(1), separators);
                prop_assert_eq!(count(0), if separators == 0 { 2 } else { 0 });
            }
        }

        #[test]
        fn no_challenge_makes_a_session_panic_or_repeat_itself(
            challenges in prop::collection::vec(any::<Vec<u8>>(), 1..5),
        ) {
            let mut session = xoauth2();
            let initial = session.initial_response().unwrap().expose().clone();
            let answers: Vec<_> = challenges.iter().map(|c| session.respond(c)).collect();
            let sent = answers.iter().flatten().filter(|line| *line.expose() == initial).count();
            prop_assert_eq!(sent, 1);
        }
    }
}
