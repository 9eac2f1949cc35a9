//! Replacements for forms when the feature `forms` is disabled: no request has a form.

#[derive(Debug)]
pub(crate) enum Form {}

#[derive(Clone, Debug, Default)]
pub(crate) struct FormSettings {}
