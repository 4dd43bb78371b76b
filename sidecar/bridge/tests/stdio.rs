//! The bridge over its socket, with real processes behind it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "outside of test functions too, a failed expectation is how these tests fail"
)]

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tollward_bridge::{Bridge, Door, Launch, SessionMode, Settings, serve};

const DEADLINE: Duration = Duration::from_secs(20);

struct Scene {
    socket: PathBuf,
    log: Arc<Mutex<Vec<String>>>,
    _folder: TempDir,
    ending: Option<oneshot::Sender<()>>,
    served: tokio::task::JoinHandle<()>,
}

struct Answer {
    status: StatusCode,
    session: Option<String>,
    retry_after: bool,
    media: String,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    fn said(&self) -> String {
        self.json()["result"]["content"][0]["text"]
            .as_str()
            .unwrap_or_else(|| panic!("no text: {}", self.text))
            .to_owned()
    }
}

impl Scene {
    fn start(mode: SessionMode, most: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("mcp.sock");
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let lines = log.clone();
        let bridge = Bridge::new(Settings {
            launch: Launch {
                program: "sh".into(),
                arguments: vec![concat!(env!("CARGO_MANIFEST_DIR"), "/tests/server.sh").into()],
                max_message_bytes: 64 * 1024,
            },
            mode,
            max_processes: most,
            idle: Duration::from_mins(5),
            adopts: false,
            log: Arc::new(move |line| lines.lock().unwrap().push(line.to_owned())),
        });
        let door = Door::bind(&socket, None).unwrap();
        let (ending, ended) = oneshot::channel();
        let served = tokio::spawn(serve(door, bridge.unwrap(), async move { drop(ended.await) }));
        Self { socket, log, _folder: folder, ending: Some(ending), served }
    }

    async fn send(&self, method: Method, session: Option<&str>, body: String) -> Answer {
        tokio::time::timeout(DEADLINE, read(request(&self.socket, method, session, body).await)).await.unwrap()
    }

    async fn post(&self, session: Option<&str>, message: &Value) -> Answer {
        self.send(Method::POST, session, message.to_string()).await
    }

    async fn begin(&self) -> String {
        let answer = self.post(None, &initialize()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let session = answer.session.unwrap();
        let told = self.post(Some(&session), &json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        assert_eq!(told.status, StatusCode::ACCEPTED);
        session
    }

    async fn end(mut self) {
        self.ending.take().unwrap().send(()).unwrap();
        tokio::time::timeout(DEADLINE, self.served).await.unwrap().unwrap();
    }
}

async fn request(socket: &Path, method: Method, session: Option<&str>, body: String) -> http::Response<Incoming> {
    let stream = UnixStream::connect(socket).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri("/mcp").header("host", "localhost");
    if let Some(session) = session {
        request = request.header("mcp-session-id", session);
    }
    sender.send_request(request.body(Full::new(Bytes::from(body))).unwrap()).await.unwrap()
}

async fn read(response: http::Response<Incoming>) -> Answer {
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (session, media) = (header("mcp-session-id"), header("content-type").unwrap_or_default());
    let (status, retry_after) = (response.status(), header("retry-after").is_some());
    let text = String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Answer { status, session, retry_after, media, text }
}

fn initialize() -> Value {
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}})
}

fn call(id: u64, tool: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": {}}})
}

