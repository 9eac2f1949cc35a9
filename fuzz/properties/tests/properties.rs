//! Tests of the properties with proptest: each gets random bytes mixed with the words of its
//! dictionary, and failures are minimized.
#![cfg(test)]

use proptest::prelude::*;

/// Bytes that are shown as a literal in a failure.
#[derive(Clone)]
struct Data(Vec<u8>);

impl std::fmt::Debug for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// Returns the words of a dictionary in libFuzzer's format: one quoted word per line, `#` begins a
/// comment.
fn words(dictionary: &str) -> Vec<Vec<u8>> {
    dictionary.lines().filter(|line| line.starts_with('"')).map(word).collect()
}

fn word(line: &str) -> Vec<u8> {
    let mut rest = line.strip_prefix('"').and_then(|line| line.strip_suffix('"')).unwrap().as_bytes();
    let mut word = Vec::new();
    loop {
        rest = match rest {
            [] => return word,
            [b'\\', b'x', high, low, tail @ ..] => {
                let digits = [*high, *low].map(|digit| char::from(digit).to_digit(16).unwrap() as u8);
                word.push(digits[0] << 4 | digits[1]);
                tail
            }
            [b'\\', byte, tail @ ..] | [byte, tail @ ..] => {
                word.push(*byte);
                tail
            }
        };
    }
}

/// Generates up to `most` words and bytes, after the bytes by which a property chooses.
fn mixed(dictionary: &str, most: usize) -> impl Strategy<Value = Data> + use<> {
    let word = prop_oneof![
        4 => proptest::sample::select(words(dictionary)),
        2 => any::<u8>().prop_map(|byte| vec![byte]),
        1 => proptest::sample::select(&b" \r\n\t\"-;,=:%"[..]).prop_map(|byte| vec![byte]),
    ];
    let choices = [any::<u8>(), any::<u8>()];
    (choices, proptest::collection::vec(word, 0..most))
        .prop_map(|(choices, words)| Data([&choices[..], &words.concat()].concat()))
}

/// Generates up to `most` words and bytes.
fn words_only(dictionary: &str, most: usize) -> impl Strategy<Value = Data> + use<> {
    mixed(dictionary, most).prop_map(|Data(data)| Data(data[2..].to_vec()))
}

macro_rules! properties {
    ($($property:ident: $cases:literal of $most:literal;)*) => {$(
        proptest! {
            #![proptest_config(ProptestConfig::with_cases($cases))]
            #[test]
            fn $property(
                data in mixed(include_str!(concat!("../dictionaries/", stringify!($property), ".dict")), $most),
                bytes in proptest::collection::vec(any::<u8>(), 0..8 * $most).prop_map(Data),
            ) {
                httpants_properties::$property::check(&data.0);
                httpants_properties::$property::check(&bytes.0);
            }
        }
    )*};
}

properties! {
    head: 1000 of 20;
    target: 1000 of 10;
    chunked: 1000 of 20;
    connection: 500 of 200;
    multipart: 1000 of 30;
    urlencoded: 1000 of 30;
    proxies: 1000 of 20;
    proxy_protocol: 300 of 10;
    cookies: 1000 of 20;
    files: 1000 of 20;
    response: 1000 of 30;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn raw(
        data in words_only(include_str!("../dictionaries/raw.dict"), 40),
        bytes in proptest::collection::vec(any::<u8>(), 0..200).prop_map(Data),
    ) {
        httpants_properties::raw::check(&data.0);
        httpants_properties::raw::check(&bytes.0);
    }
}
