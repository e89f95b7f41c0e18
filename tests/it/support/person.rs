//! Somebody with a mailbox at the test bed.

use std::time::Duration;

use mailbearer::imap::AppendOptions;
use mailbearer::smtp::Extension;
use mailbearer::{Auth, ImapClient, PopClient, Protocol, Security, SmtpClient};

use super::minter::Minter;
use super::opened::Way;
use super::servers::{Bed, Kind, Server};

/// Opens clients for one mailbox, each with a token of its own.
pub(crate) struct Person {
    pub(crate) bed: &'static Bed,
    pub(crate) mailbox: String,
}

impl Person {
    /// With a mailbox that no other test has.
    pub(crate) fn new(name: &str) -> Self {
        let bed = Bed::start();
        Self { bed, mailbox: bed.mailbox(name) }
    }

    pub(crate) async fn smtp(&self, server: Server) -> SmtpClient {
        self.way(server, Protocol::Smtp).smtp(self.auth()).await.expect("SMTP opens")
    }

    /// SMTP that does without an extension which the server offers.
    pub(crate) async fn smtp_without(&self, server: Server, extension: Extension) -> SmtpClient {
        let endpoint = self.bed.endpoint(server, Protocol::Smtp, Security::ImplicitTls);
        let way = Way::to(endpoint.without(extension), self.bed);
        way.smtp(self.auth()).await.expect("SMTP opens")
    }

    pub(crate) async fn imap(&self) -> ImapClient {
        self.way(Server::Jwt, Protocol::Imap).imap(self.auth()).await.expect("IMAP opens")
    }

    /// Settings to which more can be added.
    #[cfg(feature = "compress")]
    pub(crate) fn imap_connector(&self) -> mailbearer::Connector<ImapClient> {
        let endpoint = self.bed.endpoint(Server::Jwt, Protocol::Imap, Security::ImplicitTls);
        let connector = ImapClient::builder(endpoint.clone()).auth(self.auth());
        Way::to(endpoint, self.bed).apply(connector)
    }

    pub(crate) async fn pop(&self) -> PopClient {
        self.way(Server::Jwt, Protocol::Pop).pop(self.auth()).await.expect("POP3 opens")
    }

    /// Puts a message into the INBOX.
    pub(crate) async fn store(&self, message: &[u8]) {
        let mut imap = self.imap().await;
        let message = message.to_vec();
        imap.append("INBOX", message, AppendOptions::new()).await.expect("APPEND");
        imap.logout().await.expect("LOGOUT");
    }

    /// IMAP with a mailbox selected that holds at least this many messages. Postfix answers long
    /// before it delivers, so this waits.
    pub(crate) async fn imap_once(&self, mailbox: &str, messages: u32) -> ImapClient {
        let mut imap = self.imap().await;
        for _ in 0..1200 {
            if imap.select(mailbox).await.expect("SELECT").exists() >= messages {
                return imap;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("not all was delivered to {}\n{}", self.mailbox, self.bed.logs());
    }

    pub(crate) fn auth(&self) -> Auth {
        Auth::xoauth2(&self.mailbox, Minter::new(self.bed, [Kind::Valid]))
    }

    fn way(&self, server: Server, protocol: Protocol) -> Way {
        Way::to(self.bed.endpoint(server, protocol, Security::ImplicitTls), self.bed)
    }
}
