//! The limits of a form.

/// The maximum sizes, in bytes, and counts of a form; beyond them it is refused with 413, or moved
/// out of memory.
///
/// They are passed for each message, so a request may have its own limits. Their enforcement never
/// depends on how the bytes are cut into pieces. 0 allows nothing; it never means no limit.
///
/// ```
/// use httpants_core::forms::FormLimits;
///
/// let mut limits = FormLimits::default();
/// limits.max_body_size = 1 << 30;
/// limits.file = Some(200 << 20);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FormLimits {
    /// Maximum size of the whole content, including delimiters and part headers (`max_request` in
    /// Pants). Default 10 MiB.
    pub max_body_size: u64,
    /// Maximum number of parts in a form. Default 1,000; forms that people fill in have tens.
    pub parts: usize,
    /// Maximum number of parts with a `filename`. By default only `parts` applies.
    pub files: Option<usize>,
    /// Maximum size of the header fields of a part, including the empty line. Default 16 KiB:
    /// enough for a long file name with each byte escaped. Values over 65,535 count as 65,535.
    pub part_header: usize,
    /// Maximum number of field lines of a part. Default 32; RFC 7578 section 4.8 allows three
    /// fields.
    pub part_fields: usize,
    /// Maximum size of a part without a `filename`. Default 1 MiB: such parts are held in memory,
    /// because they become variables.
    pub text_field: u64,
    /// Maximum size of a part with a `filename`. By default only `max_body_size` applies.
    pub file: Option<u64>,
    /// Maximum size of the preamble before the first delimiter, and of the epilogue after the last
    /// one. Default 16 KiB: both are ignored, and no known client sends them.
    pub preamble: u64,
    /// Maximum size of a file, or of a raw content, in memory; longer ones move to a temporary
    /// file. Default 256 KiB: below it a temporary file costs more than the copy.
    pub memory: u64,
    /// Maximum total memory for the content of one request. When it is used up, even small files go
    /// to a temporary file, and text is refused. Default 10 MiB, the same as `max_body_size`;
    /// increasing that for uploads does not increase the memory. The raw content of a multipart
    /// form, if it is not larger than `memory`, is held in addition.
    pub total_memory: u64,
    /// True to keep the raw content of a multipart form (`body` in Pants) in addition to its parts
    /// even if it is larger than `memory`. It is then stored in a temporary file, so large uploads
    /// are written twice. Raw content up to `memory` is always kept. Default false.
    pub keep_body: bool,
}

impl Default for FormLimits {
    fn default() -> Self {
        Self {
            max_body_size: 10 << 20,
            parts: 1_000,
            files: None,
            part_header: 16 << 10,
            part_fields: 32,
            text_field: 1 << 20,
            file: None,
            preamble: 16 << 10,
            memory: 256 << 10,
            total_memory: 10 << 20,
            keep_body: false,
        }
    }
}
