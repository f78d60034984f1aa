{{/* The queue and the stores that ingest workers and runtimes share. */}}
{{- define "pitwall.ingest.stores" -}}
- {{ printf "--queue-url=%s" (.Values.ingest.queueUrl | required "ingest.enabled needs ingest.queueUrl: redis://, sqs:// or kafka://") | quote }}
{{- with .Values.ingest.bookUrl }}
- {{ printf "--book-url=%s" . | quote }}
{{- end }}
{{- with .Values.ingest.sharedUrl }}
- {{ printf "--shared-url=%s" . | quote }}
{{- end }}
{{- with .Values.ingest.hotUrl }}
- {{ printf "--hot-url=%s" . | quote }}
{{- end }}
{{- end -}}

{{/* Four fifths of runtime.cacheSize, in bytes, as the operator counts them for runtimes. */}}
{{- define "pitwall.ingest.cacheBytes" -}}
{{- $size := .Values.runtime.cacheSize -}}
{{- $units := dict "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 -}}
{{- $unit := regexFind "[A-Za-z]+$" $size -}}
{{- mulf (float64 (trimSuffix $unit $size)) (get $units $unit | default 1 | float64) 0.8 | floor | int64 -}}
{{- end -}}
