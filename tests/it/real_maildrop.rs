//! A POP3 maildrop at a real server.

use std::collections::{BTreeMap, BTreeSet};

use mailbearer::imap::{AppendOptions, Fetch, UidSet};
use mailbearer::{Auth, Connector, PopClient, Protocol, Security, tls};
use tokio::io::AsyncReadExt;

use crate::support::fragile::Fragile;
use crate::support::minter::{Minter, both_mechanisms};
use crate::support::person::Person;
use crate::support::servers::{Kind, PASSWORD, Server};

const FIRST: &[u8] = b"Subject: first\r\n\r\none\r\n.\r\nthree\r\n";
const SECOND: &[u8] = b"Subject: second\r\n\r\n..two dots\r\n";

#[tokio::test]
async fn messages_are_listed_read_and_deleted_by_quit_only() {
    let owner = Person::new("maildrop");
    owner.store(FIRST).await;
    owner.store(SECOND).await;

    let mut pop = owner.pop().await;
    assert_eq!(pop.maildrop().messages(), 2);
    let sizes: Vec<_> = pop.list().await.expect("LIST").iter().map(|one| one.octets()).collect();
    assert_eq!(sizes, [FIRST.len() as u64, SECOND.len() as u64]);
    let ids = pop.uidl().await.expect("UIDL");
    assert_eq!(pop.retr(1).await.expect("RETR"), FIRST);
    assert_eq!(pop.retr(2).await.expect("RETR"), SECOND);
    assert_eq!(pop.top(1, 2).await.expect("TOP"), b"Subject: first\r\n\r\none\r\n.\r\n"[..]);
    pop.dele(1).await.expect("DELE");
    assert_eq!(pop.stat().await.expect("STAT").messages(), 1);
    let error = pop.retr(1).await.expect_err("it is marked as deleted");
    assert!(error.to_string().contains("RETR refused"), "{error}");
    // Without QUIT nothing is deleted.
    drop(pop);

    let mut pop = owner.pop().await;
    assert_eq!(pop.uidl().await.expect("UIDL"), ids);
    pop.dele(2).await.expect("DELE");
    pop.rset().await.expect("RSET");
    pop.dele(1).await.expect("DELE");
    pop.quit().await.expect("QUIT");

    let mut pop = owner.pop().await;
    let left = pop.uidl().await.expect("UIDL");
    assert_eq!(left.iter().map(|one| one.id()).collect::<Vec<_>>(), [ids[1].id()]);
    pop.quit().await.expect("QUIT");
}

#[tokio::test]
async fn a_thousand_messages_come_exact_in_one_flight_both_ways_and_by_both_mechanisms() {
    let owner = Person::new("thousand");
    let all = fill(&owner, 1000, 1024).await;
    for security in [Security::ImplicitTls, Security::StartTls] {
        let minter = || Minter::new(owner.bed, [Kind::Valid]);
        for (_, auth) in both_mechanisms(&owner.mailbox, minter) {
            let mut pop = connector(&owner, security, auth).connect().await.expect("POP3 opens");
            assert!(pop.capabilities().has("PIPELINING"));
            let mut messages = pop.retr_all(1..=1001);
            for (number, sent) in all.iter().enumerate() {
                let retrieved = messages.next().await.expect("RETR").expect("a message");
                assert_eq!(retrieved.number() as usize, number + 1);
                assert!(retrieved.message().expect("a message") == sent, "{number}");
            }
            let missing = messages.next().await.expect("RETR").expect("an answer");
            assert!(missing.message().is_err());
            assert!(messages.next().await.expect("RETR").is_none());
            pop.quit().await.expect("QUIT");
        }
    }
}

