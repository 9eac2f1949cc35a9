//! The program under test.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::{NamedTempFile, TempDir};

use crate::client::{Client, Response};
use crate::process::Process;

/// Longer than anything here takes on a busy machine, so that a hang fails and not the machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running demo; killed when it is dropped.
pub(crate) struct Demo {
    child: Child,
    urls: Vec<String>,
    stderr: NamedTempFile,
    /// Where it makes temporary files: its samples, and large uploads.
    temporary: TempDir,
}

impl Demo {
    /// Starts it on a free port of this machine.
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::listening(&["127.0.0.1:0"], flags)
    }

    /// Starts it on these addresses.
    pub(crate) fn listening(addresses: &[&str], flags: &[&str]) -> Self {
        Self::with_environment(addresses, flags, &[])
    }

    /// Starts it with these variables in its environment.
    pub(crate) fn with_environment(addresses: &[&str], flags: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::spawn(Command::new(env!("CARGO_BIN_EXE_demo")), addresses, flags, variables)
    }

    fn spawn(mut command: Command, addresses: &[&str], flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let (stderr, temporary) = (NamedTempFile::new().unwrap(), tempfile::tempdir().unwrap());
        let mut child = command
            .env("TMPDIR", temporary.path())
            .env_remove("FILE_ROOT")
            .envs(variables.iter().copied())
            .args(addresses.iter().flat_map(|address| ["--listen", address]))
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr.reopen().unwrap())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().take(addresses.len());
        let urls = lines.map(|line| line.unwrap().rsplit(' ').next().unwrap().to_owned()).collect();
        let demo = Self { child, urls, stderr, temporary };
        assert_eq!(demo.urls.len(), addresses.len(), "the demo did not start: {}", demo.stderr());
        demo
    }

    /// Starts it on a free port after these commands of the shell, which may limit it.
    pub(crate) fn limited(commands: &str, flags: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{commands}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_demo")]);
        Self::spawn(shell, &["127.0.0.1:0"], flags, &[])
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What the system says about it.
    pub(crate) fn process(&self) -> Process {
        Process::new(self.id(), self.temporary())
    }

    /// The names in the folder of its temporary files.
    pub(crate) fn temporary_names(&self) -> BTreeSet<OsString> {
        fs::read_dir(self.temporary()).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    /// Where it makes temporary files.
    pub(crate) fn temporary(&self) -> &Path {
        self.temporary.path()
    }

    /// Where it said it listens, one for each address.
    pub(crate) fn urls(&self) -> &[String] {
        &self.urls
    }

    /// `http://HOST:PORT` and the path, for other programs.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses()[0]
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let sockets = self.urls.iter().filter_map(|url| url.strip_prefix("http://")?.strip_suffix('/'));
        sockets.map(|address| address.parse().unwrap()).collect()
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// One GET on a connection of its own.
    pub(crate) fn get(&self, path: &str) -> Response {
        self.connect().get(path)
    }

    /// What it wrote to standard error so far.
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

    /// Waits until nothing listens any more.
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

    /// Waits for its end.
    pub(crate) fn exit(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end: {}", self.stderr());
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

/// Runs it to its end, where it is not expected to serve.
pub(crate) fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_demo")).args(arguments).stdin(Stdio::null()).output().unwrap()
}
