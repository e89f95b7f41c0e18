//! COMPRESS=DEFLATE.

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::*;
use crate::net::deflate::{Deflated, Growth};
use crate::{Fault, Limits};

const GROWTH: Growth = Growth { octets: 0, ratio: 2000 };

/// A client, and the other end of its pipe behind the answer to COMPRESS.
async fn compressed(limits: Limits) -> (ImapClient, DuplexStream) {
    let (near, mut far) = duplex(64 * 1024);
    far.write_all(b"* PREAUTH [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE] hi\r\n").await.unwrap();
    let mut settings = Settings::new(Endpoint::imap("mail.example"));
    settings.limits = limits;
    let mut session = Session::new(Box::new(near), &settings, true);
    session.core_mut().expect_greeting();
    session.step(crate::Stage::Greeting).await.unwrap();
    let mut client = ImapClient::new(session);
    let (compressed, ()) =
        tokio::join!(client.compress(), hear(&mut far, "A1 COMPRESS DEFLATE", "A1 OK active\r\n"));
    compressed.unwrap();
    assert!(client.is_compressed());
    // Once is enough.
    client.compress().await.unwrap();
    (client, far)
}

async fn hear(far: &mut (impl AsyncRead + AsyncWrite + Unpin), line: &str, answer: &str) {
    let mut heard = vec![0; line.len() + 2];
    far.read_exact(&mut heard).await.unwrap();
    assert_eq!(String::from_utf8(heard).unwrap(), format!("{line}\r\n"));
    far.write_all(answer.as_bytes()).await.unwrap();
    far.flush().await.unwrap();
}

fn deflated(stream: impl net::Stream + 'static) -> Deflated {
    Deflated::new(Box::new(stream), &Bytes::new(), GROWTH)
}

#[tokio::test]
async fn everything_behind_the_answer_is_compressed() {
    let (mut client, far) = compressed(Limits::default()).await;
    let mut far = deflated(far);
    let (done, ()) = tokio::join!(client.noop(), hear(&mut far, "A2 NOOP", "A2 OK done\r\n"));
    done.unwrap();
    let (done, ()) =
        tokio::join!(client.noop(), hear(&mut far, "A3 NOOP", "A3 NO [ALERT] not\r\n"));
    assert!(done.unwrap_err().connection_usable());
}

#[tokio::test]
async fn what_comes_in_one_write_with_the_answer_is_inflated() {
    let (near, mut far) = duplex(4096);
    let (pipe, mut wire) = duplex(4096);
    let mut server = deflated(pipe);
    server.write_all(b"* NO [ALERT] full soon\r\n").await.unwrap();
    server.flush().await.unwrap();
    let mut octets = vec![0; 4096];
    let told = wire.read(&mut octets).await.unwrap();
    let mut written = b"* PREAUTH [CAPABILITY COMPRESS=DEFLATE] hi\r\nA1 OK active\r\n".to_vec();
    written.extend_from_slice(&octets[..told]);
    // The answer would come before the question, were it not for the order of this script.
    let settings = Settings::new(Endpoint::imap("mail.example"));
    let mut session = Session::new(Box::new(near), &settings, true);
    session.core_mut().expect_greeting();
    let (greeting, behind) = written.split_at(44);
    far.write_all(greeting).await.unwrap();
    session.step(crate::Stage::Greeting).await.unwrap();
    let mut client = ImapClient::new(session);
    let server = async {
        let mut heard = [0; 21];
        far.read_exact(&mut heard).await.unwrap();
        far.write_all(behind).await.unwrap();
    };
    let (compressed, ()) = tokio::join!(client.compress(), server);
    compressed.unwrap();
    let server = async {
        let mut heard = [0; 4];
        far.read_exact(&mut heard).await.unwrap();
        drop(far);
    };
    let (ended, ()) = tokio::join!(client.noop(), server);
    assert!(matches!(ended, Err(Error::Closed { .. })));
    assert!(matches!(client.take_event(), Some(Event::Notice(_))));
}

