//! nginx and HAProxy, each as strict as it comes and as lax as it can be made, with connections
//! to the server behind them that are kept alive.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

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
    /// Whether it went to the server behind.
    pub(crate) passed: bool,
}

pub(crate) struct Proxy {
    child: Child,
    pub(crate) address: SocketAddr,
    folder: TempDir,
    /// What makes it finish and end.
    gently: Signal,
}

impl Proxy {
    pub(crate) fn start(kind: Kind, to: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Somebody else could take the port in between; then it does not start, and the test fails.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let (program, gently, arguments, configuration): (_, _, &[&str], _) = match kind {
            Kind::Nginx | Kind::LaxNginx => {
                ("nginx", Signal::QUIT, &["-p", ".", "-c", "configuration", "-e", "errors"], nginx(kind, address, to))
            }
            Kind::Haproxy | Kind::LaxHaproxy => {
                ("haproxy", Signal::USR1, &["-db", "-f", "configuration"], haproxy(kind, address, to))
            }
        };
        fs::write(folder.path().join("configuration"), configuration).unwrap();
        let log = File::create(folder.path().join("stdout")).unwrap();
        let errors = File::create(folder.path().join("stderr")).unwrap();
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder.path()).stdin(Stdio::null()).stdout(log).stderr(errors);
        let child = command.spawn().unwrap_or_else(|error| panic!("{program}: {error}"));
        let proxy = Self { child, address, folder, gently };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "it does not listen: {}", proxy.read("stderr"));
            thread::sleep(Duration::from_millis(20));
        }
        proxy
    }

    fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path().join(name)).unwrap()).into_owned()
    }

    /// Lets it finish what it does, and end; what it has logged.
    pub(crate) fn finish(mut self) -> Vec<Logged> {
        kill_process(Pid::from_child(&self.child), self.gently).unwrap();
        self.child.wait().unwrap();
        self.read("stdout").lines().filter_map(logged).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `STATUS SERVER METHOD TARGET`
fn logged(line: &str) -> Option<Logged> {
    let mut words = line.splitn(3, ' ');
    let status = words.next()?.parse().ok()?;
    let passed = !matches!(words.next()?, "-" | "<NOSRV>");
    // HAProxy escapes what it takes for special, and its own escape. Where an absolute form has a
    // query and no path, nginx passes `/` on before it, and does not say so.
    Some(Logged { status, passed, line: words.next()?.replace("#23", "#").replacen(" ?", " /?", 1) })
}

fn nginx(kind: Kind, address: SocketAddr, to: SocketAddr) -> String {
    let lax = match kind {
        Kind::LaxNginx => {
            "ignore_invalid_headers off; underscores_in_headers on; merge_slashes off; proxy_request_buffering off;"
        }
        _ => "",
    };
    format!(
        "daemon off; master_process off; worker_processes 1; pid pid;
        events {{ worker_connections 256; }}
        http {{
            log_format line '$status $upstream_addr $request_method $request_uri';
            access_log /dev/stdout line;
            client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
            upstream behind {{ server {to}; keepalive 8; }}
            server {{
                listen {address};
                {lax}
                client_header_timeout 1s; client_body_timeout 1s; keepalive_timeout 1s; lingering_time 1s;
                location / {{
                    proxy_pass http://behind;
                    proxy_http_version 1.1;
                    proxy_set_header Connection '';
                    proxy_set_header Host $host;
                    proxy_ignore_client_abort on;
                    proxy_next_upstream off;
                }}
            }}
        }}"
    )
}

fn haproxy(kind: Kind, address: SocketAddr, to: SocketAddr) -> String {
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
            bind {address}
            {lax}
            default_backend behind
        backend behind
            server one {to}
"
    )
}
