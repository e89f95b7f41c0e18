//! What types promise to programs that spawn tasks.

use std::sync::Arc;

use mailbearer::token::{Cached, StaticToken};
use mailbearer::{
    AccessToken, Auth, Connector, Endpoint, Failure, ImapClient, PopClient, SmtpClient,
    TokenProvider, imap, net, pop, smtp, tls,
};

fn shareable<T: Send + Sync + 'static>() {}

fn sendable<T: Send>(_: &T) {}

#[test]
fn clients_connectors_and_errors_are_send_sync_and_static() {
    shareable::<SmtpClient>();
    shareable::<ImapClient>();
    shareable::<imap::Unauthenticated>();
    shareable::<PopClient>();
    shareable::<Connector<SmtpClient>>();
    shareable::<Connector<ImapClient>>();
    shareable::<Connector<PopClient>>();
    shareable::<smtp::Error>();
    shareable::<imap::Error>();
    shareable::<pop::Error>();
    shareable::<net::Error>();
    shareable::<Arc<dyn TokenProvider>>();
    shareable::<Box<dyn Failure>>();
    shareable::<Cached<StaticToken>>();
    #[cfg(feature = "diagnosis")]
    shareable::<(mailbearer::Diagnosis, mailbearer::diagnosis::Context, mailbearer::token::Claims)>(
    );
    #[cfg(feature = "oauth")]
    shareable::<mailbearer::token::ClientCredentials>();
    #[cfg(feature = "proxy")]
    shareable::<(net::proxy::Proxy, net::proxy::Error, net::proxy::SetupError)>();
    #[cfg(feature = "discover")]
    shareable::<(mailbearer::discover::Discovered, mailbearer::discover::Error)>();
    shareable::<(AccessToken, Auth, Endpoint, tls::Config)>();
    shareable::<mailbearer::wirelog::Recorder>();
    #[cfg(feature = "diagnosis")]
    shareable::<(mailbearer::diagnosis::Checkup, mailbearer::diagnosis::Report)>();
}

/// Handles need no dropping: the mailbox can be used again although they are still in scope.
#[allow(dead_code, reason = "only the types are looked at")]
async fn streaming(imap: &mut ImapClient) -> Result<(), imap::Error> {
    let inbox = imap.select("INBOX").await?;
    let messages = inbox.uid_fetch(imap::UidSet::all(), imap::Fetch::body()).await?;
    let mut parts = messages.parts();
    parts.next().await?;
    parts.copy_body(&mut tokio::io::sink()).await?;
    inbox.noop().await?;
    let mut idle = inbox.idle();
    idle.next().await?;
    inbox.noop().await?;
    let idle = inbox.idle();
    idle.done().await
}

#[allow(dead_code, reason = "only the types are looked at")]
async fn leaving(imap: ImapClient, auth: &Auth) -> Result<(), imap::Error> {
    let imap = imap.unauthenticate().await?.authenticate(auth).await?;
    imap.unauthenticate().await?.logout().await
}

