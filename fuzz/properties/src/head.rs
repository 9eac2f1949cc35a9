//! The property of request heads (RFC 9112 sections 2, 3, 5 and 6).

use std::sync::Arc;

use http_net::{BodyFraming, FieldSpan, HttpError, Limits, Parsed};
use httpants_core::{CloseReason, Config, Framing, ProtocolError, RequestHead};

use crate::oracle::head::{self, Verdict};
use crate::split;
use crate::visit::{Visit, visit};

/// Checks the verdict on a request head. The first byte chooses the limits, the second the cuts;
/// the rest is sent by a client.
///
/// For all cuts, the verdict on the first head is that of [`oracle::head`](crate::oracle::head):
/// the same request, or the same status. Differences from http-net and httparse are only those
/// listed in this file.
///
/// # Panics
/// If the property does not hold.
pub fn check(data: &[u8]) {
    let [choices, seed, bytes @ ..] = data else { return };
    let mut config = Config::default();
    config.strict_target = choices & 1 == 1;
    config.non_ascii_target = choices & 4 == 4;
    if choices & 2 == 2 {
        let limits = &mut config.limits;
        (limits.head, limits.fields, limits.target, limits.method, limits.empty_lines) = (120, 3, 16, 8, 1);
    }
    let config = Arc::new(config);
    let seen = split::same(bytes, u64::from(*seed), |cut| visit(&config, bytes, cut, true));
    same_as_oracle(&seen, &head::read(bytes, &config));
    if choices & 7 == 0 {
        same_as_http_net(&seen, bytes);
        same_as_httparse(&seen, bytes);
    }
}

pub(crate) fn same_as_oracle(visit: &Visit, verdict: &Verdict) {
    let first = visit.received.first().map(|received| &received.request);
    match (first, visit.closed, verdict) {
        (Some(request), _, Verdict::Request(head)) => {
            assert_eq!(request.method().as_str().as_bytes(), head.method);
            assert_eq!(request.target().as_bytes(), head.target);
            assert_eq!(request.protocol() == "HTTP/1.0", head.http_1_0);
            assert_eq!(request.framing(), head.framing);
            assert!(fields(request).eq(head.fields.iter().map(|(name, value)| (&name[..], &value[..]))));
        }
        (None, Some(CloseReason::Refused(fault)), Verdict::Refused(status)) => {
            assert_eq!(fault.status(), *status, "{fault:?}");
        }
        (None, Some(CloseReason::Refused(fault)), Verdict::Endless) => {
            assert!([400, 414, 431, 501].contains(&fault.status().as_u16()), "{fault:?}");
        }
        (None, Some(CloseReason::Truncated | CloseReason::PeerClosed), Verdict::NeedMore) => {}
        (_, closed, verdict) => panic!("{closed:?}, {:?}, but {verdict:?}", visit.received),
    }
}

fn fields(request: &RequestHead) -> impl Iterator<Item = (&[u8], &[u8])> {
    request.headers().iter_raw().map(|(name, value)| (name.as_bytes(), value))
}

fn same_as_http_net(visit: &Visit, bytes: &[u8]) {
    let first = visit.received.first().map(|received| &received.request);
    let limits = Limits::new()
        .with_max_start_line(16 << 10)
        .with_max_header_bytes(32 << 10)
        .with_max_field_line(32 << 10)
        .with_max_body(u64::MAX);
    let mut spans = vec![FieldSpan::default(); 100];
    match (first, http_net::parse_request_head(bytes, &limits, &mut spans)) {
        (Some(ours), Ok(Parsed::Complete { head, .. })) => {
            let head = head.view();
            assert_eq!((ours.method().as_str(), ours.target()), (head.method_str(), head.target()));
            assert!(fields(ours).eq(head.headers().map(|(name, value)| (name.as_bytes(), value))), "{ours:?}");
            match (ours.framing(), head.framing()) {
                (Framing::None, BodyFraming::None | BodyFraming::Length(0))
                | (Framing::Chunked, BodyFraming::Chunked) => {}
                (Framing::Length(length), BodyFraming::Length(other)) => assert_eq!(length, other),
                (ours, theirs) => panic!("{ours:?}, but {theirs:?} for http-net"),
            }
        }
        (Some(ours), Ok(_)) => panic!("half of it is a request: {ours:?}"),
        (Some(ours), Err(error)) => assert!(only_we_accept(error, ours).is_some(), "{error:?} for http-net: {ours:?}"),
        (None, Ok(Parsed::Complete { head, .. })) => {
            let Some(CloseReason::Refused(fault)) = visit.closed else { panic!("not seen: {head:?}") };
            let head = head.view();
            let named = |name: &'static str| {
                let fields = head.headers().filter(move |(known, _)| known.eq_ignore_ascii_case(name));
                fields.map(|(_, value)| String::from_utf8_lossy(value)).collect::<Vec<_>>()
            };
            let reason = only_http_net_accepts(fault, head.target(), &named("host"), &named("transfer-encoding"));
            assert!(reason.is_some(), "{fault:?}, but for http-net {head:?}");
        }
        _ => {}
    }
}

