//! What a device, or its user, has acknowledged.

use crate::fanout::Acknowledgement;
use crate::model::{DeviceId, Seq};

/// Whether a device has a message: it acknowledged itself, or another one of its user did while somebody looked at it.
///
/// `seen_seq` is the store's word of the latter, for when the others were lost. That something was delivered to some device says
/// nothing: it may have been an idle desktop, which silences nobody.
pub fn reaches(known: &[Acknowledgement], seen_seq: Seq, device: &DeviceId, seq: Seq) -> bool {
    let counts = |ack: &&Acknowledgement| ack.foreground || ack.device_id.as_ref() == Some(device);
    seen_seq >= seq || known.iter().filter(counts).any(|ack| ack.seq >= seq)
}

/// Whether all devices have it, whatever they are called: somebody looked at it.
pub fn reached_everywhere(known: &[Acknowledgement], seq: Seq) -> bool {
    known.iter().any(|ack| ack.foreground && ack.seq >= seq)
}
