//! The private nats-server: who may sign in to it, what followers may do, and the user that it runs as.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use async_nats::jetstream::consumer::push;
use async_nats::jetstream::kv;
use futures::StreamExt as _;
use taskfold_projector::stream;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::harness::{Actor, PATIENCE, TestEnvironment, data_dir, eventually, nats};

/// Time in which the server refuses what it refuses.
const REFUSED_WITHIN: Duration = Duration::from_secs(2);

/// The program with its own nats-server, and what it prints.
struct Program {
    child: Child,
    api: String,
    /// Command that it prints for followers.
    follow: String,
    dir: PathBuf,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    async fn start(environment: &TestEnvironment, name: &str) -> Self {
        let dir = data_dir(name);
        let mut child = Command::new(env!("CARGO_BIN_EXE_taskfold"))
            .args(["--listen", "127.0.0.1:0", "--log", "error", "--database-url", &environment.database_url])
            .arg("--data-dir")
            .arg(&dir)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let api = line_with(&mut lines, "  API").await.split_whitespace().last().unwrap().to_owned();
        let follow = line_with(&mut lines, "nats sub").await;
        Self { child, api, follow, dir, lines }
    }

    /// URL for followers, from the command that is printed.
    fn follower(&self) -> String {
        self.follow.split_whitespace().find(|word| word.starts_with("nats://")).unwrap().to_owned()
    }

    fn nats_dir(&self) -> PathBuf {
        let place = std::fs::read_to_string(self.dir.join("nats.place")).map(|place| PathBuf::from(place.trim()));
        place.unwrap_or_else(|_| self.dir.clone()).join("nats")
    }

    /// URL of the program itself.
    fn own(&self) -> String {
        let passwords = std::fs::read(self.nats_dir().join("passwords.json")).unwrap();
        let passwords: serde_json::Value = serde_json::from_slice(&passwords).unwrap();
        let (_, address) = self.follower().split_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        format!("nats://taskfold:{}@{address}", passwords["program"].as_str().unwrap())
    }

    async fn end(mut self) -> PathBuf {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id().unwrap()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap();
        assert!(ended.success());
        drop(self.lines);
        self.dir
    }

    async fn verified(&self, environment: &TestEnvironment) -> bool {
        let verifying = Command::new(env!("CARGO_BIN_EXE_taskfold"))
            .args(["verify", "--log", "error", "--database-url", &environment.database_url, "--data-dir"])
            .arg(&self.dir)
            .output();
        let output = tokio::time::timeout(PATIENCE, verifying).await.expect("verify ends").unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        output.status.success()
    }
}

async fn line_with(lines: &mut Lines<BufReader<ChildStdout>>, words: &str) -> String {
    loop {
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it prints that").unwrap();
        let line = line.unwrap_or_else(|| panic!("it ended without {words}"));
        if line.contains(words) {
            return line;
        }
    }
}

fn mode(file: &Path) -> u32 {
    std::fs::metadata(file).unwrap().permissions().mode() & 0o777
}

/// A client of the follower, with an inbox of its own.
async fn follower(url: &str) -> async_nats::Client {
    let options = taskfold::config::nats::Nats::default().options(url).unwrap();
    let servers = taskfold::config::nats::servers(url).unwrap();
    options.custom_inbox_prefix("_INBOX_follower").request_timeout(Some(REFUSED_WITHIN)).connect(servers).await.unwrap()
}

