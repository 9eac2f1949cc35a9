//! A second parser of the bytes that a proxy forwards: httparse for the heads, and the framing of
//! RFC 9112 section 6.3 in the form that proxies send.

/// A request, reduced to the properties about which two parsers can disagree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Message {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) content: Vec<u8>,
}

/// The reason why no more requests follow.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// The stream ended with the last request.
    Whole,
    /// The stream ended inside a request.
    Partial,
    /// The following bytes are not a request.
    Wrong(String),
}

/// Parses all requests of a stream.
pub(crate) fn read(mut stream: &[u8]) -> (Vec<Message>, Rest) {
    let mut messages = Vec::new();
    loop {
        if stream.is_empty() {
            return (messages, Rest::Whole);
        }
        match message(stream) {
            Ok(Some((message, rest))) => {
                messages.push(message);
                stream = rest;
            }
            Ok(None) => return (messages, Rest::Partial),
            Err(fault) => return (messages, Rest::Wrong(fault)),
        }
    }
}

fn message(stream: &[u8]) -> Result<Option<(Message, &[u8])>, String> {
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut head = httparse::Request::new(&mut fields);
    let length = match head.parse(stream).map_err(|error| error.to_string())? {
        httparse::Status::Partial => return Ok(None),
        httparse::Status::Complete(length) => length,
    };
    let values = |name: &str| {
        let fields = head.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        fields.map(|field| String::from_utf8_lossy(field.value).into_owned()).collect::<Vec<_>>()
    };
    let framed = match (values("content-length").as_slice(), values("transfer-encoding").as_slice()) {
        ([], []) => Some((Vec::new(), &stream[length..])),
        ([number], []) => {
            let number: usize = number.parse().map_err(|_| format!("Content-Length: {number}"))?;
            stream[length..].split_at_checked(number).map(|(content, rest)| (content.to_vec(), rest))
        }
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => chunks(&stream[length..])?,
        (lengths, codings) => return Err(format!("framed by {lengths:?} and {codings:?}")),
    };
    let (method, target) = (head.method.unwrap_or_default().to_owned(), head.path.unwrap_or_default().to_owned());
    Ok(framed.map(|(content, rest)| (Message { method, target, content }, rest)))
}

/// A body, and the bytes after it; `None` if it is incomplete.
type Content<'a> = Option<(Vec<u8>, &'a [u8])>;

fn chunks(mut stream: &[u8]) -> Result<Content<'_>, String> {
    let mut content = Vec::new();
    loop {
        let Some((size, rest)) = line(stream) else { return Ok(None) };
        let text = String::from_utf8_lossy(size.split(|&byte| byte == b';').next().unwrap_or_default()).into_owned();
        let size = usize::from_str_radix(&text, 16).map_err(|_| format!("a chunk of {text:?}"))?;
        if size == 0 {
            stream = rest;
            break;
        }
        let Some((data, rest)) = rest.split_at_checked(size) else { return Ok(None) };
        content.extend_from_slice(data);
        let Some((end, rest)) = rest.split_at_checked(2) else { return Ok(None) };
        if end != b"\r\n" {
            return Err(format!("a chunk that ends with {end:?}"));
        }
        stream = rest;
    }
    // Skips the trailers.
    while let Some((field, rest)) = line(stream) {
        if field.is_empty() {
            return Ok(Some((content, rest)));
        }
        stream = rest;
    }
    Ok(None)
}

fn line(stream: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = stream.windows(2).position(|pair| pair == b"\r\n")?;
    Some((&stream[..end], &stream[end + 2..]))
}

#[test]
fn framed_requests_are_distinguished() {
    let stream = b"GET /a HTTP/1.1\r\n\r\nPOST /b HTTP/1.1\r\nContent-Length: 2\r\n\r\nxyPOST /c HTTP/1.1\r\n\
        Transfer-Encoding: chunked\r\n\r\n2;e\r\nxy\r\n1\r\nz\r\n0\r\nT: u\r\n\r\nGET";
    let (messages, rest) = read(stream);
    let short = |message: &Message| (message.target.clone(), String::from_utf8(message.content.clone()).unwrap());
    let expected = [("/a", ""), ("/b", "xy"), ("/c", "xyz")].map(|(target, content)| (target.into(), content.into()));
    assert_eq!(messages.iter().map(short).collect::<Vec<_>>(), expected);
    assert_eq!(rest, Rest::Partial);
    let (messages, rest) = read(b"GET /a HTTP/1.1\r\n\r\n\x00");
    assert!(messages.len() == 1 && matches!(rest, Rest::Wrong(_)));
    for wrong in [
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "Content-Length: x\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nx\r\n",
        "Transfer-Encoding: chunked\r\n\r\n1\r\nxyz",
    ] {
        let (messages, rest) = read(format!("GET / HTTP/1.1\r\n{wrong}").as_bytes());
        assert!(messages.is_empty() && matches!(rest, Rest::Wrong(_)), "{wrong}");
    }
}
