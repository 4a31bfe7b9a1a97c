//! Claims of placeholders of imported people.

use serde_json::{Value, json};

use crate::harness::{Actor, App};

/// The member with this id, as others see it.
async fn shown(actor: &Actor, project: &str, user: &str) -> (Value, Value) {
    let members = actor.get(&format!("/v1/projects/{project}/members")).await.expect(200);
    let member = members["items"].as_array().unwrap().iter().find(|member| member["user_id"] == user).unwrap().clone();
    (member["username"].clone(), member["display_name"].clone())
}

#[tokio::test]
async fn a_placeholder_is_shown_as_the_person_who_accepts_it() {
    let app = App::start().await;
    let (ada, bo, eve) = (app.person("ada").await, app.person("bo").await, app.person("eve").await);
    let (project, _) = ada.project("P").await;
    // A placeholder, as an import creates it, and its membership.
    let placeholder = crate::harness::new_id().to_string();
    sqlx::query(
        "INSERT INTO accounts (user_id, username, display_name, created_at) VALUES ($1::uuid, 'b', 'Bob', now())",
    )
    .bind(&placeholder)
    .execute(&app.owner)
    .await
    .unwrap();
    let member = format!("/v1/projects/{project}/members/{placeholder}");
    ada.put(&member, json!({"role": "member"})).await.expect(201);
    sqlx::query("UPDATE accounts SET username = '~b' WHERE username = 'b'").execute(&app.owner).await.unwrap();
    // Nobody adds it to a project of their own, to offer it to themselves there.
    let (own, _) = eve.project("Eve's").await;
    let elsewhere = format!("/v1/projects/{own}/members/{placeholder}");
    eve.put(&elsewhere, json!({"role": "viewer"})).await.problem(404, "not-found");
    for guest in [&bo, &eve] {
        ada.put(&format!("/v1/projects/{project}/members/{}", guest.user_id), json!({"role": "admin"}))
            .await
            .expect(201);
    }
    app.settle().await;
    assert_eq!(shown(&ada, &project, &placeholder).await, (json!("~b"), json!("Bob")));

    let claim = format!("{member}/claim");
    let accept = format!("/v1/me/claims/{placeholder}/accept");
    bo.post(&accept, json!({})).await.problem(404, "not-found");
    let offers = |user: &Actor| json!({"user_id": user.user_id});
    let own = format!("/v1/projects/{project}/members/{}/claim", ada.user_id);
    ada.put(&own, offers(&bo)).await.problem(422, "validation-failed");
    ada.put(&claim, json!({"user_id": placeholder})).await.problem(422, "validation-failed");
    // An offer ends with the authority of its maker, and when it is withdrawn.
    assert_eq!(eve.put(&claim, offers(&bo)).await.status, 204);
    assert_eq!(bo.get("/v1/me/claims").await.expect(200)["items"][0]["offered_by"], json!(eve.user_id));
    ada.put(&format!("/v1/projects/{project}/members/{}", eve.user_id), json!({"role": "member"})).await.expect(200);
    bo.post(&accept, json!({})).await.problem(404, "not-found");
    assert_eq!(bo.get("/v1/me/claims").await.expect(200)["items"], json!([]));
    eve.put(&claim, offers(&eve)).await.problem(403, "forbidden");
    assert_eq!(ada.put(&claim, offers(&bo)).await.status, 204);
    assert_eq!(ada.delete(&claim).await.status, 204);
    bo.post(&accept, json!({})).await.problem(404, "not-found");

    assert_eq!(ada.put(&claim, offers(&bo)).await.status, 204);
    let listed = bo.get("/v1/me/claims").await.expect(200);
    assert_eq!(
        (&listed["items"][0]["placeholder_id"], &listed["items"][0]["display_name"]),
        (&json!(placeholder), &json!("Bob"))
    );
    assert_eq!(eve.get("/v1/me/claims").await.expect(200)["items"], json!([]));
    eve.post(&accept, json!({})).await.problem(404, "not-found");
    assert_eq!(bo.post(&accept, json!({})).await.status, 204);
    bo.post(&accept, json!({})).await.problem(404, "not-found");
    ada.put(&claim, offers(&eve)).await.problem(422, "validation-failed");
    assert_eq!(shown(&ada, &project, &placeholder).await, (json!("bo"), json!("BO")));
    // In another project with the same placeholder, nothing has changed.
    let (second, _) = ada.project("Q").await;
    sqlx::query("UPDATE accounts SET username = 'b' WHERE username = '~b'").execute(&app.owner).await.unwrap();
    let member_there = format!("/v1/projects/{second}/members/{placeholder}");
    ada.put(&member_there, json!({"role": "member"})).await.expect(201);
    sqlx::query("UPDATE accounts SET username = '~b' WHERE username = 'b'").execute(&app.owner).await.unwrap();
    app.settle().await;
    assert_eq!(shown(&ada, &second, &placeholder).await, (json!("~b"), json!("Bob")));
    // A claim can be undone and made again.
    assert_eq!(ada.delete(&claim).await.status, 204);
    ada.delete(&claim).await.problem(404, "not-found");
    assert_eq!(shown(&ada, &project, &placeholder).await, (json!("~b"), json!("Bob")));
    for claim in [&claim, &format!("{member_there}/claim")] {
        assert_eq!(ada.put(claim, offers(&bo)).await.status, 204);
    }
    let listed = bo.get("/v1/me/claims").await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(bo.post(&accept, json!({})).await.status, 204);
    assert_eq!(shown(&ada, &second, &placeholder).await, (json!("bo"), json!("BO")));
    bo.patch("/v1/me", json!({"display_name": "Bo B."})).await.expect(200);
    assert_eq!(shown(&ada, &project, &placeholder).await, (json!("bo"), json!("Bo B.")));
    app.finish().await;
}
