//! SMTP.

use super::*;

/// Connects with TLS and reads up to the end of the EHLO reply.
pub(super) async fn open(server: &Server) -> Raw {
    let mut raw = Raw::open(server, &server.smtp_implicit()).await;
    raw.line().await;
    raw.send("EHLO [127.0.0.1]").await;
    raw.until("250 ").await;
    raw
}

pub(super) async fn logged_in(server: &Server) -> Raw {
    let mut raw = open(server).await;
    let token = server.issue_token(USER);
    assert_eq!(raw.ask("AUTH XOAUTH2").await, "334 ");
    let reply = raw.ask(&xoauth2(USER, &token)).await;
    assert!(reply.starts_with("235 "), "{reply}");
    raw
}

/// MAIL, RCPT and DATA in one flight.
pub(super) async fn envelope(raw: &mut Raw, from: &str, to: &str) {
    raw.send(&format!("MAIL FROM:<{from}>\r\nRCPT TO:<{to}>\r\nDATA")).await;
    assert_eq!(raw.line().await, "250 2.1.0 Sender OK");
    assert_eq!(raw.line().await, "250 2.1.5 Recipient OK");
    assert_eq!(raw.line().await, "354 Start mail input; end with <CRLF>.<CRLF>");
}

/// A message with its dots stuffed, and the final dot.
pub(super) async fn data(raw: &mut Raw, message: &[u8]) {
    let mut stuffed = Vec::new();
    for (at, octet) in message.iter().enumerate() {
        if *octet == b'.' && (at == 0 || message[..at].ends_with(b"\r\n")) {
            stuffed.push(b'.');
        }
        stuffed.push(*octet);
    }
    stuffed.extend(b".\r\n");
    raw.send_bytes(&stuffed).await;
}

#[tokio::test]
async fn auth_is_offered_after_tls_only() {
    let server = server().await;
    let mut raw = Raw::open(&server, &server.smtp()).await;
    let greeting = raw.line().await;
    assert!(
        greeting.starts_with(
            "220 TYCP286CA0192.outlook.office365.com Microsoft ESMTP MAIL Service ready at "
        ),
        "{greeting}"
    );
    raw.send("EHLO [127.0.0.1]").await;
    let clear = raw.until("250 ").await;
    assert_eq!(
        clear,
        [
            "250-TYCP286CA0192.outlook.office365.com Hello [127.0.0.1]",
            "250-SIZE 157286400",
            "250-PIPELINING",
            "250-DSN",
            "250-ENHANCEDSTATUSCODES",
            "250-STARTTLS",
            "250-8BITMIME",
            "250-BINARYMIME",
            "250-CHUNKING",
            "250 SMTPUTF8",
        ]
    );
    assert_eq!(raw.ask("AUTH XOAUTH2").await, "504 5.7.4 Unrecognized authentication type");
    assert_eq!(raw.ask("STARTTLS").await, "220 2.0.0 SMTP server ready");
    let mut raw = raw.start_tls("localhost").await;
    assert_eq!(raw.ask("AUTH XOAUTH2").await, "503 5.5.2 Send hello first");
    assert_eq!(raw.ask("MAIL FROM:<a@b.c>").await, "503 5.5.2 Send hello first");
    raw.send("EHLO [127.0.0.1]").await;
    let tls = raw.until("250 ").await;
    assert_eq!(tls[5], "250-AUTH LOGIN XOAUTH2");
    assert_eq!((tls.len(), tls.contains(&"250-STARTTLS".to_owned())), (clear.len(), false));
}

#[tokio::test]
async fn a_refused_token_leaves_the_connection_open() {
    let server = server().await;
    let mut raw = open(&server).await;
    let refused = "535 5.7.3 Authentication unsuccessful [SN2PR00CA0018.namprd00.prod.outlook.com]";
    let token = server.issue_token(USER);
    // Not issued; the token of one who may not open the mailbox; expired; rejected.
    assert_eq!(raw.ask("auth xoauth2").await, "334 ");
    assert_eq!(raw.ask(&xoauth2(USER, "guess")).await, refused);
    assert_eq!(raw.ask(&format!("AUTH XOAUTH2 {}", xoauth2(OTHER, &token))).await, refused);
    server.expire_token(&token);
    assert_eq!(raw.ask(&format!("AUTH XOAUTH2 {}", xoauth2(USER, &token))).await, refused);
    let token = server.issue_token(USER);
    server.reject_token(&token);
    assert_eq!(raw.ask(&format!("AUTH XOAUTH2 {}", xoauth2(USER, &token))).await, refused);
    let token = server.issue_token(USER);
    assert_eq!(
        raw.ask(&format!("AUTH XOAUTH2 {}", xoauth2(USER, &token))).await,
        "235 2.7.0 Authentication successful"
    );
    assert_eq!(raw.ask("AUTH XOAUTH2").await, "503 5.5.2 Bad sequence of commands");
}

