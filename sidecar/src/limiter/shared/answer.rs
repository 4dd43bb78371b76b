//! Reads what the script says. Pure; what it can't have said is trouble, never an admission.

use super::trouble::Trouble;
use redis::Value;

/// What became of a charge in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Every count was charged; what is owed to each now, in microseconds.
    Admitted(Vec<u64>),
    /// None was.
    Refused {
        /// The one that refuses.
        position: usize,
        /// Microseconds until it would admit.
        wait: u64,
        /// What is owed to those that were looked at, in microseconds.
        owed: Vec<u64>,
    },
}

/// Reads an answer about that many counts.
pub(super) fn read(answer: &Value, counts: usize) -> Result<Verdict, Trouble> {
    let Value::Array(items) = answer else { return Err(Trouble::Answer) };
    let numbers: Vec<u64> = items.iter().map(number).collect::<Option<_>>().ok_or(Trouble::Answer)?;
    let [refusing, wait, owed @ ..] = numbers.as_slice() else { return Err(Trouble::Answer) };
    let refusing = usize::try_from(*refusing).map_err(|_| Trouble::Answer)?;
    match refusing.checked_sub(1) {
        None if owed.len() == counts => Ok(Verdict::Admitted(owed.to_vec())),
        Some(position) if position < counts && owed.len() == refusing => {
            Ok(Verdict::Refused { position, wait: *wait, owed: owed.to_vec() })
        }
        None | Some(_) => Err(Trouble::Answer),
    }
}

fn number(item: &Value) -> Option<u64> {
    if let Value::Int(number) = item { u64::try_from(*number).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::{Trouble, Verdict, read};
    use redis::Value;

    fn array(numbers: &[i64]) -> Value {
        Value::Array(numbers.iter().copied().map(Value::Int).collect())
    }

    #[test]
    fn an_answer_is_an_admission_of_all_or_a_refusal_by_one_that_was_asked() {
        assert_eq!(read(&array(&[0, 0, 5, 7]), 2), Ok(Verdict::Admitted(vec![5, 7])));
        assert_eq!(read(&array(&[2, 9, 5, 7]), 2), Ok(Verdict::Refused { position: 1, wait: 9, owed: vec![5, 7] }));
        assert_eq!(read(&array(&[1, 9, 5]), 2), Ok(Verdict::Refused { position: 0, wait: 9, owed: vec![5] }));
    }

    #[test]
    fn anything_else_is_trouble_and_never_an_admission() {
        for answer in [
            Value::Nil,
            Value::Okay,
            Value::Int(0),
            Value::Array(vec![]),
            array(&[0]),
            array(&[0, 0]),
            array(&[0, 0, 1]),
            array(&[0, 0, 1, 2, 3]),
            array(&[0, 0, 1, -2]),
            array(&[-1, 0, 1, 2]),
            array(&[3, 0, 1, 2, 3]),
            array(&[2, 0, 1]),
            Value::Array(vec![Value::Int(0), Value::Nil, Value::Int(1), Value::Int(2)]),
            Value::BulkString(b"0".to_vec()),
        ] {
            assert_eq!(read(&answer, 2), Err(Trouble::Answer), "{answer:?}");
        }
    }
}
