//! The harness finds fault where there is one: wrong transcripts, as a wrong client would make them.

use super::play_any;
use super::script::{Step, Transcript};
use super::server::{Cut, Mode};

const HEADER: &str = "\
# endpoint: generic pop
# auth: xoauth2 a@b.c T0KEN
";

const LOGIN: &str = "\
-- TLS
S: +OK ready
C: CAPA
S: -ERR
C: AUTH XOAUTH2
S: +
C: dXNlcj1hQGIuYwFhdXRoPUJlYXJlciBUMEtFTgEB
S: +OK
C: STAT
S: +OK 0 0
";

fn transcript(header: &str, dialogue: &str) -> Transcript {
    let text = format!("{HEADER}{header}{LOGIN}{dialogue}");
    Transcript::parse("inline".into(), &text).unwrap()
}

fn fault(header: &str, dialogue: &str) -> String {
    play_any(&transcript(header, dialogue), Mode::Whole).unwrap_err()
}

#[test]
fn a_right_transcript_passes() {
    let right = transcript("# do: noop\n# result: ok\n", "C: NOOP\nS: +OK\n");
    assert_eq!(play_any(&right, Mode::Whole), Ok(()));
    assert_eq!(play_any(&right, Mode::Bytes), Ok(()));
}

#[test]
fn another_octet_from_the_client_is_found() {
    let fault = fault("# do: noop\n# result: ok\n", "C: NOOp\nS: +OK\n");
    assert!(fault.contains("NOOp") && fault.contains("NOOP"), "{fault}");
}

#[test]
fn a_line_that_the_client_does_not_say_is_found() {
    let fault = fault("# result: ok\n", "C: NOOP\nS: +OK\n");
    assert!(fault.contains("C: \"NOOP"), "{fault}");
}

#[test]
fn a_line_that_the_client_says_too_much_is_found() {
    let fault = fault("# do: noop\n# do: noop\n# result: ok\n", "C: NOOP\nS: +OK\n");
    assert!(fault.contains("after the end of the transcript"), "{fault}");
}

#[test]
fn an_answer_that_the_client_does_not_wait_for_is_found() {
    let unread = transcript("# do: noop\n# result: ok\n", "C: NOOP\nS: +OK\nS: +OK more\n");
    let fault = play_any(&unread, Mode::Bytes).unwrap_err();
    assert!(fault.contains("did not wait for \"+OK more"), "{fault}");
}

#[test]
fn a_server_that_never_answers_is_a_wait_in_vain() {
    let fault = fault("# do: noop\n# do: noop\n# result: ok\n", "C: NOOP\nS: +OK\nC: NOOP\n");
    assert!(fault.contains("in vain"), "{fault}");
}

#[test]
fn another_result_than_stated_is_found() {
    let wrong_value = fault("# do: stat => 1 1\n# result: ok\n", "C: STAT\nS: +OK 2 2\n");
    assert!(wrong_value.contains("gave 2 2"), "{wrong_value}");
    let header = "# do: noop\n# error: Refused stage=NOOP retry=Never usable=false\n";
    let wrong_field = fault(header, "C: NOOP\nS: -ERR no\n");
    assert!(wrong_field.contains("usable=\"true\""), "{wrong_field}");
    let no_error = fault(header, "C: NOOP\nS: +OK\n");
    assert!(no_error.contains("success"), "{no_error}");
}

#[test]
fn half_an_answer_before_the_end_is_no_success() {
    let right = transcript("# do: noop\n# result: ok\n", "C: NOOP\nS: +OK\n");
    let step = right.steps.len() - 1;
    assert!(matches!(&right.steps[step], Step::Server(answer) if answer.len() == 5));
    assert_eq!(play_any(&right, Mode::Eof(Cut { step, offset: 3 })), Ok(()));
    // The same as a transcript that calls it one is refused.
    let wrong = transcript("# do: noop\n# do: noop\n# result: ok\n", "C: NOOP\nS: +OK\n-- EOF\n");
    assert!(play_any(&wrong, Mode::Whole).is_err());
}

#[test]
fn what_a_server_says_unasked_is_not_taken_for_the_next_answer() {
    let text = "C: LIST\nS: +OK\nS: 1 10\nS: .\nS: +OK 7 7\nC: NOOP\nS: +OK\n";
    let wrong = transcript("# do: list\n# do: noop\n# result: ok\n", text);
    let step = wrong.steps.len() - 3;
    let fault = play_any(&wrong, Mode::Drop(Cut { step, offset: 4 })).unwrap_err();
    assert!(fault.contains("expected nothing, as no command was sent"), "{fault}");
}

#[test]
fn a_transcript_that_says_too_little_is_no_transcript() {
    for (text, fault) in [
        ("", "no `# result:`"),
        ("# result: ok\n", "no `# endpoint:`"),
        ("X: what\n", "neither"),
        ("-- TSL\n", "unknown mark"),
        ("# error: Auth stage=authentication\n", "must state its retry"),
        ("# result: fine\n", "a result is `ok`"),
    ] {
        let error = Transcript::parse("inline".into(), text).err().unwrap();
        assert!(error.contains(fault), "{error}");
    }
}
