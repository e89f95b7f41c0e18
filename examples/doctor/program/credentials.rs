//! Where the token comes from.

use std::io::Write;

use mailbearer::provider::{Authority, AuthorizationServer, Cloud, Kind, OnBehalf, Provider};
use mailbearer::token::{
    AuthorizationCode, Certificate, ClientCredential, ClientCredentials, DeviceCode, RefreshToken,
    SetupError, StaticToken,
};
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
        "client-credentials" => client_credentials(options, &secrets),
        "refresh-token" => refresh_token(options, &secrets),
        "device-code" => device_code(options, variable, messages).await,
        "browser" => browser(options, &secrets, messages).await,
        "password" => {
            let password = secrets.wanted("MAIL_PASSWORD", "--password-file")?;
            Ok(Auth::plain(&options.mailbox, password))
        }
        other => Err(format!("there is no grant {other}; see --help")),
    }
}

fn client_credentials(options: &Options, secrets: &Secrets<'_>) -> Result<Auth, String> {
    let credential: ClientCredential = match &options.certificate {
        Some(path) => {
            let certificate = Certificate::from_pem(super::contents(path)?);
            certificate.map_err(|error| format!("{}: {error}", path.display()))?.into()
        }
        None => secrets.wanted("MAIL_CLIENT_SECRET", "--secret-file")?.into(),
    };
    let client = client_id(options)?;
    let mut builder = match &options.token_url {
        Some(url) => ClientCredentials::builder(url, client, credential),
        None => ClientCredentials::entra(tenant(options)?, client, credential),
    };
    if let Some(cloud) = cloud(options) {
        builder = builder.cloud(cloud);
    }
    if let Some(scope) = &options.scope {
        builder = builder.scope(scope);
    }
    #[cfg(feature = "proxy")]
    if let Some(proxy) = super::proxy(secrets.variable)? {
        builder = builder.proxy(proxy);
    }
    Ok(by(options, builder.build().map_err(setup)?))
}

/// What all grants for users have in common. Their builders are types of their own.
macro_rules! as_asked {
    ($builder:ident, $options:expr, $variable:expr) => {
        if let Some(cloud) = cloud($options) {
            $builder = $builder.cloud(cloud);
        }
        if let Some(scope) = $options.scope.clone().or_else(|| scope($options)) {
            $builder = $builder.scope(scope);
        }
        if is_high_volume($options) {
            $builder = $builder.high_volume_email();
        }
        #[cfg(feature = "proxy")]
        if let Some(proxy) = super::proxy($variable)? {
            $builder = $builder.proxy(proxy);
        }
    };
}

fn refresh_token(options: &Options, secrets: &Secrets<'_>) -> Result<Auth, String> {
    let token = secrets.wanted("MAIL_REFRESH_TOKEN", "--refresh-token-file")?;
    let client = client_id(options)?;
    let url = options.token_url.as_deref();
    let mut builder = match (url, server(options)) {
        (None, Some(_)) if provider(options).is_some_and(|it| it.kind() == Kind::Gmail) => {
            // Google gives every client a secret.
            let secret = secrets.wanted("MAIL_CLIENT_SECRET", "--secret-file")?;
            RefreshToken::google(client, secret, token)
        }
        (None, Some(server)) => RefreshToken::builder(server.token_url(), client, token),
        (Some(url), _) => RefreshToken::builder(url, client, token),
        (None, None) => RefreshToken::entra(tenant(options)?, client, token),
    };
    if let Some(secret) = secrets.of("MAIL_CLIENT_SECRET")? {
        builder = builder.client_credential(secret);
    }
    as_asked!(builder, options, secrets.variable);
    Ok(by(options, builder.build().map_err(setup)?))
}

