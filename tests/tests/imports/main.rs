//! Tests that the modules of a crate import from each other in one direction: there is no cycle
//! between files, and none between the top folders of `src`. The folders of the core form layers,
//! each of which imports only from lower ones.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and clippy.toml excepts only the test functions themselves"
)]

mod graph;
mod resolve;
mod source;

use std::fs;
use std::path::Path;

use graph::Graph;

/// The rules for a crate.
struct Rule {
    /// The folder of the package.
    package: &'static str,
    /// All its top folders, in layers from the lowest to the highest, if their order is checked.
    /// The folders of one layer do not import from each other.
    layers: &'static [&'static [&'static str]],
}

const CORE: Rule = Rule {
    package: "http-core",
    layers: &[&["wire"], &["message"], &["connection", "cookies", "files", "forms", "proxy"]],
};

const DRIVER: Rule = Rule { package: "http-driver", layers: &[] };

/// Files that re-export all public items, and therefore import from all folders.
const REEXPORTS: [&str; 2] = ["lib.rs", "application.rs"];

impl Rule {
    fn check(&self) {
        let mut sources = Vec::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(self.package).join("src");
        collect(&root, "", &mut sources);
        let files =
            resolve::graph(&source::read(&sources)).map(|file| (!REEXPORTS.contains(&file)).then(|| file.to_owned()));
        assert!(files.edges().count() > 50, "the imports of {} are read", self.package);
        let folders = files.map(|file| Some(top_folder(file).to_owned()));
        let (cycles, folders, upward) = (files.report(), folders.report(), self.upward(&files));
        assert!(
            cycles.is_empty() && folders.is_empty(),
            "{0}/src: cycles between files:\n{cycles}\n{0}/src: cycles between top folders:\n{folders}",
            self.package,
        );
        assert!(upward.is_empty(), "{}/src: imports that do not lead to a lower layer:{upward}", self.package);
    }

