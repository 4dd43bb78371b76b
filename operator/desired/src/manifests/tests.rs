//! Good files, and files with one thing wrong.

use super::read;

const SERVER: &str = "
apiVersion: tollward.dev/v1alpha1
kind: MCPServer
metadata: {name: catalog, namespace: shop}
spec:
  source:
    type: Workload
    workload: {image: catalog, transport: {port: 3000}}
  auth: {mode: None, rules: [{name: read, match: {tools: [x]}}]}
";

fn errors(text: &str) -> Vec<String> {
    read([("a.yaml", text)]).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn documents_are_sorted_by_kind_and_foreign_ones_are_named_as_skipped() {
    let more = "
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
---
apiVersion: tollward.dev/v1alpha1
kind: IdentityProvider
metadata: {name: idp}
spec: {type: External, external: {issuer: 'https://idp.example.com'}}
";
    let manifests = read([("a.yaml", SERVER), ("b.yaml", more)]).unwrap();
    assert_eq!(manifests.servers.len(), 1);
    assert_eq!(manifests.providers.len(), 1);
    assert_eq!(manifests.skipped, ["b.yaml: v1 Namespace shop"]);
    assert_eq!(manifests.servers[0].spec.session.max_age.0, "24h", "defaults are filled in");
}

#[test]
fn an_unknown_field_anywhere_is_refused_with_file_document_and_place() {
    for (good, bad, place) in [
        ("transport: {port: 3000}", "transport: {port: 3000, prot: 1}", "spec.source.workload.transport.prot"),
        ("mode: None", "mode: None, oidc: true", "spec.auth.oidc"),
        ("namespace: shop}", "namespace: shop, lables: {}}", "metadata.lables"),
        ("tools: [x]", "tools: [x], tool: y", "spec.auth.rules.0.match.tool"),
        ("image: catalog", "image: catalog, podOptions: {affinity: {nodeAfinity: {}}}", "affinity.nodeAfinity"),
    ] {
        let found = errors(&format!("---\n{}", SERVER.replace(good, bad)));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("a.yaml, document 1, at `"), "{found:?}");
        assert!(found[0].contains(place) && found[0].contains("not known"), "{place}: {found:?}");
    }
}

#[test]
fn a_wrong_type_or_value_is_refused_with_its_place() {
    for (good, bad, expected) in [
        ("port: 3000", "port: '3000'", "at `spec.source.workload.transport.port`: invalid type"),
        ("mode: None", "mode: Nobody", "at `spec.auth.mode`: unknown variant `Nobody`"),
        ("image: catalog, ", "", "at `spec.source.workload`: missing field `image`"),
        ("type: Workload", "type: null", "at `spec.source.type`"),
        ("  auth:", "  session: null\n  auth:", "at `spec.session`"),
    ] {
        let found = errors(&SERVER.replace(good, bad));
        assert!(found.iter().any(|error| error.contains(expected)), "{expected}: {found:?}");
    }
}

#[test]
fn the_word_off_without_quotes_is_explained_as_kubectl_would_refuse_it() {
    let text = SERVER.replace("  auth:", "  endpoint: {tls: {mode: Off}}\n  auth:");
    assert!(errors(&text)[0].contains("in quotes"), "{:?}", errors(&text));
    let quoted = text.replace("Off", "'Off'");
    assert!(read([("a.yaml", quoted.as_str())]).is_ok());
}

#[test]
fn what_is_no_resource_of_ours_is_refused() {
    for (text, expected) in [
        ("a: [", "a.yaml"),
        ("hello: world", "apiVersion and kind must be set"),
        (
            "apiVersion: tollward.dev/v1alpha1\nkind: MCPSever\nmetadata: {name: x}",
            "kind `MCPSever` is not known; there are MCPServer",
        ),
        ("apiVersion: tollward.dev/v9\nkind: MCPServer\nmetadata: {name: x}", "use tollward.dev/v1alpha1"),
        ("apiVersion: tollward.dev/v1alpha1\nkind: MCPServer\nmetadata: {}", "metadata.name"),
        ("a: 1\na: 2", "the key `a` stands twice; keep one of them"),
        (
            "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e]",
            "split it up",
        ),
    ] {
        let found = errors(text);
        assert!(found.iter().any(|error| error.contains(expected)), "{expected}: {found:?}");
    }
}

#[test]
fn all_errors_of_all_files_are_reported() {
    let found = read([("a.yaml", "x: 1"), ("b.yaml", "y: [")]).unwrap_err();
    assert_eq!(found.len(), 2);
}

#[test]
fn a_list_as_kubectl_prints_it_is_read_object_by_object() {
    let list = "
apiVersion: v1
kind: List
items:
  - apiVersion: tollward.dev/v1alpha1
    kind: MCPServer
    metadata: {name: catalog, namespace: shop, uid: u, resourceVersion: '7', creationTimestamp: '2026-01-01T00:00:00Z'}
    spec:
      source: {type: Workload, workload: {image: catalog, transport: {port: 3000}}}
      auth: {mode: None}
    status: {conditions: []}
  - apiVersion: v1
    kind: Namespace
    metadata: {name: shop}
";
    let manifests = read([("live.yaml", list)]).unwrap();
    assert_eq!((manifests.servers.len(), manifests.skipped.len()), (1, 1));
    let nested = "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: List, items: []}, {kind: MCPServer}]\n";
    assert_eq!(errors(nested), ["a.yaml, document 1: apiVersion and kind must be set"]);
}
