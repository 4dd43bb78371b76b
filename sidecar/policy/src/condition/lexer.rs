//! From text to tokens, each with the place where it begins.

use super::ConditionError;

/// A piece of the text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    Int(u64),
    Double(f64),
    Text(String),
    /// An operator or bracket.
    Sign(&'static str),
    End,
}

/// Signs, longer ones first.
const SIGNS: [&str; 22] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "+", "-", "*", "/", "%", "?", ":", ".", ",", "(", ")", "[", "]",
];

/// Cuts the text.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, ConditionError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_space();
        let at = lexer.at;
        let token = lexer.next()?;
        let ended = token == Token::End;
        tokens.push((at, token));
        if ended {
            return Ok(tokens);
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn fault(&self, message: impl Into<String>) -> ConditionError {
        ConditionError::at(self.text, self.at, message)
    }

    fn skip_space(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r']);
            self.at += rest.len() - trimmed.len();
            // A comment ends with its line.
            let Some(comment) = trimmed.strip_prefix("//") else { return };
            self.at += 2 + comment.find('\n').unwrap_or(comment.len());
        }
    }

    fn take_while(&mut self, holds: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|letter| !holds(letter)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn next(&mut self) -> Result<Token, ConditionError> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(Token::End) };
        let second = rest.chars().nth(1);
        match first {
            '\'' | '"' => self.string(false),
            'r' | 'R' if matches!(second, Some('\'' | '"')) => {
                self.at += 1;
                self.string(true)
            }
            'b' | 'B' if matches!(second, Some('\'' | '"')) => {
                Err(self.fault("bytes are not supported; arguments and claims have texts"))
            }
            '0'..='9' => self.number(),
            '_' | 'a'..='z' | 'A'..='Z' => {
                let name = self.take_while(|letter| letter == '_' || letter.is_ascii_alphanumeric());
                Ok(Token::Name(name.to_owned()))
            }
            '=' if second != Some('=') => Err(self.fault("write `==` to compare")),
            '&' if second != Some('&') => Err(self.fault("write `&&`")),
            '|' if second != Some('|') => Err(self.fault("write `||`")),
            '{' => Err(self.fault("maps and messages can't be written in a condition")),
            _ => match SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
                Some(sign) => {
                    self.at += sign.len();
                    Ok(Token::Sign(sign))
                }
                None => Err(self.fault(format!("`{}` has no meaning here", first.escape_debug()))),
            },
        }
    }

    fn number(&mut self) -> Result<Token, ConditionError> {
        let start = self.at;
        let malformed = |lexer: &Self| ConditionError::at(lexer.text, start, "this number can't be read");
        if let Some(digits) = self.rest().strip_prefix("0x").or_else(|| self.rest().strip_prefix("0X")) {
            let end = digits.find(|letter: char| !letter.is_ascii_hexdigit()).unwrap_or(digits.len());
            self.at += 2 + end;
            let value = u64::from_str_radix(digits.get(..end).unwrap_or_default(), 16);
            self.refuse_suffix()?;
            return value.map(Token::Int).map_err(|_| malformed(self));
        }
        self.take_while(|letter| letter.is_ascii_digit());
        let mut whole = true;
        let fraction = self.rest().strip_prefix('.').is_some_and(|rest| rest.starts_with(|l: char| l.is_ascii_digit()));
        if fraction {
            whole = false;
            self.at += 1;
            self.take_while(|letter| letter.is_ascii_digit());
        }
        if self.rest().starts_with(['e', 'E']) {
            whole = false;
            self.at += 1;
            self.at += usize::from(self.rest().starts_with(['+', '-']));
            self.take_while(|letter| letter.is_ascii_digit());
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        self.refuse_suffix()?;
        if whole {
            text.parse().map(Token::Int).map_err(|_| malformed(self))
        } else {
            let value: f64 = text.parse().map_err(|_| malformed(self))?;
            if value.is_finite() { Ok(Token::Double(value)) } else { Err(malformed(self)) }
        }
    }

    fn refuse_suffix(&self) -> Result<(), ConditionError> {
        match self.rest().chars().next() {
            Some('u' | 'U') => Err(self.fault("unsigned numbers are not supported; leave the `u` out")),
            Some(letter) if letter == '_' || letter.is_ascii_alphanumeric() => {
                Err(self.fault("a number ends before a letter"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A text, up to the quote that it began with.
    fn string(&mut self, raw: bool) -> Result<Token, ConditionError> {
        let start = self.at;
        let rest = self.rest();
        let quote = rest.chars().next().unwrap_or('"');
        if rest.starts_with("'''") || rest.starts_with("\"\"\"") {
            return Err(self.fault("texts over several lines are not supported; use one quote"));
        }
        self.at += 1;
        let mut text = String::new();
        loop {
            let Some(letter) = self.rest().chars().next().filter(|letter| !matches!(letter, '\n' | '\r')) else {
                return Err(ConditionError::at(self.text, start, "this text has no end"));
            };
            self.at += letter.len_utf8();
            match letter {
                _ if letter == quote => return Ok(Token::Text(text)),
                '\\' if !raw => text.push(self.escape()?),
                _ => text.push(letter),
            }
        }
    }

    fn escape(&mut self) -> Result<char, ConditionError> {
        let Some(letter) = self.rest().chars().next() else {
            return Err(self.fault("this text has no end"));
        };
        let digits = match letter {
            'n' => return Ok(self.escaped('\n')),
            'r' => return Ok(self.escaped('\r')),
            't' => return Ok(self.escaped('\t')),
            '\\' | '\'' | '"' | '`' | '?' => return Ok(self.escaped(letter)),
            'x' | 'X' => 2,
            'u' => 4,
            'U' => 8,
            _ => return Err(self.fault("this escape is not known; for a pattern, write r'…'")),
        };
        let code = self.rest().get(1..=digits).and_then(|code| u32::from_str_radix(code, 16).ok());
        let decoded = code.and_then(char::from_u32).ok_or_else(|| self.fault("this escape names no character"))?;
        self.at += 1 + digits;
        Ok(decoded)
    }

    fn escaped(&mut self, letter: char) -> char {
        self.at += 1;
        letter
    }
}
