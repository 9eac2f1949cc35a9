//! Cuts of bytes into pieces, which must not change the result of parsing them.

/// Maximum length in bytes of an input that [`same`] reads byte by byte as a whole. In longer ones
/// only [`Cut::Windows`] are read byte by byte, because the time of each execution would grow with
/// the length.
pub const EXHAUSTIVE: usize = 512;

/// Number of bytes in a window, each of which is a separate piece.
const WINDOW: usize = 64;

/// A way to cut bytes.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    /// One piece.
    Whole,
    /// After each byte.
    Bytes,
    /// At the start and after each byte of three short windows: one around a line end and one
    /// anywhere, both derived from this number, and one at the end of the input.
    Windows(u64),
    /// Into pieces whose sizes are derived from this number.
    Sized(u64),
}

/// A generator of numbers: SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ mixed >> 27
    }

    /// Returns a number below `bound`, or 0 if that is 0.
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// Returns the starts of the windows of [`Cut::Windows`].
fn windows(bytes: &[u8], seed: u64) -> [usize; 3] {
    let mut numbers = Numbers(seed);
    let line_ends = memchr::memchr_iter(b'\n', bytes).count();
    let line_end = memchr::memchr_iter(b'\n', bytes).nth(numbers.below(line_ends)).unwrap_or_default();
    [line_end.saturating_sub(WINDOW / 2), numbers.below(bytes.len()), bytes.len().saturating_sub(WINDOW)]
}

/// Returns the pieces of `bytes`, none of them empty.
pub fn pieces(bytes: &[u8], cut: Cut) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    let mut numbers = Numbers(if let Cut::Sized(seed) = cut { seed } else { 0 });
    let windows = if let Cut::Windows(seed) = cut { windows(bytes, seed) } else { [0; 3] };
    std::iter::from_fn(move || {
        let most = match cut {
            Cut::Whole => rest.len(),
            Cut::Bytes => 1,
            Cut::Windows(_) => {
                let at = bytes.len() - rest.len();
                let is_within = windows.iter().any(|&start| (start..start + WINDOW).contains(&at));
                let next = windows.iter().copied().filter(|&start| start > at).min();
                if is_within { 1 } else { next.map_or(rest.len(), |start| start - at) }
            }
            Cut::Sized(_) => {
                let number = numbers.next();
                1 + number as usize % [2, 7, 40, 3000][(number >> 60) as usize % 4]
            }
        };
        let (piece, after) = rest.split_at(most.min(rest.len()));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Calls `read` for `bytes` as a whole, byte by byte and in pieces that are derived from `seed`,
/// and returns the common result. Of more than [`EXHAUSTIVE`] bytes, only windows are read byte by
/// byte.
///
/// # Panics
/// If one result differs from another.
pub fn same<T: PartialEq + std::fmt::Debug>(bytes: &[u8], seed: u64, read: impl Fn(Cut) -> T) -> T {
    let whole = read(Cut::Whole);
    let single = if bytes.len() <= EXHAUSTIVE { Cut::Bytes } else { Cut::Windows(seed) };
    for cut in [single, Cut::Sized(seed)] {
        let other = read(cut);
        assert!(other == whole, "{cut:?} of \"{}\":\n{other:?}\nwhole:\n{whole:?}", bytes.escape_ascii());
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_concatenate_to_the_input() {
        let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        for cut in [Cut::Whole, Cut::Bytes, Cut::Windows(0), Cut::Windows(7), Cut::Sized(0), Cut::Sized(7)] {
            assert!(pieces(&bytes, cut).all(|piece| !piece.is_empty()));
            assert_eq!(pieces(&bytes, cut).collect::<Vec<_>>().concat(), bytes);
        }
        assert_eq!(pieces(b"", Cut::Bytes).count(), 0);
        assert_eq!(pieces(b"", Cut::Windows(1)).count(), 0);
    }

    #[test]
    fn windows_cut_around_a_line_end_and_at_the_end() {
        let bytes = [&[b'a'; 1000][..], b"\r\n", &[b'b'; 1000]].concat();
        for seed in 0..100 {
            let mut at = 0;
            let ends = pieces(&bytes, Cut::Windows(seed)).map(|piece| {
                at += piece.len();
                at
            });
            let cuts: Vec<_> = ends.collect();
            assert!([1000, 1001, 1002, 2001].iter().all(|place| cuts.contains(place)), "{seed}: {cuts:?}");
            assert!(cuts.len() < 4 * WINDOW, "{seed}: {cuts:?}");
        }
    }

    #[test]
    #[should_panic(expected = "Bytes of \"ab\"")]
    fn different_results_panic() {
        same(b"ab", 1, |cut| pieces(b"ab", cut).count());
    }
}
