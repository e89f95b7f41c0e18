//! AUTH, RFC 4954. Only on the way to a client.
//!
//! ```text
//! C: AUTH XOAUTH2
//! S: 334
//! C: dXNlcj10ZXN0QGNvbnRvc28ub25taWNyb3NvZnQuY29tAWF1dGg9QmVhcmVyIEV3QkFB…
//! S: 235 2.7.0 Authentication successful
//! ```
//!
//! The initial response has a line of its own unless the service is known to take it on the command
//! line and that fits 512 octets (RFC 4954 section 4). A refusal may be explained by a challenge
//! first:
//!
//! ```text
//! S: 334 eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIn0=
//! C:
//! S: 535 5.7.8 Username and Password not accepted
//! ```

use crate::auth::{AuthCause, AuthError};
use crate::sasl;
use crate::smtp::meaning::{Meaning, meaning, wait};
use crate::smtp::reply::Reply;

/// What the final answer to AUTH means. `inline`: the initial response stood on the command line.
pub(crate) fn verdict(
    session: &sasl::Session,
    reply: Reply<'static>,
    inline: bool,
) -> Result<(), Box<AuthError<Reply<'static>>>> {
    let meaning = meaning(&reply);
    // Exchange has been seen to say so in any status: the token is good and the mailbox is not.
    if reply.is_positive() && meaning != Meaning::MailboxNotOpened && !denies(&reply) {
        return Ok(());
    }
    let cause = match reply.is_positive() && denies(&reply) {
        true => AuthCause::Credential,
        false => cause(&reply, meaning, session.challenge().map(|challenge| challenge.status())),
    };
    let try_two_step = inline && meaning == Meaning::Syntax && !was_read(&reply);
    let mut error = Box::new(AuthError::new(session, cause, reply));
    error.try_two_step = try_two_step;
    Err(error)
}

/// Why AUTH was refused. `challenge`: the refusal was explained, perhaps with this status.
fn cause(reply: &Reply<'_>, meaning: Meaning, challenge: Option<Option<&str>>) -> AuthCause {
    match meaning {
        Meaning::Credential => AuthCause::Credential,
        Meaning::MailboxNotOpened => AuthCause::NotConnected,
        Meaning::Policy => AuthCause::Policy,
        Meaning::Later | Meaning::Throttled | Meaning::Idle => AuthCause::Temporary(wait(reply)),
        Meaning::Syntax => AuthCause::Malformed,
        Meaning::Final if reply.code() == 535 => match (reply.enhanced(), challenge) {
            // RFC 6750 section 3.1: another token would have the same scopes.
            (_, Some(Some("insufficient_scope" | "403"))) => AuthCause::Policy,
            // RFC 4954 section 6: 535 by itself is about the credentials. With an enhanced code
            // that says otherwise, a challenge still is about the token.
            (None, _) | (_, Some(_)) => AuthCause::Credential,
            _ => AuthCause::Other,
        },
        Meaning::Final => AuthCause::Other,
    }
}

/// Whether the words say the contrary of the code: patched qmails answer `235 auth failure`
/// (jakartaee/mail-api#23). An enhanced code, which these do not have, is believed.
fn denies(reply: &Reply<'_>) -> bool {
    let words = reply.text().to_ascii_lowercase();
    let denials =
        ["auth failure", "auth failed", "authentication failure", "authentication failed"];
    reply.enhanced().is_none() && denials.iter().any(|denial| words.contains(denial))
}

