//! Every command and every read with every role, compared with the table of the domain: `TaskCommand::TABLE`,
//! `ProjectCommand::TABLE` and `TeamCommand::TABLE`. The operations come from the OpenAPI documents, so that a new one
//! fails here until its permission is declared.

use reqwest::Method;
use serde_json::{Value, json};
use taskfold_domain::{ProjectCommand, Role, TaskCommand};

use crate::harness::{Actor, App};

struct Operation {
    id: String,
    method: Method,
    path: String,
    is_stream: bool,
}

/// Operations on a project or its contents.
fn operations() -> Vec<Operation> {
    let mut operations = Vec::new();
    for document in [taskfold_command_api::document(), taskfold_query_api::document()] {
        let document = serde_json::to_value(document).unwrap();
        for (path, methods) in document["paths"].as_object().unwrap() {
            if !path.contains("{project_id}") && !path.contains("{task_id}") {
                continue;
            }
            for (method, operation) in methods.as_object().unwrap() {
                operations.push(Operation {
                    id: operation["operationId"].as_str().unwrap().to_owned(),
                    method: method.to_uppercase().parse().unwrap(),
                    path: path.clone(),
                    is_stream: operation["responses"]["200"]["content"].get("text/event-stream").is_some(),
                });
            }
        }
    }
    assert!(operations.len() > 60);
    operations
}

/// A project with a member in every role, and one of everything in it.
struct Scene {
    owner: Actor,
    project: String,
    ids: Vec<(&'static str, String)>,
}

impl Scene {
    async fn new(owner: &Actor, people: &People) -> Self {
        let (project, columns) = owner.project("P").await;
        let path = format!("/v1/projects/{project}");
        for (person, role) in [(&people.viewer, "viewer"), (&people.member, "member"), (&people.admin, "admin")] {
            owner.put(&format!("{path}/members/{}", person.user_id), json!({"role": role})).await.expect(201);
        }
        let removed = format!("{path}/members/{}", people.removed.user_id);
        owner.put(&removed, json!({"role": "admin"})).await.expect(201);
        owner.delete(&removed).await.expect(200);
        let made = |reply: Value| reply["created_id"].as_str().unwrap().to_owned();
        let task = people.member.task(&project, "T").await;
        let other = owner.task(&project, "O").await;
        let of_task = format!("/v1/tasks/{task}");
        let comment = made(people.member.post(&format!("{of_task}/comments"), json!({"text": "c"})).await.expect(201));
        let checklist = made(owner.post(&format!("{of_task}/checklists"), json!({"title": "l"})).await.expect(201));
        let items = format!("{of_task}/checklists/{checklist}/items");
        let item = made(owner.post(&items, json!({"text": "i"})).await.expect(201));
        let label = made(owner.post(&format!("{path}/labels"), json!({"name": "l", "color": "red"})).await.expect(201));
        let file = people.member.request(Method::POST, &format!("{of_task}/attachments?file_name=a.txt")).body("a");
        let file = made(people.member.send(file.header("content-type", "text/plain")).await.expect(201));
        let filter = made(owner.post(&format!("{path}/filters"), json!({"name": "f", "query": ""})).await.expect(201));
        let team = owner.post("/v1/teams", json!({"name": "T"})).await.expect(201)["id"].as_str().unwrap().to_owned();
        owner.put(&format!("{path}/teams/{team}"), json!({"role": "viewer"})).await.expect(201);
        let ids = vec![
            ("{project_id}", project.clone()),
            ("{task_id}", task),
            ("{dependency_id}", other),
            // The last of the three is empty.
            ("{column_id}", columns[2].clone()),
            ("{label_id}", label),
            ("{filter_id}", filter),
            ("{comment_id}", comment),
            ("{checklist_id}", checklist),
            ("{item_id}", item),
            ("{attachment_id}", file),
            ("{team_id}", team),
            ("{user_id}", people.viewer.user_id.clone()),
            ("{device_id}", "desk".to_owned()),
            ("{emoji}", "%F0%9F%91%8D".to_owned()),
        ];
        Self { owner: owner.clone(), project, ids }
    }

