//! Capabilities and response codes.

use std::cell::RefCell;
use std::num::NonZeroU32;

use imap_codec::ResponseCodec;
use imap_codec::encode::Encoder;
use imap_proto::{Capability as ProtoCapability, Response as ProtoResponse, ResponseCode};
use imap_types::core::{Atom, Vec1};
use imap_types::extensions::uidplus::{UidElement, UidSet};
use imap_types::flag::{Flag, FlagPerm};
use imap_types::response::{Capability, Code, Data, Response, Status};
use mailbearer::imap;
use mailbearer::imap::RawCommand;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::neutral::atom;
use crate::server::{Fed, check, encoded};

fn capability() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("IMAP4rev1".to_owned()),
        Just("AUTH=XOAUTH2".to_owned()),
        Just("AUTH=PLAIN".to_owned()),
        Just("IDLE".to_owned()),
        Just("LITERAL+".to_owned()),
        Just("UIDPLUS".to_owned()),
        atom().prop_map(|word| format!("X{word}")),
    ]
}

fn to_codec(words: &[String]) -> Vec1<Capability<'static>> {
    let words = words.iter().map(|word| {
        // A capability that it knows gets its usual spelling.
        Capability::from(Atom::try_from(word.clone()).expect("an atom"))
    });
    Vec1::try_from(words.collect::<Vec<_>>()).expect("a capability")
}

#[test]
fn capabilities_are_those_of_the_server() {
    let fed = RefCell::new(Fed::new());
    check(vec(capability(), 1..8), |words| {
        let wire = encoded(Data::Capability(to_codec(&words)));
        let mut fed = fed.borrow_mut();
        fed.answer(&wire, "OK done");
        let found = fed.run(async |client| client.capability().await.expect("CAPABILITY").clone());
        for word in &words {
            prop_assert!(found.has(word), "{word} in {found}");
            let mechanism = word.strip_prefix("AUTH=");
            prop_assert!(mechanism.is_none_or(|mechanism| found.has_auth(mechanism)));
        }
        // imap-proto wants IMAP4rev1 to be one of them, as the grammar does.
        if words.iter().any(|word| word == "IMAP4rev1") {
            let Ok((b"", ProtoResponse::Capabilities(proto))) = ProtoResponse::parse(&wire) else {
                panic!("no CAPABILITY")
            };
            let proto = proto.iter().map(|capability| match capability {
                ProtoCapability::Imap4rev1 => "IMAP4rev1".to_owned(),
                ProtoCapability::Auth(mechanism) => format!("AUTH={mechanism}"),
                ProtoCapability::Atom(word) => word.clone().into_owned(),
            });
            let proto: Vec<_> = proto.collect();
            let found: Vec<_> = found.iter().collect();
            // imap-codec has a spelling of its own, and imap-proto another.
            prop_assert!(found.join(" ").eq_ignore_ascii_case(&proto.join(" ")), "{found:?}");
        }
        Ok(())
    });
}

#[derive(Debug, Clone)]
enum Made {
    /// One that is but a word.
    Word(&'static str),
    UidNext(u32),
    UidValidity(u32),
    Unseen(u32),
    AppendUid(u32, u32),
    /// UIDVALIDITY, and where each message was and is: as many here as there, in runs.
    CopyUid(u32, Vec<(u32, u32, u32)>),
    PermanentFlags(Vec<String>, bool),
    Capability(Vec<String>),
}

fn made() -> impl Strategy<Value = Made> {
    let number = || 1..=u32::MAX;
    let words =
        ["ALERT", "PARSE", "READ-ONLY", "READ-WRITE", "TRYCREATE", "UIDNOTSTICKY"].map(Made::Word);
    let run = (1..1_000_000_u32, 1..1_000_000_u32, 0..5_u32);
    prop_oneof![
        prop::sample::select(words.to_vec()),
        number().prop_map(Made::UidNext),
        number().prop_map(Made::UidValidity),
        number().prop_map(Made::Unseen),
        (number(), number()).prop_map(|(validity, uid)| Made::AppendUid(validity, uid)),
        (number(), vec(run, 1..5)).prop_map(|(validity, runs)| Made::CopyUid(validity, runs)),
        (vec(atom(), 0..5), any::<bool>())
            .prop_map(|(flags, any)| Made::PermanentFlags(flags, any)),
        vec(capability(), 1..5).prop_map(Made::Capability),
    ]
}

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("not 0")
}

