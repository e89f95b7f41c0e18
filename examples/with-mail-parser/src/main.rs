//! Unread messages from IMAP into mail-parser: who wrote what, and the attachments into files.
//!
//! ```sh
//! MAILBOX=billing@contoso.example TOKEN=… cargo run -- attachments
//! ```
//!
//! mailbearer hands out the octets of a message and does not look into them; mail-parser takes them
//! apart.

use std::error::Error;
use std::path::{Path, PathBuf};

use mail_parser::{MessageParser, MimeHeaders};
use mailbearer::imap::{Fetch, Flag, Search, StoreFlags, UidSet};
use mailbearer::token::StaticToken;
use mailbearer::{ImapClient, provider::microsoft365};
use tokio::fs;

/// What is told of a message.
#[derive(Debug, PartialEq, Eq)]
struct Letter {
    from: String,
    subject: String,
    text: String,
    files: Vec<PathBuf>,
}

/// Takes the unread messages of a mailbox apart, and marks them read only when their attachments
/// are on the disk.
async fn read(imap: &mut ImapClient, folder: &Path) -> Result<Vec<Letter>, Box<dyn Error>> {
    fs::create_dir_all(folder).await?;
    let inbox = imap.select("INBOX").await?;
    let unread = inbox.uid_search(Search::all().unseen()).await?;
    let mut letters = Vec::new();
    let mut done = Vec::new();
    // One message is in memory at a time.
    let mut messages = inbox.uid_fetch(unread, Fetch::body()).await?;
    while let Some(message) = messages.next().await? {
        let (Some(uid), Some(octets)) = (message.uid(), message.body()) else { continue };
        letters.push(take_apart(octets, &format!("{uid}"), folder).await?);
        done.push(uid);
    }
    let done: UidSet = done.into_iter().collect();
    inbox.uid_store(done, StoreFlags::add([Flag::Seen]).silent()).await?;
    Ok(letters)
}

async fn take_apart(octets: &[u8], uid: &str, folder: &Path) -> Result<Letter, Box<dyn Error>> {
    let message = MessageParser::default().parse(octets).ok_or("not a message")?;
    let from = message.from().and_then(|from| from.first()).and_then(|from| from.address());
    let mut files = Vec::new();
    for (number, attachment) in message.attachments().enumerate() {
        let name = attachment.attachment_name().unwrap_or("unnamed");
        // The name is the sender's: as a path it could lead anywhere.
        let name: String = name
            .chars()
            .map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' })
            .collect();
        let file = folder.join(format!("{uid}-{number}-{name}"));
        fs::write(&file, attachment.contents()).await?;
        files.push(file);
    }
    Ok(Letter {
        from: from.unwrap_or_default().to_owned(),
        subject: message.subject().unwrap_or_default().to_owned(),
        text: message.body_text(0).unwrap_or_default().into_owned(),
        files,
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let variable = |name| std::env::var(name).map_err(|_| format!("{name} is not set"));
    let folder = std::env::args().nth(1).ok_or("the folder for attachments is not given")?;
    let tokens = StaticToken::new(variable("TOKEN")?);
    let mailbox = variable("MAILBOX")?;
    let mut imap = ImapClient::connect_xoauth2(microsoft365::imap(), mailbox, &tokens).await?;
    for letter in read(&mut imap, Path::new(&folder)).await? {
        println!("{}: {} ({} files)", letter.from, letter.subject, letter.files.len());
    }
    imap.logout().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use mailbearer::imap::AppendOptions;
    use mailbearer::testing::Server;
    use mailbearer::{Auth, tls};

    use super::*;

    const MAILBOX: &str = "billing@contoso.example";
    const MESSAGE: &str = "From: Ann <ann@example.com>\r\n\
        To: billing@contoso.example\r\n\
        Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\
        MIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=b\r\n\
        \r\n\
        --b\r\n\
        Content-Type: text/plain; charset=iso-8859-1\r\n\
        Content-Transfer-Encoding: quoted-printable\r\n\
        \r\n\
        Viele Gr=FC=DFe\r\n\
        --b\r\n\
        Content-Type: application/pdf\r\n\
        Content-Disposition: attachment; filename=\"../in/voice.pdf\"\r\n\
        Content-Transfer-Encoding: base64\r\n\
        \r\n\
        JVBERi0xAAECAw==\r\n\
        --b--\r\n";

    #[tokio::test]
    async fn unread_messages_are_taken_apart_and_their_attachments_kept() {
        let server = Server::start().await.unwrap();
        server.add_mailbox(MAILBOX);
        let trust = tls::Config::with_root_pem(server.certificate_pem().as_bytes()).unwrap();
        let imap = ImapClient::builder(server.imap())
            .auth(Auth::xoauth2(MAILBOX, StaticToken::new(server.issue_token(MAILBOX))))
            .tls(trust);
        let mut imap = imap.connect().await.unwrap();
        let read_already = AppendOptions::new().flags([Flag::Seen]);
        imap.append("INBOX", "Subject: old\r\n\r\n", read_already).await.unwrap();
        imap.append("INBOX", MESSAGE, AppendOptions::new()).await.unwrap();

        let folder = std::env::temp_dir().join(format!("with-mail-parser-{}", std::process::id()));
        let letters = read(&mut imap, &folder).await.unwrap();
        let file = folder.join("2-0-.._in_voice.pdf");
        let letter = Letter {
            from: "ann@example.com".to_owned(),
            subject: "Gr\u{fc}\u{df}e".to_owned(),
            text: "Viele Gr\u{fc}\u{df}e".to_owned(),
            files: vec![file.clone()],
        };
        assert_eq!(letters, [letter]);
        assert_eq!(std::fs::read(&file).unwrap(), b"%PDF-1\0\x01\x02\x03");
        // They are read now.
        assert!(read(&mut imap, &folder).await.unwrap().is_empty());
        std::fs::remove_dir_all(&folder).unwrap();
        imap.logout().await.unwrap();
    }
}
