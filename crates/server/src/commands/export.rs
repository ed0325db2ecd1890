//! `export`: everything the store holds, as a file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use crowdlink_store::transfer::{self, Origin};
use crowdlink_store::{Clock, Snapshot, SystemClock};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::print;
use super::progress::Progress;
use crate::app;
use crate::cli::ExportArgs;
use crate::settings::Settings;

/// Written at once, in bytes.
const BUFFER_BYTES: usize = 256 * 1_024;
const WARNING: &str = "This export holds every secret, key and token of the store in the clear: \
     keep it as safe as the store, and delete it once it was imported.\n";

/// Writes everything, as one moment of the store.
pub fn export(settings: &Settings, args: &ExportArgs) -> anyhow::Result<()> {
    let to_output = args.file.as_os_str() == "-";
    anyhow::ensure!(
        !(to_output && io::stdout().is_terminal()),
        "an export holds secrets and is not for a terminal: name a file, or lead it somewhere"
    );
    let end = args.file.extension().and_then(|end| end.to_str());
    anyhow::ensure!(
        end != Some("zst"),
        "zstd is not built in: `crowdlink export - | zstd > FILE.zst`, or name a .gz file"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let store = app::bulk(settings, &clock)?;
        let snapshot = store
            .snapshot()
            .await
            .context("the store cannot be exported")?;
        if !args.quiet {
            // Where nobody reads, there is nobody to warn.
            let _ = io::stderr().write_all(WARNING.as_bytes());
        }
        let records = snapshot.records;
        if to_output {
            let out = write(snapshot, buffered(io::stdout().lock()), &clock, args.quiet).await?;
            return finish(out);
        }
        let part = Part::create(&args.file)?;
        let file = buffered(part.file.try_clone()?);
        if end == Some("gz") {
            let file = GzEncoder::new(file, Compression::default());
            finish(write(snapshot, file, &clock, args.quiet).await?.finish()?)?;
        } else {
            finish(write(snapshot, file, &clock, args.quiet).await?)?;
        }
        part.publish()?;
        if args.quiet {
            return Ok(());
        }
        print(&format!(
            "exported {records} records to {}\n",
            args.file.display()
        ))
    })
}

fn buffered<W: Write>(out: W) -> BufWriter<W> {
    BufWriter::with_capacity(BUFFER_BYTES, out)
}

fn finish<W: Write>(mut out: BufWriter<W>) -> anyhow::Result<()> {
    out.flush().context("the export cannot be written")
}

async fn write<W: Write>(
    snapshot: Snapshot,
    out: W,
    clock: &Arc<dyn Clock>,
    quiet: bool,
) -> anyhow::Result<W> {
    let origin = Origin {
        server_version: env!("CARGO_PKG_VERSION"),
        created_at_ms: clock.now_ms(),
    };
    let mut progress = Progress::of("export", clock, quiet)?;
    let written = transfer::export(snapshot, out, origin, &mut |at| progress.tell(at)).await;
    progress.end();
    written.context("the export cannot be written")
}

/// A file that gets its name when it is whole, and goes away if it never is.
struct Part {
    file: File,
    path: PathBuf,
    to: PathBuf,
    published: bool,
}

impl Part {
    fn create(to: &Path) -> anyhow::Result<Self> {
        anyhow::ensure!(!to.exists(), "{} exists already", to.display());
        let mut name = to.as_os_str().to_owned();
        name.push(".part");
        let path = PathBuf::from(name);
        let file = create_new(&path).with_context(|| {
            format!(
                "cannot make {}; if it is there, another export is under way, or one was broken \
                 off: remove it then",
                path.display()
            )
        })?;
        Ok(Self {
            file,
            path,
            to: to.to_owned(),
            published: false,
        })
    }

    fn publish(mut self) -> anyhow::Result<()> {
        self.file.sync_all()?;
        // Taking the name first refuses atomically, also where the file system has no hard links.
        create_new(&self.to).with_context(|| format!("cannot make {}", self.to.display()))?;
        if let Err(error) = fs::rename(&self.path, &self.to) {
            let _ = fs::remove_file(&self.to);
            return Err(error).with_context(|| format!("cannot make {}", self.to.display()));
        }
        self.published = true;
        #[cfg(unix)]
        {
            let parent = self.to.parent().filter(|path| *path != Path::new(""));
            File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.published {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A new file, open to its owner alone.
fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
