//! From an endpoint and credentials to a client: the same road for the three protocols.
//!
//! ```text
//!   token ──► dial ──► TLS ──► greeting … SASL … probe ──► client
//!     ▲                 ▲                  │
//!     │                 └── STARTTLS ◄─────┤  initial response too long: once, in two steps
//!     └── rejected() ◄─────────────────────┘  the token was refused: once, with a new token
//! ```

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::auth::{Auth, Credentials, Login, Password, TokenMechanism, Verdict};
use crate::danger::LoopbackOnly;
use crate::misuse::Misuse;
#[cfg(feature = "proxy")]
use crate::net::proxy::Proxy;
use crate::net::tls::HandshakeError;
use crate::net::{self, Connection, Dial, Stream, Tcp};
use crate::sasl::{self, InputError};
use crate::token::{AccessToken, Purpose, Rejection, TokenError, TokenProvider, TokenRequest};
use crate::wirelog::{Dialogue, Recorder};
use crate::{Endpoint, Limits, Protocol, Security, Stage, Timeouts, tls};

/// One of the three clients. Not to be implemented elsewhere. `C::Error` is the error of its
/// protocol.
pub trait Client: Establish {}

/// Connects a client again and again with the same settings: what lives in a service's struct.
///
/// Made by the client's `builder`. `Clone + Send + Sync + 'static`; a clone shares credentials,
/// roots and dialler.
///
/// # Example
/// ```
/// use mailbearer::{Auth, Connector, ImapClient, imap, provider::microsoft365, token::StaticToken};
///
/// struct Watcher {
///     inbox: Connector<ImapClient>,
/// }
///
/// impl Watcher {
///     fn new(tokens: StaticToken) -> Self {
///         let inbox = ImapClient::builder(microsoft365::imap())
///             .auth(Auth::xoauth2("billing@contoso.example", tokens));
///         Self { inbox }
///     }
///
///     async fn look(&self) -> Result<(), imap::Error> {
///         let mut client = self.inbox.connect().await?;
///         client.select("INBOX").await?;
///         client.logout().await
///     }
/// }
/// ```
pub struct Connector<C> {
    auth: Option<Auth>,
    settings: Settings,
    client: PhantomData<fn() -> C>,
}

/// What a connection is made with, but for the credentials.
#[expect(unnameable_types, reason = "it seals `Client`")]
#[derive(Clone)]
pub struct Settings {
    pub(crate) endpoint: Endpoint,
    pub(crate) tls: Option<tls::Config>,
    pub(crate) timeouts: Timeouts,
    pub(crate) limits: Limits,
    pub(crate) dial: Arc<dyn Dial>,
    #[cfg(feature = "proxy")]
    pub(crate) proxy: Option<Proxy>,
    pub(crate) ehlo_name: Option<Arc<str>>,
    pub(crate) id: Vec<(String, String)>,
    pub(crate) recorder: Option<Recorder>,
    /// What `recorder` keeps of the connection that is being opened.
    pub(crate) dialogue: Option<Dialogue>,
    /// Who follows how it is opened.
    pub(crate) watch: Option<Arc<dyn Watch>>,
    #[cfg(feature = "compress")]
    pub(crate) compress: bool,
}

/// Follows a connection that is being opened.
pub(crate) trait Watch: Send + Sync {
    /// It came so far. False if that is far enough.
    fn reached(&self, milestone: Milestone) -> bool;
}

