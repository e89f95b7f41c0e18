//! Every grant of Microsoft Entra's, over HTTPS, at a server that checks and answers as Entra does.

use std::time::Duration;

use mailbearer::provider::{hve, microsoft365};
use mailbearer::token::store::{MemoryStore, TokenStore};
use mailbearer::token::{
    AuthorizationCode, Certificate, ClientCredential, ClientCredentials, DeviceCode, ErrorKind,
    ManagedIdentity, OnBehalfOf, Password, Purpose, RefreshToken, Rejection, SignInReason,
    SignedIn, SigningAlgorithm, TokenEndpointError, TokenError, TokenRequest,
};
use mailbearer::{AccessToken, Endpoint, Failure, Protocol, Retry, TokenProvider};

use crate::support::entra::{
    EXPIRED_SECRET, Entra, FEDERATED, IDENTITY_HEADER, Keys, PASSWORD, PRESENTED, PUBLIC, Poll,
    REFUSALS, Refusal, SECRET, SERVICE, TENANT,
};
use crate::support::tls;

const APPLICATION: &str = "https://outlook.office365.com/.default";
const HIGH_VOLUME: &str = "https://outlook.office.com/.default";
const ALL: &str = "https://outlook.office.com/IMAP.AccessAsUser.All \
                   https://outlook.office.com/POP.AccessAsUser.All \
                   https://outlook.office.com/SMTP.Send";

async fn get(tokens: &dyn TokenProvider, at: Endpoint) -> Result<AccessToken, TokenError> {
    tokens.token(&TokenRequest::new(at, "anna@contoso.example")).await
}

/// What the token is good for that this endpoint gets.
async fn scope(entra: &Entra, tokens: &dyn TokenProvider, at: Endpoint) -> String {
    let token = get(tokens, at).await.unwrap();
    entra.scope_of(token.expose()).expect("a token of this server's")
}

async fn renewed(tokens: &dyn TokenProvider, old: &AccessToken) -> Result<AccessToken, TokenError> {
    tokens.rejected(old, Rejection::Expired).await;
    let request = TokenRequest::new(microsoft365::imap(), "anna@contoso.example");
    tokens.token(&request.with_purpose(Purpose::Retry)).await
}

fn refusal(error: &TokenError) -> &TokenEndpointError {
    error.cause().downcast_ref().unwrap_or_else(|| panic!("{error}"))
}

fn numbers(outcome: Result<AccessToken, TokenError>) -> Vec<u32> {
    refusal(&outcome.unwrap_err()).codes().to_vec()
}

/// The service, signed in by this credential.
fn service(entra: &Entra, credential: impl Into<ClientCredential>) -> ClientCredentials {
    let tokens = ClientCredentials::entra(TENANT, SERVICE, credential);
    tokens.authority(entra.authority()).tls(tls::client()).build().unwrap()
}

fn password(entra: &Entra, user: &str, password: &str) -> SignedIn {
    let tokens = Password::entra(TENANT, PUBLIC, user, password);
    tokens.authority(entra.authority()).tls(tls::client()).build().unwrap()
}

fn browser(entra: &Entra) -> AuthorizationCode {
    let browser = AuthorizationCode::entra(TENANT, PUBLIC);
    browser.authority(entra.authority()).tls(tls::client()).build().unwrap()
}

fn device(entra: &Entra) -> DeviceCode {
    let device = DeviceCode::entra(TENANT, PUBLIC);
    device.authority(entra.authority()).tls(tls::client()).build().unwrap()
}

#[tokio::test]
async fn a_service_signs_in_with_its_secret_and_has_one_token_for_three_protocols() {
    let entra = Entra::start();
    let tokens = service(&entra, SECRET);
    let first = get(&tokens, microsoft365::imap()).await.unwrap();
    assert_eq!(entra.scope_of(first.expose()).as_deref(), Some(APPLICATION));
    // A day, and half of it until it is renewed.
    assert!(first.remaining() > Some(Duration::from_secs(86000)));
    assert!(first.refresh_in().is_some_and(|renew| renew < Duration::from_secs(43200)));
    for at in [microsoft365::pop(), microsoft365::smtp()] {
        assert!(get(&tokens, at).await.unwrap().same(&first));
    }
    assert_eq!(scope(&entra, &tokens, hve::smtp()).await, HIGH_VOLUME);
    assert_eq!(entra.forms().len(), 2);
}

