//! The data dir: used by one program at a time, in which other programs find the addresses of its servers.

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// Content of `run.json`: the servers of the running program.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Running {
    pub pid: u32,
    pub database_url: Option<String>,
    /// With the password of the program.
    pub nats_url: Option<String>,
}

/// A locked data dir. The lock ends when this is dropped, or with the process.
pub(super) struct DataDir {
    pub(super) path: PathBuf,
    _lock: File,
}

impl DataDir {
    pub(super) fn take(path: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(path).with_context(|| format!("creating the data dir {}", path.display()))?;
        close_to_others(path).context("closing the data dir to others")?;
        // Absolute and without links, because it appears in settings, command lines and the name of a socket.
        let path = path.canonicalize().with_context(|| format!("looking up {}", path.display()))?;
        let lock = open_lock(&path)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                let by = read(&path).map(|running| format!(" (process {})", running.pid)).unwrap_or_default();
                anyhow::bail!(
                    "another taskfold{by} is using the data dir {}: stop it, or choose another one with --data-dir",
                    path.display()
                )
            }
            Err(TryLockError::Error(error)) => Err(error).context("locking the data dir"),
        }
    }

    /// Through a second file and a rename: a reader never sees half of it.
    pub(super) fn announce(&self, running: &Running) -> anyhow::Result<()> {
        let unfinished = self.path.join("run.json.unfinished");
        // Private, because of the password of NATS.
        let mut file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&unfinished)?;
        file.write_all(&serde_json::to_vec_pretty(running)?).context("writing run.json")?;
        std::fs::rename(&unfinished, self.path.join("run.json")).context("writing run.json")
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.path.join("run.json"));
    }
}

/// Returns the servers of the program that is running on this data dir, if there is one.
pub fn attach(data_dir: &Path) -> Option<Running> {
    let lock = File::open(data_dir.join("lock")).ok()?;
    // Shared, so that two callers do not mistake each other for a running program.
    match lock.try_lock_shared() {
        Err(TryLockError::WouldBlock) => read(data_dir),
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

/// Removes the rights of other users from the data dir and what is in it, which an earlier version or an operator may
/// have created with more. PostgreSQL's own folder has a private mode always.
fn close_to_others(path: &Path) -> anyhow::Result<()> {
    // Under root, PostgreSQL's user must be able to traverse it to its own private folder.
    restrict(path, if nix::unistd::geteuid().is_root() { 0o711 } else { 0o700 })?;
    for folder in ["nats", "attachments"] {
        restrict(&path.join(folder), 0o700)?;
    }
    for file in ["lock", "run.json", "run.json.unfinished"] {
        restrict(&path.join(file), 0o600)?;
    }
    Ok(())
}

/// Removes all rights beyond `allowed` from a file or folder, if it exists.
fn restrict(path: &Path, allowed: u32) -> anyhow::Result<()> {
    let mode = match std::fs::metadata(path) {
        Ok(meta) => meta.permissions().mode() & 0o7777,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("looking up {}", path.display())),
    };
    if mode & !allowed == 0 {
        return Ok(());
    }
    let restricted = std::fs::Permissions::from_mode(mode & allowed);
    match std::fs::set_permissions(path, restricted) {
        Ok(()) => {
            tracing::info!(path = %path.display(), mode = format!("{:o}", mode & allowed), "closed to other users")
        }
        // Only its owner may; it stays usable.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            tracing::warn!(path = %path.display(), mode = format!("{mode:o}"), "other users can read this, and its owner is another user");
        }
        Err(error) => return Err(error).with_context(|| format!("closing {}", path.display())),
    }
    Ok(())
}

fn open_lock(path: &Path) -> anyhow::Result<File> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path.join("lock"))
        .with_context(|| format!("opening the lock of the data dir {}", path.display()))
}

fn read(data_dir: &Path) -> Option<Running> {
    serde_json::from_slice(&std::fs::read(data_dir.join("run.json")).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_program_owns_a_data_folder_and_others_find_it() -> anyhow::Result<()> {
        let path = std::env::temp_dir().join(format!("taskfold-data-dir-{}", std::process::id()));
        let held = DataDir::take(&path)?;
        held.announce(&Running { pid: 1, database_url: Some("postgres://x".into()), nats_url: None })?;
        assert!(DataDir::take(&path).is_err());
        assert_eq!(attach(&path).and_then(|running| running.database_url).as_deref(), Some("postgres://x"));
        drop(held);
        assert!(attach(&path).is_none());
        drop(DataDir::take(&path)?);
        std::fs::remove_dir_all(&path)?;
        Ok(())
    }

    #[test]
    fn an_open_data_folder_is_closed_to_other_users() -> anyhow::Result<()> {
        let path = std::env::temp_dir().join(format!("taskfold-open-dir-{}", std::process::id()));
        let mode = |name: &str| anyhow::Ok(std::fs::metadata(path.join(name))?.permissions().mode() & 0o777);
        for folder in ["", "attachments", "nats"] {
            std::fs::create_dir_all(path.join(folder))?;
            std::fs::set_permissions(path.join(folder), std::fs::Permissions::from_mode(0o777))?;
        }
        for file in ["lock", "run.json"] {
            std::fs::write(path.join(file), "")?;
            std::fs::set_permissions(path.join(file), std::fs::Permissions::from_mode(0o666))?;
        }
        let held = DataDir::take(&path)?;
        held.announce(&Running { pid: 1, database_url: None, nats_url: None })?;
        assert_eq!(mode("")?, if nix::unistd::geteuid().is_root() { 0o711 } else { 0o700 });
        assert_eq!((mode("attachments")?, mode("nats")?), (0o700, 0o700));
        assert_eq!((mode("lock")?, mode("run.json")?), (0o600, 0o600));
        drop(held);
        std::fs::remove_dir_all(&path)?;
        Ok(())
    }
}
