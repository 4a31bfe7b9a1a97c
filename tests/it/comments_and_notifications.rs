//! Comments, watchers, notifications and reminders.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Actor, App, TestEnvironment, eventually, now};

async fn shared(ada: &Actor, others: &[&Actor]) -> String {
    let (project, _) = ada.project("P").await;
    for other in others {
        let path = format!("/v1/projects/{project}/members/{}", other.user_id);
        ada.put(&path, json!({"role": "member"})).await.expect(201);
    }
    project
}

/// Kind, task and actor of a person's notifications, oldest first.
async fn notifications_of(actor: &Actor, position: i64) -> Vec<(String, String, String)> {
    let body = actor.get_at("/v1/me/notifications?limit=200", position).await.expect(200);
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let items = body["items"].as_array().unwrap().iter().rev();
    items.map(|n| (text(&n["kind"]), text(&n["task_id"]), text(&n["actor_id"]))).collect()
}

#[tokio::test]
async fn notifications_reach_each_person_once_and_never_the_actor() {
    let app = App::start().await;
    let (ada, bo, cy) = (app.person("ada").await, app.person("bo").await, app.person("cy").await);
    let project = shared(&ada, &[&bo, &cy]).await;
    let task =
        ada.post(&format!("/v1/projects/{project}/tasks"), json!({"title": "T", "assignee_ids": [bo.user_id]})).await;
    let task = task.expect(201)["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/tasks/{task}");
    bo.post(&format!("{path}/comments"), json!({"text": "@cy and @bo look"})).await.expect(201);
    cy.put(&format!("{path}/watch"), Value::Null).await.expect(200);
    bo.post(&format!("{path}/complete"), json!({})).await.expect(200);
    cy.delete(&format!("{path}/watch")).await.expect(200);
    let last = ada.post(&format!("{path}/comments"), json!({"text": "done"})).await.expect(201);
    let position = last["position"].as_i64().unwrap();

    let one = |kind: &str, by: &Actor| (kind.to_owned(), task.clone(), by.user_id.clone());
    assert_eq!(notifications_of(&bo, position).await, [one("assigned", &ada), one("commented", &ada)]);
    assert_eq!(notifications_of(&cy, position).await, [one("mentioned", &bo), one("completed", &bo)]);
    assert_eq!(notifications_of(&ada, position).await, [one("commented", &bo), one("completed", &bo)]);
    let watchers = ada.get_at(&path, position).await.expect(200);
    assert_eq!(watchers["watcher_ids"], json!([ada.user_id, bo.user_id]));
    assert_eq!(watchers["watching"], true);
    app.finish().await;
}

#[tokio::test]
async fn watchers_of_a_project_are_notified_of_all_its_tasks() {
    let app = App::start().await;
    let (ada, bo) = (app.person("ada").await, app.person("bo").await);
    let project = shared(&ada, &[&bo]).await;
    bo.put(&format!("/v1/projects/{project}/watch"), Value::Null).await.expect(200);
    let task = ada.task(&project, "T").await;
    let position =
        ada.post(&format!("/v1/tasks/{task}/complete"), json!({})).await.expect(200)["position"].as_i64().unwrap();
    let kinds: Vec<String> = notifications_of(&bo, position).await.into_iter().map(|(kind, ..)| kind).collect();
    assert_eq!(kinds, ["created", "completed"]);
    assert_eq!(bo.get(&format!("/v1/projects/{project}")).await.expect(200)["watching"], true);
    bo.delete(&format!("/v1/projects/{project}/watch")).await.expect(200);
    ada.task(&project, "U").await;
    assert_eq!(notifications_of(&bo, app.head().await).await.len(), 2);
    app.finish().await;
}