#[tokio::test]
async fn a_service_signs_in_with_a_certificate_that_openssl_verifies() {
    let keys = Keys::new();
    let entra = Entra::trusting(keys.clone());
    for algorithm in [SigningAlgorithm::Ps256, SigningAlgorithm::Rs256] {
        let certificate = Certificate::from_pem_file(keys.pem_file()).unwrap();
        let tokens = service(&entra, certificate.signing(algorithm).unwrap());
        let first = get(&tokens, microsoft365::imap()).await.unwrap();
        assert_eq!(entra.scope_of(first.expose()).as_deref(), Some(APPLICATION));
        // The server takes no assertion twice.
        assert!(!renewed(&tokens, &first).await.unwrap().same(&first));
    }
    let stranger = Certificate::from_pem_file(Keys::new().pem_file()).unwrap();
    let error = get(&service(&entra, stranger), microsoft365::imap()).await.unwrap_err();
    assert_eq!(refusal(&error).codes(), [700_027]);
    assert_eq!(error.kind(), ErrorKind::ClientCredential);
    let certificate = Certificate::from_pem_file(keys.pem_file()).unwrap();
    let misled = service(&entra, certificate.audience("https://elsewhere.example"));
    assert_eq!(numbers(get(&misled, microsoft365::imap()).await), [700_021]);
}

#[tokio::test]
async fn a_workload_signs_in_with_the_token_of_its_cluster_read_anew_each_time() {
    let entra = Entra::start();
    let file = Keys::new();
    let path = file.pem_file();
    std::fs::write(&path, format!("{FEDERATED}\n")).unwrap();
    let tokens = service(&entra, ClientCredential::federated_token_file(&path));
    let first = get(&tokens, microsoft365::imap()).await.unwrap();
    std::fs::write(&path, "eyJ.something-else.now").unwrap();
    assert_eq!(numbers(renewed(&tokens, &first).await), [50027]);
}

#[tokio::test]
async fn what_is_wrong_with_a_service_is_named() {
    let entra = Entra::start();
    for (credential, number, retry) in [
        ("a-wrong-one", 7_000_215, Retry::Never),
        (EXPIRED_SECRET, 7_000_222, Retry::Administrator),
    ] {
        let error = get(&service(&entra, credential), microsoft365::imap()).await.unwrap_err();
        assert_eq!((refusal(&error).codes(), refusal(&error).status()), (&[number][..], 401));
        assert_eq!((error.kind(), error.retry()), (ErrorKind::ClientCredential, retry));
        assert!(!format!("{error} {error:?}").contains(credential), "{error}");
    }
    let base = |tenant: &str, client: &str| {
        let tokens = ClientCredentials::entra(tenant, client, SECRET);
        tokens.authority(entra.authority()).tls(tls::client())
    };
    let two = format!("{APPLICATION} {HIGH_VOLUME}");
    for (tokens, number) in [
        (base("fabrikam.example", SERVICE), 90002),
        (base(TENANT, "another-app"), 700_016),
        (base(TENANT, PUBLIC), 700_025),
        (base(TENANT, SERVICE).scope("https://outlook.office365.com/IMAP.AccessAsApp"), 1_002_012),
        (base(TENANT, SERVICE).scope(two), 1_002_012),
        (base(TENANT, SERVICE).scope("https://nowhere.example/.default"), 500_011),
    ] {
        let outcome = get(&tokens.build().unwrap(), microsoft365::imap()).await;
        assert_eq!(numbers(outcome), [number]);
    }
}

