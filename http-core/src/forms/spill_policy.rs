//! The decision whether content is stored in memory or in a temporary file.

use super::{FormLimits, ParseFormError, Part};

/// The action to take for a piece of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Action {
    /// Append the piece to the content in memory.
    Keep,
    /// Create the temporary file, write the content in memory and then this piece to it, and free
    /// the memory. Returned at most once for each content; if the length is known to be too large,
    /// already for the first piece, so that nothing is held unnecessarily.
    Spill,
    /// Append the piece to the temporary file.
    Write,
    /// Free the content in memory and store nothing more of it, because it is not used.
    Drop,
}

/// The policy that decides where the contents of a request are stored while they arrive: text in
/// memory, files and raw contents in memory up to [`FormLimits::memory`], and beyond that in a
/// temporary file.
///
/// It only counts bytes. Call [`begin`](Self::begin), [`begin_raw`](Self::begin_raw),
/// [`begin_body`](Self::begin_body) or [`begin_urlencoded`](Self::begin_urlencoded) before each
/// content, and [`data`](Self::data) before each piece is stored. An error is returned before the
/// piece is stored and before a file is created, and again by all further calls.
///
/// ```
/// use httpants_core::forms::{Action, ParseFormError, SpillPolicy, FormLimits};
///
/// let mut policy = SpillPolicy::new(&FormLimits::default());
/// policy.begin_raw(None)?;
/// assert_eq!(policy.data(200 << 10)?, Action::Keep);
/// assert_eq!(policy.data(100 << 10)?, Action::Spill);
/// assert_eq!(policy.data(9 << 20)?, Action::Write);
/// assert_eq!(policy.data(1 << 20), Err(ParseFormError::ContentTooLarge));
/// # Ok::<(), ParseFormError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SpillPolicy {
    limits: FormLimits,
    /// Number of bytes of all contents that have arrived.
    received: u64,
    /// Number of bytes of earlier contents in memory.
    kept: u64,
    /// Number of bytes of the current content in memory.
    held: u64,
    /// Maximum number of bytes of the current content in memory.
    room: u64,
    /// The action when the current content exceeds `room`.
    overflow: Overflow,
    refused: Option<ParseFormError>,
}

#[derive(Clone, Copy, Debug)]
enum Overflow {
    Refuse,
    Spill,
    Spilled,
    Drop,
    Dropped,
}

impl SpillPolicy {
    /// Creates a policy for one request.
    #[must_use]
    pub fn new(limits: &FormLimits) -> Self {
        Self {
            limits: limits.clone(),
            received: 0,
            kept: 0,
            held: 0,
            room: 0,
            overflow: Overflow::Refuse,
            refused: None,
        }
    }

    /// Begins a part of a multipart form: text stays in memory, a file may move to a temporary
    /// file. [`Multipart`](super::Multipart) checks the limits of the part.
    pub fn begin(&mut self, part: &Part) {
        if part.is_file() {
            self.enter(self.limits.memory, Overflow::Spill);
        } else {
            self.enter(u64::MAX, Overflow::Refuse);
        }
    }

    /// Begins a content that is not parsed. `length` is its Content-Length, if there is one.
    ///
    /// # Errors
    /// [`ParseFormError::ContentTooLarge`] if `length` exceeds [`FormLimits::max_body_size`].
    pub fn begin_raw(&mut self, length: Option<u64>) -> Result<(), ParseFormError> {
        self.expect(length, self.limits.max_body_size, ParseFormError::ContentTooLarge)?;
        let stays = length.is_none_or(|length| length <= self.limits.memory);
        self.enter(if stays { self.limits.memory } else { 0 }, Overflow::Spill);
        Ok(())
    }

    /// Begins the raw content of a multipart form, whose parts are stored by another policy. Up to
    /// [`FormLimits::memory`] it stays in memory; beyond that it is dropped, or goes to a temporary
    /// file with [`FormLimits::keep_body`].
    ///
    /// # Errors
    /// As for [`begin_raw`](Self::begin_raw).
    pub fn begin_body(&mut self, length: Option<u64>) -> Result<(), ParseFormError> {
        self.begin_raw(length)?;
        if !self.limits.keep_body {
            let stays = length.is_none_or(|length| length <= self.room);
            self.overflow = if stays { Overflow::Drop } else { Overflow::Dropped };
        }
        Ok(())
    }

    /// Begins an urlencoded content, which is held in memory because it becomes variables as a
    /// whole. `length` is its Content-Length, if there is one.
    ///
    /// # Errors
    /// [`ParseFormError::ContentTooLarge`] if `length` exceeds [`FormLimits::max_body_size`],
    /// [`ParseFormError::TotalTextTooLarge`] if it exceeds [`FormLimits::total_memory`].
    pub fn begin_urlencoded(&mut self, length: Option<u64>) -> Result<(), ParseFormError> {
        self.expect(length, self.limits.max_body_size, ParseFormError::ContentTooLarge)?;
        self.expect(length, self.limits.total_memory, ParseFormError::TotalTextTooLarge)?;
        self.enter(u64::MAX, Overflow::Refuse);
        Ok(())
    }

