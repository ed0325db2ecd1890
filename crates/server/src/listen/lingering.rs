//! A request's body, taken off the connection also where nobody reads it to its end.
//!
//! A caller that is refused early is often still sending. Closing on it resets the connection, and
//! the refusal is lost before it is read; so what is left is read and thrown away, up to a bound.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::HttpBody;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};

/// Most bytes of a body that are thrown away. Who sends more is cut off.
const THROWN_AWAY_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What may be left of a body.
#[derive(Debug)]
pub(super) struct Lingering<B>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
{
    /// Gone once it is being thrown away.
    body: Option<B>,
    /// Whether the caller sends it without being asked to.
    is_coming: bool,
}

impl<B> Lingering<B>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
{
    /// Of a body whose caller waits for `100 Continue` before it sends, or does not.
    pub(super) fn new(body: B, expects_continue: bool) -> Self {
        Self {
            body: Some(body),
            is_coming: !expects_continue,
        }
    }
}

impl<B> HttpBody for Lingering<B>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.is_coming = true;
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = Pin::new(&mut *body).poll_frame(context);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl<B> Drop for Lingering<B>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
{
    fn drop(&mut self) {
        let Some(body) = self.body.take() else { return };
        let left = body.size_hint().lower();
        let is_worth_it = self.is_coming && !body.is_end_stream() && left <= THROWN_AWAY_BYTES_MAX;
        // Dropped at the end of the program, there is nobody left to read.
        if is_worth_it && let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(throw_away(body));
        }
    }
}

/// Ends with the body, its deadline, its connection, or at the bound.
async fn throw_away<B>(mut body: B)
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let mut thrown_away = 0;
    while thrown_away <= THROWN_AWAY_BYTES_MAX {
        let Some(Ok(frame)) = body.frame().await else {
            return;
        };
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        thrown_away = thrown_away.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}
