use super::*;
use crate::imap::command::script::play;
use crate::imap::{Event, Partial};

fn unseen(source: SearchSource) -> Esearch {
    Esearch {
        source,
        search: Search::all().unseen(),
        returns: Vec::new(),
        asked: Vec::new(),
        charset: Charset::Known,
        fuzzy: false,
        needs: Vec::new(),
        selected: None,
        alone: true,
        tag: Tag::NONE,
        utf8: false,
        found: Found::default(),
    }
}

fn folders() -> Esearch {
    unseen(SearchSource::mailboxes(["folder1"]).and(SearchSource::subtree(["folder2"])))
}

/// Names, UIDVALIDITYs and UIDs.
fn shown(result: &MultiSearchResult) -> Vec<String> {
    let one = |of: &MailboxMatches| {
        format!("{} {} {}", of.name(), of.uid_validity(), of.found().clone().into_set())
    };
    result.iter().map(one).collect()
}

#[test]
fn the_example_of_rfc_7377_tells_what_was_found_mailbox_by_mailbox() {
    let script = r#"
        S: * PREAUTH hi
        C: A1 ESEARCH IN (mailboxes (folder1) subtree (folder2)) UNSEEN
        S: * ESEARCH (TAG "A1" MAILBOX "folder1" UIDVALIDITY 1) UID ALL 4001,4003,4005,4007,4009
        S: * ESEARCH (TAG "A1" MAILBOX "folder2/banana" UIDVALIDITY 503) UID ALL 3002,4004
        S: * ESEARCH (TAG "A1" MAILBOX "folder2/peach" UIDVALIDITY 3) UID ALL 921691
        S: A1 OK done
    "#;
    play(folders, script, |mut played| {
        let result = played.output.unwrap();
        assert_eq!(
            shown(&result),
            [
                "folder1 1 4001,4003,4005,4007,4009",
                "folder2/banana 503 3002,4004",
                "folder2/peach 3 921691"
            ]
        );
        assert!(result.is_complete() && played.core.take_event().is_none());
    });
}

#[test]
fn nothing_found_is_no_answer_at_all() {
    let script = "
        S: * PREAUTH hi
        C: A1 ESEARCH IN (mailboxes (folder1) subtree (folder2)) UNSEEN
        S: A1 OK done
    ";
    play(folders, script, |played| {
        let result = played.output.unwrap();
        assert!(result.is_empty() && result.is_complete());
    });
}

#[test]
fn what_a_limit_has_cut_short_is_not_complete() {
    let script = r#"
        S: * PREAUTH hi
        C: A1 ESEARCH IN (personal) UNSEEN
        S: * ESEARCH (UIDVALIDITY 9 mailbox {5}
        S: inbox tag A1) UID ALL 7
        S: A1 OK [LIMIT] that is enough
    "#;
    play(
        || unseen(SearchSource::personal()),
        script,
        |played| {
            let result = played.output.unwrap();
            assert_eq!(shown(&result), ["inbox 9 7"]);
            assert!(!result.is_complete() && result.unread() == 0);
        },
    );
}

#[test]
fn an_answer_that_belongs_nowhere_is_an_event_and_counted() {
    for bad in [
        "(TAG \"A1\" MAILBOX a UIDVALIDITY 1) UID ALL 1",
        "(TAG \"A1\" MAILBOX folder1 UIDVALIDITY 0) UID ALL 1",
        "(TAG \"A1\" MAILBOX folder1 UIDVALIDITY 9223372036854775808) UID ALL 1",
        "(TAG \"A1\" MAILBOX folder1) UID ALL 1",
        "(TAG \"A1\" UIDVALIDITY 1) UID ALL 1",
        "(TAG \"A1\" MAILBOX folder1 UIDVALIDITY 1) ALL 1",
        "(TAG \"A1\" MAILBOX folder1 UIDVALIDITY 1) UID ALL 9223372036854775808",
        "(TAG \"A1\" MAILBOX folder1 UIDVALIDITY 1) UID ALL 1:*",
        "(TAG \"A1\" MAILBOX folder1 UIDVALIDITY 1) UID ALL 1,2 RELEVANCY (7)",
        "(TAG \"A1\" MAILBOX folder2/a UIDVALIDITY 2) UID ALL 1",
        "(TAG \"A1\" MAILBOX folder1 UIDVALIDITY",
        "UID ALL 1",
    ] {
        let script = format!(
            "
            S: * PREAUTH hi
            C: A1 ESEARCH IN (mailboxes (folder1) subtree (folder2)) UNSEEN
            S: * ESEARCH (TAG \"A1\" MAILBOX folder2/a UIDVALIDITY 1) UID ALL 3
            S: * ESEARCH {bad}
            S: A1 OK done
            "
        );
        play(folders, &script, |mut played| {
            let result = played.output.unwrap();
            assert_eq!(shown(&result), ["folder2/a 1 3"], "{bad}");
            assert!(result.unread() == 1 && !result.is_complete(), "{bad}");
            assert!(matches!(played.core.take_event(), Some(Event::Unparsed { .. })), "{bad}");
        });
    }
}

#[test]
fn the_answer_to_another_search_is_none_of_this() {
    let script = r#"
        S: * PREAUTH hi
        C: A1 ESEARCH IN (mailboxes (folder1) subtree (folder2)) UNSEEN
        S: * ESEARCH (TAG "A77" MAILBOX "folder1" UIDVALIDITY 1) UID ALL 4001
        S: A1 OK done
    "#;
    play(folders, script, |mut played| {
        let result = played.output.unwrap();
        assert!(result.is_empty() && result.is_complete());
        assert!(matches!(played.core.take_event(), Some(Event::Unparsed { .. })));
    });
}

#[test]
fn a_page_and_its_like_are_told_of_each_mailbox() {
    let returns = || vec![SearchReturn::Partial(Partial::from_start(1..=2)), SearchReturn::Count];
    let command = || Esearch { asked: returns(), returns: returns(), ..folders() };
    let script = r#"
        S: * PREAUTH hi
        C: A1 ESEARCH IN (mailboxes (folder1) subtree (folder2)) RETURN (PARTIAL 1:2 COUNT) UNSEEN
        S: * ESEARCH (TAG "A1" MAILBOX folder1 UIDVALIDITY 1) UID PARTIAL (1:2 5,9) COUNT 4
        S: A1 OK done
    "#;
    play(command, script, |played| {
        let result = played.output.unwrap();
        assert_eq!(shown(&result), ["folder1 1 5,9"]);
        assert_eq!(result.iter().next().unwrap().found().count(), 4);
    });
}
