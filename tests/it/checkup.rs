//! `diagnose` at the embedded server: each fault is found at its step, and nothing else is.

use std::future::{pending, poll_fn};
use std::io;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use mailbearer::diagnosis::{Cause, Checkup, Outcome, Progress, Report, StepName};
use mailbearer::net::{Connection, Dial};
use mailbearer::testing::{Fault, Jwt, Server};
use mailbearer::token::{StaticToken, TokenError, from_fn};
use mailbearer::wirelog::Recorder;
use mailbearer::{Auth, BoxFuture, Endpoint, Timeouts, danger, diagnose, tls};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

use crate::support::dial::pipe;
use crate::transcript::recorded;
use crate::transcript::replay;

const ME: &str = "billing@contoso.example";

async fn server() -> Server {
    let server = Server::start().await.unwrap();
    server.add_mailbox(ME);
    server
}

fn checkup(server: &Server) -> Checkup {
    let token = StaticToken::new(server.issue_jwt(Jwt::of_user(ME)));
    checkup_with(server, Auth::xoauth2(ME, token))
}

fn checkup_with(server: &Server, auth: Auth) -> Checkup {
    let trust = tls::Config::with_root_pem(server.certificate_pem().as_bytes()).unwrap();
    Checkup::new(auth).tls(trust)
}

/// The steps of the first endpoint with their outcomes.
fn outcomes(report: &Report) -> Vec<(StepName, Outcome)> {
    let steps = report.endpoints()[0].steps().iter();
    steps.map(|step| (step.name(), step.outcome())).collect()
}

#[track_caller]
fn failed(report: &Report, endpoint: usize, step: StepName) -> Option<Cause> {
    let report = &report.endpoints()[endpoint];
    let failed: Vec<_> =
        report.steps().iter().filter(|step| step.outcome() == Outcome::Failed).collect();
    assert_eq!(failed.iter().map(|step| step.name()).collect::<Vec<_>>(), [step], "{report}");
    for later in report.steps().iter().filter(|later| later.name() > step) {
        // The token is had before the connection is opened, and STARTTLS has a greeting before TLS.
        let early = matches!(later.name(), StepName::Token | StepName::Claims)
            || (step, later.name()) == (StepName::Tls, StepName::Greeting);
        assert!(early || later.outcome() == Outcome::Skipped, "{report}");
    }
    failed[0].diagnosis().map(|diagnosis| diagnosis.first().cause())
}

#[tokio::test]
async fn all_steps_of_a_good_set_up_pass() {
    let server = server().await;
    let checkup = checkup(&server)
        .endpoint(server.imap())
        .endpoint(server.pop_starttls())
        .endpoint(server.smtp())
        .send_message();
    let report = diagnose(&checkup).await;
    assert!(report.passed(), "{report}");
    use StepName::{Auth, Capabilities, Claims, Dns, Greeting, Mailbox, Message, Send};
    use StepName::{Tcp, Tls, Token};
    let reports = report.endpoints();
    let common = [Dns, Tcp, Tls, Greeting, Capabilities, Token, Claims, Auth];
    for (report, more) in reports.iter().zip([&[Mailbox][..], &[Mailbox], &[Send, Message]]) {
        let steps: Vec<_> = report.steps().iter().map(|step| step.name()).collect();
        assert_eq!(steps, [&common[..], more].concat());
        assert!(report.steps().iter().all(|step| step.outcome() == Outcome::Passed), "{report}");
    }
    let send = reports[2].step(Send).unwrap();
    assert_eq!(send.summary(), format!("{ME} to {ME}: not refused so far"));
    let tls = reports[0].step(Tls).unwrap();
    assert_eq!(tls.details().collect::<Vec<_>>(), [("version", "TLS 1.3")]);
    let capabilities: Vec<_> = reports[0].step(Capabilities).unwrap().details().skip(1).collect();
    let expected = [
        ("xoauth2", "offered"),
        ("oauthbearer", "not offered"),
        ("sasl_ir", "offered"),
        ("login", "disabled"),
    ];
    assert_eq!(capabilities, expected);
    // The message that was asked for, and no other.
    assert_eq!(server.messages(ME).len(), 1);
    assert!(server.messages(ME)[0].starts_with(b"From: <billing@contoso.example>\r\n"));
}

