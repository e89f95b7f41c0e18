//! POP3 as transcripts speak of it.

use mailbearer::{Challenge, Connector, Endpoint, Failure as _, PopClient, pop};

use super::play::Session;
use super::script::Call;
use super::server::Aftermath;

pub(crate) struct Pop(PopClient);

impl Session for Pop {
    type Error = pop::Error;
    type Client = PopClient;

    fn connector(endpoint: Endpoint) -> Connector<PopClient> {
        PopClient::builder(endpoint)
    }

    fn of(client: PopClient) -> Self {
        Self(client)
    }

    async fn call(session: &mut Option<Self>, call: &Call) -> Result<String, pop::Error> {
        if call.verb == "quit" {
            let session = session.take().expect("nothing is called after quit");
            return session.0.quit().await.map(|()| String::new());
        }
        // `sync known,ids delete`: gives what is new, and deletes it if asked to.
        if call.verb == "sync" {
            let session = session.take().expect("nothing is called after sync");
            return sync(session.0, call).await;
        }
        let client = &mut session.as_mut().expect("nothing is called after quit").0;
        let number = || call.argument(0).parse().expect("a message number");
        Ok(match call.verb.as_str() {
            "maildrop" => maildrop(client.maildrop()),
            "stat" => maildrop(client.stat().await?),
            "list" => {
                let listed = client.list().await?;
                join(listed.iter().map(|l| format!("{}:{}", l.number(), l.octets())))
            }
            "uidl" => {
                let ids = client.uidl().await?;
                join(ids.iter().map(|id| format!("{}:{}", id.number(), id.id())))
            }
            "retr" => client.retr(number()).await?.escape_ascii().to_string(),
            "list_one" => {
                let listed = client.list_one(number()).await?;
                format!("{}:{}", listed.number(), listed.octets())
            }
            "uidl_one" => {
                let named = client.uidl_one(number()).await?;
                format!("{}:{}", named.number(), named.id())
            }
            "read" => {
                let mut reader = client.retr_reader(number()).await?;
                let mut message = Vec::new();
                while let Some(chunk) = reader.chunk().await? {
                    message.extend_from_slice(&chunk);
                }
                assert_eq!(reader.octets(), message.len() as u64);
                message.escape_ascii().to_string()
            }
            "retr_all" => {
                let numbers = call.argument(0).split(',').map(|n| n.parse().expect("a number"));
                let mut messages = client.retr_all(numbers);
                let mut all = Vec::new();
                while let Some(retrieved) = messages.next().await? {
                    let said = match retrieved.message() {
                        Ok(message) => message.escape_ascii().to_string(),
                        Err(error) => error.reply_text().expect("a refusal").into_owned(),
                    };
                    all.push(format!("{}:{said}", retrieved.number()));
                }
                all.join(" ")
            }
            "utf8" => client.utf8().await.map(|()| String::new())?,
            "lang" => client.lang(call.argument(0)).await?,
            "languages" => {
                let languages = client.languages().await?;
                join(languages.iter().map(|one| format!("{}={}", one.tag(), one.description())))
            }
            "offered" => join(client.capabilities().iter().map(str::to_owned)),
            "top" => {
                let lines = call.argument(1).parse().expect("a number of lines");
                client.top(number(), lines).await?.escape_ascii().to_string()
            }
            "dele" => client.dele(number()).await.map(|()| String::new())?,
            "rset" => client.rset().await.map(|()| String::new())?,
            "noop" => client.noop().await.map(|()| String::new())?,
            "capa" => join(client.capa().await?.iter().map(str::to_owned)),
            verb => panic!("POP3 has no verb `{verb}` here"),
        })
    }

    async fn probe(&mut self) -> Result<bool, pop::Error> {
        self.0.stat().await.map(|drop| maildrop(drop) == "4242 424242")
    }

    fn aftermath() -> &'static dyn Aftermath {
        &AfterPop
    }

    fn challenge(error: &pop::Error) -> Option<&Challenge> {
        match error {
            pop::Error::Auth(error) => error.challenge(),
            _ => None,
        }
    }
}

async fn sync(client: PopClient, call: &Call) -> Result<String, pop::Error> {
    let known = call.argument(0).split(',').filter(|id| *id != "-");
    let mut new = client.sync(known).await?;
    let mut given = Vec::new();
    while let Some(message) = new.next().await? {
        let said = match message.message() {
            Ok(octets) => octets.escape_ascii().to_string(),
            Err(error) => error.to_string(),
        };
        given.push(format!("{}={said}", message.id().unwrap_or("?")));
        match call.argument(1) {
            "delete" => new.delete(&message),
            "keep" => new.stored(&message),
            _ => {}
        }
    }
    let gone = new.gone().count();
    let done = new.finish().await?;
    given.push(format!("gone:{gone} deleted:{}", done.deleted()));
    Ok(given.join(" "))
}

struct AfterPop;

impl Aftermath for AfterPop {
    fn answer(&self, line: &str, _: &str) -> Option<String> {
        (line == "STAT").then(|| "+OK 4242 424242\r\n".into())
    }
}

fn maildrop(maildrop: pop::Maildrop) -> String {
    format!("{} {}", maildrop.messages(), maildrop.octets())
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(" ")
}