/// Never run: it is enough that it compiles.
#[allow(dead_code, unused_must_use, reason = "only the types are looked at")]
fn every_future_is_send(
    mut smtp: SmtpClient,
    mut imap: ImapClient,
    mut pop: PopClient,
    envelope: smtp::Envelope,
    tokens: &dyn TokenProvider,
    others: [ImapClient; 2],
) {
    sendable(&SmtpClient::connect_xoauth2(Endpoint::smtp("h"), "m", tokens));
    sendable(&SmtpClient::connect_oauthbearer(Endpoint::smtp("h"), "m", tokens));
    sendable(&SmtpClient::builder(Endpoint::smtp("h")).connect());
    sendable(&smtp.send(&envelope, "text"));
    sendable(&smtp.noop());
    sendable(&smtp.rset());
    sendable(&smtp.rehearse(&envelope));
    sendable(&smtp.quit());

    sendable(&ImapClient::connect_xoauth2(Endpoint::imap("h"), "m", tokens));
    sendable(&ImapClient::connect_oauthbearer(Endpoint::imap("h"), "m", tokens));
    sendable(&ImapClient::builder(Endpoint::imap("h")).connect());
    sendable(&imap.noop());
    sendable(&imap.namespace());
    sendable(&imap.select("INBOX"));
    sendable(&imap.examine("INBOX"));
    sendable(&imap.ensure_selected("INBOX"));
    sendable(&imap.select_fetch("INBOX", imap::UidSet::all(), imap::Fetch::body()));
    sendable(&imap.status_all(["INBOX"], [imap::StatusItem::Unseen]));
    let upload = imap::Upload::reader(tokio::io::empty(), 0).progress(|_| {});
    sendable(&imap.append("INBOX", upload, imap::AppendOptions::new()));
    let known = imap::QResync::new(std::num::NonZeroU32::MIN, 1);
    sendable(&imap.resync("INBOX", known));
    sendable(&imap.select_with("INBOX", imap::SelectOptions::new().condstore()));
    let wanted = imap::Notify::new().personal([imap::NotifyEvent::MailboxName]);
    sendable(&imap.notify(wanted));
    sendable(&imap.notifications().next());
    sendable(&imap.close());
    sendable(&imap.unselect());
    sendable(&streaming(&mut imap));
    let [another, last] = others;
    sendable(&imap.logout());
    sendable(&leaving(another, &Auth::plain("u", "p")));
    sendable(&async { last.unauthenticate().await?.authenticate_xoauth2("m", tokens).await });

    sendable(&PopClient::connect_xoauth2(Endpoint::pop("h"), "m", tokens));
    sendable(&PopClient::connect_oauthbearer(Endpoint::pop("h"), "m", tokens));
    sendable(&PopClient::builder(Endpoint::pop("h")).connect());
    sendable(&pop.capa());
    sendable(&pop.stat());
    sendable(&pop.list());
    sendable(&pop.uidl());
    sendable(&pop.retr(1));
    sendable(&pop.top(1, 1));
    sendable(&pop.dele(1));
    sendable(&pop.rset());
    sendable(&pop.noop());
    sendable(&pop.list_one(1));
    sendable(&pop.uidl_one(1));
    sendable(&pop.utf8());
    sendable(&pop.languages());
    sendable(&pop.lang("en"));
    sendable(&pop.retr_reader(1));
    sendable(&pop.retr_all([1]).next());
    sendable(&pop.quit());
}

/// Never run: it is enough that it compiles.
#[cfg(feature = "diagnosis")]
#[allow(dead_code, reason = "only the types are looked at")]
fn a_check_is_send(checkup: &mailbearer::diagnosis::Checkup) {
    sendable(&mailbearer::diagnose(checkup));
}

/// The same through a proxy.
#[cfg(feature = "discover")]
#[allow(dead_code, reason = "only the types are looked at")]
fn discovery_is_send(resolver: &dyn mailbearer::discover::Resolver) {
    sendable(&mailbearer::discover::discover("contoso.example"));
    sendable(&mailbearer::discover::discover_with("contoso.example", resolver));
    sendable(&resolver.srv("_imaps._tcp.contoso.example"));
}

#[cfg(feature = "proxy")]
#[allow(dead_code, unused_must_use, reason = "only the types are looked at")]
fn every_future_through_a_proxy_is_send(proxy: net::proxy::Proxy) {
    sendable(&SmtpClient::builder(Endpoint::smtp("h")).proxy(proxy.clone()).connect());
    sendable(&ImapClient::builder(Endpoint::imap("h")).proxy(proxy.clone()).connect());
    sendable(&PopClient::builder(Endpoint::pop("h")).proxy(proxy).connect());
}

