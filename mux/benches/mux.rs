//! The speed of `Mux::find_into`, compared with bare matchit and with a linear scan in one run over the same routes.
//!
//! `cargo bench -p quintet-mux --no-default-features`. matchit is given the distinct paths without methods, which is
//! less than the mux has to know. To answer the same question it would need a router for each method.

#![allow(missing_docs)]

use std::{collections::BTreeSet, hint::black_box, time::Duration};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use quintet_mux::{Found, Mux, Pattern};

/// Most of GitHub's API: 428 routes on 300 paths. Where two of its routes conflict (`/issues/comments/{id}` and
/// `/issues/{number}/comments` both match `/issues/comments/comments`), one of them has another name here.
const GITHUB: &str = include_str!("github.txt");

struct Routes {
    mux: Mux<u32>,
    matchit: matchit::Router<u32>,
    /// A method and a path for every route.
    requests: Vec<(String, String)>,
}

fn routes<'a>(patterns: impl Iterator<Item = &'a str>) -> Routes {
    let mut mux = Mux::new();
    let mut matchit = matchit::Router::new();
    let mut paths = BTreeSet::new();
    let mut requests = Vec::new();
    for (number, text) in (0..).zip(patterns) {
        mux.insert(text, number).expect("no conflict");
        let (method, path) = text.split_once(' ').expect("a method");
        let path = path.replace("{$}", "");
        if paths.insert(path.clone()) {
            matchit.insert(to_matchit(&path), number).expect("no conflict");
        }
        requests.push((method.to_owned(), example(&path, number)));
    }
    Routes { mux, matchit, requests }
}

fn to_matchit(path: &str) -> String {
    match path.strip_suffix("...}") {
        Some(path) => path[..path.rfind('{').expect("a brace")].to_owned() + "{*rest}",
        None => path.to_owned(),
    }
}

/// A path that the pattern matches, with values as long as identifiers.
fn example(path: &str, number: u32) -> String {
    let mut out = String::new();
    for segment in path.split('/').skip(1) {
        let value = format!("{}{}", &segment.trim_matches(['{', '}', '.'])[..segment.len().min(3) / 2], number * 7919);
        out.push('/');
        out.push_str(match segment {
            s if s.ends_with("...}") => "src/lib/main.rs",
            s if s.starts_with('{') => &value,
            s => s,
        });
    }
    out
}

/// Looks up every request once by `find`.
fn all<'a>(requests: impl Iterator<Item = &'a (String, String)>, mut find: impl FnMut(&str, &str) -> u32) -> u32 {
    requests.fold(0, |sum, (method, path)| sum ^ find(black_box(method), black_box(path)))
}

fn compare(c: &mut Criterion, name: &str, routes: &Routes, pick: impl Fn(&str) -> bool + Copy) {
    let requests = || routes.requests.iter().filter(move |(_, path)| pick(path));
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(requests().count() as u64));
    let mut values = Vec::with_capacity(8);
    group.bench_function("mux", |b| {
        b.iter(|| {
            all(requests(), |method, path| match routes.mux.find_into(method, "example.com", path, &mut values) {
                Found::Match(route) => route.value + u32::from(black_box(&values).is_empty()),
                _ => unreachable!("{method} {path}"),
            })
        });
    });
    group.bench_function("matchit", |b| {
        b.iter(|| {
            all(requests(), |_, path| {
                let found = routes.matchit.at(path).expect("a route");
                *found.value + u32::from(black_box(&found.params).is_empty())
            })
        });
    });
    group.finish();
}

fn github(c: &mut Criterion) {
    let routes = routes(GITHUB.lines());
    let wild = |path: &str| path.bytes().any(|b| b.is_ascii_digit());
    compare(c, "github/all", &routes, |_| true);
    compare(c, "github/literal", &routes, |path| !wild(path));
    compare(c, "github/wild", &routes, wild);
}

fn ten_thousand(c: &mut Criterion) {
    let patterns = many();
    compare(c, "10000/all", &routes(patterns.iter().map(String::as_str)), |_| true);
}

/// 10,000 routes: GitHub's API under 24 prefixes.
fn many() -> Vec<String> {
    let under = |version: usize, line: &str| line.replacen(" /", &format!(" /v{version}/"), 1);
    (0..).flat_map(|version| GITHUB.lines().map(move |line| under(version, line))).take(10_000).collect()
}

fn register(c: &mut Criterion) {
    let patterns = many();
    let mut group = c.benchmark_group("register");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    group.bench_function("10000", |b| {
        b.iter_batched(
            Mux::new,
            |mut mux| {
                for pattern in &patterns {
                    mux.insert(pattern, ()).expect("no conflict");
                }
                mux
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// A linear scan, the alternative for a handful of patterns: it compares them one by one, and finds the same values.
struct Scan(Vec<(String, Vec<String>, u32)>);

impl Scan {
    fn find(&self, method: &str, path: &str, values: &mut Vec<(u32, u32)>) -> Option<u32> {
        let fits = |(wanted, segments, _): &&(String, Vec<String>, u32)| {
            values.clear();
            let mut at = 1;
            let mut given = path[1..].split('/');
            let same = segments.iter().all(|wanted| {
                let Some(segment) = given.next() else { return false };
                let from = at;
                at += u32::try_from(segment.len()).expect("a short path") + 1;
                let wild = wanted.starts_with('{') && !segment.is_empty();
                if wild {
                    values.push((from, at - 1 - from));
                }
                wild || segment == wanted
            });
            method == wanted && same && given.next().is_none()
        };
        self.0.iter().find(fits).map(|(.., number)| *number)
    }
}

fn few(c: &mut Criterion) {
    let eight = [
        "GET /users",
        "POST /users",
        "GET /users/{id}",
        "PUT /users/{id}",
        "DELETE /users/{id}",
        "GET /users/{id}/posts",
        "GET /posts/{id}",
        "GET /health",
    ];
    let routes = routes(eight.into_iter());
    let split = |pattern: &&str| {
        let pattern = Pattern::parse(pattern).expect("a pattern");
        let path = &pattern.as_str()[pattern.as_str().find('/').expect("a path") + 1..];
        (pattern.method().expect("a method").to_owned(), path.split('/').map(str::to_owned).collect())
    };
    let scan = Scan((0..).zip(&eight).map(|(n, p)| (split(p), n)).map(|((m, s), n)| (m, s, n)).collect());
    compare(c, "8", &routes, |_| true);
    let mut group = c.benchmark_group("8");
    group.throughput(Throughput::Elements(routes.requests.len() as u64));
    let mut values = Vec::with_capacity(8);
    group.bench_function("scan", |b| {
        b.iter(|| all(routes.requests.iter(), |method, path| scan.find(method, path, &mut values).expect("a route")));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = github, ten_thousand, few, register
}
criterion_main!(benches);
