//! The fingerprint of RSA keys that were made by a broken library (CVE-2017-15361, "ROCA"): their private part can be computed
//! from the public one, so whoever reads the key set can sign.
//!
//! Source: Nemec et al., "The Return of Coppersmith's Attack", CCS 2017, section 3: the primes of such keys are
//! `k * M + (65537^a mod M)` with `M` a product of the first primes, so that the modulus is a power of 65537 modulo each of them.

/// The primes that tell most. An innocent modulus passes all of them in less than one of 100 million cases.
const PRIMES: [u32; 17] = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];

/// Whether a modulus, big-endian, has the fingerprint.
pub(super) fn is_marked(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|prime| is_power(remainder(modulus, *prime), *prime))
}

fn remainder(number: &[u8], prime: u32) -> u32 {
    number.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime)
}

/// Whether `value` is a power of 65537 modulo `prime`.
fn is_power(value: u32, prime: u32) -> bool {
    let generator = 65_537 % prime;
    let powers = std::iter::successors(Some(1), |power| Some(power * generator % prime));
    powers.take(prime as usize).any(|power| power == value)
}

#[cfg(test)]
mod tests {
    use super::is_marked;
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::KeyPair as _;

    /// 65537^128 in 257 bytes, which is a power of 65537 modulo everything.
    fn power() -> Vec<u8> {
        let mut number = vec![1_u8];
        for _ in 0..128 {
            // Little-endian: n * 65537 = (n << 16) + n.
            let mut sum = vec![0_u8; number.len() + 3];
            let mut carry = 0_u16;
            for (place, byte) in sum.iter_mut().enumerate() {
                let low = number.get(place).copied().unwrap_or(0);
                let high = place.checked_sub(2).and_then(|place| number.get(place)).copied().unwrap_or(0);
                let total = u16::from(low) + u16::from(high) + carry;
                *byte = (total & 0xff) as u8;
                carry = total >> 8;
            }
            while sum.last() == Some(&0) {
                sum.pop();
            }
            number = sum;
        }
        number.reverse();
        number
    }

    #[test]
    fn a_power_of_65537_is_marked() {
        assert!(is_marked(&power()));
    }

    #[test]
    fn its_neighbours_and_keys_of_a_good_library_are_not() {
        let mut neighbour = power();
        *neighbour.last_mut().unwrap() ^= 2;
        assert!(!is_marked(&neighbour));
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        assert!(!is_marked(pair.public_key().modulus().big_endian_without_leading_zero()));
    }
}
