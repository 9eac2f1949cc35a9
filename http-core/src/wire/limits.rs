//! Limits of a request head.

/// The limits of a head and the options for its target, as documented in [`Config`](crate::Config).
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    pub(crate) head: usize,
    pub(crate) target: usize,
    pub(crate) method: usize,
    pub(crate) fields: usize,
    pub(crate) strict_target: bool,
    pub(crate) non_ascii_target: bool,
}

impl HeadLimits {
    pub(crate) const DEFAULT: Self = Self {
        head: 32 << 10,
        target: 8 << 10,
        method: 64,
        fields: 100,
        strict_target: false,
        non_ascii_target: false,
    };
}
