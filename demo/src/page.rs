//! The page for trying the routes in a browser.

use std::fs;
use std::io;
use std::path::Path;

use httpants_tokio::{FileRoot, Request, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::mistake::Mistake;

/// Returns whether the client accepts HTML explicitly.
pub(crate) fn is_accepted(request: &Request) -> bool {
    request.headers().list("Accept").any(|range| {
        let media_type = range.split(|&byte| byte == b';').next().unwrap_or_default();
        media_type.trim_ascii().eq_ignore_ascii_case(b"text/html")
    })
}

/// Returns the page, with a link to each file.
pub(crate) fn respond(files: &FileRoot) -> Result<Response, Mistake> {
    let links: String = names(files.path())?.iter().map(|name| link(name)).collect();
    let page = include_str!("page.html").replace("<!-- files -->\n", &links);
    Ok(Response::bytes("text/html; charset=utf-8", page).with_header("Vary", "Accept"))
}

/// Returns the names of files that a path can express, which must be UTF-8 and not hidden.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if let (true, Ok(name)) = (entry.file_type()?.is_file(), entry.file_name().into_string())
            && !name.starts_with('.')
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn link(name: &str) -> String {
    let (url, text) = (utf8_percent_encode(name, NON_ALPHANUMERIC), html_escape::encode_text(name));
    format!("<li><a href=\"/file/{url}\">{text}</a>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_escaped_in_links() {
        assert_eq!(link("hello.txt"), "<li><a href=\"/file/hello%2Etxt\">hello.txt</a>\n");
        let evil = link("\"><script>a?b#c%&amp;'");
        assert!(!evil.contains("<script>") && !evil.contains("\"><s"), "{evil}");
        assert!(evil.contains("/file/%22%3E%3Cscript%3Ea%3Fb%23c%25%26amp%3B%27\""), "{evil}");
        assert!(evil.contains("&lt;script&gt;a?b#c%&amp;amp;"), "{evil}");
    }
}