/// How far a connection has come.
#[derive(Debug)]
#[cfg_attr(not(feature = "diagnosis"), expect(dead_code, reason = "nobody follows"))]
pub(crate) enum Milestone {
    /// It is open, to this address if that is known.
    Dialled(Option<SocketAddr>),
    /// TLS protects it, in this version.
    Secured(&'static str),
    /// The server has said this.
    Greeted(String),
    /// The server offers this, and will be asked for nothing but the login from here on.
    Offered(String),
}

impl Settings {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            tls: None,
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            dial: Arc::new(Tcp::default()),
            #[cfg(feature = "proxy")]
            proxy: None,
            ehlo_name: None,
            id: Vec::new(),
            recorder: None,
            dialogue: None,
            watch: None,
            #[cfg(feature = "compress")]
            compress: false,
        }
    }

    /// Tells whoever follows, if somebody does.
    ///
    /// # Errors
    /// This is as far as it was to go.
    pub(crate) fn reached(&self, milestone: impl FnOnce() -> Milestone) -> Result<(), Obstacle> {
        match &self.watch {
            Some(watch) if !watch.reached(milestone()) => Err(Misuse::NoAuth.into()),
            _ => Ok(()),
        }
    }

    /// For the recording, if there is one.
    fn note(&self, what: impl FnOnce(&Dialogue)) {
        if let Some(dialogue) = &self.dialogue {
            what(dialogue);
        }
    }
}

impl<C: Client> Connector<C> {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self { auth: None, settings: Settings::new(endpoint), client: PhantomData }
    }

    /// Who logs in, and with what. There is no default.
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = Some(auth);
        self
    }

    /// Whom to trust. By default the authorities that browsers trust.
    pub fn tls(mut self, config: tls::Config) -> Self {
        self.settings.tls = Some(config);
        self
    }

    /// Deadlines.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.settings.timeouts = timeouts;
        self
    }

    /// How much is taken from the server.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// How to reach the server, or its proxy. By default [`Tcp`].
    pub fn dial(mut self, dial: impl Dial + 'static) -> Self {
        self.settings.dial = Arc::new(dial);
        self
    }

    /// Connects through this proxy. TLS is with the server, and its certificate is checked as
    /// without. [`Timeouts::dial`] bounds what the proxy does as well; endpoints in clear text are
    /// refused. Token requests are not affected: their builders have a `proxy` of their own.
    #[cfg(feature = "proxy")]
    #[cfg_attr(docsrs, doc(cfg(feature = "proxy")))]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.settings.proxy = Some(proxy);
        self
    }

    /// The name given in SMTP's EHLO: a domain, or an address literal such as `[192.0.2.1]`. By
    /// default `[127.0.0.1]`, since a client behind a router has no name of its own (RFC 5321
    /// section 4.1.4). Of no use to IMAP and POP3.
    pub fn ehlo_name(mut self, name: &str) -> Self {
        self.settings.ehlo_name = Some(name.into());
        self
    }

    /// What IMAP's ID tells the server (RFC 2971), as pairs such as `("name", "billing-robot")`.
    /// By default it is sent only to servers that demand it. Of no use to SMTP and POP3. Connecting
    /// is [`Misuse`] if there are more than 30 pairs, one of them twice, a name has more than 30 octets
    /// or a value more than 1,024 (section 3.3).
    pub fn id<'a>(mut self, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let fields = fields.into_iter();
        self.settings.id = fields.map(|(name, value)| (name.into(), value.into())).collect();
        self
    }

    /// Has the dialogues of its connections recorded, without secrets and private words; see
    /// [`wirelog`](crate::wirelog).
    pub fn record(mut self, recorder: Recorder) -> Self {
        self.settings.recorder = Some(recorder);
        self
    }

    /// Has IMAP connections compressed behind the login, where the server offers it: see
    /// [`ImapClient::compress`](crate::ImapClient::compress). It costs one round trip. If the server
    /// refuses, the connection goes on without. Of no use to SMTP and POP3.
    #[cfg(feature = "compress")]
    #[cfg_attr(docsrs, doc(cfg(feature = "compress")))]
    pub fn compress(mut self, compress: bool) -> Self {
        self.settings.compress = compress;
        self
    }

    /// Where it connects to.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.settings.endpoint
    }

    /// What is known of every connection it makes, for [`Diagnosis::with`](crate::Diagnosis::with):
    /// the endpoint and the mailbox. Add the token by
    /// [`Context::with_token`](crate::diagnosis::Context::with_token).
    #[cfg(feature = "diagnosis")]
    #[cfg_attr(docsrs, doc(cfg(feature = "diagnosis")))]
    pub fn context(&self) -> crate::diagnosis::Context {
        let context =
            crate::diagnosis::Context::new().with_endpoint(self.settings.endpoint.clone());
        match self.auth.as_ref().map(Auth::credentials) {
            Some(Credentials::Token { mailbox, .. }) => context.with_mailbox(mailbox),
            Some(Credentials::Password(password)) => context.with_mailbox(password.user()),
            None => context,
        }
    }

    /// Connects and logs in.
    ///
    /// If the server refuses the token itself, the provider's
    /// [`rejected`](crate::TokenProvider::rejected) is called, it is asked for another token, and
    /// the login is tried once more on a new connection; not if the provider gives the same token
    /// again, and not if anything but the token was refused. At most three connections are opened.
    ///
    /// # Errors
    /// The stage of the error says how far it came; a refused login quotes the server.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection; the server may have seen the login.
    pub async fn connect(&self) -> Result<C, C::Error> {
        let Some(auth) = &self.auth else {
            return Err(Obstacle::from(Misuse::NoAuth).into());
        };
        connect(&self.settings, auth.credentials()).await
    }
}

