//! The framing of a response body, decided once, when its head is sent.

use http::{Method, StatusCode};

/// The treatment of the body that the application provides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The response has no body, and nothing that is provided is sent: HEAD, 204, 205, 304.
    Without,
    /// The body must have this many bytes.
    Length(u64),
    Chunked,
    /// The body ends with the connection (HTTP/1.0).
    UntilClose,
}

/// The framing field of a response's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FramingField {
    /// No field, because the status or the method excludes one or the body ends with the
    /// connection.
    None,
    Length(u64),
    Chunked,
}

/// The values that the application has set for fields that the core owns or adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReservedFields {
    pub(crate) content_length: Option<u64>,
    pub(crate) chunked: bool,
    pub(crate) close: bool,
    pub(crate) date: bool,
    pub(crate) server: bool,
    pub(crate) trailer: bool,
    pub(crate) upgrade: bool,
}

impl ReservedFields {
    /// Returns the name of a field that is not allowed in an interim response, if one is set.
    pub(crate) fn framing(self) -> Option<&'static str> {
        let fields = [
            (self.content_length.is_some(), "Content-Length"),
            (self.chunked, "Transfer-Encoding"),
            (self.close, "Connection"),
            (self.trailer, "Trailer"),
            (self.upgrade, "Upgrade"),
        ];
        fields.into_iter().find(|(is_set, _)| *is_set).map(|(_, name)| name)
    }
}

/// The properties that the framing depends on, besides the length of the body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exchange<'a> {
    pub(crate) method: &'a Method,
    pub(crate) http_1_0: bool,
    pub(crate) offers_upgrade: bool,
    pub(crate) status: StatusCode,
    pub(crate) reserved: &'a ReservedFields,
}

/// The framing of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Framed {
    pub(crate) mode: Mode,
    pub(crate) field: FramingField,
    pub(crate) hands_over: bool,
}

/// A conflict between a response head and its framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FramingConflict {
    /// This field contradicts the body, the status or another field.
    Field(&'static str),
    /// The status is informational (1xx), so it is not that of a final response.
    Informational(StatusCode),
    /// 101 in response to a request that offers no upgrade, or without an Upgrade field.
    Upgrade,
}

impl Exchange<'_> {
    /// Determines the framing of a body whose length is `length`, if known, by the rules of RFC
    /// 9112 section 6.3 and RFC 9110 section 8.6 for senders.
    pub(crate) fn frame(&self, length: Option<u64>) -> Result<Framed, FramingConflict> {
        let reserved = self.reserved;
        if self.hands_over()? {
            return Ok(Framed { mode: Mode::Without, field: FramingField::None, hands_over: true });
        }
        let length = match (length, reserved.content_length) {
            // A response to HEAD or with 304 may state the length of the body that it does not
            // have.
            (Some(_), Some(set)) if self.has_no_body() => Some(set),
            (Some(given), Some(set)) if given != set => return Err(FramingConflict::Field("Content-Length")),
            (None, set) => set,
            (length, _) => length,
        };
        if reserved.chunked && reserved.content_length.is_some() {
            return Err(FramingConflict::Field("Transfer-Encoding"));
        }
        let (mode, field) = match length {
            Some(length) if !reserved.chunked => (Mode::Length(length), FramingField::Length(length)),
            _ if self.http_1_0 => (Mode::UntilClose, FramingField::None),
            _ => (Mode::Chunked, FramingField::Chunked),
        };
        if reserved.trailer && field != FramingField::Chunked && !self.http_1_0 && !is_bodiless(self.status) {
            return Err(FramingConflict::Field("Trailer"));
        }
        let (mode, field) = match self.status {
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT if reserved.chunked => {
                return Err(FramingConflict::Field("Transfer-Encoding"));
            }
            StatusCode::NO_CONTENT if reserved.content_length.is_some() => {
                return Err(FramingConflict::Field("Content-Length"));
            }
            StatusCode::NO_CONTENT => (Mode::Without, FramingField::None),
            // RFC 9110 section 15.3.6: a response without a body, sent with Content-Length: 0.
            StatusCode::RESET_CONTENT if reserved.content_length.is_some_and(|set| set > 0) => {
                return Err(FramingConflict::Field("Content-Length"));
            }
            StatusCode::RESET_CONTENT => (Mode::Without, FramingField::Length(0)),
            StatusCode::NOT_MODIFIED => {
                (Mode::Without, reserved.content_length.map_or(FramingField::None, FramingField::Length))
            }
            _ if *self.method == Method::HEAD => (Mode::Without, field),
            _ => (mode, field),
        };
        Ok(Framed { mode, field, hands_over: false })
    }

    fn has_no_body(&self) -> bool {
        *self.method == Method::HEAD || self.status == StatusCode::NOT_MODIFIED
    }

    /// Returns true if the response ends HTTP on the connection: 101 to a request that offers an
    /// upgrade, or 2xx to CONNECT.
    fn hands_over(&self) -> Result<bool, FramingConflict> {
        if self.status == StatusCode::SWITCHING_PROTOCOLS {
            // RFC 9110 section 15.2.2: the response must name the protocol, and the request must
            // have offered one.
            let allowed = self.offers_upgrade && self.reserved.upgrade;
            return if allowed { Ok(true) } else { Err(FramingConflict::Upgrade) };
        }
        if self.status.is_informational() {
            return Err(FramingConflict::Informational(self.status));
        }
        Ok(opens_tunnel(self.method, self.status))
    }
}

