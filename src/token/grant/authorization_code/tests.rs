use oauth2::PkceCodeVerifier;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::token::grant::script::{Script, exchange_online, get, refusal, tokens};
use crate::{Failure, Protocol};

fn entra(script: &Script) -> AuthorizationCodeBuilder {
    AuthorizationCode::entra("contoso.example", "app-1")
        .protocols([Protocol::Imap])
        .http(script.clone())
}

/// What a browser sends, and the status line and body it gets.
async fn browse(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).await.unwrap();
    page
}

fn state_of(url: &str) -> String {
    field(query_of(url), "state").unwrap().into_owned()
}

#[test]
fn the_challenge_is_that_of_rfc_7636_appendix_b() {
    let verifier = PkceCodeVerifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into());
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
    assert_eq!(challenge.as_str(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

#[tokio::test]
async fn a_browser_signs_in_over_loopback() {
    let script = Script::new([tokens("EwB", "refresh")]);
    let claims = r#"{"id":1}"#;
    let browser = entra(&script).login_hint("anna@contoso.example").claims(claims);
    let browser = browser.build().unwrap();
    let waiting = browser.start().await.unwrap();
    let (port, url) = (waiting.port(), waiting.url().to_owned());
    let state = state_of(&url);
    let challenge = field(query_of(&url), "code_challenge").unwrap().into_owned();
    assert_eq!(
        url,
        format!(
            "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/authorize\
             ?response_type=code&client_id=app-1&redirect_uri=http%3A%2F%2Flocalhost%3A{port}\
             &scope=https%3A%2F%2Foutlook.office.com%2FIMAP.AccessAsUser.All+offline_access\
             &state={state}&code_challenge={challenge}&code_challenge_method=S256\
             &login_hint=anna%40contoso.example&claims=%7B%22id%22%3A1%7D"
        )
    );
    let finished = tokio::spawn(waiting.finish());
    // A connection that is opened and never used, as browsers do.
    let _idle = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let icon = browse(port, "GET /favicon.ico HTTP/1.1\r\n\r\n").await;
    assert!(icon.starts_with("HTTP/1.1 404 "), "{icon}");
    let forged = "GET /?code=evil&state=another HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert!(browse(port, forged).await.starts_with("HTTP/1.1 400 "));
    let posted = format!("POST /?code=evil&state={state} HTTP/1.1\r\n\r\n");
    assert!(browse(port, &posted).await.starts_with("HTTP/1.1 400 "));
    let real = format!("GET /?code=0.AXoA-code%2F1&state={state}&session_state=x HTTP/1.1\r\n\r\n");
    let page = browse(port, &real).await;
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("You are signed in."));
    assert!(page.contains("Referrer-Policy: no-referrer") && !page.contains("AXoA"));

    let tokens = finished.await.unwrap().unwrap();
    assert_eq!(get(&tokens, exchange_online()).await.unwrap(), "EwB");
    let body = &script.bodies()[0];
    let verifier = field(body, "code_verifier").unwrap().into_owned();
    assert_eq!(
        *body,
        format!(
            "grant_type=authorization_code&code=0.AXoA-code%2F1\
             &redirect_uri=http%3A%2F%2Flocalhost%3A{port}&code_verifier={verifier}\
             &client_id=app-1"
        )
    );
    let verifier = PkceCodeVerifier::new(verifier);
    assert_eq!(PkceCodeChallenge::from_code_verifier_sha256(&verifier).as_str(), challenge);
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
}

#[tokio::test]
async fn the_browser_is_not_told_of_a_success_that_is_none() {
    for (answer, query) in [
        (refusal("invalid_grant", 54005), "code=0.AXoA"),
        (tokens("EwB", "refresh"), "error=access_denied"),
    ] {
        let waiting = entra(&Script::new([answer])).build().unwrap().start().await.unwrap();
        let (port, state) = (waiting.port(), state_of(waiting.url()));
        let finished = tokio::spawn(waiting.finish());
        let page = browse(port, &format!("GET /?{query}&state={state} HTTP/1.1\r\n\r\n")).await;
        assert!(page.contains("You are not signed in."), "{page}");
        finished.await.unwrap().unwrap_err();
    }
}

#[tokio::test]
async fn google_is_asked_for_a_refresh_token_every_time() {
    let browser = AuthorizationCode::google("app-1", "GOCSPX-1").build().unwrap();
    let waiting = browser.start().await.unwrap();
    let port = waiting.port();
    assert!(waiting.url().starts_with(&format!(
        "https://accounts.google.com/o/oauth2/v2/auth?response_type=code&client_id=app-1\
         &redirect_uri=http%3A%2F%2F127.0.0.1%3A{port}&scope=https%3A%2F%2Fmail.google.com%2F&"
    )));
    assert!(waiting.url().ends_with("&access_type=offline&prompt=consent"));
}

#[tokio::test]
async fn a_user_who_declines_is_told_from_a_failure() {
    let browser = entra(&Script::default()).build().unwrap();
    let begin = || browser.start_at("https://app.example/callback");
    let declined = begin();
    let url = format!(
        "https://app.example/callback?error=access_denied&error_description=AADSTS65004%3a+User\
         +declined%0d%0aTrace+ID&state={}",
        declined.state()
    );
    let error = declined.redeem(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(error.reply_text().unwrap(), "AADSTS65004: User declined Trace ID");
    let forged = begin().redeem("code=evil&state=another").await.unwrap_err();
    assert_eq!(forged.kind(), ErrorKind::Protocol);
    let bare = begin();
    let query = format!("state={}", bare.state());
    let error = bare.redeem(&query).await.unwrap_err().to_string();
    assert!(error.contains("neither a code nor an error"), "{error}");
}

#[tokio::test]
async fn an_answer_of_another_server_is_refused_before_anything_is_sent() {
    let tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    let ours = format!("https%3A%2F%2Flogin.microsoftonline.com%2F{tenant}%2Fv2.0");
    let theirs = "https%3A%2F%2Fevil.example";
    for (always, iss, good) in [
        (false, None, true),
        (false, Some(&*ours), true),
        (false, Some(theirs), false),
        (true, None, false),
        (true, Some(""), false),
        (true, Some(theirs), false),
        (true, Some(&*ours), true),
    ] {
        let script = Script::new([tokens("EwB", "refresh")]);
        let mut browser = AuthorizationCode::entra(tenant, "app-1").http(script.clone());
        if always {
            let name = format!("https://login.microsoftonline.com/{tenant}/v2.0");
            browser = browser.issuer(name);
        }
        let begun = browser.build().unwrap().start_at("https://app.example/callback");
        let iss = iss.map(|iss| format!("&iss={iss}")).unwrap_or_default();
        let query = format!("code=0.AXoA&state={}{iss}", begun.state());
        let outcome = begun.redeem(&query).await;
        assert_eq!(outcome.is_ok(), good, "{always} {iss}");
        assert_eq!(script.bodies().len(), usize::from(good), "{always} {iss}");
        if let Err(error) = outcome {
            assert_eq!(error.kind(), ErrorKind::Protocol);
            assert!(error.to_string().contains("another authorization server"), "{error}");
        }
    }
}

#[tokio::test]
async fn an_exchange_that_nobody_waits_for_leaves_a_sign_in_to_resume() {
    let (script, gate) = Script::gated([tokens("EwB", "refresh")]);
    let browser = entra(&script).build().unwrap();
    let begun = browser.start_at("https://app.example/callback");
    let query = format!("code=0.AXoA&state={}", begun.state());
    let exchange = tokio::spawn(async move { begun.redeem(&query).await });
    while script.bodies().is_empty() {
        tokio::task::yield_now().await;
    }
    exchange.abort();
    assert!(exchange.await.unwrap_err().is_cancelled());
    gate.add_permits(1);
    let tokens = loop {
        match browser.resume().await.unwrap() {
            Some(tokens) => break tokens,
            None => tokio::task::yield_now().await,
        }
    };
    assert_eq!(get(&tokens, exchange_online()).await.unwrap(), "EwB");
}

#[tokio::test]
async fn whoever_signs_out_signs_out_every_clone() {
    let script = Script::new([tokens("EwB", "refresh")]);
    let browser = entra(&script).build().unwrap();
    let begun = browser.start_at("https://app.example/callback");
    let query = format!("code=0.AXoA&state={}", begun.state());
    let tokens = begun.redeem(&query).await.unwrap();
    let clone = tokens.clone();
    assert_eq!(get(&clone, exchange_online()).await.unwrap(), "EwB");
    tokens.sign_out().await.unwrap();
    let error = get(&clone, exchange_online()).await.unwrap_err();
    let nobody = crate::token::SignInReason::NotSignedIn;
    assert_eq!(error.kind(), ErrorKind::SignInNeeded(nobody));
    assert!(browser.resume().await.unwrap().is_none());
}

#[tokio::test]
async fn a_code_used_twice_means_to_start_again_and_is_not_shown() {
    let script = Script::new([refusal("invalid_grant", 54005)]);
    let browser = entra(&script).build().unwrap();
    let begun = browser.start_at("https://app.example/callback");
    let shown = format!("{begun:?} {browser:?}");
    assert!(!shown.contains(begun.state()), "{shown}");
    let query = format!("code=0.AXoA-the-code&state={}", begun.state());
    let error = begun.redeem(&query).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CodeExpired);
    assert!(!format!("{error} {error:?}").contains("the-code"));
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_never_comes_ends_the_wait() {
    let browser = entra(&Script::default()).build().unwrap();
    let error = browser.start().await.unwrap().finish().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CodeExpired);
    assert!(error.to_string().contains("did not come back within 300s"), "{error}");
}

#[tokio::test]
async fn an_endless_request_is_cut() {
    let browser = entra(&Script::default()).redirect_path("callback").build().unwrap();
    let waiting = browser.start().await.unwrap();
    assert!(waiting.url().contains("%2Fcallback&"));
    let port = waiting.port();
    let finished = tokio::spawn(waiting.finish());
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let endless = "x".repeat(1 << 20);
    // Closed by the other side, with or without having read all of it.
    let _ = stream.write_all(endless.as_bytes()).await;
    let mut left = Vec::new();
    let _ = stream.read_to_end(&mut left).await;
    assert!(left.is_empty());
    finished.abort();
}
