//! A content coding that is applied to a body piece by piece.

use std::{cell::RefCell, fmt, mem};

use flate2::{Compress, FlushCompress, Status};

use super::compression::Compression;

/// The codings for a body of known length, in the order of preference.
#[cfg(feature = "brotli")]
pub(super) const OFFERED: &[&str] = &["br", "gzip"];
#[cfg(not(feature = "brotli"))]
pub(super) const OFFERED: &[&str] = &["gzip"];
/// The codings for a body of unknown length. It may be a stream that is open for hours, with its encoder in memory.
#[cfg(feature = "brotli")]
pub(super) const OFFERED_STREAMS: &[&str] = &["gzip", "br"];
#[cfg(not(feature = "brotli"))]
pub(super) const OFFERED_STREAMS: &[&str] = OFFERED;

/// The window of gzip: 32 KiB, the most that the format has.
const GZIP_WINDOW_BITS: u8 = 15;
/// The window of brotli: 256 KiB. With the usual 4 MiB each reply under way would hold 10 MB and more; with 64 KiB the
/// encoder takes slower ways that hold 35 MB.
#[cfg(feature = "brotli")]
const BROTLI_WINDOW_BITS: u32 = 18;
/// The least room that an encoder is given for its output.
const MIN_ROOM_BYTES: usize = 4 * 1024;

thread_local! {
    /// The encoder of the last whole body, with its level: making one anew costs more than compressing 1 KiB.
    static WHOLE: RefCell<Option<(u32, Box<Compress>)>> = const { RefCell::new(None) };
}

/// An encoder and the bytes that it has made.
pub(super) struct Encoder {
    coding: Kind,
    out: Vec<u8>,
}

enum Kind {
    Gzip(Box<Compress>),
    #[cfg(feature = "brotli")]
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
}

impl Encoder {
    /// An encoder for the coding with this name of [`OFFERED`].
    pub(super) fn new(coding: &str, settings: &Compression) -> Self {
        let coding = match coding {
            #[cfg(feature = "brotli")]
            "br" => Kind::Brotli(Box::new(brotli(settings))),
            _ => Kind::Gzip(Box::new(gzip(settings.gzip_level))),
        };
        Self { coding, out: Vec::new() }
    }

    /// Compresses a whole body.
    pub(super) fn whole(coding: &str, settings: &Compression, data: &[u8]) -> Vec<u8> {
        match coding {
            #[cfg(feature = "brotli")]
            "br" => {
                let mut encoder = brotli(settings);
                write(&mut encoder, data);
                encoder.into_inner()
            }
            _ => WHOLE.with_borrow_mut(|kept| {
                let level = settings.gzip_level;
                let (_, encoder) = match kept {
                    Some((of, encoder)) if *of == level => {
                        encoder.reset();
                        kept.as_mut().expect("it was matched")
                    }
                    _ => kept.insert((level, Box::new(gzip(level)))),
                };
                let mut out = Vec::with_capacity(data.len() / 2 + MIN_ROOM_BYTES);
                run(encoder, data, FlushCompress::Finish, &mut out);
                out
            }),
        }
    }

    /// Adds data; the bytes that it becomes may be made later.
    pub(super) fn write(&mut self, data: &[u8]) {
        match &mut self.coding {
            Kind::Gzip(encoder) => run(encoder, data, FlushCompress::None, &mut self.out),
            #[cfg(feature = "brotli")]
            Kind::Brotli(encoder) => write(encoder, data),
        }
    }

    /// Makes the bytes of everything that was written, so that a decoder of them has all of it.
    pub(super) fn flush(&mut self) {
        match &mut self.coding {
            Kind::Gzip(encoder) => run(encoder, &[], FlushCompress::Sync, &mut self.out),
            #[cfg(feature = "brotli")]
            Kind::Brotli(encoder) => std::io::Write::flush(encoder).expect("a vector takes every byte"),
        }
    }

    /// The number of bytes that were made and not taken.
    pub(super) fn len(&self) -> usize {
        match &self.coding {
            Kind::Gzip(_) => self.out.len(),
            #[cfg(feature = "brotli")]
            Kind::Brotli(encoder) => encoder.get_ref().len(),
        }
    }

    /// Takes the bytes that were made.
    pub(super) fn take(&mut self) -> Vec<u8> {
        match &mut self.coding {
            Kind::Gzip(_) => mem::take(&mut self.out),
            #[cfg(feature = "brotli")]
            Kind::Brotli(encoder) => mem::take(encoder.get_mut()),
        }
    }

    /// Ends the content; returns the bytes that were not taken.
    pub(super) fn finish(mut self) -> Vec<u8> {
        match self.coding {
            Kind::Gzip(mut encoder) => {
                run(&mut encoder, &[], FlushCompress::Finish, &mut self.out);
                self.out
            }
            #[cfg(feature = "brotli")]
            Kind::Brotli(encoder) => encoder.into_inner(),
        }
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").field("len", &self.len()).finish_non_exhaustive()
    }
}

