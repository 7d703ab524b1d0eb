//! The patterns nearest to a request that no pattern matches, and why each of them does not match.

use std::{fmt, panic::Location};

use crate::{
    escape,
    mux::Route,
    pattern::{End, Pattern, Segment},
};

/// A pattern that nearly matches a request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Miss<'m> {
    /// The pattern.
    pub pattern: &'m Pattern,
    /// The place in the program that added the pattern.
    pub at: &'static Location<'static>,
    /// The first reason why the pattern does not match.
    pub reason: MissReason<'m>,
}

/// The reason why a pattern does not match a request. Segments are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MissReason<'m> {
    /// The pattern has one host, and the request another.
    Host {
        /// The host of the pattern, with the port of a `CONNECT`.
        wanted: &'m str,
    },
    /// The request is a `CONNECT` without a path, and the pattern is not a pattern of `CONNECT` that matches `/`.
    NotForTunnels,
    /// The path does not begin with a slash.
    NoSlash,
    /// A literal segment of the pattern differs from that segment of the path.
    Literal {
        /// The number of the segment.
        segment: usize,
        /// The text in the pattern, decoded except for `%2F`, `%25`, `%7B`, `%7D` and bytes that are not UTF-8.
        wanted: &'m str,
        /// The text in the path, as it was sent.
        given: Box<str>,
    },
    /// A segment is a wildcard in the pattern and empty in the path.
    EmptySegment {
        /// The number of the segment.
        segment: usize,
        /// The name of the wildcard.
        name: &'m str,
    },
    /// The path ends before the pattern does.
    TooFewSegments {
        /// The number of segments in the pattern, without its rest.
        wanted: usize,
        /// The number of segments in the path; a slash at its end is not counted.
        given: usize,
    },
    /// The path has more segments than the pattern.
    TooManySegments {
        /// The number of segments in the pattern.
        wanted: usize,
        /// The number of segments in the path; a slash at its end is not counted.
        given: usize,
    },
    /// The path ends in a slash, and the pattern does not.
    TrailingSlash,
}

/// The routes nearest to a request that none of them matches, nearest first. At equal distance the route that was added
/// first comes first. `tunnel` is true for a `CONNECT` without a path.
pub(crate) fn nearest<'m, T>(
    routes: &'m [Route<T>],
    (method, host, port): (&str, &str, Option<u16>),
    path: &str,
    tunnel: bool,
) -> Vec<Miss<'m>> {
    let mut nearest: Vec<(usize, Miss<'m>)> = Vec::with_capacity(MAX_MISSES + 1);
    for Route { pattern, at, .. } in routes {
        let (mut reason, mut distance) = if tunnel { for_tunnel(pattern) } else { for_path(pattern, path) };
        if let Some(wanted) = pattern.host().filter(|_| !pattern.matches_host(method, host, port)) {
            let name = wanted.rsplit_once(':').filter(|_| pattern.port().is_some()).map_or(wanted, |(name, _)| name);
            distance += HOST_DISTANCE + text_distance(name, host);
            reason = Some(MissReason::Host { wanted });
        }
        let Some(reason) = reason else { continue };
        // An insertion into at most four entries: no sort of all routes, and equal distances stay in order of addition.
        let place = nearest.partition_point(|(other, _)| *other <= distance);
        if place < MAX_MISSES {
            nearest.insert(place, (distance, Miss { pattern, at, reason }));
            nearest.truncate(MAX_MISSES);
        }
    }
    nearest.into_iter().map(|(_, miss)| miss).collect()
}

/// Why the pattern does not match a `CONNECT` without a path, and its distance.
fn for_tunnel(pattern: &Pattern) -> (Option<MissReason<'_>>, usize) {
    if pattern.is_for_tunnels() { (None, 0) } else { (Some(MissReason::NotForTunnels), TUNNEL_DISTANCE) }
}

