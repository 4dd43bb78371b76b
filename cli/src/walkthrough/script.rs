//! What the walk-through asks of the example server. Scopes, rules and limits are not here: they come from the manifests
//! and from the answers.

/// Finds products.
pub(super) const SEARCH: &str = "search_products";
/// Reads one product.
pub(super) const READ: &str = "get_product";
/// Changes something.
pub(super) const WRITE: &str = "add_to_cart";
/// What is searched for.
pub(super) const QUERY: &str = "tea";
/// How the client introduces itself.
pub(super) const CLIENT_NAME: &str = "Tollward walk-through";
/// Where a native client would listen for the answer of the sign-in (RFC 8252 section 7.3). Nobody does: the walk-through
/// reads the redirect itself.
pub(super) const REDIRECT: &str = "http://127.0.0.1:49152/callback";
