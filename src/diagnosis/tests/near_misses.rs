//! Lines that look like known ones and mean something else, or nothing.

use super::*;
use crate::provider::{gmail, hve, microsoft365, outlook, yahoo};
use crate::{Endpoint, Protocol};

const MESSAGE: Stage = Stage::Command("the message");
const RCPT: Stage = Stage::Command("RCPT TO");
const SELECT: Stage = Stage::Command("SELECT");

fn nothing(endpoint: &Endpoint, stage: Stage, line: &str) {
    // Claims that would explain a refusal.
    let bad = raw_token(r#"{"aud":"https://graph.microsoft.com","exp":1}"#);
    for token in [None, Some(&bad)] {
        let mut context =
            Context::new().with_endpoint(endpoint.clone()).with_mailbox("a@b.example");
        if let Some(token) = token {
            context = context.with_token(token);
        }
        let found = Diagnosis::of_line(endpoint.protocol(), stage, line, &context);
        assert_eq!(found, None, "{endpoint} {stage}: {line}");
    }
}

#[test]
fn a_line_that_only_looks_alike_gives_nothing() {
    let postfix = Endpoint::smtp_starttls("mail.example");
    let dovecot = Endpoint::imap("mail.example");
    let own_pop = Endpoint::pop("mail.example");
    let exchange = microsoft365::smtp();
    for (endpoint, stage, line) in [
        // A recipient's address quotes a code.
        (&exchange, RCPT, "250 2.1.5 <ticket-535-5.7.3@contoso.example> ok"),
        (&exchange, RCPT, "550 5.1.1 <authentication.unsuccessful.535@contoso.example> unknown"),
        // Postfix, with the standard's words.
        (&postfix, Stage::Auth, "535 5.7.8 Error: authentication failed: (reason unavailable)"),
        (&postfix, Stage::Auth, "535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6"),
        (&exchange, Stage::Auth, "535 5.7.8 Error: authentication failed: bad protocol"),
        (&postfix, Stage::Auth, "535 5.7.3 Login denied"),
        // Exchange's words, without a mark of Exchange's.
        (&postfix, Stage::Auth, "535 Authentication unsuccessful"),
        (&postfix, Stage::Auth, "535 5.7.3 Authentication unsuccessful"),
        (&postfix, MESSAGE, "554 5.2.252 SendAsDenied; a@x not allowed to send as b@y"),
        (&postfix, RCPT, "454 4.7.1 <a@b.example>: Relay access denied"),
        // A filter quotes Exchange.
        (
            &exchange,
            MESSAGE,
            "550 5.7.1 Rejected, Subject: \"535 5.7.139 Authentication unsuccessful, \
            SmtpClientAuthentication is disabled for the Tenant\"",
        ),
        (
            &postfix,
            MESSAGE,
            "554 5.7.1 Spam: \"550 5.7.60 SMTP; Client does not have permissions to \
            send as this sender\"",
        ),
        (
            &exchange,
            MESSAGE,
            "550 5.7.1 Your message mentions STOREDRV.Submission.Exception:\
            SendAsDeniedException and looks like backscatter",
        ),
        (&exchange, MESSAGE, "550 5.7.1 Message rejected as spam by content filtering"),
        // The code of one, the words of another.
        (&exchange, Stage::Auth, "535 5.7.3 Unable to authenticate: bad credentials"),
        (&exchange, MESSAGE, "550 5.7.60 Not here"),
        (&exchange, MESSAGE, "550 5.1.8 Sender address does not exist"),
        (&exchange, MESSAGE, "432 4.3.2 Come back tomorrow"),
        (&postfix, RCPT, "432 4.7.12 A password transition is needed"),
        // A refusal of the login cannot stand behind a message.
        (&exchange, MESSAGE, "535 5.7.3 Authentication unsuccessful"),
        (&exchange, MESSAGE, "454 4.7.0 Temporary authentication failure"),
        // HVE's codes elsewhere, and other words under them.
        (&exchange, MESSAGE, "550 5.7.240 The application is not allowed"),
        (&postfix, MESSAGE, "550 5.5.105 External mail is refused"),
        (&postfix, Stage::Auth, "501 5.5.124 Invalid address"),
        // IMAP.
        (&dovecot, Stage::Auth, "NO [AUTHENTICATIONFAILED] Authentication failed."),
        (&microsoft365::imap(), Stage::Auth, "NO [AUTHENTICATIONFAILED] Authentication failed."),
        (&dovecot, Stage::Auth, "NO AUTHENTICATE failed"),
        (&microsoft365::imap(), SELECT, "NO AUTHENTICATE failed."),
        (
            &microsoft365::imap(),
            SELECT,
            "NO Mailbox \"user is authenticated but not connected\" \
            doesn't exist",
        ),
        (&microsoft365::imap(), SELECT, "NO [NONEXISTENT] AccessTokenExpired"),
        (&dovecot, SELECT, "* BYE Connection closed. 14"),
        (&dovecot, SELECT, "* BYE Disconnected for inactivity."),
        (&dovecot, SELECT, "NO [OVERQUOTA] Quota exceeded"),
        (&yahoo::imap(), Stage::Auth, "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)"),
        (&gmail::imap(), Stage::Auth, "NO AUTHENTICATE failed."),
        (&gmail::smtp(), Stage::Auth, "535 5.7.3 Authentication unsuccessful"),
        // POP3.
        (&own_pop, Stage::Auth, "-ERR [AUTH] Authentication failed."),
        (&own_pop, Stage::Auth, "-ERR Authentication failure: unknown user name or bad password."),
        (&own_pop, Stage::Auth, "-ERR Protocol error."),
        (&microsoft365::pop(), Stage::Command("RETR"), "-ERR no such message: \"[IN-USE]\""),
    ] {
        nothing(endpoint, stage, line);
    }
}

#[test]
fn a_success_gives_nothing() {
    for (endpoint, line) in [
        (microsoft365::smtp(), "235 2.7.0 Authentication successful"),
        (microsoft365::smtp(), "334 eyJzdGF0dXMiOiI0MDAifQ=="),
        (
            microsoft365::smtp(),
            "250 2.0.0 OK <x@prod.outlook.com> [Hostname=X.prod.outlook.com] \
            Queued mail for delivery",
        ),
        (microsoft365::smtp(), "220 X.outlook.office365.com Microsoft ESMTP MAIL Service ready"),
        (microsoft365::smtp(), "354 Start mail input; end with <CRLF>.<CRLF>"),
        (hve::smtp(), "250 2.0.0 Token will expire soon"),
        (gmail::smtp(), "235 2.7.0 Accepted"),
        (gmail::imap(), "A1 OK user authenticated (Success)"),
        (microsoft365::imap(), "A01 OK AUTHENTICATE completed."),
        (microsoft365::imap(), "* OK The Microsoft Exchange IMAP4 service is ready. [TQBXAEgA]"),
        (microsoft365::imap(), "* PREAUTH hello"),
        (microsoft365::imap(), "* CAPABILITY IMAP4rev1"),
        (outlook::imap(), "OK [CAPABILITY IMAP4rev1] Logged in"),
        (microsoft365::pop(), "+OK User successfully authenticated."),
        (microsoft365::pop(), "+OK [IN-USE] not really"),
        (gmail::pop(), "+OK Welcome."),
    ] {
        for stage in [Stage::Greeting, Stage::Auth, Stage::Probe, MESSAGE, SELECT] {
            nothing(&endpoint, stage, line);
        }
    }
}

#[test]
fn words_of_no_protocol_give_nothing() {
    for protocol in [Protocol::Smtp, Protocol::Imap, Protocol::Pop] {
        for line in
            ["", " ", "hello", "535", "999 5.7.3 Authentication unsuccessful", "NO", "-ERR", "BYE"]
        {
            let context = Context::new();
            assert_eq!(Diagnosis::of_line(protocol, Stage::Auth, line, &context), None, "{line}");
        }
    }
}
