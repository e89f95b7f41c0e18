//! The folder a test bed lives in, the programs it starts, and how it ends.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, ChildStdin, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

/// Owner of all mail. A number is enough: no account of the machine is touched.
pub(super) const MAIL_UID: u32 = 5000;

/// A folder of its own under the temporary directory.
///
/// A watchdog process stops the servers by their process ids and removes the folder when the test
/// process ends, even if it is killed: statics are never dropped, and a panic while starting up
/// must not leave a server behind either.
pub(super) struct State {
    folder: PathBuf,
    /// The watchdog waits until this closes, which the system does when the process is gone.
    _watchdog: ChildStdin,
}

impl State {
    pub(super) fn create() -> Result<Self, String> {
        let nanos =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
        let folder = std::env::temp_dir().join(format!("mb-{}-{nanos:x}", process::id()));
        // A unix socket's path is at most 107 octets, and the deepest is some 40 below the folder.
        if folder.as_os_str().len() > 60 {
            return Err(format!("{} is too long for unix sockets, set TMPDIR", folder.display()));
        }
        fs::create_dir(&folder).map_err(|e| format!("creating {}: {e}", folder.display()))?;
        let watchdog = watchdog(&folder).map_err(|e| format!("starting the watchdog: {e}"))?;
        let state = Self { folder, _watchdog: watchdog };
        state.open_up().map_err(|e| format!("filling {}: {e}", state.folder.display()))?;
        state.check_parents()?;
        Ok(state)
    }

    pub(super) fn path(&self) -> &Path {
        &self.folder
    }

    fn open_up(&self) -> io::Result<()> {
        fs::set_permissions(&self.folder, fs::Permissions::from_mode(0o755))?;
        fs::create_dir(self.folder.join("log"))?;
        fs::create_dir(self.folder.join("tls"))
    }

    /// Adds what the servers of a [`Bed`](super::Bed) share.
    pub(super) fn furnish(&self) -> io::Result<()> {
        fs::create_dir(self.folder.join("keys"))?;
        for name in ["mail", "home", "index", "acl"] {
            fs::create_dir(self.folder.join(name))?;
            chown(self.folder.join(name), Some(MAIL_UID), Some(MAIL_UID))?;
        }
        Ok(())
    }

    /// The servers' unprivileged processes have to get through.
    fn check_parents(&self) -> Result<(), String> {
        for parent in self.folder.ancestors() {
            let mode = fs::metadata(parent).map_err(|e| e.to_string())?.mode();
            if mode & 0o001 == 0 {
                return Err(format!("{} is not world-traversable, set TMPDIR", parent.display()));
            }
        }
        Ok(())
    }

    /// The last lines of every log file, for failure messages.
    pub(super) fn logs(&self) -> String {
        let mut text = String::new();
        for entry in fs::read_dir(self.folder.join("log")).into_iter().flatten().flatten() {
            let tail = tail(&entry.path()).unwrap_or_else(|e| e.to_string());
            text += &format!("--- {}\n{tail}\n", entry.file_name().display());
        }
        text
    }
}

fn watchdog(folder: &Path) -> io::Result<ChildStdin> {
    let mut child = Command::new("sh")
        .args(["-c", include_str!("watchdog.sh"), "watchdog"])
        .arg(folder)
        // Not in the terminal's foreground group, or Ctrl-C would end it with the tests.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    child.stdin.take().ok_or_else(|| io::Error::other("no pipe"))
}

fn tail(path: &Path) -> io::Result<String> {
    const AT_MOST: u64 = 6000;
    let mut file = fs::File::open(path)?;
    let start = file.metadata()?.len().saturating_sub(AT_MOST);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Distinct loopback ports that were free a moment ago.
pub(super) fn free_ports<const N: usize>() -> io::Result<[u16; N]> {
    let mut held = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

/// `template` with every `@NAME@` replaced.
///
/// # Panics
///
/// If a name was forgotten: the server would say so in a far less obvious way.
pub(super) fn filled(template: &str, words: &[(&str, &dyn ToString)]) -> String {
    let mut text = template.to_owned();
    for (name, value) in words {
        text = text.replace(&format!("@{name}@"), &value.to_string());
    }
    let forgotten = text
        .split('@')
        .find(|word| word.len() > 1 && word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'));
    assert_eq!(forgotten, None, "a word of the template has no value");
    text
}

/// Runs a program that starts or stops a server to its end; on failure the error is what it said.
///
/// What it says goes to a file: the server it leaves behind holds its output open, so that a pipe
/// would never come to its end.
pub(super) fn run(command: &mut Command, log: &Path) -> Result<(), String> {
    let program = command.get_program().display().to_string();
    let said = fs::File::create(log).map_err(|e| format!("{}: {e}", log.display()))?;
    let also = said.try_clone().map_err(|e| e.to_string())?;
    let status = command
        .env("PATH", search_path())
        .stdin(Stdio::null())
        .stdout(said)
        .stderr(also)
        .status()
        .map_err(|e| format!("{program}: {e}"))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{program}: {status}: {}", fs::read_to_string(log).unwrap_or_default()))
}

/// Fails, naming the cure, unless the servers are installed and this is root.
pub(super) fn check_prerequisites() -> Result<(), String> {
    let uid = fs::metadata("/proc/self").map_err(|e| format!("/proc/self: {e}"))?.uid();
    if uid != 0 {
        return Err("these tests start Dovecot and Postfix, which want root: \
                    run them as root, or ./test.sh in a container"
            .into());
    }
    for program in ["dovecot", "doveadm", "postfix"] {
        if !std::env::split_paths(&search_path()).any(|folder| folder.join(program).is_file()) {
            return Err(format!("{program} is not installed"));
        }
    }
    Ok(())
}

/// Debian's servers lie where root's path does not always lead.
fn search_path() -> String {
    let own = std::env::var("PATH").unwrap_or_default();
    format!("{own}:/usr/sbin:/usr/bin:/sbin:/bin")
}
