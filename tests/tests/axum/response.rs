//! Responses in a form that is comparable between two servers.

use std::collections::BTreeMap;
use std::fmt;

/// A response without the properties that servers are free to choose.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct ReceivedResponse {
    pub(crate) status: u16,
    /// The values of each field in order, with names in lower case; without Date and Server.
    pub(crate) fields: BTreeMap<String, Vec<String>>,
    /// The body, chunks joined; `None` if truncated.
    pub(crate) content: Option<Vec<u8>>,
    pub(crate) trailers: BTreeMap<String, Vec<String>>,
}

impl fmt::Debug for ReceivedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = self.content.as_ref().map(|content| {
            let front = content.get(..200).unwrap_or(content);
            format!("{} bytes: {}", content.len(), front.escape_ascii())
        });
        write!(f, "{} {:?} {content:?} {:?}", self.status, self.fields, self.trailers)
    }
}

/// Parses the final responses; 1xx are skipped, except 101, whose body is everything that follows.
/// Those to HEAD have no body.
pub(crate) fn responses(mut received: &[u8], head: bool) -> Vec<ReceivedResponse> {
    let mut all = Vec::new();
    while !received.is_empty() {
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut fields);
        let Ok(httparse::Status::Complete(length)) = response.parse(received) else {
            panic!("no head: {}", received.escape_ascii());
        };
        received = &received[length..];
        let mut response = ReceivedResponse {
            status: response.code.unwrap(),
            fields: collected(response.headers),
            ..ReceivedResponse::default()
        };
        match response.status {
            101 => response.content = Some(std::mem::take(&mut received).to_vec()),
            100..200 => continue,
            _ if head || matches!(response.status, 204 | 304) => response.content = Some(Vec::new()),
            _ => read_content(&mut response, &mut received),
        }
        all.push(response);
    }
    all
}

fn collected(headers: &[httparse::Header<'_>]) -> BTreeMap<String, Vec<String>> {
    let mut fields = BTreeMap::<_, Vec<_>>::new();
    for header in headers {
        let name = header.name.to_ascii_lowercase();
        if name != "date" && name != "server" {
            fields.entry(name).or_default().push(header.value.escape_ascii().to_string());
        }
    }
    fields
}

fn read_content(response: &mut ReceivedResponse, received: &mut &[u8]) {
    if let Some(length) = response.fields.get("content-length") {
        let length: usize = length[0].parse().unwrap();
        if let Some((content, rest)) = received.split_at_checked(length) {
            response.content = Some(content.to_vec());
            *received = rest;
        } else {
            *received = &[];
        }
    } else if response.fields.contains_key("transfer-encoding") {
        if read_chunks(response, received).is_none() {
            response.content = None;
            *received = &[];
        }
    } else {
        response.content = Some(std::mem::take(received).to_vec());
    }
}

fn read_chunks(response: &mut ReceivedResponse, received: &mut &[u8]) -> Option<()> {
    let content = response.content.insert(Vec::new());
    loop {
        let httparse::Status::Complete((line, size)) = httparse::parse_chunk_size(received).unwrap() else {
            return None;
        };
        *received = &received[line..];
        if size == 0 {
            break;
        }
        let (data, rest) = received.split_at_checked(size as usize)?;
        content.extend_from_slice(data);
        *received = rest.strip_prefix(b"\r\n")?;
    }
    let mut fields = [httparse::EMPTY_HEADER; 8];
    let httparse::Status::Complete((length, trailers)) = httparse::parse_headers(received, &mut fields).unwrap() else {
        return None;
    };
    response.trailers = collected(trailers);
    *received = &received[length..];
    Some(())
}
