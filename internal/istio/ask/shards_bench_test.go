package ask

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkParseShards reads what an istiod says of 1,000 Services with 50 endpoints each.
func BenchmarkParseShards(b *testing.B) {
	var text strings.Builder
	text.WriteString("{")
	for i := range 1000 {
		if i > 0 {
			text.WriteString(",")
		}
		fmt.Fprintf(&text, `"service-%d.shop.svc.cluster.local":{"shop":{"Shards":{`, i)
		for c := range 5 {
			if c > 0 {
				text.WriteString(",")
			}
			fmt.Fprintf(&text, `"Kubernetes/cluster-%d":[`, c)
			for e := range 10 {
				if e > 0 {
					text.WriteString(",")
				}
				fmt.Fprintf(&text, `{"Labels":{"app":"service-%d","kubernetes.io/hostname":"node-%d","pod-template-hash":"5d4f8c9b7","security.istio.io/tlsMode":"istio",`+
					`"service.istio.io/canonical-name":"service-%d","service.istio.io/canonical-revision":"latest","topology.istio.io/cluster":"cluster-%d","topology.istio.io/network":"n%d"},`+
					`"Addresses":["10.%d.%d.%d"],"ServicePortName":"http","LegacyClusterPortKey":0,"ServiceAccount":"spiffe://cluster.local/ns/shop/sa/default","Network":"n%d",`+
					`"Locality":{"Label":"region/zone/","ClusterID":"cluster-%d"},"EndpointPort":8080,"LbWeight":0,"TLSMode":"istio","Namespace":"shop","WorkloadName":"service-%d",`+
					`"HostName":"","SubDomain":"","HealthStatus":1,"SendUnhealthyEndpoints":false,"NodeName":"node-%d"}`,
					i, e, i, c, c, c, i%250, e, c, c, i, e)
			}
			text.WriteString("]")
		}
		text.WriteString(`},"ServiceAccounts":{"spiffe://cluster.local/ns/shop/sa/default":{}}}}`)
	}
	text.WriteString("}")
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if got, err := newAddressSets().parseShards(strings.NewReader(text.String())); err != nil || len(got) != 5 {
			b.Fatal(len(got), err)
		}
	}
}
