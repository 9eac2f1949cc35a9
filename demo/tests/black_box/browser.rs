//! Tests of the page in a browser, through WebDriver: JSON over HTTP.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::Client;
use crate::demo::{Demo, PATIENCE};
use crate::tls::Certified;

/// A browser session with its own profile; ends when this is dropped.
struct Browser {
    driver: Child,
    client: Client,
    session: String,
    _profile: TempDir,
}

impl Browser {
    fn start() -> Self {
        let mut driver = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines
            .map_while(Result::ok)
            .find_map(|line| line.rsplit_once("successfully on port ")?.1.trim_end_matches('.').parse().ok());
        let (client, profile) =
            (Client::connect((Ipv4Addr::LOCALHOST, port.unwrap()).into()), tempfile::tempdir().unwrap());
        let mut browser = Self { driver, client, session: String::new(), _profile: profile };
        let profile = format!("--user-data-dir={}", browser._profile.path().display());
        let options = json!({"args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", profile,
        ]});
        let response = browser.command(
            "/session",
            &json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": options, "acceptInsecureCerts": true}}}),
        );
        browser.session = format!("/session/{}", response["sessionId"].as_str().unwrap());
        browser
    }

    fn command(&mut self, path: &str, arguments: &Value) -> Value {
        let content = arguments.to_string();
        let length = content.len();
        // The driver serves local clients only and checks Host for that.
        self.client.send(format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{content}"
        ));
        let response = self.client.response();
        let content: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(response.status, 200, "{path}: {content}");
        content["value"].clone()
    }

    fn in_session(&mut self, path: &str, arguments: &Value) -> Value {
        let path = format!("{}{path}", self.session);
        self.command(&path, arguments)
    }

    /// Returns the path of the element that this selector matches.
    fn element(&mut self, selector: &str) -> String {
        let element = self.in_session("/element", &json!({"using": "css selector", "value": selector}));
        format!("/element/{}", element.as_object().unwrap().values().next().unwrap().as_str().unwrap())
    }

    fn enter(&mut self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.in_session(&format!("{element}/value"), &json!({"text": text}));
    }

    fn click(&mut self, selector: &str) {
        let element = self.element(selector);
        self.in_session(&format!("{element}/click"), &json!({}));
    }

    /// Waits until this expression of the page has the value.
    fn wait_for(&mut self, expression: &str, value: &Value) {
        let (script, deadline) =
            (json!({"script": format!("return {expression}"), "args": []}), Instant::now() + PATIENCE);
        loop {
            let now = self.in_session("/execute/sync", &script);
            if now == *value {
                return;
            }
            assert!(Instant::now() < deadline, "{expression} is {now}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser on request, but not when it is killed.
        if !self.session.is_empty() {
            let end = format!("DELETE {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", self.session);
            let _ = self.client.try_send(end).and_then(|()| self.client.try_response("DELETE"));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

#[test]
#[ignore = "needs chromium and chromedriver (Debian: chromium chromium-driver)"]
fn chromium_loads_the_page_logs_in_and_uploads() {
    use_the_page(&Demo::start(&[]));
}

#[test]
#[ignore = "needs chromium and chromedriver (Debian: chromium chromium-driver)"]
fn chromium_loads_the_page_over_tls() {
    use_the_page(&Certified::new().start(&[]));
}

fn use_the_page(demo: &Demo) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("\u{fc}ber file.bin");
    fs::write(&file, vec![7; 3_000_000]).unwrap();
    let mut browser = Browser::start();
    browser.in_session("/url", &json!({"url": demo.url("/?q=%C3%A4")}));
    browser.wait_for(
        "(document.querySelector('#request').textContent.match(/\"q\": \\[\\s*\"(.*)\"/) || [])[1]",
        &json!("\u{e4}"),
    );
    browser.wait_for(
        "[...document.querySelectorAll('#files a')].map(a => a.textContent)",
        &json!(["16k", "1m", "hello.txt", "index.html"]),
    );
    browser.wait_for("document.querySelector('#who').value", &json!("not logged in"));
    browser.enter("#login input", "J\u{f6} & co; <b>");
    browser.click("#login button");
    browser.wait_for("document.querySelector('#who').value", &json!("logged in as J\u{f6} & co; <b>"));
    browser.wait_for("document.cookie", &json!(""));
    browser.enter("#upload input[name=note]", "four");
    browser.enter("#upload input[type=file]", file.to_str().unwrap());
    browser.click("#upload button");
    browser.wait_for("document.querySelector('#uploaded').value", &json!("2 parts, 3000004 bytes"));
    browser.wait_for("document.querySelector('#progress').value", &json!(1));
}
