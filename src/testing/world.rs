//! What the sessions of one server share, and the one place where a login is judged.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::Login;
use super::fault::{Fault, Faults};
use super::line_io::Transcript;
use super::sasl::{self, Malformed, Mechanism};
use super::service::{Lines, Service, Variant};
use super::store::Store;
use super::tls::Identity;
use super::tokens::{Occasion, Standing, Tokens};
use crate::endpoint::Protocol;

/// High Volume Email refuses tokens that live no longer than this.
const HIGH_VOLUME_LEAST_LIFETIME: Duration = Duration::from_secs(600);

/// A mutex whose holder cannot panic half way through: what it guards is whole even so.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The state of one server.
pub(super) struct World {
    pub(super) service: Service,
    pub(super) variant: Variant,
    pub(super) identity: Identity,
    pub(super) tokens: Mutex<Tokens>,
    pub(super) store: Mutex<Store>,
    pub(super) faults: Mutex<Faults>,
    pub(super) logins: Mutex<Vec<Login>>,
    pub(super) transcript: Transcript,
    pub(super) bell: watch::Sender<u64>,
    pub(super) epoch: AtomicU64,
    pub(super) queued: AtomicU64,
}

/// Who is logged in.
pub(super) struct Session {
    /// The mailbox named in the SASL exchange.
    pub(super) mailbox: String,
    /// The user to whom the token was issued.
    pub(super) owner: String,
    expiry: Option<Instant>,
    token: String,
    epoch: u64,
}

impl Session {
    /// When the token runs out, as known at login; `None` if it never does.
    pub(super) const fn expiry(&self) -> Option<Instant> {
        self.expiry
    }
}

/// The outcome of a SASL exchange.
pub(super) enum Judgement {
    /// The token is good and opens the mailbox.
    Welcome(Session),
    /// The token is good, but the mailbox does not exist or is not open to its owner.
    NoAccess(Session),
    /// The token is no good, or a fault says so.
    Refused(Refusal),
}

/// Why the door stays shut. Most services do not say.
#[derive(Clone, Copy)]
pub(super) enum Refusal {
    Malformed(Malformed),
    Token,
    Permission,
    Expired,
    ExpiresSoon,
    Fault,
}

