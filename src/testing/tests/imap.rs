//! IMAP.

use super::*;

/// Connects with TLS and reads the greeting.
pub(super) async fn open(server: &Server) -> Raw {
    let mut raw = Raw::open(server, &server.imap()).await;
    let greeting = raw.line().await;
    assert!(greeting.starts_with("* OK "), "{greeting}");
    raw
}

pub(super) async fn logged_in(server: &Server) -> Raw {
    let token = server.issue_token(USER);
    let mut raw = open(server).await;
    let reply = raw.ask(&format!("a AUTHENTICATE XOAUTH2 {}", xoauth2(USER, &token))).await;
    assert_eq!(reply, "a OK AUTHENTICATE completed.");
    raw
}

async fn selected(server: &Server) -> Raw {
    let mut raw = logged_in(server).await;
    raw.send("s SELECT INBOX").await;
    raw.until("s OK").await;
    raw
}

/// Sends a command with the tag `t` and reads up to its reply.
pub(super) async fn run(raw: &mut Raw, command: &str) -> Vec<String> {
    raw.send(&format!("t {command}")).await;
    raw.until("t ").await
}

const MESSAGE: &[u8] = b"From: Ann <ann@contoso.example>\r\nTo: billing@contoso.example\r\n\
                         Subject: Invoice\r\nMessage-ID: <1@contoso.example>\r\n\r\nPlease pay.\r\n";

