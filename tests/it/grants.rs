//! No grant shows a secret: not in `Debug`, not in errors, not in events, not in the trace, whatever
//! the server repeats.

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};

use mailbearer::provider::microsoft365;
use mailbearer::token::http::{HttpClient, HttpError, HttpRequest, HttpResponse};
use mailbearer::token::store::{MemoryStore, TokenStore};
use mailbearer::token::{
    AuthorizationCode, ClientCredential, ClientCredentials, DeviceCode, ManagedIdentity,
    OnBehalfOf, Password, RefreshToken, Rejection, TokenEvent, TokenRequest,
};
use mailbearer::{BoxFuture, Failure, TokenProvider};

/// Every secret that the test hands in or the server hands out has this in it.
const MARK: &str = "correct-horse-battery-staple";

fn secret(name: &str) -> String {
    format!("{name}+{MARK}/{name}=")
}

#[derive(Clone, Default)]
struct Shown(Arc<Mutex<Vec<u8>>>);

impl Shown {
    fn note(&self, what: &(impl std::fmt::Debug + ?Sized)) {
        let mut text = String::new();
        write!(text, "{what:?} {what:#?}").unwrap();
        self.0.lock().unwrap().extend(text.into_bytes());
    }

    fn note_error(&self, error: &(impl Failure + ?Sized)) {
        let mut text = format!("{error} {error:?} {:?}", error.reply_text());
        let mut source = error.source();
        while let Some(cause) = source {
            write!(text, "{cause} {cause:?}").unwrap();
            source = cause.source();
        }
        self.0.lock().unwrap().extend(text.into_bytes());
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Shown {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Gives tokens at first, then refuses and repeats all that it was sent.
#[derive(Clone, Default)]
struct Parrot(Arc<Mutex<u32>>);

impl HttpClient for Parrot {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
        let mut count = self.0.lock().unwrap();
        *count += 1;
        let answer = if *count == 1 {
            let body = format!(
                r#"{{"token_type":"Bearer","expires_in":3599,"access_token":"{}","refresh_token":"{}","device_code":"{}","user_code":"A","verification_uri":"https://h/"}}"#,
                secret("access"),
                secret("refresh"),
                secret("device"),
            );
            HttpResponse::new(200).with_body(body)
        } else {
            let headers: Vec<_> = request.headers().map(|(_, value)| value.to_owned()).collect();
            let sent = String::from_utf8_lossy(request.body()).into_owned();
            let echo = format!("{sent} {} {headers:?}", sent.replace('&', " "));
            let echo = echo.replace('\\', "").replace('"', "'");
            let body = format!(
                r#"{{"error":"invalid_grant","error_description":"you sent {echo}","error_codes":[70008]}}"#
            );
            HttpResponse::new(400).with_body(body)
        };
        Box::pin(std::future::ready(Ok(answer)))
    }
}

/// Twice: once with success, once refused.
async fn exercise(shown: &Shown, tokens: &(impl TokenProvider + std::fmt::Debug)) {
    shown.note(tokens);
    let request = TokenRequest::new(microsoft365::imap(), "anna@contoso.example");
    let mut refused = 0;
    for _ in 0..3 {
        match tokens.token(&request).await {
            Ok(token) => {
                shown.note(&token);
                let reply = "535 5.7.3".to_owned();
                tokens.rejected(&token, Rejection::Refused { reply }).await;
            }
            Err(error) => {
                refused += 1;
                shown.note_error(&error);
            }
        }
    }
    assert!(refused > 0, "the server was never heard refusing");
}

#[tokio::test(start_paused = true)]
async fn no_grant_shows_a_secret() {
    let shown = Shown::default();
    let writer = {
        let shown = shown.clone();
        move || shown.clone()
    };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(writer)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let events = || {
        let shown = shown.clone();
        move |event: &TokenEvent| shown.note(event)
    };
    let tenant = "contoso.example";
    let url = "https://login.example/token";

    for credential in [
        ClientCredential::secret(secret("client")),
        ClientCredential::federated_token(|| async { Ok(secret("federated")) }),
    ] {
        shown.note(&credential);
        let builder = ClientCredentials::entra(tenant, "app", credential)
            .http(Parrot::default())
            .on_event(events());
        shown.note(&builder);
        exercise(&shown, &builder.build().unwrap()).await;
    }
    let basic = ClientCredentials::builder(url, "app", secret("client")).http(Parrot::default());
    exercise(&shown, &basic.on_event(events()).build().unwrap()).await;

    let store = MemoryStore::default();
    let password = Password::entra(tenant, "app", "anna", secret("password"))
        .http(Parrot::default())
        .store(store.clone(), "anna")
        .on_event(events());
    shown.note(&password);
    exercise(&shown, &password.build().unwrap()).await;
    shown.note(&store.load("anna").await.unwrap());
    shown.note(&store);

    let refresh = RefreshToken::google("app", secret("client"), secret("refresh"));
    let refresh = refresh.http(Parrot::default()).on_event(events());
    shown.note(&refresh);
    exercise(&shown, &refresh.build().unwrap()).await;

    let caller = OnBehalfOf::entra(tenant, "app", secret("client"), secret("caller"));
    let caller = caller.http(Parrot::default()).on_event(events());
    shown.note(&caller);
    exercise(&shown, &caller.build().unwrap()).await;

    let machine = ManagedIdentity::app_service("http://localhost/msi", secret("header"));
    let machine = machine.http(Parrot::default()).on_event(events());
    shown.note(&machine);
    exercise(&shown, &machine.build().unwrap()).await;

    let device = DeviceCode::builder("https://login.example/device", url, "app")
        .client_credential(secret("client"))
        .http(Parrot::default())
        .on_event(events());
    shown.note(&device);
    let mut prompt = device.build().unwrap().start().await.unwrap();
    shown.note(&prompt);
    shown.note_error(&prompt.wait().await.unwrap_err());

    let parrot = Parrot::default();
    let browser = AuthorizationCode::builder("https://login.example/authorize", url, "app")
        .client_credential(secret("client"))
        .http(parrot.clone())
        .on_event(events())
        .build()
        .unwrap();
    for _ in 0..2 {
        let begun = browser.start_at("https://app.example/callback");
        shown.note(&begun);
        let query = format!("code={}&state={}", secret("code"), begun.state());
        match begun.redeem(&query).await {
            Ok(tokens) => exercise(&shown, &tokens).await,
            Err(error) => shown.note_error(&error),
        }
    }

    let text = shown.text();
    assert!(text.contains("[secret]"), "nothing was echoed");
    assert!(text.contains("token issued") && text.contains("no token"), "nothing was traced");
    assert!(text.contains("Issued {") && text.contains("Failed {"), "no event was heard");
    for part in [MARK, "battery-staple", "battery%2Dstaple"] {
        let at = text.find(part);
        assert!(at.is_none(), "{:?}", at.and_then(|at| text.get(at.saturating_sub(300)..at + 60)));
    }
}
