//! Imports of whole boards into aggregates without a log.

/// Aggregates that an import is applied to.
mod simulation;

use serde_json::{Value, json};
use taskfold_domain::task::{Situation, Status};

use self::simulation::{IDS, ME, Simulation, at};
use crate::command::ImportCommand;
use crate::skipped::Skipped;

/// An action a minute after the one before.
fn action(minute: u32, kind: &str, data: Value) -> Value {
    json!({"id": format!("a{minute:03}"), "date": format!("2020-01-01T10:{minute:02}:00.000Z"), "type": kind,
           "idMemberCreator": "ada", "data": data})
}

/// A small board written by hand, in the shape of Trello's: two lists, two cards, newest action first.
fn board() -> Value {
    let mut actions = vec![
        action(0, "createBoard", json!({})),
        action(1, "createList", json!({"list": {"id": "todo", "name": "Ideas"}})),
        action(2, "createList", json!({"list": {"id": "done", "name": "Done"}})),
        action(3, "createCard", json!({"card": {"id": "c1", "name": "Old name"}, "list": {"id": "todo"}})),
        action(4, "updateCard", json!({"card": {"id": "c1", "name": "Paint"}, "old": {"name": "Old name"}})),
        action(5, "addMemberToCard", json!({"card": {"id": "c1"}, "idMember": "ben"})),
        action(6, "addChecklistToCard", json!({"card": {"id": "c1"}, "checklist": {"id": "k", "name": "Steps"}})),
        action(
            7,
            "updateCheckItemStateOnCard",
            json!({"card": {"id": "c1"}, "checkItem": {"id": "i2", "state": "complete"}}),
        ),
        action(8, "commentCard", json!({"card": {"id": "c1"}, "text": "second thought"})),
        action(
            9,
            "updateComment",
            json!({"card": {"id": "c1"}, "action": {"id": "a008", "text": "second thought"},
                                         "old": {"text": "first thought"}}),
        ),
        action(
            10,
            "updateCard",
            json!({"card": {"id": "c1", "idList": "done"}, "old": {"idList": "todo"},
                                        "listBefore": {"id": "todo"}, "listAfter": {"id": "done"}}),
        ),
        action(11, "updateList", json!({"list": {"id": "todo", "name": "To do"}, "old": {"name": "Ideas"}})),
        action(12, "updateCard", json!({"card": {"id": "c2", "closed": true}, "old": {"closed": false}})),
        action(13, "voteOnCard", json!({"card": {"id": "c2"}})),
        action(14, "updateCard", json!({"card": {"id": "gone", "name": "x"}, "old": {"name": "y"}})),
    ];
    actions.reverse();
    json!({
        "id": "5e0c7d000000000000000000", "name": "House", "desc": "", "closed": false,
        "lists": [{"id": "done", "name": "Done", "pos": 2, "closed": false},
                  {"id": "todo", "name": "To do", "pos": 1, "closed": false}],
        "labels": [{"id": "red", "name": "", "color": "red"}, {"id": "none", "name": "plain", "color": null}],
        "members": [{"id": "ada", "username": "ada-lark", "fullName": "Ada Lark"}],
        "cards": [
            {"id": "c1", "idList": "done", "pos": 65535, "name": "Paint", "desc": "blue", "closed": false,
             "due": "2020-02-01T12:00:00.000Z", "idLabels": ["red"], "idMembers": ["ben"], "badges": {"comments": 1}},
            {"id": "c2", "idList": "todo", "pos": 65535, "name": "Sweep", "closed": true, "idLabels": [],
             "labels": [{"color": "green", "name": ""}]}
        ],
        "checklists": [{"id": "k", "idCard": "c1", "name": "Steps", "checkItems": [
            {"id": "i2", "name": "paint", "state": "complete", "pos": 2},
            {"id": "i1", "name": "buy", "state": "incomplete", "pos": 1}]}],
        "actions": actions,
    })
}

fn reasons(skipped: &Skipped) -> Vec<String> {
    skipped.list().iter().map(|s| format!("{} {}: {}", s.count, s.kind, s.reason)).collect()
}

#[test]
fn history_is_replayed_in_its_order_and_the_end_is_the_snapshot() {
    let mut simulation = Simulation::default();
    let skipped = simulation.import(&board());
    simulation.assert_equals(&board());
    assert_eq!(reasons(&simulation.refused), Vec::<String>::new());
    let by_ada: Vec<&str> =
        simulation.history.iter().filter(|h| h.1 == IDS.person("ada")).map(|h| h.2.as_str()).collect();
    assert_eq!(
        by_ada,
        [
            "project.column_added",
            "task.created",
            "task.renamed",
            "task.assigned",
            "task.checklist_added",
            "task.checklist_item_added",
            "task.checklist_item_added",
            "task.checklist_item_changed",
            "task.commented",
            "task.comment_edited",
            "task.moved",
            "task.completed",
            "project.column_renamed",
            "task.archived",
        ]
    );
    assert!(simulation.history.is_sorted_by_key(|h| h.0), "in the order of time, with nothing corrected in between");
    assert_eq!(simulation.card("c1").fields.status, Status::Completed);
    assert_eq!(
        simulation.history.iter().filter(|h| h.0 >= at(2_000_000_000)).count(),
        0,
        "nothing had to be corrected"
    );
    let reasons = reasons(&skipped);
    assert!(reasons.contains(&"1 voteOnCard: votes have no counterpart".to_owned()), "{reasons:?}");
    let gone = "1 updateCard: its card is not in the export, nor is its creation";
    assert!(reasons.contains(&gone.to_owned()), "{reasons:?}");
    assert!(reasons.iter().any(|r| r.starts_with("1 card: its creation is not")), "{reasons:?}");
}

