//! The whole of it, against a server of our own on loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use simple_dns::rdata::{CNAME, RData, SRV};
use simple_dns::{CLASS, Name, Packet, PacketFlag, RCODE, ResourceRecord};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

use super::message::question;
use super::*;
use crate::provider::Kind;
use crate::{Endpoint, Protocol, Security};

/// What a server does with a question: the datagrams it sends for it, and the message by TCP.
type Script = dyn Fn(&[u8]) -> (Vec<Vec<u8>>, Vec<u8>) + Send + Sync;

/// A server that lives as long as its tasks.
struct Served {
    dns: Dns,
    by_tcp: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

async fn serve(
    script: impl Fn(&[u8]) -> (Vec<Vec<u8>>, Vec<u8>) + Send + Sync + 'static,
) -> Served {
    let script: Arc<Script> = Arc::new(script);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let socket = UdpSocket::bind(address).await.unwrap();
    let mut tasks = JoinSet::new();
    let datagrams = script.clone();
    tasks.spawn(async move {
        let mut query = [0; 600];
        while let Ok((length, from)) = socket.recv_from(&mut query).await {
            for datagram in datagrams(&query[..length]).0 {
                socket.send_to(&datagram, from).await.unwrap();
            }
        }
    });
    let by_tcp = Arc::new(AtomicUsize::new(0));
    let counter = by_tcp.clone();
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            let length = stream.read_u16().await.unwrap();
            let mut query = vec![0; usize::from(length)];
            stream.read_exact(&mut query).await.unwrap();
            let message = script(&query).1;
            stream.write_u16(u16::try_from(message.len()).unwrap()).await.unwrap();
            stream.write_all(&message).await.unwrap();
        }
    });
    // One attempt, and a deadline that only a test which expects it to pass comes to.
    let dns = Dns::new([address]).attempts(1).attempt_timeout(Duration::from_secs(20));
    Served { dns, by_tcp, _tasks: tasks }
}

fn name_of(query: &[u8]) -> String {
    Packet::parse(query).unwrap().questions[0].qname.to_string()
}

fn reply<'a>(query: &'a [u8], records: &[(&'a str, RData<'a>)]) -> Packet<'a> {
    let mut reply = Packet::parse(query).unwrap().into_reply();
    reply.set_flags(PacketFlag::RESPONSE);
    for (owner, data) in records {
        let owner = Name::new(owner).unwrap();
        reply.answers.push(ResourceRecord::new(owner, CLASS::IN, 60, data.clone()));
    }
    reply
}

