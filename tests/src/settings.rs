//! Parsing of `Config` from text.

use std::str::FromStr;
use std::time::Duration;

use httpants_core::{Config, HalfClose};

/// The Server field of every response, so that fixtures do not change with each release.
pub const SERVER: &str = "httpants";

/// Parses `limits.max_body_size = 10, keep_alive = false`; the rest are the defaults.
///
/// # Errors
/// Returns an error for an unknown or malformed setting.
pub fn parse(text: &str) -> Result<Config, String> {
    let mut config = Config::default();
    config.server = Some(SERVER);
    for setting in text.split(',').map(str::trim).filter(|setting| !setting.is_empty()) {
        let (name, value) = setting.split_once('=').ok_or_else(|| format!("no value: {setting}"))?;
        apply(&mut config, name.trim(), value.trim()).ok_or_else(|| format!("an unknown setting: {setting}"))?;
    }
    Ok(config)
}

fn apply(config: &mut Config, name: &str, value: &str) -> Option<()> {
    if let Some(name) = name.strip_prefix("limits.") {
        return limit(config, name, value);
    }
    if let Some(name) = name.strip_prefix("timeouts.") {
        return timeout(config, name, value);
    }
    match name {
        "keep_alive" => read(value, &mut config.keep_alive),
        "strict_target" => read(value, &mut config.strict_target),
        "non_ascii_target" => read(value, &mut config.non_ascii_target),
        "requests_per_connection" => value.parse().ok().map(|count| config.requests_per_connection = Some(count)),
        "half_close" if value == "drop" => {
            config.half_close = HalfClose::Drop;
            Some(())
        }
        "server" if value == "none" => {
            config.server = None;
            Some(())
        }
        _ => None,
    }
}

fn limit(config: &mut Config, name: &str, value: &str) -> Option<()> {
    let limits = &mut config.limits;
    match name {
        "head" => read(value, &mut limits.head),
        "target" => read(value, &mut limits.target),
        "method" => read(value, &mut limits.method),
        "fields" => read(value, &mut limits.fields),
        "empty_lines" => read(value, &mut limits.empty_lines),
        "max_body_size" => read(value, &mut limits.max_body_size),
        "chunk_overhead" => read(value, &mut limits.chunk_overhead),
        "drain" => read(value, &mut limits.drain),
        "linger" => read(value, &mut limits.linger),
        "refusal_linger" => read(value, &mut limits.refusal_linger),
        "send_backlog" => read(value, &mut limits.send_backlog),
        "recv_buffer" => read(value, &mut limits.recv_buffer),
        "body_buffer" => read(value, &mut limits.body_buffer),
        _ => None,
    }
}

/// Parses seconds, or `off`.
fn timeout(config: &mut Config, name: &str, value: &str) -> Option<()> {
    let timeouts = &mut config.timeouts;
    match name {
        "body_rate" => return read(value, &mut timeouts.body_rate),
        "write_rate" => return read(value, &mut timeouts.write_rate),
        _ => {}
    }
    let time = if value == "off" { None } else { Some(Duration::from_secs(value.parse().ok()?)) };
    match name {
        "accept" => timeouts.accept = time,
        "head" => timeouts.head = time,
        "idle" => timeouts.idle = time,
        "body" => timeouts.body = time,
        "body_rate_grace" => timeouts.body_rate_grace = time?,
        "write" => timeouts.write = time,
        "half_closed" => timeouts.half_closed = time,
        "linger" => timeouts.linger = time,
        "refusal_linger" => timeouts.refusal_linger = time,
        "refusal_linger_idle" => timeouts.refusal_linger_idle = time,
        "handler" => timeouts.handler = time,
        _ => return None,
    }
    Some(())
}

fn read<T: FromStr>(value: &str, into: &mut T) -> Option<()> {
    *into = value.parse().ok()?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read() {
        let config = parse("limits.max_body_size = 10, timeouts.head = off, keep_alive = false").unwrap();
        assert_eq!((config.limits.max_body_size, config.timeouts.head, config.keep_alive), (10, None, false));
        for wrong in ["limits.x = 1", "keep_alive = 1", "keep_alive", "limits.head = -1"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
