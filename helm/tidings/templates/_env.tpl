{{/* A value of `config` as Tidings reads it from the environment: lists by comma, numbers never as 1e+06. */}}
{{- define "tidings.configValue" -}}
{{- if kindIs "slice" . }}
{{- join "," . }}
{{- else if kindIs "string" . }}
{{- . }}
{{- else }}
{{- toJson . }}
{{- end }}
{{- end }}

{{/*
Who gets a setting of `config`, as YAML: everybody, so that the migration before a rollout finds what is wrong with any. But what
names a file goes to those alone who read it, for the others need not have that file. Takes (list SECTION KEY).
*/}}
{{- define "tidings.readersOf" -}}
{{- $section := first . }}
{{- $names := or (hasSuffix "_file" (last .)) (hasSuffix "_files" (last .)) }}
{{- if or (has $section (list "apns" "fcm")) (and $names (eq $section "webpush")) }}
{{- toYaml (list "push") }}
{{- else if and $names (has $section (list "server" "auth")) }}
{{- toYaml (list "gateway") }}
{{- else }}
{{- toYaml (list "gateway" "worker" "push" "migrate" "test") }}
{{- end }}
{{- end }}

{{/*
The environment of a role, sorted by name: what the chart derives, where the secrets are, and `config`.
Takes (dict "root" $ "role" NAME "extra" LIST).
*/}}
{{- define "tidings.env" -}}
{{- $root := .root }}
{{- $role := .role }}
{{- $owned := dict
  "TIDINGS__SERVER__LISTEN" "0.0.0.0:8080"
  "TIDINGS__SERVER__OPS_LISTEN" "0.0.0.0:9090"
  "TIDINGS__DRAIN__WINDOW" (printf "%ds" (int $root.Values.drain.windowSeconds)) }}
{{- if eq .role "push" }}
{{- with $root.Values.apns.teamId }}{{ $_ := set $owned "TIDINGS__APNS__TEAM_ID" . }}{{ end }}
{{- end }}
{{- if has .role (list "gateway" "push") }}
{{- with $root.Values.webpush.subject }}{{ $_ := set $owned "TIDINGS__WEBPUSH__SUBJECT" . }}{{ end }}
{{- end }}
{{- range include "tidings.secretsOf" . | fromYamlArray }}
{{- $_ := set $owned .env (printf "/etc/tidings/secrets/%s" .file) }}
{{- end }}
{{- $env := dict "TIDINGS__LOG__FORMAT" "json" }}
{{- range $section, $keys := $root.Values.config }}
{{- range $key, $value := $keys }}
{{- $name := printf "TIDINGS__%s__%s" (upper $section) (upper $key) }}
{{- if or (hasKey $owned $name) (hasKey $owned (printf "%s_FILE" $name)) }}
{{- fail (printf "config.%s.%s is set by another value of this chart" $section $key) }}
{{- end }}
{{- if has $role (include "tidings.readersOf" (list $section $key) | fromYamlArray) }}
{{- $_ := set $env $name (include "tidings.configValue" $value) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $value := merge $owned $env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- with .extra }}
{{ toYaml . }}
{{- end }}
{{- end }}
