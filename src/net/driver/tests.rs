use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, timeout};

use super::*;
use crate::pop::proto::{Core, Event, Shape};

/// A driver with a POP3 core, and the server's end of its pipe.
fn driver(pipe: usize) -> (Driver<Core>, DuplexStream) {
    let (near, far) = duplex(pipe);
    let core = Core::new(Limits::default(), true);
    let driver = Driver::new(Box::new(near), core, "pop", Timeouts::default(), &Limits::default());
    (driver, far)
}

async fn answer(driver: &mut Driver<Core>) -> Result<String, Broken> {
    let event = driver.event().await?;
    let Event::Response(response) = event else { panic!("{event:?}") };
    Ok(String::from_utf8_lossy(&response.text).into_owned() + &response.reply.to_string())
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_greet_comes_to_the_deadline() {
    let (mut driver, _far) = driver(64);
    driver.core_mut().expect_greeting();
    let began = Instant::now();
    let error = driver.event().await.unwrap_err();
    assert!(matches!(error, Broken::Net(Error::Deadline { after }) if after.as_secs() == 60));
    assert_eq!(began.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_closed_here_says_so_and_keeps_the_first_cause() {
    let (mut driver, mut far) = driver(64);
    driver.core_mut().expect_greeting();
    driver.event().await.unwrap_err();
    // The server sees it at once, not only when the client is dropped.
    assert_eq!(far.read(&mut [0]).await.unwrap(), 0);
    driver.close_after(&"what followed from it");
    for _ in 0..2 {
        let Err(Broken::Net(error)) = driver.event().await else { panic!() };
        assert_eq!(
            error.to_string(),
            "the client closed this connection after an earlier failure, \
             `no answer within 60 s`"
        );
        assert_eq!(error.retry(), crate::Retry::Reconnect);
    }
}

/// OpenSSL's alert to a client that it has waited for too long.
#[tokio::test(start_paused = true)]
async fn tls_in_place_of_a_greeting_is_told_at_once() {
    let (mut driver, mut far) = driver(64);
    driver.core_mut().expect_greeting();
    for octet in [21, 3] {
        far.write_all(&[octet]).await.unwrap();
        assert!(timeout(Duration::from_secs(1), driver.event()).await.is_err());
    }
    far.write_all(&[1, 0, 2, 2, 10]).await.unwrap();
    assert!(matches!(driver.event().await, Err(Broken::Fault(Fault::TlsFromTheStart))));
}

#[tokio::test(start_paused = true)]
async fn many_short_waits_come_to_the_deadline_as_one_long_one_does() {
    let (mut driver, _far) = driver(64);
    driver.core_mut().start(b"NOOP", Shape::Line).unwrap();
    let mut waits = 0;
    loop {
        waits += 1;
        if timeout(Duration::from_secs(7), driver.event()).await.is_ok() {
            break;
        }
    }
    assert_eq!(waits, 300 / 7 + 1);
}

#[tokio::test(start_paused = true)]
async fn time_in_which_nobody_waits_does_not_count() {
    let (mut driver, mut far) = driver(64);
    driver.core_mut().start(b"NOOP", Shape::Line).unwrap();
    assert!(timeout(Duration::from_secs(200), driver.event()).await.is_err());
    tokio::time::sleep(Duration::from_secs(10_000)).await;
    assert!(timeout(Duration::from_secs(99), driver.event()).await.is_err());
    far.write_all(b"+OK\r\n").await.unwrap();
    assert_eq!(answer(&mut driver).await.unwrap(), "+OK");
}

#[tokio::test(start_paused = true)]
async fn a_message_may_take_long_as_long_as_it_moves() {
    let (mut driver, mut far) = driver(8192);
    driver.core_mut().start(b"RETR 1", Shape::Message).unwrap();
    let server = tokio::spawn(async move {
        far.write_all(b"+OK\r\n").await.unwrap();
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_secs(59)).await;
            far.write_all(&[b'x'; 4096]).await.unwrap();
        }
        // Then it stalls.
        tokio::time::sleep(Duration::from_secs(3600)).await;
        drop(far);
    });
    let began = Instant::now();
    let error = driver.event().await.unwrap_err();
    assert!(matches!(error, Broken::Net(Error::Deadline { .. })), "{error:?}");
    let minutes = began.elapsed().as_secs() / 60;
    assert!((20..=22).contains(&minutes), "{minutes}");
    server.abort();
}

#[tokio::test(start_paused = true)]
async fn a_dropped_future_leaves_the_next_command_its_own_answer() {
    let (mut driver, mut far) = driver(64);
    driver.core_mut().start(b"UIDL", Shape::Listing).unwrap();
    far.write_all(b"+OK\r\n1 x").await.unwrap();
    assert!(timeout(Duration::from_millis(1), driver.event()).await.is_err());
    far.write_all(b"\r\n.\r\n").await.unwrap();
    driver.settle().await.unwrap();
    driver.core_mut().start(b"STAT", Shape::Line).unwrap();
    far.write_all(b"+OK 1 2\r\n").await.unwrap();
    assert_eq!(answer(&mut driver).await.unwrap(), "+OK 1 2");
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_to_throw_away_costs_the_connection() {
    let (mut driver, mut far) = driver(64);
    driver.core_mut().start(b"RETR 1", Shape::Message).unwrap();
    let server = tokio::spawn(async move {
        far.write_all(b"+OK\r\n").await.unwrap();
        while far.write_all(&[b'x'; 1000]).await.is_ok() {}
    });
    assert!(timeout(Duration::ZERO, driver.event()).await.is_err());
    for _ in 0..2 {
        assert!(matches!(driver.settle().await, Err(Broken::Net(Error::Abandoned))));
    }
    assert!(!driver.is_open());
    drop(driver);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_never_ends_costs_the_connection_too() {
    let (mut driver, _far) = driver(64);
    driver.core_mut().start(b"NOOP", Shape::Line).unwrap();
    let began = Instant::now();
    assert!(matches!(driver.settle().await, Err(Broken::Net(Error::Abandoned))));
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read_until_it_was_read_from_blocks_nothing() {
    let (mut driver, mut far) = driver(16);
    let long = [b'x'; 500];
    driver.core_mut().start(b"RETR 1", Shape::Message).unwrap();
    driver.core_mut().start(&long, Shape::Line).unwrap();
    let server = tokio::spawn(async move {
        far.write_all(b"+OK\r\n").await.unwrap();
        far.write_all(&[b'y'; 500]).await.unwrap();
        far.write_all(b"\r\n.\r\n").await.unwrap();
        let mut heard = vec![0; 8 + 502];
        far.read_exact(&mut heard).await.unwrap();
        far.write_all(b"+OK\r\n").await.unwrap();
        far
    });
    assert!(answer(&mut driver).await.unwrap().starts_with("yyyy"));
    assert_eq!(answer(&mut driver).await.unwrap(), "+OK");
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_last_words_of_a_server_that_closes_are_heard_although_writing_fails() {
    let (mut driver, mut far) = driver(64);
    far.write_all(b"-ERR going down").await.unwrap();
    drop(far);
    driver.core_mut().start(b"NOOP", Shape::Line).unwrap();
    assert!(matches!(driver.event().await, Err(Broken::Net(Error::Closed))));
    assert_eq!(driver.core().last_words().unwrap().text(), "going down");
}

#[tokio::test(start_paused = true)]
async fn draining_ends_when_all_is_written_or_something_is_heard() {
    let (mut driver, mut far) = driver(16);
    driver.core_mut().start(&[b'x'; 100], Shape::Line).unwrap();
    assert!(timeout(Duration::from_secs(1), driver.drain(0)).await.is_err());
    let mut heard = [0; 102];
    let read = async { far.read_exact(&mut heard).await.unwrap() };
    let (drained, _) = tokio::join!(driver.drain(0), read);
    assert!(drained.unwrap().is_none());
    far.write_all(b"+OK\r\n").await.unwrap();
    let drained = driver.drain(0).await.unwrap();
    assert!(
        drained.is_none_or(|event| matches!(event, Event::Response(said) if said.reply.is_ok()))
    );
}
