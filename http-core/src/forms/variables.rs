//! Decoded variables of a query, of urlencoded content, or of the text fields of a form.

use core::fmt;
use core::iter::{Enumerate, FusedIterator};
use core::ops::Range;
use core::slice;
use std::sync::OnceLock;

/// An ordered multi-map of names and values (`get` and `post` in Pants).
///
/// Text is UTF-8. Other bytes are replaced by U+FFFD in the text; [`bytes`](Self::bytes),
/// [`all_bytes`](Self::all_bytes) and [`iter_bytes`](Self::iter_bytes) return the original bytes.
///
/// ```
/// use httpants_core::forms::urlencoded::{self, Options};
///
/// let get = urlencoded::parse(b"tag=a&tag=b%26c&note=&x=%FF", &Options::default())?;
/// assert_eq!(get.get("tag"), Some("a"));
/// assert_eq!(get.all("tag").collect::<Vec<_>>(), ["a", "b&c"]);
/// assert_eq!(get.get("note"), None);
/// assert_eq!((get.get("x"), get.bytes("x")), (Some("\u{fffd}"), Some(&b"\xff"[..])));
/// for (name, value) in &get {
///     println!("{name} = {value}");
/// }
/// # Ok::<(), httpants_core::forms::ParseFormError>(())
/// ```
#[derive(Clone, Default)]
pub struct Variables {
    /// All names and values in order, concatenated.
    text: String,
    pairs: Vec<Pair>,
    /// Names and values that are not UTF-8, in order, with their numbers; they are not in `text`.
    /// Names have even numbers, values odd ones.
    not_utf8: Vec<(usize, NotUtf8)>,
}

/// Bytes that are not UTF-8. The replacement text takes three bytes for one, so it is created only
/// on request.
#[derive(Clone)]
struct NotUtf8 {
    bytes: Box<[u8]>,
    shown: OnceLock<Box<str>>,
}

impl NotUtf8 {
    fn shown(&self) -> &str {
        self.shown.get_or_init(|| String::from_utf8_lossy(&self.bytes).into())
    }
}

/// The offsets of a name and its value in the text.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    pub(super) start: usize,
    pub(super) middle: usize,
    pub(super) end: usize,
}

impl Pair {
    /// Returns true if name and value are each valid text.
    fn is_text(self, text: &str) -> bool {
        [self.start, self.middle, self.end].iter().all(|&at| text.is_char_boundary(at))
    }
}

impl Variables {
    /// Creates variables from decoded bytes. All bytes are checked at once, which is much faster
    /// than each item separately. It is not sufficient that they are UTF-8 as a whole: the last
    /// bytes of one item and the first of the next may form a character together.
    pub(super) fn from_decoded(bytes: Vec<u8>, pairs: Vec<Pair>) -> Self {
        let bytes = match String::from_utf8(bytes) {
            Ok(text) if pairs.iter().all(|pair| pair.is_text(&text)) => {
                return Self { text, pairs, not_utf8: Vec::new() };
            }
            Ok(text) => text.into_bytes(),
            Err(error) => error.into_bytes(),
        };
        let item = |range| bytes.get::<Range<usize>>(range).unwrap_or_default();
        let mut variables = Self::default();
        for pair in pairs {
            variables.push(item(pair.start..pair.middle), item(pair.middle..pair.end));
        }
        variables
    }

