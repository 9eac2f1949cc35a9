//! Cutting bytes into pieces: how they arrive must not change what they mean.

/// How bytes are cut.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    /// Not at all.
    Whole,
    /// Behind each byte.
    Bytes,
    /// Into pieces whose sizes follow from this number.
    Sized(u64),
}

/// The pieces of `bytes`, none of them empty.
pub fn pieces(bytes: &[u8], cut: Cut) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    let mut seed = if let Cut::Sized(seed) = cut { seed } else { 0 };
    std::iter::from_fn(move || {
        let most = match cut {
            Cut::Whole => rest.len(),
            Cut::Bytes => 1,
            Cut::Sized(_) => {
                // SplitMix64.
                seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mixed = (seed ^ seed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                1 + (mixed ^ mixed >> 27) as usize % [2, 7, 40, 3000][(mixed >> 60) as usize % 4]
            }
        };
        let (piece, behind) = rest.split_at(most.min(rest.len()));
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Reads `bytes` whole, byte by byte and in pieces that follow from `seed`, and returns what
/// all three readings gave.
///
/// # Panics
/// Where one reading differs from another.
pub fn same<T: PartialEq + std::fmt::Debug>(bytes: &[u8], seed: u64, read: impl Fn(Cut) -> T) -> T {
    let whole = read(Cut::Whole);
    for cut in [Cut::Bytes, Cut::Sized(seed)] {
        let other = read(cut);
        assert!(other == whole, "{cut:?} of \"{}\":\n{other:?}\nwhole:\n{whole:?}", bytes.escape_ascii());
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_bytes() {
        let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        for cut in [Cut::Whole, Cut::Bytes, Cut::Sized(0), Cut::Sized(7)] {
            assert!(pieces(&bytes, cut).all(|piece| !piece.is_empty()));
            assert_eq!(pieces(&bytes, cut).collect::<Vec<_>>().concat(), bytes);
        }
        assert_eq!(pieces(b"", Cut::Bytes).count(), 0);
    }

    #[test]
    #[should_panic(expected = "Bytes of \"ab\"")]
    fn a_difference_shows() {
        same(b"ab", 1, |cut| pieces(b"ab", cut).count());
    }
}
