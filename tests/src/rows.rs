//! The rows of `docs/protocol.md`.

/// The ids of all rows, in order: what stands between backquotes in the first cell.
#[must_use]
pub fn ids(document: &str) -> Vec<&str> {
    document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |").map(|(id, _)| id)).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_first_cells_are_ids() {
        let document = "| id | x |\n|---|---|\n| `a-b` | `c` |\ntext `d` |\n| `e` | f |";
        assert_eq!(super::ids(document), ["a-b", "e"]);
    }
}
