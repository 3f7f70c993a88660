//! The contract of the board on which it is kept what phones show.

use std::any::Any;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tidings::model::{ConversationId, DeviceId, Seq, Timestamp, UserId};
use tidings::push::board::{self, Board, Budget, Rules, ScreenKey, Swap};
use tidings::queue::{Partitions, embedded};

use super::fanout::redis_fanout;

type Ground = Box<dyn Any + Send + Sync>;

async fn on_sqlite() -> (Arc<dyn Board>, Ground) {
    let folder = tempfile::tempdir().unwrap();
    let partitions = Partitions::new(NonZeroU16::new(1).unwrap());
    (Arc::new(embedded::open(folder.path(), partitions, 100).unwrap()), Box::new(folder))
}

async fn on_redis() -> (Arc<dyn Board>, Ground) {
    (Arc::new(redis_fanout().await), Box::new(()))
}

macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod embedded_board {
            $(#[tokio::test]
            async fn $name() {
                let (board, _ground) = super::on_sqlite().await;
                super::$name(board).await;
            })+
        }
        mod redis_board {
            $(#[tokio::test]
            async fn $name() {
                let (board, _ground) = super::on_redis().await;
                super::$name(board).await;
            })+
        }
    };
}

on_both!(
    a_state_is_set_only_when_it_is_still_as_it_was_loaded,
    users_and_conversations_have_states_of_their_own,
    changes_at_the_same_time_are_all_made,
);

fn key(user: &str) -> ScreenKey {
    ScreenKey { user_id: UserId::parse(user).unwrap(), conversation_id: ConversationId::new() }
}

async fn a_state_is_set_only_when_it_is_still_as_it_was_loaded(board: Arc<dyn Board>) {
    let key = key("bob");
    let swap = |old: Option<&'static str>, new: &'static str| Swap {
        key: key.clone(),
        old: old.map(|old| Bytes::from_static(old.as_bytes())),
        new: Bytes::from_static(new.as_bytes()),
    };
    assert_eq!(board.load(std::slice::from_ref(&key)).await.unwrap(), [None]);
    assert_eq!(board.swap(&[swap(Some("x"), "a")]).await.unwrap(), [false]);
    assert_eq!(board.swap(&[swap(None, "a")]).await.unwrap(), [true]);
    assert_eq!(board.swap(&[swap(None, "b"), swap(Some("a"), "c")]).await.unwrap(), [false, true]);
    assert_eq!(board.load(&[key]).await.unwrap(), [Some(Bytes::from_static(b"c"))]);
}

async fn users_and_conversations_have_states_of_their_own(board: Arc<dyn Board>) {
    let keys = [key("bob"), key("bob"), key("{x}:cat")];
    let swaps: Vec<Swap> = keys
        .iter()
        .zip(["1", "2", "3"])
        .map(|(key, new)| Swap { key: key.clone(), old: None, new: Bytes::from_static(new.as_bytes()) })
        .collect();
    assert_eq!(board.swap(&swaps).await.unwrap(), [true; 3]);
    let loaded = board.load(&[keys[2].clone(), key("dan"), keys[0].clone()]).await.unwrap();
    assert_eq!(loaded, [Some(Bytes::from_static(b"3")), None, Some(Bytes::from_static(b"1"))]);
}

async fn changes_at_the_same_time_are_all_made(board: Arc<dyn Board>) {
    let (key, phone) = (key("bob"), DeviceId::parse("phone").unwrap());
    let rules = Rules { burst: 5, interval: Duration::from_secs(2) };
    let spend = |seq: i64| {
        let (board, key, phone) = (Arc::clone(&board), key.clone(), phone.clone());
        async move {
            let keys = [key];
            let spent = board::change(&*board, &keys, |_, screens| {
                screens.of(&phone).spend(Seq::new(seq), Timestamp::now(), rules)
            });
            spent.await.unwrap()[0]
        }
    };
    let spent = futures_util::future::join_all((1..=8).map(spend)).await;
    assert_eq!(spent.iter().filter(|budget| **budget == Budget::Alone).count(), 5, "{spent:?}");
    let scheduled = spent.iter().filter(|budget| matches!(budget, Budget::Summed { due: Some(_) }));
    assert_eq!(scheduled.count(), 1, "{spent:?}");
}
