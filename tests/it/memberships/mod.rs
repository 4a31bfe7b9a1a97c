//! Every person is notified exactly once of each event that concerned them when it happened, live as well as from the
//! log, whatever their memberships have become since.

/// Expected notifications of a person.
mod model;
/// Read tables that are behind the log.
mod read_model_behind;

use std::sync::atomic::{AtomicI64, Ordering};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use reqwest::Method;
use serde_json::{Value, json};

use self::model::Model;
use crate::harness::{Actor, App, Sse, TestEnvironment, eventually};

/// Id and event of a frame that is not about the stream itself.
type Delivered = (String, String);

const OF_THE_STREAM: [&str; 8] =
    ["hello", "heartbeat", "lagging", "degraded", "recovered", "reauth", "drain", "presence.stale"];

async fn next_delivered(stream: &mut Sse) -> Option<Delivered> {
    loop {
        let frame = stream.next().await?;
        if !OF_THE_STREAM.contains(&frame.event.as_str()) {
            return Some((frame.id, frame.event));
        }
    }
}

/// Frames up to the one with this position.
async fn delivered_until(stream: &mut Sse, last: i64) -> Vec<Delivered> {
    let mut delivered: Vec<Delivered> = Vec::new();
    while delivered.last().is_none_or(|(id, _)| *id != last.to_string()) {
        delivered.push(next_delivered(stream).await.expect("the stream continues"));
    }
    delivered
}

async fn reconnected(actor: &Actor, path: &str, last_id: &str) -> Sse {
    Sse::open(actor.request(Method::GET, path).header("last-event-id", last_id)).await
}

fn events(delivered: &[Delivered]) -> Vec<&str> {
    delivered.iter().map(|(_, event)| event.as_str()).collect()
}

async fn team(owner: &Actor, members: &[&Actor]) -> String {
    let id = owner.post("/v1/teams", json!({"name": "T"})).await.expect(201)["id"].as_str().unwrap().to_owned();
    for member in members {
        owner.put(&in_team(&id, member), json!({"role": "member"})).await.expect(201);
    }
    id
}

fn in_team(team: &str, member: &Actor) -> String {
    format!("/v1/teams/{team}/members/{}", member.user_id)
}

fn in_project(project: &str, member: &Actor) -> String {
    format!("/v1/projects/{project}/members/{}", member.user_id)
}

fn position_of(reply: &Value) -> i64 {
    reply["position"].as_i64().unwrap()
}

/// People, teams and projects that Ada changes at random.
struct Play {
    ada: Actor,
    others: [Actor; 2],
    teams: Vec<String>,
    projects: Vec<String>,
    tasks: Vec<String>,
}

impl Play {
    /// Makes one random change. A change that is refused, because it is already so or has no target, has no effect.
    async fn step(&mut self, random: &mut StdRng) {
        let who = self.others.choose(random).unwrap();
        let team = self.teams.choose(random).unwrap().clone();
        let project = self.projects.choose(random).unwrap().clone();
        let grant = format!("/v1/projects/{project}/teams/{team}");
        let ada = &self.ada;
        match random.random_range(0..20) {
            0..3 => drop(ada.put(&in_team(&team, who), json!({"role": "member"})).await),
            3..6 => drop(ada.delete(&in_team(&team, who)).await),
            6 => drop(ada.put(&in_team(&team, who), json!({"role": "owner"})).await),
            7 | 8 => {
                let name = format!("T{}", random.random::<u32>());
                ada.patch(&format!("/v1/teams/{team}"), json!({"name": name})).await.expect(200);
            }
            9 | 10 => {
                let role = ["viewer", "member", "admin"].choose(random).unwrap();
                drop(ada.put(&grant, json!({"role": role})).await);
            }
            11 => drop(ada.delete(&grant).await),
            12 | 13 => {
                let role = ["viewer", "member"].choose(random).unwrap();
                drop(ada.put(&in_project(&project, who), json!({"role": role})).await);
            }
            14 | 15 => drop(ada.delete(&in_project(&project, who)).await),
            16 => {
                let task = json!({"title": "T", "assignee_ids": [who.user_id]});
                let made = ada.post(&format!("/v1/projects/{project}/tasks"), task).await;
                self.tasks.extend(made.body["id"].as_str().map(str::to_owned));
            }
            17 | 18 => {
                if let Some(task) = self.tasks.choose(random) {
                    ada.post(&format!("/v1/tasks/{task}/comments"), json!({"text": "a word"})).await.expect(201);
                }
            }
            _ => {
                ada.delete(&format!("/v1/teams/{team}")).await.expect(200);
                self.teams.retain(|one| *one != team);
                let new = ada.post("/v1/teams", json!({"name": "new"})).await.expect(201);
                self.teams.push(new["id"].as_str().unwrap().to_owned());
            }
        }
    }
}

