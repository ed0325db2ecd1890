//! Settings from a TOML file, with the line of every value.

use std::fs;
use std::io::Read;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{SettingsError, Source};
use super::setting::{Kind, nearest};
use super::{Given, Setting, TABLE};

/// Largest settings file, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

pub(super) fn read(path: &Path) -> Result<Vec<Given>, SettingsError> {
    let unreadable = |cause: String| SettingsError::Unreadable {
        path: path.to_owned(),
        cause,
    };
    let mut text = String::new();
    fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|error| unreadable(error.to_string()))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(unreadable(format!("larger than {FILE_BYTES_MAX} bytes")));
    }
    let document = File { path, text: &text };
    let table = DeTable::parse(&text).map_err(|error| SettingsError::NotToml {
        source: document.at(error.span().map_or(0, |span| span.start)),
        cause: error.message().to_owned(),
    })?;
    let mut given = Vec::new();
    document.collect("", table.get_ref(), &mut given)?;
    Ok(given)
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn at(&self, offset: usize) -> Source {
        let before = self.text.bytes().take(offset);
        Source::File {
            path: self.path.to_owned(),
            line: before.filter(|byte| *byte == b'\n').count() + 1,
        }
    }

    fn collect(
        &self,
        prefix: &str,
        table: &DeTable<'_>,
        given: &mut Vec<Given>,
    ) -> Result<(), SettingsError> {
        for (name, value) in table {
            let key = format!("{prefix}{}", name.get_ref());
            if let Some(setting) = TABLE.iter().find(|setting| setting.key == key) {
                given.push(self.give(setting, value)?);
                continue;
            }
            let group = format!("{key}.");
            let is_group = TABLE.iter().any(|setting| setting.key.starts_with(&group));
            match value.get_ref().as_table() {
                Some(table) if is_group => self.collect(&group, table, given)?,
                _ => {
                    let known = TABLE.iter().map(|setting| setting.key.to_owned());
                    return Err(SettingsError::UnknownKey {
                        nearest: nearest(&key, known),
                        key,
                        source: self.at(name.span().start),
                    });
                }
            }
        }
        Ok(())
    }

    fn give(
        &self,
        setting: &'static Setting,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Given, SettingsError> {
        let source = self.at(value.span().start);
        match text_of(setting.kind, value.get_ref()) {
            Some(text) => Ok(Given {
                setting,
                text,
                source,
            }),
            None => Err(SettingsError::Value {
                key: setting.key,
                value: (setting.mask)(self.text.get(value.span()).unwrap_or_default()),
                expected: expected(setting),
                source,
            }),
        }
    }
}

fn expected(setting: &Setting) -> String {
    match setting.kind {
        Kind::Integer => "a whole number without quotes",
        Kind::Boolean => "true or false without quotes",
        Kind::Text => "a string",
        Kind::List => "a list of strings",
    }
    .to_owned()
}

/// The text of a TOML value of the right kind, as a flag would write it.
fn text_of(kind: Kind, value: &DeValue<'_>) -> Option<String> {
    match kind {
        Kind::Integer => {
            let integer = value.as_integer()?;
            let number = i128::from_str_radix(integer.as_str(), integer.radix()).ok()?;
            Some(number.to_string())
        }
        Kind::Boolean => value.as_bool().map(|value| value.to_string()),
        Kind::Text => value.as_str().map(ToOwned::to_owned),
        Kind::List => {
            let items = value.as_array()?.iter();
            let items: Option<Vec<_>> = items.map(|item| item.get_ref().as_str()).collect();
            items.map(|items| items.join(","))
        }
    }
}
