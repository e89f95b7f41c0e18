//! The faults and variants, one by one, as lines on the wire.

use super::*;

fn good(server: &Server) -> String {
    xoauth2(USER, &server.issue_token(USER))
}

#[test]
fn every_fault_and_every_variant_stands_in_the_table() {
    let document = include_str!("../mod.rs");
    let names = |source: &'static str, start: &str| {
        let body = source.split_once(start).unwrap().1.split_once("\n}\n").unwrap().0;
        let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
        let lines = lines.filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
        lines.map(|line| line.trim_end_matches([',', ' ', '{']).to_owned()).collect::<Vec<_>>()
    };
    let faults = names(include_str!("../fault/mod.rs"), "pub enum Fault {");
    let variants = names(include_str!("../service.rs"), "pub enum Variant {");
    assert!(faults.len() > 60 && variants.len() == 4, "{faults:?} {variants:?}");
    for (of, names) in [("Fault", faults), ("Variant", variants)] {
        for name in names {
            let row = format!("//! | [`{name}`]({of}::{name})");
            assert!(document.contains(&row), "{name} has no row");
        }
    }
}

#[tokio::test]
async fn connections_fail_before_a_word() {
    let server = server().await;
    let endpoints =
        [server.smtp(), server.imap_starttls(), server.pop_starttls(), server.smtp_implicit()];
    for endpoint in &endpoints {
        server.inject(Fault::ClosedBeforeGreeting);
        let mut stream = TcpStream::connect(("127.0.0.1", endpoint.port())).await.unwrap();
        assert_eq!(stream.read(&mut [0; 64]).await.unwrap_or(0), 0);
        server.inject(Fault::Silence);
        let mut stream = TcpStream::connect(("127.0.0.1", endpoint.port())).await.unwrap();
        stream.write_all(b"EHLO x\r\na CAPABILITY\r\nCAPA\r\n").await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(stream.read(&mut [0; 64]).await.unwrap_or(0), 0);
    }
    for (endpoint, refusal) in [
        (server.smtp(), "421 4.3.2 Service not available"),
        (server.imap(), "* BYE [UNAVAILABLE] Service not available."),
        (server.pop(), "-ERR [SYS/TEMP] Service not available."),
    ] {
        server.inject(Fault::GreetingRefused);
        let mut raw = Raw::open(&server, &endpoint).await;
        assert_eq!(raw.line().await, refusal);
        raw.ends().await;
    }
}

#[tokio::test]
async fn ports_can_be_mixed_up() {
    let server = server().await;
    for (endpoint, greeting) in
        [(server.smtp_implicit(), "220 "), (server.imap(), "* OK "), (server.pop(), "+OK ")]
    {
        server.inject(Fault::ClearTextWhereTls);
        let mut raw = Raw::open(&server, &endpoint.with_security(Security::StartTls)).await;
        assert!(raw.line().await.starts_with(greeting));
    }
    for (endpoint, greeting) in [
        (server.smtp(), "220 "),
        (server.imap_starttls(), "* OK "),
        (server.pop_starttls(), "+OK "),
    ] {
        server.inject(Fault::TlsWhereClearText);
        let mut raw = Raw::open(&server, &endpoint.with_security(Security::ImplicitTls)).await;
        assert!(raw.line().await.starts_with(greeting));
    }
}

#[tokio::test]
async fn certificates_fail_for_the_reason_asked_for() {
    let server = server().await;
    let handshake = async |name: &'static str| {
        let stream = TcpStream::connect(("127.0.0.1", server.imap().port())).await.unwrap();
        let name = ServerName::try_from(name).unwrap();
        connector(server.certificate_der()).connect(name, stream).await.map(drop)
    };
    for (fault, reason) in [
        (Fault::CertificateForOtherName, "not valid for name"),
        (Fault::CertificateExpired, "certificate expired"),
        (Fault::CertificateNotYetValid, "not valid yet"),
        (Fault::CertificateOfUnknownIssuer, "UnknownIssuer"),
    ] {
        server.inject(fault.clone());
        let error = handshake("localhost").await.unwrap_err().to_string();
        assert!(error.contains(reason), "{fault:?}: {error}");
        handshake("localhost").await.unwrap();
    }
    server.inject(Fault::CertificateForOtherName);
    handshake("mail.contoso.example").await.unwrap();
}

