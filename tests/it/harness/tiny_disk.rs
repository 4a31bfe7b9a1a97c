use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{Gid, Uid, chown};

use super::skipped;

/// A file system of a fixed size, which can be full. Unmounted when it is dropped.
pub struct TinyDisk {
    path: PathBuf,
}

impl TinyDisk {
    /// None without the right to mount one, which is said.
    pub fn mount(path: PathBuf, megabytes: u32) -> Option<Self> {
        std::fs::create_dir_all(&path).unwrap();
        let size = format!("size={megabytes}m,mode=0755");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&path).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self { path });
        }
        skipped("a test needs root, to mount a small disk that can be full");
        None
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Hands it to whoever owns that.
    pub fn belongs_with(&self, other: &Path) {
        use std::os::unix::fs::MetadataExt as _;
        let owner = std::fs::metadata(other).unwrap();
        chown(&self.path, Some(Uid::from_raw(owner.uid())), Some(Gid::from_raw(owner.gid()))).unwrap();
    }

    /// Leaves no byte free.
    pub fn fill(&self) {
        let mut file = std::fs::File::create(self.filler()).unwrap();
        for size in [1 << 20, 1 << 12, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
    }

    pub fn clear(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}
