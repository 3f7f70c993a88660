//! Deflating and inflating one message, with compressors that belong to the thread.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::Bad;

/// The end of a flushed message, which is not sent (RFC 7692, 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// docs/performance.md compares the levels.
const LEVEL: u32 = 2;
/// Bits of the windows with which zlib makes raw deflate data.
pub(super) const SMALLEST_WINDOW: u8 = 9;
pub(super) const LARGEST_WINDOW: u8 = 15;
const WINDOWS: usize = (LARGEST_WINDOW - SMALLEST_WINDOW) as usize + 1;
/// The last message of at most this length is kept with what it became: a room's message leaves through many sockets.
const KEPT: usize = 8 * 1024;
/// More memory than this is not kept for the next message.
const KEPT_SCRATCH: usize = 512 * 1024;
/// What a message may be longer deflated than inflated, beside an eighth: compressors of clients need not be good.
const OVERHEAD: usize = 1024;
const FIRST_GUESS: usize = 1024;

#[derive(Default)]
struct Deflater {
    /// One a size of the window, made when it is first asked for.
    compressors: [Option<Compress>; WINDOWS],
    scratch: Vec<u8>,
    kept: Kept,
}

#[derive(Default)]
struct Kept {
    window: usize,
    plain: Vec<u8>,
    /// Its length in the scratch; `None` when it did not become smaller.
    deflated: Option<usize>,
}

thread_local! {
    static DEFLATER: RefCell<Deflater> = RefCell::default();
    static INFLATER: RefCell<Option<Box<Decompress>>> = const { RefCell::new(None) };
}

/// Hands on the deflated message, or nothing when that would not be smaller. `window_bits` is 9 to 15.
pub fn deflate<T>(plain: &[u8], window_bits: u8, hand_on: impl FnOnce(&[u8]) -> T) -> Option<T> {
    DEFLATER.with_borrow_mut(|deflater| deflater.deflate(plain, window_bits).map(hand_on))
}

impl Deflater {
    fn deflate(&mut self, plain: &[u8], window_bits: u8) -> Option<&[u8]> {
        let window = usize::from(window_bits.checked_sub(SMALLEST_WINDOW)?);
        let Self { compressors, scratch, kept } = self;
        if plain.is_empty() {
            return None;
        }
        if !(kept.window == window && kept.plain == plain) {
            let compress = compressors.get_mut(window)?.get_or_insert_with(|| {
                Compress::new_with_window_bits(Compression::new(LEVEL), false, window_bits)
            });
            let room = plain.len() + TAIL.len();
            if scratch.len() < room || scratch.len() > KEPT_SCRATCH.max(room) {
                *scratch = vec![0; room];
            }
            kept.deflated = into(compress, plain, &mut scratch[..room]);
            kept.window = window;
            kept.plain.clear();
            if plain.len() <= KEPT {
                kept.plain.extend_from_slice(plain);
            }
        }
        kept.deflated.map(|length| &scratch[..length])
    }
}

/// The length without the tail, when all of it had room and became smaller.
fn into(compress: &mut Compress, plain: &[u8], room: &mut [u8]) -> Option<usize> {
    compress.reset();
    let status = compress.compress(plain, room, FlushCompress::Sync).ok()?;
    let (taken, length) = (compress.total_in() as usize, compress.total_out() as usize);
    // With the room used up something may be left inside.
    let whole = status == Status::Ok && taken == plain.len() && length < room.len();
    let body = room[..length].strip_suffix(&TAIL).filter(|_| whole)?.len();
    (body < plain.len()).then_some(body)
}

/// What a message may have in its frames when it may have `limit` bytes inflated.
pub(super) const fn longest_deflated(limit: usize) -> usize {
    limit.saturating_add(limit / 8).saturating_add(OVERHEAD)
}

/// Inflates a message behind what is in `into`, which grows little beyond `limit` however much there is.
pub fn inflate(deflated: &[u8], limit: usize, into: &mut Vec<u8>) -> Result<(), Bad> {
    INFLATER.with_borrow_mut(|inflater| {
        let inflater = inflater.get_or_insert_with(|| Box::new(Decompress::new(false)));
        inflater.reset(false);
        let begin = into.len();
        into.reserve_exact(deflated.len().saturating_mul(4).max(FIRST_GUESS).min(limit.saturating_add(1)));
        for part in [deflated, &TAIL] {
            inflate_part(inflater, part, begin, limit, into)?;
        }
        Ok(())
    })
}

