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
    const LONGEST_BODY: usize = 1 << 20;

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
            let mut answer = outgoing.body(request.body().to_vec()).send().await?;
            let mut response = HttpResponse::new(answer.status().as_u16());
            for (name, value) in answer.headers() {
                if let Ok(value) = value.to_str() {
                    response = response.with_header(name.as_str(), value);
                }
            }
            let mut body = Vec::new();
            while let Some(chunk) = answer.chunk().await? {
                if body.len() + chunk.len() > Self::LONGEST_BODY {
                    return Err("the answer is longer than that of any token endpoint".into());
                }
                body.extend_from_slice(&chunk);
            }
            Ok(response.with_body(body))
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

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use mailbearer::Failure;

    use super::*;

    /// Answers one request on each of as many connections, and gives the forms that came.
    fn serve(answers: Vec<String>) -> (String, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let answer = |answer: String| {
                let (connection, _) = listener.accept().unwrap();
                let mut reader = BufReader::new(&connection);
                let mut length = 0;
                for line in reader.by_ref().lines().map(Result::unwrap) {
                    if line.is_empty() {
                        break;
                    }
                    if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                        length = value.parse().unwrap();
                    }
                }
                let mut form = String::new();
                reader.take(length).read_to_string(&mut form).unwrap();
                // A client that has read enough may be gone already.
                let _ = (&connection).write_all(answer.as_bytes());
                form
            };
            answers.into_iter().map(answer).collect()
        });
        (url, server)
    }

    fn answer(status: &str, more: &str, body: &str) -> String {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\nconnection: close\r\n{more}content-length: {length}\r\n\r\n{body}"
        )
    }

    fn tokens(url: &str) -> ClientCredentials {
        let tokens = ClientCredentials::builder(url, "app", "the-secret").secret_in_body(true);
        tokens.http(Reqwest::new().unwrap()).build().unwrap()
    }

    fn request() -> TokenRequest {
        TokenRequest::new(microsoft365::smtp(), "billing@contoso.example")
    }

    #[tokio::test]
    async fn a_token_comes_over_reqwest() {
        let body = r#"{"token_type":"Bearer","expires_in":3599,"access_token":"EwB"}"#;
        let (url, server) = serve(vec![answer("200 OK", "", body)]);
        assert_eq!(tokens(&url).token(&request()).await.unwrap().expose(), "EwB");
        let form = "grant_type=client_credentials&client_id=app&client_secret=the-secret";
        assert_eq!(server.join().unwrap(), [form]);
    }

    #[tokio::test]
    async fn headers_arrive_redirects_are_not_followed_and_bodies_are_bounded() {
        let busy = answer("503 Busy", "retry-after: 7\r\n", "<html>busy</html>");
        let elsewhere = answer("307 Moved", "location: http://127.0.0.1:9/\r\n", "");
        let endless = answer("200 OK", "", &"x".repeat(Reqwest::LONGEST_BODY + 1));
        let (url, _server) = serve(vec![busy, elsewhere, endless]);
        let error = tokens(&url).token(&request()).await.unwrap_err();
        let wait = std::time::Duration::from_secs(7);
        assert_eq!(error.retry(), mailbearer::Retry::Later(Some(wait)));
        let error = tokens(&url).token(&request()).await.unwrap_err().to_string();
        assert!(error.contains("answered 307"), "{error}");
        let error = tokens(&url).token(&request()).await.unwrap_err().to_string();
        assert!(error.contains("longer than that of any token endpoint"), "{error}");
    }
}