#[tokio::test]
async fn capabilities_are_those_of_exchange_before_and_after_login() {
    let server = server().await;
    let mut raw = open(&server).await;
    assert_eq!(
        run(&mut raw, "CAPABILITY").await,
        [
            "* CAPABILITY IMAP4 IMAP4rev1 AUTH=XOAUTH2 LOGINDISABLED SASL-IR UIDPLUS MOVE ID \
             UNSELECT CHILDREN IDLE NAMESPACE LITERAL+",
            "t OK CAPABILITY completed."
        ]
    );
    assert_eq!(raw.ask("a AUTHENTICATE xoauth2").await, "+ ");
    let response = xoauth2(USER, &server.issue_token(USER));
    assert_eq!(raw.ask(&response).await, "a OK AUTHENTICATE completed.");
    let after = run(&mut raw, "CAPABILITY").await;
    assert_eq!(
        after[0],
        "* CAPABILITY IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS MOVE ID UNSELECT \
         CLIENTACCESSRULES CLIENTNETWORKPRESENCELOCATION BACKENDAUTHENTICATE CHILDREN IDLE \
         NAMESPACE LITERAL+"
    );
    assert_eq!(run(&mut raw, "NAMESPACE").await[0], r#"* NAMESPACE (("" "/")) NIL NIL"#);
}

#[tokio::test]
async fn nothing_is_offered_in_the_clear_but_starttls() {
    let server = server().await;
    let mut raw = Raw::open(&server, &server.imap_starttls()).await;
    raw.line().await;
    let clear = run(&mut raw, "CAPABILITY").await;
    assert!(clear[0].contains("STARTTLS") && !clear[0].contains("AUTH="), "{}", clear[0]);
    assert!(run(&mut raw, "AUTHENTICATE XOAUTH2 dA==").await[0].starts_with("t BAD"));
    assert_eq!(raw.ask("t STARTTLS").await, "t OK Begin TLS negotiation now.");
    let mut raw = raw.start_tls("localhost").await;
    let secure = run(&mut raw, "CAPABILITY").await;
    assert!(!secure[0].contains("STARTTLS") && secure[0].contains("AUTH=XOAUTH2"));
    server.inject(Fault::StartTlsInjection);
    let mut raw = Raw::open(&server, &server.imap_starttls()).await;
    raw.line().await;
    raw.ask("t STARTTLS").await;
    assert_eq!(raw.line().await, "* OK injected");
}

#[tokio::test]
async fn a_refused_token_is_answered_no() {
    let server = server().await;
    let mut raw = open(&server).await;
    let reply = run(&mut raw, &format!("AUTHENTICATE XOAUTH2 {}", xoauth2(USER, "guess"))).await;
    assert_eq!(reply, ["t NO AUTHENTICATE failed."]);
    assert_eq!(run(&mut raw, "LOGIN a b").await, ["t NO Basic authentication is disabled."]);
    assert_eq!(run(&mut raw, "SELECT INBOX").await, ["t BAD Command received in Invalid state."]);
}

#[tokio::test]
async fn a_foreign_mailbox_is_answered_ok_and_then_not_connected() {
    let server = server().await;
    let token = server.issue_token(USER);
    let login = format!("AUTHENTICATE XOAUTH2 {}", xoauth2(OTHER, &token));
    let mut raw = open(&server).await;
    assert_eq!(run(&mut raw, &login).await, ["t OK AUTHENTICATE completed."]);
    run(&mut raw, "CAPABILITY").await;
    assert_eq!(
        run(&mut raw, "NAMESPACE").await,
        ["t BAD User is authenticated but not connected."]
    );
    assert_eq!(raw.line().await, "* BYE Connection closed. 14");
    raw.ends().await;
    assert!(!server.logins()[0].accepted());
    server.allow(USER, OTHER);
    let mut raw = open(&server).await;
    run(&mut raw, &login).await;
    assert!(run(&mut raw, "NAMESPACE").await[1].starts_with("t OK"));
}

#[tokio::test]
async fn faults_of_the_login_strike_once() {
    let server = server().await;
    server.inject(Fault::NotConnected);
    server.inject(Fault::Throttled);
    server.inject(Fault::JsonChallenge);
    let good = format!("AUTHENTICATE XOAUTH2 {}", xoauth2(USER, &server.issue_token(USER)));
    let mut raw = open(&server).await;
    assert_eq!(run(&mut raw, &good).await, ["t NO User is authenticated but not connected"]);
    assert!(
        raw.ask(&format!("t AUTHENTICATE XOAUTH2 {}", xoauth2(USER, "x")))
            .await
            .starts_with("+ eyJ")
    );
    assert_eq!(raw.ask("").await, "t NO AUTHENTICATE failed.");
    run(&mut raw, &good).await;
    run(&mut raw, "CAPABILITY").await;
    assert_eq!(
        run(&mut raw, "SELECT INBOX").await,
        ["t BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds"]
    );
    assert!(run(&mut raw, "SELECT INBOX").await.last().unwrap().starts_with("t OK"));
    server.inject(Fault::NotConnectedAfterLogin);
    let mut raw = open(&server).await;
    run(&mut raw, &good).await;
    assert!(run(&mut raw, "NAMESPACE").await[0].starts_with("t BAD User is authenticated but"));
}

#[tokio::test]
async fn any_command_can_be_given_another_reply() {
    let server = server().await;
    let fault = |verb, reply| Fault::Reply { protocol: Protocol::Imap, verb, reply };
    server.inject(fault("SELECT", "NO [UNAVAILABLE] later"));
    server.inject(fault("NOOP", "* BYE Connection is closed. 13"));
    let mut raw = logged_in(&server).await;
    assert_eq!(run(&mut raw, "SELECT INBOX").await, ["t NO [UNAVAILABLE] later"]);
    assert_eq!(raw.ask("t NOOP").await, "* BYE Connection is closed. 13");
    raw.ends().await;
}

const BYE: &str = "* BYE Session invalidated - AccessTokenExpired";

#[tokio::test]
async fn sessions_end_with_their_token() {
    let server = server().await;
    let token = server.issue_token(USER);
    let mut raw = open(&server).await;
    run(&mut raw, &format!("AUTHENTICATE XOAUTH2 {}", xoauth2(USER, &token))).await;
    let mut idling = logged_in(&server).await;
    idling.ask("t IDLE").await;
    let mut stranger = open(&server).await;
    server.expire_token(&token);
    assert_eq!(raw.line().await, BYE);
    raw.ends().await;
    server.expire_sessions();
    assert_eq!(idling.line().await, BYE);
    idling.ends().await;
    run(&mut stranger, "CAPABILITY").await;
    // Sessions that begin afterwards are not concerned.
    assert!(run(&mut logged_in(&server).await, "NOOP").await[0].starts_with("t OK"));
}

#[tokio::test(start_paused = true)]
async fn time_alone_ends_an_idling_session() {
    let server = server().await;
    let token = server.issue_token_with_lifetime(USER, Duration::from_secs(600));
    let mut raw = open(&server).await;
    run(&mut raw, &format!("AUTHENTICATE XOAUTH2 {}", xoauth2(USER, &token))).await;
    let start = tokio::time::Instant::now();
    assert_eq!(raw.ask("t IDLE").await, "+ IDLE accepted, awaiting DONE command.");
    assert_eq!(raw.line().await, BYE);
    assert!(start.elapsed() >= Duration::from_secs(600));
}

#[tokio::test(start_paused = true)]
async fn a_command_after_the_token_ran_out_is_answered_bye() {
    let server = server().await;
    let token = server.issue_token_with_lifetime(USER, Duration::from_secs(600));
    let mut raw = open(&server).await;
    run(&mut raw, &format!("AUTHENTICATE XOAUTH2 {}", xoauth2(USER, &token))).await;
    tokio::time::advance(Duration::from_secs(600)).await;
    assert_eq!(raw.ask("t NOOP").await, BYE);
    raw.ends().await;
}

#[tokio::test]
async fn gmail_brings_capabilities_with_the_login_and_keeps_sessions() {
    let server = server_of(Service::Gmail).await;
    let token = server.issue_token(USER);
    let mut raw = open(&server).await;
    let before = run(&mut raw, "CAPABILITY").await;
    assert!(before[0].contains("AUTH=OAUTHBEARER") && before[1].contains("Thats all she wrote!"));
    raw.send(&format!("t AUTHENTICATE XOAUTH2 {}", xoauth2(USER, "guess"))).await;
    assert!(raw.line().await.starts_with("+ eyJ"));
    assert_eq!(raw.ask("").await, "t NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)");
    let login = run(&mut raw, &format!("AUTHENTICATE XOAUTH2 {}", xoauth2(USER, &token))).await;
    assert!(login[0].starts_with("* CAPABILITY IMAP4rev1 UNSELECT IDLE"), "{login:?}");
    assert_eq!(login[1], "t OK user authenticated (Success)");
    server.expire_token(&token);
    assert_eq!(run(&mut raw, "NOOP").await, ["t OK NOOP completed."]);
    server.expire_sessions();
    assert_eq!(raw.line().await, BYE);
}

#[tokio::test]
async fn a_folder_is_selected_as_exchange_does_it() {
    let server = server().await;
    server.deliver(USER, MESSAGE);
    let mut raw = logged_in(&server).await;
    assert_eq!(
        run(&mut raw, "SELECT \"inbox\"").await,
        [
            "* 1 EXISTS",
            "* 0 RECENT",
            r"* FLAGS (\Seen \Answered \Flagged \Deleted \Draft $MDNSent)",
            r"* OK [PERMANENTFLAGS (\Seen \Answered \Flagged \Deleted \Draft $MDNSent)] Permanent flags",
            "* OK [UNSEEN 1] Is the first unseen message",
            "* OK [UIDVALIDITY 1] UIDVALIDITY value",
            "* OK [UIDNEXT 2] The next unique identifier value",
            "t OK [READ-WRITE] SELECT completed.",
        ]
    );
}

#[tokio::test]
async fn a_name_may_come_as_a_literal_of_either_kind() {
    let server = server().await;
    let mut raw = logged_in(&server).await;
    assert_eq!(raw.ask("t EXAMINE {5}").await, "+ Ready for additional command text.");
    raw.send("INBOX").await;
    assert_eq!(raw.until("t ").await.pop().unwrap(), "t OK [READ-ONLY] EXAMINE completed.");
    raw.send("t EXAMINE {4+}\r\nSent").await;
    assert_eq!(raw.until("t ").await.pop().unwrap(), "t OK [READ-ONLY] EXAMINE completed.");
    let refused = run(&mut raw, "STORE 1 +FLAGS (\\Seen)").await;
    assert_eq!(refused, ["t NO The folder is opened read-only."]);
    assert!(run(&mut raw, "SELECT Nowhere").await[0].starts_with("t NO"));
    assert!(run(&mut raw, "CLOSE").await[0].starts_with("t BAD"), "a failed SELECT deselects");
}

#[tokio::test]
async fn folders_are_listed_and_counted() {
    let server = server().await;
    server.deliver(USER, MESSAGE);
    let mut raw = logged_in(&server).await;
    let all = run(&mut raw, "LIST \"\" *").await;
    assert_eq!(
        all,
        [
            r#"* LIST (\HasNoChildren) "/" INBOX"#,
            r#"* LIST (\HasNoChildren \Sent) "/" Sent"#,
            r#"* LIST (\HasNoChildren \Drafts) "/" Drafts"#,
            r#"* LIST (\HasNoChildren \Trash) "/" Deleted"#,
            r#"* LIST (\HasNoChildren \Junk) "/" Junk"#,
            "t OK LIST completed.",
        ]
    );
    assert_eq!(run(&mut raw, "LIST \"\" \"\"").await[0], r#"* LIST (\Noselect) "/" """#);
    assert_eq!(
        run(&mut raw, "STATUS INBOX (MESSAGES UNSEEN UIDNEXT UIDVALIDITY RECENT)").await[0],
        "* STATUS INBOX (MESSAGES 1 UNSEEN 1 UIDNEXT 2 UIDVALIDITY 1 RECENT 0)"
    );
    assert!(run(&mut raw, "ID NIL").await[0].starts_with("* ID (\"name\""));
}

#[tokio::test]
async fn fetch_gives_what_was_asked() {
    let server = server().await;
    server.deliver(USER, MESSAGE);
    let mut raw = selected(&server).await;
    let meta = run(&mut raw, "UID FETCH 1:* (FLAGS RFC822.SIZE INTERNALDATE)").await;
    let size = MESSAGE.len();
    assert!(
        meta[0]
            .starts_with(&format!("* 1 FETCH (UID 1 FLAGS () RFC822.SIZE {size} INTERNALDATE \"")),
        "{meta:?}"
    );
    let ann = r#"(("Ann" NIL "ann" "contoso.example"))"#;
    assert_eq!(
        run(&mut raw, "FETCH 1 ENVELOPE").await,
        [
            format!(
                "* 1 FETCH (ENVELOPE (NIL \"Invoice\" {ann} {ann} {ann} ((NIL NIL \"billing\" \
                 \"contoso.example\")) NIL NIL NIL \"<1@contoso.example>\"))"
            ),
            "t OK FETCH completed.".to_owned(),
        ]
    );
    assert_eq!(
        run(&mut raw, "FETCH 1 (BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[TEXT]<0.6>)").await,
        [
            "* 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {20}",
            "Subject: Invoice",
            "",
            " BODY[TEXT]<0> {6}",
            "Please)",
            "t OK FETCH completed.",
        ]
    );
    let marked = run(&mut raw, "FETCH 1 BODY[TEXT]").await;
    assert_eq!(marked[2], r" FLAGS (\Seen))");
    assert_eq!(
        run(&mut raw, "FETCH 2 FLAGS").await,
        ["t BAD The specified message set is invalid."]
    );
    assert_eq!(run(&mut raw, "UID FETCH 2 FLAGS").await, ["t OK FETCH completed."]);
    assert_eq!(run(&mut raw, "FETCH 1 FROB").await, ["t BAD Command Argument Error. 11"]);
}

#[tokio::test]
async fn flags_are_stored_loudly_or_silently() {
    let server = server().await;
    server.deliver(USER, MESSAGE);
    let mut raw = selected(&server).await;
    assert_eq!(
        run(&mut raw, r"STORE 1 +FLAGS (\seen \Flagged Custom)").await,
        [r"* 1 FETCH (FLAGS (\Flagged \Seen))", "t OK STORE completed."]
    );
    assert_eq!(
        run(&mut raw, r"UID STORE 1 -FLAGS (\Seen)").await[0],
        r"* 1 FETCH (FLAGS (\Flagged) UID 1)"
    );
    assert_eq!(run(&mut raw, r"STORE 1 FLAGS.SILENT (\Draft)").await, ["t OK STORE completed."]);
    assert_eq!(run(&mut raw, "FETCH 1 FLAGS").await[0], r"* 1 FETCH (FLAGS (\Draft))");
}

#[tokio::test]
async fn expunge_tells_the_numbers_that_go() {
    let server = server().await;
    for _ in 0..3 {
        server.deliver(USER, MESSAGE);
    }
    let mut raw = selected(&server).await;
    let mut other = selected(&server).await;
    run(&mut raw, r"STORE 1:2 +FLAGS.SILENT (\Deleted)").await;
    assert_eq!(run(&mut raw, "UID EXPUNGE 2:9").await, ["* 2 EXPUNGE", "t OK EXPUNGE completed."]);
    assert_eq!(run(&mut raw, "EXPUNGE").await, ["* 1 EXPUNGE", "t OK EXPUNGE completed."]);
    // The other session keeps its numbers until a command that lets them shift.
    assert_eq!(run(&mut other, "FETCH 3 UID").await[0], "* 3 FETCH (UID 3)");
    assert_eq!(
        run(&mut other, "NOOP").await,
        ["* 2 EXPUNGE", "* 1 EXPUNGE", "t OK NOOP completed."]
    );
    assert_eq!(server.messages(USER).len(), 1);
}

#[tokio::test]
async fn append_takes_flags_a_date_and_any_octets() {
    let server = server().await;
    let message = awkward_message();
    let mut raw = selected(&server).await;
    let date = "\"17-Jul-1996 02:44:25 -0700\"";
    raw.send(&format!("t APPEND INBOX (\\Seen) {date} {{{}}}", message.len())).await;
    assert_eq!(raw.line().await, "+ Ready for additional command text.");
    raw.send_bytes(&message).await;
    raw.send("").await;
    assert_eq!(raw.until("t ").await, ["* 1 EXISTS", "t OK [APPENDUID 1 1] APPEND completed."]);
    assert_eq!(server.messages(USER), [message]);
    assert_eq!(
        run(&mut raw, "FETCH 1 (FLAGS INTERNALDATE)").await[0],
        r#"* 1 FETCH (FLAGS (\Seen) INTERNALDATE "17-Jul-1996 09:44:25 +0000")"#
    );
    raw.send("t APPEND Nowhere {2+}\r\nhi").await;
    assert!(raw.until("t ").await[0].starts_with("t NO [TRYCREATE]"));
}

#[tokio::test]
async fn messages_are_copied_and_moved() {
    let server = server().await;
    server.deliver(USER, MESSAGE);
    server.deliver(USER, MESSAGE);
    let mut raw = selected(&server).await;
    assert_eq!(run(&mut raw, "UID COPY 1 Junk").await, ["t OK [COPYUID 5 1 1] COPY completed."]);
    assert_eq!(
        run(&mut raw, "MOVE 1:2 Deleted").await,
        ["* OK [COPYUID 4 1,2 1,2] Moved.", "* 2 EXPUNGE", "* 1 EXPUNGE", "t OK MOVE completed."]
    );
    let left = ["INBOX", "Junk", "Deleted"].map(|name| server.messages_in(USER, name).len());
    assert_eq!(left, [0, 1, 2]);
}

#[tokio::test]
async fn search_finds_by_the_simple_keys() {
    let server = server().await;
    server.deliver(USER, MESSAGE);
    server.deliver(USER, *b"Subject: other\r\n\r\nx\r\n");
    server.deliver(USER, MESSAGE);
    let mut raw = selected(&server).await;
    run(&mut raw, r"STORE 1 +FLAGS.SILENT (\Seen \Deleted)").await;
    run(&mut raw, "EXPUNGE").await;
    for (keys, found) in [
        ("ALL", "* SEARCH 2 3"),
        ("UNSEEN", "* SEARCH 2 3"),
        ("SEEN", "* SEARCH"),
        ("SUBJECT \"INVOICE\"", "* SEARCH 3"),
        ("NOT FROM ann", "* SEARCH 2"),
        ("OR (TEXT pay) SUBJECT other UID 2", "* SEARCH 2"),
        ("2", "* SEARCH 3"),
        ("SMALLER 30 SINCE 1-Jan-2020", "* SEARCH 2"),
        ("CHARSET UTF-8 BEFORE 1-Jan-2020", "* SEARCH"),
    ] {
        assert_eq!(run(&mut raw, &format!("UID SEARCH {keys}")).await[0], found, "{keys}");
    }
    assert_eq!(run(&mut raw, "SEARCH UNSEEN").await[0], "* SEARCH 1 2");
    for keys in ["FROB", "SUBJECT", &"NOT ".repeat(9000)] {
        let refused = run(&mut raw, &format!("SEARCH {keys}")).await;
        assert_eq!(refused, ["t BAD Command Argument Error. 11"]);
    }
}

#[tokio::test]
async fn an_idling_client_hears_of_new_mail() {
    let server = server().await;
    let mut raw = selected(&server).await;
    assert_eq!(raw.ask("t IDLE").await, "+ IDLE accepted, awaiting DONE command.");
    server.deliver(USER, MESSAGE);
    assert_eq!(raw.line().await, "* 1 EXISTS");
    server.deliver(OTHER, MESSAGE);
    server.deliver(USER, MESSAGE);
    assert_eq!(raw.line().await, "* 2 EXISTS");
    assert_eq!(raw.ask("DONE").await, "t OK IDLE completed.");
    server.deliver(USER, MESSAGE);
    assert_eq!(run(&mut raw, "NOOP").await, ["* 3 EXISTS", "t OK NOOP completed."]);
}

#[tokio::test]
async fn nonsense_is_answered_and_too_much_ends_the_connection() {
    let server = server().await;
    let mut raw = logged_in(&server).await;
    assert_eq!(raw.ask("t").await, "t BAD Command Error. 12");
    assert_eq!(raw.ask("").await, "* BAD Command Error. 12");
    assert_eq!(raw.ask("t CAPABILITY {9999999999}").await, "* BYE Connection is closed. 10");
    raw.ends().await;
    let mut raw = open(&server).await;
    assert_eq!(raw.ask("t LOGIN {70000}").await, "* BYE Connection is closed. 10");
    let mut raw = logged_in(&server).await;
    let replies = run(&mut raw, "LOGOUT").await;
    assert_eq!(
        replies,
        ["* BYE Microsoft Exchange Server IMAP4 server signing off.", "t OK LOGOUT completed."]
    );
    raw.ends().await;
}
