//! Answers about a mailbox by its name: whose they are, and what is asked of each where one command
//! for all is lacking.

use super::{client_of, names_of_events};
use crate::imap::{AppendOptions, GetMetadata, ListQuery, QuotaResource, Right, Role, StatusItem};

#[tokio::test(start_paused = true)]
async fn what_is_said_of_another_mailbox_is_an_event_and_no_answer() {
    let script = "
        C: A1 GETACL INBOX
        S: * ACL Archive eve lrswipkxtea
        S: * ACL inbox ann lr
        S: A1 OK done
        C: A2 MYRIGHTS Entw&APw-rfe
        S: * MYRIGHTS Entw&APw-rfe lr
        S: * MYRIGHTS Archive lrswipkxtea
        S: A2 OK done
        C: A3 LISTRIGHTS INBOX ann
        S: * LISTRIGHTS Archive ann lrswipkxtea
        S: A3 OK done
        C: A4 GETQUOTAROOT INBOX
        S: * QUOTAROOT Archive big
        S: * QUOTAROOT INBOX small
        S: * QUOTA small (STORAGE 1 2)
        S: A4 OK done
        C: A5 GETQUOTA small
        S: * QUOTA big (STORAGE 3 4)
        S: * QUOTAROOT INBOX big
        S: A5 OK done
        C: A6 GETMETADATA INBOX (/private/comment)
        S: * METADATA Archive (/private/comment theirs)
        S: * METADATA INBOX (/private/comment mine)
        S: A6 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1 ACL QUOTA METADATA", script).await;
    let list = client.acl("INBOX").await.unwrap().unwrap();
    assert_eq!(list.iter().map(|(who, _)| who.into_owned()).collect::<Vec<_>>(), ["ann"]);
    assert_eq!(names_of_events(&mut client), ["ACL"]);
    let rights = client.my_rights("Entw\u{fc}rfe").await.unwrap().unwrap();
    assert!(rights.has(Right::READ) && !rights.has(Right::INSERT));
    assert_eq!(names_of_events(&mut client), ["MYRIGHTS"]);
    assert_eq!(client.list_rights("INBOX", "ann").await.unwrap(), None);
    assert_eq!(names_of_events(&mut client), ["LISTRIGHTS"]);
    let quotas = client.quota_root("INBOX").await.unwrap();
    assert_eq!(quotas.roots().collect::<Vec<_>>(), ["small"]);
    assert_eq!(quotas.usage(&QuotaResource::Storage).unwrap().limit(), 2);
    assert_eq!(names_of_events(&mut client), ["QUOTAROOT"]);
    assert!(client.quota("small").await.unwrap().is_none());
    assert_eq!(names_of_events(&mut client), ["QUOTA", "QUOTAROOT"]);
    let told = client.metadata("INBOX", GetMetadata::new(["/private/comment"])).await.unwrap();
    assert_eq!(told.get("/private/comment").map(|value| &value[..]), Some(&b"mine"[..]));
    assert_eq!(names_of_events(&mut client), ["METADATA"]);
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn names_with_brackets_are_read_wherever_they_stand() {
    // MailKit#2002.
    let script = r#"
        C: A1 GETACL [a]b
        S: * ACL [a]b x lrs
        S: A1 OK done
        C: A2 MYRIGHTS [a]b
        S: * MYRIGHTS [a]b lrs
        S: A2 OK done
        C: A3 LISTRIGHTS [a]b x
        S: * LISTRIGHTS [a]b x l r
        S: A3 OK done
        C: A4 GETQUOTAROOT [a]b
        S: * QUOTAROOT [a]b ""
        S: * QUOTA "" (STORAGE 1 2)
        S: A4 OK done
        C: A5 GETMETADATA [a]b (/private/comment)
        S: * METADATA [a]b (/private/comment "x")
        S: A5 OK done
        C: A6 STATUS [a]b (MESSAGES)
        S: * STATUS [a]b (MESSAGES 7)
        S: A6 OK done
    "#;
    let (mut client, server) = client_of("IMAP4rev1 ACL QUOTA METADATA", script).await;
    let list = client.acl("[a]b").await.unwrap().unwrap();
    assert_eq!(list.iter().map(|(who, _)| who.into_owned()).collect::<Vec<_>>(), ["x"]);
    assert_eq!(client.my_rights("[a]b").await.unwrap().unwrap().to_string(), "lrs");
    assert!(client.list_rights("[a]b", "x").await.unwrap().is_some());
    assert_eq!(client.quota_root("[a]b").await.unwrap().roots().collect::<Vec<_>>(), [""]);
    let told = client.metadata("[a]b", GetMetadata::new(["/private/comment"])).await.unwrap();
    assert_eq!(told.get("/private/comment").map(|value| &value[..]), Some(&b"x"[..]));
    let status = client.status("[a]b", [StatusItem::Messages]).await.unwrap();
    assert_eq!(status.messages(), Some(7));
    assert_eq!(names_of_events(&mut client), [""; 0]);
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_list_myrights_each_mailbox_is_asked_about_in_one_flight() {
    let script = r#"
        C: A1 LIST "" "*" RETURN (CHILDREN)
        S: * LIST (\HasNoChildren) "/" INBOX
        S: * LIST (\Noselect \HasChildren) "/" Shared
        S: * LIST (\HasNoChildren) "/" Shared/a
        S: * LIST (\HasNoChildren) "/" Shared/b
        S: A1 OK done
        C: A2 MYRIGHTS INBOX
        C: A3 MYRIGHTS Shared/a
        C: A4 MYRIGHTS Shared/b
        S: * MYRIGHTS Shared/b lr
        S: A4 OK done
        S: * MYRIGHTS INBOX lrswi
        S: A2 OK done
        S: A3 NO [NOPERM] not yours
    "#;
    let (mut client, server) = client_of("IMAP4rev1 LIST-EXTENDED ACL", script).await;
    let query = || ListQuery::new("*").with_children().with_my_rights();
    let found = client.list_query(query()).await.unwrap();
    let rights: Vec<_> = found.iter().map(|row| row.my_rights().map(|r| r.to_string())).collect();
    assert_eq!(rights, [Some("lrswi".to_owned()), None, None, Some("lr".to_owned())]);
    drop(client);
    server.await.unwrap();
    let (mut client, server) = client_of("IMAP4rev1 LIST-EXTENDED", "").await;
    assert!(client.list_query(query()).await.is_err());
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn xlist_is_asked_wherever_it_is_announced_and_list_where_it_brings_nothing() {
    let script = r#"
        C: A1 XLIST "" "*"
        S: * XLIST (\HasNoChildren \Sent) "/" Gesendet
        S: A1 OK done
        C: A2 XLIST "" "*"
        S: A2 BAD what
        C: A3 LIST "" "*"
        S: * LIST () "/" Sent
        S: A3 OK done
    "#;
    let (mut client, server) = client_of("IMAP4rev1 XLIST", script).await;
    for name in ["Gesendet", "Sent"] {
        let found = client.list("", "*").await.unwrap();
        assert_eq!(found.role(Role::Sent).unwrap().name().to_string(), name);
    }
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_a_mailbox_takes_is_remembered_once_it_was_told() {
    // RFC 7889 section 3.
    let script = "
        C: A1 STATUS Sent (APPENDLIMIT)
        S: * STATUS Sent (APPENDLIMIT 4)
        S: A1 OK done
        C: A2 STATUS Sent (APPENDLIMIT)
        C: A3 STATUS Drafts (APPENDLIMIT)
        S: * STATUS Sent (APPENDLIMIT NIL)
        S: A2 OK done
        S: * STATUS Drafts (APPENDLIMIT 257890)
        S: A3 OK done
        C: A4 APPEND Sent {5}
        S: + go
        C: hello
        S: A4 OK done
    ";
    let (mut client, server) = client_of("IMAP4rev1 APPENDLIMIT", script).await;
    let told = client.status("Sent", [StatusItem::AppendLimit]).await.unwrap();
    assert_eq!(told.append_limit(), Some(4));
    let error = client.append("Sent", "hello", AppendOptions::new()).await.unwrap_err();
    assert_eq!(error.to_string(), "message: 5 octets, and the server takes 4");
    let told = client.status_all(["Sent", "Drafts"], [StatusItem::AppendLimit]).await.unwrap();
    let limits: Vec<_> = told.iter().map(|told| told.as_ref().unwrap().append_limit()).collect();
    assert_eq!(limits, [None, Some(257_890)]);
    client.append("Sent", "hello", AppendOptions::new()).await.unwrap();
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_a_mailbox_takes_is_forgotten_with_its_name() {
    for (command, name) in
        // Those above come with a mailbox, if another client has removed them (RFC 9051 section 6.3.4).
        [
            ("DELETE a", "a/b"),
            ("CREATE a", "a"),
            ("RENAME a x", "a"),
            ("RENAME x a", "a/b"),
            ("CREATE a/b/c", "a"),
            ("CREATE a/", "a"),
            ("RENAME x a/b/c", "a/b"),
        ]
    {
        let script = format!(
            "
            C: A1 STATUS {name} (APPENDLIMIT)
            S: * STATUS {name} (APPENDLIMIT 4)
            S: A1 OK done
            C: A2 {command}
            S: A2 OK done
            C: A3 APPEND {name} {{5}}
            S: + go
            C: hello
            S: A3 OK done
            "
        );
        let (mut client, server) = client_of("IMAP4rev1 APPENDLIMIT", &script).await;
        client.status(name, [StatusItem::AppendLimit]).await.unwrap();
        match command.split(' ').collect::<Vec<_>>()[..] {
            ["RENAME", from, to] => client.rename(from, to).await.unwrap(),
            ["CREATE", name] => client.create(name).await.unwrap(),
            [_, name] => client.delete(name).await.unwrap(),
            _ => panic!("{command}"),
        }
        client.append(name, "hello", AppendOptions::new()).await.unwrap();
        drop(client);
        server.await.unwrap();
    }
}
