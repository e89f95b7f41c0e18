//! Certificates that must be refused, shown by real servers: before a greeting is read under TLS,
//! and long before a token is written.

use std::sync::Arc;

use mailbearer::{Auth, Retry, Stage};

use crate::support::minter::Minter;
use crate::support::opened::Way;
use crate::support::servers::{Bed, Kind, Server};

#[tokio::test]
async fn bad_certificates_are_refused_by_name() {
    let bed = Bed::start();
    let bad = [
        ("wronghost.test", "not valid for name"),
        ("expired.test", "expired"),
        ("selfsigned.test", "UnknownIssuer"),
    ];
    for (_, endpoint) in bed.endpoints().filter(|(by, _)| *by == Server::Jwt) {
        for (host, reason) in bad {
            let way = Way::to(endpoint.clone().with_host(host), bed);
            let minter = Minter::new(bed, [Kind::Valid]);
            let Err(error) =
                way.open(Auth::xoauth2(bed.mailbox("nobody"), Arc::clone(&minter))).await
            else {
                panic!("{endpoint} as {host} was trusted");
            };
            let context = format!("{endpoint}: {error}");
            assert_eq!(error.stage(), Stage::Tls, "{context}");
            assert_eq!(error.retry(), Retry::Never, "{context}");
            assert!(error.to_string().contains(host), "{context}");
            assert!(error.to_string().contains(reason), "{context}");
            assert_eq!((way.dials(), minter.rejected().len()), (1, 0), "{context}");
        }
    }
}

#[tokio::test]
async fn the_public_roots_do_not_vouch_for_a_private_authority() {
    let bed = Bed::start();
    for (_, endpoint) in bed.endpoints() {
        let way = Way::to(endpoint.clone(), bed).trusting_public_roots();
        let minter = Minter::new(bed, [Kind::Valid]);
        let Err(error) = way.open(Auth::xoauth2(bed.mailbox("nobody"), minter)).await else {
            panic!("{endpoint} was trusted");
        };
        assert_eq!((error.stage(), error.retry()), (Stage::Tls, Retry::Never), "{error}");
    }
}