/// Reads some frames, disconnects, and resumes at its cursor, until the last position, which is set when it is known.
async fn read_in_pieces(actor: Actor, mut at: String, last: &AtomicI64, seed: u64) -> Vec<Delivered> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut delivered: Vec<Delivered> = Vec::new();
    loop {
        let mut stream = reconnected(&actor, "/v1/stream?me=true", &at).await;
        for _ in 0..random.random_range(1..5) {
            let one = next_delivered(&mut stream).await.expect("the stream continues");
            at.clone_from(&one.0);
            delivered.push(one);
            if at == last.load(Ordering::SeqCst).to_string() {
                return delivered;
            }
        }
    }
}

async fn simulate(app: &App, seed: u64, names: [&str; 3]) {
    let [ada, bo, cy] = [app.person(names[0]).await, app.person(names[1]).await, app.person(names[2]).await];
    let mut random = StdRng::seed_from_u64(seed);
    let teams = vec![team(&ada, &[&bo]).await, team(&ada, &[]).await];
    let projects = vec![ada.project("1").await.0, ada.project("2").await.0, ada.project("3").await.0];
    app.settle().await;
    let began = app.head().await;
    let mut live = bo.stream(&format!("/v1/stream?me=true&since={began}")).await;
    assert_eq!(live.next().await.unwrap().event, "hello");
    let last = AtomicI64::new(0);
    let mut simulate = Play { ada: ada.clone(), others: [bo.clone(), cy], teams, projects, tasks: Vec::new() };
    let playing = async {
        for _ in 0..150 {
            simulate.step(&mut random).await;
        }
        // An event for Bo that is the last one on all three streams.
        let project = simulate.projects[0].clone();
        ada.put(&in_project(&project, &bo), json!({"role": "admin"})).await;
        let end = ada.put(&in_project(&project, &bo), json!({"role": "viewer"})).await.expect(200);
        last.store(position_of(&end), Ordering::SeqCst);
        (project, position_of(&end))
    };
    let ((project, end), in_pieces) = tokio::join!(playing, read_in_pieces(bo.clone(), began.to_string(), &last, seed));
    let expected = Model::of(&bo.user_id, &app.owner).await;
    assert!(expected.frames(began).len() > 20, "seed {seed} delivers too few frames");
    assert_eq!(delivered_until(&mut live, end).await, expected.frames(began), "live, seed {seed}");
    assert_eq!(in_pieces, expected.frames(began), "in pieces, seed {seed}");
    let mut anew = bo.stream("/v1/stream?me=true&since=0").await;
    assert_eq!(delivered_until(&mut anew, end).await, expected.frames(0), "from the log, seed {seed}");
    // With a project that the person is a member of today, all of its events come, and each once.
    let mut both = bo.stream(&format!("/v1/stream?me=true&projects={project}&since=0")).await;
    let mut positions: Vec<f64> = expected.frames(0).iter().map(|(id, _)| id.parse().unwrap()).collect();
    positions.extend(expected.of_project[&project].iter().map(|position| *position as f64));
    positions.sort_by(f64::total_cmp);
    positions.dedup();
    let seen: Vec<f64> = delivered_until(&mut both, end).await.iter().map(|(id, _)| id.parse().unwrap()).collect();
    assert_eq!(seen, positions, "with a project, seed {seed}");
    // For a project without access today, the last revocation and nothing before it.
    for lost in &simulate.projects {
        let Some((at, _)) = expected.losses.iter().rfind(|(_, project)| project == lost) else { continue };
        if bo.get(&format!("/v1/projects/{lost}")).await.status == 200 {
            continue;
        }
        let mut stream = reconnected(&bo, &format!("/v1/projects/{lost}/events/stream"), "0").await;
        let mut seen = Vec::new();
        while let Some((id, event)) = next_delivered(&mut stream).await {
            seen.push(if event == "revoked" { event } else { id });
        }
        let of_project = expected.of_project[lost].iter().filter(|position| *position == at);
        let all: Vec<String> = of_project.map(i64::to_string).chain(["revoked".to_owned()]).collect();
        assert_eq!(seen, all, "of a lost project, seed {seed}");
    }
}