    /// Returns where to store the next piece of the content, of `length` bytes.
    ///
    /// # Errors
    /// [`ParseFormError::ContentTooLarge`] if the request exceeds [`FormLimits::max_body_size`],
    /// and [`ParseFormError::TotalTextTooLarge`] if text exceeds [`FormLimits::total_memory`].
    pub fn data(&mut self, length: usize) -> Result<Action, ParseFormError> {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        self.received = self.received.saturating_add(length);
        self.expect(Some(self.received), self.limits.max_body_size, ParseFormError::ContentTooLarge)?;
        let held = self.held.saturating_add(length);
        match self.overflow {
            Overflow::Spilled => Ok(Action::Write),
            Overflow::Dropped => Ok(Action::Drop),
            _ if held <= self.room => {
                self.held = held;
                Ok(Action::Keep)
            }
            Overflow::Spill => {
                self.held = 0;
                self.overflow = Overflow::Spilled;
                Ok(Action::Spill)
            }
            Overflow::Drop => {
                self.held = 0;
                self.overflow = Overflow::Dropped;
                Ok(Action::Drop)
            }
            Overflow::Refuse => {
                self.refused = Some(ParseFormError::TotalTextTooLarge);
                Err(ParseFormError::TotalTextTooLarge)
            }
        }
    }

    fn enter(&mut self, room: u64, overflow: Overflow) {
        self.kept = self.kept.saturating_add(self.held);
        self.held = 0;
        self.room = room.min(self.limits.total_memory.saturating_sub(self.kept));
        self.overflow = overflow;
    }

