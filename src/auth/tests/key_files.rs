//! Key files that change under a running server.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::pairs::Pair;
use super::public_keys::write;
use super::support::*;
use crate::auth::*;

fn good(pair: &Pair) -> String {
    pair.sign(None, &claims(json!({})))
}

#[test]
fn a_replaced_file_revokes_the_old_key_and_admits_the_new() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new, other) = (Pair::p256(), Pair::p256(), Pair::ed25519());
    let path = write(&folder, "key.pem", &old.public_pem);
    let second = write(&folder, "other.pem", &other.public_pem);
    let settings = Settings { public_keys: vec![path.into(), second.into()], ..Settings::default() };
    let verifier = verifier(&settings);
    assert!(verifier.verify_cached(&good(&old), now()).is_ok());
    write(&folder, "key.pem", &new.public_pem);
    verifier.reload_key_files();
    assert_eq!(verifier.verify_cached(&good(&old), now()), Err(TokenError::BadSignature));
    assert!(verifier.verify_cached(&good(&new), now()).is_ok());
    assert!(verifier.verify_cached(&good(&other), now()).is_ok());
}

#[test]
fn a_bad_or_missing_file_keeps_its_old_keys_until_it_is_good_again() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (Pair::p256(), Pair::ed25519());
    let path = write(&folder, "key.pem", &old.public_pem);
    let verifier = verifier(&Settings { public_keys: vec![path.clone().into()], ..Settings::default() });
    for bad in ["", "nonsense", &new.private_pem, &" ".repeat(1_100_000)] {
        write(&folder, "key.pem", bad);
        verifier.reload_key_files();
        assert!(verifier.verify_cached(&good(&old), now()).is_ok());
    }
    std::fs::remove_file(&path).unwrap();
    verifier.reload_key_files();
    assert!(verifier.verify_cached(&good(&old), now()).is_ok());
    write(&folder, "key.pem", &new.public_pem);
    verifier.reload_key_files();
    assert!(verifier.verify_cached(&good(&old), now()).is_err());
    assert!(verifier.verify_cached(&good(&new), now()).is_ok());
}

#[cfg(unix)]
#[tokio::test]
async fn the_running_watcher_follows_a_symlink_that_is_swapped() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (Pair::p256(), Pair::p256());
    let link = folder.path().join("key.pem");
    std::os::unix::fs::symlink(write(&folder, "v1", &old.public_pem), &link).unwrap();
    let settings = Settings { public_keys: vec![link.clone().into()], ..Settings::default() };
    let verifier = Arc::new(verifier(&settings));
    let shutdown = CancellationToken::new();
    let task = tokio::spawn({
        let (verifier, shutdown) = (verifier.clone(), shutdown.clone());
        async move { verifier.run(shutdown).await }
    });
    let next = folder.path().join("next");
    std::os::unix::fs::symlink(write(&folder, "v2", &new.public_pem), &next).unwrap();
    std::fs::rename(&next, &link).unwrap();
    let swapped = async {
        while verifier.verify_cached(&good(&new), now()).is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), swapped).await.expect("the new key in time");
    assert!(verifier.verify_cached(&good(&old), now()).is_err());
    shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(20), task).await.expect("stops in time").unwrap();
}
