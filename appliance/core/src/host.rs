//! The machine and this process, as the kernel shows them below `/proc`. What cannot be read is absent.

use std::fs;
use std::path::Path;

use nix::sys::statvfs::statvfs;
use serde_json::{Value, json};

/// The kernel counts processor time in hundredths of a second, whatever it is configured for.
const TICKS: f64 = 100.0;

/// What this process uses.
#[derive(Clone, Copy, Debug, Default)]
pub struct Process {
    /// Memory that is resident.
    pub resident_bytes: u64,
    /// Memory that is mapped.
    pub virtual_bytes: u64,
    /// Processor time.
    pub cpu_seconds: f64,
    /// Open files.
    pub open_files: usize,
}

impl Process {
    /// As it is now.
    pub fn now() -> Self {
        let status = read("/proc/self/status");
        let bytes = |name| kibibytes(&status, name).unwrap_or_default();
        let open_files = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        Self {
            resident_bytes: bytes("VmRSS:"),
            virtual_bytes: bytes("VmSize:"),
            cpu_seconds: cpu_seconds(&read("/proc/self/stat")),
            open_files,
        }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The line that begins with `name`, in bytes.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// Fields 14 and 15; the name of the program, the second one, may hold anything, and ends at the last parenthesis.
fn cpu_seconds(stat: &str) -> f64 {
    let Some((_, rest)) = stat.rsplit_once(')') else { return 0.0 };
    rest.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>()
        / TICKS
}

/// `name: value`, as text.
fn field(block: &str, name: &str) -> String {
    let lines = block.lines().filter_map(|line| line.split_once(':'));
    lines
        .filter(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim().to_owned())
        .next()
        .unwrap_or_default()
}

/// The processors.
pub fn cpu() -> Value {
    let text = read("/proc/cpuinfo");
    let blocks = text.split("\n\n").filter(|block| block.contains("processor"));
    blocks
        .map(|block| {
            let number = |name| field(block, name).parse::<f64>().unwrap_or_default();
            json!({
                "cpu": field(block, "processor").parse::<u32>().unwrap_or_default(),
                "vendorId": field(block, "vendor_id"),
                "family": field(block, "cpu family"),
                "model": field(block, "model"),
                "stepping": number("stepping"),
                "physicalId": field(block, "physical id"),
                "coreId": field(block, "core id"),
                "cores": number("cpu cores"),
                "modelName": field(block, "model name"),
                "mhz": number("cpu MHz"),
                "microcode": field(block, "microcode"),
            })
        })
        .collect()
}

/// What the processors have done, in seconds.
pub fn cpu_times() -> Value {
    const NAMES: [&str; 10] =
        ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guestNice"];
    let text = read("/proc/stat");
    let lines = text.lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu "));
    lines
        .map(|line| {
            let mut parts = line.split_whitespace();
            let mut shown = serde_json::Map::new();
            shown.insert("cpu".into(), parts.next().unwrap_or_default().into());
            for (name, ticks) in NAMES.into_iter().zip(parts) {
                shown.insert(name.into(), (ticks.parse::<f64>().unwrap_or_default() / TICKS).into());
            }
            Value::from(shown)
        })
        .collect()
}

/// The memory, in bytes.
pub fn memory() -> Value {
    let text = read("/proc/meminfo");
    let bytes = |name| kibibytes(&text, name).unwrap_or_default();
    let (total, available) = (bytes("MemTotal:"), bytes("MemAvailable:"));
    let used = total.saturating_sub(available);
    json!({
        "total": total,
        "available": available,
        "used": used,
        "usedPercent": percent(used, total),
        "free": bytes("MemFree:"),
        "active": bytes("Active:"),
        "inactive": bytes("Inactive:"),
        "buffers": bytes("Buffers:"),
        "cached": bytes("Cached:"),
        "shared": bytes("Shmem:"),
        "slab": bytes("Slab:"),
        "swapTotal": bytes("SwapTotal:"),
        "swapFree": bytes("SwapFree:"),
    })
}

#[allow(clippy::cast_precision_loss)] // a percentage
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// The file systems of `folders`.
pub fn disk(folders: &[&Path]) -> Value {
    let shown = |folder: &&Path| {
        let found = statvfs(*folder).ok()?;
        let (size, free) = (found.fragment_size(), found.blocks_available());
        let total = found.blocks().saturating_mul(size);
        let used = found.blocks().saturating_sub(found.blocks_free()).saturating_mul(size);
        let files = found.files().saturating_sub(found.files_free());
        Some(json!({
            "path": folder.display().to_string(),
            "total": total,
            "free": free.saturating_mul(size),
            "used": used,
            "usedPercent": percent(used, total),
            "inodesTotal": found.files(),
            "inodesUsed": files,
            "inodesFree": found.files_free(),
            "inodesUsedPercent": percent(files, found.files()),
        }))
    };
    folders.iter().filter_map(shown).collect()
}

/// The machine's name, system and uptime.
pub fn host() -> Value {
    let (stat, release) = (read("/proc/stat"), read("/etc/os-release"));
    let of_release = |name: &str| {
        let lines = release.lines().filter_map(|line| line.split_once('='));
        let mut found = lines.filter(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"'));
        found.next().unwrap_or_default().to_owned()
    };
    let uptime = read("/proc/uptime");
    let uptime = uptime.split('.').next().and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    let boot =
        stat.lines().find_map(|line| line.strip_prefix("btime ")).and_then(|text| text.parse::<u64>().ok());
    let processes = fs::read_dir("/proc").map_or(0, |entries| {
        entries.flatten().filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok()).count()
    });
    json!({
        "hostname": read("/proc/sys/kernel/hostname").trim(),
        "uptime": uptime,
        "bootTime": boot.unwrap_or_default(),
        "procs": processes,
        "os": "linux",
        "platform": of_release("ID"),
        "platformVersion": of_release("VERSION_ID"),
        "kernelVersion": read("/proc/sys/kernel/osrelease").trim(),
        "kernelArch": std::env::consts::ARCH,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_move_the_fields() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 5 6";
        assert!((cpu_seconds(stat) - 3.0).abs() < 1e-9);
        assert!(cpu_seconds("").abs() < 1e-9);
        assert_eq!(kibibytes("VmSize: 9 kB\nVmRSS:\t   12 kB\n", "VmRSS:"), Some(12 * 1024));
        assert_eq!(kibibytes("VmRSS: 18446744073709551615 kB\n", "VmRSS:"), None);
    }

    #[test]
    fn this_machine_has_memory_processors_and_a_root() {
        let process = Process::now();
        assert!(process.resident_bytes > 0 && process.virtual_bytes >= process.resident_bytes);
        assert!(process.open_files > 0);
        assert!(memory()["total"].as_u64().unwrap() >= memory()["used"].as_u64().unwrap());
        assert!(!cpu_times().as_array().unwrap().is_empty());
        assert_eq!(disk(&[Path::new("/"), Path::new("/nowhere/at/all")]).as_array().unwrap().len(), 1);
        assert!(host()["kernelVersion"].as_str().is_some_and(|version| !version.is_empty()));
    }
}