async fn device_code(
    options: &Options,
    #[cfg_attr(not(feature = "proxy"), expect(unused_variables, reason = "it names the proxy"))]
    variable: &dyn Fn(&str) -> Option<String>,
    messages: &mut (dyn Write + Send),
) -> Result<Auth, String> {
    let client = client_id(options)?;
    let mut builder = match server(options) {
        None => DeviceCode::entra(tenant(options)?, client).protocols(protocols(options)),
        Some(server) => {
            let none = "this provider has no device code grant for mail";
            let url = server.device_authorization_url().ok_or(none)?;
            DeviceCode::builder(url, server.token_url(), client)
        }
    };
    as_asked!(builder, options, variable);
    let device = builder.build().map_err(setup)?;
    let mut prompt = device.start().await.map_err(|error| error.to_string())?;
    let _ = writeln!(messages, "{}", prompt.message());
    Ok(by(options, prompt.wait().await.map_err(|error| error.to_string())?))
}

async fn browser(
    options: &Options,
    secrets: &Secrets<'_>,
    messages: &mut (dyn Write + Send),
) -> Result<Auth, String> {
    let client = client_id(options)?;
    let mut builder = match (&options.authorization_url, &options.token_url, server(options)) {
        (Some(ask), Some(redeem), _) => AuthorizationCode::builder(ask, redeem, client),
        (None, None, Some(server)) => {
            AuthorizationCode::builder(server.authorization_url(), server.token_url(), client)
        }
        (None, None, None) => {
            AuthorizationCode::entra(tenant(options)?, client).protocols(protocols(options))
        }
        _ => return Err("--authorization-url and --token-url go together".to_owned()),
    };
    if let Some(secret) = secrets.of("MAIL_CLIENT_SECRET")? {
        builder = builder.client_credential(secret);
    }
    as_asked!(builder, options, secrets.variable);
    let begun = builder.build().map_err(setup)?.start().await.map_err(|error| error.to_string())?;
    let _ =
        writeln!(messages, "To sign in, open this in a browser on this machine: {}", begun.url());
    Ok(by(options, begun.finish().await.map_err(|error| error.to_string())?))
}

fn by(options: &Options, tokens: impl TokenProvider + 'static) -> Auth {
    match options.bearer {
        true => Auth::oauthbearer(&options.mailbox, tokens),
        false => Auth::xoauth2(&options.mailbox, tokens),
    }
}

/// Who runs the servers.
fn provider(options: &Options) -> Option<&'static Provider> {
    options.endpoints.first().and_then(Provider::of_endpoint)
}

/// Where tokens come from, if that is not Microsoft.
fn server(options: &Options) -> Option<&'static AuthorizationServer> {
    match provider(options)?.authority()? {
        Authority::Server(server) => Some(server),
        _ => None,
    }
}

fn cloud(options: &Options) -> Option<Cloud> {
    provider(options)?.cloud()
}

/// At other servers than Microsoft's; for those the crate knows what to ask for.
fn scope(options: &Options) -> Option<String> {
    server(options)?;
    let scopes: Vec<_> = protocols(options)
        .into_iter()
        .filter_map(|protocol| provider(options)?.scope(protocol, OnBehalf::User))
        .collect();
    let mut unlike: Vec<&str> = Vec::new();
    for scope in &scopes {
        if !unlike.contains(&scope.as_ref()) {
            unlike.push(scope);
        }
    }
    (!unlike.is_empty()).then(|| unlike.join(" "))
}

fn is_high_volume(options: &Options) -> bool {
    provider(options).is_some_and(|provider| provider.id() == "hve")
}

/// What the user is asked to consent to.
fn protocols(options: &Options) -> Vec<Protocol> {
    let mut protocols: Vec<_> = options.endpoints.iter().map(|it| it.protocol()).collect();
    protocols.sort_by_key(|protocol| protocol.name());
    protocols.dedup();
    protocols
}

fn tenant(options: &Options) -> Result<&str, String> {
    let known = match provider(options).and_then(Provider::authority) {
        Some(Authority::Entra { tenant, .. }) => tenant,
        _ => None,
    };
    let tenant = options.tenant.as_deref().or(known);
    tenant.ok_or_else(|| "--tenant is missing for this grant".to_owned())
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
                let text = String::from_utf8(super::contents(path)?);
                Some(text.map_err(|_| format!("{}: it is not UTF-8", path.display()))?)
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
