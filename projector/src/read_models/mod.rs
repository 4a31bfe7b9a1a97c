//! Read models. Each is a folder: rows, the keys that an event needs, the fold, and tests of given events and their
//! rows.

/// Files on tasks.
pub mod attachments;
/// Events that are delivered on the channels of people and teams.
pub mod channel_events;
/// Comments on tasks, and the reactions to them.
pub mod comments;
/// Intervals by position in which somebody has a role.
mod intervals;
/// Notifications of people.
pub mod notifications;
/// Members of projects, present and past.
pub mod project_members;
/// Teams with a role in a project, present and past.
pub mod project_teams;
/// Projects.
pub mod projects;
/// Tasks.
pub mod tasks;
/// Members of teams, present and past.
pub mod team_members;
/// Teams.
pub mod teams;

pub use attachments::AttachmentRow;
pub use channel_events::ChannelEventRow;
pub use comments::CommentRow;
pub use notifications::{NotificationRow, WatcherHistory};
pub use project_members::{MemberRow, PastMemberRow};
pub use project_teams::{PastProjectTeamRow, ProjectTeamRow};
pub use projects::ProjectRow;
pub use tasks::TaskRow;
pub use team_members::{PastTeamMemberRow, TeamMemberRow};
pub use teams::TeamRow;

#[cfg(test)]
mod tests {
    use taskfold_domain::Event;

    /// An event that no read model is tested with is one whose rows nobody looked at.
    #[test]
    fn every_event_is_in_a_test_of_a_read_model() {
        let tests = [
            include_str!("../testing.rs"),
            include_str!("attachments/tests.rs"),
            include_str!("channel_events/tests.rs"),
            include_str!("comments/tests.rs"),
            include_str!("notifications/tests.rs"),
            include_str!("project_members/tests.rs"),
            include_str!("project_teams/tests.rs"),
            include_str!("projects/tests.rs"),
            include_str!("tasks/tests.rs"),
            include_str!("team_members/tests.rs"),
            include_str!("teams/tests.rs"),
        ];
        for name in Event::types() {
            let quoted = format!("\"{name}\"");
            assert!(tests.iter().any(|text| text.contains(&quoted)), "no test of a read model has {name}");
        }
    }
}