impl World {
    pub(super) fn lines(&self) -> &'static Lines {
        self.service.lines()
    }

    /// Takes an armed fault if this is its occasion.
    pub(super) fn strike<T>(&self, occasion: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        lock(&self.faults).strike(occasion)
    }

    /// Whether exactly this fault strikes now.
    pub(super) fn strikes(&self, wanted: &Fault) -> bool {
        self.strike(|fault| (fault == wanted).then_some(())).is_some()
    }

    /// The reply that a fault puts in the place of this command's own.
    pub(super) fn replacement(&self, at: Protocol, command: &str) -> Option<&'static str> {
        self.strike(|fault| match fault {
            Fault::Reply { protocol, verb, reply } if *protocol == at && *verb == command => {
                Some(*reply)
            }
            _ => None,
        })
    }

    /// The JSON that goes ahead of a refusal now.
    pub(super) fn challenge(&self) -> Option<&'static str> {
        self.strike(Fault::challenge).or_else(|| self.lines().challenge)
    }

    /// The TLS settings of the next connection.
    pub(super) fn acceptor(&self) -> io::Result<TlsAcceptor> {
        let struck = self.strike(|fault| {
            let own = matches!(
                fault,
                Fault::CertificateForOtherName
                    | Fault::CertificateExpired
                    | Fault::CertificateNotYetValid
                    | Fault::CertificateOfUnknownIssuer
            );
            own.then(|| fault.clone())
        });
        match struck {
            Some(fault) => self.identity.faulty(&fault),
            None => Ok(self.identity.acceptor.clone()),
        }
    }

    /// A word of the protocol, as this server spells such words.
    pub(super) fn spelt(&self, word: &str) -> String {
        match self.variant {
            Variant::LowerCase => word.to_ascii_lowercase(),
            _ => word.to_owned(),
        }
    }

    /// Judges an initial response and writes the login down.
    pub(super) fn judge(
        &self,
        protocol: Protocol,
        mechanism: Mechanism,
        response: &[u8],
        fault: bool,
    ) -> Judgement {
        let capital = sasl::parse(mechanism, response, true).is_err()
            && sasl::parse(mechanism, response, false).is_ok();
        let strict = capital && self.strikes(&Fault::CapitalAuthRefused);
        let fault = fault || self.strikes(&Fault::LoginRefused);
        let (mailbox, token, judgement) = match sasl::parse(mechanism, response, strict) {
            Err(malformed) => {
                (String::new(), String::new(), Judgement::Refused(Refusal::Malformed(malformed)))
            }
            Ok(known) => {
                let judgement = if fault {
                    Judgement::Refused(Refusal::Fault)
                } else {
                    self.judge_token(protocol, &known.mailbox, &known.token)
                };
                (known.mailbox, known.token, judgement)
            }
        };
        let accepted = matches!(judgement, Judgement::Welcome(_));
        lock(&self.logins).push(Login::new(protocol, mechanism.name(), mailbox, token, accepted));
        judgement
    }

    fn judge_token(&self, protocol: Protocol, mailbox: &str, token: &str) -> Judgement {
        let tokens = lock(&self.tokens);
        let high_volume = self.lines().smtp.high_volume;
        let occasion = Occasion { protocol, high_volume, reads_claims: self.service.is_exchange() };
        let (owner, remaining) = match tokens.standing(token) {
            Standing::Valid { owner, remaining } => (owner, remaining),
            Standing::Expired => return Judgement::Refused(Refusal::Expired),
            _ => return Judgement::Refused(Refusal::Token),
        };
        match tokens.claims(token, occasion) {
            None => {}
            Some(Standing::NoPermission) => return Judgement::Refused(Refusal::Permission),
            Some(_) => return Judgement::Refused(Refusal::Token),
        }
        if high_volume && remaining < HIGH_VOLUME_LEAST_LIFETIME {
            return Judgement::Refused(Refusal::ExpiresSoon);
        }
        let open = lock(&self.store).holds(mailbox) && tokens.may_open(&owner, mailbox);
        let session = Session {
            mailbox: mailbox.to_lowercase(),
            owner,
            expiry: tokens.expiry(token),
            token: token.to_owned(),
            epoch: self.epoch.load(Ordering::SeqCst),
        };
        if open { Judgement::Welcome(session) } else { Judgement::NoAccess(session) }
    }

    /// Whether the token behind a session has run out.
    pub(super) fn outlived(&self, session: &Session) -> bool {
        lock(&self.tokens).standing(&session.token) == Standing::Expired
    }

    /// Whether all sessions were ended since this one began.
    pub(super) fn ended(&self, session: &Session) -> bool {
        self.epoch.load(Ordering::SeqCst) != session.epoch
    }

    /// Wakes the sessions that wait for something to happen.
    pub(super) fn ring(&self) {
        self.bell.send_modify(|rings| *rings += 1);
    }

    /// Ends every session that is logged in now.
    pub(super) fn end_sessions(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        self.ring();
    }

    /// Puts a message into a folder. False if there is no such mailbox or folder.
    pub(super) fn deliver(&self, address: &str, folder: &str, message: Bytes) -> bool {
        let delivered = lock(&self.store)
            .folder(address, folder)
            .map(|folder| folder.append(message, [].into(), None))
            .is_some();
        if delivered {
            self.ring();
        }
        delivered
    }

    /// A queue identifier that was not used before.
    pub(super) fn queue_id(&self) -> String {
        let number = self.queued.fetch_add(1, Ordering::Relaxed);
        format!("<TYCP286MB{number:08X}@TYCP286MB0001.JPNP286.PROD.OUTLOOK.COM>")
    }
}
