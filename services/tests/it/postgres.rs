//! A private PostgreSQL through its own client.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};

use services::Postgres;

fn ask(postgres: &Postgres, sql: &str) -> Output {
    psql(postgres).args(["-c", sql]).output().unwrap()
}

fn psql(postgres: &Postgres) -> Command {
    let mut psql = Command::new("psql");
    psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
    psql.arg(postgres.url());
    psql
}

/// What a statement answers, which must succeed.
fn sql(postgres: &Postgres, sql: &str) -> String {
    let output = ask(postgres, sql);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{sql}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn is_refused(postgres: &Postgres) -> bool {
    TcpStream::connect(("127.0.0.1", postgres.port())).is_err()
}

fn with_a_row() -> Postgres {
    let postgres = Postgres::start().unwrap();
    sql(&postgres, "CREATE TABLE t (n int)");
    sql(&postgres, "INSERT INTO t VALUES (7)");
    postgres
}

#[test]
fn a_server_is_durable_and_speaks_utf_8() {
    let postgres = Postgres::start().unwrap();
    for (setting, value) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("server_encoding", "UTF8"),
        ("max_connections", "200"),
        ("listen_addresses", "127.0.0.1"),
    ] {
        assert_eq!(
            sql(&postgres, &format!("SHOW {setting}")),
            value,
            "{setting}"
        );
    }
    assert_eq!(sql(&postgres, "SELECT current_database()"), "crowdlink");
}

#[test]
fn two_servers_know_nothing_of_each_other() {
    let (one, other) = (with_a_row(), Postgres::start().unwrap());
    assert_ne!(one.url(), other.url());
    assert!(!ask(&other, "SELECT n FROM t").status.success());
}

#[test]
fn data_is_still_there_after_a_stop() {
    let postgres = with_a_row();
    let url = postgres.url();
    postgres.stop().unwrap();
    assert!(is_refused(&postgres));
    postgres.start_again().unwrap();
    assert_eq!(postgres.url(), url);
    assert_eq!(sql(&postgres, "SELECT n FROM t"), "7");
}

#[test]
fn committed_data_is_still_there_after_a_kill_and_the_rest_is_gone() {
    let postgres = with_a_row();
    let mut session = psql(&postgres)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = session.stdin.take().unwrap();
    writeln!(input, "BEGIN; INSERT INTO t VALUES (8); SELECT 'inserted';").unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(session.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "inserted");

    postgres.kill().unwrap();
    assert!(is_refused(&postgres));
    postgres.start_again().unwrap();
    assert_eq!(sql(&postgres, "SELECT n FROM t"), "7");
    // The session was told nothing: its next statement finds a dead connection.
    writeln!(input, "COMMIT;").unwrap();
    drop(input);
    assert!(!session.wait().unwrap().success());
}

#[test]
fn a_server_that_is_killed_again_and_again_keeps_its_data() {
    let postgres = with_a_row();
    for round in 0..3 {
        sql(&postgres, &format!("INSERT INTO t VALUES ({round})"));
        postgres.kill().unwrap();
        postgres.start_again().unwrap();
    }
    assert_eq!(sql(&postgres, "SELECT count(*) FROM t"), "4");
}

#[test]
fn to_end_a_server_twice_is_fine_and_to_start_it_twice_is_not() {
    let postgres = Postgres::start().unwrap();
    assert!(postgres.start_again().is_err());
    assert_eq!(sql(&postgres, "SELECT 1"), "1");
    postgres.stop().unwrap();
    postgres.stop().unwrap();
    postgres.kill().unwrap();
    postgres.start_again().unwrap();
    assert_eq!(sql(&postgres, "SELECT 1"), "1");
}
