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

/// Maximum size of the input that is compressed in one step, in bytes.
const SLICE: usize = 16 << 10;
/// The window of brotli and zstd, as a power of two. The memory of an encoder depends on it.
const WINDOW: u32 = 19;
/// The window for server-sent events: smaller, because these responses last long.
const EVENTS_WINDOW: u32 = 16;

/// The encoder of a body, which compresses its pieces in slices.
pub(crate) struct Coder {
    encoder: Box<dyn EncodeV2 + Send>,
    /// The part of the current piece that is not compressed yet.
    pending: Bytes,
    /// The output of a step, grown as needed.
    output: Vec<u8>,
    /// The number of bytes that are still missing from the length that the application announced.
    announced: Option<u64>,
}

impl Coder {
    pub(super) fn new(coding: ContentCoding, level: CompressionLevel) -> Self {
        Self::with_window(coding, level, WINDOW)
    }

    /// Creates an encoder for server-sent events, with a small window.
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

    /// Compresses a whole body.
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

    /// Sets the announced length of the content. A different length is an error, as it is without
    /// compression.
    pub(super) fn announce(&mut self, length: Option<u64>) {
        self.announced = length;
    }

    /// Takes the next piece.
    pub(crate) fn push(&mut self, piece: Bytes) {
        self.pending = piece;
    }

    /// Compresses the next slice of the piece; after the last slice, flushes the encoder. Returns
    /// `None` if there is no piece.
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

    /// Returns the end of the compressed content.
    pub(crate) fn finish(&mut self) -> io::Result<Bytes> {
        if self.announced.is_some_and(|left| left > 0) {
            return Err(other_length("shorter"));
        }
        let mut coded = Vec::new();
        self.run(&mut coded, |encoder, output| encoder.finish(output))?;
        Ok(coded.into())
    }

    /// Removes the trailers with digests of the uncompressed content.
    pub(crate) fn correct_trailers(&self, trailers: &mut FieldLines) {
        remove_digests(trailers);
    }

    /// Repeats an operation with more space for its output until it is done.
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
