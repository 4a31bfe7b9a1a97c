//! An id belongs to one thing: clients choose the ids of projects, teams and tasks, which must not be those of another
//! kind, or of a person.

use serde_json::json;
use sqlx::types::Uuid;

use crate::harness::{Actor, Answer, App, eventually, new_id};

/// Kinds of things whose ids clients choose.
const KINDS: [&str; 3] = ["project", "team", "task"];

async fn create(actor: &Actor, project: &str, kind: &str, id: &str) -> Answer {
    match kind {
        "project" => actor.post("/v1/projects", json!({"id": id, "name": "P"})).await,
        "team" => actor.post("/v1/teams", json!({"id": id, "name": "T"})).await,
        "task" => actor.post(&format!("/v1/projects/{project}/tasks"), json!({"id": id, "title": "T"})).await,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn an_id_of_one_kind_is_refused_to_all_others() {
    let app = App::start().await;
    let (ada, bea) = (app.person("ada").await, app.person("bea").await);
    let (project, _) = ada.project("P").await;
    for first in KINDS {
        let id = new_id().to_string();
        create(&ada, &project, first, &id).await.expect(201);
        for second in KINDS {
            create(&ada, &project, second, &id).await.problem(409, "already-exists");
            let own = bea.project("hers").await.0;
            let refused = create(&bea, &own, second, &id).await;
            assert!(refused.status == 409 || first == second && refused.status == 404, "{first} {second}: {refused:?}");
        }
    }
    for kind in KINDS {
        for person in [&ada.user_id, &bea.user_id] {
            create(&ada, &project, kind, person).await.problem(409, "already-exists");
        }
    }
    app.finish().await;
}

/// Of commands that arrive at once, and go into one call of the append, one gets the id.
#[tokio::test]
async fn of_creations_at_once_one_gets_the_id() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    for _ in 0..20 {
        let id = new_id().to_string();
        let (p, t, k) = tokio::join!(
            create(&ada, &project, "project", &id),
            create(&ada, &project, "team", &id),
            create(&ada, &project, "task", &id),
        );
        let answers = [p, t, k];
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
        for refused in answers.iter().filter(|answer| answer.status != 201) {
            refused.problem(409, "already-exists");
        }
    }
    app.finish().await;
}

/// Accounts with derived ids: those of an issuer's subjects, and of authors of imported histories.
#[tokio::test]
async fn an_account_with_a_derived_id_and_something_created_at_once_never_share_it() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let account = "INSERT INTO accounts (user_id, username, display_name, created_at) VALUES ($1, $2, 'X', now())";

    // The account comes first, and commits while the command waits.
    let derived = Uuid::new_v5(&Uuid::NAMESPACE_URL, b"somebody");
    let mut tx = app.owner.begin().await.unwrap();
    sqlx::query(account).bind(derived).bind("first").execute(&mut *tx).await.unwrap();
    let (actor, into) = (ada.clone(), project.clone());
    let creating = tokio::spawn(async move { create(&actor, &into, "task", &derived.to_string()).await });
    eventually("the append waits", || async {
        let sql =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let waiting: i64 = sqlx::query_scalar(sql).fetch_one(&app.owner).await.unwrap();
        (waiting > 0).then_some(())
    })
    .await;
    tx.commit().await.unwrap();
    creating.await.unwrap().problem(409, "already-exists");

    // The other way round the account is refused.
    for kind in KINDS {
        let derived = Uuid::new_v5(&Uuid::NAMESPACE_URL, kind.as_bytes());
        create(&ada, &project, kind, &derived.to_string()).await.expect(201);
        let refused = sqlx::query(account).bind(derived).bind(kind).execute(&app.owner).await.unwrap_err();
        assert!(taskfold_event_log::is_id_taken(&refused), "{refused}");
    }
    app.finish().await;
}
