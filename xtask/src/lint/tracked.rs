//! What must not be in a tracked file: paths of somebody's machine, addresses of somebody's
//! package mirror, and Rust files too long to read at once.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::job;
use crate::paths::Paths;

/// Longest Rust file.
const LINES_MAX: usize = 500;

/// First folders of absolute paths that exist only on a person's or a builder's machine.
const MACHINE_FOLDERS: [&str; 4] = ["root", "home", "work", "Users"];

/// Prints each finding; true if there was none.
pub(super) fn check(paths: &Paths) -> Result<bool> {
    let mut list = paths.command("git");
    list.args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    let files = job::ask(&mut list).context("git cannot list the files")?;
    let needles = needles(paths);
    let mut findings = Vec::new();
    for name in files.lines() {
        // What is not text has no paths to find; what was just removed has no content.
        let Ok(text) = fs::read_to_string(paths.root.join(name)) else {
            continue;
        };
        findings.extend(inspect(name, &text, &needles));
    }
    for finding in &findings {
        println!("{finding}");
    }
    Ok(findings.is_empty())
}

/// Strings of this machine: where the workspace is, and the mirrors its clients are set up for.
fn needles(paths: &Paths) -> BTreeSet<String> {
    let mut found = BTreeSet::from([format!("{}/", paths.root.display())]);
    found.extend(job::ask(
        paths.command("npm").args(["config", "get", "registry"]),
    ));
    found.extend(job::ask(
        paths
            .command("python3")
            .args(["-m", "pip", "config", "list"]),
    ));
    for (name, value) in env::vars() {
        if name.starts_with("CARGO_REGISTR") || name.starts_with("PIP_") {
            found.insert(value);
        }
    }
    found
        .iter()
        .flat_map(|text| hosts(text))
        .chain([format!("{}/", paths.root.display())])
        .collect()
}

/// Host names of the addresses in a text.
fn hosts(text: &str) -> Vec<String> {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '-');
    text.split("://")
        .skip(1)
        .filter_map(|rest| rest.split(ends).next())
        .filter(|host| host.contains('.') && !host.starts_with("127."))
        .map(str::to_owned)
        .collect()
}

fn inspect(name: &str, text: &str, needles: &BTreeSet<String>) -> Vec<String> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if let Some(needle) = needles.iter().find(|needle| line.contains(needle.as_str())) {
            findings.push(format!(
                "{name}:{number}: `{needle}` belongs to this machine"
            ));
        }
        if let Some(folder) = MACHINE_FOLDERS.iter().find(|folder| has_path(line, folder)) {
            findings.push(format!(
                "{name}:{number}: a path of a machine, under {folder}"
            ));
        }
        if name.ends_with("package-lock.json") && line.contains("\"resolved\": \"http") {
            findings.push(format!(
                "{name}:{number}: a download address, see .npmrc beside it"
            ));
        }
    }
    let rust = Path::new(name)
        .extension()
        .is_some_and(|extension| extension == "rs");
    let lines = text.lines().count();
    if rust && lines > LINES_MAX {
        findings.push(format!(
            "{name}: {lines} lines, at most {LINES_MAX}: split it"
        ));
    }
    findings
}

/// Whether a line holds an absolute path that begins with this folder. A longer path or an
/// address that merely contains it does not count.
fn has_path(line: &str, folder: &str) -> bool {
    let pattern = format!("/{folder}/");
    line.match_indices(&pattern).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        before.is_none_or(|c| {
            !(c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | '*' | '>'))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_a_machine_is_found() {
        let line = format!("see /{}/me/notes", "home");
        assert_eq!(inspect("a.md", &line, &BTreeSet::new()).len(), 1);
        assert!(inspect("a.md", "GET /v1/home/page, a/work/b", &BTreeSet::new()).is_empty());
    }

    #[test]
    fn a_lockfile_with_download_addresses_is_refused() {
        let line = "  \"resolved\": \"https://mirror.example/a.tgz\",";
        assert_eq!(
            inspect("x/package-lock.json", line, &BTreeSet::new()).len(),
            1
        );
        assert!(inspect("notes.md", line, &BTreeSet::new()).is_empty());
    }

    #[test]
    fn a_mirror_of_this_machine_is_found() {
        let needles = hosts("registry=https://mirror.example:8080/npm/")
            .into_iter()
            .collect();
        assert_eq!(inspect("a.toml", "at mirror.example", &needles).len(), 1);
    }

    #[test]
    fn a_rust_file_over_the_limit_is_refused() {
        let text = "//\n".repeat(LINES_MAX);
        assert!(inspect("a.rs", &text, &BTreeSet::new()).is_empty());
        assert_eq!(
            inspect("a.rs", &format!("{text}//\n"), &BTreeSet::new()).len(),
            1
        );
        assert!(inspect("a.json", &format!("{text}//\n"), &BTreeSet::new()).is_empty());
    }
}
