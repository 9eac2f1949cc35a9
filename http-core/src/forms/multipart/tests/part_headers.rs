//! Tests of part headers, as real clients send them and malformed ones.

use super::*;

#[test]
fn part_headers_are_strict() {
    use ParseFormError::{Disposition, DuplicateDisposition, DuplicateName, MissingDisposition, PartHeader};
    const GOOD: &str = "Content-Disposition: form-data; name=a";
    for (fields, expected) in [
        ("", MissingDisposition),
        ("Content-Type: text/plain\r\n", MissingDisposition),
        ("Content-Disposition: form-data;\r\n name=a\r\n", PartHeader),
        ("Content-Disposition: form-data; name=a\r\nX: y\r\n\tz\r\n", PartHeader),
        (" Content-Disposition: form-data; name=a\r\n", PartHeader),
        ("Content-Disposition : form-data; name=a\r\n", PartHeader),
        ("Content-Disposition: form-data; name=a\nX: y\r\n", PartHeader),
        ("Content-Disposition: form-data; name=\"a\0\"\r\n", PartHeader),
        ("Content-Disposition: form-data; name=\"a\rb\"\r\n", PartHeader),
        ("--b0\r\n", PartHeader),
        ("Content-Disposition: attachment; name=a\r\n", Disposition),
        (&format!("{GOOD}\r\n{GOOD}\r\n"), DuplicateDisposition),
        (&format!("{GOOD}; name=b\r\n"), DuplicateName),
    ] {
        let body = format!("--b0\r\n{fields}\r\ncontent\r\n--b0--\r\n");
        assert_eq!(verdict(body, &FormLimits::default()), Err(expected), "{fields:?}");
    }
}

#[test]
fn quoted_names_may_contain_any_byte_but_nul_cr_and_lf() {
    for byte in 0..=255u8 {
        let sent = [&b"a"[..], &[byte], b"b"].concat();
        let field = [b"content-Disposition: form-data; name=\"", &sent[..], b"\"; filename=\"", &sent, b"\""].concat();
        let body = [b"--b0\r\n", &field[..], b"\r\nContent-Type: a/b\r\n\r\nx\r\n--b0--"].concat();
        let expected = if matches!(byte, b'\0' | b'\r' | b'\n') { Err(ParseFormError::PartHeader) } else { Ok(1) };
        assert_eq!(verdict(&body, &FormLimits::default()), expected, "{byte:#x}");
        let mut multipart = parser(&FormLimits::default());
        multipart.receive(Bytes::from(body));
        if let Ok(Some(MultipartEvent::PartStart(part))) = multipart.poll_event() {
            assert_eq!((part.name_bytes(), part.filename_as_sent()), (&sent[..], Some(&sent[..])));
            assert_eq!(part.content_type(), Some("a/b"));
        }
    }
}

/// File names as Chromium sends them from a page in ISO-2022-JP, and with control characters.
#[test]
fn control_characters_in_names_of_chromium_are_accepted() {
    for name in ["\x1b$BF|K\\\x1b(B.txt", "\x01\x02.txt", "\x7f", "\x1f\x0b\x0c"] {
        let fields = format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"\"");
        let log = read(format!("--b0\r\n{fields}\r\n\r\n\r\n--b0--").as_bytes());
        assert_eq!(log.parts, [(name.to_string(), None, vec![])]);
    }
}

