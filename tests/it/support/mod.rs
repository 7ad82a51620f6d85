//! What the tests stand on: databases, real peers, a browser-like client. What needs something that is not
//! installed fails and says what to install; nothing is skipped.

pub mod app;
pub mod browser;
pub mod chromium;
pub mod database;
pub mod html;
pub mod https;
pub mod leash;
pub mod people;
pub mod postgres;
pub mod publisher;
pub mod pysaml2;
pub mod python;
pub mod readers;
pub mod scratch;
pub mod simplesamlphp;
