//! Properties of [`httpants_core`] that hold for every input, for fuzzers and property tests.
//!
//! A [`Property`] is a function of bytes that panics if the property does not hold for them. It
//! derives from the bytes the input of a peer, the response of an application, or the operations on
//! a connection, and compares the core with an independent implementation:
//!
//! | property | compared with |
//! |---|---|
//! | [`head`] | [`oracle::head`], http-net, httparse |
//! | [`target`] | [`oracle::head`], `http::Uri` |
//! | [`chunked`] | [`oracle::chunked`], httparse, the content before encoding |
//! | [`connection`] | [`oracle::response`], [`oracle::chunked`], the requests and responses that were sent |
//! | [`raw`] | the same, for input that a client sends unchanged |
//! | [`multipart`] | [`oracle::multipart`], multer, the form before encoding |
//! | [`urlencoded`] | form_urlencoded |
//! | [`proxies`] | a simple walk over the chain of proxies |
//! | [`proxy_protocol`] | ppp, the header before encoding |
//! | [`cookies`] | cookie, the values that were set and signed |
//! | [`files`] | the steps of RFC 9110 section 13.2.2, sets of positions, httpdate |
//! | [`response`] | [`oracle::response`], httparse, the response of the application |
//!
//! For input that arrives in pieces, each property also compares the core with itself:
//! [`split::same`] reads the input as a whole, byte by byte and in pieces.
//!
//! # With another fuzzer
//!
//! A property needs only bytes, so any fuzzer can run it. For example, with AFL++:
//!
//! ```text
//! // cargo add afl httpants-properties; cargo afl build
//! // cargo afl fuzz -i requests -o found -x dictionaries/raw.dict target/debug/my-target
//! fn main() {
//!     afl::fuzz!(|data: &[u8]| httpants_properties::raw::check(data));
//! }
//! ```
//!
//! The input of [`raw`] has no special structure: a folder with one request in each file is a
//! corpus. In the inputs of the other properties the first bytes choose limits, cuts or operations;
//! their corpora are in the repository, and their dictionaries, in the format of libFuzzer and
//! AFL++, are in the folder `dictionaries` of this package.
//! [`examples/replay.rs`](https://docs.rs/crate/httpants-properties/latest/source/examples/replay.rs)
//! checks a property on files. A loop without any fuzzer:
//!
//! ```
//! use httpants_properties::PROPERTIES;
//!
//! let mut state = 1_u32;
//! let mut random = || {
//!     // xorshift
//!     state ^= state << 13;
//!     state ^= state >> 17;
//!     state ^= state << 5;
//!     state as usize
//! };
//! for &(_, property) in PROPERTIES {
//!     for _ in 0..20 {
//!         let mut input = b"\0\0GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
//!         let place = random() % input.len();
//!         input[place] = random() as u8;
//!         property(&input);
//!     }
//! }
//! ```
//!
//! # For your own code
//!
//! Parts of this crate can also test other code. [`oracle::response`] strictly parses the output of
//! an adapter; [`split::same`] compares an incremental parser with itself; the parsers in
//! [`oracle`] are independent implementations of HTTP:
//!
//! ```
//! use httpants_properties::oracle::response::{self, Asked};
//! use httpants_properties::split::{self, pieces};
//!
//! // The bytes that a client of your adapter has received.
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

pub use connection::raw;

/// A function of bytes that panics if the property does not hold for them.
pub type Property = fn(&[u8]);

/// All properties, with the names of their fuzz targets.
pub const PROPERTIES: &[(&str, Property)] = &[
    ("chunked", chunked::check),
    ("connection", connection::check),
    ("cookies", cookies::check),
    ("files", files::check),
    ("head", head::check),
    ("multipart", multipart::check),
    ("proxies", proxies::check),
    ("proxy_protocol", proxy_protocol::check),
    ("raw", raw::check),
    ("response", response::check),
    ("target", target::check),
    ("urlencoded", urlencoded::check),
];

/// Returns the property with this name.
#[must_use]
pub fn property(name: &str) -> Option<Property> {
    PROPERTIES.iter().find(|(known, _)| *known == name).map(|(_, property)| *property)
}

/// Compiles and runs the example of this crate's README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct CrateReadme;
