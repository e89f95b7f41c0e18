//! Checks whether a mailbox can be opened with OAuth 2.0, step by step, and says what is wrong.
//!
//! ```sh
//! MAIL_TOKEN=… cargo run --example doctor -- --mailbox billing@contoso.example --provider microsoft365
//! cargo run --example doctor -- --help
//! ```

mod program;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use program::Surroundings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let surroundings = Surroundings {
        variable: Box::new(|name| std::env::var(name).ok()),
        output: Box::new(std::io::stdout()),
        messages: Box::new(std::io::stderr()),
        terminal: std::io::stdout().is_terminal(),
    };
    program::run(std::env::args_os().skip(1), surroundings).await.into()
}
