//! The segments of a path, to be matched.

use std::fmt;
use std::iter::FusedIterator;
use std::slice;

/// The decoded segments of a path, from [`Request::path_segments`](crate::Request::path_segments). It
/// does not borrow the request.
///
/// ```
/// use httpants_driver::Request;
///
/// let request = Request::builder().target("/users/Ad%61").build()?;
/// let segments = request.path_segments();
/// assert_eq!(segments.iter().last(), Some("Ada"));
/// for segment in &segments {
///     println!("{segment}");
/// }
/// # Ok::<(), httpants_driver::BuildRequestError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PathSegments {
    /// All segments, concatenated.
    text: String,
    /// The offset in `text` of the end of each segment.
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
    pub fn iter(&self) -> PathSegmentsIter<'_> {
        PathSegmentsIter { text: &self.text, start: 0, ends: self.ends.iter() }
    }

    /// Returns the segments as a list whose slices can be matched.
    #[must_use]
    pub fn to_vec(&self) -> Vec<&str> {
        self.iter().collect()
    }
}

/// The segments, as [`iter`](PathSegments::iter) returns them.
impl<'a> IntoIterator for &'a PathSegments {
    type Item = &'a str;
    type IntoIter = PathSegmentsIter<'a>;

    fn into_iter(self) -> PathSegmentsIter<'a> {
        self.iter()
    }
}

/// The iterator of [`PathSegments::iter`].
#[derive(Clone, Debug)]
pub struct PathSegmentsIter<'a> {
    text: &'a str,
    /// The offset in the text of the next segment.
    start: usize,
    ends: slice::Iter<'a, usize>,
}

impl<'a> Iterator for PathSegmentsIter<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<Self::Item> {
        let end = *self.ends.next()?;
        let segment = self.text.get(self.start..end).unwrap_or_default();
        self.start = end;
        Some(segment)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ends.size_hint()
    }
}

impl ExactSizeIterator for PathSegmentsIter<'_> {}

impl FusedIterator for PathSegmentsIter<'_> {}

impl fmt::Debug for PathSegments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
