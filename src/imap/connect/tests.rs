use std::time::Duration;

use super::*;
use crate::auth::Verdict;
use crate::connector::Judge;
use crate::imap::Event;
use crate::imap::client::tests::scripted;
use crate::imap::reply::tests::reply;
use crate::{Endpoint, Failure, Profile, Retry, sasl};

const INLINE: &str = "AUTHENTICATE XOAUTH2 dXNlcj1hQGIuYwFhdXRoPUJlYXJlciBUAQE=";

fn settings() -> Settings {
    Settings::new(Endpoint::imap("mail.example"))
}

/// What a login with `token` against this script ends in: the capabilities known then.
async fn open_as(token: &str, settings: &Settings, script: &str) -> Result<String, Error> {
    let (stream, server) = scripted(&script.replace("INLINE", INLINE));
    let session = sasl::Session::xoauth2("a@b.c", token, &[]).unwrap();
    let login = Login { session, two_step: false };
    let protection = Protection { greeted: false, confidential: true };
    let opened = ImapClient::open(Box::new(stream), protection, settings, login).await;
    let known = opened.map(|client| client.capabilities().to_string());
    server.await.unwrap();
    known
}

async fn open(script: &str) -> Result<String, Error> {
    open_as("T", &settings(), script).await
}

async fn start_tls(script: &str) -> Result<(), Error> {
    let (stream, server) = scripted(script);
    let started = ImapClient::start_tls(Box::new(stream), &settings()).await.map(|_| ());
    server.await.unwrap();
    started
}

