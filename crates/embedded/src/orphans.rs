//! Servers and lock files that a killed run left behind.

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
    // EPERM also means that the process exists.
    !matches!(kill(Pid::from_raw(pid), None), Err(nix::errno::Errno::ESRCH))
}

/// Tells by its command line whether the process is the expected server: process ids are reused, above all in
/// containers.
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

/// Ends a server that outlived its program. A signal that fails is no error, because the server may have just ended.
pub(super) fn end(name: &'static str, pid: i32, argument: &Path, signal: Signal, limit: Duration) {
    tracing::info!(server = name, pid, "ending a server that an earlier run left behind");
    let pid_ = Pid::from_raw(pid);
    let _ = kill(pid_, signal);
    let until = Instant::now() + limit;
    // Checked by the command line, which a zombie process no longer has.
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
