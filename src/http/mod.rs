//! The HTTP side: listeners, the guard against slow clients, middleware, payloads and error dresses.
//!
//! Nothing below knows a noun of the product; the route tree that joins the surfaces is assembled on top
//! of these parts. Order of the layers, outermost first: guard (`server`), request id and client address,
//! trace, metrics, then per surface: security headers, rate-limit headers, error dress with panic guard,
//! time-out, body limit, same-origin check.

pub mod extract;
pub mod guard;
pub mod health;
pub mod limits;
pub mod methods;
pub mod middleware;
pub mod payload;
pub mod same_origin;
pub mod server;
pub mod tls;
