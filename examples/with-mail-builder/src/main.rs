//! A message built by mail-builder, sent to whom its own header says, without the hidden ones in it.
//!
//! ```sh
//! cargo run
//! ```

use mail_builder::MessageBuilder;
use mailbearer::smtp::{Body, Envelope, Receipt};
use mailbearer::testing::Server;
use mailbearer::token::StaticToken;
use mailbearer::{Auth, SmtpClient, tls};

const SENDER: &str = "billing@contoso.example";

/// What goes out: text, HTML and an attachment, to one recipient that all see and one that none does.
fn invoice() -> std::io::Result<Vec<u8>> {
    MessageBuilder::new()
        .from(("Büro Contoso", SENDER))
        .to(vec![("Example, Ann", "ann@contoso.example")])
        .bcc("archive@contoso.example")
        .subject("Your invoice – August")
        .message_id("invoice.4711@contoso.example")
        .text_body("The invoice is attached.\n")
        .html_body("<p>The invoice is attached.</p>")
        .attachment("text/csv", "invoice.csv", b"4711;100.00\r\n".as_slice())
        .write_to_vec()
}

/// The header says who gets it; Bcc is left out of what is sent.
async fn post(
    smtp: &mut SmtpClient,
    message: &[u8],
) -> Result<Receipt, Box<dyn std::error::Error + Send + Sync>> {
    let envelope = Envelope::from_headers(message)?;
    Ok(smtp.send(&envelope, Body::from(message).without_bcc()).await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (server, mut smtp) = embedded().await?;
    let receipt = post(&mut smtp, &invoice()?).await?;
    for recipient in receipt.recipients() {
        println!("{recipient}");
    }
    for message in server.messages("ann@contoso.example") {
        println!("{}", String::from_utf8_lossy(&message));
    }
    smtp.quit().await?;
    Ok(())
}

/// A mail server inside this process. A real program has an endpoint and a token source in its place.
async fn embedded() -> Result<(Server, SmtpClient), Box<dyn std::error::Error + Send + Sync>> {
    let server = Server::start().await?;
    for mailbox in [SENDER, "ann@contoso.example", "archive@contoso.example"] {
        server.add_mailbox(mailbox);
    }
    let tokens = StaticToken::new(server.issue_token(SENDER));
    let connector = SmtpClient::builder(server.smtp())
        .auth(Auth::xoauth2(SENDER, tokens))
        .tls(tls::Config::with_root_pem(server.certificate_pem().as_bytes())?);
    let smtp = connector.connect().await?;
    Ok((server, smtp))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_gets_the_message_and_nobody_sees_the_hidden_recipient() {
        let message = invoice().unwrap();
        assert!(String::from_utf8_lossy(&message).contains("Bcc:"));
        let (server, mut smtp) = embedded().await.unwrap();

        let receipt = post(&mut smtp, &message).await.unwrap();
        let accepted: Vec<_> = receipt.accepted().map(|to| to.recipient().to_owned()).collect();
        assert_eq!(accepted, ["ann@contoso.example", "archive@contoso.example"]);

        for mailbox in accepted {
            let messages = server.messages(&mailbox);
            let [arrived] = messages.as_slice() else { panic!("{mailbox}: {messages:?}") };
            let arrived = String::from_utf8_lossy(arrived);
            assert!(arrived.contains("invoice.4711@contoso.example"), "{arrived}");
            assert!(arrived.contains("invoice.csv"), "{arrived}");
            // The field's name at a line's start only: the random boundaries may contain the letters.
            assert!(!arrived.to_ascii_lowercase().contains("\nbcc:"), "{arrived}");
            assert!(!arrived.contains("archive@contoso.example"), "{arrived}");
        }
    }
}
