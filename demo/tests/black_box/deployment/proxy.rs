//! The proxies, with the files of docs/deploy.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getuid, kill_process};
use tempfile::TempDir;

use super::table::Configuration;
use crate::client::Client;
use crate::demo::PATIENCE;
use crate::port::Port;
use crate::tls::Certified;

/// A proxy and its configuration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Nginx,
    /// nginx without the lines that disable buffering.
    NginxBuffered,
    NginxStream,
    HaProxy,
    /// HAProxy in TCP mode, with this version of the PROXY protocol.
    HaProxyTcp(u8),
    Caddy,
    Apache,
}

/// A running proxy.
pub(super) struct Proxy {
    kind: Kind,
    child: Child,
    web: Port,
    tls: Port,
    folder: TempDir,
    _certified: Certified,
}

impl Proxy {
    /// Starts a proxy for this server; `root` contains the files that it sends for the application.
    pub(super) fn start(kind: Kind, to: SocketAddr, root: &Path) -> Self {
        let (folder, certified) = (tempfile::tempdir().unwrap(), Certified::new());
        // If root starts Apache, it runs as another user.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let (certificate, key) = (certified.text("server.pem"), certified.text("server.key"));
        let both = fs::read_to_string(&certificate).unwrap() + &fs::read_to_string(&key).unwrap();
        fs::write(folder.path().join("both.pem"), both).unwrap();
        let places = Places {
            to: to.to_string(),
            web: Port::reserve(),
            tls: Port::reserve(),
            root: root.display().to_string(),
            folder: folder.path().display().to_string(),
            certificate,
            key,
        };
        let mut command = places.command(kind);
        let log = fs::File::create(folder.path().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).env("HOME", folder.path());
        let child = command.spawn().unwrap_or_else(|error| panic!("{:?}: {error}", command.get_program()));
        let Places { web, tls, .. } = places;
        let proxy = Self { kind, child, web, tls, folder, _certified: certified };
        let listens = if matches!(kind, Kind::NginxStream | Kind::HaProxyTcp(_)) { &proxy.tls } else { &proxy.web };
        drop(Client::connect_once_possible(listens.address()));
        proxy
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.web.address()
    }

    pub(super) fn url(&self, scheme: &str) -> String {
        let port = if scheme == "https" { &self.tls } else { &self.web };
        format!("{scheme}://{}", port.address())
    }

    /// Returns its log.
    fn log(&self) -> String {
        ["log", "error.log"].map(|name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()).concat()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:?} wrote:\n{}", self.kind, self.log());
        }
        // Apache has child processes, which end only if it is terminated by a signal that it
        // handles.
        if self.kind == Kind::Apache {
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
            let deadline = Instant::now() + PATIENCE;
            while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the version that the program prints.
pub(super) fn version(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).lines().next().unwrap().to_owned()
}

/// The values that replace the ports and paths of a configuration file.
struct Places {
    to: String,
    web: Port,
    tls: Port,
    root: String,
    folder: String,
    certificate: String,
    key: String,
}

impl Places {
    fn command(&self, kind: Kind) -> Command {
        match kind {
            Kind::Nginx | Kind::NginxBuffered => self.nginx(kind == Kind::NginxBuffered),
            Kind::NginxStream => self.nginx_stream(),
            Kind::HaProxy => self.haproxy(),
            Kind::HaProxyTcp(version) => self.haproxy_tcp(version),
            Kind::Caddy => self.caddy(),
            Kind::Apache => self.apache(),
        }
    }

    fn write(&self, configuration: Configuration) -> String {
        let path = Path::new(&self.folder).join("configuration");
        fs::write(&path, configuration.0).unwrap();
        path.display().to_string()
    }

    fn nginx(&self, buffers: bool) -> Command {
        let paths =
            "client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;";
        let mut file = Configuration::read("nginx.conf")
            .with("http {", &format!("http {{ {paths}"))
            .with("access_log /var/log/nginx/access.log", "access_log off")
            .with("127.0.0.1:8080;", &format!("{};", self.to))
            .with("listen 80;", &format!("listen {};", self.web.address()))
            .with("listen 443 ssl;", &format!("listen {} ssl;", self.tls.address()))
            .with("/etc/ssl/example.org.pem", &self.certificate)
            .with("/etc/ssl/example.org.key", &self.key)
            .with("alias /srv/private/", &format!("alias {}/", self.root));
        if buffers {
            file = file.with("proxy_request_buffering off;", "").with("proxy_buffering         off;", "");
        }
        self.nginx_with(file)
    }

