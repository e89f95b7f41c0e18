//! The test bed: Dovecot and Postfix of the tests' own, on loopback, with tokens that the servers
//! themselves check.
//!
//! ```text
//!   Server::Jwt            Dovecot, checks JWTs against a public key      SMTP IMAP POP3
//!   Server::Introspection  Dovecot, asks the issuer by RFC 7662           SMTP IMAP POP3
//!   Server::Postfix        mechanisms run by the first one's auth socket  SMTP
//! ```
//!
//! What Postfix takes, or either Dovecot's submission hands it, is delivered by LMTP; both Dovecots
//! show the same mail. Every address at `example.test` is a mailbox, so each test has its own:
//! [`Bed::mailbox`]. `unknown@example.test` and `busy@example.test` are refused by Postfix, which
//! closes the connection on `closing@example.test` and takes `grey-…@example.test` the second time.
//!
//! One bed serves all tests of the binary and starts with the first that wants it. So does
//! [`Cyrus`], a second IMAP server for what Dovecot does not offer.

mod authority;
mod cyrus;
mod greylist;
mod pki;
mod raw;
mod state;

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use mailbearer::{Endpoint, Protocol, Security};

pub(crate) use authority::{Fault, Kind};
pub(crate) use cyrus::{ADMIN, APPEND_LIMIT, Cyrus, PREVIEW};
pub(crate) use raw::Raw;

use authority::Authority;
use state::{MAIL_UID, State, filled, free_ports, run};

/// The password of every mailbox, for the mechanisms that take one.
pub(crate) const PASSWORD: &str = "bed-password";

/// Who checks the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Server {
    Jwt,
    Introspection,
    Postfix,
}

impl Server {
    const fn name(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::Introspection => "introspection",
            Self::Postfix => "postfix",
        }
    }
}

/// The running servers.
pub(crate) struct Bed {
    authority: Authority,
    ca_pem: String,
    ports: HashMap<(Server, Protocol, Security), u16>,
    state: State,
}

