//! What HTTP servers and JSON libraries of other people read of a request is what was judged: nginx, `HAProxy`, Node.js, uvicorn
//! and Go, each behind the data plane, with requests that are odd and allowed. And `HAProxy` in front of it.

#![expect(clippy::expect_used, reason = "outside of test functions too, a failed expectation is how these tests fail")]

#[path = "upstreams/framing.rs"]
mod framing;
#[path = "upstreams/front.rs"]
mod front;
#[path = "upstreams/messages.rs"]
mod messages;
#[path = "upstreams/requests.rs"]
mod requests;
#[path = "upstreams/scene.rs"]
mod scene;
