//! Whether a service is installed.

use std::path::PathBuf;

/// The first of `paths` that is there; a `*` stands for any one folder, the last in order wins, so the newest version does.
///
/// # Panics
/// With one line that names the package, when there is none.
pub(super) fn find(package: &str, paths: &[&str]) -> PathBuf {
    paths.iter().find_map(|path| newest(path)).unwrap_or_else(|| {
        panic!(
            "{} is not there: install the Debian package `{package}` (apt-get install {package})",
            paths[0]
        )
    })
}

fn newest(path: &str) -> Option<PathBuf> {
    let Some((before, after)) = path.split_once("*/") else {
        let path = PathBuf::from(path);
        return path.exists().then_some(path);
    };
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir(before)
        .ok()?
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join(after))))
        .filter(|(_, path)| path.exists())
        .collect();
    versions.sort();
    versions.pop().map(|(_, path)| path)
}
