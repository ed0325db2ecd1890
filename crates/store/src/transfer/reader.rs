//! Reads the file, and believes none of it before it was verified.

use std::fmt;
use std::io::{self, BufRead, Read as _};

use aws_lc_rs::digest::{Context, SHA256};

use super::TransferError;
use super::line::{self, Header, LINE_BYTES_MAX, RECORD_START, Trailer};
use crate::bounds;
use crate::contract::Entry;

/// A file being read. What [`ExportReader::next_entry`] gives is only known to be right once it has given `None`.
pub struct ExportReader<R> {
    input: R,
    digest: Context,
    line: Vec<u8>,
    /// Of the line in hand, counted from 1.
    number: u64,
    header: Header,
    last_key: String,
    records: u64,
}

impl<R> fmt::Debug for ExportReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportReader")
            .field("header", &self.header)
            .field("records", &self.records)
            .finish_non_exhaustive()
    }
}

impl<R: BufRead> ExportReader<R> {
    /// Reads the first line.
    ///
    /// # Errors
    /// `Damaged` if it is no export, `Newer` if it is of a later version.
    pub fn open(mut input: R) -> Result<Self, TransferError> {
        let mut line = Vec::new();
        read_line(&mut input, &mut line, 1)?;
        let header = match Header::read(&line) {
            Ok(Ok(header)) => header,
            Ok(Err(found)) => return Err(TransferError::Newer { found }),
            Err(why) => return Err(TransferError::Damaged { line: 1, why }),
        };
        let mut digest = Context::new(&SHA256);
        digest.update(&line);
        Ok(Self {
            input,
            digest,
            line,
            number: 1,
            header,
            last_key: String::new(),
            records: 0,
        })
    }

    /// The first line.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Records given so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The next record; `None` once all were given, nothing was changed, and the file has ended.
    ///
    /// # Errors
    /// `Damaged` if the file is cut, was changed, or is no export in some other way. There is
    /// nothing more to be read then.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, TransferError> {
        self.number = self.number.saturating_add(1);
        self.line.clear();
        read_line(&mut self.input, &mut self.line, self.number)?;
        if !self.line.starts_with(RECORD_START) {
            return self.verify().map(|()| None);
        }
        self.digest.update(&self.line);
        let entry = line::read_record(&self.line).map_err(|why| self.damaged(why))?;
        bounds::entry(&entry).map_err(|error| self.damaged(error.to_string()))?;
        if entry.key <= self.last_key {
            return Err(self.damaged("its key is not greater than the one before"));
        }
        if entry.record.version > self.header.revision {
            return Err(self.damaged("its version is above the revision of the file"));
        }
        self.last_key.clone_from(&entry.key);
        self.records = self.records.saturating_add(1);
        Ok(Some(entry))
    }

    /// The last line is in hand.
    fn verify(&mut self) -> Result<(), TransferError> {
        let trailer = Trailer::read(&self.line).map_err(|why| self.damaged(why))?;
        if trailer.records != self.records || self.header.records != self.records {
            return Err(self.damaged(format!(
                "{} records are there, {} were announced, {} are counted here",
                self.records, self.header.records, trailer.records
            )));
        }
        let sha256 = line::hexadecimal(self.digest.clone().finish().as_ref());
        // The whole line: a space more within it would be a change as well.
        let expected = Trailer { sha256, ..trailer };
        if expected.line().map_err(io::Error::from)? != self.line {
            return Err(self.damaged("the checksum does not match: the file was changed"));
        }
        let number = self.number;
        let rest = self.input.fill_buf();
        if rest.map_err(|error| failed(error, number))?.is_empty() {
            return Ok(());
        }
        Err(self.damaged("something follows the end"))
    }

    fn damaged(&self, why: impl Into<String>) -> TransferError {
        TransferError::Damaged {
            line: self.number,
            why: why.into(),
        }
    }
}

/// An error of reading. What a decompressor finds wrong is damage.
fn failed(error: io::Error, line: u64) -> TransferError {
    if matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
    ) {
        let why = format!("what was compressed is damaged or cut off ({error})");
        return TransferError::Damaged { line, why };
    }
    TransferError::Io(error)
}

/// Reads a line with its end, of [`LINE_BYTES_MAX`] at most.
fn read_line(
    input: &mut impl BufRead,
    line: &mut Vec<u8>,
    number: u64,
) -> Result<(), TransferError> {
    let limit = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX);
    input
        .by_ref()
        .take(limit)
        .read_until(b'\n', line)
        .map_err(|error| failed(error, number))?;
    if line.last() == Some(&b'\n') {
        return Ok(());
    }
    let why = if line.len() >= LINE_BYTES_MAX {
        format!("over {LINE_BYTES_MAX} bytes long")
    } else {
        "the file is cut off here".to_owned()
    };
    Err(TransferError::Damaged { line: number, why })
}
