//! Tasks as an iCalendar (RFC 5545).

use chrono::{DateTime, Utc};
use icalendar::{Calendar, Component, Event, EventLike, EventStatus, Property, Todo, TodoStatus};
use serde::{Deserialize, Serialize};
use taskfold_domain::limits::CALENDAR_DESCRIPTION_CHARS;
use taskfold_domain::task::Priority;
use taskfold_domain::task::Status;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::text_enum::TextEnum;

/// The component that represents a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShownAs {
    /// A to-do, with a status and a due time.
    #[default]
    Vtodo,
    /// An event, for programs without to-dos.
    Vevent,
}

impl ShownAs {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vtodo => "vtodo",
            Self::Vevent => "vevent",
        }
    }
}

/// Fields of a task that the calendar contains.
pub struct Entry {
    pub task_id: Uuid,
    pub title: String,
    pub description: String,
    pub status: TextEnum<Status>,
    pub priority: TextEnum<Priority>,
    pub progress: Option<i32>,
    pub labels: Vec<String>,
    pub start_at: Option<DateTime<Utc>>,
    pub due_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub version: i64,
}

/// Renders a calendar (RFC 5545).
pub fn calendar(name: &str, entries: Vec<Entry>, shown_as: ShownAs) -> String {
    let mut calendar = Calendar::empty();
    for (key, value) in [("VERSION", "2.0"), ("PRODID", "-//Taskfold//Taskfold//EN"), ("CALSCALE", "GREGORIAN")] {
        calendar.append_property(Property::new(key, value));
    }
    calendar.name(&normalized(name));
    for entry in entries {
        match shown_as {
            ShownAs::Vtodo => calendar.push(entry.todo()),
            ShownAs::Vevent => calendar.push(entry.event()),
        };
    }
    calendar.to_string()
}

impl Entry {
    fn todo(&self) -> Todo {
        let mut todo = Todo::new();
        self.set_common(&mut todo);
        todo.status(match self.status.0 {
            Status::Todo => TodoStatus::NeedsAction,
            Status::Running | Status::Paused => TodoStatus::InProcess,
            Status::Completed => TodoStatus::Completed,
            Status::Cancelled | Status::Failed => TodoStatus::Cancelled,
        });
        // DUE must be later than DTSTART (3.8.2.3).
        if let Some(start) = self.start_at.filter(|start| self.due_at.is_none_or(|due| *start < due)) {
            todo.append_property(time("DTSTART", start));
        }
        if let Some(due) = self.due_at {
            todo.append_property(time("DUE", due));
        }
        if let Some(percent) = self.progress.and_then(|percent| u8::try_from(percent).ok()) {
            todo.percent_complete(percent);
        }
        todo.done()
    }

    fn event(&self) -> Event {
        let mut event = Event::new();
        self.set_common(&mut event);
        event.status(match self.status.0 {
            Status::Todo | Status::Running | Status::Paused | Status::Completed => EventStatus::Confirmed,
            Status::Cancelled | Status::Failed => EventStatus::Cancelled,
        });
        if let Some(start) = self.start_at.or(self.due_at) {
            event.append_property(time("DTSTART", start));
            // DTEND must be later than DTSTART (3.8.2.2). An event without it takes no time.
            if let Some(due) = self.due_at.filter(|due| start < *due) {
                event.append_property(time("DTEND", due));
            }
        }
        // A task does not make its user busy.
        event.append_property(Property::new("TRANSP", "TRANSPARENT"));
        event.done()
    }

