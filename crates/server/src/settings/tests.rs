use std::ffi::OsString;
use std::io::Write;

use clap::{Args, Command, FromArgMatches};
use proptest::prelude::*;

use super::*;

fn environment(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs
        .iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

fn flags(line: &[&str]) -> SettingFlags {
    let command = SettingFlags::augment_args(Command::new("crowdlink"));
    let words = ["crowdlink"].iter().chain(line);
    SettingFlags::from_arg_matches(&command.try_get_matches_from(words).unwrap()).unwrap()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn load_file(text: &str) -> Result<Settings, String> {
    let file = file(text);
    let loaded = Settings::load(&Sources {
        file: Some(file.path()),
        ..Sources::default()
    });
    loaded.map_err(|error| {
        let path = file.path().display().to_string();
        error.to_string().replace(&path, "crowdlink.toml")
    })
}

fn load_environment(pairs: &[(&str, &str)]) -> Result<Settings, String> {
    Settings::load(&Sources {
        environment: environment(pairs),
        ..Sources::default()
    })
    .map_err(|error| error.to_string())
}

fn load_flags(line: &[&str]) -> Result<Settings, String> {
    Settings::load(&Sources {
        flags: flags(line),
        ..Sources::default()
    })
    .map_err(|error| error.to_string())
}

#[test]
fn without_sources_everything_has_the_default_of_the_spec() {
    let settings = Settings::load(&Sources::default()).unwrap();
    assert_eq!(settings, Settings::default());
    assert_eq!(settings.limits.rest_body_bytes_max, 1_048_576);
    assert_eq!(settings.lifetimes.pin_ms, 5 * 60_000);
    assert_eq!(settings.listen.ops.to_string(), "127.0.0.1:5052");
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default() {
    let file = file("[limits]\npatch_ops_max = 7\njson_depth_max = 8\npoll_options_max = 9\n");
    let settings = Settings::load(&Sources {
        file: Some(file.path()),
        environment: environment(&[
            ("CROWDLINK_LIMITS_JSON_DEPTH_MAX", "18"),
            ("CROWDLINK_LIMITS_POLL_OPTIONS_MAX", "19"),
            ("HOME", "/nowhere"),
        ]),
        flags: flags(&["--limits-poll-options-max", "29"]),
    })
    .unwrap();
    let limits = settings.limits;
    assert_eq!(limits.patch_ops_max, 7);
    assert_eq!(limits.json_depth_max, 18);
    assert_eq!(limits.poll_options_max, 29);
    assert_eq!(limits.rank_key_bytes_max, 256);
}

#[test]
fn the_file_may_be_named_by_the_environment_and_a_flag_wins() {
    let by_variable = file("log.level = 'debug'");
    let by_flag = file("log.level = 'warn'");
    let environment = vec![(CONFIG_VARIABLE.into(), by_variable.path().into())];
    let mut sources = Sources {
        environment,
        ..Sources::default()
    };
    assert_eq!(Settings::load(&sources).unwrap().log.level, "debug");
    sources.file = Some(by_flag.path());
    assert_eq!(Settings::load(&sources).unwrap().log.level, "warn");
}

#[test]
fn every_kind_of_value_reads_from_a_file() {
    let settings = load_file(
        "listen.ops = 'off'\nlog.json = true\ntwitch = { pubsub = true }\n\
         store.data = '/srv/crowdlink'\n\
         limits.rest_body_bytes_max = 0x10_0001\n\
         [proxy]\ntrusted = ['10.0.0.0/8', '::1', '192.0.2.7']\nheader = 'forwarded'\n",
    )
    .unwrap();
    assert_eq!(settings.listen.ops, Address::Off);
    assert!(settings.log.json && settings.twitch.pubsub);
    assert_eq!(settings.store.data, Path::new("/srv/crowdlink"));
    assert_eq!(settings.limits.rest_body_bytes_max, 0x10_0001);
    let trusted: Vec<_> = settings
        .proxy
        .trusted
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(trusted, ["10.0.0.0/8", "::1/128", "192.0.2.7/32"]);
    assert_eq!(settings.proxy.header, ForwardedHeader::Forwarded);
}

#[test]
fn the_well_known_flags_and_their_variables_work() {
    let settings = load_flags(&[
        "--data",
        "d",
        "--store",
        "postgres://h/db",
        "--bus",
        "nats://h",
        "--sandbox-rest",
        "localhost:0",
        "--production-gamelink",
        "off",
        "--ops",
        "[::1]:9",
        "--log-json",
    ])
    .unwrap();
    assert_eq!(settings.store.data, Path::new("d"));
    assert_eq!(settings.store.url.expose(), "postgres://h/db");
    assert_eq!(settings.bus.url.expose(), "nats://h");
    assert_eq!(settings.listen.sandbox_rest, Address::loopback(0));
    assert_eq!(settings.listen.production_gamelink, Address::Off);
    assert_eq!(settings.listen.ops.to_string(), "[::1]:9");
    assert!(settings.log.json);
    assert!(!load_flags(&["--log-json=false"]).unwrap().log.json);

    let settings = load_environment(&[
        ("CROWDLINK_SANDBOX_REST", "off"),
        ("CROWDLINK_TWITCH_PUBSUB", "true"),
        ("CROWDLINK_TWITCH_URL", "http://127.0.0.1:1"),
        ("CROWDLINK_STORE", "postgres://h"),
        ("CROWDLINK_LOG_LEVEL", "debug"),
    ])
    .unwrap();
    assert_eq!(settings.listen.sandbox_rest, Address::Off);
    assert!(settings.twitch.pubsub);
    assert_eq!(settings.twitch.url.expose(), "http://127.0.0.1:1");
    assert_eq!(settings.store.url.expose(), "postgres://h");
    assert_eq!(settings.log.level, "debug");
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_the_nearest_known_key() {
    assert_eq!(
        load_file("[limits]\n\nrest_body_byte_max = 1\n").unwrap_err(),
        "crowdlink.toml:3: there is no setting limits.rest_body_byte_max; \
         did you mean limits.rest_body_bytes_max?"
    );
    assert_eq!(
        load_environment(&[("CROWDLINK_SANDBOX_RST", "off")]).unwrap_err(),
        "environment variable CROWDLINK_SANDBOX_RST: there is no setting CROWDLINK_SANDBOX_RST; \
         did you mean CROWDLINK_SANDBOX_REST?"
    );
    assert_eq!(
        load_file("qqq = 1").unwrap_err(),
        "crowdlink.toml:1: there is no setting qqq; `crowdlink settings` lists them all"
    );
    let group_as_value = load_file("limits = 3").unwrap_err();
    assert!(
        group_as_value.contains("there is no setting limits"),
        "{group_as_value}"
    );
}

#[test]
fn a_wrong_value_is_refused_with_key_value_expectation_and_place() {
    assert_eq!(
        load_file("\n[limits]\npatch_ops_max = 'many'").unwrap_err(),
        "crowdlink.toml:3: limits.patch_ops_max cannot be \"'many'\": \
         expected a whole number without quotes"
    );
    assert_eq!(
        load_file("limits.patch_ops_max = 0").unwrap_err(),
        "crowdlink.toml:1: limits.patch_ops_max cannot be \"0\": \
         expected a whole number from 1 to 100000"
    );
    assert_eq!(
        load_flags(&["--limits-patch-ops-max", "-1"]).unwrap_err(),
        "flag --limits-patch-ops-max: limits.patch_ops_max cannot be \"-1\": \
         expected a whole number from 1 to 100000"
    );
    assert_eq!(
        load_environment(&[("CROWDLINK_OPS", "5052")]).unwrap_err(),
        "environment variable CROWDLINK_OPS: listen.ops cannot be \"5052\": \
         expected an address such as 127.0.0.1:5050 or [::]:5050, or off"
    );
    let list = load_file("proxy.trusted = ['10.0.0.0/33']").unwrap_err();
    assert!(list.contains("expected networks such as"), "{list}");
    let broken = load_file("[log]\nlevel = ").unwrap_err();
    assert!(broken.starts_with("crowdlink.toml:2: not TOML"), "{broken}");
    let missing = Settings::load(&Sources {
        file: Some(Path::new("/nowhere/crowdlink.toml")),
        ..Sources::default()
    });
    assert!(
        missing
            .unwrap_err()
            .to_string()
            .contains("/nowhere/crowdlink.toml")
    );
}

#[test]
fn two_variables_for_one_setting_are_refused() {
    let both = [("CROWDLINK_OPS", "off"), ("CROWDLINK_LISTEN_OPS", "off")];
    let error = load_environment(&both).unwrap_err();
    assert!(error.starts_with("listen.ops is set twice"), "{error}");
}

#[test]
fn variables_that_kubernetes_writes_beside_a_service_are_passed_over() {
    load_environment(&[
        ("CROWDLINK_SERVICE_HOST", "10.0.0.1"),
        ("CROWDLINK_SERVICE_PORT_REST", "5050"),
        ("CROWDLINK_PORT", "tcp://10.0.0.1:5050"),
        ("CROWDLINK_PORT_5050_TCP_ADDR", "10.0.0.1"),
    ])
    .unwrap();
}

#[test]
fn a_password_in_a_url_is_never_shown() {
    let url = "postgres://crowd:p@ss:hunter2@db:5432/crowd?password=hunter2";
    let sources = Sources {
        flags: flags(&["--store", url]),
        ..Sources::default()
    };
    let settings = Settings::load(&sources).unwrap();
    assert_eq!(settings.store.url.expose(), url);
    let json = serde_json::to_string(&settings).unwrap();
    let refused = load_flags(&["--store", "crowd:hunter2@db"]).unwrap_err();
    let in_file = load_file("store.url = ['x:hunter2@db']").unwrap_err();
    for shown in [
        format!("{settings:?}"),
        format!("{sources:?}"),
        json,
        refused,
        in_file,
    ] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    assert_eq!(settings.store.url.to_string(), "postgres://…@db:5432/crowd");
}

#[test]
fn every_default_is_a_value_that_is_taken_back() {
    for setting in TABLE {
        let mut settings = Settings::default();
        let default = (setting.default)();
        (setting.set)(&mut settings, &default).unwrap_or_else(|e| panic!("{}: {e}", setting.key));
        assert_eq!(settings, Settings::default(), "{}", setting.key);
        assert!(
            !setting.doc.is_empty() && !setting.doc.starts_with(' '),
            "{}",
            setting.key
        );
    }
}

#[test]
fn names_of_flags_and_variables_are_unique() {
    let mut names: Vec<String> = TABLE
        .iter()
        .flat_map(|s| {
            s.variables()
                .chain([s.flag(), s.long_flag()])
                .collect::<std::collections::BTreeSet<_>>()
        })
        .collect();
    names.sort();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn the_settings_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/settings.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, markdown()).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap();
    assert!(
        page == markdown(),
        "docs/settings.md is stale: run this test with UPDATE_DOCS=1"
    );
    for setting in TABLE {
        assert!(
            text().contains(&format!("{} = ", setting.key)),
            "{}",
            setting.key
        );
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in ".{0,200}", index in 0..TABLE.len()) {
        let mut settings = Settings::default();
        let _ = (TABLE[index].set)(&mut settings, &text);
        let _ = (TABLE[index].mask)(&text);
        let _ = load_file(&text);
    }
}