impl<C> Clone for Connector<C> {
    fn clone(&self) -> Self {
        Self { auth: self.auth.clone(), settings: self.settings.clone(), client: PhantomData }
    }
}

impl<C> fmt::Debug for Connector<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("endpoint", &self.settings.endpoint)
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}

pub(crate) mod establish {
    use super::{Login, Obstacle, Protocol, Settings, Stream, Verdict};
    use crate::Failure;

    /// What the road needs of a protocol. In a private module, so that nobody else can be a
    /// [`Client`](super::Client).
    #[expect(unnameable_types, reason = "it seals `Client`")]
    pub trait Establish: Sized + Send + 'static {
        /// The error of the protocol.
        type Error: Failure + From<Obstacle> + Judge;

        /// What the client speaks.
        const PROTOCOL: Protocol;

        /// Looks at what only this protocol will send, before anything is sent.
        fn check(_: &Settings) -> Result<(), crate::Misuse> {
            Ok(())
        }

        /// Asks for TLS on a clear-text stream and gives the stream back, ready for the handshake.
        fn start_tls(
            stream: Box<dyn Stream>,
            settings: &Settings,
        ) -> impl Future<Output = Result<Box<dyn Stream>, Self::Error>> + Send;

        /// From the first octet of a protected stream to a client that is logged in.
        fn open(
            stream: Box<dyn Stream>,
            protection: Protection,
            settings: &Settings,
            login: Login,
        ) -> impl Future<Output = Result<Self, Self::Error>> + Send;
    }

    /// What a failed attempt means for the next.
    #[expect(unnameable_types, reason = "it seals `Client`")]
    pub trait Judge {
        /// What to do about it.
        fn verdict(&self) -> Verdict;

        /// Notes in the error that a new token was refused as well.
        fn mark_refreshed(&mut self);

        /// Notes in an error that is about the login what was known of it.
        #[cfg(feature = "diagnosis")]
        fn know(&mut self, context: impl FnOnce() -> crate::diagnosis::Context);
    }

    /// What was done to the stream before the protocol begins on it.
    #[expect(unnameable_types, reason = "it seals `Client`")]
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Protection {
        /// The greeting was read before TLS (SMTP, POP3 and IMAP do not repeat it).
        pub greeted: bool,
        /// Secrets may be written: TLS, or clear text to this very machine by the user's wish.
        pub confidential: bool,
    }
}

pub(crate) use establish::{Establish, Judge, Protection};

/// What stands in the way before the protocol has its say.
#[expect(unnameable_types, reason = "it seals `Client`")]
#[derive(Debug)]
pub enum Obstacle {
    /// The network.
    Net(Stage, net::Error),
    /// No token.
    Token(TokenError),
    /// The call.
    Misuse(Misuse),
}

impl From<Misuse> for Obstacle {
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}

