//! Cyrus IMAP 3.6, for what Dovecot does not offer: OBJECTID, PREVIEW, LIST-MYRIGHTS,
//! CREATE-SPECIAL-USE, SEARCH=FUZZY, SORT=DISPLAY, APPENDLIMIT, UNAUTHENTICATE and more.
//!
//! ```text
//!   let cyrus = Cyrus::start();
//!   let user = cyrus.mailbox("objects");        a mailbox that no other test has
//!   let mut imap = cyrus.imap(&user).await;     over TLS, logged in
//!   let mut admin = cyrus.imap(ADMIN).await;    may set quotas and UNAUTHENTICATE
//!   cyrus.index(&user);                         what is there now can be found by FUZZY
//! ```
//!
//! Every name is a user, and every password is right. A user has INBOX, Drafts, Sent and Trash from
//! the first login on. Debian's package cannot be installed beside Dovecot's, so `test.sh` unpacks it
//! into [`FOLDER`].

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mailbearer::{Auth, Connector, Endpoint, ImapClient, Protocol, Security, tls};

use super::state::{State, filled, free_ports, run};
use super::{pki, user_id, write};

/// Where `test.sh` unpacks the server.
const FOLDER: &str = "/opt/mailbearer-tests/cyrus";

/// Who the server runs as: it wants a name, and touches nothing outside of its folder.
const RUNS_AS: &str = "nobody";

/// Who may do everything.
pub(crate) const ADMIN: &str = "admin";

/// The annotation of a message (RFC 5257) that `PREVIEW` shows; Cyrus makes none by itself.
pub(crate) const PREVIEW: &str = "/vendor/example.test/preview";

/// The longest message that is taken, in octets.
pub(crate) const APPEND_LIMIT: u64 = 16 * 1024 * 1024;

/// The running server.
pub(crate) struct Cyrus {
    tls: tls::Config,
    ports: Ports,
    state: State,
}

struct Ports {
    implicit_tls: u16,
    starttls: u16,
}

impl Cyrus {
    /// The server of this test binary, started by the first call.
    ///
    /// # Panics
    ///
    /// If it cannot start: a missing server fails the test that wants it and is never a reason to
    /// skip it.
    pub(crate) fn start() -> &'static Self {
        static CYRUS: OnceLock<Result<Cyrus, String>> = OnceLock::new();
        match CYRUS.get_or_init(Self::try_start) {
            Ok(cyrus) => cyrus,
            Err(why) => panic!("Cyrus did not start; ./test.sh brings what it needs: {why}"),
        }
    }

    /// A user whom no other test has: `name-1@example.test`.
    pub(crate) fn mailbox(&self, name: &str) -> String {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        format!("{name}-{}@example.test", NEXT.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn endpoint(&self, security: Security) -> Endpoint {
        let port = match security {
            Security::ImplicitTls => self.ports.implicit_tls,
            _ => self.ports.starttls,
        };
        Endpoint::new(Protocol::Imap, "127.0.0.1", port, security)
    }

    /// Settings to which more can be added.
    pub(crate) fn connector(&self, endpoint: Endpoint, user: &str) -> Connector<ImapClient> {
        ImapClient::builder(endpoint).tls(self.tls.clone()).auth(Auth::plain(user, "any"))
    }

    /// A client of `user`, or of [`ADMIN`], over TLS.
    pub(crate) async fn imap(&self, user: &str) -> ImapClient {
        let connector = self.connector(self.endpoint(Security::ImplicitTls), user);
        connector.connect().await.expect("IMAP opens")
    }

    /// Indexes all messages of a user: a FUZZY search finds no others.
    pub(crate) fn index(&self, user: &str) {
        let indexer = &mut program("squatter");
        indexer.arg("-C").arg(self.state.path().join("imapd.conf")).arg("-u").arg(user);
        run(indexer, &self.state.path().join("log").join(format!("index-{user}")))
            .unwrap_or_else(|why| panic!("nothing is indexed: {why}"));
    }

    fn try_start() -> Result<Self, String> {
        if !bin().join("imapd").is_file() {
            return Err(format!("there is no Cyrus in {FOLDER}"));
        }
        let state = State::create()?;
        let ca_pem = pki::write(&state.path().join("tls")).map_err(|e| e.to_string())?;
        let tls = tls::Config::with_root_pem(ca_pem.as_bytes()).map_err(|e| e.to_string())?;
        furnish(state.path())?;

        // Another program may take a port between choosing and using it: choose again then.
        for _ in 0..5 {
            if let Some(ports) = start_server(&state)? {
                return Ok(Self { tls, ports, state });
            }
        }
        Err("it ended at once, five times; the syslog says why".into())
    }
}

/// Folders that belong to the server, which makes more in them.
fn furnish(state: &Path) -> Result<(), String> {
    let owner = user_id(RUNS_AS)?;
    let names =
        ["cyrus", "cyrus/db", "cyrus/proc", "cyrus/socket", "cyrus/log", "mail", "index", "tmp"];
    for folder in names.map(|name| state.join(name)) {
        fs::create_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        chown(&folder, Some(owner), None).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    let key = state.join("tls/server.key");
    chown(&key, Some(owner), None).map_err(|e| format!("{}: {e}", key.display()))
}

/// Starts the server and waits until it listens. `None` if it ended instead, as it does when it
/// cannot have a port.
fn start_server(state: &State) -> Result<Option<Ports>, String> {
    let [implicit_tls, starttls] = free_ports().map_err(|e| e.to_string())?;
    let (folder, bin) = (state.path(), bin());
    let words: &[(&str, &dyn ToString)] = &[
        ("STATE", &folder.display()),
        ("BIN", &bin.display()),
        ("USER", &RUNS_AS),
        ("ADMIN", &ADMIN),
        ("APPEND_LIMIT", &APPEND_LIMIT),
        ("PREVIEW", &PREVIEW),
        ("TLS", &implicit_tls),
        ("STARTTLS", &starttls),
    ];
    let [imapd, services] = ["imapd.conf", "cyrus.conf"].map(|name| folder.join(name));
    write(&imapd, &filled(include_str!("imapd.conf"), words))?;
    write(&services, &filled(include_str!("cyrus.conf"), words))?;
    let pid_file = folder.join("cyrus/master.pid");
    let master = &mut program("master");
    master.arg("-d").arg("-p").arg(&pid_file).arg("-C").arg(imapd).arg("-M").arg(services);
    // It comes back when the file with the process id is there, for the watchdog, and before it
    // listens.
    run(master, &folder.join("log/cyrus.start"))?;
    let pid = fs::read_to_string(&pid_file).map_err(|e| format!("{}: {e}", pid_file.display()))?;
    let lives = || Path::new("/proc").join(pid.trim()).exists();
    for _ in 0..1000 {
        let listens = |port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        let both_listen = listens(implicit_tls) && listens(starttls);
        if !lives() {
            return Ok(None);
        }
        if both_listen {
            return Ok(Some(Ports { implicit_tls, starttls }));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err("it does not listen".into())
}

/// One of its programs, which find their libraries beside them.
fn program(name: &str) -> Command {
    let mut program = Command::new(bin().join(name));
    program.env("LD_LIBRARY_PATH", Path::new(FOLDER).join("usr/lib/x86_64-linux-gnu"));
    program
}

fn bin() -> PathBuf {
    Path::new(FOLDER).join("usr/lib/cyrus/bin")
}