/// Returns true if a response with this status to this method can have a body (RFC 9112 section
/// 6.3).
pub(crate) fn allows_body(method: &Method, status: StatusCode) -> bool {
    *method != Method::HEAD && !status.is_informational() && !is_bodiless(status) && !opens_tunnel(method, status)
}

/// Returns true if a final response with this status never has a body.
fn is_bodiless(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Returns true for a 2xx response to CONNECT (RFC 9110 section 9.3.6).
fn opens_tunnel(method: &Method, status: StatusCode) -> bool {
    *method == Method::CONNECT && status.is_success()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXCHANGE: Exchange<'_> = Exchange {
        method: &Method::GET,
        http_1_0: false,
        offers_upgrade: false,
        status: StatusCode::OK,
        reserved: &ReservedFields {
            content_length: None,
            chunked: false,
            close: false,
            date: false,
            server: false,
            trailer: false,
            upgrade: false,
        },
    };

    #[test]
    fn content_length_field_must_match_the_body() {
        let framed = |method: &Method, status: u16, given: u64, set: u64| {
            let status = StatusCode::from_u16(status).unwrap();
            let reserved = ReservedFields { content_length: Some(set), ..*EXCHANGE.reserved };
            Exchange { method, status, reserved: &reserved, ..EXCHANGE }.frame(Some(given)).map(|framed| framed.field)
        };
        let conflict = Err(FramingConflict::Field("Content-Length"));
        assert_eq!(framed(&Method::GET, 200, 5, 5), Ok(FramingField::Length(5)));
        assert_eq!(framed(&Method::GET, 200, 0, 5), conflict);
        // The length of the body that these responses do not have.
        assert_eq!(framed(&Method::HEAD, 200, 0, 5), Ok(FramingField::Length(5)));
        assert_eq!(framed(&Method::GET, 304, 0, 5), Ok(FramingField::Length(5)));
        // RFC 9110 section 15.3.6: the length of the empty body.
        assert_eq!(framed(&Method::GET, 205, 0, 0), Ok(FramingField::Length(0)));
        assert_eq!(framed(&Method::GET, 205, 5, 5), conflict);
        assert_eq!(framed(&Method::HEAD, 205, 0, 5), conflict);
        assert_eq!(framed(&Method::GET, 204, 0, 0), conflict);
    }

    #[test]
    fn switching_protocols_requires_an_offer_and_upgrade() {
        for (offers_upgrade, upgrade) in [(true, true), (true, false), (false, true), (false, false)] {
            let reserved = ReservedFields { upgrade, ..*EXCHANGE.reserved };
            let exchange =
                Exchange { offers_upgrade, reserved: &reserved, status: StatusCode::SWITCHING_PROTOCOLS, ..EXCHANGE };
            let expected = if offers_upgrade && upgrade { Ok(true) } else { Err(FramingConflict::Upgrade) };
            assert_eq!(exchange.frame(None).map(|framed| framed.hands_over), expected);
        }
    }

    #[test]
    fn interim_response_has_no_framing_fields() {
        assert_eq!(EXCHANGE.reserved.framing(), None);
        for (reserved, name) in [
            (ReservedFields { content_length: Some(0), ..*EXCHANGE.reserved }, "Content-Length"),
            (ReservedFields { chunked: true, ..*EXCHANGE.reserved }, "Transfer-Encoding"),
            (ReservedFields { close: true, ..*EXCHANGE.reserved }, "Connection"),
            (ReservedFields { trailer: true, ..*EXCHANGE.reserved }, "Trailer"),
            (ReservedFields { upgrade: true, ..*EXCHANGE.reserved }, "Upgrade"),
        ] {
            assert_eq!(reserved.framing(), Some(name));
        }
    }
}
