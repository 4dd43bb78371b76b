{{- /* What the operator does in namespaces that it serves. It makes Secrets but can't read them. */ -}}
{{- define "tollward.servingRules" -}}
- apiGroups: [tollward.dev]
  resources: [mcpservers, ratelimitpolicies, identityproviders]
  verbs: [list, watch]
- apiGroups: [tollward.dev]
  resources: [mcpservers/status, ratelimitpolicies/status, identityproviders/status]
  verbs: [patch]
# For owner references that block deletion.
- apiGroups: [tollward.dev]
  resources: [mcpservers/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [serviceaccounts, configmaps, services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [secrets]
  verbs: [create, delete]
# A ValidatingAdmissionPolicy bounds the patch to one annotation.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, patch]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{- /* What there is once in a cluster. */ -}}
{{- define "tollward.clusterRules" -}}
- apiGroups: [""]
  resources: [namespaces]
  verbs: [list, watch]
{{- end -}}

{{- /* What the operator keeps in its own namespace. Creating can't be bounded by name. */ -}}
{{- define "tollward.ownRules" -}}
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [tollward-root]
  verbs: [get]
- apiGroups: [""]
  resources: [secrets]
  verbs: [create]
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [tollward-ca]
  verbs: [patch]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [tollward-operator]
  verbs: [get, list, watch, update, patch]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
{{- end -}}

{{- define "tollward.subject" -}}
- kind: ServiceAccount
  name: {{ include "tollward.serviceAccount" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
