//! The core's tests.

use super::*;

/// A core that has sent `commands` and hears `octets` in pieces of `chunk`; what it reports.
fn heard(commands: &[(&str, Shape)], octets: &[u8], chunk: usize) -> Result<Vec<Response>, Fault> {
    let mut core = Core::new(Limits::default(), true);
    for (line, shape) in commands {
        core.start(line.as_bytes(), *shape).unwrap();
    }
    sent(&mut core);
    let mut responses = Vec::new();
    for piece in octets.chunks(chunk) {
        core.input.push(piece);
        while let Some(event) = core.poll()? {
            let Event::Response(response) = event else { panic!("{event:?}") };
            responses.push(response);
        }
    }
    assert_eq!(core.in_flight(), responses.len() < commands.len());
    Ok(responses)
}

fn said(core: &mut Core) -> Response {
    match core.poll() {
        Ok(Some(Event::Response(response))) => response,
        other => panic!("{other:?}"),
    }
}

fn response(reply: &str, text: &'static str) -> Response {
    let text = Bytes::from_static(text.as_bytes());
    Response { text, ..Response::line(Reply::parse(reply).unwrap()) }
}

#[test]
fn each_command_gets_its_own_answer_however_the_octets_are_cut() {
    let commands = [("RETR 1", Shape::Message), ("DELE 9", Shape::Line), ("UIDL", Shape::Listing)];
    let octets = b"+OK\r\na\r\n..b\r\n.\r\n-ERR no such message\r\n+OK\r\n1 x\r\n.\r\n";
    for chunk in [1, 2, 3, 7, octets.len()] {
        assert_eq!(
            heard(&commands, octets, chunk).unwrap(),
            [
                response("+OK", "a\r\n.b\r\n"),
                response("-ERR no such message", ""),
                response("+OK", "1 x\r\n"),
            ]
        );
    }
}

#[test]
fn a_refused_multi_line_command_has_no_lines() {
    let commands = [("RETR 1", Shape::Message), ("NOOP", Shape::Line)];
    let responses = heard(&commands, b"-ERR no\r\n+OK\r\n", 1).unwrap();
    assert_eq!(responses, [response("-ERR no", ""), response("+OK", "")]);
}

#[test]
fn a_line_that_is_no_status_line_breaks_the_protocol() {
    let fault = heard(&[("NOOP", Shape::Line)], b"* OK hi\r\n", 1).unwrap_err();
    assert_eq!(fault, Fault::unexpected("+OK or -ERR", b"* OK hi"));
}

fn authenticating(inline: bool) -> Core {
    let mut core = Core::new(Limits::default(), true);
    let session = sasl::Session::xoauth2("a@b.c", "T", &[]).unwrap();
    core.authenticate(session, inline).unwrap();
    core
}

fn sent(core: &mut Core) -> String {
    let text = String::from_utf8(core.output.unsent().to_vec()).unwrap();
    let octets = text.len();
    core.output.sent(octets);
    text
}

#[test]
fn authentication_takes_two_lines() {
    let mut core = authenticating(false);
    assert_eq!(sent(&mut core), "AUTH XOAUTH2\r\n");
    core.input.push(b"+\r\n");
    assert_eq!(core.poll(), Ok(None));
    assert_eq!(sent(&mut core), "dXNlcj1hQGIuYwFhdXRoPUJlYXJlciBUAQE=\r\n");
    core.input.push(b"+OK User successfully authenticated.\r\n");
    assert!(said(&mut core).reply.is_ok());
}

#[test]
fn a_challenge_behind_the_token_is_answered_with_an_empty_line_and_kept() {
    let mut core = authenticating(true);
    assert_eq!(sent(&mut core), "AUTH XOAUTH2 dXNlcj1hQGIuYwFhdXRoPUJlYXJlciBUAQE=\r\n");
    core.input.push(b"+ eyJzdGF0dXMiOiI0MDAifQ==\r\n");
    assert_eq!(core.poll(), Ok(None));
    assert_eq!(sent(&mut core), "\r\n");
    core.input.push(b"-ERR [AUTH] Invalid credentials.\r\n");
    assert_eq!(said(&mut core).reply.code(), Some(&crate::pop::ResponseCode::Auth));
    assert_eq!(core.session().unwrap().challenge().unwrap().status(), Some("400"));
}

#[test]
fn an_endless_challenge_is_a_fault() {
    let mut core = authenticating(true);
    for _ in 0..2 {
        sent(&mut core);
        assert_eq!(core.poll(), Ok(None));
        core.input.push(b"+ \r\n");
    }
    sent(&mut core);
    assert_eq!(core.poll(), Err(Fault::EndlessChallenge));
}

