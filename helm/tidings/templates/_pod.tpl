{{/* What a role's values are: `defaults` with the role's own over them. Takes (dict "root" $ "role" NAME). */}}
{{- define "tidings.roleValues" -}}
{{- mergeOverwrite (deepCopy .root.Values.defaults) (deepCopy (index .root.Values .role)) | toYaml }}
{{- end }}

{{/* Seconds between asking a gateway to stop and its signal, in which load balancers forget it. */}}
{{- define "tidings.preStopSeconds" -}}5{{- end }}

{{/* Seconds until a pod is killed: preStop, then the drain window, then 15 s to flush confirms and close. */}}
{{- define "tidings.gracePeriodSeconds" -}}
{{- add (int (include "tidings.preStopSeconds" .)) (int .Values.drain.windowSeconds) 15 }}
{{- end }}

{{- define "tidings.probe" -}}
httpGet: {path: {{ .path }}, port: ops}
{{ toYaml .probe }}
{{- end }}

{{/* The pod of a role. Takes (dict "root" $ "role" NAME "values" ROLE-VALUES). */}}
{{- define "tidings.pod" -}}
{{- $root := .root }}
{{- $gateway := eq .role "gateway" }}
{{- $labels := dict "root" $root "component" .role }}
serviceAccountName: {{ include "tidings.serviceAccountName" $root }}
automountServiceAccountToken: false
# Without it Kubernetes adds variables such as TIDINGS_GATEWAY_PORT for every Service of the namespace.
enableServiceLinks: false
{{- include "tidings.imagePullSecrets" $root }}
terminationGracePeriodSeconds: {{ include "tidings.gracePeriodSeconds" $root }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  {{- toYaml $root.Values.podSecurityContext | nindent 2 }}
containers:
  - name: {{ .role }}
    image: {{ include "tidings.image" $root }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args: [{{ .role }}]
    env:
      {{- include "tidings.env" (dict "root" $root "role" .role "extra" .values.extraEnv) | trim | nindent 6 }}
    ports:
      {{- if $gateway }}
      - {name: http, containerPort: 8080}
      {{- end }}
      - {name: ops, containerPort: 9090}
    startupProbe:
      {{- include "tidings.probe" (dict "path" "/healthz/live" "probe" .values.probes.startup) | nindent 6 }}
    livenessProbe:
      {{- include "tidings.probe" (dict "path" "/healthz/live" "probe" .values.probes.liveness) | nindent 6 }}
    readinessProbe:
      {{- include "tidings.probe" (dict "path" "/healthz/ready" "probe" .values.probes.readiness) | nindent 6 }}
    lifecycle:
      preStop:
        sleep: {seconds: {{ include "tidings.preStopSeconds" $root }}}
    resources:
      {{- toYaml .values.resources | nindent 6 }}
    securityContext:
      {{- toYaml $root.Values.securityContext | nindent 6 }}
    volumeMounts:
      {{- include "tidings.secretMount" $root | trim | nindent 6 }}
      {{- with .values.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  {{- include "tidings.secretVolume" (dict "root" $root "role" .role "own" (include "tidings.fullname" $root)) | trim | nindent 2 }}
  {{- with .values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
topologySpreadConstraints:
  {{- if .values.topologySpreadConstraints }}
  {{- toYaml .values.topologySpreadConstraints | nindent 2 }}
  {{- else }}
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels:
        {{- include "tidings.selector" $labels | nindent 8 }}
  {{- end }}
  {{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
