//! From tokens to an expression: names are resolved, and whatever could cost without bound is refused.
//!
//! The tree's height is bounded while it is built, so that neither this, nor evaluation, nor dropping it can exhaust the
//! stack. A macro inside a macro is refused: with it, a list of n elements would cost n².

use super::ConditionError;
use super::expression::{Expression, Function, Macro, Operator, Part, Variable};
use super::lexer::{Token, tokens};
use super::literal;
use super::value::Value;
use std::borrow::Cow;

/// Greatest height of the tree, and deepest nesting of the text.
const MAX_HEIGHT: u16 = 32;
/// Members of `principal`.
const PRINCIPAL: [&str; 7] = ["issuer", "subject", "client", "scopes", "claims", "groups", "roles"];
/// Members of `call`.
const CALL: [&str; 5] = ["method", "tool", "resource", "prompt", "revision"];

/// Operators between two values, from loose to tight.
const BINARY: [&[(&str, Operator)]; 3] = [
    &[
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
        ("in", Operator::In),
    ],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[("*", Operator::Multiply), ("/", Operator::Divide), ("%", Operator::Remainder)],
];

/// Reads an expression.
pub(super) fn parse(text: &str) -> Result<Expression, ConditionError> {
    let tokens = tokens(text)?;
    let mut parser = Parser { text, tokens: &tokens, nesting: 0, element: None };
    let node = parser.expression()?;
    match parser.token() {
        Token::End => Ok(node.expression),
        Token::Name(_) | Token::Int(_) | Token::Double(_) | Token::Text(_) | Token::Sign(_) => {
            Err(parser.fault("the expression should end here, or an operator is missing"))
        }
    }
}

/// An expression with its height.
struct Node {
    expression: Expression,
    height: u16,
}

struct Parser<'t> {
    text: &'t str,
    tokens: &'t [(usize, Token)],
    nesting: u16,
    /// The variable of the macro around.
    element: Option<String>,
}

