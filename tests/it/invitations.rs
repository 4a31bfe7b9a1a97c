//! Invitations: joining by a link, limits, revocation and repeated requests.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, Answer, App, TestEnvironment, new_id};

async fn invite(ada: &Actor, project: &str, body: Value) -> (String, String) {
    let made = ada.post(&format!("/v1/projects/{project}/invitations"), body).await.expect(201);
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    assert_eq!(text("url_path"), format!("/v1/invitations/{}", text("token")));
    (text("id"), text("token"))
}

async fn accept(actor: &Actor, token: &str) -> Answer {
    actor.post(&format!("/v1/invitations/{token}/accept"), json!({})).await
}

async fn accept_with(actor: &Actor, token: &str, key: &str) -> Answer {
    let request = actor.request(Method::POST, &format!("/v1/invitations/{token}/accept"));
    actor.send(request.header("idempotency-key", key)).await
}

async fn uses(ada: &Actor, project: &str) -> i64 {
    let all = ada.get(&format!("/v1/projects/{project}/invitations")).await.expect(200);
    all["items"][0]["uses"].as_i64().unwrap()
}

#[tokio::test]
async fn an_invitation_names_its_project_and_admits_one_person() {
    let app = App::start().await;
    let (ada, bo, eve) = (app.person("ada").await, app.person("bo").await, app.person("eve").await);
    let (project, _) = ada.project("Website").await;
    let (id, token) = invite(&ada, &project, json!({"role": "member"})).await;
    let seen = bo.get(&format!("/v1/invitations/{token}")).await.expect(200);
    assert_eq!(
        (&seen["project_name"], &seen["role"], &seen["invited_by"]["username"]),
        (&json!("Website"), &json!("member"), &json!("ada"))
    );
    app.anonymous().get(&format!("/v1/invitations/{token}")).await.problem(401, "unauthenticated");

    let joined = accept(&bo, &token).await.expect(200);
    let event = &joined["events"][0];
    assert_eq!((&event["type"], &event["actor_id"]), (&json!("project.member_added"), &json!(bo.user_id)));
    assert_eq!(event["changes"]["member"]["to"], json!({"user_id": bo.user_id, "role": "member"}));
    assert_eq!(joined["id"], project.as_str());
    bo.task(&project, "Mine").await;

    // Repeating the request is not an error, and a second person exceeds the limit.
    assert_eq!(accept(&bo, &token).await.expect(200)["events"], json!([]));
    eve.get(&format!("/v1/invitations/{token}")).await.problem(404, "not-found");
    accept(&eve, &token).await.problem(404, "not-found");
    let listed = ada.get(&format!("/v1/projects/{project}/invitations")).await.expect(200);
    assert_eq!(
        (&listed["items"][0]["id"], &listed["items"][0]["uses"], &listed["items"][0]["created_by"]),
        (&json!(id), &json!(1), &json!(ada.user_id))
    );
    assert!(!listed.to_string().contains(&token));

    // A removed person cannot rejoin by a used link.
    ada.delete(&format!("/v1/projects/{project}/members/{}", bo.user_id)).await.expect(200);
    accept(&bo, &token).await.problem(404, "not-found");
    app.finish().await;
}

