//! A token: nothing that was not signed with a key of ours says who it is.
#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use tidings::auth::{Secret, Settings, Verifier};

const SECRET: &str = "a secret of at least thirty-two bytes, for fuzzing";

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let settings = Settings { hs256_secret: Some(Secret::new(SECRET)), ..Settings::default() };
    Verifier::new(&settings).expect("the settings are good").0
});

fuzz_target!(|token: &str| {
    // A moment at which the one good token of the corpus is good.
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_769_860_800);
    if let Ok(claims) = VERIFIER.verify_cached(token, now) {
        // HMAC is not guessed: only the token that the corpus holds gets here, and it is alice's.
        assert_eq!(claims.user_id, "alice");
    }
});
