//! What a POP3 server can do.

use std::time::Duration;

use super::{TOKEN, logged_in_pop};

#[tokio::test(start_paused = true)]
async fn the_token_is_taken_out_of_what_cannot_be_parsed() {
    let (mut client, mut far) = logged_in_pop().await;
    let server = async {
        far.line().await;
        far.say(format!("+OK\r\n{TOKEN}\r\n.\r\n")).await;
    };
    let (listed, ()) = tokio::join!(client.list(), server);
    let error = listed.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(&TOKEN[..16]), "{shown}");
}

/// Half a line before the command, the other half behind it.
#[tokio::test(start_paused = true)]
async fn what_came_before_a_command_is_not_its_answer() {
    let (mut client, mut far) = logged_in_pop().await;
    let server = async {
        far.line().await;
        far.say("+OK\r\n+OK 999 9").await;
        let line = tokio::time::timeout(Duration::from_secs(1), far.line()).await;
        far.say("99\r\n+OK 1 20\r\n").await;
        line
    };
    let client = async {
        client.noop().await.unwrap();
        client.stat().await
    };
    let (stat, line) = tokio::join!(client, server);
    assert!(stat.is_err() || stat.as_ref().unwrap().messages() == 1, "{stat:?} {line:?}");
}

/// Half a farewell before the command: no answer that follows may go to another command.
#[tokio::test(start_paused = true)]
async fn half_a_farewell_before_a_command_is_waited_for_and_nothing_is_sent() {
    let (mut client, mut far) = logged_in_pop().await;
    let server = async {
        far.line().await;
        far.say("+OK\r\n-E").await;
        let line = tokio::time::timeout(Duration::from_secs(1), far.line()).await;
        far.say("RR idle\r\n").await;
        line
    };
    let client = async {
        client.noop().await.unwrap();
        client.stat().await
    };
    let (stat, line) = tokio::join!(client, server);
    assert!(line.is_err(), "sent: {line:?}");
    assert!(stat.unwrap_err().to_string().contains("-ERR idle"));
}
