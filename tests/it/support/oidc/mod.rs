//! A certified OAuth 2.0 server (the npm package oidc-provider) of the tests' own, on loopback.
//!
//! One serves all tests of the binary and starts with the first that wants it. It needs Node 18 or
//! later and npm, which installs the packages of `package-lock.json` under the target directory at
//! the first start.

mod browser;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

pub(crate) use browser::{Browser, Choice};

/// The running server.
pub(crate) struct OAuthServer {
    port: u16,
    folder: PathBuf,
    /// It ends when this process does and its standard input is closed with it.
    _process: Child,
}

impl OAuthServer {
    /// The server of this test binary, started by the first call.
    ///
    /// # Panics
    ///
    /// If it cannot start, with the reason: a missing program fails the test that wants it and is
    /// never a reason to skip it.
    pub(crate) fn start() -> &'static Self {
        static SERVER: OnceLock<Result<OAuthServer, String>> = OnceLock::new();
        match SERVER.get_or_init(Self::try_start) {
            Ok(server) => server,
            Err(why) => panic!("the OAuth server did not start: {why}"),
        }
    }

    /// The URL of one of its endpoints.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn token_url(&self) -> String {
        self.url("/token")
    }

    /// The key and the certificate of one of the clients that sign, in one PEM text: `rsa`, `ec`.
    pub(crate) fn signing_pem(&self, name: &str) -> String {
        let read = |end: &str| {
            let path = self.folder.join(format!("{name}.{end}"));
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        read("key") + &read("pem")
    }

    /// A request of no interest to the crate, made as any client would: the status and the body.
    pub(crate) fn post(&self, path: &str, form: &[(&str, &str)]) -> (u16, String) {
        let answer = Browser::default().send(&self.url(path), Some(form));
        (answer.status, answer.body)
    }

    /// What the token is worth (RFC 7662), as the mail server is told.
    pub(crate) fn introspect(&self, token: &str) -> String {
        let form = [
            ("client_id", "mail-server"),
            ("client_secret", "s3cret-of-the-mail-server"),
            ("token", token),
        ];
        self.post("/token/introspection", &form).1
    }

    /// How often a program was told that the user with this code has not signed in yet.
    pub(crate) fn told_to_wait(&self, user_code: &str) -> usize {
        let answer = Browser::default().send(&self.url(&format!("/pending/{user_code}")), None);
        answer.body.parse().expect("a number")
    }

    fn try_start() -> Result<Self, String> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/oidc");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("oidc");
        install(&source, &folder)?;
        make_certificate(&folder, "rsa", &["rsa:2048"])?;
        make_certificate(&folder, "ec", &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"])?;
        let mut process = Command::new("node")
            .arg(folder.join("server.mjs"))
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("starting node (Debian package nodejs): {error}"))?;
        let output = process.stdout.take().ok_or("node has no standard output")?;
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let port = lines.find_map(|line| line.strip_prefix("listening on ")?.parse().ok());
        let port = port.ok_or("it ended before it listened")?;
        // What it says later is of no interest, but must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { port, folder, _process: process })
    }
}

/// The server and its packages, unless they are there.
fn install(source: &Path, folder: &Path) -> Result<(), String> {
    let lock = "package-lock.json";
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let installed = folder.join("node_modules/.package-lock.json").exists()
        && fs::read(folder.join(lock)).ok() == fs::read(source.join(lock)).ok();
    for name in ["package.json", lock, "server.mjs"] {
        fs::copy(source.join(name), folder.join(name))
            .map_err(|error| format!("{name}: {error}"))?;
    }
    if installed {
        return Ok(());
    }
    run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(folder))
}

fn make_certificate(folder: &Path, name: &str, key: &[&str]) -> Result<(), String> {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-nodes", "-days", "2", "-newkey"]).args(key);
    openssl
        .args(["-subj", &format!("/CN={name}"), "-keyout"])
        .arg(folder.join(format!("{name}.key")));
    run(openssl.arg("-out").arg(folder.join(format!("{name}.pem"))))
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{command:?}: {}\n{said}", output.status))
}
