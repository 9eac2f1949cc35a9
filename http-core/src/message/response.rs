//! The head of a response, and the length of its body.

use http::StatusCode;

use crate::message::field_lines::FieldLines;
use crate::message::misuse::Misuse;
use crate::wire::grammar;

/// The head of a response: status, reason phrase and field lines.
///
/// ```
/// use httpants_core::{Misuse, ResponseHead};
///
/// let mut head = ResponseHead::new(404)?;
/// head.fields.push("Cache-Control", "no-store")?;
/// head.set_reason("Not Here")?;
/// # Ok::<(), Misuse>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ResponseHead {
    /// The status. Default 200.
    pub status: StatusCode,
    /// The field lines. Date, Server and the framing fields are added when the head is sent.
    pub fields: FieldLines,
    reason: Option<Box<str>>,
}

impl ResponseHead {
    /// Creates a head with this status, from a number or a [`StatusCode`], and no fields.
    ///
    /// ```
    /// use httpants_core::ResponseHead;
    /// use http::StatusCode;
    ///
    /// assert_eq!(ResponseHead::new(404)?.status, ResponseHead::new(StatusCode::NOT_FOUND)?.status);
    /// # Ok::<(), httpants_core::Misuse>(())
    /// ```
    ///
    /// # Errors
    /// [`Misuse::Status`] for a status outside 100 to 999.
    pub fn new(status: impl Into<u16> + TryInto<StatusCode>) -> Result<Self, Misuse> {
        // `Into<u16>` alone would not tell the compiler which type a literal has.
        let status = status.into();
        let status = StatusCode::from_u16(status).map_err(|_| Misuse::Status(status))?;
        Ok(Self { status, ..Self::default() })
    }

    /// Creates a head with this status and these fields.
    #[must_use]
    pub fn with_fields(status: StatusCode, fields: FieldLines) -> Self {
        Self { status, fields, reason: None }
    }

    /// Sets the reason phrase, which replaces the registered one (RFC 9112 section 4).
    ///
    /// # Errors
    /// [`Misuse::FieldValue`] if it contains a control character.
    pub fn set_reason(&mut self, reason: &str) -> Result<(), Misuse> {
        if !reason.bytes().all(grammar::is_field_value_byte) {
            return Err(Misuse::FieldValue);
        }
        self.reason = Some(reason.into());
        Ok(())
    }

    /// Returns the reason phrase that was set, if any.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

/// The length of a response's body, if it is known when the head is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLen {
    /// The length in bytes, which is sent as Content-Length.
    Known(u64),
    /// Unknown: the body is chunked, or on HTTP/1.0 ends with the connection. A Content-Length
    /// among the fields is used as the length.
    Unknown,
}

impl BodyLen {
    /// Returns the number of bytes, if it is known.
    pub(crate) fn known(self) -> Option<u64> {
        match self {
            Self::Known(length) => Some(length),
            Self::Unknown => None,
        }
    }
}
