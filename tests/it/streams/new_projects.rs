//! Reads and streams of tasks and projects that are in the log and not yet projected.

use super::*;

fn at_once(actor: &Actor, path: &str) -> reqwest::RequestBuilder {
    actor.request(Method::GET, path).header("prefer", "wait=0")
}

#[tokio::test]
async fn reads_wait_for_what_is_in_the_log_instead_of_not_found() {
    let app = App::start().await;
    let (ada, bea, eve) = (app.person("ada").await, app.person("bea").await, app.person("eve").await);
    let (old, _) = ada.project("Old").await;
    app.settle().await;
    let held = app.block_projector().await;
    let (project, _) = ada.project("P").await;
    let path = format!("/v1/projects/{project}");
    ada.put(&format!("{path}/members/{}", bea.user_id), json!({"role": "member"})).await.expect(201);
    let task = ada.task(&project, "T").await;
    let in_old = ada.task(&old, "T").await;
    let comment = ada.post(&format!("/v1/tasks/{in_old}/comments"), json!({"text": "c"})).await.expect(201);
    let comment = comment["created_id"].as_str().unwrap();
    let team = ada.post("/v1/teams", json!({"name": "T"})).await.expect(201)["id"].as_str().unwrap().to_owned();
    let paths = [
        path.clone(),
        format!("{path}/board"),
        format!("{path}/events"),
        format!("{path}/calendar.ics"),
        format!("/v1/search?q=x&project_id={project}"),
        format!("/v1/tasks/{task}"),
        format!("/v1/tasks/{in_old}/comments/{comment}/history"),
        format!("/v1/teams/{team}"),
        format!("/v1/teams/{team}/members"),
    ];
    for path in &paths {
        let answer = ada.send(at_once(&ada, path)).await;
        answer.problem(503, "read-model-behind");
        assert_eq!(answer.header("retry-after"), "1");
        // Nobody learns of tasks that they may not see.
        eve.send(at_once(&eve, path)).await.problem(404, "not-found");
        eve.get(path).await.problem(404, "not-found");
    }
    bea.send(at_once(&bea, &path)).await.problem(503, "read-model-behind");
    bea.send(at_once(&bea, &format!("/v1/tasks/{task}"))).await.problem(503, "read-model-behind");
    // An id that exists nowhere is not waited for.
    let nowhere = uuid::Uuid::nil();
    ada.get(&format!("/v1/projects/{nowhere}")).await.problem(404, "not-found");
    ada.get(&format!("/v1/tasks/{nowhere}")).await.problem(404, "not-found");
    ada.get(&format!("/v1/tasks/{in_old}/comments/{nowhere}/history")).await.problem(503, "read-model-behind");
    let filter = json!({"project_id": project, "name": "F", "query": ""});
    ada.post("/v1/me/filters", filter).await.problem(503, "read-model-behind");
    ada.put(&format!("{path}/presence"), json!({"device_id": "desk"})).await.problem(503, "read-model-behind");
    // Streams wait too, and end the wait with an error.
    ada.get(&format!("{path}/events/stream")).await.problem(503, "read-model-behind");
    eve.get(&format!("{path}/events/stream")).await.problem(404, "not-found");
    let back = ada.request(Method::GET, &format!("{path}/events/stream")).header("last-event-id", "1");
    assert_eq!(last_event(&mut Sse::open(back).await).await, "drain");

    // A request before the projection is answered after it.
    let waiting = paths.iter().map(|path| {
        let request = ada.request(Method::GET, path).header("prefer", "wait=30");
        async { ada.send(request).await }
    });
    let (answers, ()) = tokio::join!(futures::future::join_all(waiting), async { held.rollback().await.unwrap() });
    for (path, answer) in paths.iter().zip(answers) {
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
    app.finish().await;
}

#[tokio::test]
async fn a_stream_of_a_new_project_opens() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (first, _) = ada.project("First").await;
    app.settle().await;
    let mut several = ada.stream(&format!("/v1/stream?projects={first}")).await;
    let stream_id = several.next().await.unwrap().data["stream_id"].as_str().unwrap().to_owned();
    for n in 0..20 {
        let made = ada.post("/v1/projects", json!({"name": format!("P{n}")})).await;
        let at = made.position();
        let project = made.expect(201)["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/projects/{project}/events/stream?since={}", at - 1);
        let change = format!("/v1/streams/{stream_id}");
        let (stream, changed) =
            tokio::join!(ada.request(Method::GET, &path).send(), ada.patch(&change, json!({"projects": [project]})));
        changed.expect(200);
        let mut stream = Sse::of(stream.unwrap().error_for_status().unwrap());
        assert_eq!(stream.changes_until(at).await, [at]);
    }
    drop(several);
    app.finish().await;
}