#[tokio::test]
async fn a_user_signs_in_with_the_browser_and_the_proof_key_is_checked() {
    let entra = Entra::start();
    let begun = browser(&entra).start_at("https://app.example/callback");
    let back = entra.sign_in(begun.url());
    let tokens = begun.redeem(&back).await.unwrap();
    let first = get(&tokens, microsoft365::imap()).await.unwrap();
    assert_eq!(entra.scope_of(first.expose()).as_deref(), Some(ALL));
    // The refresh token rotates, and brings the token of another resource too.
    assert!(!renewed(&tokens, &first).await.unwrap().same(&first));
    assert_eq!(scope(&entra, &tokens, hve::smtp()).await, HIGH_VOLUME);

    // Another program's code has another challenge.
    let (ours, theirs) = (
        browser(&entra).start_at("https://app.example/callback"),
        browser(&entra).start_at("https://app.example/callback"),
    );
    let back = entra.sign_in(theirs.url());
    let stolen = back.replace(theirs.state(), ours.state());
    let error = ours.redeem(&stolen).await.unwrap_err();
    assert_eq!((refusal(&error).codes(), error.kind()), (&[501_481][..], ErrorKind::CodeExpired));
    // It is spent by that.
    let error = theirs.redeem(&back).await.unwrap_err();
    assert_eq!((refusal(&error).codes(), error.kind()), (&[54005][..], ErrorKind::CodeExpired));
}

#[tokio::test]
async fn two_resources_are_refused_at_the_sign_in() {
    let entra = Entra::start();
    let two = format!("{ALL} https://outlook.office365.com/SMTP.Send");
    let browser = AuthorizationCode::entra(TENANT, PUBLIC).scope(two);
    let browser = browser.authority(entra.authority()).tls(tls::client()).build().unwrap();
    let begun = browser.start_at("https://app.example/callback");
    let back = entra.sign_in(begun.url());
    let error = begun.redeem(&back).await.unwrap_err();
    assert_eq!((refusal(&error).codes(), error.kind()), (&[700_022][..], ErrorKind::Configuration));
    assert!(error.to_string().contains("several resources"), "{error}");
}

/// Time stands still but for the pauses between the polls; requests are made elsewhere, in real time.
async fn on_another_device(polls: &[Poll]) -> (Entra, Result<SignedIn, TokenError>, Duration) {
    let entra = Entra::start();
    let begun = tokio::time::Instant::now();
    let mut prompt = device(&entra).start().await.unwrap();
    assert_eq!((prompt.user_code(), prompt.verification_uri_complete()), ("A1B2C3D4E", None));
    assert_eq!(
        prompt.message(),
        "To sign in, use a web browser to open the page and enter A1B2C3D4E."
    );
    entra.polls(&entra.device_code(), polls);
    tokio::time::pause();
    let outcome = prompt.wait().await;
    let took = begun.elapsed();
    tokio::time::resume();
    (entra, outcome, took)
}

#[tokio::test]
async fn a_user_signs_in_on_another_device_however_long_it_takes() {
    let polls = [Poll::Pending, Poll::SlowDown, Poll::Busy, Poll::Pending];
    let (entra, tokens, took) = on_another_device(&polls).await;
    assert_eq!(scope(&entra, &tokens.unwrap(), microsoft365::imap()).await, ALL);
    // 5 pending, 5 slow down, 10 busy, 20 as asked to pending, 10 done.
    assert!((50..55).contains(&took.as_secs()), "{took:?}");
    assert_eq!(entra.forms().len(), 6);
}

#[tokio::test]
async fn who_declines_on_another_device_or_is_late_is_told_apart() {
    for (poll, kind) in
        [(Poll::Declined, ErrorKind::Denied), (Poll::Expired, ErrorKind::CodeExpired)]
    {
        let (_, outcome, _) = on_another_device(&[Poll::Pending, poll]).await;
        assert_eq!(outcome.unwrap_err().kind(), kind);
    }
}

