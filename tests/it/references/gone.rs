//! People, labels and tasks that a task refers to are not shown once they are gone, in no read, and come back with what
//! they belong to.

use serde_json::{Value, json};

use crate::harness::{Actor, App};

/// Where a task of `ada` is shown, as each read has it. The filters are those by the person and the label.
struct Reads<'a> {
    ada: &'a Actor,
    project: &'a str,
    task: &'a str,
    person: &'a str,
    label: &'a str,
}

impl Reads<'_> {
    async fn items(&self, path: &str) -> Vec<Value> {
        let page = self.ada.get(path).await.expect(200);
        let columns = page["columns"].as_array().into_iter().flatten().flat_map(|column| column["tasks"].as_array());
        let cards = columns.flatten().chain(page["items"].as_array().into_iter().flatten());
        cards.filter(|card| card["id"] == *self.task).cloned().collect()
    }

    /// The task in each read that shows it whatever it refers to.
    async fn shown(&self) -> Vec<(&'static str, Value)> {
        let project = format!("/v1/projects/{}", self.project);
        let mut shown = vec![("task", self.ada.get(&format!("/v1/tasks/{}", self.task)).await.expect(200))];
        for (read, path) in [
            ("list", format!("{project}/tasks")),
            ("board", format!("{project}/board")),
            ("calendar", format!("{project}/calendar?from=2090-01-01&to=2090-02-01")),
            ("my tasks", "/v1/me/tasks".to_owned()),
        ] {
            let items = self.items(&path).await;
            assert_eq!(items.len(), 1, "{read}");
            shown.extend(items.into_iter().map(|item| (read, item)));
        }
        shown
    }

    /// Whether the filters by person, by label and for unassigned tasks match the task; in lists and in bulk.
    async fn matches(&self) -> [bool; 5] {
        let tasks = format!("/v1/projects/{}/tasks", self.project);
        let listed = async |query: String| !self.items(&format!("{tasks}?{query}")).await.is_empty();
        let previewed = async |filter: Value| {
            let body = json!({"command": {"type": "task.archive", "data": {}}, "filter": filter, "preview": true});
            self.ada.post(&format!("{tasks}/bulk"), body).await.expect(200)["matched"] == 1
        };
        [
            listed(format!("assignee_id={}", self.person)).await,
            previewed(json!({"assignee_id": self.person})).await,
            listed(format!("label_id={}", self.label)).await,
            previewed(json!({"label_id": self.label})).await,
            listed("unassigned=true".to_owned()).await,
        ]
    }

    async fn expect(&self, when: &str, assignees: &[&str], labels: &[&str]) {
        for (read, task) in self.shown().await {
            assert_eq!(task["assignee_ids"], json!(assignees), "{when}, {read}");
            assert_eq!(task["label_ids"], json!(labels), "{when}, {read}");
        }
        let (assigned, labeled) = (assignees.contains(&self.person), labels.contains(&self.label));
        assert_eq!(self.matches().await, [assigned, assigned, labeled, labeled, assignees.is_empty()], "{when}");
    }
}

/// Ways in which a person loses access to a project, and comes back.
#[derive(Clone, Copy, Debug)]
enum Way {
    Removed,
    TeamLeft,
    TeamRemoved,
}

#[tokio::test]
async fn people_who_may_not_see_the_project_are_not_shown_as_assigned() {
    let app = App::start().await;
    let (ada, bo) = (app.person("ada").await, app.person("bo").await);
    for way in [Way::Removed, Way::TeamLeft, Way::TeamRemoved] {
        let (project, _) = ada.project("P").await;
        let label = json!({"name": "bug", "color": "red"});
        let label = ada.post(&format!("/v1/projects/{project}/labels"), label).await.expect(201)["created_id"].clone();
        let team = ada.post("/v1/teams", json!({"name": "T"})).await.expect(201)["id"].as_str().unwrap().to_owned();
        let in_team = format!("/v1/teams/{team}/members/{}", bo.user_id);
        let of_team = format!("/v1/projects/{project}/teams/{team}");
        let own = format!("/v1/projects/{project}/members/{}", bo.user_id);
        let comes = async || match way {
            Way::Removed => ada.put(&own, json!({"role": "member"})).await.expect(201),
            Way::TeamLeft => ada.put(&in_team, json!({"role": "member"})).await.expect(201),
            Way::TeamRemoved => ada.put(&of_team, json!({"role": "member"})).await.expect(201),
        };
        let goes = async || match way {
            Way::Removed => ada.delete(&own).await.expect(200),
            Way::TeamLeft => ada.delete(&in_team).await.expect(200),
            Way::TeamRemoved => ada.delete(&of_team).await.expect(200),
        };
        match way {
            Way::Removed => {}
            Way::TeamLeft => drop(ada.put(&of_team, json!({"role": "member"})).await.expect(201)),
            Way::TeamRemoved => drop(ada.put(&in_team, json!({"role": "member"})).await.expect(201)),
        }
        comes().await;
        let new = json!({"title": "T", "assignee_ids": [bo.user_id, ada.user_id], "label_ids": [label],
            "due_at": "2090-01-10T12:00:00Z"});
        let task = ada.post(&format!("/v1/projects/{project}/tasks"), new).await.expect(201);
        let task = task["id"].as_str().unwrap();
        app.settle().await;
        let reads = Reads { ada: &ada, project: &project, task, person: &bo.user_id, label: label.as_str().unwrap() };
        let labels = [reads.label];
        reads.expect(&format!("before {way:?}"), &[&bo.user_id, &ada.user_id], &labels).await;

        let board = ada.get(&format!("/v1/projects/{project}/board")).await;
        goes().await;
        app.settle().await;
        reads.expect(&format!("after {way:?}"), &[&ada.user_id], &labels).await;
        // A client that asks with its tag gets the change, too.
        let again = ada.request(reqwest::Method::GET, &format!("/v1/projects/{project}/board"));
        ada.send(again.header("if-none-match", board.header("etag"))).await.expect(200);
        let watchers = ada.get(&format!("/v1/tasks/{task}")).await.expect(200)["watcher_ids"].clone();
        assert_eq!(watchers, json!([ada.user_id]), "{way:?}");

        // They are assigned again when they come back, until somebody is assigned or unassigned.
        comes().await;
        app.settle().await;
        reads.expect(&format!("back after {way:?}"), &[&bo.user_id, &ada.user_id], &labels).await;
        goes().await;
        app.settle().await;
        let own_id = &ada.user_id;
        let reply = ada.delete(&format!("/v1/tasks/{task}/assignees/{own_id}")).await.expect(200);
        assert_eq!(reply["events"][0]["changes"]["assignee_ids"]["to"], json!([]), "{way:?}");
        ada.put(&format!("/v1/tasks/{task}/assignees/{own_id}"), Value::Null).await.expect(200);
        comes().await;
        app.settle().await;
        reads.expect(&format!("assigned anew after {way:?}"), &[own_id], &labels).await;
    }
    app.finish().await;
}

