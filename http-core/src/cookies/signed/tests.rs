//! Tests of signed values.

use super::*;
use crate::cookies::{remove, set};
use crate::message::field_lines::FieldLines;

const SECOND: u64 = 1_700_000_000;
const NOW: UnixTime = UnixTime::from_secs(SECOND);
const HOUR: Duration = Duration::from_secs(3600);

fn ring(secrets: &[&str]) -> KeyRing {
    KeyRing::new(secrets).unwrap()
}

fn text(fields: &FieldLines, index: usize) -> String {
    String::from_utf8(fields.iter().nth(index).unwrap().1.to_vec()).unwrap()
}

/// Signs these parts with a valid key, for values that `sign` never produces.
fn forge(keys: &KeyRing, name: &str, time: &str, lifetime: &str, value: &str) -> String {
    let parts = Parts { time: time.as_bytes(), lifetime: lifetime.as_bytes(), value: value.as_bytes() };
    let mac = URL_SAFE_NO_PAD.encode(parts.mac(&keys.signing, name).finalize().into_bytes());
    format!("1.{time}.{lifetime}.{value}.{mac}")
}

#[test]
fn signed_values_are_verified() {
    let keys = ring(&["k"]);
    let all: Vec<u8> = (0..=255).collect();
    for value in [&b""[..], b"a", b"ab", b"abc", b"\0", b".", b"{\"a\": [1, \"\xc3\xa9\"]}", &all] {
        let signed = keys.sign("n", value, NOW, HOUR);
        assert_eq!(keys.verify("n", signed.as_bytes(), NOW).unwrap(), value);
        assert!(signed.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b)), "{signed}");
    }
    let signed = keys.sign("n", b"\xff", NOW, HOUR);
    assert_eq!(keys.verify_text("n", signed.as_bytes(), NOW), Err(VerifyError::NotText));
}

#[test]
fn signature_matches_another_implementation() {
    // Computed with another implementation of HMAC, over
    // len || "1", len || "user", len || "1700000000", len || "3600", len || "YWxpY2U".
    let expected = "1.1700000000.3600.YWxpY2U.rbjEexct_dVD_vVgQef-pqrihXXKd7yxABFIb5Jq9Ac";
    assert_eq!(ring(&["secret"]).sign("user", "alice", NOW, HOUR), expected);
}

#[test]
fn every_changed_byte_is_refused() {
    let keys = ring(&["new", "old"]);
    // Values of 0 to 3 bytes leave 0, 4 and 2 unused bits in the last character of base64.
    for value in ["", "a", "ab", "abc", "alice@example.com"] {
        let signed = keys.sign("user", value, NOW, HOUR).into_bytes();
        for at in 0..signed.len() {
            let mut changed = signed.clone();
            for byte in (0..=255).filter(|&byte| byte != signed[at]) {
                changed[at] = byte;
                assert!(keys.verify("user", &changed, NOW).is_err(), "{}", changed.escape_ascii());
            }
        }
    }
}

#[test]
fn every_insertion_removal_and_swap_is_refused() {
    let keys = ring(&["k"]);
    let signed = keys.sign("user", "alice", NOW, HOUR).into_bytes();
    let refused = |changed: &[u8]| assert!(keys.verify("user", changed, NOW).is_err());
    for at in 0..=signed.len() {
        for byte in 0..=255 {
            let mut longer = signed.clone();
            longer.insert(at, byte);
            refused(&longer);
        }
        refused(&signed[..at.min(signed.len() - 1)]);
        if at < signed.len() {
            let mut shorter = signed.clone();
            shorter.remove(at);
            refused(&shorter);
        }
        if at + 1 < signed.len() && signed[at] != signed[at + 1] {
            let mut swapped = signed.clone();
            swapped.swap(at, at + 1);
            refused(&swapped);
        }
    }
}

