//! Files to serve where none are named.

use std::fs;
use std::io;

use tempfile::TempDir;

/// Makes a folder of them, which is gone when this is dropped.
pub(crate) fn make() -> io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("httpants-").tempdir()?;
    let files = [
        ("index.html", "<!doctype html>\n<title>Samples</title>\n<p>The samples of httpants.\n".into()),
        ("hello.txt", "Hello, World!\n".into()),
        ("16k", lines(16 << 10)),
        ("1m", lines(1 << 20)),
    ];
    for (name, content) in files {
        fs::write(folder.path().join(name), content)?;
    }
    Ok(folder)
}

/// So many bytes, in lines of 16 that say where they begin.
fn lines(length: usize) -> String {
    (0..length).step_by(16).map(|offset| format!("{offset:015}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_where_they_begin() {
        let lines = lines(16 << 10);
        assert_eq!(lines.len(), 16384);
        assert_eq!(&lines[16000..16016], "000000000016000\n");
    }
}
