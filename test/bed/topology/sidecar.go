package topology

// sidecarTemplate is what the injector adds to pods: what tells a mesh about a
// sidecar, and nothing of what only a kubelet would need.
const sidecarTemplate = `
metadata:
  labels:
    security.istio.io/tlsMode: {{ index .ObjectMeta.Labels "security.istio.io/tlsMode" | default "istio" | quote }}
    service.istio.io/canonical-name: {{ index .ObjectMeta.Labels "app" | default .DeploymentMeta.Name | quote }}
    service.istio.io/canonical-revision: {{ index .ObjectMeta.Labels "version" | default "latest" | quote }}
  annotations:
    istio.io/rev: {{ .Revision | default "default" | quote }}
spec:
  {{ if .NativeSidecars }}initContainers{{ else }}containers{{ end }}:
  - name: istio-proxy
    image: {{ .ProxyImage | quote }}
    {{ if .NativeSidecars }}restartPolicy: Always{{ end }}
    args: [proxy, sidecar]
    ports:
    - name: http-envoy-prom
      containerPort: 15090
      protocol: TCP
    env:
    - name: CA_ADDR
      value: istiod.{{ .Values.global.istioNamespace }}.svc:15012
    - name: PROXY_CONFIG
      value: |
        {{ protoToJSON .ProxyConfig }}
    - name: ISTIO_META_CLUSTER_ID
      value: {{ valueOrDefault .Values.global.multiCluster.clusterName "Kubernetes" | quote }}
    {{ if .Values.global.network }}
    - name: ISTIO_META_NETWORK
      value: {{ .Values.global.network | quote }}
    {{ end }}
    - name: ISTIO_META_WORKLOAD_NAME
      value: {{ index .ObjectMeta.Labels "app" | default .DeploymentMeta.Name | quote }}
    - name: ISTIO_META_MESH_ID
      value: {{ .Values.global.meshID | quote }}
    - name: TRUST_DOMAIN
      value: {{ .MeshConfig.TrustDomain | quote }}
`
