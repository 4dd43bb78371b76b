//! A data plane in front of a server that says what it reads.

use tollward_policy::operation::Era;
use tollward_tests::client::Wire;
use tollward_tests::mcp::Call;
use tollward_tests::real::reader::{Kind, Read, Reader};
use tollward_tests::upstream::UPSTREAM_PATH;
use tollward_tests::world::World;

/// Headers that a server behind the data plane may see.
const SEEN: &[&str] = &[
    "accept",
    "accept-encoding",
    "content-length",
    "content-type",
    "host",
    "mcp-method",
    "mcp-name",
    "mcp-param-sku",
    "mcp-protocol-version",
    "mcp-session-id",
    "traceparent",
    "tracestate",
    "user-agent",
];

pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) reader: Reader,
    kind: Kind,
}

impl Scene {
    pub(crate) async fn start(kind: Kind) -> Self {
        let reader = Reader::start(kind).await;
        let world = World::with(|config| {
            let route = config.routes.first_mut().expect("one route");
            route.upstream.url = reader.url().parse().expect("the reader's URL");
        })
        .await;
        Self { world, reader, kind }
    }

    /// Sends a call that passes, and compares what the server read with it.
    pub(crate) async fn read_alike(&self, wire: Wire, call: &Call) {
        let what = format!("{:?} {wire:?} {call:?}", self.kind);
        let records = self.world.sidecar.records.count();
        let reply = self.world.send(wire, call).await;
        assert!(reply.status.is_success(), "{what}\n{} {}", reply.status, reply.text());
        let record = self.world.sidecar.records.wait_for(records + 1).await;
        assert!(record.decision.allowed, "{what}\n{record:#?}");
        let read = self.only();
        assert_eq!((read.method.as_str(), read.target.as_str()), (call.method.as_str(), UPSTREAM_PATH), "{what}");
        assert_eq!(read.body, call.body, "{what}");
        self.check_headers(&read, &what);
        for name in ["content-type", "mcp-method", "mcp-name", "mcp-param-sku", "mcp-protocol-version"] {
            let sent: Vec<_> = call.headers.get_all(name).iter().map(http::HeaderValue::as_bytes).collect();
            let got: Vec<_> = read.header(name).into_iter().map(latin1).collect();
            assert_eq!(got, sent, "{what}: {name}");
        }
    }

    /// The one request that the server read since it was asked last.
    pub(crate) fn only(&self) -> Read {
        self.reader.read(1).pop().expect("one request")
    }

    /// What holds of the headers of every request.
    pub(crate) fn check_headers(&self, read: &Read, what: &str) {
        for (name, _) in &read.headers {
            assert!(SEEN.contains(&name.as_str()), "{what}: {name} reached the server");
            assert_eq!(read.header(name).len(), 1, "{what}: {name} is there once");
        }
        assert_eq!(read.header("host"), [self.reader.authority()], "{what}");
        // Of Go's readers none sees it: there it is no header.
        for length in read.header("content-length") {
            assert_eq!(length, read.body.len().to_string(), "{what}");
        }
    }

    /// Ends a test: behind everything that was sent, the server reads one more request, and that alone.
    pub(crate) async fn end(self) {
        let last = Call::tool(Era::Modern, "get_product").token(&self.world.token());
        self.read_alike(Wire::Http1, &last).await;
        self.world.end();
    }
}

/// Header values as the bytes they were: every reader shows them as Latin-1.
fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|letter| u8::try_from(u32::from(letter)).expect("Latin-1")).collect()
}
