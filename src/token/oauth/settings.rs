//! What all grants can be told, checked before anything is sent.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::client::Client;
use super::credential::ClientCredential;
use super::event::Events;
use super::scope::ScopeRule;
use crate::provider::{Cloud, OnBehalf, gmail, outlook};
use crate::token::http::{HttpClient, UrlError, endpoint_url};
use crate::token::https::Direct;
use crate::token::store::{MemoryStore, TokenStore};
use crate::{Protocol, tls};

/// The settings of one application at one authorization server. Each grant's builder holds one; the
/// setters are made by the macros below.
pub(crate) struct Settings {
    pub(crate) server: Server,
    pub(crate) client_id: String,
    pub(crate) credential: Option<ClientCredential>,
    pub(crate) authority: Option<String>,
    pub(crate) cloud: Option<Cloud>,
    pub(crate) token_url: Option<String>,
    pub(crate) authorization_url: Option<String>,
    pub(crate) device_authorization_url: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) high_volume_email: bool,
    /// Entra's endpoints without `/v2.0`.
    pub(crate) version_1: bool,
    pub(crate) secret_in_body: Option<bool>,
    pub(crate) deadline: Duration,
    pub(crate) margin: Option<Duration>,
    pub(crate) tls: Option<tls::Config>,
    #[cfg(feature = "proxy")]
    pub(crate) proxy: Option<crate::net::proxy::Proxy>,
    pub(crate) http: Option<Arc<dyn HttpClient>>,
    pub(crate) events: Events,
    pub(crate) store: Option<(Arc<dyn TokenStore>, String)>,
}

/// The authorization servers whose URLs and scopes are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Server {
    Entra { tenant: String },
    Google,
    Other { token_url: String },
}

/// The tenant of all personal accounts.
pub(crate) const CONSUMERS: &str = outlook::TENANT;
const CONSUMERS_ID: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

impl Settings {
    const DEADLINE: Duration = Duration::from_secs(30);

    pub(crate) fn new(server: Server, client_id: String) -> Self {
        Self {
            server,
            client_id,
            credential: None,
            authority: None,
            cloud: None,
            token_url: None,
            authorization_url: None,
            device_authorization_url: None,
            scope: None,
            protocols: vec![Protocol::Imap, Protocol::Pop, Protocol::Smtp],
            high_volume_email: false,
            version_1: false,
            secret_in_body: None,
            deadline: Self::DEADLINE,
            margin: None,
            tls: None,
            #[cfg(feature = "proxy")]
            proxy: None,
            http: None,
            events: Events::default(),
            store: None,
        }
    }

    pub(crate) fn entra(tenant: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self::new(Server::Entra { tenant: tenant.into() }, client_id.into())
    }

    pub(crate) fn google(client_id: impl Into<String>) -> Self {
        Self::new(Server::Google, client_id.into())
    }

    pub(crate) fn other(token_url: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self::new(Server::Other { token_url: token_url.into() }, client_id.into())
    }

    pub(crate) fn with_credential(mut self, credential: impl Into<ClientCredential>) -> Self {
        self.credential = Some(credential.into());
        self
    }

    /// The checked client.
    pub(crate) fn client(&self, on_behalf: OnBehalf) -> Result<Client, SetupError> {
        if self.client_id.is_empty() {
            return Err(SetupError::NoClientId);
        }
        if self.credential.as_ref().is_some_and(ClientCredential::is_empty_secret) {
            return Err(SetupError::NoClientSecret);
        }
        #[cfg(feature = "proxy")]
        if let Some(proxy) = &self.proxy {
            proxy.check()?;
        }
        Ok(Client {
            token_url: self.checked_token_url()?,
            client_id: self.client_id.clone(),
            credential: self.credential.clone(),
            // Microsoft and Google document the form fields; elsewhere RFC 6749 section 2.3.1
            // makes every server support HTTP Basic and advises against the body.
            secret_in_body: self
                .secret_in_body
                .unwrap_or(!matches!(self.server, Server::Other { .. })),
            scope: self.scope_rule(on_behalf)?,
            deadline: self.deadline,
            margin: self.margin,
            http: self.http.clone().unwrap_or_else(|| Arc::new(self.own_http())),
            events: self.events.clone(),
        })
    }

    fn own_http(&self) -> Direct {
        let direct = Direct::new(self.tls.clone().unwrap_or_default());
        #[cfg(feature = "proxy")]
        let direct = direct.through(self.proxy.clone());
        direct
    }

