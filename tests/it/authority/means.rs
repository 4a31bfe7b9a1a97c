//! Everything that grants or listens, by every role and every means of authentication: sessions, API tokens by access
//! and project, and tickets; on streams, presence, invitations and calendar links.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::harness::{Actor, App, eventually};

/// Means of authentication of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    Session,
    /// API token with access `read`, `write`, or `write` to the project, which may create links and tickets or may not.
    Token {
        access: &'static str,
        of_project: bool,
        delegates: bool,
    },
    /// API token that is restricted to another project.
    OtherProject,
}

impl Means {
    const ALL: [Self; 6] = [
        Self::Session,
        Self::Token { access: "read", of_project: false, delegates: false },
        Self::Token { access: "read", of_project: true, delegates: true },
        Self::Token { access: "write", of_project: false, delegates: true },
        Self::Token { access: "write", of_project: true, delegates: false },
        Self::OtherProject,
    ];

    fn may_write(self) -> bool {
        matches!(self, Self::Session | Self::Token { access: "write", .. })
    }

    fn may_delegate(self) -> bool {
        matches!(self, Self::Session | Self::Token { delegates: true, .. })
    }

    async fn of(self, person: &Actor, project: &str, other: &str) -> Actor {
        let token = |access: &str, delegates: bool, only: Option<&str>| json!({"name": "t", "access": access, "delegates": delegates, "project_id": only});
        match self {
            Self::Session => person.clone(),
            Self::Token { access, of_project, delegates } => {
                person.api_token(token(access, delegates, of_project.then_some(project))).await
            }
            Self::OtherProject => person.api_token(token("write", true, Some(other))).await,
        }
    }
}

/// What is tried.
#[derive(Clone, Copy, Debug)]
enum Attempt {
    Stream,
    StreamOfSeveral,
    StreamByTicket,
    SeePresence,
    BePresent,
    Invite,
    LinkCalendar,
}

impl Attempt {
    const ALL: [Self; 7] = [
        Self::Stream,
        Self::StreamOfSeveral,
        Self::StreamByTicket,
        Self::SeePresence,
        Self::BePresent,
        Self::Invite,
        Self::LinkCalendar,
    ];

    /// Whether the role suffices, and then the means.
    fn is_allowed(self, role: &str, means: Means) -> bool {
        match self {
            Self::Stream | Self::StreamOfSeveral | Self::SeePresence => true,
            Self::StreamByTicket => means.may_delegate(),
            Self::BePresent => means.may_write(),
            Self::Invite => ["admin", "owner"].contains(&role) && means.may_write() && means.may_delegate(),
            Self::LinkCalendar => means.may_write() && means.may_delegate(),
        }
    }

    async fn status(self, actor: &Actor, project: &str) -> u16 {
        let path = format!("/v1/projects/{project}");
        let post = |to: String, body: Value| actor.request(Method::POST, &to).json(&body);
        let get = |from: String| actor.request(Method::GET, &from);
        match self {
            Self::Stream => sent(get(format!("{path}/events/stream"))).await,
            Self::StreamOfSeveral => sent(get(format!("/v1/stream?projects={project}"))).await,
            Self::StreamByTicket => {
                let ticket = actor.send(post("/v1/stream-tickets".to_owned(), json!({}))).await;
                match ticket.body["ticket"].as_str() {
                    None => ticket.status.as_u16(),
                    Some(ticket) => {
                        let url = format!("{}{path}/events/stream?ticket={ticket}", actor.url);
                        sent(reqwest::Client::new().get(url)).await
                    }
                }
            }
            Self::SeePresence => sent(get(format!("{path}/presence"))).await,
            Self::BePresent => {
                let here = actor.request(Method::PUT, &format!("{path}/presence"));
                sent(here.json(&json!({"device_id": "d"}))).await
            }
            Self::Invite => sent(post(format!("{path}/invitations"), json!({"role": "viewer"}))).await,
            Self::LinkCalendar => sent(post(format!("{path}/calendar-links"), json!({}))).await,
        }
    }
}

/// Status of the response; its body may never end.
async fn sent(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn nobody_gets_in_or_listens_with_other_means_than_their_role_permits() {
    let app = App::start().await;
    let owner = app.person("owner").await;
    let (project, _) = owner.project("P").await;
    eventually("presence is accepted", || async {
        (Attempt::BePresent.status(&owner, &project).await == 200).then_some(())
    })
    .await;
    for role in ["viewer", "member", "admin", "owner", "removed", "stranger"] {
        let person = if role == "owner" { owner.clone() } else { app.person(&format!("the-{role}")).await };
        let (other, _) = person.project("Other").await;
        let member = format!("/v1/projects/{project}/members/{}", person.user_id);
        if ["viewer", "member", "admin"].contains(&role) {
            owner.put(&member, json!({"role": role})).await.expect(201);
        }
        if role == "removed" {
            owner.put(&member, json!({"role": "admin"})).await.expect(201);
        }
        app.settle().await;
        for means in Means::ALL {
            // A token for the project is made before the person is removed.
            let of_project = matches!(means, Means::Token { of_project: true, .. });
            if of_project && role == "stranger" {
                continue;
            }
            let actor = means.of(&person, &project, &other).await;
            if role == "removed" {
                owner.delete(&member).await.expect(200);
                app.settle().await;
            }
            for attempt in Attempt::ALL {
                let status = attempt.status(&actor, &project).await;
                let reaches = !["removed", "stranger"].contains(&role) && means != Means::OtherProject;
                let right = if reaches && attempt.is_allowed(role, means) {
                    (200..300).contains(&status)
                } else {
                    [403, 404].contains(&status)
                };
                assert!(right, "{role} with {means:?}: {attempt:?} is answered {status}");
            }
            if role == "removed" {
                owner.put(&member, json!({"role": "admin"})).await.expect(201);
                app.settle().await;
            }
        }
    }
    app.finish().await;
}
