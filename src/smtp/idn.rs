//! Internationalised domains for servers that know only ASCII (RFC 5890, UTS 46).

use std::borrow::Cow;

use super::address::split;

/// The same address with the domain as A-labels: `ann@exämple.example` is
/// `ann@xn--exmple-cua.example`. `None` if that cannot be: the local part is beyond ASCII, the
/// domain is none, or the address gets too long.
#[cfg(feature = "idn")]
pub(crate) fn in_ascii(address: &str) -> Option<Cow<'_, str>> {
    if address.is_ascii() {
        return Some(Cow::Borrowed(address));
    }
    let (local, domain) = split(address);
    let deny = idna::AsciiDenyList::URL;
    let hyphens = idna::uts46::Hyphens::Allow;
    let length = idna::uts46::DnsLength::Verify;
    let uts46 = idna::uts46::Uts46::new();
    let ascii = uts46.to_ascii(domain.as_bytes(), deny, hyphens, length).ok()?;
    let address = format!("{local}@{ascii}");
    (local.is_ascii() && super::address::check(&address).is_ok()).then_some(Cow::Owned(address))
}

/// Without the feature `idn` there are no A-labels.
#[cfg(not(feature = "idn"))]
pub(crate) fn in_ascii(address: &str) -> Option<Cow<'_, str>> {
    address.is_ascii().then_some(Cow::Borrowed(address))
}

/// Why [`in_ascii`] gave none, as the end of a sentence.
pub(crate) fn why_not(address: &str) -> &'static str {
    let (local, _) = split(address);
    match cfg!(feature = "idn") {
        _ if !local.is_ascii() => "its local part is beyond ASCII, which has no other form",
        true => "its domain has no form in ASCII",
        false => "its domain could be sent in ASCII if this crate had its feature `idn`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_stays_as_it_is() {
        let address = "Ann@Under_score.example";
        assert!(matches!(in_ascii(address), Some(Cow::Borrowed(same)) if same == address));
    }

    #[test]
    fn a_local_part_beyond_ascii_has_no_other_form() {
        assert_eq!(in_ascii("müller@a.example"), None);
        assert!(why_not("müller@a.example").contains("local part"));
    }

    #[cfg(feature = "idn")]
    #[test]
    fn domains_become_a_labels() {
        for (address, ascii) in [
            ("ann@exämple.example", "ann@xn--exmple-cua.example"),
            ("Ann+x@BÜCHER.example", "Ann+x@xn--bcher-kva.example"),
            ("\"a b\"@straße.example", "\"a b\"@xn--strae-oqa.example"),
            ("ann@例え.テスト", "ann@xn--r8jz45g.xn--zckzah"),
        ] {
            assert_eq!(in_ascii(address).as_deref(), Some(ascii));
        }
        let long = format!("ann@{}.example", "ü".repeat(64));
        assert_eq!(in_ascii(&long), None);
        assert!(why_not(&long).contains("no form"));
    }

    #[cfg(not(feature = "idn"))]
    #[test]
    fn the_feature_that_is_missing_is_named() {
        assert_eq!(in_ascii("ann@exämple.example"), None);
        assert!(why_not("ann@exämple.example").contains("feature `idn`"));
    }
}