    fn expect(&mut self, length: Option<u64>, limit: u64, fault: ParseFormError) -> Result<(), ParseFormError> {
        if self.refused.is_none() && length.is_some_and(|length| length > limit) {
            self.refused = Some(fault);
        }
        self.refused.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::Action::{Drop, Keep, Spill, Write};
    use super::*;
    use crate::Headers;

    fn limits() -> FormLimits {
        FormLimits { max_body_size: 1_000, memory: 100, total_memory: 300, ..FormLimits::default() }
    }

    fn part(filename: &str) -> Part {
        let field = format!("Content-Disposition: form-data; name=a{filename}\r\n\r\n");
        Part::new(Headers::parse(field.as_bytes()).unwrap()).unwrap()
    }

    fn file() -> Part {
        part("; filename=f")
    }

    #[test]
    fn file_spills_once_above_the_limit() {
        for pieces in [&[100][..], &[99, 1], &[50, 0, 50, 0]] {
            let mut policy = SpillPolicy::new(&limits());
            policy.begin(&file());
            for &piece in pieces {
                assert_eq!(policy.data(piece), Ok(Keep), "{pieces:?}");
            }
            assert_eq!(policy.data(1), Ok(Spill));
            assert_eq!(policy.data(1), Ok(Write));
            policy.begin(&file());
            assert_eq!(policy.data(101), Ok(Spill));
            assert_eq!(policy.data(0), Ok(Write));
        }
    }

    #[test]
    fn raw_body_of_known_length_over_the_limit_spills_at_once() {
        for (length, first) in [(None, Keep), (Some(100), Keep), (Some(101), Spill), (Some(1_000), Spill)] {
            let mut policy = SpillPolicy::new(&limits());
            policy.begin_raw(length).unwrap();
            assert_eq!(policy.data(10), Ok(first), "{length:?}");
        }
    }

    #[test]
    fn form_body_is_dropped_above_the_limit_unless_kept() {
        let kept = FormLimits { keep_body: true, ..limits() };
        for (length, limits, actions) in [
            (None, limits(), [Keep, Keep, Drop, Drop]),
            (Some(100), limits(), [Keep, Keep, Drop, Drop]),
            (Some(101), limits(), [Drop, Drop, Drop, Drop]),
            (None, kept.clone(), [Keep, Keep, Spill, Write]),
            (Some(101), kept, [Spill, Write, Write, Write]),
        ] {
            let mut policy = SpillPolicy::new(&limits);
            policy.begin_body(length).unwrap();
            assert_eq!([1, 99, 1, 0].map(|piece| policy.data(piece).unwrap()), actions, "{length:?}");
            assert_eq!(policy.data(900), Err(ParseFormError::ContentTooLarge));
        }
        assert_eq!(SpillPolicy::new(&limits()).begin_body(Some(1_001)), Err(ParseFormError::ContentTooLarge));
    }

    #[test]
    fn known_length_over_the_limit_is_refused_at_once() {
        let mut policy = SpillPolicy::new(&limits());
        assert_eq!(policy.begin_raw(Some(1_000)), Ok(()));
        assert_eq!(policy.begin_raw(Some(1_001)), Err(ParseFormError::ContentTooLarge));
        assert_eq!(policy.data(1), Err(ParseFormError::ContentTooLarge), "a refusal stands");
        let mut policy = SpillPolicy::new(&limits());
        assert_eq!(policy.begin_urlencoded(Some(300)), Ok(()));
        assert_eq!(policy.begin_urlencoded(Some(301)), Err(ParseFormError::TotalTextTooLarge));
        assert_eq!(policy.begin_raw(None), Err(ParseFormError::TotalTextTooLarge), "a refusal stands");
        let mut policy = SpillPolicy::new(&limits());
        assert_eq!(policy.begin_urlencoded(Some(1_001)), Err(ParseFormError::ContentTooLarge));
    }

    #[test]
    fn body_over_the_limit_is_refused_before_a_file_is_created() {
        let mut policy = SpillPolicy::new(&limits());
        policy.begin_raw(None).unwrap();
        assert_eq!(policy.data(1_001), Err(ParseFormError::ContentTooLarge));
        let mut policy = SpillPolicy::new(&limits());
        for _ in 0..2 {
            policy.begin(&file());
            assert_eq!(policy.data(500), Ok(Spill));
        }
        policy.begin(&file());
        assert_eq!(policy.data(1), Err(ParseFormError::ContentTooLarge));
        assert_eq!(policy.data(0), Err(ParseFormError::ContentTooLarge), "a refusal stands");
        let mut policy = SpillPolicy::new(&FormLimits { max_body_size: u64::MAX, ..limits() });
        policy.begin_raw(None).unwrap();
        assert_eq!(policy.data(usize::MAX), Ok(Spill));
        assert_eq!(policy.data(usize::MAX), Ok(Write));
    }

    #[test]
    fn text_stays_in_memory_up_to_the_total_limit() {
        let mut policy = SpillPolicy::new(&limits());
        policy.begin(&part(""));
        assert_eq!(policy.data(200), Ok(Keep));
        policy.begin(&part(""));
        assert_eq!(policy.data(100), Ok(Keep));
        assert_eq!(policy.data(1), Err(ParseFormError::TotalTextTooLarge));
        assert_eq!(policy.data(0), Err(ParseFormError::TotalTextTooLarge), "a refusal stands");
        let mut policy = SpillPolicy::new(&limits());
        policy.begin_urlencoded(None).unwrap();
        assert_eq!(policy.data(300), Ok(Keep));
        assert_eq!(policy.data(1), Err(ParseFormError::TotalTextTooLarge));
    }

    #[test]
    fn small_files_spill_if_total_memory_is_used_up() {
        let mut policy = SpillPolicy::new(&limits());
        policy.begin(&part(""));
        assert_eq!(policy.data(250), Ok(Keep));
        policy.begin(&file());
        assert_eq!(policy.data(50), Ok(Keep));
        assert_eq!(policy.data(1), Ok(Spill), "what was held is free again");
        policy.begin(&file());
        assert_eq!(policy.data(50), Ok(Keep));
        policy.begin(&file());
        assert_eq!(policy.data(0), Ok(Keep));
        assert_eq!(policy.data(1), Ok(Spill));
        assert_eq!(policy.data(1), Ok(Write));
    }

    /// Carries the actions out like a driver: memory stays within its limits, files are created
    /// once, and the place of a content does not depend on how it was cut.
    #[test]
    fn random_uploads_stay_within_their_limits() {
        let mut random = crate::random::Random::new(5);
        for _ in 0..2_000 {
            let (mut policy, mut kept, mut received) = (SpillPolicy::new(&limits()), 0, 0);
            'request: for _ in 0..random.below(6) {
                let (length, is_file) = (random.below(200), random.below(2) == 0);
                policy.begin(&if is_file { file() } else { part("") });
                let (mut left, mut held, mut created) = (length, 0, false);
                while left > 0 {
                    let piece = 1 + random.below(left);
                    left -= piece;
                    received += piece;
                    match policy.data(piece) {
                        Ok(Drop) => panic!("only what was begun as a body"),
                        Ok(Keep) => held += piece,
                        Ok(Spill) => {
                            assert!(is_file && !core::mem::replace(&mut created, true));
                            held = 0;
                        }
                        Ok(Write) => assert!(created),
                        Err(ParseFormError::ContentTooLarge) => {
                            assert!(received > 1_000);
                            break 'request;
                        }
                        Err(fault) => {
                            assert!(
                                fault == ParseFormError::TotalTextTooLarge && !is_file && kept + held + piece > 300
                            );
                            break 'request;
                        }
                    }
                    assert!(kept + held <= 300 && (held <= 100 || !is_file));
                }
                assert_eq!(created, is_file && (length > 100 || kept + length > 300));
                kept += held;
            }
        }
    }
}
