//! AUTHENTICATE (RFC 3501 section 6.2.2, SASL-IR in RFC 4959).

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::Protocol;
use super::super::fault::Fault;
use super::super::sasl::Mechanism;
use super::super::world::Judgement;
use super::command::Command;
use super::{INVALID_STATE, Imap, Reply};

impl Imap {
    pub(super) async fn authenticate(&mut self, command: &Command) -> io::Result<Reply> {
        if !self.secure || self.login.is_some() {
            return Ok(Err(INVALID_STATE));
        }
        let name = command.text(0).unwrap_or_default();
        let mechanism = Mechanism::named(name)
            .filter(|mechanism| *mechanism == Mechanism::Xoauth2 || self.world.lines().oauthbearer);
        let Some(mechanism) = mechanism else {
            let known = matches!(name.to_ascii_uppercase().as_str(), "PLAIN" | "LOGIN");
            let refused = self.lines.login_refused;
            return Ok(Err(if known {
                refused
            } else {
                "NO Unsupported authentication mechanism."
            }));
        };
        let response = match command.arg(1).and_then(|inline| inline.octets()) {
            Some(inline) => inline.to_vec(),
            None => {
                self.wire.reply("+ ").await?;
                self.secret_line().await?
            }
        };
        if response == b"*" {
            return Ok(Err("BAD AUTHENTICATE cancelled."));
        }
        let fault = self.world.strike(Fault::imap_auth_reply);
        let judgement = self.world.judge(Protocol::Imap, mechanism, &response, fault.is_some());
        if let Some((untagged, reply)) = fault {
            if let Some(line) = untagged {
                self.wire.reply(line).await?;
            }
            return Ok(Err(reply));
        }
        match judgement {
            Judgement::Welcome(session) => {
                self.login = Some(session);
                self.connected = !self.world.strikes(&Fault::NotConnectedAfterLogin);
            }
            Judgement::NoAccess(session) => {
                self.login = Some(session);
                self.connected = false;
            }
            Judgement::Refused(_) => {
                if let Some(json) = self.world.challenge() {
                    self.wire.reply(&format!("+ {}", STANDARD.encode(json))).await?;
                    if self.secret_line().await? != mechanism.answer_to_error() {
                        return Ok(Err("BAD Invalid SASL argument."));
                    }
                }
                self.last_refusal = self.world.strikes(&Fault::RefusedAndClosed);
                return Ok(Err(self.lines.refused));
            }
        }
        if self.lines.capability_at_login {
            let list = format!("* CAPABILITY {}", self.capabilities());
            self.wire.reply(&list).await?;
        }
        Ok(Ok(self.lines.authenticated.to_owned()))
    }

    async fn secret_line(&mut self) -> io::Result<Vec<u8>> {
        let line = self.wire.line().await?;
        self.wire.heard_secret(&line);
        Ok(line)
    }
}
