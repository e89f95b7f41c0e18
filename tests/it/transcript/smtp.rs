//! SMTP as transcripts speak of it.

use mailbearer::smtp::{self, Body, Dsn, Envelope, Notify, Receipt, Ret, Sent};
use mailbearer::{Challenge, Connector, Endpoint, Failure, SmtpClient};

use super::play::Session;
use super::script::Call;
use super::server::Aftermath;

pub(crate) struct Smtp(SmtpClient);

impl Session for Smtp {
    type Error = smtp::Error;
    type Client = SmtpClient;

    fn connector(endpoint: Endpoint) -> Connector<SmtpClient> {
        SmtpClient::builder(endpoint)
    }

    fn of(client: SmtpClient) -> Self {
        Self(client)
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
            "send" => print(&client.send(&envelope(call), text(call, 2)).await?),
            "send_chunked" => print(&client.send(&envelope(call), text(call, 2).chunked()).await?),
            "send_all_or_nothing" => {
                print(&client.send(&envelope(call).all_or_nothing(), text(call, 2)).await?)
            }
            // As many texts as there are.
            "send_all" => all(client.send_all(texts(call)).collect().await)?,
            "send_all_in_one_flight" => {
                let texts = texts(call).map(|(to, text)| (to, text.chunked_in_one_flight()));
                all(client.send_all(texts).collect().await)?
            }
            // Reports are asked for.
            "send_dsn" => {
                let dsn = Dsn::new()
                    .ret(Ret::Hdrs)
                    .envid("invoice 4711")
                    .expect("an identifier")
                    .notify(Notify::SUCCESS | Notify::FAILURE)
                    .orcpt();
                let envelope = envelope(call).with_dsn(dsn).expect("addresses that are not long");
                print(&client.send(&envelope, text(call, 2)).await?)
            }
            // Every relay has to use TLS.
            "send_over_tls" => {
                print(&client.send(&envelope(call).require_tls(), text(call, 2)).await?)
            }
            // What the server calls the message.
            "send_for_id" => {
                let receipt = client.send(&envelope(call), text(call, 2)).await?;
                receipt.queue_id().unwrap_or("no name").to_owned()
            }
            // From and to, but no message.
            "rehearse" => {
                let rehearsal = client.rehearse(&envelope(call)).await?;
                let refused: Vec<_> =
                    rehearsal.refused().map(|(to, reply)| format!("{to} ({reply})")).collect();
                let accepted: Vec<_> = rehearsal.accepted().map(|(to, _)| to).collect();
                format!("to {}; not to {}", accepted.join(" "), refused.join(" "))
            }
            // Not a text, but how many octets.
            "send_octets" => {
                let octets = call.argument(2).parse().expect("a number");
                print(&client.send(&envelope(call), vec![b'x'; octets]).await?)
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

fn envelope(call: &Call) -> Envelope {
    Envelope::new(call.argument(0), call.argument(1).split(','))
        .expect("the addresses of a transcript are in order")
}

fn text(call: &Call, n: usize) -> Body<'static> {
    call.argument(n).replace("\\r", "\r").replace("\\n", "\n").into()
}

fn texts(call: &Call) -> impl Iterator<Item = (Envelope, Body<'static>)> {
    (2..call.arguments.len()).map(|n| (envelope(call), text(call, n)))
}

/// Each outcome; the error that ended the connection, if one did.
fn all(sent: Vec<Sent>) -> Result<String, smtp::Error> {
    let mut told = Vec::new();
    for sent in sent {
        told.push(match sent.outcome {
            Ok(receipt) => print(&receipt),
            Err(error) if error.connection_usable() => error.to_string(),
            Err(error) => return Err(error),
        });
    }
    Ok(told.join(" | "))
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