impl Made {
    fn to_codec(&self) -> Code<'static> {
        match self {
            Self::Word("ALERT") => Code::Alert,
            Self::Word("PARSE") => Code::Parse,
            Self::Word("READ-ONLY") => Code::ReadOnly,
            Self::Word("READ-WRITE") => Code::ReadWrite,
            Self::Word("TRYCREATE") => Code::TryCreate,
            Self::Word(_) => Code::UidNotSticky,
            Self::UidNext(next) => Code::UidNext(number(*next)),
            Self::UidValidity(validity) => Code::UidValidity(number(*validity)),
            Self::Unseen(unseen) => Code::Unseen(number(*unseen)),
            Self::AppendUid(validity, uid) => {
                Code::AppendUid { uid_validity: number(*validity), uid: number(*uid) }
            }
            Self::CopyUid(validity, runs) => {
                let set = |first: fn(&(u32, u32, u32)) -> u32| {
                    let runs = runs.iter().map(|run| match run.2 {
                        0 => UidElement::Single(number(first(run))),
                        more => UidElement::Range(number(first(run)), number(first(run) + more)),
                    });
                    UidSet(Vec1::try_from(runs.collect::<Vec<_>>()).expect("a run"))
                };
                let (source, destination) = (set(|run| run.0), set(|run| run.1));
                Code::CopyUid { uid_validity: number(*validity), source, destination }
            }
            Self::PermanentFlags(flags, any) => {
                let flag = |flag: &String| {
                    let atom = flag.clone().try_into().expect("an atom");
                    FlagPerm::Flag(Flag::keyword(atom))
                };
                let any = any.then_some(FlagPerm::Asterisk);
                Code::PermanentFlags(flags.iter().map(flag).chain(any).collect())
            }
            Self::Capability(words) => Code::Capability(to_codec(words)),
        }
    }

    fn is_ours(&self, code: &imap::Code) -> bool {
        match (self, code) {
            (Self::Word(word), code) => {
                code.name() == *word && !matches!(code, imap::Code::Other { .. })
            }
            (Self::UidNext(next), imap::Code::UidNext(uid)) => uid.get() == *next,
            (Self::UidValidity(one), imap::Code::UidValidity(other)) => other.get() == *one,
            (Self::Unseen(one), imap::Code::Unseen(other)) => other.get() == *one,
            (Self::AppendUid(validity, uid), imap::Code::AppendUid(found)) => {
                let uids =
                    found.uids().ranges().map(|range| range.start().get()..=range.end().get());
                found.uid_validity().get() == *validity && uids.eq([*uid..=*uid])
            }
            (Self::CopyUid(validity, runs), imap::Code::CopyUid(found)) => {
                let pairs = runs.iter().flat_map(|(from, to, more)| {
                    (0..=*more).map(move |step| (from + step, to + step))
                });
                found.uid_validity().get() == *validity
                    && found.pairs().map(|(from, to)| (from.get(), to.get())).eq(pairs)
            }
            (Self::PermanentFlags(flags, any), imap::Code::PermanentFlags(found)) => {
                let flags = flags.iter().map(String::as_str).chain(any.then_some("\\*"));
                found.iter().map(imap::Flag::as_str).eq(flags)
            }
            (Self::Capability(words), imap::Code::Capability(found)) => {
                words.iter().all(|word| found.has(word))
            }
            _ => false,
        }
    }

    fn is_proto(&self, code: &ResponseCode<'_>) -> bool {
        match (self, code) {
            (Self::Word("ALERT"), ResponseCode::Alert)
            | (Self::Word("PARSE"), ResponseCode::Parse)
            | (Self::Word("READ-ONLY"), ResponseCode::ReadOnly)
            | (Self::Word("READ-WRITE"), ResponseCode::ReadWrite)
            | (Self::Word("TRYCREATE"), ResponseCode::TryCreate)
            | (Self::Word("UIDNOTSTICKY"), ResponseCode::UidNotSticky) => true,
            (Self::UidNext(one), ResponseCode::UidNext(other))
            | (Self::UidValidity(one), ResponseCode::UidValidity(other))
            | (Self::Unseen(one), ResponseCode::Unseen(other)) => one == other,
            (Self::AppendUid(one, _), ResponseCode::AppendUid(other, uids)) => {
                one == other && uids.len() == 1
            }
            (Self::CopyUid(one, runs), ResponseCode::CopyUid(other, from, to)) => {
                one == other && from.len() == runs.len() && to.len() == runs.len()
            }
            (Self::PermanentFlags(flags, any), ResponseCode::PermanentFlags(found)) => {
                let flags = flags.iter().map(String::as_str).chain(any.then_some("\\*"));
                found.iter().map(AsRef::as_ref).eq(flags)
            }
            (Self::Capability(words), ResponseCode::Capabilities(found)) => {
                words.len() == found.len()
            }
            _ => false,
        }
    }
}

#[test]
fn a_response_code_means_what_the_server_has_said() {
    let fed = RefCell::new(Fed::new());
    check((made(), "[a-zA-Z]([ -Z^-~]{0,20}[a-z])?"), |(made, text)| {
        let status = Status::ok(None, Some(made.to_codec()), text.clone()).expect("a text");
        let wire = ResponseCodec::default().encode(&Response::Status(status)).dump();
        let line = std::str::from_utf8(&wire).expect("ASCII").trim_end();
        let condition = line.strip_prefix("* ").expect("untagged");
        let mut fed = fed.borrow_mut();
        fed.answer(b"", condition);
        let outcome = fed.run(async |client| client.raw(RawCommand::new("XFOO")).await);
        let reply = outcome.expect("OK").tagged;
        let code = reply.code().expect("a code");
        prop_assert!(made.is_ours(code), "{code:?}");
        prop_assert_eq!(reply.text(), text.as_str());

        // imap-proto wants IMAP4rev1 among capabilities.
        let rev1 = |words: &[String]| words.iter().any(|word| word == "IMAP4rev1");
        if !matches!(&made, Made::Capability(words) if !rev1(words)) {
            let Ok((b"", ProtoResponse::Data { outcome, .. })) = ProtoResponse::parse(&wire) else {
                panic!("no status")
            };
            prop_assert!(
                outcome.code.as_ref().is_some_and(|code| made.is_proto(code)),
                "{outcome:?}"
            );
        }
        Ok(())
    });
}