#[tokio::test]
async fn notifications_are_marked_as_read_singly_or_together_and_kinds_can_be_muted() {
    let app = App::start().await;
    let (ada, bo) = (app.person("ada").await, app.person("bo").await);
    let project = shared(&ada, &[&bo]).await;
    for n in 0..5 {
        let task = json!({"title": format!("T{n}"), "assignee_ids": [bo.user_id]});
        ada.post(&format!("/v1/projects/{project}/tasks"), task).await.expect(201);
    }
    let all = bo.get_at("/v1/me/notifications?limit=2", app.head().await).await.expect(200);
    assert_eq!((all["items"].as_array().unwrap().len(), &all["unread_count"]), (2, &json!(5)));
    assert_eq!(all["items"][0]["task_title"], "T4");
    let next = all["next_cursor"].as_str().unwrap();
    let page = bo.get(&format!("/v1/me/notifications?limit=2&cursor={next}")).await.expect(200);
    assert_eq!(page["items"][0]["task_title"], "T2");
    let read = |body: Value| {
        let bo = bo.clone();
        async move { bo.post("/v1/me/notifications/read", body).await.expect(200)["unread_count"].as_i64().unwrap() }
    };
    assert_eq!(read(json!({"ids": [all["items"][0]["id"]]})).await, 4);
    // Notifications of other people cannot be marked.
    let theirs = ada.post("/v1/me/notifications/read", json!({"ids": [all["items"][1]["id"]]})).await.expect(200);
    assert_eq!(theirs["unread_count"], 0);
    assert_eq!(read(json!({"up_to": page["items"][0]["position"]})).await, 1);
    let unread = bo.get("/v1/me/notifications?unread=true").await.expect(200);
    assert_eq!(unread["items"].as_array().unwrap().len(), 1);
    assert_eq!(unread["items"][0]["task_title"], "T3");
    assert_eq!(read(json!({"up_to": 1_000_000})).await, 0);
    // A later notification is unread all the same.
    ada.post(&format!("/v1/projects/{project}/tasks"), json!({"title": "New", "assignee_ids": [bo.user_id]}))
        .await
        .expect(201);
    let new = bo.get_at("/v1/me/notifications?unread=true", app.head().await).await.expect(200);
    assert_eq!(new["unread_count"], 1);
    bo.put("/v1/me/notification-preferences", json!({"muted": ["assigned"]})).await.expect(200);
    let muted = bo.get("/v1/me/notifications").await.expect(200);
    assert_eq!((&muted["items"], &muted["unread_count"]), (&json!([]), &json!(0)));
    assert_eq!(bo.get("/v1/me/notification-preferences").await.expect(200)["muted"], json!(["assigned"]));
    bo.post("/v1/me/notifications/read", json!({})).await.problem(422, "validation-failed");
    app.finish().await;
}

