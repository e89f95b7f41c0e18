//! What High Volume Email refuses.

use mailbearer::Protocol::Smtp;
use mailbearer::diagnosis::Who::{Administrator, Developer};
use mailbearer::diagnosis::{Cause, Who};
use mailbearer::testing::{Fault, Service};

use super::{Case, Trouble, application, user};

fn at(what: &'static str, with: Trouble, cause: Cause, who: Who) -> Case {
    Case::new(Service::HighVolumeEmail, Smtp, what, with, cause, who)
}

fn fault(what: &'static str, fault: Fault, cause: Cause, who: Who) -> Case {
    at(what, Trouble::Fault(fault), cause, who)
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        fault(
            "a malformed login",
            Fault::HveMalformed { detail: 123 },
            Cause::MalformedLogin,
            Developer,
        ),
        fault(
            "a mailbox that is no address",
            Fault::HveInvalidAuthData,
            Cause::MalformedLogin,
            Developer,
        ),
        fault(
            "a token in its last minutes",
            Fault::HveTokenExpiresSoon,
            Cause::TokenExpiresSoon,
            Developer,
        ),
        fault(
            "the same in the preview's words",
            Fault::HveTokenExpiresSoonPreview,
            Cause::TokenExpiresSoon,
            Developer,
        ),
        fault("an expired token", Fault::HveTokenExpired, Cause::TokenExpired, Developer),
        at(
            "no `Mail.Send`",
            Trouble::Token(user().scopes(["SMTP.Send"]).into()),
            Cause::MissingScope,
            Developer,
        ),
        at(
            "an application without `Mail.Send`",
            Trouble::Token(application().roles(["SMTP.SendAsApp"]).into()),
            Cause::MissingRole,
            Administrator,
        ),
        fault(
            "the application is not among the allowed",
            Fault::HveApplicationNotAllowed,
            Cause::ApplicationNotAllowed,
            Administrator,
        )
        .command("Add-HVEAppAccess -Identity 'Nora.O''Hara@contoso.example' -AppIds"),
        fault(
            "a mailbox that is no High Volume Email account",
            Fault::HveNotAnAccount,
            Cause::NotHighVolumeAccount,
            Administrator,
        ),
        fault(
            "a recipient outside",
            Fault::HveExternalRecipient,
            Cause::ExternalRecipient,
            Developer,
        ),
        fault(
            "another envelope sender",
            Fault::HveForeignSender,
            Cause::SenderIsNotAccount,
            Developer,
        ),
        fault("another From", Fault::HveForeignFrom, Cause::HeaderFromDiffers, Developer),
    ]
}