#[tokio::test]
async fn each_fault_is_found_at_its_step_and_explained() {
    type Door = fn(&Server) -> Endpoint;
    let faults: [(Fault, Door, StepName, Cause); 13] = [
        (Fault::ClearTextWhereTls, Server::imap, StepName::Tls, Cause::PlainTextOnTlsPort),
        (Fault::CertificateForOtherName, Server::imap, StepName::Tls, Cause::CertificateName),
        (Fault::CertificateExpired, Server::pop, StepName::Tls, Cause::CertificateExpired),
        (Fault::CertificateNotYetValid, Server::smtp, StepName::Tls, Cause::CertificateNotYetValid),
        (
            Fault::CertificateOfUnknownIssuer,
            Server::imap_starttls,
            StepName::Tls,
            Cause::CertificateUntrusted,
        ),
        (Fault::StartTlsNotOffered, Server::smtp, StepName::Tls, Cause::StartTlsMissing),
        (Fault::StartTlsInjection, Server::pop_starttls, StepName::Tls, Cause::StartTlsInjected),
        (
            Fault::MechanismNotOffered,
            Server::imap,
            StepName::Capabilities,
            Cause::MechanismNotOffered,
        ),
        (
            Fault::SmtpAuthDisabledForTenant,
            Server::smtp,
            StepName::Auth,
            Cause::SmtpAuthDisabledForTenant,
        ),
        (Fault::NotConnected, Server::imap, StepName::Auth, Cause::ProtocolDisabled),
        (Fault::NotConnectedAfterLogin, Server::imap, StepName::Auth, Cause::ProtocolDisabled),
        (Fault::PopInUse, Server::pop, StepName::Auth, Cause::MailboxInUse),
        (Fault::SenderNotPermitted, Server::smtp, StepName::Send, Cause::SendAsDenied),
    ];
    let server = server().await;
    for (fault, door, step, cause) in faults {
        server.inject_always(fault.clone());
        let checkup = checkup(&server).endpoint(door(&server));
        let report = diagnose(&checkup).await;
        println!("{fault:?}: {report}");
        assert_eq!(failed(&report, 0, step), Some(cause), "{fault:?}: {report}");
        server.clear_faults();
    }
}

#[tokio::test]
async fn one_protocol_that_fails_does_not_stop_the_others() {
    let server = server().await;
    server.inject_always(Fault::SmtpAuthDisabledForMailbox);
    let checkup = checkup(&server).endpoint(server.smtp()).endpoint(server.imap());
    let report = diagnose(&checkup).await;
    let cause = failed(&report, 0, StepName::Auth);
    assert_eq!(cause, Some(Cause::SmtpAuthDisabledForMailbox));
    assert!(!report.passed() && report.endpoints()[1].passed(), "{report}");
    let skipped = report.endpoints()[0].step(StepName::Send).unwrap();
    assert_eq!(skipped.summary(), "the step auth failed");
}

#[tokio::test]
async fn a_token_for_another_service_is_a_hint_before_it_is_a_refusal() {
    let server = server().await;
    let jwt = Jwt::of_user(ME).audience("https://graph.microsoft.com");
    let auth = Auth::xoauth2(ME, StaticToken::new(server.issue_jwt(jwt)));
    let report = diagnose(&checkup_with(&server, auth).endpoint(server.imap())).await;
    assert_eq!(failed(&report, 0, StepName::Auth), Some(Cause::WrongAudience), "{report}");
    let claims = report.endpoints()[0].step(StepName::Claims).unwrap();
    assert_eq!(claims.outcome(), Outcome::Hint);
    assert_eq!(claims.diagnosis().unwrap().first().cause(), Cause::WrongAudience);
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(json["passed"], false);
    let endpoint = &json["endpoints"][0];
    assert_eq!(endpoint["protocol"], "imap");
    assert_eq!(endpoint["security"], "tls");
    assert_eq!(endpoint["mailbox"], ME);
    let steps = endpoint["steps"].as_array().unwrap();
    let auth = steps.iter().find(|step| step["name"] == "auth").unwrap();
    assert_eq!(auth["outcome"], "failed");
    assert_eq!(auth["findings"][0]["cause"], "WrongAudience");
    assert_eq!(auth["findings"][0]["who"], "developer");
    assert_eq!(auth["details"]["reply"], "NO AUTHENTICATE failed.");
    assert!(steps.iter().all(|step| step["milliseconds"].is_u64() && step["details"].is_object()));
}

