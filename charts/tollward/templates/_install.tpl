{{- /* The install file: what the operator reads at its start. Numbers are cast, since Helm reads them as fractions. */ -}}
{{- define "tollward.install" -}}
image: {{ include "tollward.image" (dict "image" .Values.sidecar.image "root" .) | quote }}
imagePullPolicy: {{ .Values.sidecar.image.pullPolicy }}
listen: {{ .Values.listenAddress | quote }}
clusterDomain: {{ .Values.clusterDomain | quote }}
operatorNamespace: {{ .Release.Namespace | quote }}
reportClientName: {{ printf "operator.%s.tollward.dev" .Release.Namespace | quote }}
watchNamespaces: {{ .Values.watchNamespaces | toJson }}
dial:
  allow: {{ include "tollward.dialAllow" . }}
  deny: {{ .Values.dial.deny | toJson }}
trustedProxies: {{ .Values.trustedProxies | toJson }}
http:
  {{- range $name, $value := .Values.sidecar.http }}
  {{ $name }}: {{ int64 $value }}
  {{- end }}
upstream:
  {{- range $name, $value := .Values.sidecar.upstream }}
  {{ $name }}: {{ int64 $value }}
  {{- end }}
refresh:
  {{- range $name, $value := .Values.refresh }}
  {{ $name }}: {{ int64 $value }}
  {{- end }}
stop:
  {{- range $name, $value := .Values.sidecar.stop }}
  {{ $name }}: {{ int64 $value }}
  {{- end }}
maxArgumentBytes: {{ int64 .Values.sidecar.maxArgumentBytes }}
relayReplicas: {{ int64 .Values.sidecar.relayReplicas }}
resources:
  {{- toYaml .Values.sidecar.resources | nindent 2 }}
environment:
  {{- range $name, $value := merge (dict) .Values.sidecar.environment (include "tollward.telemetry" . | fromYaml) }}
  {{ $name }}: {{ $value | quote }}
  {{- end }}
{{- end -}}

{{- /* Environment variables about telemetry, for the operator and for the sidecars. */ -}}
{{- define "tollward.telemetry" -}}
TOLLWARD_LOG: {{ .Values.log.filter | quote }}
TOLLWARD_LOG_FORMAT: {{ .Values.log.format | quote }}
{{- if .Values.otlp.endpoint }}
OTEL_EXPORTER_OTLP_ENDPOINT: {{ .Values.otlp.endpoint | quote }}
OTEL_EXPORTER_OTLP_PROTOCOL: {{ .Values.otlp.protocol | quote }}
{{- end }}
{{- end -}}
