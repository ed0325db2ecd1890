//! Refresh tokens, and where the game keeps them.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

/// The longest token that is read back, in bytes.
const TOKEN_BYTES_MAX: usize = 4_096;

/// What lets a paired game come back without a PIN, for a year (`spec 1.4`). It is a secret: its
/// debug form does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken(String);

impl RefreshToken {
    /// Takes a token that was stored before.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The token itself, to be stored where only the player can read it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(…)")
    }
}

/// Where new tokens go.
///
/// The server gives a new token every time the old one is used, and the old one dies when the new
/// one is first used. So a game that used a token and had not stored it would, after a crash, show up
/// with an older one; the server takes that for theft and ends the pairing (`spec 1.4`). This library
/// never uses a token that [`store`](Self::store) did not accept: where it fails, or where there is
/// no store at all, the last token that is known to be stored is used again, which is allowed.
pub trait TokenStore: Send + Sync + 'static {
    /// Stores a token so that it survives a crash, in place of the one before. It may block.
    fn store(&self, token: &RefreshToken) -> io::Result<()>;
}

impl<F: Fn(&RefreshToken) -> io::Result<()> + Send + Sync + 'static> TokenStore for F {
    fn store(&self, token: &RefreshToken) -> io::Result<()> {
        self(token)
    }
}

/// A token in a file that only its owner can read. It is replaced as a whole or not at all.
#[derive(Clone, Debug)]
pub struct TokenFile(PathBuf);

impl TokenFile {
    /// The file need not exist yet; its folder must.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The token that was stored last, if any. Fails where there is a file that cannot be read or
    /// holds no token.
    pub fn load(&self) -> io::Result<Option<RefreshToken>> {
        match fs::metadata(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
            Ok(found) if found.len() > TOKEN_BYTES_MAX as u64 => {
                let text = "the file is too long to be a refresh token";
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            Ok(_) => {}
        }
        let text = fs::read_to_string(&self.0)?;
        let token = text.trim();
        Ok((!token.is_empty()).then(|| RefreshToken::new(token)))
    }

    /// Forgets the token: after [`Error::PairingNeeded`](crate::Error::PairingNeeded).
    pub fn forget(&self) -> io::Result<()> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl TokenStore for TokenFile {
    fn store(&self, token: &RefreshToken) -> io::Result<()> {
        let mut name = self.0.clone().into_os_string();
        name.push(".new");
        let beside = PathBuf::from(name);
        // What a crash left there may be readable by others.
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let mut file = options.open(&beside)?;
        file.write_all(token.expose().as_bytes())?;
        file.sync_all()?;
        drop(file);
        fs::rename(&beside, &self.0)?;
        #[cfg(unix)]
        if let Some(folder) = self.0.parent() {
            // The new name has to last as well.
            let here = folder.as_os_str().is_empty();
            let folder = if here { ".".as_ref() } else { folder };
            fs::File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_replaced_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::new(folder.path().join("token"));
        assert_eq!(file.load().unwrap(), None);
        file.store(&RefreshToken::new("one")).unwrap();
        file.store(&RefreshToken::new("two")).unwrap();
        assert_eq!(file.load().unwrap(), Some(RefreshToken::new("two")));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        file.forget().unwrap();
        file.forget().unwrap();
        assert_eq!(file.load().unwrap(), None);
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_reads_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let file = TokenFile::new(&path);
        file.store(&RefreshToken::new("one")).unwrap();
        assert_eq!(
            fs::metadata(path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn a_file_that_is_no_token_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "x".repeat(TOKEN_BYTES_MAX + 1)).unwrap();
        assert!(TokenFile::new(&path).load().is_err());
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(TokenFile::new(&path).load().is_err());
        fs::write(&path, "x".repeat(TOKEN_BYTES_MAX)).unwrap();
        assert!(TokenFile::new(&path).load().unwrap().is_some());
        let nowhere = TokenFile::new(folder.path().join("no/folder/token"));
        assert!(nowhere.store(&RefreshToken::new("x")).is_err());
    }

    #[test]
    fn the_debug_form_tells_no_secret() {
        assert_eq!(
            format!("{:?}", RefreshToken::new("hunter2")),
            "RefreshToken(…)"
        );
    }
}
