//! The values that flags take.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use httpants_tokio::core::proxy::{BadNetwork, XHeaders};

/// What the server runs on.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub(crate) enum RuntimeName {
    #[default]
    Tokio,
    Smol,
    AsyncStd,
}

impl FromStr for RuntimeName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "tokio" => Ok(Self::Tokio),
            "smol" => Ok(Self::Smol),
            "async-std" => Ok(Self::AsyncStd),
            _ => Err("expected tokio, smol or async-std"),
        }
    }
}

/// What signs cookies.
#[derive(Clone, PartialEq)]
pub(crate) struct Secret(pub(super) String);

impl FromStr for Secret {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() { Err("expected a secret that is not empty") } else { Ok(Self(text.into())) }
    }
}

impl AsRef<[u8]> for Secret {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// One value of --xheaders.
#[derive(Debug, PartialEq)]
pub(crate) enum Proxies {
    All,
    /// A network or an address.
    Network(String),
}

impl FromStr for Proxies {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" {
            return Ok(Self::All);
        }
        XHeaders::trusted([text]).map(|_| Self::Network(text.to_owned()))
    }
}

/// The value of --xheaders-from.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub(crate) enum ProxyFields {
    #[default]
    XForwarded,
    XRealIp,
    Forwarded,
}

impl FromStr for ProxyFields {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "x-forwarded" => Ok(Self::XForwarded),
            "x-real-ip" => Ok(Self::XRealIp),
            "forwarded" => Ok(Self::Forwarded),
            _ => Err("expected x-forwarded, x-real-ip or forwarded"),
        }
    }
}

/// A timeout as `config.rs` of the core has it: `None` is off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seconds(pub(super) Option<Duration>);

impl FromStr for Seconds {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected a number of seconds";
        let seconds = text.parse().map_err(|_| EXPECTED)?;
        let duration = Duration::try_from_secs_f64(seconds).map_err(|_| EXPECTED)?;
        Ok(Self((!duration.is_zero()).then_some(duration)))
    }
}

/// The slowest body; 0 is off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct BytesPerSecond(pub(super) u32);

impl FromStr for BytesPerSecond {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| "expected a number of bytes per second, at most 4294967295")
    }
}
