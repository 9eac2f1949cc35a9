//! The property of `application/x-www-form-urlencoded`: queries and forms (WHATWG URL section 5.1).

use std::borrow::Cow;

use httpants_core::forms::ParseFormError;
use httpants_core::forms::urlencoded::{Options, parse};

use crate::shown;

/// Checks urlencoded content. The first byte chooses the options; the rest is the content.
///
/// The variables are the same as those of the crate form_urlencoded, and are parsed to the same
/// after that crate has encoded them; blank variables and those beyond the limit are handled
/// according to the options.
///
/// # Panics
/// If the property does not hold.
pub fn check(data: &[u8]) {
    let [choices, content @ ..] = data else { return };
    let mut options = Options::default();
    options.keep_blank_values = choices & 1 == 1;
    options.variables = if choices & 2 == 2 { 3 } else { 1000 };
    let theirs: Vec<(Cow<'_, str>, Cow<'_, str>)> =
        form_urlencoded::parse(content).filter(|(_, value)| options.keep_blank_values || !value.is_empty()).collect();
    let ours = match parse(content, &options) {
        Ok(ours) => ours,
        Err(fault) => {
            assert_eq!((fault, fault.status().as_u16()), (ParseFormError::TooManyVariables, 413));
            return assert!(theirs.len() > options.variables, "{} variables", theirs.len());
        }
    };
    shown::debug(&ours);
    assert!(ours.len() <= options.variables && ours.is_empty() == theirs.is_empty());
    assert!(ours.iter().eq(theirs.iter().map(|(name, value)| (&**name, &**value))), "{ours:?}, {theirs:?}");
    for (name, _) in ours.iter() {
        let first = theirs.iter().find(|(known, _)| known == name).map(|(_, value)| &**value);
        assert_eq!((ours.get(name), ours.contains(name)), (first, true));
        assert!(ours.all(name).eq(theirs.iter().filter(|(known, _)| known == name).map(|(_, value)| &**value)));
    }
    for ((name, value), (name_bytes, value_bytes)) in ours.iter().zip(ours.iter_bytes()) {
        assert_eq!((name, value), (&*String::from_utf8_lossy(name_bytes), &*String::from_utf8_lossy(value_bytes)));
        assert!(ours.bytes(&String::from_utf8_lossy(name_bytes)).is_some() || std::str::from_utf8(name_bytes).is_err());
    }
    // Encoded again by the other crate, once as text, and once as bytes that are joined by hand.
    let written = form_urlencoded::Serializer::new(String::new()).extend_pairs(ours.iter()).finish();
    assert!(parse(written.as_bytes(), &options).unwrap().iter().eq(ours.iter()), "{written}");
    let encode = |bytes| form_urlencoded::byte_serialize(bytes).collect::<String>();
    let pairs: Vec<_> = ours.iter_bytes().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    assert!(parse(pairs.join("&").as_bytes(), &options).unwrap().iter_bytes().eq(ours.iter_bytes()));
}
