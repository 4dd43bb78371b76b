//! Names that belong to the operator: the objects it makes for a server, and the volumes it adds to a pod.
//!
//! A workload that could mount the sidecar's keys could forge sessions, so references to such names are refused at
//! admission and again by the operator.

/// The longest name of an `MCPServer`, so that the names made from it are DNS labels.
pub const MAX_SERVER_NAME: usize = 52;
/// The user id of the data plane, which workloads may not have.
pub const SIDECAR_UID: i64 = 64420;
/// Beginning of the environment variables that tell a server how to verify signed assertions.
pub const ASSERTION_VARIABLES: &str = "TOLLWARD_ASSERTION_";

const PREFIX: &str = "tollward-";
const SUFFIX: &str = "-tollward";

/// Name of the objects made for the `MCPServer` of this name.
pub fn child_name(server: &str) -> String {
    format!("{server}{SUFFIX}")
}

/// True if an object or volume of this name is the operator's own.
pub fn is_owned(name: &str) -> bool {
    name.starts_with(PREFIX) || name.ends_with(SUFFIX)
}

#[cfg(test)]
mod tests {
    use super::{MAX_SERVER_NAME, child_name, is_owned};

    #[test]
    fn the_objects_of_the_longest_name_are_dns_labels_and_owned() {
        let name = child_name(&"a".repeat(MAX_SERVER_NAME));
        assert!(name.len() <= 63 && is_owned(&name), "{name}");
    }
}
