//! What happens by itself: metadata fetched each day by one node, certificates and metadata whose end is told in time.

use std::time::Duration;

use postern::service::connections::{expiry, refresh};
use serde_json::json;

use super::{DAY, Published, app, key, on_both, signed, usual, warnings};
use crate::support::app::{TestApp, text};
use crate::support::publisher::Course;

const HOUR: Duration = Duration::from_hours(1);

async fn refresh_due(app: &TestApp) -> u64 {
    refresh::refresh_due(app.services()).await.expect("refreshed")
}

async fn warn(app: &TestApp) -> u64 {
    expiry::warn(app.services()).await.expect("warned")
}

on_both! {
    async fn each_day_one_node_fetches(app: TestApp) {
        let (old, new) = (key(&app), key(&app));
        let connection = Published::active(&app, &old).await;
        assert_eq!(refresh_due(&app).await, 0, "it was fetched when it was set");
        app.clock.advance(22 * HOUR);
        assert_eq!(refresh_due(&app).await, 0);
        app.clock.advance(3 * HOUR);
        connection.publisher.publish(&usual(&[&old, &new]));
        let nodes = tokio::join!(refresh::refresh_due(app.services()), refresh::refresh_due(app.services()));
        assert_eq!(nodes.0.expect("refreshed") + nodes.1.expect("refreshed"), 1, "two nodes, one fetch");
        assert_eq!(connection.publisher.asked(), 2);
        assert_eq!(connection.events(&app, "certificate_pending").await.len(), 1);
        assert_eq!(refresh_due(&app).await, 0);
        // It fails: tried again in a quarter of an hour, then later and later; told once.
        connection.publisher.take(Course::Closes);
        app.clock.advance(26 * HOUR);
        assert_eq!(refresh_due(&app).await, 1);
        app.clock.advance(HOUR / 5);
        assert_eq!(refresh_due(&app).await, 0);
        for pause in [HOUR / 5, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR, 31 * HOUR, 31 * HOUR] {
            app.clock.advance(pause);
            assert_eq!(refresh_due(&app).await, 1, "{pause:?}");
            assert_eq!(refresh_due(&app).await, 0);
        }
        assert_eq!(connection.events(&app, "metadata_failed").await.len(), 1);
        connection.sign_in(&app, &old).await.expect(303);
        connection.publisher.publish(&usual(&[&old, &new]));
        app.clock.advance(31 * HOUR);
        assert_eq!(refresh_due(&app).await, 1);
        assert_eq!(connection.events(&app, "metadata_recovered").await.len(), 1);
    }

    async fn the_end_of_a_certificate_is_told_four_times(app: TestApp) {
        let first = key(&app);
        let connection = Published::active(&app, &first).await;
        let told = async || {
            let events = connection.events(&app, "certificate_expiring").await;
            events.iter().map(|event| event["data"]["days_left"].clone()).collect::<Vec<_>>()
        };
        // Made for three years.
        app.clock.advance(HOUR * (24 * (3 * 365 - 60) - 1));
        assert_eq!(warn(&app).await, 0);
        for (pause, days) in [(2 * HOUR, 60), (30 * DAY, 30), (23 * DAY, 7), (7 * DAY, 0)] {
            app.clock.advance(pause);
            let nodes = tokio::join!(expiry::warn(app.services()), expiry::warn(app.services()));
            assert_eq!(nodes.0.expect("warned") + nodes.1.expect("warned"), 1, "two nodes, one event: {days}");
            assert_eq!(warn(&app).await, 0);
        }
        assert_eq!(told().await, [60, 30, 7, 0]);
        assert_eq!(warnings(&connection.view(&app).await), ["certificate_expired"]);
        connection.sign_in(&app, &first).await.expect(303);
        // Its successor, and a node that sleeps through two warnings.
        let second = key(&app);
        connection.take(&app, &signed(&usual(&[&first, &second]), &first)).await;
        assert_eq!(warn(&app).await, 0);
        app.clock.advance(DAY * (3 * 365 - 11));
        let etag = app.get(&connection.path).operator().send().await.header("etag").expect("an ETag").to_owned();
        assert_eq!(warn(&app).await, 1);
        assert_eq!(told().await.last(), Some(&json!(11)));
        let again = app.get(&connection.path).operator().send().await;
        assert_eq!(again.header("etag"), Some(&*etag), "a warning changes nothing of the connection");
        // One whose end is near when it comes is told of from the next warning on; one that is off, once it is on.
        let pem = text(&connection.view(&app).await["certificates"][1], "pem").to_owned();
        let body = json!({ "metadata_url": null, "certificates": [pem] });
        app.patch(&connection.path).operator().json(&body).send().await.expect(200);
        assert_eq!(warn(&app).await, 0);
        app.post(&format!("{}/deactivate", connection.path)).operator().send().await.expect(200);
        app.clock.advance(4 * DAY);
        assert_eq!(warn(&app).await, 0);
        app.post(&format!("{}/activate", connection.path)).operator().json(&json!({ "skip_test": true })).send().await.expect(200);
        assert_eq!(warn(&app).await, 1);
        assert_eq!(told().await.last(), Some(&json!(7)));
    }

    async fn metadata_past_its_own_end_warns_and_stops_nothing(app: TestApp) {
        let key = key(&app);
        let connection = Published::active(&app, &key).await;
        let until = |time: &str| usual(&[&key]).replace("ID=\"_m1\"", &format!("ID=\"_m1\" validUntil=\"{time}\""));
        connection.take(&app, &until("2026-11-20T00:00:00Z")).await;
        assert_eq!(warn(&app).await, 0);
        app.clock.advance(2 * DAY);
        let nodes = tokio::join!(expiry::warn(app.services()), expiry::warn(app.services()));
        assert_eq!(nodes.0.expect("warned") + nodes.1.expect("warned"), 1);
        assert_eq!(warn(&app).await, 0);
        assert_eq!(connection.events(&app, "metadata_lapsed").await.len(), 1);
        assert_eq!(warnings(&connection.view(&app).await), ["metadata_lapsed"]);
        connection.sign_in(&app, &key).await.expect(303);
        // What is over is not taken, and newer metadata ends the warning.
        let view = connection.refresh(&app).await;
        assert_eq!(view["metadata"]["error"]["code"], "metadata_expired");
        assert!(warnings(&connection.take(&app, &until("2026-11-25T00:00:00Z")).await).is_empty());
        app.clock.advance(7 * DAY);
        assert_eq!(warn(&app).await, 1, "another end is told of");
    }
}
