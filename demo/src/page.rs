//! The page for trying the routes in a browser.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use html_escape::{encode_double_quoted_attribute, encode_text};
use httpants_tokio::{FileRoot, Request, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::mistake::Mistake;
use crate::session;

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// The page without the parts that depend on the request.
static PAGE: LazyLock<String> =
    LazyLock::new(|| include_str!("page/page.html").replace("/* style */", STYLE).replace("/* script */", SCRIPT));

/// The Content-Security-Policy: allows the page's own style and script, and requests to this
/// server. The script must not create HTML from text.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; style-src {}; script-src {}; img-src data:; connect-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
});

/// Returns whether the client accepts HTML explicitly.
pub(crate) fn is_accepted(request: &Request) -> bool {
    request.headers().list("Accept").any(|range| {
        let media_type = range.split(|&byte| byte == b';').next().unwrap_or_default();
        media_type.trim_ascii().eq_ignore_ascii_case(b"text/html")
    })
}

/// Returns the page, with the login, the message of the last form, and a link to each file.
pub(crate) fn respond(request: &Request, root: &FileRoot) -> Result<Response, Mistake> {
    let message = session::take_message(request)?.map_or_else(String::new, |message| flash(&message));
    let links: String = files(root.path())?.iter().map(|(name, size)| link(name, *size)).collect();
    let page = PAGE
        .replace("<!-- message -->", &message)
        .replace("<!-- login -->", &login(session::user(request).as_deref()))
        .replace("<!-- files -->", &links);
    let fields = [
        ("Vary", "Accept"),
        ("Cache-Control", "private, no-cache"),
        ("Content-Security-Policy", &POLICY),
        ("Referrer-Policy", "same-origin"),
        ("X-Content-Type-Options", "nosniff"),
    ];
    let page = Response::bytes("text/html; charset=utf-8", page);
    Ok(fields.into_iter().fold(page, |page, (name, value)| page.with_header(name, value)))
}

fn flash(message: &str) -> String {
    format!("<p id=\"message\" class=\"message\" role=\"status\">{}</p>", encode_text(message))
}

/// Returns the form for logging in or out.
fn login(user: Option<&str>) -> String {
    match user {
        Some(user) => include_str!("page/logout.html").replace("<!-- user -->", &encode_text(user)),
        None => include_str!("page/login.html").to_owned(),
    }
}

/// Returns the names and sizes of the files that a request path can name: UTF-8 and not hidden.
fn files(folder: &Path) -> io::Result<Vec<(String, u64)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if let (true, Ok(name)) = (entry.file_type()?.is_file(), entry.file_name().into_string())
            && !name.starts_with('.')
        {
            files.push((name, entry.metadata()?.len()));
        }
    }
    files.sort();
    Ok(files)
}

fn link(name: &str, size: u64) -> String {
    let (url, text) = (utf8_percent_encode(name, NON_ALPHANUMERIC).to_string(), encode_text(name));
    let url = encode_double_quoted_attribute(&url);
    format!("<li><a href=\"/file/{url}\" data-size=\"{size}\">{text}</a> <small>{size} B</small></li>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_escaped_in_links() {
        let plain = link("hello.txt", 14);
        assert!(plain.starts_with("<li><a href=\"/file/hello%2Etxt\" data-size=\"14\">hello.txt</a>"), "{plain}");
        let evil = link("\"><script>a?b#c%&amp;'", 0);
        assert!(!evil.contains("<script>") && !evil.contains("\"><s"), "{evil}");
        assert!(evil.contains("/file/%22%3E%3Cscript%3Ea%3Fb%23c%25%26amp%3B%27\""), "{evil}");
        assert!(evil.contains("&lt;script&gt;a?b#c%&amp;amp;"), "{evil}");
    }

    #[test]
    fn names_and_messages_are_escaped() {
        let evil = "</b><script>\"&<!-- files -->";
        for html in [flash(evil), login(Some(evil))] {
            assert!(html.contains("&lt;/b&gt;&lt;script&gt;") && !html.contains("<script"), "{html}");
            assert!(!html.contains("<!-- files -->"), "{html}");
        }
    }

    #[test]
    fn nothing_of_the_template_is_left() {
        for (place, count) in [("<!-- message -->", 1), ("<!-- login -->", 1), ("<!-- files -->", 1)] {
            assert_eq!(PAGE.matches(place).count(), count, "{place}");
        }
        assert!(
            PAGE.contains(&format!("<style>{STYLE}</style>")) && PAGE.contains(&format!("<script>{SCRIPT}</script>"))
        );
        // The inline element would otherwise end early and not match its hash.
        assert!(!STYLE.contains("</") && !SCRIPT.contains("</") && !SCRIPT.contains("<!--"));
    }
}
