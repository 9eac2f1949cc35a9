//! The request as the server sees it, as JSON.

use std::fmt::Write;

use httpants_tokio::core::Headers;
use httpants_tokio::core::forms::{Variables, urlencoded};
use httpants_tokio::{Request, Response};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// 200 with everything that the request says.
pub(crate) fn answer(request: &Request) -> Response {
    let get = match urlencoded::parse(request.query().as_bytes(), &urlencoded::Options::default()) {
        Ok(get) => get,
        Err(fault) => return Response::text(format!("{fault}\n")).with_status(fault.status().as_u16()),
    };
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
        "remote_ip": request.peer().remote.ip().map_or_else(String::new, |ip| ip.to_string()),
        "full_url": request.full_url(),
        "headers": lines(request.headers()),
        "get": by_name(&get),
        "body_size": request.body().len(),
        "body_sha256": hexadecimal(&Sha256::digest(request.body())),
        "trailers": lines(&request.trailers()),
    });
    Response::bytes("application/json", format!("{report:#}\n"))
}

/// The field lines in the order and case they were received.
fn lines(headers: &Headers) -> Value {
    headers.raw().map(|(name, value)| json!([name, String::from_utf8_lossy(value)])).collect()
}

/// Each name with all its values, in the order received.
fn by_name(variables: &Variables) -> Map<String, Value> {
    let mut map = Map::new();
    for (name, _) in variables.iter() {
        map.entry(name).or_insert_with(|| variables.all(name).collect());
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
    use super::*;

    #[test]
    fn variables_keep_their_order_under_each_name() {
        let variables = urlencoded::parse(b"b=1&a=x+y%21&b=2&c=&d", &urlencoded::Options::default()).unwrap();
        let map = Value::from(by_name(&variables));
        assert_eq!(map.to_string(), r#"{"b":["1","2"],"a":["x y!"]}"#);
    }

    #[test]
    fn hexadecimal_keeps_leading_zeros() {
        assert_eq!(hexadecimal(&[0, 0x0a, 0xff]), "000aff");
    }
}
