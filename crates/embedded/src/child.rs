//! A server as a child process: out of the terminal's reach, ended with its parent, its words kept.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::signal::Signal;

const LINES_KEPT: usize = 20;

/// The last lines a server wrote, for the error message when it does not come up.
#[derive(Clone, Default)]
pub(super) struct LastWords(Arc<Mutex<VecDeque<String>>>);

impl LastWords {
    fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES_KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub(super) fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Vec::from_iter(lines.iter().map(String::as_str)).join("\n")
    }
}

/// Starts the server. Call it on a thread that lives as long as the server may: on Linux `ends_with_parent` is sent
/// when the spawning THREAD ends, be it by a `kill -9` of the whole program.
pub(super) fn spawn(
    name: &'static str,
    mut command: Command,
    ends_with_parent: Signal,
    words: &LastWords,
) -> std::io::Result<Child> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // Ctrl-C in the terminal is for us alone: we stop the servers last, after what depends on them.
        .process_group(0);
    end_with_parent(&mut command, ends_with_parent);
    let mut child = command.spawn()?;
    if let Some(stderr) = child.stderr.take() {
        let words = words.clone();
        // A pipe that nobody reads fills up and stops the server.
        std::thread::Builder::new().name(format!("{name}-stderr")).spawn(move || drain(name, stderr, &words))?;
    }
    Ok(child)
}

fn drain(name: &'static str, stderr: ChildStderr, words: &LastWords) {
    for line in BufReader::new(stderr).split(b'\n') {
        let Ok(line) = line else { return };
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        tracing::debug!(target: "taskfold::embedded::server", server = name, "{line}");
        words.push(line);
    }
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "code between fork and exec; it makes three system calls and allocates nothing")]
fn end_with_parent(command: &mut Command, signal: Signal) {
    let parent = nix::unistd::getpid();
    let hook = move || {
        // After the change of user (the standard library runs hooks last): that change would clear it.
        nix::sys::prctl::set_pdeathsig(signal)?;
        if nix::unistd::getppid() != parent {
            // The parent ended before the line above; nobody would ever send the signal.
            return Err(nix::errno::Errno::ESRCH.into());
        }
        Ok(())
    };
    // SAFETY: only async-signal-safe calls (prctl, getppid), no allocation, no locks.
    unsafe { command.pre_exec(hook) };
}

/// macOS has no such signal; a server left behind is found and ended at the next start.
#[cfg(not(target_os = "linux"))]
fn end_with_parent(_command: &mut Command, _signal: Signal) {}
