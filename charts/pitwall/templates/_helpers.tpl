{{- define "pitwall.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else -}}
{{- $name := ternary .Release.Name (printf "%s-pitwall" .Release.Name) (contains "pitwall" .Release.Name) -}}
{{- /* A name that is cut keeps a mark of the whole: two long releases of one namespace must not share objects. */ -}}
{{- if gt (len $name) 40 -}}
{{- $name = printf "%s-%s" ($name | trunc 31 | trimSuffix "-") (sha256sum $name | trunc 8) -}}
{{- end -}}
{{- $name -}}
{{- end -}}
{{- end -}}

{{/* The name of an object of the whole cluster. No namespace holds a dot, so no two releases share one. Call with (list $ "name"). */}}
{{- define "pitwall.clusterwide" -}}
{{- printf "%s.%s" (index . 1) (index . 0).Release.Namespace -}}
{{- end -}}

{{- define "pitwall.webhook.failurePolicy" -}}
{{- .Values.webhook.failurePolicy | default (ternary "Fail" "Ignore" (ge (.Values.operator.replicas | int) 2)) -}}
{{- end -}}

{{/* Labels that never change: selectors. Call with (list $ "component"). */}}
{{- define "pitwall.selector" -}}
app.kubernetes.io/name: pitwall
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Labels of an object. Call with (list $ "component"). */}}
{{- define "pitwall.labels" -}}
{{- $root := index . 0 -}}
{{ include "pitwall.selector" . }}
app.kubernetes.io/part-of: pitwall
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Name and labels of an object. Call with (list $ "component" "name"). */}}
{{- define "pitwall.metadata" -}}
name: {{ index . 2 }}
namespace: {{ (index . 0).Release.Namespace }}
labels: {{- include "pitwall.labels" . | nindent 2 }}
{{- end -}}

{{/* A component's image. Call with (list $ .Values.operator.image). */}}
{{- define "pitwall.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- $name := $image.repository -}}
{{- with $root.Values.image.registry -}}{{- $name = printf "%s/%s" (trimSuffix "/" .) $name -}}{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (coalesce $image.tag $root.Values.image.tag $root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* What every pod has: where it may run, how it is confined. Call with (list $ "component" .Values.operator). */}}
{{- define "pitwall.pod" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $values := index . 2 -}}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "pitwall.selector" (list $root $component) | nindent 8 }}
{{- end -}}

