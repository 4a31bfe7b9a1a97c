//! Privileges of the servers. Root starts them as an unprivileged user: PostgreSQL refuses to run as root, and
//! nats-server has no use for its privileges.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt as _, PermissionsExt, fchown, lchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use nix::fcntl::OFlag;
use nix::unistd::{User, geteuid};

/// Flag with which a path that ends in a link is not opened.
const NO_LINK: i32 = OFlag::O_NOFOLLOW.bits();

/// The user that the servers are started as.
#[derive(Debug, Clone)]
pub(super) enum RunAs {
    /// The program's own user, which is not root.
    Ourselves,
    /// Another user, because the program runs as root.
    Dropped { name: String, uid: u32, gid: u32 },
}

impl RunAs {
    /// Chooses the user.
    pub(super) fn decide() -> anyhow::Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self::Ourselves);
        }
        for name in ["postgres", "nobody"] {
            if let Some(user) = User::from_name(name).context("reading the user database")? {
                return Ok(Self::Dropped { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw() });
            }
        }
        anyhow::bail!(
            "The private servers do not run as root, and there is neither a user `postgres` nor `nobody` to run them as: \
             add one of them, start taskfold as an ordinary user, or set DATABASE_URL and NATS_URL"
        )
    }

    /// Runs the command as that user.
    pub(super) fn apply(&self, command: &mut Command) {
        if let Self::Dropped { uid, gid, .. } = self {
            // The standard library also drops root's supplementary groups when it changes the user.
            command.uid(*uid).gid(*gid);
        }
    }

    /// Creates `dir` if it is missing, owned by that user and private. A link in its place is refused: the user may have
    /// put it there, to be given what it points to.
    pub(super) fn private_dir(&self, dir: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
        let opened = std::fs::OpenOptions::new().read(true).custom_flags(OFlag::O_DIRECTORY.bits() | NO_LINK).open(dir);
        let opened = opened.with_context(|| format!("opening {}", dir.display()))?;
        self.close_to_others(&opened, 0o700).with_context(|| format!("closing {} to others", dir.display()))
    }

    /// Gives an open file to that user, and to nobody else.
    fn close_to_others(&self, file: &File, mode: u32) -> anyhow::Result<()> {
        if let Self::Dropped { uid, gid, .. } = self {
            fchown(file, Some(*uid), Some(*gid)).context("giving it to the server's user")?;
        }
        Ok(file.set_permissions(std::fs::Permissions::from_mode(mode))?)
    }

    /// Gives everything in `dir` to that user, as after a run in which the server had another one.
    pub(super) fn own_all_in(&self, dir: &Path) -> anyhow::Result<()> {
        let Self::Dropped { uid, gid, .. } = self else { return Ok(()) };
        for entry in std::fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))? {
            let entry = entry?;
            let path = entry.path();
            lchown(&path, Some(*uid), Some(*gid))
                .with_context(|| format!("giving {} to the server's user", path.display()))?;
            if entry.file_type()?.is_dir() {
                self.own_all_in(&path)?;
            }
        }
        Ok(())
    }

    /// Writes a private `file` of that user: a new one, which then replaces the old one. The user may have put a link in
    /// its place, and a process that is killed leaves no half of it.
    pub(super) fn private_file(&self, file: &Path, text: &str) -> anyhow::Result<()> {
        let unfinished = file.with_extension("unfinished");
        let writing = || {
            match std::fs::remove_file(&unfinished) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                Ok(()) | Err(_) => {}
            }
            let mut new = File::create_new(&unfinished)?;
            new.write_all(text.as_bytes())?;
            self.close_to_others(&new, 0o600)?;
            anyhow::Ok(std::fs::rename(&unfinished, file)?)
        };
        writing().with_context(|| format!("writing {}", file.display()))
    }

    /// Tells whether that user can traverse every existing folder of `path`, by the mode bits only: where an access
    /// list grants more than they do, another folder is used, which works as well.
    pub(super) fn can_traverse(&self, path: &Path) -> bool {
        let Self::Dropped { uid, gid, .. } = self else {
            return true;
        };
        path.ancestors()
            .filter_map(|folder| std::fs::metadata(folder).ok())
            .all(|meta| may_enter(meta.mode(), meta.uid(), meta.gid(), *uid, *gid))
    }
}

fn may_enter(mode: u32, owner: u32, group: u32, uid: u32, gid: u32) -> bool {
    if owner == uid {
        mode & 0o100 != 0
    } else if group == gid {
        mode & 0o010 != 0
    } else {
        mode & 0o001 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::may_enter;

    #[test]
    fn a_closed_home_cannot_be_entered_by_another_user() {
        assert!(!may_enter(0o700, 0, 0, 101, 104));
        assert!(may_enter(0o755, 0, 0, 101, 104));
        assert!(may_enter(0o750, 0, 104, 101, 104));
        assert!(may_enter(0o700, 101, 0, 101, 104));
        // the owner's bits win over the others', as in the kernel
        assert!(!may_enter(0o077, 101, 0, 101, 104));
    }
}
