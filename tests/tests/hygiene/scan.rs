//! Rust source as these rules see it: its modules, paths, attributes and strings, and for each whether it is test code.
//!
//! It works on tokens, so that comments and strings are never mistaken for code, and needs no knowledge of the grammar
//! beyond `mod`, `use`, attributes and `a::b`. What a macro would produce is not seen; what is written inside one is.

use std::fmt;

use proc_macro2::{Delimiter, Group, Literal, Spacing, TokenStream, TokenTree};

/// What one file (or one inline module) says.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// `mod x;`
    pub(crate) declarations: Vec<Declaration>,
    /// `mod x { .. }`, by its path within the file.
    pub(crate) inline_modules: Vec<Vec<String>>,
    pub(crate) paths: Vec<PathUse>,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) strings: Vec<Text>,
}

/// A module in a file of its own.
#[derive(Debug)]
pub(crate) struct Declaration {
    /// The inline modules around it.
    pub(crate) inside: Vec<String>,
    pub(crate) name: String,
    /// The file's name as given by `#[path]`.
    pub(crate) path: Option<String>,
    pub(crate) test: bool,
}

/// A path with at least two segments, or one leaf of a `use`.
#[derive(Debug)]
pub(crate) struct PathUse {
    pub(crate) inside: Vec<String>,
    pub(crate) segments: Vec<String>,
    /// The name that a `use` binds here.
    pub(crate) binds: Option<String>,
    pub(crate) test: bool,
}

/// An attribute other than a doc comment.
#[derive(Debug)]
pub(crate) struct Attribute {
    /// `cfg_attr`, `tokio::test`, ...
    pub(crate) name: String,
    tokens: Vec<TokenTree>,
    /// `#![..]`: says something about what is around it.
    inner: bool,
}

#[derive(Debug)]
pub(crate) struct Text {
    /// As written, quotes included.
    pub(crate) literal: String,
    pub(crate) test: bool,
}

#[derive(Clone, Default)]
struct Scope {
    inside: Vec<String>,
    test: bool,
}

/// Reads a whole file.
pub(crate) fn scan(text: &str) -> Result<Source, String> {
    let tokens: TokenStream = text.parse().map_err(|error| format!("it is not Rust: {error}"))?;
    let mut source = Source::default();
    source.read(&tokens.into_iter().collect::<Vec<_>>(), &Scope::default());
    Ok(source)
}

impl Source {
    fn read(&mut self, tokens: &[TokenTree], scope: &Scope) {
        let mut rest = tokens;
        let mut path_attribute = None;
        let mut test_next = false;
        while let Some(token) = rest.first() {
            if let Some((attribute, after)) = attribute(rest) {
                path_attribute = attribute.file_path().or(path_attribute);
                test_next |= attribute.marks_test();
                self.add(attribute, scope.test);
                rest = after;
                continue;
            }
            if std::mem::take(&mut test_next) && !scope.test {
                let (marked, after) = rest.split_at(marked_length(rest));
                let test = Scope { test: true, ..scope.clone() };
                self.read_item(marked, &test, &mut path_attribute);
                rest = after;
                continue;
            }
            if is_punct(token, ';') || is_brace(token) {
                path_attribute = None;
            }
            rest = self.step(rest, scope, &mut path_attribute);
        }
    }

    fn read_item(&mut self, tokens: &[TokenTree], scope: &Scope, path_attribute: &mut Option<String>) {
        let mut rest = tokens;
        while !rest.is_empty() {
            rest = self.step(rest, scope, path_attribute);
        }
    }

