//! Servers as child processes: without the terminal's signals, ended with their parent, with the tail of their output.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::signal::Signal;

const MAX_LINES: usize = 20;

/// The last lines of a server's output, for the error message when it does not start.
#[derive(Clone, Default)]
pub(super) struct StderrTail(Arc<Mutex<VecDeque<String>>>);

impl StderrTail {
    fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == MAX_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub(super) fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Vec::from_iter(lines.iter().map(String::as_str)).join("\n")
    }
}

/// Starts the server. The calling thread must live as long as the server: on Linux, `ends_with_parent` is sent when the
/// spawning thread ends, for example by a `kill -9` of the whole program.
pub(super) fn spawn(
    name: &'static str,
    mut command: Command,
    ends_with_parent: Signal,
    tail: &StderrTail,
) -> std::io::Result<Child> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // Keeps Ctrl-C from the servers, which are stopped last, after what depends on them.
        .process_group(0);
    end_with_parent(&mut command, ends_with_parent);
    let mut child = command.spawn()?;
    if let Some(stderr) = child.stderr.take() {
        let tail = tail.clone();
        // A full pipe would block the server.
        std::thread::Builder::new().name(format!("{name}-stderr")).spawn(move || drain(name, stderr, &tail))?;
    }
    Ok(child)
}

fn drain(name: &'static str, stderr: ChildStderr, tail: &StderrTail) {
    for line in BufReader::new(stderr).split(b'\n') {
        let Ok(line) = line else { return };
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        tracing::debug!(target: "taskfold::embedded::server", server = name, "{line}");
        tail.push(line);
    }
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "code between fork and exec, which makes three system calls and allocates nothing")]
fn end_with_parent(command: &mut Command, signal: Signal) {
    let parent = nix::unistd::getpid();
    let hook = move || {
        // After the change of user, which would clear it: the standard library runs hooks last.
        nix::sys::prctl::set_pdeathsig(signal)?;
        if nix::unistd::getppid() != parent {
            // The parent ended before the line above, so that the signal would never be sent.
            return Err(nix::errno::Errno::ESRCH.into());
        }
        Ok(())
    };
    // SAFETY: only async-signal-safe calls (prctl, getppid), no allocation, no locks.
    unsafe { command.pre_exec(hook) };
}

/// macOS has no such signal; the next start finds and ends a server that was left behind.
#[cfg(not(target_os = "linux"))]
fn end_with_parent(_command: &mut Command, _signal: Signal) {}
