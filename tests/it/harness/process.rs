//! A role of the program as a process that can be killed, stopped and restarted.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::eventually;

/// Pause between the kill of a process and its restart.
const RESTART_PAUSE: Duration = Duration::from_millis(300);

/// One role as a process of its own.
pub struct Process {
    role: String,
    pub url: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    child: Child,
}

impl Process {
    /// Starts the role on a port that was free just before, with these settings.
    pub fn start(role: &str, settings: &[&str]) -> Self {
        Self::start_with(role, &[&["--log", "error"], settings].concat(), Stdio::inherit())
    }

    /// Like `start`, with a log at these levels in this file, one JSON object per line.
    pub fn start_logging(role: &str, levels: &str, settings: &[&str], log: &Path) -> Self {
        let log = File::create(log).unwrap();
        Self::start_with(role, &[&["--log", levels, "--log-format", "json"], settings].concat(), log.into())
    }

    fn start_with(role: &str, settings: &[&str], stderr: Stdio) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("127.0.0.1:{port}");
        let own = [role, "--listen", &url];
        let arguments: Vec<String> = own.iter().chain(settings).map(|&a| a.to_owned()).collect();
        let child = Self::spawn(&arguments, &[], stderr);
        Self { role: role.to_owned(), url: format!("http://{url}"), arguments, environment: Vec::new(), child }
    }

    fn spawn(arguments: &[String], environment: &[(String, String)], stderr: Stdio) -> Child {
        Command::new(env!("CARGO_BIN_EXE_taskfold"))
            .args(arguments)
            .envs(environment.iter().cloned())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .unwrap()
    }

    pub async fn ready(&self) {
        eventually(&format!("{} is ready", self.role), || async {
            let answer = reqwest::get(format!("{}/health/live", self.url)).await;
            answer.is_ok_and(|a| a.status() == 200).then_some(())
        })
        .await;
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Sends a signal, such as SIGSTOP and SIGCONT.
    pub fn signal(&self, signal: Signal) {
        nix::sys::signal::kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Waits for the end of a process that was asked to end: it must exit successfully.
    pub async fn ends(&mut self) {
        let ended =
            eventually(&format!("{} ends", self.role), || std::future::ready(self.child.try_wait().unwrap())).await;
        assert!(ended.success(), "{ended}");
    }

    /// Sends SIGTERM, waits for a successful exit, and restarts the process.
    pub async fn end_and_restart(&mut self) {
        self.signal(Signal::SIGTERM);
        self.ends().await;
        self.start_again();
        self.ready().await;
    }

    /// Kills the process with SIGKILL and restarts it after a moment, as a supervisor does.
    pub async fn kill_and_restart(&mut self) {
        self.kill();
        // Time: clients meet a closed port meanwhile.
        tokio::time::sleep(RESTART_PAUSE).await;
        self.start_again();
        self.ready().await;
    }

    /// Restarts a process that has ended.
    pub fn start_again(&mut self) {
        self.child = Self::spawn(&self.arguments, &self.environment, Stdio::inherit());
    }

    /// Sets environment variables for processes that are started from now on.
    pub fn set_environment(&mut self, environment: &[(&str, &str)]) {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        self.environment = environment.iter().map(owned).collect();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