    /// Appends a variable. Name and value are not decoded.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        let number = self.pairs.len() * 2;
        let start = self.text.len();
        self.push_item(number, name);
        let middle = self.text.len();
        self.push_item(number + 1, value);
        self.pairs.push(Pair { start, middle, end: self.text.len() });
    }

    fn push_item(&mut self, number: usize, bytes: &[u8]) {
        match core::str::from_utf8(bytes) {
            Ok(text) => self.text.push_str(text),
            Err(_) => self.not_utf8.push((number, NotUtf8 { bytes: bytes.into(), shown: OnceLock::new() })),
        }
    }

    /// Returns the number of variables, including duplicates.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Returns true if there are no variables.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Returns the first value of this name. Names are compared exactly, with case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.numbers().find(|&pair| self.name(pair) == name).map(|pair| self.value(pair))
    }

    /// Returns true if there is a variable with this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.numbers().any(|pair| self.name(pair) == name)
    }

    /// Returns all values of this name, in order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.numbers().filter(move |&pair| self.name(pair) == name).map(|pair| self.value(pair))
    }

    /// Returns all variables as name and value, in order.
    pub fn iter(&self) -> VariablesIter<'_> {
        VariablesIter { pairs: self.numbers(), variables: self }
    }

    /// Returns the first value of this name as the bytes that were sent.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.iter_bytes().find(|&(known, _)| known == name.as_bytes()).map(|(_, value)| value)
    }

    /// Returns all values of this name, in order, as the bytes that were sent.
    pub fn all_bytes(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.iter_bytes().filter(move |&(known, _)| known == name.as_bytes()).map(|(_, value)| value)
    }

    /// Returns all variables as name and value, in order, as the bytes that were sent.
    pub fn iter_bytes(&self) -> VariablesIterBytes<'_> {
        VariablesIterBytes { pairs: self.numbers(), variables: self }
    }

    /// Returns each pair with its number.
    fn numbers(&self) -> Enumerate<slice::Iter<'_, Pair>> {
        self.pairs.iter().enumerate()
    }

    fn name(&self, (number, pair): (usize, &Pair)) -> &str {
        self.shown(number * 2, pair.start..pair.middle)
    }

    fn value(&self, (number, pair): (usize, &Pair)) -> &str {
        self.shown(number * 2 + 1, pair.middle..pair.end)
    }

    fn shown(&self, number: usize, range: Range<usize>) -> &str {
        self.not_utf8(number).map_or_else(|| self.slice(range), NotUtf8::shown)
    }

    fn as_sent(&self, number: usize, range: Range<usize>) -> &[u8] {
        self.not_utf8(number).map_or_else(|| self.slice(range).as_bytes(), |item| &item.bytes)
    }

    fn not_utf8(&self, number: usize) -> Option<&NotUtf8> {
        let at = self.not_utf8.binary_search_by_key(&number, |&(known, _)| known).ok()?;
        self.not_utf8.get(at).map(|(_, item)| item)
    }

    fn slice(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or_default()
    }
}

/// Appends variables, like [`push`](Variables::push).
///
/// ```
/// use httpants_core::forms::Variables;
///
/// let mut variables = Variables::from_iter([("tag", "a"), ("tag", "b")]);
/// variables.extend([("note", b"\xff")]);
/// assert_eq!(variables.all("tag").collect::<Vec<_>>(), ["a", "b"]);
/// assert_eq!(variables.bytes("note"), Some(&b"\xff"[..]));
/// ```
impl<N: AsRef<[u8]>, V: AsRef<[u8]>> Extend<(N, V)> for Variables {
    fn extend<I: IntoIterator<Item = (N, V)>>(&mut self, variables: I) {
        for (name, value) in variables {
            self.push(name.as_ref(), value.as_ref());
        }
    }
}

/// Creates variables from these names and values, in this order.
impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let mut collected = Self::default();
        collected.extend(variables);
        collected
    }
}

/// Iterates over all variables, as in [`iter`](Variables::iter).
impl<'a> IntoIterator for &'a Variables {
    type Item = (&'a str, &'a str);
    type IntoIter = VariablesIter<'a>;

    fn into_iter(self) -> VariablesIter<'a> {
        self.iter()
    }
}

/// The iterator of [`Variables::iter`].
#[derive(Clone)]
pub struct VariablesIter<'a> {
    pairs: Enumerate<slice::Iter<'a, Pair>>,
    variables: &'a Variables,
}

impl<'a> Iterator for VariablesIter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let pair = self.pairs.next()?;
        Some((self.variables.name(pair), self.variables.value(pair)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.pairs.size_hint()
    }
}

