//! Where the token comes from.

use std::io::Write;

use mailbearer::token::{ClientCredentials, DeviceCode, RefreshToken, SetupError, StaticToken};
use mailbearer::{Auth, Protocol, TokenProvider};

use super::arguments::Options;

/// What logs in, as the options say.
pub(super) async fn of(
    options: &Options,
    variable: &dyn Fn(&str) -> Option<String>,
    messages: &mut (dyn Write + Send),
) -> Result<Auth, String> {
    let secrets = Secrets { options, variable };
    match options.grant.as_deref().unwrap_or("token") {
        "token" => Ok(by(options, StaticToken::new(secrets.wanted("MAIL_TOKEN", "--token-file")?))),
        "client-credentials" => {
            let secret = secrets.wanted("MAIL_CLIENT_SECRET", "--secret-file")?;
            let client = client_id(options)?;
            let mut builder = match &options.token_url {
                Some(url) => ClientCredentials::builder(url, client, secret),
                None => ClientCredentials::entra(tenant(options)?, client, secret),
            };
            if let Some(scope) = &options.scope {
                builder = builder.scope(scope);
            }
            Ok(by(options, builder.build().map_err(setup)?))
        }
        "refresh-token" => {
            let token = secrets.wanted("MAIL_REFRESH_TOKEN", "--refresh-token-file")?;
            let client = client_id(options)?;
            let mut builder = match &options.token_url {
                Some(url) => RefreshToken::builder(url, client, token),
                None => RefreshToken::entra(tenant(options)?, client, token),
            };
            if let Some(secret) = secrets.of("MAIL_CLIENT_SECRET")? {
                builder = builder.client_credential(secret);
            }
            if let Some(scope) = &options.scope {
                builder = builder.scope(scope);
            }
            Ok(by(options, builder.build().map_err(setup)?))
        }
        "device-code" => {
            let mut builder = DeviceCode::entra(tenant(options)?, client_id(options)?)
                .protocols(protocols(options));
            if let Some(scope) = &options.scope {
                builder = builder.scope(scope);
            }
            let device = builder.build().map_err(setup)?;
            let mut prompt = device.start().await.map_err(|error| error.to_string())?;
            let _ = writeln!(messages, "{}", prompt.message());
            Ok(by(options, prompt.wait().await.map_err(|error| error.to_string())?))
        }
        "password" => {
            let password = secrets.wanted("MAIL_PASSWORD", "--password-file")?;
            Ok(Auth::plain(&options.mailbox, password))
        }
        other => Err(format!("there is no grant {other}; see --help")),
    }
}

fn by(options: &Options, tokens: impl TokenProvider + 'static) -> Auth {
    match options.bearer {
        true => Auth::oauthbearer(&options.mailbox, tokens),
        false => Auth::xoauth2(&options.mailbox, tokens),
    }
}

/// What the user is asked to consent to.
fn protocols(options: &Options) -> Vec<Protocol> {
    let mut protocols: Vec<_> = options.endpoints.iter().map(|it| it.protocol()).collect();
    protocols.sort_by_key(|protocol| protocol.name());
    protocols.dedup();
    protocols
}

fn tenant(options: &Options) -> Result<&str, String> {
    options.tenant.as_deref().ok_or_else(|| "--tenant is missing for this grant".to_owned())
}

fn client_id(options: &Options) -> Result<&str, String> {
    options.client_id.as_deref().ok_or_else(|| "--client-id is missing for this grant".to_owned())
}

fn setup(error: SetupError) -> String {
    error.to_string()
}

/// Secrets in the environment and in files.
struct Secrets<'a> {
    options: &'a Options,
    variable: &'a dyn Fn(&str) -> Option<String>,
}

impl Secrets<'_> {
    /// From the file, if one was named; else from the variable.
    fn of(&self, name: &str) -> Result<Option<String>, String> {
        let file = self.options.secret_files.iter().find(|(of, _)| *of == name);
        let secret = match file {
            Some((_, path)) => {
                let text = std::fs::read_to_string(path);
                Some(text.map_err(|error| format!("{}: {error}", path.display()))?)
            }
            None => (self.variable)(name),
        };
        // Editors end files with a line end.
        let secret = secret.map(|secret| secret.trim_end_matches(['\r', '\n']).to_owned());
        Ok(secret.filter(|secret| !secret.is_empty()))
    }

    fn wanted(&self, name: &str, option: &str) -> Result<String, String> {
        self.of(name)?.ok_or_else(|| format!("set {name} or name a file by {option}"))
    }
}
