{{- /* The binding of a guardrail: (dict "name" .. "allowed" (list of namespaces) "root" $). */ -}}
{{- define "tollward.guardrailBinding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}
  labels:
    {{- include "tollward.labels" .root | nindent 4 }}
spec:
  policyName: {{ .name }}
  validationActions: [Deny]
  {{- if or .allowed .root.Values.watchNamespaces }}
  matchResources:
    namespaceSelector:
      matchExpressions:
        {{- with .root.Values.watchNamespaces }}
        - key: kubernetes.io/metadata.name
          operator: In
          values: {{ . | toJson }}
        {{- end }}
        {{- with .allowed }}
        - key: kubernetes.io/metadata.name
          operator: NotIn
          values: {{ . | toJson }}
        {{- end }}
  {{- end }}
{{- end -}}

{{- /* Writes of MCPServers, in whatever version. */ -}}
{{- define "tollward.guardedServers" -}}
matchConstraints:
  matchPolicy: Equivalent
  resourceRules:
    - apiGroups: [tollward.dev]
      apiVersions: [v1alpha1]
      operations: [CREATE, UPDATE]
      resources: [mcpservers]
{{- end -}}