#[tokio::test]
async fn without_a_token_all_that_needs_none_is_looked_at() {
    let server = server().await;
    let none =
        from_fn(|_| async { Err(TokenError::never(io::Error::other("the vault is sealed"))) });
    let checkup = checkup_with(&server, Auth::xoauth2(ME, none));
    let checkup = checkup.endpoint(server.smtp()).endpoint(server.imap()).endpoint(server.pop());
    let report = diagnose(&checkup).await;
    use Outcome::{Failed, Passed, Skipped};
    for report in report.endpoints() {
        let outcomes: Vec<_> = report.steps().iter().map(|step| step.outcome()).collect();
        let expected = [Passed, Passed, Passed, Passed, Passed, Failed, Skipped, Skipped, Skipped];
        assert_eq!(outcomes, expected, "{report}");
        let token = report.step(StepName::Token).unwrap();
        assert!(token.summary().contains("the vault is sealed"), "{report}");
    }
    assert!(server.logins().is_empty());
}

#[tokio::test]
async fn a_host_without_address_and_a_port_without_server_are_told_apart() {
    let server = server().await;
    // No label is so long, so that no resolver is asked.
    let nowhere = Endpoint::imap(&"a".repeat(70));
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let nobody = Endpoint::imap("127.0.0.1").with_port(port);
    let report = diagnose(&checkup(&server).endpoint(nowhere).endpoint(nobody)).await;
    assert_eq!(failed(&report, 0, StepName::Dns), Some(Cause::HostNotFound), "{report}");
    assert_eq!(failed(&report, 1, StepName::Tcp), Some(Cause::ConnectionRefused), "{report}");
    let dns = report.endpoints()[1].step(StepName::Dns).unwrap();
    assert_eq!((dns.outcome(), dns.summary()), (Outcome::Skipped, "the host is an address"));
}

#[tokio::test]
async fn a_server_that_waits_for_tls_where_none_was_said_is_recognised() {
    let server = server().await;
    let endpoint = server.imap_starttls().with_port(server.imap().port());
    let checkup = checkup(&server)
        .endpoint(endpoint)
        .timeouts(Timeouts::default().greeting(Duration::from_millis(50)));
    let report = diagnose(&checkup).await;
    failed(&report, 0, StepName::Greeting);
    let greeting = report.endpoints()[0].step(StepName::Greeting).unwrap();
    let findings = greeting.diagnosis().unwrap().findings();
    // The port is none of those that are known for it.
    assert!(findings.iter().any(|it| it.cause() == Cause::TlsOnPlainPort), "{report}");
}

/// Answers CONNECT, and passes on what comes.
#[cfg(feature = "proxy")]
async fn http_proxy() -> u16 {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut near = BufReader::new(near);
                let (mut asked, mut line) = (String::new(), String::new());
                while near.read_line(&mut line).await? > 2 {
                    asked.push_str(&std::mem::take(&mut line));
                }
                let place = asked.split(' ').nth(1).unwrap_or_default().to_owned();
                let mut far = tokio::net::TcpStream::connect(place).await?;
                near.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                tokio::io::copy_bidirectional(&mut near, &mut far).await
            });
        }
    });
    port
}

#[cfg(feature = "proxy")]
#[tokio::test]
async fn behind_a_proxy_names_are_not_resolved_here() {
    use mailbearer::net::proxy::Proxy;
    let server = server().await;
    let checkup = checkup(&server)
        .endpoint(server.imap())
        .endpoint(server.smtp())
        .proxy(Proxy::http("127.0.0.1", http_proxy().await));
    let report = diagnose(&checkup).await;
    assert!(report.passed(), "{report}");
    for report in report.endpoints() {
        let dns = report.step(StepName::Dns).unwrap();
        let told = (dns.outcome(), dns.summary());
        assert_eq!(told, (Outcome::Skipped, "the proxy resolves names"));
    }
    // Nobody listens where nobody is.
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let checkup = checkup.proxy(Proxy::http("127.0.0.1", port));
    let report = diagnose(&checkup).await;
    assert!(failed(&report, 0, StepName::Tcp).is_some(), "{report}");
}

