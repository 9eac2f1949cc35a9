//! The coder of one body.

use std::io;

use bytes::{Buf, Bytes};
use compression_codecs::brotli::params::EncoderParams;
use compression_codecs::core::Level;
use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::zstd::params::CParameter;
use compression_codecs::{BrotliEncoder, EncodeV2, GzipEncoder, ZstdEncoder};
use httpants_core::FieldLines;

use super::level::CompressionLevel;
use super::settings::remove_digests;
use crate::content_coding::ContentCoding;

/// The input that is coded in one step.
const SLICE: usize = 16 << 10;
/// The window of brotli and zstd, as a power of two: what of the content before it a coder looks at,
/// and what it needs memory for.
const WINDOW: u32 = 19;
/// That of server-sent events, whose responses last.
const EVENTS_WINDOW: u32 = 16;

/// Codes the pieces of a body, a slice at a time.
pub(crate) struct Coder {
    encoder: Box<dyn EncodeV2 + Send>,
    /// The rest of the current piece.
    pending: Bytes,
    /// The output of a step, grown as needed.
    output: Vec<u8>,
    /// What is left of the length that the application announced.
    announced: Option<u64>,
}

impl Coder {
    pub(super) fn new(coding: ContentCoding, level: CompressionLevel) -> Self {
        Self::with_window(coding, level, WINDOW)
    }

    /// Creates a coder of a response that lasts, and so takes little memory.
    pub(super) fn for_events(coding: ContentCoding) -> Self {
        Self::with_window(coding, CompressionLevel::Fastest, EVENTS_WINDOW)
    }

    fn with_window(coding: ContentCoding, level: CompressionLevel, window: u32) -> Self {
        let choose = |fastest, default, best| match level {
            CompressionLevel::Fastest => fastest,
            CompressionLevel::Default => default,
            CompressionLevel::Best => best,
        };
        let encoder: Box<dyn EncodeV2 + Send> = match coding {
            ContentCoding::Gzip => Box::new(GzipEncoder::new(Level::Precise(choose(1, 6, 9)).into())),
            ContentCoding::Brotli => {
                let params = EncoderParams::default().quality(Level::Precise(choose(1, 4, 6)));
                Box::new(BrotliEncoder::new(params.window_size(window.cast_signed())))
            }
            ContentCoding::Zstd => {
                Box::new(ZstdEncoder::new_with_params(choose(1, 3, 6), &[CParameter::window_log(window)]))
            }
        };
        Self { encoder, pending: Bytes::new(), output: Vec::new(), announced: None }
    }

    /// Codes a whole body.
    pub(super) fn whole(&mut self, content: Bytes) -> io::Result<Bytes> {
        let mut coded = Vec::with_capacity(content.len() / 2);
        let mut input = PartialBuffer::new(&*content);
        self.run(&mut coded, |encoder, output| {
            encoder.encode(&mut input, output)?;
            Ok(input.unwritten().is_empty())
        })?;
        self.run(&mut coded, |encoder, output| encoder.finish(output))?;
        Ok(coded.into())
    }

    /// Sets the length of the content: another one is an error, as it is without compression.
    pub(super) fn announce(&mut self, length: Option<u64>) {
        self.announced = length;
    }

    /// Takes the next piece.
    pub(crate) fn push(&mut self, piece: Bytes) {
        self.pending = piece;
    }

    /// Codes the next slice of the piece, and all that was held back behind its last one; `None` if
    /// there is no piece.
    pub(crate) fn step(&mut self) -> Option<io::Result<Bytes>> {
        if self.pending.is_empty() {
            return None;
        }
        Some(self.code_slice())
    }

    fn code_slice(&mut self) -> io::Result<Bytes> {
        let mut coded = Vec::new();
        let slice = self.pending.split_to(self.pending.len().min(SLICE));
        if let Some(left) = &mut self.announced {
            *left = left.checked_sub(slice.len() as u64).ok_or_else(|| other_length("longer"))?;
        }
        let mut input = PartialBuffer::new(slice.chunk());
        self.run(&mut coded, |encoder, output| {
            encoder.encode(&mut input, output)?;
            Ok(input.unwritten().is_empty())
        })?;
        if self.pending.is_empty() {
            self.run(&mut coded, |encoder, output| encoder.flush(output))?;
        }
        Ok(coded.into())
    }

    /// Ends the coded content.
    pub(crate) fn finish(&mut self) -> io::Result<Bytes> {
        if self.announced.is_some_and(|left| left > 0) {
            return Err(other_length("shorter"));
        }
        let mut coded = Vec::new();
        self.run(&mut coded, |encoder, output| encoder.finish(output))?;
        Ok(coded.into())
    }

    /// Removes the trailers that were made for the content before it was coded.
    pub(crate) fn correct_trailers(&self, trailers: &mut FieldLines) {
        remove_digests(trailers);
    }

    /// Repeats an operation with new room for its output until it is done.
    fn run(
        &mut self,
        coded: &mut Vec<u8>,
        mut operation: impl FnMut(&mut (dyn EncodeV2 + Send), &mut WriteBuffer<'_>) -> io::Result<bool>,
    ) -> io::Result<()> {
        self.output.resize(SLICE, 0);
        loop {
            let mut output = WriteBuffer::new_initialized(&mut self.output);
            let done = operation(&mut *self.encoder, &mut output)?;
            coded.extend_from_slice(output.written());
            if done {
                return Ok(());
            }
        }
    }
}

fn other_length(how: &str) -> io::Error {
    io::Error::other(format!("the body is {how} than its Content-Length"))
}