#[tokio::test]
async fn a_password_is_taken_where_nothing_else_is_asked_for() {
    use SignInReason as Reason;

    let entra = Entra::start();
    let tokens = password(&entra, "anna@contoso.example", PASSWORD);
    let first = get(&tokens, microsoft365::imap()).await.unwrap();
    assert_eq!(entra.scope_of(first.expose()).as_deref(), Some(ALL));
    renewed(&tokens, &first).await.unwrap();
    let kinds: Vec<_> = entra.forms().iter().map(|form| form[0].1.clone()).collect();
    assert_eq!(kinds, ["password", "refresh_token"]);

    for (user, word, number, reason) in [
        ("anna@contoso.example", "wrong password", 50126, Reason::Account),
        ("nobody@contoso.example", PASSWORD, 50034, Reason::Account),
        ("old-password@contoso.example", PASSWORD, 50055, Reason::Account),
        ("disabled@contoso.example", PASSWORD, 50057, Reason::Account),
        ("locked@contoso.example", PASSWORD, 50053, Reason::Account),
        ("second-factor@contoso.example", PASSWORD, 50076, Reason::Mfa),
    ] {
        let error = get(&password(&entra, user, word), microsoft365::imap()).await.unwrap_err();
        assert_eq!(refusal(&error).codes(), [number]);
        assert_eq!(error.kind(), ErrorKind::SignInNeeded(reason), "{error}");
        assert!(!format!("{error} {error:?}").contains(word), "{error}");
    }
    let second_factor = password(&entra, "second-factor@contoso.example", PASSWORD);
    let error = get(&second_factor, microsoft365::imap()).await.unwrap_err();
    assert_eq!(refusal(&error).suberror(), Some("basic_action"));
    assert!(refusal(&error).claims().unwrap().contains("capolids"));
}

#[tokio::test]
async fn the_older_endpoint_takes_a_password_for_a_resource() {
    let entra = Entra::start();
    let tokens = Password::entra(TENANT, PUBLIC, "anna@contoso.example", PASSWORD).version_1();
    let tokens = tokens.authority(entra.authority()).tls(tls::client()).build().unwrap();
    let first = get(&tokens, microsoft365::imap()).await.unwrap();
    assert_eq!(entra.scope_of(first.expose()).as_deref(), Some("https://outlook.office365.com"));
    // Numbers arrive as text there.
    assert!(first.remaining() > Some(Duration::from_secs(3500)));
    renewed(&tokens, &first).await.unwrap();
}

#[tokio::test]
async fn a_refresh_token_rotates_and_one_that_is_over_asks_for_a_sign_in() {
    let entra = Entra::start();
    let store = MemoryStore::default();
    let begun = browser(&entra).start_at("https://app.example/callback");
    let back = entra.sign_in(begun.url());
    drop(begun.redeem(&back).await.unwrap());
    let issued = "0.AXoA-refresh-token-1";
    let given = |token: &str| {
        let tokens = RefreshToken::entra(TENANT, PUBLIC, token).store(store.clone(), "anna");
        tokens.authority(entra.authority()).tls(tls::client()).build().unwrap()
    };
    let tokens = given(issued);
    let mut token = get(&tokens, microsoft365::imap()).await.unwrap();
    for _ in 0..3 {
        token = renewed(&tokens, &token).await.unwrap();
    }
    let stored = store.load("anna").await.unwrap().unwrap();
    assert_ne!(stored.tokens().refresh_token(), Some(issued));
    entra.revoke_all();
    let error = renewed(&tokens, &token).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SignInNeeded(SignInReason::Revoked));
    assert_eq!(error.retry(), Retry::Administrator);
}

#[tokio::test]
async fn a_sign_in_for_one_protocol_does_not_consent_to_another() {
    let entra = Entra::start();
    let browser = AuthorizationCode::entra(TENANT, PUBLIC).protocols([Protocol::Imap]);
    let browser = browser.authority(entra.authority()).tls(tls::client()).build().unwrap();
    let begun = browser.start_at("https://app.example/callback");
    let back = entra.sign_in(begun.url());
    drop(begun.redeem(&back).await.unwrap());
    let all = RefreshToken::entra(TENANT, PUBLIC, "0.AXoA-refresh-token-1");
    let all = all.authority(entra.authority()).tls(tls::client()).build().unwrap();
    let error = get(&all, microsoft365::imap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SignInNeeded(SignInReason::Consent));
    assert_eq!(refusal(&error).suberror(), Some("consent_required"));
}