impl ExactSizeIterator for VariablesIter<'_> {}

impl FusedIterator for VariablesIter<'_> {}

/// Shows only the number of remaining variables, because forms may contain passwords.
impl fmt::Debug for VariablesIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VariablesIter").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The iterator of [`Variables::iter_bytes`].
#[derive(Clone)]
pub struct VariablesIterBytes<'a> {
    pairs: Enumerate<slice::Iter<'a, Pair>>,
    variables: &'a Variables,
}

impl<'a> Iterator for VariablesIterBytes<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (number, pair) = self.pairs.next()?;
        let name = self.variables.as_sent(number * 2, pair.start..pair.middle);
        Some((name, self.variables.as_sent(number * 2 + 1, pair.middle..pair.end)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.pairs.size_hint()
    }
}

impl ExactSizeIterator for VariablesIterBytes<'_> {}

impl FusedIterator for VariablesIterBytes<'_> {}

/// Shows only the number of remaining variables, because forms may contain passwords.
impl fmt::Debug for VariablesIterBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VariablesIterBytes").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Shows the names, and only the lengths of the values, because forms may contain passwords.
impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = |value: &[u8]| format!("({} bytes)", value.len());
        let names = self.numbers().map(|pair| self.name(pair));
        f.debug_map().entries(names.zip(self.iter_bytes().map(|(_, value)| length(value)))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&[u8], &[u8])]) -> Variables {
        pairs.iter().copied().collect()
    }

    #[test]
    fn order_and_duplicates_are_kept() {
        let v = variables(&[(b"b", b"1"), (b"a", b"2"), (b"b", b""), (b"B", b"3"), (b"", b"4")]);
        assert_eq!(v.iter().collect::<Vec<_>>(), [("b", "1"), ("a", "2"), ("b", ""), ("B", "3"), ("", "4")]);
        assert_eq!(v.all("b").collect::<Vec<_>>(), ["1", ""]);
        assert_eq!((v.get("b"), v.get("B"), v.get(""), v.get("c")), (Some("1"), Some("3"), Some("4"), None));
        assert!(v.contains("a") && !v.contains("A"));
        assert_eq!((v.len(), v.iter().len(), v.iter_bytes().len(), v.is_empty()), (5, 5, 5, false));
        assert_eq!((&v).into_iter().last(), Some(("", "4")));
        assert!(Variables::default().is_empty());
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_kept() {
        let v = variables(&[(b"a", b"x\xff"), (b"\xc3", b"\xa9"), ("\u{e9}".as_bytes(), b"y"), (b"a", b"\xe9\x80")]);
        let texts = [("a", "x\u{fffd}"), ("\u{fffd}", "\u{fffd}"), ("\u{e9}", "y"), ("a", "\u{fffd}")];
        assert_eq!(v.iter().collect::<Vec<_>>(), texts);
        let bytes = [(&b"a"[..], &b"x\xff"[..]), (b"\xc3", b"\xa9"), (b"\xc3\xa9", b"y"), (b"a", b"\xe9\x80")];
        assert_eq!(v.iter_bytes().collect::<Vec<_>>(), bytes);
        assert_eq!(v.all_bytes("a").collect::<Vec<_>>(), [&b"x\xff"[..], b"\xe9\x80"]);
        assert_eq!((v.bytes("\u{e9}"), v.bytes("b")), (Some(&b"y"[..]), None));
    }

    #[test]
    fn debug_hides_values() {
        let shown = format!("{:?}", variables(&[(b"user", b"ann"), (b"password", b"secret")]));
        assert_eq!(shown, r#"{"user": "(3 bytes)", "password": "(6 bytes)"}"#);
        let v = variables(&[(b"password", b"secret")]);
        assert_eq!(format!("{:?}", v.iter()), "VariablesIter { len: 1, .. }");
        assert_eq!(format!("{:?}", v.iter_bytes()), "VariablesIterBytes { len: 1, .. }");
    }
}