impl From<TokenError> for Obstacle {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

/// The ways in that the three clients have in common.
macro_rules! ways_in {
    ($client:ident, $error:ident) => {
        impl $client {
            /// A connector, which connects again and again with the same settings.
            pub fn builder(endpoint: $crate::Endpoint) -> $crate::Connector<Self> {
                $crate::Connector::new(endpoint)
            }

            /// Connects, and logs in to `mailbox` by XOAUTH2 with a token of `tokens`. Defaults for
            /// all else; see [`builder`](Self::builder) to change them.
            ///
            /// # Errors
            /// See [`Connector::connect`]($crate::Connector::connect).
            ///
            /// # Cancel safety
            /// Dropping the future closes the connection; the server may have seen the login.
            pub async fn connect_xoauth2(
                endpoint: $crate::Endpoint,
                mailbox: impl Into<String>,
                tokens: &dyn $crate::TokenProvider,
            ) -> Result<Self, $error> {
                let mechanism = $crate::auth::TokenMechanism::Xoauth2;
                $crate::connector::by_token(endpoint, mechanism, &mailbox.into(), tokens).await
            }

            /// The same by OAUTHBEARER (RFC 7628), the standard's mechanism. Microsoft does not
            /// offer it.
            ///
            /// # Errors
            /// See [`Connector::connect`]($crate::Connector::connect).
            ///
            /// # Cancel safety
            /// Dropping the future closes the connection; the server may have seen the login.
            pub async fn connect_oauthbearer(
                endpoint: $crate::Endpoint,
                mailbox: impl Into<String>,
                tokens: &dyn $crate::TokenProvider,
            ) -> Result<Self, $error> {
                let mechanism = $crate::auth::TokenMechanism::OauthBearer;
                $crate::connector::by_token(endpoint, mechanism, &mailbox.into(), tokens).await
            }
        }
    };
}

pub(crate) use ways_in;

/// Connects with a borrowed provider, and defaults for all else.
pub(crate) async fn by_token<C: Establish>(
    endpoint: Endpoint,
    mechanism: TokenMechanism,
    mailbox: &str,
    provider: &dyn TokenProvider,
) -> Result<C, C::Error> {
    let credentials = Credentials::Token { mechanism, mailbox, vendor: None, provider };
    connect(&Settings::new(endpoint), credentials).await
}

/// At most this many connections are opened for one client: one whose initial response was too
/// long, one whose token was refused, and one more.
const DIALS: usize = 3;

/// The road from settings and credentials to a client.
pub(crate) async fn connect<C: Establish>(
    settings: &Settings,
    credentials: Credentials<'_>,
) -> Result<C, C::Error> {
    let endpoint = &settings.endpoint;
    if endpoint.protocol() != C::PROTOCOL {
        let misuse = Misuse::WrongProtocol { client: C::PROTOCOL, endpoint: endpoint.protocol() };
        return Err(Obstacle::from(misuse).into());
    }
    C::check(settings).map_err(Obstacle::from)?;
    #[cfg(feature = "proxy")]
    if let Some(proxy) = &settings.proxy {
        check_proxy(proxy, endpoint).map_err(Obstacle::from)?;
    }
    let Some(recorder) = &settings.recorder else {
        return connect_unrecorded(settings, credentials).await;
    };
    let dialogue = recorder.begin(endpoint, &credentials);
    let settings = Settings { dialogue: Some(dialogue.clone()), ..settings.clone() };
    let connected = connect_unrecorded(&settings, credentials).await;
    match &connected {
        Ok(_) => dialogue.connected(),
        Err(error) => dialogue.failed(error),
    }
    connected
}

/// The same, of which all but the beginning and the end is recorded where it happens.
async fn connect_unrecorded<C: Establish>(
    settings: &Settings,
    credentials: Credentials<'_>,
) -> Result<C, C::Error> {
    let mut attempts = Attempts::begin(settings, credentials).await?;
    loop {
        let mut error = match attempt::<C>(settings, attempts.login()?).await {
            Ok(client) => return Ok(client),
            Err(error) => error,
        };
        let may_dial = attempts.made < DIALS;
        if !attempts.again(&mut error, may_dial).await {
            return Err(error);
        }
    }
}

/// The attempts to log in with the same credentials: each on a connection of its own, or all on one
/// that is open.
pub(crate) struct Attempts<'a> {
    settings: &'a Settings,
    bearer: Bearer<'a>,
    /// The initial response proved too long for the line of the command.
    two_step: bool,
    /// The first token was refused and replaced.
    refreshed: bool,
    made: usize,
}