#[tokio::test]
async fn membership_changes_are_delivered_exactly_once_to_everyone_concerned() {
    let app = App::start().await;
    let names = [["ada", "bo", "cy"], ["ann", "ben", "cat"], ["abe", "bob", "cid"]];
    for (seed, names) in (1..).zip(names) {
        simulate(&app, seed, names).await;
    }
    app.finish().await;
}

#[tokio::test]
async fn repeated_removals_from_and_returns_to_a_team_are_all_delivered() {
    let app = App::start().await;
    let (ada, bo) = (app.person("ada").await, app.person("bo").await);
    let team = team(&ada, &[&bo]).await;
    app.settle().await;
    let began = app.head().await;
    let mut live = bo.stream(&format!("/v1/stream?me=true&since={began}")).await;
    let mut expected = Vec::new();
    for n in 0..60 {
        let rename = async |name: String| {
            position_of(&ada.patch(&format!("/v1/teams/{team}"), json!({"name": name})).await.expect(200))
        };
        // One that is delivered, because it comes before the removal; and one that is not.
        expected.push((rename(format!("in {n}")).await, "team.renamed"));
        let removed = ada.delete(&in_team(&team, &bo)).await.expect(200);
        rename(format!("out {n}")).await;
        let added = ada.put(&in_team(&team, &bo), json!({"role": "member"})).await.expect(201);
        expected.extend([(position_of(&removed), "team.member_removed"), (position_of(&added), "team.member_added")]);
    }
    let expected: Vec<Delivered> = expected.into_iter().map(|(p, event)| (p.to_string(), event.to_owned())).collect();
    let last = app.head().await;
    assert_eq!(delivered_until(&mut live, last).await, expected);
    let mut again = reconnected(&bo, "/v1/stream?me=true", &began.to_string()).await;
    assert_eq!(delivered_until(&mut again, last).await, expected);
    drop((live, again));
    app.finish().await;
}

/// Events of teams that a person left while disconnected.
#[tokio::test]
async fn a_returning_member_is_delivered_the_deletion_of_their_teams() {
    let app = App::start().await;
    let (ada, bo) = (app.person("ada").await, app.person("bo").await);
    let (project, _) = ada.project("P").await;
    let [left, deleted] = [team(&ada, &[&bo]).await, team(&ada, &[&bo]).await];
    app.settle().await;
    let began = app.head().await;
    for team in [&left, &deleted] {
        let grant = format!("/v1/projects/{project}/teams/{team}");
        ada.put(&grant, json!({"role": "viewer"})).await.expect(201);
        ada.put(&grant, json!({"role": "member"})).await.expect(200);
    }
    ada.delete(&format!("/v1/projects/{project}/teams/{left}")).await.expect(200);
    ada.patch(&format!("/v1/teams/{left}"), json!({"name": "just before"})).await.expect(200);
    ada.delete(&in_team(&left, &bo)).await.expect(200);
    ada.patch(&format!("/v1/teams/{left}"), json!({"name": "behind"})).await.expect(200);
    let end = position_of(&ada.delete(&format!("/v1/teams/{deleted}")).await.expect(200));
    app.settle().await;
    let mut stream = reconnected(&bo, "/v1/stream?me=true", &began.to_string()).await;
    let delivered = delivered_until(&mut stream, end).await;
    let expected = [
        "project.team_added",
        "project.team_role_changed",
        "project.team_added",
        "project.team_role_changed",
        "project.team_removed",
        "team.renamed",
        "team.member_removed",
        "team.deleted",
    ];
    assert_eq!(events(&delivered), expected);
    drop(stream);
    app.finish().await;
}