fn srv(priority: u16, weight: u16, port: u16, target: &'static str) -> RData<'static> {
    RData::SRV(SRV { priority, weight, port, target: Name::new(target).unwrap() })
}

/// A server of one zone.
async fn zone(records: &'static [(&'static str, u16, u16, u16, &'static str)]) -> Served {
    serve(move |query| {
        let asked = name_of(query);
        let own: Vec<_> = records
            .iter()
            .filter(|record| record.0.eq_ignore_ascii_case(&asked))
            .map(|record| (record.0, srv(record.1, record.2, record.3, record.4)))
            .collect();
        let mut packet = reply(query, &own);
        if own.is_empty() {
            *packet.rcode_mut() = RCODE::NameError;
        }
        let message = packet.build_bytes_vec_compressed().unwrap();
        (vec![message.clone()], message)
    })
    .await
}

fn endpoints(found: &Discovered, protocol: Protocol) -> Vec<(String, Security)> {
    let all = found.servers(protocol).map(Server::endpoint);
    all.map(|endpoint| (endpoint.to_string(), endpoint.security())).collect()
}

#[tokio::test]
async fn the_example_of_the_rfc_is_understood() {
    // RFC 6186 section 3.4: the clear-text labels are not offered, IMAP is preferred.
    let served = zone(&[
        ("_imap._tcp.example.com", 0, 0, 0, "."),
        ("_imaps._tcp.example.com", 0, 1, 993, "imap.example.com"),
        ("_pop3._tcp.example.com", 0, 0, 0, "."),
        ("_pop3s._tcp.example.com", 10, 1, 995, "pop3.example.com"),
        ("_submission._tcp.example.com", 0, 1, 587, "mail.example.com"),
    ])
    .await;
    let found = discover_with("Example.com", &served.dns).await.unwrap();
    assert_eq!(
        endpoints(&found, Protocol::Imap),
        [("imap://imap.example.com:993".to_owned(), Security::ImplicitTls)]
    );
    assert_eq!(
        endpoints(&found, Protocol::Smtp),
        [("smtp://mail.example.com:587".to_owned(), Security::StartTls)]
    );
    assert_eq!(found.preferred_for_reading(), Some(Protocol::Imap));
    assert!(!found.is_not_offered(Protocol::Imap), "it is, over TLS");
    assert!(found.servers(Protocol::Pop).all(|server| !server.ask_first()));
    assert_eq!(found.failures().count(), 0);
    assert_eq!(served.by_tcp.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_domain_that_says_nothing_is_not_one_that_refuses() {
    let served =
        zone(&[("_pop3s._tcp.a.example", 0, 0, 0, "."), ("_pop3._tcp.a.example", 0, 0, 0, ".")]);
    let served = served.await;
    let found = discover_with("a.example", &served.dns).await.unwrap();
    assert!(found.is_empty() && found.is_not_offered(Protocol::Pop));
    assert!(!found.is_not_offered(Protocol::Imap));
    assert_eq!(found.preferred_for_reading(), None);
}

#[tokio::test]
async fn servers_are_tried_by_priority_then_with_tls_from_the_start() {
    let served = zone(&[
        ("_submission._tcp.a.example", 10, 0, 587, "one.a.example"),
        ("_submissions._tcp.a.example", 10, 0, 465, "two.a.example"),
        ("_submissions._tcp.a.example", 20, 0, 465, "three.a.example"),
        ("_submission._tcp.a.example", 5, 0, 587, "four.a.example"),
        ("_pop3s._tcp.a.example", 1, 0, 995, "pop.a.example"),
        ("_imaps._tcp.a.example", 2, 0, 993, "imap.a.example"),
    ])
    .await;
    let found = discover_with("user@a.example", &served.dns).await.unwrap();
    let hosts: Vec<_> =
        found.servers(Protocol::Smtp).map(|server| server.endpoint().host()).collect();
    assert_eq!(hosts, ["four.a.example", "two.a.example", "one.a.example", "three.a.example"]);
    assert_eq!(found.preferred_for_reading(), Some(Protocol::Pop));
}

#[tokio::test]
async fn a_known_provider_brings_its_profile_and_is_still_to_be_confirmed() {
    let served = zone(&[
        ("_imaps._tcp.contoso.example", 0, 0, 993, "outlook.office365.com"),
        ("_imaps._tcp.contoso.example", 1, 0, 993, "evilcontoso.example"),
        ("_imaps._tcp.contoso.example", 2, 0, 993, "IMAP.Contoso.Example"),
    ])
    .await;
    let found = discover_with("contoso.example", &served.dns).await.unwrap();
    let servers: Vec<&Server> = found.servers(Protocol::Imap).collect();
    assert_eq!(servers[0].endpoint().profile().kind(), Kind::Microsoft365);
    assert_eq!(servers[0].provider().map(|provider| provider.id()), Some("microsoft365"));
    let ask: Vec<bool> = servers.iter().map(|server| server.ask_first()).collect();
    assert_eq!(ask, [true, true, false]);
}

#[tokio::test]
async fn targets_that_are_no_hosts_are_left_out() {
    let served = zone(&[
        ("_imaps._tcp.a.example", 0, 0, 993, "192.0.2.1"),
        ("_imaps._tcp.a.example", 0, 0, 0, "imap.a.example"),
        ("_imaps._tcp.a.example", 0, 0, 993, "a b.example"),
        ("_imaps._tcp.a.example", 0, 0, 993, "-x.example"),
        ("_imaps._tcp.a.example", 9, 0, 993, "good.a.example"),
    ])
    .await;
    let found = discover_with("a.example", &served.dns).await.unwrap();
    assert_eq!(endpoints(&found, Protocol::Imap).len(), 1);
}

#[tokio::test]
async fn an_answer_too_long_for_a_datagram_comes_by_tcp() {
    let served = serve(|query| {
        let asked = name_of(query);
        let records: Vec<_> =
            (0..400).map(|at| (asked.as_str(), srv(at, 0, 993, "imap.a.example"))).collect();
        let whole = reply(query, &records).build_bytes_vec_compressed().unwrap();
        let mut cut = reply(query, &[]);
        cut.set_flags(PacketFlag::TRUNCATION);
        let mut cut = cut.build_bytes_vec().unwrap();
        // Cut in the middle of a record.
        cut[7] = 9;
        cut.extend([0xc0, 0x0c, 0, 33]);
        (vec![cut], whole)
    })
    .await;
    let records = served.dns.srv("_imaps._tcp.a.example").await.unwrap();
    assert_eq!(records.len(), 400);
    assert_eq!(served.by_tcp.load(Ordering::SeqCst), 1);
    let found = discover_with("a.example", &served.dns).await.unwrap();
    assert_eq!(found.servers(Protocol::Imap).count(), 128, "64 of each label");
    assert!(found.servers(Protocol::Imap).all(|server| server.priority() < 64));
}

#[tokio::test]
async fn an_alias_is_followed_and_a_ring_of_them_ends() {
    let served = serve(|query| {
        let asked = name_of(query);
        let alias = |name: &'static str| RData::CNAME(CNAME(Name::new(name).unwrap()));
        let records = if asked.starts_with("_imaps.") {
            vec![
                ("two.b.example", srv(0, 0, 993, "imap.b.example")),
                ("ONE.b.example", alias("two.b.example")),
                (asked.as_str(), alias("one.b.example")),
                // Of a name that nobody asked for.
                ("other.b.example", srv(0, 0, 993, "bad.example")),
            ]
        } else {
            vec![
                (asked.as_str(), alias("one.b.example")),
                ("one.b.example", alias("two.b.example")),
                ("two.b.example", alias("one.b.example")),
            ]
        };
        let message = reply(query, &records).build_bytes_vec().unwrap();
        (vec![message], Vec::new())
    })
    .await;
    let found = discover_with("a.example", &served.dns).await.unwrap();
    assert_eq!(endpoints(&found, Protocol::Imap).len(), 1);
    assert!(found.servers(Protocol::Imap).all(Server::ask_first));
    assert!(endpoints(&found, Protocol::Smtp).is_empty());
}

#[tokio::test]
async fn what_answers_another_question_is_passed_over() {
    let served = serve(|query| {
        let asked = name_of(query);
        let good = (asked.as_str(), srv(0, 0, 993, "imap.a.example"));
        let good = reply(query, &[good]).build_bytes_vec().unwrap();
        let bad = (asked.as_str(), srv(0, 0, 993, "forged.example"));
        let forged = reply(query, &[bad]).build_bytes_vec().unwrap();
        let mut other_id = forged.clone();
        other_id[1] ^= 1;
        let mut other_name = forged.clone();
        other_name[14] ^= 2;
        let mut other_type = forged.clone();
        let type_at = query.len() - 3;
        other_type[type_at] = 1;
        let mut a_query = forged.clone();
        a_query[2] &= 0x7f;
        let mut no_question = forged.clone();
        no_question[5] = 0;
        let mut notify = forged;
        notify[2] |= 0x20;
        let noise = vec![Vec::new(), vec![0; 11], vec![0xff; 700]];
        let forgeries = [other_id, other_name, other_type, a_query, no_question, notify];
        (noise.into_iter().chain(forgeries).chain([good]).collect(), Vec::new())
    })
    .await;
    let records = served.dns.srv("_imaps._tcp.a.example").await.unwrap();
    assert_eq!(records, [Srv::new(0, 0, 993, "imap.a.example")]);
}

#[tokio::test]
async fn an_answer_may_spell_the_question_in_other_case() {
    let served = serve(|query| {
        let mut loud = query.to_vec();
        // The name alone: behind it are type and class.
        let end = loud.len() - 4;
        loud[12..end].make_ascii_uppercase();
        let asked = name_of(&loud);
        assert!(asked.starts_with("_IMAPS."), "{asked}");
        let record = (asked.as_str(), srv(0, 0, 993, "imap.a.example"));
        (vec![reply(&loud, &[record]).build_bytes_vec().unwrap()], Vec::new())
    })
    .await;
    assert_eq!(served.dns.srv("_imaps._tcp.a.example").await.unwrap().len(), 1);
}

/// The answer to our question, with these records behind it that the head claims to be so many.
fn crafted(query: &[u8], count: u16, tail: &[u8]) -> Vec<u8> {
    let mut message = reply(query, &[]).build_bytes_vec().unwrap();
    message[6..8].copy_from_slice(&count.to_be_bytes());
    message.extend_from_slice(tail);
    message
}

#[tokio::test]
async fn messages_that_lie_are_refused_and_cost_little() {
    // An SRV record whose owner, or whose target, is a pointer to itself, forwards, or in a ring.
    let record = |owner: [u8; 2], target: [u8; 2]| {
        let mut record = owner.to_vec();
        record.extend([0, 33, 0, 1, 0, 0, 0, 60, 0, 8, 0, 0, 0, 0, 3, 0xe1]);
        record.extend(target);
        record
    };
    let at = |offset: usize| [0xc0 | u8::try_from(offset >> 8).unwrap(), offset as u8];
    let end = question(1, "_imaps._tcp.a.example").unwrap().len();
    let cases: Vec<(&str, u16, Vec<u8>)> = vec![
        ("an owner that is itself", 1, record(at(end), at(12))),
        ("an owner ahead", 1, record(at(end + 18), at(12))),
        ("a target that is itself", 1, record(at(12), at(end + 18))),
        ("a target beyond the end", 1, record(at(12), [0xff, 0xff])),
        ("a label of a reserved kind", 1, record([0x80, 0x01], at(12))),
        ("records that are not there", 9, record(at(12), at(12))),
        ("ten thousand records that are not there", 10_000, record(at(12), at(12))),
        ("as many as can be claimed", u16::MAX, Vec::new()),
        ("a record that is cut", 1, record(at(12), at(12))[..15].to_vec()),
        ("data longer than the message", 1, {
            let mut long = record(at(12), at(12));
            long[10] = 0xff;
            long
        }),
    ];
    for (what, count, tail) in cases {
        let served = serve(move |query| (vec![crafted(query, count, &tail)], Vec::new())).await;
        let result = served.dns.srv("_imaps._tcp.a.example").await;
        assert!(matches!(result, Err(LookupError::Malformed)), "{what}: {result:?}");
    }
}

#[tokio::test]
async fn as_many_records_as_a_message_holds_are_read_and_few_are_kept() {
    // Ten thousand do not fit 65,535 octets; these are as many as do.
    let served = serve(|query| {
        let mut tail = Vec::new();
        let mut count = 0;
        while query.len() + tail.len() + 19 < 65_000 {
            tail.extend([0xc0, 0x0c, 0, 33, 0, 1, 0, 0, 0, 60, 0, 8]);
            tail.extend(u16::to_be_bytes(count));
            tail.extend([0, 0, 3, 0xe1, 0xc0, 0x18]);
            count += 1;
        }
        let mut cut = crafted(query, 0, &[]);
        cut[2] |= 2;
        (vec![cut], crafted(query, count, &tail))
    })
    .await;
    let records = served.dns.srv("_imaps._tcp.a.example").await.unwrap();
    assert!(records.len() > 3_000, "{}", records.len());
    let found = discover_with("a.example", &served.dns).await.unwrap();
    assert!(found.servers(Protocol::Imap).count() <= 128);
}

#[tokio::test]
async fn a_resolver_that_fails_is_told_from_a_name_that_is_not_there() {
    let served = serve(|query| {
        let mut packet = reply(query, &[]);
        *packet.rcode_mut() = if name_of(query).starts_with("_imap") {
            RCODE::NameError
        } else {
            RCODE::ServerFailure
        };
        (vec![packet.build_bytes_vec().unwrap()], Vec::new())
    })
    .await;
    let found = discover_with("a.example", &served.dns).await.unwrap();
    assert!(found.is_empty());
    let failed: Vec<&str> = found.failures().map(|(name, _)| name).collect();
    assert_eq!(
        failed,
        [
            "_submissions._tcp.a.example",
            "_submission._tcp.a.example",
            "_pop3s._tcp.a.example",
            "_pop3._tcp.a.example"
        ]
    );
    assert!(found.failures().all(|(_, error)| matches!(error, LookupError::Refused(2))));
}

#[tokio::test]
async fn the_next_resolver_is_asked_where_one_does_not_answer() {
    let good = zone(&[("_imaps._tcp.a.example", 0, 0, 993, "imap.a.example")]).await;
    // Nobody listens there: the port was given back.
    let gone: SocketAddr = {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        socket.local_addr().unwrap()
    };
    let dns = Dns::new([gone, good.dns.servers()[0]]).attempts(1);
    assert_eq!(dns.srv("_imaps._tcp.a.example").await.unwrap().len(), 1);
    let error = discover_with("a.example", &Dns::new([gone]).attempts(1)).await.unwrap_err();
    assert!(matches!(error, Error::Lookup { source: LookupError::Io(_), .. }), "{error:?}");
    let error = discover_with("a.example", &Dns::new([])).await.unwrap_err();
    assert!(matches!(error, Error::Lookup { source: LookupError::Io(_), .. }), "{error:?}");
}

/// A resolver that never answers.
struct Silent;

impl Resolver for Silent {
    fn srv<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<Srv>, LookupError>> {
        Box::pin(async { Ok(std::future::pending().await) })
    }
}

#[tokio::test]
async fn a_lookup_can_be_dropped_and_the_resolver_replaced() {
    let dropped = discover_with("a.example", &Silent);
    tokio::select! {
        biased;
        _ = dropped => unreachable!(),
        () = tokio::task::yield_now() => {}
    }
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    drop(is_send(discover("a.example")));
}

#[tokio::test]
async fn what_is_no_domain_is_not_asked_for() {
    let long = format!("{}.example", "a".repeat(64));
    let deep = "a.".repeat(130);
    for given in [
        "",
        ".",
        "a..b",
        "user@",
        "-a.example",
        "a_b.example",
        "bücher.example",
        "192.0.2.1",
        "a b",
        &long,
        &deep,
    ] {
        let error = discover_with(given, &Silent).await.unwrap_err();
        assert!(matches!(error, Error::NotADomain { .. }), "{given}");
    }
}

#[test]
fn endpoints_can_be_connected_to() {
    let endpoint = Endpoint::imap("imap.example.com");
    let mut found = Discovered::new("example.com");
    found.add(Label::ALL[2], vec![Srv::new(0, 0, 993, "imap.example.com.")]);
    let found = found.finish(&mut || 0).unwrap();
    assert_eq!(found.servers(Protocol::Imap).next().map(Server::endpoint), Some(&endpoint));
}
