//! Watching a project: being notified of all its tasks.

use crate::fixtures::project::*;

fn watch() -> Request {
    by(VIEWER, ProjectCommand::Watch(Empty {}))
}

fn unwatch() -> Request {
    by(VIEWER, ProjectCommand::Unwatch(Empty {}))
}

fn watched() -> ProjectEvent {
    ProjectEvent::Watched(Watched { watcher: added(Watcher { user_id: VIEWER }) })
}

#[test]
fn a_project_is_watched_only_on_request() {
    given(a_project()).when(watch()).then_expect_events(vec![watched()]);
    given(a_project()).when(unwatch()).then_expect_events(vec![]);
}

#[test]
fn a_watcher_of_a_project_may_stop() {
    given(a_project_with([watched()])).when(watch()).then_expect_events(vec![]);
    given(a_project_with([watched()]))
        .when(unwatch())
        .then_expect_events(vec![ProjectEvent::Unwatched(Unwatched { watcher: removed(Watcher { user_id: VIEWER }) })]);
}