#[tokio::test]
async fn a_second_token_that_was_needed_is_a_hint() {
    let server = server().await;
    let tokens = Arc::new(Mutex::new(vec![server.issue_token(ME), "stale".to_owned()]));
    let provider = from_fn(move |_| {
        let mut tokens = tokens.lock().unwrap();
        let token = if tokens.len() > 1 { tokens.pop() } else { tokens.last().cloned() };
        async move { Ok(mailbearer::AccessToken::new(token.unwrap_or_default())) }
    });
    let checkup = checkup_with(&server, Auth::xoauth2(ME, provider)).endpoint(server.imap());
    let report = diagnose(&checkup).await;
    assert!(report.passed(), "{report}");
    let auth = report.endpoints()[0].step(StepName::Auth).unwrap();
    assert_eq!(auth.outcome(), Outcome::Hint, "{report}");
}

#[tokio::test]
async fn it_is_the_last_token_that_a_refusal_is_explained_by() {
    let server = server().await;
    let graph = server.issue_jwt(Jwt::of_user(ME).audience("https://graph.microsoft.com"));
    let old = server.issue_jwt(Jwt::of_user(ME).expires_at(1_700_000_000));
    let tokens = Arc::new(Mutex::new(vec![graph, old]));
    let provider = from_fn(move |_| {
        let mut tokens = tokens.lock().unwrap();
        let token = if tokens.len() > 1 { tokens.pop() } else { tokens.last().cloned() };
        async move { Ok(mailbearer::AccessToken::new(token.unwrap_or_default())) }
    });
    let checkup = checkup_with(&server, Auth::xoauth2(ME, provider)).endpoint(server.imap());
    let report = diagnose(&checkup).await;
    assert_eq!(failed(&report, 0, StepName::Auth), Some(Cause::WrongAudience), "{report}");
    let auth = report.endpoints()[0].step(StepName::Auth).unwrap();
    let told = auth.diagnosis().unwrap().findings();
    assert!(told.iter().all(|finding| finding.cause() != Cause::TokenExpired), "{report}");
}

#[tokio::test]
async fn a_command_for_what_fails_behind_the_login_has_the_ids_of_the_token() {
    let server = server().await;
    server.inject_always(Fault::SenderNotPermitted);
    let report = diagnose(&checkup(&server).endpoint(server.smtp())).await;
    assert_eq!(failed(&report, 0, StepName::Send), Some(Cause::SendAsDenied), "{report}");
    let send = report.endpoints()[0].step(StepName::Send).unwrap();
    let command = send.diagnosis().unwrap().first().commands()[0].as_str();
    assert!(command.contains(&format!("-Trustee '{ME}'")), "{command}");
}

/// Checks a server that greets so, and answers so to EXAMINE.
async fn check_imap(greeting: &str, examine: &str) -> Report {
    let token = server().await.issue_jwt(Jwt::of_user(ME));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let endpoint = Endpoint::imap("127.0.0.1").with_port(port);
    let endpoint = endpoint.with_security(danger::plaintext_on_loopback());
    let auth = Auth::xoauth2(ME, StaticToken::new(token));
    let checkup = Checkup::new(auth).endpoint(endpoint);
    let served = async {
        let mut far = BufReader::new(listener.accept().await.unwrap().0);
        far.write_all(format!("* {greeting}\r\n").as_bytes()).await.unwrap();
        let mut line = String::new();
        while far.read_line(&mut line).await.unwrap() > 0 {
            let (tag, command) = line.split_once(' ').unwrap();
            let answer = match command.trim_end() {
                "CAPABILITY" => format!("* CAPABILITY IMAP4rev1\r\n{tag} OK done\r\n"),
                command if command.starts_with("EXAMINE") => format!("{tag} {examine}\r\n"),
                _ => format!("{tag} OK done\r\n"),
            };
            if far.write_all(answer.as_bytes()).await.is_err() {
                break;
            }
            line.clear();
        }
    };
    tokio::join!(diagnose(&checkup), served).0
}

#[tokio::test]
async fn a_mailbox_that_does_not_open_is_explained_by_the_token_too() {
    let greeting = "OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2 SASL-IR] hi";
    let examine = "NO User is authenticated but not connected.";
    let report = check_imap(greeting, examine).await;
    assert_eq!(failed(&report, 0, StepName::Mailbox), Some(Cause::ProtocolDisabled), "{report}");
}