#[tokio::test]
async fn starttls_can_be_missing_or_refused() {
    let server = server().await;
    server.inject_always(Fault::StartTlsNotOffered);
    server.inject_always(Fault::StartTlsRefused);
    let mut smtp = Raw::open(&server, &server.smtp()).await;
    smtp.line().await;
    smtp.send("EHLO x").await;
    assert!(!smtp.until("250 ").await.join(" ").contains("STARTTLS"));
    assert!(smtp.ask("STARTTLS").await.starts_with("454 4.7.0 "));
    let mut imap = Raw::open(&server, &server.imap_starttls()).await;
    imap.line().await;
    assert!(!imap::run(&mut imap, "CAPABILITY").await[0].contains("STARTTLS"));
    assert!(imap.ask("t STARTTLS").await.starts_with("t NO "));
    assert!(imap::run(&mut imap, "NOOP").await[0].starts_with("t OK"));
    let mut pop = Raw::open(&server, &server.pop_starttls()).await;
    pop.line().await;
    pop.send("CAPA").await;
    assert_eq!(pop.until(".").await, ["+OK", "TOP", "UIDL", "USER", "."]);
    assert!(pop.ask("STLS").await.starts_with("-ERR "));
}

#[tokio::test]
async fn the_mechanisms_can_be_missing() {
    let server = server_of(Service::Gmail).await;
    server.inject_always(Fault::MechanismNotOffered);
    let mut smtp = Raw::open(&server, &server.smtp_implicit()).await;
    smtp.line().await;
    smtp.send("EHLO x").await;
    assert!(!smtp.until("250 ").await.join(" ").contains("AUTH"));
    let mut imap = imap::open(&server).await;
    let list = imap::run(&mut imap, "CAPABILITY").await;
    assert!(list[0].contains("AUTH=PLAIN") && !list[0].contains("XOAUTH2"), "{}", list[0]);
    assert!(!list[0].contains("OAUTHBEARER"), "{}", list[0]);
    let mut pop = pop::open(&server).await;
    pop.send("CAPA").await;
    assert!(!pop.until(".").await.join(" ").contains("SASL"));
}

#[tokio::test]
async fn a_good_token_can_be_refused_in_common_words() {
    for (service, smtp, imap, pop) in [
        (
            Service::OutlookCom,
            "535 5.7.3 Authentication unsuccessful [",
            "t NO AUTHENTICATE failed.",
            "-ERR Authentication failure: unknown user name or bad password.",
        ),
        (Service::HighVolumeEmail, "535 5.7.3 Authentication unsuccessful", "t NO ", "-ERR "),
    ] {
        let server = server_of(service).await;
        server.inject_always(Fault::LoginRefused);
        let response = good(&server);
        let mut raw = smtp::open(&server).await;
        assert!(raw.ask(&format!("AUTH XOAUTH2 {response}")).await.starts_with(smtp));
        let mut raw = imap::open(&server).await;
        let line = format!("AUTHENTICATE XOAUTH2 {response}");
        assert!(imap::run(&mut raw, &line).await[0].starts_with(imap));
        let mut raw = pop::open(&server).await;
        raw.ask("AUTH XOAUTH2").await;
        assert!(raw.ask(&response).await.starts_with(pop));
        assert!(server.logins().iter().all(|login| !login.accepted()));
    }
}

