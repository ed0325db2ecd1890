//! Debian packages. None of them may leave a server running that nobody asked for: tests start
//! their own.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use services::{Nats, Postgres};

use crate::job::{self, BUILD_LIMIT};

/// Says that a new version of PostgreSQL gets no database of the system's own. There while it is
/// installed only, so that what the user installs later is as Debian has it.
const NO_SYSTEM_DATABASE: &str = "/etc/postgresql-common/createcluster.d/crowdlink-setup.conf";
/// One of the types that come with Protocol Buffers, where their compiler looks for it.
const PROTOBUF_TYPE: &str = "google/protobuf/timestamp.proto";

/// A Debian package and how to see that it is not needed.
pub(crate) struct Package {
    name: &'static str,
    there: fn() -> bool,
    /// Where other than plainly.
    install: Option<fn() -> Result<()>>,
}

pub(crate) const CHROMIUM: Package = Package {
    name: "chromium",
    there: || runs("chromium", "--version"),
    install: None,
};
pub(crate) const VENV: Package = Package {
    name: "python3-venv",
    there: python_makes_environments,
    install: None,
};
pub(crate) const POSTGRESQL: Package = Package {
    name: "postgresql",
    there: || Postgres::is_installed() && runs("psql", "--version"),
    install: Some(install_postgresql),
};
pub(crate) const NATS: Package = Package {
    name: "nats-server",
    there: Nats::is_installed,
    install: Some(install_nats),
};
pub(crate) const PROTOBUF_COMPILER: Package = Package {
    name: "protobuf-compiler",
    there: || runs("protoc", "--version"),
    install: None,
};
/// The types that come with Protocol Buffers, which the compiler's package only recommends.
pub(crate) const PROTOBUF_TYPES: Package = Package {
    name: "libprotobuf-dev",
    there: protobuf_has_its_types,
    install: None,
};

/// Installs those that are missing.
pub(crate) fn packages(wanted: &[Package]) -> Result<()> {
    let missing: Vec<_> = wanted.iter().filter(|package| !(package.there)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|package| package.name).collect();
    println!("installing Debian packages: {}", names.join(" "));
    apt_get(&["update", "--quiet=2"])?;
    for package in &missing {
        package
            .install
            .map_or_else(|| install(package.name), |install| install())
            .with_context(|| format!("install {} by hand", package.name))?;
    }
    match missing.iter().find(|package| !(package.there)()) {
        Some(package) => bail!("{} is installed and yet does not work", package.name),
        None => Ok(()),
    }
}

fn install(name: &str) -> Result<()> {
    apt_get(&[
        "install",
        "--yes",
        "--quiet=2",
        "--no-install-recommends",
        name,
    ])
}

fn install_postgresql() -> Result<()> {
    // It brings the configuration that the next package reads while it is installed.
    install("postgresql-common")?;
    let write = format!(
        "mkdir -p {} && echo 'create_main_cluster = false' > {NO_SYSTEM_DATABASE}",
        parent(NO_SYSTEM_DATABASE)
    );
    as_root("sh", &["-c", &write])?;
    let installed = install(POSTGRESQL.name);
    let removed = as_root("rm", &["-f", NO_SYSTEM_DATABASE]);
    installed.and(removed)
}

/// The package starts a server where there is systemd, and has it start with the machine.
fn install_nats() -> Result<()> {
    install(NATS.name)?;
    if Path::new("/run/systemd/system").is_dir() {
        as_root("systemctl", &["disable", "--now", "nats-server.service"])?;
    }
    Ok(())
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    as_root("apt-get", arguments)
}

fn as_root(program: &str, arguments: &[&str]) -> Result<()> {
    let mut command = if rustix::process::geteuid().is_root() {
        Command::new(program)
    } else {
        let mut command = Command::new("sudo");
        // Fails at once where a password would be asked for.
        command.args(["--non-interactive", program]);
        command
    };
    command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive");
    job::must(&mut command, BUILD_LIMIT)
}

fn runs(program: &str, argument: &str) -> bool {
    job::ask(Command::new(program).arg(argument)).is_some()
}

fn protobuf_has_its_types() -> bool {
    let compile = ["--descriptor_set_out=/dev/null", PROTOBUF_TYPE];
    job::ask(Command::new("protoc").args(compile)).is_some()
}

fn python_makes_environments() -> bool {
    job::ask(Command::new("python3").args(["-c", "import venv, ensurepip"])).is_some()
}
