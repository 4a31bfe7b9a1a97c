//! A nats-server of the operator: the ways to sign in, and the permissions that docs/operating.md lists, which suffice
//! for each role and for a follower, and allow nothing else.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use taskfold_projector::stream;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::harness::{Actor, NatsServer, PATIENCE, Process, Sse, TestEnvironment, data_dir, eventually, nats};
use crate::health::reports;

/// Time in which the server refuses what it refuses.
const REFUSED_WITHIN: Duration = Duration::from_secs(2);

/// The users of docs/operating.md, as they stand there.
fn documented_users() -> String {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operating.md")).unwrap();
    let block = page.lines().skip_while(|line| *line != "    accounts {");
    let block: Vec<&str> = block.take_while(|line| line.is_empty() || line.starts_with("    ")).collect();
    assert!(block.len() > 10, "the manual has the users");
    block.join("\n")
}

/// A client of this user, with an inbox of its own if it is the follower.
async fn client(server: &NatsServer, user: &str) -> async_nats::Client {
    let mut options = async_nats::ConnectOptions::new()
        .user_and_password(user.to_owned(), format!("{}-PASSWORD", user.to_uppercase()))
        .request_timeout(Some(REFUSED_WITHIN));
    if user == "follower" {
        options = options.custom_inbox_prefix("_INBOX_follower");
    }
    options.connect(&server.address).await.unwrap()
}

