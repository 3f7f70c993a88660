use std::sync::Arc;

use tidings::fanout::{Acknowledgement, Fanout};
use tidings::model::{ConversationId, DeviceId, Seq};

use super::on_every_backend;
use super::scene::{group, user};

on_every_backend!(
    positions_are_read_back_by_user_and_conversation_in_the_order_asked,
    a_position_only_moves_forward,
    devices_and_grounds_have_positions_of_their_own,
    the_largest_seq_is_kept_exactly,
    a_batch_of_thousands_is_kept_whole,
);

fn at(name: &str, device: Option<&str>, conversation_id: ConversationId, seq: i64) -> Acknowledgement {
    Acknowledgement {
        user_id: user(name),
        device_id: device.map(|device| DeviceId::parse(device).expect("a good name")),
        conversation_id,
        seq: Seq::new(seq),
        foreground: false,
    }
}

/// What is known of one user in one conversation, in some order of its own.
async fn known(
    fanout: &dyn Fanout,
    name: &str,
    conversation: ConversationId,
) -> Vec<(Option<DeviceId>, bool, i64)> {
    let of = [(user(name), conversation)];
    let mut answers = fanout.acknowledged(&of).await.unwrap();
    assert_eq!(answers.len(), 1);
    let record = |it: Acknowledgement| (it.device_id, it.foreground, it.seq.get());
    let mut records: Vec<_> = answers.remove(0).into_iter().map(record).collect();
    records.sort();
    records
}

async fn positions_are_read_back_by_user_and_conversation_in_the_order_asked(fanout: Arc<dyn Fanout>) {
    let (one, other) = (group(), group());
    let positions =
        [at("alice", Some("phone"), one, 3), at("alice", Some("phone"), other, 4), at("bob", None, one, 5)];
    fanout.acknowledge(&positions).await.unwrap();
    fanout.acknowledge(&[]).await.unwrap();
    let of = [(user("bob"), one), (user("bob"), other), (user("alice"), other), (user("alice"), one)];
    let expected =
        [vec![positions[2].clone()], Vec::new(), vec![positions[1].clone()], vec![positions[0].clone()]];
    assert_eq!(fanout.acknowledged(&of).await.unwrap(), expected);
    assert!(fanout.acknowledged(&[]).await.unwrap().is_empty());
}

async fn a_position_only_moves_forward(fanout: Arc<dyn Fanout>) {
    let group = group();
    // The last two in one batch, and around where the halves of a number meet.
    let batches: [&[i64]; 4] = [&[5], &[3], &[4_294_967_296], &[4_294_967_295, 4_294_967_297]];
    for (batch, expected) in batches.into_iter().zip([5, 5, 4_294_967_296, 4_294_967_297]) {
        let batch: Vec<_> = batch.iter().map(|seq| at("alice", Some("phone"), group, *seq)).collect();
        fanout.acknowledge(&batch).await.unwrap();
        let known = known(&*fanout, "alice", group).await;
        assert_eq!(known, [(batch[0].device_id.clone(), false, expected)]);
    }
}

async fn devices_and_grounds_have_positions_of_their_own(fanout: Arc<dyn Fanout>) {
    let group = group();
    let seen = |seq| Acknowledgement { foreground: true, ..at("alice", Some("phone"), group, seq) };
    let nameless = at("alice", None, group, 9);
    let positions = [
        at("alice", Some("phone"), group, 5),
        seen(2),
        at("alice", Some("phones"), group, 7),
        nameless,
        seen(4),
        at("alice", Some("phone"), group, 6),
    ];
    fanout.acknowledge(&positions).await.unwrap();
    let device = |name| Some(DeviceId::parse(name).expect("a good name"));
    let expected = [
        (None, false, 9),
        (device("phone"), false, 6),
        (device("phone"), true, 4),
        (device("phones"), false, 7),
    ];
    assert_eq!(known(&*fanout, "alice", group).await, expected);
}

async fn the_largest_seq_is_kept_exactly(fanout: Arc<dyn Fanout>) {
    let group = group();
    for seq in [i64::MAX - 1, i64::MAX, i64::MAX - 2] {
        fanout.acknowledge(&[at("alice", None, group, seq)]).await.unwrap();
    }
    assert_eq!(known(&*fanout, "alice", group).await, [(None, false, i64::MAX)]);
}

async fn a_batch_of_thousands_is_kept_whole(fanout: Arc<dyn Fanout>) {
    let group = group();
    let name = |number: i64| format!("user {number}");
    let positions: Vec<_> =
        (1..=3000).map(|number| at(&name(number), Some("phone"), group, number)).collect();
    fanout.acknowledge(&positions).await.unwrap();
    let of: Vec<_> = (1..=3000).map(|number| (user(&name(number)), group)).collect();
    let known = fanout.acknowledged(&of).await.unwrap();
    assert_eq!(known.concat(), positions);
}
