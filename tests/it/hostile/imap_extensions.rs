//! What a malicious or broken server can make of the extensions of IMAP.

use mailbearer::imap::{
    AppendOptions, CatenatePart, Error, Event, Fetch, GetMetadata, QuotaResource, Right, Search,
    SearchReturn, Uid, UidSet,
};
use mailbearer::{Failure, Fault, ImapClient, Limits, Protocol};

use super::{Far, connector};

/// A client that is logged in to a server that offers this.
async fn opened(offered: &str, limits: Limits) -> (ImapClient, Far) {
    let (connector, mut far) = connector(Protocol::Imap, ImapClient::builder);
    far.say(format!("* PREAUTH [CAPABILITY IMAP4rev1 {offered}] hi\r\n")).await;
    (connector.limits(limits).connect().await.unwrap(), far)
}

/// The server hears a command and says this, and then `OK` behind its tag.
async fn answer(far: &mut Far, said: impl AsRef<[u8]>) {
    let line = far.line().await;
    let tag = line.split(' ').next().unwrap_or_default().to_owned();
    far.say(said).await;
    far.say(format!("{tag} OK done\r\n")).await;
}

/// The session lives, and its next command gets its own answer.
async fn lives(client: &mut ImapClient, far: &mut Far) {
    let (done, ()) = tokio::join!(client.noop(), async {
        let line = far.line().await;
        let tag = line.strip_suffix(" NOOP").expect("NOOP");
        far.say(format!("{tag} NO its own\r\n")).await;
    });
    let error = done.unwrap_err();
    assert_eq!(error.reply_text().as_deref(), Some("NO its own"));
}

/// All events, of which none holds more than is kept of what nobody asked for.
fn events(client: &mut ImapClient) -> Vec<Event> {
    let events: Vec<_> = std::iter::from_fn(|| client.take_event()).collect();
    for event in &events {
        if let Event::Unparsed { frame, .. } = event {
            assert!(frame.len() <= 4096);
        }
    }
    events
}

#[tokio::test(start_paused = true)]
async fn a_note_of_100_mib_is_an_error_under_a_lower_limit_announced_or_sent() {
    for sent in [0, 100 * 1024 * 1024] {
        let limits = Limits::default().message(1024 * 1024);
        let (mut client, mut far) = opened("METADATA", limits).await;
        let server = async {
            far.line().await;
            far.say("* METADATA INBOX (/private/comment {104857600}\r\n").await;
            for _ in 0..sent / (1024 * 1024) {
                far.say(vec![b'x'; 1024 * 1024]).await;
            }
        };
        let wanted = GetMetadata::new(["/private/comment"]);
        let user = async {
            let told = client.metadata("INBOX", wanted).await;
            // Whoever goes on sending finds the connection closed.
            let open = client.is_open();
            drop(client);
            (told, open)
        };
        let ((told, open), ()) = tokio::join!(user, server);
        let error = told.unwrap_err();
        let Error::Protocol { fault: Fault::ResponseTooLong { .. }, .. } = error else {
            panic!("{error:?}")
        };
        assert!(!open);
    }
}