fn taskfold(arguments: &[&str], settings: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taskfold"));
    command.args(arguments).args(["--log", "error"]).args(settings).output().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_permissions_suffice_for_each_role_and_allow_nothing_else() {
    let environment = TestEnvironment::new().await;
    let server = NatsServer::start("permissions", &documented_users()).await;
    let (data, url) = (environment.data_dir.to_str().unwrap(), format!("nats://{}", server.address));
    std::fs::create_dir_all(&environment.data_dir).unwrap();
    let password = environment.data_dir.join("query-api-password");
    std::fs::write(&password, "QUERY-API-PASSWORD\n").unwrap();
    let with_database = ["--database-url", &environment.database_url, "--data-dir", data];
    let settings = |own: &[&'static str]| [&with_database, ["--nats-url", &url].as_slice(), own].concat();
    let migrated = taskfold(&["migrate"], &with_database);
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    let of_projector = settings(&["--nats-user", "projector", "--nats-password", "PROJECTOR-PASSWORD"]);
    let of_reads =
        [settings(&["--nats-user", "query-api"]), vec!["--nats-password-file", password.to_str().unwrap()]].concat();
    let commands = Process::start("command-api", &with_database);
    let projector = Process::start("projector", &of_projector);
    let reads = [Process::start("query-api", &of_reads), Process::start("query-api", &of_reads)];
    for process in [&commands, &projector, &reads[0], &reads[1]] {
        process.ready().await;
    }

    // Commands, publication, streams, changes of streams through another instance, presence.
    let ada = Actor::sign_up(&commands.url, "ada").await;
    let (project, _) = ada.project("P").await;
    let (other, _) = ada.project("Q").await;
    let task = ada.task(&project, "T").await;
    reports(&projector.url, "publication", "ok", "at 3 of 3").await;
    let [one, two] = [&reads[0], &reads[1]].map(|reads| Actor { url: reads.url.clone(), ..ada.clone() });
    let mut stream = one.stream(&format!("/v1/stream?projects={project}&me=true&since=0")).await;
    let hello = stream.next().await.unwrap();
    assert_eq!(stream.changes_until(3).await, [1, 3]);
    let change = format!("/v1/streams/{}", hello.data["stream_id"].as_str().unwrap());
    two.patch(&change, json!({"add": [other]})).await.expect(200);
    let added = ada.task(&other, "in the added project").await;
    assert_eq!(stream.next_change().await.unwrap().data["subject"]["id"], added.as_str());
    let from_jetstream = async || {
        let metrics = reqwest::get(format!("{}/metrics", reads[0].url)).await.unwrap().text().await.unwrap();
        metrics.contains("taskfold_hub_source{source=\"jetstream\"} 1")
    };
    let began = std::time::Instant::now();
    while !from_jetstream().await {
        assert!(began.elapsed() < PATIENCE, "events never come from JetStream");
        ada.patch(&format!("/v1/tasks/{task}"), json!({"title": crate::harness::new_id()})).await.expect(200);
        stream.next_change().await.unwrap();
    }
    let presence = format!("/v1/projects/{project}/presence");
    for (actor, device) in [(&one, "one"), (&two, "two")] {
        eventually("presence is accepted", || async {
            (actor.put(&presence, json!({"device_id": device})).await.status == 200).then_some(())
        })
        .await;
    }
    eventually("both devices are seen", || async {
        let list = one.get(&presence).await.expect(200);
        (list["items"][0]["devices"] == 2).then_some(())
    })
    .await;
    one.delete(&format!("{presence}/one")).await;

    // A follower.
    let example = Path::new(env!("CARGO_BIN_EXE_taskfold")).with_file_name("examples").join("follow");
    let follower_url = format!("nats://follower:FOLLOWER-PASSWORD@{}", server.address);
    let mut following = tokio::process::Command::new(example)
        .args([&two.url, two.token.as_ref().unwrap(), &project, &follower_url])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("`cargo test` builds the examples; without it, `cargo build --examples` does");
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    for words in ["following", "followed"] {
        if words == "followed" {
            ada.patch(&format!("/v1/tasks/{task}"), json!({"title": "followed"})).await.expect(200);
        }
        loop {
            let line =
                tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it prints that").unwrap().unwrap();
            assert!(!line.contains("trying again"), "{line}");
            if line.contains(words) {
                break;
            }
        }
    }
    drop(following);

    // Maintenance signs in as the projector.
    let verified = taskfold(&["verify"], &of_projector);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    let adopted = taskfold(&["adopt"], &of_projector);
    assert!(adopted.status.success(), "{}", String::from_utf8_lossy(&adopted.stderr));
    let verified = taskfold(&["verify"], &of_projector);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    assert_eq!(server.violations(), Vec::<String>::new(), "nobody lacked a permission");

    // What is not listed is refused.
    let own = client(&server, "projector").await;
    let last = async || {
        let found = stream::find(&stream::context(&own), "TASKFOLD").await.unwrap().unwrap();
        stream::last_sequence(&found).await.unwrap()
    };
    let before = last().await;
    for user in ["query-api", "follower"] {
        let client = client(&server, user).await;
        let jetstream = async_nats::jetstream::new(client.clone());
        assert!(jetstream.delete_stream("TASKFOLD").await.is_err(), "{user}");
        for subject in ["taskfold.events._.x", "taskfold.log.adopted"] {
            client.publish(subject, "forged".into()).await.unwrap();
        }
        client.flush().await.unwrap();
    }
    let follower = client(&server, "follower").await;
    for subject in ["taskfold.streams.x", "$KV.TASKFOLD_PRESENCE.x", "_INBOX.x"] {
        follower.publish(subject, "forged".into()).await.unwrap();
    }
    for subject in [">", "_INBOX.>", "taskfold.streams.>"] {
        drop(follower.subscribe(subject).await.unwrap());
    }
    // The answers would be written to the stream, if it were in the follower's account.
    for request in ["$JS.API.STREAM.INFO.TASKFOLD", "$JS.API.DIRECT.GET.TASKFOLD"] {
        follower.publish_with_reply(request, "taskfold.events._.x", "{\"seq\":1}".into()).await.unwrap();
    }
    follower.flush().await.unwrap();
    for user in ["projector", "query-api"] {
        let client = client(&server, user).await;
        let _events = client.subscribe("taskfold.events.>").await.unwrap();
        client.flush().await.unwrap();
    }
    eventually("all of it is refused", || async {
        let violations = server.violations().join("\n");
        let wanted = [
            "query-api\".*taskfold.events._.x",
            "follower\".*taskfold.events._.x",
            "follower\".*taskfold.log.adopted",
            "follower\".*taskfold.streams.x",
            "follower\".*KV.TASKFOLD_PRESENCE.x",
            "follower\".*_INBOX.x",
            "follower\".*_INBOX.>",
            "projector\".*taskfold.events.>",
            "query-api\".*taskfold.events.>",
        ];
        let has = |wanted: &str| {
            let (user, subject) = wanted.split_once("\".*").unwrap();
            violations.lines().any(|line| line.contains(user) && line.contains(&format!("{subject}\"")))
        };
        wanted.iter().all(|wanted| has(wanted)).then_some(())
    })
    .await;
    assert_eq!(last().await, before, "nothing was published");
    drop(stream);
}

/// Settings of a server, and flags with which the program signs in to it.
struct SignIn {
    server: String,
    flags: Vec<String>,
    /// Flags that it refuses.
    wrong: Vec<String>,
}

fn flags(flags: &[&str]) -> Vec<String> {
    flags.iter().map(|&flag| flag.to_owned()).collect()
}

fn file(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A key pair and a certificate for it, signed by the authority (or by itself), made by the `openssl` of the machine.
fn certificate(dir: &Path, name: &str, authority: Option<&str>) -> (PathBuf, PathBuf) {
    let (key, certificate) = (dir.join(format!("{name}.key")), dir.join(format!("{name}.pem")));
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]);
    command.args(["-subj", &format!("/CN={name}"), "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]);
    if let Some(authority) = authority {
        command.arg("-CA").arg(dir.join(format!("{authority}.pem")));
        command.arg("-CAkey").arg(dir.join(format!("{authority}.key")));
        command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    }
    let made = command.arg("-keyout").arg(&key).arg("-out").arg(&certificate).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (certificate, key)
}

fn ways(dir: &Path) -> Vec<(&'static str, SignIn)> {
    let key = nkeys::KeyPair::new_user();
    let (public, seed) = (key.public_key(), key.seed().unwrap());
    let stranger = nkeys::KeyPair::new_user().seed().unwrap();
    let user = "authorization { user: \"ada\", password: \"p@ss/w:rd\" }".to_owned();
    let token = "authorization { token: \"s3cret\" }".to_owned();
    let nkey = format!("authorization {{ users: [{{ nkey: \"{public}\" }}] }}");
    vec![
        (
            "url",
            SignIn {
                server: user.clone(),
                flags: flags(&["--nats-url", "nats://ada:p%40ss%2Fw%3Ard@ADDRESS"]),
                wrong: flags(&["--nats-url", "nats://ada:other@ADDRESS"]),
            },
        ),
        (
            "user",
            SignIn {
                server: user,
                flags: flags(&[
                    "--nats-url",
                    "nats://ADDRESS",
                    "--nats-user",
                    "ada",
                    "--nats-password-file",
                    &file(dir, "password", "p@ss/w:rd\n"),
                ]),
                wrong: flags(&["--nats-url", "nats://ADDRESS", "--nats-user", "ada", "--nats-password", "other"]),
            },
        ),
        (
            "token",
            SignIn {
                server: token.clone(),
                flags: flags(&["--nats-url", "nats://ADDRESS", "--nats-token-file", &file(dir, "token", "s3cret")]),
                wrong: flags(&["--nats-url", "nats://ADDRESS", "--nats-token", "other"]),
            },
        ),
        (
            "token-in-url",
            SignIn {
                server: token,
                flags: flags(&["--nats-url", "nats://s3cret@ADDRESS"]),
                wrong: flags(&["--nats-url", "nats://ADDRESS"]),
            },
        ),
        (
            "nkey",
            SignIn {
                server: nkey,
                flags: flags(&["--nats-url", "nats://ADDRESS", "--nats-nkey-file", &file(dir, "seed", &seed)]),
                wrong: flags(&["--nats-url", "nats://ADDRESS", "--nats-nkey", &stranger]),
            },
        ),
    ]
}

fn tls(dir: &Path) -> SignIn {
    let ((ca, _), (other, _)) = (certificate(dir, "authority", None), certificate(dir, "other", None));
    let (of_server, server_key) = certificate(dir, "server", Some("authority"));
    let (of_client, client_key) = certificate(dir, "client", Some("authority"));
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let server = format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: true }}",
        path(&of_server),
        path(&server_key),
        path(&ca)
    );
    let with = |ca: &Path| {
        let (ca, certificate, key) = (path(ca), path(&of_client), path(&client_key));
        let own = ["--nats-ca-file", &ca, "--nats-cert-file", &certificate, "--nats-key-file", &key];
        flags(&[["--nats-url", "tls://ADDRESS"].as_slice(), &own].concat())
    };
    SignIn { server, flags: with(&ca), wrong: with(&other) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_signs_in_to_nats_in_every_way() {
    let dir = data_dir("nats-sign-in");
    std::fs::create_dir_all(&dir).unwrap();
    let mut ways = ways(&dir);
    ways.push(("tls", tls(&dir)));
    for (way, SignIn { server: settings, flags, wrong }) in ways {
        let environment = TestEnvironment::new().await;
        let server = NatsServer::start(&format!("sign-in-{way}"), &settings).await;
        let data = environment.data_dir.to_str().unwrap();
        let database =
            ["--database-url", &environment.database_url, "--data-dir", data, "--stream", &environment.stream];
        let start = |flags: &[String]| {
            let flags: Vec<String> = flags.iter().map(|flag| flag.replace("ADDRESS", &server.address)).collect();
            let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
            Process::start("all", &[&database, flags.as_slice()].concat())
        };
        let process = start(&flags);
        process.ready().await;
        let ada = Actor::sign_up(&process.url, "ada").await;
        let (project, _) = ada.project("P").await;
        reports(&process.url, "publication", "ok", "at 1 of 1").await;
        let mut stream: Sse = ada.stream(&format!("/v1/projects/{project}/events/stream?since=0")).await;
        assert_eq!(stream.changes_until(1).await, [1], "{way}");
        drop((stream, process));
        // Without the right credentials everything but NATS works.
        let process = start(&wrong);
        process.ready().await;
        reports(&process.url, "nats", "degraded", "not connected").await;
        Actor::anonymous(&process.url).sign_in("ada").await.project("Q").await;
    }
}

#[tokio::test]
async fn mistakes_of_the_nats_settings_are_reported_at_once_without_secrets() {
    let dir = data_dir("nats-mistakes");
    std::fs::create_dir_all(&dir).unwrap();
    let not_pem = file(&dir, "not-pem", "hunter2");
    let wrong = taskfold(
        &["query-api"],
        &[
            "--nats-url=nats://ada:hunter2@one,nats://bo:hunter2@two",
            "--nats-user=ada",
            "--nats-token-file=/does/not/exist",
            "--nats-nkey=hunter2",
            "--nats-creds-file",
            &not_pem,
            "--nats-ca-file",
            &not_pem,
            "--nats-cert-file=/does/not/exist",
        ],
    );
    assert!(!wrong.status.success());
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    for flag in
        ["nats-url", "nats-user", "nats-token-file", "nats-nkey", "nats-creds-file", "nats-ca-file", "nats-cert-file"]
    {
        assert!(said.contains(&format!("--{flag}")), "{flag}: {said}");
    }
    assert!(!said.contains("hunter2"), "{said}");
    assert!(nats("nats://ada:x@127.0.0.1:1,nats://bo:x@127.0.0.1:1").await.is_err());
}
