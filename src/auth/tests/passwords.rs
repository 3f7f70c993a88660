//! Passwords: right, wrong, unknown, too many.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::auth::{PasswordCheck, PasswordError, PasswordSettings, Passwords};

/// The least that argon2 takes.
fn cheap() -> PasswordSettings {
    PasswordSettings { memory_kib: 8, passes: 1, ..PasswordSettings::default() }
}

#[tokio::test]
async fn the_right_password_is_right_and_everything_else_wrong() {
    let passwords = Passwords::new(&cheap()).unwrap();
    let stored = passwords.hash("correct horse").await.unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{stored}");
    let long = "x".repeat(5000);
    let check = async |stored, password| passwords.check(stored, password).await;
    assert_eq!(check(Some(&*stored), "correct horse").await, Ok(PasswordCheck::Right));
    for wrong in ["correct horsE", "correct hors", "", &long] {
        assert_eq!(check(Some(&*stored), wrong).await, Ok(PasswordCheck::Wrong));
    }
    assert_eq!(check(None, "correct horse").await, Ok(PasswordCheck::Wrong));
    assert_eq!(check(None, "nobody's password").await, Ok(PasswordCheck::Wrong));
    assert_eq!(check(Some("damaged"), "correct horse").await, Err(PasswordError::BadHash));
}

#[tokio::test]
async fn two_hashes_of_one_password_differ() {
    let passwords = Passwords::new(&cheap()).unwrap();
    let first = passwords.hash("correct horse").await.unwrap();
    assert_ne!(first, passwords.hash("correct horse").await.unwrap());
}

#[tokio::test]
async fn a_hash_made_with_other_costs_still_checks() {
    let old = Passwords::new(&cheap()).unwrap().hash("correct horse").await.unwrap();
    let dearer = PasswordSettings { memory_kib: 64, passes: 2, ..cheap() };
    let passwords = Passwords::new(&dearer).unwrap();
    assert_eq!(passwords.check(Some(&old), "correct horse").await, Ok(PasswordCheck::Right));
}

#[tokio::test]
async fn the_length_of_a_new_password_is_bounded_on_both_sides() {
    let passwords = Passwords::new(&cheap()).unwrap();
    assert_eq!(passwords.hash("1234567").await, Err(PasswordError::TooShort));
    assert!(passwords.hash("12345678").await.is_ok());
    assert!(passwords.hash("пароль12").await.is_ok());
    assert!(passwords.hash(&"x".repeat(1024)).await.is_ok());
    assert_eq!(passwords.hash(&"x".repeat(1025)).await, Err(PasswordError::TooLong));
}

#[tokio::test]
async fn an_unknown_user_takes_as_long_as_a_wrong_password() {
    let costly = PasswordSettings { memory_kib: 8 * 1024, passes: 4, ..cheap() };
    let passwords = Passwords::new(&costly).unwrap();
    let stored = passwords.hash("correct horse").await.unwrap();
    // The fastest of several: what other programs do on the machine only ever adds time.
    let mut fastest = [Duration::MAX; 2];
    for _ in 0..7 {
        for (fastest, stored) in fastest.iter_mut().zip([Some(&*stored), None]) {
            let begun = Instant::now();
            assert_eq!(passwords.check(stored, "wrong horse").await, Ok(PasswordCheck::Wrong));
            *fastest = begun.elapsed().min(*fastest);
        }
    }
    let [wrong, unknown] = fastest;
    assert!(unknown > wrong / 2 && wrong > unknown / 2, "{wrong:?} {unknown:?}");
}

#[tokio::test]
async fn more_than_fit_are_turned_away_at_once_and_the_rest_served() {
    let settings = PasswordSettings {
        memory_kib: 16 * 1024,
        passes: 4,
        at_once: 1,
        waiting: 1,
        patience: Duration::from_secs(60),
    };
    let passwords = Arc::new(Passwords::new(&settings).unwrap());
    let tries = (0..6).map(|_| {
        let passwords = passwords.clone();
        tokio::spawn(async move { passwords.check(None, "wrong horse").await })
    });
    let mut results = Vec::new();
    for handle in tries.collect::<Vec<_>>() {
        results.push(handle.await.unwrap());
    }
    let overloaded = results.iter().filter(|r| **r == Err(PasswordError::Overloaded)).count();
    assert_eq!(overloaded, 4, "{results:?}");
    assert_eq!(passwords.check(None, "wrong horse").await, Ok(PasswordCheck::Wrong));
}

#[tokio::test]
async fn nobody_waits_longer_than_the_patience() {
    let settings = PasswordSettings {
        memory_kib: 64 * 1024,
        passes: 8,
        at_once: 1,
        waiting: 1,
        patience: Duration::from_millis(1),
    };
    let passwords = Arc::new(Passwords::new(&settings).unwrap());
    let first = tokio::spawn({
        let passwords = passwords.clone();
        async move { passwords.check(None, "wrong horse").await }
    });
    tokio::task::yield_now().await;
    assert_eq!(passwords.check(None, "wrong horse").await, Err(PasswordError::Overloaded));
    assert_eq!(first.await.unwrap(), Ok(PasswordCheck::Wrong));
}

#[test]
fn costs_that_argon2_does_not_allow_are_refused() {
    let settings = PasswordSettings { memory_kib: 1, ..cheap() };
    assert_eq!(Passwords::new(&settings).err(), Some(PasswordError::BadSettings));
}
