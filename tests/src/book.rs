//! The programs in the book (`docs`) and in the README. `cargo test --doc` compiles them, and runs
//! those that end.

/// Includes a page per name.
macro_rules! pages {
    ($($name:ident $path:literal,)*) => {
        $(
            #[doc = include_str!(concat!("../../docs/", $path))]
            pub struct $name;
        )*
    };
}

pages! {
    Readme "../README.md",
    FirstServer "tutorial/first-server.md",
    Routes "tutorial/routes.md",
    State "tutorial/state.md",
    Uploads "tutorial/uploads.md",
    Logins "tutorial/logins.md",
    TutorialHttps "tutorial/https.md",
    Compiler "how-to/compiler.md",
    Testing "how-to/testing.md",
    Json "how-to/json.md",
    Files "how-to/files.md",
    Forms "how-to/forms.md",
    Sessions "how-to/sessions.md",
    ErrorPages "how-to/error-pages.md",
    Limits "how-to/limits.md",
    Https "how-to/https.md",
    BehindAProxy "how-to/behind-a-proxy.md",
    Systemd "how-to/systemd.md",
    Restarts "how-to/restarts.md",
    Metrics "how-to/metrics.md",
    Hardening "how-to/hardening.md",
    Compression "how-to/compression.md",
    Events "how-to/events.md",
    WebSocket "how-to/websocket.md",
    ReverseProxy "how-to/reverse-proxy.md",
    Axum "how-to/axum.md",
    Runtimes "how-to/runtimes.md",
    WithoutARuntime "how-to/without-a-runtime.md",
    Memory "explanation/memory.md",
    ComingFromPants "coming-from/pants.md",
    ComingFromHyper "coming-from/hyper.md",
}