#[tokio::test]
async fn only_one_of_two_concurrent_guests_gets_the_last_use() {
    let environment = TestEnvironment::new().await;
    let (app, second) = (App::start_at(environment.clone()).await, App::start_at(environment).await);
    let (ada, bo, eve) = (app.person("ada").await, app.person("bo").await, app.person("eve").await);
    // On another instance: the limit is not decided within one process.
    let eve = Actor { url: second.url.clone(), ..eve };
    for round in 0..10 {
        let (project, _) = ada.project(&format!("P{round}")).await;
        let (_, token) = invite(&ada, &project, json!({"role": "viewer", "max_uses": 1})).await;
        let (one, other) = tokio::join!(accept(&bo, &token), accept(&eve, &token));
        let mut statuses = [one.status.as_u16(), other.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 404], "{} {}", one.body, other.body);
        assert_eq!(uses(&ada, &project).await, 1);
    }
    // A person who clicks twice gets both requests answered, and uses one slot.
    let (project, _) = ada.project("Twice").await;
    let (_, token) = invite(&ada, &project, json!({"role": "viewer"})).await;
    let on_second = Actor { url: second.url.clone(), ..bo.clone() };
    let (one, other) = tokio::join!(accept(&bo, &token), accept(&on_second, &token));
    let events = [one.expect(200), other.expect(200)].map(|reply| reply["events"].as_array().unwrap().len());
    assert_eq!((events[0] + events[1], uses(&ada, &project).await), (1, 1));
    second.stop().await;
    app.finish().await;
}

#[tokio::test]
async fn invitations_expire_can_be_revoked_and_never_lower_a_role() {
    let app = App::start().await;
    let (ada, bo, eve) = (app.person("ada").await, app.person("bo").await, app.person("eve").await);
    let (project, _) = ada.project("P").await;
    let (old, expired) = invite(&ada, &project, json!({"role": "member", "max_uses": null})).await;
    sqlx::query("UPDATE invitations SET expires_at = now() WHERE invitation_id = $1::uuid")
        .bind(&old)
        .execute(&app.owner)
        .await
        .unwrap();
    let (id, revoked) = invite(&ada, &project, json!({"role": "member", "max_uses": null})).await;
    accept(&bo, &revoked).await.expect(200);
    assert_eq!(ada.delete(&format!("/v1/projects/{project}/invitations/{id}")).await.status, 204);
    for token in [&expired, &revoked, &"nonsense".to_owned()] {
        eve.get(&format!("/v1/invitations/{token}")).await.problem(404, "not-found");
        accept(&eve, token).await.problem(404, "not-found");
    }
    // People who joined before remain members.
    bo.task(&project, "Still here").await;

    let (_, raise) = invite(&ada, &project, json!({"role": "admin", "max_uses": 2})).await;
    let raised = accept(&bo, &raise).await.expect(200);
    assert_eq!(raised["events"][0]["type"], "project.member_role_changed");
    let (_, lower) = invite(&ada, &project, json!({"role": "viewer"})).await;
    for actor in [&ada, &bo] {
        assert_eq!(accept(actor, &lower).await.expect(200)["events"], json!([]));
    }
    // The refused attempt did not use up the invitation.
    accept(&eve, &lower).await.expect(200);

    let invitations = format!("/v1/projects/{project}/invitations");
    for (body, pointer) in [
        (json!({}), "/role"),
        (json!({"role": "king"}), "/role"),
        (json!({"role": "member", "max_uses": 0}), "/max_uses"),
        (json!({"role": "member", "expires_at": "2020-01-01T00:00:00Z"}), "/expires_at"),
        (json!({"role": "member", "expires_at": "2999-01-01T00:00:00Z"}), "/expires_at"),
    ] {
        let answer = ada.post(&invitations, body).await;
        assert_eq!(answer.problem(422, "validation-failed")["errors"][0]["pointer"], pointer);
    }
    app.finish().await;
}

