package ads

import (
	"testing"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
)

func TestMask(t *testing.T) {
	dynamic := func(cluster *clusterv3.Cluster) *adminv3.ClustersConfigDump_DynamicCluster {
		packed, err := anypb.New(cluster)
		if err != nil {
			t.Fatal(err)
		}
		return &adminv3.ClustersConfigDump_DynamicCluster{VersionInfo: "1", Cluster: packed}
	}
	full := edsCluster(t, "shop")
	nameOnly := &clusterv3.Cluster{Name: "shop"}
	tests := []struct {
		mask    string
		want    *adminv3.ClustersConfigDump_DynamicCluster
		wantErr string
	}{
		{mask: "version_info", want: &adminv3.ClustersConfigDump_DynamicCluster{VersionInfo: "1"}},
		{mask: "version_info,cluster.name", want: dynamic(nameOnly)},
		{mask: "cluster,version_info", want: dynamic(full)},
		{mask: "cluster.eds_cluster_config.service_name,version_info", want: dynamic(&clusterv3.Cluster{
			EdsClusterConfig: &clusterv3.Cluster_EdsClusterConfig{ServiceName: "shop"},
		})},
		{mask: "nothing", wantErr: `has no field "nothing"`},
		{mask: "cluster.nothing", wantErr: `has no field "nothing"`},
		{mask: "version_info.x", wantErr: "has no fields"},
	}
	for _, test := range tests {
		t.Run(test.mask, func(t *testing.T) {
			got := dynamic(full)
			err := parseMask(test.mask).trim(got.ProtoReflect(), true)
			if test.wantErr != "" {
				wantError(t, err, test.wantErr)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, protocmp.Transform()); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}
