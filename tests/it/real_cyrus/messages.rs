//! What Cyrus tells of messages, and takes.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use mailbearer::Failure;
use mailbearer::imap::{
    AppendOptions, CatenatePart, Date, Fetch, Flag, Message, RawCommand, Search, Section,
    StoreFlags, UidSet, Upload,
};

use super::{message, store};
use crate::support::servers::{Cyrus, PREVIEW};

#[tokio::test]
async fn identifiers_stay_where_names_and_uids_do_not() {
    let cyrus = Cyrus::start();
    let mut imap = cyrus.imap(&cyrus.mailbox("objects")).await;
    imap.create("Old").await.expect("CREATE");
    imap.create("Löschen").await.expect("CREATE");
    let first = b"Message-ID: <1@example.test>\r\nSubject: pears\r\n\r\nfirst\r\n".to_vec();
    let reply = b"Message-ID: <2@example.test>\r\nIn-Reply-To: <1@example.test>\r\n\
        References: <1@example.test>\r\nSubject: Re: pears\r\n\r\nreply\r\n";
    let uids = store(&mut imap, "Old", &[first, reply.to_vec(), message("apples")]).await;

    let old = imap.select("Old").await.expect("SELECT");
    let mailbox_id = old.mailbox_id().expect("an identifier").to_owned();
    let items = || Fetch::uid().email_id().thread_id();
    let told = old.uid_fetch(&uids[..], items()).await.expect("UID FETCH").collect().await;
    let told = told.expect("UID FETCH");
    let emails: Vec<_> = told.iter().map(|one| one.email_id().expect("EMAILID")).collect();
    let threads: Vec<_> = told.iter().map(|one| one.thread_id().expect("THREADID")).collect();
    assert!(emails[0] != emails[1] && emails[1] != emails[2], "{emails:?}");
    assert!(threads[0] == threads[1] && threads[1] != threads[2], "{threads:?}");

    let found = old.uid_search(Search::all().email_id(emails[1])).await.expect("UID SEARCH");
    assert_eq!(found.iter().collect::<Vec<_>>(), [uids[1]]);
    let found = old.uid_search(Search::all().thread_id(threads[0])).await.expect("UID SEARCH");
    assert_eq!(found.iter().collect::<Vec<_>>(), uids[..2]);

    // Into another mailbox, and under another name.
    old.uid_copy(uids[1], "Löschen").await.expect("UID COPY");
    old.uid_move(uids[0], "Löschen").await.expect("UID MOVE");
    imap.unselect().await.expect("UNSELECT");
    imap.rename("Old", "New").await.expect("RENAME");
    // Not by STATUS: for a MAILBOXID there, Cyrus 3.6.1 sends octets out of memory that it has freed.
    let new = imap.select("New").await.expect("SELECT");
    assert_eq!((new.mailbox_id(), new.exists()), (Some(&*mailbox_id), 2));
    let other = imap.select("Löschen").await.expect("SELECT");
    assert_ne!(other.mailbox_id(), Some(&*mailbox_id));
    let there = other.uid_fetch(UidSet::all(), items()).await.expect("UID FETCH").collect().await;
    let there = there.expect("UID FETCH");
    assert_eq!(
        there.iter().map(Message::email_id).collect::<Vec<_>>(),
        [Some(emails[1]), Some(emails[0])]
    );
    assert!(there.iter().all(|one| one.thread_id() == Some(threads[0])), "{there:?}");
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn previews_and_save_dates_are_told() {
    let cyrus = Cyrus::start();
    let mut imap = cyrus.imap(&cyrus.mailbox("previews")).await;
    let uids = store(&mut imap, "INBOX", &[message("one"), message("two")]).await;
    imap.select("INBOX").await.expect("SELECT");
    let note = RawCommand::new("UID").atom("STORE").atom(uids[0].to_string()).atom("ANNOTATION");
    let value = RawCommand::new("").atom("value.shared").astring("first \"words\"\\");
    let entry = RawCommand::new("").atom(PREVIEW).list(value);
    imap.raw(note.list(entry)).await.expect("UID STORE ANNOTATION");

    let inbox = imap.selected().expect("it is open");
    let items = [Fetch::uid().preview(), Fetch::uid().preview_if_ready()];
    for items in items.map(|items| items.save_date().internal_date()) {
        let told = inbox.uid_fetch(UidSet::all(), items).await.expect("UID FETCH").collect().await;
        let told = told.expect("UID FETCH");
        let previews = told.iter().map(|one| one.preview().expect("it is told").to_str_lossy());
        assert_eq!(previews.collect::<Vec<_>>(), ["first \"words\"\\", ""]);
        for one in &told {
            let saved = one.save_date().and_then(|date| date.to_system_time());
            let received = one.internal_date().and_then(|date| date.to_system_time());
            let since = saved.expect("a save date").duration_since(received.expect("a date"));
            assert!(since.expect("it was saved once it was here").as_secs() < 3600);
        }
    }
    let long_ago = Date::new(1999, 1, 1).expect("a day");
    let every = Search::all;
    for (search, found) in [
        (every().saved_since(long_ago), 2),
        (every().saved_before(long_ago), 0),
        (every().saved_on(long_ago), 0),
        (every().save_date_supported(), 2),
    ] {
        let result = inbox.uid_search(search.clone()).await.expect("UID SEARCH");
        assert_eq!(result.count(), found, "{search:?}");
    }
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn all_that_is_known_of_a_message_is_read() {
    let cyrus = Cyrus::start();
    let mut imap = cyrus.imap(&cyrus.mailbox("items")).await;
    let inner =
        b"From: =?utf-8?q?Z=C3=B6e?= <zoe@example.test>\r\nTo: friends: ann@example.test;\r\n\
        Subject: inner\r\n\r\ninside\r\n";
    let content: Vec<u8> = (0..=255).cycle().take(3000).collect();
    let encoded = BASE64_STANDARD.encode(&content);
    let letter = [
        b"From: \"O'Neil, \\\"Ann\\\"\" <ann@example.test>\r\nTo: bob@example.test\r\n\
          Date: Mon, 16 Nov 2026 08:00:00 +0100\r\nSubject: many parts\r\n\
          MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b1\r\n\r\n\
          --b1\r\nContent-Type: text/plain; charset=utf-8\r\n\
          Content-Transfer-Encoding: 8bit\r\n\r\nK\xc3\xb6ln\r\n\
          --b1\r\nContent-Type: application/octet-stream; name*=utf-8''L%C3%B6schen.bin\r\n\
          Content-Transfer-Encoding: base64\r\n\
          Content-Disposition: attachment; filename=\"a.bin\"\r\n\r\n"
            .to_vec(),
        encoded.as_bytes().chunks(76).collect::<Vec<_>>().join(&b"\r\n"[..]),
        b"\r\n--b1\r\nContent-Type: message/rfc822\r\n\r\n".to_vec(),
        inner.to_vec(),
        b"\r\n--b1--\r\n".to_vec(),
    ]
    .concat();
    let options = AppendOptions::new().flags([Flag::Flagged, Flag::from("$Work")]);
    let place = imap.append("INBOX", &letter[..], options).await.expect("APPEND");
    let uid = place.uid().expect("UIDPLUS");
    let inbox = imap.select("INBOX").await.expect("SELECT");
    let part = |number| Section::part([number]);
    let items = Fetch::flags()
        .internal_date()
        .size()
        .envelope()
        .body_structure()
        .mod_seq()
        .body()
        .section(part(3))
        .binary(part(2))
        .binary_size([2]);
    let told = inbox.uid_fetch(uid, items).await.expect("UID FETCH").collect().await;
    let told = told.expect("UID FETCH");
    let [one] = &told[..] else { panic!("{told:?}") };
    assert!(one.flags().contains(&Flag::Flagged) && one.flags().contains(&Flag::from("$Work")));
    assert_eq!((one.size(), one.body()), (Some(letter.len() as u64), Some(&letter[..])));
    assert!(one.mod_seq().is_some() && one.internal_date().is_some());
    let envelope = one.envelope().expect("ENVELOPE");
    assert_eq!(envelope.subject().expect("a subject").to_str_lossy(), "many parts");
    let structure = one.body_structure().expect("BODYSTRUCTURE");
    let types: Vec<_> = structure.parts().filter_map(|part| part.media_type()).collect();
    let types: Vec<_> = types.iter().map(|text| text.to_str_lossy()).collect();
    assert_eq!(types, ["TEXT", "APPLICATION", "MESSAGE", "TEXT"]);
    assert_eq!(one.section(&part(3)).expect("part 3"), inner);
    assert_eq!(one.binary(&part(2)).expect("part 2"), content);
    assert_eq!(one.binary_size([2]), Some(content.len() as u64));
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn several_mebibytes_go_in_and_out_octet_for_octet() {
    let cyrus = Cyrus::start();
    let mut imap = cyrus.imap(&cyrus.mailbox("long")).await;
    let line: Vec<u8> = (1..=255).filter(|octet| !b"\r\n".contains(octet)).collect();
    let mut long = b"Subject: long\r\n\r\n".to_vec();
    for at in 0..30_000 {
        long.extend_from_slice(&line[at % 100..]);
        long.extend_from_slice(b"\r\n");
    }
    let upload = Upload::reader(&long[..], long.len() as u64);
    let place = imap.append("INBOX", upload, AppendOptions::new()).await.expect("APPEND");
    let uid = place.uid().expect("UIDPLUS");
    let fetched = imap.select_fetch("INBOX", uid, Fetch::size().body()).await.expect("UID FETCH");
    let mut parts = fetched.parts();
    let mut back = Vec::new();
    let copied = parts.copy_body(&mut back).await.expect("UID FETCH").expect("the message");
    assert_eq!(copied.octets, Some(long.len() as u64));
    assert!(back == long, "it came back changed");
    assert!(parts.next().await.expect("UID FETCH").is_none());
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn several_messages_are_stored_by_one_command_and_one_out_of_parts() {
    let cyrus = Cyrus::start();
    let mut imap = cyrus.imap(&cyrus.mailbox("stored")).await;
    let sent = ["one", "two", "three"].map(message);
    let uploads = sent.iter().map(|one| (&one[..], AppendOptions::new().flags([Flag::Seen])));
    let stored = imap.append_all("INBOX", uploads).await.expect("APPEND");
    let uids: Vec<_> = stored.uids().collect();
    assert_eq!(uids.len(), 3);
    let validity = stored.uid_validity().expect("UIDPLUS");

    imap.create("Entwürfe").await.expect("CREATE");
    let part = |section: Section| CatenatePart::message("INBOX", validity, uids[1], &section);
    let parts = [
        CatenatePart::text("X-New: yes\r\n"),
        part(Section::header()),
        CatenatePart::text("and "),
        part(Section::text()),
    ];
    let place = imap.append_catenated("Entwürfe", parts, AppendOptions::new()).await;
    let uid = place.expect("APPEND").uid().expect("UIDPLUS");
    let drafts = imap.select("Entwürfe").await.expect("SELECT");
    let told = drafts.uid_fetch(uid, Fetch::body()).await.expect("UID FETCH").collect().await;
    let told = told.expect("UID FETCH");
    let expected = "X-New: yes\r\nFrom: ann@example.test\r\nSubject: two\r\n\r\n\
                    and hello two\r\n";
    assert_eq!(told[0].body(), Some(expected.as_bytes()));
    let gone = [CatenatePart::url("/INBOX;UIDVALIDITY=1/;UID=999")];
    let error = imap.append_catenated("INBOX", gone, AppendOptions::new()).await;
    let error = error.expect_err("no such part");
    assert!(error.connection_usable(), "{error:?}");
    imap.logout().await.expect("LOGOUT");
}

#[tokio::test]
async fn messages_are_copied_moved_and_expunged() {
    let cyrus = Cyrus::start();
    let mut imap = cyrus.imap(&cyrus.mailbox("moved")).await;
    let uids = store(&mut imap, "INBOX", &["one", "two", "three", "four"].map(message)).await;
    imap.create("Archive").await.expect("CREATE");
    let inbox = imap.select("INBOX").await.expect("SELECT");
    let copied = inbox.uid_copy(&uids[..2], "Archive").await.expect("UID COPY");
    assert_eq!(copied.pairs().map(|(from, _)| from).collect::<Vec<_>>(), uids[..2]);
    let moved = inbox.uid_move(uids[1], "Archive").await.expect("UID MOVE");
    assert_eq!((moved.pairs().count(), moved.expunged().numbers()), (1, &[2][..]));
    let marks = StoreFlags::add([Flag::Deleted]);
    assert_eq!(inbox.uid_store(&uids[2..], marks).await.expect("UID STORE").len(), 2);
    assert_eq!(inbox.uid_expunge(uids[2]).await.expect("UID EXPUNGE").numbers(), [2]);
    assert_eq!(inbox.expunge().await.expect("EXPUNGE").numbers(), [2]);
    assert_eq!(inbox.exists(), 1);
    let error = inbox.uid_copy(uids[0], "nowhere").await.expect_err("no mailbox");
    assert!(error.connection_usable());
    let archive = imap.select("Archive").await.expect("SELECT");
    assert_eq!(archive.exists(), 3);
    imap.logout().await.expect("LOGOUT");
}
