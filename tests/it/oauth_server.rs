//! The grants at a certified OAuth 2.0 server.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailbearer::imap::{AppendOptions, Fetch, UidSet};
use mailbearer::token::store::{MemoryStore, TokenStore};
use mailbearer::token::{
    AuthorizationCode, Certificate, ClientCredential, ClientCredentials, DeviceCode, ErrorKind,
    Purpose, RefreshToken, Rejection, SignedIn, SigningAlgorithm, StaticToken, TokenError,
    TokenEvent, TokenRequest,
};
use mailbearer::{
    AccessToken, Auth, BoxFuture, Connector, Endpoint, Failure, ImapClient, Protocol, Retry,
    Security, Stage, TokenProvider,
};

use crate::support::oidc::{Browser, Choice, OAuthServer};
use crate::support::opened::{Opened, Way};
use crate::support::servers::{Bed, Server};

const SCOPE: &str = "openid offline_access mail";

fn request() -> TokenRequest {
    TokenRequest::new(Endpoint::imap("mail.example.net"), "alice@example.net")
}

/// Another token, as after a refusal.
async fn renewed(
    tokens: &impl TokenProvider,
    old: &AccessToken,
) -> Result<AccessToken, TokenError> {
    tokens.rejected(old, Rejection::Expired).await;
    tokens.token(&request().with_purpose(Purpose::Retry)).await
}

async fn stored_refresh_token(store: &MemoryStore) -> String {
    let stored = store.load("alice").await.unwrap().unwrap();
    stored.tokens().refresh_token().unwrap().to_owned()
}

fn code_grant(client: &str, store: &MemoryStore) -> AuthorizationCode {
    let server = OAuthServer::start();
    AuthorizationCode::builder(server.url("/auth"), server.token_url(), client)
        .scope(SCOPE)
        // Without a consent that is asked for, OpenID Connect Core section 11 gives no refresh
        // token.
        .prompt("consent")
        .store(store.clone(), "alice")
        .build()
        .unwrap()
}

async fn sign_in(client: &str, store: &MemoryStore) -> SignedIn {
    sign_in_as("alice", client, store).await
}

async fn sign_in_as(name: &str, client: &str, store: &MemoryStore) -> SignedIn {
    let name = name.to_owned();
    let waiting = code_grant(client, store).start().await.unwrap();
    let url = waiting.url().to_owned();
    let person = tokio::task::spawn_blocking(move || {
        Browser::default().sign_in(&url, &name, Choice::Approve)
    });
    let tokens = waiting.finish().await.unwrap();
    assert_eq!(person.await.unwrap().status, 200);
    tokens
}

#[tokio::test]
async fn a_service_signs_in_with_its_secret() {
    let server = OAuthServer::start();
    let basic =
        ClientCredentials::builder(server.token_url(), "basic", "s3cret+/with %chars:and=more");
    let token = basic.scope("mail").build().unwrap().token(&request()).await.unwrap();
    assert!(token.remaining() > Some(Duration::from_secs(500)));

    let post = ClientCredentials::builder(server.token_url(), "post", "s3cret-in-the-body");
    let post = post.scope("mail").secret_in_body(true).build().unwrap();
    assert!(!post.token(&request()).await.unwrap().same(&token));
}

#[tokio::test]
async fn a_wrong_secret_is_named_as_such() {
    let server = OAuthServer::start();
    let wrong = ClientCredentials::builder(server.token_url(), "basic", "wrong-s3cret");
    let error = wrong.scope("mail").build().unwrap().token(&request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ClientCredential);
    assert!(!format!("{error} {error:?}").contains("wrong-s3cret"), "{error}");
}

#[tokio::test]
async fn a_service_signs_in_with_its_certificate() {
    let server = OAuthServer::start();
    for (name, algorithm) in [
        ("rsa", SigningAlgorithm::Ps256),
        ("rsa", SigningAlgorithm::Rs256),
        ("ec", SigningAlgorithm::Es256),
    ] {
        let certificate = Certificate::from_pem(server.signing_pem(name)).unwrap();
        let credential = ClientCredential::certificate(certificate.signing(algorithm).unwrap());
        let client = format!("signing-{name}");
        let tokens = ClientCredentials::builder(server.token_url(), client, credential);
        let tokens = tokens.scope("mail").build().unwrap();
        let first = tokens.token(&request()).await.unwrap();
        // An assertion is good for one use (RFC 7523 section 3): the next has another `jti`.
        assert!(!renewed(&tokens, &first).await.unwrap().same(&first));
    }
}

