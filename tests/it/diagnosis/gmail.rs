//! What Gmail refuses.

use mailbearer::Protocol::{Imap, Pop, Smtp};
use mailbearer::diagnosis::Cause;
use mailbearer::diagnosis::Who::{Developer, User};
use mailbearer::testing::{Fault, Service};

use super::{Case, Trouble};

pub(super) fn cases() -> Vec<Case> {
    let at = |protocol, what, with, cause, who| {
        Case::new(Service::Gmail, protocol, what, with, cause, who)
    };
    vec![
        at(Smtp, "an expired or wrong token", Trouble::Opaque, Cause::TokenRefused, Developer),
        at(Imap, "the same", Trouble::Opaque, Cause::TokenRefused, Developer),
        at(Pop, "the same", Trouble::Opaque, Cause::TokenRefused, Developer),
        at(
            Imap,
            "Google wants the user in a browser",
            Trouble::Fault(Fault::WebLoginRequired),
            Cause::WebLoginRequired,
            User,
        ),
        at(
            Smtp,
            "the same",
            Trouble::Fault(Fault::WebLoginRequired),
            Cause::WebLoginRequired,
            User,
        ),
        at(
            Smtp,
            "a password where an app password is wanted",
            Trouble::Fault(Fault::ApplicationPasswordRequired),
            Cause::AppPasswordRequired,
            User,
        ),
        at(
            Imap,
            "a sixteenth connection",
            Trouble::Fault(Fault::TooManyConnections),
            Cause::TooManyConnections,
            Developer,
        ),
    ]
}
