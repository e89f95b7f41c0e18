//! A maildrop over POP3 at the embedded server: many messages, streams, and what a program that
//! fetches what is new can rely on.

use std::collections::{BTreeMap, BTreeSet};

use mailbearer::testing::{Fault, Server, Service};
use mailbearer::token::StaticToken;
use mailbearer::{Auth, Connector, Failure, Limits, PopClient, Protocol, Retry, Stage, pop, tls};
use tokio::io::{AsyncBufReadExt, AsyncReadExt};

use crate::support::fragile::Fragile;

const ME: &str = "billing@contoso.example";

async fn server(service: Service, messages: usize) -> Server {
    let server = Server::builder().service(service).start().await.unwrap();
    server.add_mailbox(ME);
    for number in 1..=messages {
        server.deliver(ME, message(number));
    }
    server
}

fn message(number: usize) -> Vec<u8> {
    let line = ".a line that begins with a dot\r\n";
    format!("Subject: {number}\r\n\r\n{}", line.repeat(number % 7 * 10)).into_bytes()
}

fn connector(server: &Server) -> Connector<PopClient> {
    let trust = tls::Config::with_root_pem(server.certificate_pem().as_bytes()).unwrap();
    let auth = Auth::xoauth2(ME, StaticToken::new(server.issue_token(ME)));
    PopClient::builder(server.pop()).tls(trust).auth(auth)
}

async fn open(server: &Server) -> PopClient {
    connector(server).connect().await.unwrap()
}

/// Everything that is new, stored by identifier.
async fn stored(new: &mut pop::NewMessages) -> Result<BTreeMap<String, Vec<u8>>, pop::Error> {
    let mut stored = BTreeMap::new();
    while let Some(message) = new.next().await? {
        stored.insert(message.id().unwrap().to_owned(), message.message().unwrap().to_vec());
        new.stored(&message);
    }
    Ok(stored)
}

#[tokio::test]
async fn many_messages_come_in_order_with_and_without_pipelining() {
    for service in [Service::ExchangeOnline, Service::Gmail] {
        let server = server(service, 500).await;
        let mut client = open(&server).await;
        let mut messages = client.retr_all((1..=501).rev());
        for number in (1..=501).rev() {
            assert_eq!(messages.left(), number);
            let retrieved = messages.next().await.unwrap().unwrap();
            assert_eq!(retrieved.number() as usize, number);
            match number {
                501 => assert_eq!(retrieved.message().unwrap_err().stage(), Stage::Command("RETR")),
                _ => assert_eq!(retrieved.into_message().unwrap(), message(number)),
            }
        }
        assert!(messages.next().await.unwrap().is_none());
        assert_eq!(client.stat().await.unwrap().messages(), 500);
    }
}

#[tokio::test]
async fn dropping_what_fetches_many_leaves_the_next_command_its_own_answer() {
    let server = server(Service::Gmail, 300).await;
    let mut client = open(&server).await;
    for taken in [0, 1, 2, 250] {
        let mut messages = client.retr_all(1..=300);
        for number in 1..=taken {
            let retrieved = messages.next().await.unwrap().unwrap();
            assert_eq!(retrieved.into_message().unwrap(), message(number));
        }
        assert_eq!(client.retr(7).await.unwrap(), message(7));
        assert_eq!(client.stat().await.unwrap().messages(), 300);
    }
}

#[tokio::test]
async fn a_message_can_be_read_in_every_way() {
    let server = server(Service::ExchangeOnline, 0).await;
    let large: Vec<u8> = message(6).repeat(500);
    server.deliver(ME, large.clone());
    let mut client = open(&server).await;

    let mut reader = client.retr_reader(1).await.unwrap();
    let mut read = Vec::new();
    reader.read_to_end(&mut read).await.unwrap();
    assert_eq!(reader.octets(), large.len() as u64);
    assert!(read == large);
    assert_eq!(reader.read(&mut [0; 8]).await.unwrap(), 0, "the end stays the end");

    let mut copied = Vec::new();
    let mut reader = client.retr_reader(1).await.unwrap();
    tokio::io::copy_buf(&mut reader, &mut copied).await.unwrap();
    assert!(copied == large);

    let mut reader = client.retr_reader(1).await.unwrap();
    let mut line = String::new();
    reader.read_line(&mut line).await.unwrap();
    assert_eq!((line.as_str(), reader.octets()), ("Subject: 6\r\n", 12));
    let mut rest = line.into_bytes();
    while let Some(chunk) = reader.chunk().await.unwrap() {
        rest.extend_from_slice(&chunk);
    }
    assert!(rest == large);
    assert!(client.retr(1).await.unwrap() == large);
}

