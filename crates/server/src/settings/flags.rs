//! Settings from flags: one for every row of the table, under the heading of its group.

use clap::builder::ArgAction;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::error::Source;
use super::setting::{Kind, Setting};
use super::{Given, TABLE};

/// The settings that stood on a command line, in the order of the table.
#[derive(Clone, Debug, Default)]
pub struct SettingFlags(Vec<(&'static Setting, Hidden)>);

/// A flag's value may be a URL with a password.
#[derive(Clone)]
struct Hidden(String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl SettingFlags {
    pub(super) fn given(&self) -> impl Iterator<Item = Given> {
        self.0.iter().map(|(setting, value)| Given {
            setting,
            text: value.0.clone(),
            source: Source::Flag(setting.flag()),
        })
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0 = TABLE
            .iter()
            .filter_map(|setting| {
                let value = matches.get_one::<String>(setting.key)?;
                Some((setting, Hidden(value.clone())))
            })
            .collect();
        Ok(())
    }
}

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        TABLE
            .iter()
            .fold(command, |command, setting| command.arg(argument(setting)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn argument(setting: &'static Setting) -> Arg {
    let argument = Arg::new(setting.key)
        .long(setting.flag())
        .action(ArgAction::Set)
        .global(true)
        .help_heading(setting.heading)
        // The short help shows what one needs on the first day.
        .hide_short_help(setting.short.is_none())
        .help(help(setting));
    let argument = if setting.flag() == setting.long_flag() {
        argument
    } else {
        argument.alias(setting.long_flag())
    };
    match setting.kind {
        // `--log-json` alone is enough.
        Kind::Boolean => argument
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_name("BOOL"),
        // A negative number reaches the range check and its message.
        Kind::Integer => argument.value_name("N").allow_negative_numbers(true),
        Kind::Text => argument.value_name(value_name(setting)),
        Kind::List => argument.value_name("LIST"),
    }
}

fn value_name(setting: &Setting) -> &'static str {
    match setting.unit {
        "address" => "ADDR",
        "URL" => "URL",
        "directory" => "DIR",
        "file" => "FILE",
        _ => "TEXT",
    }
}

fn help(setting: &Setting) -> String {
    let default = (setting.default)();
    let unit = match setting.kind {
        Kind::Integer if !setting.unit.is_empty() => format!(" {}", setting.unit),
        Kind::Integer | Kind::Boolean | Kind::Text | Kind::List => String::new(),
    };
    if default.is_empty() {
        setting.doc.to_owned()
    } else {
        format!("{} [default: {default}{unit}]", setting.doc)
    }
}