#[test]
fn non_canonical_encodings_are_refused() {
    let keys = ring(&["k"]);
    let signed = keys.sign("n", "a", NOW, HOUR);
    let (head, mac) = signed.rsplit_once('.').unwrap();
    for other in [
        format!("1.0{SECOND}.3600.YQ.{mac}"),
        format!("1.+{SECOND}.3600.YQ.{mac}"),
        format!("1.{SECOND}.03600.YQ.{mac}"),
        format!("1.{SECOND}.3600.YR.{mac}"),
        format!("1.{SECOND}.3600.YQ==.{mac}"),
        format!("01.{SECOND}.3600.YQ.{mac}"),
        format!("{head}.{mac}="),
        format!("{head}.{mac}."),
    ] {
        assert!(keys.verify("n", other.as_bytes(), NOW).is_err(), "{other}");
    }
    // Even with a valid key, only the output of `sign` is accepted.
    for (time, lifetime, value) in [("", "1", ""), ("1x", "1", ""), ("1", "+1", ""), ("1", "9", "YR"), ("1", "9", "Y")]
    {
        let forged = forge(&keys, "n", time, lifetime, value);
        assert_eq!(keys.verify("n", forged.as_bytes(), UnixTime::from_secs(1)), Err(VerifyError::Unsigned), "{forged}");
    }
}

#[test]
fn signature_covers_the_boundaries_of_parts() {
    let keys = ring(&["k"]);
    // The same characters, divided differently.
    let signed = keys.sign("ab", "c", UnixTime::from_secs(12), Duration::from_secs(34));
    let mac = signed.rsplit('.').next().unwrap();
    for (name, parts) in
        [("a", "12.34.Yw"), ("ab", "1.234.Yw"), ("ab", "123.4.Yw"), ("ab1", "2.34.Yw"), ("ab", "12.3.4Yw")]
    {
        assert_eq!(
            keys.verify(name, format!("1.{parts}.{mac}").as_bytes(), UnixTime::from_secs(12)),
            Err(VerifyError::Mac),
            "{parts}"
        );
    }
    assert!(keys.verify("ab", format!("1.12.34.Yw.{mac}").as_bytes(), UnixTime::from_secs(12)).is_ok());
}

#[test]
fn value_is_bound_to_the_cookie_name() {
    let keys = ring(&["k"]);
    let (user, role) = (keys.sign("user", "alice", NOW, HOUR), keys.sign("role", "admin", NOW, HOUR));
    for (name, value) in [("user", &role), ("role", &user), ("User", &user), ("user ", &user), ("", &user)] {
        assert_eq!(keys.verify(name, value.as_bytes(), NOW), Err(VerifyError::Mac), "{name}");
    }
}

#[test]
fn keys_can_be_rotated() {
    let (old, both, new) = (ring(&["old"]), ring(&["new", "old"]), ring(&["new"]));
    let of_old = old.sign("n", "v", NOW, HOUR);
    let of_both = both.sign("n", "v", NOW, HOUR);
    assert!(both.verify("n", of_old.as_bytes(), NOW).is_ok());
    assert!(new.verify("n", of_both.as_bytes(), NOW).is_ok());
    assert_eq!(new.verify("n", of_old.as_bytes(), NOW), Err(VerifyError::Mac));
    assert_eq!(old.verify("n", of_both.as_bytes(), NOW), Err(VerifyError::Mac));
}

#[test]
fn lifetime_is_exact_to_the_second() {
    let keys = ring(&["k"]);
    let verify = |time, lifetime, now| {
        let signed = keys.sign("n", "v", UnixTime::from_secs(time), Duration::from_secs(lifetime));
        keys.verify("n", signed.as_bytes(), UnixTime::from_secs(now)).map(|_| ())
    };
    use VerifyError::{Expired, Future};
    for (time, lifetime, now, expected) in [
        (100, 10, 100, Ok(())),
        (100, 10, 109, Ok(())),
        (100, 10, 110, Err(Expired)),
        (100, 10, u64::MAX, Err(Expired)),
        (100, 0, 100, Err(Expired)),
        (100, 1, 100, Ok(())),
        (100, 10, 40, Ok(())),
        (100, 10, 39, Err(Future)),
        (100, 0, 40, Err(Expired)),
        (u64::MAX, u64::MAX, u64::MAX, Ok(())),
        (u64::MAX, u64::MAX, 0, Err(Future)),
        (0, u64::MAX, u64::MAX - 1, Ok(())),
    ] {
        assert_eq!(verify(time, lifetime, now), expected, "{time} {lifetime} {now}");
    }
    assert_eq!(KeyRing::LIFETIME.as_secs(), 30 * 86_400);
}

