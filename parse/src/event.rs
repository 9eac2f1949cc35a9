//! The parts that were found in the input.

use std::ops::Range;

use httpants_core::{Address, Framing, Headers, RequestHead};
use serde_json::{Map, Value, json};

use crate::json;

/// A part of the input. Ranges and offsets are bytes from its start.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The PROXY protocol header.
    ProxyHeader {
        /// Offset of its end.
        end: u64,
        /// The addresses in the header: that of the client, and the one that it connected to.
        addresses: [Address; 2],
    },
    /// The head of a request.
    Request {
        /// The index of the request, from 1.
        index: u64,
        /// The range of the head, including its empty line.
        range: Range<u64>,
        /// The bytes of the method, the target and the version.
        line: [Vec<u8>; 3],
        /// The version with which the request is served.
        protocol: &'static str,
        /// The host of the request.
        host: String,
        /// The framing of the body.
        framing: Framing,
        /// True if the client waits for `100 Continue`.
        expects_continue: bool,
        /// The field lines.
        fields: Vec<Field>,
    },
    /// The server sends `100 Continue`.
    Continue {
        /// The index of the request.
        request: u64,
    },
    /// Consecutive bytes of the body in the input; for a chunked body, the data of one chunk.
    Data {
        /// The index of the request.
        request: u64,
        /// The range of the bytes.
        range: Range<u64>,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The end of the body.
    End {
        /// The index of the request.
        request: u64,
        /// Offset of the end of the body, including its trailers.
        offset: u64,
        /// The trailer fields that are not dropped.
        trailers: Vec<Field>,
    },
    /// The stream belongs to another protocol from here on.
    Upgraded {
        /// The index of the request.
        request: u64,
        /// Offset at which the other protocol begins.
        offset: u64,
    },
}

/// A field line, or a trailer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field {
    /// The name as sent.
    pub name: Vec<u8>,
    /// Its range in the input.
    pub name_range: Range<u64>,
    /// The value without surrounding white space.
    pub value: Vec<u8>,
    /// Its range in the input.
    pub value_range: Range<u64>,
}

impl Event {
    pub(crate) fn request(head: &RequestHead, end: u64) -> Self {
        let bytes = head.as_bytes();
        let start = end.saturating_sub(bytes.len() as u64);
        let line = bytes.split(|&byte| byte == b'\r').next().unwrap_or_default();
        let mut words = line.splitn(3, |&byte| byte == b' ').map(<[u8]>::to_vec);
        let mut word = || words.next().unwrap_or_default();
        Self::Request {
            index: head.id().index(),
            range: start..end,
            line: [word(), word(), word()],
            protocol: head.protocol(),
            host: head.host().to_owned(),
            framing: head.framing(),
            expects_continue: head.expects_continue(),
            fields: fields(head.headers(), start),
        }
    }

    /// Returns the offset of its end in the input.
    pub(crate) fn end_of_range(&self) -> u64 {
        match self {
            Self::ProxyHeader { end, .. } => *end,
            Self::Request { range, .. } | Self::Data { range, .. } => range.end,
            Self::End { offset, .. } | Self::Upgraded { offset, .. } => *offset,
            Self::Continue { .. } => 0,
        }
    }

    pub(crate) fn end(request: u64, offset: u64, trailers: &Headers) -> Self {
        let start = offset.saturating_sub(trailers.as_bytes().len() as u64);
        Self::End { request, offset, trailers: fields(trailers, start) }
    }

    /// Returns the event as a JSON object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::ProxyHeader { end, addresses: [source, destination] } => json!({
                "event": "proxy-header", "range": [0, end],
                "source": address(source), "destination": address(destination),
            }),
            Self::Request {
                index,
                range,
                line: [method, target, version],
                protocol,
                host,
                framing,
                expects_continue,
                fields,
            } => {
                json!({
                    "event": "request", "request": index, "range": json::range(range),
                    "method": json::bytes(method), "target": json::bytes(target), "version": json::bytes(version),
                    "protocol": protocol, "host": host, "framing": framing_name(*framing),
                    "length": if let Framing::Length(length) = framing { Value::from(*length) } else { Value::Null },
                    "expects_continue": expects_continue, "fields": list(fields),
                })
            }
            Self::Continue { request } => json!({ "event": "continue", "request": request }),
            Self::Data { request, range, bytes } => json!({
                "event": "data", "request": request, "range": json::range(range), "data": json::bytes(bytes),
            }),
            Self::End { request, offset, trailers } => json!({
                "event": "end", "request": request, "offset": offset, "trailers": list(trailers),
            }),
            Self::Upgraded { request, offset } => json!({ "event": "upgraded", "request": request, "offset": offset }),
        }
    }
}

fn fields(headers: &Headers, start: u64) -> Vec<Field> {
    let place = |range: Range<usize>| start + range.start as u64..start + range.end as u64;
    let field = |((name, value), (name_range, value_range)): ((&str, &[u8]), _)| Field {
        name: name.as_bytes().to_vec(),
        name_range: place(name_range),
        value: value.to_vec(),
        value_range: place(value_range),
    };
    headers.iter_raw().zip(headers.ranges()).map(field).collect()
}

fn list(fields: &[Field]) -> Value {
    let object = |field: &Field| {
        let mut object = Map::new();
        object.insert("name".into(), json::bytes(&field.name));
        object.insert("value".into(), json::bytes(&field.value));
        object.insert("name_range".into(), json::range(&field.name_range));
        object.insert("value_range".into(), json::range(&field.value_range));
        Value::Object(object)
    };
    fields.iter().map(object).collect()
}

fn framing_name(framing: Framing) -> &'static str {
    match framing {
        Framing::None => "none",
        Framing::Length(_) => "content-length",
        Framing::Chunked => "chunked",
        _ => "other",
    }
}

fn address(address: &Address) -> Value {
    match address {
        Address::Ip(socket) => Value::from(socket.to_string()),
        Address::Unix => Value::from("unix"),
        _ => Value::Null,
    }
}
