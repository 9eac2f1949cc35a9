//! Field values, read from the `Debug` text of a struct.

/// Returns the fields of the `Debug` text of a struct, in order.
pub(crate) fn fields(text: &str) -> Vec<(String, String)> {
    let inner = text.split_once("{ ").and_then(|(_, rest)| rest.strip_suffix(" }")).unwrap();
    let mut depth = 0_usize;
    let mut parts = vec![String::new()];
    for character in inner.chars() {
        match character {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().unwrap().push(character);
    }
    let split = |part: &String| part.trim().split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    parts.iter().map(|part| split(part).unwrap()).collect()
}

/// Returns a value in readable form: `Some(15s)` is `15 s`, 32768 is `32 KiB`.
pub(crate) fn readable(value: &str) -> String {
    let value = value.strip_prefix("Some(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(value);
    if let Some(seconds) = value.strip_suffix('s').filter(|digits| digits.parse::<u64>().is_ok()) {
        return format!("{seconds} s");
    }
    match value.parse::<u64>() {
        Ok(number) if number >= 1 << 20 && number % (1 << 20) == 0 => format!("{} MiB", number >> 20),
        Ok(number) if number >= 1 << 10 && number % (1 << 10) == 0 => format!("{} KiB", number >> 10),
        Ok(number) if number >= 1000 => format!("{},{:03}", number / 1000, number % 1000),
        Ok(number) => number.to_string(),
        Err(_) if value == "None" => "none".into(),
        Err(_) => format!("`{value}`").replace("`\"", "`").replace("\"`", "`"),
    }
}

#[test]
fn debug_values_are_split_at_their_level_and_readable() {
    let text = "A { b: 32768, c: Some(15s), d: E { f: 1, g: None }, h: [1, 2], i: None, j: 1000, k: true }";
    let fields = fields(text);
    let values: Vec<_> = fields.iter().map(|(_, value)| readable(value)).collect();
    assert_eq!(fields.iter().map(|(name, _)| name.as_str()).collect::<String>(), "bcdhijk");
    assert_eq!(values, ["32 KiB", "15 s", "`E { f: 1, g: None }`", "`[1, 2]`", "none", "1,000", "`true`"]);
}
