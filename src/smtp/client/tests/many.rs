//! Many messages in flight, by DATA and by BDAT.

use proptest::prelude::*;
use tokio::io::AsyncReadExt;

use super::bodies::pieces;
use super::model::{Account, Answer, Delivered, Model, numbered};
use super::*;
use crate::smtp::{Pipeline, Sent};

const DATA: &[&str] = &["PIPELINING", "SIZE 0", "8BITMIME"];
const BDAT: &[&str] = &["PIPELINING", "CHUNKING", "BINARYMIME", "8BITMIME"];
const BDAT_ALONE: &[&str] = &["CHUNKING"];

/// How a body is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    Chunked,
    OneFlight,
    Reader,
    FailingReader,
    AllOrNothing,
}

fn content(n: usize, lines: usize) -> String {
    format!("Subject: message {n}\r\n\r\n{}", message(lines))
}

/// A reader that has this much and then fails.
struct Failing(&'static [u8], bool);

impl tokio::io::AsyncRead for Failing {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        // Every other time it has to be waited for.
        self.1 = !self.1;
        if self.1 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let octets = self.0.len().min(buffer.remaining()).min(100);
        if octets == 0 {
            return Poll::Ready(Err(std::io::Error::other("disk on fire")));
        }
        let (now, later) = self.0.split_at(octets);
        buffer.put_slice(now);
        self.0 = later;
        Poll::Ready(Ok(()))
    }
}

fn letter(n: usize, way: Way, lines: usize) -> (Envelope, Body<'static>) {
    let text = content(n, lines);
    let body = match way {
        Way::Plain | Way::AllOrNothing => Body::from(text),
        Way::Chunked => Body::from(text).chunked(),
        Way::OneFlight => Body::from(text).chunked_in_one_flight(),
        Way::Reader => Body::reader(std::io::Cursor::new(text)),
        Way::FailingReader => Body::reader(Failing(&[b'x'; 300], false)),
    };
    let envelope = numbered(n);
    (if way == Way::AllOrNothing { envelope.all_or_nothing() } else { envelope }, body)
}

/// What the client tells must be what the server did.
fn compare(sent: &[Sent], ways: &[Way], lines: usize, account: &Account) {
    for (n, sent) in sent.iter().enumerate() {
        assert_eq!(sent.index, n);
        let delivered: Vec<&Delivered> =
            account.delivered.iter().filter(|delivered| delivered.message == n).collect();
        assert!(delivered.len() <= 1, "message {n} was delivered twice");
        if let Some(delivered) = delivered.first() {
            assert_eq!(String::from_utf8_lossy(&delivered.content), content(n, lines));
            assert!(ways[n] != Way::AllOrNothing || delivered.to.len() == 2);
        }
        let receipt = match &sent.outcome {
            Ok(receipt) => Some(receipt),
            Err(error) => error.receipt(),
        };
        if let Some(receipt) = receipt {
            for recipient in receipt.accepted() {
                let words = recipient.reply().to_string();
                let own = words.contains(&format!("#{n}")) && words.contains(recipient.recipient());
                assert!(own, "{n}: {words}");
            }
            for recipient in receipt.refused() {
                let words = recipient.reply().to_string();
                assert!(words.contains(&format!("#{n} ")), "{n}: {words}");
            }
        }
        match &sent.outcome {
            Ok(receipt) => {
                let [delivered] = delivered[..] else { panic!("{n} was not delivered") };
                let accepted: Vec<_> = receipt.accepted().map(|to| to.recipient()).collect();
                assert_eq!(accepted, delivered.to);
                assert_eq!(receipt.queue_id(), Some(format!("Q{n}").as_str()), "{receipt:?}");
            }
            Err(Error::Unknown { .. }) => {}
            Err(error) => assert!(delivered.is_empty(), "{n} was delivered, but {error}"),
        }
    }
    assert_eq!(sent.len(), ways.len());
}

async fn play(model: Model, ways: &[Way], lines: usize) -> (Vec<Sent>, Account) {
    let (mut client, server) = model.start();
    let letters = ways.iter().enumerate().map(|(n, way)| letter(n, *way, lines));
    let sent = client.send_all(letters).collect().await;
    drop(client);
    (sent, server.await.unwrap())
}