    /// The store and the name under which this sign-in's tokens lie there; in memory by default.
    pub(crate) fn store(&self) -> (Arc<dyn TokenStore>, String) {
        match &self.store {
            Some((store, key)) => (store.clone(), key.clone()),
            None => (Arc::new(MemoryStore::default()), String::from("tokens")),
        }
    }

    /// Where users sign in in a browser.
    pub(crate) fn checked_authorization_url(&self) -> Result<String, SetupError> {
        let known = match (&self.authorization_url, &self.server) {
            (Some(url), _) => url.clone(),
            (None, Server::Entra { tenant }) => self.under_tenant(tenant, "authorize"),
            (None, Server::Google) => gmail::SERVER.authorization_url().into(),
            (None, Server::Other { .. }) => return Err(SetupError::NoAuthorizationUrl),
        };
        Ok(endpoint_url(&known).map(|_| known)?)
    }

    /// The authorization server's name for itself, where it is known. At Entra that is by the id of
    /// a tenant; what stands for many tenants, and a domain, have none.
    pub(crate) fn issuer(&self) -> Option<String> {
        match &self.server {
            _ if self.authorization_url.is_some() => None,
            Server::Google => gmail::SERVER.issuer().map(Into::into),
            Server::Entra { tenant } if self.authority.is_none() => {
                let tenant =
                    if tenant.eq_ignore_ascii_case(CONSUMERS) { CONSUMERS_ID } else { tenant };
                let authority = self.cloud.unwrap_or_default().authority();
                is_guid(tenant).then(|| format!("{authority}/{}/v2.0", tenant.to_ascii_lowercase()))
            }
            _ => None,
        }
    }

    /// Where device codes come from (RFC 8628 section 3.1).
    pub(crate) fn checked_device_authorization_url(&self) -> Result<String, SetupError> {
        let known = match (&self.device_authorization_url, &self.server) {
            (Some(url), _) => url.clone(),
            (None, Server::Entra { tenant }) => self.under_tenant(tenant, "devicecode"),
            (None, Server::Google) => gmail::SERVER
                .device_authorization_url()
                .ok_or(SetupError::NoDeviceAuthorizationUrl)?
                .into(),
            (None, Server::Other { .. }) => return Err(SetupError::NoDeviceAuthorizationUrl),
        };
        self.asked(known)
    }

    /// Entra answers AADSTS9001023 to names that stand for many tenants where a grant needs one.
    pub(crate) fn one_tenant(&self) -> Result<(), SetupError> {
        self.no_tenant_of(&["common", "organizations", CONSUMERS, CONSUMERS_ID], "this grant")
    }

    /// For the password grant, `organizations` finds the tenant by the user's name.
    pub(crate) fn tenant_for_passwords(&self) -> Result<(), SetupError> {
        self.no_tenant_of(&["common", CONSUMERS, CONSUMERS_ID], "the password grant")
    }

    pub(crate) fn no_tenant_of(
        &self,
        many: &[&str],
        grant: &'static str,
    ) -> Result<(), SetupError> {
        match &self.server {
            Server::Entra { tenant } if many.iter().any(|one| tenant.eq_ignore_ascii_case(one)) => {
                Err(SetupError::ManyTenants { grant, tenant: tenant.clone() })
            }
            _ => Ok(()),
        }
    }

    fn checked_token_url(&self) -> Result<String, SetupError> {
        let url = match (&self.token_url, &self.server) {
            (_, Server::Other { .. } | Server::Google)
                if self.authority.is_some() || self.cloud.is_some() =>
            {
                return Err(SetupError::AuthorityWithoutTenant);
            }
            (Some(url), _) | (None, Server::Other { token_url: url }) => url.clone(),
            (None, Server::Google) => gmail::SERVER.token_url().into(),
            (None, Server::Entra { tenant }) => {
                check_tenant_name(tenant)?;
                self.under_tenant(tenant, "token")
            }
        };
        self.asked(url)
    }

    /// The URL, if requests may go there.
    fn asked(&self, url: String) -> Result<String, SetupError> {
        let parsed = endpoint_url(&url)?;
        match parsed.scheme() {
            #[cfg(feature = "proxy")]
            "http" if self.proxy.is_some() && self.http.is_none() => {
                Err(UrlError::ClearThroughProxy { url }.into())
            }
            _ => Ok(url),
        }
    }

