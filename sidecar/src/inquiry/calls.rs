//! The calls that a question is about: those that it names, else whatever the server's own lists have named.

use crate::snapshot::Route;
use tollward_policy::inquiry::Inquiry;
use tollward_policy::operation::{Method, Operation, Target};

/// Most names of each kind. A server with more is asked about by name.
const MOST: usize = 512;

/// The calls, and whether they were named.
pub(super) fn calls(route: &Route, inquiry: &Inquiry) -> (Vec<Operation>, bool) {
    let Inquiry { tools, prompts, resources, issuer: _, subject: _, client: _, claims: _, address: _ } = inquiry;
    if !(tools.is_empty() && prompts.is_empty() && resources.is_empty()) {
        let tools = tools.iter().take(MOST).map(|name| tool(name));
        let prompts = prompts.iter().take(MOST).map(|name| prompt(name));
        return (tools.chain(prompts).chain(resources.iter().take(MOST).map(|uri| resource(uri))).collect(), true);
    }
    // A list does not say here what a name is of. As something else than it is, it is about nothing that was ever counted.
    let names: Vec<_> = route.known.names().into_iter().take(MOST).collect();
    let mut calls = vec![
        Operation { method: Method::ToolsList, target: Target::None },
        Operation { method: Method::StreamOpen, target: Target::None },
    ];
    for name in &names {
        calls.extend([tool(name), prompt(name), resource(name)]);
    }
    (calls, false)
}

fn tool(name: &str) -> Operation {
    Operation { method: Method::ToolsCall, target: Target::Tool(name.to_owned()) }
}

fn prompt(name: &str) -> Operation {
    Operation { method: Method::PromptsGet, target: Target::Prompt(name.to_owned()) }
}

fn resource(uri: &str) -> Operation {
    Operation { method: Method::ResourcesRead, target: Target::Resources(vec![uri.to_owned()]) }
}
