//! The machine that a benchmark runs on: its cores, who takes how much of them, and how many files one may open.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Length of the unit in which Linux counts processor time towards programs.
const TICK: Duration = Duration::from_millis(10);

/// Which core does what: the part under test is alone on its own, so that its processor time is not that of waiting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cores {
    /// The load and the bare MCP server.
    pub(super) load: usize,
    /// The part under test.
    pub(super) subject: usize,
}

impl Cores {
    /// The first and the last core that this process may use.
    pub(super) fn of_this_machine() -> Result<Self> {
        let status =
            fs::read_to_string("/proc/self/status").context("a benchmark needs Linux: no /proc/self/status")?;
        let list = field(&status, "Cpus_allowed_list:").context("Linux does not say which cores may be used")?;
        let cores = cores(list).with_context(|| format!("cannot read the list of cores `{list}`"))?;
        match (cores.first(), cores.last()) {
            (Some(load), Some(subject)) if load != subject => Ok(Self { load: *load, subject: *subject }),
            (Some(_), Some(_)) | (None, _) | (_, None) => {
                bail!("a benchmark needs two cores: one for what is measured, one for the load")
            }
        }
    }
}

/// `0-3,8` and the like.
fn cores(list: &str) -> Option<Vec<usize>> {
    let mut cores = Vec::new();
    for range in list.split(',') {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        cores.extend(from.trim().parse().ok()?..=to.trim().parse::<usize>().ok()?);
    }
    Some(cores)
}

/// Processor time that everybody on the machine has used, idling and waiting aside.
pub(super) fn busy() -> Result<Duration> {
    let text = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    let line =
        text.lines().next().and_then(|line| line.strip_prefix("cpu ")).context("/proc/stat has no first line")?;
    let ticks: Vec<u32> = line.split_whitespace().map_while(|number| number.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq
    let [user, nice, system, _, _, irq, softirq, ..] = ticks.as_slice() else {
        bail!("/proc/stat has fewer columns than Linux documents");
    };
    Ok(TICK * [user, nice, system, irq, softirq].into_iter().sum())
}

/// Processor time of a process and its threads, in user and kernel mode.
pub(super) fn processor_time(process: u32) -> Result<Duration> {
    let path = format!("/proc/{process}/stat");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}: did the process end?"))?;
    // The name in parentheses may hold spaces; user and system time are the 14th and 15th of all fields.
    let fields = text.rsplit_once(')').map(|(_, rest)| rest.split_whitespace()).context("an odd /proc entry")?;
    let times: Vec<u32> = fields.skip(11).take(2).map_while(|number| number.parse().ok()).collect();
    let [user, system] = times.as_slice() else {
        bail!("{path} has fewer fields than Linux documents");
    };
    Ok(TICK * (user + system))
}

/// Resident memory of a process in mebibytes.
pub(super) fn resident_mebibytes(process: u32) -> Result<f64> {
    let path = format!("/proc/{process}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}: did the process end?"))?;
    let kibibytes = field(&text, "VmRSS:").and_then(|value| value.trim_end_matches(" kB").parse::<u32>().ok());
    Ok(f64::from(kibibytes.with_context(|| format!("{path} names no resident memory"))?) / 1024.0)
}

/// What the processor calls itself.
pub(super) fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    name.trim_start_matches(['\t', ' ', ':']).to_owned()
}

/// Lets this process and its children open as many files as the system allows: a thousand connections are more than the
/// usual first limit.
pub(super) fn raise_open_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .context("cannot raise the number of files that may be open")
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores_are_read_with_ranges() {
        assert_eq!(cores("0-2,8"), Some(vec![0, 1, 2, 8]));
        assert_eq!(cores("5"), Some(vec![5]));
        assert_eq!(cores("a-b"), None);
    }

    #[test]
    fn this_process_has_memory_and_the_machine_was_busy() {
        let own = std::process::id();
        assert!(resident_mebibytes(own).expect("it runs") > 0.5);
        assert!(busy().expect("a Linux") >= processor_time(own).expect("it runs"));
    }
}
