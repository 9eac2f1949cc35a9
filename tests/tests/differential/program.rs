//! Another server in its own folder. It listens on a unix socket there, because another program
//! could bind a free port first.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A timeout that is long enough on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Program {
    name: &'static str,
    child: Child,
    folder: TempDir,
}

impl Program {
    /// Creates a folder for a program; returns it with the path of the socket.
    pub(crate) fn prepare() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        (folder, socket)
    }

    /// Starts a program and waits until it listens. Its output is written to `stdout` and `stderr`
    /// in the folder.
    pub(crate) fn start(name: &'static str, arguments: &[&str], folder: TempDir) -> Self {
        let file = |name| File::create(folder.path().join(name)).unwrap();
        let (output, errors) = (file("stdout"), file("stderr"));
        let mut command = Command::new(name);
        command.args(arguments).current_dir(folder.path()).stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut program = Self { name, child, folder };
        let deadline = Instant::now() + PATIENCE;
        while UnixStream::connect(program.socket()).is_err() {
            let status = program.child.try_wait().unwrap();
            let waits = status.is_none() && Instant::now() < deadline;
            assert!(waits, "{name} does not listen ({status:?}): {}", program.printed("stderr"));
            thread::sleep(Duration::from_millis(20));
        }
        program
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn printed(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path().join(name)).unwrap()).into_owned()
    }

    /// Sends bytes; returns everything received until the connection is idle. With `end`, it ends
    /// its stream after the bytes.
    pub(crate) fn exchange(&self, bytes: &[u8], end: bool) -> Vec<u8> {
        let mut stream = UnixStream::connect(self.socket())
            .unwrap_or_else(|error| panic!("{}: {error}\n{}", self.name, self.printed("stderr")));
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // A server that refuses may close before everything was sent, and a reset counts as the
        // end.
        let _ = stream.write_all(bytes);
        if end {
            let _ = stream.shutdown(Shutdown::Write);
        }
        let mut response = Vec::new();
        let _ = stream.read_to_end(&mut response);
        response
    }

    /// Stops the program gracefully; returns its output.
    pub(crate) fn finish(mut self, gently: Signal) -> String {
        kill_process(Pid::from_child(&self.child), gently).unwrap();
        self.child.wait().unwrap();
        self.printed("stdout")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns an nginx configuration for a server that listens on this socket, with additions for
/// `http` and `server`.
pub(crate) fn nginx(socket: &Path, http: &str, server: &str) -> String {
    format!(
        "daemon off; master_process off; worker_processes 1; pid pid;
        events {{ worker_connections 256; }}
        http {{
            client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
            {http}
            server {{ listen unix:{}; {server} }}
        }}",
        socket.display()
    )
}

/// The arguments of nginx in the folder of its configuration.
pub(crate) const NGINX: &[&str] = &["-p", ".", "-c", "configuration", "-e", "stderr"];
