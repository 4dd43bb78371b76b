//! What a rule or limit is about, as the data plane has it.

use tollward_api::operations::OperationMatch;
use tollward_policy::pattern::{Pattern, PatternError};
use tollward_policy::rules::MatchConfig;

/// A match that names something. An empty one is left to the caller: a rule must not have it, a limit may.
pub(super) fn compile(matches: &OperationMatch) -> Result<MatchConfig, PatternError> {
    let OperationMatch { methods, tools, resources, prompts } = matches;
    Ok(MatchConfig {
        methods: methods.clone(),
        tools: patterns(tools)?,
        resources: patterns(resources)?,
        prompts: patterns(prompts)?,
    })
}

/// The match of everything.
pub(super) fn everything() -> MatchConfig {
    MatchConfig { methods: Vec::new(), tools: Vec::new(), resources: Vec::new(), prompts: Vec::new() }
}

fn patterns(texts: &[String]) -> Result<Vec<Pattern>, PatternError> {
    texts.iter().map(|text| Pattern::new(text.as_str())).collect()
}
