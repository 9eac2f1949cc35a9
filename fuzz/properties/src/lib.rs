//! What holds for every input of httpants-core: the bodies of the fuzz targets in `fuzz/`, and of
//! the property tests beside them.
//!
//! A [`Property`] is a function of bytes that panics where it does not hold. A fuzzer, proptest and the
//! committed corpora all give it bytes; it makes of them what a peer sends, what an application
//! responses, or what happens to a connection, and compares the core with something else that
//! knows the response:
//!
//! | property | compared with |
//! |---|---|
//! | [`head`] | [`oracle::head`], http-net, httparse |
//! | [`target`] | [`oracle::head`], `http::Uri` |
//! | [`chunked`] | [`oracle::chunked`], httparse, what was encoded |
//! | [`connection`] | [`oracle::response`], [`oracle::chunked`], what was sent and what the application responded |
//! | [`multipart`] | [`oracle::multipart`], multer, what was encoded |
//! | [`urlencoded`] | form_urlencoded |
//! | [`proxies`] | a plain walk over the chain that was written |
//! | [`proxy_protocol`] | ppp, what was encoded |
//! | [`cookies`] | cookie, what was set and signed |
//! | [`files`] | the steps of RFC 9110 section 13.2.2, sets of positions, httpdate |
//! | [`response`] | [`oracle::response`], httparse, what was given |
//!
//! and each with itself where pieces can arrive: [`split::same`] reads whole, byte by byte and in
//! pieces.
//!
//! # For your own code
//!
//! Those who drive the core themselves can use the parts. An adapter's output is read strictly
//! by [`oracle::response`]; a parser of pieces is compared with itself by [`split::same`], and with
//! the readers in [`oracle`] where it reads HTTP:
//!
//! ```
//! use httpants_properties::oracle::response::{self, Asked};
//! use httpants_properties::split::{self, pieces};
//!
//! // What a client of your adapter got.
//! let out = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
//! let (responses, rest) = response::read_all(out, &[Asked::Other]);
//! assert_eq!((responses[0].content.as_slice(), rest), (&b"ok"[..], &b""[..]));
//!
//! // A parser that must not depend on how its input is cut.
//! let lines = |bytes: &[u8], cut| {
//!     let mut count = 0;
//!     pieces(bytes, cut).for_each(|piece| count += piece.iter().filter(|&&byte| byte == b'\n').count());
//!     count
//! };
//! assert_eq!(split::same(b"a\r\nb\r\n", 1, |cut| lines(b"a\r\nb\r\n", cut)), 2);
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a property panics"
)]

pub mod chunked;
pub mod connection;
pub mod cookies;
pub mod files;
pub mod head;
pub mod multipart;
pub mod oracle;
pub mod proxies;
pub mod proxy_protocol;
pub mod response;
pub mod shown;
pub mod split;
pub mod target;
pub mod urlencoded;
pub mod visit;

/// Something that holds for every input, and panics where it does not.
pub type Property = fn(&[u8]);

/// All properties by the names of their fuzz targets.
pub const PROPERTIES: [(&str, Property); 11] = [
    ("response", response::check),
    ("chunked", chunked::check),
    ("connection", connection::check),
    ("cookies", cookies::check),
    ("files", files::check),
    ("head", head::check),
    ("multipart", multipart::check),
    ("proxies", proxies::check),
    ("proxy_protocol", proxy_protocol::check),
    ("target", target::check),
    ("urlencoded", urlencoded::check),
];

/// The property of this name.
#[must_use]
pub fn property(name: &str) -> Option<Property> {
    PROPERTIES.iter().find(|(known, _)| *known == name).map(|(_, property)| *property)
}
