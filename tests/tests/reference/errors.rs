//! The page of all errors.

use std::collections::BTreeMap;

use httpants_core::{Config, Connection, ConnectionInfo, Event, Now, ProtocolError, ResponseHead, Transmit};

use crate::{source, table};

const HEAD: &str = "# Every error, and what the server responds to by itself

Generated from the code by a test (`tests/tests/reference`): `UPDATE_REFERENCE=1 cargo test -p httpants-tests --test reference`
writes it anew. `Server::on_error` replaces the pages of these responses ([error pages](../how-to/error-pages.md)). Which input
gets which of them is in [verdicts](../protocol.md).

";

const PARTS: [(&str, &str, &str, &str); 8] = [
    (
        "ParseFormError",
        "http-core/src/forms/error.rs",
        "Errors of forms",
        "400, 413 past a limit, 415 for a content coding.",
    ),
    ("BodyError", "http-driver/src/exchange/body_error.rs", "Errors of reading a body", "They convert into responses."),
    (
        "WebSocketError",
        "http-driver/src/request/websocket_error.rs",
        "Errors of a WebSocket handshake",
        "They convert into responses.",
    ),
    (
        "Misuse",
        "http-core/src/message/misuse.rs",
        "Misuse",
        "What the application did wrong. Returned by a handler it becomes a 500, and an ERROR in the log.",
    ),
    ("CloseReason", "http-core/src/connection/events.rs", "Why connections end", "Counted by `Counters::closes`."),
    ("TlsErrorKind", "http-driver/src/tls/error.rs", "Errors of TLS settings", "Returned when certificates are read."),
    (
        "CookieError",
        "http-core/src/message/cookie_error.rs",
        "Errors of cookies",
        "In `Misuse::Cookie`, when a cookie is set.",
    ),
    ("FileError", "http-core/src/files/error.rs", "Errors of files", "404, 403 or 500."),
];

fn documented(path: &str, name: &str, columns: [&str; 2]) -> String {
    let rows = source::variants(path, name).into_iter().map(|(variant, text)| {
        assert!(!text.is_empty(), "{name}::{variant} has no documentation");
        vec![format!("`{name}::{variant}`"), text]
    });
    table(&columns, rows)
}

/// Returns the statuses of the server's own responses, and the kinds of errors for each.
fn by_status() -> String {
    let mut kinds = BTreeMap::<u16, Vec<String>>::new();
    for (kind, text) in source::variants("http-driver/src/response/server_error.rs", "ServerErrorKind") {
        let words = text.split(|part: char| !part.is_ascii_alphanumeric());
        for status in words.filter(|word| word.len() == 3).filter_map(|word| word.parse().ok()) {
            kinds.entry(status).or_default().push(format!("`{kind}`"));
        }
    }
    for error in ProtocolError::ALL.iter().filter(|error| **error != ProtocolError::ProxyHeader) {
        let status = error.status().as_u16();
        let stated = kinds.get(&status).is_some_and(|kinds| kinds.iter().any(|kind| kind == "`Protocol`"));
        assert!(stated, "ServerErrorKind::Protocol does not say that {error:?} has the status {status}");
    }
    let rows = kinds.into_iter().map(|(status, kinds)| vec![status.to_string(), reason(status), kinds.join(", ")]);
    table(&["status", "reason", "kinds"], rows)
}

/// Returns the reason phrase that the server sends with this status.
fn reason(status: u16) -> String {
    let now = Now::default();
    let mut connection = Connection::new(Config::default().into(), ConnectionInfo::default(), now);
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(connection.receive(request, now), request.len());
    let Some(Event::Request(request)) = connection.poll_event() else { unreachable!("a whole request was received") };
    connection.respond_with(request.id(), &ResponseHead::new(status).unwrap(), "").unwrap();
    let Some(Transmit::Bytes(slices)) = connection.poll_transmit() else { unreachable!("a response waits") };
    let bytes = slices.collect::<Vec<_>>().concat();
    let line = bytes.split(|byte| *byte == b'\r').next().unwrap();
    String::from_utf8_lossy(line).strip_prefix(&format!("HTTP/1.1 {status} ")).unwrap().to_owned()
}

pub(crate) fn page() -> String {
    let mut page = HEAD.to_owned();
    page += "## Responses of the server itself\n\n`ServerErrorKind`, the cause of a response that no handler gave.\n\n";
    page += &documented("http-driver/src/response/server_error.rs", "ServerErrorKind", ["kind", "cause, and status"]);
    page += "\nBy status; those of `File` and `FileRequest` only where files are served:\n\n";
    page += &by_status();
    page += "\n## Errors of the protocol\n\n`ProtocolError`, what a peer did wrong: each has the id of a rule, one status and one fixed text.\n\n";
    let described = source::variants("http-core/src/wire/error.rs", "ProtocolError");
    assert_eq!(described.len(), ProtocolError::ALL.len());
    let rows = ProtocolError::ALL.iter().zip(described).map(|(error, (name, text))| {
        assert_eq!(format!("{error:?}"), name);
        let (status, id) = (error.status().as_u16().to_string(), format!("`{}`", error.id()));
        vec![format!("`{name}`"), id, status, error.to_string(), text]
    });
    page += &table(&["error", "rule", "status", "text of the response", "cause"], rows);
    for (name, path, title, note) in PARTS {
        page += &format!("\n## {title}\n\n{note}\n\n{}", documented(path, name, ["error", "meaning"]));
    }
    page
}
