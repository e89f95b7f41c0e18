//! SMTP as transcripts speak of it.

use mailbearer::smtp::{self, Envelope, Receipt};
use mailbearer::{Auth, Challenge, Endpoint, Failure, SmtpClient};

use super::play::Session;
use super::script::Call;
use super::server::Aftermath;
use crate::support::dial::PipeDial;
use crate::support::tls;

pub(crate) struct Smtp(SmtpClient);

impl Session for Smtp {
    type Error = smtp::Error;

    async fn connect(endpoint: Endpoint, auth: Auth, dial: PipeDial) -> Result<Self, smtp::Error> {
        let connector = SmtpClient::builder(endpoint)
            .auth(auth)
            .dial(dial)
            .tls(tls::client())
            .ehlo_name("client.example");
        connector.connect().await.map(Self)
    }

    async fn call(session: &mut Option<Self>, call: &Call) -> Result<String, smtp::Error> {
        if call.verb == "quit" {
            let session = session.take().expect("nothing is called after quit");
            return session.0.quit().await.map(|()| String::new());
        }
        let client = &mut session.as_mut().expect("nothing is called after quit").0;
        Ok(match call.verb.as_str() {
            "extensions" => {
                let all = client.extensions().all();
                let print = |(keyword, with): (&str, &str)| format!("{keyword} {with}");
                all.map(|e| print(e).trim_end().to_owned()).collect::<Vec<_>>().join(", ")
            }
            // From, to (with commas), and the text, in which `\r\n` is a line end.
            "send" => {
                let recipients = call.argument(1).split(',');
                let envelope = Envelope::new(call.argument(0), recipients)
                    .expect("the addresses of a transcript are in order");
                let text = call.argument(2).replace("\\r", "\r").replace("\\n", "\n");
                print(&client.send(&envelope, text).await?)
            }
            "rset" => client.rset().await.map(|()| String::new())?,
            "noop" => client.noop().await.map(|()| String::new())?,
            verb => panic!("SMTP has no verb `{verb}` here"),
        })
    }

    /// A refusal is as good an answer as any, and its words are seen.
    async fn probe(&mut self) -> Result<bool, smtp::Error> {
        match self.0.noop().await {
            Err(error) if error.connection_usable() => {
                Ok(error.reply_text().is_some_and(|reply| reply == OWN_ANSWER))
            }
            Err(error) => Err(error),
            Ok(()) => Ok(false),
        }
    }

    fn aftermath() -> &'static dyn Aftermath {
        &AfterSmtp
    }

    fn challenge(error: &smtp::Error) -> Option<&Challenge> {
        match error {
            smtp::Error::Auth(error) => error.challenge(),
            _ => None,
        }
    }
}

const OWN_ANSWER: &str = "502 5.5.1 NOOP 4242";

struct AfterSmtp;

impl Aftermath for AfterSmtp {
    fn answer(&self, line: &str, _: &str) -> Option<String> {
        match line {
            "NOOP" => Some(format!("{OWN_ANSWER}\r\n")),
            "RSET" => Some("250 2.0.0 Resetting\r\n".into()),
            _ => None,
        }
    }
}

/// Who was accepted, who was not, and what was said to the message.
fn print(receipt: &Receipt) -> String {
    let accepted: Vec<_> = receipt.accepted().map(|to| to.recipient()).collect();
    let refused: Vec<_> =
        receipt.refused().map(|to| format!("{} ({})", to.recipient(), to.reply())).collect();
    let reply = receipt.reply().map(|reply| reply.to_string()).unwrap_or_default();
    format!("to {}; not to {}; {reply}", accepted.join(" "), refused.join(" "))
}
