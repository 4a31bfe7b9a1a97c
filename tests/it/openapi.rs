//! The committed OpenAPI and AsyncAPI documents match the code.

/// `taskfold openapi` writes the files; a change of the API changes them, which a review sees.
#[test]
fn the_committed_documents_are_current() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi");
    taskfold::roles::openapi::run(true, &dir).expect("run `cargo run -- openapi` and commit what it writes");
}

#[test]
fn every_operation_has_a_unique_id() {
    let mut ids = std::collections::HashSet::new();
    for document in [taskfold_command_api::document(), taskfold_query_api::document()] {
        let document = serde_json::to_value(document).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no id"));
                assert!(ids.insert(id.to_owned()), "{id} twice");
            }
        }
    }
    assert!(ids.len() > 50);
}

#[test]
fn every_event_type_is_in_the_asyncapi_document() {
    let document = include_str!("../../openapi/asyncapi.yaml");
    use taskfold_domain::{ProjectEvent, TaskEvent, TeamEvent};
    for event_type in TaskEvent::TYPES.iter().chain(ProjectEvent::TYPES).chain(TeamEvent::TYPES) {
        let line = format!("- taskfold.{event_type}.v1\n");
        assert!(document.contains(&line), "{event_type} is not in openapi/asyncapi.yaml");
    }
}
