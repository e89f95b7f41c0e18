use proptest::prelude::*;

use super::*;
use crate::imap::types::UnparsedReason;

fn owned(structure: &str) -> OwnedBodyStructure {
    try_read(structure.as_bytes()).unwrap()
}

fn try_read(octets: &[u8]) -> Result<OwnedBodyStructure, UnparsedReason> {
    let mut reader = Reader::new(octets, 0).unwrap();
    read(&mut reader)?;
    assert!(reader.cursor.at_end(), "{:?}", reader.cursor.rest().escape_ascii().to_string());
    Ok(OwnedBodyStructure::new(octets.into()))
}

/// Number, type and size of every part, in order.
fn outline(structure: &str) -> String {
    let owned = owned(structure);
    let parts = owned.view().parts().map(|part| {
        let media_type =
            if part.is_multipart() { "multipart".into() } else { show(part.media_type()) };
        let size = part.size().map_or(String::new(), |size| format!(" {size}"));
        format!("{}:{}/{}{size}", part.number(), media_type, show(part.subtype())).to_lowercase()
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn show(text: Option<Text<'_>>) -> String {
    text.map_or_else(|| "-".to_owned(), |text| text.to_str_lossy().into_owned())
}

/// RFC 3501 section 7.4.2.
#[test]
fn the_examples_of_the_rfc_are_read_in_full() {
    let text = owned(r#"("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 2279 48)"#);
    let part = text.view().root();
    assert!(part.is("text", "plain") && !part.is_multipart());
    assert_eq!((part.size(), part.lines()), (Some(2279), Some(48)));
    assert_eq!(part.parameters().get("charset").unwrap(), "US-ASCII");
    assert_eq!(part.encoding().unwrap(), "7BIT");
    assert_eq!(
        (part.number().to_string(), part.section().to_string()),
        ("1".into(), "BODY[1]".into())
    );
    assert!(part.id().is_none() && part.md5().is_none() && part.disposition().is_none());

    let mixed = owned(
        r#"(("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 1152 23)("TEXT" "PLAIN" ("CHARSET" "US-ASCII" "NAME" "cc.diff") "<960723163407.20117h@cac.washington.edu>" "Compiler diff" "BASE64" 4554 73) "MIXED")"#,
    );
    let parts: Vec<_> = mixed.view().parts().collect();
    assert_eq!(parts.len(), 3);
    assert!(parts[0].is("multipart", "mixed") && parts[0].number().is_empty());
    assert_eq!(parts[0].section().to_string(), "BODY[TEXT]");
    assert_eq!(parts[2].number().to_string(), "2");
    assert_eq!(parts[2].id().unwrap(), "<960723163407.20117h@cac.washington.edu>");
    assert_eq!(parts[2].description().unwrap(), "Compiler diff");
    assert_eq!(parts[2].file_name().unwrap(), "cc.diff");
    assert_eq!(parts[2].size(), Some(4554));
    assert_eq!(mixed.view().root().children().count(), 2);
}

#[test]
fn parts_are_numbered_as_sections_are() {
    // RFC 9051 section 6.4.5.1 has such a message as its example.
    let text = |subtype: &str| format!(r#"("text" "{subtype}" NIL NIL NIL "7bit" 1 1)"#);
    let envelope = "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)";
    let enclosed = format!(
        r#"("message" "rfc822" NIL NIL NIL "7bit" 9 {envelope} ({}("application" "octet-stream" NIL NIL NIL "base64" 2) "mixed") 3)"#,
        text("plain")
    );
    let simple =
        format!(r#"("message" "rfc822" NIL NIL NIL "7bit" 8 {envelope} {} 2)"#, text("html"));
    let whole = format!(
        r#"({}{enclosed}(("image" "gif" NIL NIL NIL "base64" 5){simple} "mixed") "mixed")"#,
        text("plain")
    );
    assert_eq!(
        outline(&whole),
        ":multipart/mixed, 1:text/plain 1, 2:message/rfc822 9, 2:multipart/mixed, \
         2.1:text/plain 1, 2.2:application/octet-stream 2, 3:multipart/mixed, 3.1:image/gif 5, \
         3.2:message/rfc822 8, 3.2.1:text/html 1"
    );
    let owned = owned(&whole);
    let view = owned.view();
    let sections: Vec<_> = view.parts().map(|part| part.section().to_string()).collect();
    assert_eq!(
        sections,
        [
            "BODY[TEXT]",
            "BODY[1]",
            "BODY[2]",
            "BODY[2.TEXT]",
            "BODY[2.1]",
            "BODY[2.2]",
            "BODY[3]",
            "BODY[3.1]",
            "BODY[3.2]",
            "BODY[3.2.1]"
        ]
    );
    assert!(view.part([2]).unwrap().is("message", "rfc822"));
    assert!(view.part([3, 2, 1]).unwrap().is("text", "html"));
    assert!(view.part([3, 3]).is_none() && view.part([2, 3]).is_none());
    assert!(view.part([]).unwrap().is("multipart", "mixed"));
    let inner = view.part([3, 2]).unwrap();
    assert!(inner.envelope().is_some() && inner.children().count() == 1);
    assert_eq!(inner.parent().unwrap().number().to_string(), "3");
    // A message that is only an enclosed one.
    assert_eq!(
        outline(&enclosed),
        "1:message/rfc822 9, 1:multipart/mixed, 1.1:text/plain 1, 1.2:application/octet-stream 2"
    );
}

#[test]
fn extension_data_are_read_and_what_nobody_knows_is_kept() {
    let owned = owned(
        r#"(("text" "html" NIL NIL NIL "8bit" 30 2 "Q2hlY2s=" ("inline" ("filename" "a.html")) ("en" "de") "http://x/" ("new" 1) 7) "related" ("type" "text/html" "start" NIL) ("attachment" NIL) "fr" "loc" NIL)"#,
    );
    let root = owned.view().root();
    assert_eq!(root.parameters().len(), 2);
    assert_eq!(root.parameters().iter().nth(1).unwrap().value(), None);
    assert!(root.is_attachment() && root.disposition().unwrap().parameters().is_empty());
    assert_eq!(root.languages().map(|l| l.to_str_lossy().into_owned()).collect::<Vec<_>>(), ["fr"]);
    assert_eq!((show(root.location()), root.extension()), ("loc".into(), Some(&b"NIL"[..])));
    let part = root.children().next().unwrap();
    assert_eq!((show(part.md5()), show(part.location())), ("Q2hlY2s=".into(), "http://x/".into()));
    assert_eq!(part.languages().count(), 2);
    assert_eq!(part.extension(), Some(&br#"("new" 1) 7"#[..]));
    assert_eq!(part.file_name().unwrap(), "a.html");
    assert_eq!(part.disposition().unwrap().kind(), "inline");
}

#[test]
fn names_of_files_in_pieces_are_parameters() {
    let owned = owned(
        r#"("application" "pdf" NIL NIL NIL "base64" 4 NIL ("attachment" ("filename*0*" "utf-8''%e2%82" "filename*1*" "%ac.pdf")) NIL NIL)"#,
    );
    let part = owned.view().root();
    assert!(part.file_name().is_none());
    let disposition = part.disposition().unwrap();
    let pieces: Vec<_> = disposition.parameters().iter().map(|p| show(p.value())).collect();
    assert_eq!(pieces, ["utf-8''%e2%82", "%ac.pdf"]);
    assert_eq!(disposition.parameters().get("FILENAME*1*").unwrap(), "%ac.pdf");
}

#[test]
fn a_hundred_levels_are_read_and_far_more_are_too_deep() {
    let leaf = r#"("text" "plain" NIL NIL NIL "7bit" 1 1)"#;
    let nested =
        |levels: usize| format!("{}{leaf}{}", "(".repeat(levels), r#" "mixed")"#.repeat(levels));
    let hundred = owned(&nested(100));
    assert_eq!(hundred.view().parts().count(), 101);
    let deepest = hundred.view().parts().last().unwrap();
    assert_eq!(deepest.number().into_iter().count(), 100);
    for levels in [128, 1000, 1_000_000] {
        let read = try_read(nested(levels).as_bytes());
        assert_eq!(read.unwrap_err(), UnparsedReason::TooDeep { limit: 128 });
    }
    let envelope = "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)";
    let messages = |levels: usize| {
        let open = format!(r#"("message" "rfc822" NIL NIL NIL "7bit" 9 {envelope} "#);
        format!("{}{leaf}{}", open.repeat(levels), " 1)".repeat(levels))
    };
    assert_eq!(owned(&messages(100)).view().parts().count(), 101);
    assert!(try_read(messages(1000).as_bytes()).is_err());
}

#[test]
fn parts_without_end_are_too_many() {
    let flat = format!("({} \"mixed\")", "()".repeat(20_000));
    assert_eq!(try_read(flat.as_bytes()).unwrap_err(), UnparsedReason::TooMany { limit: 10_000 });
}

#[test]
fn a_list_without_end_is_malformed() {
    for bad in
        ["(", "(\"text\"", "(\"text\" \"plain\" (\"a\"", "((\"text\" \"plain\")", "((", "(()"]
    {
        assert!(matches!(try_read(bad.as_bytes()), Err(UnparsedReason::Malformed { .. })), "{bad}");
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("NIL".to_owned()),
        "[a-z ().;=%'*-]{0,12}".prop_map(|text| format!("\"{text}\"")),
        "[a-z\"\\\\]{0,6}".prop_map(|text| {
            format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
        }),
        "[a-z\r\n)\"]{0,8}".prop_map(|text| format!("{{{}}}\r\n{text}", text.len())),
    ]
}

fn tail() -> impl Strategy<Value = String> {
    let list = proptest::collection::vec(("\"[a-z*]{1,8}\"", text()), 1..3).prop_map(|pairs| {
        let pairs: Vec<_> =
            pairs.into_iter().map(|(name, value)| format!("{name} {value}")).collect();
        format!("({})", pairs.join(" "))
    });
    prop_oneof![
        Just(String::new()),
        Just(" NIL NIL NIL".to_owned()),
        (list, text(), text())
            .prop_map(|(list, l, m)| format!(" (\"attachment\" {list}) {l} {m} (1 (2))")),
    ]
}

/// A structure and how many parts it has.
fn structure() -> impl Strategy<Value = (String, usize)> {
    let leaf = (text(), text(), text(), 0_u64..9_999_999_999, tail()).prop_map(
        |(id, description, encoding, octets, tail)| {
            let tail = if tail.is_empty() { tail } else { format!(" NIL{tail}") };
            let leaf = format!(
                "(\"text\" \"plain\" (\"charset\" \"x\") {id} {description} {encoding} {octets} 3{tail})"
            );
            (leaf, 1)
        },
    );
    leaf.prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            (proptest::collection::vec(inner.clone(), 1..4), tail()).prop_map(|(parts, tail)| {
                let tail = if tail.is_empty() { tail } else { format!(" NIL{tail}") };
                let count = parts.iter().map(|(_, count)| count).sum::<usize>() + 1;
                let parts: String = parts.into_iter().map(|(part, _)| part).collect();
                (format!("({parts} \"mixed\"{tail})"), count)
            }),
            (inner, text()).prop_map(|((part, count), subject)| {
                let envelope = format!("(NIL {subject} NIL NIL NIL NIL NIL NIL NIL NIL)");
                let message =
                    format!("(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 12 {envelope} {part} 7)");
                (message, count + 1)
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_follows_the_grammar_is_read_part_by_part((octets, count) in structure()) {
        let owned = try_read(octets.as_bytes()).unwrap();
        let view = owned.view();
        prop_assert_eq!(view.parts().count(), count);
        for part in view.parts() {
            prop_assert_eq!(view.part(part.number()).is_some(), true);
            prop_assert_eq!(part.children().all(|inner| inner.parent().is_some()), true);
        }
        prop_assert_eq!(format!("{view:?}"), format!("{:?}", view.into_owned()));
    }

    #[test]
    fn no_octets_make_it_panic(bytes: Vec<u8>) {
        visit(&bytes);
    }

    #[test]
    fn nothing_like_a_structure_makes_it_panic(
        octets in "\\((\"text\" |\"message\" \"rfc822\" |NIL |[0-9]{1,3} |[ ()\"{}0-9A-Z\\\\\r\n]){0,40}\\)?"
    ) {
        visit(octets.as_bytes());
    }

    #[test]
    fn a_structure_cut_short_is_no_structure((octets, _) in structure(), cut in 0.0..1.0) {
        let cut = (octets.len() as f64 * cut) as usize;
        prop_assert!(read(&mut Reader::new(&octets.as_bytes()[..cut], 0).unwrap()).is_err());
    }
}

fn visit(octets: &[u8]) {
    if read(&mut Reader::new(octets, 0).unwrap()).is_ok() {
        let owned = OwnedBodyStructure::new(octets.into());
        for part in owned.view().parts() {
            let _ = format!(
                "{part:?} {} {:?} {:?}",
                part.section(),
                part.disposition(),
                part.parameters()
            );
            let _ = (part.file_name(), part.languages().count(), part.extension(), part.envelope());
        }
    }
}