impl<'a> Attempts<'a> {
    pub(crate) async fn begin(
        settings: &'a Settings,
        credentials: Credentials<'a>,
    ) -> Result<Self, Obstacle> {
        let bearer = Bearer::obtain(settings, credentials).await?;
        Ok(Self { settings, bearer, two_step: false, refreshed: false, made: 0 })
    }

    /// The next login to be tried.
    pub(crate) fn login(&mut self) -> Result<Login, Obstacle> {
        let session = self.bearer.session(&self.settings.endpoint).map_err(Misuse::from)?;
        self.made += 1;
        Ok(Login { session, two_step: self.two_step })
    }

    /// Whether to try once more, with what has changed since. A refused token is reported to its
    /// provider and replaced, once; where there `may` be no other attempt it is only reported.
    pub(crate) async fn again<E: Judge>(&mut self, error: &mut E, may: bool) -> bool {
        let again = match error.verdict() {
            Verdict::TwoStep => !std::mem::replace(&mut self.two_step, true),
            Verdict::TokenRefused(_) if self.refreshed => {
                error.mark_refreshed();
                false
            }
            Verdict::TokenRefused(why) if may => {
                self.refreshed = self.bearer.replace(self.settings, why).await;
                self.refreshed
            }
            Verdict::TokenRefused(why) => {
                self.bearer.report(self.settings, why).await;
                false
            }
            Verdict::Final => false,
        };
        let again = again && may;
        #[cfg(feature = "diagnosis")]
        if !again {
            error.know(|| self.bearer.context(&self.settings.endpoint));
        }
        again
    }
}

/// Credentials with what they currently amount to.
enum Bearer<'a> {
    Token {
        mechanism: TokenMechanism,
        mailbox: &'a str,
        vendor: Option<&'a str>,
        provider: &'a dyn TokenProvider,
        token: AccessToken,
    },
    Password(Password<'a>),
}

impl<'a> Bearer<'a> {
    /// Before the first octet goes out: a server does not wait while a token is fetched.
    async fn obtain(settings: &Settings, credentials: Credentials<'a>) -> Result<Self, Obstacle> {
        Ok(match credentials {
            Credentials::Token { mechanism, mailbox, vendor, provider } => {
                let request = TokenRequest::new(settings.endpoint.clone(), mailbox);
                let token = fetch(settings, provider, &request).await?;
                settings.note(|dialogue| dialogue.credential(token.expose().len()));
                Self::Token { mechanism, mailbox, vendor, provider, token }
            }
            Credentials::Password(password) => {
                settings.note(|dialogue| dialogue.credential(password.octets()));
                Self::Password(password)
            }
        })
    }

    fn session(&self, endpoint: &Endpoint) -> Result<sasl::Session, InputError> {
        match self {
            Self::Token { mechanism, mailbox, vendor, token, .. } => {
                mechanism.session(endpoint, mailbox, *vendor, token)
            }
            Self::Password(password) => password.session(),
        }
    }

    /// What there is to be known of a login that was refused.
    #[cfg(feature = "diagnosis")]
    fn context(&self, endpoint: &Endpoint) -> crate::diagnosis::Context {
        let context = crate::diagnosis::Context::new()
            .with_endpoint(endpoint.clone())
            .at(std::time::SystemTime::now());
        match self {
            Self::Token { mailbox, token, .. } => context.with_mailbox(mailbox).with_token(token),
            Self::Password(password) => context.with_mailbox(password.user()),
        }
    }

    /// Tells the provider of the refusal. False if there is none, or it takes too long.
    async fn report(&self, settings: &Settings, why: Rejection) -> bool {
        let Self::Token { provider, token, .. } = self else { return false };
        let limit = settings.timeouts.token;
        tokio::time::timeout(limit, provider.rejected(token, why)).await.is_ok()
    }

