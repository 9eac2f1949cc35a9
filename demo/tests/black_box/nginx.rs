//! Tests behind nginx.

use std::fs;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::client::Client;
use crate::demo::Demo;
use crate::port::Port;

/// An nginx that forwards everything to the demo.
pub(crate) struct Nginx {
    child: Child,
    port: Port,
    _folder: TempDir,
}

impl Nginx {
    /// Starts it with these directives in its server.
    pub(crate) fn start(demo: &Demo, directives: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = Port::reserve();
        let address = port.address();
        let configuration = format!(
            "daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log error.log;
            events {{ worker_connections 64; }}
            http {{
                access_log off;
                client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
                server {{
                    listen {address};
                    location / {{
                        proxy_pass http://{};
                        proxy_http_version 1.1;
                        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                        proxy_set_header X-Forwarded-Proto https;
                    }}
                    {directives}
                }}
            }}",
            demo.address()
        );
        fs::write(folder.path().join("nginx.conf"), configuration).unwrap();
        let child = Command::new("nginx")
            .args([
                "-p".as_ref(),
                folder.path(),
                "-c".as_ref(),
                "nginx.conf".as_ref(),
                "-e".as_ref(),
                "error.log".as_ref(),
            ])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let nginx = Self { child, port, _folder: folder };
        drop(nginx.connect());
        nginx
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    fn connect(&self) -> Client {
        Client::connect_once_possible(self.address())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "needs nginx (Debian: nginx)"]
fn nginx_sends_files_named_by_x_accel_redirect() {
    // nginx may run as a user without access to other users' temporary folders.
    let folder = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(folder.path()).unwrap().display().to_string();
    fs::write(folder.path().join("a b%?\u{fc}.txt"), "sent by nginx").unwrap();
    let flags = ["--file-root", &root, "--sendfile", "X-Accel-Redirect", "--sendfile-prefix", "/protected"];
    let demo = Demo::start(&flags);
    let nginx = Nginx::start(&demo, &format!("location /protected/ {{ internal; alias {root}/; }}"));
    let mut client = nginx.connect();
    let response = client.get("/file/a%20b%25%3F%C3%BC.txt");
    assert_eq!((response.status, response.text()), (200, "sent by nginx"));
    assert_eq!(response.header("X-Accel-Redirect"), None);
    let response = client.request("GET", "/file/a%20b%25%3F%C3%BC.txt", "Range: bytes=5-6\r\n", "");
    assert_eq!((response.status, response.text()), (206, "by"));
    assert_eq!(client.get("/file/nothing").status, 404);
    assert_eq!(client.get("/protected/a%20b%25%3F%C3%BC.txt").status, 404, "internal paths are not reachable");
}

#[test]
#[ignore = "needs nginx (Debian: nginx)"]
fn forwarded_client_of_nginx_is_used_only_if_trusted() {
    let fields = "X-Forwarded-For: 192.0.2.66, 203.0.113.9\r\n";
    // nginx appends the address of its peer, 127.0.0.1, which is trusted, too.
    for (flags, ip, scheme) in [(&["--xheaders", "127.0.0.1"][..], "203.0.113.9", "https"), (&[], "127.0.0.1", "http")]
    {
        let demo = Demo::start(flags);
        let report = Nginx::start(&demo, "").connect().request("GET", "/x", fields, "").json();
        assert_eq!((report["remote_ip"].as_str(), report["scheme"].as_str()), (Some(ip), Some(scheme)));
    }
}
