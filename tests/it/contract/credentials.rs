//! The contract of where the processes of the push stage share credentials.

use std::num::NonZeroU16;
use std::time::Duration;

use bytes::Bytes;
use tidings::push::provider::SharedCredentials;
use tidings::queue::{Partitions, embedded};

use super::fanout::redis_fanout;

#[tokio::test]
async fn redis_keeps_what_was_not_changed_meanwhile_as_long_as_it_was_told() {
    keeps_what_was_not_changed_meanwhile_as_long_as_it_was_told(&redis_fanout().await).await;
}

#[tokio::test]
async fn the_embedded_one_keeps_what_was_not_changed_meanwhile_as_long_as_it_was_told() {
    let folder = tempfile::tempdir().unwrap();
    let partitions = Partitions::new(NonZeroU16::new(1).unwrap());
    let open = || embedded::open(folder.path(), partitions, 100).unwrap();
    let queue = open();
    keeps_what_was_not_changed_meanwhile_as_long_as_it_was_told(&queue).await;
    drop(queue);
    assert_eq!(open().load("one").await.unwrap(), Some(Bytes::from_static(b"b")), "across a restart");
}

async fn keeps_what_was_not_changed_meanwhile_as_long_as_it_was_told(shared: &dyn SharedCredentials) {
    let hour = Duration::from_secs(3600);
    let swap = async |name: &str, old: Option<&'static str>, new: &'static str, ttl| {
        let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
        shared.swap(name, old.map(bytes), bytes(new), ttl).await.unwrap()
    };
    assert_eq!(shared.load("one").await.unwrap(), None);
    assert!(!swap("one", Some("x"), "a", hour).await);
    assert!(swap("one", None, "a", hour).await);
    assert!(!swap("one", None, "b", hour).await);
    assert!(swap("one", Some("a"), "b", hour).await);
    assert_eq!(shared.load("one").await.unwrap(), Some(Bytes::from_static(b"b")));

    assert!(swap("other", None, "a", Duration::from_millis(50)).await);
    tokio::time::sleep(Duration::from_millis(80)).await;
    assert_eq!(shared.load("other").await.unwrap(), None);
    assert!(swap("other", None, "c", hour).await);
}
