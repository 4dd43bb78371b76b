//! The socket by itself. What is answered is tested over the real pipeline.

use super::{AskError, Door, ask, read_question};
use std::os::unix::fs::PermissionsExt as _;
use tollward_policy::inquiry::MAX_QUESTION;

#[tokio::test]
async fn a_socket_that_an_earlier_process_left_is_replaced_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    drop(Door::open(&path).unwrap());
    assert!(path.exists(), "a process that was killed leaves it");
    let door = Door::open(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    drop(door);
    let file = folder.path().join("file");
    std::fs::write(&file, "precious").unwrap();
    Door::open(&file).unwrap_err();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    Door::open(&link).unwrap_err();
    assert!(std::fs::symlink_metadata(&path).is_ok(), "what a link leads to is left alone");
}

#[test]
fn a_question_is_a_line_and_no_longer_than_may_be() {
    let read = |text: &str| read_question(text.as_bytes()).unwrap();
    assert_eq!(read("{\"subject\":\"ada\"}\nmore"), "{\"subject\":\"ada\"}\n");
    assert_eq!(read(""), "");
    assert_eq!(read(&" ".repeat(2 * MAX_QUESTION)).len(), MAX_QUESTION);
}

#[test]
fn who_asks_is_told_why_there_is_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    assert!(matches!(ask(&path, "nonsense"), Err(AskError::Question(_))));
    assert!(matches!(ask(&path, r#"{"subject":"ada","later":1}"#), Err(AskError::Question(_))));
    let silent = ask(&path, r#"{"subject":"ada"}"#).unwrap_err();
    assert!(matches!(silent, AskError::Silent { .. }) && silent.to_string().contains("is it running"), "{silent}");
}