#[tokio::test]
async fn a_user_signs_in_with_the_browser_and_the_refresh_token_rotates() {
    let store = MemoryStore::default();
    let tokens = sign_in("native", &store).await;
    let first = tokens.token(&request()).await.unwrap();
    let spent = stored_refresh_token(&store).await;
    let second = renewed(&tokens, &first).await.unwrap();
    assert!(!second.same(&first));
    assert_ne!(stored_refresh_token(&store).await, spent);

    // A program started later finds the sign-in.
    let later = code_grant("native", &store).resume().await.unwrap().unwrap();
    assert!(later.token(&request()).await.unwrap().same(&second));
}

#[tokio::test]
async fn an_answer_names_the_server_that_gave_it() {
    let server = OAuthServer::start();
    for (issuer, good) in [(server.url(""), true), (server.url("/another"), false)] {
        let browser = AuthorizationCode::builder(server.url("/auth"), server.token_url(), "native");
        let browser = browser.scope(SCOPE).prompt("consent").issuer(issuer).build().unwrap();
        let waiting = browser.start().await.unwrap();
        let url = waiting.url().to_owned();
        let person = tokio::task::spawn_blocking(move || {
            Browser::default().sign_in(&url, "alice", Choice::Approve)
        });
        let outcome = waiting.finish().await;
        assert_eq!(outcome.is_ok(), good, "{:?}", outcome.err());
        person.await.unwrap();
    }
}

#[tokio::test]
async fn a_spent_refresh_token_costs_the_whole_sign_in() {
    let store = MemoryStore::default();
    let tokens = sign_in("native", &store).await;
    let first = tokens.token(&request()).await.unwrap();
    let spent = stored_refresh_token(&store).await;
    let second = renewed(&tokens, &first).await.unwrap();

    let server = OAuthServer::start();
    let thief = RefreshToken::builder(server.token_url(), "native", spent).build().unwrap();
    let error = thief.token(&request()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::SignInNeeded(_)), "{error}");
    // The server takes it for theft and revokes what came of it.
    let later = code_grant("native", &store).resume().await.unwrap().unwrap();
    let error = renewed(&later, &second).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::SignInNeeded(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_that_share_a_sign_in_spend_no_refresh_token_twice() {
    let store = MemoryStore::default();
    sign_in("native-brief", &store).await;
    let programs: Vec<_> = (0..8)
        .map(|_| {
            let grant = code_grant("native-brief", &store);
            tokio::spawn(async move {
                let tokens = grant.resume().await.unwrap().unwrap();
                // Tokens live for two seconds, and longer ones are wanted: each call renews.
                for _ in 0..5 {
                    tokens.token(&request()).await.unwrap();
                }
            })
        })
        .collect();
    for program in programs {
        program.await.unwrap();
    }
}

#[tokio::test]
async fn tokens_of_two_seconds_are_handed_out_once_each() {
    let store = MemoryStore::default();
    let tokens = sign_in("native-brief", &store).await;
    let first = tokens.token(&request()).await.unwrap();
    assert!(first.remaining() <= Some(Duration::from_secs(2)));
    let second = tokens.token(&request()).await.unwrap();
    assert!(!second.same(&first));
}

#[tokio::test]
async fn a_revoked_sign_in_has_to_be_done_again() {
    let store = MemoryStore::default();
    let tokens = sign_in("native", &store).await;
    let first = tokens.token(&request()).await.unwrap();
    let refresh_token = stored_refresh_token(&store).await;
    // RFC 7009.
    let form = [("client_id", "native"), ("token", &*refresh_token)];
    let (status, body) = OAuthServer::start().post("/token/revocation", &form);
    assert_eq!(status, 200, "{body}");
    let error = renewed(&tokens, &first).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::SignInNeeded(_)), "{error}");
}

#[tokio::test]
async fn a_user_who_declines_in_the_browser_is_reported() {
    let waiting = code_grant("native", &MemoryStore::default()).start().await.unwrap();
    let url = waiting.url().to_owned();
    let person = tokio::task::spawn_blocking(move || {
        Browser::default().sign_in(&url, "alice", Choice::Decline)
    });
    let error = waiting.finish().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    person.await.unwrap();
}

