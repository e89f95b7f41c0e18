//! The exact commands and pages, with what is known filled in.
//!
//! Sources: Microsoft Learn, "Authenticate an IMAP, POP or SMTP connection using OAuth", the pages
//! of the cmdlets, and "Enable or disable authenticated client SMTP submission" (read 2026-11).

use super::Cause;
use super::case::Case;
use super::finding::Command;
use super::quote::{powershell, url};
use crate::Protocol;
use crate::provider::Cloud;
use crate::token::Claims;

/// What there is to enter or to open.
pub(super) fn of(cause: Cause, case: &Case<'_>) -> Vec<Command> {
    let app_only = case.claims().is_none_or(Claims::app_only);
    match cause {
        Cause::ServicePrincipalNotRegistered => vec![register(case), list()],
        Cause::MailboxPermissionMissing if app_only => {
            let mut commands = vec![open(case)];
            commands.extend(send(case));
            commands
        }
        Cause::MailboxPermissionMissing | Cause::TokenOfOtherUser if !app_only => {
            match case.protocol {
                Some(Protocol::Smtp) => vec![send_as(&mailbox(case), case)],
                _ => vec![open(case)],
            }
        }
        Cause::SendAsDenied => {
            let sender = powershell(case.refused_sender.as_deref(), "<SENDER_ADDRESS>");
            vec![send_as(&sender, case)]
        }
        Cause::ProtocolDisabled => switch_on(case).into_iter().collect(),
        Cause::SmtpAuthDisabledForMailbox => vec![smtp_for_mailbox(case)],
        Cause::SmtpAuthDisabledForTenant => vec![
            smtp_for_mailbox(case),
            line("Set-TransportConfig -SmtpClientAuthenticationDisabled $false".into()),
        ],
        Cause::NoMailbox => {
            vec![line(format!("Get-EXOMailbox -Identity {}", mailbox(case)))]
        }
        Cause::WrongTenant => {
            let domain = case.mailbox().and_then(|mailbox| Some(mailbox.rsplit_once('@')?.1));
            let (authority, domain) = (case.cloud().authority(), url(domain, "<DOMAIN>"));
            let page = "v2.0/.well-known/openid-configuration";
            vec![Command::Url(format!("{authority}/{domain}/{page}"))]
        }
        Cause::SendingAddressBlocked => {
            vec![Command::Url("https://sender.office.com/".into())]
        }
        Cause::MailboxFull => {
            vec![line(format!("Get-EXOMailboxStatistics -Identity {}", mailbox(case)))]
        }
        Cause::SenderBlocked => {
            vec![line(format!("Remove-BlockedSenderAddress -SenderAddress {}", mailbox(case)))]
        }
        Cause::ApplicationNotAllowed => {
            let account = mailbox(case);
            vec![
                line(format!("Add-HVEAppAccess -Identity {account} -AppIds {}", object(case))),
                line(format!("(Get-HVEAccountSettings -Identity {account}).AllowedApps")),
            ]
        }
        Cause::BillingPolicyMissing => {
            let account = mailbox(case);
            vec![
                line(format!("Get-HVEAccountBillingPolicy -Identity {account}")),
                line("Get-BillingPolicy -ResourceType HVE".to_owned()),
                line(format!(
                    "Set-HVEAccountBillingPolicy -Identity {account} -BillingPolicyId \
                     <BILLING_POLICY_ID>"
                )),
            ]
        }
        Cause::MissingRole | Cause::NoPermissions => {
            let claims = case.claims();
            let ids = (claims.and_then(Claims::tenant), claims.and_then(Claims::app_id));
            vec![consent(case.cloud(), ids.0, ids.1, case.protocol, case)]
        }
        _ => Vec::new(),
    }
}

/// The page on which an administrator consents for the whole tenant.
pub(super) fn consent(
    cloud: Cloud,
    tenant: Option<&str>,
    app: Option<&str>,
    protocol: Option<Protocol>,
    case: &Case<'_>,
) -> Command {
    let scope = match protocol {
        _ if case.service == super::service::Service::HighVolumeEmail => {
            url(Some("https://outlook.office.com/.default"), "")
        }
        Some(protocol) => url(Some(&cloud.consent_scope(protocol)), ""),
        None => "<SCOPE>".into(),
    };
    Command::Url(format!(
        "{}/{}/v2.0/adminconsent?client_id={}&redirect_uri=<REDIRECT_URI>&scope={scope}",
        cloud.authority(),
        url(tenant, "<TENANT>"),
        url(app, "<CLIENT_ID>"),
    ))
}

fn line(text: String) -> Command {
    Command::PowerShell(text)
}

fn mailbox(case: &Case<'_>) -> String {
    powershell(case.mailbox(), "<MAILBOX>")
}

/// The Object ID of the enterprise application. A user's `oid` is the user's.
fn object(case: &Case<'_>) -> String {
    let claims = case.claims().filter(|claims| claims.app_only());
    powershell(claims.and_then(Claims::object_id), "<OBJECT_ID_OF_ENTERPRISE_APPLICATION>")
}

fn application(case: &Case<'_>) -> String {
    powershell(case.claims().and_then(Claims::app_id), "<CLIENT_ID>")
}

/// Who is to be given the permission.
fn grantee(case: &Case<'_>) -> String {
    match case.claims() {
        Some(claims) if !claims.app_only() => powershell(claims.user(), "<USER>"),
        Some(claims) => powershell(claims.object_id(), "<SERVICE_PRINCIPAL_ID>"),
        None => "<USER_OR_SERVICE_PRINCIPAL_ID>".into(),
    }
}

fn register(case: &Case<'_>) -> Command {
    line(format!("New-ServicePrincipal -AppId {} -ObjectId {}", application(case), object(case)))
}

fn list() -> Command {
    line("Get-ServicePrincipal | Format-List AppId,ObjectId,DisplayName".into())
}

fn open(case: &Case<'_>) -> Command {
    line(format!(
        "Add-MailboxPermission -Identity {} -User {} -AccessRights FullAccess",
        mailbox(case),
        grantee(case)
    ))
}

fn send(case: &Case<'_>) -> Option<Command> {
    (case.protocol == Some(Protocol::Smtp)).then(|| send_as(&mailbox(case), case))
}

fn send_as(sender: &str, case: &Case<'_>) -> Command {
    let trustee = grantee(case);
    line(format!(
        "Add-RecipientPermission -Identity {sender} -Trustee {trustee} -AccessRights SendAs"
    ))
}

fn switch_on(case: &Case<'_>) -> Option<Command> {
    if matches!(case.service, super::service::Service::Exchange { personal: true }) {
        return None;
    }
    let switch = match case.protocol? {
        Protocol::Imap => "-ImapEnabled $true",
        Protocol::Pop => "-PopEnabled $true",
        Protocol::Smtp => return Some(smtp_for_mailbox(case)),
    };
    Some(line(format!("Set-CASMailbox -Identity {} {switch}", mailbox(case))))
}

fn smtp_for_mailbox(case: &Case<'_>) -> Command {
    line(format!(
        "Set-CASMailbox -Identity {} -SmtpClientAuthenticationDisabled $false",
        mailbox(case)
    ))
}
