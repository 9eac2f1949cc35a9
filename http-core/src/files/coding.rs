//! The choice of a file's content coding by Accept-Encoding (RFC 9110 section 12.5.3).

use crate::Headers;
use crate::wire::grammar::trim_ows;

/// The content coding of a file: none, or that of a precompressed sibling (`app.js.br`,
/// `app.js.zst`, `app.js.gz`).
///
/// ```
/// use httpants_core::Headers;
/// use httpants_core::files::Coding;
///
/// let headers = Headers::parse(b"Accept-Encoding: gzip, br;q=0.8\r\n\r\n")?;
/// let there = |coding| coding == Coding::Brotli;
/// assert_eq!(Coding::choose(&headers, there), Coding::Brotli);
/// assert_eq!(Coding::choose(&headers, |_| true), Coding::Gzip);
/// # Ok::<(), httpants_core::ProtocolError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Coding {
    /// The file itself.
    #[default]
    Identity,
    /// The sibling with the suffix `.gz`.
    Gzip,
    /// The sibling with the suffix `.br`.
    Brotli,
    /// The sibling with the suffix `.zst`. Browsers decode a window of up to 8 MiB (RFC 9659),
    /// which `zstd` exceeds only with `--ultra` or `--long`.
    Zstd,
}

/// A weight in thousandths (`qvalue`, RFC 9110 section 12.4.2).
pub(super) type Weight = u16;

impl Coding {
    /// All codings, the smallest content first; of those with the same weight, the first is sent.
    const ALL: [Self; 4] = [Self::Brotli, Self::Zstd, Self::Gzip, Self::Identity];

    /// Returns the registered name of the coding, as used in `Content-Encoding`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// Returns the suffix that is appended to a file's name for its sibling with this coding; empty
    /// for [`Identity`](Self::Identity).
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Identity => "",
            Self::Gzip => ".gz",
            Self::Brotli => ".br",
            Self::Zstd => ".zst",
        }
    }

    /// Returns the available coding with the highest weight in the request.
    ///
    /// `available` returns true if there is a file with this coding. It is called in the order of
    /// preference and only as often as needed, never for [`Identity`](Self::Identity). `Identity`
    /// is also returned if no acceptable coding is available, and for a request without
    /// Accept-Encoding.
    #[must_use]
    pub fn choose(headers: &Headers, mut available: impl FnMut(Self) -> bool) -> Self {
        let mut weighed = Self::ALL.map(|coding| (coding.weight(headers), coding));
        weighed.sort_by_key(|(weight, _)| core::cmp::Reverse(*weight));
        weighed
            .into_iter()
            .filter(|(weight, _)| *weight > Some(0))
            .map(|(_, coding)| coding)
            .find(|&coding| coding == Self::Identity || available(coding))
            .unwrap_or_default()
    }

    /// Returns the weight of this coding in the request; `None` if Accept-Encoding contains neither
    /// it nor `*`.
    fn weight(self, headers: &Headers) -> Option<Weight> {
        weight(headers, self.name())
    }
}

/// Returns the registered name with the highest weight in the request among `names`, the first one
/// if several have the same weight; `None` if the content is to be sent without a coding.
///
/// ```
/// use httpants_core::Headers;
/// use httpants_core::files::accepted_coding;
///
/// let headers = Headers::parse(b"Accept-Encoding: gzip, br;q=0.8, zstd\r\n\r\n")?;
/// assert_eq!(accepted_coding(&headers, ["zstd", "br", "gzip"]), Some("zstd"));
/// assert_eq!(accepted_coding(&headers, ["deflate"]), None);
/// # Ok::<(), httpants_core::ProtocolError>(())
/// ```
#[must_use]
pub fn accepted_coding<'a>(headers: &Headers, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let least = weight(headers, "identity").unwrap_or_default().max(1);
    let weighed = names.into_iter().filter_map(|name| Some((weight(headers, name)?, name)));
    let best = weighed.reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.filter(|(weight, _)| *weight >= least).map(|(_, name)| name)
}

fn weight(headers: &Headers, coding: &str) -> Option<Weight> {
    let mut any = None;
    for element in headers.list("accept-encoding") {
        let Some((name, weight)) = weighted(element) else { continue };
        if is_coding(name, coding) {
            return Some(weight);
        }
        if name == b"*" {
            any.get_or_insert(weight);
        }
    }
    any
}