#[tokio::test]
async fn a_user_signs_in_on_another_device() {
    let server = OAuthServer::start();
    let device = DeviceCode::builder(server.url("/device/auth"), server.token_url(), "native")
        .scope(SCOPE)
        .build()
        .unwrap();
    let mut prompt = device.start().await.unwrap();
    assert!(prompt.message().contains(prompt.user_code()));
    let url = prompt.verification_uri_complete().unwrap().to_owned();
    let user_code = prompt.user_code().to_owned();
    let person = tokio::task::spawn_blocking(move || {
        // Nobody signs in before the program has been told to wait.
        while server.told_to_wait(&user_code) == 0 {
            std::thread::sleep(Duration::from_millis(20));
        }
        Browser::default().sign_in(&url, "alice", Choice::Approve)
    });
    let tokens = prompt.wait().await.unwrap();
    assert!(tokens.token(&request()).await.is_ok());
    person.await.unwrap();
}

#[tokio::test]
async fn a_user_who_declines_on_another_device_is_reported() {
    let server = OAuthServer::start();
    let device = DeviceCode::builder(server.url("/device/auth"), server.token_url(), "native")
        .scope(SCOPE)
        .build()
        .unwrap();
    let mut prompt = device.start().await.unwrap();
    let url = prompt.verification_uri_complete().unwrap().to_owned();
    let person = tokio::task::spawn_blocking(move || {
        Browser::default().sign_in(&url, "alice", Choice::Decline)
    });
    let error = prompt.wait().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    person.await.unwrap();
}

