//! Sessions of the legacy era with several replicas: the state of one is in the pod where it began.

use serde_json::json;
use tollward_policy::operation::Era;
use tollward_tests::client::Wire;
use tollward_tests::cluster::{SERVER, Tenant, bearing};
use tollward_tests::mcp::Call;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_works_where_it_began_and_elsewhere_the_client_is_told_to_begin_anew() {
    let tenant = Tenant::new("e2e-sessions").await;
    tenant.serve(&tenant.catalog().replicas(2)).await;
    let doors = tenant.doors(SERVER).await;
    let token = doors[0].token().mint();
    for (number, home) in doors.iter().enumerate() {
        let begun = home.send(Wire::Http1, bearing(Call::initialize(), &token)).await;
        let id = begun.header("mcp-session-id").to_owned();
        assert!(begun.status == 200 && !id.is_empty(), "{} {}", begun.status, begun.text());
        for (other, door) in doors.iter().enumerate() {
            let params = json!({"name": "get_product", "arguments": {"sku": "TEA-001"}});
            let call = bearing(Call::rpc(Era::Legacy, "tools/call", params), &token).session(&id);
            let reply = door.send(Wire::Http1, call).await;
            // The specification makes a client that gets 404 initialize again. Another pod may as well serve the session,
            // but it must not make something up.
            let works = reply.status == 200 && reply.text().contains("Assam Breakfast");
            assert!(works || other != number && reply.status == 404, "{} {}", reply.status, reply.text());
        }
    }
    tenant.end().await;
}
