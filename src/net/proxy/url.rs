//! Proxies as URLs, the way settings and environment variables hold them.

use super::{Kind, Proxy, SetupError};
use crate::secret::Secret;

/// `scheme://[user[:password]@]host[:port][/]`
pub(super) fn parse(url: &str) -> Result<Proxy, SetupError> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
    let (kind, default_port) = match scheme.to_ascii_lowercase().as_str() {
        "socks5" | "socks5h" => (Kind::Socks5, 1080),
        "http" => (Kind::Http, 80),
        "https" => (Kind::Https, 443),
        _ => return Err(wrong("its scheme is none of socks5, socks5h, http and https")),
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) {
        return Err(wrong("it goes on behind the port"));
    }
    let (user_info, place) = match authority.rsplit_once('@') {
        Some((user_info, place)) => (Some(user_info), place),
        None => (None, authority),
    };
    let (host, port) = host_and_port(place)?;
    let port = port.unwrap_or(default_port);
    let proxy = Proxy::new(kind, host.to_owned(), port);
    let Some(user_info) = user_info else { return Ok(proxy) };
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let (user, password) = (decoded(user)?, decoded(password)?);
    Ok(proxy.credentials(user, password))
}

const fn wrong(why: &'static str) -> SetupError {
    SetupError::Url { why }
}

fn host_and_port(place: &str) -> Result<(&str, Option<u16>), SetupError> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, port) =
                rest.split_once(']').ok_or_else(|| wrong("a bracket is not closed"))?;
            if port.is_empty() {
                (host, None)
            } else {
                let port = port.strip_prefix(':').ok_or_else(|| wrong("its port is no number"))?;
                (host, Some(port))
            }
        }
        None => match place.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err(wrong("an IPv6 address stands in brackets"));
            }
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    if host.is_empty() {
        return Err(wrong("it has no host"));
    }
    let number = |port: &str| match port.bytes().all(|octet| octet.is_ascii_digit()) {
        true => port.parse().map_err(|_| wrong("its port is no number up to 65535")),
        false => Err(wrong("its port is no number")),
    };
    Ok((host, port.map(number).transpose()?))
}

/// Without percent-encoding (RFC 3986 section 2.1).
fn decoded(text: &str) -> Result<String, SetupError> {
    let bad = || wrong("its credentials are not percent-encoded UTF-8");
    let mut octets = Secret::new(Vec::with_capacity(text.len()));
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.expose_mut().push(match octet {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = digit().zip(digit()).ok_or_else(bad)?;
                u8::try_from(high << 4 | low).map_err(|_| bad())?
            }
            octet => octet,
        });
    }
    std::str::from_utf8(octets.expose()).map(str::to_owned).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_kind_place_and_credentials() {
        let same = |url: &str, proxy: Proxy| assert_eq!(Proxy::parse(url), Ok(proxy), "{url}");
        same("socks5://proxy.example:9050", Proxy::socks5("proxy.example", 9050));
        same("socks5h://proxy.example", Proxy::socks5("proxy.example", 1080));
        same("HTTP://proxy.example:3128/", Proxy::http("proxy.example", 3128));
        same("http://proxy.example", Proxy::http("proxy.example", 80));
        same("https://proxy.example", Proxy::https("proxy.example", 443));
        same("http://[2001:db8::1]:3128", Proxy::http("2001:db8::1", 3128));
        same("socks5://[::1]", Proxy::socks5("::1", 1080));
        let proxy = Proxy::http("proxy.example", 3128).credentials("us@er", "p:a/s%s ü");
        same("http://us%40er:p%3Aa%2Fs%25s%20%C3%BC@proxy.example:3128", proxy);
        let proxy = Proxy::http("proxy.example", 80).credentials("user", "");
        same("http://user@proxy.example", proxy);
    }

    #[test]
    fn what_is_no_such_url_is_refused_without_being_shown() {
        for url in [
            "",
            "proxy.example:3128",
            "socks4://hunter2@proxy.example",
            "http://",
            "http://:3128",
            "http://user:hunter2@",
            "http://user:hunter2@proxy.example:port",
            "http://user:hunter2@proxy.example:65536",
            "http://user:hunter2@proxy.example:+80",
            "http://user:hunter2@proxy.example/path",
            "http://user:hunter2%2@proxy.example",
            "http://user:hunter2%ff@proxy.example",
            "http://user:hunter2%+1@proxy.example",
            "http://2001:db8::1:3128",
            "http://[2001:db8::1",
            "http://[2001:db8::1]3128",
            "socks5://user@proxy.example",
            "http://user:hunter2%0d%0ax@proxy.example",
            "http://user%3ax:hunter2@proxy.example",
        ] {
            let error = Proxy::parse(url).expect_err(url);
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        assert_eq!(Proxy::parse("http://a b"), Err(SetupError::Host("a b".to_owned())));
    }
}
