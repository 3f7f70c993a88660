use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::ProviderError;

/// Looking at a file more often than this costs more than it finds.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where a credential comes from.
#[derive(Clone)]
pub enum Source {
    /// Read again when its content changes, as a mounted secret does when it is rotated.
    File(PathBuf),
    /// Given in the configuration itself; stays until the process ends.
    Inline(String),
}

impl Source {
    fn read(&self) -> Result<Vec<u8>, ProviderError> {
        match self {
            Self::Inline(text) => Ok(text.clone().into_bytes()),
            Self::File(path) => {
                std::fs::read(path).map_err(|source| ProviderError::Read { path: path.clone(), source })
            }
        }
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Inline(_) => f.write_str("Inline(…)"),
        }
    }
}

/// The sources' bytes, in their order.
type Content = Vec<Vec<u8>>;
type Parse<T> = fn(&[Vec<u8>]) -> Result<T, ProviderError>;

/// A value parsed from files, which follows them: every [`Watched::get`] looks, at most once a
/// second, whether their content changed. Credential files are tiny, so the content itself is
/// compared; a modification time can stay the same when a mounted secret is swapped.
pub struct Watched<T> {
    sources: Vec<Source>,
    parse: Parse<T>,
    look_every: Duration,
    state: Mutex<State<T>>,
}

struct State<T> {
    content: Content,
    value: Arc<T>,
    looked_at: Instant,
}

impl<T> Watched<T> {
    /// Reads and parses the sources, given to `parse` in this order.
    pub fn open(sources: Vec<Source>, parse: Parse<T>) -> Result<Self, ProviderError> {
        let content = read_all(&sources)?;
        let value = Arc::new(parse(&content)?);
        let state = Mutex::new(State { content, value, looked_at: Instant::now() });
        Ok(Self { sources, parse, look_every: LOOK_EVERY, state })
    }

    /// The present value. A file that has become unreadable or wrong is reported once a
    /// second in the log and the last good value stays: half a rotation must not stop pushes.
    pub fn get(&self) -> Arc<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked_at.elapsed() < self.look_every {
            return Arc::clone(&state.value);
        }
        state.looked_at = Instant::now();
        match self.reload(&state.content) {
            Ok(None) => {}
            Ok(Some((content, value))) => {
                tracing::info!(sources = ?self.sources, "push credential reloaded");
                state.content = content;
                state.value = Arc::new(value);
            }
            Err(error) => {
                let error = &error as &(dyn std::error::Error + 'static);
                tracing::error!(error, sources = ?self.sources, "push credential not reloaded");
            }
        }
        Arc::clone(&state.value)
    }

    fn reload(&self, known: &[Vec<u8>]) -> Result<Option<(Content, T)>, ProviderError> {
        if self.sources.iter().all(|source| matches!(source, Source::Inline(_))) {
            return Ok(None);
        }
        let content = read_all(&self.sources)?;
        if content == known {
            return Ok(None);
        }
        let value = (self.parse)(&content)?;
        Ok(Some((content, value)))
    }

    #[cfg(test)]
    pub(in crate::push) fn looking_always(mut self) -> Self {
        self.look_every = Duration::ZERO;
        self
    }
}

fn read_all(sources: &[Source]) -> Result<Content, ProviderError> {
    sources.iter().map(Source::read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(content: &[Vec<u8>]) -> Result<u32, ProviderError> {
        let text = String::from_utf8_lossy(&content[0]).into_owned();
        text.trim().parse().map_err(|error| ProviderError::malformed("number", error))
    }

    #[test]
    fn a_changed_file_is_read_again_and_a_broken_one_keeps_the_last_value() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("number");
        std::fs::write(&path, "1").expect("write");
        let watched =
            Watched::open(vec![Source::File(path.clone())], number).expect("a number").looking_always();
        let first = watched.get();
        assert!(Arc::ptr_eq(&first, &watched.get()));

        std::fs::write(&path, "2").expect("write");
        assert_eq!(*watched.get(), 2);
        std::fs::write(&path, "rubbish").expect("write");
        assert_eq!(*watched.get(), 2);
        std::fs::remove_file(&path).expect("remove");
        assert_eq!(*watched.get(), 2);
        std::fs::write(&path, "3").expect("write");
        assert_eq!(*watched.get(), 3);
    }

    #[test]
    fn a_missing_file_is_an_error_that_names_it() {
        let source = Source::File("/nowhere/key.p8".into());
        let error = Watched::open(vec![source], number).err();
        let error = error.expect("an error");
        assert!(error.to_string().contains("/nowhere/key.p8"));
    }
}
