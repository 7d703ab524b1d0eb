//! The façade: `quintet_server` re-exports the names that most programs use, and all others through its modules. Every
//! type in a public signature of the five crates can be named through it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The crates, lowest first.
const CRATES: [&str; 5] = ["listener", "conn", "request", "mux", "server"];

/// The types of other crates and of the language in signatures.
const OTHERS: &str = "Any Arc AsRef AsyncRead AsyncWrite Box Context Cow CryptoProvider DeserializeOwned Duration Error ErrorKind \
    File Fn FnOnce FromStr Future HeaderMap HeaderName HeaderValue Instant Into IntoIterator IpAddr Item Layer Location \
    Method MutexGuard NonZeroUsize Option Parts Path PathBuf Pin Poll ProducesTickets Result Self Send Serialize Service \
    Sized SocketAddr String Sync SystemTime TcpStream TryInto UnixStream Unpin Vec";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the server's folder is in the workspace")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A source without comments, attributes and the tests at its end.
fn code(source: &str) -> String {
    let code = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let is_code = |line: &&str| !line.trim_start().starts_with("//") && !line.trim_start().starts_with('#');
    code.lines().filter(is_code).map(|line| line.to_owned() + "\n").collect()
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// Whether a word is the name of a type: camel case, and longer than the letter of a generic parameter.
fn is_type(word: &str) -> bool {
    word.starts_with(char::is_uppercase) && word.contains(char::is_lowercase)
}

/// The types that the `pub use` lines of a crate's root name, and those of its public modules.
fn exported(layer: &str) -> BTreeSet<String> {
    let src = root().join(layer).join("src");
    let mut source = code(&read(&src.join("lib.rs")));
    let modules = source.split("pub mod ").skip(1).filter_map(|rest| rest.split(';').next());
    let modules: Vec<PathBuf> = modules.map(|name| src.join(name).join("mod.rs")).collect();
    modules.iter().filter(|file| file.is_file()).for_each(|file| source.push_str(&code(&read(file))));
    let uses = source.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next());
    uses.flat_map(words).filter(|word| is_type(word)).map(str::to_owned).collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The type that an item at the left margin belongs to: `impl<T> A for B<T> {` belongs to `B`.
fn subject(line: &str) -> Option<&str> {
    let item = line.strip_prefix("pub ").unwrap_or(line);
    let kind = ["impl", "struct ", "enum ", "trait ", "type "].iter().find(|kind| item.starts_with(**kind))?;
    let rest = &item[kind.len()..];
    let rest = match rest.strip_prefix('<') {
        Some(generics) if *kind == "impl" => {
            let mut depth = 1;
            let end = generics.find(|c| {
                depth += i32::from(c == '<') - i32::from(c == '>');
                depth == 0
            })?;
            &generics[end + 1..]
        }
        _ => rest,
    };
    let of = rest.split(" for ").last()?;
    words(of).find(|word| is_type(word))
}

/// The public text of a file about exported types: signatures, fields, and the bodies of enums and traits.
fn signatures(source: &str, exported: &BTreeSet<String>) -> Vec<String> {
    let (mut found, mut about, mut whole) = (Vec::new(), false, false);
    let source = code(source);
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if !line.starts_with([' ', '}']) {
            about = subject(line).is_some_and(|name| exported.contains(name));
            whole = about && (line.starts_with("pub enum") || line.starts_with("pub trait"));
        }
        let item = line.trim_start();
        let public = item.starts_with("pub ") && !item.starts_with("pub struct") && !item.starts_with("pub use");
        if !about || !(public || whole) {
            continue;
        }
        let mut text = item.to_owned();
        while text.contains("fn ") && !text.contains(['{', ';']) {
            text.push_str(lines.next().unwrap_or("{"));
        }
        // Of an enum variant only its fields count; the value of a constant and the body of a function do not.
        let holds = if text.contains("fn ") || public { Some(0) } else { text.find(['(', ':']) };
        let text = &text[holds.unwrap_or(text.len())..];
        found.push(text.split(['{', '=']).next().unwrap_or_default().to_owned());
    }
    found
}

#[test]
fn every_type_of_a_public_signature_can_be_named() {
    let exports: BTreeSet<String> = CRATES.iter().flat_map(|layer| exported(layer)).collect();
    let others: BTreeSet<&str> = OTHERS.split_whitespace().collect();
    let (mut looked, mut missing) = (0, BTreeSet::new());
    for layer in CRATES {
        for file in sources(&root().join(layer).join("src")) {
            let source = read(&file);
            for signature in signatures(&source, &exports) {
                looked += 1;
                let generic = |word: &str| signature.contains(&format!("<{word}")) && word.len() == 3;
                let known = |word: &str| exports.contains(word) || others.contains(word) || generic(word);
                for word in words(&signature).filter(|word| is_type(word) && !known(word)) {
                    missing.insert(format!("{word}: {}: {signature}", file.display()));
                }
            }
        }
    }
    assert!(looked > 300, "{looked} signatures");
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Each module is its crate, and the flat names are the crates' own.
#[test]
fn the_modules_of_the_facade_are_the_crates() {
    fn same<T: 'static, U: 'static>() {
        assert_eq!(std::any::TypeId::of::<T>(), std::any::TypeId::of::<U>());
    }
    same::<quintet_server::listener::Addr, quintet_listener::Addr>();
    same::<quintet_server::conn::Counts, quintet_conn::Counts>();
    same::<quintet_server::request::Target<'static>, quintet_request::Target<'static>>();
    same::<quintet_server::mux::Upgraded, quintet_mux::Upgraded>();
    same::<quintet_server::Request, quintet_server::request::Request>();
    same::<quintet_server::Response, quintet_server::mux::Response>();
    same::<quintet_server::Timeouts, quintet_server::conn::Timeouts>();
}

/// A longer list would no longer be read, only searched.
#[test]
fn the_flat_names_of_other_crates_are_some_twenty() {
    let source = code(&read(&root().join("server/src/lib.rs")));
    let uses = source.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next());
    let others = uses.filter(|path| path.starts_with("quintet_") && path.contains("::"));
    let names: Vec<_> = others.flat_map(|path| words(path).skip(1)).collect();
    assert!((15..=25).contains(&names.len()), "{} names: {names:?}", names.len());
}
