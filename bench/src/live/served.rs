//! Taskfold's processes in the live measurements.

use crate::system::{Process, System};

/// Distribution of Taskfold's roles over processes.
#[derive(Clone, Copy)]
pub enum Roles {
    /// All roles in one process.
    Together,
    /// Each role in a process of its own, with this number of query-api instances.
    Apart(usize),
}

/// Taskfold's processes, by name.
pub struct Served {
    others: Vec<(String, Process)>,
    /// Processes that have listeners.
    pub(super) reads: Vec<(String, Process)>,
}

impl Served {
    pub async fn start(system: &System, roles: Roles) -> anyhow::Result<Self> {
        let Roles::Apart(instances) = roles else {
            let all = system.role("all").await?;
            return Ok(Self { others: Vec::new(), reads: vec![("taskfold".to_owned(), all)] });
        };
        let (mut others, mut reads) = (Vec::new(), Vec::new());
        for role in ["command-api", "projector"] {
            others.push((role.to_owned(), system.role(role).await?));
        }
        for _ in 0..instances {
            reads.push(system.role("query-api").await?);
        }
        Ok(Self { others, reads: numbered("query-api", reads) })
    }

    pub fn commands(&self) -> &Process {
        &self.others.first().unwrap_or(&self.reads[0]).1
    }

    pub fn reads(&self) -> impl Iterator<Item = &Process> {
        self.reads.iter().map(|(_, process)| process)
    }

    fn all(&self) -> impl Iterator<Item = &(String, Process)> {
        self.others.iter().chain(&self.reads)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all().map(|(name, _)| &**name)
    }

    pub fn pids(&self) -> impl Iterator<Item = (String, u32)> {
        self.all().map(|(name, process)| (name.clone(), process.pid()))
    }
}

/// Names for several processes of a kind; a single one has no number.
pub fn numbered<T>(name: &str, of_a_kind: impl IntoIterator<Item = T>) -> Vec<(String, T)> {
    let all: Vec<T> = of_a_kind.into_iter().collect();
    let alone = all.len() == 1;
    let name = |number| if alone { name.to_owned() } else { format!("{name}-{number}") };
    all.into_iter().zip(1..).map(|(one, number)| (name(number), one)).collect()
}
