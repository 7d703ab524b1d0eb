//! The settings of the middleware that compresses replies.

use super::media_type;

/// Compression of replies: settings of the middleware [`compress`](crate::compress).
///
/// A reply is compressed with the coding that the client prefers (`Accept-Encoding`, with its weights): gzip or, with
/// the feature `brotli`, brotli. If the client prefers none, a body of known length is compressed with brotli, and a
/// stream of unknown length with gzip, which needs less memory. A reply is compressed if
/// - its type is one that shrinks, as text, JSON, SVG and fonts do (`types`); the type of a body in memory is guessed if
///   the reply has none, a streamed body needs one;
/// - its length is at least `min_bytes`, or not known;
/// - its status has content (no 204, 205, 304), it is no part (206), it has no coding or digest yet, and no
///   `Cache-Control: no-transform`.
///
/// The reply then has `Content-Encoding`, its `ETag` is weak (so it is not for `If-Match`), and `Accept-Ranges` is
/// removed. Whenever it could have been compressed, `Vary` has `Accept-Encoding`, whatever the client accepts. A reply
/// to HEAD has the fields of the reply to GET. A 304 repeats the weak tag that the client has.
///
/// **The encoder is flushed whenever the body waits**, so server-sent events and other live streams work compressed:
/// what the handler has written is with the client, and can be decoded, before the next wait.
///
/// A body of up to 32 KiB in memory is compressed at once, and sent as it is if that is not shorter. Others are
/// compressed while they are sent, at most 64 KiB of them in one poll.
///
/// # Cost
/// Measured with source code on one core: gzip makes 28 % of it at 105 MB/s, and holds 380 KiB for each reply under
/// way; brotli makes 26 to 27 % of it at 40 MB/s, and holds 2.7 to 5 MB. Each thread keeps one encoder of gzip for bodies
/// in memory. Where the same content is sent often, precompressed files cost nothing.
///
/// # Security
/// Do not compress replies that have both a secret (a token against cross-site requests, say) and text of the request
/// (a search word): an attacker who can make the browser send requests, and sees the length of the replies, guesses the
/// secret letter by letter, also through TLS (the BREACH attack). Leave such handlers without this middleware, or give
/// their replies `Cache-Control: no-transform`.
///
/// ```
/// use quintet_mux::{Compression, ServeMux};
/// use quintet_request::Request;
///
/// let mux = ServeMux::new();
/// mux.handle("/api/", async |_: Request| "[]");
/// // Text of at least 4 KiB, with less work for each byte.
/// let handler = Compression { min_bytes: 4096, gzip_level: 1, ..Compression::default() }.handler(mux);
/// # fn check(_: impl quintet_mux::Handler) {}
/// # check(handler);
/// ```
///
/// # Spec
/// RFC 9110 §8.4, §12.5.3, §12.5.5. Go's net/http has none; `gzhttp` and Caddy's `encode` are alike.
#[derive(Clone, Copy, Debug)]
pub struct Compression {
    /// The least length in bytes; a shorter body is not worth the work. 1,024 by default.
    pub min_bytes: u64,
    /// The level of gzip, 0 to 9. 5 by default: a fifth faster than 6, and 0.4 % larger.
    pub gzip_level: u32,
    /// The quality of brotli, 0 to 11. 5 by default: 4 is larger than gzip, and from 9 on 16 KiB take 8 ms and more.
    /// It has no effect without the feature `brotli`.
    pub brotli_quality: u32,
    /// Which values of `Content-Type` are compressed; [`Compression::is_compressible`] by default.
    pub types: fn(&str) -> bool,
}

impl Default for Compression {
    fn default() -> Self {
        Self { min_bytes: 1_024, gzip_level: 5, brotli_quality: 5, types: Self::is_compressible }
    }
}

impl Compression {
    /// Whether content of this type shrinks: `text/…`, JSON, XML, JavaScript, WebAssembly, SVG and a few more. The
    /// parameters of the type do not matter.
    #[must_use]
    pub fn is_compressible(content_type: &str) -> bool {
        media_type::is_compressible(content_type)
    }
}
