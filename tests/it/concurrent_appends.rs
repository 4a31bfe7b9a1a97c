//! The append from several processes, and its guards.

use futures::future::join_all;
use serde_json::json;
use sqlx::PgPool;
use taskfold::databases::{DatabaseRole, role_pool};
use taskfold_commands::{Engine, Envelope, QUEUE_LOCK};
use taskfold_domain::ids::{ProjectId, TaskId, UserId};
use taskfold_domain::task::Origin;
use taskfold_domain::task::commands::{AddComment, CreateTask};
use taskfold_domain::{ProjectCommand, TaskCommand};
use taskfold_event_log::{LogIdentity, Writes};
use tokio::sync::watch;

use crate::harness::{App, TestEnvironment, clock, new_id, now};

fn envelope(actor: UserId, project: Option<ProjectId>) -> Envelope {
    Envelope { project_id: project, ..Envelope::new(actor, new_id()) }
}

async fn log_of(pool: &PgPool) -> watch::Receiver<LogIdentity> {
    watch::channel(taskfold_event_log::identity(pool).await.unwrap()).1
}

async fn engine(environment: &TestEnvironment) -> (Engine, PgPool) {
    let pool = role_pool(&environment.database_url, DatabaseRole::Command, 8).await.unwrap();
    let (engine, committing) = Engine::new(pool.clone(), log_of(&pool).await, Writes::default(), clock());
    tokio::spawn(committing);
    (engine, pool)
}

fn create(title: &str) -> TaskCommand {
    let create: CreateTask = serde_json::from_value(json!({"title": title})).unwrap();
    TaskCommand::Create(Box::new(create))
}

fn comment(text: &str) -> TaskCommand {
    let add: AddComment = serde_json::from_value(json!({"text": text})).unwrap();
    TaskCommand::Comment(add)
}

/// Three engines that share only the database, like three processes.
#[tokio::test]
async fn concurrent_appenders_write_one_log_without_gaps() {
    let environment = TestEnvironment::new().await;
    let (first, db) = engine(&environment).await;
    let engines = [first, engine(&environment).await.0, engine(&environment).await.0];
    let actor = UserId(new_id());
    let project = ProjectId(new_id());
    let new = ProjectCommand::Create(serde_json::from_value(json!({"name": "P"})).unwrap());
    engines[0].project(project, new, envelope(actor, None)).await.unwrap();
    let shared = TaskId(new_id());
    engines[0].task(shared, create("shared"), envelope(actor, Some(project))).await.unwrap();

    let writers = (0..24).map(|n| {
        let engine = engines[n % 3].clone();
        async move {
            let mut positions = Vec::new();
            for i in 0..20 {
                let made = engine
                    .task(TaskId(new_id()), create(&format!("{n}.{i}")), envelope(actor, Some(project)))
                    .await
                    .unwrap();
                positions.push(made.position);
                // All on one task: decided again when another process was faster, never lost.
                let reply = engine.task(shared, comment(&format!("{n}.{i}")), envelope(actor, None)).await.unwrap();
                positions.push(reply.position);
            }
            positions
        }
    });
    let mut positions: Vec<i64> = join_all(writers).await.into_iter().flatten().collect();
    positions.sort_unstable();
    assert_eq!(positions, (3..=2 + 24 * 20 * 2).collect::<Vec<_>>());
    let shared_version: i64 = sqlx::query_scalar("SELECT max(sequence) FROM events WHERE aggregate_id = $1")
        .bind(shared.to_string())
        .fetch_one(&db)
        .await
        .unwrap();
    assert_eq!(shared_version, 1 + 24 * 20);
}

#[tokio::test]
async fn the_command_role_can_only_write_the_log_by_the_append() {
    let environment = TestEnvironment::new().await;
    let pool = role_pool(&environment.database_url, DatabaseRole::Command, 1).await.unwrap();
    for sql in [
        "INSERT INTO events SELECT * FROM events",
        "UPDATE events SET payload = '{}'",
        "DELETE FROM events",
        "UPDATE log_head SET position = 7",
        "INSERT INTO commands SELECT * FROM commands",
        "DELETE FROM task_places",
        "TRUNCATE events",
    ] {
        let error = sqlx::query(sql).execute(&pool).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().unwrap(), "42501", "{sql}");
    }
}

