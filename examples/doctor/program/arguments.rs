//! What the command line asks for.

use std::path::PathBuf;

use mailbearer::provider::{self, Provider};
use mailbearer::{Endpoint, Protocol};

pub(super) const HELP: &str = "\
Checks whether a mailbox can be opened with OAuth 2.0, step by step, and says what is wrong.

Usage: doctor --mailbox ADDRESS --provider NAME [OPTIONS]
       doctor --mailbox ADDRESS --imap HOST[:PORT] [OPTIONS]

What is checked:
  --mailbox ADDRESS       the mailbox to open; a shared one is named here as well
  --provider NAME         microsoft365, microsoft365-gcc-high, microsoft365-dod,
                          microsoft365-china, outlook, hve, gmail, yahoo, aol, fastmail, icloud
  --protocols LIST        of the provider: smtp,imap,pop; all there are unless said otherwise
  --imap HOST[:PORT]      IMAP over TLS (port 993); also --pop (995) and --smtp (465)
  --imap-starttls HOST[:PORT]
                          IMAP with STARTTLS (143); also --pop-starttls (110) and
                          --smtp-starttls (587)
  --sender ADDRESS        who sends, if that is not the mailbox
  --recipient ADDRESS     who would receive, if that is not the sender
  --send-message          also sends a message from the sender to itself

Where the token comes from (--grant):
  token                   the variable MAIL_TOKEN or --token-file FILE; this is the default
  client-credentials      --tenant, --client-id, and MAIL_CLIENT_SECRET or --secret-file FILE,
                          or --certificate-file FILE, a PEM file with certificate and key
  browser                 --tenant, --client-id; an address is shown, to be opened in a browser on
                          this machine, which is waited for five minutes; MAIL_CLIENT_SECRET if the
                          client has one (Google gives one to every client)
  device-code             --tenant, --client-id; a code is shown, to be entered in a browser
  refresh-token           --tenant, --client-id, and MAIL_REFRESH_TOKEN or
                          --refresh-token-file FILE; MAIL_CLIENT_SECRET if the client has one
  password                no token: MAIL_PASSWORD or --password-file FILE, by PLAIN
  --mechanism NAME        xoauth2 (default) or oauthbearer
  --token-url URL         of another server than Microsoft's; with --scope SCOPE, and for the
                          browser with --authorization-url URL

Secrets are taken from the environment and from files, never from arguments, which others can see.
MAIL_PROXY names a proxy for all connections, as socks5://, http:// or https:// URL (if built with
the feature `proxy`).

Output:
  --json                  the report as JSON
  --record FILE           writes the dialogues there, without secrets, messages and names, fit to be
                          attached to a bug report
  --quiet                 no progress on standard error
  --root FILE             trusts the certificates in this PEM file, and no others
  --deadline SECONDS      for all of it; 120 unless said otherwise
  --help                  this text

Colours are used on a terminal, unless NO_COLOR is set.

Exit status:
  0  everything that was checked works
  1  a step failed
  2  wrong usage; nothing was checked
  3  the report or the recording could not be written
";

/// What is asked for.
pub(super) enum Asked {
    Help,
    Check(Box<Options>),
}

#[derive(Default)]
pub(super) struct Options {
    pub(super) mailbox: String,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) sender: Option<String>,
    pub(super) recipient: Option<String>,
    pub(super) send_message: bool,
    pub(super) grant: Option<String>,
    pub(super) tenant: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) token_url: Option<String>,
    pub(super) authorization_url: Option<String>,
    /// With its key.
    pub(super) certificate: Option<PathBuf>,
    pub(super) scope: Option<String>,
    pub(super) bearer: bool,
    /// Of a token, a client secret, a refresh token or a password.
    pub(super) secret_files: Vec<(&'static str, PathBuf)>,
    pub(super) json: bool,
    pub(super) record: Option<PathBuf>,
    pub(super) quiet: bool,
    pub(super) roots: Option<PathBuf>,
    pub(super) deadline: u64,
}

