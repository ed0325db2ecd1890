//! The bounds of the contract, checked in one place for every engine.

use crate::contract::{
    BATCH_ITEMS_MAX, COMMIT_BYTES_MAX, Commit, Entry, KEY_BYTES_MAX, READ_BYTES_MAX, StoreError,
    VALUE_BYTES_MAX, Write,
};

fn refused(why: impl Into<String>) -> StoreError {
    StoreError::Refused(why.into())
}

fn text(what: &str, text: &str) -> Result<(), StoreError> {
    if text.len() > KEY_BYTES_MAX {
        return Err(refused(format!(
            "{what} of {} bytes, at most {KEY_BYTES_MAX}",
            text.len()
        )));
    }
    // Not every engine can hold it (PostgreSQL's TEXT cannot), so none does.
    if text.contains('\0') {
        return Err(refused(format!("{what} with a NUL character")));
    }
    Ok(())
}

/// A key must have 1 to [`KEY_BYTES_MAX`] bytes and no NUL.
pub(crate) fn key(key: &str) -> Result<(), StoreError> {
    if key.is_empty() {
        return Err(refused("empty key"));
    }
    text("key", key)
}

/// The keys of one `get_many`.
pub(crate) fn keys(keys: &[String]) -> Result<(), StoreError> {
    items("keys", keys.len())?;
    keys.iter().try_for_each(|each| key(each))
}

/// Prefix and starting point of a scan; either may be empty.
pub(crate) fn scan(prefix: &str, after: Option<&str>) -> Result<(), StoreError> {
    text("prefix", prefix)?;
    after.map_or(Ok(()), |after| text("starting point", after))
}

fn items(what: &str, count: usize) -> Result<(), StoreError> {
    if count > BATCH_ITEMS_MAX {
        return Err(refused(format!(
            "{count} {what}, at most {BATCH_ITEMS_MAX}"
        )));
    }
    Ok(())
}

fn value(key: &str, value: &[u8]) -> Result<(), StoreError> {
    if value.len() > VALUE_BYTES_MAX {
        return Err(refused(format!(
            "value of {} bytes under {key}, at most {VALUE_BYTES_MAX}",
            value.len()
        )));
    }
    let text = std::str::from_utf8(value)
        .map_err(|_| refused(format!("value under {key} is not UTF-8")))?;
    if text.contains('\0') {
        return Err(refused(format!("value under {key} with a NUL character")));
    }
    Ok(())
}

/// A value as engines keep it.
pub(crate) fn utf8(value: &[u8]) -> Result<&str, StoreError> {
    std::str::from_utf8(value).map_err(|_| refused("a value is not UTF-8"))
}

/// Everything a commit must obey. Answers with its size in bytes: all keys and values.
pub(crate) fn commit(commit: &Commit) -> Result<usize, StoreError> {
    items("checks", commit.checks.len())?;
    items("writes", commit.writes.len())?;
    let mut bytes = 0_usize;
    for check in &commit.checks {
        key(&check.key)?;
        bytes = bytes.saturating_add(check.key.len());
    }
    for write in &commit.writes {
        match write {
            Write::Put {
                key: name,
                value: json,
                ..
            } => {
                key(name)?;
                value(name, json)?;
                bytes = bytes.saturating_add(name.len()).saturating_add(json.len());
            }
            Write::Delete { key: name } => {
                key(name)?;
                bytes = bytes.saturating_add(name.len());
            }
        }
    }
    if bytes > COMMIT_BYTES_MAX {
        return Err(refused(format!(
            "commit of {bytes} bytes, at most {COMMIT_BYTES_MAX}"
        )));
    }
    Ok(bytes)
}

/// A record that comes with its version, from another store.
pub(crate) fn entry(entry: &Entry) -> Result<(), StoreError> {
    key(&entry.key)?;
    value(&entry.key, &entry.record.value)?;
    let version = entry.record.version;
    if version == 0 || i64::try_from(version).is_err() {
        return Err(refused(format!("version {version} under {}", entry.key)));
    }
    Ok(())
}

/// The size of one answer while it grows.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    bytes: usize,
}

impl Answer {
    /// Counts another value, and refuses the answer that would pass [`READ_BYTES_MAX`].
    pub(crate) fn add(&mut self, bytes: usize) -> Result<(), StoreError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > READ_BYTES_MAX {
            return Err(refused(format!(
                "answer over {READ_BYTES_MAX} bytes: ask for fewer records"
            )));
        }
        Ok(())
    }
}