fn auth(error: &Error) -> &crate::AuthError<Reply> {
    match error {
        Error::Auth(error) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn gmail_names_its_capabilities_with_the_login_and_needs_no_probe() {
    let known = open(
        "
        S: * OK Gimap ready for requests from 192.0.2.1 g191mb175416382wmg
        C: A1 CAPABILITY
        S: * CAPABILITY IMAP4rev1 IDLE NAMESPACE ID SASL-IR AUTH=XOAUTH2 AUTH=OAUTHBEARER
        S: A1 OK Thats all she wrote! g191mb175416382wmg
        C: A2 INLINE
        S: * CAPABILITY IMAP4rev1 IDLE NAMESPACE ID UIDPLUS MOVE LITERAL-
        S: A2 OK a@b.c authenticated (Success)
        ",
    );
    assert_eq!(known.await.unwrap(), "IMAP4rev1 IDLE NAMESPACE ID UIDPLUS MOVE LITERAL-");
}

#[tokio::test]
async fn dovecot_names_them_with_the_greeting_and_the_login() {
    let known = open(
        "
        S: * OK [CAPABILITY IMAP4rev1 SASL-IR ID AUTH=XOAUTH2] testbed ready
        C: A1 INLINE
        S: A1 OK [CAPABILITY IMAP4rev1 SASL-IR UIDPLUS] Logged in
        ",
    );
    assert_eq!(known.await.unwrap(), "IMAP4rev1 SASL-IR UIDPLUS");
}

const EXCHANGE: &str = "
    S: * OK The Microsoft Exchange IMAP4 service is ready. [TQBXAEgA]
    C: A1 CAPABILITY
    S: * CAPABILITY IMAP4 IMAP4rev1 AUTH=XOAUTH2 LOGINDISABLED SASL-IR UIDPLUS ID NAMESPACE
    S: A1 OK CAPABILITY completed.
    C: A2 INLINE
    S: A2 OK AUTHENTICATE completed.
    C: A3 CAPABILITY
    C: A4 NAMESPACE
";

#[tokio::test]
async fn exchange_online_is_asked_in_one_flight_whether_the_mailbox_opened() {
    let script = format!(
        "{EXCHANGE}
        S: * CAPABILITY IMAP4 IMAP4rev1 UIDPLUS MOVE ID NAMESPACE LITERAL+
        S: A3 OK CAPABILITY completed.
        S: * NAMESPACE ((\"\" \"/\")) NIL NIL
        S: A4 OK NAMESPACE completed."
    );
    assert_eq!(open(&script).await.unwrap(), "IMAP4 IMAP4rev1 UIDPLUS MOVE ID NAMESPACE LITERAL+");
}

#[tokio::test]
async fn exchange_2003_is_not_asked_for_its_namespaces_which_would_end_the_connection() {
    // MailKit#1512.
    let known = open(
        "
        S: * OK Microsoft Exchange Server 2003 IMAP4rev1 server version 6.5.7638.1 ready.
        C: A1 CAPABILITY
        S: * CAPABILITY IMAP4 IMAP4rev1 IDLE NAMESPACE SASL-IR AUTH=XOAUTH2
        S: A1 OK CAPABILITY completed.
        C: A2 INLINE
        S: A2 OK AUTHENTICATE completed.
        C: A3 CAPABILITY
        S: * CAPABILITY IMAP4 IMAP4rev1 IDLE NAMESPACE
        S: A3 OK CAPABILITY completed.
        ",
    );
    assert_eq!(known.await.unwrap(), "IMAP4 IMAP4rev1 IDLE NAMESPACE");
}

#[tokio::test]
async fn a_server_of_imap4rev2_alone_need_not_say_what_that_has_built_in() {
    let known = open(
        r#"
        S: * OK [CAPABILITY IMAP4rev2 AUTH=XOAUTH2] hi
        C: A1 INLINE
        S: A1 OK in
        C: A2 CAPABILITY
        C: A3 NAMESPACE
        S: * CAPABILITY IMAP4rev2 AUTH=XOAUTH2
        S: A2 OK done
        S: * NAMESPACE (("" "/")) NIL NIL
        S: A3 OK done
        "#,
    );
    assert_eq!(known.await.unwrap(), "IMAP4rev2 AUTH=XOAUTH2");
    let literals = "
        S: * OK [CAPABILITY IMAP4rev2] hi
        C: A1 LOGIN {4+}
        C: Jör {2+}
        C: ß
        S: A1 OK [CAPABILITY IMAP4rev2] in
    ";
    assert_eq!(log_in("Jör", "ß", literals).await.unwrap(), "IMAP4rev2");
    // One that offers both has it built in once it is enabled.
    let known = open(
        "
        S: * OK [CAPABILITY IMAP4rev1 IMAP4rev2 AUTH=XOAUTH2] hi
        C: A1 AUTHENTICATE XOAUTH2
        S: +
        C: dXNlcj1hQGIuYwFhdXRoPUJlYXJlciBUAQE=
        S: A1 OK in
        C: A2 CAPABILITY
        S: * CAPABILITY IMAP4rev1 IMAP4rev2
        S: A2 OK done
        ",
    );
    assert_eq!(known.await.unwrap(), "IMAP4rev1 IMAP4rev2");
}

#[tokio::test]
async fn a_user_with_slashes_of_either_kind_logs_in_by_login() {
    // Exchange names a shared mailbox so, and takes no such name with PLAIN (ImapFlow).
    let known = log_in(
        "CONTOSO\\ann/billing",
        "pw",
        r#"
        S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hi
        C: A1 LOGIN "CONTOSO\\ann/billing" "pw"
        S: A1 OK [CAPABILITY IMAP4rev1] in
        "#,
    );
    assert_eq!(known.await.unwrap(), "IMAP4rev1");
}

#[tokio::test]
async fn a_login_that_is_not_connected_is_a_failed_login_and_not_the_tokens_fault() {
    let error = open(&format!(
        "{EXCHANGE}
        S: * CAPABILITY IMAP4 IMAP4rev1
        S: A3 OK CAPABILITY completed.
        S: A4 BAD User is authenticated but not connected.
        S: * BYE Connection closed. 14
        EOF"
    ))
    .await
    .unwrap_err();
    assert_eq!(auth(&error).cause(), AuthCause::NotConnected);
    assert_eq!((error.retry(), error.verdict()), (Retry::Administrator, Verdict::Final));
}

#[tokio::test]
async fn exchange_has_not_opened_a_mailbox_whose_namespaces_it_calls_an_error() {
    let answered = |namespace: &str| {
        format!(
            "{EXCHANGE}
            S: * CAPABILITY IMAP4 IMAP4rev1
            S: A3 OK CAPABILITY completed.
            S: A4 {namespace}"
        )
    };
    let error = open(&answered("BAD Command Error. 10")).await.unwrap_err();
    assert_eq!(auth(&error).cause(), AuthCause::NotConnected);
    assert_eq!(open(&answered("NO not now")).await.unwrap(), "IMAP4 IMAP4rev1");
}

#[tokio::test]
async fn a_connection_that_ends_anywhere_on_the_way_is_an_error() {
    let script = format!(
        "{EXCHANGE}
        S: * CAPABILITY IMAP4 IMAP4rev1
        S: A3 OK CAPABILITY completed.
        S: * NAMESPACE NIL NIL NIL
        S: A4 OK NAMESPACE completed."
    );
    let lines: Vec<&str> = script.lines().collect();
    for end in 0..lines.len() {
        let error = open(&format!("{}\nEOF", lines[..end].join("\n"))).await.unwrap_err();
        assert!(matches!(error, Error::Closed { reply: None, .. }), "{end}: {error:?}");
        assert!(!error.connection_usable());
        // Half a line more is no answer either.
        let half = format!("{}\nS~ A1 O\nEOF", lines[..end].join("\n"));
        assert!(open(&half).await.is_err());
    }
}

#[tokio::test]
async fn a_refused_token_is_to_be_replaced() {
    let error = open(
        "
        S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hi
        C: A1 INLINE
        S: + eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIiwic2NvcGUiOiJtYWlsIn0=
        C:
        S: A1 NO [AUTHENTICATIONFAILED] Authentication failed.
        ",
    )
    .await
    .unwrap_err();
    assert_eq!(auth(&error).challenge().unwrap().scope(), Some("mail"));
    assert!(matches!(error.verdict(), Verdict::TokenRefused(_)));
    assert_eq!(
        error.to_string(),
        "XOAUTH2 authentication refused: NO [AUTHENTICATIONFAILED] Authentication failed. \
         (the server's reason: {\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"mail\"})"
    );
}

/// What LOGIN as `user` with `password` ends in.
async fn log_in(user: &str, password: &str, script: &str) -> Result<String, Error> {
    let (stream, server) = scripted(script);
    let session = sasl::Session::user_pass(user, password).unwrap();
    let login = Login { session, two_step: false };
    let protection = Protection { greeted: false, confidential: true };
    let opened = ImapClient::open(Box::new(stream), protection, &settings(), login).await;
    let known = opened.map(|client| client.capabilities().to_string());
    server.await.unwrap();
    known
}

#[tokio::test]
async fn login_goes_in_quotes_or_as_literals_that_do_not_wait() {
    let known = log_in(
        "ann",
        "a \"b\" \\c",
        r#"
        S: * OK [CAPABILITY IMAP4rev1] hi
        C: A1 LOGIN "ann" "a \"b\" \\c"
        S: A1 OK [CAPABILITY IMAP4rev1 UIDPLUS] in
        "#,
    );
    assert_eq!(known.await.unwrap(), "IMAP4rev1 UIDPLUS");
    let known = log_in(
        "ann",
        "\u{fc}",
        "
        S: * OK [CAPABILITY IMAP4rev1 LITERAL-] hi
        C: A1 LOGIN {3+}
        C: ann {2+}
        C: \u{fc}
        S: A1 OK [CAPABILITY IMAP4rev1] in
        ",
    );
    assert_eq!(known.await.unwrap(), "IMAP4rev1");
}

#[tokio::test]
async fn login_is_not_sent_where_it_is_disabled_or_cannot_be() {
    for (password, capabilities) in [("p", "LOGINDISABLED"), ("\u{fc}", "ID")] {
        let script = format!("S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN {capabilities}] hi");
        let error = log_in("ann", password, &script).await.unwrap_err();
        assert!(matches!(error, Error::Unsupported { stage: Stage::Auth, .. }), "{error}");
    }
}

#[tokio::test]
async fn a_refused_login_is_no_fault_of_a_token_and_a_plus_is_no_challenge() {
    let error = log_in(
        "ann",
        "secret-word",
        "
        S: * OK [CAPABILITY IMAP4rev1] hi
        C: A1 LOGIN \"ann\" \"secret-word\"
        S: + go on
        S: A1 NO LOGIN failed for secret-word.
        ",
    )
    .await
    .unwrap_err();
    assert_eq!(auth(&error).cause(), AuthCause::Credential);
    assert!(!error.to_string().contains("secret-word"), "{error}");
}

#[tokio::test]
async fn without_sasl_ir_the_token_waits_for_the_server() {
    let known = open(
        "
        S: * OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2] hi
        C: A1 AUTHENTICATE XOAUTH2
        S: +
        C: dXNlcj1hQGIuYwFhdXRoPUJlYXJlciBUAQE=
        S: A1 OK [CAPABILITY IMAP4rev1] in
        ",
    );
    assert_eq!(known.await.unwrap(), "IMAP4rev1");
}

#[tokio::test]
async fn a_syntax_error_on_the_inline_form_asks_for_the_other_form() {
    let error = open(
        "
        S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hi
        C: A1 INLINE
        S: A1 BAD Parse command error
        ",
    )
    .await
    .unwrap_err();
    assert_eq!(error.verdict(), Verdict::TwoStep);
}

#[tokio::test]
async fn a_token_too_long_for_the_line_goes_in_two_steps_and_a_close_names_its_length() {
    let token = "t".repeat(8500);
    let error = open_as(
        &token,
        &settings(),
        "
        S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hi
        C: A1 AUTHENTICATE XOAUTH2
        S: +
        EOF
        ",
    )
    .await
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server closed the connection during authentication, after a credential of 8500 \
         octets"
    );
    assert_eq!((error.retry(), error.verdict()), (Retry::Later(None), Verdict::Final));
}

#[tokio::test]
async fn yahoo_gets_a_token_of_a_thousand_octets_in_two_steps() {
    for (octets, script) in [
        (
            700,
            "
            S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2 XYMHIGHESTMODSEQ] Hello
            C: A1 AUTHENTICATE XOAUTH2 TOKEN
            S: A1 OK [CAPABILITY IMAP4rev1] in
            ",
        ),
        (
            800,
            "
            S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2 XYMHIGHESTMODSEQ] Hello
            C: A1 AUTHENTICATE XOAUTH2
            S: +
            C: TOKEN
            S: A1 OK [CAPABILITY IMAP4rev1] in
            ",
        ),
    ] {
        let token = "t".repeat(octets);
        let session = sasl::Session::xoauth2("a@b.c", &token, &[]).unwrap();
        let response = session.initial_response().unwrap().expose();
        let script = script.replace("TOKEN", std::str::from_utf8(response).unwrap());
        assert_eq!(open_as(&token, &settings(), &script).await.unwrap(), "IMAP4rev1");
    }
}

