//! A parser of complete request heads, line by line (RFC 9112 sections 2, 3, 5 and 6).

use std::net::Ipv6Addr;

use httpants_core::{Config, Framing};

use super::{is_field_value, is_token, line, trim};

/// The verdict on bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The bytes are an incomplete head.
    NeedMore,
    /// The bytes are not a request, and are refused with this status.
    Refused(u16),
    /// The first line is too long; the status is 400, 414 or 501, depending on the part that was
    /// parsed.
    Endless,
    /// The bytes begin with a request.
    Request(Head),
}

/// A request head.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// The method.
    pub method: Vec<u8>,
    /// The target.
    pub target: Vec<u8>,
    /// True for HTTP/1.0, false for HTTP/1.1.
    pub http_1_0: bool,
    /// The field lines, in order.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// The framing of the content.
    pub framing: Framing,
}

/// Parses the head at the start of `bytes`, with the limits of this configuration.
#[must_use]
pub fn read(mut bytes: &[u8], config: &Config) -> Verdict {
    for count in 0.. {
        match bytes {
            [b'\r', b'\n', ..] if count == config.limits.empty_lines => return Verdict::Refused(400),
            [b'\r', b'\n', rest @ ..] => bytes = rest,
            [] | [b'\r'] => return Verdict::NeedMore,
            [b'\r' | b'\n', ..] => return Verdict::Refused(400),
            _ => break,
        }
    }
    // No method begins with this byte, whatever follows.
    if !is_token(&bytes[..1]) {
        return Verdict::Refused(400);
    }
    let limit = config.limits.head.min(usize::from(u16::MAX));
    let window = &bytes[..limit.min(bytes.len())];
    match read_window(window, config) {
        Ok(Some(head)) => Verdict::Request(head),
        Ok(None) if bytes.len() < limit => Verdict::NeedMore,
        Ok(None) if window.contains(&b'\n') => Verdict::Refused(431),
        Ok(None) => Verdict::Endless,
        Err(status) => Verdict::Refused(status),
    }
}

fn read_window(window: &[u8], config: &Config) -> Result<Option<Head>, u16> {
    let Some((request_line, mut rest)) = line(window).map_err(|_| 400_u16)? else { return Ok(None) };
    let mut head = read_request_line(request_line, config)?;
    loop {
        let Some((field, after)) = line(rest).map_err(|_| 400_u16)? else { return Ok(None) };
        rest = after;
        if field.is_empty() {
            break;
        }
        let colon = field.iter().position(|&byte| byte == b':').ok_or(400_u16)?;
        let (name, value) = (&field[..colon], trim(&field[colon + 1..]));
        if !is_token(name) || !is_field_value(value) {
            return Err(400);
        }
        if head.fields.len() == config.limits.fields {
            return Err(431);
        }
        head.fields.push((name.to_vec(), value.to_vec()));
    }
    head.check_host()?;
    head.framing = head.framing()?;
    let meets = |one: &[u8]| one.is_empty() || one.eq_ignore_ascii_case(b"100-continue");
    if !head.http_1_0 && !head.all("expect").all(|list| list.split(|&byte| byte == b',').map(trim).all(meets)) {
        return Err(417);
    }
    Ok(Some(head))
}

/// Percent-encodes bytes above 0x7F.
fn percent_encoded(target: &[u8]) -> Vec<u8> {
    target.iter().flat_map(|&byte| if byte < 0x80 { vec![byte] } else { format!("%{byte:02X}").into_bytes() }).collect()
}

/// Returns the scheme and the host of a target, which are never encoded.
fn before_path(target: &[u8]) -> &[u8] {
    if target.starts_with(b"/") {
        return b"";
    }
    let host = target.windows(3).position(|window| window == b"://").map_or(target.len(), |at| at + 3);
    let length = target[host..].iter().position(|byte| b"/?#".contains(byte)).unwrap_or(target.len() - host);
    &target[..host + length]
}

