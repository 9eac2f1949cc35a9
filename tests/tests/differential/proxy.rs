//! nginx and HAProxy, each with default settings and as lenient as possible, with keep-alive
//! connections to the upstream server.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use rustix::process::Signal;

use crate::program::{self, NGINX, Program};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Nginx,
    LaxNginx,
    Haproxy,
    LaxHaproxy,
}

/// A line of the access log.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    pub(crate) line: String,
    pub(crate) status: u16,
    /// True if the request was forwarded to the upstream server.
    pub(crate) passed: bool,
}

pub(crate) struct Proxy {
    program: Program,
    /// The signal that stops it gracefully.
    gently: Signal,
}

impl Proxy {
    pub(crate) fn start(kind: Kind, to: SocketAddr) -> Self {
        let (folder, socket) = Program::prepare();
        let (name, gently, arguments, configuration): (_, _, &[&str], _) = match kind {
            Kind::Nginx | Kind::LaxNginx => ("nginx", Signal::QUIT, NGINX, nginx(kind, &socket, to)),
            Kind::Haproxy | Kind::LaxHaproxy => {
                ("haproxy", Signal::USR1, &["-db", "-f", "configuration"], haproxy(kind, &socket, to))
            }
        };
        fs::write(folder.path().join("configuration"), configuration).unwrap();
        Self { program: Program::start(name, arguments, folder), gently }
    }

    /// Returns everything received until the connection is idle.
    pub(crate) fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        self.program.exchange(bytes, false)
    }

    /// Stops the proxy gracefully; returns its log.
    pub(crate) fn finish(self) -> Vec<Logged> {
        self.program.finish(self.gently).lines().filter_map(logged).collect()
    }
}

/// Parses `STATUS SERVER METHOD TARGET`.
fn logged(line: &str) -> Option<Logged> {
    let mut words = line.splitn(3, ' ');
    let status = words.next()?.parse().ok()?;
    let passed = !matches!(words.next()?, "-" | "<NOSRV>");
    // HAProxy escapes special characters and its own escape character. If an absolute form has a
    // query and no path, nginx forwards `/` before it without logging that.
    Some(Logged { status, passed, line: words.next()?.replace("#23", "#").replacen(" ?", " /?", 1) })
}

fn nginx(kind: Kind, socket: &Path, to: SocketAddr) -> String {
    let lax = match kind {
        Kind::LaxNginx => {
            "ignore_invalid_headers off; underscores_in_headers on; merge_slashes off; proxy_request_buffering off;"
        }
        _ => "",
    };
    let http = format!(
        "log_format line '$status $upstream_addr $request_method $request_uri';
        access_log /dev/stdout line;
        upstream behind {{ server {to}; keepalive 8; }}"
    );
    let server = format!(
        "{lax}
        client_header_timeout 1s; client_body_timeout 1s; keepalive_timeout 1s; lingering_time 1s;
        location / {{
            proxy_pass http://behind;
            proxy_http_version 1.1;
            proxy_set_header Connection '';
            proxy_set_header Host $host;
            proxy_ignore_client_abort on;
            proxy_next_upstream off;
        }}"
    );
    program::nginx(socket, &http, &server)
}

fn haproxy(kind: Kind, socket: &Path, to: SocketAddr) -> String {
    let lax = if kind == Kind::LaxHaproxy { "option accept-invalid-http-request" } else { "" };
    format!(
        "global
            nbthread 1
            log stdout format raw local0
        defaults
            mode http
            log global
            log-format \"%ST %s %HM %HU\"
            timeout client 500ms
            timeout http-request 500ms
            timeout http-keep-alive 500ms
            timeout connect 5s
            timeout server 10s
            retries 0
            http-reuse always
        frontend front
            bind {}
            {lax}
            default_backend behind
        backend behind
            server one {to}
",
        socket.display()
    )
}
