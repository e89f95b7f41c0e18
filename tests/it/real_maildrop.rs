//! A POP3 maildrop at a real server.

use crate::support::person::Person;

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
