//! Reads what the script says. Pure; what it can't have said is trouble, never an admission.

use super::amount::Amount;
use super::trouble::Trouble;
use redis::Value;

/// What became of a charge in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Every count was charged.
    Admitted {
        /// When, in microseconds by the store's clock.
        at: u64,
        /// What is owed to each then, in microseconds.
        owed: Vec<u64>,
    },
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

/// Reads an answer about these charges. No honest one owes more than may be owed, or waits for more than was asked for.
pub(super) fn read(answer: &Value, amounts: &[Amount]) -> Result<Verdict, Trouble> {
    let Value::Array(items) = answer else { return Err(Trouble::Answer) };
    let numbers: Vec<u64> = items.iter().map(number).collect::<Option<_>>().ok_or(Trouble::Answer)?;
    let [refusing, time, owed @ ..] = numbers.as_slice() else { return Err(Trouble::Answer) };
    if owed.iter().zip(amounts).any(|(owed, amount)| *owed > amount.tolerance) {
        return Err(Trouble::Answer);
    }
    let refusing = usize::try_from(*refusing).map_err(|_| Trouble::Answer)?;
    match refusing.checked_sub(1) {
        None if owed.len() == amounts.len() => Ok(Verdict::Admitted { at: *time, owed: owed.to_vec() }),
        Some(position) if owed.len() == refusing => {
            let asked = amounts.get(position).ok_or(Trouble::Answer)?;
            let possible = (1..=asked.increment).contains(time);
            possible.then(|| Verdict::Refused { position, wait: *time, owed: owed.to_vec() }).ok_or(Trouble::Answer)
        }
        None | Some(_) => Err(Trouble::Answer),
    }
}

/// Reads what is owed to each of these counts, in microseconds: never more than may be.
pub(super) fn read_owed(answer: &Value, amounts: &[Amount]) -> Result<Vec<u64>, Trouble> {
    let Value::Array(items) = answer else { return Err(Trouble::Answer) };
    let owed: Vec<u64> = items.iter().map(number).collect::<Option<_>>().ok_or(Trouble::Answer)?;
    let possible = owed.iter().zip(amounts).all(|(owed, amount)| *owed <= amount.tolerance);
    if possible && owed.len() == amounts.len() { Ok(owed) } else { Err(Trouble::Answer) }
}

fn number(item: &Value) -> Option<u64> {
    if let Value::Int(number) = item { u64::try_from(*number).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::{Amount, Trouble, Verdict};
    use redis::Value;
    use serde_json::json;
    use tollward_policy::limits::LimitSet;

    fn array(numbers: &[i64]) -> Value {
        Value::Array(numbers.iter().copied().map(Value::Int).collect())
    }

    /// Two charges that each take 10 of 100,000.
    fn amounts() -> [Amount; 2] {
        let rate = json!({"requests": 110_000, "windowSeconds": 1, "burst": 10_000});
        let limit = json!({"name": "l", "match": {}, "tiers": {"basic": rate}});
        let policy = json!({"policy": "p", "tiers": {"default": "basic"}, "limits": [limit]});
        let rate = LimitSet::compile(&[serde_json::from_value(policy).unwrap()]).unwrap().rates()[0].rate;
        let amount = Amount::of(&rate, 1);
        assert_eq!((amount.increment, amount.tolerance), (10, 100_000));
        [amount, amount]
    }

    fn read(answer: &Value) -> Result<Verdict, Trouble> {
        super::read(answer, &amounts())
    }

    #[test]
    fn an_answer_is_an_admission_of_all_or_a_refusal_by_one_that_was_asked() {
        assert_eq!(read(&array(&[0, 3, 5, 100_000])), Ok(Verdict::Admitted { at: 3, owed: vec![5, 100_000] }));
        assert_eq!(read(&array(&[2, 10, 5, 7])), Ok(Verdict::Refused { position: 1, wait: 10, owed: vec![5, 7] }));
        assert_eq!(read(&array(&[1, 9, 5])), Ok(Verdict::Refused { position: 0, wait: 9, owed: vec![5] }));
    }

    #[test]
    fn what_is_owed_is_a_number_for_each_count_and_no_more_than_may_be() {
        let read = |answer: &Value| super::read_owed(answer, &amounts());
        assert_eq!(read(&array(&[0, 100_000])), Ok(vec![0, 100_000]));
        let wrong = [&[][..], &[1], &[1, 2, 3], &[1, -2], &[1, 100_001]].map(array);
        for answer in [Value::Nil, Value::Int(0)].iter().chain(&wrong) {
            assert_eq!(read(answer), Err(Trouble::Answer), "{answer:?}");
        }
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
            array(&[3, 1, 1, 2, 3]),
            array(&[2, 1, 1]),
            Value::Array(vec![Value::Int(0), Value::Nil, Value::Int(1), Value::Int(2)]),
            Value::BulkString(b"0".to_vec()),
        ] {
            assert_eq!(read(&answer), Err(Trouble::Answer), "{answer:?}");
        }
    }

    #[test]
    fn a_store_that_lies_keeps_nobody_out_for_longer_than_the_limit_would() {
        for impossible in [[2, 11, 5, 7], [2, i64::MAX, 5, 7], [2, 0, 5, 7], [2, 1, 100_001, 7], [0, 0, 1, i64::MAX]] {
            assert_eq!(read(&array(&impossible)), Err(Trouble::Answer), "{impossible:?}");
        }
    }
}
