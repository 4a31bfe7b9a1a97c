//! A check that no command is without rules.

use std::fs;
use std::path::Path;

use taskfold_domain::{ProjectCommand, TaskCommand, TeamCommand};

/// Source of the rules of a family, but for the table of all its commands.
fn rules_of(family: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules").join(family);
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.filter(|file| !file.ends_with("every.rs")).map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// Name of a command's variant: `AddColumn` for `project.add_column`.
fn variant(command: &str) -> String {
    let (_, name) = command.split_once('.').unwrap();
    name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

/// Searches the source for the construction of each variant. A test cannot see what the others ran: each runs in a
/// thread of its own, or is left out by a filter. A list that the tests are written into would be one more thing to
/// forget. What this does not see, namely a command that is sent and whose events nobody compares, the table in
/// `every.rs` of the family sees: there, each command must change something.
#[test]
fn every_command_has_rules() {
    let families = [
        ("task", "TaskCommand", TaskCommand::TABLE.iter().map(|(name, _)| *name).collect::<Vec<_>>()),
        ("project", "ProjectCommand", ProjectCommand::TABLE.iter().map(|(name, _)| *name).collect()),
        ("team", "TeamCommand", TeamCommand::TABLE.iter().map(|(name, _)| *name).collect()),
    ];
    for (family, command, names) in families {
        let rules = rules_of(family);
        let without = names.iter().filter(|name| !rules.contains(&format!("{command}::{}(", variant(name))));
        assert_eq!(without.collect::<Vec<_>>(), Vec::<&&str>::new(), "commands without rules");
    }
}