#[tokio::test]
async fn a_service_acts_for_the_user_who_called_it() {
    let entra = Entra::start();
    let for_caller = |presented: &str| {
        let tokens = OnBehalfOf::entra(TENANT, SERVICE, SECRET, presented);
        tokens.authority(entra.authority()).tls(tls::client()).build().unwrap()
    };
    let tokens = for_caller(PRESENTED);
    let first = get(&tokens, microsoft365::imap()).await.unwrap();
    assert_eq!(entra.scope_of(first.expose()).as_deref(), Some(ALL));
    renewed(&tokens, &first).await.unwrap();
    let error = get(&for_caller("eyJ.of-somebody.else"), microsoft365::imap()).await.unwrap_err();
    assert_eq!(refusal(&error).codes(), [50013]);
    assert!(matches!(error.kind(), ErrorKind::SignInNeeded(_)), "{error}");
    // A policy that applies to the user comes with claims, which the user's program must satisfy.
    entra.then(Refusal::by_number(50079));
    let error = get(&for_caller(PRESENTED), microsoft365::imap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SignInNeeded(SignInReason::Mfa));
    assert!(refusal(&error).claims().is_some());
}

#[tokio::test]
async fn a_machine_vouches_for_its_programs() {
    let entra = Entra::start();
    let machine = || ManagedIdentity::virtual_machine().endpoint(entra.machine_url());
    let token = get(&machine().build().unwrap(), microsoft365::imap()).await.unwrap();
    assert_eq!(token.expose(), "eyJ.system-assigned.https://outlook.office365.com");
    assert!(token.remaining() > Some(Duration::from_secs(3500)));
    let assigned = machine().client_id("user-assigned").build().unwrap();
    let token = get(&assigned, hve::smtp()).await.unwrap();
    assert_eq!(token.expose(), "eyJ.user-assigned.https://outlook.office.com");
    let unknown = machine().client_id("another").build().unwrap();
    let error = get(&unknown, microsoft365::imap()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Configuration, Retry::Never));
    assert_eq!(refusal(&error).description(), Some("Identity not found"));
    entra.then_answer("410 Gone", &[], "");
    let error = get(&machine().build().unwrap(), microsoft365::imap()).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::ServerBusy, Retry::Later(None)));
    entra.then_answer("429 Too Many Requests", &[("Retry-After", "3")], "");
    let error = get(&machine().build().unwrap(), microsoft365::imap()).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Later(Some(Duration::from_secs(3))));
}

#[tokio::test]
async fn app_service_vouches_for_its_programs() {
    let entra = Entra::start();
    let app = |header: &str| {
        ManagedIdentity::app_service(entra.app_service_url(), header).build().unwrap()
    };
    let token = get(&app(IDENTITY_HEADER), microsoft365::smtp()).await.unwrap();
    assert_eq!(token.expose(), "eyJ.system-assigned.https://outlook.office365.com");
    assert!(token.remaining().is_some());
    let error = get(&app("another-header-value"), microsoft365::smtp()).await.unwrap_err();
    assert_eq!(refusal(&error).status(), 401);
    assert_eq!(refusal(&error).description(), Some("The header is missing or wrong."));
}