fn read_request_line(line: &[u8], config: &Config) -> Result<Head, u16> {
    let parts: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    let &[method, sent, version] = &parts[..] else { return Err(400) };
    let encodes = config.non_ascii_target && !config.strict_target;
    let encoded = percent_encoded(sent);
    let target = if encodes { &encoded[..] } else { sent };
    if !is_token(method) || target.is_empty() {
        return Err(400);
    }
    if method.len() > config.limits.method {
        return Err(501);
    }
    let http_1_0 = match version {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ b'0'..=b'9'] => *minor == b'0',
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => return Err(505),
        _ => return Err(400),
    };
    if target.len() > config.limits.target {
        return Err(414);
    }
    if !target.iter().all(u8::is_ascii_graphic)
        || !before_path(sent).is_ascii()
        || config.strict_target && !is_strict(target)
        || !is_target(method, target)
    {
        return Err(400);
    }
    let (method, target) = (method.to_vec(), target.to_vec());
    Ok(Head { method, target, http_1_0, fields: vec![], framing: Framing::None })
}

impl Head {
    fn all(&self, name: &'static str) -> impl Iterator<Item = &[u8]> {
        let named = move |known: &[u8]| known.eq_ignore_ascii_case(name.as_bytes());
        self.fields.iter().filter(move |(known, _)| named(known)).map(|(_, value)| &value[..])
    }

    fn check_host(&self) -> Result<(), u16> {
        let hosts: Vec<&[u8]> = self.all("host").collect();
        match hosts[..] {
            [] if self.http_1_0 => Ok(()),
            [host] if is_host(host) => Ok(()),
            _ => Err(400),
        }
    }

    /// Returns the framing by RFC 9112 section 6.3; ambiguous heads are refused.
    fn framing(&self) -> Result<Framing, u16> {
        let lengths: Vec<&[u8]> = self.all("content-length").collect();
        let codings: Vec<&[u8]> = self.all("transfer-encoding").collect();
        match (&lengths[..], &codings[..]) {
            ([], []) => Ok(Framing::None),
            ([length], []) if !length.is_empty() && length.iter().all(u8::is_ascii_digit) => {
                let length = std::str::from_utf8(length).unwrap_or_default().parse().map_err(|_| 400_u16)?;
                Ok(if length == 0 { Framing::None } else { Framing::Length(length) })
            }
            ([], [coding]) if !self.http_1_0 => transfer_encoding(coding),
            _ => Err(400),
        }
    }
}

fn transfer_encoding(value: &[u8]) -> Result<Framing, u16> {
    let (mut codings, mut quoted, mut escaped) = (vec![vec![]], false, false);
    for &byte in value {
        match byte {
            b',' if !quoted => {
                codings.push(vec![]);
                continue;
            }
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
        codings.last_mut().unwrap().push(byte);
    }
    let count = codings.len();
    for (place, coding) in codings.iter().enumerate() {
        let coding = trim(coding);
        let name = trim(coding.split(|&byte| byte == b';').next().unwrap_or_default());
        let is_chunked = name.eq_ignore_ascii_case(b"chunked");
        if !is_token(name) || is_chunked && (name.len() < coding.len() || place + 1 < count) {
            return Err(400);
        }
    }
    if trim(&codings[0]).eq_ignore_ascii_case(b"chunked") { Ok(Framing::Chunked) } else { Err(501) }
}

/// Returns true for the four forms of RFC 9112 section 3.2.
fn is_target(method: &[u8], target: &[u8]) -> bool {
    if method == b"CONNECT" {
        let Some(colon) = target.iter().rposition(|&byte| byte == b':') else { return false };
        let port = std::str::from_utf8(&target[colon + 1..])
            .ok()
            .and_then(|port| port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse::<u64>().ok())?);
        return colon > 0 && is_host(target) && port.is_some_and(|port| (1..=65_535).contains(&port));
    }
    if target.starts_with(b"/") {
        return true;
    }
    if target == b"*" {
        return method == b"OPTIONS";
    }
    let lower = target.to_ascii_lowercase();
    let Some(rest) = lower.strip_prefix(b"http://").or_else(|| lower.strip_prefix(b"https://")) else {
        return false;
    };
    let authority = rest.split(|byte| b"/?#".contains(byte)).next().unwrap_or_default();
    is_host(authority) && !authority.is_empty() && !authority.starts_with(b":")
}

