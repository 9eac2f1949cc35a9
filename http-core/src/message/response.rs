//! The head of a response, and how long the content behind it will be.

use http::StatusCode;

use crate::message::field_lines::FieldLines;
use crate::message::misuse::Misuse;
use crate::wire::grammar;

/// Status, reason phrase and field lines of a response.
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
    /// The status; default 200.
    pub status: StatusCode,
    /// The field lines. Date, Server and the framing fields are added when it is sent.
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
    /// [`Misuse::Status`] outside 100 to 999.
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

    /// Sends this phrase in place of the registered one (RFC 9112 section 4).
    ///
    /// # Errors
    /// [`Misuse::FieldValue`] where it holds a control character.
    pub fn set_reason(&mut self, reason: &str) -> Result<(), Misuse> {
        if !reason.bytes().all(grammar::is_field_value_byte) {
            return Err(Misuse::FieldValue);
        }
        self.reason = Some(reason.into());
        Ok(())
    }

    /// Returns the phrase that was set.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

/// The length of a response's body, as far as it is known when the head is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLen {
    /// This many bytes: Content-Length.
    Known(u64),
    /// Not known: chunked, or on HTTP/1.0 the end of the stream; a Content-Length that was
    /// set among the fields counts as known.
    Unknown,
}

impl BodyLen {
    /// The number of bytes, where it is known.
    pub(crate) fn known(self) -> Option<u64> {
        match self {
            Self::Known(length) => Some(length),
            Self::Unknown => None,
        }
    }
}