#[tokio::test]
async fn the_personal_channel_delivers_each_notification_once_across_reconnects() {
    let app = App::start().await;
    let (ada, bo) = (app.person("ada").await, app.person("bo").await);
    let project = shared(&ada, &[&bo]).await;
    app.settle().await;
    let path = format!("/v1/stream?projects={project}&me=true");
    let mut stream = bo.stream(&path).await;
    assert_eq!(stream.next().await.unwrap().event, "hello");
    let task = json!({"title": "T", "assignee_ids": [bo.user_id]});
    let made = ada.post(&format!("/v1/projects/{project}/tasks"), task.clone()).await.expect(201);
    let position = made["position"].as_i64().unwrap();
    let notification = stream.next().await.unwrap();
    assert_eq!((notification.event.as_str(), &notification.data["kind"]), ("notification", &json!("assigned")));
    assert_eq!(notification.data["position"], position);
    let change = stream.next().await.unwrap();
    assert_eq!((change.event.as_str(), change.id.as_str()), ("task.created", position.to_string().as_str()));
    drop(stream);

    // From between the two frames: the Change, and not the notification again. From before: both.
    let again = |id: String| {
        let (bo, path) = (bo.clone(), path.clone());
        async move {
            let request = bo.request(reqwest::Method::GET, &path).header("last-event-id", id);
            let mut stream = crate::harness::Sse::open(request).await;
            assert_eq!(stream.next().await.unwrap().event, "hello");
            (stream.next().await.unwrap().event, stream)
        }
    };
    assert_eq!(again(notification.id.clone()).await.0, "task.created");
    let (first, mut stream) = again((position - 1).to_string()).await;
    assert_eq!((first.as_str(), stream.next().await.unwrap().event.as_str()), ("notification", "task.created"));
    // Muted kinds are not delivered; one's own actions never are.
    bo.put("/v1/me/notification-preferences", json!({"muted": ["assigned"]})).await.expect(200);
    ada.post(&format!("/v1/projects/{project}/tasks"), task.clone()).await.expect(201);
    bo.post(&format!("/v1/projects/{project}/tasks"), task).await.expect(201);
    for _ in 0..2 {
        assert_eq!(stream.next().await.unwrap().event, "task.created");
    }
    // Without an open stream, notifications are kept.
    drop(stream);
    let since = app.head().await;
    let other = ada.task(&project, "other").await;
    ada.post(&format!("/v1/tasks/{other}/comments"), json!({"text": "hi @bo"})).await.expect(201);
    app.settle().await;
    let mut stream = bo.stream(&format!("{path}&since={since}")).await;
    let mut events = Vec::new();
    while events.last().is_none_or(|event| event != "task.commented") {
        events.push(stream.next().await.unwrap().event);
    }
    assert_eq!(events, ["hello", "task.created", "notification", "task.commented"]);
    drop(stream);
    // Without a project: only notifications.
    let mut alone = bo.stream("/v1/stream?me=true").await;
    assert_eq!(alone.next().await.unwrap().event, "hello");
    let task = ada.task(&project, "other").await;
    ada.post(&format!("/v1/tasks/{task}/comments"), json!({"text": "hi @bo"})).await.expect(201);
    let notification = alone.next().await.unwrap();
    assert_eq!((notification.event.as_str(), &notification.data["kind"]), ("notification", &json!("mentioned")));
    app.finish().await;
}

