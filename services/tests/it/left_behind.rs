//! What a killed owner leaves: nothing.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// Ten seconds more than the guard of a folder takes at most.
const TRIES_MAX: u32 = 2_000;

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..TRIES_MAX {
        if holds() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("never happened: {what}");
}

/// The servers' owner, with its temporary folders in `temporary`, and their addresses.
fn owner(temporary: &Path) -> (Child, Vec<String>) {
    let mut owner = Command::new(env!("CARGO_BIN_EXE_services"))
        .env("TMPDIR", temporary)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    // All that it prints: a pipe closed before its last line would end it.
    let lines: Vec<String> = lines.take(3).map(Result::unwrap).collect();
    let addresses = lines
        .iter()
        .take(2)
        .map(|url| {
            let (_, place) = url.split_once("://").unwrap();
            let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
            place.trim_end_matches("/crowdlink").to_owned()
        })
        .collect();
    (owner, addresses)
}

fn folders(temporary: &Path) -> usize {
    fs::read_dir(temporary).unwrap().count()
}

#[test]
fn servers_and_folders_of_a_killed_owner_are_gone() {
    let temporary = tempfile::Builder::new().tempdir_in("/tmp").unwrap();
    // The account of PostgreSQL passes through it.
    let open = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    fs::set_permissions(temporary.path(), open).unwrap();
    let (mut owner, addresses) = owner(temporary.path());
    assert_eq!(addresses.len(), 2);
    for address in &addresses {
        TcpStream::connect(address).unwrap();
    }
    assert_eq!(folders(temporary.path()), 2);

    owner.kill().unwrap();
    owner.wait().unwrap();
    for address in &addresses {
        eventually(address, || TcpStream::connect(address).is_err());
    }
    eventually("folders are gone", || folders(temporary.path()) == 0);
}

#[test]
fn an_owner_that_ends_in_order_leaves_nothing() {
    let temporary = tempfile::Builder::new().tempdir_in("/tmp").unwrap();
    let open = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    fs::set_permissions(temporary.path(), open).unwrap();
    let (mut owner, addresses) = owner(temporary.path());
    drop(owner.stdin.take());
    assert!(owner.wait().unwrap().success());
    assert_eq!(folders(temporary.path()), 0);
    for address in &addresses {
        assert!(TcpStream::connect(address).is_err());
    }
}
