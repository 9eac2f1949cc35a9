//! What is written to standard error where no subscriber was ever set: in processes of their
//! own, because other tests set one.

use std::process::Command;

use crate::site::{Site, get};

const CHILD: &str = "OBSERVABILITY_CHILD";
const TEST: &str = "stderr::failures_are_written_once_where_no_subscriber_was_set";

/// Runs the test again, as a child that does something.
fn child(action: &str) -> Vec<String> {
    let test = std::env::current_exe().unwrap();
    let output = Command::new(test).args(["--exact", TEST, "--nocapture"]).env(CHILD, action).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    text.lines().filter(|line| line.starts_with("httpants: ")).map(Into::into).collect()
}

/// Two responses that cannot be sent, two that break off, and a peer that breaks one off.
fn fail() {
    let site = Site::new();
    for path in ["/status?7", "/status?8", "/broken", "/broken"] {
        site.exchange(&get(path));
    }
    let (client, _) = site.exchange(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc");
    client.end();
    site.memory.run();
}

#[test]
fn failures_are_written_once_where_no_subscriber_was_set() {
    match std::env::var(CHILD).as_deref() {
        Ok("alone") => fail(),
        Ok(_) => tracing::subscriber::with_default(tracing_subscriber::registry(), fail),
        Err(_) => {
            let expected = [
                "httpants: a response could not be sent; misuse: status 7 is outside 100 to 999",
                "httpants: a response broke off; error: on purpose",
            ];
            assert_eq!(child("alone"), expected);
            assert_eq!(child("with a subscriber"), [""; 0]);
        }
    }
}
