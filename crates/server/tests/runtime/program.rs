use std::process::{Command, Output};

fn crowdlink(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_crowdlink"))
        .args(words)
        .output()
        .unwrap()
}

#[test]
fn the_program_prints_its_settings() {
    let output = crowdlink(&["settings"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("limits.rest_body_bytes_max = 1048576 bytes\n"),
        "{text}"
    );
}

#[test]
fn bad_usage_ends_with_2_and_says_what_was_meant() {
    let output = crowdlink(&["serve", "--sandbox-rst", "off"]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("--sandbox-rest"), "{text}");
    assert!(output.stdout.is_empty());
}

#[test]
fn an_unusable_setting_ends_with_2_and_its_place() {
    let output = Command::new(env!("CARGO_BIN_EXE_crowdlink"))
        .arg("serve")
        .env("CROWDLINK_LOG_JSN", "true")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        text,
        "error: environment variable CROWDLINK_LOG_JSN: there is no setting CROWDLINK_LOG_JSN; \
         did you mean CROWDLINK_LOG_JSON?\n"
    );
    for level in ["--log-level=a=b=c", "--limits-patch-ops-max=0"] {
        assert_eq!(crowdlink(&["serve", level]).status.code(), Some(2));
    }
}
