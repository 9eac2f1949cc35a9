//! Tests behind nginx, HAProxy, Caddy and Apache, with the files of docs/deploy: each cell of the
//! table there is measured.

mod measures;
mod proxy;
mod relay;
mod scripts;
mod systemd;
mod table;

use std::process::Command;

use proxy::{Kind, version};
use tempfile::TempDir;

use self::table::Configuration;
use crate::runtimes::RUNTIMES;

/// Measures all rows of this column on each runtime and compares them with the table.
fn compare(column: &str, kind: Kind, proxy_protocol: impl Fn(&str) -> String) {
    let mut wrong = Vec::new();
    for runtime in RUNTIMES {
        for (row, expected) in table::column(column) {
            // Buffering by the proxy does not depend on the runtime, and takes long to detect.
            if expected == "no" && runtime != RUNTIMES[0] {
                continue;
            }
            let measured = match row.as_str() {
                "`X-Forwarded-For`, `X-Forwarded-Proto`" => measures::x_forwarded(kind, runtime),
                "`Forwarded`" => measures::forwarded(kind, runtime),
                "PROXY protocol" => proxy_protocol(runtime),
                "sends files for the application" => measures::sent_files(kind, runtime),
                "keeps connections to the application" => measures::kept_connections(kind, runtime),
                "passes uploads on as they arrive" => measures::streamed_uploads(kind, runtime, &expected),
                "413 reaches a client that is still sending" => measures::early_413(kind, runtime, &expected),
                "413 reaches a client that reads after 10 MB" => measures::late_413(kind, runtime),
                "408 reaches a client that stops sending" => measures::slow_408(kind, runtime, &expected),
                "passes responses on as they arrive" => measures::streamed_responses(kind, runtime),
                "WebSockets" => measures::websockets(kind, runtime),
                row => panic!("{row} is not measured"),
            };
            if measured != expected {
                wrong.push(format!("{runtime}: {row}: {measured}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{column}: {wrong:#?}");
}

#[test]
#[ignore = "runs nginx and curl (Debian: nginx, libnginx-mod-stream, curl)"]
fn nginx_matches_the_documented_table() {
    println!("{}", version("nginx", "-v"));
    compare("nginx", Kind::Nginx, |runtime| measures::proxy_protocol(Kind::NginxStream, runtime) + " from `stream`");
}

#[test]
#[ignore = "runs nginx and curl (Debian: nginx, libnginx-mod-stream, curl)"]
fn nginx_with_buffers_matches_the_documented_table() {
    println!("{}", version("nginx", "-v"));
    compare("nginx with buffers", Kind::NginxBuffered, |runtime| {
        measures::proxy_protocol(Kind::NginxStream, runtime) + " from `stream`"
    });
}

#[test]
#[ignore = "runs haproxy and curl (Debian: haproxy, curl)"]
fn haproxy_matches_the_documented_table() {
    println!("{}", version("haproxy", "-v"));
    compare("HAProxy", Kind::HaProxy, |runtime| {
        let versions = [1, 2].map(|version| measures::proxy_protocol(Kind::HaProxyTcp(version), runtime));
        format!("{} or {} in mode `tcp`", versions[0], versions[1])
    });
}

#[test]
#[ignore = "runs caddy and curl (Debian: caddy, curl)"]
fn caddy_matches_the_documented_table() {
    println!("caddy {}", version("caddy", "version"));
    compare("Caddy", Kind::Caddy, |_| if caddy_sends_a_proxy_header() { "yes".into() } else { "no".into() });
}

/// If Caddy has this directive in a later version, the table is out of date.
fn caddy_sends_a_proxy_header() -> bool {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("Caddyfile");
    let file = Configuration::read("Caddyfile").with("keepalive 60s", "keepalive 60s\nproxy_protocol v2");
    std::fs::write(&path, file.0).unwrap();
    let mut command = Command::new("caddy");
    let output = command.args(["adapt", "--adapter", "caddyfile", "--config"]).arg(path).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() || error.contains("unrecognized subdirective proxy_protocol"), "{error}");
    output.status.success()
}

#[test]
#[ignore = "runs apache2 and curl (Debian: apache2, libapache2-mod-xsendfile, curl)"]
fn apache_matches_the_documented_table() {
    println!("{}", version("apache2", "-v"));
    compare("Apache", Kind::Apache, |_| "no".into());
}
