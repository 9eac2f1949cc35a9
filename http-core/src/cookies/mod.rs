//! Cookies: those received ([`Cookies`]), those to set ([`set`], [`remove`]), and values that are
//! signed so that the client cannot change them ([`KeyRing`]).
//!
//! ```
//! use std::time::Duration;
//!
//! use httpants_core::cookies::{self, Cookies, KeyRing, SameSite};
//! use httpants_core::{FieldLines, Headers, UnixTime};
//!
//! let keys = KeyRing::new(["a secret of at least 32 random bytes"])?;
//! let now = UnixTime::from_secs(1_700_000_000);
//!
//! let mut fields = FieldLines::new();
//! cookies::set(&mut fields, ("theme", "dark"))?;
//! let user = keys.cookie("user", "alice", now, KeyRing::LIFETIME).secure(true).same_site(SameSite::Lax);
//! cookies::set(&mut fields, user)?;
//! assert_eq!(fields.get("Set-Cookie"), Some(&b"theme=dark"[..]));
//!
//! // The client sends both back.
//! let mut sent = b"Cookie: ".to_vec();
//! for (_, line) in &fields {
//!     sent.extend([line.split(|&byte| byte == b';').next().unwrap(), b"; "].concat());
//! }
//! let headers = Headers::parse(&[&sent, &b"\r\n\r\n"[..]].concat())?;
//! let cookies = Cookies::new(&headers);
//! assert_eq!(cookies.text("theme"), Some("dark"));
//! let user = cookies.get("user").unwrap();
//! assert_eq!(keys.verify_text("user", user, UnixTime::from_secs(1_700_000_060)).as_deref(), Ok("alice"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod jar;
mod key_error;
mod key_lines;
mod set_cookie;
mod signed;

pub use crate::message::cookie_error::CookieError;
pub use cookie::time;
pub use cookie::{Cookie, CookieBuilder, Expiration, SameSite};
pub use jar::{Cookies, CookiesIter};
pub use key_error::KeyError;
pub use set_cookie::{ATTRIBUTE_LIMIT, NAME_AND_VALUE_LIMIT, remove, set};
pub use signed::{KeyRing, VerifyError};