    fn under_tenant(&self, tenant: &str, endpoint: &str) -> String {
        let cloud = self.cloud.unwrap_or_default().authority();
        let authority = self.authority.as_deref().unwrap_or(cloud).trim_end_matches('/');
        let version = if self.version_1 { "" } else { "v2.0/" };
        format!("{authority}/{tenant}/oauth2/{version}{endpoint}")
    }

    fn scope_rule(&self, on_behalf: OnBehalf) -> Result<ScopeRule, SetupError> {
        let of_authority = || self.authority.as_deref().map(Cloud::of_authority);
        let cloud = || self.cloud.or_else(of_authority).unwrap_or_default();
        Ok(match (&self.scope, &self.server, on_behalf) {
            (Some(resource), ..) if self.version_1 => ScopeRule::Resource(resource.clone()),
            (Some(scope), ..) => {
                ScopeRule::Fixed(scope.split_whitespace().collect::<Vec<_>>().join(" "))
            }
            (None, Server::Other { .. }, _) => ScopeRule::Fixed(String::new()),
            (None, Server::Google, _) => ScopeRule::Gmail,
            (None, Server::Entra { .. }, OnBehalf::Application) => {
                ScopeRule::Application { cloud: cloud() }
            }
            (None, Server::Entra { .. }, OnBehalf::User) if self.protocols.is_empty() => {
                return Err(SetupError::NoProtocol);
            }
            (None, Server::Entra { .. }, OnBehalf::User) if self.version_1 => {
                ScopeRule::Resource(cloud().application_resource().into())
            }
            (None, Server::Entra { .. }, OnBehalf::User) => ScopeRule::Delegated {
                cloud: cloud(),
                protocols: self.protocols.clone(),
                high_volume_email: self.high_volume_email,
            },
        })
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("server", &self.server)
            .field("client_id", &self.client_id)
            .field("credential", &self.credential)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// A GUID, a domain name or one of Entra's words, and nothing that could change the path it is put
/// into.
pub(crate) fn check_tenant_name(tenant: &str) -> Result<(), SetupError> {
    let fits = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.');
    if tenant.is_empty() || tenant.starts_with('.') || !tenant.bytes().all(fits) {
        return Err(SetupError::NotATenant { tenant: tenant.into() });
    }
    Ok(())
}

fn is_guid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|c| c == b'-' || c.is_ascii_hexdigit())
}