/// Reads the arguments behind the name of the program.
pub(super) fn read(arguments: impl IntoIterator<Item = String>) -> Result<Asked, String> {
    let mut arguments = arguments.into_iter();
    let mut options = Options { deadline: 120, ..Options::default() };
    let (mut provider, mut protocols) = (None, None);
    while let Some(argument) = arguments.next() {
        // `--name value` and `--name=value` are the same.
        let (name, mut inline) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let mut value = || {
            let value = inline.take().or_else(|| arguments.next());
            value.ok_or_else(|| format!("{name} needs a value"))
        };
        match name {
            "--help" | "-h" => return Ok(Asked::Help),
            "--mailbox" => options.mailbox = value()?,
            "--provider" => provider = Some(named(&value()?)?),
            "--protocols" => protocols = Some(listed(&value()?)?),
            "--imap" => options.endpoints.push(at(&value()?, Endpoint::imap)?),
            "--pop" => options.endpoints.push(at(&value()?, Endpoint::pop)?),
            "--smtp" => options.endpoints.push(at(&value()?, Endpoint::smtp)?),
            "--imap-starttls" => options.endpoints.push(at(&value()?, Endpoint::imap_starttls)?),
            "--pop-starttls" => options.endpoints.push(at(&value()?, Endpoint::pop_starttls)?),
            "--smtp-starttls" => options.endpoints.push(at(&value()?, Endpoint::smtp_starttls)?),
            "--sender" => options.sender = Some(value()?),
            "--recipient" => options.recipient = Some(value()?),
            "--grant" => options.grant = Some(value()?),
            "--tenant" => options.tenant = Some(value()?),
            "--client-id" => options.client_id = Some(value()?),
            "--token-url" => options.token_url = Some(value()?),
            "--authorization-url" => options.authorization_url = Some(value()?),
            "--scope" => options.scope = Some(value()?),
            "--mechanism" => {
                options.bearer = match value()?.to_lowercase().as_str() {
                    "xoauth2" => false,
                    "oauthbearer" => true,
                    other => return Err(format!("{other} is neither xoauth2 nor oauthbearer")),
                }
            }
            "--token-file" => options.secret_files.push(("MAIL_TOKEN", value()?.into())),
            "--certificate-file" => options.certificate = Some(value()?.into()),
            "--secret-file" => options.secret_files.push(("MAIL_CLIENT_SECRET", value()?.into())),
            "--refresh-token-file" => {
                options.secret_files.push(("MAIL_REFRESH_TOKEN", value()?.into()));
            }
            "--password-file" => options.secret_files.push(("MAIL_PASSWORD", value()?.into())),
            "--token" | "--password" | "--client-secret" | "--secret" | "--refresh-token" => {
                return Err(format!(
                    "there is no {name}: secrets come from the environment or from a file, since \
                     others can see the arguments of a program"
                ));
            }
            "--record" => options.record = Some(value()?.into()),
            "--root" => options.roots = Some(value()?.into()),
            "--deadline" => {
                let seconds = value()?;
                let wrong = |_| format!("{seconds} is no number of seconds");
                options.deadline = seconds.parse().map_err(wrong)?;
            }
            "--json" | "--quiet" | "--send-message" if inline.is_some() => {
                return Err(format!("{name} takes no value"));
            }
            "--json" => options.json = true,
            "--quiet" => options.quiet = true,
            "--send-message" => options.send_message = true,
            // What it is may be a secret that slipped in.
            _ if !name.starts_with("--") => {
                return Err("there is an argument that belongs to no option".to_owned());
            }
            _ => return Err(format!("there is no option {name}")),
        }
    }
    if let Some(provider) = provider {
        options.endpoints.extend(of_provider(provider, protocols.as_deref())?);
    } else if protocols.is_some() {
        return Err("--protocols goes with --provider".to_owned());
    }
    if options.mailbox.is_empty() {
        return Err("--mailbox is missing".to_owned());
    }
    if options.endpoints.is_empty() {
        return Err("--provider or a server is missing".to_owned());
    }
    Ok(Asked::Check(Box::new(options)))
}

fn named(name: &str) -> Result<&'static Provider, String> {
    let ids = || provider::all().map(Provider::id).collect::<Vec<_>>().join(", ");
    let found = Provider::named(name).or_else(|| Provider::of_host(name));
    found.ok_or_else(|| format!("no provider {name} is known; there are {}", ids()))
}

fn listed(list: &str) -> Result<Vec<Protocol>, String> {
    let protocol = |name: &str| match name.trim().to_lowercase().as_str() {
        "smtp" => Ok(Protocol::Smtp),
        "imap" => Ok(Protocol::Imap),
        "pop" | "pop3" => Ok(Protocol::Pop),
        other => Err(format!("{other} is no protocol: there are smtp, imap and pop")),
    };
    list.split(',').map(protocol).collect()
}

/// The preferred endpoint for each protocol.
fn of_provider(
    provider: &Provider,
    protocols: Option<&[Protocol]>,
) -> Result<Vec<Endpoint>, String> {
    let all = [Protocol::Smtp, Protocol::Imap, Protocol::Pop];
    let Some(wanted) = protocols else {
        return Ok(all.into_iter().filter_map(|wanted| provider.endpoint(wanted)).collect());
    };
    let endpoint = |wanted: &Protocol| {
        let none = || format!("{} has no {wanted}", provider.id());
        provider.endpoint(*wanted).ok_or_else(none)
    };
    wanted.iter().map(endpoint).collect()
}

/// `host`, `host:port`, `[address]` or `[address]:port`. A server of a provider that is known has
/// what is known of it.
fn at(place: &str, endpoint: fn(&str) -> Endpoint) -> Result<Endpoint, String> {
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (place, None),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err(format!("{place} names no host"));
    }
    let mut endpoint = endpoint(host);
    if let Some(port) = port {
        let wrong = |_| format!("{port} is no port");
        endpoint = endpoint.with_port(port.parse().map_err(wrong)?);
    }
    Ok(match Provider::of_host(host).and_then(|known| known.endpoint(endpoint.protocol())) {
        Some(known) => endpoint.with_profile(known.profile().clone()),
        None => endpoint,
    })
}
