//! CPU and memory of local processes, from `/proc`.

use std::collections::HashMap;
use std::fs;
use std::time::Instant;

use super::Sample;

/// Clock ticks a second in `/proc/PID/stat`: 100 on every Linux that people run.
const TICKS: f64 = 100.0;

/// A process, or with `tree` it and all below it as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    pub name: String,
    pub pid: u32,
    pub tree: bool,
}

impl std::str::FromStr for Watched {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, pid) = text.split_once('=').ok_or("a process is written name=PID")?;
        let (pid, tree) = match pid.strip_suffix('+') {
            Some(pid) => (pid, true),
            None => (pid, false),
        };
        let pid = pid.parse().map_err(|_| format!("{pid} is not a process id"))?;
        Ok(Self { name: name.to_owned(), pid, tree })
    }
}

/// Processes whose command is called `name`.
pub fn named(name: &str) -> Vec<Watched> {
    let mut found: Vec<Watched> = all_pids()
        .filter(|pid| {
            let comm = fs::read_to_string(format!("/proc/{pid}/comm"));
            comm.is_ok_and(|comm| comm.trim() == name)
        })
        .map(|pid| Watched { name: format!("{name} {pid}"), pid, tree: false })
        .collect();
    if let [only] = found.as_mut_slice() {
        only.name = name.to_owned();
    }
    found
}

/// CPU seconds that the process has used and its resident bytes; `None` when it is gone.
pub fn usage(watched: &Watched) -> Option<(f64, u64)> {
    let own = stat(watched.pid)?;
    if !watched.tree {
        return Some((own.ticks as f64 / TICKS, resident(watched.pid)));
    }
    // Ticks of children that ended are with their parent.
    let mut children: HashMap<u32, Vec<(u32, u64)>> = HashMap::new();
    for pid in all_pids() {
        if let Some(stat) = stat(pid) {
            children.entry(stat.parent).or_default().push((pid, stat.ticks + stat.waited));
        }
    }
    let mut ticks = own.ticks + own.waited;
    let mut bytes = private(watched.pid);
    let mut queue = vec![watched.pid];
    while let Some(pid) = queue.pop() {
        for (child, used) in children.get(&pid).into_iter().flatten() {
            ticks += used;
            bytes += private(*child);
            queue.push(*child);
        }
    }
    Some((ticks as f64 / TICKS, bytes))
}

/// Turns usage into what was used since the last look.
pub struct Sampler {
    watched: Vec<(Watched, f64)>,
    looked: Instant,
}

impl Sampler {
    pub fn new(watched: Vec<Watched>) -> Self {
        let seen = |one: Watched| {
            let cpu = usage(&one).map_or(0.0, |(cpu, _)| cpu);
            (one, cpu)
        };
        Self { watched: watched.into_iter().map(seen).collect(), looked: Instant::now() }
    }

    pub fn sample(&mut self) -> Vec<Sample> {
        let span = self.looked.elapsed().as_secs_f64().max(1e-3);
        self.looked = Instant::now();
        let mut samples = Vec::new();
        for (one, before) in &mut self.watched {
            let Some((cpu, rss_bytes)) = usage(one) else {
                continue;
            };
            samples.push(Sample { name: one.name.clone(), cores: (cpu - *before) / span, rss_bytes });
            *before = cpu;
        }
        samples
    }
}

struct Stat {
    parent: u32,
    ticks: u64,
    waited: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold blanks and brackets; what follows the last bracket does not.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        parent: number(1)? as u32,
        ticks: number(11)? + number(12)?,
        waited: number(13)? + number(14)?,
    })
}

fn resident(pid: u32) -> u64 {
    status_bytes(pid, "VmRSS:")
}

/// Without pages that are shared with others, so that a tree does not count them many times.
fn private(pid: u32) -> u64 {
    status_bytes(pid, "RssAnon:")
}

fn status_bytes(pid: u32, field: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

fn all_pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_own_process_has_memory_and_a_parent() {
        let own = Watched { name: "own".into(), pid: std::process::id(), tree: false };
        let (cpu, bytes) = usage(&own).unwrap();
        assert!(cpu >= 0.0 && bytes > 100_000);
        assert!(stat(own.pid).unwrap().parent > 0);
    }

    #[test]
    fn a_process_that_is_gone_has_no_usage() {
        let gone = Watched { name: "gone".into(), pid: u32::MAX, tree: true };
        assert!(usage(&gone).is_none());
    }
}