fn inflate_part(
    inflater: &mut Decompress,
    mut part: &[u8],
    begin: usize,
    limit: usize,
    into: &mut Vec<u8>,
) -> Result<(), Bad> {
    loop {
        if into.len() == into.capacity() {
            let had = into.len() - begin;
            into.reserve_exact(had.max(FIRST_GUESS).min(limit.saturating_add(1) - had.min(limit)));
        }
        let (taken, length) = (inflater.total_in(), into.len());
        let status = inflater.decompress_vec(part, into, FlushDecompress::Sync).map_err(|_| Bad::Data)?;
        let taken = (inflater.total_in() - taken) as usize;
        part = &part[taken..];
        if into.len() - begin > limit {
            return Err(Bad::TooLarge);
        }
        if status == Status::StreamEnd {
            // A block may say that it is the last and yet be followed by others (RFC 7692, 7.2.3.4).
            inflater.reset(false);
            if part.is_empty() {
                return Ok(());
            }
        } else if into.len() < into.capacity() {
            if part.is_empty() {
                return Ok(());
            }
            if taken == 0 && into.len() == length {
                return Err(Bad::Data);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deflated(plain: &[u8], window_bits: u8) -> Option<Vec<u8>> {
        deflate(plain, window_bits, <[u8]>::to_vec)
    }

    fn inflated(deflated: &[u8], limit: usize) -> Result<Vec<u8>, Bad> {
        let mut into = Vec::new();
        inflate(deflated, limit, &mut into).map(|()| into)
    }

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        // RFC 7692, 7.2.3: one block, no compression, a last block, two blocks.
        let hello: [&[u8]; 4] = [
            &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
            &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
            &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
        ];
        for bytes in hello {
            assert_eq!(inflated(bytes, 5), Ok(b"Hello".to_vec()), "{bytes:x?}");
            assert_eq!(inflated(bytes, 4), Err(Bad::TooLarge), "{bytes:x?}");
        }
        assert_eq!(inflated(&[0], 0), Ok(Vec::new()));
        assert_eq!(inflated(&[], 0), Ok(Vec::new()));
    }

    #[test]
    fn what_is_deflated_comes_back_with_every_window() {
        let text = "where are you? at the station, where are you? ".repeat(400);
        for bits in 9..=15 {
            for length in [60, 300, 8192, 8193, text.len()] {
                let plain = &text.as_bytes()[..length];
                // Twice: the second may be the one that was kept.
                for _ in 0..2 {
                    let deflated = deflated(plain, bits).unwrap();
                    assert!(deflated.len() < length);
                    assert_eq!(inflated(&deflated, length).as_deref(), Ok(plain));
                }
            }
        }
    }

    #[test]
    fn what_does_not_become_smaller_is_left_alone() {
        let noise: Vec<u8> = (0..1000).map(|_| rand::random()).collect();
        assert_eq!((deflated(&noise, 15), deflated(b"", 15), deflated(b"x", 15)), (None, None, None));
        assert_eq!((deflated(&[b'x'; 100], 8), deflated(&[b'x'; 100], 16)), (None, None));
    }

    #[test]
    fn a_bomb_costs_no_more_than_the_limit() {
        let zeros = vec![0; 10_000_000];
        let bomb = deflated(&zeros, 15).unwrap();
        let mut into = Vec::new();
        assert_eq!(inflate(&bomb, 65_536, &mut into), Err(Bad::TooLarge));
        assert!(bomb.len() > 5_000 && into.capacity() < 2 * 65_536, "{} {}", bomb.len(), into.capacity());
    }

    #[test]
    fn rubbish_ends_and_the_next_message_is_read_all_the_same() {
        let good = deflated(&[b'x'; 100], 15).unwrap();
        let mut bad = 0;
        for _ in 0..2000 {
            let rubbish: Vec<u8> = (0..rand::random_range(1..200)).map(|_| rand::random()).collect();
            bad += usize::from(inflated(&rubbish, 1000).is_err());
        }
        assert!(bad > 1000, "{bad}");
        // Nothing but last blocks, each of two bytes.
        assert_eq!(inflated(&[3, 0].repeat(10_000), 1000), Ok(Vec::new()));
        assert_eq!(inflated(&good, 100), Ok(vec![b'x'; 100]));
    }
}
