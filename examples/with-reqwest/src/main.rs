//! Token requests over the application's own reqwest client, with its proxies and its pool.
//!
//! ```sh
//! TENANT=contoso.example CLIENT_ID=… CLIENT_SECRET=… cargo run
//! ```

use mailbearer::token::http::{HttpClient, HttpError, HttpRequest, HttpResponse};
use mailbearer::token::{ClientCredentials, TokenRequest};
use mailbearer::{BoxFuture, TokenProvider, provider::microsoft365};

struct Reqwest(reqwest::Client);

impl Reqwest {
    fn new() -> reqwest::Result<Self> {
        // The requests carry credentials: a redirect must not take them elsewhere.
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Ok(Self(client.build()?))
    }
}

impl HttpClient for Reqwest {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
        Box::pin(async move {
            let method = reqwest::Method::from_bytes(request.method().as_bytes())?;
            let mut outgoing = self.0.request(method, request.url());
            for (name, value) in request.headers() {
                outgoing = outgoing.header(name, value);
            }
            let answer = outgoing.body(request.body().to_vec()).send().await?;
            let mut response = HttpResponse::new(answer.status().as_u16());
            for (name, value) in answer.headers() {
                if let Ok(value) = value.to_str() {
                    response = response.with_header(name.as_str(), value);
                }
            }
            Ok(response.with_body(answer.bytes().await?.to_vec()))
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let variable = |name| std::env::var(name).map_err(|_| format!("{name} is not set"));
    let tokens = ClientCredentials::entra(
        variable("TENANT")?,
        variable("CLIENT_ID")?,
        variable("CLIENT_SECRET")?,
    )
    .http(Reqwest::new()?)
    .build()?;
    let request = TokenRequest::new(microsoft365::smtp(), "billing@contoso.example");
    println!("{:?}", tokens.token(&request).await?);
    Ok(())
}
