//! One customer of an installation, set up over REST by the operator's key as its admins would.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use postern::demo::dns::NameServer;
use postern::demo::idp::{DemoIdp, KeyType};
use postern::model::random::SystemRandom;
use postern::model::time::SystemClock;
use serde_json::{Value, json};

use super::http::Connection;
use super::installation::Installation;

/// The domain that everybody here has an address on.
pub const DOMAIN: &str = "bench-customer.com";

/// An organization with a verified domain, a directory, an active SAML connection and an API key.
pub struct Tenant {
    pub address: SocketAddr,
    pub api_key: String,
    pub scim_token: String,
    pub idp: DemoIdp,
}

impl Tenant {
    /// Sets all this up in a serving installation; `names` is the name server that it asks.
    pub async fn set_up(installation: &Installation, names: &NameServer) -> anyhow::Result<Self> {
        let operator = installation.run(&["operator-key", "create", "--name", "bench"])?;
        let address = installation.address;
        let mut connection = Connection::open(address).await?;
        let mut post = async |path: &str, body: Value, expected: u16| {
            connection.json(("POST", path), &operator, Some(&body), expected).await
        };

        let made = post("/api/v1/organizations", json!({ "name": "Bench" }), 201).await?;
        let organization = format!("/api/v1/organizations/{}", text(&made, "id")?);

        let claim = post(&format!("{organization}/domains"), json!({ "name": DOMAIN }), 201).await?;
        let record = &claim["verification"];
        names.set_txt(text(record, "record_name")?, &[text(record, "record_value")?]);
        let domain = text(&claim, "id")?;
        let verified = post(&format!("{organization}/domains/{domain}/verify"), json!({}), 200).await?;
        anyhow::ensure!(verified["verification"]["status"] == "verified", "not verified: {verified}");

        let keys = format!("{organization}/api-keys");
        let key = post(&keys, json!({ "name": "bench", "scopes": ["organization:read"] }), 201).await?;
        let token = post(&format!("{organization}/scim/tokens"), json!({}), 201).await?;

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        let idp = DemoIdp::start(listener, KeyType::Rsa2048, clock, random)?;
        let body = json!({
            "name": "Bench IdP", "type": "generic", "metadata_xml": idp.metadata()?, "domain_ids": [domain],
        });
        let saml = post(&format!("{organization}/saml-connections"), body, 201).await?;
        let activate = format!("{organization}/saml-connections/{}/activate", text(&saml, "id")?);
        post(&activate, json!({ "skip_test": true }), 200).await?;
        idp.add_service(text(&saml, "entity_id")?, text(&saml, "acs_url")?);

        let settings = json!({ "jit_provisioning_enabled": true, "scim_enabled": true });
        let path = format!("{organization}/domains/{domain}");
        connection.json(("PATCH", &path), &operator, Some(&settings), 200).await?;
        Ok(Self {
            address,
            api_key: text(&key, "secret")?.to_owned(),
            scim_token: text(&token, "token")?.to_owned(),
            idp,
        })
    }
}

fn text<'a>(value: &'a Value, name: &str) -> anyhow::Result<&'a str> {
    value[name].as_str().with_context(|| format!("no text {name:?} in {value}"))
}