#[tokio::test]
async fn messages_sent_together_arrive_in_order_whatever_the_way() {
    for keywords in [DATA, BDAT, BDAT_ALONE, &[]] {
        for way in [Way::Plain, Way::Chunked, Way::OneFlight, Way::Reader, Way::AllOrNothing] {
            for (pipe, lines) in [(1, 3), (64 * 1024, 0), (64 * 1024, 40), (900, 5000)] {
                let model = Model { pipe, ..Model::new(keywords) };
                let (sent, account) = play(model, &[way; 7], lines).await;
                compare(&sent, &[way; 7], lines, &account);
                assert_eq!(account.delivered.len(), 7, "{keywords:?} {way:?}");
                assert!(sent.iter().all(|sent| sent.outcome.is_ok()));
            }
        }
    }
}

#[tokio::test]
async fn the_end_of_a_message_and_the_envelope_of_the_next_are_one_write() {
    let (mut client, server) = Model::new(DATA).start();
    let letters = (0..3).map(|n| (numbered(n), "hi\r\n"));
    let _ = client.send_all(letters).collect().await;
    drop(client);
    let commands = server.await.unwrap().commands;
    let one = |n| {
        let mail = format!("MAIL FROM:<m{n}@contoso.example> SIZE=4");
        [&mail, "RCPT TO:<ann@a.example>", "RCPT TO:<bob@b.example>", "DATA"].map(str::to_owned)
    };
    assert_eq!(commands, [one(0), one(1), one(2)].concat());
}

/// The server answers nothing before it has heard all of a flight.
#[tokio::test(start_paused = true)]
async fn a_message_that_is_refused_takes_no_round_trip_more() {
    for (refusal, takes_back) in [
        ("250 a\r\n250 b\r\n250 c\r\n554 No\r\n", "RSET\r\n"),
        ("250 a\r\n550 No\r\n550 No\r\n554 Nobody\r\n", "RSET\r\n"),
        ("250 a\r\n550 No\r\n550 No\r\n354 Go on\r\n", ".\r\n"),
    ] {
        let (ours, mut theirs) = duplex(4096);
        let limits = Limits::default();
        let core = Core::after_greeting(true, &limits);
        let driver = Driver::new(Box::new(ours), core, "smtp", Timeouts::default(), &limits);
        let mut client = SmtpClient::new(driver, extensions(&["PIPELINING"]));
        let server = tokio::spawn(async move {
            let envelope = |n: usize| {
                format!(
                    "MAIL FROM:<m{n}@contoso.example>\r\n\
                     RCPT TO:<ann@a.example>\r\nRCPT TO:<bob@b.example>\r\nDATA\r\n"
                )
            };
            let flights = [
                (envelope(0), refusal),
                (
                    takes_back.to_owned() + &envelope(1),
                    "250 x\r\n250 a\r\n250 b\r\n250 c\r\n354 Go\r\n",
                ),
                ("hi\r\n.\r\n".to_owned(), "250 queued as Q1\r\n"),
            ];
            for (flight, reply) in flights {
                let mut heard = vec![0; flight.len()];
                theirs.read_exact(&mut heard).await.unwrap();
                assert_eq!(String::from_utf8_lossy(&heard), flight);
                theirs.write_all(reply.as_bytes()).await.unwrap();
            }
        });
        let letters = (0..2).map(|n| (numbered(n), "hi\r\n"));
        let sent = client.send_all(letters).collect().await;
        assert!(matches!(&sent[0].outcome, Err(Error::Refused { .. })), "{sent:?}");
        assert_eq!(sent[1].outcome.as_ref().unwrap().queue_id(), Some("Q1"));
        server.await.unwrap();
    }
}

#[tokio::test]
async fn a_chunked_message_behind_another_begins_with_rset() {
    let (sent, account) = play(Model::new(BDAT), &[Way::OneFlight; 2], 0).await;
    assert!(sent.iter().all(|sent| sent.outcome.is_ok()));
    let verbs: Vec<_> = account.commands.iter().map(|line| &line[..4]).collect();
    assert_eq!(verbs, ["MAIL", "RCPT", "RCPT", "BDAT", "RSET", "MAIL", "RCPT", "RCPT", "BDAT"]);
    assert!(account.commands[3].ends_with(" LAST"));
}