    fn set_common(&self, component: &mut impl EventLike) {
        component
            .uid(&self.task_id.to_string())
            .summary(&normalized(&self.title))
            // The time of the last change, and not of the response: the same task has the same bytes.
            .append_property(time("DTSTAMP", self.updated_at))
            .append_property(time("CREATED", self.created_at))
            .append_property(time("LAST-MODIFIED", self.updated_at))
            .append_property(Property::new("SEQUENCE", self.version.to_string()));
        if !self.description.is_empty() {
            let mut text: String = self.description.chars().take(CALENDAR_DESCRIPTION_CHARS).collect();
            if text.len() < self.description.len() {
                text.push('…');
            }
            component.description(&normalized(&text));
        }
        let priority = match self.priority.0 {
            Priority::None => None,
            Priority::Low => Some("9"),
            Priority::Medium => Some("5"),
            Priority::High => Some("3"),
            Priority::Urgent => Some("1"),
        };
        if let Some(priority) = priority {
            component.append_property(Property::new("PRIORITY", priority));
        }
        let labels: Vec<String> =
            self.labels.iter().filter(|name| !name.is_empty()).map(|name| normalized(name)).collect();
        if !labels.is_empty() {
            component.categories(labels);
        }
    }
}

fn time(key: &str, at: DateTime<Utc>) -> Property {
    Property::new(key, at.format("%Y%m%dT%H%M%SZ").to_string())
}

/// Normalizes line breaks, and removes control characters other than tabs and line breaks, which TEXT does not allow
/// (3.3.11).
fn normalized(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| if c == '\r' { '\n' } else { c })
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(title: &str, description: &str) -> Entry {
        let at = |text: &str| DateTime::parse_from_rfc3339(text).expect("a time").to_utc();
        Entry {
            task_id: Uuid::from_u128(7),
            title: title.to_owned(),
            description: description.to_owned(),
            status: TextEnum(Status::Running),
            priority: TextEnum(Priority::Urgent),
            progress: Some(40),
            labels: vec!["a,b".to_owned(), String::new(), "c;d".to_owned()],
            start_at: Some(at("2026-11-23T09:30:00Z")),
            due_at: Some(at("2026-11-24T09:30:00Z")),
            created_at: at("2026-11-20T00:00:00Z"),
            updated_at: at("2026-11-21T00:00:00Z"),
            version: 7,
        }
    }

    #[test]
    fn lines_are_folded_at_75_bytes_and_never_within_a_character() {
        for title in
            ["🦀".repeat(2000), "x".repeat(2000), "a b, c; d\\ 🦀".repeat(200), " ".repeat(2000), "é  ".repeat(700)]
        {
            let text = calendar("P", vec![entry(&title, &title)], ShownAs::Vtodo);
            let mut unfolded = String::new();
            for line in text.split_inclusive("\r\n") {
                assert!(line.len() <= 77, "{line}");
                let line = line.strip_suffix("\r\n").expect("every line ends with CRLF");
                match line.strip_prefix(' ') {
                    Some(more) => unfolded.push_str(more),
                    None => {
                        unfolded.push('\n');
                        unfolded.push_str(line);
                    }
                }
            }
            let summary = unfolded.lines().find_map(|line| line.strip_prefix("SUMMARY:")).expect("a summary");
            let escaped = title.replace('\\', "\\\\").replace(',', "\\,").replace(';', "\\;");
            assert_eq!(summary, escaped);
        }
    }

    #[test]
    fn properties_of_a_task_are_those_of_the_rfc() {
        let text = calendar("P, Q", vec![entry("One, two; three\\", "1\r\n2\u{7}")], ShownAs::Vtodo);
        for line in [
            "BEGIN:VTODO",
            "UID:00000000-0000-0000-0000-000000000007",
            "SUMMARY:One\\, two\\; three\\\\",
            "DESCRIPTION:1\\n2",
            "STATUS:IN-PROCESS",
            "DTSTART:20261123T093000Z",
            "DUE:20261124T093000Z",
            "PERCENT-COMPLETE:40",
            "PRIORITY:1",
            "SEQUENCE:7",
            "LAST-MODIFIED:20261121T000000Z",
            "CATEGORIES:a\\,b,c\\;d",
        ] {
            assert!(text.contains(&format!("\r\n{line}\r\n")), "{line} is not in {text}");
        }
        assert!(!text.contains("URL"));
        let text = calendar("P", vec![entry("T", "")], ShownAs::Vevent);
        assert!(text.contains("\r\nDTEND:20261124T093000Z\r\n") && text.contains("STATUS:CONFIRMED"), "{text}");
    }
}
