//! Splitting of a peer's bytes into packets.

/// A deterministic random number generator (SplitMix64).
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// Creates a generator from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number below `end`, which must not be 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % end.max(1) as u64).unwrap_or_default()
    }
}

/// Inputs over this size are split only around the positions where they change, because the time of
/// a run grows with the input.
const LONG: usize = 2048;
/// Inputs under the first size are split at every pair of positions, those under the second size at
/// every pair of nearby positions.
const PAIRS: (usize, usize) = (64, 300);
/// Maximum distance of nearby positions.
const NEAR: usize = 8;

/// Returns the splits of an input, each an ascending list of offsets: none, everywhere, at each
/// position, at 64 random lists of positions (16 for a long input), and with `pairs` at each pair
/// of positions.
#[must_use]
pub fn all(bytes: &[u8], pairs: bool) -> Vec<Vec<usize>> {
    let mut ways = vec![vec![]];
    if bytes.len() < 2 {
        return ways;
    }
    ways.push((1..bytes.len()).collect());
    let single = places(bytes);
    ways.extend(single.iter().map(|&at| vec![at]));
    if pairs && bytes.len() < PAIRS.1 {
        let reach = if bytes.len() < PAIRS.0 { PAIRS.0 } else { NEAR };
        for (count, &first) in single.iter().enumerate() {
            let seconds = single.iter().skip(count + 1).take(reach);
            ways.extend(seconds.map(|&second| vec![first, second]));
        }
    }
    let mut numbers = Numbers::new(0x5eed);
    for _ in 0..if bytes.len() > LONG { 16 } else { 64 } {
        let mut cut: Vec<_> = (0..2 + numbers.below(6)).map(|_| 1 + numbers.below(bytes.len() - 1)).collect();
        cut.sort_unstable();
        cut.dedup();
        ways.push(cut);
    }
    ways
}

/// Iterates over every pair of positions of a short input; empty for a longer one.
pub fn every_pair(bytes: &[u8]) -> impl Iterator<Item = [usize; 2]> {
    let end = if bytes.len() < PAIRS.1 { bytes.len() } else { 0 };
    (1..end).flat_map(move |first| (first + 1..end).map(move |second| [first, second]))
}

/// Returns every position of a short input; of a long one those around each change between a run of
/// equal bytes and other bytes, and those around the sizes of buffers.
fn places(bytes: &[u8]) -> Vec<usize> {
    if bytes.len() <= LONG {
        return (1..bytes.len()).collect();
    }
    let mut places = Vec::new();
    let mut start = 0;
    for run in bytes.chunk_by(|a, b| a == b) {
        let end = start + run.len();
        if run.len() >= 32 {
            places.extend([start, start + 1, start + 16, end - 1, end, end + 1]);
        }
        start = end;
    }
    for size in [8 << 10, 16 << 10, 32 << 10, 64 << 10] {
        places.extend([size - 1, size, size + 1]);
    }
    places.extend((1..6).flat_map(|near| [near, bytes.len() - near]));
    places.retain(|&at| at > 0 && at < bytes.len());
    places.sort_unstable();
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_are_ascending_and_inside_the_input() {
        for length in [0, 1, 2, 40, 299, 300, 5000, 70_000] {
            let ways = all(&vec![b'a'; length], true);
            assert!(ways[0].is_empty());
            for way in &ways {
                assert!(way.windows(2).all(|pair| pair[0] < pair[1]));
                assert!(way.iter().all(|&at| 0 < at && at < length));
            }
        }
        assert_eq!(all(b"abc", true), all(b"xyz", true));
        assert_eq!(all(b"abcd", true).len(), 1 + 1 + 3 + 3 + 64);
        assert_eq!(all(b"abcd", false).len(), 1 + 1 + 3 + 64);
    }
}
