//! Model of the expected frames on the channel `me`, computed from the log alone: sets of members, updated event by
//! event.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sqlx::PgPool;

/// An event of the log.
#[derive(sqlx::FromRow)]
struct Logged {
    position: i64,
    event_type: String,
    aggregate_id: String,
    project_id: Option<String>,
    actor_id: String,
    changes: Value,
}

#[derive(Default)]
pub struct Model {
    members: BTreeSet<(String, String)>,
    in_team: BTreeSet<(String, String)>,
    grants: BTreeSet<(String, String)>,
    /// Sets of watched tasks.
    watched: BTreeMap<String, BTreeSet<String>>,
    /// Id and event of all expected frames.
    delivered: Vec<(String, String)>,
    /// Positions of each project.
    pub of_project: BTreeMap<String, Vec<i64>>,
    /// Positions and projects of all revocations.
    pub losses: Vec<(i64, String)>,
}

impl Model {
    /// Model for one user, from all events of the log.
    pub async fn of(user: &str, log: &PgPool) -> Self {
        let events: Vec<Logged> = sqlx::query_as(
            "SELECT position, event_type, aggregate_id, project_id::text, actor_id::text, (payload -> 'changes')::jsonb AS changes \
             FROM events ORDER BY position",
        )
        .fetch_all(log)
        .await
        .unwrap();
        let mut model = Self::default();
        for event in &events {
            model.see(user, event);
        }
        model
    }

    /// Expected frames after a position, on a stream without projects.
    pub fn frames(&self, behind: i64) -> Vec<(String, String)> {
        let is_behind = |id: &str| id.parse::<f64>().unwrap() > behind as f64;
        self.delivered.iter().filter(|(id, _)| is_behind(id)).cloned().collect()
    }

    fn sees(&self, user: &str, project: &str) -> bool {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        self.members.contains(&pair(project, user))
            || self.grants.iter().any(|(p, team)| p == project && self.in_team.contains(&pair(team, user)))
    }

    fn see(&mut self, user: &str, event: &Logged) {
        let (id, position) = (event.aggregate_id.clone(), event.position);
        let text = |pointer: &str| event.changes.pointer(pointer).and_then(|v| v.as_str()).map(str::to_owned);
        let either = |field: &str, key: &str| {
            text(&format!("/{field}/to/{key}")).or_else(|| text(&format!("/{field}/from/{key}"))).unwrap()
        };
        if let Some(project) = &event.project_id {
            self.of_project.entry(project.clone()).or_default().push(position);
        }
        let saw: Vec<String> = self.of_project.keys().filter(|p| self.sees(user, p)).cloned().collect();
        let was_in = self.in_team.clone();
        let mut is_delivered = false;
        match event.event_type.as_str() {
            "project.created" => {
                for member in event.changes["members"]["to"].as_array().unwrap() {
                    self.members.insert((id.clone(), member["user_id"].as_str().unwrap().to_owned()));
                }
            }
            "project.member_added" | "project.member_role_changed" | "project.member_removed" => {
                let who = either("member", "user_id");
                is_delivered = who == user;
                match event.event_type.ends_with("removed") {
                    true => self.members.remove(&(id, who)),
                    false => self.members.insert((id, who)),
                };
            }
            "project.team_added" | "project.team_role_changed" | "project.team_removed" => {
                let team = either("team", "team_id");
                is_delivered = self.in_team.contains(&(team.clone(), user.to_owned()));
                match event.event_type.ends_with("removed") {
                    true => self.grants.remove(&(id, team)),
                    false => self.grants.insert((id, team)),
                };
            }
            "team.created" => {
                for member in event.changes["members"]["to"].as_array().unwrap() {
                    self.in_team.insert((id.clone(), member["user_id"].as_str().unwrap().to_owned()));
                }
            }
            "team.member_added" => {
                self.in_team.insert((id.clone(), either("member", "user_id")));
            }
            "team.member_removed" => {
                self.in_team.remove(&(id.clone(), either("member", "user_id")));
            }
            "team.deleted" => self.in_team.retain(|(team, _)| *team != id),
            "task.created" => {
                let assigned: Vec<&str> = event.changes["assignee_ids"]["to"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .collect();
                let watchers = assigned.iter().chain([&event.actor_id.as_str()]).map(|w| (*w).to_owned()).collect();
                if assigned.contains(&user) {
                    self.notify(user, event);
                }
                self.watched.insert(id, watchers);
            }
            "task.commented" if self.watched.get(&id).is_some_and(|watchers| watchers.contains(user)) => {
                self.notify(user, event);
            }
            _ => {}
        }
        if event.event_type.starts_with("team.") {
            let pair = (event.aggregate_id.clone(), user.to_owned());
            is_delivered = was_in.contains(&pair) || self.in_team.contains(&pair);
        }
        if is_delivered {
            self.delivered.push((position.to_string(), event.event_type.clone()));
        }
        let lost: Vec<String> = saw.into_iter().filter(|project| !self.sees(user, project)).collect();
        self.losses.extend(lost.into_iter().map(|project| (position, project)));
    }

    fn notify(&mut self, user: &str, event: &Logged) {
        if event.actor_id != user && self.sees(user, event.project_id.as_ref().unwrap()) {
            self.delivered.push((format!("{}.5", event.position - 1), "notification".to_owned()));
        }
    }
}
