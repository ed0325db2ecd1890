//! `crowdlink doctor`, as people run it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A data directory with an extension and a token of each stage.
struct Deployment {
    data: TempDir,
    sandbox: String,
    production: String,
}

fn program(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crowdlink"));
    command.env("TZ", "UTC").arg("--data").arg(data);
    command
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

impl Deployment {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let run = |words: &str| {
            let output = program(data.path())
                .args(words.split(' '))
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
            out(&output).trim().to_owned()
        };
        run("extension add --client-id ext --owner 900 --name Test");
        let mint = |stage: &str, role: &str| {
            run(&format!(
                "token mint --client-id ext --stage {stage} --role {role} --channel 1 --user 77 \
                 --lifetime 90m"
            ))
        };
        Self {
            sandbox: mint("sandbox", "viewer"),
            production: mint("production", "broadcaster"),
            data,
        }
    }

    /// Runs the doctor; gives the exit code and what it says, which never holds a token.
    fn doctor(&self, words: &[&str]) -> (i32, String) {
        let mut command = program(self.data.path());
        let output = command.arg("doctor").args(words).output().unwrap();
        self.judge(&output)
    }

    fn judge(&self, output: &Output) -> (i32, String) {
        let said = out(output);
        let all = format!("{said}{}", String::from_utf8_lossy(&output.stderr));
        for token in [&self.sandbox, &self.production] {
            for part in token.split('.') {
                assert!(!all.contains(part), "{all}");
            }
        }
        (output.status.code().unwrap(), said)
    }
}

fn line<'a>(said: &'a str, label: &str) -> &'a str {
    let found = said
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(label));
    found
        .unwrap_or_else(|| panic!("no {label} in\n{said}"))
        .trim()
}

#[test]
fn a_good_token_is_described_line_by_line() {
    let deployment = Deployment::new();
    let (code, said) = deployment.doctor(&[&deployment.sandbox]);
    assert_eq!(code, 0, "{said}");
    let first = said.lines().next().unwrap();
    // Minted a moment ago: the last unit may have turned.
    let expected = "good: role viewer in channel 1 of extension ext, on sandbox, expires in ";
    assert!(first.starts_with(expected), "{first}");
    assert!(
        line(&said, "signer").starts_with("this deployment, key "),
        "{said}"
    );
    assert_eq!(line(&said, "given"), "a token");
    assert_eq!(
        line(&said, "extension"),
        "ext, named \"Test\", of owner 900"
    );
    assert_eq!(line(&said, "stage"), "sandbox");
    assert_eq!(line(&said, "channel"), "1");
    assert_eq!(line(&said, "user"), "77 (U77)");
    assert_eq!(line(&said, "role"), "viewer");
    let issued = line(&said, "issued");
    assert!(
        issued.contains(" UTC, ") && issued.ends_with(" ago"),
        "{issued}"
    );
    let expires = line(&said, "expires");
    assert!(
        expires.contains(" UTC, in ") && expires.ends_with(" minutes"),
        "{expires}"
    );
    assert_eq!(line(&said, "id").len(), 36);
}

#[test]
fn a_refusal_comes_first_and_ends_with_1() {
    let deployment = Deployment::new();
    let sandbox = deployment.sandbox.as_str();
    let broken = sandbox.replacen('.', ".A", 1);
    let table: [(&[&str], &str); 6] = [
        (
            &["--stage", "production", sandbox],
            "refused: this token is for sandbox; you called production",
        ),
        (
            &["--channel", "2", sandbox],
            "refused: the token is for channel 1, you expected 2",
        ),
        (
            &["nobody", sandbox],
            "refused: extension nobody is not registered here",
        ),
        (
            &["Authorization: ", sandbox],
            "refused: the header has one part; it must be `<client id> <jwt>`",
        ),
        (
            &["ext", "x"],
            "refused: this is no JWT: it has 1 of three parts",
        ),
        (&["ext", &broken], "refused: the payload is not"),
    ];
    for (words, verdict) in table {
        let (code, said) = deployment.doctor(words);
        assert_eq!(code, 1, "{said}");
        assert!(said.starts_with(verdict), "{verdict}\n{said}");
    }
}