#[tokio::test]
async fn a_refused_message_stops_no_other() {
    for (keywords, way) in [
        (DATA, Way::Plain),
        (BDAT, Way::Chunked),
        (BDAT, Way::OneFlight),
        (BDAT_ALONE, Way::Chunked),
        (&[], Way::Plain),
    ] {
        for refused in 0..14 {
            let answers = (0..14).map(|n| if n == refused { Answer::No(550) } else { Answer::Yes });
            let (sent, account) =
                play(Model::new(keywords).answering(answers), &[way; 4], 20).await;
            compare(&sent, &[way; 4], 20, &account);
            let failed = sent.iter().filter(|sent| sent.outcome.is_err()).count();
            assert!(failed <= 1, "{keywords:?} {refused}: {sent:?}");
            assert_eq!(account.delivered.len(), 4 - failed);
        }
    }
}

#[tokio::test]
async fn all_or_nothing_sends_no_content_if_one_was_refused() {
    for keywords in [DATA, BDAT, BDAT_ALONE, &[]] {
        let answers = [Answer::Yes, Answer::Yes, Answer::No(450)];
        let model = Model::new(keywords).answering(answers);
        let (sent, account) = play(model, &[Way::AllOrNothing; 2], 20).await;
        let error = sent[0].outcome.as_ref().unwrap_err();
        assert_eq!(error.to_string(), "RCPT TO refused: 450 #0 no");
        assert_eq!(error.receipt().unwrap().accepted().count(), 1);
        assert_eq!(error.retry(), Retry::Later(None));
        assert!(error.connection_usable());
        assert_eq!(account.commands[3], "RSET");
        assert_eq!(account.delivered.len(), 1);
    }
}

#[tokio::test]
async fn a_reader_that_fails_cuts_the_connection_only_if_content_has_left() {
    // By DATA the server waits for content already.
    let ways = [Way::Plain, Way::FailingReader, Way::Plain];
    let (sent, account) = play(Model::new(DATA), &ways, 3).await;
    compare(&sent, &ways, 3, &account);
    let Err(error) = &sent[1].outcome else { panic!() };
    assert_eq!(
        error.to_string(),
        "the message was not delivered because of its content: it could not be read: disk on fire"
    );
    assert!(!error.connection_usable() && std::error::Error::source(error).is_some());
    assert!(sent[0].outcome.is_ok() && sent[2].outcome.is_err());
    assert_eq!(account.delivered.len(), 1);

    // Of what goes by BDAT nothing has left: the first chunk is not full.
    let (sent, account) = play(Model::new(BDAT), &ways, 3).await;
    compare(&sent, &ways, 3, &account);
    let Err(error) = &sent[1].outcome else { panic!() };
    assert!(matches!(error, Error::Body { .. }) && error.connection_usable(), "{error:?}");
    assert!(sent[0].outcome.is_ok() && sent[2].outcome.is_ok());
}

#[tokio::test]
async fn a_message_that_cannot_be_sent_is_told_in_its_turn() {
    let (mut client, server) = Model::new(&["PIPELINING", "SIZE 100"]).start();
    let texts = ["one", &"x".repeat(200), "three", "four"];
    let letters = texts.iter().enumerate().map(|(n, text)| (numbered(n), *text));
    let sent = client.send_all(letters).collect().await;
    let told: Vec<_> = sent.iter().map(|sent| (sent.index, sent.outcome.is_ok())).collect();
    assert_eq!(told, [(0, true), (1, false), (2, true), (3, true)]);
    assert!(matches!(sent[1].outcome, Err(Error::TooLarge { size: 202, limit: 100 })));
    drop(client);
    assert_eq!(server.await.unwrap().delivered.len(), 3);
}

#[tokio::test]
async fn a_server_that_closes_at_any_octet_is_told_from_one_that_delivered() {
    for (keywords, way) in [
        (DATA, Way::Plain),
        (BDAT, Way::Chunked),
        (BDAT, Way::OneFlight),
        (BDAT, Way::Reader),
        (DATA, Way::AllOrNothing),
        (&[], Way::Plain),
    ] {
        let ways = [way; 3];
        let (_, whole) = play(Model::new(keywords), &ways, 5).await;
        for most in 0..=whole.said {
            let (sent, account) = play(Model { most, ..Model::new(keywords) }, &ways, 5).await;
            compare(&sent, &ways, 5, &account);
            let unknown = |sent: &&Sent| matches!(sent.outcome, Err(Error::Unknown { .. }));
            let unknown = sent.iter().filter(unknown).count();
            assert!(unknown <= if way == Way::OneFlight { 3 } else { 1 }, "{most}: {sent:?}");
            assert_eq!(sent.iter().all(|sent| sent.outcome.is_ok()), most == whole.said);
        }
    }
}