#[tokio::test(start_paused = true)]
async fn a_token_is_refused_once_its_lifetime_is_over() {
    let server = server().await;
    let token = server.issue_token_with_lifetime(USER, Duration::from_secs(90));
    let mut raw = open(&server).await;
    tokio::time::advance(Duration::from_secs(90)).await;
    let reply = raw.ask(&format!("AUTH XOAUTH2 {}", xoauth2(USER, &token))).await;
    assert!(reply.starts_with("535 5.7.3 "), "{reply}");
}

#[tokio::test]
async fn sending_needs_a_login_and_the_right_to_the_sender() {
    let server = server().await;
    let mut raw = open(&server).await;
    let reply = raw.ask(&format!("MAIL FROM:<{USER}>")).await;
    assert!(reply.starts_with("530 5.7.57 Client not authenticated to send mail"), "{reply}");
    let mut raw = logged_in(&server).await;
    let denied = "550 5.7.60 SMTP; Client does not have permissions to send as this sender";
    let reply = raw.ask(&format!("MAIL FROM:<{OTHER}>")).await;
    assert!(reply.starts_with(denied), "{reply}");
    server.allow(USER, OTHER);
    assert_eq!(raw.ask(&format!("MAIL FROM:<{OTHER}> SIZE=100")).await, "250 2.1.0 Sender OK");
}

#[tokio::test]
async fn a_foreign_from_field_is_denied_after_data() {
    let server = server().await;
    let mut raw = logged_in(&server).await;
    envelope(&mut raw, USER, OTHER).await;
    data(&mut raw, b"From: Boss <boss@contoso.example>\r\n\r\nhi\r\n").await;
    let reply = raw.line().await;
    assert!(reply.starts_with("554 5.2.252 SendAsDenied; billing@contoso.example"), "{reply}");
    assert!(server.messages(OTHER).is_empty() && server.messages_in(USER, "Sent").is_empty());
}

#[tokio::test]
async fn each_recipient_is_answered_for_itself() {
    let server = server().await;
    let mut raw = logged_in(&server).await;
    raw.send(&format!(
        "MAIL FROM:<{USER}>\r\nRCPT TO:<nobody@contoso.example>\r\nRCPT TO:<{OTHER}>\r\nDATA"
    ))
    .await;
    raw.line().await;
    assert_eq!(
        raw.line().await,
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"
    );
    assert_eq!(raw.line().await, "250 2.1.5 Recipient OK");
    raw.line().await;
    data(&mut raw, b"hi\r\n").await;
    let reply = raw.line().await;
    assert!(reply.starts_with("250 2.0.0 OK <") && reply.contains("> [Hostname="), "{reply}");
    assert_eq!(server.messages(OTHER), [b"hi\r\n"]);
}

#[tokio::test]
async fn commands_out_of_order_are_refused() {
    let server = server().await;
    let mut raw = logged_in(&server).await;
    assert_eq!(raw.ask("DATA").await, "503 5.5.2 Need mail command");
    assert_eq!(raw.ask(&format!("RCPT TO:<{OTHER}>")).await, "503 5.5.2 Need mail command");
    raw.ask(&format!("MAIL FROM:<{USER}>")).await;
    assert_eq!(raw.ask("DATA").await, "503 5.5.2 Need rcpt command");
    assert_eq!(raw.ask("RSET").await, "250 2.0.0 Resetting");
    assert_eq!(raw.ask("NOOP").await, "250 2.0.0 OK");
    let reply = raw.ask(&format!("MAIL FROM:<{USER}> SIZE=157286401")).await;
    assert_eq!(reply, "552 5.3.4 Message size exceeds fixed maximum message size");
    assert!(raw.ask("FROB x").await.starts_with("500 5.3.3 Unrecognized command 'FROB'"));
    assert_eq!(raw.ask("QUIT").await, "221 2.0.0 Service closing transmission channel");
    raw.ends().await;
}

