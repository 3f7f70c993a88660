//! What a socket has received: whole frames are handed on where they lie, only a cut one is kept.

use super::frame::{self, FrameError, Opcode};

/// The rest of an unfinished frame, and an unfinished message of several fragments.
#[derive(Default)]
pub struct Inbox {
    rest: Vec<u8>,
    fragments: Option<(Opcode, Vec<u8>)>,
}

impl Inbox {
    /// Takes what was read and calls `on` with every message and control frame that is complete.
    pub fn feed(&mut self, chunk: &mut [u8], mut on: impl FnMut(Opcode, &[u8])) -> Result<(), FrameError> {
        if self.rest.is_empty() {
            let used = self.scan(chunk, &mut on)?;
            self.rest.extend_from_slice(&chunk[used..]);
            return Ok(());
        }
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(chunk);
        let used = self.scan(&mut all, &mut on)?;
        if used < all.len() {
            all.drain(..used);
            self.rest = all;
        }
        Ok(())
    }

    /// Bytes kept for later.
    pub fn waiting(&self) -> usize {
        self.rest.len()
    }

    fn scan(&mut self, bytes: &mut [u8], on: &mut impl FnMut(Opcode, &[u8])) -> Result<usize, FrameError> {
        let mut used = 0;
        while let Some(header) = frame::header(&bytes[used..])? {
            let start = used + header.length;
            let Some(payload) = bytes.get_mut(start..start + header.payload) else {
                break;
            };
            if let Some(mask) = header.mask {
                frame::apply_mask(payload, mask);
            }
            used = start + header.payload;
            match header.opcode {
                Opcode::Close | Opcode::Ping | Opcode::Pong => on(header.opcode, payload),
                Opcode::Continuation => {
                    let Some((opcode, mut joined)) = self.fragments.take() else {
                        return Err(FrameError::Fragments);
                    };
                    joined.extend_from_slice(payload);
                    if header.fin {
                        on(opcode, &joined);
                    } else {
                        self.fragments = Some((opcode, joined));
                    }
                }
                _ if self.fragments.is_some() => return Err(FrameError::Fragments),
                opcode if header.fin => on(opcode, payload),
                opcode => self.fragments = Some((opcode, payload.to_vec())),
            }
        }
        Ok(used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Vec<u8> {
        let mut wire = Vec::new();
        frame::encode(&mut wire, Opcode::Text, b"one", Some([7; 4]));
        frame::encode(&mut wire, Opcode::Ping, b"", None);
        frame::encode(&mut wire, Opcode::Text, &[b'x'; 200], None);
        wire
    }

    #[test]
    fn frames_arrive_whole_however_the_bytes_are_cut() {
        for size in 1..40 {
            let mut inbox = Inbox::default();
            let mut seen = Vec::new();
            for chunk in three().chunks_mut(size) {
                inbox.feed(chunk, |opcode, body| seen.push((opcode, body.len()))).unwrap();
            }
            assert_eq!(seen, [(Opcode::Text, 3), (Opcode::Ping, 0), (Opcode::Text, 200)]);
            assert_eq!(inbox.waiting(), 0);
        }
    }

    #[test]
    fn fragments_are_joined_around_a_control_frame() {
        let mut wire = vec![0x01, 2, b'a', b'b', 0x89, 0, 0x80, 1, b'c'];
        let mut seen = Vec::new();
        let mut inbox = Inbox::default();
        inbox.feed(&mut wire, |opcode, body| seen.push((opcode, body.to_vec()))).unwrap();
        assert_eq!(seen, [(Opcode::Ping, vec![]), (Opcode::Text, b"abc".to_vec())]);
    }
}
