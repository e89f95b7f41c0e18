//! The URL at which an administrator consents to an application's permissions.

use oauth2::url::form_urlencoded::Serializer;

use super::settings::{SetupError, check_tenant_name};
use crate::Protocol;
use crate::provider::Cloud;
use crate::provider::hve::SCOPE;

/// The page on which the administrator of a tenant consents to the application permissions that a
/// protocol needs. Open it in a browser, signed in as that administrator.
///
/// An application for many tenants needs this once for each of them; for an application of one
/// tenant the portal has a button. Consent is only the first step: the service principal must also
/// be registered in Exchange and given access to mailboxes.
///
/// The redirect URI must be registered; the browser arrives there with `admin_consent=True`, or
/// with `error` and `error_description`. IMAP and POP3 share one URL; SMTP has another. The tenant
/// is its id, a verified domain, or `organizations` if the administrator is to choose. High Volume
/// Email wants a permission of its own: [`high_volume_email_consent_url`].
///
/// Source: Microsoft Learn, "Authenticate an IMAP, POP or SMTP connection using OAuth" (read
/// 2026-11).
///
/// # Example
///
/// ```
/// use mailbearer::Protocol;
/// use mailbearer::token::{Cloud, admin_consent_url};
///
/// let app = "11112222-3333-4444-5555-666677778888";
/// let back = "https://app.example/consented";
/// let url = admin_consent_url(Cloud::Global, "contoso.example", app, back, Protocol::Imap)?;
/// assert_eq!(
///     url,
///     "https://login.microsoftonline.com/contoso.example/v2.0/adminconsent\
///      ?client_id=11112222-3333-4444-5555-666677778888\
///      &redirect_uri=https%3A%2F%2Fapp.example%2Fconsented\
///      &scope=https%3A%2F%2Fps.outlook.com%2F.default"
/// );
/// # Ok::<(), mailbearer::token::SetupError>(())
/// ```
///
/// # Errors
///
/// [`SetupError`], if the tenant is none or the client id is empty.
pub fn admin_consent_url(
    cloud: Cloud,
    tenant: &str,
    client_id: &str,
    redirect_uri: &str,
    protocol: Protocol,
) -> Result<String, SetupError> {
    consent_url(cloud, tenant, client_id, redirect_uri, &cloud.consent_scope(protocol))
}

/// The same page for the permission that High Volume Email needs, `Mail.Send` of Office 365 Exchange
/// Online, whether the application acts for itself or for the account. The service is part of the
/// worldwide cloud.
///
/// The scope is that of the tokens: all permissions that the application asks for at that resource.
///
/// # Errors
///
/// As for [`admin_consent_url`].
pub fn high_volume_email_consent_url(
    tenant: &str,
    client_id: &str,
    redirect_uri: &str,
) -> Result<String, SetupError> {
    consent_url(Cloud::Global, tenant, client_id, redirect_uri, SCOPE)
}

fn consent_url(
    cloud: Cloud,
    tenant: &str,
    client_id: &str,
    redirect_uri: &str,
    scope: &str,
) -> Result<String, SetupError> {
    check_tenant_name(tenant)?;
    if client_id.is_empty() {
        return Err(SetupError::NoClientId);
    }
    let base = format!("{}/{tenant}/v2.0/adminconsent?", cloud.authority());
    let at = base.len();
    Ok(Serializer::for_suffix(base, at)
        .append_pair("client_id", client_id)
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("scope", scope)
        .finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(cloud: Cloud, protocol: Protocol) -> String {
        admin_consent_url(cloud, "organizations", "app", "https://app.example/", protocol).unwrap()
    }

    #[test]
    fn smtp_has_another_resource_than_imap_and_pop() {
        let smtp = url(Cloud::Global, Protocol::Smtp);
        assert!(smtp.ends_with("&scope=https%3A%2F%2Foutlook.office365.com%2F.default"), "{smtp}");
        assert_eq!(url(Cloud::Global, Protocol::Imap), url(Cloud::Global, Protocol::Pop));
        let china = url(Cloud::China, Protocol::Pop);
        assert!(china.starts_with("https://login.partner.microsoftonline.cn/organizations/"));
        assert!(china.ends_with("&scope=https%3A%2F%2Fpartner.outlook.cn%2F.default"), "{china}");
    }
    #[test]
    fn high_volume_email_has_the_resource_of_its_tokens() {
        let url = high_volume_email_consent_url("contoso.example", "app", "https://app.example/");
        assert_eq!(
            url.unwrap(),
            "https://login.microsoftonline.com/contoso.example/v2.0/adminconsent?client_id=app\
             &redirect_uri=https%3A%2F%2Fapp.example%2F\
             &scope=https%3A%2F%2Foutlook.office.com%2F.default"
        );
        let nobody = high_volume_email_consent_url("contoso.example", "", "https://app.example/");
        assert!(matches!(nobody, Err(SetupError::NoClientId)));
    }
}
