//! The decoder of one body.

use std::io;

use bytes::{Buf, Bytes};
use compression_codecs::core::unshared::Unshared;
use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::zstd::params::DParameter;
use compression_codecs::{BrotliDecoder, DecodeV2, GzipDecoder, ZstdDecoder};

use crate::content_coding::ContentCoding;
use crate::exchange::BodyError;

/// Maximum size of decoded pieces in bytes.
const PIECE: usize = 16 << 10;
/// Size in bytes up to which the ratio is not limited: short repetitive content has a high ratio.
const ANY_RATIO: u64 = 1 << 20;
/// The largest window of zstd that is accepted, which every decoder must support (RFC 9659), as a
/// power of two.
const ZSTD_WINDOW: u32 = 23;

/// The decoder of the pieces of a body, which checks its limits.
pub(crate) struct Decoder {
    coding: ContentCoding,
    /// Called only by its owner, so it needs no `Sync`.
    decoder: Unshared<Box<dyn DecodeV2 + Send>>,
    input: Bytes,
    room: Vec<u8>,
    /// True if the last step filled its output, so that the decoder may hold back more.
    holds_more: bool,
    position: Position,
    encoded: u64,
    decoded: u64,
    max_size: u64,
    max_ratio: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Position {
    Start,
    Within,
    /// After a member or frame; another one may follow.
    Between,
}

impl Decoder {
    pub(super) fn new(coding: ContentCoding, max_size: u64, max_ratio: u64) -> Self {
        let decoder: Box<dyn DecodeV2 + Send> = match coding {
            ContentCoding::Gzip => Box::new(GzipDecoder::new()),
            ContentCoding::Brotli => Box::new(BrotliDecoder::new()),
            ContentCoding::Zstd => Box::new(ZstdDecoder::new_with_params(&[DParameter::window_log_max(ZSTD_WINDOW)])),
        };
        Self {
            coding,
            decoder: Unshared::new(decoder),
            input: Bytes::new(),
            room: Vec::new(),
            holds_more: false,
            position: Position::Start,
            encoded: 0,
            decoded: 0,
            max_size,
            max_ratio,
        }
    }

    /// Takes the next piece of the coded body.
    pub(crate) fn push(&mut self, piece: Bytes) {
        self.input = piece;
    }

    /// Returns the next decoded piece; `None` if that needs more of the coded body.
    ///
    /// # Errors
    /// Returns an error if the body is invalid or too large.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        while !self.input.is_empty() || self.holds_more {
            self.begin().map_err(|_| BodyError::Coding)?;
            let (consumed, produced) = self.step().map_err(|_| BodyError::Coding)?;
            self.encoded += consumed as u64;
            self.decoded += produced as u64;
            let exceeds_ratio = self.decoded > self.encoded.saturating_mul(self.max_ratio);
            if self.decoded > self.max_size || self.decoded > ANY_RATIO && exceeds_ratio {
                return Err(BodyError::DecodedTooLarge);
            }
            if produced > 0 {
                return Ok(self.room.get(..produced).map(Bytes::copy_from_slice));
            }
            if consumed == 0 && !self.input.is_empty() && self.position == Position::Within {
                return Err(BodyError::Coding);
            }
        }
        Ok(None)
    }

    /// Prepares for the first bytes, or for those after the end of a member or frame.
    fn begin(&mut self) -> io::Result<()> {
        let is_brotli = self.coding == ContentCoding::Brotli;
        match self.position {
            // The decoder would accept a large window of up to 1 GiB, which RFC 7932 section 9.1
            // does not define.
            Position::Start if is_brotli && self.input.first().is_some_and(|&byte| byte & 0x7f == 0x11) => {
                return Err(io::Error::other("large window"));
            }
            Position::Between if is_brotli => return Err(io::Error::other("bytes after the end")),
            Position::Between => self.decoder.get_mut().reinit()?,
            Position::Start | Position::Within => {}
        }
        self.position = Position::Within;
        Ok(())
    }

    /// Returns the numbers of bytes consumed and produced.
    fn step(&mut self) -> io::Result<(usize, usize)> {
        self.room.resize(PIECE, 0);
        let (mut input, mut output) = (PartialBuffer::new(&*self.input), WriteBuffer::new_initialized(&mut self.room));
        let decoder = self.decoder.get_mut();
        let has_ended = if self.input.is_empty() && self.coding == ContentCoding::Gzip {
            // Only this decoder treats empty input as an error.
            decoder.flush(&mut output)?;
            false
        } else {
            decoder.decode(&mut input, &mut output)?
        };
        let (consumed, produced) = (input.written_len(), output.written_len());
        self.holds_more = output.has_no_spare_space() && !has_ended;
        self.input.advance(consumed);
        if has_ended {
            self.position = Position::Between;
        }
        Ok((consumed, produced))
    }

    /// Checks that the coded body ended at the end of a member or frame.
    ///
    /// # Errors
    /// Returns an error if it is incomplete.
    pub(crate) fn finish(&self) -> Result<(), BodyError> {
        if self.position == Position::Between { Ok(()) } else { Err(BodyError::Coding) }
    }
}
