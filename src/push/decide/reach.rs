//! What a device, or its user, has acknowledged.

use crate::fanout::Acknowledgement;
use crate::model::{DeviceId, Seq};

/// Whether a device has a message: it acknowledged itself, or another one of its user did while somebody looked at it.
///
/// `delivered_seq` is the store's word, which knows no devices. It counts only when it is newer than all the others: then
/// they were lost. Otherwise one of them explains it, and that one may be an idle desktop, which silences nobody.
pub fn reaches(known: &[Acknowledgement], delivered_seq: Seq, device: &DeviceId, seq: Seq) -> bool {
    let explained = known.iter().any(|ack| ack.seq >= delivered_seq);
    let counts = |ack: &&Acknowledgement| ack.foreground || ack.device_id.as_ref() == Some(device);
    let acknowledged = known.iter().filter(counts).any(|ack| ack.seq >= seq);
    acknowledged || (!explained && delivered_seq >= seq)
}

/// Whether all devices have it, whatever they are called: somebody looked at it.
pub fn reached_everywhere(known: &[Acknowledgement], seq: Seq) -> bool {
    known.iter().any(|ack| ack.foreground && ack.seq >= seq)
}