#[tokio::test]
async fn chunks_are_put_together_and_read_even_if_refused() {
    let server = server().await;
    let mut raw = logged_in(&server).await;
    raw.send_bytes(b"BDAT 6\r\nNOOP\r\n").await;
    assert_eq!(raw.line().await, "503 5.5.2 Need mail command");
    raw.send(&format!("MAIL FROM:<{USER}> BODY=BINARYMIME\r\nRCPT TO:<{OTHER}>")).await;
    raw.line().await;
    raw.line().await;
    raw.send_bytes(b"BDAT 5\r\n.\r\n\x00\rBDAT 3 LAST\r\n\nxy").await;
    assert_eq!(raw.line().await, "250 2.6.0 CHUNK received OK, 5 octets");
    assert!(raw.line().await.starts_with("250 2.0.0 OK <"));
    assert_eq!(server.messages(OTHER), [b".\r\n\x00\r\nxy"]);
}

#[tokio::test]
async fn faults_at_auth_are_answered_as_the_services_do() {
    let cases = [
        (
            Fault::SmtpAuthDisabledForTenant,
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the \
             Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.",
        ),
        (
            Fault::SmtpAuthDisabledForMailbox,
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the \
             Mailbox. Visit https://aka.ms/smtp_auth_disabled for more information.",
        ),
        (Fault::TemporaryAuthFailure, "454 4.7.0 Temporary authentication failure"),
        (Fault::HveInvalidAuthData, "501 5.5.124 Invalid XOAUTH2 auth data - User address"),
        (Fault::HveTokenExpiresSoon, "535 5.7.142 "),
        (Fault::HveTokenExpired, "535 5.7.143 "),
        (
            Fault::HveInvalidPermissions,
            "535 5.7.144 XOAUTH2 authentication failed. Invalid API permissions",
        ),
        (
            Fault::HveApplicationNotAllowed,
            "550 5.7.240 The application is not allowed for use with this High Volume Email account",
        ),
    ];
    let server = server().await;
    let token = server.issue_token(USER);
    let mut raw = open(&server).await;
    for (fault, expected) in cases {
        server.inject(fault);
        let reply = raw.ask(&format!("AUTH XOAUTH2 {}", xoauth2(USER, &token))).await;
        assert!(reply.starts_with(expected), "{reply}");
    }
    assert!(server.logins().iter().all(|login| login.used(&token) && !login.accepted()));
    let reply = raw.ask(&format!("AUTH XOAUTH2 {}", xoauth2(USER, &token))).await;
    assert!(reply.starts_with("235"), "faults strike once: {reply}");
}

#[tokio::test]
async fn high_volume_email_says_what_is_wrong_with_the_credentials() {
    let server = server_of(Service::HighVolumeEmail).await;
    let mut raw = open(&server).await;
    let short = server.issue_token_with_lifetime(USER, Duration::from_secs(590));
    let expired = server.issue_token(USER);
    server.expire_token(&expired);
    for (response, expected) in [
        (xoauth2("application", "T"), "501 5.5.124 "),
        ("dXNlcg".to_owned(), "501 5.5.122 "),
        (xoauth2(USER, &short), "535 5.7.142 "),
        (xoauth2(USER, &expired), "535 5.7.143 "),
        (xoauth2(USER, "guess"), "535 5.7.3 Authentication unsuccessful"),
    ] {
        let reply = raw.ask(&format!("AUTH XOAUTH2 {response}")).await;
        assert!(reply.starts_with(expected) && !reply.contains('['), "{reply}");
    }
    let token = server.issue_token(USER);
    assert!(raw.ask(&format!("AUTH XOAUTH2 {}", xoauth2(USER, &token))).await.starts_with("235"));
    server.expire_token(&token);
    assert!(raw.ask(&format!("MAIL FROM:<{USER}>")).await.starts_with("535 5.7.143 "));
}

#[tokio::test]
async fn drop_after_data_delivers_and_says_nothing() {
    let server = server().await;
    server.inject(Fault::DropAfterData);
    let mut raw = logged_in(&server).await;
    envelope(&mut raw, USER, OTHER).await;
    data(&mut raw, b"hi\r\n").await;
    raw.ends().await;
    assert_eq!(server.messages(OTHER).len(), 1);
}

#[tokio::test]
async fn the_connection_limit_shows_after_data() {
    let server = server().await;
    server.inject(Fault::ConnectionLimit);
    let mut raw = logged_in(&server).await;
    for expected in ["432 4.3.2 Concurrent connections limit exceeded.", "250 2.0.0 OK <"] {
        envelope(&mut raw, USER, OTHER).await;
        data(&mut raw, b"hi\r\n").await;
        let reply = raw.line().await;
        assert!(reply.starts_with(expected), "{reply}");
    }
    assert_eq!(server.messages(OTHER).len(), 1);
}

