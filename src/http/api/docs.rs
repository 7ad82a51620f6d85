//! The documentation page under `/docs`. It weighs three megabytes, script included, so it is made when somebody
//! first asks for it: a gateway whose documentation nobody reads does not keep it in memory.

use crate::http::methods::Methods;
use poem::endpoint::make_sync;
use poem::{Response, Route};
use std::sync::OnceLock;
use tokio_util::bytes::Bytes;

/// The page, to be nested under `/docs`; `public_url` without a slash at the end.
pub fn page(public_url: &str) -> Route {
    let public_url = public_url.to_owned();
    let page: OnceLock<Bytes> = OnceLock::new();
    let show = make_sync(move |_| {
        let page = page.get_or_init(|| super::service(&public_url).scalar_html().into());
        Response::builder().content_type("text/html; charset=utf-8").body(page.clone())
    });
    Route::new().at("/", Methods::new().get(show))
}
