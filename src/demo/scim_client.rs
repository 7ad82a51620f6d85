//! A SCIM 2.0 client that pushes people as identity providers do: it looks somebody up by userName and creates only
//! whom it does not find, deactivates by PATCH, and keeps to the pace that the gateway sets.

use futures_util::stream::{self, StreamExt as _};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use super::error::DemoError;
use super::people::Employee;
use super::rest::{Answer, Body, send};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// How many requests are under way at once.
pub const AT_ONCE: usize = 8;

/// A directory as its IdP sees it.
#[derive(Clone)]
pub struct ScimClient {
    client: Client,
    base: String,
    token: String,
}

/// What became of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The resource's id.
    pub id: String,
    /// Whether it was made now.
    pub created: bool,
}

impl ScimClient {
    /// `base` and `token` are what an administrator pastes into the IdP.
    pub fn new(client: &Client, base: &str, token: &str) -> Self {
        Self { client: client.clone(), base: base.to_owned(), token: token.to_owned() }
    }

    /// Looks somebody up and creates who is not there.
    pub async fn push(&self, person: &Employee) -> Result<Pushed, DemoError> {
        if let Some(id) = self.find(&person.email).await? {
            return Ok(Pushed { id, created: false });
        }
        let id = self.create(person).await?;
        Ok(Pushed { id, created: true })
    }

    /// Pushes all of them, several at once; `each` hears of every one that is done.
    pub async fn push_all(
        &self,
        people: &[Employee],
        mut each: impl FnMut(&Pushed) -> Result<(), DemoError>,
    ) -> Result<(), DemoError> {
        let mut pushes = stream::iter(people).map(|person| self.push(person)).buffer_unordered(AT_ONCE);
        while let Some(pushed) = pushes.next().await {
            each(&pushed?)?;
        }
        Ok(())
    }

    /// The id of the resource with this userName.
    pub async fn find(&self, user_name: &str) -> Result<Option<String>, DemoError> {
        let filter = by_user_name(user_name);
        let query =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("filter", &filter).finish();
        let answer = self.call(Method::GET, &format!("/Users?{query}"), None).await?;
        let body = answer.expect(StatusCode::OK)?;
        match body.number("/totalResults")? {
            0 => Ok(None),
            _ => body.text("/Resources/0/id").map(|id| Some(id.to_owned())),
        }
    }

    /// Creates somebody; gives the resource's id.
    pub async fn create(&self, person: &Employee) -> Result<String, DemoError> {
        let body = self.call(Method::POST, "/Users", Some(&resource(person))).await?;
        body.expect(StatusCode::CREATED)?.text("/id").map(str::to_owned)
    }

    /// Sets `active` to false; gives the resource as it is then.
    pub async fn deactivate(&self, id: &str) -> Result<Body, DemoError> {
        let patch = deactivation();
        self.call(Method::PATCH, &format!("/Users/{id}"), Some(&patch)).await?.expect(StatusCode::OK)
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, DemoError> {
        let what = format!("SCIM {method} {path}");
        let url = format!("{}{path}", self.base);
        let mut request = self.client.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request =
                request.header(reqwest::header::CONTENT_TYPE, "application/scim+json").body(body.to_string());
        }
        send(&what, request).await
    }
}

/// The filter for one userName (RFC 7644 section 3.4.2.2: values are written as in JSON).
pub fn by_user_name(user_name: &str) -> String {
    format!("userName eq {}", Value::from(user_name))
}

/// The PATCH that takes somebody's access away.
pub fn deactivation() -> Value {
    json!({
        "schemas": [PATCH],
        "Operations": [{ "op": "replace", "path": "active", "value": false }],
    })
}

fn resource(person: &Employee) -> Value {
    json!({
        "schemas": [USER],
        "userName": person.email,
        "externalId": person.id,
        "name": { "givenName": person.given_name, "familyName": person.family_name },
        "displayName": person.name(),
        "emails": [{ "value": person.email, "type": "work", "primary": true }],
        "active": true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_cannot_break_out_of_its_filter() {
        assert_eq!(by_user_name("ada@acme.test"), r#"userName eq "ada@acme.test""#);
        assert_eq!(by_user_name(r#"a" or userName pr"#), r#"userName eq "a\" or userName pr""#);
    }
}
