//! Tests of the login of the page.

use crate::client::{Client, Response};
use crate::demo::Demo;

/// The cookies of a browser, by name.
#[derive(Default)]
struct Jar(Vec<(String, String)>);

impl Jar {
    fn keep(&mut self, response: &Response) {
        for (_, value) in response.headers.iter().filter(|(name, _)| name == "Set-Cookie") {
            assert!(value.contains("; HttpOnly") && value.contains("; SameSite=Lax"), "{value}");
            let (name, content) = value.split(';').next().unwrap().split_once('=').unwrap();
            self.0.retain(|(known, _)| known != name);
            if !content.is_empty() {
                self.0.push((name.to_owned(), content.to_owned()));
            }
        }
    }

    /// Sends a form, or gets the page.
    fn send(&mut self, client: &mut Client, method: &str, path: &str, fields: &str, form: &str) -> Response {
        let cookies: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = if cookies.is_empty() { String::new() } else { format!("Cookie: {}\r\n", cookies.join("; ")) };
        let fields =
            format!("{cookies}{fields}Accept: text/html\r\nContent-Type: application/x-www-form-urlencoded\r\n");
        let response = client.request(method, path, &fields, form);
        self.keep(&response);
        response
    }
}

#[test]
fn login_and_message_are_kept_in_signed_cookies() {
    let demo = Demo::start(&[]);
    let (mut client, mut jar) = (demo.connect(), Jar::default());
    let login =
        jar.send(&mut client, "POST", "/cookie/login", "Sec-Fetch-Site: same-origin\r\n", "name=+J%C3%B6+%3Cb%3E+");
    assert_eq!((login.status, login.header("Location")), (303, Some("/")));
    assert_eq!(jar.0.len(), 2);
    let page = jar.send(&mut client, "GET", "/", "", "");
    assert!(page.text().contains("Welcome, J\u{f6} &lt;b&gt;!"), "{}", page.text());
    assert!(page.text().contains("Logged in as <b id=\"user\">J\u{f6} &lt;b&gt;</b>"), "{}", page.text());
    assert_eq!(page.header("Cache-Control"), Some("private, no-cache"));
    // The message is shown once.
    let page = jar.send(&mut client, "GET", "/", "", "");
    assert!(!page.text().contains("Welcome") && page.text().contains("Logged in"), "{}", page.text());
    assert_eq!(jar.send(&mut client, "POST", "/cookie/logout", "", "").status, 303);
    let page = jar.send(&mut client, "GET", "/", "", "");
    assert!(page.text().contains("You are logged out.") && page.text().contains("You are not logged in."));
    assert!(jar.0.is_empty());
}

#[test]
fn login_needs_a_name_and_cuts_long_ones() {
    let demo = Demo::start(&[]);
    let (mut client, mut jar) = (demo.connect(), Jar::default());
    for form in ["", "name=", "name=+%09", "other=1"] {
        assert_eq!(jar.send(&mut client, "POST", "/cookie/login", "", form).status, 303, "{form}");
        let page = jar.send(&mut client, "GET", "/", "", "");
        assert!(
            page.text().contains("A login needs a name.") && page.text().contains("You are not logged in."),
            "{form}"
        );
    }
    let form = format!("name={}", "%F0%9F%90%9C".repeat(100));
    assert_eq!(jar.send(&mut client, "POST", "/cookie/login", "", &form).status, 303);
    let page = jar.send(&mut client, "GET", "/", "", "");
    assert!(page.text().contains(&format!("<b id=\"user\">{}</b>", "\u{1f41c}".repeat(64))), "{}", page.text());
}

#[test]
fn forms_of_other_sites_are_refused() {
    let demo = Demo::start(&[]);
    let (mut client, mut jar) = (demo.connect(), Jar::default());
    for site in ["cross-site", "same-site", "x"] {
        for path in ["/cookie/login", "/cookie/logout"] {
            let response = jar.send(&mut client, "POST", path, &format!("Sec-Fetch-Site: {site}\r\n"), "name=a");
            assert_eq!((response.status, response.text()), (403, "sent by a page of another site\n"), "{site}");
            assert!(jar.0.is_empty());
        }
    }
    let forged = "Cookie: login=forged; flash=forged\r\nAccept: text/html\r\n";
    let page = client.request("GET", "/", forged, "");
    assert!(page.text().contains("You are not logged in.") && !page.text().contains("forged"));
}
