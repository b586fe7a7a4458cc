{{- define "tuning-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 53 | trimSuffix "-" }}
{{- end }}

{{/* The release's name, with the chart's name in it; short enough for suffixes. */}}
{{- define "tuning-operator.fullname" -}}
{{- $name := include "tuning-operator.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 53 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 53 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 53 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "tuning-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tuning-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tuning-operator.labels" -}}
{{ include "tuning-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: tuning-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "tuning-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "tuning-operator.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "tuning-operator.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{/* The watched namespaces as a JSON object {"namespaces": […]}, empty when all are watched. */}}
{{- define "tuning-operator.watched" -}}
{{- if and .Values.clusterWide .Values.watchNamespaces }}
{{- fail "clusterWide means all namespaces: leave watchNamespaces empty, or clusterWide false" }}
{{- end }}
{{- $namespaces := .Values.clusterWide | ternary list (default (list .Release.Namespace) .Values.watchNamespaces) }}
{{- dict "namespaces" $namespaces | toJson }}
{{- end }}

{{/* Which namespaces a policy about the watched ones holds for. Where all are watched it leaves kube-system alone: only
administrators act there, and a cluster heals itself by its Pods. */}}
{{- define "tuning-operator.watchedSelector" -}}
{{- $namespaces := (include "tuning-operator.watched" . | fromJson).namespaces -}}
matchExpressions:
- key: kubernetes.io/metadata.name
  operator: {{ if $namespaces }}In{{ else }}NotIn{{ end }}
  values: {{ default (list "kube-system") $namespaces | toJson }}
{{- end }}

{{/* The user that the operator is to the API server. */}}
{{- define "tuning-operator.username" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "tuning-operator.serviceAccountName" . }}
{{- end }}

{{/* The name of objects that belong to the cluster as a whole: it says which release they are of. */}}
{{- define "tuning-operator.clusterName" -}}
{{ include "tuning-operator.fullname" . }}.{{ .Release.Namespace }}
{{- end }}

{{/* What the operator must know: where it watches, and how it queries Prometheus. */}}
{{- define "tuning-operator.env" -}}
- name: TUNING_OPERATOR_NAMESPACES
  value: {{ (include "tuning-operator.watched" . | fromJson).namespaces | join "," | default "*" | quote }}
{{- with .Values.prometheus }}
- name: TUNING_OPERATOR_PROMETHEUS_URL
  value: {{ include "tuning-operator.prometheusUrl" $ | quote }}
{{- if ne (not .existingSecret) (not (or .caKey .tokenKey)) }}
{{- fail "prometheus.existingSecret names a Secret, and prometheus.caKey and prometheus.tokenKey what is used of it: set both, or neither" }}
{{- end }}
{{- if .caKey }}
- name: TUNING_OPERATOR_PROMETHEUS_CA_FILE
  value: /etc/prometheus-access/ca.crt
{{- end }}
{{- if .tokenKey }}
- name: TUNING_OPERATOR_PROMETHEUS_TOKEN_FILE
  value: /etc/prometheus-access/token
{{- end }}
{{- if .headers }}
{{- $lines := list }}
{{- range $name, $value := .headers }}
{{- $lines = append $lines (printf "%s=%s" $name $value) }}
{{- end }}
- name: TUNING_OPERATOR_PROMETHEUS_HEADER
  value: {{ join "\n" $lines | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* The Secret of prometheus.existingSecret, where there is one: as a volume, and where it is mounted. */}}
{{- define "tuning-operator.accessVolume" -}}
{{- with .Values.prometheus }}
{{- if .existingSecret -}}
- name: prometheus-access
  secret:
    secretName: {{ .existingSecret }}
    items:
    {{- with .caKey }}
    - {key: {{ . }}, path: ca.crt}
    {{- end }}
    {{- with .tokenKey }}
    - {key: {{ . }}, path: token}
    {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "tuning-operator.accessMount" -}}
{{- if .Values.prometheus.existingSecret -}}
- {name: prometheus-access, mountPath: /etc/prometheus-access, readOnly: true}
{{- end }}
{{- end }}

{{/* What the operator does, and nothing else: docs/install.md says what each right is for. */}}
{{- define "tuning-operator.rules" -}}
- apiGroups: [tuning-operator.dev]
  resources: [tuningjobs]
  verbs: [get, list, watch, delete]
- apiGroups: [tuning-operator.dev]
  resources: [tuningtrials]
  verbs: [get, list, watch, create]
- apiGroups: [tuning-operator.dev]
  resources: [tuningjobs/status, tuningtrials/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, delete]
# Trials of several nodes.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, delete]
- apiGroups: [""]
  resources: [services]
  verbs: [get, create]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}

{{- define "tuning-operator.podSecurityContext" -}}
runAsNonRoot: true
{{- /* OpenShift assigns ids to each namespace, and refuses Pods that name others. */}}
{{- if not (.Capabilities.APIVersions.Has "security.openshift.io/v1") }}
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
{{- end }}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "tuning-operator.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
