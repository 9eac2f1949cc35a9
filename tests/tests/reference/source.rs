//! Documentation comments, read from the source code.

use std::fs;
use std::path::Path;

use syn::{Attribute, Expr, ImplItem, Item, Lit, Meta, Visibility};

use crate::at;

fn parse(path: &Path) -> syn::File {
    syn::parse_file(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Returns the text of a documentation comment as one line, without its code and without links.
pub(crate) fn text(attributes: &[Attribute]) -> String {
    let mut text = String::new();
    let mut is_code = false;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        let Meta::NameValue(pair) = &attribute.meta else { continue };
        let Expr::Lit(literal) = &pair.value else { continue };
        let Lit::Str(line) = &literal.lit else { continue };
        let line = line.value();
        let line = line.trim();
        if line.starts_with("# ") && !is_code {
            break;
        }
        if line.starts_with("```") {
            is_code = !is_code;
        } else if !is_code && !line.starts_with('|') && !line.is_empty() {
            text += if text.is_empty() { "" } else { " " };
            text += line;
        }
    }
    unlinked(&text)
}

/// Returns the text with ``[`a`](b)`` and ``[`a`]`` as `` `a` ``.
fn unlinked(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        plain += before;
        let Some((name, after)) = link.split_once(']') else {
            rest = link;
            continue;
        };
        let target = after.strip_prefix('(').and_then(|target| target.split_once(')'));
        let is_link = target.is_some() || name.starts_with('`') && name.ends_with('`');
        plain += &if is_link { name.to_owned() } else { format!("[{name}]") };
        rest = target.map_or(after, |(_, after)| after);
    }
    plain + rest
}

/// Returns the first sentence.
pub(crate) fn sentence(text: &str) -> &str {
    text.find(". ").map_or(text, |end| text.get(..=end).unwrap())
}

/// Returns the documented fields of a struct.
pub(crate) fn fields(path: &str, name: &str) -> Vec<(String, String)> {
    let items = parse(&at(path)).items.into_iter();
    let found = items.filter_map(|item| if let Item::Struct(found) = item { Some(found) } else { None });
    let found = found.into_iter().find(|found| found.ident == name).unwrap();
    found.fields.iter().map(|field| (field.ident.as_ref().unwrap().to_string(), text(&field.attrs))).collect()
}

/// Returns the documented variants of an enum.
pub(crate) fn variants(path: &str, name: &str) -> Vec<(String, String)> {
    let items = parse(&at(path)).items.into_iter();
    let found = items.filter_map(|item| if let Item::Enum(found) = item { Some(found) } else { None });
    let found = found.into_iter().find(|found| found.ident == name).unwrap();
    found.variants.iter().map(|variant| (variant.ident.to_string(), text(&variant.attrs))).collect()
}

/// A public function of a type, with its documentation.
pub(crate) struct Function {
    pub(crate) owner: String,
    pub(crate) name: String,
    pub(crate) text: String,
}

/// Returns the public functions in the files of this folder and below.
pub(crate) fn functions(folder: &str) -> Vec<Function> {
    let mut functions = Vec::new();
    collect(&at(folder), &mut functions);
    functions
}

fn collect(folder: &Path, functions: &mut Vec<Function>) {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, functions);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            for item in parse(&path).items {
                let Item::Impl(block) = item else { continue };
                let syn::Type::Path(owner) = &*block.self_ty else { continue };
                let owner = owner.path.segments.last().unwrap().ident.to_string();
                functions.extend(block.items.into_iter().filter_map(|item| match item {
                    ImplItem::Fn(function) if matches!(function.vis, Visibility::Public(_)) => Some(Function {
                        owner: owner.clone(),
                        name: function.sig.ident.to_string(),
                        text: text(&function.attrs),
                    }),
                    _ => None,
                }));
            }
        }
    }
}

#[test]
fn links_become_names() {
    assert_eq!(unlinked("a [`b`](c::d) and [`e`], `[f]` end"), "a `b` and `e`, `[f]` end");
    assert_eq!(sentence("One. Two."), "One.");
}