#[test]
fn control_characters_elsewhere_are_refused() {
    const GOOD: &str = "Content-Disposition: form-data; name=a";
    for control in ["\x01", "\x0b", "\x1b", "\x1f", "\x7f"] {
        for (fields, expected) in [
            (format!("{GOOD}\r\nX: {control}\r\n"), ParseFormError::PartHeader),
            (format!("{GOOD}\r\nContent-Type: \"{control}\"\r\n"), ParseFormError::PartHeader),
            (format!("{GOOD}\r\nX{control}: y\r\n"), ParseFormError::PartHeader),
            (format!("Content-Disposition{control}: form-data; name=a\r\n"), ParseFormError::PartHeader),
            (format!("{GOOD}; filename=\"{control}\n\"\r\n"), ParseFormError::PartHeader),
            (format!("{GOOD}; filename=\"{control}\r\"\r\n"), ParseFormError::PartHeader),
            (format!("{GOOD}{control}\r\n"), ParseFormError::Disposition),
            (format!("{GOOD}; filename={control}\r\n"), ParseFormError::Disposition),
            (format!("{GOOD}; filename=\"a\"{control}\r\n"), ParseFormError::Disposition),
            (format!("{GOOD};{control}filename=\"a\"\r\n"), ParseFormError::Disposition),
            (format!("Content-Disposition: {control}form-data; name=a\r\n"), ParseFormError::Disposition),
        ] {
            let body = format!("--b0\r\n{fields}\r\ncontent\r\n--b0--\r\n");
            assert_eq!(verdict(body, &FormLimits::default()), Err(expected), "{fields:?}");
        }
    }
}

#[test]
fn bodies_of_common_clients_are_parsed() {
    let chrome = b"------WebKitFormBoundaryuVxXSyUgfjSEhKNJ\r\n\
        Content-Disposition: form-data; name=\"a \"\r\n\r\nb\r\n\
        ------WebKitFormBoundaryuVxXSyUgfjSEhKNJ\r\n\
        Content-Disposition: form-data; name=\"f\"; filename=\"\xc3\xa9 %22x%22;.txt\"\r\n\
        Content-Type: text/plain\r\n\r\nhello\r\n\r\n\
        ------WebKitFormBoundaryuVxXSyUgfjSEhKNJ\r\n\
        Content-Disposition: form-data; name=\"none\"; filename=\"\"\r\n\
        Content-Type: application/octet-stream\r\n\r\n\r\n\
        ------WebKitFormBoundaryuVxXSyUgfjSEhKNJ--\r\n";
    let curl = b"--------------------------d74496d66958873e\r\n\
        Content-Disposition: form-data; name=\"f\"; filename=\"a\\\"b.txt\"\r\n\
        Content-Type: text/plain\r\n\r\nhello\r\n\
        --------------------------d74496d66958873e--\r\n";
    let dotnet = b"--0f5d0a2e-3b53-4b0c-8a6a-1fca0e5b2c11\r\n\
        Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n\
        --0f5d0a2e-3b53-4b0c-8a6a-1fca0e5b2c11\r\n\
        Content-Disposition: form-data; name=f; filename=a.txt; filename*=utf-8''b.txt\r\n\r\nhello\r\n\
        --0f5d0a2e-3b53-4b0c-8a6a-1fca0e5b2c11--\r\n";
    type Parts<'a> = &'a [(&'a str, Option<&'a str>, &'a str)];
    let clients: [(&[u8], &[u8], Parts); 3] = [
        (
            b"multipart/form-data; boundary=----WebKitFormBoundaryuVxXSyUgfjSEhKNJ",
            chrome,
            &[("a ", None, "b"), ("f", Some("\u{e9} \"x\";.txt"), "hello\r\n"), ("none", None, "")],
        ),
        (
            b"multipart/form-data; boundary=------------------------d74496d66958873e",
            curl,
            &[("f", Some("a\"b.txt"), "hello")],
        ),
        (
            b"multipart/form-data; boundary=\"0f5d0a2e-3b53-4b0c-8a6a-1fca0e5b2c11\"",
            dotnet,
            &[("a", None, "b"), ("f", Some("a.txt"), "hello")],
        ),
    ];
    for (content_type, body, expected) in clients {
        let mut multipart = Multipart::for_content_type(content_type, &FormLimits::default()).unwrap();
        let mut log = Log::default();
        multipart.receive(Bytes::from_static(body));
        multipart.handle_eof();
        log.take(&mut multipart);
        assert_eq!(log.end, Some(Ok(())));
        let parts: Vec<_> =
            log.parts.iter().map(|(n, f, c)| (&**n, f.as_deref(), core::str::from_utf8(c).unwrap())).collect();
        assert_eq!(parts, expected);
    }
}
