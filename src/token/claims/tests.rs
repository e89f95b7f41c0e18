use proptest::prelude::*;

use super::*;

fn token(header: &str, payload: &str) -> AccessToken {
    let part = |json: &str| BASE64URL.encode(json).trim_end_matches('=').to_owned();
    format!("{}.{}.c2lnbmF0dXJl", part(header), part(payload)).into()
}

fn read(payload: &str) -> Option<Claims> {
    Claims::read(&token(r#"{"typ":"JWT","alg":"RS256"}"#, payload))
}

const DELEGATED: &str = r#"{
    "aud":"https://outlook.office.com","iss":"https://sts.windows.net/aaaabbbb/","iat":1700000000,
    "nbf":1700000000,"exp":1700004000,"appid":"1111","oid":"2222","tid":"aaaabbbb","ver":"1.0",
    "scp":"IMAP.AccessAsUser.All SMTP.Send","upn":"erin@contoso.example","unique_name":"other"}"#;

#[test]
fn the_claims_of_a_users_token_are_read() {
    let claims = read(DELEGATED).unwrap();
    assert_eq!(claims.audience(), Some("https://outlook.office.com"));
    assert_eq!(claims.issuer(), Some("https://sts.windows.net/aaaabbbb/"));
    assert_eq!((claims.tenant(), claims.app_id()), (Some("aaaabbbb"), Some("1111")));
    assert_eq!((claims.object_id(), claims.user()), (Some("2222"), Some("erin@contoso.example")));
    assert_eq!(claims.scopes().unwrap(), ["IMAP.AccessAsUser.All", "SMTP.Send"]);
    assert!(claims.roles().is_none() && !claims.app_only() && !claims.has_graph_nonce());
    let after =
        |at: Option<SystemTime>| at.unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(after(claims.expires_at()).as_secs(), 1_700_004_000);
    assert_eq!(claims.not_before(), claims.issued_at());
}

#[test]
fn the_claims_of_an_applications_token_are_read() {
    let claims =
        read(r#"{"aud":["a","b"],"azp":"1","oid":"2","roles":["IMAP.AccessAsApp"],"exp":"17"}"#);
    let claims = claims.unwrap();
    assert!(claims.app_only());
    assert_eq!(claims.audiences().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(
        (claims.app_id(), claims.roles().unwrap()),
        (Some("1"), &["IMAP.AccessAsApp".into()][..])
    );
    assert_eq!(claims.expires_at(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(17)));
    // With RBAC for Applications a token has neither.
    assert!(read(r#"{"appid":"1"}"#).unwrap().app_only());
    assert!(!read(r#"{"appid":"1","idtyp":"user"}"#).unwrap().app_only());
    assert!(read(r#"{"appid":"1","idtyp":"app","scp":"x"}"#).unwrap().app_only());
}

#[test]
fn a_token_for_graph_is_known_by_its_header() {
    let graph = token(r#"{"typ":"JWT","nonce":"x"}"#, r#"{"aud":"https://graph.microsoft.com"}"#);
    assert!(Claims::read(&graph).unwrap().has_graph_nonce());
}

#[test]
fn a_token_that_is_none_of_these_has_no_claims() {
    for opaque in [
        "",
        "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA",
        "ya29.a0AfH6SMBx.Zm9v",
        "..",
        "e30.e30",
        "e30.W10.x",
        "e30.bnVsbA.x",
        "e30.e30.x.y",
        "a.b.c.d.e",
        "e30.!!!!.x",
    ] {
        assert_eq!(Claims::read(&opaque.into()), None, "{opaque}");
    }
    let nested = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(read(&format!(r#"{{"x":{nested}}}"#)), None);
    let long = "x".repeat(LONGEST_TOKEN);
    assert_eq!(read(&format!(r#"{{"upn":"{long}"}}"#)), None);
}

#[test]
fn a_value_that_no_genuine_token_has_counts_as_absent() {
    let long = "x".repeat(LONGEST_VALUE + 1);
    for hostile in ["a\\nb", "a\\u0000", "\\u202Egnp.exe", "\\u200Ba", "a\\u2028b", "", &long] {
        let claims = read(&format!(
            r#"{{"upn":"{hostile}","oid":"{hostile}","scp":["{hostile}","ok"],"roles":["{hostile}"]}}"#
        ));
        let claims = claims.unwrap();
        assert_eq!((claims.user(), claims.object_id()), (None, None), "{hostile:?}");
        assert_eq!(claims.scopes().unwrap(), ["ok"]);
        assert!(claims.roles().unwrap().is_empty());
    }
    let many = vec!["\"r\""; 10_000].join(",");
    assert_eq!(
        read(&format!(r#"{{"roles":[{many}]}}"#)).unwrap().roles().unwrap().len(),
        MOST_VALUES
    );
}

#[test]
fn odd_types_and_times_spoil_nothing() {
    let odd = r#"{"aud":7,"exp":1e300,"nbf":-1,"iat":"soon","scp":{},"roles":"One","tid":null}"#;
    let claims = read(odd).unwrap();
    assert_eq!((claims.audience(), claims.tenant()), (None, None));
    assert_eq!((claims.expires_at(), claims.not_before(), claims.issued_at()), (None, None, None));
    assert_eq!(claims.roles().unwrap(), ["One"]);
    assert!(claims.scopes().unwrap().is_empty());
}

#[test]
fn neither_the_token_nor_its_signature_is_shown() {
    let token = token("{}", DELEGATED);
    let shown = format!("{:?}", Claims::read(&token).unwrap());
    assert!(shown.contains("erin@contoso.example"));
    for part in token.expose().split('.') {
        assert!(!shown.contains(part), "{shown}");
    }
}

proptest! {
    #[test]
    fn any_token_is_read(value in "\\PC{0,300}") {
        let _ = Claims::read(&value.into());
    }

    #[test]
    fn any_claims_are_read(payload in "(\\{|\\}|\"|:|,|\\[|\\]|aud|exp|scp|roles|upn|[0-9]|.){0,200}") {
        let _ = read(&payload);
        let _ = read(&format!("{{\"exp\":{payload}}}"));
    }
}
