//! Passwords of built-in accounts: argon2id, a bounded number at a time, off the async threads.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Shorter ones are guessed within the attempts that a limit can allow (NIST SP 800-63B asks for 8).
pub const MIN_PASSWORD_CHARS: usize = 8;

/// Longer ones are refused before they are hashed: nobody types them, and without a bound a
/// request could make us hash megabytes. Passphrases of any language fit many times over.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// How expensive a hash is and how many are made.
#[derive(Debug, Clone)]
pub struct PasswordSettings {
    /// KiB of memory for one hash. 19 MiB with two passes is what OWASP recommends for argon2id.
    pub memory_kib: u32,
    pub passes: u32,
    /// Hashes at the same time. Each takes a thread, a core and `memory_kib`.
    pub at_once: usize,
    /// Requests that may wait for a turn; more are turned away at once.
    pub waiting: usize,
    /// How long one waits for its turn: a person at a sign-in page gives up after that.
    pub patience: Duration,
}

impl Default for PasswordSettings {
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2, at_once: 2, waiting: 64, patience: Duration::from_secs(3) }
    }
}

/// Whether a password is the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordCheck {
    Right,
    Wrong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("a password has at least {MIN_PASSWORD_CHARS} characters")]
    TooShort,
    #[error("a password has at most {MAX_PASSWORD_BYTES} bytes")]
    TooLong,
    /// Retryable: too many others are signing in right now.
    #[error("too many passwords are being checked right now")]
    Overloaded,
    #[error("the stored password hash cannot be read")]
    BadHash,
    #[error("the password settings are outside of what argon2 allows")]
    BadSettings,
    #[error("the password could not be hashed")]
    Failed,
}

impl PasswordError {
    pub fn is_retryable(self) -> bool {
        self == Self::Overloaded
    }
}

/// Hashes and checks passwords.
pub struct Passwords {
    argon2: Argon2<'static>,
    /// What an unknown user's password is checked against, so that it takes as long as a known's.
    dummy: Arc<str>,
    running: Arc<Semaphore>,
    waiting: Semaphore,
    patience: Duration,
}

impl Passwords {
    /// Hashes once, so this takes as long as one sign-in (some 20 ms).
    ///
    /// # Errors
    /// When argon2 does not allow the settings.
    pub fn new(settings: &PasswordSettings) -> Result<Self, PasswordError> {
        let params = Params::new(settings.memory_kib, settings.passes, 1, None)
            .map_err(|_| PasswordError::BadSettings)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let dummy = hash(&argon2, "nobody's password")?;
        Ok(Self {
            argon2,
            dummy: dummy.into(),
            running: Arc::new(Semaphore::new(settings.at_once.max(1))),
            waiting: Semaphore::new(settings.waiting),
            patience: settings.patience,
        })
    }

    /// The hash to store, with its salt and costs (PHC string).
    ///
    /// # Errors
    /// `TooShort`, `TooLong`, or `Overloaded` after at most the configured patience.
    pub async fn hash(&self, password: &str) -> Result<String, PasswordError> {
        check_length(password)?;
        let argon2 = self.argon2.clone();
        let password = password.to_owned();
        self.run(move || hash(&argon2, &password)).await
    }

    /// Compares with the stored hash; `None` for a user who does not exist or has no password,
    /// which answers `Wrong` after the same time.
    ///
    /// # Errors
    /// `Overloaded` after at most the configured patience, `BadHash` when the store is damaged.
    pub async fn check(&self, stored: Option<&str>, password: &str) -> Result<PasswordCheck, PasswordError> {
        // No account has such a password; saying so early tells nothing about any account.
        if check_length(password).is_err() {
            return Ok(PasswordCheck::Wrong);
        }
        let known = stored.is_some();
        let stored: Arc<str> = stored.map_or_else(|| self.dummy.clone(), Arc::from);
        let argon2 = self.argon2.clone();
        let password = password.to_owned();
        let matches = self.run(move || verify(&argon2, &stored, &password)).await?;
        Ok(if known { matches } else { PasswordCheck::Wrong })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let turn = self.turn().await?;
        let work = move || {
            let result = work();
            // Moved in here: a request that was given up still occupies its thread until now.
            drop(turn);
            result
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| PasswordError::Failed)?
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, PasswordError> {
        if let Ok(turn) = self.running.clone().try_acquire_owned() {
            return Ok(turn);
        }
        let _place = self.waiting.try_acquire().map_err(|_| PasswordError::Overloaded)?;
        match tokio::time::timeout(self.patience, self.running.clone().acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(PasswordError::Overloaded),
        }
    }
}

fn check_length(password: &str) -> Result<(), PasswordError> {
    if password.len() > MAX_PASSWORD_BYTES {
        return Err(PasswordError::TooLong);
    }
    if password.chars().count() < MIN_PASSWORD_CHARS {
        return Err(PasswordError::TooShort);
    }
    Ok(())
}

fn hash(argon2: &Argon2<'_>, password: &str) -> Result<String, PasswordError> {
    let hash: PasswordHash = argon2.hash_password(password.as_bytes()).map_err(|_| PasswordError::Failed)?;
    Ok(hash.to_string())
}

fn verify(argon2: &Argon2<'_>, stored: &str, password: &str) -> Result<PasswordCheck, PasswordError> {
    use argon2::password_hash::Error;
    let stored = PasswordHash::new(stored).map_err(|_| PasswordError::BadHash)?;
    match argon2.verify_password(password.as_bytes(), &stored) {
        Ok(()) => Ok(PasswordCheck::Right),
        Err(Error::PasswordInvalid) => Ok(PasswordCheck::Wrong),
        Err(_) => Err(PasswordError::BadHash),
    }
}
