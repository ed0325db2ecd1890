//! Everything from one store to another, as operators do it: `export` and `import` (`docs/moving.md`).

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use aws_lc_rs::digest::{SHA256, digest};
use crowdlink_store::{Bulk, Entry, REVISION_GAP, Record, SqliteBulk};
use serde_json::json;
use tempfile::TempDir;

use crate::harness::eventually;
use crate::harness::program::{Process, crowdlink, done, failed};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn add(data: &Path, client_id: &str) {
    let words = ["extension", "add", "--client-id", client_id];
    done(data, &[&words[..], &["--owner", "900"]].concat());
}

fn mint(data: &Path, client_id: &str) -> String {
    let words = [
        "token",
        "mint",
        "--stage",
        "sandbox",
        "--client-id",
        client_id,
    ];
    let more = ["--role", "broadcaster", "--channel", "42"];
    done(data, &[&words[..], &more[..]].concat())
        .trim()
        .to_owned()
}

/// Every record of a folder's store, and its revision.
async fn everything(data: &Path) -> (Vec<Entry>, u64) {
    let store = SqliteBulk::at(data.join("crowdlink.db"));
    let mut snapshot = store.snapshot().await.unwrap();
    let mut entries = Vec::new();
    while let Some(batch) = snapshot.next().await.unwrap() {
        entries.extend(batch);
    }
    (entries, snapshot.revision)
}