#[tokio::test]
async fn an_invitation_needs_the_permission_to_give_its_role() {
    let app = App::start().await;
    let (ada, bo, eve) = (app.person("ada").await, app.person("bo").await, app.person("eve").await);
    let (project, _) = ada.project("P").await;
    let member = format!("/v1/projects/{project}/members/{}", bo.user_id);
    let invitations = format!("/v1/projects/{project}/invitations");
    ada.put(&member, json!({"role": "admin"})).await.expect(201);
    bo.post(&invitations, json!({"role": "owner"})).await.problem(403, "forbidden");
    ada.put(&member, json!({"role": "member"})).await.expect(200);
    bo.post(&invitations, json!({"role": "viewer"})).await.problem(403, "forbidden");
    bo.get(&invitations).await.problem(403, "forbidden");
    eve.post(&invitations, json!({"role": "viewer"})).await.problem(404, "not-found");
    let (id, token) = invite(&ada, &project, json!({"role": "owner"})).await;
    bo.delete(&format!("{invitations}/{id}")).await.problem(403, "forbidden");
    eve.delete(&format!("{invitations}/{id}")).await.problem(404, "not-found");
    // In another project of the same owner: not found.
    let (other, _) = ada.project("Other").await;
    ada.delete(&format!("/v1/projects/{other}/invitations/{id}")).await.problem(404, "not-found");

    // An archived project accepts no members, and its invitations can still be revoked.
    ada.post(&format!("/v1/projects/{project}/archive"), json!({})).await.expect(200);
    accept(&eve, &token).await.problem(403, "forbidden");
    assert_eq!(uses(&ada, &project).await, 0);
    assert_eq!(ada.delete(&format!("{invitations}/{id}")).await.status, 204);
    app.finish().await;
}

#[tokio::test]
async fn a_repeated_key_gets_the_same_reply_after_the_last_use() {
    let app = App::start().await;
    let (ada, bo) = (app.person("ada").await, app.person("bo").await);
    let (project, _) = ada.project("P").await;
    let (id, token) = invite(&ada, &project, json!({"role": "member"})).await;
    let key = new_id().to_string();
    let first = accept_with(&bo, &token, &key).await;
    assert_eq!(first.header("idempotency-replayed"), "");
    let first = first.expect(200);
    let head = app.head().await;
    let again = async |what: &str| {
        let answer = accept_with(&bo, &token, &key).await;
        assert_eq!(answer.header("idempotency-replayed"), "true", "{what}: {}", answer.body);
        assert_eq!(answer.expect(200), first, "{what}");
    };
    again("at once").await;
    ada.delete(&format!("/v1/projects/{project}/invitations/{id}")).await;
    again("after it was revoked").await;
    ada.delete(&format!("/v1/projects/{project}/members/{}", bo.user_id)).await.expect(200);
    again("after the member was removed").await;
    // A repeated key returns the reply and grants nothing else.
    bo.post(&format!("/v1/projects/{project}/tasks"), json!({"title": "T"})).await.problem(404, "not-found");
    assert_eq!((app.head().await, uses(&ada, &project).await), (head + 1, 1));
    app.finish().await;
}

#[tokio::test]
async fn a_crash_neither_loses_nor_doubles_a_use_of_an_invitation() {
    let app = App::start().await;
    let (ada, bo, eve) = (app.person("ada").await, app.person("bo").await, app.person("eve").await);
    let (project, _) = ada.project("P").await;
    let (id, token) = invite(&ada, &project, json!({"role": "member"})).await;
    let reserved = async |command: &str, until: &str| {
        sqlx::query(
            "INSERT INTO invitation_uses VALUES ($1::uuid, $2::uuid, $3::uuid, now() + $4::interval) \
             ON CONFLICT (invitation_id, user_id, command_id) DO UPDATE SET reserved_until = excluded.reserved_until",
        )
        .bind(&id)
        .bind(&bo.user_id)
        .bind(command)
        .bind(until)
        .execute(&app.owner)
        .await
        .unwrap();
    };
    // The process died before the append: the slot is reserved for a while, and then free again.
    let lost = new_id().to_string();
    reserved(&lost, "1 minute").await;
    accept(&eve, &token).await.problem(404, "not-found");
    reserved(&lost, "-1 second").await;
    eve.get(&format!("/v1/invitations/{token}")).await.expect(200);
    // The process died after the append: the log has the use.
    let key = new_id().to_string();
    accept_with(&bo, &token, &key).await.expect(200);
    reserved(&key, "-1 second").await;
    accept(&eve, &token).await.problem(404, "not-found");
    assert_eq!(uses(&ada, &project).await, 1);
    app.finish().await;
}
