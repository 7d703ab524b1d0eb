//! The routes of one path pattern, by method.

/// The methods of all patterns, each with a number. Number 0 stands for any method.
#[derive(Clone, Debug)]
pub(crate) struct Methods(Vec<(u64, Box<str>)>);

/// The numbers of the methods whose patterns match a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    own: u32,
    /// The number of `GET` for a `HEAD`; [`NO_OTHER`] if patterns for any method do not match.
    else_get: u32,
}

impl Methods {
    /// Adds a method, if it is new, and returns its number. The empty text stands for any method.
    pub(crate) fn add(&mut self, method: &str) -> u32 {
        self.number(method).unwrap_or_else(|| {
            self.0.push((word(method), method.into()));
            u32::try_from(self.0.len() - 1).expect("fewer than 2^32 methods")
        })
    }

    /// The methods whose patterns match a request with this method.
    // Always: a program that serves two kinds of streams has two connection loops, and a call for each costs more.
    #[inline(always)]
    pub(crate) fn wanted(&self, method: &str) -> Wanted {
        let number = |method| self.number(method).unwrap_or(NONE);
        Wanted { own: number(method), else_get: if method == "HEAD" { number("GET") } else { NONE } }
    }

    /// The methods whose patterns match a `CONNECT` without a path: `CONNECT`, and not the patterns for any method.
    pub(crate) fn wanted_by_tunnels(&self) -> Wanted {
        Wanted { own: self.number("CONNECT").unwrap_or(NONE), else_get: NO_OTHER }
    }

    pub(crate) fn name(&self, number: u32) -> &str {
        &self.0[number as usize].1
    }

    fn number(&self, method: &str) -> Option<u32> {
        // A program has a handful of methods, and comparing a word with each costs less than one hash.
        let word = word(method);
        let same = |(first, known): &(u64, Box<str>)| {
            *first == word && known.len() == method.len() && (method.len() <= 8 || **known == *method)
        };
        (0..).zip(&self.0).find(|(_, known)| same(known)).map(|(number, _)| number)
    }
}

/// The bytes of a method of up to eight bytes, in an order that depends on the length alone; else its first eight.
///
/// For one length of at most eight bytes, two methods have the same word only if they are equal. With four to seven
/// bytes the two halves overlap, which loses nothing.
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

/// The routes of one path pattern, by the number of their method.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    /// The first four pairs of method and route. They are not behind a pointer, because every lookup ends here.
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

    /// The route for a request: that of its own method, else of `GET` for a `HEAD`, else that for any method.
    pub(crate) fn route(&self, wanted: Wanted) -> Option<u32> {
        let (mut by_get, mut any) = (None, None);
        for &(method, route) in self.few.iter().chain(&self.more) {
            match method {
                // The pairs are filled from the front, and `more` is empty until they are full. So an unused pair ends
                // the list, and `NONE` in `wanted` never equals a method.
                NONE => break,
                method if method == wanted.own => return Some(route),
                method if method == wanted.else_get => by_get = Some(route),
                ANY => any = Some(route),
                _ => {}
            }
        }
        // With `NO_OTHER` there is no `GET` to fall back to, so only `any` is dropped here.
        by_get.or(any).filter(|_| wanted.else_get != NO_OTHER)
    }

    /// The numbers of the methods that have a route, without that for any method.
    pub(crate) fn methods(&self) -> impl Iterator<Item = u32> {
        self.routes().map(|(method, _)| method).filter(|method| *method != ANY)
    }

    fn routes(&self) -> impl Iterator<Item = (u32, u32)> {
        self.few.iter().chain(&self.more).copied().take_while(|(method, _)| *method != NONE)
    }
}

/// The number that stands for any method.
const ANY: u32 = 0;
/// The number of a method that no pattern has, and the mark of an unused pair in a leaf.
const NONE: u32 = u32::MAX;
/// In place of the number of `GET`: patterns for any method do not match.
const NO_OTHER: u32 = u32::MAX - 1;
