//! Invitations, against the authority of who made them.

use serde_json::{Value, json};

use crate::harness::{Actor, Answer, App, TestEnvironment};

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

/// Creates a team of the owner with this member, and gives it a role in the project.
async fn through_team(owner: &Actor, member: &Actor, project: &str, role: &str) -> String {
    let team = owner.post("/v1/teams", json!({"name": "T"})).await.expect(201)["id"].as_str().unwrap().to_owned();
    add_to_team(owner, member, &team).await;
    owner.put(&format!("/v1/projects/{project}/teams/{team}"), json!({"role": role})).await.expect(201);
    team
}

async fn add_to_team(owner: &Actor, member: &Actor, team: &str) {
    owner.put(&format!("/v1/teams/{team}/members/{}", member.user_id), json!({"role": "member"})).await.expect(201);
}

#[tokio::test]
async fn the_links_of_somebody_who_lost_the_role_of_a_team_admit_nobody() {
    let Scene { app, owner, guest, project, .. } = scene().await;
    let maker = app.person("mia").await;
    let team = through_team(&owner, &maker, &project, "admin").await;
    let member = format!("/v1/teams/{team}/members/{}", maker.user_id);
    let link = invite(&maker, &project, "member").await;
    guest.get(&format!("/v1/invitations/{link}")).await.expect(200);
    owner.delete(&member).await.expect(200);
    accept(&guest, &link).await.problem(404, "not-found");
    // Also when the role comes back; a new link works until the team loses its role.
    add_to_team(&owner, &maker, &team).await;
    accept(&guest, &link).await.problem(404, "not-found");
    let link = invite(&maker, &project, "member").await;
    assert_eq!(listed(&owner, &project).await, [json!(false), json!(true)]);
    let grant = format!("/v1/projects/{project}/teams/{team}");
    owner.put(&grant, json!({"role": "member"})).await.expect(200);
    owner.put(&grant, json!({"role": "admin"})).await.expect(200);
    assert_eq!(listed(&owner, &project).await, [json!(false), json!(false)]);
    accept(&guest, &link).await.problem(404, "not-found");
    let link = invite(&maker, &project, "member").await;
    accept(&guest, &link).await.expect(200);
    app.finish().await;
}

#[tokio::test]
async fn a_link_does_not_readmit_somebody_who_was_removed_from_a_team() {
    let Scene { app, owner, guest, project, .. } = scene().await;
    for removal in ["of the member", "of the team", "deletion"] {
        let team = through_team(&owner, &guest, &project, "viewer").await;
        let link = invite(&owner, &project, "member").await;
        match removal {
            "of the member" => owner.delete(&format!("/v1/teams/{team}/members/{}", guest.user_id)).await.expect(200),
            "of the team" => owner.delete(&format!("/v1/projects/{project}/teams/{team}")).await.expect(200),
            _ => owner.delete(&format!("/v1/teams/{team}")).await.expect(200),
        };
        accept(&guest, &link).await.problem(404, "not-found");
        let another = app.person(&format!("another-{}", removal.replace(' ', "-"))).await;
        accept(&another, &link).await.expect(200);
    }
    let link = invite(&owner, &project, "member").await;
    accept(&guest, &link).await.expect(200);
    app.finish().await;
}

#[tokio::test]
async fn leaving_does_not_give_back_what_was_taken() {
    let Scene { app, owner, admin, project, .. } = scene().await;
    let link = invite(&owner, &project, "admin").await;
    set(&owner, &project, &admin, "viewer").await.expect(200);
    accept(&admin, &link).await.problem(404, "not-found");
    remove(&admin, &project, &admin).await.expect(200);
    accept(&admin, &link).await.problem(404, "not-found");
    app.finish().await;
}

#[tokio::test]
async fn an_invitation_creates_as_many_accounts_as_it_has_uses() {
    let environment = TestEnvironment::new().await;
    let app = App::start_at(environment.clone()).await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let link = |uses: Value| json!({"role": "member", "max_uses": uses});
    let mut tokens = Vec::new();
    for uses in [json!(2), json!(null)] {
        let made = ada.post(&format!("/v1/projects/{project}/invitations"), link(uses)).await.expect(201);
        tokens.push(made["token"].as_str().unwrap().to_owned());
    }
    app.stop().await;
    let flags = vec!["--sign-up".to_owned(), "invited".to_owned()];
    let app = App::start_at(TestEnvironment { flags, ..environment }).await;
    let account = async |name: &str, token: &str| {
        let body = json!({"username": name, "display_name": name, "password": "correct horse battery",
            "invitation": token});
        app.anonymous().post("/v1/accounts", body).await
    };
    account("bo", &tokens[0]).await.expect(201);
    // One that fails does not count.
    account("bo", &tokens[0]).await.problem(409, "already-exists");
    account("cy", &tokens[0]).await.expect(201);
    account("di", &tokens[0]).await.problem(403, "forbidden");
    for name in ["di", "ed", "flo"] {
        account(name, &tokens[1]).await.expect(201);
    }
    app.finish().await;
}