#[tokio::test]
async fn a_challenge_is_the_json_asked_for() {
    let server = server().await;
    // The base64 on Google's page, and ours.
    let page = "+ eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIG1hYyIsInNjb3BlIjoiaHR0cHM6Ly9tYWlsLm\
                dvb2dsZS5jb20vIn0K";
    for (fault, challenge) in [
        (Fault::JsonChallengeWithNewline, page.to_owned()),
        (Fault::Challenge { json: "{}" }, "+ e30=".to_owned()),
    ] {
        server.inject(fault);
        let mut raw = pop::open(&server).await;
        raw.ask("AUTH XOAUTH2").await;
        assert_eq!(raw.ask(&xoauth2(USER, "guess")).await, challenge);
        assert!(raw.ask("").await.starts_with("-ERR Authentication failure"));
    }
}

#[tokio::test]
async fn a_capital_letter_is_refused_only_on_request() {
    let server = server_of(Service::HighVolumeEmail).await;
    let token = server.issue_token(USER);
    let capital = STANDARD.encode(format!("user={USER}\x01Auth=Bearer {token}\x01\x01"));
    server.inject(Fault::CapitalAuthRefused);
    let mut raw = smtp::open(&server).await;
    let reply = raw.ask(&format!("AUTH XOAUTH2 {capital}")).await;
    assert_eq!(reply, "501 5.5.125 Invalid XOAUTH2 auth data - Auth is missing.");
    assert!(raw.ask(&format!("AUTH XOAUTH2 {capital}")).await.starts_with("235 "));
    // The fault waits for a capital letter.
    server.inject(Fault::CapitalAuthRefused);
    let mut raw = smtp::open(&server).await;
    let lower = xoauth2(USER, &token);
    assert!(raw.ask(&format!("AUTH XOAUTH2 {lower}")).await.starts_with("235 "));
}

#[tokio::test]
async fn a_response_without_its_padding_is_refused_by_all() {
    // Microsoft's failing POP3 sample, and the same with its `=`.
    let sample = "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGN\
                  rQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ=";
    for (service, refusal) in
        [(Service::ExchangeOnline, "535 5.7.3 "), (Service::HighVolumeEmail, "501 5.5.122 ")]
    {
        let server = server_of(service).await;
        let mut raw = smtp::open(&server).await;
        assert!(raw.ask(&format!("AUTH XOAUTH2 {sample}")).await.starts_with(refusal));
        raw.ask(&format!("AUTH XOAUTH2 {sample}=")).await;
        let users: Vec<_> = server.logins().iter().map(|one| one.mailbox().to_owned()).collect();
        assert_eq!(users, ["", "someuser@example.com"]);
    }
}

#[tokio::test]
async fn smtp_logins_fail_in_the_words_of_the_services() {
    let cases = [
        (
            Fault::AuthForbiddenByPolicy,
            "535 5.7.139 Authentication unsuccessful, the organization configuration doesn't allow",
        ),
        (
            Fault::LockedBySecurityDefaults,
            "535 5.7.139 Authentication unsuccessful, user is locked by your organization's \
             security defaults policy",
        ),
        (Fault::HveMalformed { detail: 121 }, "501 5.5.121 Invalid XOAUTH2 argument"),
        (Fault::HveMalformed { detail: 122 }, "501 5.5.122 Invalid XOAUTH2 auth data - "),
        (Fault::HveMalformed { detail: 123 }, "501 5.5.123 Invalid XOAUTH2 auth data - "),
        (Fault::HveMalformed { detail: 124 }, "501 5.5.124 Invalid XOAUTH2 auth data - User"),
        (Fault::HveMalformed { detail: 125 }, "501 5.5.125 Invalid XOAUTH2 auth data - "),
        (Fault::HveMalformed { detail: 126 }, "501 5.5.126 Invalid XOAUTH2 auth data - "),
        (Fault::HveMalformed { detail: 0 }, "501 5.5.121 "),
        (Fault::HveMalformed { detail: 999 }, "501 5.5.126 "),
        (
            Fault::HveTokenExpiresSoonPreview,
            "501 5.5.127 Invalid XOAUTH2 auth data - Token will expire soon error",
        ),
        (Fault::HveNotAnAccount, "550 5.2.240 "),
    ];
    let server = server().await;
    let response = good(&server);
    let mut raw = smtp::open(&server).await;
    for (fault, words) in cases {
        server.inject(fault);
        let reply = raw.ask(&format!("AUTH XOAUTH2 {response}")).await;
        assert!(reply.starts_with(words), "{reply}");
    }
    for (fault, code, lines) in [
        (Fault::ApplicationPasswordRequired, "534-5.7.9 Application-specific password required", 1),
        (Fault::WebLoginRequired, "534-5.7.14 Please log in with your web browser", 2),
    ] {
        server.inject(fault);
        assert!(raw.ask(&format!("AUTH XOAUTH2 {response}")).await.starts_with(code));
        for _ in 1..lines {
            assert!(raw.line().await.starts_with("534-5.7."));
        }
        assert!(raw.line().await.starts_with("534 5.7."));
    }
    assert!(raw.ask(&format!("AUTH XOAUTH2 {response}")).await.starts_with("235 "));
}

