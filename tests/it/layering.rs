//! Cores name neither tokio nor a clock, anywhere in the file.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders of code without IO.
const CORES: &[&str] = &["wire", "sasl"];
/// Folders of code without IO, in each protocol.
const PROTOCOL_CORES: &[&str] = &["proto", "command", "types", "finding"];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}")) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn core_files() -> Vec<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = vec![source.join("machine.rs"), source.join("fault.rs")];
    for file in ["handshake", "http", "socks5"] {
        found.push(source.join(format!("net/proxy/{file}.rs")));
    }
    for folder in CORES {
        files(&source.join(folder), &mut found);
    }
    for protocol in ["smtp", "imap", "pop"] {
        for folder in PROTOCOL_CORES {
            let folder = source.join(protocol).join(folder);
            if folder.exists() {
                files(&folder, &mut found);
            }
        }
    }
    found
}

#[test]
fn cores_name_neither_tokio_nor_a_clock_nor_a_socket() {
    let forbidden = [
        "tokio",
        "Instant",
        "SystemTime::now",
        "std::net",
        "TcpStream",
        "thread::sleep",
        "std::fs",
    ];
    let files = core_files();
    assert!(files.len() > 40, "the cores were not found: {} files", files.len());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            for word in forbidden {
                assert!(
                    !line.contains(word),
                    "{}:{}: a core names {word}",
                    file.display(),
                    number + 1
                );
            }
        }
    }
}

#[test]
fn the_three_protocols_have_the_same_rooms() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for protocol in ["smtp", "imap", "pop"] {
        for room in
            ["mod.rs", "connect.rs", "client.rs", "error.rs", "command/mod.rs", "proto/mod.rs"]
        {
            let path = source.join(protocol).join(room);
            assert!(path.exists(), "{} is missing", path.display());
        }
    }
}
