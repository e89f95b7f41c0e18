//! The program in `examples/doctor`, from its arguments to its exit status.

#[path = "../../examples/doctor/program/mod.rs"]
mod program;

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use mailbearer::Endpoint;
use mailbearer::testing::{Fault, Jwt, Server};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::support::entra::Keys;
use crate::transcript::{recorded, replay};
use program::Surroundings;

const ME: &str = "billing@contoso.example";

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// A server, and a directory for what belongs to it.
struct Ward {
    server: Server,
    directory: PathBuf,
    variables: Vec<(&'static str, String)>,
    terminal: bool,
}

/// What a run left.
struct Ran {
    status: u8,
    output: String,
    messages: String,
}

impl Ward {
    async fn new(name: &str) -> Self {
        let server = Server::start().await.unwrap();
        server.add_mailbox(ME);
        let directory = std::env::temp_dir().join(format!("doctor-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("root.pem"), server.certificate_pem()).unwrap();
        let token = server.issue_jwt(Jwt::of_user(ME));
        Self { server, directory, variables: vec![("MAIL_TOKEN", token)], terminal: false }
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    async fn run(&self, arguments: &str) -> Ran {
        self.run_telling(arguments, Written::default()).await
    }

    /// The same, with what it says meanwhile.
    async fn run_telling(&self, arguments: &str, messages: Written) -> Ran {
        let place = |endpoint: Endpoint| format!("localhost:{}", endpoint.port());
        let arguments = arguments
            .replace("IMAP_STARTTLS", &place(self.server.imap_starttls()))
            .replace("IMAP", &place(self.server.imap()))
            .replace("SMTP", &place(self.server.smtp()))
            .replace("POP", &place(self.server.pop()))
            .replace("DIR", &self.directory.display().to_string());
        let arguments = arguments.split_whitespace().map(str::to_owned);
        let output = Written::default();
        let variables = self.variables.clone();
        let surroundings = Surroundings {
            variable: Box::new(move |name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| value.clone())
            }),
            output: Box::new(output.clone()),
            messages: Box::new(messages.clone()),
            terminal: self.terminal,
        };
        let status = program::run(arguments, surroundings).await;
        Ran { status, output: output.text(), messages: messages.text() }
    }
}

impl Drop for Ward {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

const ALL: &str = "--mailbox billing@contoso.example --root DIR/root.pem --imap IMAP \
                   --smtp-starttls SMTP --pop POP";

#[tokio::test]
async fn a_good_set_up_ends_with_0_and_says_so() {
    let ward = Ward::new("good").await;
    let ran = ward.run(ALL).await;
    assert_eq!(ran.status, 0, "{}{}", ran.output, ran.messages);
    assert!(ran.output.ends_with("Everything that was checked works.\n"), "{}", ran.output);
    assert!(!ran.output.contains('\x1b'), "{}", ran.output);
    // Progress goes where it does not disturb.
    assert!(ran.messages.contains("IMAP  auth         passed\n"), "{}", ran.messages);
    assert!(ran.messages.contains("SMTP  send         passed\n"), "{}", ran.messages);
    assert_eq!(ward.run(&format!("{ALL} --quiet")).await.messages, "");
}

#[tokio::test]
async fn each_fault_ends_with_1_and_is_told_in_text_and_json_and_in_the_recording() {
    let ward = Ward::new("faults").await;
    let faults = [
        (Fault::SmtpAuthDisabledForTenant, "SmtpAuthDisabledForTenant", "5.7.139"),
        (Fault::NotConnected, "ProtocolDisabled", "User is authenticated but not connected"),
        (Fault::SenderNotPermitted, "SendAsDenied", "5.7.60"),
        (Fault::ClearTextWhereTls, "PlainTextOnTlsPort", "cannot be replayed"),
        (Fault::CertificateForOtherName, "CertificateName", "cannot be replayed"),
        (Fault::PopInUse, "MailboxInUse", "-ERR"),
    ];
    for (fault, cause, evidence) in faults {
        ward.server.inject_always(fault.clone());
        let ran = ward.run(&format!("{ALL} --json --quiet --record DIR/record.txt")).await;
        assert_eq!((ran.status, ran.messages.as_str()), (1, ""), "{fault:?}: {}", ran.output);
        let json: serde_json::Value = serde_json::from_str(&ran.output).unwrap();
        let causes: Vec<&serde_json::Value> = json["endpoints"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|endpoint| endpoint["steps"].as_array().unwrap())
            .filter(|step| step["outcome"] == "failed")
            .map(|step| &step["findings"][0]["cause"])
            .collect();
        assert!(causes.iter().any(|found| **found == cause), "{fault:?}: {}", ran.output);

        let text = ward.run(ALL).await;
        assert_eq!(text.status, 1);
        assert!(text.output.ends_with("Something does not work; see above.\n"), "{}", text.output);
        ward.server.clear_faults();

        let recording = std::fs::read_to_string(ward.path("record.txt")).unwrap();
        assert!(recording.contains(evidence), "{fault:?}: {recording}");
        assert!(!recording.contains("billing"), "{recording}");
        assert!(!recording.contains(&ward.variables[0].1), "{recording}");
        for transcript in recorded::transcripts("record", &recording) {
            match transcript {
                Ok(transcript) => replay(transcript).await,
                Err(why) => assert!(why.contains(recorded::NOT_REPLAYABLE), "{why}\n{recording}"),
            }
        }
    }
}

#[tokio::test]
async fn a_token_for_another_service_is_explained_with_what_to_do() {
    let mut ward = Ward::new("audience").await;
    let jwt = Jwt::of_user(ME).audience("https://graph.microsoft.com");
    let token = ward.server.issue_jwt(jwt);
    std::fs::write(ward.path("token"), format!("{token}\n")).unwrap();
    ward.variables.clear();
    let ran = ward.run(&format!("{ALL} --token-file DIR/token")).await;
    assert_eq!(ran.status, 1);
    for told in ["the token is for another resource", "https://graph.microsoft.com", "developer"] {
        assert!(ran.output.contains(told), "{}", ran.output);
    }
    assert!(!ran.output.contains(&token) && !ran.messages.contains(&token));
}

#[tokio::test]
async fn a_starttls_port_taken_for_a_tls_port_is_told() {
    let ward = Ward::new("port").await;
    let arguments = "--mailbox billing@contoso.example --root DIR/root.pem --imap IMAP_STARTTLS";
    let ran = ward.run(arguments).await;
    assert_eq!(ran.status, 1);
    assert!(ran.output.contains("the port speaks clear text first"), "{}", ran.output);
}

#[tokio::test]
async fn colours_are_for_terminals_and_for_those_who_want_them() {
    let mut ward = Ward::new("colours").await;
    ward.terminal = true;
    assert!(ward.run(ALL).await.output.contains("\x1b[32mpassed\x1b[0m"));
    ward.variables.push(("NO_COLOR", "1".to_owned()));
    assert!(!ward.run(ALL).await.output.contains('\x1b'));
}

#[tokio::test]
async fn wrong_usage_ends_with_2_and_shows_no_secret() {
    let mut ward = Ward::new("usage").await;
    let me = "--mailbox billing@contoso.example";
    for (arguments, told) in [
        ("", "--mailbox is missing"),
        (me, "--provider or a server is missing"),
        ("--mailbox", "--mailbox needs a value"),
        (&format!("{me} --provider nobody"), "no provider nobody is known"),
        (&format!("{me} --provider hve --protocols imap"), "hve has no"),
        (&format!("{me} --imap IMAP --token s3cret"), "there is no --token: secrets come from"),
        (&format!("{me} --imap IMAP s3cret"), "belongs to no option"),
        (&format!("{me} --imap IMAP --password=s3cret"), "there is no --password"),
        (&format!("{me} --imap IMAP --grant client-credentials"), "set MAIL_CLIENT_SECRET"),
        (&format!("{me} --imap localhost:99999"), "99999 is no port"),
        (&format!("{me} --imap IMAP --root DIR/none.pem"), "none.pem"),
        (&format!("{me} --imap IMAP --json=yes"), "--json takes no value"),
    ] {
        let ran = ward.run(arguments).await;
        assert_eq!((ran.status, ran.output.as_str()), (2, ""), "{arguments}");
        assert!(ran.messages.contains(told), "{arguments}: {}", ran.messages);
        assert!(!ran.messages.contains("s3cret"), "{}", ran.messages);
    }
    ward.variables.clear();
    let ran = ward.run(&format!("{me} --imap IMAP")).await;
    assert!(ran.status == 2 && ran.messages.contains("set MAIL_TOKEN"), "{}", ran.messages);
    assert!(ward.server.logins().is_empty());
}

/// A token endpoint that gives this token, once; its URL and the form that it got.
async fn token_endpoint(token: String) -> (String, tokio::task::JoinHandle<String>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://127.0.0.1:{}/token", listener.local_addr().unwrap().port());
    let asked = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let (mut line, mut length) = (String::new(), 0);
        while stream.read_line(&mut line).await.unwrap() > 2 {
            let header = std::mem::take(&mut line).to_lowercase();
            if let Some(octets) = header.strip_prefix("content-length:") {
                length = octets.trim().parse().unwrap();
            }
        }
        let mut form = vec![0; length];
        stream.read_exact(&mut form).await.unwrap();
        let body =
            format!(r#"{{"token_type":"Bearer","expires_in":3599,"access_token":"{token}"}}"#);
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(form).unwrap()
    });
    (url, asked)
}

#[tokio::test]
async fn an_application_may_show_a_certificate() {
    let ward = Ward::new("certificate").await;
    let keys = Keys::new();
    let (url, asked) = token_endpoint(ward.variables[0].1.clone()).await;
    let grant = format!(
        "{ALL} --grant client-credentials --client-id app --token-url {url} --scope mail \
         --certificate-file {}",
        keys.pem_file().display()
    );
    let ran = ward.run(&grant).await;
    assert_eq!(ran.status, 0, "{}{}", ran.output, ran.messages);
    let form = asked.await.unwrap();
    assert!(form.contains("client_assertion=eyJ") && !form.contains("client_secret"), "{form}");
    let none = grant.replace(&*keys.pem_file().to_string_lossy(), "DIR/root.pem");
    let ran = ward.run(&none).await;
    assert!(ran.status == 2 && ran.messages.contains("root.pem: "), "{}", ran.messages);
}

#[tokio::test]
async fn a_user_may_sign_in_by_a_browser() {
    let mut ward = Ward::new("browser").await;
    let (url, asked) = token_endpoint(ward.variables[0].1.clone()).await;
    ward.variables.push(("MAIL_CLIENT_SECRET", "s3cret".to_owned()));
    let messages = Written::default();
    let grant = format!("{ALL} --grant browser --client-id app --token-url {url} --scope mail");
    let whole = format!("{grant} --authorization-url https://login.example/authorize");
    let browser = async {
        let shown = loop {
            let told = messages.text();
            match told.lines().next() {
                Some(line) if told.contains('\n') => break line.to_owned(),
                _ => tokio::task::yield_now().await,
            }
        };
        let field = |name: &str| {
            let behind = shown.split_once(&format!("{name}=")).expect("the field is there").1;
            behind.split('&').next().unwrap_or_default().to_owned()
        };
        assert!(shown.contains("https://login.example/authorize?"), "{shown}");
        assert_eq!(field("code_challenge_method"), "S256");
        let back = field("redirect_uri").replace("%3A", ":").replace("%2F", "/");
        let place = back.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let mut stream = tokio::net::TcpStream::connect(&place).await.unwrap();
        let state = field("state");
        let get = format!("GET /?code=c0de&state={state} HTTP/1.1\r\nHost: {place}\r\n\r\n");
        stream.write_all(get.as_bytes()).await.unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).await.unwrap();
        page
    };
    let (ran, page) = tokio::join!(ward.run_telling(&whole, messages.clone()), browser);
    assert_eq!(ran.status, 0, "{}{}", ran.output, ran.messages);
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    let form = asked.await.unwrap();
    assert!(form.contains("code=c0de") && form.contains("code_verifier="), "{form}");
    assert!(!ran.messages.contains("s3cret"), "{}", ran.messages);
    let ran = ward.run(&grant).await;
    assert!(ran.status == 2 && ran.messages.contains("go together"), "{}", ran.messages);
}

#[tokio::test]
async fn help_names_every_option_and_every_exit_status() {
    let ward = Ward::new("help").await;
    let ran = ward.run("--help").await;
    assert_eq!(ran.status, 0);
    for told in [
        "--mailbox",
        "--record FILE",
        "--grant",
        "--certificate-file FILE",
        "  browser ",
        "--authorization-url URL",
        "NO_COLOR",
        "  3  the report or the",
    ] {
        assert!(ran.output.contains(told), "{told}");
    }
    assert!(ran.output.lines().all(|line| line.len() <= 100));
}

#[tokio::test]
async fn a_recording_that_cannot_be_written_ends_with_3() {
    let ward = Ward::new("unwritable").await;
    let ran = ward.run(&format!("{ALL} --record DIR/no/such/file")).await;
    assert_eq!(ran.status, 3);
    assert!(ran.messages.contains("no/such/file"), "{}", ran.messages);
}

#[cfg(unix)]
#[tokio::test]
async fn an_argument_that_is_no_text_and_a_file_without_end_are_wrong_usage() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;

    let ward = Ward::new("usage").await;
    let messages = Written::default();
    let surroundings = Surroundings {
        variable: Box::new(|_| None),
        output: Box::new(Written::default()),
        messages: Box::new(messages.clone()),
        terminal: false,
    };
    let arguments = [OsString::from("--mailbox"), OsString::from_vec(vec![0xff])];
    assert_eq!(program::run(arguments, surroundings).await, 2);
    assert!(messages.text().contains("not UTF-8"), "{}", messages.text());
    for option in ["--token-file", "--root"] {
        let ran = ward.run(&format!("{ALL} {option} /dev/zero")).await;
        assert_eq!(ran.status, 2, "{}", ran.output);
        assert!(ran.messages.contains("/dev/zero: the file is longer"), "{}", ran.messages);
    }
}
