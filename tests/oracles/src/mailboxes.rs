//! LIST, STATUS, SEARCH and ESEARCH.

use std::cell::RefCell;
use std::num::NonZeroU32;

use imap_proto::{MailboxDatum, Response as ProtoResponse, StatusAttribute};
use imap_types::core::{Atom, QuotedChar};
use imap_types::flag::FlagNameAttribute;
use imap_types::mailbox::Mailbox;
use imap_types::response::Data;
use imap_types::status::StatusDataItem;
use mailbearer::imap::{Event, MailboxName, Search, SearchReturn, StatusItem};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;

use crate::neutral::{Octets, atom, octets};
use crate::server::{Fed, check, encoded};

fn name() -> impl Strategy<Value = Octets> {
    let name = prop_oneof![
        "[a-zA-Z]{1,8}([/.][a-zA-Z0-9 ]{1,8}){0,3}".prop_map(String::into_bytes),
        "[a-zA-Z&*%(\\]{]{1,12}".prop_map(String::into_bytes),
        octets(),
    ];
    // INBOX is the same in any case, so that imap-types does not keep the case.
    name.prop_map(|name| if name.eq_ignore_ascii_case(b"INBOX") { b"INBOX".to_vec() } else { name })
}

fn mailbox(name: &Octets) -> Mailbox<'static> {
    name.clone().try_into().expect("no NUL in it")
}

/// imap-proto leaves backslashes in quoted strings, and makes text of what is not UTF-8.
fn proto_reads(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok() && !name.iter().any(|octet| b"\\\"".contains(octet))
}

