//! What the claims of a token make of a refusal that says nothing.

use Confidence::{Certain, Likely, Possible};

use super::*;
use crate::provider::{hve, microsoft365, outlook};
use crate::{Endpoint, Security};

const MAILBOX: &str = "billing@contoso.example";
const IMAP: &str = "NO AUTHENTICATE failed.";
const POP: &str = "-ERR Authentication failure: unknown user name or bad password.";
const SMTP: &str =
    "535 5.7.3 Authentication unsuccessful [SN2PR00CA0018.namprd00.prod.outlook.com]";
const NOT_CONNECTED: &str = "BAD User is authenticated but not connected.";

fn context(endpoint: Endpoint, token: &AccessToken) -> Context {
    Context::new().with_endpoint(endpoint).with_mailbox(MAILBOX).with_token(token).at(now())
}

fn refused(endpoint: Endpoint, token: &AccessToken, line: &str) -> Diagnosis {
    let protocol = endpoint.protocol();
    Diagnosis::of_line(protocol, Stage::Auth, line, &context(endpoint, token)).unwrap()
}

#[test]
fn a_token_for_graph_is_certainly_the_reason() {
    for audience in [
        "https://graph.microsoft.com",
        "00000003-0000-0000-c000-000000000000",
        "https://GRAPH.microsoft.com/",
    ] {
        let token = token(&format!(r#""aud":"{audience}","scp":"IMAP.AccessAsUser.All""#));
        let diagnosis = refused(microsoft365::smtp(), &token, SMTP);
        assert_eq!(causes(&diagnosis), [(Cause::WrongAudience, Certain)], "{audience}");
        let finding = diagnosis.first();
        assert_eq!(finding.who(), Who::Developer);
        assert!(finding.remedy().contains("https://outlook.office.com/SMTP.Send"), "{finding}");
        assert!(!finding.remedy().contains(".default"), "{finding}");
    }
}

#[test]
fn an_audience_of_exchange_is_right_in_every_form() {
    for (endpoint, audience) in [
        (microsoft365::imap(), "https://outlook.office.com"),
        (microsoft365::imap(), "https://outlook.office365.com/"),
        (microsoft365::imap(), "https://Outlook.Office.com/"),
        (microsoft365::imap(), "https://ps.outlook.com"),
        (microsoft365::imap(), "00000002-0000-0ff1-ce00-000000000000"),
        (Endpoint::imap("outlook.office365.us"), "https://outlook.office365.us"),
        (Endpoint::imap("partner.outlook.cn"), "https://partner.outlook.cn/"),
    ] {
        let token = token(&format!(
            r#""aud":"{audience}","scp":"IMAP.AccessAsUser.All","upn":"{MAILBOX}""#
        ));
        let found = check(&token, &endpoint, MAILBOX, now());
        assert!(found.findings().is_empty(), "{endpoint} {audience}: {found}");
        assert_eq!(found.to_string(), "nothing speaks against the token");
    }
    let other_cloud = token(r#""aud":"https://outlook.office.com","scp":"IMAP.AccessAsUser.All""#);
    let found = check(&other_cloud, &Endpoint::imap("outlook.office365.us"), MAILBOX, now());
    assert_eq!(found.findings()[0].cause(), Cause::WrongAudience);
}

#[test]
fn an_application_with_the_right_roles_is_not_registered_or_by_the_wrong_id() {
    for (endpoint, role, line) in [
        (microsoft365::imap(), "IMAP.AccessAsApp", IMAP),
        (microsoft365::pop(), "POP.AccessAsApp", POP),
        (microsoft365::smtp(), "SMTP.SendAsApp", SMTP),
    ] {
        let smtp = endpoint.protocol() == Protocol::Smtp;
        let diagnosis = refused(endpoint, &application(&format!(r#","roles":["{role}"]"#)), line);
        let mut expected = vec![
            (Cause::ServicePrincipalNotRegistered, Likely),
            (Cause::MailboxPermissionMissing, Possible),
            (Cause::PermissionNotYetInForce, Possible),
            (Cause::WrongTenant, Possible),
        ];
        if !smtp {
            expected.push((Cause::ProtocolDisabled, Possible));
        }
        assert_eq!(causes(&diagnosis), expected, "{role}");
        assert_eq!(
            diagnosis.findings()[3].commands()[0].as_str(),
            "https://login.microsoftonline.com/contoso.example/v2.0/.well-known/openid-configuration"
        );
        let finding = diagnosis.first();
        assert_eq!(
            finding.commands()[0],
            Command::PowerShell(format!("New-ServicePrincipal -AppId {APP} -ObjectId {OBJECT}"))
        );
        assert_eq!(finding.who(), Who::Administrator);
        for id in [TENANT, APP, OBJECT] {
            assert!(finding.to_string().contains(id), "{finding}");
        }
        let grant = diagnosis.findings()[1].commands()[0].as_str();
        assert_eq!(
            grant,
            format!(
                "Add-MailboxPermission -Identity '{MAILBOX}' -User {OBJECT} -AccessRights FullAccess"
            )
        );
    }
}

#[test]
fn a_diagnosis_reads_as_text() {
    let diagnosis =
        refused(microsoft365::imap(), &application(r#","roles":["IMAP.AccessAsApp"]"#), IMAP);
    let text = diagnosis.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[..6],
        [
            "answer `NO AUTHENTICATE failed.`",
            "rule imap-authenticate-failed (Microsoft Learn, \"Authenticate an IMAP, POP or SMTP \
             connection using OAuth\", 2026-11)",
            "1. Exchange does not know the application's service principal, or by another object id \
             (likely)",
            &format!("   because the token's claim tid is {TENANT}"),
            &format!("   because the token's claim appid is {APP}"),
            &format!("   because the token's claim oid is {OBJECT}"),
        ]
    );
    assert!(lines[6].starts_with("   for the administrator: Register the application's"));
    assert_eq!(lines[7], format!("     New-ServicePrincipal -AppId {APP} -ObjectId {OBJECT}"));
    assert_eq!(lines[9], "2. there is no permission to open the mailbox (possible)");
    // What all were concluded from is told once.
    assert_eq!(text.matches("AUTHENTICATE failed").count(), 1);
}

#[test]
fn a_missing_role_is_certain_for_reading_and_a_hint_for_sending() {
    let other = application(r#","roles":["Mail.Read"]"#);
    let diagnosis = refused(microsoft365::imap(), &other, IMAP);
    assert_eq!(diagnosis.first().cause(), Cause::MissingRole);
    assert_eq!(diagnosis.first().confidence(), Certain);
    assert!(diagnosis.first().remedy().starts_with("Missing is IMAP.AccessAsApp."));
    assert_eq!(
        diagnosis.first().commands()[0].as_str(),
        format!(
            "https://login.microsoftonline.com/{TENANT}/v2.0/adminconsent?client_id={APP}\
             &redirect_uri=<REDIRECT_URI>&scope=https%3A%2F%2Fps.outlook.com%2F.default"
        )
    );
    let diagnosis = refused(microsoft365::smtp(), &other, SMTP);
    assert_eq!(causes(&diagnosis)[0], (Cause::MissingRole, Possible));
    assert!(diagnosis.first().remedy().contains("RBAC"));
    assert_eq!(causes(&diagnosis)[1], (Cause::ServicePrincipalNotRegistered, Possible));
    let diagnosis = refused(microsoft365::smtp(), &application(""), SMTP);
    assert_eq!(causes(&diagnosis)[0], (Cause::NoPermissions, Possible));
    let diagnosis = refused(microsoft365::pop(), &application(""), POP);
    assert_eq!(causes(&diagnosis)[0], (Cause::NoPermissions, Certain));
}

#[test]
fn an_expired_token_and_a_wrong_clock_are_told_apart() {
    let old = raw_token(
        r#"{"aud":"https://outlook.office.com","exp":1799990000,"scp":"IMAP.AccessAsUser.All"}"#,
    );
    let diagnosis = refused(microsoft365::imap(), &old, IMAP);
    assert_eq!(causes(&diagnosis)[0], (Cause::TokenExpired, Certain));
    assert!(diagnosis.to_string().contains("claim exp is 2 h ago"), "{diagnosis}");
    let early = raw_token(r#"{"nbf":1800001000,"exp":1800009000}"#);
    let found = check(&early, &microsoft365::imap(), MAILBOX, now());
    assert!(found.findings().iter().any(|finding| finding.cause() == Cause::TokenNotYetValid));
    // Within the five minutes that servers allow.
    let skewed = raw_token(
        r#"{"aud":"https://outlook.office.com","nbf":1800000200,"scp":"IMAP.AccessAsUser.All"}"#,
    );
    assert!(check(&skewed, &microsoft365::imap(), "", now()).findings().is_empty());
}

#[test]
fn a_users_token_lacks_its_scope() {
    let token = delegated(MAILBOX, "User.Read POP.AccessAsUser.All");
    let diagnosis = refused(microsoft365::imap(), &token, IMAP);
    assert_eq!(causes(&diagnosis)[0], (Cause::MissingScope, Certain));
    assert!(diagnosis.first().remedy().starts_with("Missing is IMAP.AccessAsUser.All."));
    // Scopes are compared in any case.
    let token = delegated(MAILBOX, "pop.accessasuser.all");
    let diagnosis = refused(microsoft365::pop(), &token, POP);
    assert_eq!(causes(&diagnosis)[0], (Cause::ProtocolDisabled, Likely));
    assert_eq!(
        diagnosis.first().commands()[0].as_str(),
        format!("Set-CASMailbox -Identity '{MAILBOX}' -PopEnabled $true")
    );
}

#[test]
fn another_users_token_names_both() {
    let token = delegated("erin@contoso.example", "IMAP.AccessAsUser.All SMTP.Send");
    for (line, stage) in [(IMAP, Stage::Auth), (NOT_CONNECTED, Stage::Probe)] {
        let context = context(microsoft365::imap(), &token);
        let diagnosis = Diagnosis::of_line(Protocol::Imap, stage, line, &context).unwrap();
        assert_eq!(causes(&diagnosis)[0], (Cause::TokenOfOtherUser, Likely));
        assert_eq!(
            diagnosis.first().commands()[0].as_str(),
            format!(
                "Add-MailboxPermission -Identity '{MAILBOX}' -User 'erin@contoso.example' \
                 -AccessRights FullAccess"
            )
        );
    }
    let diagnosis = refused(microsoft365::smtp(), &token, SMTP);
    assert_eq!(
        diagnosis.first().commands()[0].as_str(),
        format!(
            "Add-RecipientPermission -Identity '{MAILBOX}' -Trustee 'erin@contoso.example' \
             -AccessRights SendAs"
        )
    );
    // Before the login it may well be a shared mailbox.
    let found = check(&token, &microsoft365::imap(), MAILBOX, now());
    assert_eq!(found.findings()[0].confidence(), Possible);
    assert!(
        check(&token, &microsoft365::imap(), "ERIN@Contoso.example", now()).findings().is_empty()
    );
}

#[test]
fn a_guest_and_a_personal_account_have_no_mailbox_here() {
    let guest =
        delegated("erin_home.example#EXT#@contoso.onmicrosoft.com", "IMAP.AccessAsUser.All");
    let diagnosis = refused(microsoft365::imap(), &guest, IMAP);
    assert_eq!(causes(&diagnosis)[0], (Cause::GuestUser, Likely));
    let personal = token(
        r#""aud":"https://outlook.office.com","tid":"9188040d-6c67-4c5b-b112-36a304b66dad",
           "scp":"IMAP.AccessAsUser.All","upn":"billing@contoso.example""#,
    );
    let diagnosis = refused(microsoft365::imap(), &personal, IMAP);
    assert_eq!(causes(&diagnosis)[0], (Cause::PersonalAccount, Likely));
    let at_home = check(&personal, &outlook::imap(), MAILBOX, now());
    assert!(at_home.findings().is_empty(), "{at_home}");
}

#[test]
fn a_mailbox_that_does_not_open_is_a_matter_of_rights_and_not_of_the_token() {
    let token = application(r#","roles":["IMAP.AccessAsApp"]"#);
    let context = context(microsoft365::imap(), &token);
    let diagnosis =
        Diagnosis::of_line(Protocol::Imap, Stage::Probe, NOT_CONNECTED, &context).unwrap();
    assert_eq!(
        causes(&diagnosis),
        [
            (Cause::MailboxPermissionMissing, Likely),
            (Cause::PermissionNotYetInForce, Possible),
            (Cause::ServicePrincipalNotRegistered, Possible),
            (Cause::ProtocolDisabled, Possible),
            (Cause::NoMailbox, Possible),
        ]
    );
    // It comes behind DATA in SMTP.
    let line = "430 4.2.0 STOREDRV; mailbox logon failure; server: x; MapiExceptionLogonFailed";
    let smtp = self::context(microsoft365::smtp(), &application(r#","roles":["SMTP.SendAsApp"]"#));
    let stage = Stage::Command("the message");
    let diagnosis = Diagnosis::of_line(Protocol::Smtp, stage, line, &smtp).unwrap();
    assert_eq!(causes(&diagnosis)[0], (Cause::MailboxPermissionMissing, Likely));
    assert_eq!(diagnosis.first().commands().len(), 2);
}

#[test]
fn an_opaque_token_leaves_the_usual_causes() {
    let opaque = AccessToken::new("EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA");
    let diagnosis = refused(outlook::imap(), &opaque, IMAP);
    assert_eq!(causes(&diagnosis)[0], (Cause::TokenRefused, Likely));
    let personal = Context::new().with_endpoint(microsoft365::imap()).with_mailbox("a@hotmail.com");
    let line = "NO User is authenticated but not connected";
    let diagnosis = Diagnosis::of_line(Protocol::Imap, Stage::Auth, line, &personal).unwrap();
    assert_eq!(causes(&diagnosis)[0], (Cause::ProtocolDisabled, Likely));
    assert_eq!((diagnosis.first().who(), diagnosis.first().commands()), (Who::User, &[][..]));
    let all = refused(microsoft365::imap(), &opaque, IMAP);
    assert!(causes(&all).iter().all(|(_, confidence)| *confidence == Possible));
    let found = check(&opaque, &microsoft365::imap(), MAILBOX, now());
    assert_eq!((found.to_string().as_str(), found.claims()), ("no claims to read", None));
    // What is known besides the token still counts.
    let ended = opaque.with_expiry(SystemTime::UNIX_EPOCH);
    let found = check(&ended, &microsoft365::imap(), MAILBOX, now());
    assert_eq!(found.findings()[0].cause(), Cause::TokenExpired);
    let long = AccessToken::new("E".repeat(5000));
    let found = check(&long, &microsoft365::pop(), MAILBOX, now());
    assert_eq!(found.findings()[0].cause(), Cause::TokenTooLong);
    assert!(check(&long, &microsoft365::imap(), MAILBOX, now()).findings().is_empty());
}

#[test]
fn high_volume_email_wants_its_own_permission_and_more_time() {
    let mail_send = application(r#","roles":["Mail.Send"]"#);
    assert!(check(&mail_send, &hve::smtp(), MAILBOX, now()).findings().is_empty());
    let other = application(r#","roles":["SMTP.SendAsApp"]"#);
    let found = check(&other, &hve::smtp(), MAILBOX, now());
    assert_eq!(found.findings()[0].cause(), Cause::MissingRole);
    assert!(found.findings()[0].remedy().starts_with("Missing is Mail.Send."));
    let line = "535 5.7.144 XOAUTH2 authentication failed. Invalid API permissions";
    let diagnosis = refused(hve::smtp(), &delegated(MAILBOX, "SMTP.Send"), line);
    assert_eq!(causes(&diagnosis), [(Cause::MissingScope, Certain)]);
    let page = found.findings()[0].commands()[0].as_str();
    assert!(page.ends_with("scope=https%3A%2F%2Foutlook.office.com%2F.default"), "{page}");
    let soon = check(&mail_send, &hve::smtp(), MAILBOX, now() + Duration::from_secs(3100));
    assert_eq!(soon.findings()[0].cause(), Cause::TokenExpiresSoon);
    let line =
        "550 5.7.240 The application is not allowed for use with this High Volume Email account";
    let diagnosis = refused(hve::smtp(), &mail_send, line);
    assert_eq!(
        diagnosis.first().commands()[0].as_str(),
        format!("Add-HVEAppAccess -Identity '{MAILBOX}' -AppIds {OBJECT}")
    );
    assert_eq!(
        diagnosis.first().commands()[1].as_str(),
        format!("(Get-HVEAccountSettings -Identity '{MAILBOX}').AllowedApps")
    );
    let diagnosis = refused(hve::smtp(), &mail_send, "535 5.7.3 Authentication unsuccessful");
    let bill = diagnosis.findings().iter().find(|it| it.cause() == Cause::BillingPolicyMissing);
    let commands = bill.unwrap().commands();
    assert_eq!(bill.unwrap().confidence(), Possible);
    assert_eq!(commands[0].as_str(), format!("Get-HVEAccountBillingPolicy -Identity '{MAILBOX}'"));
    // The `oid` of a user's token is the user's, and no application's.
    let diagnosis = refused(hve::smtp(), &delegated(MAILBOX, "Mail.Send"), line);
    assert!(diagnosis.first().commands()[0].as_str().contains("<OBJECT_ID"));
}

#[test]
fn exchanges_own_words_are_enough_where_nothing_is_known_of_the_server() {
    let own = Endpoint::new(Protocol::Smtp, "localhost", 2525, Security::StartTls);
    let diagnosis = refused(own, &application(r#","roles":["SMTP.SendAsApp"]"#), SMTP);
    assert_eq!(diagnosis.first().cause(), Cause::ServicePrincipalNotRegistered);
    let own = Endpoint::imap("localhost");
    let diagnosis = refused(own, &application(r#","roles":["Mail.Read"]"#), IMAP);
    assert_eq!(diagnosis.first().cause(), Cause::MissingRole);
}

#[test]
fn whom_one_may_not_send_as_is_taken_from_the_reply() {
    let context = context(microsoft365::smtp(), &application(""));
    let line = "554 5.2.252 SendAsDenied; billing@contoso.example not allowed to send as \
                Other@Contoso.example; STOREDRV.Submission.Exception:SendAsDeniedException";
    let stage = Stage::Command("the message");
    let diagnosis = Diagnosis::of_line(Protocol::Smtp, stage, line, &context).unwrap();
    assert_eq!(
        diagnosis.first().commands()[0].as_str(),
        format!(
            "Add-RecipientPermission -Identity 'other@contoso.example' -Trustee {OBJECT} \
             -AccessRights SendAs"
        )
    );
}

#[test]
fn what_a_server_says_of_the_token_itself_counts_anywhere() {
    let own = Context::new().with_endpoint(Endpoint::imap("mail.example")).at(now());
    let line = "NO [AUTHENTICATIONFAILED] Authentication failed.";
    let line = line::Line::read(Protocol::Imap, line).unwrap();
    let challenged = |context: &Context, status: &str| {
        let mut case = Case::of(context, Some(Protocol::Imap));
        case.stage = Some(Stage::Auth);
        case.challenge = Some((Some(status), Some("mail")));
        let found = Diagnosis::ranked(tell(rules::login(&line, &case), &case));
        found.map(|found| (found.first().cause(), found.to_string()))
    };
    let (cause, text) = challenged(&own, "insufficient_scope").unwrap();
    assert_eq!(cause, Cause::InsufficientScope);
    assert!(
        text.contains("the server wants the scope mail") && !text.contains("AccessAs"),
        "{text}"
    );
    assert_eq!(challenged(&own, "invalid_token").unwrap().0, Cause::TokenRefused);
    let expired = own.clone().with_token(&raw_token(r#"{"exp":1}"#));
    assert_eq!(challenged(&expired, "invalid_token").unwrap().0, Cause::TokenExpired);
    assert_eq!(challenged(&own, "400"), None);
}

#[test]
fn a_password_is_not_explained_as_a_token() {
    let context = context(microsoft365::imap(), &application(""));
    let mut case = Case::of(&context, Some(Protocol::Imap));
    (case.stage, case.by_password) = (Some(Stage::Auth), true);
    let line = line::Line::read(Protocol::Imap, "NO LOGIN failed.").unwrap();
    assert_eq!(rules::login(&line, &case)[0].cause, Cause::BasicAuthDisabled);
}