    fn path(&self, operation: &Operation) -> String {
        let path = self.ids.iter().fold(operation.path.clone(), |path, (name, id)| path.replace(name, id));
        if operation.id == "attachFile" {
            format!("{path}?file_name=b.txt")
        } else if operation.id == "getCalendar" {
            format!("{path}?from=2026-01-01&to=2026-02-01")
        } else {
            path
        }
    }
}

struct People {
    stranger: Actor,
    removed: Actor,
    viewer: Actor,
    member: Actor,
    admin: Actor,
}

/// Command of an operation; or that it is a read; or that it has rules of its own, tested elsewhere.
enum Sends {
    Command(&'static str),
    Read,
    Elsewhere,
}

fn sends(operation: &str) -> Sends {
    let command = match operation {
        "createTask" => "task.create",
        // For many tasks, the same as for one.
        "bulkTasks" => "task.edit",
        "editTask" => "task.edit",
        "moveTask" => "task.move",
        "assignTask" => "task.assign",
        "unassignTask" => "task.unassign",
        "labelTask" => "task.label",
        "unlabelTask" => "task.unlabel",
        "startTask" => "task.start",
        "pauseTask" => "task.pause",
        "resumeTask" => "task.resume",
        "completeTask" => "task.complete",
        "cancelTask" => "task.cancel",
        "failTask" => "task.fail",
        "reopenTask" => "task.reopen",
        "progressTask" => "task.progress",
        "archiveTask" => "task.archive",
        "unarchiveTask" => "task.unarchive",
        "deleteTask" => "task.delete",
        "restoreTask" => "task.restore",
        "commentTask" => "task.comment",
        "editComment" => "task.edit_comment",
        "removeComment" => "task.remove_comment",
        "addChecklist" => "task.add_checklist",
        "renameChecklist" => "task.rename_checklist",
        "removeChecklist" => "task.remove_checklist",
        "addChecklistItem" => "task.add_checklist_item",
        "changeChecklistItem" => "task.change_checklist_item",
        "removeChecklistItem" => "task.remove_checklist_item",
        "watchTask" => "task.watch",
        "unwatchTask" => "task.unwatch",
        "reactToComment" => "task.react",
        "unreactToComment" => "task.unreact",
        "attachFile" => "task.attach",
        "removeAttachment" => "task.remove_attachment",
        "addDependency" => "task.add_dependency",
        "removeDependency" => "task.remove_dependency",
        "editProject" => "project.edit",
        "archiveProject" => "project.archive",
        "restoreProject" => "project.restore",
        "addColumn" => "project.add_column",
        "editColumn" => "project.edit_column",
        "archiveColumn" => "project.archive_column",
        "restoreColumn" => "project.restore_column",
        "removeColumn" => "project.remove_column",
        "addLabel" => "project.add_label",
        "editLabel" => "project.edit_label",
        "removeLabel" => "project.remove_label",
        "setMember" | "createInvitation" | "listInvitations" => "project.set_member",
        "removeMember" => "project.remove_member",
        "setProjectTeam" => "project.set_team",
        "removeProjectTeam" => "project.remove_team",
        "watchProject" => "project.watch",
        "unwatchProject" => "project.unwatch",
        "addFilter" => "project.add_filter",
        "editFilter" => "project.edit_filter",
        "removeFilter" => "project.remove_filter",
        // A row of the caller's own, in a project that they see.
        "createCalendarLink" => return Sends::Read,
        // Presence of the caller's own device, in a project that they see.
        "announcePresence" | "leavePresence" => return Sends::Read,
        // The caller's own uploads, in terms of the tus protocol.
        "createUpload" | "appendUpload" | "getUpload" | "removeUpload" | "revokeInvitation" | "revokeCalendarLink" => {
            return Sends::Elsewhere;
        }
        // Of placeholders, which this project has none of: see authority/claims.rs.
        "offerClaim" | "withdrawClaim" => return Sends::Elsewhere,
        read if read.starts_with("get") || read.starts_with("list") || read.starts_with("stream") => {
            return Sends::Read;
        }
        new => panic!("{new} is new: state here which command it sends"),
    };
    Sends::Command(command)
}

fn needs(command: &str) -> Role {
    let table = TaskCommand::TABLE.iter().chain(ProjectCommand::TABLE);
    table.into_iter().find(|(name, _)| *name == command).unwrap_or_else(|| panic!("no command {command}")).1
}

fn body(operation: &Operation, scene: &Scene) -> Option<Value> {
    let id = |name: &str| scene.ids.iter().find(|(n, _)| *n == name).unwrap().1.clone();
    if ![Method::POST, Method::PATCH, Method::PUT].contains(&operation.method) {
        return None;
    }
    Some(match operation.id.as_str() {
        "createTask" | "editTask" => json!({"title": "new"}),
        "moveTask" => json!({"column_id": id("{column_id}")}),
        "progressTask" => json!({"percent": 5}),
        "commentTask" | "editComment" | "addChecklistItem" | "changeChecklistItem" => json!({"text": "new"}),
        "addChecklist" | "renameChecklist" => json!({"title": "new"}),
        "bulkTasks" => {
            json!({"command": {"type": "task.edit", "data": {"title": "new"}}, "filter": {"status": "todo"}})
        }
        "addColumn" => json!({"name": "new", "category": "todo"}),
        "addLabel" => json!({"name": "new", "color": "blue"}),
        "editProject" | "editColumn" | "editLabel" | "editFilter" => json!({"name": "new"}),
        "addFilter" => json!({"name": "new", "query": "status=todo"}),
        "setMember" | "setProjectTeam" => json!({"role": "member"}),
        "createInvitation" => json!({"role": "member"}),
        "announcePresence" => json!({"device_id": "desk"}),
        _ if operation.method == Method::PUT => return None,
        _ => json!({}),
    })
}

async fn status(actor: &Actor, operation: &Operation, scene: &Scene) -> u16 {
    let mut request = actor.request(operation.method.clone(), &scene.path(operation));
    if let Some(body) = body(operation, scene) {
        request = request.json(&body);
    }
    // A stream never ends: its head is enough.
    let response = request.header("prefer", "wait=20").send().await.unwrap();
    response.status().as_u16()
}

#[tokio::test]
async fn every_role_has_exactly_the_permissions_of_the_table() {
    let app = App::start().await;
    let owner = app.person("owner").await;
    let people = People {
        stranger: app.person("stranger").await,
        removed: app.person("removed").await,
        viewer: app.person("viewer").await,
        member: app.person("member").await,
        admin: app.person("an-admin").await,
    };
    for operation in operations() {
        let needs = match sends(&operation.id) {
            Sends::Command(command) => needs(command),
            Sends::Read => Role::Viewer,
            Sends::Elsewhere => continue,
        };
        let scene = Scene::new(&owner, &people).await;
        if matches!(sends(&operation.id), Sends::Read) || operation.is_stream {
            app.settle().await;
        }
        let what = format!("{} {} ({})", operation.method, operation.path, operation.id);
        assert_eq!(status(&app.anonymous(), &operation, &scene).await, 401, "{what} by nobody");
        for (name, outsider) in [("a stranger", &people.stranger), ("a removed member", &people.removed)] {
            assert_eq!(status(outsider, &operation, &scene).await, 404, "{what} by {name}");
        }
        let ladder = [
            (Role::Viewer, &people.viewer),
            (Role::Member, &people.member),
            (Role::Admin, &people.admin),
            (Role::Owner, &scene.owner),
        ];
        let mut done = false;
        for (role, actor) in ladder {
            let got = status(actor, &operation, &scene).await;
            // A member may remove themselves with any role, and edit their own comments, not those of others.
            let leaves = operation.id == "removeMember" && role == Role::Viewer;
            let not_the_author = operation.id == "editComment" && role > Role::Member;
            if (role < needs && !leaves) || not_the_author {
                assert_eq!(got, 403, "{what} by {}", role.as_str());
            } else if done {
                assert_ne!(got, 403, "{what} by {}", role.as_str());
            } else {
                assert!(got < 400 || got == 409, "{what} by {}: {got}", role.as_str());
                done = true;
            }
        }
        assert!(!scene.project.is_empty() && done, "{what}: nobody may");
    }
    app.finish().await;
}
