//! Parsing of the files of a crate: its modules, their imports, and the paths in their code.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemFn, ItemMod, ItemUse, Macro, Meta, UseTree, Visibility};

/// The segments of a path.
pub(crate) type Path = Vec<String>;

/// A path as written in a file.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) path: Path,
    pub(crate) line: usize,
}

/// One name of a `use` declaration.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) written: Written,
    /// The name in scope: `None` for `*` and `_`.
    pub(crate) name: Option<String>,
    pub(crate) glob: bool,
    /// True for `pub use` and `pub(crate) use`.
    pub(crate) reexport: bool,
}

/// A module, in its own file or inline.
#[derive(Debug, Default)]
pub(crate) struct Module {
    pub(crate) file: String,
    /// Names of the items that it defines.
    pub(crate) items: BTreeSet<String>,
    pub(crate) imports: Vec<Import>,
    /// The paths in expressions, types, patterns and macro calls.
    pub(crate) paths: Vec<Written>,
}

/// The modules of a crate by their paths, without those of tests.
pub(crate) type Modules = BTreeMap<Path, Module>;

/// Parses sources, named by their paths below `src`.
pub(crate) fn read(sources: &[(String, String)]) -> Modules {
    let mut reader = Reader::default();
    for (file, text) in sources.iter().filter(|(file, _)| !is_test(file)) {
        let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        reader.module(file, module_path(file), &parsed.items);
    }
    let Reader { mut modules, tests, .. } = reader;
    modules.retain(|path, _| !tests.iter().any(|test| path.starts_with(test)));
    modules
}

fn is_test(file: &str) -> bool {
    file.split('/').any(|part| part == "tests" || part == "tests.rs")
}

fn module_path(file: &str) -> Path {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    if path == "lib" { Path::new() } else { path.split('/').map(str::to_owned).collect() }
}

#[derive(Default)]
struct Reader {
    modules: Modules,
    /// Modules in their own files that are declared only for tests.
    tests: Vec<Path>,
    file: String,
    here: Path,
}

impl Reader {
    fn module(&mut self, file: &str, path: Path, items: &[Item]) {
        self.modules.insert(path.clone(), Module { file: file.to_owned(), ..Module::default() });
        self.file = file.to_owned();
        let outer = std::mem::replace(&mut self.here, path);
        self.current().items.extend(items.iter().filter_map(defined));
        items.iter().for_each(|item| self.visit_item(item));
        self.here = outer;
    }

    fn current(&mut self) -> &mut Module {
        self.modules.entry(self.here.clone()).or_default()
    }

    fn import(&mut self, tree: &UseTree, prefix: &[String], reexport: bool) {
        let with = |ident: &Ident| {
            let own = (ident != "self").then(|| ident.to_string());
            prefix.iter().cloned().chain(own).collect::<Path>()
        };
        let (path, name, ident) = match tree {
            UseTree::Path(tree) => {
                // `self` at the start is a segment; at the end it is not.
                let path = prefix.iter().cloned().chain([tree.ident.to_string()]).collect::<Path>();
                return self.import(&tree.tree, &path, reexport);
            }
            UseTree::Group(tree) => return tree.items.iter().for_each(|tree| self.import(tree, prefix, reexport)),
            UseTree::Name(tree) => (with(&tree.ident), with(&tree.ident).pop(), tree.ident.span()),
            UseTree::Rename(tree) => (with(&tree.ident), Some(tree.rename.to_string()), tree.ident.span()),
            UseTree::Glob(tree) => (prefix.to_vec(), None, tree.star_token.spans[0]),
        };
        let written = Written { path, line: ident.start().line };
        let name = name.filter(|name| name != "_");
        self.current().imports.push(Import { written, name, glob: matches!(tree, UseTree::Glob(_)), reexport });
    }

    /// Finds `a`, `a::b` and so on in the tokens of a macro.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Option<Written> = None;
        let mut before = ' ';
        let mut colons = 0;
        for token in tokens {
            match &token {
                TokenTree::Ident(ident) if colons == 2 && path.is_some() => {
                    path.iter_mut().for_each(|written| written.path.push(ident.to_string()));
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' && path.is_some() && colons < 2 => {
                    colons += 1;
                    continue;
                }
                other => {
                    self.current().paths.extend(path.take());
                    match other {
                        // A path does not begin with a field, a method, a lifetime or an attribute.
                        TokenTree::Ident(ident) if !matches!(before, '.' | '\'') => {
                            let line = ident.span().start().line;
                            path = Some(Written { path: vec![ident.to_string()], line });
                        }
                        TokenTree::Group(group) if before != '#' => self.tokens(group.stream()),
                        _ => {}
                    }
                }
            }
            colons = 0;
            before = if let TokenTree::Punct(punct) = &token { punct.as_char() } else { ' ' };
        }
        self.current().paths.extend(path);
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        let path = self.here.iter().cloned().chain([module.ident.to_string()]).collect();
        match &module.content {
            _ if for_tests(&module.attrs) => self.tests.push(path),
            Some((_, items)) => self.module(&self.file.clone(), path, items),
            None => {}
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !for_tests(&item.attrs) && item.leading_colon.is_none() {
            self.import(&item.tree, &[], !matches!(item.vis, Visibility::Inherited));
        }
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        if !for_tests(&function.attrs) {
            visit::visit_item_fn(self, function);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if let (None, Some(first)) = (path.leading_colon, path.segments.first()) {
            let line = first.ident.span().start().line;
            let path = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.current().paths.push(Written { path, line });
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

fn for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    })
}

/// Returns the name of an item that other modules may import.
fn defined(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        _ => return None,
    };
    Some(name.to_string())
}