#[tokio::test]
async fn envelopes_and_messages_fail_in_the_words_of_the_services() {
    let server = server().await;
    let mut raw = smtp::logged_in(&server).await;
    for (fault, words) in [
        (Fault::SenderNotPermitted, "550 5.7.60 SMTP; Client does not have permissions to send as"),
        (Fault::NotAuthenticated, "530 5.7.57 Client not authenticated to send mail"),
        (Fault::HelloWanted, "503 5.5.2 Send hello first"),
        (Fault::TemporaryServerError, "451 4.7.0 Temporary server error. Please try again later."),
        (Fault::HveForeignSender, "550 5.7.62 "),
    ] {
        server.inject(fault);
        let reply = raw.ask(&format!("MAIL FROM:<{USER}>")).await;
        assert!(reply.starts_with(words), "{reply}");
    }
    raw.ask(&format!("MAIL FROM:<{USER}>")).await;
    server.inject(Fault::HveExternalRecipient);
    let reply = raw.ask(&format!("RCPT TO:<{OTHER}>")).await;
    assert!(reply.starts_with("550 5.5.105 External sending is not supported for"), "{reply}");
    raw.ask("RSET").await;
    for (fault, words) in [
        (Fault::HveForeignFrom, "550 5.6.241 "),
        (Fault::SendAsDenied, "554 5.2.252 SendAsDenied; "),
        (Fault::SendAsDeniedOlder, "554 5.2.0 STOREDRV.Submission.Exception:SendAsDenied"),
        (Fault::SenderThrottled, "550 5.2.252 "),
        (Fault::MailboxLogonFailure, "430 4.2.0 STOREDRV; mailbox logon failure; "),
        (Fault::ConnectionLimit, "432 4.3.2 Concurrent connections limit exceeded."),
        (
            Fault::SenderThreadLimit,
            "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded.",
        ),
        (
            Fault::SubmissionQuotaExceeded,
            "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException",
        ),
        (
            Fault::MailboxFull,
            "554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException",
        ),
        (Fault::OutboundSenderBlocked, "550 5.1.8 Access denied, bad outbound sender"),
    ] {
        server.inject(fault);
        smtp::envelope(&mut raw, USER, OTHER).await;
        smtp::data(&mut raw, b"hi\r\n").await;
        let reply = raw.line().await;
        assert!(reply.starts_with(words), "{reply}");
    }
    assert!(server.messages(OTHER).is_empty());
    server.inject(Fault::ServiceNotActive);
    assert_eq!(raw.ask(&format!("MAIL FROM:<{USER}>")).await, "421 4.3.2 Service not active");
    raw.ends().await;
}