#[tokio::test]
async fn a_connection_that_breaks_within_a_message_is_an_error_of_the_reader() {
    let server = server(Service::ExchangeOnline, 0).await;
    server.deliver(ME, message(6).repeat(500));
    let fragile = Fragile::new();
    let mut client = fragile.apply(connector(&server)).connect().await.unwrap();
    let mut reader = client.retr_reader(1).await.unwrap();
    fragile.break_after(100_000);
    let error = reader.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    let error = error.get_ref().and_then(|error| error.downcast_ref::<pop::Error>()).unwrap();
    assert_eq!(error.retry(), Retry::Reconnect);
    assert!(!client.is_open());
}

#[tokio::test]
async fn what_is_new_comes_once_and_goes_by_finish_only() {
    let server = server(Service::ExchangeOnline, 5).await;
    let mut new = open(&server).await.sync(["gone"]).await.unwrap();
    assert_eq!((new.left(), new.gone().collect::<Vec<_>>()), (5, vec!["gone"]));
    let mut known = BTreeSet::new();
    for number in 1..=3 {
        let message = new.next().await.unwrap().unwrap();
        assert_eq!(message.message().unwrap(), &self::message(number));
        assert_eq!(message.octets(), Some(self::message(number).len() as u64));
        known.extend(message.id().map(str::to_owned));
        new.delete(&message);
    }
    drop(new);
    assert_eq!(server.messages(ME).len(), 5, "a client that goes deletes nothing");

    let mut new = open(&server).await.sync(&known).await.unwrap();
    assert!(new.known().eq(known.iter()));
    assert_eq!((new.left(), new.gone().count()), (2, 0));
    let fourth = new.next().await.unwrap().unwrap();
    assert_eq!(fourth.message().unwrap(), &message(4));
    new.stored(&fourth);
    let fifth = new.next().await.unwrap().unwrap();
    new.delete(&fifth);
    assert!(new.next().await.unwrap().is_none());
    new.delete_known();
    let done = new.finish().await.unwrap();
    assert_eq!((done.deleted(), done.refused().count()), (4, 0));
    assert_eq!(server.messages(ME), [message(4)]);
}

#[tokio::test]
async fn a_message_of_another_session_is_not_deleted() {
    let server = server(Service::ExchangeOnline, 1).await;
    let mut new = open(&server).await.sync([""; 0]).await.unwrap();
    let first = new.next().await.unwrap().unwrap();
    new.delete(&first);
    assert_eq!(new.finish().await.unwrap().deleted(), 1);

    server.deliver(ME, message(2));
    let mut new = open(&server).await.sync([""; 0]).await.unwrap();
    new.delete(&first);
    let second = new.next().await.unwrap().unwrap();
    assert_eq!((second.number(), first.number()), (1, 1));
    new.delete(&first);
    assert_eq!(new.finish().await.unwrap().deleted(), 0);
    assert_eq!(server.messages(ME), [message(2)]);
}

#[tokio::test]
async fn a_message_that_fails_is_new_again() {
    let server = server(Service::Gmail, 3).await;
    let reply = "-ERR [SYS/TEMP] not now";
    server.inject(Fault::Reply { protocol: Protocol::Pop, verb: "RETR", reply });
    let mut new = open(&server).await.sync([""; 0]).await.unwrap();
    let failed = new.next().await.unwrap().unwrap();
    assert_eq!(failed.message().unwrap_err().retry(), Retry::Later(None));
    new.delete(&failed);
    assert_eq!(stored(&mut new).await.unwrap().len(), 2);
    let done = new.finish().await.unwrap();
    assert_eq!(done.deleted(), 0);
    let new = open(&server).await.sync([""; 0]).await.unwrap();
    assert_eq!(new.left(), 3);
}

#[tokio::test]
async fn a_message_over_the_limit_is_not_asked_for() {
    let server = server(Service::ExchangeOnline, 6).await;
    let connector = connector(&server).limits(Limits::default().message(1000));
    let mut new = connector.connect().await.unwrap().sync([""; 0]).await.unwrap();
    let mut large = Vec::new();
    while let Some(message) = new.next().await.unwrap() {
        if let Err(error) = message.message() {
            assert!(matches!(error, pop::Error::TooLarge { limit: 1000, .. }), "{error:?}");
            large.push(message.number());
        }
    }
    assert_eq!(large, [4, 5, 6]);
    new.finish().await.unwrap();
}

