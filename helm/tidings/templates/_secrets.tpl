{{/*
Every secret that Tidings can read: `file` is the key in this chart's Secret and the name of the mounted file, `env` the
variable that names the file, `roles` who needs it. `value` is what the values hold, `from` an existing Secret.
A secret is never an environment variable: those end up in dumps. What signs an application's tokens also signs what pushes carry
to be acknowledged with. APNs' key and its id are mounted together, so that a process that runs sees both of a new key.
*/}}
{{- define "tidings.secrets" -}}
{{- $v := .Values }}
{{- $keyId := dict "name" (ternary $v.apns.existingSecret.name "" (ne $v.apns.existingSecret.keyIdKey "")) "key" $v.apns.existingSecret.keyIdKey }}
{{- $client := $v.apns.certificateExistingSecret }}
{{- $all := list "gateway" "worker" "push" "migrate" }}
{{- $services := list "gateway" "worker" "push" }}
{{- $secrets := list
  (dict "file" "postgres-url" "env" "TIDINGS__POSTGRES__URL_FILE" "roles" $all "value" $v.postgres.url "from" $v.postgres.existingSecret)
  (dict "file" "rabbitmq-url" "env" "TIDINGS__RABBITMQ__URL_FILE" "roles" $services "value" $v.rabbitmq.url "from" $v.rabbitmq.existingSecret)
  (dict "file" "redis-url" "env" "TIDINGS__REDIS__URL_FILE" "roles" $services "value" $v.redis.url "from" $v.redis.existingSecret)
  (dict "file" "postgres-ca.crt" "env" "TIDINGS__POSTGRES__CA_FILE" "roles" $all "value" "" "from" $v.postgres.caSecret)
  (dict "file" "rabbitmq-ca.crt" "env" "TIDINGS__RABBITMQ__CA_FILE" "roles" $services "value" "" "from" $v.rabbitmq.caSecret)
  (dict "file" "redis-ca.crt" "env" "TIDINGS__REDIS__CA_FILE" "roles" $services "value" "" "from" $v.redis.caSecret)
  (dict "file" "hs256-secret" "env" "TIDINGS__AUTH__HS256_SECRET_FILE" "roles" (list "gateway" "push" "test") "value" $v.auth.hs256Secret "from" $v.auth.hs256ExistingSecret)
  (dict "file" "signing-secret" "env" "TIDINGS__AUTH__SIGNING_SECRET_FILE" "roles" (list "gateway" "push") "value" $v.auth.signingSecret "from" $v.auth.signingExistingSecret)
  (dict "file" "server-keys" "env" "TIDINGS__AUTH__SERVER_KEYS_FILE" "roles" (list "gateway") "value" (join "\n" $v.auth.serverKeys) "from" $v.auth.serverKeysExistingSecret)
  (dict "file" "apns.p8" "env" "TIDINGS__APNS__KEY_FILE" "roles" (list "push") "value" $v.apns.key "from" $v.apns.existingSecret)
  (dict "file" "apns-key-id" "env" "TIDINGS__APNS__KEY_ID_FILE" "roles" (list "push") "value" $v.apns.keyId "from" $keyId)
  (dict "file" "apns.crt" "env" "TIDINGS__APNS__CERT_FILE" "roles" (list "push") "value" "" "from" (dict "name" $client.name "key" $client.certKey))
  (dict "file" "apns.key" "env" "TIDINGS__APNS__CERT_KEY_FILE" "roles" (list "push") "value" "" "from" (dict "name" $client.name "key" $client.keyKey))
  (dict "file" "apns-proxy" "env" "TIDINGS__APNS__PROXY_FILE" "roles" (list "push") "value" "" "from" $v.apns.proxyExistingSecret)
  (dict "file" "fcm.json" "env" "TIDINGS__FCM__SERVICE_ACCOUNT_FILE" "roles" (list "push") "value" $v.fcm.serviceAccount "from" $v.fcm.existingSecret)
  (dict "file" "fcm-proxy" "env" "TIDINGS__FCM__PROXY_FILE" "roles" (list "push") "value" "" "from" $v.fcm.proxyExistingSecret)
  (dict "file" "webpush-proxy" "env" "TIDINGS__WEBPUSH__PROXY_FILE" "roles" (list "push") "value" "" "from" $v.webpush.proxyExistingSecret)
  (dict "file" "vapid-private-key" "env" "TIDINGS__WEBPUSH__VAPID_PRIVATE_KEY_FILE" "roles" (list "gateway" "push") "value" $v.webpush.vapidPrivateKey "from" $v.webpush.existingSecret)
}}
{{- toYaml $secrets }}
{{- end }}

{{/* Those of them that are set and that a role needs. Takes (dict "root" $ "role" NAME). */}}
{{- define "tidings.secretsOf" -}}
{{- $mine := list }}
{{- range include "tidings.secrets" .root | fromYamlArray }}
{{- if and (has $.role .roles) (or .value .from.name) }}
{{- $mine = append $mine . }}
{{- end }}
{{- end }}
{{- toYaml $mine }}
{{- end }}

{{/* The data of a Secret with the values that no existing Secret provides. Takes (dict "root" $ "roles" LIST). */}}
{{- define "tidings.secretData" -}}
{{- range include "tidings.secrets" .root | fromYamlArray }}
{{- $wanted := false }}
{{- range .roles }}{{ if has . $.roles }}{{ $wanted = true }}{{ end }}{{ end }}
{{- if and $wanted .value (not .from.name) }}
{{ .file }}: {{ .value | b64enc | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* The volume with a role's secrets. Takes (dict "root" $ "role" NAME "own" NAME-OF-THE-CHART'S-SECRET). */}}
{{- define "tidings.secretVolume" -}}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
    {{- range include "tidings.secretsOf" . | fromYamlArray }}
      - secret:
          name: {{ default $.own .from.name }}
          items:
            - {key: {{ ternary .from.key .file (ne .from.name "") | quote }}, path: {{ .file }}}
    {{- end }}
{{- end }}

{{- define "tidings.secretMount" -}}
- name: secrets
  mountPath: /etc/tidings/secrets
  readOnly: true
{{- end }}
