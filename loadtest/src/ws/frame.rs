//! RFC 6455 frames: one header, one payload, both directions.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub fin: bool,
    pub opcode: Opcode,
    pub mask: Option<[u8; 4]>,
    /// Bytes of the header itself, the mask included.
    pub length: usize,
    pub payload: usize,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FrameError {
    #[error("a frame with reserved bits or an unknown opcode ({0:#04x})")]
    Reserved(u8),
    #[error("a frame of {0} bytes is longer than this side takes")]
    TooLong(u64),
    #[error("a continuation without a beginning, or a beginning within a message")]
    Fragments,
}

/// Longest payload that is accepted; the server promises 256 KiB.
pub const MAX_PAYLOAD: u64 = 16 * 1024 * 1024;

/// The header at the start of `bytes`; `None` when it is not all there yet.
pub fn header(bytes: &[u8]) -> Result<Option<Header>, FrameError> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    let opcode = match Opcode::from_bits(first & 0x0f) {
        Some(opcode) if first & 0x70 == 0 => opcode,
        _ => return Err(FrameError::Reserved(*first)),
    };
    let (extra, payload) = match second & 0x7f {
        126 => match rest.first_chunk::<2>() {
            Some(length) => (2, u64::from(u16::from_be_bytes(*length))),
            None => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(length) => (8, u64::from_be_bytes(*length)),
            None => return Ok(None),
        },
        short => (0, u64::from(short)),
    };
    if payload > MAX_PAYLOAD {
        return Err(FrameError::TooLong(payload));
    }
    let mut length = 2 + extra;
    let mask = if second & 0x80 != 0 {
        match rest[extra..].first_chunk::<4>() {
            Some(mask) => {
                length += 4;
                Some(*mask)
            }
            None => return Ok(None),
        }
    } else {
        None
    };
    Ok(Some(Header { fin: first & 0x80 != 0, opcode, mask, length, payload: payload as usize }))
}

/// Appends one whole frame; `mask` is given by clients and left out by servers.
pub fn encode(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], mask: Option<[u8; 4]>) {
    let flag = if mask.is_some() { 0x80 } else { 0 };
    out.push(0x80 | opcode.bits());
    match payload.len() {
        short @ 0..=125 => out.push(flag | short as u8),
        medium @ 126..=65535 => {
            out.push(flag | 126);
            out.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            out.push(flag | 127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    if let Some(mask) = mask {
        out.extend_from_slice(&mask);
    }
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(mask) = mask {
        apply_mask(&mut out[start..], mask);
    }
}

/// Masks or unmasks in place.
pub fn apply_mask(payload: &mut [u8], mask: [u8; 4]) {
    let (words, rest) = payload.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(mask)).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_class_survive_a_round_trip() {
        for length in [0, 1, 125, 126, 65535, 65536, 70_001] {
            let payload: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let mut wire = Vec::new();
            encode(&mut wire, Opcode::Text, &payload, Some([1, 2, 3, 4]));
            let header = header(&wire).unwrap().unwrap();
            assert_eq!(header.payload, length);
            let body = &mut wire[header.length..];
            apply_mask(body, header.mask.unwrap());
            assert_eq!(body, payload);
        }
    }

    #[test]
    fn a_header_that_is_cut_anywhere_is_waited_for() {
        let mut wire = Vec::new();
        encode(&mut wire, Opcode::Text, &[0; 300], Some([9; 4]));
        for cut in 0..8 {
            assert_eq!(header(&wire[..cut]), Ok(None), "cut at {cut}");
        }
    }

    #[test]
    fn reserved_bits_are_refused() {
        assert_eq!(header(&[0xc1, 0]), Err(FrameError::Reserved(0xc1)));
    }
}
