//! Writes the file.

use std::fmt;
use std::io::{self, Write};

use aws_lc_rs::digest::{Context, SHA256};

use super::line::{self, Header, Trailer};
use crate::contract::Entry;

/// A file being written, line by line.
pub struct ExportWriter<W> {
    out: W,
    digest: Context,
    line: Vec<u8>,
    last_key: String,
    records: u64,
}

impl<W> fmt::Debug for ExportWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportWriter")
            .field("records", &self.records)
            .finish_non_exhaustive()
    }
}

impl<W: Write> ExportWriter<W> {
    /// Writes the first line.
    pub fn begin(out: W, header: &Header) -> io::Result<Self> {
        let mut writer = Self {
            out,
            digest: Context::new(&SHA256),
            line: serde_json::to_vec(header)?,
            last_key: String::new(),
            records: 0,
        };
        writer.line.push(b'\n');
        writer.send()?;
        Ok(writer)
    }

    /// Writes a record.
    ///
    /// # Errors
    /// `InvalidData` if its key is not greater than the one before: an import would refuse that.
    pub fn record(&mut self, entry: &Entry) -> io::Result<()> {
        if entry.key <= self.last_key {
            let why = "the store gave its keys out of order";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        self.line.clear();
        line::write_record(&mut self.line, entry)?;
        self.send()?;
        self.last_key.clone_from(&entry.key);
        self.records = self.records.saturating_add(1);
        Ok(())
    }

    /// Records written so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Writes the last line, and gives back what the file was written to.
    pub fn finish(mut self) -> io::Result<W> {
        let sha256 = line::hexadecimal(self.digest.finish().as_ref());
        let records = self.records;
        let last = Trailer { records, sha256 }.line()?;
        self.out.write_all(&last)?;
        Ok(self.out)
    }

    fn send(&mut self) -> io::Result<()> {
        self.digest.update(&self.line);
        self.out.write_all(&self.line)
    }
}
