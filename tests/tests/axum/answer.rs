//! Answers, in a form in which those of two servers can be compared.

use std::collections::BTreeMap;
use std::fmt;

/// One answer, without what servers are free to choose.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Each field's values in order, the names in lower case; without Date and Server.
    pub(crate) fields: BTreeMap<String, Vec<String>>,
    /// The content, chunks joined; `None` where it is cut off.
    pub(crate) content: Option<Vec<u8>>,
    pub(crate) trailers: BTreeMap<String, Vec<String>>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = self.content.as_ref().map(|content| {
            let front = content.get(..200).unwrap_or(content);
            format!("{} bytes: {}", content.len(), front.escape_ascii())
        });
        write!(f, "{} {:?} {content:?} {:?}", self.status, self.fields, self.trailers)
    }
}

/// The final answers in what was received; 1xx are left out, but for 101, whose content is all
/// that follows. Those to HEAD have no content.
pub(crate) fn answers(mut received: &[u8], head: bool) -> Vec<Answer> {
    let mut all = Vec::new();
    while !received.is_empty() {
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut fields);
        let Ok(httparse::Status::Complete(length)) = response.parse(received) else {
            panic!("no head: {}", received.escape_ascii());
        };
        received = &received[length..];
        let mut answer =
            Answer { status: response.code.unwrap(), fields: collected(response.headers), ..Answer::default() };
        match answer.status {
            101 => answer.content = Some(std::mem::take(&mut received).to_vec()),
            100..200 => continue,
            _ if head || matches!(answer.status, 204 | 304) => answer.content = Some(Vec::new()),
            _ => read_content(&mut answer, &mut received),
        }
        all.push(answer);
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

fn read_content(answer: &mut Answer, received: &mut &[u8]) {
    if let Some(length) = answer.fields.get("content-length") {
        let length: usize = length[0].parse().unwrap();
        if let Some((content, rest)) = received.split_at_checked(length) {
            answer.content = Some(content.to_vec());
            *received = rest;
        } else {
            *received = &[];
        }
    } else if answer.fields.contains_key("transfer-encoding") {
        if read_chunks(answer, received).is_none() {
            answer.content = None;
            *received = &[];
        }
    } else {
        answer.content = Some(std::mem::take(received).to_vec());
    }
}

fn read_chunks(answer: &mut Answer, received: &mut &[u8]) -> Option<()> {
    let content = answer.content.insert(Vec::new());
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
    answer.trailers = collected(trailers);
    *received = &received[length..];
    Some(())
}