impl Bed {
    /// The bed of this test binary, started by the first call.
    ///
    /// # Panics
    ///
    /// If it cannot start, with the reason and what to do: a missing server fails the test that
    /// wants it and is never a reason to skip it.
    pub(crate) fn start() -> &'static Self {
        static BED: OnceLock<Result<Bed, String>> = OnceLock::new();
        match BED.get_or_init(Self::try_start) {
            Ok(bed) => bed,
            Err(why) => {
                panic!("the test bed did not start; ./test.sh installs what it needs: {why}")
            }
        }
    }

    fn try_start() -> Result<Self, String> {
        state::check_prerequisites()?;
        let state = State::create()?;
        state.furnish().map_err(|e| format!("filling {}: {e}", state.path().display()))?;
        let ca_pem = pki::write(&state.path().join("tls")).map_err(|e| e.to_string())?;
        let authority = Authority::start(&state.path().join("keys")).map_err(|e| e.to_string())?;

        // Another program may take a port between choosing and using it: choose again then.
        let mut attempts = 0;
        let ports = loop {
            attempts += 1;
            match start_servers(state.path(), authority.port()) {
                Ok(ports) => break ports,
                Err(why) if attempts < 5 && in_use(&(why.clone() + &state.logs())) => {
                    stop_servers(state.path());
                }
                Err(why) => return Err(format!("{why}\n{}", state.logs())),
            }
        };
        Ok(Self { authority, ca_pem, ports, state })
    }

    /// A mailbox that no other test has: `name-1@example.test`.
    pub(crate) fn mailbox(&self, name: &str) -> String {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        format!("{name}-{}@example.test", NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// A token for `user`.
    pub(crate) fn mint(&self, user: &str, kind: Kind) -> String {
        self.authority.mint(user, kind)
    }

    /// Lets [`Server::Introspection`] take the tokens of another issuer too, which answers this
    /// function about them as RFC 7662 says.
    #[cfg(feature = "oauth")]
    pub(crate) fn also_ask(&self, issuer: fn(&str) -> String) {
        self.authority.also_ask(issuer);
    }

    /// Where a server speaks a protocol. Postfix speaks only SMTP.
    pub(crate) fn endpoint(
        &self,
        server: Server,
        protocol: Protocol,
        security: Security,
    ) -> Endpoint {
        let port = self.ports[&(server, protocol, security)];
        Endpoint::new(protocol, "localhost", port, security)
    }

    /// Every listener, in an order that does not change.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = (Server, Endpoint)> {
        listeners()
            .map(|(server, protocol, security)| (server, self.endpoint(server, protocol, security)))
    }

    /// Lets `borrower` read and write the INBOX of `owner` (RFC 4314), which it then sees as
    /// `shared/<owner>/INBOX`.
    pub(crate) fn lend_inbox(&self, owner: &str, borrower: &str) {
        let main = self.state.path().join("dovecot-jwt/dovecot.conf");
        let rights = "lookup read write write-seen write-deleted insert expunge";
        let doveadm = &mut Command::new("doveadm");
        doveadm.arg("-c").arg(main).args(["acl", "set", "-u", owner, "INBOX"]);
        doveadm.arg(format!("user={borrower}")).args(rights.split(' '));
        run(doveadm, &self.state.path().join("log").join(format!("lend-{owner}")))
            .unwrap_or_else(|why| panic!("lending failed: {why}\n{}", self.logs()));
    }

    /// Ends the sessions of this mailbox, as an administrator may.
    #[cfg(feature = "oauth")]
    pub(crate) fn end_sessions(&self, server: Server, mailbox: &str) {
        let main = format!("dovecot-{}/dovecot.conf", server.name());
        let doveadm = &mut Command::new("doveadm");
        doveadm.arg("-c").arg(self.state.path().join(main)).args(["kick", mailbox]);
        run(doveadm, &self.state.path().join("log").join(format!("kick-{mailbox}")))
            .unwrap_or_else(|why| panic!("nothing was ended: {why}\n{}", self.logs()));
    }

    /// The root that the good certificates lead to.
    pub(crate) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The end of every server's log, for failure messages.
    pub(crate) fn logs(&self) -> String {
        self.state.logs()
    }
}

fn listeners() -> impl Iterator<Item = (Server, Protocol, Security)> {
    use Protocol::{Imap, Pop, Smtp};

    let spoken = [
        (Server::Jwt, Smtp),
        (Server::Jwt, Imap),
        (Server::Jwt, Pop),
        (Server::Introspection, Smtp),
        (Server::Introspection, Imap),
        (Server::Introspection, Pop),
        (Server::Postfix, Smtp),
    ];
    spoken.into_iter().flat_map(|(server, protocol)| {
        [Security::ImplicitTls, Security::StartTls]
            .into_iter()
            .map(move |security| (server, protocol, security))
    })
}

fn in_use(text: &str) -> bool {
    text.contains("Address already in use")
}

type Ports = HashMap<(Server, Protocol, Security), u16>;

fn start_servers(state: &Path, authority: u16) -> Result<Ports, String> {
    let [reinjection, free @ ..] = free_ports::<15>().map_err(|e| e.to_string())?;
    let ports: Ports = listeners().zip(free).collect();
    for server in [Server::Jwt, Server::Introspection] {
        start_dovecot(state, server, &ports, authority, reinjection)?;
    }
    start_postfix(state, &ports, reinjection)?;
    Ok(ports)
}