    /// Reads what stands in front and returns the rest; always shorter than what came in.
    fn step<'a>(
        &mut self,
        tokens: &'a [TokenTree],
        scope: &Scope,
        path_attribute: &mut Option<String>,
    ) -> &'a [TokenTree] {
        match tokens {
            [TokenTree::Ident(word), TokenTree::Ident(name), end, rest @ ..] if word == "mod" && is_punct(end, ';') => {
                self.declarations.push(Declaration {
                    inside: scope.inside.clone(),
                    name: plain(name),
                    path: path_attribute.take(),
                    test: scope.test,
                });
                rest
            }
            [TokenTree::Ident(word), TokenTree::Ident(name), TokenTree::Group(body), rest @ ..]
                if word == "mod" && body.delimiter() == Delimiter::Brace =>
            {
                let mut inner = scope.clone();
                inner.inside.push(plain(name));
                self.inline_modules.push(inner.inside.clone());
                self.read_group(body, &inner);
                rest
            }
            // `use<'a>` in a bound captures lifetimes and imports nothing.
            [TokenTree::Ident(word), next, ..] if word == "use" && !is_punct(next, '<') => {
                let end = tokens.iter().position(|token| is_punct(token, ';')).unwrap_or(tokens.len());
                let (tree, rest) = tokens.split_at(end);
                self.read_use(tree.get(1..).unwrap_or_default(), &[], scope);
                rest
            }
            // `pub(in crate::a)` names who may look, not what is used.
            [TokenTree::Ident(word), TokenTree::Group(visibility), rest @ ..]
                if word == "pub" && visibility.delimiter() == Delimiter::Parenthesis =>
            {
                rest
            }
            [TokenTree::Ident(_), ..] => self.read_path(tokens, scope),
            [TokenTree::Group(group), rest @ ..] => {
                self.read_group(group, scope);
                rest
            }
            [TokenTree::Literal(literal), rest @ ..] => {
                self.add_string(literal, scope.test);
                rest
            }
            [_, rest @ ..] => rest,
            [] => tokens,
        }
    }

    fn read_group(&mut self, group: &Group, scope: &Scope) {
        self.read(&group.stream().into_iter().collect::<Vec<_>>(), scope);
    }

    fn read_path<'a>(&mut self, tokens: &'a [TokenTree], scope: &Scope) -> &'a [TokenTree] {
        let mut segments = Vec::new();
        let mut rest = tokens;
        while let [TokenTree::Ident(segment), after @ ..] = rest {
            segments.push(plain(segment));
            rest = after;
            match after {
                [first, second, next @ ..] if is_colons(first, second) && matches!(next, [TokenTree::Ident(_), ..]) => {
                    rest = next;
                }
                _ => break,
            }
        }
        if segments.len() > 1 {
            self.paths.push(PathUse { inside: scope.inside.clone(), segments, binds: None, test: scope.test });
        }
        rest
    }

    /// Reads the tree of a `use` and adds each leaf with the path that leads to it.
    fn read_use(&mut self, tokens: &[TokenTree], prefix: &[String], scope: &Scope) {
        let mut segments = prefix.to_vec();
        let mut alias = None;
        let mut rest = tokens;
        while let Some(token) = rest.first() {
            match rest {
                [TokenTree::Ident(word), TokenTree::Ident(name), after @ ..] if word == "as" => {
                    alias = Some(plain(name));
                    rest = after;
                    continue;
                }
                _ => {}
            }
            match token {
                TokenTree::Ident(segment) => segments.push(plain(segment)),
                TokenTree::Punct(punct) if punct.as_char() == ',' => {
                    self.add_leaf(&mut segments, alias.take(), scope, prefix);
                }
                TokenTree::Punct(punct) if punct.as_char() == '*' => segments.push("*".to_owned()),
                TokenTree::Group(group) => {
                    self.read_use(&group.stream().into_iter().collect::<Vec<_>>(), &segments, scope);
                    segments.truncate(prefix.len());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            rest = rest.get(1..).unwrap_or_default();
        }
        self.add_leaf(&mut segments, alias, scope, prefix);
    }

    fn add_leaf(&mut self, segments: &mut Vec<String>, alias: Option<String>, scope: &Scope, prefix: &[String]) {
        if segments.len() > prefix.len() {
            // `a::{self}` is `a`; a leading `self::` stays.
            if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
                segments.pop();
            }
            self.paths.push(PathUse {
                inside: scope.inside.clone(),
                binds: alias.or_else(|| segments.last().cloned()),
                segments: std::mem::take(segments),
                test: scope.test,
            });
        }
        *segments = prefix.to_vec();
    }

    fn add(&mut self, attribute: Attribute, test: bool) {
        if attribute.name != "doc" {
            self.add_strings(&attribute.tokens, test);
            self.attributes.push(attribute);
        }
    }

    fn add_strings(&mut self, tokens: &[TokenTree], test: bool) {
        for token in tokens {
            match token {
                TokenTree::Literal(literal) => self.add_string(literal, test),
                TokenTree::Group(group) => self.add_strings(&group.stream().into_iter().collect::<Vec<_>>(), test),
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }

    fn add_string(&mut self, literal: &Literal, test: bool) {
        let literal = literal.to_string();
        if literal.contains('"') {
            self.strings.push(Text { literal, test });
        }
    }
}

impl Attribute {
    fn marks_test(&self) -> bool {
        let mentions = |word: &str| mentions(&self.tokens, word);
        match self.name.as_str() {
            _ if self.inner => false,
            "cfg" => mentions("test") && !mentions("not"),
            name => name == "test" || name.ends_with("::test"),
        }
    }

    fn file_path(&self) -> Option<String> {
        match self.tokens.as_slice() {
            [TokenTree::Ident(name), _, TokenTree::Literal(path)] if name == "path" => {
                Some(path.to_string().trim_matches('"').to_owned())
            }
            _ => None,
        }
    }

    /// Whether it sets lints (also through `cfg_attr`) without a reason.
    pub(crate) fn lacks_reason(&self) -> bool {
        let direct = matches!(self.name.as_str(), "allow" | "expect");
        let sets_lints = |word: &str| self.name == "cfg_attr" && mentions(&self.tokens, word);
        (direct || sets_lints("allow") || sets_lints("expect")) && !mentions(&self.tokens, "reason")
    }

    /// Whether it takes a test out of the run.
    pub(crate) fn ignores_test(&self) -> bool {
        self.name == "ignore" || (self.name == "cfg_attr" && mentions(&self.tokens, "ignore"))
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tokens: TokenStream = self.tokens.iter().cloned().collect();
        write!(f, "#[{tokens}]")
    }
}

/// Reads `#[..]` or `#![..]` in front.
fn attribute(tokens: &[TokenTree]) -> Option<(Attribute, &[TokenTree])> {
    let (group, inner, rest) = match tokens {
        [hash, TokenTree::Group(group), rest @ ..] if is_punct(hash, '#') => (group, false, rest),
        [hash, bang, TokenTree::Group(group), rest @ ..] if is_punct(hash, '#') && is_punct(bang, '!') => {
            (group, true, rest)
        }
        _ => return None,
    };
    if group.delimiter() != Delimiter::Bracket {
        return None;
    }
    let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
    let mut name = String::new();
    for token in &tokens {
        match token {
            TokenTree::Ident(ident) => name.push_str(&plain(ident)),
            TokenTree::Punct(punct) if punct.as_char() == ':' => name.push(':'),
            TokenTree::Punct(_) | TokenTree::Group(_) | TokenTree::Literal(_) => break,
        }
    }
    Some((Attribute { name, tokens, inner }, rest))
}

/// How many tokens belong to what the attributes in front mark: an item up to its body or `;`, else a field, arm or
/// statement up to its comma.
fn marked_length(tokens: &[TokenTree]) -> usize {
    const ITEMS: &[&str] = &[
        "pub",
        "fn",
        "mod",
        "use",
        "impl",
        "struct",
        "enum",
        "union",
        "const",
        "static",
        "type",
        "trait",
        "async",
        "unsafe",
        "extern",
        "macro_rules",
        "let",
    ];
    let is_item = matches!(tokens.first(), Some(TokenTree::Ident(word)) if ITEMS.iter().any(|item| word == item));
    let is_use = tokens
        .iter()
        .take_while(|token| !is_punct(token, ';') && !is_brace(token))
        .any(|token| matches!(token, TokenTree::Ident(word) if word == "use" || word == "let"));
    tokens
        .iter()
        .position(|token| is_punct(token, ';') || (is_brace(token) && !is_use) || (is_punct(token, ',') && !is_item))
        .map_or(tokens.len(), |last| last + 1)
}

/// Whether the word occurs at any depth.
fn mentions(tokens: &[TokenTree], word: &str) -> bool {
    tokens.iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == word,
        TokenTree::Group(group) => mentions(&group.stream().into_iter().collect::<Vec<_>>(), word),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

fn is_brace(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

fn is_colons(first: &TokenTree, second: &TokenTree) -> bool {
    matches!(first, TokenTree::Punct(punct) if punct.as_char() == ':' && punct.spacing() == Spacing::Joint)
        && is_punct(second, ':')
}

/// A name without `r#`.
fn plain(ident: &proc_macro2::Ident) -> String {
    let name = ident.to_string();
    name.strip_prefix("r#").map_or(name.clone(), str::to_owned)
}

#[path = "scan/tests.rs"]
mod tests;