/// Settings with which no token can be had. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The tenant stands for many, or for personal accounts.
    #[error(
        "{grant} belongs to one tenant, and `{tenant}` is none (Entra would answer \
         AADSTS9001023): give the tenant's id or one of its verified domains"
    )]
    ManyTenants {
        /// The grant that needs one tenant.
        grant: &'static str,
        /// What was given.
        tenant: String,
    },
    /// The tenant is empty, or neither a GUID nor a domain name.
    #[error("`{tenant}` is not a tenant: give its id or one of its verified domains")]
    NotATenant {
        /// What was given.
        tenant: String,
    },
    /// An authority or a cloud was set, but the server is not Entra.
    #[error("an authority or cloud needs a tenant: set it on `entra`, or give the whole token URL")]
    AuthorityWithoutTenant,
    /// The client id is empty.
    #[error("the client id is empty")]
    NoClientId,
    /// The client secret is empty.
    #[error("the client secret is empty")]
    NoClientSecret,
    /// The user name or password is empty.
    #[error("the user name or password is empty")]
    NoPassword,
    /// The refresh token, or the user's token to act on behalf of, is empty.
    #[error("the token to be exchanged is empty")]
    NoToken,
    /// A sign-in for no protocol at all.
    #[error("no protocol to sign in for: name at least one in `protocols`")]
    NoProtocol,
    /// Users sign in in a browser, but it is not known where.
    #[error("the server's authorization endpoint is not known: set `authorization_url`")]
    NoAuthorizationUrl,
    /// Device codes are asked for, but it is not known where.
    #[error("the server's device authorization endpoint is not known: set its URL")]
    NoDeviceAuthorizationUrl,
    /// The key of a service account cannot be read.
    #[error("the key of the service account: {0}")]
    ServiceAccount(String),
    /// The environment does not say how to reach the managed identity.
    #[error("{0}")]
    ManagedIdentity(String),
    /// The settings of the proxy cannot work.
    #[cfg(feature = "proxy")]
    #[cfg_attr(docsrs, doc(cfg(feature = "proxy")))]
    #[error(transparent)]
    Proxy(#[from] crate::net::proxy::SetupError),
    /// The token endpoint's URL is no place for a secret.
    #[error(transparent)]
    Url(#[from] UrlError),
}

/// The setters that every grant has, for a builder with a field `settings`.
macro_rules! request_settings {
    () => {
        /// Asks for this scope instead, for every endpoint; several are separated by spaces. All of
        /// them belong to one resource: Entra refuses a request that names two.
        pub fn scope(mut self, scope: impl Into<String>) -> Self {
            self.settings.scope = Some(scope.into());
            self
        }

        /// How long one request may take as a whole; 30 seconds by default.
        pub const fn deadline(mut self, deadline: std::time::Duration) -> Self {
            self.settings.deadline = deadline;
            self
        }

        /// See [`Cached::with_margin`](crate::token::Cached::with_margin).
        pub const fn margin(mut self, margin: std::time::Duration) -> Self {
            self.settings.margin = Some(margin);
            self
        }

        /// Whom to trust for requests. By default the authorities that browsers trust. Of no use
        /// together with [`http`](Self::http).
        pub fn tls(mut self, config: $crate::tls::Config) -> Self {
            self.settings.tls = Some(config);
            self
        }

        /// Sends requests with this HTTP client instead of the crate's own.
        pub fn http(mut self, client: impl $crate::token::http::HttpClient + 'static) -> Self {
            self.settings.http = Some(std::sync::Arc::new(client));
            self
        }

        /// Calls this function for everything that happens, for an application's own metrics. It is
        /// called on the task that asks for a token, and should be quick.
        pub fn on_event(
            mut self,
            listener: impl Fn(&$crate::token::TokenEvent) + Send + Sync + 'static,
        ) -> Self {
            self.settings.events = $crate::token::oauth::event::Events::new(listener);
            self
        }
    };
}

/// The setter of grants whose requests may go far. A machine's identity service answers next door,
/// and must not be asked through a proxy.
macro_rules! proxy_setting {
    () => {
        /// Sends requests through this proxy. TLS is with the server, whose certificate is checked
        /// as without. Of no use together with [`http`](Self::http).
        #[cfg(feature = "proxy")]
        #[cfg_attr(docsrs, doc(cfg(feature = "proxy")))]
        pub fn proxy(mut self, proxy: $crate::net::proxy::Proxy) -> Self {
            self.settings.proxy = Some(proxy);
            self
        }
    };
}

/// The setters of grants at an authorization server that has clients.
macro_rules! client_settings {
    () => {
        $crate::token::oauth::settings::request_settings!();
        $crate::token::oauth::settings::proxy_setting!();

        /// Another of Microsoft's clouds: its authority, and its name of Exchange in scopes.
        pub const fn cloud(mut self, cloud: $crate::token::Cloud) -> Self {
            self.settings.cloud = Some(cloud);
            self
        }

        /// Another Entra authority, to which the tenant is appended:
        /// `https://login.microsoftonline.us` for instance, which [`cloud`](Self::cloud) knows.
        pub fn authority(mut self, url: impl Into<String>) -> Self {
            self.settings.authority = Some(url.into());
            self
        }

        /// Another URL of the token endpoint.
        pub fn token_url(mut self, url: impl Into<String>) -> Self {
            self.settings.token_url = Some(url.into());
            self
        }

        /// Sends a client secret as a form field (true; the default for Entra and Google) or by
        /// HTTP Basic authentication (false; the default elsewhere).
        pub const fn secret_in_body(mut self, in_body: bool) -> Self {
            self.settings.secret_in_body = Some(in_body);
            self
        }
    };
}

/// The setters of grants by which a user signs in.
macro_rules! user_settings {
    () => {
        $crate::token::oauth::settings::client_settings!();

        /// Asks for access by these protocols; by default all three, so that the user signs in
        /// once. At Google there is one permission for all.
        pub fn protocols(mut self, protocols: impl IntoIterator<Item = $crate::Protocol>) -> Self {
            self.settings.protocols = protocols.into_iter().collect();
            self
        }

        /// Signs in the mail user of High Volume Email, whose token is for another permission.
        pub const fn high_volume_email(mut self) -> Self {
            self.settings.high_volume_email = true;
            self
        }

        /// The application's own credential, if it is registered as a confidential client. A
        /// program on users' machines has none: it could not keep it.
        pub fn client_credential(
            mut self,
            credential: impl Into<$crate::token::ClientCredential>,
        ) -> Self {
            self.settings.credential = Some(credential.into());
            self
        }

        /// Keeps the tokens in this store under this key, so that the user need not sign in again
        /// after a restart. By default they are kept in memory.
        ///
        /// One key is one user's sign-in of one application: the user's address, for instance.
        pub fn store(
            mut self,
            store: impl $crate::token::store::TokenStore + 'static,
            key: impl Into<String>,
        ) -> Self {
            self.settings.store = Some((std::sync::Arc::new(store), key.into()));
            self
        }
    };
}

pub(crate) use {client_settings, proxy_setting, request_settings, user_settings};

#[cfg(test)]
mod tests {
    use super::*;

    fn client(settings: &Settings) -> Result<Client, SetupError> {
        settings.client(OnBehalf::User)
    }

    #[test]
    fn urls_follow_server_tenant_and_cloud() {
        let mut entra = Settings::entra("contoso.example", "app");
        assert_eq!(
            client(&entra).unwrap().token_url,
            "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token"
        );
        entra.cloud = Some(Cloud::China);
        assert_eq!(
            entra.checked_device_authorization_url().unwrap(),
            "https://login.partner.microsoftonline.cn/contoso.example/oauth2/v2.0/devicecode"
        );
        entra.authority = Some("https://login.chinacloudapi.cn/".into());
        entra.cloud = None;
        assert_eq!(
            entra.checked_authorization_url().unwrap(),
            "https://login.chinacloudapi.cn/contoso.example/oauth2/v2.0/authorize"
        );
        let scope = client(&entra).unwrap().scope.at_sign_in().into_owned();
        assert!(scope.starts_with("https://partner.outlook.cn/IMAP.AccessAsUser.All "), "{scope}");
        let google = Settings::google("app");
        assert_eq!(client(&google).unwrap().token_url, "https://oauth2.googleapis.com/token");
        assert_eq!(client(&google).unwrap().scope.at_sign_in(), "https://mail.google.com/");
        let other = Settings::other("https://login.example/token", "app");
        assert_eq!(other.checked_authorization_url(), Err(SetupError::NoAuthorizationUrl));
    }

    #[test]
    fn a_tenant_is_an_id_or_a_domain_or_a_word_of_entras() {
        for tenant in ["", "..", "contoso/../common", "a?b", "contoso.example "] {
            let error = client(&Settings::entra(tenant, "a")).err();
            assert_eq!(error, Some(SetupError::NotATenant { tenant: tenant.into() }));
        }
        for tenant in ["common", "consumers", "72f988bf-86f1-41af-91ab-2d7cd011db47"] {
            assert!(client(&Settings::entra(tenant, "a")).is_ok(), "{tenant}");
        }
    }

    #[cfg(feature = "proxy")]
    #[test]
    fn through_a_proxy_go_neither_clear_text_nor_what_the_proxy_cannot_take() {
        use crate::net::proxy::{self, Proxy};

        let mut local = Settings::other("http://127.0.0.1:8080/token", "a");
        assert!(client(&local).is_ok());
        local.proxy = Some(Proxy::http("127.0.0.1", 3128));
        let refused = client(&local).err();
        assert!(
            matches!(refused, Some(SetupError::Url(UrlError::ClearThroughProxy { .. }))),
            "{refused:?}"
        );
        local.device_authorization_url = Some("http://127.0.0.1:8080/device".into());
        assert!(local.checked_device_authorization_url().is_err());
        // Where the user's browser goes is not asked through the proxy.
        local.authorization_url = Some("http://127.0.0.1:8080/auth".into());
        assert!(local.checked_authorization_url().is_ok());

        let mut remote = Settings::other("https://login.example/token", "a");
        remote.proxy = Some(Proxy::socks5("a b", 1080));
        let expected = SetupError::Proxy(proxy::SetupError::Host("a b".into()));
        assert_eq!(client(&remote).err(), Some(expected));
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let url = "https://login.example/token";
        assert_eq!(client(&Settings::other(url, "")).err(), Some(SetupError::NoClientId));
        let without = Settings::other(url, "a").with_credential("");
        assert_eq!(client(&without).err(), Some(SetupError::NoClientSecret));
        let clear = client(&Settings::other("http://login.example/token", "a")).err();
        assert!(matches!(clear, Some(SetupError::Url(UrlError::Clear { .. }))), "{clear:?}");
        let mut homeless = Settings::other(url, "a");
        homeless.authority = Some("https://b.example".into());
        assert_eq!(client(&homeless).err(), Some(SetupError::AuthorityWithoutTenant));
        let mut silent = Settings::entra("contoso.example", "a");
        silent.protocols.clear();
        assert_eq!(client(&silent).err(), Some(SetupError::NoProtocol));
    }
}
