//! Which file of a crate uses which, from its paths (`use crate::…`, `super::…`). A name that a `mod.rs` or `lib.rs`
//! re-exports is followed to the file that defines it. Tests at the end of a file and re-exports do not count.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// A module, as the names of the path to it; the crate's root is empty.
type Module = Vec<String>;
/// The names of a path, as they are written.
type Names = Vec<String>;

/// The files of one crate.
pub(crate) struct Uses {
    files: BTreeMap<Module, File>,
}

struct File {
    /// Whether it is a `mod.rs` or `lib.rs`, whose names are those of its children.
    is_folder: bool,
    /// Its exports: the name, and the path behind it.
    exports: BTreeMap<String, Names>,
    paths: Vec<Names>,
}

impl Uses {
    /// Reads every file below a crate's `src`.
    pub(crate) fn read(src: &Path) -> Self {
        let mut uses = Self { files: BTreeMap::new() };
        uses.read_folder(src, &Vec::new());
        uses
    }

    fn read_folder(&mut self, folder: &Path, module: &Module) {
        for entry in fs::read_dir(folder).expect("a readable folder") {
            let path = entry.expect("a readable folder").path();
            let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("a name in ASCII").to_owned();
            if path.is_dir() {
                self.read_folder(&path, &child(module, &stem));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let is_folder = stem == "mod" || stem == "lib";
                let name = if is_folder { module.clone() } else { child(module, &stem) };
                let text = fs::read_to_string(&path).expect("text");
                self.files.insert(name, File::read(&text, is_folder));
            }
        }
    }

    /// The files that a file uses, itself left out.
    fn used_by(&self, module: &Module) -> BTreeSet<&Module> {
        let paths = self.files[module].paths.iter().filter_map(|path| self.resolve(module, path, 0));
        paths.filter(|used| *used != module).collect()
    }

    /// The file of this crate that a path leads to, if any.
    fn resolve(&self, from: &Module, path: &[String], depth: usize) -> Option<&Module> {
        let (mut at, mut rest): (Module, _) = match path.first()?.as_str() {
            "crate" => (Vec::new(), &path[1..]),
            "super" => {
                let up = path.iter().take_while(|name| *name == "super").count();
                (from[..from.len().checked_sub(up)?].to_vec(), &path[up..])
            }
            "self" => (from.clone(), &path[1..]),
            first if self.files[from].is_folder => {
                let below = child(from, first);
                (self.files.contains_key(&below).then_some(below)?, &path[1..])
            }
            _ => return None,
        };
        while let Some(name) = rest.first() {
            let below = child(&at, name);
            if !self.files.contains_key(&below) {
                break;
            }
            (at, rest) = (below, &rest[1..]);
        }
        let (here, file) = self.files.get_key_value(&at)?;
        let exported = rest.first().and_then(|name| file.exports.get(name)).filter(|_| depth < 8);
        exported.and_then(|path| self.resolve(here, path, depth + 1)).or(Some(here))
    }

    /// The sets of files that use each other, directly or through others.
    pub(crate) fn circles(&self) -> Vec<BTreeSet<String>> {
        let reached: BTreeMap<&Module, BTreeSet<&Module>> =
            self.files.keys().map(|module| (module, self.reached_from(module))).collect();
        let circles: BTreeSet<BTreeSet<String>> = self
            .files
            .keys()
            .filter(|module| reached[module].contains(module))
            .map(|module| {
                let others = reached[module].iter().filter(|other| reached[**other].contains(module));
                others.map(|other| other.join("/")).collect()
            })
            .collect();
        circles.into_iter().collect()
    }

    fn reached_from(&self, module: &Module) -> BTreeSet<&Module> {
        let mut reached = BTreeSet::new();
        let mut todo: Vec<&Module> = self.used_by(module).into_iter().collect();
        while let Some(next) = todo.pop() {
            if reached.insert(next) {
                todo.extend(self.used_by(next));
            }
        }
        reached
    }
}

impl File {
    fn read(text: &str, is_folder: bool) -> Self {
        let mut file = Self { is_folder, exports: BTreeMap::new(), paths: Vec::new() };
        let code = code(text);
        let mut rest = &code[..];
        while let Some(at) = next_use(rest) {
            file.read_paths(&rest[..at]);
            let public = rest[..at].rsplit([';', '}', '{', ']', '\n']).next().is_some_and(|line| line.contains("pub"));
            let end = rest[at..].find(';').map_or(rest.len(), |end| at + end);
            for path in tree(&rest[at + "use ".len()..end]) {
                match path.last() {
                    Some(name) if public && is_folder => _ = file.exports.insert(name.clone(), path),
                    _ => file.paths.push(path),
                }
            }
            rest = &rest[end..];
        }
        file.read_paths(rest);
        file
    }

    /// The paths in the code outside of `use` lines.
    fn read_paths(&mut self, code: &str) {
        let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        for words in code.split(|c| !is_name(c)) {
            if words.starts_with("crate::") || words.starts_with("super::") {
                self.paths.push(words.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect());
            }
        }
    }
}

/// A module below another.
fn child(module: &Module, name: &str) -> Module {
    module.iter().map(String::as_str).chain([name]).map(str::to_owned).collect()
}

/// The text without comments and without the tests at its end.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Where the next `use` item begins: behind another item, not in a sentence of a string.
fn next_use(code: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = code[from..].find("use ").map(|at| from + at) {
        let before = code[..at].trim_end();
        let is_word = code[..at].is_empty() || code[..at].ends_with(['\n', ' ', '\t']);
        if is_word && (before.is_empty() || before.ends_with([';', '{', '}', ')', ']']) || before.ends_with("pub")) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

/// The paths of a `use` item: `a::{b, c::{d, e as f}}` is `a::b`, `a::c::d` and `a::c::e`.
fn tree(item: &str) -> Vec<Names> {
    let item = item.trim();
    let Some((prefix, body)) = item.split_once('{') else {
        let path = item.split(" as ").next().unwrap_or_default();
        return vec![path.split("::").map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()];
    };
    let body = body.trim_end().strip_suffix('}').expect("a closing brace");
    let (mut parts, mut depth, mut from) = (Vec::new(), 0_usize, 0);
    for (at, byte) in body.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(&body[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&body[from..]);
    let parts = parts.into_iter().filter(|part| !part.trim().is_empty());
    parts.flat_map(|part| tree(&format!("{prefix}{}", part.trim()))).collect()
}
