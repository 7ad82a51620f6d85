//! The use cases: the rules of the product and the transactions they need. Names neither poem nor sea-orm.

pub mod dns_check;