/// The same for what a selected mailbox lends.
#[allow(dead_code, unused_must_use, reason = "only the types are looked at")]
async fn every_future_of_a_mailbox_is_send(mut imap: ImapClient) -> Result<(), imap::Error> {
    use mailbearer::imap::{
        Fetch, Flag, Search, SearchReturn, Sort, SortKey, StoreFlags, ThreadAlgorithm, UidSet,
        UpdateOptions,
    };

    let mailbox = imap.select("INBOX").await?;
    let (order, count) = (|| Sort::by(SortKey::Arrival), [SearchReturn::Count]);
    sendable(&mailbox.uid_sort(order(), Search::all()));
    sendable(&mailbox.uid_sort_returning(order(), Search::all(), count));
    sendable(&mailbox.sort_returning(order(), Search::all(), count));
    sendable(&mailbox.uid_thread(ThreadAlgorithm::References, Search::all()));
    sendable(&mailbox.uid_search_saving(Search::all()));
    sendable(&mailbox.uid_search_updating(Search::all(), UpdateOptions::new()));
    sendable(&mailbox.uid_sort_updating(order(), Search::all(), UpdateOptions::new()));
    sendable(&mailbox.cancel_update([]));
    let seen = StoreFlags::add([Flag::Seen]);
    sendable(&mailbox.uid_store_unchanged_since(UidSet::all(), 1, seen));
    sendable(&mailbox.uid_store(UidSet::all(), StoreFlags::add([Flag::Seen])));
    sendable(&mailbox.expunge());
    sendable(&mailbox.uid_expunge(UidSet::all()));
    sendable(&mailbox.uid_fetch(UidSet::all(), Fetch::flags()));
    let mut messages = mailbox.uid_fetch(UidSet::all(), Fetch::flags()).await?;
    sendable(&messages.next());
    drop(messages);
    let messages = mailbox.uid_fetch(UidSet::all(), Fetch::flags()).await?;
    sendable(&messages.collect());
    Ok(())
}

/// The same for what reads POP3 messages.
#[allow(dead_code, unused_must_use, reason = "only the types are looked at")]
async fn every_future_of_pop_handles_is_send(mut pop: PopClient) -> Result<(), pop::Error> {
    let mut reader = pop.retr_reader(1).await?;
    sendable(&reader.chunk());
    sendable(&reader);
    // A handle that is not used any longer ends the borrow.
    pop.noop().await?;
    let syncing = pop.sync([std::rc::Rc::<str>::from("known")]);
    sendable(&syncing);
    let mut new = syncing.await?;
    sendable(&new.next());
    shareable::<pop::NewMessages>();
    sendable(&new.finish());
    Ok(())
}

/// A service keeps a connector and borrows it: the future must still be spawnable.
struct Service {
    inbox: Connector<ImapClient>,
    tokens: Arc<dyn TokenProvider>,
}

impl Service {
    async fn look(&self) -> Result<u32, imap::Error> {
        let mut client = self.inbox.connect().await?;
        let exists = client.select("INBOX").await?.exists();
        client.logout().await?;
        Ok(exists)
    }

    async fn sweep(&self) -> Result<(), pop::Error> {
        let endpoint = Endpoint::pop("localhost").with_port(1);
        let mut client = PopClient::connect_xoauth2(endpoint, "m", &self.tokens).await?;
        for listed in client.list().await? {
            client.dele(listed.number()).await?;
        }
        client.quit().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_that_borrow_a_service_can_be_spawned() {
    let tokens: Arc<dyn TokenProvider> = Arc::new(StaticToken::new("token"));
    let inbox = ImapClient::builder(Endpoint::imap("localhost").with_port(1))
        .auth(Auth::xoauth2("m", tokens.clone()));
    let service = Arc::new(Service { inbox, tokens });
    let (one, two) = (service.clone(), service);
    let looked = tokio::spawn(async move { one.look().await }).await.unwrap();
    let swept = tokio::spawn(async move { two.sweep().await }).await.unwrap();
    // Nothing listens on port 1.
    assert!(looked.is_err_and(|error| error.stage() == mailbearer::Stage::Dial));
    assert!(swept.is_err_and(|error| error.stage() == mailbearer::Stage::Dial));
}
