//! All of it together.

mod errors;
#[cfg(all(feature = "testing", any(feature = "ring", feature = "aws-lc-rs")))]
mod faults;
mod hostile;
mod near_misses;
mod ranking;

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::AccessToken;

const APP: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";
const OBJECT: &str = "bbbbcccc-1111-dddd-2222-eeee3333ffff";
const TENANT: &str = "ccccdddd-2222-eeee-3333-ffff4444aaaa";

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// A token with these claims, good for an hour.
fn token(claims: &str) -> AccessToken {
    let payload = format!(r#"{{"nbf":1799999000,"exp":1800003600,{claims}}}"#);
    raw_token(&payload)
}

fn raw_token(payload: &str) -> AccessToken {
    let payload = URL_SAFE_NO_PAD.encode(payload);
    format!("{}.{payload}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode("{}")).into()
}

/// An application's own, with these roles.
fn application(roles: &str) -> AccessToken {
    token(&format!(
        r#""aud":"https://outlook.office365.com","appid":"{APP}","oid":"{OBJECT}","tid":"{TENANT}",
           "iss":"https://sts.windows.net/{TENANT}/","idtyp":"app"{roles}"#
    ))
}

/// A user's, with these scopes.
fn delegated(user: &str, scopes: &str) -> AccessToken {
    token(&format!(
        r#""aud":"https://outlook.office.com","appid":"{APP}","oid":"{OBJECT}","tid":"{TENANT}",
           "upn":"{user}","scp":"{scopes}""#
    ))
}

fn causes(diagnosis: &Diagnosis) -> Vec<(Cause, Confidence)> {
    let findings = diagnosis.findings().iter();
    findings.map(|finding| (finding.cause(), finding.confidence())).collect()
}
