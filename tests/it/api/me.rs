//! The caller as itself: keys, people, and signing out.

use serde_json::json;

use crate::support::app::{on_both, text};
use crate::support::people::{event_kinds, signed_in};

on_both! {
    async fn each_credential_knows_itself(app: TestApp) {
        let org = app.organization("Acme").await;
        let operator = app.get("/api/v1/me").operator().send().await.expect(200).json();
        assert_eq!(text(&operator, "kind"), "operator");
        assert!(operator.get("organization").is_none(), "{operator}");

        let key = app.api_key(&org, &["event:read"]).await;
        let view = app.get("/api/v1/me").bearer(&key).send().await.expect(200).json();
        assert_eq!((text(&view, "kind"), text(&view["organization"], "id")), ("api_key", org.as_str()));
        assert_eq!(view["scopes"], json!(["event:read"]));
        assert!(text(&view, "id").starts_with("key_"));

        let (user, cookie) = signed_in(&app, &org, "jo@acme.test", "admin").await;
        let view = app.get("/api/v1/me").session(&cookie).send().await.expect(200).json();
        assert_eq!((text(&view, "kind"), text(&view, "user_id")), ("user", user.as_str()));
        assert_eq!((text(&view, "email"), text(&view, "role")), ("jo@acme.test", "admin"));
        assert_eq!((text(&view["organization"], "name"), text(&view["signed_in"], "method")), ("Acme", "saml"));
        assert!(view["signed_in"]["expires_at"].is_string(), "{view}");
        app.get("/api/v1/me").send().await.problem(401, "credential_missing");
    }

    async fn signing_out_is_final(app: TestApp) {
        let org = app.organization("Acme").await;
        let (_, cookie) = signed_in(&app, &org, "jo@acme.test", "member").await;
        app.delete("/api/v1/me/session").operator().send().await.problem(403, "session_required");
        app.delete("/api/v1/me/session").header("cookie", &format!("postern_session={cookie}")).send().await.problem(403, "cross_origin");
        let out = app.delete("/api/v1/me/session").session(&cookie).send().await.expect(204);
        assert!(out.header("set-cookie").is_some_and(|set| set.starts_with("postern_session=;") && set.contains("Max-Age=0")), "{out:?}");
        app.get("/api/v1/me").session(&cookie).send().await.problem(401, "credential_invalid");
        assert_eq!(event_kinds(&app, &org).await.iter().filter(|kind| *kind == "session.ended").count(), 1);
    }
}
