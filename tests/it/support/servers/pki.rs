//! The certificates of the test bed: a root, an intermediate, and leaves good and bad.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

/// Writes `NAME.pem` (the chain without its root) and `NAME.key` for every leaf into `folder` and
/// returns the root, in PEM. `dovecot.conf` says which name shows which leaf.
pub(super) fn write(folder: &Path) -> Result<String, Box<dyn std::error::Error>> {
    let root = CertifiedIssuer::self_signed(authority("test bed root")?, KeyPair::generate()?)?;
    let intermediate = CertifiedIssuer::signed_by(
        authority("test bed intermediate")?,
        KeyPair::generate()?,
        &root,
    )?;

    let good = leaf(&["localhost", "mail.test", "127.0.0.1"])?;
    let wrong_host = leaf(&["other.invalid"])?;
    let mut expired = leaf(&["expired.test"])?;
    expired.not_after = date_time_ymd(2001, 1, 1);
    for (name, params) in [("server", good), ("wronghost", wrong_host), ("expired", expired)] {
        let key = KeyPair::generate()?;
        let chain = params.signed_by(&key, &intermediate)?.pem() + &intermediate.pem();
        write_pair(folder, name, &chain, &key)?;
    }

    let key = KeyPair::generate()?;
    let alone = leaf(&["selfsigned.test"])?.self_signed(&key)?;
    write_pair(folder, "selfsigned", &alone.pem(), &key)?;
    Ok(root.pem())
}

fn authority(name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new([])?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn leaf(names: &[&str]) -> Result<CertificateParams, rcgen::Error> {
    CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())
}

fn write_pair(folder: &Path, name: &str, chain: &str, key: &KeyPair) -> std::io::Result<()> {
    use std::io::Write;

    fs::write(folder.join(name).with_extension("pem"), chain)?;
    let mut options = fs::OpenOptions::new();
    options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(folder.join(name).with_extension("key"))?
        .write_all(key.serialize_pem().as_bytes())
}
