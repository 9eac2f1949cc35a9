//! The picture of the states of a connection, and the page with all transitions, from the table of
//! the core.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::table;

const MATRIX: &str = include_str!("../../../http-core/src/connection/state.matrix.txt");

/// Half a box.
const WIDTH: i32 = 66;
const HEIGHT: i32 = 17;

/// A state of one half of a connection, with its position in the picture.
type Node = (&'static str, i32, i32);
/// An arrow between two states: its points, the position of its label, and the side of the label.
type Arrow = (&'static str, &'static str, &'static [(i32, i32)], (i32, i32), &'static str);

const RECEIVING: [Node; 9] = [
    ("Handshake", 80, 90),
    ("Idle", 300, 90),
    ("Head", 500, 90),
    ("Body", 760, 90),
    ("Done", 500, 220),
    ("Drain", 760, 220),
    ("SwitchedProtocol", 80, 220),
    ("Closed", 500, 330),
    ("Discard", 760, 330),
];
const RECEIVING_ARROWS: [Arrow; 12] = [
    ("Handshake", "Idle", &[(146, 90), (234, 90)], (190, 82), "middle"),
    ("Idle", "Head", &[(366, 90), (434, 90)], (400, 82), "middle"),
    ("Head", "Body", &[(566, 90), (694, 90)], (630, 82), "middle"),
    ("Head", "Done", &[(500, 107), (500, 203)], (494, 136), "end"),
    ("Body", "Done", &[(730, 107), (540, 203)], (620, 142), "end"),
    ("Body", "Drain", &[(760, 107), (760, 203)], (754, 136), "end"),
    ("Done", "Idle", &[(460, 203), (310, 107)], (330, 150), "end"),
    ("Drain", "Idle", &[(826, 220), (880, 220), (880, 50), (300, 50), (300, 73)], (590, 44), "middle"),
    ("Done", "SwitchedProtocol", &[(434, 220), (146, 220)], (290, 212), "middle"),
    ("Done", "Closed", &[(500, 237), (500, 313)], (494, 272), "end"),
    ("Done", "Discard", &[(540, 237), (720, 313)], (640, 262), "start"),
    ("Discard", "Closed", &[(694, 330), (566, 330)], (630, 346), "middle"),
];

const SENDING: [Node; 8] = [
    ("Idle", 80, 90),
    ("Head", 330, 90),
    ("Body", 620, 90),
    ("SwitchedProtocol", 330, 170),
    ("Done", 620, 220),
    ("Closing", 620, 340),
    ("Shut", 330, 340),
    ("Closed", 80, 340),
];
const SENDING_ARROWS: [Arrow; 12] = [
    ("Idle", "Head", &[(146, 84), (264, 84)], (205, 64), "middle"),
    ("Head", "Idle", &[(264, 98), (146, 98)], (205, 114), "middle"),
    ("Head", "Body", &[(396, 90), (554, 90)], (475, 82), "middle"),
    ("Head", "SwitchedProtocol", &[(330, 107), (330, 153)], (336, 134), "start"),
    ("Body", "Idle", &[(620, 73), (620, 40), (80, 40), (80, 73)], (350, 34), "middle"),
    ("Body", "Done", &[(620, 107), (620, 203)], (614, 160), "end"),
    ("Done", "Idle", &[(554, 220), (80, 220), (80, 107)], (320, 214), "middle"),
    ("Done", "Closing", &[(620, 237), (620, 323)], (614, 250), "end"),
    ("Body", "Closing", &[(686, 90), (760, 90), (760, 340), (686, 340)], (766, 190), "start"),
    ("Closing", "Shut", &[(554, 340), (396, 340)], (475, 320), "middle"),
    ("Shut", "Closed", &[(264, 340), (146, 340)], (205, 320), "middle"),
    ("Closing", "Closed", &[(620, 357), (620, 385), (80, 385), (80, 357)], (350, 379), "middle"),
];

/// The inputs that lead from one state of a half to another.
type Transitions = BTreeMap<(String, String), BTreeSet<String>>;

/// Returns the transitions of the receiving half (0) or the sending half (1).
fn transitions(half: usize) -> Transitions {
    let mut transitions = Transitions::new();
    let mut from = "";
    for line in MATRIX.lines().filter(|line| !line.is_empty()) {
        let state = |state: &str| state.split(" / ").nth(half).unwrap().trim().to_owned();
        match line.strip_prefix("    ").and_then(|rest| rest.split_once("->")) {
            None => from = line,
            Some((input, to)) if state(from) != state(to) => {
                transitions.entry((state(from), state(to))).or_default().insert(named(input.trim()).to_owned());
            }
            Some(_) => {}
        }
    }
    transitions
}

fn named(input: &str) -> &str {
    match input {
        "Request { content: true }" => "Request with body",
        "Request { content: false }" => "Request without body",
        "Flushed { linger: true }" => "Flushed, peer sends on",
        "Flushed { linger: false }" => "Flushed, peer is done",
        other => other,
    }
}

fn draw(title: &str, half: usize, nodes: &[Node], arrows: &[Arrow]) -> String {
    let known = transitions(half);
    for state in known.keys().flat_map(|(from, to)| [from, to]) {
        assert!(nodes.iter().any(|(name, ..)| name == state), "{title}: {state} has no place in the picture");
    }
    let mut svg = format!("<text x=\"14\" y=\"24\" font-size=\"15\" font-weight=\"bold\">{title}</text>\n");
    for (from, to, points, (x, y), side) in arrows {
        let inputs = known.get(&((*from).into(), (*to).into()));
        let inputs = inputs.unwrap_or_else(|| panic!("{title}: there is no transition from {from} to {to}"));
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
        writeln!(svg, "<polyline points=\"{}\" marker-end=\"url(#arrow)\"/>", points.join(" ")).unwrap();
        for (number, input) in inputs.iter().filter(|input| *input != "Break").enumerate() {
            let y = y + 12 * i32::try_from(number).unwrap();
            writeln!(svg, "<text x=\"{x}\" y=\"{y}\" font-size=\"10\" text-anchor=\"{side}\">{input}</text>").unwrap();
        }
    }
    for (name, x, y) in nodes {
        let (left, top, width, height) = (x - WIDTH, y - HEIGHT, 2 * WIDTH, 2 * HEIGHT);
        writeln!(svg, "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>").unwrap();
        writeln!(svg, "<text x=\"{x}\" y=\"{}\" font-size=\"12\" text-anchor=\"middle\">{name}</text>", y + 4).unwrap();
    }
    svg
}

/// Returns the picture. The positions are defined here; the labels of the arrows come from the
/// table.
pub(crate) fn picture() -> String {
    let receiving = draw("Receiving", 0, &RECEIVING, &RECEIVING_ARROWS);
    let sending = draw("Sending", 1, &SENDING, &SENDING_ARROWS);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 920 780\" font-family=\"sans-serif\" role=\"img\" \
         aria-label=\"The states of the receiving and of the sending half of a connection\">\n\
         <defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
         <path d=\"M0 0L8 4L0 8z\" fill=\"#57708a\"/></marker></defs>\n\
         <style>rect{{fill:#fff7ed;stroke:#c2410c}}polyline{{fill:none;stroke:#57708a}}text{{fill:#1c1917}}</style>\n\
         <path d=\"M0 0H920V780H0z\" fill=\"#fff\"/>\n{receiving}<g transform=\"translate(0,370)\">\n{sending}</g>\n</svg>\n"
    )
}

/// Returns the page with all transitions of both halves.
pub(crate) fn page() -> String {
    let rows = |half| {
        let transitions = transitions(half).into_iter();
        transitions.map(|((from, to), inputs)| {
            vec![format!("`{from}`"), format!("`{to}`"), inputs.into_iter().collect::<Vec<_>>().join("; ")]
        })
    };
    let columns = ["from", "to", "on"];
    format!(
        "# Every transition of a connection\n\nGenerated by a test from `http-core/src/connection/state.matrix.txt`, which prints \
         the transitions in\n[`state.rs`](../../http-core/src/connection/state.rs); [states of a connection](../explanation/states.md) \
         has the picture. The table there\nalso has the third part of a state, whether another request may follow. An input that a \
         state does not list changes nothing.\n\n## Receiving\n\n{}\n## Sending\n\n{}",
        table(&columns, rows(0)),
        table(&columns, rows(1)),
    )
}
