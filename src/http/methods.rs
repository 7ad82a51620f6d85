//! A route's methods, for routes made by hand: as poem's, but a 405 names the methods taken.

use std::sync::Arc;

use poem::{
    Endpoint, IntoEndpoint, Request, Response, Result, RouteMethod,
    http::{HeaderValue, Method},
};

use super::payload::framework::method_not_allowed;

/// Collects the endpoints of one route by method.
#[derive(Default)]
pub struct Methods {
    route: RouteMethod,
    taken: Vec<Method>,
}

impl Methods {
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn on<E>(mut self, method: Method, endpoint: E) -> Self
    where
        E: IntoEndpoint,
        E::Endpoint: 'static,
    {
        // GET answers HEAD as well.
        if method == Method::GET {
            self.taken.push(Method::HEAD);
        }
        self.taken.push(method.clone());
        self.route = self.route.method(method, endpoint);
        self
    }

    #[must_use]
    pub fn get<E>(self, endpoint: E) -> Self
    where
        E: IntoEndpoint,
        E::Endpoint: 'static,
    {
        self.on(Method::GET, endpoint)
    }

    #[must_use]
    pub fn post<E>(self, endpoint: E) -> Self
    where
        E: IntoEndpoint,
        E::Endpoint: 'static,
    {
        self.on(Method::POST, endpoint)
    }

    #[must_use]
    pub fn put<E>(self, endpoint: E) -> Self
    where
        E: IntoEndpoint,
        E::Endpoint: 'static,
    {
        self.on(Method::PUT, endpoint)
    }

    #[must_use]
    pub fn patch<E>(self, endpoint: E) -> Self
    where
        E: IntoEndpoint,
        E::Endpoint: 'static,
    {
        self.on(Method::PATCH, endpoint)
    }

    #[must_use]
    pub fn delete<E>(self, endpoint: E) -> Self
    where
        E: IntoEndpoint,
        E::Endpoint: 'static,
    {
        self.on(Method::DELETE, endpoint)
    }
}

impl IntoEndpoint for Methods {
    type Endpoint = MethodsEndpoint;

    fn into_endpoint(self) -> MethodsEndpoint {
        let names: Vec<&str> = self.taken.iter().map(Method::as_str).collect();
        let allow = HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static(""));
        MethodsEndpoint(Arc::new((self.route, self.taken, allow)))
    }
}

/// See [`Methods`].
pub struct MethodsEndpoint(Arc<(RouteMethod, Vec<Method>, HeaderValue)>);

impl Endpoint for MethodsEndpoint {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let (route, taken, allow) = &*self.0;
        if taken.contains(request.method()) {
            route.call(request).await
        } else {
            Err(method_not_allowed(Some(allow)).into())
        }
    }
}