{{/* What every container may not do. */}}
{{- define "pitwall.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* The probes of a component whose port is named http. */}}
{{- define "pitwall.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 3
{{- end -}}

{{- define "pitwall.operator.serviceAccount" -}}
{{- $given := .Values.operator.serviceAccount -}}
{{- $given.name | default (ternary (printf "%s-operator" (include "pitwall.fullname" .)) "default" $given.create) -}}
{{- end -}}

{{/* The Lease by which an operator claims a namespace; see operator/pitwall_operator/kube/namespace_claims.py. */}}
{{- define "pitwall.operator.claim" -}}
pitwall-claim-{{ .Values.operator.instance | default "default" }}
{{- end -}}

{{- define "pitwall.gateway.serviceAccount" -}}
{{- $given := .Values.gateway.serviceAccount -}}
{{- $given.name | default (ternary (printf "%s-gateway" (include "pitwall.fullname" .)) "default" $given.create) -}}
{{- end -}}

{{- define "pitwall.flags.host" -}}
{{- if .Values.flags.enabled -}}
{{- printf "%s-flags.%s.svc" (include "pitwall.fullname" .) .Release.Namespace -}}
{{- else -}}
{{- .Values.flags.external.host | required "flags.enabled is false: set flags.external.host to the flag service that operator and gateway shall use" -}}
{{- end -}}
{{- end -}}

{{/* The Secret with the flag service's certificate: tls.crt, tls.key, ca.crt. */}}
{{- define "pitwall.flags.tls.secret" -}}
{{- .Values.flags.tls.existingSecret | default (printf "%s-flags-tls" (include "pitwall.fullname" .)) -}}
{{- end -}}

{{- define "pitwall.flags.scheme" -}}
{{- ternary "https" "http" .Values.flags.tls.enabled -}}
{{- end -}}

{{- define "pitwall.flags.httpPort" -}}
{{- ternary 8016 (.Values.flags.external.httpPort | int) .Values.flags.enabled -}}
{{- end -}}

{{- define "pitwall.flags.syncPort" -}}
{{- ternary 8015 (.Values.flags.external.syncPort | int) .Values.flags.enabled -}}
{{- end -}}

{{/* The Secret with the flag service's tokens: evaluate, write, kill. */}}
{{- define "pitwall.flags.tokens" -}}
{{- .Values.flags.tokens.existingSecret | default "pitwall-flags-tokens" -}}
{{- end -}}

{{/* A token from the Secret into the environment. Call with (list $ "write"). */}}
{{- define "pitwall.flags.token" -}}
- name: PITWALL_FLAGS_{{ index . 1 | upper }}_TOKEN
  valueFrom: {secretKeyRef: {name: {{ include "pitwall.flags.tokens" (index . 0) }}, key: {{ index . 1 }}}}
{{- end -}}

{{/* Whether the chart makes the tokens, and with them one for the gateway's flag alone. */}}
{{- define "pitwall.flags.tokens.made" -}}
{{- if and .Values.flags.enabled (not .Values.flags.tokens.existingSecret) }}yes{{ end -}}
{{- end -}}

{{/* The gateway's token into its environment. */}}
{{- define "pitwall.gateway.flagsToken" -}}
{{- $own := .Values.gateway.flagsToken -}}
{{- $name := $own.existingSecret | default (include "pitwall.flags.tokens" .) -}}
{{- $key := ternary "gateway" "evaluate" (not (empty (include "pitwall.flags.tokens.made" .))) -}}
- name: PITWALL_FLAGS_EVALUATE_TOKEN
  valueFrom: {secretKeyRef: {name: {{ $name }}, key: {{ ternary $own.key $key (not (empty $own.existingSecret)) }}}}
{{- end -}}

{{/* What trusts the flag service, as a volume and its mount. */}}
{{- define "pitwall.flags.authority.volume" -}}
- {name: flags-authority, secret: {secretName: {{ include "pitwall.flags.tls.secret" . }}, defaultMode: 0440, items: [{key: ca.crt, path: ca.crt}]}}
{{- end -}}

{{- define "pitwall.flags.authority.mount" -}}
- {name: flags-authority, mountPath: /etc/pitwall/flags, readOnly: true}
{{- end -}}

{{/* The namespace whose runtimes the gateway asks. */}}
{{- define "pitwall.gateway.namespace" -}}
{{- .Values.gateway.namespace | default .Release.Namespace -}}
{{- end -}}

{{/* The Secret with the digests of the callers' API keys. */}}
{{- define "pitwall.gateway.callers" -}}
{{- .Values.gateway.callers.existingSecret | default (printf "%s-gateway-callers" (include "pitwall.fullname" .)) -}}
{{- end -}}

{{- define "pitwall.webhook.secret" -}}
{{- .Values.webhook.existingSecret | default (printf "%s-webhook" (include "pitwall.fullname" .)) -}}
{{- end -}}

{{/* Every Secret that the release makes or names, but for those that images are pulled with: a YAML list. */}}
{{- define "pitwall.secrets" -}}
{{- $flags := .Values.flags -}}
{{- list
    (include "pitwall.flags.tokens" .) (include "pitwall.flags.tls.secret" .) "pitwall-flags-tokens"
    $flags.database.postgresql.existingSecret $flags.sets.existingSecret
    (include "pitwall.webhook.secret" .) (include "pitwall.gateway.callers" .)
    .Values.gateway.flagsToken.existingSecret .Values.prometheus.tokenSecret.name
  | compact | toYaml -}}
{{- end -}}

{{/* Values that contradict each other, in words. */}}
{{- define "pitwall.check" -}}
{{- $flags := .Values.flags -}}
{{- if and $flags.enabled (gt ($flags.replicas | int) 1) (not $flags.database.postgresql.existingSecret) -}}
{{- fail (printf "flags.replicas is %v: SQLite serves one replica; set flags.database.postgresql.existingSecret or flags.replicas=1" $flags.replicas) -}}
{{- end -}}
{{- if and .Values.gateway.autoscaling.enabled (gt (.Values.gateway.autoscaling.minReplicas | int) (.Values.gateway.autoscaling.maxReplicas | int)) -}}
{{- fail "gateway.autoscaling.minReplicas must not exceed gateway.autoscaling.maxReplicas" -}}
{{- end -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" (include "pitwall.fullname" .)) -}}
{{- fail (printf "the release %s begins with a digit or holds a dot, and Services, which are called after it, may not (RFC 1035): set fullnameOverride" .Release.Name) -}}
{{- end -}}
{{- if and .Values.webhook.existingSecret .Values.webhook.certManager.enabled -}}
{{- fail "webhook.existingSecret and webhook.certManager.enabled exclude each other: choose one source of the certificate" -}}
{{- end -}}
{{- range .Values.runtime.allow.secrets -}}
{{- if has . (include "pitwall.secrets" $ | fromYamlArray) -}}
{{- fail (printf "runtime.allow.secrets names %s, which holds Pitwall's own keys: whoever may write a SamplerVariant could read it" .) -}}
{{- end -}}
{{- end -}}
{{- range .Values.runtime.allow.claims -}}
{{- if hasPrefix (printf "data-%s-flags-" (include "pitwall.fullname" $)) . -}}
{{- fail (printf "runtime.allow.claims names %s, the flag service's database: whoever may write a SamplerVariant could change every flag" .) -}}
{{- end -}}
{{- end -}}
{{- range .Values.runtime.allow.serviceAccounts -}}
{{- if has . (list (printf "%s-operator" (include "pitwall.fullname" $)) (printf "%s-gateway" (include "pitwall.fullname" $)) $.Values.operator.serviceAccount.name $.Values.gateway.serviceAccount.name) -}}
{{- fail (printf "runtime.allow.serviceAccounts names %s, Pitwall's own account: whoever may write a SamplerVariant would have its rights" .) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.flags.tls.existingSecret .Values.flags.tls.certManager.enabled -}}
{{- fail "flags.tls.existingSecret and flags.tls.certManager.enabled exclude each other: choose one source of the certificate" -}}
{{- end -}}
{{- if and .Values.flags.tls.enabled (not .Values.flags.enabled) (not .Values.flags.tls.existingSecret) -}}
{{- fail "flags.tls.enabled with a flag service of another release needs flags.tls.existingSecret: a Secret with the ca.crt that signed its certificate" -}}
{{- end -}}
{{- if and .Values.webhook.existingSecret (not .Values.webhook.caBundle) -}}
{{- fail "webhook.existingSecret needs webhook.caBundle: base64 of the PEM that signed its certificate" -}}
{{- end -}}
{{- end -}}
