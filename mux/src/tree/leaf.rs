//! The routes of one path pattern, by method.

/// Which route each method takes, for requests whose path has been matched.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leaf {
    any: Option<u32>,
    methods: Vec<(Box<str>, u32)>,
}

impl Leaf {
    /// Adds a route; the empty method is any.
    pub(crate) fn add(&mut self, method: &str, route: u32) {
        match method {
            "" => self.any = Some(route),
            method => self.methods.push((method.into(), route)),
        }
    }

    /// The route for a method: its own, then `HEAD` by `GET`, then any.
    pub(crate) fn route(&self, method: &str) -> Option<u32> {
        let of = |wanted: &str| self.methods.iter().find(|(method, _)| **method == *wanted).map(|(_, route)| *route);
        of(method).or_else(|| if method == "HEAD" { of("GET") } else { None }).or(self.any)
    }

    /// The methods that have a route of their own.
    pub(crate) fn methods(&self) -> impl Iterator<Item = &str> {
        self.methods.iter().map(|(method, _)| &**method)
    }
}
