//! A polite no to callers for whom there is no file descriptor left.

use std::sync::Arc;

use crowdlink_store::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Most refusals at a time: each holds a descriptor of the reserve, which has at least 16.
const REFUSALS_MAX: usize = 12;
/// Longest time for one refusal.
const REFUSAL_MS_MAX: u64 = 1_000;
/// Most that is read from a caller who is refused, in bytes.
const READ_BYTES_MAX: u64 = 64 * 1024;

const BODY: &str =
    r#"{"reason":"Server is full","info":"too many connections; try again later","status":503}"#;

#[derive(Clone, Debug)]
pub(super) struct Refusals {
    places: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
}

impl Refusals {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            places: Arc::new(Semaphore::new(REFUSALS_MAX)),
            clock,
        }
    }

    /// Answers 503 and closes. Where too many are being refused already, only closes.
    pub(super) fn refuse(&self, stream: TcpStream) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return;
        };
        let deadline = self.clock.sleep_ms(REFUSAL_MS_MAX);
        tokio::spawn(async move {
            let _place = place;
            tokio::select! {
                _ = answer(stream) => {}
                () = deadline => {}
            }
        });
    }
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let response = format!(
        "HTTP/1.1 503 Service Unavailable\r\n\
         content-type: application/json\r\n\
         content-length: {}\r\n\
         access-control-allow-origin: *\r\n\
         retry-after: 5\r\n\
         connection: close\r\n\r\n{BODY}",
        BODY.len()
    );
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await?;
    // Closing with unread input would reset the connection and take the answer with it.
    let mut rest = stream.take(READ_BYTES_MAX);
    tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
    Ok(())
}
