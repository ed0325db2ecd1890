//! The reference of all settings, for a terminal and for `docs/settings.md`.

use std::fmt::Write;

use super::setting::Setting;
use super::{CONFIG_VARIABLE, TABLE};

/// Every setting with its default, unit and meaning, one after another.
pub fn text() -> String {
    let mut out = String::new();
    let mut heading = "";
    for setting in TABLE {
        if setting.heading != heading {
            heading = setting.heading;
            let _ = writeln!(out, "# {heading}\n");
        }
        let default = default_with_unit(setting);
        let _ = writeln!(out, "{} = {default}\n    {}\n", setting.key, setting.doc);
    }
    out
}

/// The text of `docs/settings.md`.
pub fn markdown() -> String {
    let mut out = format!(
        "# Settings\n\n\
         Made from `crates/server/src/settings/table.rs`; a test fails when this page is stale.\n\n\
         A setting comes from, in rising priority: its default, the TOML file of `--config FILE` \
         (or `{CONFIG_VARIABLE}`), an environment variable, a flag. The variable of `group.name` is \
         `CROWDLINK_GROUP_NAME`, its flag `--group-name`; where a short flag `--x-y` is given, \
         `CROWDLINK_X_Y` works too. Lists are comma-separated outside the file. An unknown key or a \
         value out of range stops the program with exit code 2 and the place it was written.\n"
    );
    let mut heading = "";
    for setting in TABLE {
        if setting.heading != heading {
            heading = setting.heading;
            let _ = write!(
                out,
                "\n## {heading}\n\n| key | default | flag | meaning |\n| --- | --- | --- | --- |\n"
            );
        }
        let default = default_with_unit(setting);
        let _ = writeln!(
            out,
            "| `{}` | {default} | `--{}` | {} |",
            setting.key,
            setting.flag(),
            setting.doc.replace('|', "\\|"),
        );
    }
    out
}

fn default_with_unit(setting: &Setting) -> String {
    let default = (setting.default)();
    match (default.as_str(), setting.unit) {
        ("", _) => "(none)".to_owned(),
        (_, "" | "address" | "URL" | "directory" | "file") => default,
        (_, unit) => format!("{default} {unit}"),
    }
}
