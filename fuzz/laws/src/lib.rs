//! What holds for every input of httpants-core: the bodies of the fuzz targets in `fuzz/`, and of
//! the property tests beside them.
//!
//! A [`Law`] is a function of bytes that panics where it does not hold. A fuzzer, proptest and the
//! committed corpora all give it bytes; it makes of them what a peer sends, what an application
//! answers, or what happens to a connection, and compares the core with something else that
//! knows the response:
//!
//! | law | compared with |
//! |---|---|
//! | [`head`] | [`oracle::head`], http-net, httparse |
//! | [`target`] | [`oracle::head`], `http::Uri` |
//! | [`chunked`] | [`oracle::chunked`], httparse, what was encoded |
//! | [`connection`] | [`oracle::answer`], [`oracle::chunked`], what was sent and answered |
//! | [`multipart`] | [`oracle::multipart`], multer, what was encoded |
//! | [`urlencoded`] | form_urlencoded |
//! | [`proxies`] | a plain walk over the chain that was written |
//! | [`proxy_protocol`] | ppp, what was encoded |
//! | [`cookies`] | cookie, what was set and signed |
//! | [`files`] | the steps of RFC 9110 section 13.2.2, sets of positions, httpdate |
//! | [`answer`] | [`oracle::answer`], httparse, what was given |
//!
//! and each with itself where pieces can arrive: [`split::same`] reads whole, byte by byte and in
//! pieces.
//!
//! # For your own code
//!
//! Those who drive the core themselves can use the parts. An adapter's output is read strictly
//! by [`oracle::answer`]; a parser of pieces is compared with itself by [`split::same`], and with
//! the readers in [`oracle`] where it reads HTTP:
//!
//! ```
//! use httpants_laws::oracle::answer::{self, Asked};
//! use httpants_laws::split::{self, pieces};
//!
//! // What a client of your adapter got.
//! let out = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
//! let (answers, rest) = answer::read_all(out, &[Asked::Other]);
//! assert_eq!((answers[0].content.as_slice(), rest), (&b"ok"[..], &b""[..]));
//!
//! // A parser that must not depend on how its input is cut.
//! let lines = |bytes: &[u8], cut| {
//!     let mut count = 0;
//!     pieces(bytes, cut).for_each(|piece| count += piece.iter().filter(|&&byte| byte == b'\n').count());
//!     count
//! };
//! assert_eq!(split::same(b"a\r\nb\r\n", 1, |cut| lines(b"a\r\nb\r\n", cut)), 2);
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a law panics")]

pub mod answer;
pub mod chunked;
pub mod connection;
pub mod cookies;
pub mod files;
pub mod head;
pub mod multipart;
pub mod oracle;
pub mod proxies;
pub mod proxy_protocol;
pub mod shown;
pub mod split;
pub mod target;
pub mod urlencoded;
pub mod visit;

/// Something that holds for every input, and panics where it does not.
pub type Law = fn(&[u8]);

/// All laws by the names of their fuzz targets.
pub const LAWS: [(&str, Law); 11] = [
    ("answer", answer::law),
    ("chunked", chunked::law),
    ("connection", connection::law),
    ("cookies", cookies::law),
    ("files", files::law),
    ("head", head::law),
    ("multipart", multipart::law),
    ("proxies", proxies::law),
    ("proxy_protocol", proxy_protocol::law),
    ("target", target::law),
    ("urlencoded", urlencoded::law),
];

/// The law of this name.
#[must_use]
pub fn law(name: &str) -> Option<Law> {
    LAWS.iter().find(|(known, _)| *known == name).map(|(_, law)| *law)
}
