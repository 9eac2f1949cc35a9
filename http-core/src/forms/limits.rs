//! What one form may cost.

/// Sizes in bytes and counts past which a form is refused with 413, or moved out of memory.
///
/// They are given with each message, so a request may have its own. Each is enforced by what
/// was parsed, never by how the bytes were cut into pieces. 0 allows nothing; it never means no
/// limit.
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
    /// The whole content, delimiters and part headers included (`max_request` in Pants).
    /// Default 10 MiB.
    pub max_body_size: u64,
    /// Parts of one form. Default 1,000: forms made by people have tens.
    pub parts: usize,
    /// Parts with a `filename` among them. Default no bound of its own.
    pub files: Option<usize>,
    /// The header fields of one part, with the empty line behind them. Default 16 KiB: room
    /// for a long file name with each byte escaped. Values over 65,535 count as 65,535.
    pub part_header: usize,
    /// The field lines of one part. Default 32; RFC 7578 section 4.8 leaves three. Values
    /// over 256 count as 256.
    pub part_fields: usize,
    /// One part without a `filename`. Default 1 MiB: such parts are held in memory, because
    /// they become variables.
    pub text_field: u64,
    /// One part with a `filename`. Default no bound but `max_body_size`.
    pub file: Option<u64>,
    /// What is ignored before the first delimiter, and likewise behind the last. Default
    /// 16 KiB: no known client sends either, and both are read for nothing.
    pub preamble: u64,
    /// How much of one file, or of a raw content, stays in memory; what is longer moves to a
    /// temporary file. Default 256 KiB: below it a file costs more than the copy.
    pub memory: u64,
    /// What one request holds in memory altogether. Where it is used up, files go to a
    /// temporary file however small they are, and text is refused. Default 10 MiB, as much
    /// as `max_body_size`, so that raising that one for uploads does not raise the memory. The
    /// raw content of a multipart form that is not larger than `memory` comes on top.
    pub total_memory: u64,
    /// Whether the raw content of a multipart form (`body` in Pants) is kept beside its
    /// parts also where it is larger than `memory`: in a temporary file, so that large
    /// uploads are written twice. Smaller ones are kept always. Default false.
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
