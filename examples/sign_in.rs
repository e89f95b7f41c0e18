//! Signs a user in and shows that the mailbox opens.
//!
//! ```sh
//! cargo run --example sign_in -- device  contoso.example APP_ID anna@contoso.example
//! cargo run --example sign_in -- browser contoso.example APP_ID anna@contoso.example
//! ```
//!
//! For a personal account (Outlook.com) the tenant is `consumers`. The tokens are kept in the
//! directory `tokens`, so the second run asks nobody.

use std::ffi::OsString;

use mailbearer::token::store::FileStore;
use mailbearer::token::{AuthorizationCode, DeviceCode, ErrorKind, SignedIn, TokenError};
use mailbearer::{Failure, ImapClient, Protocol, provider::microsoft365};

const PROTOCOLS: [Protocol; 2] = [Protocol::Imap, Protocol::Smtp];

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Result<Vec<String>, _> =
        std::env::args_os().skip(1).map(OsString::into_string).collect();
    let Ok([how, tenant, client_id, mailbox]) = arguments.as_deref() else {
        eprintln!("usage: sign_in device|browser TENANT APP_ID MAILBOX");
        std::process::exit(2);
    };
    let signed_in = match how.as_str() {
        "device" => by_device_code(tenant, client_id, mailbox).await,
        _ => in_the_browser(tenant, client_id, mailbox).await,
    };
    let tokens = match signed_in {
        Ok(tokens) => tokens,
        Err(error) => {
            explain(error.as_ref());
            return Err(error);
        }
    };
    let mut imap = ImapClient::connect_xoauth2(microsoft365::imap(), mailbox, &tokens).await?;
    imap.select("INBOX").await?;
    println!("{mailbox} is open.");
    imap.logout().await?;
    Ok(())
}

async fn by_device_code(
    tenant: &str,
    client_id: &str,
    mailbox: &str,
) -> Result<SignedIn, Box<dyn std::error::Error>> {
    let device = DeviceCode::entra(tenant, client_id)
        .protocols(PROTOCOLS)
        .store(FileStore::new("tokens"), mailbox)
        .build()?;
    if let Some(tokens) = device.resume().await? {
        return Ok(tokens);
    }
    let mut prompt = device.start().await?;
    println!("{}", prompt.message());
    Ok(prompt.wait().await?)
}

async fn in_the_browser(
    tenant: &str,
    client_id: &str,
    mailbox: &str,
) -> Result<SignedIn, Box<dyn std::error::Error>> {
    let browser = AuthorizationCode::entra(tenant, client_id)
        .protocols(PROTOCOLS)
        .login_hint(mailbox)
        .store(FileStore::new("tokens"), mailbox)
        .build()?;
    if let Some(tokens) = browser.resume().await? {
        return Ok(tokens);
    }
    let waiting = browser.start().await?;
    println!("Open {} to sign in.", waiting.url());
    Ok(waiting.finish().await?)
}

fn explain(error: &(dyn std::error::Error + 'static)) {
    let Some(error) = error.downcast_ref::<TokenError>() else { return };
    match error.kind() {
        ErrorKind::Denied => eprintln!("You declined."),
        ErrorKind::CodeExpired => eprintln!("That took too long."),
        ErrorKind::SignInNeeded(reason) => eprintln!("Sign in again: {reason:?}."),
        kind => eprintln!("{kind}; next: {:?}.", error.retry()),
    }
}