#[tokio::test]
async fn imap_logins_fail_in_the_words_of_the_services() {
    let server = server().await;
    let login = format!("AUTHENTICATE XOAUTH2 {}", good(&server));
    let mut raw = imap::open(&server).await;
    server.inject(Fault::WebLoginRequired);
    let lines = imap::run(&mut raw, &login).await;
    assert!(lines[0].starts_with("* NO [WEBALERT https://") && lines[0].ends_with("required."));
    assert!(lines[1].starts_with("t NO [ALERT] Please log in via your web browser: "));
    server.inject(Fault::TooManyConnections);
    let lines = imap::run(&mut raw, &login).await;
    assert_eq!(lines, ["t NO [ALERT] Too many simultaneous connections. (Failure)"]);
    server.inject(Fault::PasswordRefused);
    assert_eq!(imap::run(&mut raw, "LOGIN a b").await, ["t NO LOGIN failed."]);
    server.inject(Fault::RefusedAndClosed);
    server.inject(Fault::LoginRefused);
    assert_eq!(imap::run(&mut raw, &login).await, ["t NO AUTHENTICATE failed."]);
    assert_eq!(raw.line().await, "* BYE Connection is closed. 14");
    raw.ends().await;
}

#[tokio::test]
async fn imap_sessions_end_in_the_words_of_exchange() {
    let server = server().await;
    for (fault, words) in [
        (Fault::AccessTokenExpired, "* BYE Session invalidated - AccessTokenExpired"),
        (Fault::ConnectionClosed { code: 10 }, "* BYE Connection is closed. 10"),
        (Fault::ConnectionClosed { code: 13 }, "* BYE Connection is closed. 13"),
        (Fault::ConnectionClosed { code: 15 }, "* BYE Connection is closed. 15"),
    ] {
        let mut raw = imap::logged_in(&server).await;
        server.inject(fault);
        imap::run(&mut raw, "CAPABILITY").await;
        assert_eq!(raw.ask("t NOOP").await, words);
        raw.ends().await;
    }
    server.inject(Fault::DropInIdle);
    let mut raw = imap::logged_in(&server).await;
    imap::run(&mut raw, "SELECT INBOX").await;
    assert!(raw.ask("t IDLE").await.starts_with("+ "));
    raw.ends().await;
}

#[tokio::test]
async fn pop_logins_fail_with_their_codes() {
    let server = server().await;
    let response = good(&server);
    let mut raw = pop::open(&server).await;
    for (fault, words) in [
        (Fault::PopInUse, "-ERR [IN-USE] "),
        (Fault::PopLoginDelay, "-ERR [LOGIN-DELAY] "),
        (Fault::PopTemporaryFailure, "-ERR [SYS/TEMP] "),
        (Fault::PopPermanentFailure, "-ERR [SYS/PERM] "),
        (Fault::PopProtocolError, "-ERR Protocol error. Connection is closed. 10"),
    ] {
        server.inject(fault);
        raw.ask("AUTH XOAUTH2").await;
        let reply = raw.ask(&response).await;
        assert!(reply.starts_with(words), "{reply}");
    }
    raw.ends().await;
    server.inject(Fault::PopNotOpened);
    let mut raw = pop::logged_in(&server).await;
    assert_eq!(raw.ask("STAT").await, "-ERR The mailbox could not be opened.");
    assert_eq!(raw.ask("STAT").await, "+OK 0 0");
}