/// The first reason why the pattern does not match a path, and the distance of the whole path from it. A missing slash
/// at the end is no reason: the client is redirected to the path with the slash.
fn for_path<'m>(pattern: &'m Pattern, path: &str) -> (Option<MissReason<'m>>, usize) {
    let Some(path) = path.strip_prefix('/') else { return (Some(MissReason::NoSlash), 1) };
    let mut segments: Vec<&str> = path.split('/').collect();
    let slash = segments.last().is_some_and(|last| last.is_empty());
    if slash {
        segments.pop();
    }
    let (mut reason, mut distance) = (None, 0);
    let template = pattern.template();
    for (n, (wanted, given)) in template.segments.iter().zip(&segments).enumerate() {
        if let Some((why, steps)) = for_segment(pattern, n, wanted, given) {
            distance += steps;
            reason.get_or_insert(why);
        }
    }
    let (wanted, given) = (template.segments.len(), segments.len());
    if given < wanted {
        distance += SEGMENT_DISTANCE * (wanted - given);
        reason.get_or_insert(MissReason::TooFewSegments { wanted, given });
    } else if given > wanted && template.end != End::Rest {
        distance += SEGMENT_DISTANCE * (given - wanted);
        reason.get_or_insert(MissReason::TooManySegments { wanted, given });
    } else if given == wanted && slash && template.end == End::Here {
        distance += 1;
        reason.get_or_insert(MissReason::TrailingSlash);
    }
    (reason, distance)
}

/// Why segment number `n`, counted from 0, does not match, and the distance from one that does.
fn for_segment<'m>(
    pattern: &'m Pattern,
    n: usize,
    wanted: &'m Segment,
    given: &str,
) -> Option<(MissReason<'m>, usize)> {
    let segment = n + 1;
    match wanted {
        Segment::Wild if given.is_empty() => {
            Some((MissReason::EmptySegment { segment, name: pattern.wild_name(n) }, 1))
        }
        Segment::Wild => None,
        Segment::Literal(wanted) if escape::canonical(given) == **wanted => None,
        Segment::Literal(wanted) => {
            Some((MissReason::Literal { segment, wanted, given: given.into() }, text_distance(wanted, given)))
        }
    }
}

/// The distance of two texts: 1 if one looks like a misspelling of the other, else more.
///
/// The cost is linear in their lengths, because a client chooses the path: an edit distance would be quadratic.
fn text_distance(wanted: &str, given: &str) -> usize {
    let same = |(a, b): &(u8, u8)| a.eq_ignore_ascii_case(b);
    let before = wanted.bytes().zip(given.bytes()).take_while(same).count();
    let behind = wanted.bytes().rev().zip(given.bytes().rev()).take_while(same).count();
    let longer = wanted.len().max(given.len());
    if 2 * (before + behind) >= longer { 1 } else { SEGMENT_DISTANCE + 1 }
}

impl fmt::Display for MissReason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let segments = |n: &usize| match n {
            0 => "no segment".to_owned(),
            1 => "1 segment".to_owned(),
            n => format!("{n} segments"),
        };
        match self {
            Self::Host { wanted } => write!(f, "is for the host {wanted}"),
            Self::NotForTunnels => write!(f, "is not for CONNECT without a path"),
            Self::NoSlash => write!(f, "begins with a slash, the path does not"),
            Self::Literal { segment, wanted, given } => write!(f, "segment {segment} is {given:?}, not {wanted:?}"),
            Self::EmptySegment { segment, name } => write!(f, "segment {segment} is empty, {{{name}}} is not"),
            Self::TooFewSegments { wanted, given } => {
                write!(f, "the path has {}, the pattern {wanted}", segments(given))
            }
            Self::TooManySegments { wanted, given } => {
                write!(f, "the path has {}, the pattern ends after {wanted}", segments(given))
            }
            Self::TrailingSlash => write!(f, "the path ends in a slash, the pattern does not"),
        }
    }
}

/// The greatest number of misses in an explanation.
const MAX_MISSES: usize = 3;
/// The distance of two paths for each segment that only one of them has.
const SEGMENT_DISTANCE: usize = 2;
/// The distance that another host adds.
const HOST_DISTANCE: usize = 2;
/// The distance of a pattern of another method from a `CONNECT` without a path: more than that of another host.
const TUNNEL_DISTANCE: usize = 8;
