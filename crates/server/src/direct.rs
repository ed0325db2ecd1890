//! Calls that are asked most, answered without the router.
//!
//! A router pays for what most calls do not need: layers that are boxed and cloned for each
//! request, extensions, spans. Here stand the same handlers, found by method and path; what
//! surrounds them is the same, too: the finish of the edge, the id, the line, the figures. Whatever
//! is not found here, the router answers. `docs/performance.md` tells what this is worth.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::Context;

use axum::extract::Request;
use axum::handler::Handler;
use axum::response::Response;
use http::{Method, StatusCode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use tracing::Level;

use crate::access::{self, Access, RequestId, known_method};
use crate::listen::Peer;
use crate::ops::Stopwatch;

type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;
type Answer = Box<dyn Fn(Request, Peer) -> Answering + Send + Sync>;
/// What an edge does to every response of its handlers.
pub(crate) type Finish = fn(Response, Option<RequestId>) -> Response;

/// A call that an edge wants answered directly.
pub(crate) struct DirectCall {
    method: Method,
    path: &'static str,
    answer: Answer,
}

impl DirectCall {
    /// A handler that the router has at the same method and path. It must not ask for
    /// extensions of the request.
    pub(crate) fn new<H, T, S>(method: Method, path: &'static str, handler: H, state: &S) -> Self
    where
        H: Handler<T, S, Future = Answering> + Sync,
        T: 'static,
        S: Clone + Send + Sync + 'static,
    {
        let state = state.clone();
        Self {
            method,
            path,
            answer: Box::new(move |request, _| handler.clone().call(request, state.clone())),
        }
    }

    /// The same for a handler that asks for the [`Peer`].
    pub(crate) fn of_peer<H, T, S>(
        method: Method,
        path: &'static str,
        handler: H,
        state: &S,
    ) -> Self
    where
        H: Handler<T, S, Future = Answering> + Sync,
        T: 'static,
        S: Clone + Send + Sync + 'static,
    {
        let Self { answer, .. } = Self::new(method.clone(), path, handler, state);
        Self {
            method,
            path,
            answer: Box::new(move |mut request, peer| {
                request.extensions_mut().insert(peer);
                answer(request, peer)
            }),
        }
    }
}

/// The calls of an edge that go past its router. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Direct(Arc<HashMap<&'static str, Vec<Arc<Route>>>>);

impl Direct {
    /// These calls, each finished and watched like those of the router.
    pub(crate) fn new(calls: Vec<DirectCall>, finish: Finish, access: &Access) -> Self {
        let mut routes: HashMap<_, Vec<_>> = HashMap::new();
        for DirectCall {
            method,
            path,
            answer,
        } in calls
        {
            let figures = Figures {
                access: access.clone(),
                method: known_method(&method),
                path,
                counters: [StatusCode::OK, StatusCode::NOT_MODIFIED]
                    .map(|status| (status, OnceLock::new())),
                seconds: OnceLock::new(),
            };
            let route = Route {
                method,
                answer,
                finish,
                figures,
            };
            routes.entry(path).or_default().push(Arc::new(route));
        }
        Self(Arc::new(routes))
    }

    /// The route of a request, where it has one.
    pub(crate) fn find<B>(&self, request: &Request<B>) -> Option<Arc<Route>> {
        let mut routes = self.0.get(request.uri().path())?.iter();
        routes
            .find(|route| route.method == *request.method())
            .cloned()
    }
}

/// One call.
pub(crate) struct Route {
    method: Method,
    answer: Answer,
    finish: Finish,
    figures: Figures,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("figures", &self.figures)
            .finish_non_exhaustive()
    }
}

impl Route {
    /// Answers a request.
    pub(crate) async fn answer(
        self: Arc<Self>,
        request: Request,
        peer: Peer,
    ) -> Result<Response, Infallible> {
        let watch = Stopwatch::start();
        let id = self.figures.access.next_id();
        let response = in_span(id, (self.answer)(request, peer)).await;
        let mut response = (self.finish)(response, Some(id));
        id.mark(response.headers_mut());
        self.figures.tell(id, response.status(), watch.seconds());
        Ok(response)
    }
}

/// Runs an answer in the span of its request. The span costs more than most answers, so one that
/// need not wait for anything has it only where lines of level debug are written; such an answer
/// writes none above.
async fn in_span(id: RequestId, mut answering: Answering) -> Response {
    let mut span = tracing::enabled!(Level::DEBUG).then(|| access::span(id));
    let polled = |cx: &mut Context<'_>| {
        if let Some(span) = &span {
            return span.in_scope(|| answering.as_mut().poll(cx));
        }
        let polled = answering.as_mut().poll(cx);
        if polled.is_pending() {
            span = Some(access::span(id));
        }
        polled
    };
    poll_fn(polled).await
}

/// What is counted of a route: looked up by its labels once.
#[derive(Debug)]
struct Figures {
    access: Access,
    method: &'static str,
    path: &'static str,
    /// Of the usual outcomes.
    counters: [(StatusCode, OnceLock<Counter>); 2],
    seconds: OnceLock<Histogram>,
}

impl Figures {
    fn tell(&self, id: RequestId, status: StatusCode, seconds: f64) {
        let (access, method, path) = (&self.access, self.method, self.path);
        if Access::is_logged(status) {
            access::span(id).in_scope(|| access.log(method, path, status, seconds));
        }
        let counter = || {
            let labels = access.labels(method, path, status);
            access.metrics().requests.get_or_create_owned(&labels)
        };
        match self.counters.iter().find(|(usual, _)| *usual == status) {
            Some((_, kept)) => kept.get_or_init(counter).inc(),
            None => counter().inc(),
        };
        let histogram = || {
            let labels = access.route_labels(path);
            access.metrics().seconds.get_or_create_owned(&labels)
        };
        self.seconds.get_or_init(histogram).observe(seconds);
    }
}
