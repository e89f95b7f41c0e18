//! At servers that are neither Microsoft's nor Google's nobody is told to go to those. What the
//! token shows by itself is told at any server.

use mailbearer::diagnosis::{Cause, Context};
use mailbearer::{Diagnosis, ImapClient, PopClient, Protocol, SmtpClient};

use crate::support::servers::{Bed, Kind};

/// What belongs to Microsoft's administrators.
const OF_OTHERS: [&str; 5] = ["PowerShell", "Exchange", "Entra", "microsoft", "google"];

#[tokio::test]
async fn at_dovecot_and_postfix_nobody_is_sent_to_microsoft() {
    let bed = Bed::start();
    let user = bed.mailbox("diagnosed");
    for (kind, cause) in [
        (Kind::Expired, Some(Cause::TokenExpired)),
        (Kind::WrongAudience, None),
        (Kind::OtherUser, None),
        (Kind::RogueKey, None),
    ] {
        for (_, endpoint) in bed.endpoints() {
            let tokens = bed.mint(&user, kind);
            let tokens = mailbearer::token::StaticToken::new(tokens);
            let auth = mailbearer::Auth::xoauth2(&user, tokens);
            let trust = mailbearer::tls::Config::with_root_pem(bed.ca_pem().as_bytes()).unwrap();
            let at = endpoint.clone();
            let error: Box<dyn std::error::Error> = match endpoint.protocol() {
                Protocol::Smtp => {
                    let connector = SmtpClient::builder(at).tls(trust).auth(auth);
                    Box::new(connector.connect().await.unwrap_err())
                }
                Protocol::Imap => {
                    let connector = ImapClient::builder(at).tls(trust).auth(auth);
                    Box::new(connector.connect().await.unwrap_err())
                }
                _ => {
                    let connector = PopClient::builder(at).tls(trust).auth(auth);
                    Box::new(connector.connect().await.unwrap_err())
                }
            };
            let found = Diagnosis::with(&*error, &Context::new());
            let first = found.as_ref().map(|diagnosis| diagnosis.first().cause());
            assert_eq!(first, cause, "{endpoint} {kind:?}: {error}");
            let told = found.map(|diagnosis| diagnosis.to_string()).unwrap_or_default();
            for word in OF_OTHERS {
                assert!(!told.to_lowercase().contains(&word.to_lowercase()), "{endpoint}: {told}");
            }
        }
    }
}