fn gzip(level: u32) -> Compress {
    Compress::new_gzip(flate2::Compression::new(level.min(9)), GZIP_WINDOW_BITS)
}

/// Runs an encoder until all of the data is in it and, unless `flush` is `None`, all of it has come out.
fn run(encoder: &mut Compress, mut data: &[u8], flush: FlushCompress, out: &mut Vec<u8>) {
    loop {
        out.reserve(MIN_ROOM_BYTES);
        let before = encoder.total_in();
        let status = encoder.compress_vec(data, out, flush).expect("the encoder was not used after its end");
        let taken = usize::try_from(encoder.total_in() - before).expect("at most the length of the data");
        data = &data[taken..];
        // As zlib's manual says: while the room is used up, there is more to come.
        let is_all_out = out.len() < out.capacity();
        match flush {
            FlushCompress::Finish if status == Status::StreamEnd => return,
            FlushCompress::Finish => {}
            FlushCompress::None if data.is_empty() => return,
            _ if data.is_empty() && is_all_out => return,
            _ => {}
        }
    }
}

#[cfg(feature = "brotli")]
fn brotli(settings: &Compression) -> brotli::CompressorWriter<Vec<u8>> {
    brotli::CompressorWriter::new(Vec::new(), MIN_ROOM_BYTES, settings.brotli_quality.min(11), BROTLI_WINDOW_BITS)
}

#[cfg(feature = "brotli")]
fn write(encoder: &mut brotli::CompressorWriter<Vec<u8>>, data: &[u8]) {
    std::io::Write::write_all(encoder, data).expect("a vector takes every byte");
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    fn decode(coding: &str, bytes: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        match coding {
            #[cfg(feature = "brotli")]
            "br" => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut plain).expect("brotli"),
            _ => flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).expect("gzip"),
        };
        plain
    }

    /// As much as can be decoded of content that has not ended.
    fn decode_prefix(coding: &str, bytes: &[u8]) -> Vec<u8> {
        let mut plain = vec![0; 128 * 1024];
        let mut len = 0;
        let mut reader: Box<dyn Read + '_> = match coding {
            #[cfg(feature = "brotli")]
            "br" => Box::new(brotli::Decompressor::new(bytes, 4096)),
            _ => Box::new(flate2::read::GzDecoder::new(bytes)),
        };
        while let Ok(more) = reader.read(&mut plain[len..]) {
            if more == 0 {
                break;
            }
            len += more;
        }
        plain.truncate(len);
        plain
    }

    #[test]
    fn incompressible_data_is_decoded_as_it_was() {
        let mut state = 1_u32;
        let noise: Vec<u8> = (0..100_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_be_bytes()[0]
            })
            .collect();
        for coding in OFFERED {
            for settings in [Compression::default(), Compression { gzip_level: 0, ..Compression::default() }] {
                assert!(decode(coding, &Encoder::whole(coding, &settings, &noise)) == noise, "{coding}");
                let mut encoder = Encoder::new(coding, &settings);
                let mut out = Vec::new();
                for piece in noise.chunks(40_000) {
                    encoder.write(piece);
                    encoder.flush();
                    out.extend_from_slice(&encoder.take());
                    assert!(noise.starts_with(&decode_prefix(coding, &out)));
                }
                out.extend_from_slice(&encoder.finish());
                assert!(decode(coding, &out) == noise, "{coding}");
            }
        }
    }

    #[test]
    fn levels_beyond_the_highest_are_the_highest() {
        let settings = Compression { gzip_level: 100, brotli_quality: 100, ..Compression::default() };
        for coding in OFFERED {
            assert_eq!(decode(coding, &Encoder::whole(coding, &settings, b"hello")), b"hello");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Whatever is written and whenever it is flushed: after a flush a decoder has all of it, at the end too.
        #[test]
        fn what_was_flushed_can_be_decoded_at_once(
            pieces in prop::collection::vec((prop::collection::vec(0_u8..4, 0..1000), any::<bool>()), 0..8),
        ) {
            for coding in OFFERED {
                let mut encoder = Encoder::new(coding, &Compression::default());
                let (mut plain, mut out) = (Vec::new(), Vec::new());
                for (piece, flush) in &pieces {
                    encoder.write(piece);
                    plain.extend_from_slice(piece);
                    if *flush {
                        encoder.flush();
                        out.extend_from_slice(&encoder.take());
                        prop_assert_eq!(encoder.len(), 0);
                        prop_assert!(decode_prefix(coding, &out) == plain, "{}", coding);
                    }
                }
                out.extend_from_slice(&encoder.finish());
                prop_assert!(decode(coding, &out) == plain);
                prop_assert!(decode(coding, &Encoder::whole(coding, &Compression::default(), &plain)) == plain);
            }
        }
    }
}