/// Returns the reason why http-net refuses a head that the core accepts.
fn only_we_accept(error: HttpError, ours: &RequestHead) -> Option<&'static str> {
    Some(match (error, ours.headers().get("host").unwrap_or_default()) {
        (HttpError::InvalidTarget, _) => "browsers send | ^ { } in queries, and http-net takes no such byte and no #",
        (HttpError::InvalidHost, [b':', ..]) => "for http-net an empty host has no port, empty as that may be",
        (HttpError::InvalidHost, [b'[', b'v' | b'V', ..]) => {
            "http-net takes addresses of later versions for hexadecimal"
        }
        _ => return None,
    })
}

/// Returns the reason why the core refuses a head that http-net accepts.
fn only_http_net_accepts<T: AsRef<str>>(
    fault: ProtocolError,
    target: &str,
    hosts: &[T],
    codings: &[T],
) -> Option<&'static str> {
    let (scheme, authority) = target.split_once("://").unwrap_or(("", target));
    let authority = authority.split(['/', '?']).next().unwrap_or_default();
    // The core requires an address in brackets, and refuses a comma, which may come from two joined
    // Host lines.
    let is_looser = |host: &str| host.starts_with('[') || host.contains(',');
    let port = |authority: &str| authority.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    Some(match fault {
        ProtocolError::MethodTooLong | ProtocolError::TargetTooLong | ProtocolError::HeadTooLong => "a limit of ours",
        ProtocolError::Expectation => "an unknown expectation gets 417 here, and is reported there",
        ProtocolError::EmptyLines => "http-net skips any number of empty lines",
        ProtocolError::Host | ProtocolError::HostZone if hosts.iter().any(|host| is_looser(host.as_ref())) => {
            "a looser host"
        }
        ProtocolError::AbsoluteForm | ProtocolError::AuthorityForm if is_looser(authority) => "a looser host",
        ProtocolError::AbsoluteForm if !["http", "https"].contains(&&*scheme.to_ascii_lowercase()) => {
            "a foreign scheme"
        }
        ProtocolError::AuthorityForm if port(authority).is_none_or(|port| port == 0) => "a port that is none",
        ProtocolError::TransferEncoding if codings.len() > 1 => "http-net reads several lines as one list",
        ProtocolError::TransferEncoding if codings.iter().any(|list| has_empty_element(list.as_ref())) => {
            "http-net skips empty elements"
        }
        _ => return None,
    })
}

/// Returns true if an element of a list without quoted commas is empty.
fn has_empty_element(list: &str) -> bool {
    list.split(',').any(|element| crate::oracle::trim(element.as_bytes()).is_empty())
}

fn same_as_httparse(visit: &Visit, bytes: &[u8]) {
    let first = visit.received.first().map(|received| &received.request);
    let mut room = [httparse::EMPTY_HEADER; 100];
    let mut theirs = httparse::Request::new(&mut room);
    match (first, theirs.parse(bytes)) {
        (Some(ours), Ok(httparse::Status::Complete(_))) => {
            assert_eq!((Some(ours.method().as_str()), Some(ours.target())), (theirs.method, theirs.path));
            let theirs = theirs.headers.iter().map(|field| (field.name.as_bytes(), crate::oracle::trim(field.value)));
            assert!(fields(ours).eq(theirs), "{ours:?}");
        }
        (Some(ours), Ok(httparse::Status::Partial)) => panic!("half of it is a request: {ours:?}"),
        (Some(ours), Err(error)) => {
            // httparse knows two versions; the core serves HTTP/1.2 and higher minor versions as
            // 1.1 (RFC 9110 section 2.5).
            assert!(error == httparse::Error::Version, "{error:?} for httparse: {ours:?}");
        }
        (None, Ok(httparse::Status::Complete(_))) => {
            let Some(CloseReason::Refused(fault)) = visit.closed else { panic!("not seen by us: {theirs:?}") };
            assert!(only_httparse_accepts(fault).is_some(), "{fault:?}, but for httparse {theirs:?}");
        }
        _ => {}
    }
}

/// Returns the reason why the core refuses a head that httparse accepts, which only splits lines.
fn only_httparse_accepts(fault: ProtocolError) -> Option<&'static str> {
    use ProtocolError as B;
    Some(match fault {
        B::BareLineFeed | B::EmptyLines => "httparse takes LF for a line end, and any number of empty lines",
        B::TargetByte => "httparse takes bytes over 0x7F in a target",
        B::TargetTooLong | B::HeadTooLong | B::MethodTooLong => "a limit of ours",
        B::TargetForm | B::AbsoluteForm | B::AuthorityForm | B::AsteriskForm => "httparse does not look into targets",
        B::MissingHost | B::DuplicateHost | B::Host | B::HostZone => "httparse knows no fields",
        B::ContentLength
        | B::DuplicateContentLength
        | B::ContentLengthAndTransferEncoding
        | B::TransferEncodingVersion
        | B::TransferEncoding
        | B::TransferCoding
        | B::Expectation => "httparse knows no fields",
        _ => return None,
    })
}