/// Gmail says EXPIRE 0: QUIT may delete whatever RETR has read (RFC 2449 section 6.7).
#[tokio::test]
async fn what_was_read_and_not_stored_is_not_lost_to_a_server_that_expires_at_once() {
    let server = server(Service::Gmail, 10).await;
    let mut new = open(&server).await.sync([""; 0]).await.unwrap();
    let first = new.next().await.unwrap().unwrap();
    new.stored(&first);
    new.next().await.unwrap().unwrap();
    let error = new.finish().await.unwrap_err();
    assert!(matches!(error, pop::Error::Unstored { messages: 1 }), "{error:?}");
    assert!(!server.transcript().iter().any(|line| line.contains("QUIT")));

    let mut new = open(&server).await.sync([first.id().unwrap()]).await.unwrap();
    assert_eq!(stored(&mut new).await.unwrap().len(), 9);
    new.delete_known();
    assert_eq!(new.finish().await.unwrap().deleted(), 1);
}

#[tokio::test]
async fn who_stops_early_can_delete_what_was_stored_even_at_a_server_that_expires_at_once() {
    let server = server(Service::Gmail, 100).await;
    let mut new = open(&server).await.sync([""; 0]).await.unwrap();
    for _ in 0..5 {
        let message = new.next().await.unwrap().unwrap();
        new.delete(&message);
    }
    assert_eq!(new.finish().await.unwrap().deleted(), 5);
    assert_eq!(server.messages(ME).len(), 95);
}

#[tokio::test]
async fn a_uidl_that_is_refused_for_now_can_be_tried_later() {
    let server = server(Service::ExchangeOnline, 1).await;
    let reply = "-ERR [SYS/TEMP] later";
    server.inject(Fault::Reply { protocol: Protocol::Pop, verb: "UIDL", reply });
    let error = open(&server).await.sync([""; 0]).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Later(None));
}

#[tokio::test]
async fn a_refused_deletion_ends_nothing_else() {
    let server = server(Service::Gmail, 3).await;
    let mut new = open(&server).await.sync([""; 0]).await.unwrap();
    while let Some(message) = new.next().await.unwrap() {
        new.delete(&message);
    }
    let reply = "-ERR locked";
    server.inject(Fault::Reply { protocol: Protocol::Pop, verb: "DELE", reply });
    let done = new.finish().await.unwrap();
    let refused: Vec<u32> = done.refused().map(|(number, _)| number).collect();
    assert_eq!((done.deleted(), refused), (2, vec![1]));
    assert_eq!(server.messages(ME), [message(1)]);
}

#[tokio::test]
async fn nothing_is_lost_wherever_the_connection_breaks() {
    let all: BTreeSet<Vec<u8>> = (1..=40).map(message).collect();
    for service in [Service::ExchangeOnline, Service::Gmail] {
        let server = server(service, 40).await;
        let fragile = Fragile::new();
        let connector = fragile.apply(connector(&server));
        let mut kept = BTreeMap::new();
        let mut endings = 0;
        for octets in (300..).step_by(700) {
            fragile.break_after(u64::MAX);
            let client = connector.connect().await.unwrap();
            fragile.break_after(octets);
            let known: Vec<String> = kept.keys().cloned().collect();
            let ended = async {
                let mut new = client.sync(known).await?;
                new.delete_known();
                while let Some(message) = new.next().await? {
                    let id = message.id().expect("an identifier").to_owned();
                    kept.insert(id, message.message().expect("a message").to_vec());
                    new.delete(&message);
                }
                new.finish().await
            };
            let ended = ended.await;
            let kept: BTreeSet<Vec<u8>> = kept.values().cloned().collect();
            let there: BTreeSet<Vec<u8>> = server.messages(ME).into_iter().collect();
            assert!(all.iter().all(|one| kept.contains(one) || there.contains(one)), "lost");
            if ended.is_ok() {
                assert!(there.is_empty());
                break;
            }
            endings += 1;
        }
        assert!(endings > 3, "the connection hardly ever broke");
        assert_eq!(kept.into_values().collect::<BTreeSet<_>>(), all);
    }
}