/// The connection breaks within every tenth message or so, while fetching and while deleting.
#[tokio::test]
async fn nothing_is_lost_and_nothing_deleted_unstored_however_often_the_connection_breaks() {
    let owner = Person::new("breaks");
    let all: BTreeSet<Vec<u8>> = fill(&owner, 60, 20 * 1024).await.into_iter().collect();
    let fragile = Fragile::new();
    let auth = Auth::xoauth2(&owner.mailbox, Minter::new(owner.bed, [Kind::Valid]));
    let connector = fragile.apply(connector(&owner, Security::ImplicitTls, auth));
    let mut stored: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut breaks = 0;
    loop {
        fragile.break_after(u64::MAX);
        let client = connector.connect().await.expect("POP3 opens");
        let known: Vec<String> = stored.keys().cloned().collect();
        let ended = async {
            let mut new = client.sync(known).await?;
            new.delete_known();
            let mut here = 0;
            while let Some(message) = new.next().await? {
                let id = message.id().expect("an identifier").to_owned();
                stored.insert(id, message.message().expect("a message").to_vec());
                new.delete(&message);
                here += 1;
                if here == 9 {
                    fragile.break_after(10 * 1024);
                }
            }
            if breaks == 6 {
                fragile.break_after(200);
            }
            new.finish().await
        };
        let ended = ended.await;
        let there = in_inbox(&owner).await;
        let kept: BTreeSet<&Vec<u8>> = stored.values().collect();
        assert!(all.iter().all(|one| kept.contains(one) || there.contains(one)), "lost");
        if ended.is_ok() {
            assert!(there.is_empty(), "{} are left", there.len());
            break;
        }
        breaks += 1;
        assert!(breaks < 40, "never done: {:?}", ended.err());
    }
    assert!(breaks > 3, "it broke {breaks} times only");
    assert_eq!(stored.into_values().collect::<BTreeSet<_>>(), all);
}

#[tokio::test]
async fn a_message_is_read_as_it_comes() {
    let owner = Person::new("streamed");
    let all = fill(&owner, 1, 8 * 1024 * 1024).await;
    let mut pop = owner.pop().await;
    let mut reader = pop.retr_reader(1).await.expect("RETR");
    assert_eq!(reader.size_hint(), Some(all[0].len() as u64));
    let mut message = Vec::new();
    reader.read_to_end(&mut message).await.expect("RETR");
    assert!(message == all[0]);
    assert_eq!(pop.list_one(1).await.expect("LIST").octets(), all[0].len() as u64);
    let id = pop.uidl_one(1).await.expect("UIDL");
    assert_eq!(pop.uidl().await.expect("UIDL"), [id]);
    pop.quit().await.expect("QUIT");
}

#[tokio::test]
async fn passwords_open_it_where_they_are_asked_for() {
    let owner = Person::new("password");
    for auth in [
        Auth::plain(&owner.mailbox, PASSWORD),
        Auth::login(&owner.mailbox, PASSWORD),
        Auth::user_pass(&owner.mailbox, PASSWORD),
    ] {
        let pop = connector(&owner, Security::ImplicitTls, auth).connect().await;
        pop.expect("POP3 opens").quit().await.expect("QUIT");
    }
}

fn connector(owner: &Person, security: Security, auth: Auth) -> Connector<PopClient> {
    let roots = tls::Config::with_root_pem(owner.bed.ca_pem().as_bytes()).expect("the bed's root");
    let endpoint = owner.bed.endpoint(Server::Jwt, Protocol::Pop, security);
    Fragile::new().apply(PopClient::builder(endpoint).tls(roots).auth(auth))
}

/// Puts messages of so many octets or some more into the INBOX.
async fn fill(owner: &Person, messages: usize, octets: usize) -> Vec<Vec<u8>> {
    let mut imap = owner.imap().await;
    let mut all = Vec::new();
    for number in 0..messages {
        let line = format!("..this is message {number}, and no other\r\n");
        let body = line.repeat(octets / line.len() + 1);
        let message = format!("Subject: {number}\r\n\r\n{body}").into_bytes();
        imap.append("INBOX", message.clone(), AppendOptions::new()).await.expect("APPEND");
        all.push(message);
    }
    imap.logout().await.expect("LOGOUT");
    all
}

async fn in_inbox(owner: &Person) -> BTreeSet<Vec<u8>> {
    let mut imap = owner.imap().await;
    let inbox = imap.select("INBOX").await.expect("SELECT");
    let messages = inbox.uid_fetch(UidSet::all(), Fetch::body()).await.expect("UID FETCH");
    let messages = messages.collect().await.expect("UID FETCH");
    let messages = messages.iter().map(|one| one.body().expect("a body").to_vec()).collect();
    imap.logout().await.expect("LOGOUT");
    messages
}