#[tokio::test]
async fn a_sign_in_opens_the_mailbox_by_all_three_protocols() {
    let bed = Bed::start();
    bed.also_ask(|token| OAuthServer::start().introspect(token));
    let mailbox = bed.mailbox("signed-in");
    for client in ["native", "native-brief"] {
        let tokens = sign_in_as(&mailbox, client, &MemoryStore::default()).await;
        for protocol in [Protocol::Smtp, Protocol::Imap, Protocol::Pop] {
            let endpoint = bed.endpoint(Server::Introspection, protocol, Security::ImplicitTls);
            for auth in [
                Auth::xoauth2(&mailbox, tokens.clone()),
                Auth::oauthbearer(&mailbox, tokens.clone()),
            ] {
                let opened = Way::to(endpoint.clone(), bed).open(auth).await;
                opened.unwrap().use_and_close().await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_sign_in_does_not_open_the_mailbox_of_another() {
    let bed = Bed::start();
    bed.also_ask(|token| OAuthServer::start().introspect(token));
    let tokens = sign_in_as(&bed.mailbox("one"), "native", &MemoryStore::default()).await;
    let endpoint = bed.endpoint(Server::Introspection, Protocol::Imap, Security::ImplicitTls);
    let auth = Auth::xoauth2(bed.mailbox("another"), tokens);
    let error = Way::to(endpoint, bed).open(auth).await.unwrap_err();
    assert_eq!(error.stage(), Stage::Auth, "{error}");
}

#[tokio::test]
async fn a_session_that_outlives_its_token_is_followed_by_one_with_a_new_token() {
    let bed = Bed::start();
    bed.also_ask(|token| OAuthServer::start().introspect(token));
    let mailbox = bed.mailbox("outlived");
    let signed_in = sign_in_as(&mailbox, "native-brief", &MemoryStore::default()).await;
    let tokens = Watched { tokens: signed_in, given: Arc::default() };
    let endpoint = bed.endpoint(Server::Introspection, Protocol::Imap, Security::ImplicitTls);
    let way = Way::to(endpoint.clone(), bed);
    let auth = Auth::xoauth2(&mailbox, tokens.clone());
    let connector = way.apply(ImapClient::builder(endpoint)).auth(auth);

    let mut imap = connected(&connector).await;
    let first = tokens.last();
    let message = b"Subject: before\r\n\r\n".to_vec();
    imap.append("INBOX", message.clone(), AppendOptions::new()).await.unwrap();
    assert_eq!(imap.select("INBOX").await.unwrap().exists(), 1);

    expired(&first).await;
    let refused = way.imap(Auth::xoauth2(&mailbox, StaticToken::new(first.expose()))).await;
    assert_eq!(refused.unwrap_err().stage(), Stage::Auth);
    // Dovecot asks about a token at the login only.
    imap.selected().unwrap().noop().await.unwrap();
    bed.end_sessions(Server::Introspection, &mailbox);
    let error = imap.selected().unwrap().noop().await.unwrap_err();
    assert_eq!(error.retry(), Retry::Reconnect, "{error}");

    let mut imap = connected(&connector).await;
    assert!(!tokens.last().same(&first));
    let inbox = imap.select("INBOX").await.unwrap();
    let read = inbox.uid_fetch(UidSet::all(), Fetch::body()).await.unwrap();
    let read = read.collect().await.unwrap();
    assert_eq!(read.iter().map(|one| one.body()).collect::<Vec<_>>(), [Some(&*message)]);
    imap.logout().await.unwrap();
}

#[tokio::test]
async fn sessions_of_smtp_and_pop3_outlive_their_token_too() {
    let bed = Bed::start();
    bed.also_ask(|token| OAuthServer::start().introspect(token));
    for protocol in [Protocol::Smtp, Protocol::Pop] {
        let mailbox = bed.mailbox("outlived-too");
        let signed_in = sign_in_as(&mailbox, "native-brief", &MemoryStore::default()).await;
        let tokens = Watched { tokens: signed_in, given: Arc::default() };
        let endpoint = bed.endpoint(Server::Introspection, protocol, Security::ImplicitTls);
        let way = Way::to(endpoint, bed);

        let mut session = opened(&way, &mailbox, &tokens).await;
        let first = tokens.last();
        expired(&first).await;
        let refused = way.open(Auth::xoauth2(&mailbox, StaticToken::new(first.expose()))).await;
        assert_eq!(refused.unwrap_err().stage(), Stage::Auth);
        session.noop().await.unwrap();
        bed.end_sessions(Server::Introspection, &mailbox);
        assert!(session.noop().await.is_err());

        let session = opened(&way, &mailbox, &tokens).await;
        assert!(!tokens.last().same(&first));
        session.use_and_close().await.unwrap();
    }
}

/// As [`connected`], whatever the protocol.
async fn opened(way: &Way, mailbox: &str, tokens: &Watched) -> Opened {
    for _ in 0..20 {
        match way.open(Auth::xoauth2(mailbox, tokens.clone())).await {
            Ok(session) => return session,
            Err(error) => assert_eq!(error.stage(), Stage::Auth, "{error}"),
        }
    }
    panic!("every token had expired before it was shown");
}

/// Remembers what it hands on.
#[derive(Clone)]
struct Watched {
    tokens: SignedIn,
    given: Arc<Mutex<Vec<AccessToken>>>,
}

impl Watched {
    fn last(&self) -> AccessToken {
        self.given.lock().unwrap().last().unwrap().clone()
    }
}

impl TokenProvider for Watched {
    fn token<'a>(
        &'a self,
        request: &'a TokenRequest,
    ) -> BoxFuture<'a, Result<AccessToken, TokenError>> {
        Box::pin(async move {
            let token = self.tokens.token(request).await?;
            self.given.lock().unwrap().push(token.clone());
            Ok(token)
        })
    }

    fn rejected<'a>(&'a self, token: &'a AccessToken, why: Rejection) -> BoxFuture<'a, ()> {
        self.tokens.rejected(token, why)
    }
}

/// Connects, however slow the machine: a token of two seconds may expire on its way.
async fn connected(connector: &Connector<ImapClient>) -> ImapClient {
    for _ in 0..20 {
        match connector.connect().await {
            Ok(client) => return client,
            Err(error) => assert_eq!(error.stage(), Stage::Auth, "{error}"),
        }
    }
    panic!("every token had expired before it was shown");
}

/// Waits until the server says that the token is of no use any more.
async fn expired(token: &AccessToken) {
    for _ in 0..600 {
        let shown = token.expose().to_owned();
        let asked = move || OAuthServer::start().introspect(&shown);
        if tokio::task::spawn_blocking(asked).await.unwrap().contains(r#""active":false"#) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the token does not expire");
}

#[tokio::test]
async fn events_count_what_was_issued() {
    let server = OAuthServer::start();
    let issued = Arc::new(Mutex::new(0));
    let tokens = ClientCredentials::builder(server.token_url(), "post", "s3cret-in-the-body")
        .scope("mail")
        .secret_in_body(true)
        .on_event({
            let issued = issued.clone();
            move |event| {
                if let TokenEvent::Issued { .. } = event {
                    *issued.lock().unwrap() += 1;
                }
            }
        })
        .build()
        .unwrap();
    for _ in 0..3 {
        tokens.token(&request()).await.unwrap();
    }
    assert_eq!(*issued.lock().unwrap(), 1);
}
