//! A server that answers as Microsoft Entra does: its checks, its numbers, its shapes. It speaks
//! HTTPS on loopback, and HTTP where Azure's identity services do.
//!
//! Each test starts its own, which ends with the test binary. It knows one tenant, a few
//! applications and a few users, by the names below. Whatever is wrong with a request is answered
//! with the error that Entra has for it; [`Entra::then`] brings those that no request can provoke.
//!
//! Sources: Microsoft Learn, "Microsoft Entra authentication and authorization error codes",
//! "OAuth 2.0 device authorization grant", "certificate credentials", "On-Behalf-Of flow", "How to use
//! managed identities" (read 2026-11).

mod assertion;
mod grants;
mod http;
mod identity;
mod refusal;

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

pub(crate) use self::assertion::Keys;
pub(crate) use self::refusal::{REFUSALS, Refusal};

use self::http::{Request, Response};

pub(crate) const TENANT: &str = "contoso.example";
/// A web application or service, with [`SECRET`] and the certificate of [`Keys`].
pub(crate) const SERVICE: &str = "11112222-3333-4444-5555-666677778888";
pub(crate) const SECRET: &str = "8Q~wJx.the+value/of=the secret";
/// A secret of the same that was good until last month.
pub(crate) const EXPIRED_SECRET: &str = "7P~vIw.the-value-of-an-older-secret";
/// A program on a user's machine.
pub(crate) const PUBLIC: &str = "99990000-aaaa-bbbb-cccc-ddddeeeeffff";
/// The token of the cluster that the service runs in.
pub(crate) const FEDERATED: &str = "eyJ.a-token-of.the-cluster";
/// A token that a user presented to the service.
pub(crate) const PRESENTED: &str = "eyJ.presented-by.anna";
pub(crate) const PASSWORD: &str = "pass&word of anna";
/// What App Service puts in `IDENTITY_HEADER`.
pub(crate) const IDENTITY_HEADER: &str = "853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a";

/// The running server.
#[derive(Clone)]
pub(crate) struct Entra {
    port: u16,
    machine_port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    keys: Option<Keys>,
    /// Answers that come before any check.
    next: VecDeque<Response>,
    requests: Vec<Request>,
    issued: usize,
    /// What an access token is good for.
    access: HashMap<String, String>,
    /// The refresh tokens that are good, and what was consented to.
    refresh: HashMap<String, String>,
    codes: HashMap<String, Code>,
    devices: HashMap<String, Device>,
    /// The `jti` of assertions that were seen.
    seen: HashSet<String>,
}

/// An authorization code.
struct Code {
    redirect_uri: String,
    challenge: String,
    scope: String,
    used: bool,
}

/// A sign-in on another device.
struct Device {
    scope: String,
    /// What the polls are told, in turn; after that, that the user has signed in.
    polls: VecDeque<Poll>,
}

/// What a device hears.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Poll {
    Pending,
    SlowDown,
    Declined,
    Expired,
    /// A page of HTML with status 503.
    Busy,
}

impl Entra {
    pub(crate) fn start() -> Self {
        let (server, port) = listen();
        let (machine, machine_port) = listen();
        let entra = Self { port, machine_port, state: Arc::default() };
        let (authority, identity) = (entra.clone(), entra.clone());
        thread::spawn(move || {
            for stream in server.incoming().flatten() {
                let entra = authority.clone();
                thread::spawn(move || http::serve_tls(stream, |request| entra.answer(request)));
            }
        });
        thread::spawn(move || {
            for stream in machine.incoming().flatten() {
                let entra = identity.clone();
                thread::spawn(move || http::serve(stream, |request| entra.identify(request)));
            }
        });
        entra
    }

    /// With this certificate registered for the service.
    pub(crate) fn trusting(keys: Keys) -> Self {
        let entra = Self::start();
        entra.state().keys = Some(keys);
        entra
    }

    /// The part of all URLs before the tenant.
    pub(crate) fn authority(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    pub(crate) fn token_url(&self) -> String {
        self.url("token")
    }

    /// Where a virtual machine finds its identity service, but for the address.
    pub(crate) fn machine_url(&self) -> String {
        format!("http://127.0.0.1:{}/metadata/identity/oauth2/token", self.machine_port)
    }

    /// What App Service puts in `IDENTITY_ENDPOINT`.
    pub(crate) fn app_service_url(&self) -> String {
        format!("http://127.0.0.1:{}/msi/token", self.machine_port)
    }

    /// Answers the next request with this refusal.
    pub(crate) fn then(&self, refusal: &Refusal) {
        let response = refusal.response();
        self.state().next.push_back(response);
    }

    /// Answers the next request with this.
    pub(crate) fn then_answer(&self, status: &'static str, headers: &[(&str, &str)], body: &str) {
        let response = Response::new(status, headers, body);
        self.state().next.push_back(response);
    }

    /// The user's part of the latest device sign-in.
    pub(crate) fn polls(&self, device_code: &str, polls: &[Poll]) {
        let mut state = self.state();
        let device = state.devices.get_mut(device_code).expect("a device that has asked");
        device.polls.extend(polls);
    }

    /// The device code of the only device that has asked.
    pub(crate) fn device_code(&self) -> String {
        self.state().devices.keys().next().expect("a device that has asked").clone()
    }

    /// The refresh token is over, as after a changed password.
    pub(crate) fn revoke_all(&self) {
        self.state().refresh.clear();
    }

    /// The forms that were posted, in order.
    pub(crate) fn forms(&self) -> Vec<Vec<(String, String)>> {
        self.state().requests.iter().map(|request| request.form.clone()).collect()
    }

    /// What this access token was issued for.
    pub(crate) fn scope_of(&self, access_token: &str) -> Option<String> {
        self.state().access.get(access_token).cloned()
    }

    fn url(&self, endpoint: &str) -> String {
        format!("{}/{TENANT}/oauth2/v2.0/{endpoint}", self.authority())
    }

    fn answer(&self, request: Request) -> Response {
        let mut state = self.state();
        state.requests.push(request.clone());
        if let Some(answer) = state.next.pop_front() {
            return answer;
        }
        let segments: Vec<_> = request.path.trim_start_matches('/').split('/').collect();
        let outcome = match (request.method.as_str(), segments.as_slice()) {
            ("POST", [tenant, ..]) if *tenant != TENANT => Err(90002),
            ("POST", [_, "oauth2", "v2.0", "token"]) => state.token(&request, &self.token_url()),
            ("POST", [_, "oauth2", "token"]) => state.version_1(&request),
            ("POST", [_, "oauth2", "v2.0", "devicecode"]) => state.device(&request),
            _ => return Response::new("404 Not Found", &[], ""),
        };
        outcome.unwrap_or_else(|number| Refusal::by_number(number).response())
    }

    fn identify(&self, request: Request) -> Response {
        let mut state = self.state();
        state.requests.push(request.clone());
        state.next.pop_front().unwrap_or_else(|| identity::answer(&request))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic in between")
    }
}

fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
    let port = listener.local_addr().expect("it is bound").port();
    (listener, port)
}