#[tokio::test]
async fn a_server_that_refuses_goes_on_without() {
    let (mut client, server) = client_of(
        "IMAP4rev1 COMPRESS=DEFLATE",
        "
        C: A1 COMPRESS DEFLATE
        S: A1 NO [COMPRESSIONACTIVE] DEFLATE active via TLS
        C: A2 NOOP
        S: A2 OK done
        ",
    )
    .await;
    assert!(client.compress().await.unwrap_err().connection_usable());
    assert!(!client.is_compressed());
    client.noop().await.unwrap();
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn a_server_without_it_is_not_asked() {
    let (mut client, server) = client("").await;
    let error = client.compress().await.unwrap_err();
    assert!(matches!(&error, Error::Unsupported { what, .. } if what == "COMPRESS=DEFLATE"));
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn a_future_dropped_before_the_answer_costs_the_connection() {
    let (mut client, server) = client_of("COMPRESS=DEFLATE", "C: A1 COMPRESS DEFLATE").await;
    cut(client.compress()).await;
    let error = client.noop().await.unwrap_err();
    assert!(matches!(error, Error::Net { source: net::Error::Abandoned, .. }), "{error:?}");
    assert!(!client.is_open());
    drop(client);
    server.await.unwrap();
}

#[tokio::test]
async fn a_stream_that_is_cut_is_an_error_and_no_answer() {
    let whole = {
        let (pipe, mut wire) = duplex(4096);
        let mut server = deflated(pipe);
        server.write_all(b"* 3 EXISTS\r\nA2 OK done\r\n").await.unwrap();
        server.flush().await.unwrap();
        let mut octets = vec![0; 4096];
        let length = wire.read(&mut octets).await.unwrap();
        octets.truncate(length);
        octets
    };
    let mut answered = 0;
    for cut in 0..=whole.len() {
        let (mut client, mut far) = compressed(Limits::default()).await;
        let server = async {
            let mut heard = [0; 4];
            far.read_exact(&mut heard).await.unwrap();
            far.write_all(&whole[..cut]).await.unwrap();
            drop(far);
        };
        let (done, ()) = tokio::join!(client.noop(), server);
        match done {
            Ok(()) => answered += 1,
            Err(error) => assert!(matches!(error, Error::Closed { .. }), "{cut}: {error:?}"),
        }
    }
    // Without the last octets, which are the mark of the flush, the answer may be whole.
    assert!((1..=6).contains(&answered), "{answered}");
}

#[tokio::test]
async fn a_bomb_ends_the_connection_within_its_limit() {
    let (mut client, far) = compressed(Limits::default().inflated(100_000, 50)).await;
    let mut far = deflated(far);
    let server = async {
        let zeros = vec![b' '; 8 * 1024 * 1024];
        let _ = far.write_all(b"* X ").await;
        let _ = far.write_all(&zeros).await;
        let _ = far.flush().await;
    };
    let (done, ()) = tokio::join!(client.noop(), server);
    let error = done.unwrap_err();
    let Error::Protocol { fault: Fault::InflatedTooFar { received, limit }, .. } = error else {
        panic!("{error:?}")
    };
    assert!(limit == 100_000 + 50 * received && limit < 8 * 1024 * 1024);
    assert!(!client.is_open());
}

#[tokio::test]
async fn where_the_connection_passes_on_compression_ends_with_the_answer_and_may_begin_again() {
    const OFFERED: &str = "A2 OK [CAPABILITY IMAP4rev1 UNAUTHENTICATE COMPRESS=DEFLATE] in\r\n";
    // What stands behind the answer: nothing, or the ends of a stream of one's own.
    for end in [&b""[..], b"\x03\0", b"\x01\0\0\xff\xff"] {
        let (mut client, far) = compressed(Limits::default()).await;
        let mut far = deflated(far);
        let told = "* CAPABILITY UNAUTHENTICATE\r\nA2 OK done\r\n";
        let (done, ()) = tokio::join!(client.noop(), hear(&mut far, "A2 NOOP", told));
        done.unwrap();
        far.may_end();
        let (left, ()) = tokio::join!(
            client.unauthenticate(),
            hear(&mut far, "A3 UNAUTHENTICATE", "A3 OK [CAPABILITY AUTH=PLAIN] done\r\n")
        );
        far.end_here();
        far.write_all(end).await.unwrap();
        let auth = crate::Auth::plain("b@b.c", "password");
        let left = left.unwrap();
        let server = async {
            hear(&mut far, "A4 AUTHENTICATE PLAIN", "+ \r\n").await;
            hear(&mut far, "AGJAYi5jAHBhc3N3b3Jk", &OFFERED.replace("A2", "A4")).await;
            hear(&mut far, "A5 COMPRESS DEFLATE", "A5 OK active\r\n").await;
            let mut far = far.again(&Bytes::new(), GROWTH);
            hear(&mut far, "A6 NOOP", "A6 OK done\r\n").await;
        };
        let user = async {
            let mut client = left.authenticate(&auth).await.unwrap();
            assert!(!client.is_compressed());
            client.compress().await.unwrap();
            client.noop().await.unwrap();
        };
        tokio::join!(user, server);
    }
}
