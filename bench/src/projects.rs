//! Projects and the people who listen to them, as set by the options of a measurement.

use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use crate::client::{Client, text};
use crate::listeners::{Channel, Listener, sockets};

const PASSWORD: &str = "correct horse battery";

/// Listeners and their distribution over projects.
#[derive(Args, Clone, Copy, Debug)]
pub struct Audience {
    /// Number of listeners; with `live --instances`, on each instance
    #[arg(long, default_value = "1000")]
    pub listeners: usize,
    /// Projects that the listeners are distributed over
    #[arg(long, default_value = "10")]
    pub projects: usize,
    /// Each listener follows this many projects on its connection, through /v1/stream
    #[arg(long, value_name = "PROJECTS")]
    pub projects_per_stream: Option<usize>,
    /// Listeners per person; 0: all belong to one person
    #[arg(long, default_value = "0")]
    pub per_user: usize,
    /// Connections being opened at one time at the start
    #[arg(long, default_value = "256")]
    pub connecting: usize,
    /// Threads for the listeners in this program
    #[arg(long, default_value = "1")]
    pub threads: usize,
}

/// Projects with a task each, and the tokens of the people who listen to them.
pub struct Projects {
    pub list: Vec<Project>,
    /// Tokens of all people; the first is the owner's, who sends the commands.
    pub tokens: Vec<String>,
    audience: Audience,
}

#[derive(Clone)]
pub struct Project {
    pub id: Arc<str>,
    pub task: Arc<str>,
}

struct Person {
    token: String,
    id: String,
}

impl Audience {
    fn people(&self) -> usize {
        if self.per_user == 0 { 1 } else { self.listeners.div_ceil(self.per_user).max(1) }
    }

    fn person_of(&self, listener: usize) -> usize {
        listener.checked_div(self.per_user).unwrap_or(0)
    }

    fn projects_of_channel(&self, channel: usize) -> std::ops::Range<usize> {
        let projects_per_stream = self.projects_per_stream.unwrap_or(1).max(1);
        channel * projects_per_stream..self.projects.min((channel + 1) * projects_per_stream)
    }

    pub fn channels(&self) -> usize {
        self.projects.div_ceil(self.projects_per_stream.unwrap_or(1).max(1))
    }

    /// Channel of a listener. Neighbouring listeners share one, so that a person is a member of few projects.
    pub fn channel_of(&self, listener: usize) -> usize {
        listener * self.channels() / self.listeners
    }

    /// Listeners of one instance, with local addresses that those of other instances do not use.
    pub fn all_listeners(&self, instance: usize) -> Vec<Listener> {
        let one = |number| Listener {
            channel: self.channel_of(number),
            token: self.person_of(number),
            from: sockets::address_of(instance * self.listeners + number),
        };
        (0..self.listeners).map(one).collect()
    }

    /// Number of listeners of each project, on one instance.
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.projects];
        for listener in 0..self.listeners {
            for project in self.projects_of_channel(self.channel_of(listener)) {
                sizes[project] += 1;
            }
        }
        sizes
    }
}

impl Projects {
    pub async fn make(commands: &str, reads: &str, audience: &Audience) -> anyhow::Result<Self> {
        let mut people = vec![sign_in(commands, "bench-0").await?];
        let mut owner = Client::connect(commands, &people[0].token).await?;
        let mut projects = Vec::new();
        let mut position = 0;
        for number in 0..audience.projects {
            let name = json!({"name": format!("Project {number}")}).to_string();
            let project = owner.json("POST", "/v1/projects", name).await?;
            let project = text(&project, "id")?;
            let title = json!({"title": "What is talked about"}).to_string();
            let task = owner.json("POST", &format!("/v1/projects/{project}/tasks"), title).await?;
            position = position_of(&task)?;
            projects.push(Project { id: project.into(), task: text(&task, "id")?.into() });
        }
        for number in 1..audience.people() {
            let person = sign_in(commands, &format!("bench-{number}")).await?;
            let theirs = (0..audience.listeners).filter(|listener| audience.person_of(*listener) == number);
            let mut channels: Vec<usize> = theirs.map(|listener| audience.channel_of(listener)).collect();
            channels.dedup();
            for project in channels.into_iter().flat_map(|channel| audience.projects_of_channel(channel)) {
                let path = format!("/v1/projects/{}/members/{}", projects[project].id, person.id);
                position = position_of(&owner.json("PUT", &path, json!({"role": "viewer"}).to_string()).await?)?;
            }
            people.push(person);
        }
        let made = Self { list: projects, tokens: people.into_iter().map(|p| p.token).collect(), audience: *audience };
        made.until_readable(reads, position).await?;
        Ok(made)
    }

    /// Adds another person to all projects; returns their token.
    pub async fn admit(&self, commands: &str, reads: &str, name: &str) -> anyhow::Result<String> {
        let person = sign_in(commands, name).await?;
        let mut owner = Client::connect(commands, &self.tokens[0]).await?;
        let mut position = 0;
        for project in &self.list {
            let path = format!("/v1/projects/{}/members/{}", project.id, person.id);
            position = position_of(&owner.json("PUT", &path, json!({"role": "viewer"}).to_string()).await?)?;
        }
        self.until_readable(reads, position).await?;
        Ok(person.token)
    }

    /// Waits until reads include this position. Listeners are refused in projects that are not projected yet, and begin
    /// after the projected position.
    pub async fn until_readable(&self, reads: &str, position: u64) -> anyhow::Result<()> {
        let mut reader = Client::connect(reads, &self.tokens[0]).await?;
        let path = format!("/v1/projects/{}?min_position={position}", self.list[0].id);
        while let Err(behind) = reader.send("GET", &path, String::new()).await {
            anyhow::ensure!(behind.to_string().contains("503"), behind);
        }
        Ok(())
    }

    /// The streams that the listeners open.
    pub fn channels(&self) -> Vec<Channel> {
        let one = |channel: usize| {
            let indexes: Vec<usize> = self.audience.projects_of_channel(channel).collect();
            let ids: Vec<&str> = indexes.iter().map(|index| &*self.list[*index].id).collect();
            let path = match self.audience.projects_per_stream {
                None => format!("/v1/projects/{}/events/stream", ids[0]),
                Some(_) => format!("/v1/stream?projects={}", ids.join(",")),
            };
            Channel { path, projects: indexes }
        };
        (0..self.audience.channels()).map(one).collect()
    }
}

pub fn position_of(reply: &Value) -> anyhow::Result<u64> {
    reply["position"].as_u64().with_context(|| format!("no position in {reply}"))
}

async fn sign_in(address: &str, name: &str) -> anyhow::Result<Person> {
    let mut client = Client::connect(address, "").await?;
    let account = json!({"username": name, "display_name": name, "password": PASSWORD});
    client.send("POST", "/v1/accounts", account.to_string()).await?;
    let session = json!({"username": name, "password": PASSWORD});
    let session = client.json("POST", "/v1/sessions", session.to_string()).await?;
    Ok(Person { token: text(&session, "access_token")?.to_owned(), id: text(&session, "user_id")?.to_owned() })
}