#[tokio::test]
async fn a_server_that_is_throttled_or_down_says_when_to_come_back() {
    let entra = Entra::start();
    let page = "<html><h1>Service unavailable</h1></html>";
    let html = ("Content-Type", "text/html");
    for (status, headers, wait, throttled) in [
        ("429 Too Many Requests", &[html, ("Retry-After", "17")][..], Some(17), true),
        ("503 Service Unavailable", &[html, ("Retry-After", "5")], Some(5), false),
        ("502 Bad Gateway", &[html], None, false),
        (
            "429 Too Many Requests",
            &[
                ("Date", "Sat, 21 Nov 2026 10:00:00 GMT"),
                ("Retry-After", "Sat, 21 Nov 2026 10:01:30 GMT"),
            ],
            Some(90),
            true,
        ),
    ] {
        entra.then_answer(status, headers, page);
        let error = get(&service(&entra, SECRET), microsoft365::imap()).await.unwrap_err();
        let wait = wait.map(Duration::from_secs);
        assert_eq!(error.retry(), Retry::Later(wait), "{status}");
        let kind = if throttled {
            ErrorKind::Throttled { retry_after: wait }
        } else {
            ErrorKind::ServerBusy
        };
        assert_eq!(error.kind(), kind);
    }
    // Until then nobody is asked.
    entra.then_answer("429 Too Many Requests", &[("Retry-After", "17")], "");
    let tokens = service(&entra, SECRET);
    let before = entra.forms().len();
    for _ in 0..10 {
        assert!(get(&tokens, microsoft365::imap()).await.is_err());
    }
    assert_eq!(entra.forms().len(), before + 1);
}

/// What each of Entra's numbers means to a user who signs in: the kind, what to do, and a piece of
/// the hint.
#[rustfmt::skip]
fn meanings() -> Vec<(u32, ErrorKind, Retry, &'static str)> {
    use ErrorKind::{ClientCredential, CodeExpired, Configuration, Denied, ServerBusy, SignInNeeded};
    use Retry::{Administrator, Never};
    use SignInReason as Why;
    let later = Retry::Later(None);
    let throttled = ErrorKind::Throttled { retry_after: None };
    vec![
        (65001, SignInNeeded(Why::Consent), Administrator, "consent URL"),
        (65004, Denied, Administrator, "declined the consent"),
        (65005, Configuration, Administrator, "app registration"),
        (650_056, Configuration, Administrator, "app registration"),
        (650_057, Configuration, Administrator, "app registration"),
        (70011, Configuration, Never, "the scope is wrong"),
        (28002, Configuration, Never, "the scope is wrong"),
        (1_002_012, Configuration, Never, "/.default"),
        (700_022, Configuration, Never, "several resources"),
        (700_023, Configuration, Never, "no resource"),
        (700_016, Configuration, Administrator, "not in this tenant"),
        (700_011, Configuration, Administrator, "not in this tenant"),
        (7_000_215, ClientCredential, Never, "its value, not its id"),
        (70002, ClientCredential, Never, "its value, not its id"),
        (7_000_222, ClientCredential, Administrator, "has expired"),
        (7_000_218, ClientCredential, Never, "public client flows"),
        (700_025, ClientCredential, Never, "leave the secret out"),
        (700_027, ClientCredential, Never, "upload this certificate"),
        (50012, ClientCredential, Never, "upload this certificate"),
        (700_030, ClientCredential, Never, "subject or issuer"),
        (7_000_112, Configuration, Administrator, "disabled"),
        (70001, Configuration, Administrator, "disabled or unknown"),
        (50034, SignInNeeded(Why::Account), Administrator, "does not exist"),
        (50020, SignInNeeded(Why::Account), Administrator, "another tenant or identity provider"),
        (50059, Configuration, Never, "its id or domain"),
        (50126, SignInNeeded(Why::Account), Administrator, "password is wrong"),
        (50055, SignInNeeded(Why::Account), Administrator, "must change it"),
        (50057, SignInNeeded(Why::Account), Administrator, "disabled"),
        (50053, SignInNeeded(Why::Account), Administrator, "stop trying"),
        (50076, SignInNeeded(Why::Mfa), Administrator, "second factor"),
        (50074, SignInNeeded(Why::Mfa), Administrator, "second factor"),
        (50079, SignInNeeded(Why::Mfa), Administrator, "enrol"),
        (50072, SignInNeeded(Why::Mfa), Administrator, "enrol"),
        (50158, SignInNeeded(Why::Mfa), Administrator, "external challenge"),
        (53000, SignInNeeded(Why::Policy), Administrator, "policy of the tenant"),
        (53001, SignInNeeded(Why::Policy), Administrator, "policy of the tenant"),
        (53002, SignInNeeded(Why::Policy), Administrator, "policy of the tenant"),
        (53003, SignInNeeded(Why::Policy), Administrator, "policy of the tenant"),
        (530_032, SignInNeeded(Why::Policy), Administrator, "policy of the tenant"),
        (530_035, SignInNeeded(Why::Policy), Administrator, "policy of the tenant"),
        (50131, SignInNeeded(Why::Policy), Administrator, "policy of the tenant"),
        (53011, SignInNeeded(Why::Policy), Administrator, "policy of the tenant"),
        (500_011, Configuration, Never, "the tenant has Exchange"),
        (50001, Configuration, Never, "the tenant has Exchange"),
        (90002, Configuration, Never, "tenant was not found"),
        (90019, Configuration, Never, "tenant was not found"),
        (90038, Configuration, Never, "another cloud"),
        (900_382, Configuration, Never, "another cloud"),
        (9_001_023, Configuration, Never, "give the tenant's id"),
        (50194, Configuration, Never, "give the tenant's id"),
        (90130, Configuration, Never, "give the tenant's id"),
        (90124, Configuration, Never, "give the tenant's id"),
        (9_002_332, Configuration, Never, "work accounts only"),
        (500_208, Configuration, Never, "personal account"),
        (700_082, SignInNeeded(Why::Expired), Administrator, "sign in again"),
        (70008, SignInNeeded(Why::Expired), Administrator, "sign in again"),
        (70043, SignInNeeded(Why::Expired), Administrator, "how long a sign-in lasts"),
        (50173, SignInNeeded(Why::Revoked), Administrator, "changed password"),
        (50132, SignInNeeded(Why::Revoked), Administrator, "changed password"),
        (50133, SignInNeeded(Why::Revoked), Administrator, "changed password"),
        (50089, SignInNeeded(Why::Revoked), Administrator, "changed password"),
        (54005, CodeExpired, Never, "used before"),
        (501_481, CodeExpired, Never, "PKCE"),
        (700_005, CodeExpired, Never, "another tenant"),
        (90055, throttled, later, "wait and try again"),
        (50196, throttled, later, "keep tokens"),
        (90024, ServerBusy, later, "wait and try again"),
        (90033, ServerBusy, later, "wait and try again"),
        (90006, ServerBusy, later, "wait and try again"),
        (1_002_016, Configuration, Never, "TLS 1.2"),
        (70018, CodeExpired, Never, "another code"),
        (70019, CodeExpired, Never, "not entered in time"),
    ]
}