#[test]
fn a_curl_line_tells_what_was_called() {
    let deployment = Deployment::new();
    let (sandbox, production) = (&deployment.sandbox, &deployment.production);
    let url = "http://127.0.0.1:5050/v1/e";
    let table = [
        (
            format!("curl {url}/user_info -H 'Authorization: ext {sandbox}'"),
            0,
            "good: role viewer",
        ),
        (
            format!(
                "$ curl -s -X POST \\\n  -H \"authorization: Bearer {sandbox}\" {url}/gamelink/pin"
            ),
            1,
            "refused: the call requires role broadcaster; the token's role is viewer",
        ),
        (
            format!("curl --header='Authorization: ext {sandbox}' 'localhost:5060/v1/e/user_info'"),
            1,
            "refused: this token is for sandbox; you called production",
        ),
        (
            format!("curl -H'Authorization: ext {sandbox}' '{url}/vote?id=x&channel_id=2'"),
            1,
            "refused: the token is for channel 1, you expected 2",
        ),
        (
            format!(
                "curl -d '{{}}' -H 'Authorization: ext {production}' http://127.0.0.1:5060/v1/e/gamelink/pin"
            ),
            0,
            "good: role broadcaster in channel 1 of extension ext, on production",
        ),
        (
            format!("curl {url}/user_info"),
            1,
            "refused: the curl line has no Authorization header",
        ),
        (
            format!("curl -d x {url}/token"),
            0,
            "good: this call needs no token",
        ),
    ];
    for (text, code, verdict) in table {
        let (ended, said) = deployment.doctor(&[&text]);
        assert!(said.starts_with(verdict), "{text}\n{said}");
        assert_eq!(ended, code, "{said}");
    }
    let header = format!("Authorization: ext {sandbox}");
    let (code, said) =
        deployment.doctor(&["--", "curl", "-H", &header, "http://example:9/v1/e/vote"]);
    assert_eq!(code, 0);
    assert!(
        line(&said, "note").starts_with("port 9 is none of this server's listeners"),
        "{said}"
    );
}

#[test]
fn standard_input_is_read_and_the_store_stays_as_it_was() {
    let deployment = Deployment::new();
    let file = deployment.data.path().join("crowdlink.db");
    let before = std::fs::read(&file).unwrap();
    let mut child = program(deployment.data.path())
        .arg("doctor")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "Authorization: ext {}", deployment.sandbox).unwrap();
    drop(stdin);
    let (code, said) = deployment.judge(&child.wait_with_output().unwrap());
    assert_eq!(code, 0, "{said}");
    assert_eq!(line(&said, "given"), "an Authorization header");
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn without_a_store_it_says_that_the_signature_was_not_checked_and_makes_none() {
    let deployment = Deployment::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let data = elsewhere.path().join("none");
    let output = program(&data)
        .arg("doctor")
        .arg(&deployment.sandbox)
        .output()
        .unwrap();
    let (code, said) = deployment.judge(&output);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.lines()
            .next()
            .unwrap()
            .ends_with("; its signature was not checked"),
        "{said}"
    );
    assert!(
        line(&said, "note").starts_with("the signature could not be checked: there is no store")
    );
    assert!(!data.exists());
}

#[test]
fn more_input_than_a_bound_is_refused() {
    let deployment = Deployment::new();
    let (code, said) = deployment.doctor(&[&"x".repeat(64 * 1_024)]);
    assert_eq!(code, 1);
    assert!(
        said.starts_with("refused: the token is 65536 bytes long"),
        "{said}"
    );
    let long = "x".repeat(64 * 1_024 + 1);
    let output = program(deployment.data.path())
        .args(["doctor", &long])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("the input is over 65536 bytes"));
}
