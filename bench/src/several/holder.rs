use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::client::text;
use crate::listeners::{Channel, Listener, Plan, Returns, Sent, Swarm};
use crate::live::faults;
use crate::publisher::{Published, places};
use crate::rooms::{Audience, Rooms};
use crate::system::Process;

const CONNECT_LIMIT: Duration = Duration::from_secs(300);
/// For the last frame, from the last command's reply.
const ARRIVE_LIMIT: Duration = Duration::from_secs(60);

/// The process, as it is seen from the one that started it. They talk in lines of JSON.
pub struct Holder {
    child: Child,
    /// `None`: it has been told all.
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Holder {
    /// Returns when all its listeners are connected, and how many seconds that took.
    pub async fn start(
        server: &Process,
        first: usize,
        rooms: &Rooms,
        audience: &Audience,
        commands: usize,
    ) -> anyhow::Result<(Self, f64)> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("holder")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (to, from) = (child.stdin.take(), child.stdout.take().context("no stdout")?);
        let mut holder = Self { child, to, from: BufReader::new(from) };
        let channels: Vec<Value> =
            rooms.channels().into_iter().map(|c| json!({"path": c.path, "rooms": c.rooms})).collect();
        let listeners: Vec<Value> = audience.everybody().iter().map(|l| json!([l.channel, l.token])).collect();
        holder.say(&json!({
            "address": server.address, "first": first, "channels": channels, "tokens": rooms.tokens, "listeners": listeners,
            "at_once": audience.connecting, "threads": audience.threads, "commands": commands,
        }))?;
        let (holder, connected) = tokio::task::spawn_blocking(move || {
            let connected = holder.hear();
            (holder, connected)
        })
        .await?;
        Ok((holder, connected?["connected_s"].as_f64().context("not connected")?))
    }

    /// When a command was sent. A holder that is gone is noticed at the end.
    pub fn tell(&mut self, command: usize, at: u64) {
        let _ = self.say(&json!([command, at]));
    }

    /// What its listeners have seen, when all has come to them.
    pub async fn end(mut self, published: &[Published]) -> anyhow::Result<Value> {
        self.say(&json!({"published": places(published)}))?;
        tokio::task::spawn_blocking(move || self.hear()).await?
    }

    fn say(&mut self, message: &Value) -> anyhow::Result<()> {
        writeln!(self.to.as_mut().context("it has been told all")?, "{message}")
            .context("a holder of listeners is gone")
    }

    fn hear(&mut self) -> anyhow::Result<Value> {
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        serde_json::from_str(&line).context("a holder of listeners is gone")
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.to = None;
        let _ = self.child.wait();
    }
}

/// The process itself. It ends when it is asked what came of it, and when the one that started it ends.
pub async fn run() -> anyhow::Result<()> {
    let mut lines = std::io::stdin().lines();
    let plan: Value = serde_json::from_str(&lines.next().context("no plan")??)?;
    let (plan, sent) = read(&plan)?;
    let mut sizes: Vec<u64> = Vec::new();
    for listener in &plan.listeners {
        for room in &plan.channels[listener.channel].rooms {
            sizes.resize(sizes.len().max(room + 1), 0);
            sizes[*room] += 1;
        }
    }
    let swarm = Swarm::start(plan)?;
    let connected = swarm.until_connected(CONNECT_LIMIT).await?;
    println!("{}", json!({"connected_s": connected.as_secs_f64()}));
    for line in lines {
        let message: Value = serde_json::from_str(&line?)?;
        let Some(published) = message.get("published") else {
            let (command, at): (usize, u64) = serde_json::from_value(message)?;
            sent.set(command, at);
            continue;
        };
        let published: Vec<(usize, u64)> = serde_json::from_value(published.clone())?;
        let expected: u64 = published.iter().map(|(room, _)| sizes[*room]).sum();
        let arrived = swarm.until_changes(expected, ARRIVE_LIMIT).await;
        let report = swarm.report()?;
        let (lost, doubled) = faults(&swarm, &report, &published);
        arrived.with_context(|| format!("{lost} frames lost, {doubled} doubled"))?;
        let at = |share| report.latencies.at(share);
        println!(
            "{}",
            json!({
                "deliveries": expected, "heartbeats": report.heartbeats, "lost": lost, "doubled": doubled,
                "p50_ms": at(0.5), "p90_ms": at(0.9), "p99_ms": at(0.99), "max_ms": report.latencies.max(),
            })
        );
        return Ok(());
    }
    Ok(())
}

fn read(plan: &Value) -> anyhow::Result<(Plan, Arc<Sent>)> {
    let number = |key: &str| plan[key].as_u64().with_context(|| format!("no {key}")).map(|n| n as usize);
    let sent = Arc::new(Sent::new(number("commands")?));
    let channels: Vec<Value> = serde_json::from_value(plan["channels"].clone())?;
    let channel = |c: Value| {
        let rooms = serde_json::from_value(c["rooms"].clone())?;
        anyhow::Ok(Channel { path: text(&c, "path")?.to_owned(), rooms })
    };
    let listeners: Vec<(usize, usize)> = serde_json::from_value(plan["listeners"].clone())?;
    let plan = Plan {
        addresses: vec![text(plan, "address")?.parse()?],
        channels: channels.into_iter().map(channel).collect::<Result<_, _>>()?,
        tokens: serde_json::from_value(plan["tokens"].clone())?,
        listeners: listeners.into_iter().map(|(channel, token)| Listener { channel, token }).collect(),
        at_once: number("at_once")?,
        threads: number("threads")?,
        returns: Returns::Never,
        first: number("first")?,
        sent: Arc::clone(&sent),
    };
    Ok((plan, sent))
}
