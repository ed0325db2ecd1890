//! The data of a new PostgreSQL server, made once and then copied.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

use crate::account::Account;

/// The folder of the data within the folder of a server.
pub(crate) const DATA: &str = "data";
/// The account of the database.
pub(crate) const USER: &str = "crowdlink";
/// Its name.
pub(crate) const DATABASE: &str = "crowdlink";
/// Where Debian's packages are, a folder a version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Changes with anything that is done here, so that no older copy is used.
const FORMAT: u32 = 2;

/// Two databases of the three that a new server has are enough: each is three hundred files.
const SHRINK: [&str; 3] = [
    "ALTER DATABASE postgres RENAME TO crowdlink",
    "UPDATE pg_database SET datistemplate = false WHERE datname = 'template0'",
    "DROP DATABASE template0",
];

/// The folder of the newest PostgreSQL's programs.
pub(crate) fn find_programs() -> Result<PathBuf> {
    let packaged = fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let newest = packaged
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|version| programs_of(*version).join("initdb").is_file())
        .max();
    if let Some(version) = newest {
        return Ok(programs_of(version));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
        .context("PostgreSQL is not installed: `cargo xtask setup`")
}

fn programs_of(version: u32) -> PathBuf {
    Path::new(VERSIONS).join(version.to_string()).join("bin")
}

/// Puts the data of a new server into `folder`.
pub(crate) fn fill(programs: &Path, account: Account, folder: &Path) -> Result<()> {
    let data = folder.join(DATA);
    let kept = kept(programs, account)?;
    if let Some(kept) = kept.as_ref().filter(|kept| kept.is_dir()) {
        return copy(kept, &data);
    }
    make(programs, account, folder)?;
    kept.map_or(Ok(()), |kept| keep(&data, &kept))
}

/// Where the copy is kept: beside what cargo built, so that `cargo clean` removes it. Nowhere,
/// where this program is in no target folder.
fn kept(programs: &Path, account: Account) -> Result<Option<PathBuf>> {
    let program = std::env::current_exe().context("where is this program?")?;
    let mut folders = program.ancestors();
    let Some(target) = folders.find(|folder| folder.join("CACHEDIR.TAG").is_file()) else {
        return Ok(None);
    };
    let output = Command::new(programs.join("postgres"))
        .arg("--version")
        .output();
    let version = String::from_utf8_lossy(&must(output?)?.stdout).into_owned();
    let version = version.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    let owner = match account {
        Account::Ours => rustix::process::geteuid().as_raw(),
        Account::Unprivileged { user, .. } => user,
    };
    let name = format!("{version}-{owner}-{FORMAT}");
    Ok(Some(target.join("services").join(name)))
}

fn make(programs: &Path, account: Account, folder: &Path) -> Result<()> {
    let data = folder.join(DATA);
    let mut initdb = account.command(&programs.join("initdb"), folder, "KILL");
    initdb.args(["--auth=trust", "--encoding=UTF8", "--locale=C"]);
    // Nothing is lost yet if the machine goes down now.
    initdb.args(["--no-sync", "--username", USER]);
    must(initdb.arg("-D").arg(&data).output()?).context("cannot create a database")?;

    let mut single = account.command(&programs.join("postgres"), folder, "KILL");
    single.args(["--single", "-D"]).arg(&data).arg("template1");
    single
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut single = single.spawn()?;
    let mut input = single.stdin.take().context("no input was asked for")?;
    for statement in SHRINK {
        writeln!(input, "{statement};")?;
    }
    drop(input);
    must(single.wait_with_output()?).context("cannot create a database")?;
    Ok(())
}

/// Others may do the same at this moment: the first one's copy stays.
fn keep(data: &Path, kept: &Path) -> Result<()> {
    let mut own = kept.as_os_str().to_owned();
    own.push(format!(".{}", std::process::id()));
    let own = PathBuf::from(own);
    if let Some(parent) = kept.parent() {
        fs::create_dir_all(parent)?;
    }
    copy(data, &own)?;
    if fs::rename(&own, kept).is_err() && kept.is_dir() {
        fs::remove_dir_all(&own)?;
    }
    Ok(())
}

/// With owners and permissions.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).output()?;
    must(copied).context("cannot copy a database")?;
    Ok(())
}

fn must(output: Output) -> Result<Output> {
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output)
}
