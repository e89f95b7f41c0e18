//! An async SMTP, IMAP and POP3 client for mailboxes that are opened with OAuth 2.0 tokens (SASL
//! XOAUTH2 and OAUTHBEARER): Microsoft 365, Outlook.com, High Volume Email, Gmail, and any other
//! server that takes them.
//!
//! # Send
//! ```no_run
//! # async fn send() -> Result<(), Box<dyn std::error::Error>> {
//! use mailbearer::{SmtpClient, provider::microsoft365, smtp::Envelope, token::ClientCredentials};
//!
//! let tokens = ClientCredentials::entra("contoso.example", "client id", "client secret").build()?;
//! let mailbox = "billing@contoso.example";
//! let mut smtp = SmtpClient::connect_xoauth2(microsoft365::smtp(), mailbox, &tokens).await?;
//! let envelope = Envelope::new(mailbox, ["someone@example.com"])?;
//! let receipt = smtp.send(&envelope, "Subject: hello\r\n\r\nGood morning.\r\n").await?;
//! for refused in receipt.refused() {
//!     eprintln!("{}: {}", refused.recipient(), refused.reply());
//! }
//! # Ok(()) }
//! ```
//!
//! # Read by IMAP
//! ```no_run
//! # async fn read(tokens: mailbearer::token::StaticToken) -> Result<(), mailbearer::imap::Error> {
//! use mailbearer::{ImapClient, imap::{Fetch, UidSet}, provider::microsoft365};
//!
//! // A shared mailbox is just another name.
//! let mailbox = "orders@contoso.example";
//! let mut imap = ImapClient::connect_xoauth2(microsoft365::imap(), mailbox, &tokens).await?;
//! let inbox = imap.select("INBOX").await?;
//! let mut messages = inbox.uid_fetch(UidSet::all(), Fetch::envelope().flags().body()).await?;
//! while let Some(message) = messages.next().await? {
//!     println!("{:?}: {} octets", message.uid(), message.body().map_or(0, <[u8]>::len));
//! }
//! # Ok(()) }
//! ```
//!
//! # Read by POP3
//! ```no_run
//! # async fn read(tokens: mailbearer::token::StaticToken) -> Result<(), mailbearer::pop::Error> {
//! use mailbearer::{PopClient, provider::microsoft365};
//!
//! let mailbox = "billing@contoso.example";
//! let mut pop = PopClient::connect_xoauth2(microsoft365::pop(), mailbox, &tokens).await?;
//! for listed in pop.list().await? {
//!     let message = pop.retr(listed.number()).await?;
//!     pop.dele(listed.number()).await?;
//! }
//! pop.quit().await
//! # }
//! ```
//!
//! # Where things are
//! | to | see |
//! |---|---|
//! | send, and learn what became of it | [`SmtpClient`], [`smtp`] |
//! | read and change mailboxes | [`ImapClient`], [`imap`] |
//! | fetch and delete | [`PopClient`], [`pop`] |
//! | say where tokens come from | [`TokenProvider`], [`token`] |
//! | register an application, and have a mailbox take its tokens | `docs/setup/README.md` in the package |
//! | connect again and again, with one's own roots, deadlines and limits | [`Connector`] |
//! | have IMAP compressed | `ImapClient::compress` (feature `compress`) |
//! | go through a SOCKS5 or HTTP proxy | `net::proxy` (feature `proxy`) |
//! | name a server, or take a known one | [`Endpoint`], [`provider`] |
//! | find the servers of a domain | `discover` (feature `discover`) |
//! | decide what to do after a failure | [`Failure`], [`Retry`] |
//! | check a set-up step by step | `diagnose`, `diagnosis::Checkup` (feature `diagnosis`); `examples/doctor` |
//! | learn why it failed, and who can change it | `Diagnosis`, `diagnosis` (feature `diagnosis`) |
//! | test a program | `testing` (feature `testing`) |
//!
//! # Dropped futures
//! Futures may be dropped, by `select!`, a timeout or an aborted task. What is in flight is known to
//! the connection and not to the future: the next call brings it to rest and gets its own answer. What
//! is lost is said at each method. Dropping a client closes the connection without a word.
//!
//! # Seeing the dialogue
//! Protocol lines are `tracing` events at level TRACE, target `mailbearer::wire`, without secrets. A
//! [`wirelog::Recorder`] keeps them as a transcript that can be given to others and replayed.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(all(feature = "smtp", feature = "imap", feature = "pop")),
    allow(dead_code, unused_imports, unused_macros, reason = "some parts serve one protocol only")
)]
#![forbid(unsafe_code)]

mod auth;
mod connector;
pub mod danger;
#[cfg(feature = "diagnosis")]
#[cfg_attr(docsrs, doc(cfg(feature = "diagnosis")))]
pub mod diagnosis;
#[cfg(feature = "discover")]
#[cfg_attr(docsrs, doc(cfg(feature = "discover")))]
pub mod discover;
mod endpoint;
mod failure;
mod fault;
#[cfg(feature = "imap")]
pub mod imap;
mod limits;
mod machine;
mod misuse;
pub mod net;
#[cfg(any(feature = "imap", feature = "smtp"))]
mod octets;
#[cfg(feature = "pop")]
pub mod pop;
mod profile;
pub mod provider;
mod sasl;
mod secret;
#[cfg(feature = "smtp")]
pub mod smtp;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
pub mod token;
mod wire;
pub mod wirelog;

/// Whom to trust.
pub mod tls {
    pub use crate::net::tls::Config;
}

pub use auth::{Auth, AuthCause, AuthError};
pub use connector::{Client, Connector};
#[cfg(feature = "diagnosis")]
#[cfg_attr(docsrs, doc(cfg(feature = "diagnosis")))]
pub use diagnosis::{Diagnosis, diagnose};
pub use endpoint::{Endpoint, Protocol, Security};
pub use failure::{Failure, Retry, Stage};
pub use fault::Fault;
#[cfg(feature = "imap")]
pub use imap::ImapClient;
pub use limits::{Limits, Timeouts};
pub use misuse::Misuse;
#[cfg(feature = "pop")]
pub use pop::PopClient;
pub use profile::Profile;
pub use sasl::{Challenge, InputError, InputField};
#[cfg(feature = "smtp")]
pub use smtp::SmtpClient;
pub use token::{AccessToken, TokenProvider};

/// A boxed future, as the object-safe traits of this crate return it.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The code in the documents is compiled and, where it can be, run.
#[cfg(all(doctest, feature = "oauth", feature = "smtp", feature = "imap", feature = "pop"))]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;

    #[doc = include_str!("../docs/design.md")]
    struct Design;

    #[cfg(feature = "diagnosis")]
    #[doc = include_str!("../docs/setup/checks.md")]
    struct Checks;

    #[doc = include_str!("../docs/setup/gmail.md")]
    struct Gmail;

    #[doc = include_str!("../docs/setup/high-volume-email.md")]
    struct HighVolumeEmail;

    #[doc = include_str!("../docs/setup/microsoft365-applications.md")]
    struct Microsoft365Applications;

    #[doc = include_str!("../docs/setup/microsoft365-users.md")]
    struct Microsoft365Users;

    #[doc = include_str!("../docs/setup/others.md")]
    struct Others;

    #[doc = include_str!("../docs/setup/outlook-com.md")]
    struct OutlookCom;

    #[doc = include_str!("../docs/setup/shared-mailboxes.md")]
    struct SharedMailboxes;

    #[doc = include_str!("../docs/setup/sovereign-clouds.md")]
    struct SovereignClouds;
}
