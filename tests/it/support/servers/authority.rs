//! The authorization server of the test bed: it mints tokens, and it answers Dovecot's questions
//! about them (RFC 7662) over HTTP on loopback.
//!
//! It remembers what it minted. What it says of a token depends on that token alone, so that tests
//! which run at the same time do not meet.

use std::collections::HashMap;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{KeyPair, SigningKey};

pub(super) const ISSUER: &str = "https://issuer.test";
/// Dovecot takes the audience for the scope if a token has none (it has no check of its own but for
/// the latest of Debian's security updates).
const AUDIENCE: &str = "mail";
/// What Dovecot shows as the client that asks.
pub(super) const CLIENT: &str = "dovecot";
pub(super) const CLIENT_SECRET: &str = "introspection-secret";
const KEY_ID: &str = "es1";

/// What is right or wrong with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Valid,
    Expired,
    NotYet,
    /// For another service than mail, and without a scope that would say otherwise.
    WrongAudience,
    WrongScope,
    WrongIssuer,
    /// Valid, but for somebody else.
    OtherUser,
    /// Signed by a key that nobody trusts, under the name of one that is.
    RogueKey,
    /// `"alg":"none"` and no signature.
    Unsigned,
    /// Valid, and exactly this many octets long.
    OfLength(usize),
    /// A random string: only introspection tells what it is worth.
    Opaque,
    /// Opaque, and no longer active.
    Revoked,
    /// Valid, but asked about it the introspection endpoint fails in this way.
    Unanswerable(Fault),
}

/// How the introspection endpoint fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// HTTP status 500.
    Status500,
    /// An HTML page where JSON was due.
    Garbage,
    /// Active, but without the attribute that names the user.
    NoEmail,
}

#[derive(Debug, Clone)]
enum Answer {
    Claims(String),
    Inactive,
    Fault(Fault, String),
}

/// Mints tokens and answers for them.
pub(super) struct Authority {
    key: KeyPair,
    rogue: KeyPair,
    known: Arc<Known>,
    port: u16,
}

#[derive(Default)]
struct Known {
    minted: Mutex<HashMap<String, Answer>>,
    /// Who is asked about tokens that were minted elsewhere, and answers as RFC 7662 says.
    elsewhere: OnceLock<fn(&str) -> String>,
}