/// Returns true for `uri-host [ ":" port ]` without commas, or empty.
#[must_use]
pub fn is_host(host: &[u8]) -> bool {
    let is_port = |port: &[u8]| port.iter().all(u8::is_ascii_digit);
    if let Some(literal) = host.strip_prefix(b"[") {
        let Some(end) = literal.iter().position(|&byte| byte == b']') else { return false };
        let (address, port) = (&literal[..end], &literal[end + 1..]);
        let text = std::str::from_utf8(address).unwrap_or_default();
        let is_future = || {
            let Some((version, rest)) = text.split_once('.') else { return false };
            let digits = version.strip_prefix(['v', 'V']).unwrap_or_default();
            let allowed = |byte| is_name_byte(byte) || byte == b':';
            !digits.is_empty()
                && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
                && !rest.is_empty()
                && rest.bytes().all(allowed)
        };
        let known = text.parse::<Ipv6Addr>().is_ok() || is_future();
        return known && (port.is_empty() || port.strip_prefix(b":").is_some_and(is_port));
    }
    let mut halves = host.splitn(2, |&byte| byte == b':');
    let name = halves.next().unwrap_or_default();
    is_encoded(name, is_name_byte) && halves.next().is_none_or(is_port)
}

/// Returns true for `unreserved / sub-delims` except the comma.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=".contains(&byte)
}

/// Returns true if there are only allowed bytes and `pct-encoded`.
fn is_encoded(mut bytes: &[u8], allowed: impl Fn(u8) -> bool) -> bool {
    loop {
        bytes = match bytes {
            [] => return true,
            [b'%', a, b, rest @ ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => rest,
            [byte, rest @ ..] if allowed(*byte) => rest,
            _ => return false,
        };
    }
}

/// Returns true if the target has only characters of RFC 3986, with `[` and `]` only in an
/// authority.
fn is_strict(target: &[u8]) -> bool {
    let allowed = |byte| is_name_byte(byte) || b",/?:@".contains(&byte);
    if target.starts_with(b"[") {
        return is_encoded(target, |byte| allowed(byte) || b"[]".contains(&byte));
    }
    let text = String::from_utf8_lossy(target);
    let path = match text.split_once("://") {
        Some((scheme, rest)) if !text.starts_with('/') => {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, path) = rest.split_at(end);
            if !is_encoded(scheme.as_bytes(), allowed)
                || !is_encoded(authority.as_bytes(), |byte| allowed(byte) || b"[]".contains(&byte))
            {
                return false;
            }
            path
        }
        _ => &text,
    };
    is_encoded(path.as_bytes(), allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_parsed_or_refused() {
        let verdict = |text: &str| read(text.as_bytes(), &Config::default());
        for (text, status) in [
            ("GET / HTTP/1.1\n", 400),
            ("GET /\r\n", 400),
            ("GET / HTTP/2.0\r\n", 505),
            ("GET / HTTP/1.1\r\nHost : a\r\n", 400),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", 417),
            ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
            ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
            ("GET h:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ] {
            assert_eq!(verdict(text), Verdict::Refused(status), "{text}");
        }
        assert_eq!(verdict("GET / HT"), Verdict::NeedMore);
        let Verdict::Request(head) = verdict("\r\nCONNECT [::1]:80 HTTP/1.1\r\nHost:\t[::1]:80 \r\n\r\n") else {
            panic!()
        };
        assert_eq!(head.fields, [(b"Host".to_vec(), b"[::1]:80".to_vec())]);
    }
}