    /// Lists the imports from a top folder to one that is not in a lower layer.
    fn upward(&self, files: &Graph) -> String {
        if self.layers.is_empty() {
            return String::new();
        }
        let layer = |folder: &str| self.layers.iter().position(|layer| layer.contains(&folder));
        let is_downward = |from: &str, to: &str| layer(from).is_some_and(|from| layer(to).is_some_and(|to| to < from));
        let is_upward = |from: &str, to: &str| from != to && !is_downward(from, to);
        let upward = files.edges().filter(|(from, to)| is_upward(top_folder(from), top_folder(to)));
        upward.map(|(from, to)| format!("\n    {from} -> {to}")).collect()
    }
}

/// Returns the top folder of a file, or the file itself if it is not in a folder.
fn top_folder(file: &str) -> &str {
    file.split('/').next().unwrap()
}

/// Reads the Rust files below a folder, named by their relative paths with `/`.
fn collect(folder: &Path, prefix: &str, sources: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            collect(&path, &format!("{name}/"), sources);
        } else if name.ends_with(".rs") {
            sources.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn core_has_no_import_cycles_or_upward_imports() {
    CORE.check();
}

#[test]
fn driver_has_no_import_cycles() {
    DRIVER.check();
}

fn graph_of(sources: &[(&str, &str)]) -> Graph {
    let owned: Vec<_> = sources.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
    resolve::graph(&source::read(&owned))
}

/// Returns the edges as `from -> to`, sorted.
fn edges_of(sources: &[(&str, &str)]) -> Vec<String> {
    graph_of(sources).edges().map(|(from, to)| format!("{from} -> {to}")).collect()
}

#[test]
fn imports_in_one_direction_are_not_a_cycle() {
    let sources = [("lib.rs", "mod a; mod b;"), ("a.rs", "use crate::b::B; struct A(B);"), ("b.rs", "pub struct B;")];
    assert_eq!(edges_of(&sources), ["a.rs -> b.rs"]);
    assert_eq!(graph_of(&sources).report(), "");
}

#[test]
fn cycle_by_use_is_reported_with_its_locations() {
    let a = "use std::fmt;\nuse crate::b::{self, B};\npub struct A(B);";
    let graph = graph_of(&[("lib.rs", ""), ("a.rs", a), ("b.rs", "\n\nuse super::a::A;\npub struct B(Box<A>);")]);
    assert_eq!(
        graph.report(),
        "\na.rs -> b.rs -> a.rs\n    a.rs:2 -> b.rs: crate::b::B\n    b.rs:3 -> a.rs: super::a::A\n"
    );
}

#[test]
fn cycle_by_inline_paths_is_found() {
    let paths = [
        "fn f() -> crate::b::B { todo!() }",
        "fn f() { crate::b::new(); }",
        "fn f(x: u8) { if let super::b::B { .. } = x {} }",
        "fn f() { println!(\"{}\", crate::b::new()); }",
        "use crate::b; fn f() { b::new(); }",
        "use crate::b as c; fn f() { format!(\"{}\", [c::new()]); }",
        "fn f() { use crate::b::B; }",
        "mod inner { use super::super::b::B; }",
        "use super::b::*;",
    ];
    for a in paths {
        let b = "pub struct B; pub fn new() -> B { crate::a::f() }";
        let edges = edges_of(&[("lib.rs", ""), ("a.rs", a), ("b.rs", b)]);
        assert_eq!(edges, ["a.rs -> b.rs", "b.rs -> a.rs"], "{a}");
    }
}

#[test]
fn reexport_is_followed_to_the_defining_file() {
    let sources = [
        ("lib.rs", "mod a; mod folder; pub use all::*; mod all;"),
        ("all.rs", "pub use crate::folder::Body;"),
        ("folder/mod.rs", "mod body; mod body_parts; pub use self::body::Body; pub(crate) use body_parts::body_parts;"),
        ("folder/body.rs", "use crate::a::A; pub struct Body(A);"),
        ("folder/body_parts.rs", "pub fn body_parts() {}"),
    ];
    for a in ["use crate::folder::Body;", "use crate::Body;", "use crate::folder; struct A(folder::Body);"] {
        let edges = edges_of(&[sources.as_slice(), &[("a.rs", a)]].concat());
        assert_eq!(edges, ["a.rs -> folder/body.rs", "all.rs -> folder/body.rs", "folder/body.rs -> a.rs"], "{a}");
    }
    let edges = edges_of(&[sources.as_slice(), &[("a.rs", "fn f() { crate::folder::body_parts() }")]].concat());
    assert!(edges.contains(&"a.rs -> folder/body_parts.rs".to_owned()), "{edges:?}");
}

#[test]
fn child_imports_from_its_parent_and_a_used_reexport_counts() {
    let child = ("folder/child.rs", "use super::Noun; pub struct Child(Noun);");
    let declares = "mod child; pub use child::Child; pub struct Noun;";
    assert_eq!(edges_of(&[("folder/mod.rs", declares), child]), ["folder/child.rs -> folder/mod.rs"]);
    let uses = format!("{declares} fn new() -> Option<Child> {{ None }}");
    let both = ["folder/child.rs -> folder/mod.rs", "folder/mod.rs -> folder/child.rs"];
    assert_eq!(edges_of(&[("folder/mod.rs", &uses), child]), both);
}

#[test]
fn tests_other_crates_and_visibility_are_not_imports() {
    let a = "pub use b_crate as b; #[cfg(test)] mod checks; #[cfg(test)] mod more { use crate::c::C; }\n\
        pub(in crate::c) struct A; #[doc = \"crate::c\"] fn f() { let c = crate::a::b::new(); c.crate_c(); }";
    let test = "use crate::c::C;";
    let sources = [
        ("lib.rs", ""),
        ("a.rs", a),
        ("a/checks.rs", test),
        ("a/tests.rs", test),
        ("tests/a.rs", test),
        ("c.rs", "pub struct C;"),
    ];
    assert_eq!(edges_of(&sources), [""; 0]);
}

#[test]
fn folders_can_form_a_cycle_without_a_file_cycle() {
    let sources = [
        ("a/x.rs", "use crate::b::x::X;"),
        ("a/y.rs", "pub struct Y;"),
        ("b/x.rs", "pub struct X;"),
        ("b/y.rs", "use crate::a::y::Y;"),
    ];
    let inline = [("lib.rs", ""), ("a/mod.rs", ""), ("b/mod.rs", "")];
    let files = graph_of(&[sources.as_slice(), &inline].concat());
    assert_eq!(files.report(), "");
    let folders = files.map(|file| Some(top_folder(file).to_owned()));
    assert_eq!(
        folders.report(),
        "\na -> b -> a\n    a/x.rs:1 -> b: crate::b::x::X\n    b/y.rs:1 -> a: crate::a::y::Y\n"
    );
}

#[test]
fn imports_lead_only_to_lower_layers() {
    let rule = Rule { package: "", layers: &[&["low"], &["left", "right"]] };
    let down = ("left/a.rs", "use crate::low::b::B; use super::c::C;");
    let items = [("low/b.rs", "pub struct B;"), ("left/c.rs", "pub struct C;"), ("right/d.rs", "pub struct D;")];
    let modules = [("lib.rs", ""), ("low/mod.rs", ""), ("left/mod.rs", ""), ("right/mod.rs", "")];
    let sources = [items.as_slice(), &modules, &[down]].concat();
    assert_eq!(rule.upward(&graph_of(&sources)), "");
    for (file, text, to) in [
        ("low/up.rs", "use crate::left::c::C;", "left/c.rs"),
        ("left/side.rs", "use crate::right::d::D;", "right/d.rs"),
        ("unknown/e.rs", "use crate::low::b::B;", "low/b.rs"),
    ] {
        let sources = [sources.as_slice(), &[(file, text)]].concat();
        assert_eq!(rule.upward(&graph_of(&sources)), format!("\n    {file} -> {to}"));
    }
}
