//! The grammar of the host of a request with its port, in Host or in the authority of a target (RFC
//! 9110 section 7.2).

use core::net::Ipv6Addr;

use crate::wire::error::ProtocolError;
use crate::wire::grammar::{ByteSet, byte_set, is_octet};

/// Returns true for `unreserved / sub-delims` of RFC 3986 except the comma, because two Host lines
/// that an intermediary joins are separated by a comma.
pub(super) const fn is_reg_name_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~'
        | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b';' | b'=')
}

static REG_NAME: ByteSet = byte_set!(is_reg_name_byte);

/// Returns true for `uri-host [ ":" port ]`, RFC 9110 section 7.2. An empty host is valid (RFC 9112
/// section 3.2).
pub(crate) fn is_host(value: &[u8]) -> bool {
    if let [b'[', rest @ ..] = value {
        return is_ip_literal(rest);
    }
    let mut rest = value;
    loop {
        rest = match REG_NAME.split(rest).1 {
            [] => return true,
            [b':', port @ ..] => return port.iter().all(u8::is_ascii_digit),
            [b'%', high, low, tail @ ..] if is_octet(*high, *low) => tail,
            _ => return false,
        };
    }
}

/// Returns the error of an invalid Host. Some clients send the zone of a link-local address, which
/// has a meaning on their own machine only.
#[cold]
pub(crate) fn host_fault(value: &[u8]) -> ProtocolError {
    let address = value.strip_prefix(b"[").and_then(|rest| rest.get(..memchr::memchr(b'%', rest)?));
    if address.is_some_and(is_ipv6) { ProtocolError::HostZone } else { ProtocolError::Host }
}

/// Returns true for a host as in [`is_host`] that is not empty, as an http or https URI requires
/// (RFC 9110 section 4.2.1).
pub(crate) fn names_host(value: &[u8]) -> bool {
    is_host(value) && !matches!(value, [] | [b':', ..])
}

/// Returns true if what follows `[` is an IPv6 address or `IPvFuture`, then `]` and an optional
/// port (RFC 3986 section 3.2.2).
#[inline(never)]
fn is_ip_literal(rest: &[u8]) -> bool {
    let Some(end) = memchr::memchr(b']', rest) else {
        return false;
    };
    let (address, tail) = rest.split_at_checked(end).unwrap_or_default();
    let port_fits = match tail {
        [b']'] => true,
        [b']', b':', port @ ..] => port.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    port_fits && (is_ipv6(address) || is_ip_future(address))
}

fn is_ipv6(address: &[u8]) -> bool {
    core::str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

/// Returns true for `"v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )`.
fn is_ip_future(address: &[u8]) -> bool {
    let [b'v' | b'V', rest @ ..] = address else {
        return false;
    };
    let mut halves = rest.splitn(2, |&byte| byte == b'.');
    let version = halves.next().unwrap_or_default();
    let tail = halves.next().unwrap_or_default();
    !version.is_empty()
        && version.iter().all(u8::is_ascii_hexdigit)
        && !tail.is_empty()
        && tail.iter().all(|&byte| is_reg_name_byte(byte) || byte == b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_checked() {
        for good in ["", "a", "a.b:80", "a:", "[::1]", "[::1]:8080", "[v1.a:b]", "a%20b", "127.0.0.1", "a_b", ":80"] {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in [
            "80x:80x",
            "a:80x",
            "a:-1",
            "a:80:80",
            "[]",
            "[::1",
            "[::1]x",
            "::1",
            "u@h",
            "a/b",
            "a?b",
            "a#b",
            "a\\b",
            "\"a\"",
            "a b",
            "a%2",
            "a%zz",
            "\u{e9}",
            "a,b",
            "[::1]:x",
            "[v.a]",
            "[v1.]",
            "[::1%25eth0]",
            "<a>",
            "a%",
        ] {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn zone_id_has_its_own_error() {
        for zone in ["[fe80::1%eth0]", "[fe80::1%25eth0]:80", "[::%"] {
            assert_eq!(host_fault(zone.as_bytes()), ProtocolError::HostZone, "{zone}");
        }
        for other in ["[fe80::1]%eth0", "fe80::1%eth0", "[a%eth0]", "[%eth0]", "[", ""] {
            assert_eq!(host_fault(other.as_bytes()), ProtocolError::Host, "{other}");
        }
    }
}
