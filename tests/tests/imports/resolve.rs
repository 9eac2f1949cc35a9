//! Resolution of the paths of a crate to the files that define their items.

use crate::graph::{Graph, Place};
use crate::source::{Import, Module, Modules, Path};

/// Maximum number of re-exports through which a path is followed: some re-export themselves.
const DEPTH: usize = 32;

/// The target of a path.
#[derive(Debug, PartialEq)]
pub(crate) enum Named {
    Module(Path),
    /// An item that this module defines.
    Item(Path),
}

/// Collects the imports between files.
///
/// A path counts for the file that defines its item, even if it is re-exported elsewhere. A module
/// is not an item: the items that are used from it have their own paths. A re-export of an item of
/// a child module is not an import, but its use in the same file is.
pub(crate) fn graph(modules: &Modules) -> Graph {
    let mut graph = Graph::default();
    for (here, module) in modules {
        let imports = module.imports.iter().filter_map(|import| {
            let named = resolve(modules, here, &import.written.path, DEPTH)?;
            let defined_in = match named {
                Named::Module(path) if import.glob => path,
                Named::Module(_) => return None,
                Named::Item(path) => path,
            };
            let below = import.reexport && defined_in.starts_with(here);
            (!below).then_some((&import.written, defined_in))
        });
        let paths = module.paths.iter().filter_map(|written| match resolve(modules, here, &written.path, DEPTH)? {
            Named::Item(path) if !is_imported(modules, here, module, &written.path) => Some((written, path)),
            _ => None,
        });
        for (written, defined_in) in imports.chain(paths) {
            let Some(target) = modules.get(&defined_in) else { continue };
            let place = Place { file: module.file.clone(), line: written.line, path: written.path.join("::") };
            graph.add(&module.file, &target.file, place);
        }
    }
    graph
}

/// Returns true if a path begins with an imported item, because the import is counted already.
fn is_imported(modules: &Modules, here: &Path, module: &Module, path: &[String]) -> bool {
    let import = module.imports.iter().find(|import| import.name.as_ref() == path.first() && !import.reexport);
    import.is_some_and(|import| matches!(resolve(modules, here, &import.written.path, DEPTH), Some(Named::Item(_))))
}

/// Finds the target of a path in the module `here`; `None` if it is outside the crate.
pub(crate) fn resolve(modules: &Modules, here: &[String], path: &[String], depth: usize) -> Option<Named> {
    let depth = depth.checked_sub(1)?;
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => descend(modules, &[], rest, depth),
        "self" => descend(modules, here, rest, depth),
        "super" => {
            let (_, parent) = here.split_last()?;
            let again = rest.first().is_some_and(|next| next == "super");
            if again { resolve(modules, parent, rest, depth) } else { descend(modules, parent, rest, depth) }
        }
        _ => find(modules, here, path, depth),
    }
}

/// Continues a path in a module. A name that is not found is an item of the module that a macro
/// creates.
fn descend(modules: &Modules, here: &[String], path: &[String], depth: usize) -> Option<Named> {
    let Some(name) = path.first() else {
        return Some(Named::Module(here.to_vec()));
    };
    let known = modules.get(here)?;
    // If the target of an import was not found, it is in another crate.
    let leads_on = known.imports.iter().any(|import| import.name.as_ref() == Some(name))
        || path.len() > 1 && modules.contains_key(&child(here, name));
    find(modules, here, path, depth).or_else(|| (!leads_on).then(|| Named::Item(here.to_vec())))
}

/// Looks up a path in the scope of a module.
fn find(modules: &Modules, here: &[String], path: &[String], depth: usize) -> Option<Named> {
    let depth = depth.checked_sub(1)?;
    let module = modules.get(here)?;
    let (name, rest) = path.split_first()?;
    let child = child(here, name);
    // A module may have the name of an item: `use respond::respond`.
    if modules.contains_key(&child) && !rest.is_empty() {
        return descend(modules, &child, rest, depth);
    }
    if module.items.contains(name) {
        return Some(Named::Item(here.to_vec()));
    }
    let mut imports = module.imports.iter().filter(|import| import.name.as_ref() == Some(name));
    if let Some(named) = imports.find_map(|import| resolve(modules, here, &import.written.path, depth)) {
        return match named {
            Named::Module(found) => descend(modules, &found, rest, depth),
            item @ Named::Item(_) => Some(item),
        };
    }
    if modules.contains_key(&child) {
        return Some(Named::Module(child));
    }
    let globs = module.imports.iter().filter(|import| import.glob);
    globs.filter_map(|import| glob(modules, here, import, depth)).find_map(|found| find(modules, &found, path, depth))
}

/// Finds the module whose items a glob import brings into scope.
fn glob(modules: &Modules, here: &[String], import: &Import, depth: usize) -> Option<Path> {
    match resolve(modules, here, &import.written.path, depth)? {
        Named::Module(path) if path != here => Some(path),
        _ => None,
    }
}

fn child(here: &[String], name: &str) -> Path {
    here.iter().map(String::as_str).chain([name]).map(str::to_owned).collect()
}