#[tokio::test]
async fn what_is_said_before_the_login_is_no_news_for_whoever_logs_in() {
    let (stream, server) = scripted(
        &"
        S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hi
        S: * XFOO bar
        S: * 1 EXPUNGE
        S: * 5 EXISTS
        S: * 1 FETCH (FLAGS ())
        S: * LIST () \"/\" planted
        S: * STATUS planted (MESSAGES 9)
        S: * 1 BOGUS
        S: * OK [NOTIFICATIONOVERFLOW] no more
        S: * NO Disks are nearly full.
        C: A1 INLINE
        S: * VANISHED 1:9
        S: * 7 EXPUNGE
        S: A1 OK [CAPABILITY IMAP4rev1] in
        S: * XBAR of this user
        C: A2 NOOP
        S: A2 OK done
    "
        .replace("INLINE", INLINE),
    );
    let session = sasl::Session::xoauth2("a@b.c", "T", &[]).unwrap();
    let login = Login { session, two_step: false };
    let protection = Protection { greeted: false, confidential: true };
    let opened = ImapClient::open(Box::new(stream), protection, &settings(), login).await;
    let mut client = opened.unwrap();
    client.noop().await.unwrap();
    let events: Vec<_> = std::iter::from_fn(|| client.take_event()).collect();
    let [Event::Notice(notice), Event::Data(data)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((notice.text(), data.name()), ("Disks are nearly full.", "XBAR"));
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn a_mechanism_that_is_not_offered_is_not_tried() {
    let error = open("S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server does not offer AUTH=XOAUTH2 for authentication (it offers: IMAP4rev1 \
         AUTH=PLAIN)"
    );
    assert!(!error.connection_usable());
}

#[tokio::test]
async fn a_server_that_knows_us_already_wants_no_login() {
    let known = open("S: * PREAUTH [CAPABILITY IMAP4rev1] hi a@b.c").await;
    assert_eq!(known.unwrap(), "IMAP4rev1");
}

#[tokio::test]
async fn a_server_that_turns_us_away_is_quoted() {
    for greeting in ["* BYE Too many connections", "* NO LOGOUT Intrusion prevention"] {
        let error = open(&format!("S: {greeting}\nEOF")).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the server turned the connection away: {}", &greeting[2..])
        );
        assert_eq!(error.retry(), Retry::Later(None));
        assert!(!error.connection_usable());
    }
}

#[tokio::test]
async fn a_throttled_login_says_when_to_come_back() {
    let error = open(
        "
        S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hi
        C: A1 INLINE
        S: A1 BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds
        ",
    )
    .await
    .unwrap_err();
    assert_eq!(error.retry(), Retry::Later(Some(Duration::from_millis(92_415))));
    assert_eq!(error.verdict(), Verdict::Final);
}

#[tokio::test]
async fn an_id_that_no_server_has_to_take_is_found_before_dialling() {
    let connector = ImapClient::builder(Endpoint::imap("localhost"))
        .auth(crate::Auth::plain("a@b.c", "pw"))
        .id([("a name of more than thirty octets", "robot")]);
    assert!(matches!(connector.connect().await.unwrap_err(), Error::Misuse(_)));
}

#[tokio::test]
async fn id_goes_along_where_the_provider_demands_it_or_the_user_set_it() {
    let endpoint = Endpoint::imap("imap.163.com");
    let profile = Profile::generic().with_id_demanded(true);
    let demanded = Settings::new(endpoint.with_profile(profile));
    let demanding = |greeting: &str| {
        format!(
            "
            S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] {greeting}
            C: A1 INLINE
            S: A1 OK done
            C: A2 CAPABILITY
            C: A3 ID (\"name\" \"{}\" \"version\" \"{}\")
            S: * CAPABILITY IMAP4rev1 ID
            S: A2 OK done
            S: A3 NO no thanks
            ",
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION")
        )
    };
    assert_eq!(open_as("T", &demanded, &demanding("hi")).await.unwrap(), "IMAP4rev1 ID");

    let coremail = demanding("Coremail System IMap Server Ready(163com[10774b26])");
    assert_eq!(open(&coremail).await.unwrap(), "IMAP4rev1 ID");

    let mut named = settings();
    named.id = vec![("name".to_owned(), "robot".to_owned())];
    let script = "
        S: * OK [CAPABILITY IMAP4rev1 ID SASL-IR AUTH=XOAUTH2] hi
        C: A1 INLINE
        S: A1 OK [CAPABILITY IMAP4rev1 ID] done
        C: A2 ID (\"name\" \"robot\")
        S: * ID NIL
        S: A2 OK done
    ";
    assert_eq!(open_as("T", &named, script).await.unwrap(), "IMAP4rev1 ID");
}

#[tokio::test]
async fn starttls_gives_the_stream_back_and_nothing_else() {
    start_tls(
        "
        S: * OK hi
        C: A1 CAPABILITY
        S: * CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED
        S: A1 OK done
        C: A2 STARTTLS
        S: A2 OK Begin TLS negotiation now.
        ",
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn octets_behind_the_answer_to_starttls_are_an_attack() {
    // One write, so that the octets lie in the buffer when the answer is read.
    let error = start_tls(
        "
        S: * OK [CAPABILITY IMAP4rev1 STARTTLS] hi
        C: A1 STARTTLS
        S: A1 OK go\\r\\n* CAPABILITY IMAP4rev1 AUTH=PLAIN
        ",
    )
    .await
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "protocol error during STARTTLS: the server sent 35 octets between its answer to \
         STARTTLS and the TLS handshake"
    );
}

#[tokio::test]
async fn a_clear_text_greeting_may_not_skip_tls() {
    let error = start_tls("S: * PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] hi").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "protocol error during the greeting: the server greeted a clear-text connection with \
         PREAUTH"
    );
    let error = start_tls("S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server does not offer STARTTLS (it offers: IMAP4rev1 AUTH=PLAIN)"
    );
}

#[test]
fn only_a_refusal_of_the_credential_blames_it() {
    let throttled = AuthCause::Temporary(Some(Duration::from_millis(92_415)));
    for (line, expected) in [
        ("NO AUTHENTICATE failed.", AuthCause::Credential),
        ("NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)", AuthCause::Credential),
        ("NO [EXPIRED] token", AuthCause::Credential),
        ("NO [UNAVAILABLE] Temporary authentication failure.", AuthCause::Temporary(None)),
        ("NO [CONTACTADMIN] ask", AuthCause::Policy),
        ("NO [ALERT] Please log in via your web browser", AuthCause::Policy),
        ("NO [XWHATEVER] no", AuthCause::Other),
        ("NO Basic authentication is disabled.", AuthCause::Policy),
        ("NO User is authenticated but not connected.", AuthCause::NotConnected),
        ("OK User is authenticated but not connected.", AuthCause::NotConnected),
        ("OK [Error=\"x\" Proxy=y] AUTHENTICATE completed.", AuthCause::NotConnected),
        ("BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds", throttled),
        ("BAD Command Argument Error. 12", AuthCause::Malformed),
    ] {
        assert_eq!(cause(&reply(&format!("A1 {line}"))), Some(expected), "{line}");
    }
    assert_eq!(cause(&reply("A1 OK AUTHENTICATE completed.")), None);
}
