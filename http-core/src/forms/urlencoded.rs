//! The parser of `application/x-www-form-urlencoded`: queries and the content of simple forms
//! (WHATWG URL section 5.1).

use memchr::memchr_iter;

use super::variables::Pair;
use super::{ParseFormError, Variables};
use crate::message::request::RequestHead;
use crate::wire::grammar::{is_octet, octet};

/// Options for parsing urlencoded content.
///
/// ```
/// use httpants_core::forms::urlencoded::{self, Options};
///
/// let mut options = Options::default();
/// assert_eq!(urlencoded::parse(b"a=&b&c=1", &options)?.len(), 1);
/// options.keep_blank_values = true;
/// assert_eq!(urlencoded::parse(b"a=&b&c=1", &options)?.len(), 3);
/// # Ok::<(), httpants_core::forms::ParseFormError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// True to keep variables with an empty value or without a value (`keep_blank_values` in
    /// Pants). Default false.
    pub keep_blank_values: bool,
    /// Maximum number of variables; blank ones are counted if they are kept. Default 1,000, as for
    /// the parts of a form.
    pub variables: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { keep_blank_values: false, variables: 1_000 }
    }
}

/// Parses a query or urlencoded content.
///
/// Variables are separated by `&`, not by `;`, and the first `=` ends the name. `+` is a space,
/// percent sequences are decoded, and invalid ones are kept unchanged. Empty sequences (`&&`) are
/// skipped. The time is linear, and all names and values are stored in one allocation of the size
/// of the content.
///
/// ```
/// use httpants_core::forms::urlencoded::{self, Options};
///
/// let get = urlencoded::parse(b"q=caf%C3%A9+cr%C3%A8me&off=100%", &Options::default())?;
/// assert_eq!(get.get("q"), Some("caf\u{e9} cr\u{e8}me"));
/// assert_eq!(get.get("off"), Some("100%"));
/// # Ok::<(), httpants_core::forms::ParseFormError>(())
/// ```
///
/// # Errors
/// [`ParseFormError::TooManyVariables`] for more than [`Options::variables`]; there is no other
/// error.
pub fn parse(content: &[u8], options: &Options) -> Result<Variables, ParseFormError> {
    let sequences = memchr_iter(b'&', content).count() + 1;
    let mut decoded = Decoded::with_capacity(content.len(), sequences.min(options.variables));
    let mut rest = content;
    loop {
        let plain = rest.iter().position(|&byte| is_special(byte)).unwrap_or(rest.len());
        let (run, special) = rest.split_at_checked(plain).unwrap_or((rest, &[]));
        decoded.bytes.extend_from_slice(run);
        rest = match special {
            [b'=', tail @ ..] => {
                decoded.equals_sign();
                tail
            }
            [b'+' | b'%', ..] => decode(special, &mut decoded.bytes),
            [_ampersand, tail @ ..] => {
                decoded.end_sequence(options)?;
                tail
            }
            [] => {
                decoded.end_sequence(options)?;
                return Ok(Variables::from_decoded(decoded.bytes, decoded.pairs));
            }
        };
    }
}

/// Parses the query of a request (`get` in Pants) with the default [`Options`]: a name may have
/// several values, in order; blank values are dropped; `+` and percent sequences are decoded.
///
/// ```
/// # use httpants_core::{Config, Connection, Event, Now, ConnectionInfo};
/// # let now = Now::default();
/// # let mut connection = Connection::new(Config::default().into(), ConnectionInfo::default(), now);
/// connection.receive(b"GET /?a=1&a=2+3&b= HTTP/1.1\r\nHost: x\r\n\r\n", now);
/// # let Some(Event::Request(request)) = connection.poll_event() else { unreachable!() };
/// let variables = httpants_core::forms::urlencoded::query(&request)?;
/// assert_eq!(variables.get("a"), Some("1"));
/// assert_eq!(variables.all("a").collect::<Vec<_>>(), ["1", "2 3"]);
/// assert_eq!(variables.get("b"), None);
/// # Ok::<(), httpants_core::forms::ParseFormError>(())
/// ```
///
/// # Errors
/// [`ParseFormError::TooManyVariables`] for more than 1,000 variables.
pub fn query(request: &RequestHead) -> Result<Variables, ParseFormError> {
    parse(request.query().as_bytes(), &Options::default())
}

const fn is_special(byte: u8) -> bool {
    matches!(byte, b'&' | b'=' | b'+' | b'%')
}

/// Decodes up to 64 bytes at the beginning of the text, which ends at `&`, `=` or the end of the
/// input, and returns the rest. Text with one escape usually has more, so it is decoded byte by
/// byte and copied in batches.
fn decode<'a>(mut encoded: &'a [u8], bytes: &mut Vec<u8>) -> &'a [u8] {
    let (mut batch, mut count) = ([0; 64], 0);
    for place in &mut batch {
        (*place, encoded) = match encoded {
            [] | [b'&' | b'=', ..] => break,
            [b'+', tail @ ..] => (b' ', tail),
            [b'%', high, low, tail @ ..] if is_octet(*high, *low) => (octet(*high, *low), tail),
            [byte, tail @ ..] => (*byte, tail),
        };
        count += 1;
    }
    bytes.extend_from_slice(batch.get(..count).unwrap_or_default());
    encoded
}

/// The decoded bytes, and the start of the sequence that is being decoded.
struct Decoded {
    bytes: Vec<u8>,
    pairs: Vec<Pair>,
    start: usize,
    equals_sign: Option<usize>,
}

