//! The signing secret that `tidings dev` makes and keeps in its data directory.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::RngExt;

use super::Secret;

/// Where the secret is kept.
pub fn signing_secret_file(data_dir: &Path) -> PathBuf {
    data_dir.join("signing-secret")
}

/// The secret of this directory, if it has one.
pub fn signing_secret(data_dir: &Path) -> io::Result<Option<Secret>> {
    let path = signing_secret_file(data_dir);
    match fs::read_to_string(path) {
        Ok(text) if text.trim().is_empty() => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "the signing secret is empty"))
        }
        Ok(text) => Ok(Some(Secret::new(text.trim()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The secret of this directory; both are made when missing, readable by their owner only.
pub fn ensure_signing_secret(data_dir: &Path) -> io::Result<Secret> {
    if let Some(secret) = signing_secret(data_dir)? {
        return Ok(secret);
    }
    fs::create_dir_all(data_dir)?;
    let text = URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 32]>());
    // Written beside and then moved, so that a crash leaves no half a secret.
    let path = signing_secret_file(data_dir);
    let draft = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    fs::rename(&draft, &path)?;
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("data");
        assert_eq!(signing_secret(&data_dir).unwrap(), None);
        let made = ensure_signing_secret(&data_dir).unwrap();
        assert_eq!(made.expose().len(), 43);
        assert_eq!(ensure_signing_secret(&data_dir).unwrap(), made);
        assert_eq!(signing_secret(&data_dir).unwrap(), Some(made));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_secret() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        ensure_signing_secret(folder.path()).unwrap();
        let mode = fs::metadata(signing_secret_file(folder.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