/// Whether a refusal that is about syntax is about what was sent, and not perhaps about the length
/// of the line: HVE names the part it found fault with.
///
/// The others cannot be told: `500` and `501`, Gmail's `555 5.5.2 Syntax error, command line too
/// long`, and Postfix's `535 5.7.8 Error: authentication failed: Invalid base64 data in initial
/// response`, for a line of which it has cut off what exceeds its line_length_limit.
fn was_read(reply: &Reply<'_>) -> bool {
    reply.enhanced().is_some_and(|code| code.subject == 5 && matches!(code.detail, 121..=127))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::Retry;
    use crate::auth::Verdict;
    use crate::fault::Fault;
    use crate::machine::{Abandon, Machine, Wait};
    use crate::smtp::proto::script::play;
    use crate::smtp::proto::{Core, Event};

    const TOKEN: &str = "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA";
    const USER: &str = "test@contoso.onmicrosoft.com";
    const RESPONSE: &str = "dXNlcj10ZXN0QGNvbnRvc28ub25taWNyb3NvZnQuY29tAWF1dGg9QmVhcmVyIEV3QkFB\
                            bDNCQUFVRkZwVUFvN0ozVmUwYmpMQldaV0NjbFJDM0VvQUEBAQ==";

    fn xoauth2() -> sasl::Session {
        sasl::Session::xoauth2(USER, TOKEN, &[]).unwrap()
    }

    /// What a dialogue ends in, the same whatever the chunks.
    fn exchange(
        session: fn() -> sasl::Session,
        inline: bool,
        dialogue: &str,
    ) -> Result<(), Box<AuthError<Reply<'static>>>> {
        let dialogue = dialogue.replace("RESPONSE", RESPONSE);
        let run = |chunk| {
            let mut core = Core::after_greeting(true, &Limits::default());
            core.auth(Box::new(session()), inline).unwrap();
            let mut ended = None;
            let played = play(&mut core, &dialogue, chunk, |_, event| match event {
                Event::Authenticated(reply, session) => {
                    ended = Some(verdict(&session, reply, inline));
                }
                other => panic!("{other:?}"),
            });
            played.unwrap();
            assert!(!core.in_flight());
            ended.unwrap()
        };
        let whole = run(usize::MAX);
        assert_eq!(format!("{:?}", run(1)), format!("{whole:?}"));
        whole
    }

    #[test]
    fn the_response_waits_for_the_prompt_even_a_bare_one() {
        for prompt in ["334", "334 ", "334 VXNlcm5hbWU6"] {
            let dialogue = format!(
                "C: AUTH XOAUTH2
                 S: {prompt}
                 C: RESPONSE
                 S: 235 2.7.0 Authentication successful"
            );
            exchange(xoauth2, false, &dialogue).unwrap();
        }
    }

    #[test]
    fn the_response_goes_inline_where_the_service_takes_it() {
        let dialogue = "C: AUTH XOAUTH2 RESPONSE
             S: 235 2.7.0 Accepted";
        exchange(xoauth2, true, dialogue).unwrap();
    }

    #[test]
    fn an_ok_that_says_not_connected_is_a_refusal() {
        let dialogue = "C: AUTH XOAUTH2 RESPONSE
             S: 235 2.7.0 User is authenticated but not connected.";
        let error = exchange(xoauth2, true, dialogue).unwrap_err();
        assert_eq!(error.cause(), AuthCause::NotConnected);
        assert_eq!(error.verdict(), Verdict::Final);
    }

    #[test]
    fn a_235_whose_words_say_failure_is_a_refusal() {
        for denial in ["235 auth failure", "235 Authentication failed."] {
            let dialogue = format!("C: AUTH XOAUTH2 RESPONSE\n S: {denial}");
            let error = exchange(xoauth2, true, &dialogue).unwrap_err();
            assert_eq!(error.cause(), AuthCause::Credential, "{denial}");
            assert_eq!(error.retry(), Retry::RefreshToken, "{denial}");
        }
        for grant in ["235 ok, go ahead (#2.0.0)", "235 2.7.0 no authentication failed before"] {
            let dialogue = format!("C: AUTH XOAUTH2 RESPONSE\n S: {grant}");
            exchange(xoauth2, true, &dialogue).unwrap();
        }
    }

    #[test]
    fn exchange_refuses_without_a_challenge() {
        let error = exchange(
            xoauth2,
            false,
            "C: AUTH XOAUTH2
             S: 334
             C: RESPONSE
             S: 535 5.7.3 Authentication unsuccessful [SN2PR00CA0018.namprd00.prod.outlook.com]",
        )
        .unwrap_err();
        assert_eq!(error.cause(), AuthCause::Credential);
        assert_eq!(error.retry(), Retry::RefreshToken);
        assert!(error.challenge().is_none());
        assert_eq!(
            error.to_string(),
            "XOAUTH2 authentication refused: 535 5.7.3 Authentication unsuccessful \
             [SN2PR00CA0018.namprd00.prod.outlook.com]"
        );
    }

    #[test]
    fn a_challenge_after_the_response_is_a_refusal_and_is_answered_so_that_it_ends() {
        let error = exchange(
            xoauth2,
            true,
            "C: AUTH XOAUTH2 RESPONSE
             S: 334 eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==
             C: 
             S: 535-5.7.8 Username and Password not accepted. For more information, go to
             S: 535 5.7.8  https://support.google.com/mail/?p=BadCredentials - gsmtp",
        )
        .unwrap_err();
        assert_eq!(error.challenge().unwrap().status(), Some("400"));
        assert_eq!(error.cause(), AuthCause::Credential);
        assert!(matches!(error.verdict(), Verdict::TokenRefused(_)));
    }

    #[test]
    fn oauthbearer_acknowledges_a_refusal_with_its_own_octet() {
        let session = || sasl::Session::oauthbearer("a@b.c", "h.example", 587, "T").unwrap();
        let error = exchange(
            session,
            true,
            "C: AUTH OAUTHBEARER bixhPWFAYi5jLAFob3N0PWguZXhhbXBsZQFwb3J0PTU4NwFhdXRoPUJlYXJlciBUAQE=
             S: 334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=
             C: AQ==
             S: 535 5.7.8 Error: authentication failed: (reason unavailable)",
        )
        .unwrap_err();
        assert_eq!(error.challenge().unwrap().status(), Some("invalid_token"));
    }

    #[test]
    fn a_second_challenge_is_never_answered() {
        let mut core = Core::after_greeting(true, &Limits::default());
        core.auth(Box::new(xoauth2()), true).unwrap();
        for _ in 0..2 {
            assert!(core.poll().unwrap().is_none());
            let written = core.output().unsent().len();
            core.output().sent(written);
            core.input().push(b"334 eyJ9\r\n");
        }
        assert_eq!(core.poll().map(drop), Err(Fault::EndlessChallenge));
    }

    #[test]
    fn a_line_that_was_too_long_is_tried_in_two_steps_and_blames_no_token() {
        for line in [
            "555 5.5.2 Syntax error, goodbye. - gsmtp",
            "500 5.5.2 Line too long",
            "501 5.5.2 Cannot decode AUTH",
            "535 5.7.8 Error: authentication failed: Invalid base64 data in initial response",
        ] {
            let inline = format!("C: AUTH XOAUTH2 RESPONSE\n S: {line}");
            let error = exchange(xoauth2, true, &inline).unwrap_err();
            assert_eq!(error.verdict(), Verdict::TwoStep, "{line}");
            let two_step = format!("C: AUTH XOAUTH2\n S: 334\n C: RESPONSE\n S: {line}");
            let error = exchange(xoauth2, false, &two_step).unwrap_err();
            assert_eq!((error.verdict(), error.cause()), (Verdict::Final, AuthCause::Malformed));
        }
        let read = "C: AUTH XOAUTH2 RESPONSE
             S: 501 5.5.124 Invalid XOAUTH2 auth data - User address provided is not valid.";
        assert_eq!(exchange(xoauth2, true, read).unwrap_err().verdict(), Verdict::Final);
    }

    fn cause_of(line: &str, challenge: Option<Option<&str>>) -> AuthCause {
        let mut words = crate::smtp::words::Words::default();
        let mut parser = crate::smtp::reply::ReplyParser::default();
        let head = parser.line(line.as_bytes(), &mut words).unwrap().unwrap();
        let reply = Reply::new(head, words.take_since(0));
        cause(&reply, meaning(&reply), challenge)
    }

    #[test]
    fn a_535_without_more_is_about_the_credential() {
        assert_eq!(cause_of("535 authentication failed", None), AuthCause::Credential);
        assert_eq!(cause_of("535 5.7.1 no", Some(Some("invalid_token"))), AuthCause::Credential);
        assert_eq!(cause_of("535 5.7.1 no", None), AuthCause::Other);
        assert_eq!(cause_of("535 no", Some(Some("insufficient_scope"))), AuthCause::Policy);
        assert_eq!(cause_of("504 5.5.4 what?", None), AuthCause::Other);
        assert_eq!(cause_of("454 4.7.0 later", Some(None)), AuthCause::Temporary(None));
        assert_eq!(cause_of("535 5.7.139 disabled", Some(None)), AuthCause::Policy);
    }

    #[test]
    fn what_the_server_echoes_of_the_token_is_taken_out() {
        let dialogue = format!("C: AUTH XOAUTH2 RESPONSE\n S: 501 what is {RESPONSE}?");
        let error = exchange(xoauth2, true, &dialogue).unwrap_err();
        assert_eq!(error.reply().to_string(), "501 what is [secret]?");

        let mut core = Core::after_greeting(true, &Limits::default());
        core.auth(Box::new(xoauth2()), true).unwrap();
        core.input().push(format!("What is {TOKEN}?\r\n").as_bytes());
        assert_eq!(
            core.poll().map(drop),
            Err(Fault::unexpected("an SMTP reply", b"What is [secret]?"))
        );
    }

    #[test]
    fn the_token_is_taken_out_of_whatever_is_said_after_the_login_too() {
        let logged_in = || {
            let mut core = Core::after_greeting(true, &Limits::default());
            core.auth(Box::new(xoauth2()), true).unwrap();
            let dialogue = format!("C: AUTH XOAUTH2 {RESPONSE}\n S: 235 in");
            play(&mut core, &dialogue, usize::MAX, |_, _| {}).unwrap();
            core
        };
        let mut core = logged_in();
        core.input().push(format!("354 {TOKEN}\r\n").as_bytes());
        core.poll().unwrap();
        assert_eq!(core.last_words().unwrap().to_string(), "354 [secret]");

        let mut core = logged_in();
        core.input().push(format!("half {TOKEN}").as_bytes());
        assert_eq!(
            core.check_quiet(),
            Err(Fault::unexpected("nothing, as no command was sent", b"half [secret]"))
        );

        let mut core = logged_in();
        core.command("NOOP").unwrap();
        core.output().sent(6);
        core.input().push(format!("334 {TOKEN}\r\n").as_bytes());
        assert_eq!(
            core.poll().map(drop),
            Err(Fault::unexpected("an SMTP reply other than 3xx", b"334 [secret]"))
        );
    }

    #[test]
    fn nothing_that_came_before_the_login_was_sent_is_a_success_or_an_invitation() {
        for (inline, early) in [(true, "235 in"), (false, "235 in"), (false, "334 "), (true, "5")] {
            let mut core = Core::after_greeting(true, &Limits::default());
            core.auth(Box::new(xoauth2()), inline).unwrap();
            let written = core.output().unsent().len();
            if early == "5" {
                // Not a word of the login has left that this could be about.
                core.input().push(b"535 5.7.8 no\r\n");
            } else {
                core.output().sent(written - 1);
                core.input().push(format!("{early}\r\n").as_bytes());
            }
            let fault = core.poll().map(drop).unwrap_err();
            assert!(matches!(fault, Fault::Unexpected { .. }), "{fault}");
        }
    }

    #[test]
    fn a_success_behind_a_prompt_is_none_and_a_refusal_there_is_one() {
        let prompted = |verdict: &str| {
            let mut core = Core::after_greeting(true, &Limits::default());
            core.auth(Box::new(xoauth2()), false).unwrap();
            let written = core.output().unsent().len();
            core.output().sent(written);
            core.input().push(format!("334 \r\n{verdict}\r\n").as_bytes());
            core.poll()
        };
        assert!(matches!(prompted("235 in"), Err(Fault::Unexpected { .. })));
        assert!(matches!(prompted("535 no"), Ok(Some(Event::Authenticated(..)))));
    }

    #[test]
    fn a_421_during_the_login_ends_the_session() {
        let mut core = Core::after_greeting(true, &Limits::default());
        core.auth(Box::new(xoauth2()), false).unwrap();
        assert_eq!(core.wait(), Wait::Sasl);
        let mut closing = 0;
        play(&mut core, "C: AUTH XOAUTH2\n S: 421 4.7.0 Too many", 1, |_, event| match event {
            Event::Closing => closing += 1,
            other => panic!("{other:?}"),
        })
        .unwrap();
        assert_eq!(closing, 1);
        assert_eq!(core.last_words().unwrap().to_string(), "421 4.7.0 Too many");
    }

    #[test]
    fn a_login_cannot_be_abandoned_and_the_connection_kept() {
        let mut core = Core::after_greeting(true, &Limits::default());
        core.auth(Box::new(xoauth2()), false).unwrap();
        assert_eq!(core.abandon(), Abandon::Close);
    }

    #[test]
    fn a_clear_text_core_does_not_write_the_token() {
        let mut core = Core::after_greeting(false, &Limits::default());
        assert!(core.auth(Box::new(xoauth2()), true).is_err());
        assert!(core.output().is_empty());
    }
}
