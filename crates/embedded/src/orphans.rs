//! Servers and lock files that an earlier run left behind when it was killed.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The process id on the first line of a pid or lock file, if there is one.
pub(super) fn pid_in(file: &Path) -> Option<i32> {
    let text = std::fs::read_to_string(file).ok()?;
    // PostgreSQL writes a negative one for a stand-alone backend.
    let pid: i32 = text.lines().next()?.trim().parse().ok()?;
    (pid.abs() > 1).then_some(pid.abs())
}

pub(super) fn is_alive(pid: i32) -> bool {
    // EPERM also means that somebody is there.
    !matches!(kill(Pid::from_raw(pid), None), Err(nix::errno::Errno::ESRCH))
}

/// Whether `pid` is the server we think of: process ids are used again, most of all in containers.
pub(super) fn mentions(pid: i32, argument: &Path) -> bool {
    command_line(pid).is_some_and(|line| line.contains(&*argument.to_string_lossy()))
}

#[cfg(target_os = "linux")]
fn command_line(pid: i32) -> Option<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(String::from_utf8_lossy(&bytes).replace('\0', " "))
}

#[cfg(not(target_os = "linux"))]
fn command_line(pid: i32) -> Option<String> {
    let output = std::process::Command::new("ps").args(["-o", "command=", "-p", &pid.to_string()]).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Ends a server that outlived its program. It may already be on its way out, so a refused signal is no error.
pub(super) fn end(name: &'static str, pid: i32, argument: &Path, politely: Signal, limit: Duration) {
    tracing::info!(server = name, pid, "ending a server that an earlier run left behind");
    let pid_ = Pid::from_raw(pid);
    let _ = kill(pid_, politely);
    let until = Instant::now() + limit;
    // By its command line, which a process that is dead but not yet waited for has lost.
    while mentions(pid, argument) {
        if Instant::now() > until {
            let _ = kill(pid_, Signal::SIGKILL);
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_known_by_its_command_line() -> anyhow::Result<()> {
        let pid = i32::try_from(std::process::id())?;
        assert!(is_alive(pid));
        assert!(mentions(pid, &std::env::current_exe()?) || mentions(pid, Path::new("taskfold")));
        assert!(!mentions(pid, Path::new("/no/such/data/folder")));
        Ok(())
    }
}
