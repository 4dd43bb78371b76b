//! The socket by itself. What is answered is tested over the real pipeline.

use super::{AskError, Door, ask};
use std::os::unix::fs::PermissionsExt as _;

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