async fn gone(pid: &str) {
    let (path, deadline) = (format!("/proc/{pid}/stat"), Instant::now() + DEADLINE);
    loop {
        // A zombie of an orphan is the test's to collect, or init's.
        match std::fs::read_to_string(&path) {
            Err(_) => return,
            Ok(stat) if stat.contains(") Z ") => return,
            Ok(_) => assert!(Instant::now() < deadline, "process {pid} still runs"),
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn each_session_has_a_process_of_its_own() {
    let scene = Scene::start(SessionMode::PerSession, 8);
    let (first, second) = (scene.begin().await, scene.begin().await);
    assert!(first.len() == 64 && first != second);
    let pids = [
        scene.post(Some(&first), &call(1, "pid")).await.said(),
        scene.post(Some(&second), &call(1, "pid")).await.said(),
    ];
    assert_ne!(pids[0], pids[1]);
    assert_eq!(scene.post(Some(&first), &call(2, "pid")).await.said(), pids[0]);
    scene.end().await;
    for pid in &pids {
        gone(pid).await;
    }
}

#[tokio::test]
async fn a_call_without_a_session_or_with_a_foreign_one_reaches_no_process() {
    let scene = Scene::start(SessionMode::PerSession, 8);
    assert_eq!(scene.post(None, &call(1, "pid")).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(scene.post(Some("made-up"), &call(1, "pid")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(scene.send(Method::GET, Some("made-up"), String::new()).await.status, StatusCode::NOT_FOUND);
    assert_eq!(scene.send(Method::DELETE, Some("made-up"), String::new()).await.status, StatusCode::NOT_FOUND);
    assert_eq!(scene.send(Method::PUT, None, String::new()).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(scene.send(Method::POST, None, "[]".to_owned()).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(scene.send(Method::POST, None, " ".repeat(70_000)).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    scene.end().await;
}

#[tokio::test]
async fn a_process_that_dies_answers_who_waits_at_once_and_its_session_is_gone() {
    let scene = Scene::start(SessionMode::PerSession, 8);
    let session = scene.begin().await;
    let (waiting, crash) = (call(1, "silent"), call(2, "crash"));
    let (waiting, crashed) = tokio::join!(scene.post(Some(&session), &waiting), scene.post(Some(&session), &crash));
    for (answer, id) in [(waiting, 1), (crashed, 2)] {
        assert_eq!((answer.json()["id"].clone(), answer.json()["error"]["code"].clone()), (json!(id), json!(502)));
    }
    let deadline = Instant::now() + DEADLINE;
    while scene.post(Some(&session), &call(3, "pid")).await.status != StatusCode::NOT_FOUND {
        assert!(Instant::now() < deadline, "the session outlives its process");
    }
    // Whoever begins anew is served.
    let session = scene.begin().await;
    scene.post(Some(&session), &call(1, "pid")).await.said();
    scene.end().await;
}

#[tokio::test]
async fn the_end_of_a_session_is_the_end_of_all_that_its_process_started() {
    let scene = Scene::start(SessionMode::PerSession, 8);
    let session = scene.begin().await;
    let pid = scene.post(Some(&session), &call(1, "pid")).await.said();
    let grandchild = scene.post(Some(&session), &call(2, "spawn")).await.said();
    assert!(Path::new(&format!("/proc/{grandchild}")).exists());
    assert_eq!(scene.send(Method::DELETE, Some(&session), String::new()).await.status, StatusCode::OK);
    gone(&pid).await;
    gone(&grandchild).await;
    assert_eq!(scene.post(Some(&session), &call(3, "pid")).await.status, StatusCode::NOT_FOUND);
    scene.end().await;
}

#[tokio::test]
async fn what_is_said_before_the_answer_makes_a_stream() {
    let scene = Scene::start(SessionMode::PerSession, 8);
    let session = scene.begin().await;
    let mut asked = call(7, "progress");
    asked["params"]["_meta"] = json!({"progressToken": "mine"});
    let answer = scene.post(Some(&session), &asked).await;
    assert_eq!(answer.media, "text/event-stream");
    let events: Vec<Value> = answer
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    assert_eq!(events[0]["params"]["progressToken"], "mine");
    assert_eq!((events[1]["id"].clone(), events.len()), (json!(7), 2));
    scene.end().await;
}

#[tokio::test]
async fn the_server_asks_the_client_over_its_stream_and_gets_the_answer() {
    let scene = Scene::start(SessionMode::PerSession, 8);
    let session = scene.begin().await;
    let mut stream = request(&scene.socket, Method::GET, Some(&session), String::new()).await.into_body();
    let ask = call(1, "ask");
    let client = async {
        let frame = tokio::time::timeout(DEADLINE, stream.frame()).await.unwrap().unwrap().unwrap();
        let text = String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap();
        assert!(text.contains("roots/list"), "{text}");
        let answer = json!({"jsonrpc": "2.0", "id": "q", "result": {"roots": []}});
        assert_eq!(scene.post(Some(&session), &answer).await.status, StatusCode::ACCEPTED);
    };
    let (answer, ()) = tokio::join!(scene.post(Some(&session), &ask), client);
    assert_eq!(answer.said(), "answered");
    scene.end().await;
}

#[tokio::test]
async fn clients_of_a_shared_process_get_their_own_answers_whatever_their_ids() {
    let scene = Scene::start(SessionMode::Shared, 8);
    let greeted = scene.post(None, &initialize()).await;
    assert_eq!((greeted.session.clone(), greeted.json_of("serverInfo")), (None, json!({"name": "sh", "version": "1"})));
    let (first, release) = (call(1, "hold"), call(1, "release"));
    let held = scene.post(None, &first);
    let released = async {
        // `hold` is read first: both go to the same pipe, and this one waits until the other is on its way.
        scene.post(None, &call(1, "pid")).await.said();
        scene.post(None, &release).await
    };
    let (held, released) = tokio::join!(held, released);
    assert_eq!((held.said(), held.json()["id"].clone()), ("first".to_owned(), json!(1)));
    assert_eq!((released.said(), released.json()["id"].clone()), ("second".to_owned(), json!(1)));
    let mut asked = call(1, "progress");
    asked["params"]["_meta"] = json!({"progressToken": "mine"});
    assert!(scene.post(None, &asked).await.text.contains("\"progressToken\":\"mine\""));
    // Nobody in particular can be asked.
    assert_eq!(scene.post(None, &call(9, "ask")).await.said(), "refused");
    assert_eq!(scene.send(Method::GET, None, String::new()).await.status, StatusCode::METHOD_NOT_ALLOWED);
    scene.end().await;
}

impl Answer {
    fn json_of(&self, member: &str) -> Value {
        self.json()["result"][member].clone()
    }
}

#[tokio::test]
async fn a_shared_process_that_died_is_started_again_after_a_while() {
    let scene = Scene::start(SessionMode::Shared, 8);
    let pid = scene.post(None, &call(1, "pid")).await.said();
    assert_eq!(scene.post(None, &call(2, "crash")).await.json()["error"]["code"], 502);
    let (deadline, mut refused) = (Instant::now() + DEADLINE, 0);
    let again = loop {
        let answer = scene.post(None, &call(3, "pid")).await;
        if answer.status == StatusCode::OK && answer.json()["error"].is_null() {
            break answer.said();
        }
        if answer.status == StatusCode::SERVICE_UNAVAILABLE {
            assert!(answer.retry_after);
            refused += 1;
        }
        assert!(Instant::now() < deadline, "it never came back: {}", answer.text);
    };
    assert_ne!(again, pid);
    assert!(refused > 0, "the start did not wait");
    scene.end().await;
}

#[tokio::test]
async fn a_client_of_the_stateless_revision_is_told_that_the_server_is_older() {
    let scene = Scene::start(SessionMode::PerSession, 8);
    let mut asked = call(4, "pid");
    asked["params"]["_meta"] = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
    let answer = scene.post(None, &asked).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].clone()), (StatusCode::BAD_REQUEST, json!(-32022)));
    assert_eq!(
        (answer.json()["id"].clone(), answer.json()["error"]["data"]["requested"].clone()),
        (json!(4), json!("2026-07-28"))
    );
    scene.end().await;
}

#[tokio::test]
async fn no_more_processes_run_than_may() {
    let scene = Scene::start(SessionMode::PerSession, 2);
    let first = scene.begin().await;
    scene.begin().await;
    let refused = scene.post(None, &initialize()).await;
    assert_eq!((refused.status, refused.retry_after), (StatusCode::SERVICE_UNAVAILABLE, true));
    scene.send(Method::DELETE, Some(&first), String::new()).await;
    let deadline = Instant::now() + DEADLINE;
    while scene.post(None, &initialize()).await.status != StatusCode::OK {
        assert!(Instant::now() < deadline, "the place is never free again");
    }
    scene.end().await;
}

#[tokio::test]
async fn a_server_that_fails_to_start_is_not_started_all_the_time() {
    let scene = Scene::start(SessionMode::PerSession, 8);
    let mut refused = initialize();
    refused["params"]["clientInfo"]["name"] = json!("refuse");
    assert_eq!(scene.post(None, &refused).await.json()["error"]["code"], 502);
    let next = scene.post(None, &initialize()).await;
    assert_eq!((next.status, next.retry_after), (StatusCode::SERVICE_UNAVAILABLE, true));
    scene.end().await;
}

#[tokio::test]
async fn a_message_without_end_ends_its_process() {
    let scene = Scene::start(SessionMode::PerSession, 8);
    let session = scene.begin().await;
    assert_eq!(scene.post(Some(&session), &call(1, "flood")).await.json()["error"]["code"], 502);
    assert!(scene.log.lock().unwrap().iter().any(|line| line.contains("more than 65536 bytes")));
    scene.end().await;
}

#[tokio::test]
async fn what_is_no_message_goes_to_the_log_and_so_does_standard_error() {
    let scene = Scene::start(SessionMode::PerSession, 8);
    let session = scene.begin().await;
    assert_eq!(scene.post(Some(&session), &call(1, "noise")).await.said(), "quiet");
    let log = scene.log.lock().unwrap().join("\n");
    assert!(log.contains("a line that is no message"), "{log}");
    assert!(log.contains("] starting"), "{log}");
    assert!(!log.contains(&session), "the id of a session is a secret");
    scene.end().await;
}

#[tokio::test]
async fn a_body_of_many_lines_is_one_message() {
    let scene = Scene::start(SessionMode::PerSession, 8);
    let session = scene.begin().await;
    let text = call(1, "pid").to_string().replace(",\"params\"", ",\r\n\"params\"").replace('}', "}\n");
    scene.send(Method::POST, Some(&session), text).await.said();
    assert_eq!(
        scene.post(Some(&session), &call(1, "pid")).await.status,
        StatusCode::OK,
        "the next one is not disturbed"
    );
    scene.end().await;
}

#[tokio::test]
async fn an_id_that_waits_can_not_be_used_again() {
    let scene = Scene::start(SessionMode::PerSession, 8);
    let session = scene.begin().await;
    let first = call(1, "hold");
    let second = async {
        scene.post(Some(&session), &call(2, "pid")).await.said();
        let refused = scene.post(Some(&session), &call(1, "pid")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        scene.post(Some(&session), &call(3, "release")).await
    };
    let (held, released) = tokio::join!(scene.post(Some(&session), &first), second);
    assert_eq!((held.said(), released.said()), ("first".to_owned(), "second".to_owned()));
    scene.end().await;
}

struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_program_listens_on_its_socket_only_and_takes_everything_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("mcp.sock");
    let mut program = Command::new(env!("CARGO_BIN_EXE_tollward-bridge"));
    program.args(["run", "--socket"]).arg(&socket).args(["--", "sh"]);
    program.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/server.sh")).stderr(Stdio::null());
    let mut program = Program(program.spawn().unwrap());
    let deadline = Instant::now() + DEADLINE;
    while UnixStream::connect(&socket).await.is_err() {
        assert!(Instant::now() < deadline, "it does not listen");
        tokio::task::yield_now().await;
    }
    let began = read(request(&socket, Method::POST, None, initialize().to_string()).await).await;
    let session = began.session.unwrap();
    let tool = |name| call(1, name).to_string();
    let pid = read(request(&socket, Method::POST, Some(&session), tool("pid")).await).await.said();
    let grandchild = read(request(&socket, Method::POST, Some(&session), tool("spawn")).await).await.said();
    let sockets = std::fs::read_dir(format!("/proc/{}/fd", program.0.id())).unwrap();
    let sockets: Vec<_> = sockets.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok()).collect();
    let listening =
        std::fs::read_to_string("/proc/net/tcp").unwrap() + &std::fs::read_to_string("/proc/net/tcp6").unwrap();
    for line in listening.lines().filter(|line| line.split_whitespace().nth(3) == Some("0A")) {
        let inode = format!("socket:[{}]", line.split_whitespace().nth(9).unwrap());
        assert!(!sockets.iter().any(|own| own.to_str() == Some(&inode)), "a port: {line}");
    }
    let id = rustix::process::Pid::from_child(&program.0);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let status = tokio::task::spawn_blocking(move || program.0.wait().unwrap()).await.unwrap();
    assert!(status.success());
    gone(&pid).await;
    gone(&grandchild).await;
    assert!(!socket.exists());
}

#[test]
fn the_program_copies_itself() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_tollward-bridge");
    assert!(Command::new(program).arg("install").arg(folder.path()).status().unwrap().success());
    let copy = folder.path().join("tollward-bridge");
    assert_eq!(std::fs::read(&copy).unwrap(), std::fs::read(program).unwrap());
    // A container that starts again copies again.
    assert!(Command::new(program).arg("install").arg(folder.path()).status().unwrap().success());
    assert!(Command::new(copy).arg("--version").status().unwrap().success());
}