/// The append queue of processes is an optimization: a process that is stopped at its head, or has ended, blocks no
/// other.
#[tokio::test]
async fn a_process_that_stops_in_the_queue_blocks_no_other() {
    let environment = TestEnvironment::new().await;
    let (one, db) = engine(&environment).await;
    let (other, _) = engine(&environment).await;
    let (actor, project) = (UserId(new_id()), ProjectId(new_id()));
    let new = ProjectCommand::Create(serde_json::from_value(json!({"name": "P"})).unwrap());
    one.project(project, new, envelope(actor, None)).await.unwrap();
    let in_turn = async |upto: i64| {
        for n in (0..6).map(|n| upto + n + 1) {
            let engine = if n % 2 == 0 { &one } else { &other };
            let made = engine.task(TaskId(new_id()), create("T"), envelope(actor, Some(project))).await.unwrap();
            assert_eq!(made.position, n);
        }
    };
    // After this, each engine knows that another process appends.
    in_turn(1).await;
    let mut front = db.acquire().await.unwrap().detach();
    sqlx::query("SELECT pg_advisory_lock($1)").bind(QUEUE_LOCK).execute(&mut front).await.unwrap();
    in_turn(7).await;
    drop(front);
    in_turn(13).await;
    let left = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(sqlx::query_scalar::<_, i64>(left).fetch_one(&db).await.unwrap(), 0, "no queue lock is left");
}

/// A command of a removed member must not be appended because another process has a stale cache.
#[tokio::test]
async fn a_stale_cache_does_not_admit_a_removed_member() {
    let environment = TestEnvironment::new().await;
    let (one, db) = engine(&environment).await;
    let (other, _) = engine(&environment).await;
    let (owner, member) = (UserId(new_id()), UserId(new_id()));
    sqlx::query("INSERT INTO accounts VALUES ($1, 'member', 'M', NULL, now())")
        .bind(member.0)
        .execute(&db)
        .await
        .unwrap();
    let project = ProjectId(new_id());
    let new = ProjectCommand::Create(serde_json::from_value(json!({"name": "P"})).unwrap());
    one.project(project, new, envelope(owner, None)).await.unwrap();
    let set = json!({"user_id": member, "role": "member"});
    let set = ProjectCommand::SetMember(serde_json::from_value(set).unwrap());
    one.project(project, set, envelope(owner, None)).await.unwrap();
    // `other` caches the project with the member in it.
    other.task(TaskId(new_id()), create("before"), envelope(member, Some(project))).await.unwrap();
    let remove = ProjectCommand::RemoveMember(serde_json::from_value(json!({"user_id": member})).unwrap());
    one.project(project, remove, envelope(owner, None)).await.unwrap();
    let refused = other.task(TaskId(new_id()), create("after"), envelope(member, Some(project))).await;
    assert!(refused.is_err());
}

/// The store of cqrs-es uses the same append: numbered, checked, its conflict an `AggregateConflict`.
#[tokio::test]
async fn the_event_store_of_cqrs_es_commits_through_the_append() {
    use cqrs_es::persist::PersistedEventStore;
    use cqrs_es::{AggregateError, EventStore};
    use taskfold_commands::{LogRepository, committer};
    use taskfold_domain::{Project, project};

    let environment = TestEnvironment::new().await;
    let pool = role_pool(&environment.database_url, DatabaseRole::Command, 4).await.unwrap();
    let (appender, committing) = committer(pool.clone(), log_of(&pool).await, Writes::default());
    tokio::spawn(committing);
    let store: PersistedEventStore<_, Project> =
        PersistedEventStore::new_event_store(LogRepository::new(pool.clone(), appender));
    let (id, actor) = (new_id(), UserId(new_id()));
    let command = ProjectCommand::Create(serde_json::from_value(json!({"name": "P"})).unwrap());
    let context = project::Context {
        actor,
        at: now(),
        jitter: 1,
        id: ProjectId(id),
        fresh_id: new_id(),
        origin: Origin::Live,
        teams: Vec::new(),
        template: None,
        invitation: None,
        teams_then: Vec::new(),
    };
    let events = project::decide(&Project::default(), &command, &context).unwrap();
    let metadata = || {
        [("project_id", id), ("actor_id", actor.0), ("command_id", new_id())]
            .map(|(name, id)| (name.to_owned(), id.to_string()))
            .into()
    };
    let (one, two) =
        (store.load_aggregate(&id.to_string()).await.unwrap(), store.load_aggregate(&id.to_string()).await.unwrap());
    store.commit(events.clone(), one, metadata()).await.unwrap();
    let late = store.commit(events, two, metadata()).await;
    assert!(matches!(late, Err(AggregateError::AggregateConflict)));
    assert_eq!(taskfold_event_log::head(&pool).await.unwrap(), 1);
}

#[tokio::test]
async fn many_concurrent_clients_of_one_task_are_all_answered() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let task = ada.task(&project, "hot").await;
    let path = format!("/v1/tasks/{task}/comments");
    let comments = (0..32).map(|n| {
        let (ada, path) = (ada.clone(), path.clone());
        async move {
            for i in 0..5 {
                ada.post(&path, json!({"text": format!("{n}.{i}")})).await.expect(201);
            }
        }
    });
    join_all(comments).await;
    app.settle().await;
    assert_eq!(ada.get(&format!("/v1/tasks/{task}")).await.expect(200)["comment_count"], 160);
    app.finish().await;
}
