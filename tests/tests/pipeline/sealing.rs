//! What the operator and Prometheus are told of a listener beside the data plane.

use std::net::TcpListener;
use std::time::Duration;
use tollward_policy::config::Role;
use tollward_policy::report::{Seal, SealingReport};
use tollward_tests::deadline::eventually_within;
use tollward_tests::issuer::Health;
use tollward_tests::operator::Operator;
use tollward_tests::world::World;

/// A few looks of the data plane.
const LIMIT: Duration = Duration::from_secs(20);

async fn sealing(operator: &Operator, world: &World) -> Option<SealingReport> {
    operator.report(&world.sidecar).await.sealing
}

#[tokio::test]
async fn a_port_that_is_opened_later_is_reported_and_so_is_its_end() {
    let operator = Operator::default();
    let world = World::cold(Health::Good, |config, file| operator.listen(&mut config.process, file)).await;
    world.sidecar.ready().await;
    let open = TcpListener::bind("0.0.0.0:0").expect("a port");
    let port = open.local_addr().expect("it is bound").port();
    // Others of this machine may be open too, and more than a report holds: those that are told begin with the lowest.
    let told = async || sealing(&operator, &world).await.expect("it looks");
    let names = |report: &SealingReport| report.more > 0 || report.listeners.iter().any(|it| it.port == port);
    eventually_within(LIMIT, "the port is reported", async || {
        let report = told().await;
        report.seal() == Seal::Open && names(&report)
    })
    .await;
    let metrics = world.sidecar.metrics();
    assert!(metrics.lines().any(|line| line.starts_with("tollward_sealed") && line.ends_with(" 0")), "{metrics}");
    let own = [world.sidecar.public.port(), world.sidecar.observe.port()];
    assert!(told().await.listeners.iter().all(|it| !own.contains(&it.port)), "its own ports are no strangers");
    drop(open);
    eventually_within(LIMIT, "the port is gone from the report", async || {
        !told().await.listeners.iter().any(|it| it.port == port)
    })
    .await;
    world.end();
}

#[tokio::test]
async fn a_relay_has_no_server_in_its_pod_and_reports_nothing_of_it() {
    let operator = Operator::default();
    let world = World::cold(Health::Good, |config, file| {
        operator.listen(&mut config.process, file);
        config.process.role = Role::Relay;
    })
    .await;
    world.sidecar.ready().await;
    assert_eq!(sealing(&operator, &world).await, None);
    world.end();
}