#[tokio::test]
async fn removed_labels_are_not_shown_and_their_ids_stay_taken() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let labels = format!("/v1/projects/{project}/labels");
    let label = async |name: &str| {
        let reply = ada.post(&labels, json!({"name": name, "color": "red"})).await.expect(201);
        reply["created_id"].as_str().unwrap().to_owned()
    };
    let (bug, ops) = (label("bug").await, label("ops").await);
    let new =
        json!({"title": "T", "assignee_ids": [ada.user_id], "label_ids": [bug], "due_at": "2090-01-10T12:00:00Z"});
    let task = ada.post(&format!("/v1/projects/{project}/tasks"), new).await.expect(201);
    let task = task["id"].as_str().unwrap();
    app.settle().await;
    let reads = Reads { ada: &ada, project: &project, task, person: &ada.user_id, label: &bug };
    let assignees = [reads.person];
    reads.expect("before", &assignees, &[&bug]).await;
    ada.delete(&format!("{labels}/{bug}")).await.expect(200);
    app.settle().await;
    reads.expect("after", &assignees, &[]).await;
    // The next change of labels says nothing of it any more.
    let reply = ada.put(&format!("/v1/tasks/{task}/labels/{ops}"), Value::Null).await.expect(200);
    assert_eq!(reply["events"][0]["changes"]["label_ids"]["to"], json!([ops]));
    ada.post(&labels, json!({"id": bug, "name": "bug", "color": "red"})).await.problem(409, "already-exists");
    app.finish().await;
}

#[tokio::test]
async fn a_task_of_a_removed_column_is_restored_to_one_of_its_status() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, columns) = ada.project("P").await;
    let path = format!("/v1/projects/{project}/columns");
    let released = ada.post(&path, json!({"name": "Released", "category": "done"})).await.expect(201);
    let released = released["created_id"].as_str().unwrap();
    let task = ada.task(&project, "T").await;
    ada.post(&format!("/v1/tasks/{task}/move"), json!({"column_id": released})).await.expect(200);
    ada.post(&format!("/v1/tasks/{task}/archive"), json!({})).await.expect(200);
    let column = format!("{path}/{released}");
    let refused = ada.delete(&column).await;
    let refused = refused.problem(409, "column-not-empty");
    assert_eq!((&refused["tasks"], &refused["archived_tasks"]), (&json!(0), &json!(1)));
    assert_eq!(refused["detail"], "The column still holds 0 tasks on the board and 1 archived ones");
    ada.post(&format!("/v1/tasks/{task}/unarchive"), json!({})).await.expect(200);
    ada.delete(&format!("/v1/tasks/{task}")).await.expect(200);
    ada.delete(&column).await.expect(200);
    ada.post(&path, json!({"id": released, "name": "Again", "category": "done"})).await.problem(409, "already-exists");
    ada.post(&format!("/v1/tasks/{task}/restore"), json!({})).await.expect(200);
    let restored = ada.get_at(&format!("/v1/tasks/{task}"), app.head().await).await.expect(200);
    assert_eq!((&restored["status"], &restored["column_id"]), (&json!("completed"), &json!(columns[2])));
    app.finish().await;
}

#[tokio::test]
async fn deleted_dependencies_do_not_count() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let task = ada.task(&project, "T").await;
    let on = async |other: &str| ada.put(&format!("/v1/tasks/{task}/dependencies/{other}"), Value::Null).await;
    let mut others = Vec::new();
    for n in 0..50 {
        let other = ada.task(&project, &format!("{n}")).await;
        on(&other).await.expect(200);
        others.push(other);
    }
    let more = ada.task(&project, "more").await;
    on(&more).await.problem(422, "validation-failed");
    ada.delete(&format!("/v1/tasks/{}", others[0])).await.expect(200);
    on(&more).await.expect(200);
    app.finish().await;
}
