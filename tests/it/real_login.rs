//! Logging in at real servers, which check the tokens themselves: what opens, what is refused, and
//! what is then done about it.

use std::sync::Arc;

use mailbearer::token::{Cached, Purpose, Rejection};
use mailbearer::{Auth, Endpoint, Failure, Protocol, Retry, Security, Stage};
use tokio::task::JoinSet;

use crate::support::minter::{Minter, both_mechanisms};
use crate::support::opened::Way;
use crate::support::servers::{Bed, Fault, Kind, PASSWORD, Server};

#[tokio::test]
async fn every_listener_opens_by_both_mechanisms() {
    on_every_listener(|bed, _, endpoint| async move {
        let user = bed.mailbox("open");
        for (minter, auth) in both_mechanisms(&user, || Minter::new(bed, [Kind::Valid])) {
            let dials = opens(bed, &endpoint, auth).await;
            assert_eq!((minter.asked().len(), dials), (1, 1), "{endpoint}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_by_itself() {
    on_every_listener(|bed, _, endpoint| async move {
        let user = bed.mailbox("replace");
        let kinds = [Kind::Expired, Kind::Valid];
        for (minter, auth) in both_mechanisms(&user, || Minter::new(bed, kinds)) {
            let dials = opens(bed, &endpoint, auth).await;
            assert_eq!(minter.asked(), [Purpose::Connect, Purpose::Retry], "{endpoint}");
            let [Rejection::Refused { reply }] = &minter.rejected()[..] else {
                panic!("{endpoint}: {:?}", minter.rejected());
            };
            assert!(reply.to_lowercase().contains("authentication failed"), "{reply}");
            assert_eq!(dials, 2, "{endpoint}");
        }
    })
    .await;
}

#[tokio::test]
async fn two_refused_tokens_are_an_error_that_quotes_the_server() {
    on_every_listener(|bed, _, endpoint| async move {
        // Nothing but another token helps against these.
        for kind in [Kind::Expired, Kind::WrongAudience, Kind::OtherUser, Kind::RogueKey] {
            let minter = Minter::new(bed, [kind]);
            let auth = Auth::xoauth2(bed.mailbox("refuse"), Arc::clone(&minter));
            let (error, dials) = refusal(bed, &endpoint, auth).await;
            let context = format!("{endpoint} {kind:?}: {error}");
            assert_eq!(error.stage(), Stage::Auth, "{context}");
            assert_eq!(error.retry(), Retry::RefreshToken, "{context}");
            assert!(!error.connection_usable(), "{context}");
            let words = error.reply_text().unwrap_or_default().to_lowercase();
            assert!(words.contains("authentication failed"), "{context}: {words}");
            // The challenge says why, which the final answer does not.
            assert!(error.to_string().contains(r#""status":"401""#), "{context}");
            assert_eq!(minter.asked(), [Purpose::Connect, Purpose::Retry], "{context}");
            assert_eq!(minter.rejected().len(), 1, "{context}");
            assert_eq!(dials, 2, "{context}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_oauthbearer_refusal_carries_the_status_of_rfc_7628() {
    on_every_listener(|bed, _, endpoint| async move {
        let minter = Minter::new(bed, [Kind::Expired]);
        let (error, _) =
            refusal(bed, &endpoint, Auth::oauthbearer(bed.mailbox("refuse"), minter)).await;
        let context = format!("{endpoint}: {error}");
        assert_eq!(error.retry(), Retry::RefreshToken, "{context}");
        assert!(error.to_string().contains(r#""status":"invalid_token""#), "{context}");
    })
    .await;
}

#[tokio::test]
async fn a_passing_failure_of_the_token_check_is_not_a_bad_token() {
    on_every_listener(|bed, server, endpoint| async move {
        if server != Server::Introspection {
            return;
        }
        for fault in [Fault::Status500, Fault::Garbage, Fault::NoEmail] {
            let user = bed.mailbox("unlucky");
            let kinds = [Kind::Unanswerable(fault)];
            for (minter, auth) in both_mechanisms(&user, || Minter::new(bed, kinds)) {
                let (error, dials) = refusal(bed, &endpoint, auth).await;
                let context = format!("{endpoint} {fault:?}: {error}");
                assert!(matches!(error.retry(), Retry::Later(_)), "{context}");
                assert_eq!(error.stage(), Stage::Auth, "{context}");
                assert_eq!(minter.asked(), [Purpose::Connect], "{context}");
                assert_eq!(minter.rejected(), [], "{context}");
                assert_eq!(dials, 1, "{context}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn tokens_of_5500_octets_open_every_listener() {
    on_every_listener(|bed, _, endpoint| async move {
        let user = bed.mailbox("long");
        for (minter, auth) in both_mechanisms(&user, || Minter::new(bed, [Kind::OfLength(5500)])) {
            opens(bed, &endpoint, auth).await;
            assert_eq!(minter.asked(), [Purpose::Connect], "{endpoint}");
        }
    })
    .await;
}

#[tokio::test]
async fn tokens_of_8500_octets_open_postfix() {
    on_every_listener(|bed, server, endpoint| async move {
        if server != Server::Postfix {
            return;
        }
        let user = bed.mailbox("longer");
        for (minter, auth) in both_mechanisms(&user, || Minter::new(bed, [Kind::OfLength(8500)])) {
            opens(bed, &endpoint, auth).await;
            assert_eq!(minter.asked(), [Purpose::Connect], "{endpoint}");
        }
    })
    .await;
}

/// Dovecot's IMAP and POP3 close the connection on a line of more than 8 KiB. That is no word about
/// the token, so nothing is refreshed; but its length is the only trace of the reason.
#[tokio::test]
async fn a_token_that_dovecot_hangs_up_on_is_named_by_its_length() {
    on_every_listener(|bed, _, endpoint| async move {
        if endpoint.protocol() == Protocol::Smtp {
            return;
        }
        let user = bed.mailbox("too-long");
        for (minter, auth) in both_mechanisms(&user, || Minter::new(bed, [Kind::OfLength(8500)])) {
            let (error, _) = refusal(bed, &endpoint, auth).await;
            let context = format!("{endpoint}: {error}");
            assert!(error.to_string().contains("8500 octets"), "{context}");
            assert_ne!(error.retry(), Retry::RefreshToken, "{context}");
            assert_eq!(error.stage(), Stage::Auth, "{context}");
            assert_eq!(minter.asked(), [Purpose::Connect], "{context}");
            assert_eq!(minter.rejected(), [], "{context}");
        }
    })
    .await;
}

#[tokio::test]
async fn one_provider_opens_a_shared_mailbox_beside_ones_own() {
    let bed = Bed::start();
    let minter = Minter::new(bed, [Kind::Valid]);
    for protocol in [Protocol::Smtp, Protocol::Imap, Protocol::Pop] {
        let endpoint = bed.endpoint(Server::Jwt, protocol, Security::ImplicitTls);
        for mailbox in [bed.mailbox("own"), bed.mailbox("shared")] {
            opens(bed, &endpoint, Auth::xoauth2(mailbox, Arc::clone(&minter))).await;
        }
    }
    assert_eq!(minter.rejected(), []);
}

#[tokio::test]
async fn one_cached_token_opens_all_three_protocols() {
    let bed = Bed::start();
    let minter = Minter::new(bed, [Kind::Valid]);
    let tokens = Cached::new(Arc::clone(&minter)).one_token_for_all();
    let auth = Auth::xoauth2(bed.mailbox("cached"), tokens);
    for (_, endpoint) in bed.endpoints().filter(|(by, _)| *by == Server::Jwt) {
        opens(bed, &endpoint, auth.clone()).await;
    }
    assert_eq!(minter.asked(), [Purpose::Connect]);
}

#[tokio::test]
async fn a_password_opens_where_the_server_takes_one() {
    on_every_listener(|bed, _, endpoint| async move {
        let user = bed.mailbox("password");
        for auth in [Auth::plain(&user, PASSWORD), Auth::login(&user, PASSWORD)] {
            assert_eq!(opens(bed, &endpoint, auth).await, 1, "{endpoint}");
        }
        for auth in [Auth::plain(&user, "wrong"), Auth::login(&user, "wrong")] {
            let (error, dials) = refusal(bed, &endpoint, auth).await;
            assert_eq!(error.stage(), Stage::Auth, "{endpoint}: {error}");
            assert!(matches!(error.retry(), Retry::RefreshToken | Retry::Never), "{error}");
            assert!(!error.to_string().contains("wrong"), "{endpoint}: {error}");
            assert_eq!(dials, 1, "{endpoint}");
        }
    })
    .await;
}

/// Runs a check on every listener at the same time, because every refusal takes Dovecot half a
/// second. The checks are tasks, so this also shows that connecting can be spawned.
async fn on_every_listener<F>(check: impl Fn(&'static Bed, Server, Endpoint) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let bed = Bed::start();
    let mut checks = JoinSet::new();
    for (server, endpoint) in bed.endpoints() {
        checks.spawn(check(bed, server, endpoint));
    }
    checks.join_all().await;
}

/// Opens, uses and closes a connection; panics if that fails. How many times it dialled.
async fn opens(bed: &Bed, endpoint: &Endpoint, auth: Auth) -> usize {
    let way = Way::to(endpoint.clone(), bed);
    match way.open(auth.clone()).await {
        Ok(client) => {
            let end = client.use_and_close().await;
            end.unwrap_or_else(|error| panic!("{endpoint} {auth:?}: {error}\n{}", bed.logs()));
        }
        Err(error) => panic!("{endpoint} {auth:?}: {error}\n{}", bed.logs()),
    }
    way.dials()
}

/// The error of a connection that must not open, and how many times it dialled.
async fn refusal(bed: &Bed, endpoint: &Endpoint, auth: Auth) -> (Box<dyn Failure>, usize) {
    let way = Way::to(endpoint.clone(), bed);
    match way.open(auth).await {
        Ok(_) => panic!("{endpoint} opened\n{}", bed.logs()),
        Err(error) => (error, way.dials()),
    }
}
