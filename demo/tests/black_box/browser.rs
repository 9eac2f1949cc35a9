//! Chromium, controlled through WebDriver: JSON over HTTP.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::Client;
use crate::demo::PATIENCE;

/// A browser session with its own profile; it ends on drop.
pub(crate) struct Browser {
    driver: Child,
    client: Client,
    session: String,
    _profile: TempDir,
}

/// The screen that the browser emulates, and the preferred colour scheme.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Screen {
    LightDesktop,
    /// 360 CSS pixels wide.
    DarkPhone,
}

impl Browser {
    pub(crate) fn start(screen: Screen) -> Self {
        let (driver, port) = start_driver();
        let (client, profile) = (Client::connect((Ipv4Addr::LOCALHOST, port).into()), tempfile::tempdir().unwrap());
        let mut browser = Self { driver, client, session: String::new(), _profile: profile };
        let profile = format!("--user-data-dir={}", browser._profile.path().display());
        let options = json!({"args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", profile,
        ]});
        let response = browser.command(
            "/session",
            &json!({"capabilities": {"alwaysMatch": {
                "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}, "acceptInsecureCerts": true,
            }}}),
        );
        browser.session = format!("/session/{}", response["sessionId"].as_str().unwrap());
        let (width, height, colours) = match screen {
            Screen::LightDesktop => (1280, 800, "light"),
            Screen::DarkPhone => (360, 740, "dark"),
        };
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        browser.devtools("Emulation.setDeviceMetricsOverride", &metrics);
        // With smooth scrolling, the page would still move during a click.
        let features = [("prefers-color-scheme", colours), ("prefers-reduced-motion", "reduce")];
        let features = features.map(|(name, value)| json!({"name": name, "value": value}));
        browser.devtools("Emulation.setEmulatedMedia", &json!({"features": features}));
        browser
    }

    fn command(&mut self, path: &str, arguments: &Value) -> Value {
        let content = arguments.to_string();
        let length = content.len();
        // The WebDriver serves only local clients and checks Host for that.
        self.client.send(format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{content}"
        ));
        let response = self.client.response();
        let content: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(response.status, 200, "{path}: {content}");
        content["value"].clone()
    }

    /// Runs a command of the Chrome DevTools protocol.
    pub(crate) fn devtools(&mut self, command: &str, parameters: &Value) {
        self.in_session("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}));
    }

    pub(crate) fn open(&mut self, url: &str) {
        self.in_session("/url", &json!({"url": url}));
    }

    /// Returns the errors and warnings of the console since the last call: those of scripts and
    /// requests, and violations of the Content-Security-Policy.
    pub(crate) fn console(&mut self) -> Vec<String> {
        let messages = self.in_session("/se/log", &json!({"type": "browser"}));
        let messages = messages.as_array().unwrap().iter();
        let serious = messages.filter(|message| message["level"] == "SEVERE" || message["level"] == "WARNING");
        serious.map(|message| message["message"].to_string()).collect()
    }

    /// Presses a key `times` times.
    pub(crate) fn press(&mut self, key: &str, times: usize) {
        let strokes = ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key}));
        let strokes: Vec<_> = strokes.iter().cycle().take(2 * times).collect();
        self.in_session("/actions", &json!({"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]}));
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

    /// Replaces the text of a field, or chooses files.
    pub(crate) fn enter(&mut self, selector: &str, text: &str) {
        let element = self.element(selector);
        if !selector.contains("type=file") {
            self.in_session(&format!("{element}/clear"), &json!({}));
        }
        self.in_session(&format!("{element}/value"), &json!({"text": text}));
    }

    pub(crate) fn click(&mut self, selector: &str) {
        let element = self.element(selector);
        self.in_session(&format!("{element}/click"), &json!({}));
    }

    /// Evaluates a JavaScript expression in the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        self.in_session("/execute/sync", &json!({"script": format!("return {expression}"), "args": []}))
    }

    /// Waits until a JavaScript expression has this value in the page.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, expression: &str, value: impl Into<Value>) {
        let (value, deadline) = (value.into(), Instant::now() + PATIENCE);
        loop {
            let now = self.evaluate(expression);
            if now == value {
                return;
            }
            assert!(Instant::now() < deadline, "{expression} is {now}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Starts the WebDriver; returns it with its port. It chooses a port that is free for IPv4; if
/// another program has that port for IPv6, the WebDriver ends and is started again.
fn start_driver() -> (Child, u16) {
    for _ in 0..10 {
        let mut driver = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines
            .map_while(Result::ok)
            .find_map(|line| line.rsplit_once("successfully on port ")?.1.trim_end_matches('.').parse().ok());
        if let Some(port) = port {
            return (driver, port);
        }
        driver.wait().unwrap();
    }
    panic!("chromedriver finds no port");
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The WebDriver ends its browser on request, but not when it is killed.
        if !self.session.is_empty() {
            let end = format!("DELETE {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", self.session);
            let _ = self.client.try_send(end).and_then(|()| self.client.try_response("DELETE"));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
