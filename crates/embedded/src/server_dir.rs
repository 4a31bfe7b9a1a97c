//! Folder in which a server has its data.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::privileges::RunAs;

/// Folder below which `server` has its data: the data dir, unless the server's user cannot enter it the first time. The
/// choice is recorded, so that a later change of permissions does not lose the data.
pub(super) fn server_dir(data_dir: &Path, run_as: &RunAs, server: &str) -> anyhow::Result<PathBuf> {
    let note = data_dir.join(format!("{server}.place"));
    if let Ok(recorded) = std::fs::read_to_string(&note) {
        return Ok(PathBuf::from(recorded.trim()));
    }
    let RunAs::Dropped { name, .. } = run_as else { return Ok(data_dir.to_owned()) };
    if run_as.can_traverse(data_dir) {
        return Ok(data_dir.to_owned());
    }
    let dir = Path::new("/var/lib/taskfold").join(short_name(data_dir));
    std::fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
    tracing::info!(user = %name, server, data_dir = %data_dir.display(), dir = %dir.display(),
        "the server's user cannot enter the data dir, its data is in another folder");
    std::fs::write(note, dir.display().to_string()).context("recording the folder of a server's data")?;
    Ok(dir)
}

/// Short name derived from a path (FNV-1a, because it only needs to differ between a few folders).
pub(super) fn short_name(path: &Path) -> String {
    let hash = path
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}
