//! The openssl program as the other side: it makes keys and checks signatures.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// A directory that goes away with the value.
pub(crate) struct Bench(PathBuf);

impl Bench {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mailbearer-openssl-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes `NAME.key` and the self-signed `NAME.crt`.
    pub(crate) fn certificate(&self, name: &str, kind: &[&str]) {
        let (key, certificate) = (format!("{name}.key"), format!("{name}.crt"));
        let mut arguments = vec!["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=mailer"];
        arguments.extend(["-keyout", &key, "-out", &certificate, "-newkey"]);
        arguments.extend(kind);
        self.run(&arguments);
    }

    /// The text of both files.
    pub(crate) fn pem(&self, name: &str) -> String {
        let read =
            |end: &str| std::fs::read_to_string(self.path(&format!("{name}.{end}"))).unwrap();
        read("crt") + &read("key")
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let done = Command::new("openssl").args(arguments).current_dir(&self.0).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "openssl {arguments:?}: {said}");
        done.stdout
    }

    /// Checks a signature by the public key of `NAME.crt`, and gives header and claims.
    pub(crate) fn verify(&self, token: &str, name: &str, options: &[&str]) -> (Value, Value) {
        let parts: Vec<&str> = token.split('.').collect();
        let [header, claims, signature] = parts[..] else { panic!("{token}") };
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
        let mut signature = decode(signature);
        if signature.len() == 64 {
            signature = der(&signature);
        }
        std::fs::write(self.path("signed"), format!("{header}.{claims}")).unwrap();
        std::fs::write(self.path("signature"), signature).unwrap();
        let certificate = format!("{name}.crt");
        let public = self.run(&["x509", "-in", &certificate, "-noout", "-pubkey"]);
        std::fs::write(self.path("public"), public).unwrap();
        let mut arguments = vec!["dgst", "-sha256"];
        arguments.extend(options);
        arguments.extend(["-verify", "public", "-signature", "signature", "signed"]);
        assert_eq!(self.run(&arguments), b"Verified OK\n");
        let json = |part| serde_json::from_slice(&decode(part)).unwrap();
        (json(header), json(claims))
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(Path::new(&self.0));
    }
}

/// Two numbers of 32 octets as openssl wants to have them.
fn der(fixed: &[u8]) -> Vec<u8> {
    let mut numbers = Vec::new();
    for number in fixed.chunks(32) {
        // A zero in front keeps it positive; DER allows it only where it is needed.
        let short: Vec<u8> = number.iter().copied().skip_while(|octet| *octet == 0).collect();
        let zero = short.first().is_none_or(|first| *first >= 0x80);
        numbers.extend([0x02, short.len() as u8 + u8::from(zero)]);
        numbers.extend(zero.then_some(0));
        numbers.extend(short);
    }
    let mut whole = vec![0x30, numbers.len() as u8];
    whole.extend(numbers);
    whole
}