#[tokio::test]
async fn a_line_injected_into_starttls_comes_in_the_clear() {
    let server = server().await;
    server.inject(Fault::StartTlsInjection);
    let mut raw = Raw::open(&server, &server.smtp()).await;
    raw.line().await;
    raw.send("EHLO [127.0.0.1]").await;
    raw.until("250 ").await;
    assert_eq!(raw.ask("STARTTLS").await, "220 2.0.0 SMTP server ready");
    assert_eq!(raw.line().await, "250 2.0.0 injected");
}

#[tokio::test]
async fn any_command_can_be_given_another_reply() {
    let server = server().await;
    let fault = |verb, reply| Fault::Reply { protocol: Protocol::Smtp, verb, reply };
    server.inject(fault("RCPT", "451 4.7.0 Temporary server error. Please try again later."));
    server.inject(fault(".", "554 5.2.2 mailbox full"));
    server.inject(fault("NOOP", "421 4.3.2 Service not active"));
    let mut raw = logged_in(&server).await;
    raw.ask(&format!("MAIL FROM:<{USER}>")).await;
    assert!(raw.ask(&format!("RCPT TO:<{OTHER}>")).await.starts_with("451 4.7.0 "));
    raw.ask("RSET").await;
    envelope(&mut raw, USER, OTHER).await;
    data(&mut raw, b"hi\r\n").await;
    assert_eq!(raw.line().await, "554 5.2.2 mailbox full");
    assert!(server.messages(OTHER).is_empty());
    assert_eq!(raw.ask("NOOP").await, "421 4.3.2 Service not active");
    raw.ends().await;
}

#[tokio::test]
async fn gmail_sends_json_before_it_refuses() {
    let server = server_of(Service::Gmail).await;
    let mut raw = open(&server).await;
    raw.send("EHLO [127.0.0.1]").await;
    let list = raw.until("250 ").await;
    assert!(
        list.contains(
            &"250-AUTH LOGIN PLAIN XOAUTH2 PLAIN-CLIENTTOKEN OAUTHBEARER XOAUTH".to_owned()
        )
    );
    let challenge = "334 eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWw\
                     uZ29vZ2xlLmNvbS8ifQ==";
    raw.ask("AUTH XOAUTH2").await;
    assert_eq!(raw.ask(&xoauth2(USER, "guess")).await, challenge);
    assert!(raw.ask("").await.starts_with("535-5.7.8 Username and Password not accepted."));
    assert!(raw.line().await.starts_with("535 5.7.8 "));
    raw.ask("AUTH OAUTHBEARER").await;
    let bearer = |token| STANDARD.encode(format!("n,a={USER},\x01auth=Bearer {token}\x01\x01"));
    assert_eq!(raw.ask(&bearer("guess")).await, challenge);
    assert!(raw.ask("AQ==").await.starts_with("535-5.7.8 "));
    raw.line().await;
    let token = server.issue_token(USER);
    raw.ask("AUTH OAUTHBEARER").await;
    assert_eq!(raw.ask(&bearer(&token)).await, "235 2.7.0 Accepted");
}

#[tokio::test]
async fn gmail_hangs_up_on_a_long_auth_line() {
    let server = server_of(Service::Gmail).await;
    let token = server.issue_token(USER);
    let mut raw = open(&server).await;
    let reply = raw.ask(&format!("AUTH XOAUTH2 {}", xoauth2(USER, &token))).await;
    assert!(reply.starts_with("555-5.5.2 Syntax error, command line too long"), "{reply}");
    raw.line().await;
    raw.ends().await;
}

#[tokio::test]
async fn one_line_auth_can_be_forbidden_elsewhere() {
    let server = server().await;
    server.inject_always(Fault::OneLineAuth555);
    let mut raw = open(&server).await;
    assert!(raw.ask("AUTH XOAUTH2 dA==").await.starts_with("555-5.5.2 "));
    logged_in(&server).await;
    server.clear_faults();
    let mut raw = open(&server).await;
    assert!(raw.ask("AUTH XOAUTH2 dA==").await.starts_with("535 5.7.3 "));
}

#[tokio::test]
async fn an_exchange_can_be_cancelled_and_passwords_are_refused() {
    let server = server().await;
    let mut raw = open(&server).await;
    raw.ask("AUTH XOAUTH2").await;
    assert!(raw.ask("*").await.starts_with("501 "));
    assert_eq!(raw.ask("AUTH LOGIN").await, "334 VXNlcm5hbWU6");
    raw.ask("YQ==").await;
    assert!(raw.ask("YQ==").await.starts_with("535 5.7.139 "));
    assert!(raw.ask("AUTH OAUTHBEARER").await.starts_with("504 "));
}