#[test]
fn importing_again_changes_nothing_and_keeps_edits_made_here() {
    let mut simulation = Simulation::default();
    simulation.import(&board());
    let events = simulation.history.len();
    simulation.import(&board());
    assert_eq!(simulation.history.len(), events);

    let id = IDS.task("c1");
    let rename = serde_json::from_value(json!({"type": "task.edit", "data": {"title": "Mine", "description": "mine"}}));
    let command = rename.unwrap_or_else(|e| panic!("{e}"));
    simulation.apply(&ImportCommand::Task { id, command, rank: None }, ME, at(1_900_000_000));
    let mut newer = board();
    newer["cards"][0]["desc"] = json!("green");
    newer["cards"][0]["pos"] = json!(1);
    newer["labels"][0]["name"] = json!("urgent");
    simulation.import(&newer);
    assert_eq!(simulation.card("c1").fields.title, "Mine", "the source has not touched the name since");
    assert_eq!(simulation.card("c1").fields.description, "green");
    assert_eq!(simulation.board().fields.labels[0].name, "urgent");
}

#[test]
fn a_newer_export_whose_older_actions_are_cut_off_adds_only_what_is_new() {
    let mut simulation = Simulation::default();
    simulation.import(&board());
    let events = simulation.history.len();
    let mut newer = board();
    let new = [
        action(21, "createCard", json!({"card": {"id": "c3", "name": "Mow"}, "list": {"id": "todo"}})),
        action(20, "updateCard", json!({"card": {"id": "c2", "closed": false}, "old": {"closed": true}})),
    ];
    newer["actions"] = json!([new[0], new[1], board()["actions"][0], board()["actions"][1]]);
    newer["cards"][1]["closed"] = json!(false);
    if let Some(cards) = newer["cards"].as_array_mut() {
        cards.push(json!({"id": "c3", "idList": "todo", "pos": 70_000, "name": "Mow"}));
    }
    simulation.import(&newer);
    assert_eq!(
        simulation.history[events..].iter().map(|h| h.2.as_str()).collect::<Vec<_>>(),
        ["task.unarchived", "task.created"]
    );
    assert_eq!(simulation.card("c1").comments.len(), 1, "a comment cut off is no comment deleted");
}

#[test]
fn cards_and_lists_missing_from_a_newer_export_are_removed() {
    let mut simulation = Simulation::default();
    simulation.import(&board());
    let mut newer = board();
    let mut actions = vec![action(30, "deleteCard", json!({"card": {"id": "c1"}, "list": {"id": "done"}}))];
    actions.extend(board()["actions"].as_array().cloned().unwrap_or_default());
    newer["actions"] = json!(actions);
    newer["cards"] = json!([board()["cards"][1]]);
    newer["lists"] = json!([board()["lists"][1]]);
    simulation.import(&newer);
    assert!(matches!(simulation.tasks[&IDS.task("c1")].situation, Situation::Deleted { .. }));
    assert_eq!(simulation.board().fields.columns.len(), 1);
}

#[test]
fn more_lists_than_columns_share_one() {
    let mut document = board();
    let lists: Vec<Value> = (0..70).map(|i| json!({"id": format!("l{i}"), "name": "L", "pos": i})).collect();
    let cards: Vec<Value> =
        (0..70).map(|i| json!({"id": format!("c{i}"), "idList": format!("l{i}"), "pos": 1})).collect();
    document["lists"] = json!(lists);
    document["cards"] = json!(cards);
    document["actions"] = json!([]);
    let mut simulation = Simulation::default();
    let skipped = simulation.import(&document);
    assert_eq!(simulation.board().fields.columns.len(), 50);
    assert_eq!(simulation.tasks.len(), 70);
    assert!(reasons(&skipped).iter().any(|r| r.starts_with("21 list: a project has at most")));
    assert_eq!(reasons(&simulation.refused), Vec::<String>::new());
}

#[test]
fn any_board_of_a_folder_ends_as_its_snapshot() {
    // For whole exports kept outside of the repository.
    let Ok(folder) = std::env::var("TASKFOLD_TRELLO_BOARDS") else { return };
    for file in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let bytes = std::fs::read(file.path()).unwrap_or_default();
        let document = crate::trello::parse::document(&bytes).unwrap_or_default();
        let mut simulation = Simulation::default();
        let skipped = simulation.import(&document);
        let corrected: Vec<_> = simulation.history.iter().filter(|h| h.0 >= at(2_000_000_000)).map(|h| &h.2).collect();
        println!("{:?}: {} events, corrected {corrected:?}", file.file_name(), simulation.history.len());
        println!("  {:#?}\n  {:#?}", reasons(&skipped), reasons(&simulation.refused));
        simulation.assert_equals(&document);
        let events = simulation.history.len();
        simulation.import(&document);
        assert_eq!(simulation.history.len(), events);
    }
}
