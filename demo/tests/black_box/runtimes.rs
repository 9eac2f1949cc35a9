//! Tests of every runtime. `DEMO_RUNTIME=smol cargo test`, or `async-std`, runs all other tests on
//! that runtime instead of tokio.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use tungstenite::Message;

use crate::client::Client;
use crate::demo::{Demo, PATIENCE, run};

pub(crate) const RUNTIMES: [&str; 3] = ["tokio", "smol", "async-std"];

/// Runs the test on each runtime, with one worker and with several.
fn on_each(mut test: impl FnMut(Demo)) {
    for runtime in RUNTIMES {
        for workers in ["1", "3"] {
            println!("{runtime}, {workers} workers");
            test(Demo::start(&["--runtime", runtime, "--workers", workers]));
        }
    }
}

#[test]
fn sequential_and_pipelined_requests_are_served() {
    on_each(|demo| {
        let mut client = demo.connect();
        for _ in 0..3 {
            assert_eq!(client.get("/plaintext").text(), "Hello, World!");
        }
        client.send("GET /slow?ms=1 HTTP/1.1\r\nHost: a\r\n\r\n".repeat(20));
        for _ in 0..20 {
            assert_eq!(client.response().text(), "slow");
        }
        assert_eq!(client.get("/panic").status, 500);
        assert_eq!(demo.get("/some/path?a=b").json()["get"]["a"][0], "b");
    });
}

#[test]
fn bodies_of_any_size_are_echoed() {
    let content: Vec<u8> = (0..5_000_000_u32).map(|number| (number >> 4) as u8).collect();
    let part = "Content-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n";
    let form = [format!("--cut\r\n{part}").as_bytes(), &content, b"\r\n--cut--\r\n"].concat();
    on_each(|demo| {
        let mut client = demo.connect();
        assert!(client.post("/echo", &content).body == content);
        let fields = "Content-Type: multipart/form-data; boundary=cut\r\n";
        assert_eq!(client.request("POST", "/upload", fields, &form).text(), "1 5000000");
        // This file is stored in a temporary file by the blocking pool.
        let kept = client.request("POST", "/kept", fields, &form).json();
        assert_eq!(kept["files"]["f"][0]["size"], 5_000_000);
        assert_eq!(client.get("/stream?chunks=20&size=1000000").body.len(), 20_000_000);
    });
}

#[test]
fn files_are_sent_whole_and_in_ranges() {
    on_each(|demo| {
        let mut client = demo.connect();
        let whole = client.get("/file/1m").body;
        assert_eq!(whole.len(), 1 << 20);
        let part = client.request("GET", "/file/1m", "Range: bytes=1000000-\r\n", "");
        assert_eq!(part.status, 206);
        assert!(part.body == whole[1_000_000..]);
        assert_eq!(client.get("/file/none").status, 404);
    });
}

#[test]
fn timers_run_on_each_runtime() {
    on_each(|demo| {
        let started = Instant::now();
        let mut client = demo.connect();
        assert_eq!(client.get("/slow?ms=100").text(), "slow");
        assert_eq!(client.get("/stream?chunks=3&size=5&delay=50").text(), "xxxxxxxxxxxxxxx");
        assert!(started.elapsed() >= Duration::from_millis(250));
    });
    for runtime in RUNTIMES {
        let demo = Demo::start(&["--runtime", runtime, "--idle-timeout", "0.2", "--head-timeout", "0.1"]);
        let (mut idle, mut slow) = (demo.connect(), demo.connect());
        assert_eq!(idle.get("/plaintext").status, 200);
        slow.send("GET / HTTP/1.1\r\n");
        assert_eq!(slow.response().status, 408);
        assert!(idle.is_at_end());
    }
}

#[test]
fn upgraded_streams_work_on_each_runtime() {
    on_each(|demo| {
        let mut socket = crate::websocket::connect(&demo);
        for message in [Message::text("hello"), Message::binary(vec![0xA5; 1 << 20])] {
            socket.send(message.clone()).unwrap();
            assert_eq!(socket.read().unwrap(), message);
        }
    });
}

#[test]
fn sigterm_finishes_running_requests() {
    on_each(|mut demo| {
        let (mut echo, mut stream, mut idle) = (demo.connect(), demo.connect(), demo.connect());
        assert_eq!(idle.get("/plaintext").status, 200);
        echo.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nit ");
        stream.send("GET /stream?chunks=5&size=100000&delay=50 HTTP/1.1\r\nHost: a\r\n\r\n");
        echo.await_response();
        stream.await_response();
        demo.terminate();
        demo.await_refusal();
        assert!(idle.is_at_end());
        echo.send("is so.");
        assert_eq!(echo.response().text(), "it is so.");
        assert!(echo.is_at_end());
        assert_eq!(stream.response().body.len(), 500_000);
        assert_eq!(demo.exit().code(), Some(0));
    });
}

#[test]
fn unix_sockets_and_both_families_are_served() {
    for runtime in RUNTIMES {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.sock");
        let demo = Demo::listening(&["0", &format!("unix:{}", path.display())], &["--runtime", runtime]);
        let ipv4 = TcpStream::connect((Ipv4Addr::LOCALHOST, demo.address().port())).unwrap();
        assert_eq!(Client::tcp(ipv4).get("/x").json()["remote_ip"], "127.0.0.1");
        let mut unix = UnixStream::connect(path).unwrap();
        unix.set_read_timeout(Some(PATIENCE)).unwrap();
        unix.write_all(b"GET /file/16k HTTP/1.0\r\n\r\n").unwrap();
        let mut response = Vec::new();
        unix.read_to_end(&mut response).unwrap();
        assert!(response.ends_with(b"000000000016368\n"), "{runtime}: {}", response.len());
    }
}

#[test]
fn unknown_runtime_is_refused_in_one_line() {
    let output = run(&["--runtime", "glommio"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "demo: invalid value \"glommio\" for --runtime: expected tokio, smol or async-std; see --help\n");
}
