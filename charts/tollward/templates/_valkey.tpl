{{- define "tollward.valkey" -}}
{{ include "tollward.fullname" . }}-valkey
{{- end -}}

{{- /* Its name inside the cluster, in full: Tollward uses no search domains. */ -}}
{{- define "tollward.valkeyHost" -}}
{{ include "tollward.valkey" . }}.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}
{{- end -}}

{{- define "tollward.valkeySecret" -}}
{{ .Values.valkey.existingSecret | default (include "tollward.valkey" .) }}
{{- end -}}

{{- /* What finds its pod; it never changes. */ -}}
{{- define "tollward.valkeySelectorLabels" -}}
app.kubernetes.io/name: tollward
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: valkey
{{- end -}}

{{- define "tollward.valkeyLabels" -}}
{{ include "tollward.valkeySelectorLabels" . }}
app.kubernetes.io/part-of: tollward
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* What sidecars may dial: what the installer says, and the store that he brings at an address that he knows. */ -}}
{{- define "tollward.dialAllow" -}}
{{- $allow := .Values.dial.allow -}}
{{- if and .Values.valkey.enabled .Values.valkey.service.clusterIP -}}
{{- $address := .Values.valkey.service.clusterIP -}}
{{- $cidr := printf "%s/%s" $address (ternary "128" "32" (contains ":" $address)) -}}
{{- $allow = append $allow (dict "cidr" $cidr "scheme" "https") -}}
{{- end -}}
{{ $allow | toJson }}
{{- end -}}

{{- define "tollward.valkeyConfiguration" -}}
bind * -::*
# Without TLS there is no port.
port 0
tls-port 6379
tls-cert-file /etc/valkey/secret/tls.crt
tls-key-file /etc/valkey/secret/tls.key
tls-auth-clients no
aclfile /etc/valkey/secret/users.acl
dir /data
# A crash loses at most the charges of the last second.
appendonly yes
appendfsync everysec
save ""
maxmemory {{ .Values.valkey.maxMemory }}
# To forget a count would be to give a new budget: what does not fit is refused, and policies say what becomes of it.
maxmemory-policy noeviction
# Tollward's scripts take microseconds.
busy-reply-threshold 100
maxclients 10000
tcp-keepalive 60
{{- end -}}