#[tokio::test]
async fn every_refusal_of_entras_has_its_kind_its_advice_and_its_hint() {
    let entra = Entra::start();
    let meanings = meanings();
    let known: Vec<_> = REFUSALS.iter().map(|refusal| refusal.number).collect();
    assert_eq!(known, meanings.iter().map(|(number, ..)| *number).collect::<Vec<_>>());
    for ((number, kind, retry, hint), sent) in meanings.into_iter().zip(REFUSALS) {
        entra.then(sent);
        let tokens = password(&entra, "anna@contoso.example", PASSWORD);
        let error = get(&tokens, microsoft365::imap()).await.unwrap_err();
        let refusal = refusal(&error);
        assert_eq!((refusal.codes(), refusal.error()), (&[number][..], Some(sent.error)));
        assert_eq!((error.kind(), error.retry()), (kind, retry), "{number}");
        let shown = refusal.hint().unwrap_or_else(|| panic!("{number} has no hint"));
        assert!(shown.contains(hint), "{number}: {shown}");
        assert_eq!(refusal.trace_id(), Some("0f1e2d3c-trace"));
        assert_eq!(refusal.correlation_id(), Some("4b5a6978-correlation"));
        let text = error.to_string();
        assert!(text.contains(shown) && !text.contains(['\r', '\n']), "{text}");
    }
}
