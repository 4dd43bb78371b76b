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

{{- /* A size as MiB, whether Kubernetes or Valkey writes it so; nothing if it is written in another way. */ -}}
{{- define "tollward.mebibytes" -}}
{{- $text := toString . -}}
{{- $units := dict "Mi" 1.0 "Gi" 1024.0 "Ti" 1048576.0 "M" 0.95367431640625 "G" 953.67431640625 "mb" 1.0 "gb" 1024.0 -}}
{{- $unit := regexFind "[A-Za-z]+$" $text -}}
{{- if and (hasKey $units $unit) (regexMatch "^[0-9]+([.][0-9]+)?[A-Za-z]+$" $text) -}}
{{ mulf (trimSuffix $unit $text | float64) (get $units $unit) }}
{{- end -}}
{{- end -}}

{{- /* Refuses sizes with which it would end once it has much to count, which is when it is needed. */ -}}
{{- define "tollward.valkeyFits" -}}
{{- $kept := include "tollward.mebibytes" .Values.valkey.maxMemory | float64 -}}
{{- $limit := (.Values.valkey.resources.limits | default dict).memory | default "" -}}
{{- $memory := include "tollward.mebibytes" $limit -}}
{{- if and $memory (lt (float64 $memory) (mulf 2 $kept)) -}}
{{- fail (printf "valkey.resources.limits.memory (%v) must be at least twice valkey.maxMemory (%s): connections, and the copy while it rewrites its file, come on top of the counts" $limit .Values.valkey.maxMemory) -}}
{{- end -}}
{{- $folder := include "tollward.mebibytes" .Values.valkey.persistence.size -}}
{{- if and $folder (lt (float64 $folder) (mulf 3 $kept)) -}}
{{- fail (printf "valkey.persistence.size (%s) must be at least three times valkey.maxMemory (%s): while its file is rewritten, the old one is there too" .Values.valkey.persistence.size .Values.valkey.maxMemory) -}}
{{- end -}}
{{- end -}}

{{- define "tollward.valkeyConfiguration" -}}
bind * -::*
# Without TLS there is no port.
port 0
tls-port 6379
tls-cert-file /etc/valkey/secret/tls.crt
tls-key-file /etc/valkey/secret/tls.key
tls-auth-clients no
# Images switch this off. With it, users that leave the default one open are of no use to anybody from outside of the pod.
protected-mode yes
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
