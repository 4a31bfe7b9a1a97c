//! Checklists and their items.

use taskfold_domain::limits::{CHECKLISTS_PER_TASK, ITEMS_PER_CHECKLIST};

use crate::fixtures::task::*;

const SECOND: ItemId = ItemId(Uuid::from_u128(26));

/// A task with a checklist of two items.
fn a_task_with_steps() -> Vec<TaskEvent> {
    a_task_with([checklist_added(checklist(vec![item(ITEM, "plan"), item(SECOND, "build")]))])
}

fn adds_list(id: Option<ChecklistId>) -> Request {
    by(MEMBER, TaskCommand::AddChecklist(AddChecklist { id, title: text("Steps") }))
}

fn renames_list(title: &str) -> Request {
    by(MEMBER, TaskCommand::RenameChecklist(RenameChecklist { checklist_id: CHECKLIST, title: text(title) }))
}

fn removes_list() -> Request {
    by(MEMBER, TaskCommand::RemoveChecklist(RemoveChecklist { checklist_id: CHECKLIST }))
}

fn add_item() -> AddItem {
    AddItem { checklist_id: CHECKLIST, id: Some(id(1)), text: text("ship"), done: false, after: None }
}

fn adds(add: AddItem) -> Request {
    by(MEMBER, TaskCommand::AddChecklistItem(add))
}

/// A change of the second item.
fn change_item() -> ChangeItem {
    ChangeItem { checklist_id: CHECKLIST, item_id: SECOND, text: None, done: None, after: None }
}

fn changes(change: ChangeItem) -> Request {
    by(MEMBER, TaskCommand::ChangeChecklistItem(change))
}

fn removes_item(item_id: ItemId) -> Request {
    by(MEMBER, TaskCommand::RemoveChecklistItem(RemoveItem { checklist_id: CHECKLIST, item_id }))
}

fn placed(item: Item, after: Option<ItemId>) -> PlacedItem {
    PlacedItem { checklist_id: CHECKLIST, item, after }
}

fn item_added(item: Item, after: Option<ItemId>) -> TaskEvent {
    TaskEvent::ChecklistItemAdded(ItemAdded { item: added(placed(item, after)) })
}

/// Change of the second item.
fn item_changed(to: Item, after: Option<ItemId>) -> TaskEvent {
    let from = placed(item(SECOND, "build"), Some(ITEM));
    TaskEvent::ChecklistItemChanged(ItemChanged { item: Delta::new(from, placed(to, after)) })
}

/// Ids of the items in their order, after one more command.
fn order_after(request: Request) -> Vec<ItemId> {
    let events = given(a_task_with_steps()).when(request).inspect_result().unwrap();
    let task: Task = folded(&[a_task_with_steps(), events].concat());
    task.fields().unwrap().checklists[0].items.iter().map(|item| item.id).collect()
}

#[test]
fn a_new_checklist_is_empty() {
    given(a_task()).when(adds_list(Some(CHECKLIST))).then_expect_events(vec![checklist_added(checklist(vec![]))]);
}

#[test]
fn a_checklist_without_an_id_gets_the_one_that_came_with_the_command() {
    let fresh = Checklist { id: ChecklistId(FRESH), ..checklist(vec![]) };
    given(a_task()).when(adds_list(None)).then_expect_events(vec![checklist_added(fresh)]);
}

#[test]
fn two_checklists_of_a_task_cannot_have_the_same_id() {
    given(a_task_with_steps()).when(adds_list(Some(CHECKLIST))).then_expect_error(Refusal::AlreadyExists);
}

#[test]
fn a_task_has_a_maximum_of_checklists() {
    let many = (0..CHECKLISTS_PER_TASK).map(|n| checklist_added(Checklist { id: id(n as u128), ..checklist(vec![]) }));
    given(a_task_with(many))
        .when(adds_list(None))
        .then_expect_error(Refusal::invalid("/title", "a task has at most 50 checklists"));
}

#[test]
fn a_checklist_is_renamed_without_its_items() {
    let titled = |title: &str| ChecklistTitle { id: CHECKLIST, title: title.to_owned() };
    let renamed = ChecklistRenamed { checklist: Delta::new(titled("Steps"), titled("Plan")) };
    given(a_task_with_steps())
        .when(renames_list("Plan"))
        .then_expect_events(vec![TaskEvent::ChecklistRenamed(renamed)]);
    given(a_task_with_steps()).when(renames_list("Steps")).then_expect_events(vec![]);
}

#[test]
fn a_removed_checklist_names_its_items() {
    let list = checklist(vec![item(ITEM, "plan"), item(SECOND, "build")]);
    given(a_task_with_steps())
        .when(removes_list())
        .then_expect_events(vec![TaskEvent::ChecklistRemoved(ChecklistRemoved { checklist: removed(list) })]);
}

