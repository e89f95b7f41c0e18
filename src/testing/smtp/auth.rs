//! AUTH (RFC 4954).

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::Protocol;
use super::super::fault::{Fault, HVE_EXPIRED, HVE_EXPIRES_SOON, HVE_PERMISSIONS};
use super::super::sasl::{Malformed, Mechanism};
use super::super::world::{Judgement, Refusal};
use super::{Next, Smtp};

const TOO_LONG: &str = "555-5.5.2 Syntax error, command line too long. For more information, go to\r\n\
                        555 5.5.2  https://support.google.com/a/answer/3221692 - gsmtp";

impl Smtp {
    pub(super) async fn auth(&mut self, argument: &str, length: usize) -> io::Result<Next> {
        if !self.secure {
            return self.say("504 5.7.4 Unrecognized authentication type").await;
        }
        if self.login.is_some() || self.mail.is_some() {
            return self.say("503 5.5.2 Bad sequence of commands").await;
        }
        let (name, inline) = match argument.split_once(' ') {
            Some((name, inline)) => (name, Some(inline.trim())),
            None => (argument, None),
        };
        if name.eq_ignore_ascii_case("LOGIN") {
            return self.auth_login().await;
        }
        let mechanism = Mechanism::named(name)
            .filter(|mechanism| *mechanism == Mechanism::Xoauth2 || self.world.lines().oauthbearer);
        let Some(mechanism) = mechanism else {
            return self.say("504 5.7.4 Unrecognized authentication type").await;
        };
        let response = match inline {
            Some(inline) => {
                let forced = self.world.strikes(&Fault::OneLineAuth555);
                if forced || length > self.lines.auth_line_limit {
                    self.wire.reply(TOO_LONG).await?;
                    return Ok(Next::Close);
                }
                inline.as_bytes().to_vec()
            }
            None => {
                self.wire.reply("334 ").await?;
                self.secret_line().await?
            }
        };
        if response == b"*" {
            return self.say("501 5.7.0 Authentication cancelled").await;
        }
        self.decide(mechanism, &response).await
    }

    async fn decide(&mut self, mechanism: Mechanism, response: &[u8]) -> io::Result<Next> {
        let fault = self.world.strike(Fault::smtp_auth_reply);
        let judgement = self.world.judge(Protocol::Smtp, mechanism, response, fault.is_some());
        if let Some(reply) = fault {
            return self.say(reply).await;
        }
        let refusal = match judgement {
            Judgement::Welcome(session) => {
                self.login = Some(session);
                return self.say(self.lines.authenticated).await;
            }
            Judgement::NoAccess(_) => None,
            Judgement::Refused(refusal) => Some(refusal),
        };
        if refusal.is_some()
            && let Some(json) = self.world.challenge()
        {
            self.wire.reply(&format!("334 {}", STANDARD.encode(json))).await?;
            if self.secret_line().await? != mechanism.answer_to_error() {
                return self.say("501 5.5.2 Cannot decode response").await;
            }
        }
        let special = refusal.filter(|_| self.lines.high_volume).and_then(high_volume_refusal);
        self.say(special.unwrap_or(self.lines.refused)).await
    }

    /// Offered, as Exchange still does, and refused, as it does by now.
    async fn auth_login(&mut self) -> io::Result<Next> {
        for prompt in ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"] {
            self.wire.reply(prompt).await?;
            self.secret_line().await?;
        }
        self.say("535 5.7.139 Authentication unsuccessful, basic authentication is disabled.").await
    }

    async fn secret_line(&mut self) -> io::Result<Vec<u8>> {
        let line = self.wire.line().await?;
        self.wire.heard_secret(&line);
        Ok(line)
    }
}

/// High Volume Email tells what is wrong. That 124 is the user's address is known; which of 121 to
/// 126 stands for which other part is not documented.
const fn high_volume_refusal(refusal: Refusal) -> Option<&'static str> {
    Some(match refusal {
        Refusal::Malformed(Malformed::Encoding) => {
            "501 5.5.122 Invalid XOAUTH2 auth data - Base64 decoding failed."
        }
        Refusal::Malformed(Malformed::User) => {
            "501 5.5.124 Invalid XOAUTH2 auth data - User address provided is not valid."
        }
        Refusal::Malformed(Malformed::Auth) => {
            "501 5.5.125 Invalid XOAUTH2 auth data - Auth is missing."
        }
        Refusal::Malformed(Malformed::Bearer) => {
            "501 5.5.126 Invalid XOAUTH2 auth data - Bearer token is missing."
        }
        Refusal::Expired => HVE_EXPIRED,
        Refusal::ExpiresSoon => HVE_EXPIRES_SOON,
        Refusal::Permission => HVE_PERMISSIONS,
        Refusal::Token | Refusal::Fault => return None,
    })
}
