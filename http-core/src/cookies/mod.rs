//! Cookies: those received ([`Cookies`]), those to set ([`CookiesOut`]), and values that are
//! signed so that the client cannot change them ([`KeyRing`]).
//!
//! ```
//! use std::time::Duration;
//!
//! use httpants_core::Headers;
//! use httpants_core::cookies::{Cookies, CookiesOut, KeyRing, SameSite};
//!
//! let keys = KeyRing::new(["a secret of at least 32 random bytes"])?;
//! let now = 1_700_000_000; // seconds since 1970
//!
//! let mut out = CookiesOut::new();
//! out.set(("theme", "dark"))?;
//! out.set(keys.cookie("user", "alice", now, KeyRing::LIFETIME).secure(true).same_site(SameSite::Lax))?;
//! let (name, field_value) = out.iter().next().unwrap();
//! assert_eq!((name, field_value), ("theme", "theme=dark"));
//!
//! // The client sends both back.
//! let sent = out.iter().map(|(_, field)| field.split(';').next().unwrap()).collect::<Vec<_>>().join("; ");
//! let headers = Headers::parse(format!("Cookie: {sent}\r\n\r\n").as_bytes())?;
//! let cookies = Cookies::new(&headers);
//! assert_eq!(cookies.text("theme"), Some("dark"));
//! let user = cookies.get("user").unwrap();
//! assert_eq!(keys.verify_text("user", user, now + 60).as_deref(), Ok("alice"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod jar;
mod key_error;
mod key_lines;
mod set_cookie;
mod signed;

pub use crate::message::misuse::CookieError;
pub use cookie::time;
pub use cookie::{Cookie, CookieBuilder, Expiration, SameSite};
pub use jar::Cookies;
pub use key_error::KeyError;
pub use set_cookie::{CookiesOut, remove, set};
pub use signed::{KeyRing, VerifyError};
