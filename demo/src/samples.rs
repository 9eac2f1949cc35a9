//! Sample files for a server without a file root.

use std::fs;
use std::io;

use tempfile::TempDir;

/// Creates a temporary directory of sample files, removed on drop.
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

/// Returns `length` bytes in lines of 16, each with its offset.
pub(crate) fn lines(length: usize) -> String {
    let mut lines: String = (0..length).step_by(16).map(|offset| format!("{offset:015}\n")).collect();
    lines.truncate(length);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sample_lines_contain_their_offset() {
        let lines = lines(16 << 10);
        assert_eq!(lines.len(), 16384);
        assert_eq!(&lines[16000..16016], "000000000016000\n");
        assert_eq!(super::lines(20), "000000000000000\n0000");
    }
}
