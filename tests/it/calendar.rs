//! Calendar reads in the caller's time zone, and calendar links for programs that cannot sign in.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Actor, App, eventually};

async fn dated(actor: &Actor, project: &str, title: &str, start: Option<&str>, due: Option<&str>) -> String {
    let new = json!({"title": title, "start_at": start, "due_at": due});
    let body = actor.post(&format!("/v1/projects/{project}/tasks"), new).await.expect(201);
    body["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn tasks_are_on_the_days_of_the_callers_time_zone() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    // Half past eleven in the evening in London is the next day in Berlin.
    dated(&ada, &project, "late", None, Some("2026-11-30T23:30:00Z")).await;
    dated(&ada, &project, "long", Some("2026-10-01T00:00:00Z"), Some("2026-12-24T00:00:00Z")).await;
    dated(&ada, &project, "begins", Some("2026-11-05T08:00:00Z"), None).await;
    dated(&ada, &project, "before", None, Some("2026-10-30T12:00:00Z")).await;
    let deleted = dated(&ada, &project, "gone", None, Some("2026-11-10T12:00:00Z")).await;
    ada.delete(&format!("/v1/tasks/{deleted}")).await.expect(200);
    ada.task(&project, "never").await;
    app.settle().await;
    let base = format!("/v1/projects/{project}/calendar");
    let titles = async |query: &str| -> Vec<String> {
        let page = ada.get(&format!("{base}?{query}")).await.expect(200);
        page["items"].as_array().unwrap().iter().map(|t| t["title"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(titles("from=2026-11-01&to=2026-12-01").await, ["long", "begins", "late"]);
    assert_eq!(titles("from=2026-11-01&to=2026-12-01&tz=Europe/Berlin").await, ["long", "begins"]);
    assert_eq!(titles("from=2026-12-01&to=2026-12-02&tz=Europe/Berlin").await, ["long", "late"]);
    assert_eq!(titles("from=2026-11-05T08:00:00Z&to=2026-11-05T09:00:00%2B00:00").await, ["long", "begins"]);
    let december = ada.get(&format!("{base}?from=2026-12-01&to=2026-12-02&tz=Europe/Berlin")).await.expect(200);
    assert_eq!(december["items"][1]["due_date"], "2026-12-01");
    assert_eq!(
        (&december["items"][0]["start_date"], &december["items"][0]["due_date"]),
        (&json!("2026-10-01"), &json!("2026-12-24"))
    );
    let first = ada.get(&format!("{base}?from=2026-11-01&to=2026-12-01&limit=2")).await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(titles(&format!("from=2026-11-01&to=2026-12-01&limit=2&cursor={cursor}")).await, ["late"]);
    for query in [
        "",
        "from=2026-11-01",
        "from=2026-11-02&to=2026-11-02",
        "from=2026-01-01&to=2027-01-03",
        "from=2026-1-1&to=2026-02-01",
    ] {
        ada.get(&format!("{base}?{query}")).await.problem(422, "validation-failed");
    }
    assert_eq!(titles("from=2026-01-01&to=2027-01-01").await.len(), 4);
    // Some of these may become due just now, and a reminder of one is a new event.
    eventually("nothing is new", || async {
        let answer = ada.get(&format!("{base}?from=2026-11-01&to=2026-12-01")).await;
        let again = ada.request(Method::GET, &format!("{base}?from=2026-11-01&to=2026-12-01"));
        let again = ada.send(again.header("if-none-match", answer.header("etag"))).await;
        (again.status == 304).then_some(())
    })
    .await;
    app.finish().await;
}

#[tokio::test]
async fn a_calendar_link_works_while_its_creator_has_access() {
    let app = App::start().await;
    let (ada, bea) = (app.person("ada").await, app.person("bea").await);
    let (project, _) = ada.project("P, Q").await;
    let member = format!("/v1/projects/{project}/members/{}", bea.user_id);
    ada.put(&member, json!({"role": "viewer"})).await.expect(201);
    let title = format!("{}, and; so \\ on", "🦀".repeat(400));
    let task = dated(&ada, &project, &title, None, Some("2099-11-30T23:30:00Z")).await;
    ada.patch(&format!("/v1/tasks/{task}"), json!({"description": "one\r\ntwo", "priority": "high"})).await.expect(200);
    dated(&ada, &project, "long ago", None, Some("2001-11-30T23:30:00Z")).await;
    app.settle().await;
    let links = format!("/v1/projects/{project}/calendar-links");
    let link = bea.post(&links, json!({})).await.expect(201);
    let path = link["url_path"].as_str().unwrap().to_owned();
    assert_eq!(link["as"], "vtodo");

    let program = app.anonymous();
    let answer = program.get(&path).await;
    assert_eq!(answer.header("content-type"), "text/calendar; charset=utf-8");
    assert!(answer.header("cache-control").starts_with("private"));
    let etag = answer.header("etag").to_owned();
    let Value::String(text) = answer.expect(200) else { panic!("it is text") };
    assert!(text.split("\r\n").all(|line| line.len() <= 75), "{text}");
    let unfolded = text.replace("\r\n ", "");
    for line in [
        "BEGIN:VCALENDAR".to_owned(),
        "BEGIN:VTODO".to_owned(),
        format!("UID:{task}"),
        format!("SUMMARY:{}\\, and\\; so \\\\ on", "🦀".repeat(400)),
        "DESCRIPTION:one\\ntwo".to_owned(),
        "STATUS:NEEDS-ACTION".to_owned(),
        "DUE:20991130T233000Z".to_owned(),
        "PRIORITY:3".to_owned(),
    ] {
        assert!(unfolded.lines().any(|l| l == line), "{line} is not in {unfolded}");
    }
    assert!(!text.contains("long ago"));
    let again = program.request(Method::GET, &path).header("if-none-match", &etag);
    assert_eq!(program.send(again).await.status, 304);
    let Value::String(events) = program.get(&format!("{path}?as=vevent")).await.expect(200) else {
        panic!("it is text")
    };
    assert!(events.contains("BEGIN:VEVENT") && events.contains("DTSTART:20991130T233000Z"), "{events}");
    let Value::String(own) = ada.get(&format!("/v1/projects/{project}/calendar.ics")).await.expect(200) else {
        panic!("it is text")
    };
    assert_eq!(own, text);

    // Links are personal; a secret is shown once, and stored as a digest.
    let listed = bea.get(&links).await.expect(200);
    assert_eq!((&listed["items"][0]["id"], listed["items"][0].get("url_path")), (&link["id"], None));
    assert_eq!(ada.get(&links).await.expect(200)["items"], json!([]));
    let one = format!("{links}/{}", link["id"].as_str().unwrap());
    ada.delete(&one).await.problem(404, "not-found");
    for wrong in ["/v1/calendars/x.ics", path.strip_suffix(".ics").unwrap(), "/v1/calendars/.ics"] {
        program.get(wrong).await.problem(404, "not-found");
    }
    program.get(&format!("{path}?as=pdf")).await.problem(422, "validation-failed");

    for role in ["member", "viewer"] {
        ada.put(&member, json!({"role": role})).await.expect(200);
    }
    app.settle().await;
    program.get(&path).await.expect(200);
    ada.delete(&member).await.expect(200);
    app.settle().await;
    program.get(&path).await.problem(404, "not-found");
    // Access that comes back does not bring the link back.
    ada.put(&member, json!({"role": "viewer"})).await.expect(201);
    app.settle().await;
    program.get(&path).await.problem(404, "not-found");
    bea.delete(&one).await.expect(204);
    let another = bea.post(&links, json!({})).await.expect(201);
    let path = another["url_path"].as_str().unwrap();
    program.get(path).await.expect(200);
    bea.delete(&format!("{links}/{}", another["id"].as_str().unwrap())).await.expect(204);
    program.get(path).await.problem(404, "not-found");
    app.finish().await;
}