impl Parser<'_> {
    fn token(&self) -> &Token {
        self.tokens.first().map_or(&Token::End, |(_, token)| token)
    }

    fn at(&self) -> usize {
        self.tokens.first().map_or(self.text.len(), |(at, _)| *at)
    }

    fn advance(&mut self) {
        self.tokens = self.tokens.split_first().map_or(&[], |(_, rest)| rest);
    }

    fn fault(&self, message: impl Into<String>) -> ConditionError {
        ConditionError::at(self.text, self.at(), message)
    }

    fn takes(&mut self, sign: &str) -> bool {
        let found = matches!(self.token(), Token::Sign(found) if *found == sign);
        if found {
            self.advance();
        }
        found
    }

    fn wants(&mut self, sign: &str) -> Result<(), ConditionError> {
        if self.takes(sign) { Ok(()) } else { Err(self.fault(format!("`{sign}` is missing here"))) }
    }

    /// A node above others.
    fn above(&self, heights: impl IntoIterator<Item = u16>, expression: Expression) -> Result<Node, ConditionError> {
        let height = heights.into_iter().max().unwrap_or_default() + 1;
        if height > MAX_HEIGHT { Err(self.too_deep()) } else { Ok(Node { expression, height }) }
    }

    fn too_deep(&self) -> ConditionError {
        self.fault(format!("the expression is nested deeper than {MAX_HEIGHT}; split it into several rules"))
    }

    fn expression(&mut self) -> Result<Node, ConditionError> {
        self.nesting += 1;
        if self.nesting > MAX_HEIGHT {
            return Err(self.too_deep());
        }
        let node = self.choice();
        self.nesting -= 1;
        node
    }

    fn choice(&mut self) -> Result<Node, ConditionError> {
        let condition = self.any()?;
        if !self.takes("?") {
            return Ok(condition);
        }
        let yes = self.any()?;
        self.wants(":")?;
        let no = self.expression()?;
        let heights = [condition.height, yes.height, no.height];
        let [condition, yes, no] = [condition, yes, no].map(|node| Box::new(node.expression));
        self.above(heights, Expression::Choose(condition, yes, no))
    }

    fn any(&mut self) -> Result<Node, ConditionError> {
        let mut terms = vec![self.all()?];
        while self.takes("||") {
            terms.push(self.all()?);
        }
        self.chain(terms, Expression::Or)
    }

    fn all(&mut self) -> Result<Node, ConditionError> {
        let mut terms = vec![self.binary(0)?];
        while self.takes("&&") {
            terms.push(self.binary(0)?);
        }
        self.chain(terms, Expression::And)
    }

    fn chain(&self, mut terms: Vec<Node>, joined: fn(Vec<Expression>) -> Expression) -> Result<Node, ConditionError> {
        if terms.len() == 1
            && let Some(only) = terms.pop()
        {
            return Ok(only);
        }
        let heights: Vec<_> = terms.iter().map(|term| term.height).collect();
        self.above(heights, joined(terms.into_iter().map(|term| term.expression).collect()))
    }

    fn binary(&mut self, level: usize) -> Result<Node, ConditionError> {
        let Some(operators) = BINARY.get(level) else {
            return self.unary();
        };
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = self.operator(operators) {
            self.advance();
            let right = self.binary(level + 1)?;
            let heights = [left.height, right.height];
            let [one, two] = [left, right].map(|node| Box::new(node.expression));
            left = self.above(heights, Expression::Binary(operator, one, two))?;
        }
        Ok(left)
    }

    fn operator(&self, operators: &[(&str, Operator)]) -> Option<Operator> {
        let written = match self.token() {
            Token::Sign(sign) => sign,
            Token::Name(name) => name.as_str(),
            Token::Int(_) | Token::Double(_) | Token::Text(_) | Token::End => return None,
        };
        operators.iter().find(|(sign, _)| *sign == written).map(|(_, operator)| *operator)
    }

    fn unary(&mut self) -> Result<Node, ConditionError> {
        let negates = if self.takes("!") {
            Expression::Not
        } else if self.takes("-") {
            if let Token::Int(number) = *self.token() {
                self.advance();
                let number = 0_i64.checked_sub_unsigned(number).ok_or_else(|| self.fault("the number is too small"))?;
                return Ok(Node { expression: Expression::Literal(Value::Int(number)), height: 1 });
            }
            Expression::Negate
        } else {
            return self.member();
        };
        self.nesting += 1;
        if self.nesting > MAX_HEIGHT {
            return Err(self.too_deep());
        }
        let inner = self.unary()?;
        self.nesting -= 1;
        self.above([inner.height], negates(Box::new(inner.expression)))
    }

    fn member(&mut self) -> Result<Node, ConditionError> {
        let mut node = self.primary()?;
        loop {
            if self.takes(".") {
                node = self.selected(node)?;
            } else if self.takes("[") {
                let key = self.expression()?;
                self.wants("]")?;
                let heights = [node.height, key.height];
                let [of, key] = [node, key].map(|node| Box::new(node.expression));
                node = self.above(heights, Expression::Index(of, key))?;
            } else {
                return Ok(node);
            }
        }
    }

    /// What stands after a dot: a member, or a function or macro of what stands before it.
    fn selected(&mut self, of: Node) -> Result<Node, ConditionError> {
        let at = self.at();
        let name = self.name("the name of a member")?;
        if self.takes("(") {
            return self.method(at, &name, of);
        }
        let known: &[&str] = if let Expression::Variable(Variable::Principal) = of.expression {
            &PRINCIPAL
        } else if let Expression::Variable(Variable::Call) = of.expression {
            &CALL
        } else {
            &[]
        };
        if !known.is_empty() && !known.contains(&name.as_str()) {
            let message = format!("there is no `{name}` here; choose one of {}", known.join(", "));
            return Err(ConditionError::at(self.text, at, message));
        }
        self.above([of.height], Expression::Select(Box::new(of.expression), name.into()))
    }

    fn name(&mut self, what: &str) -> Result<String, ConditionError> {
        let Token::Name(name) = self.token() else {
            return Err(self.fault(format!("{what} is missing here")));
        };
        let name = name.clone();
        self.advance();
        Ok(name)
    }

    fn primary(&mut self) -> Result<Node, ConditionError> {
        let at = self.at();
        let literal = match self.token() {
            Token::Int(number) => {
                Value::Int(i64::try_from(*number).map_err(|_| self.fault("the number is too large"))?)
            }
            Token::Double(number) => Value::Double(*number),
            Token::Text(text) => Value::Text(Cow::Owned(text.clone())),
            Token::Name(name) => {
                let name = name.clone();
                self.advance();
                return self.named(at, &name);
            }
            Token::Sign(_) | Token::End => return self.bracket(),
        };
        self.advance();
        Ok(Node { expression: Expression::Literal(literal), height: 1 })
    }

    fn bracket(&mut self) -> Result<Node, ConditionError> {
        if self.takes("(") {
            let node = self.expression()?;
            self.wants(")")?;
            return Ok(node);
        }
        if self.takes("[") {
            let items = self.arguments("]")?;
            let heights: Vec<_> = items.iter().map(|item| item.height).collect();
            return self.above(heights, Expression::List(items.into_iter().map(|item| item.expression).collect()));
        }
        Err(self.fault("a value is missing here"))
    }

    /// Expressions with commas between them, up to the closing sign.
    fn arguments(&mut self, close: &str) -> Result<Vec<Node>, ConditionError> {
        let mut items = Vec::new();
        while !self.takes(close) {
            if !items.is_empty() {
                self.wants(",")?;
            }
            items.push(self.expression()?);
        }
        Ok(items)
    }

    fn named(&mut self, at: usize, name: &str) -> Result<Node, ConditionError> {
        if self.takes("(") {
            return if name == "has" { self.has(at) } else { self.function(at, name) };
        }
        let expression = match name {
            "true" => Expression::Literal(Value::Bool(true)),
            "false" => Expression::Literal(Value::Bool(false)),
            "null" => Expression::Literal(Value::Null),
            _ if self.element.as_deref() == Some(name) => Expression::Element,
            "principal" => Expression::Variable(Variable::Principal),
            "call" => Expression::Variable(Variable::Call),
            "args" => Expression::Variable(Variable::Arguments),
            "now" => Expression::Variable(Variable::Now),
            _ => {
                let message = format!("`{name}` is not known; a condition reads principal, call, args and now");
                return Err(ConditionError::at(self.text, at, message));
            }
        };
        Ok(Node { expression, height: 1 })
    }

    fn has(&mut self, at: usize) -> Result<Node, ConditionError> {
        let node = self.expression()?;
        self.wants(")")?;
        if let Expression::Select(of, field) = node.expression {
            Ok(Node { expression: Expression::Has(of, field), height: node.height })
        } else {
            Err(ConditionError::at(self.text, at, "has() takes a member, as in has(args.amount)"))
        }
    }

    fn function(&mut self, at: usize, name: &str) -> Result<Node, ConditionError> {
        let arguments = self.arguments(")")?;
        let (function, most) = match name {
            "size" => (Function::Size, 1),
            "int" => (Function::Int, 1),
            "double" => (Function::Double, 1),
            "timestamp" => (Function::Timestamp, 1),
            "duration" => (Function::Duration, 1),
            _ => return Err(ConditionError::at(self.text, at, format!("the function `{name}` is not known"))),
        };
        self.call(at, function, arguments, 1..=most)
    }

    fn method(&mut self, at: usize, name: &str, of: Node) -> Result<Node, ConditionError> {
        if let Some(kind) = macro_of(name) {
            return self.macro_call(at, kind, of);
        }
        if name == "map" {
            let message = "map() is not supported; use all(), exists(), exists_one() or filter()";
            return Err(ConditionError::at(self.text, at, message));
        }
        let mut arguments = vec![of];
        arguments.extend(self.arguments(")")?);
        let (function, count) = match name {
            "size" => (Function::Size, 1..=1),
            "contains" => (Function::Contains, 2..=2),
            "startsWith" => (Function::StartsWith, 2..=2),
            "endsWith" => (Function::EndsWith, 2..=2),
            "lowerAscii" => (Function::LowerAscii, 1..=1),
            "upperAscii" => (Function::UpperAscii, 1..=1),
            "matches" => return self.matches(at, arguments),
            "getFullYear" => (Function::Part(Part::FullYear), 1..=2),
            "getMonth" => (Function::Part(Part::Month), 1..=2),
            "getDate" => (Function::Part(Part::Date), 1..=2),
            "getDayOfMonth" => (Function::Part(Part::DayOfMonth), 1..=2),
            "getDayOfWeek" => (Function::Part(Part::DayOfWeek), 1..=2),
            "getHours" => (Function::Part(Part::Hours), 1..=2),
            "getMinutes" => (Function::Part(Part::Minutes), 1..=2),
            "getSeconds" => (Function::Part(Part::Seconds), 1..=2),
            _ => return Err(ConditionError::at(self.text, at, format!("the function `{name}` is not known"))),
        };
        self.call(at, function, arguments, count)
    }

    fn call(
        &self,
        at: usize,
        function: Function,
        arguments: Vec<Node>,
        count: std::ops::RangeInclusive<usize>,
    ) -> Result<Node, ConditionError> {
        if !count.contains(&arguments.len()) {
            return Err(ConditionError::at(self.text, at, "this function takes another number of arguments"));
        }
        let heights: Vec<_> = arguments.iter().map(|argument| argument.height).collect();
        let arguments: Vec<_> = arguments.into_iter().map(|argument| argument.expression).collect();
        // What is written out is judged now, so that a mistake shows when the rule is declared.
        let literal =
            literal::fold(function, &arguments).map_err(|message| ConditionError::at(self.text, at, message))?;
        match literal {
            Some(value) => Ok(Node { expression: Expression::Literal(value), height: 1 }),
            None => self.above(heights, Expression::Call(function, arguments)),
        }
    }

    fn matches(&self, at: usize, arguments: Vec<Node>) -> Result<Node, ConditionError> {
        let count = arguments.len();
        let mut arguments = arguments.into_iter();
        let (Some(of), Some(pattern), 2) = (arguments.next(), arguments.next(), count) else {
            return Err(ConditionError::at(self.text, at, "matches() takes one pattern"));
        };
        let Expression::Literal(Value::Text(pattern)) = &pattern.expression else {
            let message = "the pattern of matches() must be a text that is written out, since no caller may bring one";
            return Err(ConditionError::at(self.text, at, message));
        };
        let pattern = literal::pattern(pattern).map_err(|message| ConditionError::at(self.text, at, message))?;
        self.above([of.height], Expression::Matches(Box::new(of.expression), pattern))
    }

    fn macro_call(&mut self, at: usize, kind: Macro, of: Node) -> Result<Node, ConditionError> {
        if self.element.is_some() {
            let message =
                "a macro inside a macro is not supported, since its cost would grow with the square of the list";
            return Err(ConditionError::at(self.text, at, message));
        }
        let variable = self.name("the variable of the macro")?;
        if ["principal", "call", "args", "now", "true", "false", "null", "in"].contains(&variable.as_str()) {
            return Err(ConditionError::at(self.text, at, format!("`{variable}` is taken; choose another variable")));
        }
        self.wants(",")?;
        self.element = Some(variable);
        let body = self.expression()?;
        self.element = None;
        self.wants(")")?;
        let heights = [of.height, body.height];
        let [of, body] = [of, body].map(|node| Box::new(node.expression));
        self.above(heights, Expression::Macro(kind, of, body))
    }
}

fn macro_of(name: &str) -> Option<Macro> {
    match name {
        "all" => Some(Macro::All),
        "exists" => Some(Macro::Exists),
        "exists_one" | "existsOne" => Some(Macro::ExistsOne),
        "filter" => Some(Macro::Filter),
        _ => None,
    }
}
