//! The result of a run.

use httpants_core::{ProtocolError, Refusal};
use serde_json::{Value, json};

use crate::event::Event;
use crate::json;

/// The result of parsing an input.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The parts of the input, in order.
    pub events: Vec<Event>,
    /// The verdict on the whole input.
    pub verdict: Verdict,
    /// The refusal, if the input was refused.
    pub refusal: Option<Refused>,
    /// The reason why the connection ended, or its state.
    pub reason: String,
    /// The statuses of the final responses.
    pub responses: Vec<u16>,
    /// Number of accepted requests. The body of the last one may be refused or incomplete.
    pub requests: u64,
    /// Offset to which the verdict applies: the start of the refused or the incomplete element, or
    /// the end of the parsed input.
    pub offset: u64,
}

/// The verdict on an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Verdict {
    /// The whole input consists of requests, or the connection ended normally after one of them.
    Accepted,
    /// The input ends inside a request, or has none.
    Incomplete,
    /// A part of the input breaks a rule.
    Refused,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// The rule that was broken.
    pub error: ProtocolError,
    /// Offset of the refused element.
    pub offset: u64,
    /// The index of the request whose body is refused, if it is a body.
    pub request: Option<u64>,
    /// The part of the request line of a refused head that was read. Empty if the refused bytes are
    /// in place of a PROXY header or a handshake: these are refused as early as possible, so the
    /// number of received bytes depends on the network.
    pub request_line: Vec<u8>,
    /// The field lines of a refused head before the error: names and values.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// The error of a PROXY header.
    pub proxy_header: Option<String>,
}

impl Refused {
    pub(crate) fn new(refusal: &Refusal) -> Self {
        let is_http = !matches!(refusal.error(), ProtocolError::ProxyHeader | ProtocolError::PlainRequest);
        let request_line = if is_http { refusal.request_line() } else { &[] };
        let fields = refusal.fields().filter(|_| is_http);
        Self {
            error: refusal.error(),
            offset: refusal.offset(),
            request: refusal.request().map(httpants_core::RequestId::index),
            request_line: request_line.to_vec(),
            fields: fields.map(|(name, value)| (name.to_vec(), value.to_vec())).collect(),
            proxy_header: refusal.proxy_header().map(|fault| fault.to_string()),
        }
    }

    /// Returns the refusal as a JSON object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let field =
            |(name, value): &(Vec<u8>, Vec<u8>)| json!({ "name": json::bytes(name), "value": json::bytes(value) });
        json!({
            "event": "refused", "request": self.request, "offset": self.offset, "rule": self.error.id(),
            "text": self.error.rule(), "proxy_header": self.proxy_header,
            "request_line": json::bytes(&self.request_line), "fields": self.fields.iter().map(field).collect::<Value>(),
        })
    }
}

/// Returns the status of the response to this error; an invalid PROXY header gets none.
#[must_use]
pub fn status(error: ProtocolError) -> Option<u16> {
    (error != ProtocolError::ProxyHeader).then(|| error.status().as_u16())
}

impl Verdict {
    /// Returns the name of the verdict in the output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Incomplete => "incomplete",
            Self::Refused => "refused",
        }
    }
}

impl Report {
    /// Returns the verdict as a JSON object; `length` is the length of the input.
    #[must_use]
    pub fn verdict_to_json(&self, length: usize) -> Value {
        let error = self.refusal.as_ref().map(|refusal| refusal.error);
        let id = error.map(ProtocolError::id);
        json!({
            "verdict": self.verdict.name(), "rule": id, "status": error.and_then(status),
            "rfc": error.and_then(ProtocolError::section).into_iter().collect::<Vec<_>>(),
            "advisories": id.map(httpants_corpus::advisories).unwrap_or_default(),
            "offset": self.offset, "length": length, "requests": self.requests, "responses": self.responses,
            "reason": self.reason,
        })
    }
}
