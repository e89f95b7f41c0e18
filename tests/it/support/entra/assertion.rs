//! Client assertions, checked as Entra does, and their signatures by the openssl program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{SERVICE, State};

/// A key and its certificate, made by openssl in a folder that goes away with the last clone.
#[derive(Clone)]
pub(crate) struct Keys(Arc<Folder>);

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Keys {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mailbearer-entra-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder for keys");
        let keys = Self(Arc::new(Folder(folder)));
        let names = ["-keyout", "app.key", "-out", "app.crt"];
        let kind =
            ["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=app", "-newkey", "rsa:2048"];
        keys.openssl(&[kind.as_slice(), names.as_slice()].concat()).expect("a certificate");
        keys
    }

    /// The file with both.
    pub(crate) fn pem_file(&self) -> PathBuf {
        let read = |name: &str| fs::read_to_string(self.path(name)).expect("openssl wrote it");
        let file = self.path("both.pem");
        fs::write(&file, read("app.crt") + &read("app.key")).expect("a writable folder");
        file
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.0.join(name)
    }

    fn openssl(&self, arguments: &[&str]) -> Option<Vec<u8>> {
        let folder: &Path = &self.0.0;
        let done = Command::new("openssl").args(arguments).current_dir(folder).output();
        let done = done.expect("openssl runs");
        done.status.success().then_some(done.stdout)
    }

    /// `x5t#S256`, as openssl makes it out.
    fn thumbprint(&self) -> String {
        self.openssl(&["x509", "-in", "app.crt", "-outform", "DER", "-out", "app.der"]);
        let digest = self.openssl(&["dgst", "-sha256", "-binary", "app.der"]);
        URL_SAFE_NO_PAD.encode(digest.expect("a digest"))
    }

    fn has_signed(&self, signed: &str, signature: &[u8], algorithm: &str) -> bool {
        fs::write(self.path("signed"), signed).expect("a writable folder");
        fs::write(self.path("signature"), signature).expect("a writable folder");
        let public = self.openssl(&["x509", "-in", "app.crt", "-noout", "-pubkey"]);
        fs::write(self.path("public"), public.expect("a public key")).expect("a writable folder");
        let padding: &[&str] = match algorithm {
            "PS256" => &["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"],
            "RS256" => &[],
            _ => return false,
        };
        let verify = ["-verify", "public", "-signature", "signature", "signed"];
        self.openssl(&[["dgst", "-sha256"].as_slice(), padding, &verify].concat()).is_some()
    }
}

impl State {
    /// Whether the assertion proves the service: its number if not.
    pub(super) fn check_assertion(&mut self, token: &str, audience: &str) -> Result<(), u32> {
        let parts: Vec<_> = token.split('.').collect();
        let [header, claims, signature] = parts[..] else { return Err(50027) };
        let json = |part: &str| -> Option<Value> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
        };
        let (Some(head), Some(body)) = (json(header), json(claims)) else { return Err(50027) };
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| 50027_u32)?;
        let keys = self.keys.clone().ok_or(700_027_u32)?;
        let algorithm = head["alg"].as_str().unwrap_or_default();
        if head["typ"] != "JWT"
            || head["x5t#S256"] != keys.thumbprint().as_str()
            || !keys.has_signed(&format!("{header}.{claims}"), &signature, algorithm)
        {
            return Err(700_027);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let time = |name: &str| body[name].as_u64().unwrap_or_default();
        // Five minutes of grace for clocks that differ, and ten at most for the whole.
        let timely = time("nbf") <= now + 300 && time("exp") + 300 > now;
        if !timely || time("exp").saturating_sub(time("nbf")) > 600 {
            return Err(700_024);
        }
        if body["iss"] != SERVICE || body["sub"] != SERVICE || body["aud"] != audience {
            return Err(700_021);
        }
        let id = body["jti"].as_str().filter(|id| id.len() == 36).ok_or(50027_u32)?;
        if self.seen.insert(id.to_owned()) { Ok(()) } else { Err(50027) }
    }
}
