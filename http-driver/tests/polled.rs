//! The behaviour suite on the runtime of `examples/polled`, and a test of the guide that quotes it.

#[path = "../examples/polled/runtime.rs"]
mod runtime;

httpants_testkit::conformance_suite!(httpants_testkit::conformance::Sockets<runtime::Polled>);
#[cfg(target_os = "linux")]
httpants_testkit::conformance_suite!(httpants_testkit::conformance::Sockets<runtime::Polled>, peers only);

/// The code in `docs/custom-runtime.md` is the code that is tested here and in `by_hand.rs`.
#[test]
fn guide_quotes_the_examples() {
    let guide = include_str!("../../docs/custom-runtime.md");
    let sources =
        [include_str!("../examples/polled/runtime.rs"), include_str!("../../testkit/examples/by_hand/server.rs")];
    let mut quotes = 0;
    for block in guide.split("```rust\n").skip(1) {
        let quote = block.split("```").next().unwrap();
        for piece in quote.split("// ...\n") {
            assert!(sources.iter().any(|source| source.contains(piece)), "not found in the examples:\n{piece}");
            quotes += 1;
        }
    }
    assert!(quotes > 5, "{quotes} quotes were found");
}