#[tokio::test]
async fn comments_have_reactions_and_a_history() {
    let app = App::start().await;
    let (ada, bo) = (app.person("ada").await, app.person("bo").await);
    let project = shared(&ada, &[&bo]).await;
    let task = ada.task(&project, "T").await;
    let path = format!("/v1/tasks/{task}/comments");
    let made = ada.post(&path, json!({"text": "one"})).await.expect(201);
    let comment = made["created_id"].as_str().unwrap();
    let edited = ada.patch(&format!("{path}/{comment}"), json!({"text": "two"})).await.expect(200);
    let version = edited["version"].as_i64().unwrap();
    let up = format!("{path}/{comment}/reactions/%F0%9F%91%8D");
    let reply = bo.put(&up, Value::Null).await.expect(200);
    assert_eq!(reply["events"][0]["type"], "task.reaction_added");
    assert_eq!(bo.put(&up, Value::Null).await.expect(200)["events"], json!([]));
    ada.put(&up, Value::Null).await.expect(200);
    bo.put(&format!("{path}/{comment}/reactions/has%20space"), Value::Null).await.problem(422, "validation-failed");
    let shown = ada.get_at(&path, app.head().await).await.expect(200);
    let thumbs = |user: &Actor| json!({"emoji": "\u{1f44d}", "user_id": user.user_id});
    assert_eq!(shown["items"][0]["reactions"], json!([thumbs(&bo), thumbs(&ada)]));
    bo.delete(&up).await.expect(200);
    // Reactions and watching are not edits: a form based on an older version is not stale.
    let based =
        ada.request(reqwest::Method::PATCH, &format!("/v1/tasks/{task}")).header("if-match", format!("\"{version}\""));
    ada.send(based.json(&json!({"title": "U"}))).await.expect(200);
    let history = ada.get_at(&format!("{path}/{comment}/history"), app.head().await).await.expect(200);
    let kinds: Vec<&str> = history["items"].as_array().unwrap().iter().map(|c| c["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["task.comment_edited", "task.commented"]);
    assert_eq!(history["items"][0]["changes"]["comment"]["from"]["text"], "one");
    app.finish().await;
}

#[tokio::test]
async fn reminders_are_sent_once_before_and_once_after_the_due_time() {
    let environment = TestEnvironment::new().await;
    let app = App::start_at(environment.clone()).await;
    let (ada, bo) = (app.person("ada").await, app.person("bo").await);
    let project = shared(&ada, &[&bo]).await;
    let (now, seconds) = (now().utc(), Duration::from_secs);
    let task = json!({"title": "T", "assignee_ids": [bo.user_id], "due_at": now + seconds(4)});
    let task =
        ada.post(&format!("/v1/projects/{project}/tasks"), task).await.expect(201)["id"].as_str().unwrap().to_owned();
    let far = json!({"title": "Far", "assignee_ids": [bo.user_id], "due_at": now + seconds(90_000)});
    ada.post(&format!("/v1/projects/{project}/tasks"), far).await.expect(201);
    let past = json!({"title": "Past", "due_at": now - seconds(60)});
    let past =
        ada.post(&format!("/v1/projects/{project}/tasks"), past).await.expect(201)["id"].as_str().unwrap().to_owned();
    let done = json!({"title": "Done", "due_at": now + seconds(4)});
    let done =
        ada.post(&format!("/v1/projects/{project}/tasks"), done).await.expect(201)["id"].as_str().unwrap().to_owned();
    ada.post(&format!("/v1/tasks/{done}/complete"), json!({})).await.expect(200);
    // Another instance sends reminders too, and no reminder is sent twice.
    let second = App::start_at(environment).await;
    eventually("it is overdue", || async {
        (ada.get(&format!("/v1/tasks/{task}")).await.expect(200)["due_stage"] == "overdue").then_some(())
    })
    .await;
    second.stop().await;
    let position = app.head().await;
    let clock_id = "00000000-0000-0000-0000-000000000000".to_owned();
    let of_clock = |kind: &str, task: &str| (kind.to_owned(), task.to_owned(), clock_id.clone());
    let received: Vec<_> =
        notifications_of(&bo, position).await.into_iter().filter(|(_, _, by)| *by == clock_id).collect();
    assert_eq!(received, [of_clock("due_soon", &task), of_clock("overdue", &task)]);
    let received: Vec<_> = notifications_of(&ada, position).await.into_iter().filter(|(_, t, _)| *t == past).collect();
    assert_eq!(received, [of_clock("overdue", &past)]);
    // A task that is completed by then is not overdue.
    assert!(!notifications_of(&ada, position).await.contains(&of_clock("overdue", &done)));
    // A new due time has reminders of its own.
    ada.patch(&format!("/v1/tasks/{task}"), json!({"due_at": now + seconds(3600)})).await.expect(200);
    eventually("it is due soon again", || async {
        (ada.get(&format!("/v1/tasks/{task}")).await.expect(200)["due_stage"] == "due_soon").then_some(())
    })
    .await;
    app.finish().await;
}

/// A due time that passes while no process runs is notified when one runs again, and then once.
#[tokio::test]
async fn a_reminder_missed_while_the_system_was_down_is_sent_once() {
    let environment = TestEnvironment::new().await;
    let app = App::start_at(environment.clone()).await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let due = now().utc() + Duration::from_secs(86_402);
    let task =
        ada.post(&format!("/v1/projects/{project}/tasks"), json!({"title": "T", "due_at": due})).await.expect(201);
    let task = task["id"].as_str().unwrap().to_owned();
    app.settle().await;
    app.stop().await;
    // The reminder a day before the due time is in two seconds: wait for the schedule's own clock, which is the
    // database's row.
    let until = due - Duration::from_secs(86_400);
    eventually("it is due soon", || async { (now().utc() > until).then_some(()) }).await;
    for restart in 0..2 {
        let app = App::start_at(environment.clone()).await;
        let ada = Actor { url: app.url.clone(), ..ada.clone() };
        let path = format!("/v1/tasks/{task}");
        eventually("the reminder is delivered", || async {
            (ada.get(&path).await.expect(200)["due_stage"] == "due_soon").then_some(())
        })
        .await;
        let received = notifications_of(&ada, app.head().await).await;
        assert_eq!(received.iter().filter(|(kind, ..)| kind == "due_soon").count(), 1, "after restart {restart}");
        app.finish().await;
    }
}
