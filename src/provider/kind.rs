//! Whose service it is.

use std::fmt;

/// Whose mail service it is, which decides how its refusals are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Kind {
    /// Microsoft 365, in whichever cloud: Exchange Online.
    Microsoft365,
    /// Personal Microsoft accounts: Outlook.com, Hotmail, Live.
    OutlookCom,
    /// High Volume Email for Microsoft 365.
    HighVolumeEmail,
    /// Gmail and Google Workspace.
    Gmail,
    /// Yahoo Mail.
    Yahoo,
    /// AOL Mail.
    Aol,
    /// Fastmail.
    Fastmail,
    /// iCloud Mail.
    ICloud,
    /// A server of which nothing is known.
    #[default]
    Generic,
}

impl Kind {
    /// Whether Exchange Online answers: its servers speak for all of Microsoft's services.
    pub const fn is_microsoft(self) -> bool {
        matches!(self, Self::Microsoft365 | Self::OutlookCom | Self::HighVolumeEmail)
    }

    /// What the service calls itself.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Microsoft365 => "Microsoft 365",
            Self::OutlookCom => "Outlook.com",
            Self::HighVolumeEmail => "High Volume Email",
            Self::Gmail => "Gmail",
            Self::Yahoo => "Yahoo Mail",
            Self::Aol => "AOL Mail",
            Self::Fastmail => "Fastmail",
            Self::ICloud => "iCloud Mail",
            Self::Generic => "generic",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