/// A user with a role of their own and one through a team keeps access when one of the two ends, live and on resuming.
#[tokio::test]
async fn a_member_with_other_access_is_not_revoked() {
    let app = App::start().await;
    let (ada, bo) = (app.person("ada").await, app.person("bo").await);
    let (project, _) = ada.project("P").await;
    let team = team(&ada, &[&bo]).await;
    let (own, grant) = (in_project(&project, &bo), format!("/v1/projects/{project}/teams/{team}"));
    for path in [&own, &grant] {
        ada.put(path, json!({"role": "viewer"})).await.expect(201);
    }
    app.settle().await;
    let began = app.head().await;
    let path = format!("/v1/projects/{project}/events/stream");
    let mut live = reconnected(&bo, &path, &began.to_string()).await;
    for path in [&own, &grant] {
        ada.delete(path).await.expect(200);
        ada.put(path, json!({"role": "viewer"})).await.expect(201);
    }
    // This is not in the log of the project.
    ada.delete(&in_team(&team, &bo)).await.expect(200);
    ada.task(&project, "T").await;
    let expected = [
        "project.member_removed",
        "project.member_added",
        "project.team_removed",
        "project.team_added",
        "task.created",
    ];
    let last = app.head().await;
    assert_eq!(events(&delivered_until(&mut live, last).await), expected);
    let mut again = reconnected(&bo, &path, &began.to_string()).await;
    assert_eq!(events(&delivered_until(&mut again, last).await), expected);
    // The end of the last role is the last event.
    ada.delete(&own).await.expect(200);
    ada.task(&project, "unseen").await;
    for stream in [&mut live, &mut again] {
        let mut rest = Vec::new();
        while let Some((_, event)) = next_delivered(stream).await {
            rest.push(event);
        }
        assert_eq!(rest, ["project.member_removed", "revoked"]);
    }
    app.finish().await;
}

/// Events are delivered by the access at their time; lists are filtered by today's access.
#[tokio::test]
async fn notifications_are_delivered_to_members_of_the_time_and_listed_for_current_ones() {
    let app = App::start().await;
    let (ada, bo) = (app.person("ada").await, app.person("bo").await);
    let (project, _) = ada.project("P").await;
    let team = team(&ada, &[&bo]).await;
    let grant = format!("/v1/projects/{project}/teams/{team}");
    ada.put(&grant, json!({"role": "member"})).await.expect(201);
    let task = json!({"title": "T", "assignee_ids": [bo.user_id]});
    let made = ada.post(&format!("/v1/projects/{project}/tasks"), task).await.expect(201);
    ada.delete(&grant).await.expect(200);
    let comment = format!("/v1/tasks/{}/comments", made["id"].as_str().unwrap());
    ada.post(&comment, json!({"text": "unheard"})).await.expect(201);
    let end = position_of(&ada.patch(&format!("/v1/teams/{team}"), json!({"name": "U"})).await.expect(200));
    let path = format!("/v1/stream?me=true&since={}", position_of(&made) - 1);
    let mut stream = bo.stream(&path).await;
    let delivered = delivered_until(&mut stream, end).await;
    assert_eq!(events(&delivered), ["notification", "project.team_removed", "team.renamed"]);
    assert_eq!(bo.get_at("/v1/me/notifications", end).await.expect(200)["items"], json!([]));
    ada.put(&in_project(&project, &bo), json!({"role": "viewer"})).await.expect(201);
    let listed = bo.get_at("/v1/me/notifications", app.head().await).await.expect(200);
    assert!(!listed["items"].as_array().unwrap().is_empty());
    drop(stream);
    app.finish().await;
}

/// A system whose read tables lack membership intervals gets them from the log when the new program starts.
#[tokio::test]
async fn membership_intervals_of_earlier_events_are_created_by_an_upgrade() {
    let environment = TestEnvironment::new().await;
    let app = App::start_at(environment.clone()).await;
    let (ada, bo) = (app.person("ada").await, app.person("bo").await);
    let (project, _) = ada.project("P").await;
    ada.put(&in_project(&project, &bo), json!({"role": "viewer"})).await.expect(201);
    let team = team(&ada, &[&bo]).await;
    ada.delete(&in_team(&team, &bo)).await.expect(200);
    let end = position_of(&ada.delete(&in_project(&project, &bo)).await.expect(200));
    app.settle().await;
    let owner = app.owner.clone();
    for statement in [
        "TRUNCATE past_project_members, past_team_members, past_project_teams, channel_events",
        "UPDATE project_members SET from_position = 0",
        "UPDATE projection_checkpoint SET versions = versions - 'past_project_members' - 'past_team_members' \
             - 'past_project_teams' - 'channel_events' || '{\"project_members\": 1, \"team_members\": 1, \"project_teams\": 1}'",
    ] {
        sqlx::query(statement).execute(&owner).await.unwrap();
    }
    app.stop().await;
    let app = App::start_at(environment).await;
    let bo = Actor { url: app.url.clone(), ..bo };
    let mut stream = bo.stream("/v1/stream?me=true&since=0").await;
    let delivered = delivered_until(&mut stream, end).await;
    assert_eq!(
        events(&delivered),
        ["project.member_added", "team.member_added", "team.member_removed", "project.member_removed"]
    );
    eventually("it is verified", || async { app.verify().await.is_clean().then_some(()) }).await;
    drop(stream);
    app.finish().await;
}
