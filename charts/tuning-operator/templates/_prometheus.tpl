{{/* The name of the bundled Prometheus and of all that belongs to it. */}}
{{- define "tuning-operator.prometheusName" -}}
{{ include "tuning-operator.fullname" . }}-prometheus
{{- end }}

{{- define "tuning-operator.prometheusSelector" -}}
app.kubernetes.io/name: {{ include "tuning-operator.name" . }}-prometheus
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tuning-operator.prometheusLabels" -}}
{{ merge (include "tuning-operator.prometheusSelector" . | fromYaml) (include "tuning-operator.labels" . | fromYaml) | toYaml }}
{{- end }}

{{/* Where the operator asks for curves: the Prometheus that is bundled, or the one that is named. */}}
{{- define "tuning-operator.prometheusUrl" -}}
{{- with .Values.prometheus }}
{{- if and .bundled (or .url .existingSecret) }}
{{- fail "prometheus.bundled=true asks the release's own Prometheus: leave prometheus.url and prometheus.existingSecret empty" }}
{{- end }}
{{- if not (or .bundled .url) }}
{{- fail "prometheus.url is missing: name the Prometheus that scrapes the training Pods, such as http://prometheus.monitoring:9090, or set prometheus.bundled=true to try with a small one" }}
{{- end }}
{{- if .bundled -}}
http://{{ include "tuning-operator.prometheusName" $ }}.{{ $.Release.Namespace }}:9090
{{- else -}}
{{ .url }}
{{- end }}
{{- end }}
{{- end }}

{{/* What finds the training Pods. */}}
{{- define "tuning-operator.prometheusRules" -}}
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
{{- end }}

{{/* What docs/install.md says of a Prometheus without its operator, for the namespaces that are watched. */}}
{{- define "tuning-operator.prometheusConfig" -}}
global:
  scrape_interval: 2s
  scrape_timeout: 2s
scrape_configs:
- job_name: trials
  sample_limit: {{ .Values.podMonitor.sampleLimit }}
  body_size_limit: {{ .Values.podMonitor.bodySizeLimit }}
  label_limit: {{ .Values.podMonitor.labelLimit }}
  label_name_length_limit: {{ .Values.podMonitor.labelNameLengthLimit }}
  label_value_length_limit: {{ .Values.podMonitor.labelValueLengthLimit }}
  kubernetes_sd_configs:
  - role: pod
    {{- with (include "tuning-operator.watched" . | fromJson).namespaces }}
    namespaces: {names: {{ toJson . }}}
    {{- end }}
    selectors:
    - {role: pod, label: app.kubernetes.io/managed-by=tuning-operator}
  relabel_configs:
  - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]
    action: keep
    regex: "true"
  - source_labels: [__meta_kubernetes_pod_phase]
    action: drop
    regex: Succeeded|Failed
  # The first Pod reports for a trial of several nodes.
  - source_labels: [__meta_kubernetes_pod_label_batch_kubernetes_io_job_completion_index]
    action: drop
    regex: "[1-9][0-9]*"
  # All ports of a Pod become one target, the annotated one. A Pod that has no address yet is left alone.
  - source_labels: [__meta_kubernetes_pod_ip, __meta_kubernetes_pod_annotation_prometheus_io_port]
    action: keep
    regex: .+;\d+
  - source_labels: [__meta_kubernetes_pod_ip, __meta_kubernetes_pod_annotation_prometheus_io_port]
    separator: ":"
    target_label: __address__
  # The operator tells trials apart by these two labels, which no training can set.
  - source_labels: [__meta_kubernetes_namespace]
    target_label: namespace
  - source_labels: [__meta_kubernetes_pod_name]
    target_label: pod
{{- end }}