#[tokio::test]
async fn what_is_dropped_half_way_is_delivered_whole_or_not_at_all() {
    let mut seen = (0, 0);
    for (keywords, way) in [(DATA, Way::Plain), (BDAT, Way::Chunked), (BDAT, Way::OneFlight)] {
        for (pipe, lines) in [(16, 3), (700, 20), (64 * 1024, 20)] {
            for times in 1.. {
                let model = Model { pipe, ..Model::new(keywords) };
                let (mut client, server) = model.start();
                let letters = (0..4).map(|n| letter(n, way, lines));
                let mut told = 0;
                let done = {
                    let mut sending = client.send_all(letters);
                    let all = async {
                        while let Some(sent) = sending.next().await {
                            assert!(sent.outcome.is_ok());
                            told += 1;
                        }
                    };
                    cut(all, times).await.is_some()
                };
                let settled = client.noop().await;
                let mut outcomes = Vec::new();
                while let Some(outcome) = client.take_outcome() {
                    outcomes.push(outcome);
                }
                drop(client);
                let account = server.await.unwrap();
                // Every delivery is known, and nothing else is.
                let known = told + outcomes.iter().filter(|outcome| outcome.is_ok()).count();
                assert_eq!(account.delivered.len(), known, "{way:?} {pipe} {times}");
                for (n, delivered) in account.delivered.iter().enumerate() {
                    assert_eq!(delivered.message, n);
                    assert_eq!(String::from_utf8_lossy(&delivered.content), content(n, lines));
                }
                match settled {
                    Ok(()) => assert_eq!(account.commands.last().unwrap(), "NOOP"),
                    Err(error) => {
                        assert!(matches!(error, Error::Net { source: net::Error::Abandoned, .. }));
                        seen.0 += 1;
                    }
                }
                seen.1 += usize::from(outcomes.len() > 1);
                if done {
                    break;
                }
            }
        }
    }
    assert!(seen.0 > 10 && seen.1 > 0, "{seen:?}");
}

#[tokio::test]
async fn what_nobody_asked_for_when_the_connection_was_lost_is_an_outcome() {
    let unknown = |outcome: &Result<Receipt, Error>| matches!(outcome, Err(Error::Unknown { .. }));
    for asked in 0..4 {
        let (mut client, _server) = Model { most: 0, ..Model::new(BDAT) }.start();
        let mut sending = client.send_all((0..3).map(|n| letter(n, Way::OneFlight, 3)));
        for _ in 0..asked {
            assert!(sending.next().await.is_none_or(|sent| unknown(&sent.outcome)));
        }
        drop(sending);
        if asked == 2 {
            // Another message has nothing to do with it.
            let error = client.send(&numbered(3), "hi").await.unwrap_err();
            assert!(matches!(error, Error::Closed { .. }), "{error}");
        }
        let mut outcomes = 0;
        while let Some(outcome) = client.take_outcome() {
            assert!(unknown(&outcome), "{outcome:?}");
            outcomes += 1;
        }
        assert_eq!(outcomes, [0, 2, 1, 0][asked], "after {asked}");
    }
}

/// The published ways to smuggle a message: what some server takes for the end of one.
#[tokio::test]
async fn no_end_of_a_message_is_smuggled_wherever_its_chunks_are_cut() {
    let ends: [&[u8]; 12] = [
        b"\n.\n",
        b"\n.\r\n",
        b"\r\n.\n",
        b"\r.\r",
        b"\r.\r\n",
        b"\r\n.\r",
        b"\r\n.\r\n",
        b"\n.\r",
        b"\r.\n",
        b"\r\r\n.\r\r\n",
        b"\r\n\0.\r\n",
        b"\r\n.\0\r\n",
    ];
    for end in ends {
        let text = [b"x", end, b"MAIL FROM:<m9@evil.example>\r\nDATA\r\n.", end].concat();
        let whole = delivered(DATA, vec![Body::from(text.as_slice())]).await.remove(0);
        for cut in 1..text.len() {
            let (head, tail) = text.split_at(cut);
            let stream = || Body::stream(pieces([head, tail]));
            let by_and_by = Body::stream(pieces(text.chunks(cut)));
            let bodies = vec![Body::reader(head.chain(tail)), stream(), by_and_by];
            assert_eq!(delivered(DATA, bodies).await, [&*whole; 3], "{end:?} {cut}");
            // A relay may send by DATA what it got by BDAT, so no bare CR or LF goes that way either.
            let bodies =
                vec![Body::from(&text).chunked(), stream(), stream().chunked_in_one_flight()];
            let by_bdat = delivered(BDAT, bodies).await;
            if !text.contains(&0) {
                assert_eq!(by_bdat, [&*whole; 3], "{end:?} {cut}");
            }
            let bare = |text: &str| text.replace("\r\n", "").contains(['\r', '\n']);
            assert!(!by_bdat.iter().any(|text| bare(text)), "{end:?} {cut}");
        }
    }
}

