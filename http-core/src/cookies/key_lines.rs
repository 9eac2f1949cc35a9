//! Secrets in the lines of a text, such as a file of secrets.

use super::key_error::KeyError;
use super::signed::KeyRing;

/// Minimum length of a secret: that of 16 random bytes in hexadecimal digits. 32 bytes in base64
/// are longer.
const MIN_LENGTH: usize = 32;

impl KeyRing {
    /// Creates a key ring from the secrets in a text, one per line: the first signs, all of them
    /// verify. To rotate secrets, insert the new one as the first line, and remove the last line
    /// when the values that it signed have expired.
    ///
    /// The line end, LF or CR LF, is not part of a secret, and empty lines are skipped. A secret
    /// has at least 32 printable ASCII characters, for example the output of `openssl rand -base64
    /// 32`; raw random bytes could contain line ends.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use httpants_core::UnixTime;
    /// use httpants_core::cookies::KeyRing;
    ///
    /// let new = "bqNlZ0CXzSPqT4rWPLp+KHxBxzH7t0dQ9n8C2m4s6Yk=";
    /// let old = "Oc5lqVqfZ0VbHj6jzK9s2WJt1RrVfM0a7uQpXyD3g4E=";
    /// let keys = KeyRing::from_lines(format!("{new}\n{old}\n"))?;
    /// let signed = KeyRing::new([old])?.sign("user", "alice", UnixTime::default(), Duration::from_secs(60));
    /// assert!(keys.verify("user", signed.as_bytes(), UnixTime::from_secs(1)).is_ok());
    /// # Ok::<(), httpants_core::cookies::KeyError>(())
    /// ```
    ///
    /// # Errors
    /// [`KeyError::NoSecret`] if there is none, [`KeyError::TooShort`] for one of fewer than 32
    /// characters, [`KeyError::NotText`] for one with other characters.
    pub fn from_lines(text: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let mut secrets = Vec::new();
        for (index, line) in text.as_ref().split(|&byte| byte == b'\n').enumerate() {
            let secret = line.strip_suffix(b"\r").unwrap_or(line);
            let line = index + 1;
            match secret.len() {
                0 => continue,
                _ if !secret.iter().all(|byte| matches!(byte, b' '..=b'~')) => return Err(KeyError::NotText { line }),
                1..MIN_LENGTH => return Err(KeyError::TooShort { line }),
                _ => secrets.push(secret),
            }
        }
        Self::new(secrets)
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::UnixTime;

    #[test]
    fn line_ends_are_not_part_of_a_secret() {
        let (new, old) = ["n", "o"].map(|key| key.repeat(MIN_LENGTH)).into();
        let signed = |secret: &String| {
            KeyRing::new([secret]).unwrap().sign("c", "v", UnixTime::default(), Duration::from_secs(9))
        };
        for text in [format!("{new}\n{old}\n"), format!("{new}\n{old}"), format!("\r\n{new}\r\n\r\n{old}\r\n")] {
            let keys = KeyRing::from_lines(&text).unwrap();
            assert_eq!(keys.sign("c", "v", UnixTime::default(), Duration::from_secs(9)), signed(&new), "{text:?}");
            assert!(keys.verify("c", signed(&old).as_bytes(), UnixTime::from_secs(1)).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn text_without_usable_secrets_is_an_error() {
        let long = "k".repeat(MIN_LENGTH);
        for (text, error) in [
            (String::new(), KeyError::NoSecret),
            ("\n\r\n\n".into(), KeyError::NoSecret),
            (format!("{long}\n\n{}\n", "k".repeat(MIN_LENGTH - 1)), KeyError::TooShort { line: 3 }),
            (format!("{long}\n{long}\0"), KeyError::NotText { line: 2 }),
            (format!("\u{e9}{long}"), KeyError::NotText { line: 1 }),
        ] {
            assert_eq!(KeyRing::from_lines(&text).err(), Some(error), "{text:?}");
        }
    }
}
