//! What the crate costs those who build it.

use std::collections::BTreeSet;
use std::process::Command;

use crate::figure::Measured;

/// Crates in the normal dependency tree of the three protocols with TLS, this one included.
pub(crate) fn crates() -> Measured {
    // All of it was fetched for this build. Asking the network is for a lock file just changed.
    let output = tree(&["--offline"]).or_else(|_| tree(&[]))?;
    // `name version`, and behind it a path or a mark that it was listed above.
    let crates: BTreeSet<(&str, &str)> = output
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?))
        })
        .collect();
    Ok(crates.len() as f64)
}

fn tree(more: &[&str]) -> Result<String, String> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["tree", "--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .args(["--no-default-features", "--features", "smtp,imap,pop,ring"])
        .args(["--edges", "normal", "--prefix", "none"])
        .args(more)
        .output()
        .map_err(|error| format!("cargo does not start: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