#[test]
fn a_checklist_that_is_not_there_is_not_found() {
    for request in [renames_list("Plan"), removes_list(), adds(add_item()), changes(change_item()), removes_item(ITEM)]
    {
        given(a_task()).when(request).then_expect_error(Refusal::NotFound);
    }
}

#[test]
fn a_new_item_is_the_last_one_unless_it_says_after_which_it_comes() {
    let cases = [
        (None, Some(SECOND), [ITEM, SECOND, id(1)]),
        (Some(None), None, [id(1), ITEM, SECOND]),
        (Some(Some(ITEM)), Some(ITEM), [ITEM, id(1), SECOND]),
    ];
    for (asked, after, order) in cases {
        let request = || adds(AddItem { after: asked, ..add_item() });
        given(a_task_with_steps()).when(request()).then_expect_events(vec![item_added(item(id(1), "ship"), after)]);
        assert_eq!(order_after(request()), order);
    }
}

#[test]
fn a_new_item_may_be_done_already_and_gets_an_id_when_it_brings_none() {
    let done = Item { done: true, ..item(ItemId(FRESH), "ship") };
    given(a_task_with([checklist_added(checklist(vec![]))]))
        .when(adds(AddItem { id: None, done: true, ..add_item() }))
        .then_expect_events(vec![item_added(done, None)]);
}

#[test]
fn two_items_of_a_task_cannot_have_the_same_id_even_in_different_checklists() {
    let other = checklist_added(Checklist { id: id(9), ..checklist(vec![]) });
    let mut task = a_task_with_steps();
    task.push(other);
    for checklist_id in [CHECKLIST, id(9)] {
        given(task.clone())
            .when(adds(AddItem { checklist_id, id: Some(ITEM), ..add_item() }))
            .then_expect_error(Refusal::AlreadyExists);
    }
}

#[test]
fn a_checklist_has_a_maximum_of_items() {
    let items = (0..ITEMS_PER_CHECKLIST).map(|n| item(id(100 + n as u128), "one")).collect();
    given(a_task_with([checklist_added(checklist(items))]))
        .when(adds(add_item()))
        .then_expect_error(Refusal::invalid("/text", "a checklist has at most 500 items"));
}

#[test]
fn an_item_cannot_come_after_itself_or_one_of_another_checklist() {
    let refused = || Refusal::invalid("/after", "not another item of the checklist");
    for after in [id(1), id(2)] {
        let add = AddItem { after: Some(Some(after)), ..add_item() };
        given(a_task_with_steps()).when(adds(add)).then_expect_error(refused());
    }
    for after in [SECOND, id(2)] {
        let change = ChangeItem { after: Some(Some(after)), ..change_item() };
        given(a_task_with_steps()).when(changes(change)).then_expect_error(refused());
    }
}

#[test]
fn an_item_is_changed_moved_and_checked_off() {
    let unchanged = || item(SECOND, "build");
    let cases = [
        (ChangeItem { text: Some(text("make")), ..change_item() }, item(SECOND, "make"), Some(ITEM)),
        (ChangeItem { done: Some(true), ..change_item() }, Item { done: true, ..unchanged() }, Some(ITEM)),
        (ChangeItem { after: Some(None), ..change_item() }, unchanged(), None),
    ];
    for (change, to, after) in cases {
        given(a_task_with_steps()).when(changes(change)).then_expect_events(vec![item_changed(to, after)]);
    }
    assert_eq!(order_after(changes(ChangeItem { after: Some(None), ..change_item() })), [SECOND, ITEM]);
    let first_behind = ChangeItem { item_id: ITEM, after: Some(Some(SECOND)), ..change_item() };
    assert_eq!(order_after(changes(first_behind)), [SECOND, ITEM]);
}

#[test]
fn an_item_that_is_changed_to_what_it_is_stays_as_it_is() {
    let same = ChangeItem { text: Some(text("build")), done: Some(false), after: Some(Some(ITEM)), ..change_item() };
    for change in [same, change_item()] {
        given(a_task_with_steps()).when(changes(change)).then_expect_events(vec![]);
    }
}

#[test]
fn a_removed_item_names_its_place() {
    let removed_item = ItemRemoved { item: removed(placed(item(SECOND, "build"), Some(ITEM))) };
    given(a_task_with_steps())
        .when(removes_item(SECOND))
        .then_expect_events(vec![TaskEvent::ChecklistItemRemoved(removed_item)]);
}

#[test]
fn an_item_that_is_not_there_is_not_found() {
    let change = ChangeItem { item_id: id(1), ..change_item() };
    for request in [changes(change), removes_item(id(1))] {
        given(a_task_with_steps()).when(request).then_expect_error(Refusal::NotFound);
    }
}
