//! The examples of RFC 4314, and what servers make of it.

use super::*;
use crate::imap::Event;
use crate::imap::command::script::play;

fn get_acl() -> GetAcl {
    GetAcl { mailbox: "INBOX".into(), told: None, utf8: false }
}

fn list_rights(mailbox: &'static str, who: &'static str) -> impl Fn() -> ListRights {
    move || ListRights::new(mailbox.into(), who.to_owned())
}

fn set_acl(mailbox: &str, who: &str, change: SetRights) -> SetAcl {
    SetAcl { mailbox: mailbox.into(), identifier: who.to_owned(), change }
}

fn rights(letters: &str) -> Rights {
    Rights::parse(letters.as_bytes()).unwrap()
}

#[test]
fn the_examples_of_rfc_4314_are_played() {
    let script = "
        S: * PREAUTH [CAPABILITY ACL RIGHTS=texk] hi
        C: A1 GETACL INBOX
        S: * ACL INBOX Fred rwipslxetad -Fred wetd $team w
        S: A1 OK Getacl complete
    ";
    play(get_acl, script, |played| {
        let list = played.output.unwrap().unwrap();
        let found: Vec<_> = list.iter().map(|(who, rights)| format!("{who}={rights}")).collect();
        assert_eq!(found, ["Fred=lrswipxtead", "-Fred=wted", "$team=w"]);
        assert_eq!((list.get("$team"), list.get("fred")), (Some(rights("w")), None));
    });
    let script = "
        S: * PREAUTH [CAPABILITY ACL] hi
        C: A1 MYRIGHTS INBOX
        S: * MYRIGHTS INBOX rwiptsldaex
        S: A1 OK Myrights complete
    ";
    let my_rights = || MyRights::new("INBOX".into());
    play(my_rights, script, |played| {
        assert_eq!(played.output.unwrap(), Some(rights("rwiptsldaex")));
    });
    let script = r#"
        S: * PREAUTH [CAPABILITY ACL] hi
        C: A1 LISTRIGHTS archive/imap anyone
        S: * LISTRIGHTS archive.imap anyone "" l r s w i p k x t e c d a 0 1 2 3 4 5 6 7 8 9
        S: A1 OK Listrights successful
    "#;
    play(list_rights("archive/imap", "anyone"), script, |played| {
        let listed = played.output.unwrap().unwrap();
        assert!(listed.required().is_empty());
        assert_eq!(listed.optional().len(), 23);
    });
    let script = "
        S: * PREAUTH [CAPABILITY ACL] hi
        C: A1 LISTRIGHTS ~/Mail/saved smith
        S: * LISTRIGHTS ~/Mail/saved smith la r swicdkxte
        S: A1 OK Listrights completed
    ";
    play(list_rights("~/Mail/saved", "smith"), script, |played| {
        let listed = played.output.unwrap().unwrap();
        assert_eq!(listed.required(), rights("la"));
        assert_eq!(listed.optional(), [rights("r"), rights("swicdkxte")]);
    });
    let script = "
        S: * PREAUTH [CAPABILITY ACL] hi
        C: A1 SETACL INBOX/Drafts Chris +acd
        S: A1 OK Setacl complete
    ";
    let added = || SetRights::add("cda".chars().filter_map(Right::new));
    let set = || set_acl("INBOX/Drafts", "Chris", added());
    play(set, script, |played| assert!(played.output.is_ok()));
    let script = "
        S: * PREAUTH [CAPABILITY ACL] hi
        C: A1 DELETEACL INBOX Fred
        S: A1 OK Deleteacl complete
    ";
    let delete = || DeleteAcl { mailbox: "INBOX".into(), identifier: "Fred".to_owned() };
    play(delete, script, |played| assert!(played.output.is_ok()));
}

#[test]
fn nobody_with_no_rights_is_an_empty_string() {
    let script = "
        S: * PREAUTH [CAPABILITY ACL] hi
        C: A1 SETACL INBOX \"\" \"\"
        S: A1 OK Setacl complete
    ";
    let set = || set_acl("INBOX", "", SetRights::replace([]));
    play(set, script, |played| assert!(played.output.is_ok()));
}