#[tokio::test]
async fn exchange_speaks_as_it_did_and_as_it_will() {
    let of = async |variant| {
        let server = Server::builder().variant(variant).start().await.unwrap();
        server.add_mailbox(USER);
        server
    };
    let server = of(Variant::Until2025).await;
    let mut raw = imap::open(&server).await;
    let before = imap::run(&mut raw, "CAPABILITY").await;
    assert!(before[0].contains("AUTH=PLAIN AUTH=XOAUTH2") && !before[0].contains("LOGINDISABLED"));

    let server = of(Variant::TcpProxy).await;
    let mut raw = Raw::open(&server, &server.imap()).await;
    let greeting = raw.line().await;
    assert!(greeting.starts_with("* OK Microsoft Exchange IMAP4 service ready. "), "{greeting}");
    assert!(greeting.contains("(tcpproxy/") && greeting.ends_with("vAG0A]"), "{greeting}");
    let mut pop = Raw::open(&server, &server.pop()).await;
    assert!(pop.line().await.starts_with("+OK Microsoft Exchange POP3 server ready (tcpproxy/"));
    let mut raw = imap::logged_in(&server).await;
    let after = imap::run(&mut raw, "CAPABILITY").await;
    assert!(after[0].contains(" ENABLE IMAP4rev2 "), "{}", after[0]);
    imap::run(&mut raw, "SELECT INBOX").await;
    assert!(imap::run(&mut raw, "SEARCH ALL").await.last().unwrap().starts_with("t OK"));
    let enabled = imap::run(&mut raw, "ENABLE IMAP4rev2").await;
    assert_eq!(enabled, ["* ENABLED IMAP4rev2", "t OK ENABLE completed."]);
    for command in ["SEARCH ALL", "UID SEARCH ALL", "LSUB \"\" *"] {
        let lines = imap::run(&mut raw, command).await;
        assert_eq!(lines, ["t BAD Command Argument Error. 11"], "{command}");
    }

    let server = of(Variant::LowerCase).await;
    let mut raw = Raw::open(&server, &server.imap()).await;
    assert!(raw.line().await.starts_with("* ok The Microsoft"));
    let list = imap::run(&mut raw, "CAPABILITY").await;
    assert!(list[0].starts_with("* capability imap4 imap4rev1 auth=xoauth2 "), "{}", list[0]);
    assert!(list[1].starts_with("t ok "), "{}", list[1]);
    let mut raw = Raw::open(&server, &server.smtp_implicit()).await;
    raw.line().await;
    raw.send("EHLO x").await;
    assert!(raw.until("250 ").await.contains(&"250-auth login xoauth2".to_owned()));
    let mut raw = pop::open(&server).await;
    raw.send("CAPA").await;
    assert!(raw.until(".").await.contains(&"sasl plain xoauth2".to_owned()));
}

#[tokio::test]
async fn high_volume_email_sends_as_itself_to_its_own_domain() {
    let server = server_of(Service::HighVolumeEmail).await;
    server.allow(USER, OTHER);
    let mut raw = Raw::open(&server, &server.smtp_implicit()).await;
    raw.line().await;
    raw.send("EHLO x").await;
    assert!(raw.until("250 ").await.contains(&"250-SIZE 10485760".to_owned()));
    let mut raw = smtp::logged_in(&server).await;
    assert!(raw.ask(&format!("MAIL FROM:<{OTHER}>")).await.starts_with("550 5.7.62 "));
    raw.ask(&format!("MAIL FROM:<{USER}>")).await;
    let reply = raw.ask("RCPT TO:<someone@example.com>").await;
    assert!(reply.starts_with("550 5.5.105 External sending is not supported"), "{reply}");
    for _ in 0..50 {
        assert_eq!(raw.ask(&format!("RCPT TO:<{OTHER}>")).await, "250 2.1.5 Recipient OK");
    }
    assert!(raw.ask(&format!("RCPT TO:<{OTHER}>")).await.starts_with("452 4.5.3 "));
    raw.ask("RSET").await;
    smtp::envelope(&mut raw, USER, OTHER).await;
    smtp::data(&mut raw, format!("From: {OTHER}\r\n\r\nhi\r\n").as_bytes()).await;
    assert!(raw.line().await.starts_with("550 5.6.241 "));
    smtp::envelope(&mut raw, USER, OTHER).await;
    smtp::data(&mut raw, format!("From: {USER}\r\n\r\nhi\r\n").as_bytes()).await;
    assert!(raw.line().await.starts_with("250 2.0.0 OK "));
}

#[tokio::test]
async fn high_volume_email_names_the_missing_permission() {
    let server = server_of(Service::HighVolumeEmail).await;
    let mut raw = smtp::open(&server).await;
    for (jwt, words) in [
        (Jwt::of_user(USER).scopes(["SMTP.Send"]), "535 5.7.144 "),
        (Jwt::of_user(USER).lifetime(Duration::from_secs(300)), "535 5.7.142 "),
        (Jwt::of_user(USER).expires_at(1), "535 5.7.143 "),
        (Jwt::of_user(USER).audience("https://graph.microsoft.com"), "535 5.7.3 "),
        (Jwt::of_user(USER).scopes(["Mail.Send"]), "235 "),
    ] {
        let response = xoauth2(USER, &server.issue_jwt(jwt));
        let reply = raw.ask(&format!("AUTH XOAUTH2 {response}")).await;
        assert!(reply.starts_with(words), "{reply}");
    }
}

