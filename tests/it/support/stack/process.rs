//! A service's processes: started, signalled, and gone when the test process is, however that ends.

use std::fs;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use tempfile::TempDir;

/// One service with its folder.
pub(super) struct Process {
    name: &'static str,
    /// What starts it; the same ports and data each time.
    launch: Box<dyn Fn() -> Command + Send + Sync>,
    child: Mutex<Option<Child>>,
    reaper: Child,
    folder: TempDir,
}

/// A folder that another user, such as Postgres's, may walk into.
pub(super) fn folder(name: &str) -> TempDir {
    let folder = tempfile::Builder::new()
        .prefix(&format!("tidings-test-{name}-"))
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir();
    folder.expect("the temporary folder of the system is writable")
}

/// Ends with the pipe to us, so also when we are killed; then it kills the service's group and removes its folder.
const REAPER: &str = r#"read -r _
group=$(cat "$1/group") && kill -9 "-$group"
for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$1" && exit; sleep 0.3; done"#;

impl Process {
    pub fn new(
        name: &'static str,
        folder: TempDir,
        launch: impl Fn() -> Command + Send + Sync + 'static,
    ) -> Self {
        let reaper = Command::new("sh")
            .args(["-c", REAPER, "reaper"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A Ctrl-C at the terminal must not end it before it has done its work.
            .process_group(0)
            .spawn()
            .expect("there is a shell");
        Self { name, launch: Box::new(launch), child: Mutex::default(), reaper, folder }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it; ready is somebody else's business.
    pub fn start(&self) {
        let mut child = self.child.lock().expect("no other test panicked here");
        assert!(child.is_none(), "{} runs already", self.name);
        let log =
            || fs::File::options().create(true).append(true).open(self.log()).expect("our folder is there");
        let started = (self.launch)()
            .stdin(Stdio::null())
            .stdout(log())
            .stderr(log())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{} cannot be started: {error}", self.name));
        fs::write(self.folder().join("group"), started.id().to_string()).expect("our folder is writable");
        *child = Some(started);
    }

    /// `kill -9` of all its processes; what the kernel has is what is left, as after a crash.
    pub fn kill(&self) {
        let Some(mut child) = self.child.lock().expect("no other test panicked here").take() else { return };
        // Stopped first, it starts no others while we look for them.
        signal("STOP", &[child.id()]);
        let family = family(child.id());
        signal("KILL", &family);
        let _ = child.wait();
        // Its children hold the data and the port until they are gone too.
        while family.iter().any(|pid| is_alive(*pid)) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// SIGSTOP: it keeps its connections and answers nothing.
    pub fn stop(&self) {
        self.signal_family("STOP");
    }

    /// SIGCONT.
    pub fn cont(&self) {
        self.signal_family("CONT");
    }

    pub fn runs(&self) -> bool {
        self.child.lock().expect("no other test panicked here").is_some()
    }

    fn signal_family(&self, name: &str) {
        let child = self.child.lock().expect("no other test panicked here");
        let child = child.as_ref().unwrap_or_else(|| panic!("{} does not run", self.name));
        signal(name, &[child.id()]);
        signal(name, &family(child.id()));
    }

    /// # Panics
    /// When it ended, with the end of its log.
    pub fn assert_runs(&self) {
        let mut child = self.child.lock().expect("no other test panicked here");
        let ended = child.as_mut().map(Child::try_wait);
        if let Some(Ok(Some(status))) = ended {
            panic!("{} ended with {status}: {}", self.name, self.tail());
        }
    }

    /// The end of what it printed.
    pub fn tail(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    fn log(&self) -> std::path::PathBuf {
        self.folder().join("output")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        // Nothing is left to be killed by group: its number may be somebody else's by now.
        let _ = fs::remove_file(self.folder().join("group"));
        if let Some(mut pipe) = self.reaper.stdin.take() {
            let _ = pipe.write_all(b"\n");
        }
        let _ = self.reaper.wait();
    }
}

fn signal(name: &str, pids: &[u32]) {
    // A child may be gone already: no error.
    let _ = Command::new("sh")
        .args(["-c", r#"signal=$1; shift; for pid; do kill -s "$signal" "$pid"; done"#, "kill", name])
        .args(pids.iter().map(u32::to_string))
        .stderr(Stdio::null())
        .status();
}

/// A process and all that descend from it.
fn family(root: u32) -> Vec<u32> {
    let parents = parents().unwrap_or_default();
    let mut family = vec![root];
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        family.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    family
}

/// Every process with its parent.
fn parents() -> io::Result<Vec<(u32, u32)>> {
    let numbers =
        fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(numbers.filter_map(|pid: u32| Some((pid, stat(pid)?.1))).collect())
}

/// Its state and its parent.
fn stat(pid: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z' && state != 'X')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> (Process, std::path::PathBuf, Vec<u32>) {
        let process = Process::new("sleep", folder("sleep"), || {
            let mut command = Command::new("sh");
            command.args(["-c", "sleep 1000 & wait"]);
            command
        });
        process.start();
        let pid = process.child.lock().unwrap().as_ref().unwrap().id();
        let mut pids = family(pid);
        while pids.len() < 2 {
            process.assert_runs();
            pids = family(pid);
        }
        let path = process.folder().to_owned();
        (process, path, pids)
    }

    #[test]
    fn a_dropped_service_leaves_neither_folder_nor_process() {
        let (process, path, pids) = sleeper();
        drop(process);
        assert!(!path.exists());
        assert!(!pids.into_iter().any(is_alive));
    }

    #[test]
    fn a_service_is_removed_when_the_test_process_is_killed() {
        let (mut process, path, pids) = sleeper();
        // What the kernel does then: it closes our end of the pipe.
        drop(process.reaper.stdin.take());
        assert!(process.reaper.wait().unwrap().success());
        assert!(!path.exists());
        let _ = process.child.lock().unwrap().take().unwrap().wait();
        // A signal takes its time on a busy machine.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while pids.iter().any(|pid| is_alive(*pid)) {
            assert!(std::time::Instant::now() < deadline, "they live");
            std::thread::yield_now();
        }
    }
}
