//! One possible cause, with all that is to be said of it.

use std::borrow::Cow;
use std::fmt;

use super::Cause;

/// A cause that explains a failure: how sure it is, what speaks for it, and what to do.
///
/// Neither a token nor a password is in any of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub(super) cause: Cause,
    pub(super) confidence: Confidence,
    pub(super) evidence: Vec<Evidence>,
    pub(super) remedy: Cow<'static, str>,
    pub(super) who: Who,
    pub(super) commands: Vec<Command>,
}

impl Finding {
    /// What went wrong.
    pub const fn cause(&self) -> Cause {
        self.cause
    }

    /// How sure that is.
    pub const fn confidence(&self) -> Confidence {
        self.confidence
    }

    /// What it was concluded from.
    pub fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }

    /// What to do about it, in one paragraph.
    pub fn remedy(&self) -> &str {
        &self.remedy
    }

    /// Who can do it.
    pub const fn who(&self) -> Who {
        self.who
    }

    /// The exact commands to enter, or pages to open, in their order; empty if there are none. What
    /// is not known stands in `<ANGLE BRACKETS>`. What comes from a token or a server is quoted, so
    /// that it cannot become a command of its own; read it before you run it all the same.
    pub fn commands(&self) -> &[Command] {
        &self.commands
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, &[])
    }
}

impl Finding {
    /// All of it, but for evidence that was told before.
    fn write(&self, f: &mut fmt::Formatter<'_>, told: &[&Evidence]) -> fmt::Result {
        write!(f, "{} ({})", self.cause, self.confidence)?;
        for evidence in self.evidence.iter().filter(|evidence| !told.contains(evidence)) {
            write!(f, "\n   because {evidence}")?;
        }
        write!(f, "\n   {}: {}", self.who, self.remedy)?;
        for command in &self.commands {
            write!(f, "\n     {command}")?;
        }
        Ok(())
    }
}

/// Findings under their numbers, behind what all of them were concluded from.
pub(super) fn write_list(f: &mut fmt::Formatter<'_>, findings: &[Finding]) -> fmt::Result {
    let Some(first) = findings.first() else { return Ok(()) };
    let by_all =
        |evidence: &&Evidence| findings.iter().all(|finding| finding.evidence.contains(evidence));
    let told: Vec<_> = first.evidence.iter().filter(by_all).collect();
    let mut line_end = "";
    for evidence in &told {
        write!(f, "{line_end}{evidence}")?;
        line_end = "\n";
    }
    for (at, finding) in findings.iter().enumerate() {
        write!(f, "{line_end}{}. ", at + 1)?;
        finding.write(f, &told)?;
        line_end = "\n";
    }
    Ok(())
}

/// How sure a finding is. The greater, the surer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Confidence {
    /// One of several things that lead to this failure; nothing speaks against it.
    Possible,
    /// What usually is behind it, or what the evidence points to.
    Likely,
    /// The server said so, or the token shows it.
    Certain,
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        })
    }
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Who {
    /// Who writes or configures the program.
    Developer,
    /// Who owns the mailbox, or signs in.
    User,
    /// Who administers the tenant or the mail server.
    Administrator,
    /// It passes by itself, or the program only has to wait.
    Nobody,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Developer => "for the developer",
            Self::User => "for the user",
            Self::Administrator => "for the administrator",
            Self::Nobody => "wait",
        })
    }
}

/// What a finding was concluded from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Evidence {
    /// What the server, the token endpoint or the network said, on one line.
    Reply(String),
    /// What the access token says of itself; unverified.
    Claim {
        /// The name of the claim.
        name: &'static str,
        /// Its value, or what stands out about it.
        value: String,
    },
    /// What is known of the connection or of the call.
    Fact(String),
    /// The rule by which it was concluded.
    Rule {
        /// Its name, which stays the same from version to version.
        name: &'static str,
        /// Who says so: documentation, or an observation.
        source: &'static str,
    },
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(words) => write!(f, "answer `{words}`"),
            Self::Claim { name, value } => write!(f, "the token's claim {name} is {value}"),
            Self::Fact(fact) => f.write_str(fact),
            Self::Rule { name, source } => write!(f, "rule {name} ({source})"),
        }
    }
}

/// Something to enter or to open.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// A line for Exchange Online PowerShell.
    PowerShell(String),
    /// A page for a browser.
    Url(String),
}

impl Command {
    /// The line, or the URL.
    pub fn as_str(&self) -> &str {
        match self {
            Self::PowerShell(text) | Self::Url(text) => text,
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