/// What arrives of these, which all have to.
async fn delivered(keywords: &[&'static str], bodies: Vec<Body<'_>>) -> Vec<String> {
    let (mut client, server) = Model::new(keywords).start();
    let count = bodies.len();
    let letters = bodies.into_iter().enumerate().map(|(n, body)| (numbered(n), body));
    let sent = client.send_all(letters).collect().await;
    assert!(sent.iter().all(|sent| sent.outcome.is_ok()), "{sent:?}");
    drop(client);
    let account = server.await.unwrap();
    assert_eq!(account.delivered.len(), count);
    let text = |one: Delivered| String::from_utf8(one.content).unwrap();
    account.delivered.into_iter().map(text).collect()
}

#[tokio::test]
async fn messages_pushed_one_after_the_other_are_sent_as_they_come() {
    let (mut client, server) = Model::new(DATA).start();
    let envelopes: Vec<Envelope> = (0..5).map(numbered).collect();
    let mut pipeline: Pipeline<'_, '_> = client.pipeline();
    assert!(pipeline.next().await.is_none());
    assert_eq!(pipeline.push(&envelopes[0], "zero"), 0);
    assert_eq!(pipeline.push(&envelopes[1], "one"), 1);
    assert_eq!(pipeline.waiting(), 2);
    assert_eq!(pipeline.next().await.unwrap().index, 0);
    assert_eq!(pipeline.push(&envelopes[2], "two"), 2);
    assert_eq!(pipeline.next().await.unwrap().index, 1);
    assert_eq!(pipeline.next().await.unwrap().index, 2);
    assert!(pipeline.next().await.is_none());
    pipeline.push(envelopes[3].clone(), "three".to_owned());
    // A dropped future of `next` loses nothing.
    let mut polls = 0;
    let sent = loop {
        polls += 1;
        if let Some(sent) = cut(pipeline.next(), 1).await {
            break sent.unwrap();
        }
    };
    assert!(polls > 1);
    assert_eq!((sent.index, sent.outcome.unwrap().queue_id()), (3, Some("Q3")));
    drop(pipeline);
    let _ = client.send(&envelopes[4], "four").await.unwrap();
    drop(client);
    assert_eq!(server.await.unwrap().delivered.len(), 5);
}

fn answers() -> impl Strategy<Value = Vec<Answer>> {
    let answer = prop_oneof![
        20 => Just(Answer::Yes),
        3 => Just(Answer::YesInLines),
        3 => (400u16..600).prop_filter("421 closes", |code| *code != 421).prop_map(Answer::No),
        1 => Just(Answer::Closing),
        1 => Just(Answer::Close),
        1 => Just(Answer::CloseHalfWay),
    ];
    proptest::collection::vec(answer, 0..30)
}

fn ways() -> impl Strategy<Value = Vec<Way>> {
    let way = prop_oneof![
        Just(Way::Plain),
        Just(Way::Chunked),
        Just(Way::OneFlight),
        Just(Way::Reader),
        Just(Way::FailingReader),
        Just(Way::AllOrNothing),
    ];
    proptest::collection::vec(way, 1..7)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_a_server_answers_the_client_tells_what_it_did(
        answers in answers(),
        ways in ways(),
        keywords in prop_oneof![Just(DATA), Just(BDAT), Just(BDAT_ALONE), Just(&[][..])],
        careless: bool,
        pipe in prop_oneof![Just(1usize), Just(100), Just(5000), Just(64 * 1024)],
        lines in 0usize..60,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let model = Model { careless, pipe, ..Model::new(keywords).answering(answers) };
            let began = tokio::time::Instant::now();
            let (sent, account) = play(model, &ways, lines).await;
            compare(&sent, &ways, lines, &account);
            assert!(began.elapsed() < Duration::from_secs(1), "it waited in vain");
        });
    }
}
