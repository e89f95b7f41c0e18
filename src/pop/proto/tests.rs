//! The core's tests.

use super::*;

/// A core that has sent `commands` and hears `octets` in pieces of `chunk`; what it reports.
fn heard(commands: &[(&str, Shape)], octets: &[u8], chunk: usize) -> Result<Vec<Response>, Fault> {
    let mut core = Core::new(Limits::default(), true);
    for (line, shape) in commands {
        core.start(line.as_bytes(), *shape).unwrap();
    }
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
    core.input.push(b"+ \r\n+ \r\n");
    assert_eq!(core.poll(), Err(Fault::EndlessChallenge));
}

#[test]
fn an_abandoned_exchange_costs_the_connection_and_an_abandoned_command_does_not() {
    assert_eq!(authenticating(false).abandon(), Abandon::Close);
    let mut core = Core::new(Limits::default(), true);
    core.start(b"RETR 1", Shape::Message).unwrap();
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
