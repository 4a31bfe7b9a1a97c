//! Invitations, against the authority of who made them.

use serde_json::{Value, json};

use crate::harness::{Actor, Answer, App};

struct Scene {
    app: App,
    owner: Actor,
    admin: Actor,
    guest: Actor,
    project: String,
}

/// A project of an owner, with an admin.
async fn scene() -> Scene {
    let app = App::start().await;
    let (owner, admin, guest) = (app.person("olga").await, app.person("adam").await, app.person("guest").await);
    let (project, _) = owner.project("P").await;
    set(&owner, &project, &admin, "admin").await.expect(201);
    Scene { app, owner, admin, guest, project }
}

async fn set(actor: &Actor, project: &str, member: &Actor, role: &str) -> Answer {
    actor.put(&format!("/v1/projects/{project}/members/{}", member.user_id), json!({"role": role})).await
}

async fn remove(actor: &Actor, project: &str, member: &Actor) -> Answer {
    actor.delete(&format!("/v1/projects/{project}/members/{}", member.user_id)).await
}

async fn invite(actor: &Actor, project: &str, role: &str) -> String {
    let body = json!({"role": role, "max_uses": null});
    let made = actor.post(&format!("/v1/projects/{project}/invitations"), body).await.expect(201);
    made["token"].as_str().unwrap().to_owned()
}

async fn accept(actor: &Actor, token: &str) -> Answer {
    actor.post(&format!("/v1/invitations/{token}/accept"), json!({})).await
}

async fn listed(actor: &Actor, project: &str) -> Vec<Value> {
    let listed = actor.get(&format!("/v1/projects/{project}/invitations")).await.expect(200);
    listed["items"].as_array().unwrap().iter().map(|item| item["in_force"].clone()).collect()
}

#[tokio::test]
async fn the_links_of_somebody_who_is_removed_or_demoted_admit_nobody() {
    let Scene { app, owner, admin, guest, project } = scene().await;
    let owners_link = invite(&owner, &project, "owner").await;
    let link = invite(&admin, &project, "member").await;
    assert_eq!(listed(&owner, &project).await, [json!(true), json!(true)]);
    set(&owner, &project, &admin, "member").await.expect(200);
    guest.get(&format!("/v1/invitations/{link}")).await.problem(404, "not-found");
    accept(&guest, &link).await.problem(404, "not-found");
    assert_eq!(listed(&owner, &project).await, [json!(true), json!(false)]);
    // Also when the role comes back.
    set(&owner, &project, &admin, "admin").await.expect(200);
    accept(&guest, &link).await.problem(404, "not-found");

    // An owner who is removed does not come back by a link of their own, nor does another one for them.
    set(&owner, &project, &guest, "owner").await.expect(201);
    remove(&guest, &project, &owner).await.expect(200);
    accept(&owner, &owners_link).await.problem(404, "not-found");
    accept(&app.person("friend").await, &owners_link).await.problem(404, "not-found");
    app.finish().await;
}

#[tokio::test]
async fn a_link_does_not_readmit_somebody_who_was_removed_after_it_was_made() {
    let Scene { app, owner, admin, guest, project } = scene().await;
    let before = invite(&admin, &project, "member").await;
    accept(&guest, &before).await.expect(200);
    remove(&owner, &project, &guest).await.expect(200);
    accept(&guest, &before).await.problem(404, "not-found");
    accept(&app.person("friend").await, &before).await.expect(200);
    let after = invite(&admin, &project, "viewer").await;
    accept(&guest, &after).await.expect(200);
    // Neither does it raise somebody who was demoted after it was made.
    let raising = invite(&owner, &project, "admin").await;
    accept(&guest, &raising).await.expect(200);
    set(&owner, &project, &guest, "viewer").await.expect(200);
    accept(&guest, &raising).await.problem(404, "not-found");
    app.finish().await;
}

#[tokio::test]
async fn somebody_who_left_is_not_added_without_their_consent() {
    let Scene { app, owner, admin, guest, project } = scene().await;
    let link = invite(&admin, &project, "member").await;
    accept(&guest, &link).await.expect(200);
    let left = remove(&guest, &project, &guest).await.expect(200);
    assert_eq!(left["events"][0]["changes"]["left"], json!({"from": null, "to": true}));
    set(&owner, &project, &guest, "member").await.problem(403, "forbidden");
    accept(&guest, &link).await.expect(200);
    set(&owner, &project, &guest, "admin").await.expect(200);
    app.finish().await;
}

#[tokio::test]
async fn the_links_of_an_api_token_end_with_it() {
    let Scene { app, admin, guest, project, .. } = scene().await;
    let plain = admin.api_token(json!({"name": "plain", "access": "write"})).await;
    let invitations = format!("/v1/projects/{project}/invitations");
    let calendars = format!("/v1/projects/{project}/calendar-links");
    app.settle().await;
    let (invitation, nothing) = (json!({"role": "viewer"}), json!({}));
    for (path, body) in [(invitations.as_str(), &invitation), (&calendars, &nothing), ("/v1/stream-tickets", &nothing)]
    {
        plain.post(path, body.clone()).await.problem(403, "forbidden");
    }

    let made = admin.post("/v1/api-tokens", json!({"name": "n", "access": "write", "delegates": true})).await;
    let made = made.expect(201);
    let bot = admin.with_token(made["token"].as_str().unwrap());
    let link = invite(&bot, &project, "viewer").await;
    let calendar = bot.post(&calendars, json!({})).await.expect(201)["url_path"].as_str().unwrap().to_owned();
    guest.get(&format!("/v1/invitations/{link}")).await.expect(200);
    assert_eq!(app.anonymous().get(&calendar).await.status, 200);
    let id = made["id"].as_str().unwrap();
    assert_eq!(admin.delete(&format!("/v1/api-tokens/{id}")).await.status, 204);
    accept(&guest, &link).await.problem(404, "not-found");
    assert_eq!(app.anonymous().get(&calendar).await.status, 404);
    assert_eq!(listed(&admin, &project).await, [json!(false)]);
    app.finish().await;
}