#[test]
fn malformed_values_are_reported_as_unsigned() {
    let keys = ring(&["k"]);
    let mac = "A".repeat(43);
    for value in ["", ".", "....", "alice", "1.1.1.YQ", &format!("2.1.1.YQ.{mac}"), &format!(".1.1.YQ.{mac}")] {
        assert_eq!(keys.verify("n", value.as_bytes(), UnixTime::from_secs(1)), Err(VerifyError::Unsigned), "{value}");
    }
    for mac in ["", "A", &"A".repeat(42), &"A".repeat(44), &"A".repeat(4000), &format!("{}B", "A".repeat(42))] {
        let value = format!("1.1.1.YQ.{mac}");
        assert_eq!(keys.verify("n", value.as_bytes(), UnixTime::from_secs(1)), Err(VerifyError::Unsigned), "{mac}");
    }
    assert_eq!(keys.verify("n", format!("1.1.1.YQ.{mac}").as_bytes(), UnixTime::from_secs(1)), Err(VerifyError::Mac));
}

#[test]
fn signed_cookie_has_safe_defaults_that_can_be_changed() {
    let keys = ring(&["k"]);
    let mut out = FieldLines::new();
    set(&mut out, keys.cookie("n", "v", NOW, HOUR)).unwrap();
    let signed = keys.sign("n", "v", NOW, HOUR);
    let field = text(&out, 0);
    assert_eq!(field, format!("n={signed}; HttpOnly; SameSite=Lax; Path=/; Max-Age=3600"));
    let adjusted = keys.cookie("n", "v", NOW, HOUR).http_only(false).secure(true).same_site(SameSite::Strict);
    set(&mut out, adjusted.domain("a.example").path("/p")).unwrap();
    let field = text(&out, 1);
    assert_eq!(field, format!("n={signed}; SameSite=Strict; Secure; Path=/p; Domain=a.example; Max-Age=3600"));
    set(&mut out, keys.cookie("long", "v".repeat(2900), NOW, Duration::MAX)).unwrap();
    assert!(set(&mut out, keys.cookie("long", "v".repeat(3100), NOW, HOUR)).is_err());
}

#[test]
fn prefixed_names_get_their_required_attributes() {
    let keys = ring(&["k"]);
    for name in ["__Host-n", "__host-n", "__Secure-n", "__SECURE-"] {
        let mut out = FieldLines::new();
        set(&mut out, keys.cookie(name, "v", NOW, HOUR)).unwrap();
        let field = text(&out, 0);
        assert!(field.ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=3600"), "{field}");
        remove(&mut out, KeyRing::removal(name)).unwrap();
        let gone = "; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
        assert_eq!((out.iter().count(), text(&out, 0)), (1, format!("{name}={gone}")));
    }
    for name in ["Host-n", "__Hostn", "n__Secure-"] {
        assert_eq!(KeyRing::removal(name).build().secure(), None, "{name}");
    }
    let mut out = FieldLines::new();
    assert!(set(&mut out, keys.cookie("__Host-n", "v", NOW, HOUR).domain("a.example")).is_err());
    assert!(set(&mut out, keys.cookie("__Host-n", "v", NOW, HOUR).secure(false)).is_err());
}

#[test]
fn missing_and_empty_secrets_are_errors() {
    assert_eq!(KeyRing::new::<&str>([]).err(), Some(KeyError::NoSecret));
    assert_eq!(KeyRing::new([""]).err(), Some(KeyError::EmptySecret));
    assert_eq!(KeyRing::new(["k", ""]).err(), Some(KeyError::EmptySecret));
    assert!(KeyRing::new([[0u8; 500]]).is_ok());
}

#[test]
fn key_errors_convert_into_io_errors() {
    let error = std::io::Error::from(KeyError::NoSecret);
    assert_eq!((error.kind(), error.to_string()), (std::io::ErrorKind::InvalidInput, KeyError::NoSecret.to_string()));
}

#[test]
fn debug_shows_no_key() {
    assert_eq!(format!("{:?}", ring(&["hunter2", "old"])), "KeyRing(2 keys: ***)");
}