impl Authority {
    /// Starts the HTTP endpoint and writes the public key where Dovecot's key dictionary looks for
    /// it: `<azp or "default">/<algorithm>/<kid>` under `keys`.
    pub(super) fn start(keys: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let key = KeyPair::generate()?;
        let folder = keys.join("default/ES256");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(KEY_ID), key.public_key_pem())?;

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let known: Arc<Known> = Arc::default();
        let answers = Arc::clone(&known);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answers = Arc::clone(&answers);
                // Dovecot closing a kept-alive connection is the ordinary end, not a failure.
                thread::spawn(move || serve(&stream, &answers));
            }
        });
        Ok(Self { key, rogue: KeyPair::generate()?, known, port })
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// Asks this function about tokens that were minted elsewhere.
    #[cfg(feature = "oauth")]
    pub(super) fn also_ask(&self, elsewhere: fn(&str) -> String) {
        // All tests ask the same one.
        let _ = self.known.elsewhere.set(elsewhere);
    }

    pub(super) fn mint(&self, user: &str, kind: Kind) -> String {
        let claims = claims(user, kind);
        let token = match kind {
            Kind::Opaque | Kind::Revoked => format!("op-{:016x}{:016x}", random(), random()),
            Kind::OfLength(length) => self.padded(&claims, length),
            Kind::Unsigned => {
                format!("{}.{}.", encode(r#"{"typ":"JWT","alg":"none"}"#), encode(&braced(&claims)))
            }
            Kind::RogueKey => jwt(&self.rogue, 0, &claims),
            _ => jwt(&self.key, 0, &claims),
        };
        let answer = match kind {
            Kind::Expired
            | Kind::NotYet
            | Kind::Revoked
            | Kind::RogueKey
            | Kind::Unsigned
            | Kind::WrongIssuer => Answer::Inactive,
            Kind::Unanswerable(fault) => Answer::Fault(fault, claims),
            _ => Answer::Claims(claims),
        };
        let mut minted = self.known.minted.lock().unwrap_or_else(PoisonError::into_inner);
        minted.insert(token.clone(), answer);
        token
    }

    /// Base64 without padding has no string of 4n+1 characters, so the header gives way too.
    fn padded(&self, claims: &str, length: usize) -> String {
        for spaces in 0..4 {
            let short = jwt(&self.key, spaces, &format!(r#"{claims},"pad":"""#)).len();
            let missing = length.checked_sub(short).expect("a length that the claims fit in");
            let guess = missing * 3 / 4;
            for pad in guess.saturating_sub(2)..=guess + 2 {
                let claims = format!(r#"{claims},"pad":"{}""#, "x".repeat(pad));
                let token = jwt(&self.key, spaces, &claims);
                if token.len() == length {
                    return token;
                }
            }
        }
        panic!("no token of {length} octets can be made");
    }
}

/// The members of the claims set, without its braces.
fn claims(user: &str, kind: Kind) -> String {
    const HOUR: u64 = 3600;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (from, until) = match kind {
        Kind::Expired => (now - 2 * HOUR, now - HOUR),
        Kind::NotYet => (now + HOUR, now + 2 * HOUR),
        // A few seconds back, so that a clock read twice never disagrees with itself.
        _ => (now - 5, now + HOUR),
    };
    let user = if kind == Kind::OtherUser { "somebody-else@example.test" } else { user };
    let issuer = if kind == Kind::WrongIssuer { "https://other.invalid" } else { ISSUER };
    let audience = if kind == Kind::WrongAudience { "calendar" } else { AUDIENCE };
    let scope = match kind {
        Kind::WrongAudience => "",
        Kind::WrongScope => r#","scope":"openid calendar""#,
        _ => r#","scope":"openid mail""#,
    };
    format!(
        r#""iss":"{issuer}","aud":"{audience}","sub":"{user}","email":"{user}"{scope},"iat":{from},"nbf":{from},"exp":{until},"jti":"{:016x}""#,
        random()
    )
}

fn jwt(key: &KeyPair, spaces: usize, claims: &str) -> String {
    // Dovecot wants the type, which RFC 7519 leaves optional, and exactly in this spelling.
    let header = format!(r#"{{{}"typ":"JWT","alg":"ES256","kid":"{KEY_ID}"}}"#, " ".repeat(spaces));
    let signed = format!("{}.{}", encode(&header), encode(&braced(claims)));
    let signature = key.sign(signed.as_bytes()).expect("a P-256 key signs anything");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(fixed_width(&signature)))
}

/// RFC 7518 section 3.4 wants r and s as 32 octets each; the key gives them as a DER sequence of two
/// integers, each shortened or with a sign octet in front.
fn fixed_width(der: &[u8]) -> [u8; 64] {
    let mut out = [0; 64];
    let mut rest = &der[2..];
    for half in out.chunks_mut(32) {
        let (integer, after) = rest[2..].split_at(usize::from(rest[1]));
        let digits = &integer[integer.len().saturating_sub(32)..];
        half[32 - digits.len()..].copy_from_slice(digits);
        rest = after;
    }
    out
}

fn encode(json: &str) -> String {
    URL_SAFE_NO_PAD.encode(json)
}

fn braced(members: &str) -> String {
    format!("{{{members}}}")
}

/// Differs from call to call: each `RandomState` has keys of its own.
fn random() -> u64 {
    RandomState::new().hash_one(())
}

/// Answers requests on one connection until the client closes it.
fn serve(stream: &TcpStream, known: &Known) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(request) = Request::read(&mut reader)? {
        let (status, body) = answer(&request, known);
        write!(
            &*stream,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
    Ok(())
}

fn answer(request: &Request, known: &Known) -> (&'static str, String) {
    match request.path.as_str() {
        "/.well-known/openid-configuration" => ("200 OK", format!(r#"{{"issuer":"{ISSUER}"}}"#)),
        "/introspect" if !request.authorized => {
            ("401 Unauthorized", r#"{"error":"invalid_client"}"#.into())
        }
        "/introspect" => {
            let minted = known.minted.lock().unwrap_or_else(PoisonError::into_inner);
            let found = minted.get(&request.token).cloned();
            drop(minted);
            if let (None, Some(elsewhere)) = (&found, known.elsewhere.get()) {
                return ("200 OK", elsewhere(&request.token));
            }
            match found.unwrap_or(Answer::Inactive) {
                Answer::Claims(claims) => ("200 OK", format!(r#"{{"active":true,{claims}}}"#)),
                Answer::Inactive => ("200 OK", r#"{"active":false}"#.into()),
                Answer::Fault(Fault::Status500, _) => {
                    ("500 Internal Server Error", r#"{"error":"server_error"}"#.into())
                }
                Answer::Fault(Fault::Garbage, _) => ("200 OK", "<html>sorry</html>".into()),
                Answer::Fault(Fault::NoEmail, claims) => {
                    let claims = claims.replace(r#""email""#, r#""mail""#);
                    ("200 OK", format!(r#"{{"active":true,{claims}}}"#))
                }
            }
        }
        _ => ("404 Not Found", "{}".into()),
    }
}

/// As much of an HTTP/1.1 request as the endpoint looks at.
struct Request {
    path: String,
    authorized: bool,
    token: String,
}

impl Request {
    fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{CLIENT_SECRET}")));
        let (mut authorized, mut length) = (false, 0);
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            if name.eq_ignore_ascii_case("authorization") {
                authorized = value == basic;
            } else if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().unwrap_or(0);
            }
        }
        let mut body = String::new();
        reader.take(length).read_to_string(&mut body)?;
        let token = body.split('&').find_map(|pair| pair.strip_prefix("token="));
        Ok(Some(Self { path, authorized, token: percent_decoded(token.unwrap_or_default()) }))
    }
}

fn percent_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        out.push(u8::from_str_radix(digits, 16).map_or('%', char::from));
        out.push_str(rest);
    }
    out
}