impl Decoded {
    fn with_capacity(bytes: usize, pairs: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), pairs: Vec::with_capacity(pairs), start: 0, equals_sign: None }
    }

    fn equals_sign(&mut self) {
        if self.equals_sign.is_some() {
            self.bytes.push(b'=');
        } else {
            self.equals_sign = Some(self.bytes.len());
        }
    }

    fn end_sequence(&mut self, options: &Options) -> Result<(), ParseFormError> {
        let end = self.bytes.len();
        let blank = self.equals_sign.is_none_or(|middle| middle == end);
        let empty = self.equals_sign.is_none() && self.start == end;
        let pair = Pair { start: self.start, middle: self.equals_sign.take().unwrap_or(end), end };
        if empty || (blank && !options.keep_blank_values) {
            self.bytes.truncate(self.start);
            return Ok(());
        }
        if self.pairs.len() >= options.variables {
            return Err(ParseFormError::TooManyVariables);
        }
        self.pairs.push(pair);
        self.start = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> Options {
        Options { keep_blank_values: true, ..Options::default() }
    }

    fn pairs(content: &str, options: &Options) -> Vec<(String, String)> {
        let variables = parse(content.as_bytes(), options).unwrap();
        variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn pairs_are_split_and_decoded() {
        for (content, expected) in [
            ("", &[][..]),
            ("&&", &[]),
            ("a=1&b=2", &[("a", "1"), ("b", "2")]),
            ("&a=1&&b=2&", &[("a", "1"), ("b", "2")]),
            ("a=1;b=2", &[("a", "1;b=2")]),
            ("a=b=c", &[("a", "b=c")]),
            ("=v", &[("", "v")]),
            ("a+b=c++d", &[("a b", "c  d")]),
            ("a%2Bb=%2b", &[("a+b", "+")]),
            ("%61%3D%26=%26+%3d", &[("a=&", "& =")]),
            ("a=100%&b=%&c=%4&d=%zz&e=%4g%41", &[("a", "100%"), ("b", "%"), ("c", "%4"), ("d", "%zz"), ("e", "%4gA")]),
            ("a=%+41", &[("a", "% 41")]),
            ("a=%2541", &[("a", "%41")]),
            ("a=x%00y", &[("a", "x\0y")]),
            ("caf%C3%A9=cr\u{e8}me", &[("caf\u{e9}", "cr\u{e8}me")]),
            ("a=1&A=2&a=3", &[("a", "1"), ("A", "2"), ("a", "3")]),
        ] {
            let found = pairs(content, &Options::default());
            let found: Vec<_> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
            assert_eq!(found, expected, "{content}");
        }
    }

    #[test]
    fn blank_values_are_kept_only_if_enabled() {
        assert_eq!(pairs("a=&b&c=1&=", &Options::default()), [("c".into(), "1".into())]);
        let all = ["a", "b", "c", ""].map(String::from);
        let blank = ["", "", "1", ""].map(String::from);
        assert!(pairs("a=&b&c=1&=", &kept()).into_iter().eq(all.into_iter().zip(blank)));
        assert_eq!(pairs("a=+", &Options::default()), [("a".into(), " ".into())], "a space is not blank");
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_kept() {
        let variables = parse(b"a=%FFx&b=\xe9&c=%C3&%A9=d", &Options::default()).unwrap();
        let bytes = [(&b"a"[..], &b"\xffx"[..]), (b"b", b"\xe9"), (b"c", b"\xc3"), (b"\xa9", b"d")];
        assert_eq!(variables.iter_bytes().collect::<Vec<_>>(), bytes);
        let text = [("a", "\u{fffd}x"), ("b", "\u{fffd}"), ("c", "\u{fffd}"), ("\u{fffd}", "d")];
        assert_eq!(variables.iter().collect::<Vec<_>>(), text);
    }

    #[test]
    fn number_of_variables_is_limited_exactly() {
        for limit in [0, 1, 1_000] {
            let options = Options { variables: limit, ..Options::default() };
            let content = "a=1&".repeat(limit);
            assert_eq!(parse(content.as_bytes(), &options).unwrap().len(), limit);
            assert_eq!(parse(format!("{content}&b&c=&").as_bytes(), &options).unwrap().len(), limit);
            assert_eq!(
                parse(format!("{content}a=1").as_bytes(), &options).err(),
                Some(ParseFormError::TooManyVariables)
            );
            let kept = Options { keep_blank_values: true, ..options };
            assert_eq!(parse(format!("{content}b").as_bytes(), &kept).err(), Some(ParseFormError::TooManyVariables));
        }
        assert_eq!(Options::default().variables, 1_000);
    }

    /// With blank values kept, form_urlencoded returns the same for all content.
    #[test]
    fn agrees_with_form_urlencoded() {
        const TOKENS: [&[u8]; 20] = [
            b"a",
            b"name",
            b"&",
            b"&",
            b"=",
            b"=",
            b"+",
            b"%",
            b"%2",
            b"%41",
            b"%26",
            b"%3d",
            b"%2B",
            b"%C3%A9",
            b"%C3",
            b"\xa9",
            b"\xff",
            b"\xc3\xa9",
            b";",
            b"\0",
        ];
        let mut random = crate::random::Random::new(7);
        for _ in 0..20_000 {
            let content: Vec<u8> =
                (0..random.below(16)).flat_map(|_| TOKENS[random.below(TOKENS.len())]).copied().collect();
            let ours = parse(&content, &kept()).unwrap();
            let theirs: Vec<_> = form_urlencoded::parse(&content).collect();
            assert!(ours.iter().eq(theirs.iter().map(|(n, v)| (&**n, &**v))), "{}", content.escape_ascii());
        }
    }
}
