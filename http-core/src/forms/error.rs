//! The errors of forms.

use core::fmt;

use http::StatusCode;

/// An error in a form, for which its request is refused.
///
/// Each error has one status ([`status`](Self::status): 400 for malformed input, 413 for an
/// exceeded limit, 415 for a content coding) and one fixed text ([`rule`](Self::rule)). The text
/// never contains anything that the peer sent, so it is safe to put into a response or a log.
///
/// ```
/// use httpants_core::forms::ParseFormError;
/// use httpants_core::forms::urlencoded::{self, Options};
///
/// let fault = urlencoded::parse(&b"a=1&".repeat(1_001), &Options::default()).unwrap_err();
/// assert_eq!(fault, ParseFormError::TooManyVariables);
/// assert_eq!(fault.status(), 413);
/// assert_eq!(fault.to_string(), "there are more variables than allowed");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParseFormError {
    /// A Content-Type that is not `multipart/form-data` with well-formed parameters.
    ContentType,
    /// A form with a Content-Encoding other than identity.
    ContentEncoding,
    /// A multipart Content-Type without a boundary.
    MissingBoundary,
    /// More than one boundary parameter, or pieces of one (`boundary*0`).
    DuplicateBoundary,
    /// A boundary of the wrong length, or with a character that is not allowed.
    Boundary,
    /// The content ended before its closing delimiter: a line of `--`, the boundary and `--`.
    MissingClose,
    /// More than 256 bytes of padding after a boundary.
    Padding,
    /// A part whose header fields do not parse: a folded line, a bare LF, a bad name or value.
    PartHeader,
    /// A part without Content-Disposition.
    MissingDisposition,
    /// A part with more than one Content-Disposition.
    DuplicateDisposition,
    /// A Content-Disposition that is not `form-data` with well-formed parameters.
    Disposition,
    /// A part without a `name` or `name*` parameter.
    MissingName,
    /// A part with more than one `name` or more than one `name*` parameter.
    DuplicateName,
    /// A part with more than one `filename` or more than one `filename*` parameter.
    DuplicateFilename,
    /// A `name*` or `filename*` that would be used and cannot be decoded.
    ExtendedValue,
    /// A part with more than one Content-Type.
    DuplicateContentType,
    /// More content than [`FormLimits::max_body_size`](super::FormLimits::max_body_size).
    ContentTooLarge,
    /// More parts than [`FormLimits::parts`](super::FormLimits::parts).
    TooManyParts,
    /// More files than [`FormLimits::files`](super::FormLimits::files).
    TooManyFiles,
    /// Part header fields longer than [`FormLimits::part_header`](super::FormLimits::part_header).
    PartHeaderTooLong,
    /// More part header fields than [`FormLimits::part_fields`](super::FormLimits::part_fields).
    TooManyPartFields,
    /// A text field larger than [`FormLimits::text_field`](super::FormLimits::text_field).
    TextTooLarge,
    /// Text fields that together exceed
    /// [`FormLimits::total_memory`](super::FormLimits::total_memory).
    TotalTextTooLarge,
    /// A file larger than [`FormLimits::file`](super::FormLimits::file).
    FileTooLarge,
    /// A preamble longer than [`FormLimits::preamble`](super::FormLimits::preamble).
    PreambleTooLong,
    /// An epilogue longer than [`FormLimits::preamble`](super::FormLimits::preamble).
    EpilogueTooLong,
    /// More variables than
    /// [`urlencoded::Options::variables`](super::urlencoded::Options::variables).
    TooManyVariables,
}

impl ParseFormError {
    /// Returns the status of the response to this error: 400, 413 or 415.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::ContentEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::ContentTooLarge
            | Self::TooManyParts
            | Self::TooManyFiles
            | Self::PartHeaderTooLong
            | Self::TooManyPartFields
            | Self::TextTooLarge
            | Self::TotalTextTooLarge
            | Self::FileTooLarge
            | Self::PreambleTooLong
            | Self::EpilogueTooLong
            | Self::TooManyVariables => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// Returns the value of the Accept-Encoding field of the response, if the error is the content
    /// coding (RFC 9110 section 12.5.3).
    #[must_use]
    pub fn accept_encoding(self) -> Option<&'static str> {
        (self == Self::ContentEncoding).then_some("identity")
    }

    /// Returns a fixed text with the broken rule, which is safe to send to the peer.
    #[must_use]
    pub fn rule(self) -> &'static str {
        match self {
            Self::ContentType => {
                "Content-Type must be multipart/form-data with well-formed parameters (RFC 9110 8.3.1)"
            }
            Self::ContentEncoding => "a form must have no Content-Encoding other than identity (RFC 9110 15.5.16)",
            Self::MissingBoundary => "multipart content must have a boundary parameter (RFC 2046 5.1.1)",
            Self::DuplicateBoundary => "multipart content must have one boundary parameter (RFC 2046 5.1.1)",
            Self::Boundary => {
                "a boundary must be 1 to 70 characters without controls, quotes and backslashes (RFC 2046 5.1.1)"
            }
            Self::MissingClose => {
                "the multipart content ended before its closing delimiter, --boundary-- on a line of its own (RFC 2046 5.1.1)"
            }
            Self::Padding => "a boundary must be followed by CR LF, with little padding between (RFC 2046 5.1.1)",
            Self::PartHeader => {
                "a field line of a part must be a name, a colon and a value, on one line ended by CR LF (RFC 7578 4.8)"
            }
            Self::MissingDisposition => "a part must have a Content-Disposition field (RFC 7578 4.2)",
            Self::DuplicateDisposition => "a part must have one Content-Disposition field (RFC 7578 4.2)",
            Self::Disposition => {
                "Content-Disposition of a part must be form-data with well-formed parameters (RFC 7578 4.2)"
            }
            Self::MissingName => "Content-Disposition of a part must have a name parameter (RFC 7578 4.2)",
            Self::DuplicateName => "Content-Disposition of a part must have one name parameter (RFC 2183 2)",
            Self::DuplicateFilename => {
                "Content-Disposition of a part must have one filename parameter at most (RFC 2183 2)"
            }
            Self::ExtendedValue => {
                "name* and filename* of a part must be UTF-8 or ISO-8859-1 text, percent-encoded (RFC 8187 3.2.1)"
            }
            Self::DuplicateContentType => "a part must have one Content-Type field at most (RFC 7578 4.4)",
            Self::ContentTooLarge => "the content is larger than allowed (RFC 9110 15.5.14)",
            Self::TooManyParts => "the form has more parts than allowed",
            Self::TooManyFiles => "the form has more files than allowed",
            Self::PartHeaderTooLong => "the header fields of a part are longer than allowed",
            Self::TooManyPartFields => "a part has more header fields than allowed",
            Self::TextTooLarge => "a text field of the form is larger than allowed",
            Self::TotalTextTooLarge => "the text of the form is larger than allowed",
            Self::FileTooLarge => "a file of the form is larger than allowed",
            Self::PreambleTooLong => "there is more before the first boundary than allowed (RFC 2046 5.1.1)",
            Self::EpilogueTooLong => "there is more after the closing boundary than allowed (RFC 2046 5.1.1)",
            Self::TooManyVariables => "there are more variables than allowed",
        }
    }
}

impl fmt::Display for ParseFormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule())
    }
}

impl core::error::Error for ParseFormError {}