    fn nginx_stream(&self) -> Command {
        let file = Configuration::read("nginx-stream.conf")
            .with("listen 443;", &format!("listen {};", self.tls.address()))
            .with("proxy_pass 127.0.0.1:8080;", &format!("proxy_pass {};", self.to));
        self.nginx_with(file)
    }

    fn nginx_with(&self, file: Configuration) -> Command {
        let path = self.write(file);
        let alone = "daemon off; master_process off; worker_processes 1; pid pid;";
        command("nginx", ["-p", &self.folder, "-c", &path, "-e", "error.log", "-g", alone])
    }

    fn haproxy(&self) -> Command {
        let file = Configuration::read("haproxy.cfg")
            .with("maxconn 20000", "maxconn 1000")
            .with("bind :80\n", &format!("bind {}\n", self.web.address()))
            .with("bind :443", &format!("bind {}", self.tls.address()))
            .with("/etc/ssl/example.org.pem", &format!("{}/both.pem", self.folder))
            .with("server app1 127.0.0.1:8081", &format!("server app1 {}", self.to))
            .with("    server app2 127.0.0.1:8082\n    server app3 127.0.0.1:8083\n", "");
        command("haproxy", ["-db", "-f", &self.write(file)])
    }

    fn haproxy_tcp(&self, version: u8) -> Command {
        let mut file = Configuration::read("haproxy-tcp.cfg")
            .with("maxconn 20000", "maxconn 1000")
            .with("bind :443", &format!("bind {}", self.tls.address()))
            .with("server app1 127.0.0.1:8080", &format!("server app1 {}", self.to));
        if version == 1 {
            file = file.with(" send-proxy-v2", " send-proxy");
        }
        command("haproxy", ["-db", "-f", &self.write(file)])
    }

    fn caddy(&self) -> Command {
        let file = Configuration::read("Caddyfile")
            .with("(application) {", "{\n\tadmin off\n\tauto_https off\n\tdefault_bind 127.0.0.1\n}\n(application) {")
            .with("http://:80", &format!("http://:{}", self.web.address().port()))
            .with("https://:443", &format!("https://:{}", self.tls.address().port()))
            .with("/etc/ssl/example.org.pem /etc", &format!("{} /etc", self.certificate))
            .with("/etc/ssl/example.org.key", &self.key)
            .with("reverse_proxy 127.0.0.1:8080", &format!("reverse_proxy {}", self.to))
            .with("root * /srv/private", &format!("root * {}", self.root));
        let path = self.write(file);
        let mut command = command("caddy", ["run", "--adapter", "caddyfile", "--config", &path]);
        command.env("XDG_DATA_HOME", &self.folder).env("XDG_CONFIG_HOME", &self.folder);
        command
    }

    fn apache(&self) -> Command {
        let (web, tls) = (self.web.address(), self.tls.address());
        let modules = [
            "mpm_event",
            "authz_core",
            "proxy",
            "proxy_http",
            "proxy_wstunnel",
            "headers",
            "macro",
            "ssl",
            "xsendfile",
        ]
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
        .concat();
        let user = if getuid().is_root() { "User www-data\nGroup www-data\n" } else { "" };
        let (folder, base) = (&self.folder, "ServerName demo.test\nPidFile pid\nErrorLog error.log\n");
        let base = format!("ServerRoot {folder}\nDefaultRuntimeDir {folder}\n{base}Listen {web}\nListen {tls}\n{user}");
        let file = Configuration::read("apache.conf")
            .with("<VirtualHost *:80>", &format!("<VirtualHost {web}>"))
            .with("<VirtualHost *:443>", &format!("<VirtualHost {tls}>"))
            .with("/etc/ssl/example.org.pem", &self.certificate)
            .with("/etc/ssl/example.org.key", &self.key)
            .with("XSendFilePath /srv/private", &format!("XSendFilePath {}", self.root))
            .with("http://127.0.0.1:8080/", &format!("http://{}/", self.to));
        let path = self.write(Configuration(format!("{modules}{base}{}", file.0)));
        command("apache2", ["-f", &path, "-DFOREGROUND"])
    }
}

fn command<const N: usize>(program: &str, arguments: [impl AsRef<OsStr>; N]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}
