//! Everything that is known to go wrong.

use std::fmt;

/// One text for the documentation and for people.
macro_rules! causes {
    ($($(#[$attribute:meta])* $cause:ident = $text:literal,)*) => {
        /// What went wrong: one variant for each thing that somebody can do something else about.
        ///
        /// `Display` says it in a few words.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Cause {
            $($(#[$attribute])* #[doc = concat!($text, ".")] $cause,)*
        }

        impl Cause {
            /// All that are known to this version.
            pub const ALL: &[Self] = &[$(Self::$cause),*];

            /// The name of the variant, for logs and other machines. It stays the same.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$cause => stringify!($cause),)*
                }
            }
        }

        impl fmt::Display for Cause {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$cause => $text,)*
                })
            }
        }
    };
}

causes! {
    // The token.
    WrongAudience = "the token is for another resource than this mail server",
    TokenExpired = "the token has expired",
    TokenExpiresSoon = "the token expires too soon for this server",
    TokenNotYetValid = "the token is not valid yet, so one of the clocks is wrong",
    MissingScope = "the token lacks the delegated permission for this protocol",
    InsufficientScope = "the token lacks the scope that the server asks for",
    MissingRole = "the token lacks the application permission for this protocol",
    NoPermissions = "the token carries no permission at all",
    TokenRefused = "the server does not accept the token",
    TokenMalformed = "the token cannot be sent as it is",
    TokenTooLong = "the token is longer than this server takes",
    TokenOfOtherUser = "the token is another user's than the mailbox named at the login",
    GuestUser = "the user is a guest in the tenant that issued the token, and has no mailbox there",
    WrongTenant = "the token was issued by another tenant than the mailbox's",
    PersonalAccount = "the token is a personal account's, and the mailbox is in a work tenant",
    MalformedLogin = "the server could not read the login",
    OneLineLogin = "the server does not take the login on the command line",

    // The mailbox.
    ServicePrincipalNotRegistered =
        "Exchange does not know the application's service principal, or by another object id",
    MailboxPermissionMissing = "there is no permission to open the mailbox",
    PermissionNotYetInForce = "a permission granted lately is not in force yet",
    ProtocolDisabled = "the protocol is switched off for the mailbox",
    NoMailbox = "there is no such mailbox, or it has no licence",
    MailboxNotOpened = "the login was accepted, but the mailbox did not open",
    SmtpAuthDisabledForTenant = "authenticated SMTP is switched off for the whole organisation",
    SmtpAuthDisabledForMailbox = "authenticated SMTP is switched off for the mailbox",
    AuthenticationPolicy = "a policy of the organisation forbids this way to log in",
    BasicAuthDisabled = "the server takes no passwords in this protocol",
    WebLoginRequired = "the provider wants the user to log in by browser first",
    AppPasswordRequired = "the provider takes an app password or a token, not the account's password",

    // Sending.
    SendAsDenied = "there is no permission to send as this sender",
    SenderBlocked = "the account is blocked from sending, for suspected spam",
    SenderThrottled = "the sender was refused too often and is held back",
    DailyQuota = "the day's quota of recipients is used up",
    MailboxFull = "the sender's mailbox is full",
    TooManyConnections = "there are too many connections at once",
    SendingAddressBlocked = "the address of this machine may not send mail to this service",
    OrganisationBlocked = "the whole organisation is blocked from sending",
    NotAuthenticated = "the server wants a login before it takes mail",
    HelloMissing = "the server wants EHLO first, again after STARTTLS",

    // High Volume Email.
    ApplicationNotAllowed = "the application is not on the account's list of allowed applications",
    ExternalRecipient = "a recipient is outside the organisation",
    SenderIsNotAccount = "the sender of the envelope is not the account",
    HeaderFromDiffers = "the From field of the message is not the sender of the envelope",
    NotHighVolumeAccount = "the login is no High Volume Email account",
    BillingPolicyMissing = "the account has no billing policy that is in force",

    // Passing faults.
    Throttled = "the server throttles this client",
    ServerBusy = "the server has a passing fault",
    ServerFault = "the server has a fault that somebody must mend",
    MailboxInUse = "another session has the mailbox open",
    LoginTooSoon = "the server wants more time between logins",
    SessionIdle = "the server ended a session that did nothing for too long",
    SessionEnded = "the server ended the session after failed logins or commands",

    // Consent and registration.
    ConsentMissing = "nobody has consented to the permissions",
    ConsentDeclined = "the user declined",
    PermissionNotRegistered = "the permission is not listed or not consented in the app registration",
    InvalidScope = "the scope is wrong",
    ScopeNotDefault = "client credentials take one scope, the resource followed by `/.default`",
    SeveralResources = "the scopes name several resources",
    NoResource = "the scopes name no resource",
    ApplicationNotInTenant = "the application is not in this tenant",
    ApplicationDisabled = "the application is disabled or unknown",
    ApplicationNotAuthorized = "the application may not use this grant",
    GrantUnsupported = "the token server does not have this grant",
    ResourceUnknown = "the resource is not known in this tenant",

    // The application's own credential.
    WrongSecret = "the client secret is wrong",
    SecretExpired = "the client secret has expired",
    SecretMissing = "the token server wants a client secret or an assertion",
    SecretNotAllowed = "a public client must not send a secret",
    AssertionRefused = "the client assertion was refused",
    CertificateNotRegistered = "the certificate of the assertion is not allowed",
    ClientRefused = "the token server does not accept the client id and its credential",

    // The user and the tenant.
    UserUnknown = "the user does not exist in this tenant",
    UserOfOtherTenant = "the user belongs to another tenant or identity provider",
    TenantUnclear = "the token server cannot tell the tenant",
    TenantNotFound = "the tenant was not found",
    OtherCloud = "the tenant or the application is in another of Microsoft's clouds",
    TenantRequired = "this grant or application does not work on `common` or `consumers`",
    WorkAccountsOnly = "the application is for work accounts only",
    PersonalAccountInTenant = "a personal account was signed in at a work tenant",
    WrongPassword = "the user name or the password is wrong",
    PasswordExpired = "the password has expired",
    AccountDisabled = "the account is disabled",
    AccountLocked = "the account is locked, or the address blocked",
    SecondFactorRequired = "a second factor is needed",
    SecondFactorEnrolment = "the user must enrol for a second factor",
    ExternalChallenge = "another identity provider wants to ask the user something",
    ConditionalAccess = "a policy of the tenant forbids this sign-in",

    // Sign-ins that are over.
    SignInRequired = "the user must sign in again",
    RefreshTokenExpired = "the refresh token was not used for too long, or its time is over",
    SignInTooOld = "the tenant limits how long a sign-in lasts",
    SignInRevoked = "the sign-in was revoked, as after a changed password",
    CodeUsed = "the authorization code was used before",
    CodeVerifierWrong = "the PKCE verifier does not fit the challenge",
    CodeOfOtherTenant = "the code was issued for another tenant",
    SignInPending = "the user has not entered the device code yet",
    UserCodeWrong = "the user typed another code than the one shown",
    DeviceCodeExpired = "the device code was not entered in time",
    PollingTooFast = "the device code is asked about too often",
    RequestLoop = "the same token was asked for too often",
    TokenServerBusy = "the token server throttles or has a passing fault",
    TokenAnswerUnusable = "the token server's answer cannot be used",

    // The network.
    HostNotFound = "the host name has no address",
    ConnectionRefused = "nobody listens at this host and port",
    HostUnreachable = "there is no way to the host",
    ConnectTimeout = "the host did not answer the connection in time",
    NoAnswer = "the server did not answer in time",
    ConnectionLost = "the connection broke",
    TlsOnPlainPort = "the port speaks TLS from the start, and STARTTLS was expected",
    PlainTextOnTlsPort = "the port speaks clear text first, and TLS was expected",
    StartTlsMissing = "the server does not offer STARTTLS",
    StartTlsRefused = "the server refused to begin TLS",
    StartTlsInjected = "somebody spoke in clear text between STARTTLS and the handshake",
    CertificateName = "the certificate is for another name",
    CertificateExpired = "the certificate has expired",
    CertificateNotYetValid = "the certificate is not valid yet",
    CertificateUntrusted = "the certificate was issued by an authority that is not trusted",
    CertificateRevoked = "the certificate was revoked",
    CertificateRefused = "the certificate was refused",
    TlsVersion = "client and server have no TLS version or cipher in common",
    TlsFailed = "the TLS handshake failed",
    WrongProtocol = "the server speaks another protocol",
    MechanismNotOffered = "the server does not offer this way to log in",
    ProxyUnreachable = "the proxy cannot be reached",
    ProxyLogin = "the proxy wants a login, or refused it",
    ProxyForbids = "the proxy's rules forbid the connection",
    ProxyFailed = "the proxy could not make the connection",
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_causes_are_told_in_the_same_words() {
        let mut seen = HashSet::new();
        for cause in Cause::ALL {
            assert!(seen.insert(cause.to_string()), "{cause:?}");
            assert_eq!(cause.name(), format!("{cause:?}"));
        }
    }
}
