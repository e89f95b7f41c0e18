//! IDLE (RFC 2177).

use std::io;

use super::super::fault::Fault;
use super::super::world::Session;
use super::{Imap, Raced, Reply, TOKEN_EXPIRED, race};

impl Imap {
    /// Idles until the client says DONE. Nothing if the connection ends instead.
    pub(super) async fn idle(&mut self) -> io::Result<Option<Reply>> {
        self.wire.reply("+ IDLE accepted, awaiting DONE command.").await?;
        if self.world.strikes(&Fault::DropInIdle) {
            return Ok(None);
        }
        let expiry = self.login.as_ref().and_then(Session::expiry);
        let expiry = expiry.filter(|_| self.lines.ends_with_token);
        loop {
            let mut news = Vec::new();
            self.catch_up(&mut news, true);
            if !news.is_empty() {
                self.wire.send(&news).await?;
            }
            let expired = async {
                match expiry {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            match race(self.wire.line(), race(self.bell.changed(), expired)).await {
                Raced::First(line) => {
                    let line = line?;
                    self.wire.heard(&line);
                    let done = line.eq_ignore_ascii_case(b"DONE");
                    let done = done.then(|| "OK IDLE completed.".to_owned());
                    return Ok(Some(done.ok_or("BAD Expected DONE.")));
                }
                Raced::Second(_) if self.over() => {
                    self.wire.reply(TOKEN_EXPIRED).await?;
                    return Ok(None);
                }
                Raced::Second(_) => {}
            }
        }
    }
}
