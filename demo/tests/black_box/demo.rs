//! The program under test.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getuid, kill_process};
use tempfile::{NamedTempFile, TempDir};

use crate::client::{Client, Response};
use crate::process::Process;

/// A timeout that is long enough on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A program of the Debian package systemd; it executes the program to start in its own process.
const ACTIVATE: &str = "systemd-socket-activate";
const PROGRAM: &str = env!("CARGO_BIN_EXE_demo");

/// A running demo, which is killed on drop.
pub(crate) struct Demo {
    child: Child,
    urls: Vec<String>,
    stderr: NamedTempFile,
    /// The directory of temporary files: its samples, and large uploads.
    temporary: TempDir,
}

impl Demo {
    /// Starts it on a free loopback port.
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::listening(&["127.0.0.1:0"], flags)
    }

    /// Starts it on these addresses.
    pub(crate) fn listening(addresses: &[&str], flags: &[&str]) -> Self {
        Self::with_environment(addresses, flags, &[])
    }

    /// Starts it with these environment variables.
    pub(crate) fn with_environment(addresses: &[&str], flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.env_remove("FILE_ROOT").envs(variables.iter().copied()).stdin(Stdio::null());
        command.args(addresses.iter().flat_map(|address| ["--listen", address])).args(flags);
        Self::spawn(command, tempfile::tempdir().unwrap(), addresses.len())
    }

    /// Starts it on a free port with only these flags.
    pub(crate) fn with_defaults(flags: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.env_remove("FILE_ROOT").stdin(Stdio::null()).args(["--listen", "127.0.0.1:0"]).args(flags);
        Self::launch(command, tempfile::tempdir().unwrap(), 1)
    }

    /// Starts it as a user without permission to read all files.
    pub(crate) fn unprivileged(flags: &[&str]) -> Self {
        const OTHER_USER: u32 = 65_534;
        let (mut program, temporary) = (PathBuf::from(PROGRAM), tempfile::tempdir().unwrap());
        let is_root = getuid().is_root();
        if is_root {
            // That user may have no access to the build directory.
            fs::set_permissions(temporary.path(), Permissions::from_mode(0o777)).unwrap();
            program = temporary.path().join("demo");
            fs::copy(PROGRAM, &program).unwrap();
        }
        let mut command = Command::new(program);
        if is_root {
            command.uid(OTHER_USER).gid(OTHER_USER);
        }
        command.env_remove("FILE_ROOT").stdin(Stdio::null()).args(["--listen", "127.0.0.1:0"]).args(flags);
        Self::spawn(command, temporary, 1)
    }

    /// Starts it with this listening socket, as systemd passes one.
    pub(crate) fn inheriting(socket: impl Into<OwnedFd>, flags: &[&str]) -> Self {
        let mut command = inheriting(&[], socket);
        command.args(flags);
        Self::spawn(command, tempfile::tempdir().unwrap(), 1)
    }

    /// Starts it through `systemd-socket-activate` with this listening socket, at the first
    /// connection.
    pub(crate) fn activated(socket: impl Into<OwnedFd>, flags: &[&str]) -> Self {
        let mut command = inheriting(&[ACTIVATE], socket);
        command.args(flags);
        Self::spawn(command, tempfile::tempdir().unwrap(), 1)
    }

    /// Makes `systemd-socket-activate` listen on this address; the first connection starts the
    /// demo.
    pub(crate) fn awaiting(address: SocketAddr, flags: &[&str]) -> Self {
        let mut command = Command::new(ACTIVATE);
        command.args(["--listen", &address.to_string(), PROGRAM, "--listen-fds"]).args(flags);
        command.env_remove("FILE_ROOT").stdin(Stdio::null());
        Self::spawn(command, tempfile::tempdir().unwrap(), 0)
    }

    /// Starts it, and waits for this number of announced addresses. Flags of a test override those
    /// added here.
    fn spawn(mut command: Command, temporary: TempDir, announced: usize) -> Self {
        let names = |command: &Command, flag| command.get_args().any(|known| known == flag);
        // `DEMO_RUNTIME` runs the whole suite on another runtime.
        if let (false, Ok(runtime)) = (names(&command, "--runtime"), std::env::var("DEMO_RUNTIME")) {
            command.args(["--runtime", &runtime]);
        }
        // Tests count sockets and memory, which depend on the number of cores by default.
        if !names(&command, "--workers") {
            command.args(["--workers", "1"]);
        }
        Self::launch(command, temporary, announced)
    }

    fn launch(mut command: Command, temporary: TempDir, announced: usize) -> Self {
        let stderr = NamedTempFile::new().unwrap();
        command.env("TMPDIR", temporary.path()).stdout(Stdio::piped());
        command.stderr(stderr.reopen().unwrap());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{:?}: {error}", command.get_program()));
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().take(announced);
        let urls = lines.map(|line| line.unwrap().rsplit(' ').next().unwrap().to_owned()).collect();
        let demo = Self { child, urls, stderr, temporary };
        assert_eq!(demo.urls.len(), announced, "the demo did not start: {}", demo.stderr());
        demo
    }

    /// Starts it on a free port after these shell commands, which may limit it.
    pub(crate) fn limited(commands: &str, flags: &[&str]) -> Self {
        Self::in_shell(Command::new("sh"), commands, flags)
    }

    /// Starts it with its own file system for temporary files, mounted with these options.
    ///
    /// It runs in its own namespaces, so any user may mount, and the mount always ends with it.
    pub(crate) fn mounted(options: &str, flags: &[&str]) -> Self {
        let unshare = |program: &str| {
            let mut command = Command::new("unshare");
            command.args(["--map-root-user", "--mount", program]);
            command
        };
        let tried = unshare("true").output().map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
        assert_eq!(
            tried.map_err(|error| error.to_string()).as_deref(),
            Ok(""),
            "this test mounts a file system in namespaces of its own: it needs unshare (Debian: util-linux) and a \
             system that lets this user make user and mount namespaces, which some containers do not"
        );
        Self::in_shell(unshare("sh"), &format!("mount -t tmpfs -o {options} tmpfs \"$TMPDIR\""), flags)
    }

    /// Starts it on a free port from this shell, after these commands have succeeded.
    fn in_shell(mut shell: Command, commands: &str, flags: &[&str]) -> Self {
        let script = format!("{commands}; exec \"$0\" \"$@\"");
        shell.args(["-ec", &script, PROGRAM, "--listen", "127.0.0.1:0"]).args(flags);
        shell.env_remove("FILE_ROOT").stdin(Stdio::null());
        Self::spawn(shell, tempfile::tempdir().unwrap(), 1)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns its process information.
    pub(crate) fn process(&self) -> Process {
        Process::new(self.id(), self.temporary())
    }

    /// Returns the names in its directory of temporary files.
    pub(crate) fn temporary_names(&self) -> BTreeSet<OsString> {
        fs::read_dir(self.temporary()).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    /// Returns its directory of temporary files.
    pub(crate) fn temporary(&self) -> &Path {
        self.temporary.path()
    }

    /// Returns the URLs that it announced, one per address.
    pub(crate) fn urls(&self) -> &[String] {
        &self.urls
    }

    /// Returns its URL for this path, for other programs.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.urls[0].trim_end_matches('/'))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses()[0]
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let sockets = self.urls.iter().filter_map(|url| url.split_once("://")?.1.strip_suffix('/'));
        sockets.map(|address| address.parse().unwrap()).collect()
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// Sends one GET on a new connection.
    pub(crate) fn get(&self, path: &str) -> Response {
        self.connect().get(path)
    }

    /// Returns its standard error so far.
    pub(crate) fn stderr(&self) -> String {
        let mut text = String::new();
        File::open(self.stderr.path()).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until connections are refused.
    pub(crate) fn await_refusal(&self) {
        let deadline = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(self.address()).is_ok() {
            assert!(Instant::now() < deadline, "it still listens");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its exit.
    pub(crate) fn exit(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not exit: {}", self.stderr());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the demo wrote:\n{}", self.stderr());
        }
    }
}

/// Returns the command of a demo that inherits the socket as descriptor 3, with the environment
/// variables for it; with `before`, it is started by another program that passes both on.
pub(crate) fn inheriting(before: &[&str], socket: impl Into<OwnedFd>) -> Command {
    let mut command = Command::new("sh");
    let script = "exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$@\"";
    command.args(["-c", script, "sh"]).args(before).args([PROGRAM, "--listen-fds"]);
    command.env_remove("FILE_ROOT").stdin(socket.into());
    command
}

/// Runs the program to completion, for arguments with which it does not serve.
pub(crate) fn run(arguments: &[impl AsRef<OsStr>]) -> Output {
    Command::new(PROGRAM).args(arguments).stdin(Stdio::null()).output().unwrap()
}
