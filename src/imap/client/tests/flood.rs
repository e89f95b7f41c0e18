//! A server that never stops, on a stream that always has more.

use std::io;
use std::pin::Pin;
use std::task::Context;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::*;

/// Greets, and then says the same for ever, without ever making anybody wait.
struct Flood(&'static [u8]);

impl AsyncRead for Flood {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.0.is_empty() && buffer.remaining() > 0 {
            let (now, later) = self.0.split_at(self.0.len().min(buffer.remaining()));
            buffer.put_slice(now);
            self.0 = if later.is_empty() { b"* 1 RECENT\r\n" } else { later };
            if later.is_empty() && now.starts_with(b"* PREAUTH") {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn others_have_their_turn_and_whoever_has_waited_enough_can_go() {
    let settings = Settings::new(Endpoint::imap("mail.example"));
    let mut session = Session::new(Box::new(Flood(b"* PREAUTH hi\r\n")), &settings, true);
    session.core_mut().expect_greeting();
    session.step(crate::Stage::Greeting).await.unwrap();
    let mut client = ImapClient::new(session);
    // It is read from before the command, and while its answer is waited for.
    cut(client.noop()).await;
    // What is left of the answer is not read for ever either.
    assert!(client.noop().await.is_err());
}
