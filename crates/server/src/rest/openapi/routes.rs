//! Routes with what the document says of them: none can be added without.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use http::Method;

use super::call::Call;
use crate::rest::RestEdge;

/// One call at its place.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) feature: &'static str,
    pub(super) call: Call,
}

/// The routes of a feature, or of several.
pub(in crate::rest) struct Routes {
    feature: &'static str,
    router: Router<Arc<RestEdge>>,
    pub(super) routes: Vec<Route>,
}

impl Routes {
    /// None yet, of a feature.
    pub(in crate::rest) fn of(feature: &'static str) -> Self {
        Self {
            feature,
            router: Router::new(),
            routes: Vec::new(),
        }
    }

    /// GET, and with it HEAD.
    pub(in crate::rest) fn get<H, T>(self, path: &'static str, handler: H, call: Call) -> Self
    where
        H: Handler<T, Arc<RestEdge>>,
        T: 'static,
    {
        self.add((Method::GET, MethodFilter::GET), path, handler, call)
    }

    /// POST.
    pub(in crate::rest) fn post<H, T>(self, path: &'static str, handler: H, call: Call) -> Self
    where
        H: Handler<T, Arc<RestEdge>>,
        T: 'static,
    {
        self.add((Method::POST, MethodFilter::POST), path, handler, call)
    }

    /// PUT.
    pub(in crate::rest) fn put<H, T>(self, path: &'static str, handler: H, call: Call) -> Self
    where
        H: Handler<T, Arc<RestEdge>>,
        T: 'static,
    {
        self.add((Method::PUT, MethodFilter::PUT), path, handler, call)
    }

    /// PATCH.
    pub(in crate::rest) fn patch<H, T>(self, path: &'static str, handler: H, call: Call) -> Self
    where
        H: Handler<T, Arc<RestEdge>>,
        T: 'static,
    {
        self.add((Method::PATCH, MethodFilter::PATCH), path, handler, call)
    }

    /// DELETE.
    pub(in crate::rest) fn delete<H, T>(self, path: &'static str, handler: H, call: Call) -> Self
    where
        H: Handler<T, Arc<RestEdge>>,
        T: 'static,
    {
        self.add((Method::DELETE, MethodFilter::DELETE), path, handler, call)
    }

    fn add<H, T>(
        mut self,
        (method, filter): (Method, MethodFilter),
        path: &'static str,
        handler: H,
        call: Call,
    ) -> Self
    where
        H: Handler<T, Arc<RestEdge>>,
        T: 'static,
    {
        self.router = self.router.route(path, on(filter, handler));
        self.routes.push(Route {
            method,
            path,
            feature: self.feature,
            call,
        });
        self
    }

    /// These and others.
    pub(in crate::rest) fn merge(mut self, others: Self) -> Self {
        self.router = self.router.merge(others.router);
        self.routes.extend(others.routes);
        self
    }

    /// What answers.
    pub(in crate::rest) fn into_router(self) -> Router<Arc<RestEdge>> {
        self.router
    }
}