#[test]
fn rights_that_are_no_letters_are_an_event_and_no_answer() {
    fn is_an_event<C: Command>(command: impl Fn() -> C, asked: &str, told: &str, odd: &str)
    where
        C::Output: Default + PartialEq,
    {
        let odd = odd.replace("\r\n", "\r\nS: ");
        let script = format!(
            "
            S: * PREAUTH [CAPABILITY ACL] hi
            C: A1 {asked}
            S: * {told} {odd}
            S: A1 OK done
            "
        );
        play(command, &script, |mut played| {
            let nothing = played.output.is_ok_and(|told| told == C::Output::default());
            let event = played.core.take_event();
            assert!(nothing && matches!(event, Some(Event::Unparsed { .. })), "{script}");
        });
    }
    for odd in ["l\0r", "lR", "l\u{e4}", "(lr)", "{3}\r\nl\0r"] {
        is_an_event(get_acl, "GETACL INBOX", "ACL INBOX Chris", odd);
        is_an_event(|| MyRights::new("INBOX".into()), "MYRIGHTS INBOX", "MYRIGHTS INBOX", odd);
        let listed = "LISTRIGHTS INBOX Chris";
        is_an_event(list_rights("INBOX", "Chris"), listed, listed, odd);
    }
}

#[test]
fn one_identifier_written_otherwise_is_the_one_that_was_asked_about_and_of_two_none_is() {
    for (told, expected, events) in [
        (&["INBOX ANN la r"][..], Some("la"), 0),
        (&["INBOX ann@example.net la r"], Some("la"), 0),
        (&["INBOX ann@example.net la r", "INBOX ann l"], Some("l"), 1),
        (&["INBOX ann l", "INBOX Ann la r"], Some("l"), 1),
        (&["INBOX ANN la r", "INBOX eve l"], None, 2),
        (&[], None, 0),
    ] {
        let rows: Vec<_> = told.iter().map(|row| format!("S: * LISTRIGHTS {row}")).collect();
        let script = format!(
            "
            S: * PREAUTH [CAPABILITY ACL] hi
            C: A1 LISTRIGHTS INBOX ann
            {}
            S: A1 OK done
            ",
            rows.join("\n")
        );
        play(list_rights("INBOX", "ann"), &script, |mut played| {
            let required = played.output.unwrap().map(|rights| rights.required().to_string());
            assert_eq!(required.as_deref(), expected, "{told:?}");
            let others = std::iter::from_fn(|| played.core.take_event()).count();
            assert_eq!(others, events, "{told:?}");
        });
    }
}

#[test]
fn an_empty_list_is_an_answer_and_none_is_not() {
    let told = |answer: &str, expected: Option<AccessList>| {
        let script = format!(
            "
            S: * PREAUTH [CAPABILITY ACL] hi
            C: A1 GETACL INBOX
            {answer}
            S: A1 OK done
            "
        );
        play(get_acl, &script, |played| assert_eq!(played.output.unwrap(), expected));
    };
    told("S: * ACL INBOX", Some(AccessList::default()));
    told("S: * ACL INBOX \x20", Some(AccessList::default()));
    told("", None);
}

#[test]
fn an_answer_shows_what_letters_a_server_has() {
    let by = |letters, entries: &[&str]| -> Vec<_> {
        let entries = entries.iter().map(|letters| (Vec::new(), rights(letters)));
        let told = AccessList { entries: entries.collect() }.by(letters);
        told.iter().map(|(_, rights)| rights.to_string()).collect()
    };
    assert_eq!(by(Letters::Old, &["lrcd", "lr"]), ["lrkxte", "lr"]);
    assert_eq!(by(Letters::Old, &["lrc", "lrk"]), ["lr", "lrk"]);
    assert_eq!(by(Letters::New, &["lrcd", "lr"]), ["lr", "lr"]);
    let by = |letters, sets: &[&str]| -> Vec<_> {
        let optional = sets.iter().map(|letters| rights(letters)).collect();
        let told = ListedRights { required: rights("lc"), optional }.by(letters);
        assert_eq!(told.required.has(Right::CREATE_MAILBOX), letters == Letters::Old);
        told.optional.iter().map(Rights::to_string).collect()
    };
    assert_eq!(by(Letters::New, &["r", "swicdkxte", "c", "d", "t"]), ["r", "swikxte", "t"]);
    assert_eq!(by(Letters::Old, &["r", "c", "d"]), ["r", "k", "te"]);
}
