use clap::{CommandFactory, Parser};

use super::*;
use crate::settings::{Address, Settings, Sources};

fn parse(line: &str) -> Cli {
    Cli::try_parse_from(line.split_whitespace()).unwrap_or_else(|e| panic!("{line}: {e}"))
}

fn refuse(line: &str) -> String {
    let error = Cli::try_parse_from(line.split_whitespace()).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{line}");
    error.to_string()
}

fn settings(cli: &Cli) -> Settings {
    Settings::load(&Sources {
        flags: cli.settings.clone(),
        ..Sources::default()
    })
    .unwrap()
}

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn no_command_means_dev_and_keeps_its_flags() {
    let cli = parse("crowdlink --ops off --takeover");
    assert_eq!(settings(&cli).listen.ops, Address::Off);
    let Command::Dev(start) = cli.into_command() else {
        panic!("not dev");
    };
    assert!(start.takeover);
}

#[test]
fn settings_work_before_and_after_the_command() {
    for line in [
        "crowdlink serve --ops off --config f.toml --takeover",
        "crowdlink --ops off --config f.toml serve --takeover",
        "crowdlink --takeover --ops off --config f.toml serve",
    ] {
        let cli = parse(line);
        assert_eq!(cli.config.as_deref(), Some("f.toml".as_ref()));
        assert_eq!(settings(&cli).listen.ops, Address::Off);
        assert!(matches!(
            cli.into_command(),
            Command::Serve(StartArgs { takeover: true })
        ));
    }
    let cli = parse("crowdlink extension list --data elsewhere");
    assert_eq!(settings(&cli).store.data, PathBuf::from("elsewhere"));
}

#[test]
fn extension_commands_take_the_flags_of_the_spec() {
    let cli = parse(
        "crowdlink extension add --client-id X --owner 7 --name N --secret aGk= --secret aG8=",
    );
    let shown = format!("{cli:?}");
    assert!(!shown.contains("aGk="), "{shown}");
    let Command::Extension(ExtensionCommand::Add(add)) = cli.into_command() else {
        panic!("not add");
    };
    assert_eq!((add.client_id.as_str(), add.owner.as_str()), ("X", "7"));
    let secrets: Vec<_> = add.secrets.iter().map(Hidden::expose).collect();
    assert_eq!(secrets, ["aGk=", "aG8="]);

    let cli = parse("crowdlink extension rotate-secret --client-id X --retire-old-after 90m");
    let Command::Extension(ExtensionCommand::RotateSecret(rotate)) = cli.into_command() else {
        panic!("not rotate-secret");
    };
    assert_eq!(rotate.retire_old_after.unwrap().ms, 90 * 60_000);
    parse("crowdlink extension list");
    parse("crowdlink extension remove --client-id X");
    refuse("crowdlink extension add --owner 7");
    refuse("crowdlink extension add --client-id X");
    let too_long = "x".repeat(101);
    refuse(&format!(
        "crowdlink extension remove --client-id {too_long}"
    ));
}

#[test]
fn doctor_takes_a_token_a_header_or_a_curl_line() {
    let words = [
        "crowdlink",
        "doctor",
        "--stage",
        "sandbox",
        "--channel",
        "7",
        "--",
        "curl",
        "-H",
    ];
    let header = "Authorization: X a.b.c";
    let cli = Cli::try_parse_from(words.iter().chain([&header])).unwrap();
    let Command::Doctor(doctor) = cli.into_command() else {
        panic!("not doctor");
    };
    assert_eq!(doctor.stage, Some(Stage::Sandbox));
    let items: Vec<_> = doctor.items.iter().map(Hidden::expose).collect();
    assert_eq!(items, ["curl", "-H", header]);
    assert!(matches!(
        parse("crowdlink doctor").into_command(),
        Command::Doctor(doctor) if doctor.items.is_empty()
    ));
    refuse("crowdlink doctor --stage staging");
}

#[test]
fn token_backup_and_transfer_commands_parse() {
    parse("crowdlink token mint --client-id X --stage sandbox --role backend --channel all");
    refuse("crowdlink token mint --client-id X --stage sandbox --role king");
    parse("crowdlink token revoke --client-id X --stage production --family F");
    refuse("crowdlink token revoke --client-id X --stage production");
    refuse("crowdlink token revoke --client-id X --stage production --family F --channel 7");
    parse("crowdlink backup copy.db");
    parse("crowdlink restore copy.db");
    refuse("crowdlink backup");
    parse("crowdlink export - --quiet");
    parse("crowdlink import all.gz --replace");
    refuse("crowdlink export");
    refuse("crowdlink import a b");
    parse("crowdlink settings --markdown");
}

#[test]
fn bad_usage_names_what_was_meant() {
    let flag = refuse("crowdlink serve --sandbox-rst off");
    assert!(flag.contains("--sandbox-rest"), "{flag}");
    let command = refuse("crowdlink srve");
    assert!(command.contains("serve"), "{command}");
    refuse("crowdlink extension rotate-secret --client-id X --retire-old-after 1y");
}

#[test]
fn the_short_help_is_short_and_the_long_one_complete() {
    let short = Cli::command().render_help().to_string();
    let long = Cli::command().render_long_help().to_string();
    assert!(short.contains("--sandbox-rest") && !short.contains("--limits-patch-ops-max"));
    for setting in crate::settings::TABLE {
        assert!(
            long.contains(&format!("--{}", setting.flag())),
            "{}",
            setting.key
        );
    }
    assert!(long.contains("Limits:") && long.contains("Lifetimes:"));
}

#[test]
fn times_have_units_and_a_bound() {
    for (text, ms) in [
        ("0s", 0),
        ("250ms", 250),
        ("7d", 7 * 86_400_000),
        ("3650d", 315_360_000_000),
    ] {
        assert_eq!(text.parse(), Ok(Duration { ms }));
    }
    for text in [
        "",
        "h",
        "1",
        "1.5h",
        "-1s",
        "3651d",
        "99999999999999999999d",
        "1é",
    ] {
        assert!(text.parse::<Duration>().is_err(), "{text}");
    }
}
