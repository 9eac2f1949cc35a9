#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| httpants_properties::raw::check(data));
