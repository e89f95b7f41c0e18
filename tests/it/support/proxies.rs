//! Real proxies of the tests' own, on loopback: microsocks (SOCKS5) and tinyproxy (HTTP).
//!
//! One of each serves all tests of the binary and starts with the first that wants it. A shell
//! stands between, which ends its proxy by the process id when this process is gone, however it
//! went: its standard input is closed then.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use mailbearer::net::proxy::Proxy;

/// What the proxies that ask for credentials take.
pub(crate) const USER: &str = "proxy-user";
pub(crate) const PASSWORD: &str = "planted-proxy-password";

/// The running proxies, without credentials in their settings.
pub(crate) struct Proxies {
    pub(crate) socks: Proxy,
    /// Demands credentials.
    pub(crate) guarded_socks: Proxy,
    pub(crate) http: Proxy,
    /// Demands credentials.
    pub(crate) guarded_http: Proxy,
    /// Lets through to port 1 only.
    pub(crate) strict_http: Proxy,
    _shells: Vec<Child>,
}

impl Proxies {
    /// The proxies of this test binary, started by the first call.
    ///
    /// # Panics
    ///
    /// If one cannot start: a missing program fails the test that wants it and is never a reason to
    /// skip it.
    pub(crate) fn start() -> &'static Self {
        static PROXIES: OnceLock<Result<Proxies, String>> = OnceLock::new();
        match PROXIES.get_or_init(Self::try_start) {
            Ok(proxies) => proxies,
            Err(why) => {
                panic!("the proxies did not start; ./test.sh installs what they need: {why}")
            }
        }
    }

    /// All that let through to the bed, with the credentials that they demand.
    pub(crate) fn open(&self) -> [Proxy; 4] {
        [
            self.socks.clone(),
            self.guarded_socks.clone().credentials(USER, PASSWORD),
            self.http.clone(),
            self.guarded_http.clone().credentials(USER, PASSWORD),
        ]
    }

    fn try_start() -> Result<Self, String> {
        let mut shells = Vec::new();
        let mut start = |run: &dyn Fn(u16) -> Result<Child, String>| {
            let port = free_port()?;
            shells.push(run(port)?);
            wait_for(port)?;
            // What has started has read its settings.
            let _ = fs::remove_file(settings_file(port));
            Ok::<_, String>(port)
        };
        let socks = start(&|port| microsocks(port, &[]))?;
        let guarded_socks = start(&|port| microsocks(port, &["-u", USER, "-P", PASSWORD]))?;
        let http = start(&|port| tinyproxy(port, ""))?;
        let guard = format!("BasicAuth {USER} {PASSWORD}");
        let guarded_http = start(&|port| tinyproxy(port, &guard))?;
        let strict_http = start(&|port| tinyproxy(port, "ConnectPort 1"))?;
        let host = "127.0.0.1";
        Ok(Self {
            socks: Proxy::socks5(host, socks),
            guarded_socks: Proxy::socks5(host, guarded_socks),
            http: Proxy::http(host, http),
            guarded_http: Proxy::http(host, guarded_http),
            strict_http: Proxy::http(host, strict_http),
            _shells: shells,
        })
    }
}

/// It takes the first address of a name only; the one of its own it is given makes that an IPv4 one.
fn microsocks(port: u16, more: &[&str]) -> Result<Child, String> {
    let port = port.to_string();
    let place = ["microsocks", "-i", "127.0.0.1", "-b", "127.0.0.1", "-p", &port];
    shell(&[&place[..], more].concat())
}

fn tinyproxy(port: u16, more: &str) -> Result<Child, String> {
    let settings = format!(
        "Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 600\nMaxClients 1000\n{more}\n"
    );
    let file = settings_file(port);
    fs::write(&file, settings).map_err(|error| format!("{}: {error}", file.display()))?;
    shell(&["tinyproxy", "-d", "-c", &file.to_string_lossy()])
}

fn settings_file(port: u16) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tinyproxy-{port}.conf"))
}

fn shell(command: &[&str]) -> Result<Child, String> {
    // The shell outlives Ctrl-C; the proxy was started before, or it would ignore its end as well.
    const GUARD: &str = r#""$@" & pid=$!; trap '' INT TERM HUP; read -r _; kill "$pid""#;
    let program = command[0];
    let folders = ["/usr/bin", "/usr/sbin", "/usr/local/bin"];
    if !folders.iter().any(|folder| Path::new(folder).join(program).is_file()) {
        return Err(format!("{program} is not installed"));
    }
    Command::new("sh")
        .args(["-c", GUARD, "proxy"])
        .args(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{program}: {error}"))
}

/// One that was free a moment ago.
fn free_port() -> Result<u16, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| error.to_string())
}

/// Neither proxy says when it listens.
fn wait_for(port: u16) -> Result<(), String> {
    for _ in 0..500 {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(format!("nothing listens at port {port} after ten seconds"))
}