#[tokio::test(start_paused = true)]
async fn a_quota_beyond_63_bits_is_told_or_an_event_and_never_another_number() {
    for (number, fits) in [
        ("9223372036854775807", true),
        ("9223372036854775808", true),
        ("18446744073709551615", true),
        ("18446744073709551616", false),
        ("99999999999999999999999999", false),
        ("-1", false),
    ] {
        let (mut client, mut far) = opened("QUOTA", Limits::default()).await;
        let said = format!("* QUOTAROOT INBOX r\r\n* QUOTA r (STORAGE 1 {number})\r\n");
        let (told, ()) = tokio::join!(client.quota_root("INBOX"), answer(&mut far, said));
        let told = told.unwrap();
        let limit = told.usage(&QuotaResource::Storage).map(|usage| usage.limit().to_string());
        let events = events(&mut client);
        match limit {
            Some(limit) => assert_eq!(limit, number),
            None => assert!(told.unread() == 1 && events.len() == 1, "{number}: {events:?}"),
        }
        assert!(fits || told.unread() == 1, "{number}");
        lives(&mut client, &mut far).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rights_that_are_none_give_nobody_any() {
    for rights in ["l\0r", "l\u{e9}", "L", "\"l r\"", "{3}\r\nl\0r", "("] {
        let (mut client, mut far) = opened("ACL", Limits::default()).await;
        let said = format!("* ACL INBOX ann lr eve {rights}\r\n");
        let (told, ()) = tokio::join!(client.acl("INBOX"), answer(&mut far, said));
        assert_eq!(told.unwrap(), None, "{rights:?}");
        assert!(!events(&mut client).is_empty(), "{rights:?}");
        let said = format!("* MYRIGHTS INBOX {rights}\r\n");
        let (told, ()) = tokio::join!(client.my_rights("INBOX"), answer(&mut far, said));
        assert!(told.unwrap().is_none_or(|rights| !rights.has(Right::READ)), "{rights:?}");
        lives(&mut client, &mut far).await;
    }
}

#[tokio::test(start_paused = true)]
async fn all_messages_there_can_be_vanish_as_one_range() {
    for (earlier, left) in [("", 0), ("(EARLIER) ", 3)] {
        let (mut client, mut far) = opened("QRESYNC ENABLE", Limits::default()).await;
        let server = async {
            answer(&mut far, "* 3 EXISTS\r\n").await;
            answer(&mut far, format!("* VANISHED {earlier}1:4294967295\r\n")).await;
            answer(&mut far, "* VANISHED 1:*\r\n* VANISHED 0\r\n* VANISHED 4294967296\r\n").await;
        };
        let user = async {
            let inbox = client.select("INBOX").await.unwrap();
            inbox.noop().await.unwrap();
            let told = inbox.take_event();
            let Some(Event::Vanished { uids, .. }) = told else { panic!("{told:?}") };
            assert_eq!((uids.to_string().as_str(), inbox.exists()), ("1:4294967295", left));
            inbox.noop().await.unwrap();
            assert_eq!(inbox.exists(), left);
        };
        tokio::join!(user, server);
        let events = events(&mut client);
        assert!(matches!(
            events[..],
            [Event::Unparsed { .. }, Event::Unparsed { .. }, Event::Unparsed { .. }]
        ));
        lives(&mut client, &mut far).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_modification_sequence_that_is_none_is_not_believed() {
    for (number, told) in [
        ("0", None),
        ("9223372036854775807", Some(i64::MAX as u64)),
        ("9223372036854775808", None),
        ("18446744073709551616", None),
    ] {
        let (mut client, mut far) = opened("CONDSTORE", Limits::default()).await;
        let server = async {
            answer(&mut far, format!("* 1 EXISTS\r\n* OK [HIGHESTMODSEQ {number}] hi\r\n")).await;
            answer(&mut far, format!("* 1 FETCH (UID 7 MODSEQ ({number}))\r\n")).await;
        };
        let user = async {
            let inbox = client.select("INBOX").await.unwrap();
            let highest = inbox.highest_mod_seq();
            let messages = inbox.uid_fetch(UidSet::all(), Fetch::uid().mod_seq()).await.unwrap();
            let messages = messages.collect().await.unwrap();
            (highest, messages.first().and_then(|message| message.mod_seq()))
        };
        let ((highest, of_message), ()) = tokio::join!(user, server);
        for seen in [highest, of_message] {
            assert!(seen == told || seen.map(|seen| seen.to_string()).as_deref() == Some(number));
        }
        // No mailbox has that one; of a message it is passed on as it came.
        assert_ne!(highest, Some(0));
        lives(&mut client, &mut far).await;
    }
}

#[tokio::test(start_paused = true)]
async fn lists_without_end_or_bottom_are_bounded_and_the_session_lives() {
    let deep = format!("* NAMESPACE {}{} NIL NIL\r\n", "(".repeat(100_000), ")".repeat(100_000));
    let (mut client, mut far) = opened("NAMESPACE LANGUAGE", Limits::default()).await;
    let (told, ()) = tokio::join!(client.namespace(), answer(&mut far, deep));
    assert!(told.unwrap().personal().is_empty());
    assert!(!events(&mut client).is_empty());
    let many = format!("* LANGUAGE ({})\r\n", "\"en\" ".repeat(1_000_000));
    let (told, ()) = tokio::join!(client.languages(), answer(&mut far, many));
    assert!(told.unwrap().len() <= 10_000);
    events(&mut client);
    lives(&mut client, &mut far).await;
}

#[tokio::test(start_paused = true)]
async fn a_search_that_finds_all_there_can_be_takes_no_room() {
    let (mut client, mut far) = opened("ESEARCH", Limits::default()).await;
    let server = async {
        answer(&mut far, "* 3 EXISTS\r\n").await;
        let line = far.line().await;
        let tag = line.split(' ').next().unwrap_or_default();
        let all = "ALL 1:4294967295 COUNT 4294967295 MIN 1 MAX 4294967295";
        far.say(format!("* ESEARCH (TAG \"{tag}\") UID {all}\r\n{tag} OK done\r\n")).await;
    };
    let user = async {
        let inbox = client.select("INBOX").await.unwrap();
        let returns = [SearchReturn::All, SearchReturn::Count];
        let found = inbox.uid_search_returning(Search::all(), returns).await.unwrap();
        assert_eq!(found.iter().next(), Uid::new(1));
        assert_eq!(found.into_set().to_string(), "1:4294967295");
    };
    tokio::join!(user, server);
    lives(&mut client, &mut far).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_at_any_stage_stores_nothing_and_the_session_lives() {
    let long = vec![b'x'; 100_000];
    // Before the first text is invited, before the second, and behind both.
    for stage in 0..3 {
        for replace in [false, true] {
            let (mut client, mut far) = opened("CATENATE REPLACE UIDPLUS", Limits::default()).await;
            let server = async {
                answer(&mut far, "* 1 EXISTS\r\n").await;
                let texts = if replace { 1 } else { 2 };
                let mut tag = String::new();
                for text in 0..texts {
                    let line = far.line().await;
                    if text == 0 {
                        tag = line.split(' ').next().unwrap_or_default().to_owned();
                    }
                    if stage == text {
                        break;
                    }
                    far.say("+ go\r\n").await;
                    far.octets(long.len()).await;
                }
                if stage >= texts {
                    far.line().await;
                }
                far.say(format!("{tag} NO [OVERQUOTA] at {stage}\r\n")).await;
            };
            let user = async {
                let inbox = client.select("INBOX").await.unwrap();
                let options = AppendOptions::new();
                if replace {
                    let uid = Uid::new(7).unwrap();
                    inbox.uid_replace(uid, "INBOX", long.clone(), options).await.map(drop)
                } else {
                    let parts = [&long, &long].map(|text| CatenatePart::text(text.clone()));
                    client.append_catenated("INBOX", parts, options).await.map(drop)
                }
            };
            let (stored, ()) = tokio::join!(user, server);
            let error = stored.unwrap_err();
            assert!(matches!(error, Error::Refused { usable: true, .. }), "{stage}: {error:?}");
            lives(&mut client, &mut far).await;
        }
    }
}
