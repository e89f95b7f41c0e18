use std::collections::VecDeque;
use std::io;
use std::sync::Mutex;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, duplex};

use super::*;
use crate::pop::Error;
use crate::{BoxFuture, Failure, PopClient, Profile, Retry, danger, token};

/// What a server says to each line, connection by connection.
type Script = &'static [(&'static str, &'static str)];

const GREETING: (&str, &str) = ("", "+OK ready\r\n");
const CAPA: (&str, &str) = ("CAPA", "+OK\r\nSASL XOAUTH2\r\n.\r\n");
const AUTH: (&str, &str) = ("AUTH XOAUTH2", "+ \r\n");
const STAT: (&str, &str) = ("STAT", "+OK 1 20\r\n");
/// `user=a@b.c`, tokens `one` and `two`.
const ONE: &str = "dXNlcj1hQGIuYwFhdXRoPUJlYXJlciBvbmUBAQ==";
const TWO: &str = "dXNlcj1hQGIuYwFhdXRoPUJlYXJlciB0d28BAQ==";
const INLINE: (&str, &str) =
    ("AUTH XOAUTH2 dXNlcj1hQGIuYwFhdXRoPUJlYXJlciBvbmUBAQ==", "-ERR bad command\r\n");
const NOT_CONNECTED: (&str, &str) = ("STAT", "-ERR User is authenticated but not connected.\r\n");
const REFUSED: &str = "-ERR Authentication failure: unknown user name or bad password.\r\n";
const WELCOME: &str = "+OK User successfully authenticated.\r\n";

struct Scripted(Mutex<VecDeque<Script>>, SocketAddr);

impl Dial for Scripted {
    fn dial<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, io::Result<Connection>> {
        let script = self.0.lock().unwrap().pop_front().expect("a connection too many");
        let (near, far) = duplex(4096);
        tokio::spawn(async move {
            let mut far = BufReader::new(far);
            for (expected, reply) in script {
                if !expected.is_empty() {
                    let mut line = String::new();
                    far.read_line(&mut line).await.unwrap();
                    assert_eq!(line.trim_end(), *expected);
                }
                far.write_all(reply.as_bytes()).await.unwrap();
            }
        });
        Box::pin(std::future::ready(Ok(Connection::new(near).with_peer(self.1))))
    }
}

/// Gives its tokens one after the other, the last for ever, and counts what it is told.
#[derive(Clone)]
struct Tokens(Arc<Mutex<Office>>);

struct Office {
    tokens: VecDeque<&'static str>,
    asked: usize,
    told: Vec<Rejection>,
}

impl Tokens {
    fn new(tokens: &[&'static str]) -> Self {
        let tokens = tokens.iter().copied().collect();
        Self(Arc::new(Mutex::new(Office { tokens, asked: 0, told: Vec::new() })))
    }

    fn asked(&self) -> usize {
        self.0.lock().unwrap().asked
    }

    fn told(&self) -> Vec<Rejection> {
        self.0.lock().unwrap().told.clone()
    }
}

impl TokenProvider for Tokens {
    fn token<'a>(&'a self, _: &'a TokenRequest) -> BoxFuture<'a, Result<AccessToken, TokenError>> {
        let Office { tokens, asked, .. } = &mut *self.0.lock().unwrap();
        *asked += 1;
        let last = tokens.back().copied();
        let token = tokens.pop_front().or(last).unwrap();
        if tokens.is_empty() {
            tokens.push_back(token);
        }
        Box::pin(std::future::ready(Ok(AccessToken::new(token))))
    }

