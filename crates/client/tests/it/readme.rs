//! The project's README shows what this crate's README compiles.

#[test]
fn the_snippet_of_the_project_is_one_that_is_compiled() {
    let project = include_str!("../../../../README.md");
    let (_, section) = project.split_once("## A game in Rust").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let lines = section.lines().filter_map(|line| line.strip_prefix("    "));
    let snippet: Vec<&str> = lines.collect();
    assert!(snippet.len() >= 4, "{snippet:?}");
    let own = include_str!("../../README.md");
    assert!(own.contains(&snippet.join("\n")), "{snippet:?}");
}