#[test]
fn an_abandoned_exchange_costs_the_connection_and_an_abandoned_command_does_not() {
    assert_eq!(authenticating(false).abandon(), Abandon::Close);
    let mut core = Core::new(Limits::default(), true);
    core.start(b"RETR 1", Shape::Message).unwrap();
    sent(&mut core);
    assert_eq!(core.abandon(), Abandon::Drain);
    core.input.push(b"+OK\r\nabc\r\n.\r\n");
    assert_eq!(said(&mut core).text, "", "what nobody reads is not kept");
}

#[test]
fn a_clear_text_core_does_not_write_the_token() {
    let mut core = Core::new(Limits::default(), false);
    let session = sasl::Session::xoauth2("a@b.c", "T", &[]).unwrap();
    assert_eq!(core.authenticate(session, true), Err(Unwritable::SecretInClearText));
    assert!(core.output.is_empty());
}

#[test]
fn what_the_server_says_before_it_closes_is_kept_even_without_a_line_end() {
    let mut core = Core::new(Limits::default(), true);
    core.input.push(b"-ERR autologout");
    assert_eq!(core.poll(), Ok(None));
    core.eof();
    assert_eq!(core.last_words().unwrap().text(), "autologout");
}

#[test]
fn what_came_before_a_command_has_left_is_not_its_answer() {
    let asked = |said: &[u8]| {
        let mut core = Core::new(Limits::default(), true);
        core.start(b"STAT", Shape::Line).unwrap();
        core.output.sent("STAT\r".len());
        core.input.push(said);
        let polled = core.poll();
        (core, polled)
    };
    let expected = "nothing, as no command was sent";
    assert_eq!(asked(b"+OK 9 9\r\n").1, Err(Fault::unexpected(expected, b"+OK 9 9")));
    // A farewell, behind which the answer may still come.
    let (mut core, polled) = asked(b"-ERR idle\r\n");
    assert_eq!(polled, Ok(None));
    assert_eq!(core.last_words().unwrap().text(), "idle");
    sent(&mut core);
    core.input.push(b"+OK 1 20\r\n");
    assert_eq!(said(&mut core).reply.text(), "1 20");
}

#[test]
fn answers_in_one_flight_are_taken_as_far_as_their_commands_have_left() {
    let mut core = Core::new(Limits::default(), true);
    for _ in 0..2 {
        core.start(b"DELE 1", Shape::Line).unwrap();
    }
    core.output.sent("DELE 1\r\n".len());
    core.input.push(b"+OK one\r\n+OK two\r\n");
    assert_eq!(said(&mut core).reply.text(), "one");
    assert!(matches!(core.poll(), Err(Fault::Unexpected { .. })));
}

#[test]
fn nothing_that_came_before_the_login_was_sent_is_a_success_or_an_invitation() {
    for (inline, early) in [(true, "+OK in"), (false, "+OK in"), (false, "+ ")] {
        let mut core = authenticating(inline);
        let written = core.output.unsent().len();
        core.output.sent(written - 1);
        core.input.push(format!("{early}\r\n").as_bytes());
        assert!(matches!(core.poll(), Err(Fault::Unexpected { .. })), "{early}");
    }
    let mut core = authenticating(false);
    sent(&mut core);
    core.input.push(b"+ \r\n+OK in\r\n");
    assert!(matches!(core.poll(), Err(Fault::Unexpected { .. })));
    // A refusal needs not wait for the rest of what it refuses.
    let mut core = authenticating(true);
    core.output.sent(10);
    core.input.push(b"-ERR Protocol error\r\n");
    assert_eq!(said(&mut core).reply.text(), "Protocol error");
}

#[test]
fn a_password_is_not_taken_for_accepted_before_it_was_sent() {
    let mut core = Core::new(Limits::default(), true);
    core.authenticate(sasl::Session::user_pass("a@b.c", "secret").unwrap(), false).unwrap();
    sent(&mut core);
    core.input.push(b"+OK send PASS\r\n+OK in\r\n");
    assert!(matches!(core.poll(), Err(Fault::Unexpected { .. })));
}

#[test]
fn the_token_is_taken_out_of_half_a_line_that_nothing_asked_for() {
    let token = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg";
    let mut core = Core::new(Limits::default(), true);
    core.authenticate(sasl::Session::xoauth2("a@b.c", token, &[]).unwrap(), true).unwrap();
    sent(&mut core);
    core.input.push(b"+OK in\r\n");
    said(&mut core);
    core.input.push(format!("half {token}").as_bytes());
    let fault = Fault::unexpected("nothing, as no command was sent", b"half [secret]");
    assert_eq!(core.check_quiet(), Err(fault));
}