/// Compares a coding by name; `x-gzip` is gzip (RFC 9110 section 8.4.1.3).
fn is_coding(name: &[u8], coding: &str) -> bool {
    name.eq_ignore_ascii_case(coding.as_bytes()) || coding == "gzip" && name.eq_ignore_ascii_case(b"x-gzip")
}

/// Parses `codings [ weight ]`; returns `None` if the weight is invalid, so that a coding is never
/// chosen because of an element that does not parse.
fn weighted(element: &[u8]) -> Option<(&[u8], Weight)> {
    let mut parts = element.splitn(2, |&byte| byte == b';');
    let name = trim_ows(parts.next()?);
    let weight = match parts.next().map(trim_ows) {
        None => 1000,
        Some([b'q' | b'Q', b'=', value @ ..]) => qvalue(value)?,
        Some(_) => return None,
    };
    Some((name, weight))
}

/// Parses `qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )`, RFC 9110 section 12.4.2.
pub(super) fn qvalue(value: &[u8]) -> Option<Weight> {
    let (whole, fraction) = match value {
        [whole @ b'0'..=b'1'] => (whole, &[][..]),
        [whole @ b'0'..=b'1', b'.', fraction @ ..] => (whole, fraction),
        _ => return None,
    };
    if fraction.len() > 3 || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = fraction.iter().chain(b"000").take(3);
    let weight = digits.fold(Weight::from(whole - b'0'), |sum, digit| sum * 10 + Weight::from(digit - b'0'));
    (weight <= 1000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(accept: &str, available: &[Coding]) -> Coding {
        let headers = Headers::parse(format!("{accept}\r\n").as_bytes()).unwrap();
        Coding::choose(&headers, |coding| available.contains(&coding))
    }

    #[test]
    fn available_coding_is_chosen_by_weight() {
        use Coding::{Brotli, Gzip, Identity, Zstd};
        let all = &[Zstd, Gzip, Brotli][..];
        let both = &[Brotli, Gzip][..];
        for (accept, available, expected) in [
            ("", both, Identity),
            ("Accept-Encoding:\r\n", both, Identity),
            ("Accept-Encoding: , ,\r\n", both, Identity),
            ("Accept-Encoding: ,gzip,\r\nAccept-Encoding:\r\nAccept-Encoding: , BR;Q=0.5\r\n", both, Gzip),
            ("Accept-Encoding: gzip, deflate, br\r\n", both, Brotli),
            ("Accept-Encoding: gzip, deflate, br\r\n", &[Gzip], Gzip),
            ("Accept-Encoding: gzip, deflate, br\r\n", &[], Identity),
            ("Accept-Encoding: GZIP\r\n", both, Gzip),
            ("Accept-Encoding: x-gzip\r\n", both, Gzip),
            ("Accept-Encoding: gzip\r\nAccept-Encoding: br\r\n", both, Brotli),
            ("Accept-Encoding: br;q=0.5, gzip;q=0.9\r\n", both, Gzip),
            ("Accept-Encoding: br;q=0.001, gzip;q=0.002\r\n", both, Gzip),
            ("Accept-Encoding: br;q=0, gzip\r\n", &[Brotli], Identity),
            ("Accept-Encoding: br; q=0.000 , gzip ;\tq=1.000\r\n", both, Gzip),
            ("Accept-Encoding: br;Q=0\r\n", both, Identity),
            ("Accept-Encoding: *\r\n", both, Brotli),
            ("Accept-Encoding: *;q=0\r\n", both, Identity),
            ("Accept-Encoding: gzip, *;q=0\r\n", both, Gzip),
            ("Accept-Encoding: *;q=0, gzip\r\n", both, Gzip),
            ("Accept-Encoding: br;q=0, *\r\n", both, Gzip),
            ("Accept-Encoding: *;q=0.5, gzip;q=0.1\r\n", both, Brotli),
            ("Accept-Encoding: *;q=0.5, gzip;q=0.1\r\n", &[Gzip], Identity),
            ("Accept-Encoding: identity, gzip;q=0.5\r\n", both, Identity),
            ("Accept-Encoding: identity, gzip\r\n", both, Gzip),
            ("Accept-Encoding: identity;q=0, gzip;q=0.1\r\n", both, Gzip),
            ("Accept-Encoding: identity;q=0\r\n", both, Identity),
            ("Accept-Encoding: identity;q=0.5, *;q=0\r\n", both, Identity),
            ("Accept-Encoding: deflate, zstd\r\n", both, Identity),
            ("Accept-Encoding: gzip, deflate, br, zstd\r\n", all, Brotli),
            ("Accept-Encoding: gzip, deflate, br, zstd\r\n", &[Zstd, Gzip], Zstd),
            ("Accept-Encoding: ZSTD;q=0.9, br;q=0.8\r\n", all, Zstd),
            ("Accept-Encoding: zstd;q=0, *\r\n", &[Zstd], Identity),
            ("Accept-Encoding: zst\r\n", all, Identity),
            ("Accept-Encoding: brotli, gzipped\r\n", both, Identity),
            ("Accept-Encoding: br;q=0, br\r\n", both, Identity),
            // An element with an invalid weight is ignored.
            ("Accept-Encoding: br;q=1.001, gzip\r\n", both, Gzip),
            ("Accept-Encoding: br;q=0.1234, gzip;q=0.1\r\n", both, Gzip),
            ("Accept-Encoding: br;q=, gzip;q=-1\r\n", both, Identity),
            ("Accept-Encoding: br;level=1, gzip;q=2\r\n", both, Identity),
            ("Accept-Encoding: br;q=.5\r\n", both, Identity),
            ("Accept-Encoding: br;q=1;q=1\r\n", both, Identity),
        ] {
            assert_eq!(choose(accept, available), expected, "{accept:?} of {available:?}");
        }
    }

    #[test]
    fn coding_for_compression_is_chosen_by_weight() {
        for (accept, expected) in [
            ("", None),
            ("Accept-Encoding: gzip, deflate, br, zstd\r\n", Some("zstd")),
            ("Accept-Encoding: gzip, br;q=0.9\r\n", Some("gzip")),
            ("Accept-Encoding: x-gzip\r\n", Some("gzip")),
            ("Accept-Encoding: *\r\n", Some("zstd")),
            ("Accept-Encoding: *;q=0, br\r\n", Some("br")),
            ("Accept-Encoding: zstd;q=0, *;q=0.1\r\n", Some("br")),
            ("Accept-Encoding: identity, gzip;q=0.5\r\n", None),
            ("Accept-Encoding: identity, gzip\r\n", Some("gzip")),
            ("Accept-Encoding: identity;q=0, gzip;q=0.001\r\n", Some("gzip")),
            ("Accept-Encoding: identity;q=0\r\n", None),
            ("Accept-Encoding: gzip;q=0, br;q=0\r\n", None),
            ("Accept-Encoding: gzip;q=2\r\n", None),
        ] {
            let headers = Headers::parse(format!("{accept}\r\n").as_bytes()).unwrap();
            assert_eq!(accepted_coding(&headers, ["zstd", "br", "gzip"]), expected, "{accept:?}");
        }
    }

    #[test]
    fn availability_is_checked_only_as_needed() {
        let headers = Headers::parse(b"Accept-Encoding: gzip, br;q=0\r\n\r\n").unwrap();
        let mut asked = Vec::new();
        let chosen = Coding::choose(&headers, |coding| {
            asked.push(coding);
            false
        });
        assert_eq!(chosen, Coding::Identity);
        assert_eq!(asked, [Coding::Gzip]);
    }

    #[test]
    fn qvalues_are_parsed() {
        for (value, expected) in [
            ("0", Some(0)),
            ("0.", Some(0)),
            ("0.5", Some(500)),
            ("0.05", Some(50)),
            ("0.123", Some(123)),
            ("1", Some(1000)),
            ("1.000", Some(1000)),
            ("1.0001", None),
            ("1.1", None),
            ("01", None),
            ("2", None),
            ("", None),
            ("0.a", None),
            ("0,5", None),
        ] {
            assert_eq!(qvalue(value.as_bytes()), expected, "{value}");
        }
    }
}