#[tokio::test]
async fn only_the_program_and_followers_may_sign_in_and_followers_only_read_events() {
    let environment = TestEnvironment::new().await;
    let program = Program::start(&environment, "private-nats").await;
    let ada = Actor::sign_up(&program.api, "ada").await;
    let (project, _) = ada.project("P").await;

    // Nobody without a password, or with a wrong one.
    let url = program.follower();
    let (_, address) = url.split_once('@').unwrap();
    for refused in [format!("nats://{address}"), format!("nats://taskfold:x@{address}"), format!("nats://x@{address}")]
    {
        assert!(nats(&refused).await.is_err(), "{refused}");
    }
    // The passwords are in files that only the user of the program, or of the server, may read.
    for file in
        [program.nats_dir().join("passwords.json"), program.nats_dir().join("nats.conf"), program.dir.join("run.json")]
    {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    let pid = std::fs::read_to_string(program.nats_dir().join("pid")).unwrap();
    assert_ne!(std::fs::metadata(format!("/proc/{}", pid.trim())).unwrap().uid(), 0, "nats-server runs as root");

    // The subscription of the printed command.
    assert!(program.follow.ends_with("'taskfold.events.>'"), "{}", program.follow);
    let client = follower(&url).await;
    let mut events = client.subscribe("taskfold.events.>").await.unwrap();
    client.flush().await.unwrap();
    let task = ada.task(&project, "T").await;
    // The event of the project may be published only now.
    let of_the_task = async { while !events.next().await.unwrap().subject.contains(&task) {} };
    tokio::time::timeout(PATIENCE, of_the_task).await.expect("the event comes");

    // Everything else is refused.
    let own = nats(&program.own()).await.unwrap();
    let jetstream = async_nats::jetstream::new(client.clone());
    let last = async || {
        let found = stream::find(&stream::context(&own), "TASKFOLD").await.unwrap().unwrap();
        stream::last_sequence(&found).await.unwrap()
    };
    eventually("both are published", || async { (last().await == 2).then_some(()) }).await;
    assert!(jetstream.delete_stream("TASKFOLD").await.is_err());
    assert!(jetstream.get_stream("KV_TASKFOLD_PRESENCE").await.is_err());
    let readable = jetstream.get_stream("TASKFOLD").await.unwrap();
    let consumer = push::Config { deliver_subject: "taskfold.streams.x".to_owned(), ..push::Config::default() };
    assert!(readable.create_consumer(consumer).await.is_err());
    assert!(jetstream.create_key_value(kv::Config { bucket: "x".to_owned(), ..kv::Config::default() }).await.is_err());
    for subject in ["taskfold.events._.x", "taskfold.streams.x", "taskfold.log.adopted", "$KV.TASKFOLD_PRESENCE.x"] {
        client.publish(subject, "forged".into()).await.unwrap();
    }
    for request in ["$JS.API.STREAM.INFO.TASKFOLD", "$JS.API.DIRECT.GET.TASKFOLD"] {
        client.publish_with_reply(request, "taskfold.events._.x", "{\"seq\":1}".into()).await.unwrap();
    }
    let mut others = Vec::new();
    for subject in [">", "_INBOX.>", "taskfold.streams.>", "$KV.>", "$JS.>"] {
        others.push(client.subscribe(subject).await.unwrap());
    }
    client.flush().await.unwrap();
    assert!(readable.direct_get(1).await.is_ok());
    assert_eq!(last().await, 2, "nothing was published");
    // What the program publishes and receives reaches none of these subscriptions: the server ended them.
    ada.task(&project, "T").await;
    let seen = tokio::time::timeout(PATIENCE, events.next()).await.expect("the event comes").unwrap();
    assert!(seen.subject.starts_with("taskfold.events."), "{}", seen.subject);
    for other in &mut others {
        assert!(futures::FutureExt::now_or_never(other.next()).flatten().is_none());
    }
    assert!(program.verified(&environment).await);
    program.end().await;
}

#[tokio::test]
async fn the_example_follows_with_the_url_for_followers() {
    let environment = TestEnvironment::new().await;
    let program = Program::start(&environment, "private-nats-example").await;
    let ada = Actor::sign_up(&program.api, "ada").await;
    let (project, _) = ada.project("P").await;
    let example = Path::new(env!("CARGO_BIN_EXE_taskfold")).with_file_name("examples").join("follow");
    let mut following = Command::new(example)
        .args([&ada.url, ada.token.as_ref().unwrap(), &project, &program.follower()])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("`cargo test` builds the examples; without it, `cargo build --examples` does");
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    line_with(&mut lines, "following").await;
    for title in ["one", "two", "three"] {
        ada.task(&project, title).await;
        line_with(&mut lines, title).await;
    }
    program.end().await;
}

/// A data directory of an earlier version, whose server ran as the program's user and had no passwords, keeps working.
#[tokio::test]
async fn an_existing_data_directory_keeps_its_stream_and_new_passwords_are_kept() {
    let environment = TestEnvironment::new().await;
    let program = Program::start(&environment, "private-nats-existing").await;
    let ada = Actor::sign_up(&program.api, "ada").await;
    let (project, _) = ada.project("P").await;
    ada.task(&project, "T").await;
    let created = async |program: &Program| {
        let own = nats(&program.own()).await.unwrap();
        eventually("both are published", || async {
            let found = stream::find(&stream::context(&own), "TASKFOLD").await.ok()??;
            (stream::last_sequence(&found).await.ok()? == 2).then(|| found.cached_info().created)
        })
        .await
    };
    let (before, dir) = (created(&program).await, program.nats_dir());
    program.end().await;

    std::fs::remove_file(dir.join("passwords.json")).unwrap();
    // Its streams were in the account that a server has by itself.
    let streams = dir.join("store/jetstream");
    std::fs::rename(streams.join("TASKFOLD"), streams.join("$G")).unwrap();
    if nix::unistd::geteuid().is_root() {
        give_to_root(&dir);
    }
    let program = Program::start(&environment, "private-nats-existing").await;
    assert_eq!(created(&program).await, before, "the stream is the same");
    let url = program.follower();
    program.end().await;
    let program = Program::start(&environment, "private-nats-existing").await;
    assert_eq!(program.follower(), url, "followers sign in as before");
    program.end().await;
}

fn give_to_root(dir: &Path) {
    lchown(dir, Some(0), Some(0)).unwrap();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        lchown(entry.path(), Some(0), Some(0)).unwrap();
        if entry.file_type().unwrap().is_dir() {
            give_to_root(&entry.path());
        }
    }
}