fn proto(wire: &[u8]) -> MailboxDatum<'_> {
    match ProtoResponse::parse(wire) {
        Ok((b"", ProtoResponse::MailboxData(data))) => data,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_list_has_every_mailbox_that_the_server_has_named() {
    let fed = RefCell::new(Fed::new());
    let attribute = prop_oneof![
        Just("Noinferiors".to_owned()),
        Just("Noselect".to_owned()),
        Just("Marked".to_owned()),
        Just("Unmarked".to_owned()),
        Just("HasChildren".to_owned()),
        Just("HasNoChildren".to_owned()),
        Just("Sent".to_owned()),
        atom().prop_map(|word| format!("X{word}")),
    ];
    let delimiter = option::of(prop_oneof![Just('/'), Just('.'), Just('\\'), Just('"'), Just('|')]);
    let row = (vec(attribute, 0..4), delimiter, name());
    check(vec(row, 0..5), |rows| {
        let wires = rows.iter().map(|(attributes, delimiter, name)| {
            let attribute = |word: &String| {
                FlagNameAttribute::from(Atom::try_from(word.clone()).expect("an atom"))
            };
            encoded(Data::List {
                items: attributes.iter().map(attribute).collect(),
                delimiter: delimiter.map(|delimiter| QuotedChar::try_from(delimiter).expect("one")),
                mailbox: mailbox(name),
            })
        });
        let wires: Vec<_> = wires.collect();
        let mut fed = fed.borrow_mut();
        fed.answer(&wires.concat(), "OK done");
        let (listed, event) = fed
            .run(async |client| (client.list("", "*").await.expect("LIST"), client.take_event()));
        prop_assert!(event.is_none(), "{event:?}");
        prop_assert_eq!((listed.unread(), listed.len()), (0, rows.len()));
        for (found, (attributes, delimiter, name)) in listed.iter().zip(&rows) {
            prop_assert_eq!(found.name().as_wire(), &name[..]);
            prop_assert_eq!(found.delimiter(), *delimiter);
            let words: Vec<_> = found.attributes().iter().map(ToString::to_string).collect();
            let wanted: Vec<_> = attributes.iter().map(|word| format!("\\{word}")).collect();
            prop_assert_eq!(words, wanted);
        }

        for (wire, (attributes, delimiter, name)) in wires.iter().zip(&rows) {
            // It takes a delimiter for as it stands in quotes, too.
            let quoted = matches!(delimiter, Some('\\' | '"'));
            if !proto_reads(name) || quoted {
                continue;
            }
            let MailboxDatum::List(found) = proto(wire) else { panic!("no LIST") };
            prop_assert_eq!(found.name.as_bytes(), &name[..]);
            prop_assert_eq!(found.name_attributes.len(), attributes.len());
            prop_assert_eq!(found.delimiter.map(String::from), delimiter.map(String::from));
        }
        Ok(())
    });
}

#[test]
fn a_status_has_every_number() {
    let fed = RefCell::new(Fed::new());
    // DELETED and sizes are unknown to imap-proto.
    let numbers = [option::of(any::<u32>()), option::of(any::<u32>()), option::of(any::<u32>())];
    let not_zero = [option::of(1..=u32::MAX), option::of(1..=u32::MAX)];
    let status = (name(), numbers, not_zero, option::of(any::<u32>()));
    check(status, |(name, [messages, recent, unseen], [next, validity], deleted)| {
        let number = |number: u32| NonZeroU32::new(number).expect("not 0");
        let items = [
            messages.map(StatusDataItem::Messages),
            recent.map(StatusDataItem::Recent),
            next.map(|next| StatusDataItem::UidNext(number(next))),
            validity.map(|validity| StatusDataItem::UidValidity(number(validity))),
            unseen.map(StatusDataItem::Unseen),
            deleted.map(StatusDataItem::Deleted),
        ];
        let items: Vec<_> = items.into_iter().flatten().collect();
        let wire = encoded(Data::Status { mailbox: mailbox(&name), items: items.into() });
        let mut fed = fed.borrow_mut();
        fed.answer(&wire, "OK done");
        // A name that goes out as a literal would have to be asked for. Asked about another, the
        // client takes it for news.
        let (status, event) = fed.run(async |client| {
            let asked = if name.iter().all(|octet| octet.is_ascii_graphic() || *octet == b' ') {
                MailboxName::from_wire(name.clone())
            } else {
                MailboxName::from("INBOX")
            };
            let status = client.status(asked, [StatusItem::Messages]).await.expect("STATUS");
            (status, client.take_event())
        });
        let status = match event {
            None => status,
            Some(Event::Status { status, .. }) => status,
            other => panic!("{other:?}"),
        };
        prop_assert_eq!(status.messages(), messages);
        prop_assert_eq!(status.recent(), recent);
        prop_assert_eq!(status.unseen(), unseen);
        prop_assert_eq!(status.deleted(), deleted);
        prop_assert_eq!(status.uid_next().map(|uid| uid.get()), next);
        prop_assert_eq!(status.uid_validity().map(NonZeroU32::get), validity);

        if proto_reads(&name) && deleted.is_none() {
            let MailboxDatum::Status { mailbox, status } = proto(&wire) else {
                panic!("no STATUS")
            };
            prop_assert_eq!(mailbox.as_bytes(), &name[..]);
            let wanted = [
                messages.map(StatusAttribute::Messages),
                recent.map(StatusAttribute::Recent),
                next.map(StatusAttribute::UidNext),
                validity.map(StatusAttribute::UidValidity),
                unseen.map(StatusAttribute::Unseen),
            ];
            prop_assert_eq!(status, wanted.into_iter().flatten().collect::<Vec<_>>());
        }
        Ok(())
    });
}

#[test]
fn a_search_finds_the_numbers_of_the_server_in_whatever_order_it_names_them() {
    let fed = RefCell::new(Fed::new());
    let numbers = prop_oneof![vec(1..=40_u32, 0..40), vec(1..=u32::MAX, 0..40)];
    check(numbers, |numbers| {
        let wire = numbers.iter().filter_map(|number| NonZeroU32::new(*number)).collect();
        let wire = encoded(Data::Search(wire));
        let mut fed = fed.borrow_mut();
        fed.answer(&wire, "OK done");
        let found = fed.run(async |client| {
            let inbox = client.selected().expect("selected");
            inbox.uid_search(Search::all()).await.expect("UID SEARCH")
        });
        let mut wanted = numbers.clone();
        wanted.sort_unstable();
        wanted.dedup();
        prop_assert_eq!(found.iter().map(|uid| uid.get()).collect::<Vec<_>>(), wanted);
        let MailboxDatum::Search(found) = proto(&wire) else { panic!("no SEARCH") };
        prop_assert_eq!(found, numbers);
        Ok(())
    });
}

/// Neither oracle has ESEARCH: the octets are made here, by the grammar of RFC 4731.
#[test]
fn an_extended_search_finds_the_numbers_of_the_server() {
    let fed = RefCell::new(Fed::new());
    let numbers = prop_oneof![btree_set(1..=60_u32, 1..40), btree_set(1..=u32::MAX, 1..20)];
    check(numbers, |numbers| {
        let numbers: Vec<_> = numbers.into_iter().collect();
        let set = numbers.chunk_by(|one, next| one + 1 == *next).map(|run| match run {
            [one] => one.to_string(),
            [first, .., last] => format!("{first}:{last}"),
            [] => unreachable!(),
        });
        let set: Vec<_> = set.rev().collect();
        let (min, max) = (numbers[0], numbers[numbers.len() - 1]);
        let (set, count) = (set.join(","), numbers.len());
        // Without the tag, which may be left out.
        let wire = format!("* ESEARCH UID COUNT {count} ALL {set} MIN {min} MAX {max}\r\n");
        let mut fed = fed.borrow_mut();
        fed.answer(wire.as_bytes(), "OK done");
        let found = fed.run(async |client| {
            let inbox = client.selected().expect("selected");
            let wanted =
                [SearchReturn::Count, SearchReturn::All, SearchReturn::Min, SearchReturn::Max];
            inbox.uid_search_returning(Search::all(), wanted).await.expect("UID SEARCH")
        });
        prop_assert_eq!(found.count() as usize, count);
        prop_assert_eq!(found.iter().map(|uid| uid.get()).collect::<Vec<_>>(), numbers);
        prop_assert_eq!(found.min().map(|uid| uid.get()), Some(min));
        prop_assert_eq!(found.max().map(|uid| uid.get()), Some(max));
        Ok(())
    });
}
