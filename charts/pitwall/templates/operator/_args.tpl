{{- define "pitwall.operator.args" -}}
{{- $webhook := .Values.webhook -}}
{{- $runtime := .Values.runtime -}}
- --flags-url={{ include "pitwall.flags.scheme" . }}://{{ include "pitwall.flags.host" . }}:{{ include "pitwall.flags.httpPort" . }}
{{- if .Values.flags.tls.enabled }}
- --flags-authority=/etc/pitwall/flags/ca.crt
{{- end }}
- --lease-name={{ include "pitwall.fullname" . }}-operator
{{- if not .Values.watch.namespaces }}
- --claims-namespace={{ .Values.operator.claimsNamespace }}
{{- end }}
{{- with .Values.operator.instance }}
- --instance={{ . }}
{{- end }}
- --port=8080
- --resync-seconds={{ .Values.operator.resyncSeconds }}
- --workers={{ .Values.operator.workers }}
{{- range .Values.watch.namespaces }}
- --namespace={{ . }}
{{- end }}
{{- with .Values.prometheus.url }}
- --prometheus-url={{ . }}
{{- end }}
- --prometheus-timeout-seconds={{ .Values.prometheus.timeoutSeconds }}
- --prometheus-most-mebibytes={{ .Values.prometheus.mostMebibytes }}
- --stale-seconds={{ .Values.prometheus.staleSeconds }}
{{- with .Values.prometheus.gateways }}
- {{ printf "--prometheus-gateways=%s" . | quote }}
{{- end }}
{{- if $webhook.enabled }}
- --webhook-port=9443
- --webhook-certificate=/etc/pitwall/webhook/tls.crt
- --webhook-private-key=/etc/pitwall/webhook/tls.key
{{- end }}
- --runtime-image={{ include "pitwall.image" (list . $runtime.image) }}
- --image-pull-policy={{ .Values.image.pullPolicy }}
{{- range .Values.image.pullSecrets }}
- --image-pull-secret={{ .name }}
{{- end }}
{{- with $runtime.serviceAccountName }}
- --runtime-service-account={{ . }}
{{- end }}
{{- range $runtime.mediaRoots }}
- --media-root={{ . }}
{{- end }}
{{- range $runtime.allowHosts }}
- --allow-host={{ . }}
{{- end }}
{{- with $runtime.cacheVolume }}
- {{ printf "--cache-volume=%s" (toJson .) | quote }}
{{- end }}
- --cache-size={{ $runtime.cacheSize }}
{{- with $runtime.mediaVolume }}
- {{ printf "--media-volume=%s" (toJson .) | quote }}
{{- end }}
{{- range $namespace, $volumes := $runtime.volumesIn }}
{{- with $volumes.cacheVolume }}
- {{ printf "--cache-volume-in=%s=%s" $namespace (toJson .) | quote }}
{{- end }}
{{- with $volumes.mediaVolume }}
- {{ printf "--media-volume-in=%s=%s" $namespace (toJson .) | quote }}
{{- end }}
{{- end }}
{{- range $name, $switch := dict "privileged" "privileged" "writableRoot" "writable-root" "hostNetwork" "host-network" "initContainers" "init-containers" "systemPriority" "system-priority" "anyNode" "any-node" }}
{{- if index $runtime.allow $name }}
- --allow-{{ $switch }}
{{- end }}
{{- end }}
{{- range $runtime.allow.hostPaths }}
- --allow-host-path={{ . }}
{{- end }}
{{- range $runtime.allow.serviceAccounts }}
- --allow-service-account={{ . }}
{{- end }}
{{- range $runtime.allow.secrets }}
- --allow-secret={{ . }}
{{- end }}
{{- range $runtime.allow.affinityNamespaces }}
- --allow-affinity-namespace={{ . }}
{{- end }}
{{- range $runtime.allow.claims }}
- --allow-claim={{ . }}
{{- end }}
{{- range $runtime.allow.annotations }}
- --allow-annotation={{ . }}
{{- end }}
{{- range $runtime.allow.labels }}
- --allow-label={{ . }}
{{- end }}
- --flags-per-namespace={{ int .Values.flags.perNamespace }}
{{- range $namespace, $prefixes := .Values.flags.prefixes }}
{{- range $prefixes }}
- --flag-prefix={{ $namespace }}={{ . }}
{{- end }}
{{- end }}
{{- if ne (include "pitwall.gateway.namespace" .) .Release.Namespace }}
- --no-runtimes-in={{ .Release.Namespace }}
{{- end }}
{{- if .Values.ingest.enabled }}
{{- range include "pitwall.ingest.stores" . | fromYamlArray }}
- {{ printf "--runtime-argument=%s" . | quote }}
{{- end }}
{{- end }}
- --startup-seconds={{ $runtime.startupSeconds }}
- --grace-seconds={{ $runtime.graceSeconds }}
{{- range $runtime.known.samplers }}
- {{ printf "--known-sampler=%s" . | quote }}
{{- end }}
{{- range $runtime.known.reducers }}
- {{ printf "--known-reducer=%s" . | quote }}
{{- end }}
{{- range $runtime.known.encoders }}
- {{ printf "--known-encoder=%s" . | quote }}
{{- end }}
{{- end -}}