#[tokio::test]
async fn gmail_speaks_as_gmail() {
    let server = server_of(Service::Gmail).await;
    let mut raw = smtp::open(&server).await;
    assert!(raw.ask(&format!("MAIL FROM:<{USER}>")).await.starts_with("530-5.7.0 Authentication"));
    raw.line().await;
    raw.ask("AUTH XOAUTH2").await;
    assert_eq!(raw.ask(&good(&server)).await, "235 2.7.0 Accepted");
    raw.send(&format!("MAIL FROM:<{OTHER}>\r\nRCPT TO:<{OTHER}>\r\nDATA")).await;
    for words in ["250 2.1.0 OK ", "250 2.1.5 OK ", "354 Go ahead "] {
        let reply = raw.line().await;
        assert!(reply.starts_with(words) && reply.ends_with("gsmtp"), "{reply}");
    }
    smtp::data(&mut raw, b"hi\r\n").await;
    let reply = raw.line().await;
    assert!(reply.starts_with("250 2.0.0 OK ") && reply.ends_with(" - gsmtp"), "{reply}");
    // Claims mean nothing there.
    let mut imap = imap::open(&server).await;
    let id = imap::run(&mut imap, "ID NIL").await;
    assert!(id[0].contains(r#""GImap""#), "{}", id[0]);
    let jwt = xoauth2(USER, &server.issue_jwt(Jwt::of_user(USER).audience("elsewhere")));
    let lines = imap::run(&mut imap, &format!("AUTHENTICATE XOAUTH2 {jwt}")).await;
    assert!(lines.last().unwrap().starts_with("t OK"), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_jwt_ends_when_its_claim_says_so() {
    let server = server().await;
    let token = server.issue_jwt(Jwt::of_user(USER).lifetime(Duration::from_secs(90)));
    let login = format!("AUTHENTICATE XOAUTH2 {}", xoauth2(USER, &token));
    let mut raw = imap::open(&server).await;
    assert!(imap::run(&mut raw, &login).await[0].starts_with("t OK"));
    tokio::time::advance(Duration::from_secs(91)).await;
    assert_eq!(raw.ask("t NOOP").await, "* BYE Session invalidated - AccessTokenExpired");
}

#[tokio::test]
async fn an_application_needs_registration_and_a_right() {
    let object = "22223333-CCCC-4444-dddd-5555eeee6666";
    let server = server().await;
    let token = server.issue_jwt(Jwt::of_application(object));
    let login = format!("AUTHENTICATE XOAUTH2 {}", xoauth2(USER, &token));
    let mut raw = imap::open(&server).await;
    assert_eq!(imap::run(&mut raw, &login).await, ["t NO AUTHENTICATE failed."]);
    // The object id of the app registration in place of that of the enterprise application.
    server.register_service_principal(Jwt::APPLICATION, "44445555-eeee-6666-ffff-7777aaaa8888");
    assert_eq!(imap::run(&mut raw, &login).await, ["t NO AUTHENTICATE failed."]);
    server.register_service_principal(Jwt::APPLICATION, &object.to_lowercase());
    assert_eq!(imap::run(&mut raw, &login).await, ["t OK AUTHENTICATE completed."]);
    let refused = imap::run(&mut raw, "NAMESPACE").await;
    assert_eq!(refused, ["t BAD User is authenticated but not connected."]);
    server.allow(object, USER);
    let mut raw = imap::open(&server).await;
    imap::run(&mut raw, &login).await;
    assert!(imap::run(&mut raw, "NAMESPACE").await[1].starts_with("t OK"));
}
