//! The rule, its order, and the shape in which an installer writes it.

use super::{Allowance, Denied, DialPolicy};
use crate::address::AddressClass;
use crate::scheme::Scheme;
use serde_json::json;
use std::net::IpAddr;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn policy(allow: &[(&str, Scheme)], deny: &[&str]) -> DialPolicy {
    DialPolicy {
        allow: allow.iter().map(|(cidr, scheme)| Allowance { cidr: cidr.parse().unwrap(), scheme: *scheme }).collect(),
        deny: deny.iter().map(|cidr| cidr.parse().unwrap()).collect(),
    }
}

#[test]
fn the_strict_policy_dials_public_addresses_by_https_only() {
    let strict = DialPolicy::strict();
    assert_eq!(strict.judge(Scheme::Https, ip("8.8.8.8")), Ok(()));
    assert_eq!(strict.judge(Scheme::Http, ip("8.8.8.8")), Err(Denied::PlainHttp { address: ip("8.8.8.8") }));
    assert_eq!(strict.judge_scheme(Scheme::Http), Err(Denied::PlainHttpOff));
    assert_eq!(
        strict.judge(Scheme::Https, ip("10.0.0.1")),
        Err(Denied::SpecialPurpose { address: ip("10.0.0.1"), class: AddressClass::Private, scheme: Scheme::Https })
    );
}

#[test]
fn an_allowance_opens_its_network_for_its_scheme_alone() {
    let policy = policy(&[("10.96.0.0/12", Scheme::Http)], &[]);
    assert_eq!(policy.judge(Scheme::Http, ip("10.96.0.1")), Ok(()));
    assert!(policy.judge(Scheme::Https, ip("10.96.0.1")).is_err());
    assert!(policy.judge(Scheme::Http, ip("10.112.0.1")).is_err());
    assert!(policy.judge(Scheme::Http, ip("8.8.8.8")).is_err());
}

#[test]
fn a_denied_network_is_denied_unless_an_allowance_names_it() {
    let network = "203.1.0.0/16";
    assert_eq!(
        policy(&[], &[network]).judge(Scheme::Https, ip("203.1.2.3")),
        Err(Denied::DenyListed { address: ip("203.1.2.3"), network: network.parse().unwrap() })
    );
    let narrower = policy(&[("203.1.2.3/32", Scheme::Https)], &[network]);
    assert_eq!(narrower.judge(Scheme::Https, ip("203.1.2.3")), Ok(()));
    assert!(narrower.judge(Scheme::Https, ip("203.1.2.4")).is_err());
}

#[test]
fn no_allowance_opens_an_embedded_form_or_a_metadata_service() {
    let wide = policy(
        &[("0.0.0.0/0", Scheme::Http), ("0.0.0.0/0", Scheme::Https), ("::/0", Scheme::Http), ("::/0", Scheme::Https)],
        &[],
    );
    assert_eq!(wide.judge(Scheme::Http, ip("127.0.0.1")), Ok(()));
    for address in [
        "169.254.169.254",
        "168.63.129.16",
        "fd00:ec2::254",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "::ffff:0:7f00:1",
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::8.8.8.8",
        "2002:7f00:1::",
        "2001::1",
        "fe80::5efe:8.8.8.8",
    ] {
        for scheme in [Scheme::Http, Scheme::Https] {
            assert!(matches!(wide.judge(scheme, ip(address)), Err(Denied::Never { .. })), "{address}");
        }
    }
}

#[test]
fn one_denied_address_denies_the_whole_answer() {
    let strict = DialPolicy::strict();
    let public = [ip("8.8.8.8"), ip("2606:4700::1")];
    let judged = strict.judge_all(Scheme::Https, &public, 443).unwrap();
    let addresses: Vec<String> = judged.addresses().iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["8.8.8.8:443", "[2606:4700::1]:443"]);
    for bad in ["10.0.0.1", "0.0.0.0", "::1"] {
        for position in 0..=public.len() {
            let mut answer = public.to_vec();
            answer.insert(position, ip(bad));
            assert!(strict.judge_all(Scheme::Https, &answer, 443).is_err(), "{bad} at {position}");
        }
    }
}

#[test]
fn the_policy_is_read_strictly() {
    let text = json!({"allow": [{"cidr": "10.96.0.0/12", "scheme": "http"}], "deny": ["fd00::/8"]});
    let read: DialPolicy = serde_json::from_value(text.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), text);
    for bad in [
        json!({}),
        json!({"allow": []}),
        json!({"allow": [], "deny": [], "alow": []}),
        json!({"allow": [{"cidr": "10.0.0.0/8"}], "deny": []}),
        json!({"allow": [{"cidr": "10.0.0.0/8", "scheme": "ftp"}], "deny": []}),
        json!({"allow": [{"cidr": "10.0.0.0/8", "scheme": "http", "port": 80}], "deny": []}),
        json!({"allow": [], "deny": ["10.0.0.0/33"]}),
        json!({"allow": [], "deny": ["10.0.0.0"]}),
    ] {
        assert!(serde_json::from_value::<DialPolicy>(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn the_schema_refuses_unknown_fields_and_requires_both_lists() {
    let schema = serde_json::to_value(schemars::schema_for!(DialPolicy)).unwrap();
    assert_eq!(schema["additionalProperties"], json!(false));
    assert_eq!(schema["required"], json!(["allow", "deny"]));
    assert_eq!(schema["properties"]["deny"]["items"]["type"], json!("string"));
}