    /// Reports the refusal and asks for another token. False if there is none: the refusal then
    /// says more than a failure to get another token would.
    async fn replace(&mut self, settings: &Settings, why: Rejection) -> bool {
        if !self.report(settings, why).await {
            return false;
        }
        let Self::Token { mailbox, provider, token, .. } = self else { return false };
        let request =
            TokenRequest::new(settings.endpoint.clone(), *mailbox).with_purpose(Purpose::Retry);
        match fetch(settings, *provider, &request).await {
            Ok(other) if !other.same(token) => {
                *token = other;
                settings.note(|dialogue| dialogue.credential(token.expose().len()));
                true
            }
            _ => false,
        }
    }
}

/// A token that can be sent, within the time allowed.
pub(crate) async fn fetch(
    settings: &Settings,
    provider: &dyn TokenProvider,
    request: &TokenRequest,
) -> Result<AccessToken, Obstacle> {
    let limit = settings.timeouts.token;
    let token = tokio::time::timeout(limit, provider.token(request))
        .await
        .map_err(|_| Obstacle::Net(Stage::Token, net::Error::Deadline { after: limit }))??;
    token.check().map_err(TokenError::from)?;
    Ok(token)
}

/// One connection, from dialling to login.
async fn attempt<C: Establish>(settings: &Settings, login: Login) -> Result<C, C::Error> {
    settings.note(Dialogue::dial);
    let connection = dial(settings).await?;
    let peer = connection.peer;
    settings.reached(|| Milestone::Dialled(peer))?;
    let (stream, protection) = match settings.endpoint.security() {
        Security::ImplicitTls => {
            let stream = handshake(settings, connection).await?;
            (stream, Protection { greeted: false, confidential: true })
        }
        Security::StartTls => {
            let stream = C::start_tls(connection.stream, settings).await?;
            let stream = handshake(settings, Connection { stream, peer }).await?;
            (stream, Protection { greeted: true, confidential: true })
        }
        Security::ClearText(LoopbackOnly { .. }) => {
            // The address, not the name: a name may lead anywhere.
            if !peer.is_some_and(|peer| peer.ip().is_loopback()) {
                return Err(Obstacle::from(Misuse::ClearTextToRemote).into());
            }
            (connection.stream, Protection { greeted: false, confidential: true })
        }
    };
    C::open(stream, protection, settings, login).await
}

async fn dial(settings: &Settings) -> Result<Connection, Obstacle> {
    let (host, port) = (settings.endpoint.host(), settings.endpoint.port());
    let limit = settings.timeouts.dial;
    #[cfg(feature = "proxy")]
    if let Some(proxy) = &settings.proxy {
        let route = proxy.route(host, port).map_err(Misuse::from)?;
        let opened = route.open(&*settings.dial, limit).await;
        return opened.map_err(|error| Obstacle::Net(Stage::Dial, error));
    }
    match tokio::time::timeout(limit, settings.dial.dial(host, port)).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(source)) => Err(net::Error::Dial { host: host.to_owned(), port, source }),
        Err(_) => Err(net::Error::Deadline { after: limit }),
    }
    .map_err(|error| Obstacle::Net(Stage::Dial, error))
}

/// Before a token is asked for.
#[cfg(feature = "proxy")]
fn check_proxy(proxy: &Proxy, endpoint: &Endpoint) -> Result<(), Misuse> {
    if let Security::ClearText(_) = endpoint.security() {
        return Err(Misuse::ClearTextThroughProxy);
    }
    proxy.route(endpoint.host(), endpoint.port())?;
    Ok(())
}

async fn handshake(
    settings: &Settings,
    connection: Connection,
) -> Result<Box<dyn Stream>, Obstacle> {
    let config = settings.tls.clone().unwrap_or_default();
    let host = settings.endpoint.host();
    let stream = config.handshake(connection, host, settings.timeouts.tls).await;
    let (stream, version) = stream.map_err(|error| match error {
        HandshakeError::Net(error) => Obstacle::Net(Stage::Tls, error),
        HandshakeError::Misuse(misuse) => Obstacle::Misuse(misuse),
    })?;
    settings.note(Dialogue::tls);
    settings.reached(|| Milestone::Secured(version))?;
    Ok(stream)
}

#[cfg(all(test, feature = "pop"))]
mod tests;
