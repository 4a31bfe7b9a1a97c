//! A small file system that can be filled or made read-only.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::unistd::{Gid, Uid, chown};

use super::{eventually, skipped};

/// A mounted file system, unmounted when it is dropped.
pub struct Disk(PathBuf);

impl Disk {
    /// Mounts a file system; `None` without the right to mount.
    pub fn mount(folder: &Path, mebibytes: u32) -> Option<Self> {
        std::fs::create_dir_all(folder).unwrap();
        let size = format!("size={mebibytes}m,mode=755");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder).status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(folder.to_owned()))
    }

    /// Mounts a file system for a test that requires one; prints a message if it cannot.
    pub fn needed(folder: &Path, mebibytes: u32) -> Option<Self> {
        let mounted = Self::mount(folder, mebibytes);
        if mounted.is_none() {
            skipped("a test needs root, to mount a small disk that can be full");
        }
        mounted
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Gives it the owner of the other path.
    pub fn belongs_with(&self, other: &Path) {
        let owner = std::fs::metadata(other).unwrap();
        chown(&self.0, Some(Uid::from_raw(owner.uid())), Some(Gid::from_raw(owner.gid()))).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Fills the disk to its last byte.
    pub fn fill(&self) {
        let mut file = File::create(self.ballast()).unwrap();
        for size in [1 << 20, 1 << 12, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    pub fn clear(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }

    pub async fn full(&self, time: Duration) {
        self.fill();
        tokio::time::sleep(time).await;
        self.clear();
    }

    /// Sets the mode after pending writes have finished.
    pub async fn set_read_only(&self, read_only: bool) {
        let options = if read_only { "remount,ro" } else { "remount,rw" };
        eventually("it is mounted again", || async {
            let mounted = Command::new("mount").args(["-o", options]).arg(&self.0).stderr(Stdio::null()).status();
            mounted.is_ok_and(|status| status.success()).then_some(())
        })
        .await;
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Detached immediately for new users, and for current ones when they close it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
