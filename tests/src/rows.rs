//! The rows of `docs/protocol.md`.

/// Returns the ids of all rows in order: the text between backquotes in the first cell.
#[must_use]
pub fn ids(document: &str) -> Vec<&str> {
    document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |").map(|(id, _)| id)).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn row_ids_are_read_from_first_cells() {
        let document = "| id | x |\n|---|---|\n| `a-b` | `c` |\ntext `d` |\n| `e` | f |";
        assert_eq!(super::ids(document), ["a-b", "e"]);
    }
}
