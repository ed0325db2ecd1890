//! How far an export or import is, on standard error.

use std::fmt;
use std::io::{self, IsTerminal as _, Write};
use std::sync::Arc;

use crowdlink_store::Clock;
use crowdlink_store::transfer;
use indicatif::{ProgressBar, ProgressStyle};

/// How often it is told where no bar can be drawn, in ms.
const LINE_EVERY_MS: u64 = 10_000;
const BAR: &str = "{msg} {wide_bar} {human_pos} of {human_len} records, {per_sec}, {eta} left";

/// A bar on a terminal, lines elsewhere, nothing where nobody wants it.
pub(super) struct Progress {
    doing: &'static str,
    way: Way,
    clock: Arc<dyn Clock>,
    told_ms: u64,
}

enum Way {
    Quiet,
    Bar(ProgressBar),
    Lines(Box<dyn Write>),
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress")
            .field("doing", &self.doing)
            .finish_non_exhaustive()
    }
}

impl Progress {
    /// For what is being done, in one word.
    pub(super) fn of(
        doing: &'static str,
        clock: &Arc<dyn Clock>,
        quiet: bool,
    ) -> anyhow::Result<Self> {
        let way = if quiet {
            Way::Quiet
        } else if io::stderr().is_terminal() {
            let style = ProgressStyle::with_template(BAR)?;
            Way::Bar(ProgressBar::new(0).with_style(style).with_message(doing))
        } else {
            Way::Lines(Box::new(io::stderr()))
        };
        Ok(Self::by(way, doing, clock))
    }

    fn by(way: Way, doing: &'static str, clock: &Arc<dyn Clock>) -> Self {
        Self {
            doing,
            way,
            told_ms: clock.monotonic_ms(),
            clock: Arc::clone(clock),
        }
    }

    /// Tells it if it is time to.
    pub(super) fn tell(&mut self, at: transfer::Progress) {
        match &mut self.way {
            Way::Quiet => {}
            Way::Bar(bar) => {
                bar.set_length(at.total);
                bar.set_position(at.records);
            }
            Way::Lines(out) => {
                let now_ms = self.clock.monotonic_ms();
                if now_ms.saturating_sub(self.told_ms) >= LINE_EVERY_MS {
                    self.told_ms = now_ms;
                    let transfer::Progress { records, total } = at;
                    // Where nobody reads, there is nobody to tell.
                    let _ = writeln!(out, "{}: {records} of {total} records", self.doing);
                }
            }
        }
    }

    /// Takes the bar away.
    pub(super) fn end(self) {
        if let Way::Bar(bar) = self.way {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use crowdlink_store::ManualClock;

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn without_a_terminal_a_line_comes_every_ten_seconds() {
        let manual = ManualClock::new(0);
        let clock: Arc<dyn Clock> = manual.clone();
        let out = Shared::default();
        let mut progress = Progress::by(Way::Lines(Box::new(out.clone())), "export", &clock);
        for records in 1..=25 {
            manual.advance_ms(999);
            progress.tell(transfer::Progress { records, total: 30 });
        }
        let told = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        assert_eq!(told, "export: 11 of 30 records\nexport: 22 of 30 records\n");
    }
}
