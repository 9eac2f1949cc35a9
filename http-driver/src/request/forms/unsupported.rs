//! Replacements for forms when they are disabled: no request has one.

#[derive(Debug)]
pub(crate) enum Form {}

#[derive(Clone, Debug, Default)]
pub(crate) struct FormSettings {}