/// A command whose input and output are led to the test.
fn led(data: &Path, words: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_crowdlink"))
        .args(words)
        .arg("--data")
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs a command on this input.
fn fed(data: &Path, words: &[&str], input: &[u8]) -> Output {
    let mut child = led(data, words);
    // A command that refuses reads no further.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test]
async fn everything_moves_from_a_running_server_to_another_folder() {
    let (old, new, files) = (folder(), folder(), folder());
    let server = Process::start(old.path(), &["serve"]);
    add(old.path(), "mine");
    let jwt = mint(old.path(), "mine");
    let page = server.http("sandbox-rest").with("mine", &jwt);
    eventually("the extension is known", async || {
        page.get("/v1/e/user_info").await.status == 200
    })
    .await;
    let state = json!({ "score": 7, "text": "a\nb \u{e9}" });
    page.post("/v1/e/channel_state", &state).await.ok();
    let before = page.get("/v1/e/channel_state").await;

    let file = files.path().join("all");
    let said = done(old.path(), &["export", text(&file)]);
    page.post("/v1/e/channel_state", &json!({ "later": true }))
        .await
        .ok();
    drop(server);
    let imported = done(new.path(), &["import", text(&file)]);
    let (entries, _) = everything(new.path()).await;
    assert!(
        said.contains(&format!("exported {} records to", entries.len())),
        "{said}"
    );
    assert!(imported.contains(&format!("imported {} records from", entries.len())));

    let server = Process::start(new.path(), &["serve"]);
    let page = server.http("sandbox-rest").with("mine", &jwt);
    let after = page.get("/v1/e/channel_state").await;
    assert_eq!((after.status, &after.body), (before.status, &before.body));
    assert_eq!(after.headers.get("etag"), before.headers.get("etag"));
}

#[tokio::test]
async fn a_way_there_and_back_changes_no_record() {
    let (old, new, files) = (folder(), folder(), folder());
    add(old.path(), "mine");
    mint(old.path(), "mine");
    let (entries, revision) = everything(old.path()).await;
    let plain = files.path().join("all");
    let packed = files.path().join("all.gz");
    done(old.path(), &["export", text(&plain)]);
    done(old.path(), &["export", text(&packed), "--quiet"]);
    let output = crowdlink(old.path(), &["export", "-"]);
    let lines = |bytes: &[u8]| {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let lines: Vec<_> = text.lines().skip(1).map(str::to_owned).collect();
        lines[..lines.len() - 1].to_vec()
    };
    let written = lines(&fs::read(&plain).unwrap());
    assert_eq!(written.len(), entries.len());
    assert_eq!(lines(&output.stdout), written);
    assert!(fs::read(&packed).unwrap().starts_with(&[0x1f, 0x8b]));

    done(new.path(), &["import", text(&plain)]);
    assert_eq!(
        everything(new.path()).await,
        (entries.clone(), revision + REVISION_GAP)
    );
    // What a file is is told by what it begins with, not by its name.
    let renamed = files.path().join("renamed");
    fs::rename(&packed, &renamed).unwrap();
    done(new.path(), &["import", text(&renamed), "--replace"]);
    assert_eq!(everything(new.path()).await.0, entries);
    let from_pipe = fed(new.path(), &["import", "-", "--replace"], &output.stdout);
    assert!(from_pipe.status.success(), "{}", errors(&from_pipe));
    assert_eq!(everything(new.path()).await.0, entries);
}

#[cfg(unix)]
#[test]
fn an_export_is_for_its_owner_warns_of_secrets_and_overwrites_nothing() {
    use std::os::unix::fs::PermissionsExt as _;
    let (data, files) = (folder(), folder());
    add(data.path(), "mine");
    for name in ["all", "all.gz"] {
        let file = files.path().join(name);
        let output = crowdlink(data.path(), &["export", text(&file)]);
        assert!(errors(&output).contains("every secret"), "{output:?}");
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let before = fs::read(&file).unwrap();
        let again = failed(data.path(), &["export", text(&file)]);
        assert!(again.contains("exists already"), "{again}");
        assert!(fs::read(&file).unwrap() == before);
    }
    let nowhere = files.path().join("missing/all");
    failed(data.path(), &["export", text(&nowhere)]);
    let quiet = crowdlink(data.path(), &["export", "-", "--quiet"]);
    assert!(quiet.status.success() && quiet.stderr.is_empty());
    let zstd = failed(data.path(), &["export", "all.zst"]);
    assert!(zstd.contains("| zstd"), "{zstd}");
    let names = fs::read_dir(files.path()).unwrap().count();
    assert_eq!(names, 2, "nothing else is left");
    let empty = folder();
    assert!(failed(empty.path(), &["export", "-"]).contains("no store at"));
}

#[tokio::test]
async fn an_import_replaces_only_when_told_to_and_never_under_a_running_server() {
    let (old, new, files) = (folder(), folder(), folder());
    add(old.path(), "mine");
    add(new.path(), "other");
    let file = files.path().join("all");
    done(old.path(), &["export", text(&file)]);
    let refused = failed(new.path(), &["import", text(&file)]);
    assert!(refused.contains("--replace"), "{refused}");
    let mut server = Process::start(new.path(), &["serve"]);
    let refused = failed(new.path(), &["import", text(&file), "--replace"]);
    assert!(refused.contains("stop the server first"), "{refused}");
    server.terminate();
    assert_eq!(server.ended().code(), Some(0));
    let list = |data| done(data, &["extension", "list"]);
    assert!(list(new.path()).contains("other"));
    done(new.path(), &["import", text(&file), "--replace"]);
    assert_eq!(list(new.path()), list(old.path()));
}

#[tokio::test]
async fn sqlite_to_postgres_and_back_changes_no_record() {
    let (old, new, none) = (folder(), folder(), folder());
    add(old.path(), "mine");
    mint(old.path(), "mine");
    let (entries, _) = everything(old.path()).await;
    let postgres = services::Postgres::start().unwrap();
    let url = postgres.url();
    let file = crowdlink(old.path(), &["export", "-"]).stdout;
    let words = ["import", "-", "--store", &url];
    let imported = fed(none.path(), &words, &file);
    assert!(imported.status.success(), "{}", errors(&imported));
    let again = fed(none.path(), &words, &file);
    assert!(errors(&again).contains("--replace"), "{}", errors(&again));
    let list = done(none.path(), &["extension", "list", "--store", &url]);
    assert!(list.contains("mine"), "{list}");

    let server = Process::start(none.path(), &["serve", "--store", &url]);
    let running = fed(
        none.path(),
        &["import", "-", "--store", &url, "--replace"],
        &file,
    );
    assert!(
        errors(&running).contains("stop the server"),
        "{}",
        errors(&running)
    );
    drop(server);
    let back = fed(
        none.path(),
        &["import", "-", "--store", &url, "--replace"],
        &file,
    );
    assert!(back.status.success(), "{}", errors(&back));
    let file = crowdlink(none.path(), &["export", "-", "--store", &url]).stdout;
    let imported = fed(new.path(), &["import", "-"], &file);
    assert!(imported.status.success(), "{}", errors(&imported));
    assert_eq!(everything(new.path()).await.0, entries);
}

/// A file of many records, larger than what is read ahead anywhere.
fn large() -> Vec<u8> {
    let records = 20_000;
    let mut file = Vec::new();
    writeln!(
        file,
        "{{\"format\":\"crowdlink-export\",\"format_version\":1,\"server_version\":\"0\",\
         \"created_at_ms\":0,\"revision\":5,\"records\":{records}}}"
    )
    .unwrap();
    for n in 0..records {
        let rest = "\"version\":5,\"expires_at_ms\":null";
        writeln!(
            file,
            "{{\"key\":\"sandbox/x/{n:06}\",{rest},\"value\":{n}}}"
        )
        .unwrap();
    }
    let sum = digest(&SHA256, &file);
    let sum = sum
        .as_ref()
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    writeln!(file, "{{\"records\":{records},\"sha256\":\"{sum}\"}}").unwrap();
    file
}

/// An import that waits for the rest of its file.
fn stopped_halfway(data: &Path, part: &Path) -> (Child, ChildStdin) {
    let mut child = led(data, &["import", "-", "--replace"]);
    let mut input = child.stdin.take().unwrap();
    let file = large();
    input.write_all(&file[..file.len() - 100]).unwrap();
    while fs::metadata(part).map_or(0, |part| part.len()) < 100_000 {
        std::thread::yield_now();
    }
    (child, input)
}

#[tokio::test]
async fn after_a_killed_import_no_server_starts_until_one_has_ended() {
    let (old, new, files) = (folder(), folder(), folder());
    add(old.path(), "mine");
    let file = files.path().join("all");
    done(old.path(), &["export", text(&file)]);
    add(new.path(), "kept");
    let before = everything(new.path()).await;
    let part = new.path().join("crowdlink.db.importing");

    let (mut child, input) = stopped_halfway(new.path(), &part);
    let refused = failed(new.path(), &["serve", "--ops=off"]);
    assert!(refused.contains("an import has not ended"), "{refused}");
    let second = failed(new.path(), &["import", text(&file), "--replace"]);
    assert!(second.contains("another import"), "{second}");
    child.kill().unwrap();
    child.wait().unwrap();
    drop(input);

    for words in [&["serve", "--ops=off"][..], &["extension", "list"]] {
        let refused = failed(new.path(), words);
        assert!(
            refused.contains("run it again") && refused.contains(text(&part)),
            "{refused}"
        );
    }
    assert_eq!(
        everything(new.path()).await,
        before,
        "what was there is whole"
    );
    // One that is refused is no end to it.
    let cut = fed(new.path(), &["import", "-", "--replace"], b"{}\n");
    assert_eq!(cut.status.code(), Some(1));
    failed(new.path(), &["extension", "list"]);

    done(new.path(), &["import", text(&file), "--replace"]);
    assert!(!part.exists());
    let server = Process::start(new.path(), &["serve"]);
    drop(server);
    let list = done(new.path(), &["extension", "list"]);
    assert!(list.contains("mine") && !list.contains("kept"), "{list}");
}

#[tokio::test]
async fn a_killed_import_can_be_dropped() {
    let data = folder();
    add(data.path(), "kept");
    let part = data.path().join("crowdlink.db.importing");
    let (mut child, _input) = stopped_halfway(data.path(), &part);
    child.kill().unwrap();
    child.wait().unwrap();
    failed(data.path(), &["extension", "list"]);
    fs::remove_file(&part).unwrap();
    assert!(done(data.path(), &["extension", "list"]).contains("kept"));
}

#[tokio::test]
async fn a_file_that_is_cut_or_changed_leaves_the_store_as_it_was() {
    let (old, new) = (folder(), folder());
    add(old.path(), "mine");
    add(new.path(), "kept");
    let before = everything(new.path()).await;
    let file = crowdlink(old.path(), &["export", "-"]).stdout;
    let mut flipped = file.clone();
    let middle = file.len() / 2;
    flipped[middle] ^= 1;
    for bad in [
        b"".as_slice(),
        b"no export\n",
        &file[..1],
        &file[..middle],
        &file[..file.len() - 1],
        &flipped,
        &[&file[..], b"\n"].concat(),
        &[0x28, 0xb5, 0x2f, 0xfd],
        &[0x1f, 0x8b, 0, 0],
    ] {
        let output = fed(new.path(), &["import", "-", "--replace"], bad);
        assert_eq!(output.status.code(), Some(1));
        let said = errors(&output);
        assert!(said.starts_with("error: cannot import"), "{said}");
        assert!(!said.contains("BASE64"), "{said}");
        assert_eq!(everything(new.path()).await, before);
    }
    let copy = new.path().join("copy.db");
    done(new.path(), &["backup", text(&copy)]);
    let backup = failed(new.path(), &["import", text(&copy), "--replace"]);
    assert!(backup.contains("use `restore`"), "{backup}");
    let missing = failed(new.path(), &["import", "missing"]);
    assert!(missing.contains("cannot read missing"), "{missing}");
}

/// The most memory a process has had so far, in bytes.
#[cfg(target_os = "linux")]
fn most_resident_bytes(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    // A process that has ended has none.
    let kib = line.map_or("0", |line| line.trim().trim_end_matches(" kB"));
    kib.parse::<u64>().unwrap() * 1_024
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn memory_does_not_grow_with_the_store() {
    const RECORDS: usize = 25_600;
    const STORE_BYTES: u64 = 200 << 20;
    const RESIDENT_BYTES_MAX: u64 = 96 << 20;
    let (old, new) = (folder(), folder());
    let target = SqliteBulk::at(old.path().join("crowdlink.db"));
    let mut load = target.begin_load(false).await.unwrap();
    let value = format!("\"{}\"", "x".repeat(8_190));
    for first in (0..RECORDS).step_by(512) {
        let entry = |n| Entry {
            key: format!("sandbox/x/{n:06}"),
            record: Record {
                value: value.clone().into(),
                version: 1,
                expires_at_ms: None,
            },
        };
        load.put((first..first + 512).map(entry).collect())
            .await
            .unwrap();
    }
    load.finish(1).await.unwrap();

    let mut from = led(old.path(), &["export", "-", "--quiet"]);
    let mut to = led(new.path(), &["import", "-"]);
    let mut output = from.stdout.take().unwrap();
    let mut input = to.stdin.take().unwrap();
    let (mut moved, mut most) = (0, (0, 0));
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = output.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        input.write_all(&buffer[..count]).unwrap();
        moved += count as u64;
        most.0 = most.0.max(most_resident_bytes(&from));
        most.1 = most.1.max(most_resident_bytes(&to));
    }
    drop(input);
    assert!(from.wait().unwrap().success());
    let ended = to.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", errors(&ended));
    assert!(moved > STORE_BYTES, "{moved}");
    for most in [most.0, most.1] {
        assert!((1..RESIDENT_BYTES_MAX).contains(&most), "{most} bytes");
    }
    eprintln!("resident: {} and {} MiB", most.0 >> 20, most.1 >> 20);
    assert_eq!(everything(new.path()).await.0.len(), RECORDS);
}

/// Runs a command on a terminal; whether it went well, and what was shown.
fn on_a_terminal(data: &Path, words: &[&str]) -> (bool, String) {
    use pty_process::blocking::{Command, open};
    let (mut terminal, other) = open().unwrap();
    terminal.resize(pty_process::Size::new(24, 100)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_crowdlink"))
        .args(words)
        .arg("--data")
        .arg(data)
        .env("TERM", "xterm")
        .spawn(other)
        .unwrap();
    let mut shown = Vec::new();
    // A terminal that nobody is on any more ends with an error.
    let _ = terminal.read_to_end(&mut shown);
    let status = child.wait().unwrap();
    (status.success(), String::from_utf8(shown).unwrap())
}

#[test]
fn a_terminal_shows_a_bar_and_never_an_export() {
    let (data, files) = (folder(), folder());
    let file = files.path().join("large");
    fs::write(&file, large()).unwrap();
    let (good, shown) = on_a_terminal(data.path(), &["import", text(&file)]);
    assert!(good, "{shown}");
    assert!(shown.contains("of 20,000 records,"), "{shown}");
    assert!(shown.contains("imported 20000 records from"), "{shown}");
    let (good, shown) = on_a_terminal(
        data.path(),
        &["import", text(&file), "--replace", "--quiet"],
    );
    assert_eq!((good, shown.as_str()), (true, ""));

    for words in [&["export", "-"][..], &["export", "-", "--quiet"]] {
        let (good, shown) = on_a_terminal(data.path(), words);
        assert!(!good && shown.contains("not for a terminal"), "{shown}");
        assert!(!shown.contains("sandbox/x/"), "{shown}");
    }
    let (good, shown) = on_a_terminal(data.path(), &["import", "-"]);
    assert!(!good && shown.contains("name a file"), "{shown}");
    let copy = files.path().join("copy");
    let (good, shown) = on_a_terminal(data.path(), &["export", text(&copy)]);
    assert!(good && shown.contains("of 20,000 records,"), "{shown}");
}
