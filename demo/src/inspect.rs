//! The request as the server parsed it, as JSON.

use std::fmt::Write;

use httpants_tokio::protocol::Headers;
use httpants_tokio::protocol::forms::Variables;
use httpants_tokio::{Request, Response};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::mistake::Mistake;

/// Returns a 200 with all properties of the request.
pub(crate) async fn respond(mut request: Request) -> Result<Response, Mistake> {
    let (size, sha256) = content(&mut request).await?;
    let files = files(&request).await?;
    let report = json!({
        "method": request.method().as_str(),
        "url": request.url(),
        "path": request.path(),
        "query": request.query(),
        "fragment": request.fragment(),
        "protocol": request.protocol(),
        "scheme": request.scheme(),
        "host": request.host(),
        "hostname": request.hostname(),
        "remote_ip": request.remote_ip().map_or_else(String::new, |ip| ip.to_string()),
        "full_url": request.full_url(),
        "headers": lines(request.headers()),
        "get": by_name(request.get()?),
        "post": by_name(request.post()),
        "files": files,
        "cookies": cookies(&request),
        "body_size": size,
        "body_sha256": sha256,
        "trailers": lines(&request.trailers()),
    });
    Ok(Response::bytes("application/json", format!("{report:#}\n")))
}

/// Returns the field lines in the order and case received.
fn lines(headers: &Headers) -> Value {
    headers.iter_raw().map(|(name, value)| json!([name, String::from_utf8_lossy(value)])).collect()
}

/// Returns each name with all its values, in the order received.
fn by_name(variables: &Variables) -> Map<String, Value> {
    let mut map = Map::new();
    for (name, _) in variables {
        map.entry(name).or_insert_with(|| variables.all(name).collect());
    }
    map
}

/// Returns size and SHA-256 of the body as received.
async fn content(request: &mut Request) -> Result<(u64, String), Mistake> {
    let (mut size, mut digest) = (0, Sha256::new());
    while let Some(piece) = request.body_mut().next().await {
        let piece = piece?;
        size += piece.len() as u64;
        digest.update(&piece);
    }
    Ok((size, hexadecimal(&digest.finalize())))
}

/// Returns the files of each field, in the order received.
async fn files(request: &Request) -> Result<Map<String, Value>, Mistake> {
    let mut map = Map::new();
    for file in request.files() {
        let (mut pieces, mut digest) = (file.pieces(), Sha256::new());
        while let Some(piece) = pieces.next().await {
            digest.update(piece?);
        }
        let described = json!({
            "filename": file.filename(),
            "content_type": file.content_type(),
            "size": file.len(),
            "sha256": hexadecimal(&digest.finalize()),
        });
        if let Value::Array(files) = map.entry(file.name()).or_insert_with(|| json!([])) {
            files.push(described);
        }
    }
    Ok(map)
}

/// Returns the first cookie of each name.
fn cookies(request: &Request) -> Map<String, Value> {
    let mut map = Map::new();
    for (name, value) in request.cookies() {
        let value = String::from_utf8_lossy(value);
        map.entry(String::from_utf8_lossy(name)).or_insert_with(|| value.into());
    }
    map
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use httpants_tokio::protocol::forms::urlencoded;

    use super::*;

    #[test]
    fn variables_keep_their_order_per_name() {
        let variables = urlencoded::parse(b"b=1&a=x+y%21&b=2&c=&d", &urlencoded::Options::default()).unwrap();
        let map = Value::from(by_name(&variables));
        assert_eq!(map.to_string(), r#"{"b":["1","2"],"a":["x y!"]}"#);
    }

    #[test]
    fn hexadecimal_keeps_leading_zeros() {
        assert_eq!(hexadecimal(&[0, 0x0a, 0xff]), "000aff");
    }
}