fn start_dovecot(
    state: &Path,
    server: Server,
    ports: &Ports,
    authority: u16,
    reinjection: u16,
) -> Result<(), String> {
    let instance = state.join(format!("dovecot-{}", server.name()));
    let port = |protocol, security| ports[&(server, protocol, security)];
    let words: &[(&str, &dyn ToString)] = &[
        ("STATE", &state.display()),
        ("INSTANCE", &instance.display()),
        ("NAME", &server.name()),
        ("MAIL_UID", &MAIL_UID),
        ("PASSWORD", &PASSWORD),
        ("REINJECTION", &reinjection),
        ("SMTP_TLS", &port(Protocol::Smtp, Security::ImplicitTls)),
        ("SMTP_STARTTLS", &port(Protocol::Smtp, Security::StartTls)),
        ("IMAP_TLS", &port(Protocol::Imap, Security::ImplicitTls)),
        ("IMAP_STARTTLS", &port(Protocol::Imap, Security::StartTls)),
        ("POP_TLS", &port(Protocol::Pop, Security::ImplicitTls)),
        ("POP_STARTTLS", &port(Protocol::Pop, Security::StartTls)),
        ("ISSUER", &authority::ISSUER),
        ("CLIENT", &authority::CLIENT),
        ("CLIENT_SECRET", &authority::CLIENT_SECRET),
        ("AUTHORITY", &authority),
    ];
    let token_check = match server {
        Server::Introspection => include_str!("oauth2-introspection.conf"),
        _ => include_str!("oauth2-jwt.conf"),
    };
    let main = instance.join("dovecot.conf");
    make_folders(&instance, &["run", "state"])?;
    write(&instance.join("oauth2.conf.ext"), &filled(token_check, words))?;
    write(&main, &filled(include_str!("dovecot.conf"), words))?;
    let log = state.join("log").join(format!("dovecot-{}.start", server.name()));
    run(Command::new("dovecot").arg("-c").arg(&main), &log)
}

fn start_postfix(state: &Path, ports: &Ports, reinjection: u16) -> Result<(), String> {
    let instance = state.join("postfix");
    let greylist = greylist::start().map_err(|e| e.to_string())?;
    let words: &[(&str, &dyn ToString)] = &[
        ("STATE", &state.display()),
        ("REINJECTION", &reinjection),
        ("GREYLIST", &greylist),
        ("SMTP_TLS", &ports[&(Server::Postfix, Protocol::Smtp, Security::ImplicitTls)]),
        ("SMTP_STARTTLS", &ports[&(Server::Postfix, Protocol::Smtp, Security::StartTls)]),
    ];
    make_folders(&instance, &["etc", "queue", "data"])?;
    let postfix = user_id("postfix")?;
    chown(instance.join("data"), Some(postfix), None).map_err(|e| e.to_string())?;
    write(&instance.join("etc/main.cf"), &filled(include_str!("postfix-main.cf"), words))?;
    write(&instance.join("etc/master.cf"), &filled(include_str!("postfix-master.cf"), words))?;
    let start = &mut Command::new("postfix");
    run(start.arg("-c").arg(instance.join("etc")).arg("start"), &state.join("log/postfix.start"))
}

/// Before another attempt. What is not running cannot be stopped, which is no failure.
fn stop_servers(state: &Path) {
    let log = state.join("log/stop");
    for server in [Server::Jwt, Server::Introspection] {
        let main = state.join(format!("dovecot-{}/dovecot.conf", server.name()));
        let _ = run(Command::new("doveadm").arg("-c").arg(main).arg("stop"), &log);
    }
    let stop = &mut Command::new("postfix");
    let _ = run(stop.arg("-c").arg(state.join("postfix/etc")).arg("stop"), &log);
    // The logs say what went wrong this time; the next attempt is judged by its own.
    let _ = fs::remove_dir_all(state.join("log"));
    let _ = fs::create_dir(state.join("log"));
}

fn make_folders(instance: &Path, names: &[&str]) -> Result<(), String> {
    for name in names {
        let folder = instance.join(name);
        fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))
            .map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

fn user_id(name: &str) -> Result<u32, String> {
    let accounts = fs::read_to_string("/etc/passwd").map_err(|e| format!("/etc/passwd: {e}"))?;
    let mut fields = accounts.lines().map(|line| line.split(':'));
    fields
        .find_map(|mut line| (line.next() == Some(name)).then(|| line.nth(1)?.parse().ok())?)
        .ok_or_else(|| format!("there is no user {name}"))
}