    fn rejected<'a>(&'a self, _: &'a AccessToken, why: Rejection) -> BoxFuture<'a, ()> {
        self.0.lock().unwrap().told.push(why);
        Box::pin(std::future::ready(()))
    }
}

fn connector(scripts: &[Script], inline: bool) -> Connector<PopClient> {
    let profile = Profile::generic().with_inline_auth(inline);
    let security = danger::plaintext_on_loopback();
    let endpoint = Endpoint::new(Protocol::Pop, "localhost", 110, security).with_profile(profile);
    let scripts = Mutex::new(scripts.iter().copied().collect());
    PopClient::builder(endpoint).dial(Scripted(scripts, ([127, 0, 0, 1], 110).into()))
}

async fn run(scripts: &[Script], inline: bool, tokens: &Tokens) -> Result<PopClient, Error> {
    connector(scripts, inline).auth(Auth::xoauth2("a@b.c", tokens.clone())).connect().await
}

#[tokio::test]
async fn a_good_token_is_asked_for_once() {
    let tokens = Tokens::new(&["one"]);
    let scripts: &[Script] = &[&[GREETING, CAPA, AUTH, (ONE, WELCOME), STAT]];
    let client = run(scripts, false, &tokens).await.unwrap();
    assert_eq!(client.maildrop().messages(), 1);
    assert_eq!((tokens.asked(), tokens.told().len()), (1, 0));
}

/// Behind a refusal as before: `user=a@b.c`, token `one` or `two`, `vendor=V`.
#[tokio::test]
async fn a_vendor_goes_with_every_token() {
    const VENDORS_ONE: &str = "dXNlcj1hQGIuYwFhdXRoPUJlYXJlciBvbmUBdmVuZG9yPVYBAQ==";
    const VENDORS_TWO: &str = "dXNlcj1hQGIuYwFhdXRoPUJlYXJlciB0d28BdmVuZG9yPVYBAQ==";
    let refused: Script = &[GREETING, CAPA, AUTH, (VENDORS_ONE, REFUSED)];
    let welcome: Script = &[GREETING, CAPA, AUTH, (VENDORS_TWO, WELCOME), STAT];
    let tokens = Tokens::new(&["one", "two"]);
    let connector = connector(&[refused, welcome], false);
    let auth = Auth::xoauth2("a@b.c", tokens).vendor("V");
    connector.auth(auth).connect().await.unwrap();
}

#[tokio::test]
async fn a_refused_token_is_reported_once_and_replaced_once() {
    let tokens = Tokens::new(&["one", "two"]);
    let scripts: &[Script] =
        &[&[GREETING, CAPA, AUTH, (ONE, REFUSED)], &[GREETING, CAPA, AUTH, (TWO, WELCOME), STAT]];
    run(scripts, false, &tokens).await.unwrap();
    assert_eq!(tokens.asked(), 2);
    let reply = REFUSED.trim_end().to_owned();
    assert_eq!(tokens.told(), [Rejection::Refused { reply }]);
}

#[tokio::test]
async fn a_second_refusal_ends_it_and_the_error_says_so() {
    let tokens = Tokens::new(&["one", "two"]);
    let scripts: &[Script] =
        &[&[GREETING, CAPA, AUTH, (ONE, REFUSED)], &[GREETING, CAPA, AUTH, (TWO, REFUSED)]];
    let error = run(scripts, false, &tokens).await.unwrap_err();
    assert_eq!(error.retry(), Retry::RefreshToken);
    assert!(error.to_string().contains("a newly obtained token was refused too"), "{error}");
    assert_eq!((tokens.asked(), tokens.told().len()), (2, 1));
}

#[tokio::test]
async fn the_same_token_again_is_not_tried_again() {
    let tokens = Tokens::new(&["one"]);
    let scripts: &[Script] = &[&[GREETING, CAPA, AUTH, (ONE, REFUSED)]];
    let error = run(scripts, false, &tokens).await.unwrap_err();
    assert_eq!(error.stage(), Stage::Auth);
    assert_eq!((tokens.asked(), tokens.told().len()), (2, 1));
}

#[tokio::test]
async fn a_refusal_that_is_not_the_tokens_fault_neither_reports_nor_replaces_it() {
    for reply in [
        "-ERR [SYS/TEMP] Temporary authentication failure.\r\n",
        "-ERR [IN-USE] locked\r\n",
        "-ERR User is authenticated but not connected.\r\n",
        "+OK User is authenticated but not connected.\r\n",
        "-ERR Protocol error. Connection is closed. 10\r\n",
    ] {
        let tokens = Tokens::new(&["one", "two"]);
        let script = vec![GREETING, CAPA, AUTH, (ONE, reply)].leak();
        let error = run(&[script], false, &tokens).await.unwrap_err();
        assert!(matches!(error, Error::Auth(_)), "{reply}: {error}");
        assert_eq!((tokens.asked(), tokens.told().len()), (1, 0), "{reply}");
    }
}

#[tokio::test]
async fn a_line_too_long_is_tried_in_two_steps_and_is_no_refusal_of_the_token() {
    let tokens = Tokens::new(&["one", "two"]);
    let scripts: &[Script] =
        &[&[GREETING, CAPA, INLINE], &[GREETING, CAPA, AUTH, (ONE, WELCOME), STAT]];
    run(scripts, true, &tokens).await.unwrap();
    assert_eq!((tokens.asked(), tokens.told().len()), (1, 0));
}

#[tokio::test]
async fn there_are_at_most_three_connections() {
    let tokens = Tokens::new(&["one", "two", "three"]);
    let scripts: &[Script] = &[
        &[GREETING, CAPA, INLINE],
        &[GREETING, CAPA, AUTH, (ONE, REFUSED)],
        &[GREETING, CAPA, AUTH, (TWO, REFUSED)],
    ];
    let error = run(scripts, true, &tokens).await.unwrap_err();
    assert!(matches!(error, Error::Auth(error) if error.token_refreshed()));
}

#[tokio::test]
async fn a_mailbox_that_does_not_open_after_the_login_is_an_error_of_the_login() {
    let tokens = Tokens::new(&["one", "two"]);
    let scripts: &[Script] = &[&[GREETING, CAPA, AUTH, (ONE, WELCOME), NOT_CONNECTED]];
    let error = run(scripts, false, &tokens).await.unwrap_err();
    assert_eq!((error.stage(), error.retry()), (Stage::Auth, Retry::Administrator));
    assert_eq!(tokens.told(), []);
}

#[tokio::test]
async fn clear_text_to_another_machine_is_refused_before_an_octet_is_written() {
    let mut connector = connector(&[&[]], false);
    let scripts = Mutex::new([&[][..]].into_iter().collect());
    connector = connector.dial(Scripted(scripts, ([192, 0, 2, 1], 110).into()));
    let auth = Auth::xoauth2("a@b.c", Tokens::new(&["one"]));
    let error = connector.auth(auth).connect().await.unwrap_err();
    assert!(matches!(error, Error::Misuse(Misuse::ClearTextToRemote)));
}

#[tokio::test]
async fn misuse_is_found_before_dialling() {
    let error = connector(&[], false).connect().await.unwrap_err();
    assert!(matches!(error, Error::Misuse(Misuse::NoAuth)));
    let tokens = token::StaticToken::new("one");
    let imap = Endpoint::imap("localhost");
    let error = PopClient::connect_xoauth2(imap, "a@b.c", &tokens).await.unwrap_err();
    assert_eq!(error.to_string(), "the POP3 client was given an IMAP endpoint");
    for user in ["a\r\nb", "a\0b", ""] {
        let auth = Auth::xoauth2(user, Tokens::new(&["one"]));
        let error = connector(&[], false).auth(auth).connect().await.unwrap_err();
        assert!(matches!(error, Error::Misuse(Misuse::Input(_))), "{user:?}");
    }
    #[cfg(feature = "smtp")]
    {
        let named = crate::SmtpClient::builder(Endpoint::smtp("localhost")).ehlo_name("two words");
        let error = named.auth(Auth::plain("a@b.c", "pw")).connect().await.unwrap_err();
        assert!(matches!(error, crate::smtp::Error::Misuse(Misuse::Argument { .. })), "{error:?}");
    }
}
