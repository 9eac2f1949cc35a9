//! The graph of imports between files, and its cycles.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;

/// The location of an import, or of a path in code.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) path: String,
}

/// For each node, the nodes from which it imports, and the locations of the imports.
#[derive(Debug, Default)]
pub(crate) struct Graph(BTreeMap<String, BTreeMap<String, Vec<Place>>>);

impl Graph {
    /// Adds an import, unless the file already has the same one.
    pub(crate) fn add(&mut self, from: &str, to: &str, place: Place) {
        if from == to {
            return;
        }
        let places = self.0.entry(from.to_owned()).or_default().entry(to.to_owned()).or_default();
        if !places.iter().any(|other| other.file == place.file && other.path == place.path) {
            places.push(place);
        }
    }

    /// Returns the edges as (from, to).
    pub(crate) fn edges(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|(from, targets)| targets.keys().map(move |to| (from.as_str(), to.as_str())))
    }

    /// Returns the graph with the nodes replaced; leaves out nodes for which the function returns
    /// `None`.
    pub(crate) fn map(&self, node: impl Fn(&str) -> Option<String>) -> Self {
        let mut graph = Self::default();
        for (from, targets) in &self.0 {
            for (to, places) in targets {
                if let (Some(from), Some(to)) = (node(from), node(to)) {
                    places.iter().for_each(|place| graph.add(&from, &to, place.clone()));
                }
            }
        }
        graph
    }

    /// Returns the shortest cycle through each edge that is in one, each cycle once, short ones
    /// first.
    pub(crate) fn cycles(&self) -> Vec<Vec<&str>> {
        let cycles: BTreeSet<_> = self
            .edges()
            .filter_map(|(from, to)| {
                let mut cycle = self.shortest(to, from)?;
                let first = (0..cycle.len()).min_by_key(|at| cycle[*at])?;
                cycle.rotate_left(first);
                Some((cycle.len(), cycle))
            })
            .collect();
        cycles.into_iter().map(|(_, cycle)| cycle).collect()
    }

    /// Finds the nodes of a shortest path.
    fn shortest<'a>(&'a self, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
        let mut before: BTreeMap<&str, &str> = BTreeMap::from([(from, from)]);
        let mut queue = VecDeque::from([from]);
        while let Some(node) = queue.pop_front() {
            if node == to {
                let mut nodes = vec![node];
                while let Some(&last) = nodes.last()
                    && last != from
                {
                    nodes.push(before[last]);
                }
                nodes.reverse();
                return Some(nodes);
            }
            for next in self.0.get(node).into_iter().flat_map(BTreeMap::keys) {
                if !before.contains_key(next.as_str()) {
                    before.insert(next, node);
                    queue.push_back(next);
                }
            }
        }
        None
    }

    /// Lists the cycles with their imports; empty if there is no cycle.
    pub(crate) fn report(&self) -> String {
        let mut report = String::new();
        for cycle in self.cycles() {
            let _ = writeln!(report, "\n{} -> {}", cycle.join(" -> "), cycle[0]);
            for (from, to) in cycle.iter().zip(cycle.iter().cycle().skip(1)) {
                for Place { file, line, path } in &self.0[*from][*to] {
                    let _ = writeln!(report, "    {file}:{line} -> {to}: {path}");
                }
            }
        }
        report
    }
}
