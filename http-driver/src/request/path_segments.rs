//! The segments of a path, to be matched.

use std::fmt;

/// The decoded segments of a path, from [`Request::path_segments`](crate::Request::path_segments). It
/// does not borrow the request.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PathSegments {
    /// All of them, one behind the other.
    text: String,
    /// Where each of them ends.
    ends: Vec<usize>,
}

impl PathSegments {
    pub(super) fn new<S: AsRef<str>>(segments: impl Iterator<Item = S>) -> Self {
        let mut collected = Self::default();
        for segment in segments {
            collected.text.push_str(segment.as_ref());
            collected.ends.push(collected.text.len());
        }
        collected
    }

    /// Returns the segments in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts.zip(&self.ends).map(|(&start, &end)| self.text.get(start..end).unwrap_or_default())
    }

    /// Returns the segments as a list whose slices can be matched.
    #[must_use]
    pub fn to_vec(&self) -> Vec<&str> {
        self.iter().collect()
    }
}

impl fmt::Debug for PathSegments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
