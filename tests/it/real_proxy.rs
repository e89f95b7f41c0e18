//! Mail and tokens through real proxies.

use mailbearer::net::{self, proxy};
use mailbearer::{Auth, Endpoint, Failure, Protocol, Retry, Security, Stage};
use tokio::task::JoinSet;

use crate::support::minter::Minter;
use crate::support::opened::Way;
use crate::support::proxies::{PASSWORD, Proxies, USER};
use crate::support::servers::{Bed, Kind, Server};

/// What the proxy did.
fn cause(error: &dyn Failure) -> &proxy::Error {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(net::Error::Proxy { source, .. }) = error.downcast_ref() {
            return source;
        }
        next = error.source();
    }
    panic!("not of the proxy: {error}")
}

/// The error of a connection to one of the bed's servers that must not open.
async fn refusal(endpoint: Endpoint, proxy: proxy::Proxy) -> Box<dyn Failure> {
    let bed = Bed::start();
    let auth = Auth::xoauth2(bed.mailbox("refused"), Minter::new(bed, [Kind::Valid]));
    let way = Way::to(endpoint, bed).through(proxy);
    let error = way.open(auth).await.expect_err("it must not open");
    assert_eq!(way.dials(), 1, "{error}");
    error
}

fn imap() -> Endpoint {
    Bed::start().endpoint(Server::Jwt, Protocol::Imap, Security::ImplicitTls)
}

#[tokio::test]
async fn every_listener_opens_through_every_proxy() {
    let (bed, proxies) = (Bed::start(), Proxies::start());
    let mut checks = JoinSet::new();
    for (_, endpoint) in bed.endpoints() {
        for proxy in proxies.open() {
            // By a name that the proxy resolves, and by an address.
            for host in ["localhost", "127.0.0.1"] {
                let (endpoint, proxy) = (endpoint.clone().with_host(host), proxy.clone());
                checks.spawn(async move {
                    let minter = Minter::new(bed, [Kind::Valid]);
                    let auth = Auth::xoauth2(bed.mailbox("proxied"), minter);
                    let way = Way::to(endpoint.clone(), bed).through(proxy.clone());
                    let opened = way.open(auth).await;
                    let opened = opened.unwrap_or_else(|e| panic!("{endpoint} {proxy}: {e}"));
                    opened.use_and_close().await.unwrap();
                    assert_eq!(way.dials(), 1, "{endpoint} {proxy}");
                });
            }
        }
    }
    checks.join_all().await;
}

#[tokio::test]
async fn missing_and_wrong_credentials_are_told_apart() {
    let proxies = Proxies::start();
    for proxy in [&proxies.guarded_socks, &proxies.guarded_http] {
        let error = refusal(imap(), proxy.clone()).await;
        assert!(matches!(cause(&*error), proxy::Error::CredentialsRequired), "{error}");
        for (user, password) in [(USER, "planted-wrong-one"), ("planted-nobody", PASSWORD)] {
            let error = refusal(imap(), proxy.clone().credentials(user, password)).await;
            assert!(matches!(cause(&*error), proxy::Error::CredentialsRefused), "{error}");
            assert_eq!((error.stage(), error.retry()), (Stage::Dial, Retry::Never), "{error}");
            assert!(!format!("{error} {error:?}").contains("planted"), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_server_that_is_down_is_not_taken_for_the_proxy() {
    let proxies = Proxies::start();
    // Nothing listens on port 1.
    let nowhere = imap().with_port(1);
    let error = refusal(nowhere.clone(), proxies.socks.clone()).await;
    let refused = proxy::SocksReply::ConnectionRefused;
    assert!(matches!(cause(&*error), proxy::Error::Socks(reply) if *reply == refused), "{error}");
    assert_eq!(error.retry(), Retry::Later(None));
    let error = refusal(nowhere, proxies.http.clone()).await;
    assert!(matches!(cause(&*error), proxy::Error::Http { status: 500.., .. }), "{error}");
    assert_eq!(error.retry(), Retry::Later(None));
}

#[tokio::test]
async fn a_proxy_that_is_down_is_not_taken_for_the_server() {
    for proxy in [proxy::Proxy::socks5("127.0.0.1", 1), proxy::Proxy::http("127.0.0.1", 1)] {
        let error = refusal(imap(), proxy).await;
        assert!(matches!(cause(&*error), proxy::Error::Unreachable(_)), "{error}");
    }
}

#[tokio::test]
async fn what_the_rules_of_a_proxy_forbid_is_the_administrators_affair() {
    let error = refusal(imap(), Proxies::start().strict_http.clone()).await;
    assert!(matches!(cause(&*error), proxy::Error::Http { status: 403, .. }), "{error}");
    assert_eq!(error.retry(), Retry::Administrator);
}

#[tokio::test]
async fn a_proxy_of_the_other_kind_is_an_error_of_the_proxy() {
    let socks = &Proxies::start().socks;
    let error = refusal(imap(), proxy::Proxy::http(socks.host(), socks.port())).await;
    assert!(matches!(cause(&*error), proxy::Error::Closed | proxy::Error::Io(_)), "{error}");
}

#[tokio::test]
async fn the_certificate_is_checked_as_without_a_proxy() {
    let bed = Bed::start();
    for proxy in Proxies::start().open() {
        let auth = Auth::xoauth2(bed.mailbox("untrusted"), Minter::new(bed, [Kind::Valid]));
        let way = Way::to(imap(), bed).trusting_public_roots().through(proxy);
        let error = way.open(auth).await.expect_err("the root is not trusted");
        assert_eq!((error.stage(), error.retry()), (Stage::Tls, Retry::Never), "{error}");
        assert!(error.to_string().starts_with("the certificate of localhost"), "{error}");
    }
}

/// The OAuth server speaks clear text; TLS is put before it here, since nothing else goes through a
/// proxy.
#[cfg(feature = "oauth")]
#[tokio::test]
async fn tokens_come_through_every_proxy() {
    use mailbearer::TokenProvider;
    use mailbearer::token::{ClientCredentials, ErrorKind, TokenRequest};
    use tokio::net::{TcpListener, TcpStream};

    use crate::support::oidc::OAuthServer;
    use crate::support::tls;

    let server = OAuthServer::start().token_url();
    let behind = server.trim_start_matches("http://").trim_end_matches("/token").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = tls::acceptor().accept(stream).await else { continue };
            let mut behind = TcpStream::connect(&behind).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut behind).await;
        }
    });

    let proxies = Proxies::start();
    let tokens = |proxy| {
        let url = format!("https://localhost:{port}/token");
        ClientCredentials::builder(url, "post", "s3cret-in-the-body")
            .scope("mail")
            .secret_in_body(true)
            .tls(tls::client())
            .proxy(proxy)
            .build()
            .unwrap()
    };
    let request = TokenRequest::new(Endpoint::imap("mail.example.net"), "alice@example.net");
    for proxy in proxies.open() {
        let token = tokens(proxy).token(&request).await;
        assert!(token.unwrap().remaining().is_some());
    }
    for proxy in [&proxies.guarded_socks, &proxies.guarded_http] {
        let error = tokens(proxy.clone()).token(&request).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Transport, Retry::Never), "{error}");
        assert!(error.to_string().contains("demands a user name and a password"), "{error}");
    }
}