#[tokio::test]
async fn a_server_that_wanted_no_login_is_not_said_to_have_taken_one() {
    let report = check_imap("PREAUTH [CAPABILITY IMAP4rev1] hi", "OK opened").await;
    let auth = report.endpoints()[0].step(StepName::Auth).unwrap();
    assert_eq!(auth.outcome(), Outcome::Passed, "{report}");
    assert!(auth.summary().starts_with("the server wanted no login"), "{report}");
}

#[tokio::test]
async fn who_listens_hears_of_each_step_once() {
    let server = server().await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = heard.clone();
    let checkup = checkup(&server).endpoint(server.smtp()).on_progress(move |progress| {
        told.lock().unwrap().push(match progress {
            Progress::Began { step, .. } => format!("{step}?"),
            Progress::Ended { step, .. } => format!("{} {}", step.name(), step.outcome()),
            _ => String::new(),
        });
    });
    diagnose(&checkup).await;
    let expected = "dns?, dns passed, token?, token passed, claims?, claims passed, tcp?, tcp \
                    passed, greeting?, greeting passed, tls?, tls passed, capabilities?, \
                    capabilities passed, auth?, auth passed, send?, send passed";
    assert_eq!(heard.lock().unwrap().join(", "), expected);
}

/// Never gets anywhere.
struct Nowhere;

impl Dial for Nowhere {
    fn dial<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, io::Result<Connection>> {
        Box::pin(pending())
    }
}

#[tokio::test(start_paused = true)]
async fn the_whole_has_a_deadline_and_what_was_not_done_is_said() {
    let auth = Auth::xoauth2(ME, StaticToken::new("EwB"));
    let checkup = Checkup::new(auth)
        .endpoint(Endpoint::imap("mail.example.net"))
        .dial(Nowhere)
        .timeouts(Timeouts::default().dial(Duration::from_secs(3600)))
        .deadline(Duration::from_secs(20));
    let report = diagnose(&checkup).await;
    use Outcome::{Failed, Passed, Skipped};
    let expected = [
        (StepName::Dns, Skipped),
        (StepName::Tcp, Failed),
        (StepName::Tls, Skipped),
        (StepName::Greeting, Skipped),
        (StepName::Capabilities, Skipped),
        (StepName::Token, Passed),
        (StepName::Claims, Skipped),
        (StepName::Auth, Skipped),
        (StepName::Mailbox, Skipped),
    ];
    assert_eq!(outcomes(&report), expected, "{report}");
    let tcp = report.endpoints()[0].step(StepName::Tcp).unwrap();
    assert_eq!(tcp.summary(), "not done within the 20 s that the check may take");
    assert_eq!(tcp.duration().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_check_leaves_no_connection_open() {
    let (dial, mut listener) = pipe();
    let auth = Auth::xoauth2(ME, StaticToken::new("EwB"));
    let checkup =
        Checkup::new(auth).endpoint(Endpoint::imap_starttls("mail.example.net")).dial(dial);
    let mut check = Box::pin(diagnose(&checkup));
    let mut far = poll_fn(|cx| {
        assert!(check.as_mut().poll(cx).is_pending());
        listener.poll_recv(cx).map(Option::unwrap)
    })
    .await;
    poll_fn(|cx| {
        assert!(check.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    drop(check);
    assert_eq!(far.read(&mut [0; 16]).await.unwrap(), 0);
}

#[tokio::test]
async fn what_was_recorded_of_a_check_replays() {
    let server = server().await;
    server.deliver(ME, "Subject: private\r\n\r\nNobody's business.\r\n");
    for fault in [None, Some(Fault::NotConnectedAfterLogin), Some(Fault::SmtpAuthDisabledForTenant)]
    {
        server.clear_faults();
        if let Some(fault) = fault {
            server.inject_always(fault);
        }
        let recorder = Recorder::new();
        let checkup = checkup(&server)
            .endpoint(server.imap())
            .endpoint(server.smtp())
            .endpoint(server.pop())
            .record(recorder.clone());
        diagnose(&checkup).await;
        let recording = recorder.to_string();
        assert!(!recording.contains("billing"), "{recording}");
        assert_eq!(recording.matches("# recorded:").count(), 3, "{recording}");
        for transcript in recorded::transcripts("check", &recording) {
            let transcript = transcript.unwrap_or_else(|why| panic!("{why}\n{recording}"));
            replay(transcript).await;
        }
    }
}
