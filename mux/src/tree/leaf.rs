//! The routes of one path pattern, by method.

/// The methods of all patterns, by number. Number 0 is any method.
#[derive(Clone, Debug)]
pub(crate) struct Methods(Vec<(u64, Box<str>)>);

/// The methods under which a request may be found, by number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    own: u32,
    /// For `HEAD`: the number of `GET`. [`NO_OTHER`] if patterns for any method do not count.
    else_get: u32,
}

impl Methods {
    /// The number of a method; the empty one is any.
    pub(crate) fn add(&mut self, method: &str) -> u32 {
        self.number(method).unwrap_or_else(|| {
            self.0.push((word(method), method.into()));
            u32::try_from(self.0.len() - 1).expect("fewer than 2^32 methods")
        })
    }

    pub(crate) fn wanted(&self, method: &str) -> Wanted {
        let number = |method| self.number(method).unwrap_or(NONE);
        Wanted { own: number(method), else_get: if method == "HEAD" { number("GET") } else { NONE } }
    }

    /// `CONNECT`, and not by the patterns for any method.
    pub(crate) fn wanted_by_tunnels(&self) -> Wanted {
        Wanted { own: self.number("CONNECT").unwrap_or(NONE), else_get: NO_OTHER }
    }

    pub(crate) fn name(&self, number: u32) -> &str {
        &self.0[number as usize].1
    }

    fn number(&self, method: &str) -> Option<u32> {
        // A handful of short texts: nothing is faster than looking at them.
        let word = word(method);
        let same = |(first, known): &(u64, Box<str>)| {
            *first == word && known.len() == method.len() && (method.len() <= 8 || **known == *method)
        };
        (0..).zip(&self.0).find(|(_, known)| same(known)).map(|(number, _)| number)
    }
}

/// The first eight bytes in some order; with the length, all of a method but for the longest.
fn word(method: &str) -> u64 {
    let bytes = method.as_bytes();
    let half = |half: &[u8; 4]| u64::from(u32::from_le_bytes(*half));
    match (bytes.first_chunk(), bytes.first_chunk(), bytes.last_chunk(), bytes) {
        (Some(eight), ..) => u64::from_le_bytes(*eight),
        (None, Some(first), Some(last), _) => half(first) << 32 | half(last),
        (.., [a, b, c]) => half(&[*a, *b, *c, 0]),
        _ => bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

impl Default for Methods {
    fn default() -> Self {
        Self(vec![(0, "".into())])
    }
}

/// Which route each method takes, for requests whose path has been matched.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    /// Methods and routes. They are here and not behind a pointer because every lookup ends here.
    few: [(u32, u32); 4],
    more: Vec<(u32, u32)>,
}

impl Leaf {
    pub(crate) fn new() -> Self {
        Self { few: [(NONE, NONE); 4], more: Vec::new() }
    }

    pub(crate) fn add(&mut self, method: u32, route: u32) {
        match self.few.iter_mut().find(|(method, _)| *method == NONE) {
            Some(free) => *free = (method, route),
            None => self.more.push((method, route)),
        }
    }

    /// The route for a method: its own, then `HEAD` by `GET`, then any.
    pub(crate) fn route(&self, wanted: Wanted) -> Option<u32> {
        let (mut by_get, mut any) = (None, None);
        for &(method, route) in self.few.iter().chain(&self.more) {
            match method {
                NONE => break,
                method if method == wanted.own => return Some(route),
                method if method == wanted.else_get => by_get = Some(route),
                ANY => any = Some(route),
                _ => {}
            }
        }
        by_get.or(any).filter(|_| wanted.else_get != NO_OTHER)
    }

    /// The methods that have a route of their own.
    pub(crate) fn methods(&self) -> impl Iterator<Item = u32> {
        self.routes().map(|(method, _)| method).filter(|method| *method != ANY)
    }

    fn routes(&self) -> impl Iterator<Item = (u32, u32)> {
        self.few.iter().chain(&self.more).copied().take_while(|(method, _)| *method != NONE)
    }
}

const ANY: u32 = 0;
const NONE: u32 = u32::MAX;
const NO_OTHER: u32 = u32::MAX - 1;
